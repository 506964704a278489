//! What agents key in at their phones: log in and out, ready, pause, wrap-up and its category; at
//! their own phones and at others. Stories of the whole switch.

use crate::desk_world::{Habit, OP1, OP2, Stage, field, secs};
use pukar::base::TuneId;
use pukar::call::Outcome;
use pukar::core::What;

const DESK9: &str = "10.2.0.9:5060";

const CENTRE: &str = r#"
[[route]]
prefixes = ["+91"]
trunk = "bsnl"
identity = "+917552551181"
[[line]]
numbers = ["181"]
queue = "general"
[[queue]]
name = "general"
skills = ["operator"]
wrap_up = "60s"
[[agent]]
id = "op1"
extension = "11"
pin = "7401"
contact = "sip:op1@10.2.0.1"
skills = ["operator"]
[[agent]]
id = "op2"
extension = "12"
pin = "7402"
contact = "sip:op2@10.2.0.2"
skills = ["operator"]
[[agent]]
id = "borrowed"
extension = "13"
pin = "7403"
skills = ["operator"]
[[phone]]
id = "desk9"
contact = "sip:desk9@10.2.0.9"
"#;

/// The tunes come after those of the lines.
fn done(stage: &Stage) -> Option<TuneId> {
    stage.settings.call.signals.done
}

fn refused(stage: &Stage) -> Option<TuneId> {
    stage.settings.call.signals.refused
}

/// Dials a code and hears what came of it: true is the tone of what is done.
fn key(stage: &mut Stage, address: &str, user: &str, code: &str) -> bool {
    let call = stage.phone_dials(address, user, code);
    assert!(stage.answers[&call].starts_with("SIP/2.0 200"), "{}", stage.answers[&call]);
    let heard = stage.played.last().copied();
    assert!(heard == done(stage) || heard == refused(stage), "{heard:?}");
    stage.wait(secs(3));
    assert!(stage.heard_at(address).starts_with("BYE"), "{}", stage.heard_at(address));
    heard == done(stage)
}

fn tells_of(stage: &Stage, word: &str) -> bool {
    stage.facts.iter().any(|fact| format!("{:?}", fact.what).contains(word))
}

#[test]
fn a_shift_by_the_keys_of_a_phone() {
    let mut stage = Stage::new(CENTRE);
    assert_eq!(stage.state("op1"), "off");
    assert!(key(&mut stage, OP1, "op1", "*117401"));
    assert_eq!(stage.state("op1"), "ready");
    assert!(key(&mut stage, OP1, "op1", "*142"));
    assert_eq!(stage.state("op1"), "paused");
    assert!(tells_of(&stage, "reason: \"meal\""));
    assert!(key(&mut stage, OP1, "op1", "*13"));
    assert_eq!(stage.state("op1"), "ready");
    assert!(key(&mut stage, OP1, "op1", "*12"));
    assert_eq!(stage.state("op1"), "off");
    assert!(stage.records.iter().all(|record| record.outcome == Outcome::Answered));
    assert_eq!(stage.records.len(), 4);
}

#[test]
fn what_cannot_be_done_is_told_by_the_other_tone() {
    let mut stage = Stage::new(CENTRE);
    for code in ["*12", "*141", "*13", "*15", "*162", "*110000", "*11nobody*7401"] {
        assert!(!key(&mut stage, OP1, "op1", code), "{code}");
    }
    assert_eq!(stage.state("op1"), "off");
    assert!(key(&mut stage, OP1, "op1", "*11*7401"));
    for code in ["*149", "*15", "*162"] {
        assert!(!key(&mut stage, OP1, "op1", code), "{code}");
    }
    assert_eq!(stage.state("op1"), "ready");
}

#[test]
fn a_pin_stands_in_no_fact_and_no_record() {
    let mut stage = Stage::new(CENTRE);
    key(&mut stage, OP1, "op1", "*1111*7401");
    key(&mut stage, OP1, "op1", "*1111*9876");
    for pin in ["7401", "9876"] {
        assert!(!tells_of(&stage, pin));
        assert!(!format!("{:?}", stage.records).contains(pin));
    }
    assert_eq!(stage.records[0].dialled, "*11");
}

