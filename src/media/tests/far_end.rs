//! Who is believed to be the far end: NAT, and everyone who would like to be heard in its place.

use super::*;
use crate::wire::rtcp::{Report, Sent, build};

pub(super) const A: &str = "203.0.113.5:4000";
pub(super) const STRANGER: &str = "198.51.100.66:6666";

pub(super) fn bridged(a: Far) -> World {
    let mut world = World::with(&[(port(30_000), a), (port(30_002), far("192.0.2.50:5000"))]);
    world.bridge(port(30_000), port(30_002));
    world
}

/// A far end that signals from this host.
pub(super) fn behind(said: &str, host: &str) -> Far {
    Far { signalled: Some(address(&format!("{host}:0")).ip()), ..far(said) }
}

/// How many packets it takes until nobody else can be heard: 2 s of them, or half a minute.
pub(super) fn until_settled(lost: usize) -> u16 {
    if lost < 24 { 200 } else { 1_700 }
}

pub(super) fn latched(from: &str) -> Event {
    Event::Latched { port: port(30_000), from: address(from) }
}

#[test]
fn the_said_address_is_believed_at_once() {
    let mut world = bridged(far(A));
    assert_eq!(world.stream(port(30_000), A, 1, 1), 1);
    assert_eq!(world.events(), [latched(A)]);
}

#[test]
fn q41_every_kind_of_nat_is_learned_within_60_ms_or_half_a_second() {
    for (said, signals, real, lost) in [
        ("203.0.113.5:4000", "203.0.113.5", "203.0.113.5:4000", 0),
        ("203.0.113.5:4000", "203.0.113.5", "203.0.113.5:61000", 1),
        ("10.0.0.7:4000", "203.0.113.9", "203.0.113.9:61000", 2),
        ("192.168.1.7:4000", "10.9.9.9", "10.9.9.9:61000", 2),
        ("100.64.3.3:4000", "203.0.113.9", "203.0.113.9:61000", 2),
        ("[fd00::7]:4000", "[2001:db8::9]", "[2001:db8::9]:61000", 2),
        ("192.168.1.7:4000", "203.0.113.5", "203.0.113.6:61000", 24),
        ("100.64.3.3:4000", "203.0.113.5", "203.0.113.77:61000", 24),
    ] {
        let mut world = bridged(behind(said, signals));
        let all = until_settled(lost);
        let heard = usize::from(all) - lost;
        assert_eq!(world.stream(port(30_000), real, 1, all), heard, "{said} at {real}");
        assert_eq!(world.events(), [latched(real)], "{said} at {real}");
        let back = world.rtp(port(30_002), "192.0.2.50:5000", &mut voice(1)).unwrap();
        // What is said goes where the phone said that it listens, until it is known for certain.
        let to = if lost == 24 { said } else { real };
        assert_eq!(back.to, address(to));
    }
}

#[test]
fn a_phone_behind_a_nat_is_learned_from_the_host_that_signals_and_from_no_other() {
    let mut world = bridged(behind("10.0.0.7:4000", "203.0.113.9"));
    assert_eq!(world.stream(port(30_000), STRANGER, 1, 500), 0, "a thief who streams for 10 s");
    let real = "203.0.113.9:61000";
    assert_eq!(world.stream(port(30_000), real, 1, 200), 198);
    assert_eq!(world.events(), [latched(real)]);
}

#[test]
fn q41_a_phone_that_signals_from_another_address_is_learned_there() {
    let near = port(30_000);
    let mut world = bridged(behind("192.168.1.7:4000", "203.0.113.9"));
    world.stream(near, "203.0.113.9:61000", 1, 200);
    world.out.clear();
    let far = behind("192.168.1.7:4000", "198.51.100.4");
    world.command(Command::Agree { port: near, far });
    assert!(world.out.contains(&Effect::Connect { port: near, peer: None }));
    assert_eq!(world.stream(near, "198.51.100.4:9000", 201, 200), 198);
    assert_eq!(goes_to(&mut world), address("198.51.100.4:9000"));
}

