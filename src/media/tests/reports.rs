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
    let mut answer = build(77, None, &[about], "x");
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
    let relay = world.rtcp(peer, B_RTCP, &mut build(77, Some(sent), &[], "b"));
    assert_eq!(relay, Some(Relay { port: NEAR(), to: address(A_RTCP) }));
    world.pass(150);
    let about = Report { ssrc: 77, last_sr: 0x5678_9abc, delay: 6_554, ..Report::default() };
    world.rtcp(NEAR(), A_RTCP, &mut build(77, None, &[about], "a"));
    let took = world.figures(NEAR()).round_trip.unwrap();
    assert!(took.abs_diff(Duration::from_millis(50)) < Duration::from_millis(1), "{took:?}");
    assert_eq!(world.figures(peer).round_trip, None);
    assert!(reports(&mut world, 12_000).is_empty(), "they have each other's");
}

#[test]
fn the_time_of_a_stream_goes_on_whoever_reports_of_it() {
    let peer = port(30_002);
    let mut world = World::with(&[(NEAR(), far(A)), (peer, far(B))]);
    world.bridge(NEAR(), peer);
    world.command(Command::Watch { port: NEAR(), silence: Some(Duration::from_secs(60)) });
    world.stream(NEAR(), A, 1, 2);
    world.stream(peer, B, 1, 2);
    let sent = Sent { ntp: 7_000 << 32, ..Sent::default() };
    world.rtcp(peer, B_RTCP, &mut build(77, Some(sent), &[], "b")).unwrap();
    let told = world.now;
    // Then it tells no more, and we do in its name.
    let ours = reports(&mut world, 15_000);
    let of_it = |part: &(Instant, SocketAddr, Part)| match part {
        (at, to, Part::Sender { ssrc: 77, sent, .. }) if *to == address(A_RTCP) => {
            Some((*at, sent.ntp))
        }
        _ => None,
    };
    let (at, ntp) = ours.iter().find_map(of_it).expect("a report of its stream");
    let since = (ntp - (7_000 << 32)) as f64 / f64::from(2f32.powi(32));
    assert!((since - at.since(told).as_secs_f64()).abs() < 0.3, "{since} s, {:?}", at.since(told));
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
        world.rtcp(NEAR(), A_RTCP, &mut build(77, None, &[about], "x"));
    }
    assert_eq!(world.figures(NEAR()).round_trip, None);
}

#[test]
fn a_far_end_that_floods_us_with_reports_has_one_a_second_handed_on() {
    let (mut world, peer) = talking();
    let mut handed = 0;
    for _ in 0..3_000 {
        world.pass(1);
        let relay = world.rtcp(NEAR(), A_RTCP, &mut build(77, None, &[], "x"));
        assert!(relay.is_none_or(|relay| relay.port == peer));
        handed += usize::from(relay.is_some());
    }
    assert_eq!(handed, 3);
    assert_eq!(world.figures(NEAR()).refused, 0);
}

/// RFC 3550 section 6.1: a compound packet of everything that there is.
fn everything(ssrc: u32, about: &[Report]) -> Vec<u8> {
    let sent = Sent { ntp: 7 << 32, timestamp: 5, packets: 3, octets: 480 };
    let mut bytes = build(ssrc, Some(sent), about, "seema@desk-7.district.example");
    bytes.extend_from_slice(&[0x81, 203, 0, 1]);
    bytes.extend_from_slice(&ssrc.to_be_bytes());
    bytes.extend_from_slice(&[0x80, 204, 0, 2, 0, 0, 0, 77, b'n', b'a', b'm', b'e']);
    bytes
}

fn talking() -> (World, PortId) {
    let peer = port(30_002);
    let mut world = World::with(&[(NEAR(), far(A)), (peer, far(B))]);
    world.bridge(NEAR(), peer);
    world.stream(NEAR(), A, 1, 2);
    world.stream(peer, B, 1, 2);
    (world, peer)
}

#[test]
fn of_a_far_ends_reports_only_the_figures_are_handed_on_and_nobodys_name_or_farewell() {
    let (mut world, peer) = talking();
    let about = |ssrc, highest| Report { ssrc, highest, lost: 1, ..Report::default() };
    // Their second packet, 80 ms after the beginning.
    let mut said = everything(77, &[about(77, u32::from(FIRST) + 4), about(4_711, 2)]);
    let (relay, bytes) = world.rtcp_in_our_words(NEAR(), A_RTCP, &mut said).unwrap();
    assert_eq!(relay, Relay { port: peer, to: address(B_RTCP) });
    let parts = parse(&bytes).unwrap();
    let [Part::Sender { ssrc: 77, sent, reports }, Part::Names(names)] = &parts[..] else {
        panic!("{parts:?}")
    };
    assert_eq!((sent.packets, &reports[..]), (3, &[about(77, 2)][..]));
    assert_eq!(names[..], [(77, "0000004d@pukar".to_string())]);
}

