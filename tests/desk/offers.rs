//! What is said of media: which offer is served, that an answer is given once, that two parties
//! speak one law where they can, and that a key is one key however often a phone tells of it.
//! Stories of the whole switch.

use crate::desk_world::{Habit, OP1, OP2, Stage, field, secs};
use pukar::base::{PortId, Secret};
use pukar::call;
use pukar::core::{Event, What};
use pukar::media::control;

const CENTRE: &str = r#"
[[line]]
numbers = ["181"]
queue = "general"
[[queue]]
name = "general"
skills = ["operator"]
[[agent]]
id = "op1"
extension = "11"
contact = "sip:op1@10.2.0.1"
skills = ["operator"]
ready = true
[[agent]]
id = "op2"
extension = "12"
contact = "sip:op2@10.2.0.2"
skills = ["health"]
ready = true
"#;

fn audio(address: &str, port: u16, laws: &str) -> String {
    format!("m=audio {port} RTP/AVP {laws}\r\nc=IN {address}\r\n")
}

fn sdp(lines: &str) -> String {
    format!("v=0\r\no=a 1 1 IN IP4 10.9.9.9\r\ns=-\r\nt=0 0\r\n{lines}")
}

fn four(laws: &str) -> String {
    sdp(&audio("IP4 10.9.9.9", 30_000, laws))
}

/// The same message with another description.
fn with_body(message: &str, body: &str) -> String {
    let (head, _) = message.split_once("\r\n\r\n").unwrap();
    let lines = head.lines().filter(|line| !line.starts_with("Content-"));
    let head: Vec<&str> = lines.collect();
    format!(
        "{}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        head.join("\r\n"),
        body.len()
    )
}

fn body(message: &str) -> &str {
    message.split_once("\r\n\r\n").unwrap().1
}

fn media_lines(message: &str) -> Vec<&str> {
    message.lines().filter(|line| line.starts_with("m=")).collect()
}

/// A call from op1's phone to `number`, with this offer. Its name is its Call-ID.
fn op1_dials(stage: &mut Stage, number: &str, offer: &str) -> &'static str {
    let text = format!(
        "INVITE sip:{number}@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {OP1};branch=z9hG4bKo1\r\n\
         From: <sip:op1@helpline.example>;tag=fo1\r\nTo: <sip:{number}@10.0.0.1>\r\n\
         Call-ID: o1\r\nCSeq: 1 INVITE\r\nContact: <sip:op1@{OP1}>\r\nMax-Forwards: 70\r\n\r\n"
    );
    stage.say(OP1, with_body(&text, offer));
    "o1"
}

/// What the phone at `address` says to the INVITE that it had last.
fn answers(stage: &mut Stage, address: &str, status: &str, body: &str) {
    answers_as(stage, (address, "far"), status, body);
}

/// The same of one that has this tag, unless it has one already.
fn answers_as(stage: &mut Stage, (address, tag): (&str, &str), status: &str, body: &str) {
    let to = address.parse().unwrap();
    let (_, invite) = stage.invites.iter().rev().find(|(at, _)| *at == to).unwrap().clone();
    let tag = match field(&invite, "To").contains("tag=") {
        true => String::new(),
        false => format!(";tag={tag}"),
    };
    let text = format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:far@10.9.9.9>\r\n\r\n",
        field(&invite, "Via"),
        field(&invite, "From"),
        field(&invite, "To"),
        field(&invite, "Call-ID"),
        field(&invite, "CSeq"),
    );
    stage.say(address, with_body(&text, body));
}

/// A request of the phone at `address` inside the dialog of the INVITE that it had last.
fn asks(stage: &mut Stage, address: &str, cseq: &str, kind: &str, body: &str) {
    let to = address.parse().unwrap();
    let (_, invite) = stage.invites.iter().rev().find(|(at, _)| *at == to).unwrap().clone();
    let method = cseq.split(' ').nth(1).unwrap();
    let contact = field(&invite, "Contact").split(['<', '>']).nth(1).unwrap();
    let text = format!(
        "{method} {contact} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {address};branch=z9hG4bK{}\r\nFrom: {};tag=far\r\nTo: {}\r\n\
         Call-ID: {}\r\nCSeq: {cseq}\r\nContact: <sip:far@{address}>\r\nMax-Forwards: 70\r\n\
         Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        cseq.replace(' ', ""),
        field(&invite, "To"),
        field(&invite, "From"),
        field(&invite, "Call-ID"),
        body.len(),
    );
    stage.say(address, text);
}

