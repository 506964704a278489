//! What far ends are told of the sound, and how far away they are.

use super::*;
use crate::media::control::Music;
use crate::wire::rtcp::{Part, Report, Sent, build, parse};

const A: &str = "192.0.2.40:4000";
const A_RTCP: &str = "192.0.2.40:4001";
const B: &str = "192.0.2.50:5000";
const B_RTCP: &str = "192.0.2.50:5001";
const NEAR: fn() -> PortId = || port(30_000);

fn waiting() -> World {
    let mut world = World::with(&[(NEAR(), far(A))]);
    world.stream(NEAR(), A, 1, 2);
    let then = Some(Music { tune: MUSIC, since: world.now });
    world.command(Command::Play { port: NEAR(), piece: 1, tunes: Vec::new(), then });
    world.out.clear();
    world
}

/// When each report of ours went, where, and what it says first.
fn reports(world: &mut World, millis: u64) -> Vec<(Instant, SocketAddr, Part)> {
    let mut reports = Vec::new();
    for _ in 0..millis {
        world.pass(1);
        for effect in world.out.drain(..) {
            if let Effect::Report { to, bytes, .. } = effect {
                reports.push((world.now, to, parse(&bytes).unwrap().remove(0)));
            }
        }
    }
    reports
}

#[test]
fn a_caller_who_hears_music_is_told_of_it_every_five_seconds_and_more() {
    let mut world = waiting();
    let told = reports(&mut world, 20_000);
    assert!((3..=4).contains(&told.len()), "{}", told.len());
    assert!(told.iter().all(|(_, to, _)| *to == address(A_RTCP)));
    let apart = told[1].0.since(told[0].0);
    assert!(apart >= Duration::from_secs(5) && apart < Duration::from_millis(6_020), "{apart:?}");
    let Part::Sender { sent, reports, .. } = &told[0].2 else { panic!("{told:?}") };
    assert!((100..200).contains(&sent.packets) && sent.octets == 160 * sent.packets);
    assert_eq!((reports[0].ssrc, reports[0].highest, reports[0].lost), (77, 2, 0));
}

#[test]
fn the_way_there_and_back_is_what_its_answer_took_less_its_own_delay() {
    let mut world = waiting();
    let (_, _, part) = reports(&mut world, 6_000).remove(0);
    let Part::Sender { ssrc, sent, .. } = part else { panic!("{part:?}") };
    // It went some milliseconds ago already, with the clock of the round in it.
    let gone = world.now.since(Instant(((u128::from(sent.ntp) * 1_000_000) >> 32) as u64));
    world.pass(80);
    let last_sr = (sent.ntp >> 16) as u32;
    let about = Report { ssrc, last_sr, delay: 65_536 / 50, ..Report::default() };
    let mut answer = build(9, None, &[about], "x");
    world.rtcp(NEAR(), A_RTCP, &mut answer);
    let took = world.figures(NEAR()).round_trip.unwrap();
    let right = gone + Duration::from_millis(80 - 20);
    assert!(took.abs_diff(right) < Duration::from_millis(2), "{took:?} {right:?}");
}

#[test]
fn of_two_who_talk_each_one_is_measured_by_the_report_of_the_other() {
    let peer = port(30_002);
    let mut world = World::with(&[(NEAR(), far(A)), (peer, far(B))]);
    world.bridge(NEAR(), peer);
    world.stream(NEAR(), A, 1, 2);
    world.stream(peer, B, 1, 2);
    let sent = Sent { ntp: 0x1234_5678_9abc_def0, ..Sent::default() };
    let relay = world.rtcp(peer, B_RTCP, &mut build(9, Some(sent), &[], "b"));
    assert_eq!(relay, Some(Relay { port: NEAR(), to: address(A_RTCP) }));
    world.pass(150);
    let about = Report { ssrc: 9, last_sr: 0x5678_9abc, delay: 6_554, ..Report::default() };
    world.rtcp(NEAR(), A_RTCP, &mut build(8, None, &[about], "a"));
    let took = world.figures(NEAR()).round_trip.unwrap();
    assert!(took.abs_diff(Duration::from_millis(50)) < Duration::from_millis(1), "{took:?}");
    assert_eq!(world.figures(peer).round_trip, None);
    assert!(reports(&mut world, 12_000).is_empty(), "they have each other's");
}

#[test]
fn each_of_a_room_is_told_of_what_we_mixed_for_it() {
    let (second, third) = (port(30_002), port(30_004));
    let mut world =
        World::with(&[(NEAR(), far(A)), (second, far(B)), (third, far("192.0.2.60:6000"))]);
    world.command(Command::gather(&[NEAR(), second, third]));
    world.stream(NEAR(), A, 1, 2);
    let told = reports(&mut world, 6_000);
    for to in [A_RTCP, B_RTCP, "192.0.2.60:6001"] {
        let of = |told: &&(Instant, SocketAddr, Part)| told.1 == address(to);
        let (_, _, Part::Sender { sent, .. }) = told.iter().find(of).unwrap() else {
            panic!("{told:?}")
        };
        assert!(sent.packets > 100, "{to}: {sent:?}");
    }
}

#[test]
fn an_answer_to_nothing_that_was_asked_says_nothing() {
    let mut world = waiting();
    reports(&mut world, 6_000);
    for last_sr in [0, 1, u32::MAX] {
        let about = Report { last_sr, delay: u32::MAX, ..Report::default() };
        world.rtcp(NEAR(), A_RTCP, &mut build(9, None, &[about], "x"));
    }
    assert_eq!(world.figures(NEAR()).round_trip, None);
}
