//! linphone as an agent's telephone: it registers with a password, answers by itself, and talks
//! with a baresip that calls over the trunk. Sound is proved both ways.

mod support;

use support::agents::SECRET;
use support::linphone::Linphone;
use support::street::PHONE;
use support::talk::{self, AGENT_TONE};

fn talks_over(tcp: bool) {
    let mut switch = talk::switch("");
    let login = ("op1", SECRET);
    let mut agent = Linphone::start(&switch.street, PHONE, login, AGENT_TONE, tcp);
    talk::until_registered(&mut switch);
    let mut caller = talk::caller(&switch.street);
    talk::call(&mut switch, &mut caller);
    agent.command("terminate");
    caller.until("CALL_CLOSED");
    switch.until_ended(1);
    agent.until("ended");
    talk::check(switch, &caller.recording(), &agent.recording());
}

#[test]
fn agent_and_caller_hear_each_other_over_udp() {
    talks_over(false);
}

#[test]
fn agent_and_caller_hear_each_other_over_tcp() {
    talks_over(true);
}
