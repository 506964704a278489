//! Planted faults: each must be found by the judge, and a clean test must pass.

use super::clock::SECOND;
use super::ear::{Delays, Ear};
use super::judge::{Evidence, judge};
use super::log::{End, Faults, GaveUp, LegLog};
use super::payload::{self, FRAME, Stamp};
use super::plan::Plan;
use super::report::{Outcome, Report, Tester};
use crate::wire::g711::Law;
use rtp_rs::RtpPacketBuilder;

const FRAME_TIME: u64 = 20_000_000;
/// Callers 0 and 1 are legs 0 and 1; agents 0 and 1 are legs 2 and 3; they talk for 4 s.
const PACKETS: u32 = 200;

fn log(leg: u32) -> LegLog {
    let agent = leg >= 2;
    LegLog {
        agent,
        who: leg % 2,
        leg,
        socket: leg as usize,
        shown: agent.then_some(leg % 2),
        invited_at: if agent { 5 * SECOND } else { SECOND },
        answered_at: Some(if agent { 6 * SECOND } else { SECOND + 50_000_000 }),
        ended_at: Some(10 * SECOND),
        end: if agent { End::Us } else { End::Them },
        status: 200,
        ..LegLog::default()
    }
}

/// What `ear` hears of `leg`, packet by packet, as `change` lets it through.
fn hear(ear: &mut Ear, leg: u32, change: impl Fn(u32) -> Vec<u32>) {
    for seq in (0..PACKETS).flat_map(change) {
        let sent = 6 * SECOND + u64::from(seq) * FRAME_TIME;
        let stamp = Stamp { agent: leg >= 2, law: Law::A, who: leg % 2, leg, seq, sent };
        let mut frame = [0; FRAME];
        payload::write(&stamp, &mut frame);
        let packet = RtpPacketBuilder::new().payload_type(8).payload(&frame).build().unwrap();
        ear.hear(&packet, sent + 1_000_000);
    }
}

fn clean() -> Evidence {
    let mut plan = Plan::new("127.0.0.1:5060".parse().unwrap());
    (plan.callers, plan.agents) = (2, 2);
    let mut legs: Vec<LegLog> = (0..4).map(log).collect();
    for leg in 0..4u32 {
        hear(&mut legs[leg as usize].media.ear, (leg + 2) % 4, |seq| vec![seq]);
        legs[leg as usize].media.sent_last_at = 10 * SECOND;
    }
    let (faults, delays) = (Faults::default(), Delays::default());
    let tester = Tester::default();
    let drops = Default::default();
    Evidence { plan, legs, faults, delays, drops, packets_sent: 0, packets_received: 0, tester }
}

/// The verdict after leg 0 has heard agent 0 (leg 2) as `change` lets it through.
fn heard(change: impl Fn(u32) -> Vec<u32>) -> Report {
    let mut evidence = clean();
    evidence.legs[0].media.ear = Ear::default();
    hear(&mut evidence.legs[0].media.ear, 2, change);
    judge(&evidence)
}

fn complains(report: &Report, words: &str) {
    assert!(!report.passed);
    assert!(report.complaints.iter().any(|c| c.contains(words)), "{:#?}", report.complaints);
}

#[test]
fn a_clean_test_passes_and_reconciles() {
    let report = judge(&clean());
    assert!(report.passed, "{:#?}", report.complaints);
    assert_eq!((report.calls.offered, report.calls.answered), (2, 2));
    assert_eq!((report.voice.lost, report.voice.bridged), (0, 4 * u64::from(PACKETS)));
    assert_eq!((report.wait_s.mean, report.service_level), (5.0, 100.0));
    assert_eq!(report.each[1].agents, ["op2"]);
}

#[test]
fn one_dropped_packet_is_found() {
    let report = heard(|seq| if seq == 77 { vec![] } else { vec![seq] });
    assert_eq!(report.voice.lost_in_switch, 1);
    complains(&report, "1 voice packets were lost in the switch, most at caller 9826000000 (1)");
}

#[test]
fn a_packet_that_our_own_kernel_dropped_is_not_blamed_on_the_switch() {
    let mut evidence = clean();
    evidence.legs[0].media.ear = Ear::default();
    hear(&mut evidence.legs[0].media.ear, 2, |s| if s == 7 { vec![] } else { vec![s] });
    evidence.drops.insert(0, 1);
    let report = judge(&evidence);
    assert!(report.passed, "{:#?}", report.complaints);
    assert_eq!((report.voice.lost, report.voice.lost_in_tester), (1, 1));
    // What another phone has lost so is no excuse.
    evidence.drops = [(1, 1_000)].into();
    complains(&judge(&evidence), "1 voice packets were lost in the switch");
}

#[test]
fn a_duplicated_packet_is_found() {
    complains(&heard(|seq| vec![seq; 1 + usize::from(seq == 9)]), "1 voice packets came twice");
}

