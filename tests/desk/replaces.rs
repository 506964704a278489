//! Telephones that hand calls on by the dialogs that they know: REFER with Replaces after a second
//! call of their own (RFC 5589), INVITE with Replaces in the place of another phone (RFC 3891), and
//! the number of a parking slot. Stories of the whole switch.

use crate::desk_world::{BSNL, Habit, OP1, OP2, OP3, ROUTE, Stage, field, secs};
use pukar::base::{Id, TuneId};
use pukar::call::{EndedBy, Outcome};
use pukar::core::{CallRecord, Event, Verb};
use pukar::media::control;

const DESK9: &str = "10.2.0.9:5060";

const CENTRE: &str = r#"
[[line]]
numbers = ["181"]
queue = "general"
[[queue]]
name = "general"
skills = ["operator"]
wrap_up = "5s"
[[agent]]
id = "op1"
extension = "11"
contact = "sip:op1@10.2.0.1"
skills = ["operator"]
ready = true
[[agent]]
id = "op2"
extension = "12"
contact = "sip:op2@10.2.0.2"
skills = ["health"]
ready = true
[[agent]]
id = "op3"
extension = "13"
contact = "sip:op3@10.2.0.3"
skills = ["health"]
ready = true
"#;

/// A caller, and op1, who talks with them if `answers`.
fn called(answers: bool) -> (Stage, String) {
    let mut stage = Stage::new(CENTRE);
    stage.habit(OP1, if answers { Habit::Answers } else { Habit::Rings });
    let caller = stage.dial("9826000001", "181", "");
    stage.wait(secs(5));
    (stage, caller)
}

/// The call in which this phone was rung last, as Replaces names it: its Call-ID, our tag, its own.
fn rung(stage: &Stage, phone: &str) -> [String; 3] {
    let own = stage.invites.iter().rev().find(|(at, _)| at.to_string() == phone);
    let invite = &own.expect("the phone was rung").1;
    [field(invite, "Call-ID").into(), tag(field(invite, "From")), "far".into()]
}

/// The same for a call that a phone has placed.
fn placed(stage: &Stage, name: &str) -> [String; 3] {
    [name.into(), tag(field(&stage.answers[name], "To")), format!("f{name}")]
}

fn tag(address: &str) -> String {
    address.split(";tag=").nth(1).unwrap_or_default().to_string()
}

/// op1's phone sends its first call to whoever it has called in this second one.
fn refers(stage: &mut Stage, [call_id, ours, theirs]: [String; 3]) {
    let (_, invite) =
        stage.invites.iter().find(|(at, _)| at.to_string() == OP1).expect("op1 was rung").clone();
    let target = field(&invite, "Contact").split(['<', '>']).nth(1).unwrap().to_string();
    let text = format!(
        "REFER {target} SIP/2.0\r\nVia: SIP/2.0/UDP {OP1};branch=z9hG4bKrefer{call_id}\r\n\
         From: {};tag=far\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} REFER\r\nMax-Forwards: 70\r\n\
         Contact: <sip:op1@{OP1}>\r\n\
         Refer-To: <sip:12@10.0.0.1?Replaces={call_id}%3Bto-tag%3D{ours}%3Bfrom-tag%3D{theirs}>\r\n\
         Content-Length: 0\r\n\r\n",
        field(&invite, "To"),
        field(&invite, "From"),
        field(&invite, "Call-ID"),
        stage.now.instant.0 / 1_000_000,
    );
    stage.say(OP1, text);
}

/// This phone wants the place of another; the status of the answer.
fn takes(stage: &mut Stage, (phone, user): (&str, &str), [id, ours, theirs]: [String; 3]) -> u16 {
    let more = format!("Replaces: {id};to-tag={ours};from-tag={theirs}\r\n");
    let text = stage.invite(user, user, &more);
    let name = field(&text, "Call-ID").to_string();
    let from = format!("<sip:{user}@helpline.example>;tag=f{name}");
    let text = text.replace(BSNL, phone).replace(field(&text, "From"), &from);
    stage.say(phone, text);
    stage.answers[&name].split(' ').nth(1).unwrap().parse().unwrap()
}

