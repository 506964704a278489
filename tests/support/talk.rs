//! A conversation in which each side plays a tone of its own, and the proof that each heard the
//! other's and never its own.

use super::agents::{READY, REGISTERS, agent};
use super::baresip::Baresip;
use super::street::{CALLER, Street};
use super::switch::{HELPLINE, Switch};
use super::tone;
use serde_json::{Value, json};

pub const CALLER_TONE: u32 = 1_000;
pub const AGENT_TONE: u32 = 440;
/// Seconds of sound that each side must have heard.
pub const HEARD: f64 = 2.0;
/// Seconds that are recorded before the call is ended.
const RECORDED: f64 = 3.0;

/// A helpline and one agent, whose phone registers; `phone`: a line about it.
pub fn switch(phone: &str) -> Switch {
    Switch::start(&[HELPLINE, &agent("op1", &["name = \"सीमा\"", REGISTERS, READY, phone])])
}

/// The caller: baresip at the trunk's address.
pub fn caller(street: &Street) -> Baresip {
    let account = "<sip:9876543210@NET.2>;regint=0;audio_codecs=PCMA";
    Baresip::start(street, CALLER, account, CALLER_TONE)
}

/// Waits for the phone of op1.
pub fn until_registered(switch: &mut Switch) {
    let bound = |fact: &Value| fact["contacts"].as_array().is_some_and(|all| !all.is_empty());
    switch.until("phone.bound", |fact| fact["user"] == "op1" && bound(fact));
}

/// Calls the helpline and waits until the agent talks and the caller has heard enough of it.
pub fn call(switch: &mut Switch, caller: &mut Baresip) {
    caller.command("dial", &switch.street.address("sip:181@NET.1:5060"));
    caller.until("CALL_ESTABLISHED");
    let connected = switch.until("call.connected", |_| true);
    assert_eq!(connected["agent"], "op1");
    // The caller hears the waiting tune first; the agent's tone is what counts.
    caller.until_heard(AGENT_TONE, RECORDED);
}

/// op1 talks with the caller, whose telephone this is, and op2 is ready for what comes next.
pub fn first(switch: &mut Switch) -> Baresip {
    until_registered(switch);
    let mut caller = caller(&switch.street);
    call(switch, &mut caller);
    switch.admin.ask("agents.set", json!({"agent": "op2", "state": "ready"})).unwrap();
    caller
}

/// Both sides heard the other, and the record says so.
pub fn check(switch: Switch, caller: &[i16], agent: &[i16]) {
    tone::hears(caller, AGENT_TONE, HEARD, CALLER_TONE).expect("what the caller heard");
    tone::hears(agent, CALLER_TONE, HEARD, AGENT_TONE).expect("what the agent heard");
    let records = switch.records();
    assert_eq!(records.len(), 1, "{records:#?}");
    let record = &records[0];
    assert_eq!(record["outcome"], "answered", "{record:#}");
    assert_eq!(record["agent"], "op1", "{record:#}");
    for leg in record["legs"].as_array().expect("legs") {
        assert!(leg["packets_received"].as_u64() > Some(100), "{leg:#}");
        assert!(leg["packets_sent"].as_u64() > Some(100), "{leg:#}");
    }
}