#[test]
fn wrong_pins_lock_the_phone_like_passwords_and_the_lock_passes() {
    let mut stage = Stage::new(CENTRE);
    for _ in 0..10 {
        assert!(!key(&mut stage, OP1, "op1", "*110000"));
    }
    let locked = |stage: &Stage| {
        stage.facts.iter().filter(|fact| matches!(fact.what, What::Locked { .. })).count()
    };
    assert_eq!(locked(&stage), 1);
    assert!(!key(&mut stage, OP1, "op1", "*117401"), "the right one is of no use now");
    assert!(!key(&mut stage, OP2, "op2", "*1111*7401"), "nor is it from elsewhere");
    stage.kill();
    assert!(!key(&mut stage, OP1, "op1", "*117401"), "a restart forgives nothing");
    assert!(key(&mut stage, OP2, "op2", "*117402"), "others go on");
    stage.wait(secs(60));
    assert!(key(&mut stage, OP1, "op1", "*117401"));
}

#[test]
fn an_agents_calls_ring_where_they_logged_in_last() {
    let mut stage = Stage::new(CENTRE);
    assert!(key(&mut stage, DESK9, "desk9", "*1113*7403"));
    assert_eq!(stage.state("borrowed"), "ready");
    stage.habit(DESK9, Habit::Answers);
    let call = stage.dial("9425000001", "181", "");
    assert_eq!(stage.invites.last().unwrap().0.to_string(), DESK9);
    assert_eq!(stage.state("borrowed"), "talking");
    stage.hang_up(&call);
    stage.wait(secs(60));
    assert!(key(&mut stage, OP2, "op2", "*1113*7403"), "they move on to a colleague's phone");
    stage.habit(OP2, Habit::Answers);
    stage.dial("9425000001", "181", "");
    assert_eq!(stage.invites.last().unwrap().0.to_string(), OP2);
}

#[test]
fn one_phone_has_one_agent_and_its_owner_comes_back_by_logging_in() {
    let mut stage = Stage::new(CENTRE);
    assert!(key(&mut stage, OP2, "op2", "*117402"));
    assert!(key(&mut stage, OP2, "op2", "*1113*7403"));
    assert_eq!((stage.state("op2"), stage.state("borrowed")), ("off", "ready"));
    stage.set_agent("op2", "ready");
    assert_eq!(stage.state("op2"), "unreachable", "somebody sits at the phone");
    assert!(key(&mut stage, OP2, "op2", "*12"), "it is the guest who goes");
    assert_eq!((stage.state("op2"), stage.state("borrowed")), ("ready", "off"));
    assert!(key(&mut stage, OP2, "op2", "*1113*7403"));
    assert!(key(&mut stage, OP2, "op2", "*1112*7402"));
    assert_eq!((stage.state("op2"), stage.state("borrowed")), ("ready", "off"));
}

#[test]
fn who_roams_is_known_by_their_own_name_in_what_they_dial() {
    let mut stage = Stage::new(CENTRE);
    key(&mut stage, DESK9, "desk9", "*1113*7403");
    let call = stage.phone_dials(DESK9, "desk9", "9826012345");
    assert_eq!(stage.state("borrowed"), "own-call");
    stage.phone_cancels(DESK9, &call);
    stage.wait(secs(1));
    assert_eq!(stage.records.last().unwrap().agent, "borrowed");
    assert!(key(&mut stage, DESK9, "desk9", "*12"));
    let call = stage.phone_dials(DESK9, "desk9", "9826012345");
    assert!(stage.answers[&call].starts_with("SIP/2.0 403"), "nobody sits there now");
}

#[test]
fn the_category_is_keyed_in_while_the_notes_are_written_and_stands_in_the_record() {
    let mut stage = Stage::new(CENTRE);
    stage.habit(OP1, Habit::Answers);
    key(&mut stage, OP1, "op1", "*117401");
    let call = stage.dial("9425000001", "181", "");
    stage.hang_up(&call);
    assert_eq!(stage.state("op1"), "wrap-up");
    assert!(key(&mut stage, OP1, "op1", "*162"));
    assert_eq!(stage.state("op1"), "ready", "the notes are written");
    let record = stage.records.iter().find(|record| record.queue == "general").unwrap();
    assert_eq!((record.category.as_str(), record.agent.as_str()), ("food", "op1"));
    assert!(record.wrap_ms < 4_000, "{}", record.wrap_ms);
}