fn ended(stage: &mut Stage, caller: &str) -> CallRecord {
    stage.hang_up(caller);
    stage.wait(secs(60));
    let mut of_line = stage.records.iter().filter(|record| record.line == "181");
    let record = of_line.next().expect("a record").clone();
    assert!(of_line.next().is_none(), "{:#?}", stage.records);
    record
}

#[test]
fn a_phone_brings_its_caller_together_with_whom_it_has_called() {
    let (mut stage, caller) = called(true);
    stage.habit(OP2, Habit::Answers);
    let second = stage.phone_dials(OP1, "op1", "12");
    assert_eq!((stage.state("op1"), stage.state("op2")), ("talking", "own-call"));
    let second = placed(&stage, &second);
    refers(&mut stage, second);
    assert_eq!((stage.state("op1"), stage.state("op2")), ("wrap-up", "talking"));
    stage.wait(secs(20));
    assert_eq!(stage.state("op1"), "ready");
    let record = ended(&mut stage, &caller);
    assert_eq!((record.agent.as_str(), record.transfers), ("op2", 1), "{record:#?}");
    assert_eq!(record.outcome, Outcome::Answered);
    assert_eq!(stage.records.len(), 2, "the second call has a record of its own");
}

#[test]
fn a_phone_that_refers_to_a_call_that_there_is_not_keeps_its_caller() {
    let (mut stage, caller) = called(true);
    let wrong = rung(&stage, OP1);
    refers(&mut stage, ["nothing".into(), wrong[1].clone(), "x".into()]);
    assert!(stage.heard_at(OP1).starts_with("SIP/2.0 404"), "{}", stage.heard_at(OP1));
    // Somebody rings there to whom no caller may be sent.
    stage.wait(secs(1));
    stage.set_agent("op2", "pause");
    let second = still_rings(&mut stage, "12");
    refers(&mut stage, second.clone());
    assert!(stage.heard_at(OP1).starts_with("SIP/2.0 480"), "{}", stage.heard_at(OP1));
    assert_eq!((stage.state("op1"), stage.state("op2")), ("talking", "own-call"));
    stage.phone_cancels(OP1, &second[0]);
    let record = ended(&mut stage, &caller);
    assert_eq!((record.agent.as_str(), record.transfers), ("op1", 0), "{record:#?}");
}

/// op1's phone calls this number as well, and nobody has answered yet.
fn still_rings(stage: &mut Stage, number: &str) -> [String; 3] {
    let second = stage.phone_dials(OP1, "op1", number);
    let ours = tag(field(&stage.heard_at(OP1), "To"));
    [second.clone(), ours, format!("f{second}")]
}

#[test]
fn a_phone_sends_its_caller_to_whom_it_has_called_while_they_still_ring() {
    let (mut stage, caller) = called(true);
    let second = still_rings(&mut stage, "12");
    let rung = stage.invites.len();
    refers(&mut stage, second.clone());
    assert!(stage.answers[&second[0]].starts_with("SIP/2.0 487"), "{:?}", stage.answers);
    // It rings on, for the caller, who hears music; op1 waits to be told.
    assert_eq!((stage.state("op1"), stage.state("op2")), ("talking", "offered"));
    assert!(stage.cancelled.is_empty() && stage.invites.len() == rung);
    stage.kill();
    stage.wait(secs(7));
    stage.far_end_answers(OP2);
    assert_eq!((stage.state("op1"), stage.state("op2")), ("wrap-up", "talking"));
    stage.wait(secs(20));
    let record = ended(&mut stage, &caller);
    assert_eq!((record.agent.as_str(), record.transfers), ("op2", 1), "{record:#?}");
    assert_eq!((record.outcome, stage.records.len()), (Outcome::Answered, 2));
}