#[test]
fn an_offer_is_served_on_the_first_line_that_can_be_reached_from_here() {
    let six = audio("IP6 2001:db8::9", 30_000, "0");
    let mut stage = Stage::new(CENTRE);
    let call = op1_dials(&mut stage, "181", &sdp(&six));
    let refusal = stage.answers[call].clone();
    assert!(refusal.starts_with("SIP/2.0 488 "), "nobody would be heard: {refusal}");
    assert!(field(&refusal, "Warning").starts_with("305 10.0.0.1:5060 "), "{refusal}");
    let mut stage = Stage::new(CENTRE);
    let both = sdp(&format!("{six}{}", audio("IP4 10.9.9.9", 30_002, "0")));
    let call = op1_dials(&mut stage, "181", &both);
    let answer = &stage.answers[call];
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    let lines = media_lines(answer);
    assert_eq!(lines[0], "m=audio 0 RTP/AVP 0");
    assert!(!lines[1].starts_with("m=audio 0 "), "{lines:?}");
}

#[test]
fn an_answer_out_of_reach_is_none() {
    let mut stage = Stage::new(CENTRE);
    let call = op1_dials(&mut stage, "12", &four("8"));
    answers(&mut stage, OP2, "200 OK", &sdp(&audio("IP6 2001:db8::9", 30_000, "8")));
    assert!(stage.heard_at("10.9.9.9:5060").starts_with("BYE "), "hung up again");
    assert!(stage.answers[call].starts_with("SIP/2.0 488 "), "{}", stage.answers[call]);
}

#[test]
fn what_was_answered_in_a_183_is_the_answer_of_the_200() {
    let mut stage = Stage::new(CENTRE);
    let call = op1_dials(&mut stage, "12", &four("8 0"));
    answers(&mut stage, OP2, "183 Session Progress", &four("8"));
    let early = stage.heard_at(OP1);
    assert!(early.starts_with("SIP/2.0 183 ") && body(&early).contains("m=audio"), "{early}");
    answers(&mut stage, OP2, "183 Session Progress", &four("0"));
    assert_eq!(body(&stage.heard_at(OP1)), body(&early));
    stage.kill();
    answers(&mut stage, OP2, "200 OK", &four("0"));
    assert!(stage.answers[call].starts_with("SIP/2.0 200 "));
    assert_eq!(body(&stage.answers[call]), body(&early));
}

#[test]
fn what_was_answered_in_a_183_is_the_answer_of_the_200_and_a_port_lost_meanwhile_follows_it() {
    let mut stage = Stage::new(CENTRE);
    let call = op1_dials(&mut stage, "12", &four("8"));
    let port = stage.opened[0];
    answers(&mut stage, OP2, "183 Session Progress", &four("8"));
    let early = stage.heard_at(OP1);
    let failed = control::Event::Failed { port, why: "taken".into() };
    stage.tell(Event::Media(failed));
    answers(&mut stage, OP2, "200 OK", &four("8"));
    assert_eq!(body(&stage.answers[call]), body(&early));
    let offer = stage.heard_at(OP1);
    assert!(offer.starts_with("INVITE "), "{offer}");
    assert_ne!(media_lines(&offer), media_lines(&early), "the new port");
}

#[test]
fn two_parties_speak_the_law_that_both_have() {
    for law in ["0", "8"] {
        let mut stage = Stage::new(CENTRE);
        let call = op1_dials(&mut stage, "12", &four("8 0"));
        answers(&mut stage, OP2, "200 OK", &four(law));
        let answer = &stage.answers[call];
        let line = media_lines(answer)[0];
        assert!(line.ends_with(&format!(" RTP/AVP {law}")), "{law} is spoken there: {answer}");
    }
}

#[test]
fn a_later_offer_that_still_has_what_is_spoken_changes_nothing() {
    let mut stage = Stage::new(CENTRE);
    stage.habit(OP1, Habit::Answers);
    stage.dial("9826012345", "181", "");
    stage.wait(secs(1));
    asks(&mut stage, OP1, "5 INVITE", "application/sdp", &four("0 8"));
    let answer = stage.heard_at(OP1);
    assert!(media_lines(&answer)[0].ends_with(" RTP/AVP 8"), "{answer}");
    asks(&mut stage, OP1, "5 ACK", "application/sdp", "");
    asks(&mut stage, OP1, "6 INVITE", "application/sdp", &four("0"));
    let answer = stage.heard_at(OP1);
    assert!(media_lines(&answer)[0].ends_with(" RTP/AVP 0"), "{answer}");
}