#[test]
fn a_supervisor_or_a_program_sets_the_category_too_and_the_last_word_counts() {
    let mut stage = Stage::new(CENTRE);
    stage.habit(OP1, Habit::Answers);
    key(&mut stage, OP1, "op1", "*117401");
    let call = stage.dial("9425000001", "181", "");
    let set = |stage: &mut Stage, category: &str| {
        let verb = pukar::core::Verb::SetAgent {
            agent: "op1".into(),
            state: "category".into(),
            reason: category.into(),
        };
        stage.ask(verb);
        stage.replies.last().unwrap().clone()
    };
    assert!(set(&mut stage, "food").is_ok());
    let why = set(&mut stage, "foood").unwrap_err();
    assert!(why.contains("stranded, food, health"), "{why}");
    stage.hang_up(&call);
    assert!(set(&mut stage, "health").is_ok());
    assert_eq!(stage.state("op1"), "wrap-up", "saying it ends nothing");
    stage.set_agent("op1", "end-wrap-up");
    let record = stage.records.iter().find(|record| record.queue == "general").unwrap();
    assert_eq!(record.category, "health");
    assert!(set(&mut stage, "food").unwrap_err().contains("no call"));
}

#[test]
fn a_supervisor_logs_an_agent_in_and_seats_them_where_nobody_is_at_work() {
    let mut stage = Stage::new(CENTRE);
    let login = |stage: &mut Stage, agent: &str, rest: &str| {
        let (agent, state, reason) = (agent.into(), "login".into(), rest.into());
        stage.ask(pukar::core::Verb::SetAgent { agent, state, reason });
        stage.replies.last().unwrap().clone().map(|done| format!("{done:?}"))
    };
    assert!(login(&mut stage, "op1", "").is_ok());
    assert_eq!(stage.state("op1"), "ready");
    assert!(login(&mut stage, "borrowed", "at desk9").is_ok());
    assert_eq!(stage.state("borrowed"), "ready");
    stage.set_agent("op1", "pause");
    stage.habit(DESK9, Habit::Answers);
    stage.dial("9826000001", "181", "");
    assert_eq!(stage.story(), ["offered borrowed", "connected borrowed"], "at desk9");
    for (agent, rest, why) in [
        ("op2", "at desk9", "borrowed is at work at desk9"),
        ("op2", "at 11", "op1 is at work at 11"),
        ("borrowed", "at 12", "borrowed has a call in hand"),
        ("op2", "at nowhere", "there is no desk phone \"nowhere\""),
        ("op2", "desk9", "\"desk9\" is no phone: say login at PHONE"),
    ] {
        let said = login(&mut stage, agent, rest);
        assert_eq!(said.unwrap_err(), why, "{agent} {rest}");
    }
    assert_eq!(stage.state("op2"), "off");
}

#[test]
fn what_was_not_dialled_is_asked_for_and_keyed_in() {
    let mut stage = Stage::new(CENTRE);
    stage.phone_dials(OP1, "op1", "*11");
    assert_eq!(stage.played.last().copied(), stage.settings.call.signals.go_on);
    stage.press("11*7401#");
    assert_eq!(stage.played.last().copied(), done(&stage));
    stage.wait(secs(3));
    assert_eq!(stage.state("op1"), "ready");
    stage.phone_dials(OP1, "op1", "*14");
    stage.press("1");
    assert_eq!(stage.played.last().copied(), done(&stage));
    assert_eq!(stage.state("op1"), "own-call");
    stage.wait(secs(3));
    assert_eq!(stage.state("op1"), "paused");
}

#[test]
fn who_stops_keying_hears_that_nothing_was_done() {
    let mut stage = Stage::new(CENTRE);
    stage.phone_dials(OP1, "op1", "*11");
    stage.wait(secs(10));
    assert_eq!(stage.played.last().copied(), refused(&stage));
    stage.wait(secs(3));
    assert!(stage.heard_at(OP1).starts_with("BYE"));
    stage.phone_dials(OP1, "op1", "*11");
    stage.press("7401");
    stage.wait(secs(10));
    assert_eq!(stage.played.last().copied(), done(&stage), "a # may be left out");
}

#[test]
fn a_pause_keyed_in_while_notes_are_written_waits_for_them() {
    let mut stage = Stage::new(CENTRE);
    stage.habit(OP1, Habit::Answers);
    key(&mut stage, OP1, "op1", "*117401");
    let call = stage.dial("9425000001", "181", "");
    stage.hang_up(&call);
    assert!(key(&mut stage, OP1, "op1", "*141"));
    assert_eq!(stage.state("op1"), "wrap-up");
    stage.wait(secs(60));
    assert_eq!(stage.state("op1"), "paused");
}