#[test]
fn a_caller_who_was_sent_to_a_ringing_colleague_is_back_where_they_do_not_answer() {
    let (mut stage, caller) = called(true);
    let second = still_rings(&mut stage, "12");
    refers(&mut stage, second);
    stage.wait(secs(21));
    assert_eq!(stage.cancelled.len(), 1, "op2's phone stops");
    assert_eq!((stage.state("op1"), stage.state("op2")), ("talking", "ready"));
    let record = ended(&mut stage, &caller);
    assert_eq!((record.agent.as_str(), record.transfers), ("op1", 0), "{record:#?}");
    // Who sent them away and has gone is rung again; and who hangs up leaves nothing behind.
    for hangs_up in [false, true] {
        let (mut stage, caller) = called(true);
        let second = still_rings(&mut stage, "12");
        refers(&mut stage, second);
        stage.far_end_hangs_up(OP1);
        assert_eq!((stage.state("op1"), stage.state("op2")), ("wrap-up", "offered"));
        if hangs_up {
            stage.hang_up(&caller);
            assert_eq!(stage.state("op2"), "ready");
        } else {
            stage.wait(secs(30));
            let record = ended(&mut stage, &caller);
            assert_eq!((record.agent.as_str(), record.transfers), ("op1", 0), "{record:#?}");
        }
    }
}

#[test]
fn a_phone_takes_the_place_of_one_that_talks() {
    let (mut stage, caller) = called(true);
    let place = rung(&stage, OP1);
    assert_eq!(takes(&mut stage, (OP2, "op2"), place), 200);
    assert_eq!((stage.state("op1"), stage.state("op2")), ("wrap-up", "talking"));
    let goodbye = stage.heard_at("10.9.9.9:5060");
    assert!(goodbye.starts_with("BYE "), "{goodbye}");
    assert_eq!(ended(&mut stage, &caller).agent, "op2");
}

#[test]
fn a_phone_takes_the_place_of_one_that_rings() {
    let (mut stage, caller) = called(false);
    assert_eq!(stage.state("op1"), "offered");
    let place = rung(&stage, OP1);
    assert_eq!(takes(&mut stage, (OP2, "op2"), place), 200);
    assert_eq!(stage.state("op2"), "talking");
    assert!(stage.cancelled.iter().any(|at| at.to_string() == OP1));
    let record = ended(&mut stage, &caller);
    assert_eq!((record.agent.as_str(), record.outcome), ("op2", Outcome::Answered));
}

#[test]
fn whoever_may_not_take_a_call_does_not() {
    let (mut stage, caller) = called(true);
    let place = rung(&stage, OP1);
    let [id, ours, _] = place.clone();
    let wrong = [id, ours, "x".into()];
    assert_eq!(takes(&mut stage, (OP2, "op2"), wrong), 481);
    // The carrier is no agent.
    assert_eq!(takes(&mut stage, (BSNL, "9826000002"), place.clone()), 403);
    stage.habit(OP3, Habit::Answers);
    stage.phone_dials(OP2, "op2", "13");
    assert_eq!(takes(&mut stage, (OP2, "op2"), place), 486, "op2 talks with op3");
    assert_eq!(stage.state("op1"), "talking");
    assert_eq!(ended(&mut stage, &caller).agent, "op1");
}

#[test]
fn a_parked_caller_is_picked_up_by_dialling_the_slot() {
    let (mut stage, caller) = called(true);
    let call = stage.arrival().id.clone();
    stage.ask(Verb::Park { call });
    let said = stage.replies.pop().unwrap().unwrap();
    assert!(said.ends_with("parked in 1"), "{said}");
    let nothing = stage.phone_dials(OP2, "op2", "*172");
    assert!(stage.answers[&nothing].starts_with("SIP/2.0 404"));
    let picked = stage.phone_dials(OP2, "op2", "*171");
    assert!(stage.answers[&picked].starts_with("SIP/2.0 200"));
    assert_eq!(stage.state("op2"), "talking");
    let record = ended(&mut stage, &caller);
    assert_eq!((record.agent.as_str(), record.outcome), ("op2", Outcome::Answered));
}