fn press_at(stage: &mut Stage, port: PortId, key: char) {
    stage.tell(Event::Media(control::Event::Key { port, key }));
}

#[test]
fn a_phone_that_tells_of_its_keys_in_two_ways_presses_each_once() {
    for info_first in [true, false] {
        let mut stage = Stage::new(CENTRE);
        stage.habit(OP1, Habit::Answers);
        stage.dial("9826012345", "181", "");
        stage.wait(secs(1));
        let port = *stage.opened.last().unwrap();
        for (n, key) in "*212#".chars().enumerate() {
            let info = |stage: &mut Stage| {
                let cseq = format!("{} INFO", 5 + n);
                let body = format!("Signal={key}\r\nDuration=160\r\n");
                asks(stage, OP1, &cseq, "application/dtmf-relay", &body);
            };
            if info_first {
                info(&mut stage);
            }
            press_at(&mut stage, port, key);
            if !info_first {
                info(&mut stage);
            }
        }
        let to = stage.invites.last().unwrap().0.to_string();
        assert_eq!(to, OP2, "info first: {info_first}: extension 12 is asked");
    }
}

#[test]
fn a_phone_that_tells_of_its_keys_in_info_alone_is_understood() {
    let mut stage = Stage::new(CENTRE);
    stage.habit(OP1, Habit::Answers);
    stage.dial("9826012345", "181", "");
    stage.wait(secs(1));
    for (n, key) in "*212#".chars().enumerate() {
        let (cseq, body) = (format!("{} INFO", 5 + n), format!("Signal={key}\r\n"));
        asks(&mut stage, OP1, &cseq, "application/dtmf-relay", &body);
    }
    assert_eq!(stage.invites.last().unwrap().0.to_string(), OP2);
}

#[test]
fn a_key_reaches_a_phone_without_telephone_event_in_an_info() {
    let mut stage = Stage::new(CENTRE);
    stage.habit(OP1, Habit::Answers);
    stage.dial("9826012345", "181", "");
    stage.wait(secs(1));
    let (caller, phone) = (stage.opened[0], "10.9.9.9:5060");
    press_at(&mut stage, caller, '9');
    let info = stage.heard_at(phone);
    assert!(info.starts_with("INFO ") && info.contains("\r\n\r\nSignal=9\r\n"), "{info}");
    // A phone that has telephone-event hears it there.
    let events = audio("IP4 10.9.9.9", 30_000, "8 101");
    let events = sdp(&format!("{events}a=rtpmap:101 telephone-event/8000\r\n"));
    asks(&mut stage, OP1, "5 INVITE", "application/sdp", &events);
    let answer = stage.heard_at(OP1);
    assert!(answer.contains("telephone-event"), "{answer}");
    asks(&mut stage, OP1, "5 ACK", "application/sdp", "");
    press_at(&mut stage, caller, '8');
    assert_eq!(stage.heard_at(phone), info, "and no INFO");
}

#[test]
fn whoever_is_silent_is_not_heard_because_of_an_offer() {
    let mut stage = Stage::new(CENTRE);
    stage.habit(OP1, Habit::Answers);
    stage.dial("9826012345", "181", "");
    stage.wait(secs(1));
    let agent = *stage.opened.last().unwrap();
    stage.tell(Event::Media(control::Event::Silent { port: agent }));
    for n in 0..6 {
        stage.wait(secs(9));
        asks(&mut stage, OP1, &format!("{} INVITE", 5 + n), "application/sdp", &four("8"));
        asks(&mut stage, OP1, &format!("{} ACK", 5 + n), "application/sdp", "");
    }
    let told = |stage: &Stage| {
        let silent = stage.facts.iter().filter_map(|fact| match fact.what {
            What::Call(call::Fact::Silent { silent, .. }) => Some(silent),
            _ => None,
        });
        silent.collect::<Vec<bool>>()
    };
    assert_eq!(told(&stage), [true]);
    // 57 s after the alarm, which came after 3 s: the agent is gone, the caller waits on.
    stage.wait(secs(4));
    let ended = stage
        .facts
        .iter()
        .any(|fact| matches!(fact.what, What::Call(call::Fact::LegClosed { .. })));
    assert!(ended, "offers do not make a call last for ever");
}