#[test]
fn reordered_packets_are_counted_and_not_lost() {
    let report = heard(|seq| vec![if seq == 8 { 9 } else { seq - u32::from(seq == 9) }]);
    assert!(report.passed, "{:#?}", report.complaints);
    assert_eq!((report.voice.reordered, report.voice.lost), (1, 0));
}

#[test]
fn swapped_calls_are_found() {
    let mut evidence = clean();
    for leg in 0..4u32 {
        let ear = &mut evidence.legs[leg as usize].media.ear;
        *ear = Ear::default();
        hear(ear, 3 - leg, |seq| vec![seq]);
    }
    complains(&judge(&evidence), "agent op1 was shown 9826000000 and talked to caller 9826000001");
}

#[test]
fn voice_in_one_direction_only_is_found() {
    complains(&heard(|_| vec![]), "caller 9826000000 never heard agent op1 in 4.0 s");
}

#[test]
fn voice_that_ends_too_early_is_found() {
    let report = heard(|seq| if seq < 100 { vec![seq] } else { vec![] });
    complains(&report, "no longer heard agent op1 in the last 2.0 s");
    assert!(report.voice.lost_in_switch >= 99);
}

#[test]
fn voice_that_comes_too_late_is_found_and_no_drop_of_ours_excuses_it() {
    let mut evidence = clean();
    evidence.legs[0].media.ear = Ear::default();
    hear(&mut evidence.legs[0].media.ear, 2, |seq| if seq < 20 { vec![] } else { vec![seq] });
    evidence.drops.insert(0, 1_000);
    let report = judge(&evidence);
    complains(&report, "caller 9826000000 did not hear agent op1 in the first 0.4 s");
    assert_eq!((report.voice.lost_in_switch, report.voice.lost_in_tester), (20, 0));
}

#[test]
fn two_voices_at_once_are_found() {
    let mut evidence = clean();
    hear(&mut evidence.legs[0].media.ear, 3, |seq| vec![seq]);
    complains(&judge(&evidence), "caller 9826000000 heard two others at once");
}

#[test]
fn a_caller_who_hears_a_caller_is_found() {
    let mut evidence = clean();
    hear(&mut evidence.legs[0].media.ear, 1, |seq| vec![seq]);
    complains(&judge(&evidence), "caller 9826000000 heard caller 9826000001: calls are mixed up");
}

#[test]
fn damaged_voice_is_found() {
    let mut evidence = clean();
    evidence.legs[3].media.ear.damaged = 2;
    complains(&judge(&evidence), "2 voice packets were damaged");
}

#[test]
fn an_agent_left_alone_and_a_call_without_end_are_found() {
    let mut evidence = clean();
    evidence.legs.truncate(3);
    evidence.legs[2].media.ear = Ear::default();
    evidence.legs[2].shown = None;
    evidence.legs[0].media.ear = Ear::default();
    evidence.legs[1].media.ear = Ear::default();
    evidence.legs[1].ended_at = None;
    let report = judge(&evidence);
    complains(&report, "agent op1 answered and met nobody in 4.0 s");
    complains(&report, "1 calls failed");
    assert_eq!(report.each[0].outcome, Outcome::LetGo);
}

#[test]
fn who_gave_up_abandoned_and_who_was_refused_was_refused() {
    let mut evidence = clean();
    evidence.legs.truncate(2);
    evidence.plan.agents = 0;
    for leg in &mut evidence.legs {
        leg.media.ear = Ear::default();
    }
    (evidence.legs[0].gave_up, evidence.legs[0].end) = (Some(GaveUp::Patience), End::Us);
    (evidence.legs[1].status, evidence.legs[1].end) = (503, End::Refused);
    let report = judge(&evidence);
    assert!(report.passed, "{:#?}", report.complaints);
    assert_eq!((report.calls.abandoned, report.calls.refused), (1, 1));
    assert_eq!(report.calls.refusals.get(&503), Some(&1));
    assert_eq!(report.abandoned_after_s.mean, 9.0);
}

#[test]
fn what_sip_got_wrong_is_a_complaint() {
    let mut evidence = clean();
    evidence.faults.add("agent 1 was offered a second call".into());
    complains(&judge(&evidence), "SIP: agent 1 was offered a second call");
}

#[test]
fn an_agent_who_hung_up_before_a_word_was_said_may_be_on_record_as_none() {
    let met = |packets: u32, end: End| {
        let mut evidence = clean();
        for (leg, other) in [(0, 2), (2, 0)] {
            evidence.legs[leg].media.ear = Ear::default();
            let first = |seq| if seq < packets { vec![seq] } else { vec![] };
            hear(&mut evidence.legs[leg].media.ear, other, first);
        }
        evidence.legs[2].end = end;
        judge(&evidence).each[0].close
    };
    assert!(met(2, End::Us));
    assert!(!met(2, End::Them), "the switch took the agent away");
    assert!(!met(PACKETS, End::Us), "they talked");
}
