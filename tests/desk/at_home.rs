//! Agents at home, on the public telephone network: they call a line of codes, and what they key in
//! there does what codes do at a desk. Stories of the whole switch.

use crate::desk_world::{BSNL, Habit, Stage, field, secs};
use pukar::base::PortId;
use pukar::call::{Direction, Flag, Outcome};
use pukar::core::What;

const HOME: &str = r#"
[[route]]
prefixes = ["+91"]
trunk = "bsnl"
identity = "+917552551181"
[[line]]
numbers = ["181"]
queue = "general"
default = true
[[line]]
name = "codes"
numbers = ["+917552551199"]
codes = true
[[queue]]
name = "general"
skills = ["operator"]
wrap_up = "60s"
pause_after = 2
rest = "1s"
ring_for = "10s"
[[agent]]
id = "asha"
pin = "7401"
contact = "tel:9826012345"
trunk = "bsnl"
skills = ["operator"]
[[agent]]
id = "bina"
contact = "tel:9826054321"
trunk = "bsnl"
skills = ["operator"]
[[agent]]
id = "office"
pin = "7402"
contact = "sip:office@10.2.0.1"
skills = ["health"]
"#;
const ASHA: &str = "9826012345";
const BINA: &str = "9826054321";
const CODES: &str = "+917552551199";

fn stage() -> Stage {
    Stage::new(HOME)
}

struct AtHome {
    call: String,
    port: PortId,
}

fn calls(stage: &mut Stage, from: &str) -> AtHome {
    let call = stage.dial(from, CODES, "");
    let port = *stage.opened.last().expect("a port was opened");
    AtHome { call, port }
}

/// What is heard after these keys: true is the tone of what is done, `None` nothing.
fn key(stage: &mut Stage, home: &AtHome, keys: &str) -> Option<bool> {
    stage.played.clear();
    stage.press_at(home.port, keys);
    let signals = stage.settings.call.signals;
    match stage.played.last() {
        Some(tune) if Some(*tune) == signals.done => Some(true),
        Some(tune) if Some(*tune) == signals.refused => Some(false),
        Some(other) => panic!("{other:?}"),
        None => None,
    }
}

fn leaves(stage: &mut Stage, home: &AtHome) {
    stage.hang_up(&home.call);
}

#[test]
fn a_shift_by_the_keys_of_a_telephone_at_home() {
    let mut stage = stage();
    let home = calls(&mut stage, ASHA);
    assert!(stage.answers[&home.call].starts_with("SIP/2.0 200"));
    assert_eq!(stage.played.last().copied(), stage.settings.call.signals.go_on, "who is it?");
    assert_eq!(key(&mut stage, &home, "7401#"), Some(true));
    assert_eq!(pins(&stage), [owned(("asha", "asha", ""))]);
    assert_eq!(stage.state("asha"), "own-call", "their telephone is taken");
    assert_eq!(key(&mut stage, &home, "*11"), Some(true));
    stage.kill();
    stage.dial("9425000001", "181", "");
    assert_eq!(stage.state("asha"), "own-call", "and nobody is offered to it");
    assert_eq!(key(&mut stage, &home, "*142"), Some(true));
    leaves(&mut stage, &home);
    assert_eq!(stage.state("asha"), "paused");
    let reason = stage.facts.iter().rev().find_map(|fact| match &fact.what {
        What::Desk(pukar::acd::Fact::Agent { state, .. }) => Some(state.reason().to_string()),
        _ => None,
    });
    assert_eq!(reason.unwrap(), "meal");
    let home = calls(&mut stage, ASHA);
    assert_eq!(key(&mut stage, &home, "7401#*13"), Some(true));
    leaves(&mut stage, &home);
    assert_eq!(stage.state("asha"), "offered", "the caller still waits");
    stage.far_end_answers(BSNL);
    let port = *stage.opened.last().unwrap();
    stage.press_at(port, "1");
    assert_eq!(stage.state("asha"), "talking");
    stage.far_end_hangs_up(BSNL);
    assert_eq!(stage.state("asha"), "wrap-up");
    let home = calls(&mut stage, ASHA);
    assert_eq!(key(&mut stage, &home, "7401#*163"), Some(true), "its category");
    leaves(&mut stage, &home);
    stage.wait(secs(61));
    let record = stage.records.iter().find(|record| record.queue == "general").unwrap();
    assert_eq!((&*record.category, &*record.agent), ("health", "asha"));
    let home = calls(&mut stage, ASHA);
    assert_eq!(key(&mut stage, &home, "7401#*12"), Some(true));
    leaves(&mut stage, &home);
    assert_eq!(stage.state("asha"), "off");
    stage.wait(secs(60));
    let own = stage.records.iter().filter(|record| record.line == "codes");
    let own: Vec<_> = own
        .map(|one| (one.direction, one.outcome, one.agent.clone(), one.dialled.clone()))
        .collect();
    let expected = (Direction::In, Outcome::Answered, "asha".to_string(), CODES.to_string());
    assert_eq!(own, vec![expected; 4], "each is a record, and no pin is in it");
}