/// What the caller is answered with before anybody knows the agent's phone is not the last word.
#[test]
fn a_caller_who_knows_the_codec_of_the_agents_phone_is_asked_for_it_once() {
    let centre =
        CENTRE.replacen("skills = [\"operator\"]\nready", "skills = [\"other\"]\nready", 1);
    let centre = centre.replace("skills = [\"health\"]", "skills = [\"operator\"]");
    for (offered, answered, asked) in
        [("8 9", "9", Some("9 8")), ("8 9", "8", None), ("8", "9", None)]
    {
        let mut stage = Stage::new(&centre);
        stage.habit(OP2, crate::desk_world::Habit::Rings);
        let call = op1_dials(&mut stage, "181", &four(offered));
        assert!(media_lines(&stage.answers[call])[0].contains("RTP/AVP 8"));
        answers(&mut stage, OP2, "200 OK", &four(answered));
        let to_caller = |stage: &Stage| -> Vec<String> {
            let op1 = OP1.parse().unwrap();
            let all = stage.invites.iter().filter(|(at, _)| *at == op1);
            all.map(|(_, invite)| media_lines(invite)[0].to_string()).collect()
        };
        let invites = to_caller(&stage);
        assert_eq!(invites.len(), usize::from(asked.is_some()), "{offered} {answered}");
        if let Some(asked) = asked {
            assert!(invites[0].contains(&format!("RTP/AVP {asked}")), "{invites:?}");
        }
        stage.wait(secs(3));
        assert_eq!(to_caller(&stage).len(), invites.len(), "once");
    }
}

const KEY: &str = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

/// Sealed audio, with this key on line `tag`.
fn sealed(tag: u32, key: &str) -> String {
    let audio = audio("IP4 10.9.9.9", 30_000, "8").replace("RTP/AVP", "RTP/SAVP");
    sdp(&format!("{audio}a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 {key}\r\n"))
}

/// The keys of a message, with their tags and suites.
fn keys(message: &str) -> Vec<&str> {
    message.lines().filter_map(|line| line.strip_prefix("a=crypto:")).collect()
}

#[test]
fn a_caller_who_seals_is_answered_so_and_a_kill_later_it_is_the_same_key() {
    let mut stage = Stage::new(CENTRE);
    stage.habit(OP1, Habit::Answers);
    let call = op1_dials(&mut stage, "181", &sealed(7, KEY));
    let answer = stage.answers[call].clone();
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    assert!(media_lines(&answer)[0].contains(" RTP/SAVP 8"), "{answer}");
    let own = keys(&answer)[0].strip_prefix("7 AES_CM_128_HMAC_SHA1_80 ").expect(&answer);
    assert_ne!(own, KEY);
    stage.kill();
    stage.say(OP1, with_body(&again(&answer, 2), &sealed(1, KEY)));
    let again = stage.heard_at(OP1);
    assert!(again.starts_with("SIP/2.0 200 "), "{again}");
    assert_eq!(keys(&again), [format!("1 AES_CM_128_HMAC_SHA1_80 {own}")]);
}

/// This holds for phones; callers by the trunk may do as they like.
fn stage_with(srtp: call::Srtp) -> Stage {
    let mut settings = crate::desk_world::settings(CENTRE);
    settings.call.media.srtp = srtp;
    settings.call.trunks.iter_mut().for_each(|trunk| trunk.srtp = Some(call::Srtp::Accept));
    Stage::of(settings, crate::desk_world::MIDNIGHT)
}

#[test]
fn what_cannot_be_sealed_as_it_is_to_be_is_refused_with_a_reason_that_has_no_key() {
    for (policy, offer, why) in [
        ("off", sealed(1, KEY), "srtp is off here"),
        ("require", four("8"), "srtp is required here"),
        ("accept", sealed(1, "inline:QUJD"), "as long as its suite wants"),
    ] {
        let srtp = call::Srtp::ALL.into_iter().find(|srtp| srtp.name() == policy).unwrap();
        let mut stage = stage_with(srtp);
        let call = op1_dials(&mut stage, "181", &offer);
        let refusal = &stage.answers[call];
        assert!(refusal.starts_with("SIP/2.0 488 "), "{policy}: {refusal}");
        assert!(field(refusal, "Reason").contains(why), "{policy}: {refusal}");
        assert!(!refusal.contains("inline:"), "{refusal}");
        let told = stage.facts.iter().find_map(|fact| match &fact.what {
            What::Call(call::Fact::Refused { why, .. }) => Some(why.clone()),
            _ => None,
        });
        assert!(told.is_some_and(|told| told.contains(why)), "{policy}");
    }
}