#[test]
fn a_spray_from_within_the_site_wins_nothing() {
    let mut world = bridged(behind("10.0.0.7:4000", "10.0.0.7"));
    for n in 0..40u16 {
        let from = format!("10.3.3.{n}:6666");
        assert_eq!(world.stream(port(30_000), &from, n * 50, 5), 0, "{from}");
    }
    assert_eq!(world.stream(port(30_000), "10.0.0.7:4000", 1, 5), 5);
    assert_eq!(world.events(), [latched("10.0.0.7:4000")]);
}

#[test]
fn nobody_is_heard_before_something_is_agreed() {
    let mut world = World::new();
    world.open(port(30_000));
    assert_eq!(world.stream(port(30_000), A, 1, 50), 0);
    assert_eq!(world.figures(port(30_000)).refused, 50);
}

#[test]
fn strangers_are_refused_and_counted_once_the_far_end_is_settled() {
    let mut world = bridged(far(A));
    world.stream(port(30_000), A, 1, 10);
    assert_eq!(world.stream(port(30_000), STRANGER, 11, 500), 0);
    assert_eq!(world.stream(port(30_000), "203.0.113.5:4001", 11, 500), 0);
    let figures = world.figures(port(30_000));
    assert_eq!((figures.received, figures.refused, figures.lost), (10, 1_000, 0));
    let back = world.rtp(port(30_002), "192.0.2.50:5000", &mut voice(1)).unwrap();
    assert_eq!(back.to, address(A));
}

#[test]
fn a_spray_over_the_ports_while_they_learn_wins_nothing() {
    let mut world = bridged(behind("10.0.0.7:4000", "203.0.113.9"));
    for n in 0..50u16 {
        let from = format!("203.0.113.{}:6666", 100 + n);
        assert_eq!(world.rtp(port(30_000), &from, &mut voice(n * 7)), None);
    }
    assert_eq!(world.stream(port(30_000), "203.0.113.9:61000", 1, 150), 148);
    assert_eq!(world.events(), [latched("203.0.113.9:61000")]);
}

#[test]
fn an_injected_stream_loses_to_the_said_address() {
    let mut world = bridged(far("10.0.0.7:4000"));
    assert_eq!(world.stream(port(30_000), STRANGER, 1, 50), 0);
    assert_eq!(world.events(), []);
    assert!(world.rtp(port(30_000), "10.0.0.7:4000", &mut voice(9_000)).is_some());
    assert_eq!(world.events(), [latched("10.0.0.7:4000")]);
    assert_eq!(world.stream(port(30_000), STRANGER, 51, 50), 0);
}

#[test]
fn a_burst_that_falls_silent_loses_to_the_phone_that_goes_on() {
    let mut world = bridged(behind("10.0.0.7:4000", "203.0.113.9"));
    assert_eq!(world.stream(port(30_000), "203.0.113.9:7777", 1, 4), 2);
    world.stream(port(30_000), "203.0.113.9:61000", 500, 200);
    assert_eq!(world.events(), [latched("203.0.113.9:61000")]);
}

#[test]
fn nobody_but_the_said_host_is_heard_where_it_is_not_known_who_signals() {
    let mut world = bridged(far(A));
    assert_eq!(world.stream(port(30_000), STRANGER, 1, 1_000), 0);
    assert_eq!(world.stream(port(30_000), "203.0.113.6:4000", 1, 1_000), 0, "next door");
    assert_eq!(world.stream(port(30_000), "203.0.113.5:61000", 1, 200), 199, "another port of it");
    assert_eq!(world.events(), [latched("203.0.113.5:61000")]);
}

#[test]
fn learning_ends() {
    let mut world = bridged(behind("10.0.0.7:4000", "203.0.113.9"));
    for n in 0..1_200u16 {
        world.rtp(port(30_000), &format!("203.0.113.6:{}", 1_000 + n), &mut voice(n * 9));
    }
    assert_eq!(world.stream(port(30_000), "203.0.113.7:61000", 1, 100), 0, "the unlikely");
    world.pass(15_000);
    world.pass(30_000);
    assert_eq!(world.stream(port(30_000), "203.0.113.9:61000", 3, 100), 98, "but for the likely");
    assert_eq!(world.stream(port(30_000), "10.0.0.7:4000", 1, 1), 1);
}