#[test]
fn the_end_of_a_wrap_up_is_keyed_in_from_home() {
    let mut stage = stage();
    writes_notes(&mut stage);
    let home = calls(&mut stage, BINA);
    assert_eq!(key(&mut stage, &home, "*15"), Some(true));
    leaves(&mut stage, &home);
    assert_eq!(stage.state("bina"), "ready");
}

#[test]
fn who_was_paused_by_missed_calls_at_home_comes_back_by_themselves() {
    let mut stage = stage();
    stage.habit(BSNL, Habit::Rings);
    stage.set_agent("bina", "ready");
    let caller = stage.dial("9425000001", "181", "");
    stage.wait(secs(25));
    assert_eq!(stage.state("bina"), "paused", "two calls that nobody took");
    stage.wait(secs(600));
    assert_eq!(stage.state("bina"), "paused");
    let home = calls(&mut stage, BINA);
    assert_eq!(key(&mut stage, &home, "*13"), Some(true), "no pin is configured");
    leaves(&mut stage, &home);
    assert_eq!(stage.state("bina"), "offered");
    stage.hang_up(&caller);
}

/// Bina has talked with a caller from home, and has a minute for her notes.
fn writes_notes(stage: &mut Stage) {
    stage.set_agent("bina", "ready");
    stage.dial("9425000001", "181", "");
    stage.far_end_answers(BSNL);
    let port = *stage.opened.last().unwrap();
    stage.press_at(port, "1");
    stage.far_end_hangs_up(BSNL);
    assert_eq!(stage.state("bina"), "wrap-up");
}

#[test]
fn notes_that_end_while_codes_are_keyed_in_leave_the_telephone_taken() {
    for way in ["by time", "by a supervisor", "by code", "in a second call"] {
        let mut stage = stage();
        writes_notes(&mut stage);
        let mut home = calls(&mut stage, BINA);
        assert_eq!(stage.state("bina"), "wrap-up", "what is keyed in may be of them");
        let caller = stage.dial("9425000002", "181", "");
        let rung = stage.invites.len();
        match way {
            "by time" => (0..7).for_each(|_| {
                stage.wait(secs(10));
                key(&mut stage, &home, "*9");
            }),
            "by a supervisor" => stage.set_agent("bina", "end-wrap-up"),
            "by code" => assert_eq!(key(&mut stage, &home, "*15"), Some(true)),
            _ => {
                home = calls(&mut stage, BINA);
                stage.set_agent("bina", "end-wrap-up");
            }
        }
        assert_eq!(stage.state("bina"), "own-call", "{way}");
        stage.kill();
        stage.wait(secs(5));
        assert_eq!(stage.invites.len(), rung, "{way}: nobody is offered to it");
        assert_eq!(key(&mut stage, &home, "*163"), Some(false), "{way}: of which call?");
        leaves(&mut stage, &home);
        assert_eq!(stage.state("bina"), "offered", "{way}");
        stage.hang_up(&caller);
    }
}

#[test]
fn whoever_keys_in_codes_while_their_telephone_rings_is_not_rung_again_meanwhile() {
    let mut stage = stage();
    stage.habit(BSNL, Habit::Rings);
    stage.set_agent("bina", "ready");
    let caller = stage.dial("9425000001", "181", "");
    assert_eq!(stage.state("bina"), "offered");
    let home = calls(&mut stage, BINA);
    let rung = stage.invites.len();
    stage.wait(secs(12));
    assert_eq!((stage.state("bina"), stage.invites.len()), ("own-call", rung));
    assert_eq!(key(&mut stage, &home, "*142"), Some(true));
    leaves(&mut stage, &home);
    assert_eq!(stage.state("bina"), "paused");
    stage.hang_up(&caller);
}

/// The same, with a phone that is nobody's, at a desk.
fn stage_with_a_desk() -> Stage {
    let desk = "[[phone]]\nid = \"desk9\"\ncontact = \"sip:desk9@10.2.0.9\"\n";
    Stage::new(&(HOME.to_string() + desk))
}

