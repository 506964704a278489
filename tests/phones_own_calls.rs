//! A real telephone logs in by keys, dials out through a carrier, and says what the call was about:
//! baresip as the agent's phone, baresip and SIPp as what the carrier reaches. Over real sockets.

mod support;

use serde_json::Value;
use support::agents::{OLD_PHONE, REGISTERS, SECRET, agent};
use support::baresip::Baresip;
use support::sipp::{Plan, Sipp};
use support::street::{CALLER, PHONE, Street};
use support::switch::{HELPLINE, Switch};
use support::talk::{self, AGENT_TONE, CALLER_TONE, HEARD};
use support::tone;

const OUT: &str = "[out]\nwrap_up = \"30s\"\n[[route]]\nprefixes = [\"+91\"]\ntrunk = \"carrier\"\n\
    identity = \"+917552551181\"\nstrip = 3\nadd = \"0\"\n";

fn switch() -> Switch {
    let lines = [REGISTERS, OLD_PHONE, "pin = \"7401\""];
    Switch::start(&[HELPLINE, OUT, &agent("op1", &lines)])
}

fn phone(street: &Street) -> Baresip {
    let account = format!("<sip:op1@NET.1:5060>;auth_pass={SECRET};regint=60;audio_codecs=PCMA");
    Baresip::start(street, PHONE, &account, AGENT_TONE)
}

/// The phone keys in a code, hears the tone of what is done, and is hung up on.
fn key(switch: &mut Switch, phone: &mut Baresip, code: &str) -> Value {
    phone.command("dial", &switch.street.address(&format!("sip:{code}@NET.1:5060")));
    phone.until("CALL_ESTABLISHED");
    let fact = switch.until("agent.code", |_| true);
    phone.until("CALL_CLOSED");
    fact
}

fn state(switch: &mut Switch) -> Value {
    switch.ask("agents.list")[0]["state"].clone()
}

#[test]
fn a_phone_logs_in_by_keys_dials_out_and_both_are_heard() {
    let mut switch = switch();
    let mut agent = phone(&switch.street);
    talk::until_registered(&mut switch);
    assert_eq!(state(&mut switch), "off");
    let fact = key(&mut switch, &mut agent, "*117401");
    assert_eq!((&fact["code"], &fact["done"]), (&"login".into(), &true.into()), "{fact:#}");
    switch.until("agent.state", |fact| fact["state"] == "ready");
    let account = "<sip:09826012345@NET.2>;regint=0;answermode=auto;audio_codecs=PCMA";
    let mut citizen = Baresip::start(&switch.street, CALLER, account, CALLER_TONE);
    agent.command("dial", &switch.street.address("sip:9826012345@NET.1:5060"));
    agent.until("CALL_ESTABLISHED");
    switch.until("agent.state", |fact| fact["state"] == "own-call");
    agent.until_heard(CALLER_TONE, HEARD + 1.0);
    agent.command("hangup", "");
    citizen.until("CALL_CLOSED");
    switch.until("agent.state", |fact| fact["state"] == "wrap-up");
    let fact = key(&mut switch, &mut agent, "*162");
    assert_eq!(fact["done"], true, "{fact:#}");
    switch.until_ended(3);
    let heard = tone::hears(&citizen.recording(), AGENT_TONE, HEARD, CALLER_TONE);
    heard.expect("what the citizen heard");
    let records = switch.records();
    let out: Vec<&Value> = records.iter().filter(|r| r["direction"] == "out").collect();
    let [out] = out[..] else { panic!("{records:#?}") };
    assert_eq!(
        (&out["agent"], &out["dialled"], &out["caller"], &out["category"], &out["outcome"]),
        (
            &"op1".into(),
            &"+919826012345".into(),
            &"+917552551181".into(),
            &"food".into(),
            &"answered".into()
        ),
        "{out:#}"
    );
    let text = records.iter().map(Value::to_string).collect::<String>();
    assert!(!text.contains("7401"), "a pin in the records");
}

#[test]
fn a_wrong_pin_is_heard_as_such_and_a_phone_without_a_log_in_dials_nobody() {
    let mut switch = switch();
    let mut agent = phone(&switch.street);
    talk::until_registered(&mut switch);
    let fact = key(&mut switch, &mut agent, "*110000");
    assert_eq!((&fact["done"], &fact["why"]), (&false.into(), &"wrong pin".into()), "{fact:#}");
    agent.command("dial", &switch.street.address("sip:9826012345@NET.1:5060"));
    let refused = switch.until("call.refused", |_| true);
    assert_eq!((&refused["status"], &refused["why"]), (&403.into(), &"not-logged-in".into()));
    assert_eq!(state(&mut switch), "off");
}

#[test]
fn sipp_as_a_carrier_is_dialled_under_the_centres_number() {
    let mut switch = switch();
    let mut agent = phone(&switch.street);
    talk::until_registered(&mut switch);
    key(&mut switch, &mut agent, "*117401");
    let plan = Plan { scenario: "agent", house: CALLER, ..Plan::default() };
    let carrier = Sipp::answers(&switch.street, plan);
    agent.command("dial", &switch.street.address("sip:9826012345@NET.1:5060"));
    agent.until("CALL_ESTABLISHED");
    agent.until("CALL_CLOSED");
    carrier.succeeds();
    switch.until_ended(2);
    // The record is closed with the notes, which an orderly stop would not wait for.
    let over = serde_json::json!({"agent": "op1", "state": "end-wrap-up"});
    switch.admin.ask("agents.set", over).unwrap();
    assert!(switch.records().iter().any(|record| record["direction"] == "out"));
}