const DESK: &str = "10.0.0.7:4000";
/// The same desk by another address of its own, and somebody else's in the same site.
const ITS_OTHER: &str = "10.1.0.7:61000";
const OF_THE_SITE: &str = "10.0.0.66:6666";

/// A phone of our own site: it signals from the address that it says.
fn desk() -> World {
    bridged(Far { signalled: Some(address(DESK).ip()), ..far(DESK) })
}

/// Where the other party's sound goes.
pub(super) fn goes_to(world: &mut World) -> SocketAddr {
    world.rtp(port(30_002), "192.0.2.50:5000", &mut voice(1)).unwrap().to
}

#[test]
fn a_phone_that_sends_from_elsewhere_and_is_behind_no_nat_is_heard_when_it_has_proven_itself() {
    for (said, signals, real, sent) in [
        (DESK, "10.0.0.7", ITS_OTHER, DESK),
        ("203.0.113.5:4000", "203.0.113.5", "203.0.113.6:4000", "203.0.113.6:4000"),
        ("203.0.113.5:4000", "203.0.113.1", "203.0.113.6:4000", "203.0.113.6:4000"),
        ("127.1.2.3:4000", "127.1.2.3", "127.0.0.1:4000", "127.1.2.3:4000"),
        ("[2001:db8::7]:4000", "[2001:db8::7]", "[2001:db8::abcd]:4000", "[2001:db8::abcd]:4000"),
    ] {
        let mut world = bridged(behind(said, signals));
        assert_eq!(world.stream(port(30_000), real, 1, 500), 0, "{real}");
        has_been_told(&mut world);
        let mut reporter = address(real);
        reporter.set_port(reporter.port() + 1);
        world.rtcp(port(30_000), &reporter.to_string(), &mut answer(77, TOLD));
        assert!(world.stream(port(30_000), real, 501, 100) >= 98, "{real}");
        assert_eq!(world.events(), [latched(real)]);
        assert_eq!(goes_to(&mut world), address(sent), "{real}");
        assert_eq!(world.stream(port(30_000), said, 1, 10), if sent == said { 10 } else { 0 });
    }
}

/// RTP bleed inside of the site.
#[test]
fn a_stranger_of_the_same_site_is_never_sent_anything_however_silent_the_phone() {
    let mut world = desk();
    assert_eq!(world.stream(port(30_000), OF_THE_SITE, 1, 2_000), 0, "nor heard");
    assert_eq!(goes_to(&mut world), address(DESK));
    let near = port(30_000);
    let shut = |e: &Effect| matches!(e, Effect::Connect { port, peer: Some(_) } if *port == near);
    assert!(!world.out.iter().any(shut), "the phone could not come through any more");
    // It speaks at last, and the stranger is out.
    assert_eq!(world.stream(port(30_000), DESK, 1, 10), 10);
    assert_eq!(world.stream(port(30_000), OF_THE_SITE, 2_001, 500), 0);
}

#[test]
fn who_was_at_the_port_before_anything_was_agreed_is_no_phone_of_ours() {
    let (thief, real) = ("203.0.113.66:6666", "203.0.113.77:61000");
    let mut world = World::with(&[(port(30_002), far("192.0.2.50:5000"))]);
    world.open(port(30_000));
    assert_eq!(world.stream(port(30_000), thief, 1, 150), 0);
    // The phone is ahead of its own answer by a little.
    assert_eq!(world.stream(port(30_000), real, 1, 5), 0);
    let far = behind("192.168.1.7:4000", "203.0.113.9");
    world.command(Command::Agree { port: port(30_000), far });
    world.bridge(port(30_000), port(30_002));
    assert_eq!(world.stream(port(30_000), thief, 151, 100), 0);
    assert_eq!(world.stream(port(30_000), real, 6, 100), 76);
}