#[test]
fn who_forges_the_number_of_an_agent_locks_the_number_and_not_the_agent_at_a_desk() {
    let mut stage = stage_with_a_desk();
    for _ in 0..10 {
        let home = calls(&mut stage, ASHA);
        assert_eq!(key(&mut stage, &home, "3333#"), Some(false));
        leaves(&mut stage, &home);
    }
    let locked = |stage: &Stage| {
        stage.facts.iter().filter(|fact| matches!(fact.what, What::Locked { .. })).count()
    };
    assert_eq!(locked(&stage), 1);
    stage.phone_dials("10.2.0.9:5060", "desk9", "*11asha*7401");
    stage.wait(secs(3));
    assert_eq!(stage.state("asha"), "ready", "at the desk nobody has tried anything");
    // And the other way about: what is tried at desks locks nobody out at home.
    for _ in 0..10 {
        stage.phone_dials("10.2.0.9:5060", "desk9", "*11asha*3333");
        stage.wait(secs(4));
    }
    assert_eq!(locked(&stage), 2);
    stage.wait(secs(60));
    let home = calls(&mut stage, ASHA);
    assert_eq!(key(&mut stage, &home, "7401#"), Some(true));
}

#[test]
fn whose_number_it_is_has_one_call_at_a_time_and_leaves_phones_of_ours_their_ports() {
    let mut stage = stage();
    stage.set_agent("bina", "ready");
    let first = calls(&mut stage, BINA);
    let second = calls(&mut stage, BINA);
    assert!(stage.heard_at(BSNL).starts_with("BYE"), "{}", stage.heard_at(BSNL));
    assert_eq!(stage.state("bina"), "own-call", "the second call has their telephone");
    stage.press_at(first.port, "*12");
    assert_eq!(stage.state("bina"), "own-call");
    stage.kill();
    assert_eq!(key(&mut stage, &second, "*141"), Some(true));
    leaves(&mut stage, &second);
    assert_eq!(stage.state("bina"), "paused");
    // Four ports, of which phones of ours may need two.
    let mut few = crate::desk_world::settings(HOME);
    few.call.media.ports = (20_000, 20_007);
    let mut stage = Stage::of(few, crate::desk_world::MIDNIGHT);
    let answers = [("9425000001", "181"), (ASHA, CODES), (BINA, CODES)].map(|(from, line)| {
        let call = stage.dial(from, line, "");
        stage.answers[&call].split(' ').nth(1).unwrap_or_default().to_string()
    });
    assert_eq!(answers[1..], ["200", "503"], "{answers:?}");
}

#[test]
fn a_pin_is_tried_three_times_in_a_call_and_then_locked() {
    let mut stage = stage();
    stage.set_agent("asha", "ready");
    let home = calls(&mut stage, ASHA);
    assert_eq!(key(&mut stage, &home, "*12"), None, "nothing is done before the pin");
    assert_eq!(key(&mut stage, &home, "#"), Some(false), "12 is no pin");
    assert_eq!(key(&mut stage, &home, "1111#"), Some(false));
    assert_eq!(stage.state("asha"), "ready", "whoever claims the number takes nobody away");
    assert_eq!(key(&mut stage, &home, "2222#"), Some(false));
    stage.wait(secs(20));
    assert!(stage.heard_at(BSNL).starts_with("BYE"), "{}", stage.heard_at(BSNL));
    let record = stage.records.last().unwrap();
    assert_eq!((&*record.line, &*record.agent), ("codes", ""), "it was anybody");
    assert_eq!(pins(&stage), [("", "asha", "wrong pin"); 3].map(owned));
    // And over many calls the number is locked, whatever is keyed in.
    for _ in 0..10 {
        let home = calls(&mut stage, ASHA);
        key(&mut stage, &home, "3333#");
        leaves(&mut stage, &home);
    }
    let locked = stage.facts.iter().any(|fact| matches!(fact.what, What::Locked { .. }));
    assert!(locked);
    let home = calls(&mut stage, ASHA);
    assert_eq!(key(&mut stage, &home, "7401#"), Some(false));
    assert_eq!(stage.state("asha"), "ready");
    assert_eq!(pins(&stage).last(), Some(&owned(("", "asha", "too many wrong pins"))));
}

fn owned((agent, phone, why): (&str, &str, &str)) -> [String; 3] {
    [agent, phone, why].map(str::to_string)
}