/// Both count the rounds of their numbers (RFC 3550 section 6.4.1), which end at other times.
#[test]
fn the_highest_number_is_told_whole_whichever_round_is_the_first_to_end() {
    let ours = u32::from(FIRST) + 1;
    // Theirs end soon after they begin; and ours do, when theirs have begun anew.
    for (theirs, heard, told) in [(65_530, ours + 10, 65_540), (7, ours + 65_600, 65_607)] {
        let (b, a) = (port(30_002), NEAR());
        let mut world = World::with(&[(a, far(A)), (b, far(B))]);
        world.bridge(a, b);
        world.stream(b, B, theirs, 1);
        world.stream(a, A, 1, 1);
        let report = Report { ssrc: 77, highest: heard, ..Report::default() };
        let (_, bytes) =
            world.rtcp_in_our_words(a, A_RTCP, &mut everything(77, &[report])).unwrap();
        let parts = parse(&bytes).unwrap();
        let Part::Sender { reports, .. } = &parts[0] else { panic!("{parts:?}") };
        assert_eq!(reports[0].highest, told);
    }
}

#[test]
fn reports_of_another_source_than_the_one_that_is_heard_go_nowhere() {
    let (mut world, _) = talking();
    let refused = world.figures(NEAR()).refused;
    assert_eq!(world.rtcp(NEAR(), A_RTCP, &mut everything(4_711, &[])), None);
    assert_eq!(world.rtcp(NEAR(), A_RTCP, &mut [0x81, 203, 0, 1, 0, 0, 0, 77]), None);
    assert_eq!(world.figures(NEAR()).refused, refused + 2);
    assert_eq!(world.figures(NEAR()).round_trip, None);
}

/// The second of two who talk comes after music: its numbers go on from those of the music.
#[test]
fn the_highest_number_that_is_reported_is_one_of_the_senders_own() {
    let (mut world, peer) = talking();
    world.command(Command::Play { port: peer, piece: 1, tunes: vec![PROMPT], then: None });
    world.pass(200);
    world.out.clear();
    let mut bytes = voice(1_000);
    world.rtp(NEAR(), A, &mut bytes).unwrap();
    let heard = u32::from(u16::from_be_bytes([bytes[2], bytes[3]]));
    assert_ne!(heard, 1_000);
    let about = Report { ssrc: 77, highest: 3 << 16 | heard, ..Report::default() };
    let said = &mut build(77, None, &[about], "x");
    let (_, bytes) = world.rtcp_in_our_words(peer, B_RTCP, said).unwrap();
    let Part::Receiver { reports, .. } = &parse(&bytes).unwrap()[0] else { panic!() };
    assert_eq!(reports[0].highest, 3 << 16 | 1_000);
}

#[test]
fn where_it_was_agreed_reports_come_and_go_beside_the_sound() {
    let muxed = |rtp: &str| Far { rtcp: address(rtp), ..far(rtp) };
    let peer = port(30_002);
    let mut world = World::with(&[(NEAR(), muxed(A)), (peer, far(B))]);
    world.bridge(NEAR(), peer);
    assert_eq!(world.stream(NEAR(), A, 1, 2), 2);
    world.stream(peer, B, 1, 2);
    world.out.clear();
    assert_eq!(world.rtp(NEAR(), A, &mut everything(77, &[])), None);
    let [Effect::Report { port: out, to, channel, .. }] = &world.out[..] else {
        panic!("{:?}", world.out)
    };
    assert_eq!((*out, *to, *channel), (peer, address(B_RTCP), Channel::Rtcp));
    world.out.clear();
    world.rtcp(peer, B_RTCP, &mut []);
    let from = address(B_RTCP);
    world.engine.packet(
        world.now,
        peer,
        Channel::Rtcp,
        from,
        &mut everything(77, &[]),
        &mut world.out,
    );
    let [Effect::Report { port: out, to, channel, .. }] = &world.out[..] else {
        panic!("{:?}", world.out)
    };
    assert_eq!((*out, *to, *channel), (NEAR(), address(A), Channel::Rtp));
    // From anywhere else it is a stranger's, on either socket.
    let refused = world.figures(NEAR()).refused;
    world.rtp(NEAR(), "192.0.2.40:4002", &mut everything(77, &[]));
    world.rtcp(NEAR(), A_RTCP, &mut everything(77, &[]));
    assert_eq!(world.figures(NEAR()).refused, refused + 2);
}