/// The middle of the time of the sender report that [`has_been_told`] has gone to the phone.
pub(super) const TOLD: u32 = 0x5678_9abc;

/// The other party speaks, and a sender report of its stream goes to where the phone said it is.
pub(super) fn has_been_told(world: &mut World) {
    let other = port(30_002);
    world.stream(other, "192.0.2.50:5000", 1, 5);
    let sent = Sent { ntp: 0x1234_5678_9abc_def0, ..Sent::default() };
    world.rtcp(other, "192.0.2.50:5001", &mut build(77, Some(sent), &[], "x")).unwrap();
    world.out.clear();
}

/// What a phone answers to a sender report of this time, of this stream.
pub(super) fn answer(ssrc: u32, last_sr: u32) -> Vec<u8> {
    build(77, None, &[Report { ssrc, last_sr, ..Report::default() }], "x")
}

pub(super) fn is_shut(world: &World, to: &str) -> bool {
    let near = port(30_000);
    let shut = Effect::Connect { port: near, peer: Some(address(to)) };
    world.out.contains(&shut)
}

/// Whatever the NAT: the answer of the phone makes certain who it is, and never less certain where
/// it is to be sent to.
#[test]
fn q41_a_phone_that_reports_while_it_is_on_trial_goes_on_being_heard_and_sent_to() {
    for (said, signals, real, lost) in [
        ("203.0.113.5:4000", "203.0.113.5", "203.0.113.5:4000", 0),
        ("203.0.113.5:4000", "203.0.113.5", "203.0.113.5:61000", 1),
        ("10.0.0.7:4000", "203.0.113.9", "203.0.113.9:61000", 2),
        ("192.168.1.7:4000", "10.9.9.9", "10.9.9.9:61000", 2),
        ("100.64.3.3:4000", "203.0.113.9", "203.0.113.9:61000", 2),
        ("[fd00::7]:4000", "[2001:db8::9]", "[2001:db8::9]:61000", 2),
        ("10.0.0.7:4000", "203.0.113.9", "203.0.113.77:61000", 24),
    ] {
        // While it is on trial, and before it has spoken at all.
        for before in [lost + 10, 0] {
            let mut world = bridged(behind(said, signals));
            has_been_told(&mut world);
            world.stream(port(30_000), real, 1, before as u16);
            let mut reporter = address(real);
            reporter.set_port(reporter.port() + 1);
            world.rtcp(port(30_000), &reporter.to_string(), &mut answer(77, TOLD));
            if before > 0 {
                assert_eq!(goes_to(&mut world), address(real), "{said} at {real}: on trial");
            }
            world.stream(port(30_000), real, before as u16 + 1, 100);
            assert_eq!(goes_to(&mut world), address(real), "{said} at {real}: afterwards");
            assert!(is_shut(&world, real), "{said} at {real}");
            assert_eq!(world.events(), [latched(real)], "{said} at {real}");
            // It is certain now: nobody next door has a chance.
            assert_eq!(world.stream(port(30_000), "203.0.113.99:6666", 1, 100), 0);
        }
    }
}

/// Whoever is only borne may be a thief that has overheard a report: the phone still comes through.
#[test]
fn a_proof_of_somebody_who_is_only_borne_does_not_shut_the_phone_out() {
    let mut world = desk();
    has_been_told(&mut world);
    world.stream(port(30_000), OF_THE_SITE, 1, 40);
    world.rtcp(port(30_000), "10.0.0.66:6667", &mut answer(77, TOLD));
    world.stream(port(30_000), OF_THE_SITE, 41, 40);
    assert!(!is_shut(&world, OF_THE_SITE));
    assert_eq!(world.events(), [latched(OF_THE_SITE)]);
    assert_eq!(goes_to(&mut world), address(DESK));
    assert_eq!(world.stream(port(30_000), DESK, 1, 10), 10);
}