#[test]
fn whoever_parks_a_caller_by_keys_hears_in_which_slot_and_is_let_go_then() {
    let parks = |stage: &mut Stage| {
        stage.played.clear();
        stage.press("*6");
        let name = |tune: &TuneId| stage.settings.tunes[tune.slot() as usize].name.as_str();
        let said: Vec<&str> = stage.played.iter().map(name).collect();
        assert_eq!(said[1..], ["hi/parked", "hi/n/1"], "{said:?}");
        assert_eq!(stage.state("op1"), "talking");
    };
    let played = |stage: &mut Stage| {
        let (port, piece) = (*stage.opened.last().unwrap(), 1);
        stage.tell(Event::Media(control::Event::Played { port, piece }));
    };
    // What they key in meanwhile is not for the call.
    let (mut stage, caller) = called(true);
    parks(&mut stage);
    stage.press("*212#");
    stage.kill();
    played(&mut stage);
    assert_eq!((stage.state("op1"), stage.state("op2")), ("wrap-up", "ready"));
    let goodbye = stage.heard_at("10.9.9.9:5060");
    assert!(goodbye.contains("text=\"Parked in 1\""), "{goodbye}");
    let record = ended(&mut stage, &caller);
    assert_eq!((record.agent.as_str(), record.outcome), ("op1", Outcome::Answered));
    // Somebody picks it up before all is said; they hang up; the data plane never says that it is.
    let (mut stage, caller) = called(true);
    parks(&mut stage);
    let picked = stage.phone_dials(OP2, "op2", "*171");
    assert!(stage.answers[&picked].starts_with("SIP/2.0 200"));
    assert_eq!((stage.state("op1"), stage.state("op2")), ("wrap-up", "talking"));
    ended(&mut stage, &caller);
    let (mut stage, caller) = called(true);
    parks(&mut stage);
    stage.far_end_hangs_up(OP1);
    assert_eq!(stage.state("op1"), "wrap-up");
    ended(&mut stage, &caller);
    let (mut stage, caller) = called(true);
    parks(&mut stage);
    stage.wait(secs(11));
    assert_eq!(stage.state("op1"), "wrap-up");
    ended(&mut stage, &caller);
    let (mut stage, caller) = called(true);
    parks(&mut stage);
    stage.hang_up(&caller);
    assert_eq!(stage.state("op1"), "wrap-up");
}

#[test]
fn q47_whoever_gets_a_call_from_a_colleague_is_told_from_whom_and_what_it_is_about() {
    let (mut stage, caller) = called(true);
    stage.press("*162");
    stage.press("*412#");
    let (_, invite) = stage.invites.last().unwrap();
    assert!(invite.contains("\r\nX-Pukar-By: op1\r\n"), "{invite}");
    assert!(invite.contains("\r\nX-Pukar-Category: food\r\n"), "{invite}");
    assert_eq!(field(invite, "Subject"), "181 खाद्यान्न (op1) 0:05");
    let first = &stage.invites[0].1;
    assert!(!first.contains("X-Pukar-By") && !first.contains("X-Pukar-Category"), "{first}");
    stage.far_end_answers(OP2);
    assert_eq!(stage.state("op2"), "talking");
    ended(&mut stage, &caller);
}