/// Phones that have to seal are offered nothing else, and a caller behind the trunk need not.
#[test]
fn a_phone_that_has_to_seal_is_offered_keys_and_may_not_answer_without() {
    for answer in [four("8"), sealed(9, KEY), sealed(2, KEY)] {
        let mut stage = stage_with(call::Srtp::Require);
        stage.habit(OP1, Habit::Rings);
        stage.dial("9826012345", "181", "");
        let (_, invite) = stage.invites.last().unwrap().clone();
        assert!(media_lines(&invite)[0].contains(" RTP/SAVP "), "{invite}");
        let suites: Vec<&str> =
            keys(&invite).iter().map(|key| key.split(' ').nth(1).unwrap()).collect();
        assert_eq!(suites, ["AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"]);
        answers(&mut stage, OP1, "200 OK", &answer);
        let good = keys(&answer).first().is_some_and(|key| key.starts_with("2 "));
        assert_eq!(stage.heard_at("10.9.9.9:5060").starts_with("ACK "), good, "{answer}");
        let talks = |fact: &pukar::core::Fact| {
            matches!(fact.what, What::Call(call::Fact::Connected { .. }))
        };
        assert_eq!(stage.facts.iter().any(talks), good, "{answer}");
    }
}

/// Where a phone that we rang says that it is.
const FAR: &str = "10.9.9.9:5060";
/// To the first line of our offers.
const GCM: &str = "a=crypto:1 AEAD_AES_128_GCM inline:AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCw==\r\n";

#[test]
fn a_phone_that_seals_answers_early_and_again_and_whichever_fork_answers_has_its_own_suite() {
    let gcm = sdp(&format!("{}{GCM}", audio("IP4 10.9.9.9", 30_000, "8").replace("AVP", "SAVP")));
    for (tag, last) in [("far", &sealed(2, KEY)), ("other", &gcm), ("other", &sealed(2, KEY))] {
        let mut stage = stage_with(call::Srtp::Require);
        let call = op1_dials(&mut stage, "12", &sealed(7, KEY));
        answers(&mut stage, OP2, "183 Session Progress", &sealed(2, KEY));
        let early = stage.heard_at(OP1);
        assert!(early.starts_with("SIP/2.0 183 ") && keys(&early).len() == 1, "{early}");
        answers_as(&mut stage, (OP2, tag), "200 OK", last);
        assert!(stage.heard_at(FAR).starts_with("ACK "), "{last}");
        assert!(stage.answers[call].starts_with("SIP/2.0 200 "), "{}", stage.answers[call]);
        assert_eq!(keys(&stage.answers[call]), keys(&early));
    }
}

/// The offer of ours that comes to `address` within an hour.
fn is_offered(stage: &mut Stage, address: &str) -> String {
    let to = address.parse().unwrap();
    let at = |stage: &Stage| stage.invites.iter().rev().find(|(at, _)| *at == to).cloned();
    let before = at(stage);
    for _ in 0..360 {
        if let Some((_, invite)) = at(stage).filter(|_| at(stage) != before) {
            return invite;
        }
        stage.wait(secs(10));
    }
    panic!("nothing came to {address}")
}

/// A refresh of a session by re-INVITE repeats what we last said, tags and all.
#[test]
fn a_sealed_call_outlives_the_refresh_of_its_session_on_either_side() {
    for (address, tag) in [(OP1, 7), (FAR, 2)] {
        let mut stage = stage_with(call::Srtp::Require);
        op1_dials(&mut stage, "12", &sealed(7, KEY));
        answers(&mut stage, OP2, "200 OK", &sealed(2, KEY));
        let refresh = is_offered(&mut stage, address);
        assert!(media_lines(&refresh)[0].contains(" RTP/SAVP "), "{refresh}");
        let line = format!("{tag} AES_CM_128_HMAC_SHA1_80 ");
        assert!(keys(&refresh).iter().any(|key| key.starts_with(&line)), "{refresh}");
        // On hold meanwhile, and with another key.
        let other = KEY.replace("WVNf", "WVNg");
        let answer = format!("{}a=sendonly\r\n", sealed(tag, &other));
        answers(&mut stage, address, "200 OK", &answer);
        assert!(stage.heard_at(address).starts_with("ACK "), "{}", stage.heard_at(address));
        let held = stage
            .facts
            .iter()
            .any(|fact| matches!(fact.what, What::Call(call::Fact::Held { held: true, .. })));
        assert!(held, "{address}: it was heard");
    }
}

