//! A known voice through the switch from one real telephone to another, in every pairing of
//! codecs: baresip and linphone, PCMA, PCMU, G.722 and Opus. What is heard is judged by a score,
//! not by ear.

mod support;

use pukar::wire::codec::Codec;
use support::agents::{OLD_PHONE, READY, REGISTERS, SECRET, agent};
use support::baresip::Baresip;
use support::linphone::Linphone;
use support::score::{self, Score};
use support::street::{CALLER, PHONE};
use support::switch::{HELPLINE, Switch};
use support::{talk, voice};

const NARROW: usize = 8_000;
const WIDE: usize = 16_000;
/// How much louder a voice is to be than it was, in dB.
const AS_LOUD: f64 = 0.0;

/// In G.722 alone a linphone says half of what it was given, also where the switch relays it
/// untouched, and hears twice of what was said.
const fn loudness_of_linphone(codec: Codec) -> f64 {
    match codec {
        Codec::G722 => -6.0,
        Codec::Pcma | Codec::Pcmu | Codec::Opus => AS_LOUD,
    }
}

/// The voice is as loud as it was, without holes, and its spectrum is that of a good telephone; of
/// what wide band adds, codecs keep the loudness and leave out some of the fine structure. Where
/// all of it is gone, the distance is 20.
fn is_good(score: &Score, (rate, level): (usize, f64)) -> bool {
    let (distance, broken) = if rate == WIDE { (7.0, 0.1) } else { (4.0, 0.05) };
    (score.level - level).abs() < 2.0 && score.distance < distance && score.broken < broken
}

/// Waits until the voice comes through well for most of the time since the two talked: on a busy
/// machine the telephones themselves stutter, but never the half of a minute.
fn check(what: &str, said: &[i16], (rate, level): (usize, f64), phone: &mut Baresip) {
    let mut scores = Vec::new();
    for length in [9.5, 16.5, 23.5, 30.5] {
        phone.until_recorded(length);
        let heard = if rate == WIDE { phone.recording_16k() } else { phone.recording_8k() };
        // A caller hears the queue first.
        let score = score::judge(said, heard.get(2 * rate..).unwrap_or_default(), rate);
        scores.push(score);
        if score.as_ref().is_some_and(|score| is_good(score, (rate, level))) {
            return println!("{what}: {score:?}");
        }
    }
    panic!("{what}: {scores:#?}");
}

/// As `audio_codecs` of baresip has it.
fn in_baresip(codec: Codec) -> &'static str {
    match codec {
        Codec::Pcma => "PCMA",
        Codec::Pcmu => "PCMU",
        Codec::G722 => "G722/16000/1",
        Codec::Opus => "opus/48000/2",
    }
}

/// The accounts of a baresip: an agent's, and a caller's behind the trunk.
fn agents(codec: Codec) -> String {
    format!(
        "<sip:op1@NET.1:5060>;auth_pass={SECRET};regint=60;answermode=auto;audio_codecs={}",
        in_baresip(codec)
    )
}

fn callers(codec: Codec) -> String {
    format!("<sip:9876543210@NET.2>;regint=0;audio_codecs={}", in_baresip(codec))
}

/// Calls the helpline, and waits until the two of them talk.
fn dial(switch: &mut Switch, caller: &mut Baresip) {
    caller.command("dial", &switch.street.address("sip:181@NET.1:5060"));
    caller.until("CALL_ESTABLISHED");
    switch.until("call.connected", |_| true);
}

/// The caller speaks one codec, the agent another; both are baresip.
fn between(caller_speaks: Codec, agent_speaks: Codec) {
    let said = voice::sentence();
    let mut switch = talk::switch(OLD_PHONE);
    let account = agents(agent_speaks);
    let mut agent = Baresip::says_again(&switch.street, PHONE, &account, &said);
    talk::until_registered(&mut switch);
    let account = callers(caller_speaks);
    let mut caller = Baresip::says_again(&switch.street, CALLER, &account, &said);
    dial(&mut switch, &mut caller);
    let what = format!("{} to {}", caller_speaks.name(), agent_speaks.name());
    check(&format!("agent, {what}"), &said, (NARROW, AS_LOUD), &mut agent);
    check(&format!("caller, {what}"), &said, (NARROW, AS_LOUD), &mut caller);
    agent.command("hangup", "");
    caller.until("CALL_CLOSED");
    agent.until("CALL_CLOSED");
    switch.until_ended(1);
}