/// The pins from home: by whom, at whose number, and why not.
fn pins(stage: &Stage) -> Vec<[String; 3]> {
    let pin = |what: &What| match what {
        What::Code { agent, phone, code, why } if code == "pin" => Some(owned((agent, phone, why))),
        _ => None,
    };
    stage.facts.iter().filter_map(|fact| pin(&fact.what)).collect()
}

#[test]
fn a_stranger_who_calls_the_line_of_codes_is_a_caller() {
    for (from, more) in [("9425000001", ""), (ASHA, "Privacy: id\r\n"), ("anonymous", "")] {
        let mut stage = stage();
        stage.habit("10.2.0.1:5060", Habit::Answers);
        let call = stage.dial(from, CODES, more);
        assert_eq!(stage.switch.state().counts().0, 1, "{from} waits for an agent");
        assert_eq!(stage.arrival().line, "181");
        assert!(stage.arrival().flags.contains(&Flag::UnknownNumber), "{:?}", stage.arrival());
        stage.hang_up(&call);
    }
    // A number is one in whatever form the carrier gives it.
    let mut stage = stage();
    let home = calls(&mut stage, "+919826012345");
    assert_eq!(key(&mut stage, &home, "7401#*11"), Some(true));
    assert!(field(&stage.answers[&home.call], "To").contains("917552551199"));
    assert_eq!(stage.arrival().flags, [], "to its agents the number is known");
}

#[test]
fn who_says_nothing_more_is_hung_up_and_free_again() {
    let mut stage = stage();
    stage.set_agent("bina", "ready");
    let home = calls(&mut stage, BINA);
    assert_eq!(stage.state("bina"), "own-call");
    assert_eq!(key(&mut stage, &home, "*9"), Some(false), "no such code");
    assert_eq!(key(&mut stage, &home, "*147"), Some(false), "no such reason");
    stage.wait(secs(14));
    assert_eq!(stage.state("bina"), "own-call");
    stage.wait(secs(2));
    assert_eq!(stage.state("bina"), "ready");
    stage.wait(secs(60));
    assert_eq!(stage.records.last().unwrap().outcome, Outcome::Refused);
    // A machine that presses keys for ever is hung up on as well.
    let home = calls(&mut stage, BINA);
    for _ in 0..60 {
        stage.press_at(home.port, "*147");
    }
    assert_eq!(stage.state("bina"), "ready");
}

#[test]
fn a_pin_from_home_speaks_for_its_agent_and_not_for_a_guest_at_the_phone_of_that_name() {
    let home = |id: &str, pin: &str, contact: &str| {
        let at = format!("[[agent]]\nid = \"{id}\"\npin = \"{pin}\"\ncontact = \"{contact}\"\n");
        at + "skills = [\"operator\"]\n"
    };
    let (before, agents) = HOME.split_at(HOME.find("[[agent]]").unwrap());
    assert!(agents.contains("asha"));
    let bina = home("bina", "7403", "sip:bina@10.2.0.2");
    let text = |asha: &str| before.to_string() + &bina + &home("asha", "7401", asha);
    let mut stage = Stage::new(&text("sip:asha@10.2.0.9"));
    stage.phone_dials("10.2.0.9:5060", "asha", "*11bina*7403");
    stage.wait(secs(3));
    assert_eq!(stage.state("bina"), "ready", "at the phone of asha");
    stage.reload(&text("tel:9826012345"));
    let home = calls(&mut stage, ASHA);
    assert_eq!(key(&mut stage, &home, "7401#"), Some(true));
    assert_eq!(key(&mut stage, &home, "*12"), Some(false), "asha is not logged in");
    leaves(&mut stage, &home);
    assert_eq!(stage.state("bina"), "ready");
}

#[test]
fn whoever_has_sat_at_a_desk_is_at_home_again_by_logging_in_there() {
    let mut stage = stage_with_a_desk();
    let call = stage.phone_dials("10.2.0.9:5060", "desk9", "*11asha*7401");
    assert!(stage.answers[&call].starts_with("SIP/2.0 200"));
    stage.wait(secs(3));
    assert_eq!(stage.state("asha"), "ready");
    stage.dial("9425000001", "181", "");
    assert_eq!(stage.invites.last().unwrap().0.to_string(), "10.2.0.9:5060");
    stage.set_agent("asha", "pause");
    let home = calls(&mut stage, ASHA);
    assert_eq!(key(&mut stage, &home, "7401#*11"), Some(true));
    leaves(&mut stage, &home);
    stage.wait(secs(2));
    assert_eq!(stage.state("asha"), "offered");
    assert_eq!(stage.invites.last().unwrap().0.to_string(), BSNL, "where they are now");
}