/// They seal in mid-call, and our own offer that has to wait for theirs is one from before that.
#[test]
fn an_offer_that_waits_is_made_anew_where_it_would_take_the_seal_away() {
    [false, true].into_iter().for_each(seals_while_ours_waits);
}

/// `behind`: it waits behind another one of ours first.
fn seals_while_ours_waits(behind: bool) {
    let mut stage = stage_with(call::Srtp::Accept);
    let call = op1_dials(&mut stage, "12", &four("8"));
    answers(&mut stage, OP2, "200 OK", &four("8"));
    let answer = stage.answers[call].clone();
    let fails = |stage: &mut Stage, port: PortId| {
        stage.tell(Event::Media(control::Event::Failed { port, why: "taken".into() }));
        assert!(media_lines(&stage.heard_at(OP1))[0].contains(" RTP/AVP "));
    };
    let first = stage.opened[0];
    fails(&mut stage, first);
    if behind {
        let before = stage.heard_at(OP1);
        let second = *stage.opened.last().unwrap();
        fails(&mut stage, second);
        assert_eq!(stage.heard_at(OP1), before, "one at a time");
        answers(&mut stage, OP1, "200 OK", &four("8"));
        assert!(stage.heard_at(OP1).starts_with("INVITE ") && stage.heard_at(OP1) != before);
    }
    answers(&mut stage, OP1, "491 Request Pending", "");
    stage.say(OP1, with_body(&again(&answer, 2), &sealed(1, KEY)));
    let sealed_now = stage.heard_at(OP1);
    assert!(sealed_now.starts_with("SIP/2.0 200 ") && keys(&sealed_now).len() == 1, "{sealed_now}");
    stage.say(OP1, again(&answer, 2).replace("INVITE", "ACK"));
    let ours = stage.heard_at(OP1);
    assert!(ours.starts_with("INVITE "), "{ours}");
    assert!(media_lines(&ours)[0].contains(" RTP/SAVP "), "{ours}");
    assert_eq!(keys(&ours), keys(&sealed_now));
    answers(&mut stage, OP1, "200 OK", &sealed(1, KEY));
    assert!(stage.heard_at(OP1).starts_with("ACK "));
    // And from then on nobody takes it away.
    stage.say(OP1, with_body(&again(&answer, 3), &four("8")));
    assert!(stage.heard_at(OP1).starts_with("SIP/2.0 488 "), "{}", stage.heard_at(OP1));
}

/// A re-INVITE of op1 in the dialog of the call that it placed, without a description.
fn again(answer: &str, seq: u32) -> String {
    format!(
        "INVITE sip:x@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {OP1};branch=z9hG4bKo{seq}\r\n\
         From: <sip:op1@helpline.example>;tag=fo1\r\nTo: {}\r\nCall-ID: o1\r\n\
         CSeq: {seq} INVITE\r\nContact: <sip:op1@{OP1}>\r\nMax-Forwards: 70\r\n\r\n",
        field(answer, "To")
    )
}

/// A switch that was restored from an hour ago, or in two places, has dealt out keys that it does
/// not know of.
#[test]
fn a_switch_that_has_forgotten_a_call_deals_out_no_key_of_it_again() {
    let dealt = |secret: Option<Secret>| {
        let mut stage = Stage::new(CENTRE);
        if let Some(secret) = secret {
            stage.kill();
            stage.tell(Event::Restarted { flows: Default::default(), secret });
        }
        stage.habit(OP1, Habit::Answers);
        let call = op1_dials(&mut stage, "181", &sealed(7, KEY));
        keys(&stage.answers[call])[0].to_string()
    };
    assert_eq!(dealt(None), dealt(None));
    let lives = [None, Some(Secret([1; 32])), Some(Secret([2; 32]))].map(dealt);
    assert!(lives[0] != lives[1] && lives[1] != lives[2], "{lives:?}");
}