#[test]
fn whoever_asks_a_colleague_first_hears_that_they_are_rung() {
    let (mut stage, caller) = called(true);
    assert_eq!(stage.music, None);
    stage.press("*212#");
    stage.wait(secs(1));
    let ring = stage.settings.call.signals.ring;
    let name = ring.map(|ring| stage.settings.tunes[ring.slot() as usize].name.as_str());
    assert_eq!((name, stage.state("op2")), (Some("tone/ring"), "offered"));
    assert_eq!(stage.music, ring);
    stage.kill();
    stage.tell(Event::Restarted { flows: Default::default(), secret: Default::default() });
    assert_eq!(stage.music, ring, "goes on after a crash");
    stage.far_end_answers(OP2);
    assert_eq!((stage.music, stage.state("op2")), (None, "talking"));
    let record = ended(&mut stage, &caller);
    assert!(record.hold_ms > 0, "{record:#?}");
}

#[test]
fn whoever_sits_at_a_phone_takes_the_call_and_a_phone_where_nobody_sits_does_not() {
    let desk9 = "pin = \"7403\"\n[[phone]]\nid = \"desk9\"\ncontact = \"sip:desk9@10.2.0.9\"\n";
    let mut stage = Stage::new(&format!("{CENTRE}{desk9}"));
    stage.habit(OP1, Habit::Answers);
    let caller = stage.dial("9826000001", "181", "");
    stage.wait(secs(5));
    let place = rung(&stage, OP1);
    assert_eq!(takes(&mut stage, (DESK9, "desk9"), place.clone()), 403, "nobody sits there");
    stage.phone_dials(DESK9, "desk9", "*1113*7403");
    stage.wait(secs(5));
    assert_eq!(takes(&mut stage, (OP3, "op3"), place.clone()), 403, "op3 sits elsewhere");
    assert_eq!(takes(&mut stage, (DESK9, "desk9"), place), 200);
    assert_eq!((stage.state("op1"), stage.state("op3")), ("wrap-up", "talking"));
    assert_eq!(ended(&mut stage, &caller).agent, "op3");
}

#[test]
fn a_number_that_still_rings_rings_on_for_the_caller_and_counts() {
    let more = "[out]\nat_once = 1\nlongest = \"10m\"\n";
    let mut stage = Stage::new(&format!("{CENTRE}{ROUTE}{more}"));
    stage.habit(OP1, Habit::Answers);
    let caller = stage.dial("9826000001", "181", "");
    stage.wait(secs(5));
    let second = still_rings(&mut stage, "9826012345");
    refers(&mut stage, second);
    let one_more = stage.phone_dials(OP2, "op2", "9826012345");
    assert!(stage.answers[&one_more].starts_with("SIP/2.0 503"), "{}", stage.answers[&one_more]);
    stage.far_end_answers(BSNL);
    assert_eq!(stage.state("op1"), "wrap-up");
    assert!(stage.story().contains(&"rung +919826012345: true".to_string()), "{:?}", stage.story());
    let record = ended(&mut stage, &caller);
    assert_eq!((record.transfers, record.outcome), (1, Outcome::Answered), "{record:#?}");
}

#[test]
fn a_number_that_is_brought_together_with_the_caller_counts_and_ends_as_before() {
    let more = "[out]\nat_once = 1\nlongest = \"10m\"\n";
    let mut stage = Stage::new(&format!("{CENTRE}{ROUTE}{more}"));
    stage.habit(OP1, Habit::Answers);
    stage.dial("9826000001", "181", "");
    stage.wait(secs(5));
    stage.habit(BSNL, Habit::Answers);
    let second = stage.phone_dials(OP1, "op1", "9826012345");
    stage.wait(secs(100));
    let second = placed(&stage, &second);
    refers(&mut stage, second);
    assert_eq!(stage.state("op1"), "wrap-up");
    let one_more = stage.phone_dials(OP2, "op2", "9826012345");
    assert!(stage.answers[&one_more].starts_with("SIP/2.0 503"), "{}", stage.answers[&one_more]);
    stage.wait(secs(495));
    assert!(!stage.records.iter().any(|record| record.line == "181"));
    stage.wait(secs(60));
    let record = stage.records.iter().find(|record| record.line == "181").expect("it is over");
    assert_eq!(record.ended_by, EndedBy::Switch);
}