/// Both have wide band, and a voice that needs it.
fn between_wide(caller_speaks: Codec, agent_speaks: Codec) {
    let said = voice::wide(WIDE as u32);
    let start = |switch: &Switch, house, account: &str, codec: Codec| {
        let rate = codec.rate();
        Baresip::says_wide(&switch.street, house, account, rate, &voice::wide(rate))
    };
    let mut switch = talk::switch(OLD_PHONE);
    let mut agent = start(&switch, PHONE, &agents(agent_speaks), agent_speaks);
    talk::until_registered(&mut switch);
    let mut caller = start(&switch, CALLER, &callers(caller_speaks), caller_speaks);
    dial(&mut switch, &mut caller);
    let what = format!("{} to {} in wide band", caller_speaks.name(), agent_speaks.name());
    check(&format!("agent, {what}"), &said, (WIDE, AS_LOUD), &mut agent);
    check(&format!("caller, {what}"), &said, (WIDE, AS_LOUD), &mut caller);
    agent.command("hangup", "");
    caller.until("CALL_CLOSED");
    switch.until_ended(1);
}

/// The caller is a baresip, the agent a linphone with one codec. Its recording can be read only
/// when the call is over, so that another try is another call.
fn to_linphone(caller_speaks: Codec, agent_speaks: Codec) {
    let said = voice::sentence();
    let hear = |_| {
        let mut switch = talk::switch("");
        let account = Some(("op1", SECRET));
        let mut agent = Linphone::says_again(&switch.street, PHONE, account, agent_speaks, &said);
        talk::until_registered(&mut switch);
        let account = callers(caller_speaks);
        let mut caller = Baresip::says_again(&switch.street, CALLER, &account, &said);
        dial(&mut switch, &mut caller);
        let what = format!("{} to linphone's {}", caller_speaks.name(), agent_speaks.name());
        let level = loudness_of_linphone(agent_speaks);
        check(&format!("caller, {what}"), &said, (NARROW, level), &mut caller);
        agent.command("terminate");
        caller.until("CALL_CLOSED");
        agent.until("ended");
        switch.until_ended(1);
        heard_by(&format!("linphone, {what}"), &agent, agent_speaks, &said)
    };
    let scores: Vec<Option<Score>> = (0..3).map_while(hear).collect();
    assert!(scores.len() < 3, "linphone, {caller_speaks:?} to {agent_speaks:?}: {scores:#?}");
}

/// The caller is a linphone behind the trunk, the agent a baresip.
fn from_linphone(caller_speaks: Codec, agent_speaks: Codec) {
    let said = voice::sentence();
    let hear = |_| {
        let mut switch = talk::switch(OLD_PHONE);
        let account = agents(agent_speaks);
        let mut agent = Baresip::says_again(&switch.street, PHONE, &account, &said);
        talk::until_registered(&mut switch);
        let mut caller = Linphone::says_again(&switch.street, CALLER, None, caller_speaks, &said);
        caller.command(&format!("call {}", switch.street.address("sip:181@NET.1:5060")));
        switch.until("call.connected", |_| true);
        let what = format!("linphone's {} to {}", caller_speaks.name(), agent_speaks.name());
        let level = loudness_of_linphone(caller_speaks);
        check(&format!("agent, {what}"), &said, (NARROW, level), &mut agent);
        agent.command("hangup", "");
        caller.until("ended");
        switch.until_ended(1);
        heard_by(&format!("caller, {what}"), &caller, caller_speaks, &said)
    };
    let scores: Vec<Option<Score>> = (0..3).map_while(hear).collect();
    assert!(scores.len() < 3, "linphone, {caller_speaks:?} to {agent_speaks:?}: {scores:#?}");
}

