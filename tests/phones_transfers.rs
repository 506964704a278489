//! Real telephones hand a call on: baresip by a plain REFER, linphone by REFER with Replaces after
//! it has asked in a second call of its own. Sound is proved both ways afterwards.

mod support;

use serde_json::{Value, json};
use support::agents::{OLD_PHONE, READY, REGISTERS, SECRET, agent, lives_in};
use support::baresip::Baresip;
use support::linphone::Linphone;
use support::street::{OTHER_PHONE, PHONE};
use support::switch::{HELPLINE, Switch};
use support::talk::{self, AGENT_TONE, CALLER_TONE, HEARD};
use support::tone;

const SECOND_TONE: u32 = 700;
/// Seconds of sound that are awaited after the call was handed on.
const AWAITED: f64 = 3.0;

/// op1's phone registers; op2's stands in a house of its own, and op2 is not there yet.
fn switch(phone: &str) -> Switch {
    let op1 = agent("op1", &[REGISTERS, READY, phone]);
    Switch::start(&[HELPLINE, &op1, &agent("op2", &[&lives_in("op2", OTHER_PHONE)])])
}

fn second_phone(switch: &Switch) -> Baresip {
    let account = "<sip:op2@NET.4>;regint=0;answermode=auto;audio_codecs=PCMA";
    Baresip::start(&switch.street, OTHER_PHONE, account, SECOND_TONE)
}

/// Caller and op2 hear each other, and the record of the helpline's call says what was.
fn check(mut switch: Switch, mut caller: Baresip, mut op2: Baresip, calls: usize) {
    caller.until_heard(SECOND_TONE, AWAITED);
    op2.until_heard(CALLER_TONE, AWAITED);
    caller.command("hangup", "");
    op2.until("CALL_CLOSED");
    switch.until_ended(calls);
    tone::hears(&op2.recording(), CALLER_TONE, HEARD, SECOND_TONE).expect("what op2 heard");
    let records = switch.records();
    let of_line: Vec<&Value> = records.iter().filter(|record| record["line"] == "181").collect();
    let [record] = of_line[..] else { panic!("{records:#?}") };
    assert_eq!((records.len(), &record["transfers"]), (calls, &json!(1)), "{records:#?}");
    assert_eq!(record["outcome"], "answered", "{record:#}");
    assert_eq!(record["ended_by"], "caller", "{record:#}");
    let agents = record["legs"].as_array().unwrap().iter().map(|leg| leg["agent"].clone());
    let agents: Vec<Value> = agents.filter(|agent| !agent.is_null() && agent != "").collect();
    assert_eq!(agents, [json!("op1"), json!("op2")], "{record:#}");
}

#[test]
fn baresip_sends_its_caller_to_a_colleague() {
    let mut switch = switch(OLD_PHONE);
    let op2 = second_phone(&switch);
    let account = format!(
        "<sip:op1@NET.1:5060>;auth_pass={SECRET};regint=60;answermode=auto;audio_codecs=PCMA"
    );
    let mut op1 = Baresip::start(&switch.street, PHONE, &account, AGENT_TONE);
    let caller = talk::first(&mut switch);
    op1.command("transfer", &switch.street.address("sip:op2@NET.1:5060"));
    let sent = switch.until("call.transferred", |_| true);
    assert_eq!(sent["by"], "op1", "{sent}");
    op1.until("CALL_CLOSED");
    check(switch, caller, op2, 1);
}

#[test]
fn linphone_asks_a_colleague_first_and_brings_the_two_together() {
    let mut switch = switch("");
    let op2 = second_phone(&switch);
    let login = ("op1", SECRET);
    let mut op1 = Linphone::start(&switch.street, PHONE, login, AGENT_TONE, false);
    let caller = talk::first(&mut switch);
    op1.command("pause");
    switch.until("call.held", |fact| fact["held"] == true);
    op1.command(&switch.street.address("call sip:op2@NET.1"));
    op1.until("Call 2 with");
    op1.command("transfer 1 --to-call 2");
    let sent = switch.until("call.transferred", |_| true);
    assert_eq!(sent["by"], "op1", "{sent}");
    check(switch, caller, op2, 2);
}