#[test]
fn a_code_that_asks_leaves_the_notes_theirs_and_nobody_is_offered_when_they_end_meanwhile() {
    let mut stage = Stage::new(CENTRE);
    stage.habit(OP1, Habit::Answers);
    key(&mut stage, OP1, "op1", "*117401");
    let call = stage.dial("9425000001", "181", "");
    stage.hang_up(&call);
    stage.phone_dials(OP1, "op1", "*16");
    assert_eq!(stage.state("op1"), "wrap-up");
    stage.press("2");
    assert_eq!(stage.played.last().copied(), done(&stage));
    stage.wait(secs(3));
    assert_eq!(stage.state("op1"), "ready");
    let record = stage.records.iter().find(|record| record.queue == "general").unwrap();
    assert_eq!(record.category, "food", "of the call that the notes were of");
    let call = stage.dial("9425000001", "181", "");
    stage.hang_up(&call);
    stage.wait(secs(55));
    stage.phone_dials(OP1, "op1", "*14");
    let port = *stage.opened.last().unwrap();
    let waits = stage.dial("9425000002", "181", "");
    stage.wait(secs(6));
    assert_eq!(stage.state("op1"), "own-call", "the phone is taken");
    stage.press_at(port, "1");
    stage.wait(secs(3));
    assert_eq!(stage.state("op1"), "paused");
    stage.hang_up(&waits);
}

#[test]
fn nobody_is_offered_a_caller_while_the_tone_is_heard() {
    let mut stage = Stage::new(CENTRE);
    stage.dial("9425000001", "181", "");
    stage.phone_dials(OP1, "op1", "*117401");
    assert!(!stage.story().contains(&"offered op1".to_string()));
    stage.wait(secs(3));
    assert!(stage.story().contains(&"offered op1".to_string()), "{:?}", stage.story());
}

#[test]
fn an_officer_of_the_directory_is_dialled_by_code_or_place_and_the_next_is_tried() {
    let mut stage = Stage::new(CENTRE);
    let mut directory = pukar::call::Directory::default();
    let csv = "kind,district,name,number,priority,code\n\
               RRT,ALI,डॉ. मीना कनेश,9826000131,1,41\nRRT,ALI,राम सिंह,9826000132,2,42\n\
               RRT,ALI,सुनीता मौर्य,9826000133,3,\n";
    directory.read("directory.csv", csv, &stage.settings.call);
    assert_eq!(directory.refused, []);
    stage.settings.call.directory = directory.into();
    let settings = stage.settings.clone();
    stage.tell(pukar::core::Event::Reload(Box::new(settings)));
    key(&mut stage, OP1, "op1", "*117401");
    stage.habit(crate::desk_world::BSNL, Habit::Refuses(486));
    let called = |stage: &Stage| {
        let uris = stage.invites.iter().map(|(_, invite)| invite.split(['@', ':']).nth(1).unwrap());
        uris.map(|uri| uri[uri.len() - 3..].to_string()).collect::<Vec<_>>()
    };
    let call = stage.phone_dials(OP1, "op1", "*742");
    assert_eq!(called(&stage), ["132", "133"]);
    assert!(stage.answers[&call].starts_with("SIP/2.0 486"), "{}", stage.answers[&call]);
    let rung = ["rung +919826000132: false", "rung +919826000133: false"];
    assert_eq!(stage.story()[stage.story().len() - 2..], rung);
    stage.habit(crate::desk_world::BSNL, Habit::Rings);
    stage.invites.clear();
    let call = stage.phone_dials(OP1, "op1", "dir%3AALI/RRT/1");
    assert_eq!(called(&stage), ["131"]);
    stage.wait(secs(28));
    assert_eq!(called(&stage), ["131", "132"], "it was rung for 28 s");
    stage.far_end_answers(crate::desk_world::BSNL);
    assert!(stage.answers[&call].starts_with("SIP/2.0 200"));
    assert_eq!(field(&stage.answers[&call], "CSeq"), "1 INVITE");
    stage.phone_hangs_up(OP1, &call);
    let next = stage.phone_dials(OP1, "op1", "ali/rrt/2");
    assert_eq!(called(&stage).last().unwrap(), "132");
    stage.phone_cancels(OP1, &next);
    let call = stage.phone_dials(OP1, "op1", "*799");
    assert!(stage.answers[&call].starts_with("SIP/2.0 404"));
}
