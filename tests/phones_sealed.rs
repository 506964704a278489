//! Sealed sound (SRTP) between real telephones: baresip seals or does not, and those who hear each
//! other have opened what was said. Complaints Q37 and Q39: kill -9 in each state, and an upgrade,
//! and the talk, or the same keys, go on.

mod support;

use serde_json::{Value, json};
use std::time::Duration;
use support::Deadline;
use support::agents::{OLD_PHONE, READY, REGISTERS, SECRET, agent};
use support::baresip::Baresip;
use support::one::live;
use support::street::{CALLER, PHONE};
use support::switch::{HELPLINE, Switch};
use support::talk::{self, AGENT_TONE, CALLER_TONE};
use support::{score, tone, voice};

/// Phones of ours have to seal, and whoever calls by the trunk may.
const SEALED: &str = "srtp = \"require\"\n";

/// `seals`: how baresip has it. Without a word its sound is plain.
fn agents(seals: &str, answers: &str) -> String {
    format!(
        "<sip:op1@NET.1:5060>;auth_pass={SECRET};regint=60;answermode={answers};\
         audio_codecs=PCMA{}",
        mediaenc(seals)
    )
}

fn callers(seals: &str) -> String {
    format!("<sip:9876543210@NET.2>;regint=0;audio_codecs=PCMA{}", mediaenc(seals))
}

fn mediaenc(seals: &str) -> String {
    if seals.is_empty() { String::new() } else { format!(";mediaenc={seals}") }
}

/// With one agent, whose phone registers. What `media` says of seals holds for phones.
fn switch(media: &str) -> Switch {
    let helpline = HELPLINE.replace("[[trunk]]", "[[trunk]]\nsrtp = \"accept\"");
    let op1 = agent("op1", &[REGISTERS, READY, OLD_PHONE]);
    Switch::start(&[media, &helpline, &op1])
}

/// Both talk, and each hears the tone of the other.
fn talk(media: &str, caller_seals: &str, agent_seals: &str) {
    let mut switch = switch(media);
    let account = agents(agent_seals, "auto");
    let mut agent = Baresip::start(&switch.street, PHONE, &account, AGENT_TONE);
    talk::until_registered(&mut switch);
    let account = callers(caller_seals);
    let mut caller = Baresip::start(&switch.street, CALLER, &account, CALLER_TONE);
    talk::call(&mut switch, &mut caller);
    agent.until_heard(CALLER_TONE, talk::HEARD);
    agent.command("hangup", "");
    caller.until("CALL_CLOSED");
    switch.until_ended(1);
    agent.until("CALL_CLOSED");
    talk::check(switch, &caller.recording(), &agent.recording());
}

#[test]
fn a_sealed_caller_and_a_plain_agent_hear_each_other() {
    talk("", "srtp-mand", "");
}

#[test]
fn a_plain_caller_and_a_sealed_agent_hear_each_other() {
    talk(SEALED, "", "srtp-mand");
}

/// RTP/SAVPF, and keys beside RTP/AVP, as of a phone that can do without.
#[test]
fn other_ways_to_offer_keys_are_understood() {
    talk("", "srtp-mandf", "");
    talk(SEALED, "srtp", "srtp-mand");
}

#[test]
fn a_voice_between_two_who_seal_is_as_good_as_it_was() {
    let said = voice::sentence();
    let mut switch = switch(SEALED);
    let account = agents("srtp-mand", "auto");
    let mut agent = Baresip::says_again(&switch.street, PHONE, &account, &said);
    talk::until_registered(&mut switch);
    let account = callers("srtp-mand");
    let mut caller = Baresip::says_again(&switch.street, CALLER, &account, &said);
    caller.command("dial", &switch.street.address("sip:181@NET.1:5060"));
    switch.until("call.connected", |_| true);
    for (who, phone) in [("agent", &mut agent), ("caller", &mut caller)] {
        let good = [9.5, 16.5, 23.5].into_iter().any(|length| {
            phone.until_recorded(length);
            let heard = phone.recording_8k();
            let score = score::judge(&said, heard.get(16_000..).unwrap_or_default(), 8_000);
            println!("{who}: {score:?}");
            score.is_some_and(|s| s.level.abs() < 2.0 && s.distance < 4.0 && s.broken < 0.05)
        });
        assert!(good, "{who}");
    }
    caller.command("hangup", "");
    agent.until("CALL_CLOSED");
    switch.until_ended(1);
}

#[test]
fn a_phone_that_does_not_seal_is_not_talked_to_where_it_has_to() {
    let mut switch = switch(SEALED);
    let _agent = Baresip::start(&switch.street, PHONE, &agents("", "auto"), AGENT_TONE);
    talk::until_registered(&mut switch);
    let mut caller = Baresip::start(&switch.street, CALLER, &callers("srtp-mand"), CALLER_TONE);
    caller.command("dial", &switch.street.address("sip:181@NET.1:5060"));
    switch.until("agent.missed", |_| true);
    assert_eq!(switch.facts.count("call.connected"), 0);
    caller.command("hangup", "");
    switch.until_ended(1);
}

/// The caller and the agent, who talk under keys that only they and the switch know.
struct Pair {
    caller: Baresip,
    agent: Baresip,
}

impl Pair {
    /// Each hears the other within three seconds, and a second of it.
    fn hear(&mut self, state: &str) {
        let deadline = Deadline::after(Duration::from_secs(4));
        self.caller.hears_more(AGENT_TONE, 1.0);
        self.agent.hears_more(CALLER_TONE, 1.0);
        assert!(deadline.left().is_some(), "{state}: too late");
    }