/// Most gateways send no reports. The telephone beyond is told how it is heard all the same, and
/// measured by what it answers; and what it answers to us is not said to have been asked by others.
#[test]
fn whoever_talks_with_one_who_never_reports_is_reported_to_and_measured() {
    let peer = port(30_002);
    let mut world = World::with(&[(NEAR(), far(A)), (peer, far(B))]);
    world.bridge(NEAR(), peer);
    for port in [NEAR(), peer] {
        world.command(Command::Watch { port, silence: Some(Duration::from_secs(3)) });
    }
    let (mut told, mut count) = (Vec::new(), 0);
    for n in 1..=800u16 {
        world.stream(NEAR(), A, n, 1);
        world.rtp(peer, B, &mut voice(n));
        for effect in world.out.drain(..) {
            if let Effect::Report { port, to, bytes, .. } = effect {
                count += 1;
                if port == NEAR() {
                    told.push((world.now, to, parse(&bytes).unwrap().remove(0)));
                }
            }
        }
    }
    assert!((2..=3).contains(&told.len()) && count == 2 * told.len(), "{} of {count}", told.len());
    let (went, to, Part::Sender { ssrc, sent, reports }) = told.last().unwrap() else {
        panic!("{told:?}")
    };
    assert_eq!((*ssrc, *to), (77, address(A_RTCP)));
    assert!(sent.packets.abs_diff(n_at(*went)) <= 1 && sent.octets == 160 * sent.packets);
    assert_eq!((reports[0].ssrc, reports[0].lost), (77, 0));
    world.pass(40);
    let asked = (sent.ntp >> 16) as u32;
    let since = world.now.since(*went);
    let about = Report { ssrc: 77, last_sr: asked, delay: 65_536 / 50, ..Report::default() };
    let (_, handed) =
        world.rtcp_in_our_words(NEAR(), A_RTCP, &mut build(77, None, &[about], "a")).unwrap();
    let took = world.figures(NEAR()).round_trip.unwrap();
    let right = since - Duration::from_millis(20);
    assert!(took.abs_diff(right) < Duration::from_millis(2), "{took:?} {right:?}");
    let Part::Receiver { reports, .. } = parse(&handed).unwrap().remove(0) else { panic!() };
    assert_eq!((reports[0].last_sr, reports[0].delay), (0, 0));
}

/// Packets that were said by then, one every 20 ms.
fn n_at(now: Instant) -> u32 {
    (now.since(Instant(1_000_000)).as_millis() / 20) as u32
}

#[test]
fn what_the_far_end_lost_of_us_is_known_as_well_as_what_we_lost_of_it() {
    let peer = port(30_002);
    let mut world = World::with(&[(NEAR(), far(A)), (peer, far(B))]);
    world.bridge(NEAR(), peer);
    world.stream(NEAR(), A, 1, 2);
    world.stream(peer, B, 1, 100);
    assert_eq!(world.figures(NEAR()).theirs, None, "it has told nothing");
    let mut tell = |from: &str, ssrc, lost, jitter| {
        let about = Report { ssrc, lost, jitter, ..Report::default() };
        world.rtcp(NEAR(), from, &mut build(77, None, &[about], "a"));
        world.pass(1_100);
        world.figures(NEAR()).theirs
    };
    assert_eq!(tell(A_RTCP, 77, 10, 80).map(|t| (t.lost, t.jitter)), Some((10, 80)));
    let some = tell(A_RTCP, 77, 25, 160).unwrap();
    assert_eq!((some.lost, some.jitter), (25, 160), "it counts from the beginning");
    assert_eq!(tell("198.51.100.66:6667", 77, 90, 9), Some(some), "a stranger");
    assert_eq!(tell(A_RTCP, 4_711, 90, 9), Some(some), "a stream that it never had of us");
    let figures = world.figures(NEAR());
    assert!(some.mos > 1.0 && some.mos < 3.0 && figures.mos > 4.0, "{some:?} {figures:?}");
    assert_eq!(world.figures(peer).theirs, None);
    // The other party begins anew, as another source.
    let header = Header { marker: false, payload_type: 8, sequence: 7, timestamp: 9, ssrc: 99 };
    let mut bytes = [&header.bytes()[..], &[0xd5; 160]].concat();
    assert!(world.rtp(peer, B, &mut bytes).is_some());
    let about = Report { ssrc: 99, lost: 3, jitter: 8, ..Report::default() };
    world.rtcp(NEAR(), A_RTCP, &mut build(77, None, &[about], "a"));
    assert_eq!(world.figures(NEAR()).theirs.map(|t| (t.lost, t.jitter)), Some((28, 8)));
}

#[test]
fn a_long_way_is_heard_in_the_score() {
    let mut world = waiting();
    let near = world.figures(NEAR()).mos;
    let (_, _, part) = reports(&mut world, 6_000).remove(0);
    let Part::Sender { ssrc, sent, .. } = part else { panic!("{part:?}") };
    world.pass(800);
    let last_sr = (sent.ntp >> 16) as u32;
    let about = Report { ssrc, last_sr, ..Report::default() };
    world.rtcp(NEAR(), A_RTCP, &mut build(77, None, &[about], "x"));
    let far = world.figures(NEAR());
    assert!(far.mos < near - 0.5, "{near} {far:?}");
}