/// The time of a report is known to whoever has a clock; which stream it is of, is not.
#[test]
fn a_proof_names_the_stream_that_was_heard_and_stands_first() {
    for guesses in [
        vec![(4_711, TOLD)],
        vec![(77, TOLD - 1), (77, TOLD)],
        (0..31).map(|n| (n, TOLD)).collect(),
    ] {
        let mut world = desk();
        has_been_told(&mut world);
        world.stream(port(30_000), OF_THE_SITE, 1, 40);
        let blocks = guesses.iter().map(|(ssrc, last_sr)| Report {
            ssrc: *ssrc,
            last_sr: *last_sr,
            ..Report::default()
        });
        let blocks: Vec<Report> = blocks.collect();
        world.rtcp(port(30_000), "10.0.0.66:6667", &mut build(77, None, &blocks, "x"));
        assert_eq!(world.events(), [], "{guesses:?}");
    }
}

#[test]
fn who_has_guessed_eight_times_proves_nothing_any_more_and_the_phone_does() {
    let mut world = desk();
    let near = port(30_000);
    has_been_told(&mut world);
    world.stream(near, OF_THE_SITE, 1, 40);
    for n in 1..=8 {
        world.rtcp(near, "10.0.0.66:6667", &mut answer(77, TOLD + n));
    }
    world.rtcp(near, "10.0.0.66:6667", &mut answer(77, TOLD));
    assert_eq!(world.events(), []);
    // A phone may have had no report yet, for as long as it likes.
    for _ in 0..20 {
        world.rtcp(near, "10.1.0.7:61001", &mut answer(77, 0));
    }
    world.rtcp(near, "10.1.0.7:61001", &mut answer(77, TOLD));
    assert_eq!(world.stream(near, OF_THE_SITE, 41, 10), 0);
    world.stream(near, ITS_OTHER, 1, 50);
    assert_eq!(world.events(), [latched(ITS_OTHER)]);
}

/// Two of the site stream, and neither is where the phone said: whoever has heard us is the phone.
#[test]
fn whoever_reports_on_what_went_to_the_phone_is_the_phone() {
    let mut world = desk();
    let (near, other) = (port(30_000), port(30_002));
    world.stream(near, OF_THE_SITE, 1, 150);
    world.stream(other, "192.0.2.50:5000", 1, 5);
    let ntp = 0x1234_5678_9abc_def0;
    let sent = Sent { ntp, ..Sent::default() };
    world.rtcp(other, "192.0.2.50:5001", &mut build(77, Some(sent), &[], "x")).unwrap();
    let about = |last_sr| [Report { ssrc: 77, last_sr, ..Report::default() }];
    let rtcp = "10.1.0.7:61001";
    // A guess is no proof, and a stranger from outside of the site can prove nothing.
    world.rtcp(near, rtcp, &mut build(77, None, &about(5), "x"));
    world.rtcp(near, "198.51.100.66:6667", &mut build(77, None, &about(0x5678_9abc), "x"));
    assert_eq!(world.stream(near, ITS_OTHER, 1, 10), 0);
    world.rtcp(near, rtcp, &mut build(77, None, &about(0x5678_9abc), "x"));
    assert_eq!(world.stream(near, OF_THE_SITE, 151, 10), 0);
    assert!(world.stream(near, ITS_OTHER, 11, 100) >= 76);
    assert_eq!(world.stream(near, OF_THE_SITE, 161, 500), 0);
    assert_eq!(goes_to(&mut world), address(DESK));
}

#[test]
fn packets_of_an_unknown_type_teach_nothing() {
    let mut world = bridged(far(A));
    assert_eq!(world.rtp(port(30_000), A, &mut packet(18, 1, &[0; 20])), None);
    assert_eq!(world.events(), []);
    assert_eq!(world.figures(port(30_000)).refused, 1);
}