    /// The caller hears something else than the agent: the music of whoever waits.
    fn hears_music(&mut self, state: &str) {
        let deadline = Deadline::after(Duration::from_secs(7));
        let mut recorded = self.caller.recorded() + 1.0;
        loop {
            self.caller.until_recorded(recorded);
            let heard = self.caller.recording_8k();
            let last = &heard[heard.len() - 8_000..];
            let power = last.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
            let level = (power / last.len() as f64).sqrt();
            // What was not opened, and is played as it came, is noise as loud as can be.
            assert!(level < 7_000.0, "{state}: {level}");
            assert!(tone::seconds(last, AGENT_TONE) < 0.2, "{state}: it is the agent");
            // It is a ring-back: two seconds of three are silent.
            if level > 100.0 {
                return;
            }
            assert!(deadline.left().is_some(), "{state}: too late, {level}");
            recorded = self.caller.recorded() + 0.5;
        }
    }
}

/// One call through every state: in each of them the process dies, and what was goes on. `seals`:
/// as both telephones have it, and `media` what is asked of the agent's.
fn goes_on((media, seals): (&str, &str), how: fn(&mut Switch)) {
    let op1 = agent("op1", &[REGISTERS, OLD_PHONE]);
    let helpline = HELPLINE.replace("[[trunk]]", "[[trunk]]\nsrtp = \"accept\"");
    let mut switch = Switch::start(&[media, &helpline, &op1]);
    let account = agents(seals, "manual");
    let agent = Baresip::start(&switch.street, PHONE, &account, AGENT_TONE);
    talk::until_registered(&mut switch);
    let account = callers(seals);
    let caller = Baresip::start(&switch.street, CALLER, &account, CALLER_TONE);
    let mut pair = Pair { caller, agent };
    pair.caller.command("dial", &switch.street.address("sip:181@NET.1:5060"));
    switch.until("queue.joined", |_| true);
    pair.caller.until("CALL_ESTABLISHED");
    let call = live(&mut switch);
    let place = |switch: &mut Switch| {
        let call = &switch.ask("calls.list")[0];
        ["state", "queue", "queued_at"].map(|field| call[field].clone())
    };
    let before = place(&mut switch);
    // In line, with music.
    how(&mut switch);
    pair.hears_music("queued");
    assert_eq!((live(&mut switch), place(&mut switch)), (call.clone(), before));
    // Ringing.
    switch.admin.ask("agents.set", json!({"agent": "op1", "state": "ready"})).unwrap();
    pair.agent.until("CALL_INCOMING");
    how(&mut switch);
    assert_eq!(live(&mut switch), call);
    pair.agent.command("accept", "");
    switch.until("call.connected", |_| true);
    pair.hear("ringing");
    // Talking.
    how(&mut switch);
    pair.hear("talking");
    // On hold.
    pair.agent.command("hold", "");
    switch.until("call.held", |fact| fact["held"] == true);
    how(&mut switch);
    pair.hears_music("held");
    pair.agent.command("resume", "");
    switch.until("call.held", |fact| fact["held"] == false);
    // This telephone itself hears nobody after a hold of its own, sealed or not.
    pair.caller.hears_more(AGENT_TONE, 1.0);
    assert_eq!(live(&mut switch), call);
    pair.caller.command("hangup", "");
    pair.agent.until("CALL_CLOSED");
    switch.until_ended(1);
    let records = switch.records();
    assert_eq!(records.len(), 1, "{records:#?}");
    let record = &records[0];
    assert_eq!((&record["outcome"], &record["ended_by"]), (&json!("answered"), &json!("caller")));
    // No storm: of each leg about as many packets go as come, since the last start.
    for leg in record["legs"].as_array().unwrap() {
        let figure = |name: &str| leg[name].as_u64().unwrap_or_default();
        let (came, went) = (figure("packets_received"), figure("packets_sent"));
        assert!(came > 50 && went > 50 && went < 2 * came + 100, "{leg:#}");
    }
}

#[test]
fn q39_kill_nine_in_each_state_of_a_sealed_call_and_it_goes_on_under_its_keys() {
    goes_on((SEALED, "srtp-mand"), Switch::crash);
}

#[test]
fn q39_an_upgrade_in_each_state_of_a_sealed_call_and_it_goes_on_under_its_keys() {
    goes_on((SEALED, "srtp-mand"), Switch::upgrade);
}

/// libre 1.x drops what is numbered below the last that it has heard, whoever it is from.
#[test]
fn q37_kill_nine_in_each_state_of_a_plain_call_and_it_goes_on() {
    goes_on(("", ""), Switch::crash);
}

/// Keys are in what is said and in what is kept, and nowhere else.
#[test]
fn no_key_is_in_the_log_the_story_or_the_records() {
    let mut switch = switch(SEALED);
    switch.stop();
    switch.restart_with(|command| {
        command.env("PUKAR_LOG", "trace");
    });
    let account = agents("srtp-mand", "auto");
    let mut agent = Baresip::start(&switch.street, PHONE, &account, AGENT_TONE);
    talk::until_registered(&mut switch);
    let account = callers("srtp-mand");
    let mut caller = Baresip::start(&switch.street, CALLER, &account, CALLER_TONE);
    talk::call(&mut switch, &mut caller);
    let call = live(&mut switch);
    let why = switch.admin.ask("calls.why", json!({ "call": call })).unwrap();
    agent.command("hangup", "");
    caller.until("CALL_CLOSED");
    switch.until_ended(1);
    let said = switch.program().said();
    let records = json!(switch.leaves_records());
    for (what, text) in
        [("the log", said), ("why", why.to_string()), ("records", Value::to_string(&records))]
    {
        assert!(!text.contains("inline:"), "{what}: {text}");
    }
}
