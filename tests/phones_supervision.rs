//! A supervisor's telephone on a call of two others, all of them baresip: it listens, whispers,
//! speaks with all, and takes over; who hears whom is proved by the tone that each of them plays.

mod support;

use serde_json::{Value, json};
use support::agents::{OLD_PHONE, READY, REGISTERS, SECRET, agent, lives_in};
use support::baresip::Baresip;
use support::street::{OTHER_PHONE, PHONE};
use support::switch::{HELPLINE, Switch};
use support::talk::{self, AGENT_TONE, CALLER_TONE};
use support::tone;

const BOSS_TONE: u32 = 700;
/// Seconds of sound that are awaited.
const AWAITED: f64 = 2.0;
/// More than a click: nobody may have heard so much of whom they are not to hear.
const HEARD: f64 = 0.2;

struct Call {
    switch: Switch,
    caller: Baresip,
    op1: Baresip,
    boss: Baresip,
    id: Value,
}

/// op1 talks with the caller; `boss` has a phone, and is in no queue.
fn talking() -> Call {
    let op1 = agent("op1", &[REGISTERS, READY, OLD_PHONE]);
    let boss = agent("boss", &[&lives_in("boss", OTHER_PHONE), "extension = \"90\""]);
    let boss = boss.replace("skills = [\"operator\"]\n", "");
    let mut switch = Switch::start(&[HELPLINE, &op1, &boss]);
    let account = format!(
        "<sip:op1@NET.1:5060>;auth_pass={SECRET};regint=60;answermode=auto;audio_codecs=PCMA"
    );
    let op1 = Baresip::start(&switch.street, PHONE, &account, AGENT_TONE);
    let account = "<sip:boss@NET.4>;regint=0;answermode=auto;audio_codecs=PCMA";
    let boss = Baresip::start(&switch.street, OTHER_PHONE, account, BOSS_TONE);
    talk::until_registered(&mut switch);
    let mut caller = talk::caller(&switch.street);
    talk::call(&mut switch, &mut caller);
    let calls = switch.admin.ask("calls.list", json!({})).unwrap();
    let id = calls[0]["id"].clone();
    Call { switch, caller, op1, boss, id }
}

impl Call {
    fn watch(&mut self, verb: &str) {
        let params = json!({"call": self.id, "phone": "90"});
        self.switch.admin.ask(verb, params).unwrap();
        let ears = verb.trim_start_matches("calls.");
        self.switch.until("call.watched", |fact| fact["ears"] == ears);
    }

    /// The caller hangs up, and the record is there.
    fn over(mut self) -> (Value, [Vec<i16>; 3]) {
        self.caller.command("hangup", "");
        self.switch.until_ended(1);
        self.boss.until("CALL_CLOSED");
        let heard = [self.caller.recording(), self.op1.recording(), self.boss.recording()];
        (self.switch.records()[0].clone(), heard)
    }
}

fn seconds(heard: &[i16], hertz: u32) -> f64 {
    tone::seconds(heard, hertz)
}

#[test]
fn a_supervisor_listens_whispers_to_the_agent_and_then_speaks_with_both() {
    let mut call = talking();
    call.watch("calls.listen");
    call.boss.until_heard(CALLER_TONE, AWAITED);
    call.boss.until_heard(AGENT_TONE, AWAITED);
    assert!(seconds(&call.op1.recording(), BOSS_TONE) < HEARD, "nobody hears who listens");
    call.watch("calls.whisper");
    call.op1.until_heard(BOSS_TONE, AWAITED);
    assert!(seconds(&call.caller.recording(), BOSS_TONE) < HEARD, "the caller hears none of it");
    call.watch("calls.barge");
    call.caller.until_heard(BOSS_TONE, AWAITED);
    let (record, [caller, op1, boss]) = call.over();
    for (whom, heard, hertz) in
        [("caller", &caller, AGENT_TONE), ("op1", &op1, CALLER_TONE), ("boss", &boss, CALLER_TONE)]
    {
        assert!(seconds(heard, hertz) > 2.0 * AWAITED, "{whom} heard the other all the time");
    }
    assert!(seconds(&boss, BOSS_TONE) < HEARD, "nobody hears themselves");
    assert_eq!((&record["agent"], &record["outcome"]), (&json!("op1"), &json!("answered")));
    let legs = record["legs"].as_array().unwrap();
    let own = legs.iter().find(|leg| leg["role"] == "supervisor").expect("a row");
    assert_eq!(own["agent"], "boss");
}

#[test]
fn a_supervisor_takes_a_call_over() {
    let mut call = talking();
    call.watch("calls.listen");
    call.watch("calls.take");
    call.op1.until("CALL_CLOSED");
    call.caller.until_heard(BOSS_TONE, AWAITED);
    call.boss.until_heard(CALLER_TONE, AWAITED);
    let (record, [_, op1, boss]) = call.over();
    assert!(seconds(&op1, BOSS_TONE) < HEARD && seconds(&boss, BOSS_TONE) < HEARD);
    assert_eq!((&record["agent"], &record["transfers"]), (&json!("boss"), &json!(1)), "{record:#}");
}