/// A linphone that is set to one codec cannot be had by a switch that speaks the other three: what
/// the tests above hear was said in this one.
fn has_no_other(codec: Codec) {
    let others: Vec<&str> =
        Codec::ALL.into_iter().filter(|other| *other != codec).map(Codec::name).collect();
    let op1 = agent("op1", &[REGISTERS, READY]);
    let mut switch = Switch::start(&[&format!("codecs = {others:?}\n"), HELPLINE, &op1]);
    let account = Some(("op1", SECRET));
    let silence = [0; NARROW];
    let _agent = Linphone::says_again(&switch.street, PHONE, account, codec, &silence);
    talk::until_registered(&mut switch);
    let other = Codec::named(others[0]).unwrap();
    let mut caller = Baresip::says_again(&switch.street, CALLER, &callers(other), &silence);
    caller.command("dial", &switch.street.address("sip:181@NET.1:5060"));
    let missed = switch.until("agent.missed", |_| true);
    assert_eq!(missed["why"], "unreachable", "{missed:#}");
    caller.command("hangup", "");
    switch.until_ended(1);
}

/// What linphone heard from the first words of the other on: the tune of the queue, or ringing,
/// comes before. `None`: well.
fn heard_by(what: &str, phone: &Linphone, codec: Codec, said: &[i16]) -> Option<Option<Score>> {
    let heard = phone.recording_8k();
    let newest = &heard[heard.len().saturating_sub(6 * NARROW)..];
    let score = score::judge(said, newest, NARROW);
    let wanted = (NARROW, -loudness_of_linphone(codec));
    println!("{what}: {score:?}");
    if score.as_ref().is_some_and(|score| is_good(score, wanted)) { None } else { Some(score) }
}

/// With every codec of the other party, two calls at a time: telephones mostly wait.
fn with_every_codec(call: impl Fn(Codec) + Sync) {
    for two in Codec::ALL.chunks(2) {
        std::thread::scope(|scope| {
            for other in two {
                scope.spawn(|| call(*other));
            }
        });
    }
}

#[test]
fn a_caller_in_a_law_of_g711_talks_with_every_codec() {
    with_every_codec(|agent| between(Codec::Pcma, agent));
}

#[test]
fn a_caller_in_mu_law_talks_with_every_codec() {
    with_every_codec(|agent| between(Codec::Pcmu, agent));
}

#[test]
fn a_caller_in_g722_talks_with_every_codec() {
    with_every_codec(|agent| between(Codec::G722, agent));
}

#[test]
fn a_caller_in_opus_talks_with_every_codec() {
    with_every_codec(|agent| between(Codec::Opus, agent));
}

#[test]
fn what_wide_band_adds_comes_through_from_one_codec_of_it_to_the_other() {
    std::thread::scope(|scope| {
        scope.spawn(|| between_wide(Codec::G722, Codec::Opus));
        scope.spawn(|| between_wide(Codec::Opus, Codec::G722));
    });
}

#[test]
fn a_linphone_in_a_law_of_g711_talks_with_every_codec() {
    with_every_codec(|caller| to_linphone(caller, Codec::Pcma));
}

#[test]
fn a_linphone_in_mu_law_talks_with_every_codec() {
    with_every_codec(|caller| to_linphone(caller, Codec::Pcmu));
}

#[test]
fn a_linphone_in_g722_talks_with_every_codec() {
    with_every_codec(|caller| to_linphone(caller, Codec::G722));
}

#[test]
fn a_linphone_in_opus_talks_with_every_codec() {
    with_every_codec(|caller| to_linphone(caller, Codec::Opus));
}

#[test]
fn a_linphone_that_is_set_to_one_codec_has_no_other() {
    with_every_codec(has_no_other);
}

#[test]
fn a_linphone_calls_in_every_codec() {
    let next = |codec| Codec::ALL[(Codec::ALL.iter().position(|c| *c == codec).unwrap() + 1) % 4];
    with_every_codec(|caller| from_linphone(caller, next(caller)));
}