#[test]
fn another_address_agreed_reopens_learning_and_the_same_one_does_not() {
    let mut world = bridged(far(A));
    let near = port(30_000);
    world.stream(near, "203.0.113.5:61000", 1, 200);
    world.out.clear();
    world.command(Command::Agree { port: near, far: mu(far(A)) });
    assert_eq!(world.stream(near, STRANGER, 1, 60), 0);
    assert_eq!(world.stream(near, "203.0.113.5:61000", 201, 1), 1);
    world.command(Command::Agree { port: near, far: far("203.0.113.77:4000") });
    assert!(world.out.contains(&Effect::Connect { port: near, peer: None }));
    assert_eq!(world.stream(near, "203.0.113.5:61000", 202, 5), 0);
    assert_eq!(world.stream(near, "203.0.113.77:4000", 1, 5), 5);
    assert_eq!(world.events(), [latched("203.0.113.77:4000")]);
}

#[test]
fn hold_by_0_0_0_0_keeps_what_was_learned() {
    let mut world = bridged(far(A));
    let near = port(30_000);
    world.stream(near, A, 1, 5);
    world.out.clear();
    let held = Far { hears: false, ..far("0.0.0.0:4000") };
    world.command(Command::Agree { port: near, far: held });
    assert_eq!(world.rtp(port(30_002), "192.0.2.50:5000", &mut voice(1)), None);
    world.command(Command::Agree { port: near, far: far(A) });
    let back = world.rtp(port(30_002), "192.0.2.50:5000", &mut voice(2)).unwrap();
    assert_eq!(back.to, address(A));
    assert_eq!(world.stream(near, STRANGER, 1, 60), 0);
    assert!(!world.out.iter().any(|e| matches!(e, Effect::Connect { port, .. } if *port == near)));
}

#[test]
fn rtcp_follows_the_far_end() {
    let report = || vec![0x80, 201, 0, 1, 0, 0, 0, 77];
    let mut world = bridged(behind("10.0.0.7:4000", "203.0.113.9"));
    let (near, other) = (port(30_000), port(30_002));
    assert_eq!(world.rtcp(near, "203.0.113.9:61001", &mut report()), None);
    world.stream(near, "203.0.113.9:61000", 1, 150);
    let guess = world.rtcp(other, "192.0.2.50:5001", &mut report()).unwrap();
    assert_eq!(guess, Relay { port: near, to: address("203.0.113.9:61001") });
    let there = world.rtcp(near, "203.0.113.9:61777", &mut report()).unwrap();
    assert_eq!(there, Relay { port: other, to: address("192.0.2.50:5001") });
    world.pass(1_000);
    let back = world.rtcp(other, "192.0.2.50:5001", &mut report()).unwrap();
    assert_eq!(back.to, address("203.0.113.9:61777"));
    assert_eq!(world.rtcp(near, STRANGER, &mut report()), None);
    assert_eq!(world.rtcp(near, "203.0.113.9:61777", &mut [0x80, 201, 0]), None);
    assert_eq!(world.rtcp(near, "203.0.113.9:61777", &mut voice(1)), None);
}

#[test]
fn two_ports_that_are_each_others_far_end_do_not_play_ping_pong() {
    let (a, b) = (port(30_000), port(30_002));
    let mut world = World::with(&[(a, far("192.0.2.1:30002")), (b, far("192.0.2.1:30000"))]);
    world.bridge(a, b);
    assert_eq!(world.rtp(a, "192.0.2.1:30002", &mut voice(1)), None);
}

#[test]
fn nor_do_two_that_are_bound_to_every_address() {
    let (a, b, here) = (port(30_000), port(30_002), "0.0.0.0".parse().unwrap());
    // The peer of the last has the same numbers, but it is somebody else.
    for (other, relayed) in [("192.0.2.1:30000", false), ("192.0.2.1:40000", true)] {
        let mut world = World::new();
        for (port, far) in [(a, far("192.0.2.1:30002")), (b, far(other))] {
            world.command(Command::Open { port, address: here });
            world.command(Command::Agree { port, far });
        }
        world.bridge(a, b);
        let heard = world.rtp(a, "192.0.2.1:30002", &mut voice(1));
        assert_eq!(heard.is_some(), relayed, "{other}");
    }
}
