//! Keys in the midst of a call, on real telephones: a colleague is asked unheard by the caller, has
//! the call when the first one hangs up, or makes it a room of three. Keys of one way are those of
//! another at the other end.

mod support;

use serde_json::json;
use support::agents::{OLD_PHONE, READY, REGISTERS, SECRET, agent, lives_in};
use support::baresip::Baresip;
use support::linphone::Linphone;
use support::street::{OTHER_PHONE, PHONE};
use support::switch::{HELPLINE, Switch};
use support::talk::{self, AGENT_TONE, CALLER_TONE};
use support::tone;

const SECOND_TONE: u32 = 700;
/// Seconds of sound that are awaited.
const AWAITED: f64 = 3.0;

/// op1's phone is baresip, and op2's extension is 12.
fn by_keys() -> (Switch, Baresip, Baresip) {
    let op1 = agent("op1", &[REGISTERS, READY, OLD_PHONE]);
    let op2 = agent("op2", &[&lives_in("op2", OTHER_PHONE), "extension = \"12\""]);
    let switch = Switch::start(&[HELPLINE, &op1, &op2]);
    let account = format!(
        "<sip:op1@NET.1:5060>;auth_pass={SECRET};regint=60;answermode=auto;audio_codecs=PCMA"
    );
    let op1 = Baresip::start(&switch.street, PHONE, &account, AGENT_TONE);
    let account = "<sip:op2@NET.4>;regint=0;answermode=auto;audio_codecs=PCMA";
    let op2 = Baresip::start(&switch.street, OTHER_PHONE, account, SECOND_TONE);
    (switch, op1, op2)
}

#[test]
fn baresip_asks_a_colleague_by_keys_and_hands_the_caller_over_by_hanging_up() {
    let (mut switch, mut op1, mut op2) = by_keys();
    let mut caller = talk::first(&mut switch);
    op1.command("sndcode", "*212#");
    op2.until_heard(AGENT_TONE, AWAITED);
    op1.command("hangup", "");
    let sent = switch.until("call.transferred", |_| true);
    assert_eq!(sent["by"], "op1", "{sent}");
    caller.until_heard(SECOND_TONE, AWAITED);
    op2.until_heard(CALLER_TONE, AWAITED);
    caller.command("hangup", "");
    switch.until_ended(1);
    let records = switch.records();
    assert_eq!((&records[0]["outcome"], &records[0]["transfers"]), (&json!("answered"), &json!(1)));
}

#[test]
fn three_phones_talk_with_one_another() {
    let (mut switch, mut op1, mut op2) = by_keys();
    let mut caller = talk::first(&mut switch);
    op1.command("sndcode", "*212#");
    op2.until_heard(AGENT_TONE, AWAITED);
    op1.command("sndcode", "*3");
    switch.until("call.joined", |_| true);
    for (phone, others) in [
        (&mut caller, [AGENT_TONE, SECOND_TONE]),
        (&mut op1, [CALLER_TONE, SECOND_TONE]),
        (&mut op2, [CALLER_TONE, AGENT_TONE]),
    ] {
        others.into_iter().for_each(|tone| phone.until_heard(tone, AWAITED + AWAITED));
    }
    caller.command("hangup", "");
    op1.command("hangup", "");
    switch.until_ended(1);
    for (phone, own) in [(&caller, CALLER_TONE), (&op1, AGENT_TONE), (&op2, SECOND_TONE)] {
        assert_eq!(tone::seconds(&phone.recording(), own), 0.0, "{own} Hz heard itself");
    }
}

#[test]
fn what_linphone_keys_in_by_sip_info_comes_to_baresip_beside_its_sound() {
    let mut switch = talk::switch("");
    let mut agent = Linphone::informs(&switch.street, PHONE, ("op1", SECRET), AGENT_TONE);
    talk::until_registered(&mut switch);
    let mut caller = talk::caller(&switch.street);
    talk::call(&mut switch, &mut caller);
    agent.command("5");
    assert_eq!(caller.until("CALL_DTMF_START")["param"], "5");
    caller.command("hangup", "");
    switch.until_ended(1);
}
