//! A known voice through the switch from one real telephone to another, in every pairing of
//! codecs: baresip and linphone, PCMA, PCMU, G.722 and Opus. What is heard is judged by a score,
//! not by ear.

mod support;

use pukar::wire::wav;
use support::agents::{OLD_PHONE, SECRET};
use support::baresip::Baresip;
use support::linphone::Linphone;
use support::score::{self, Score};
use support::street::{CALLER, PHONE};
use support::talk::{self, AGENT_TONE};

/// What is said: a sentence of the shipped Hindi prompts, and a moment of silence.
fn sentence() -> Vec<i16> {
    let prompts = concat!(env!("CARGO_MANIFEST_DIR"), "/prompts/hi/");
    let file = std::fs::read(format!("{prompts}welcome.wav")).unwrap();
    let mut samples = wav::read(&file).unwrap();
    samples.truncate(16_000);
    samples.extend([0; 2_000]);
    samples
}

/// The voice is as loud as it was, without holes, and its spectrum is that of a good telephone.
fn is_good(score: &Score) -> bool {
    score.level.abs() < 2.0 && score.distance < 4.0 && score.broken < 0.05
}

/// Waits until the voice came through well once: on a busy machine the telephones themselves
/// stutter, and a sentence that lost nothing on its way out cannot be asked of each moment.
fn check(what: &str, said: &[i16], phone: &mut Baresip) {
    let mut scores = Vec::new();
    for length in [7.0, 10.0, 13.0, 17.0, 21.0, 25.0] {
        phone.until_recorded(length);
        let heard = phone.recording_8k();
        let newest = &heard[heard.len().saturating_sub(7 * 8_000)..];
        let score = score::judge(said, newest);
        scores.push(score);
        if score.as_ref().is_some_and(is_good) {
            return println!("{what}: {score:?}");
        }
    }
    panic!("{what}: {scores:#?}");
}

/// The caller speaks one codec, the agent another; both are baresip.
fn between(caller_speaks: &str, agent_speaks: &str) {
    let said = sentence();
    let mut switch = talk::switch(OLD_PHONE);
    let account = format!(
        "<sip:op1@NET.1:5060>;auth_pass={SECRET};regint=60;answermode=auto;\
         audio_codecs={agent_speaks}"
    );
    let mut agent = Baresip::says_again(&switch.street, PHONE, &account, &said);
    talk::until_registered(&mut switch);
    let account = format!("<sip:9876543210@NET.2>;regint=0;audio_codecs={caller_speaks}");
    let mut caller = Baresip::says_again(&switch.street, CALLER, &account, &said);
    caller.command("dial", &switch.street.address("sip:181@NET.1:5060"));
    caller.until("CALL_ESTABLISHED");
    switch.until("call.connected", |_| true);
    let what = format!("{caller_speaks} to {agent_speaks}");
    check(&format!("agent, {what}"), &said, &mut agent);
    check(&format!("caller, {what}"), &said, &mut caller);
    agent.command("hangup", "");
    caller.until("CALL_CLOSED");
    agent.until("CALL_CLOSED");
    switch.until_ended(1);
}

/// The caller is a baresip, the agent a linphone that knows every codec and takes the caller's. Its
/// recording can be read only when the call is over, so that another try is another call.
fn with_linphone(caller_speaks: &str) {
    let scores: Vec<Option<Score>> = (0..3).map_while(|_| linphone_hears(caller_speaks)).collect();
    assert!(scores.len() < 3, "linphone, {caller_speaks}: {scores:#?}");
}

/// `None`: well.
fn linphone_hears(caller_speaks: &str) -> Option<Option<Score>> {
    let said = sentence();
    let mut switch = talk::switch("");
    let mut agent = Linphone::start(&switch.street, PHONE, ("op1", SECRET), AGENT_TONE, false);
    talk::until_registered(&mut switch);
    let account = format!("<sip:9876543210@NET.2>;regint=0;audio_codecs={caller_speaks}");
    let mut caller = Baresip::says_again(&switch.street, CALLER, &account, &said);
    caller.command("dial", &switch.street.address("sip:181@NET.1:5060"));
    caller.until("CALL_ESTABLISHED");
    switch.until("call.connected", |_| true);
    caller.until_recorded(9.0);
    agent.command("terminate");
    caller.until("CALL_CLOSED");
    switch.until_ended(1);
    agent.until("ended");
    let tone = support::tone::seconds(&caller.recording_8k(), AGENT_TONE);
    assert!(tone > talk::HEARD, "{caller_speaks}: the caller heard linphone for {tone} s");
    let score = score::judge(&said, &agent.recording_8k());
    println!("linphone, {caller_speaks}: {score:?}");
    if score.as_ref().is_some_and(is_good) { None } else { Some(score) }
}

const CODECS: [&str; 4] = ["PCMA", "PCMU", "G722/16000/1", "opus/48000/2"];

#[test]
fn a_caller_in_a_law_of_g711_talks_with_every_codec() {
    for agent in CODECS {
        between("PCMA", agent);
    }
}

#[test]
fn a_caller_in_mu_law_talks_with_every_codec() {
    for agent in CODECS {
        between("PCMU", agent);
    }
}

#[test]
fn a_caller_in_g722_talks_with_every_codec() {
    for agent in CODECS {
        between("G722/16000/1", agent);
    }
}

#[test]
fn a_caller_in_opus_talks_with_every_codec() {
    for agent in CODECS {
        between("opus/48000/2", agent);
    }
}

#[test]
fn linphone_hears_every_codec() {
    for caller in CODECS {
        with_linphone(caller);
    }
}
