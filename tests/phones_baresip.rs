//! baresip as an agent's telephone: it registers with a password, answers by itself, and talks with
//! a second baresip that calls over the trunk. Sound is proved both ways.

mod support;

use support::agents::{OLD_PHONE, SECRET};
use support::baresip::Baresip;
use support::street::PHONE;
use support::talk::{self, AGENT_TONE};

fn account(transport: &str, secret: &str) -> String {
    format!(
        "<sip:op1@NET.1:5060;transport={transport}>;auth_pass={secret};regint=60;answermode=auto;\
         audio_codecs=PCMA"
    )
}

fn talks_over(transport: &str) {
    let mut switch = talk::switch(OLD_PHONE);
    let account = account(transport, SECRET);
    let mut agent = Baresip::start(&switch.street, PHONE, &account, AGENT_TONE);
    talk::until_registered(&mut switch);
    let mut caller = talk::caller(&switch.street);
    talk::call(&mut switch, &mut caller);
    agent.command("hangup", "");
    caller.until("CALL_CLOSED");
    switch.until_ended(1);
    agent.until("CALL_CLOSED");
    talk::check(switch, &caller.recording(), &agent.recording());
}

#[test]
fn agent_and_caller_hear_each_other_over_udp() {
    talks_over("udp");
}

#[test]
fn agent_and_caller_hear_each_other_over_tcp() {
    talks_over("tcp");
}

#[test]
fn a_phone_with_a_wrong_password_is_not_let_in() {
    let mut switch = talk::switch(OLD_PHONE);
    let account = account("udp", "wrong-horse-1");
    let mut phone = Baresip::start(&switch.street, PHONE, &account, AGENT_TONE);
    phone.says("403 Forbidden");
    assert_eq!(switch.facts.count("phone.bound"), 0);
    let agents = switch.ask("agents.list");
    assert_eq!(agents[0]["contacts"], 0, "{agents:#}");
}
