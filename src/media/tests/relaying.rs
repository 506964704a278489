//! What goes from one port to its peer, what does not, and what is told of it.

use super::far_end::STRANGER;
use super::*;
use crate::base::CallId;
use crate::media::{Side, Track};
use crate::wire::dtmf::Press;
use crate::wire::rtcp::build;

const A: &str = "192.0.2.40:4000";
const B: &str = "192.0.2.50:5000";
const NEAR: fn() -> PortId = || port(30_000);
const PEER: fn() -> PortId = || port(30_002);

fn bridged(a: Far, b: Far) -> World {
    let mut world = World::with(&[(NEAR(), a), (PEER(), b)]);
    world.bridge(NEAR(), PEER());
    world
}

fn key(sequence: u16, timestamp: u32, key: char) -> Vec<u8> {
    let press = Press { key, end: false, volume: 10, duration: 160 }.bytes().unwrap();
    let header = Header { marker: true, payload_type: 101, sequence, timestamp, ssrc: 77 };
    [&header.bytes()[..], &press].concat()
}

#[test]
fn a_packet_between_equal_legs_passes_untouched() {
    let mut world = bridged(far(A), far(B));
    let mut bytes = voice(1);
    let relay = world.rtp(NEAR(), A, &mut bytes).unwrap();
    assert_eq!(relay, Relay { port: PEER(), to: address(B) });
    assert_eq!(bytes, numbered(FIRST, voice(1)), "but for its number");
    assert_eq!((world.figures(NEAR()).received, world.figures(PEER()).sent), (1, 1));
}

/// A process dies, and the next one opens the ports anew: there are telephones that drop whatever
/// is numbered below what they have heard, in spite of a new SSRC.
#[test]
fn q37_a_talk_goes_on_under_later_numbers_in_the_next_process() {
    // Packets as long as the far end asked for, or as whoever talks has them.
    let rows = [(1_u16, 20_u8, 20_u8), (40_000, 20, 20), (65_400, 30, 30), (9, 60, 60)];
    for (said, asked, ptime) in rows.into_iter().chain([(7, 30, 20), (7, 10, 20), (7, 10, 10)]) {
        let ends = [Far { ptime: asked, ..far(A) }, Far { ptime: asked, ..far(B) }];
        let speak = |world: &mut World, said: u16, count: u16| -> Vec<u16> {
            let mut numbers = Vec::new();
            for n in 0..count {
                world.pass(ptime.into());
                let mut packet = voice(said.wrapping_add(n));
                assert!(world.rtp(NEAR(), A, &mut packet).is_some());
                numbers.push(number(&packet));
            }
            numbers
        };
        let mut world = bridged(ends[0], ends[1]);
        // One of them has heard music before, under numbers of ours.
        world.command(Command::Unbridge { port: PEER() });
        world.command(Command::music(PEER(), MUSIC, world.now));
        world.pass(5_000);
        let music = number(&world.frames().last().unwrap().header);
        world.command(Command::Stop { port: PEER() });
        world.bridge(NEAR(), PEER());
        let before = speak(&mut world, said, 6_000);
        assert_eq!(before[0], music.wrapping_add(1));
        let mut next = World::begun(2, world.now + Duration::from_millis(300));
        for (port, far) in [(NEAR(), ends[0]), (PEER(), ends[1])] {
            next.open(port);
            next.command(Command::Agree { port, far });
        }
        next.bridge(NEAR(), PEER());
        let after = speak(&mut next, said.wrapping_add(6_000), 500);
        let ahead = after[0].wrapping_sub(before[5_999]);
        assert!((1..20_000).contains(&ahead), "{asked} ms, {ptime} ms: {ahead}");
        assert!(asked != ptime || ptime > 20 || ahead < 100, "{ptime} ms: {ahead}");
        assert_eq!(after[499].wrapping_sub(after[0]), 499);
    }
}

#[test]
fn q37_a_key_that_is_the_first_that_is_heard_is_numbered_by_the_clock_as_well() {
    let mut world = bridged(far(A), far(B));
    world.command(Command::Press { port: PEER(), keys: "5".into() });
    world.pass(200);
    let pressed = number(&world.frames()[0].header);
    assert!((FIRST..FIRST + 4).contains(&pressed), "{pressed}");
}

/// Their packets are half as long as those that are asked for.
#[test]
fn a_sound_of_ours_that_did_not_fill_a_packet_leaves_the_numbers_as_they_are() {
    let mut world = bridged(far(A), Far { ptime: 60, ..far(B) });
    let say = |world: &mut World, n: u16| {
        world.pass(10);
        let mut packet = voice(n);
        assert!(world.rtp(NEAR(), A, &mut packet).is_some());
        number(&packet)
    };
    let numbers: Vec<u16> = (1..300).map(|n| say(&mut world, n)).collect();
    world.command(Command::music(PEER(), MUSIC, world.now));
    world.pass(25);
    world.command(Command::Stop { port: PEER() });
    assert_eq!(say(&mut world, 300), numbers[298] + 1);
}

#[test]
fn legs_of_different_laws_hear_each_other() {
    let mut world = bridged(far(A), Far { payload: 97, ..mu(far(B)) });
    let mut bytes = packet(8, 1, &[0x2a, 0xd5]);
    world.rtp(NEAR(), A, &mut bytes).unwrap();
    let loud = Law::Mu.encode(Law::A.decode(0x2a));
    let quiet = Law::Mu.encode(Law::A.decode(0xd5));
    assert_eq!(bytes, numbered(FIRST, packet(97, 1, &[loud, quiet])));
    let mut bytes = packet(97, 1, &[loud, quiet]);
    world.rtp(PEER(), B, &mut bytes).unwrap();
    assert_eq!(bytes, numbered(FIRST, packet(8, 1, &[0x2a, 0xd5])));
}

#[test]
fn a_leg_may_change_between_static_types_unasked() {
    let mut world = bridged(far(A), far(B));
    let mut bytes = packet(0, 1, &[0xff; 160]);
    world.rtp(NEAR(), A, &mut bytes).unwrap();
    assert_eq!(bytes, numbered(FIRST, packet(8, 1, &[Law::A.encode(0); 160])));
}

#[test]
fn keys_pass_under_the_peers_type_and_are_told_once() {
    let mut world = bridged(far(A), Far { event: Some(96), ..far(B) });
    world.stream(NEAR(), A, 1, 1);
    world.out.clear();
    for n in 0..6 {
        let mut bytes = key(2 + n, 320, '7');
        world.rtp(NEAR(), A, &mut bytes).unwrap();
        assert_eq!(bytes[1], 0x80 | 96);
    }
    assert_eq!(world.events(), [Event::Key { port: NEAR(), key: '7' }]);
    world.command(Command::Agree { port: PEER(), far: Far { event: None, ..far(B) } });
    assert_eq!(world.rtp(NEAR(), A, &mut key(9, 900, '#')), None);
    assert_eq!(world.events(), [Event::Key { port: NEAR(), key: '#' }]);
}

#[test]
fn who_does_not_hear_is_not_sent_to_and_who_does_not_speak_is_not_relayed() {
    let mut world = bridged(far(A), Far { hears: false, ..far(B) });
    assert_eq!(world.stream(NEAR(), A, 1, 5), 0);
    assert_eq!(world.stream(PEER(), B, 1, 5), 5);
    world.command(Command::Agree { port: PEER(), far: Far { speaks: false, ..far(B) } });
    assert_eq!(world.stream(NEAR(), A, 6, 5), 5);
    assert_eq!(world.stream(PEER(), B, 6, 5), 0);
}

#[test]
fn q42_any_silent_leg_yields_an_event_and_so_does_its_return() {
    let mut world = bridged(far(A), far(B));
    let silence = Some(Duration::from_secs(3));
    world.command(Command::Watch { port: NEAR(), silence });
    world.command(Command::Watch { port: PEER(), silence });
    world.stream(NEAR(), A, 1, 140);
    assert_eq!(world.events(), [Event::Latched { port: NEAR(), from: address(A) }]);
    world.stream(NEAR(), A, 141, 20);
    assert_eq!(world.events(), [Event::Silent { port: PEER() }]);
    world.stream(NEAR(), A, 161, 500);
    assert_eq!(world.events(), []);
    world.stream(PEER(), B, 1, 1);
    let back = world.events();
    assert!(back.contains(&Event::Heard { port: PEER() }), "{back:?}");
}

#[test]
fn q41_a_silent_direction_is_told_within_half_a_second_of_its_limit() {
    let mut world = bridged(far(A), far(B));
    world.command(Command::Watch { port: NEAR(), silence: Some(Duration::from_secs(3)) });
    world.stream(NEAR(), A, 1, 50);
    world.out.clear();
    world.pass(2_900);
    assert_eq!(world.events(), []);
    world.pass(400);
    assert_eq!(world.events(), [Event::Silent { port: NEAR() }]);
}

#[test]
fn one_on_hold_is_not_silent() {
    let mut world = bridged(Far { speaks: false, ..far(A) }, far(B));
    world.command(Command::Watch { port: NEAR(), silence: Some(Duration::from_secs(3)) });
    world.pass(10_000);
    assert_eq!(world.events(), []);
    world.command(Command::Agree { port: NEAR(), far: far(A) });
    world.pass(2_900);
    assert_eq!(world.events(), []);
    world.pass(400);
    assert_eq!(world.events(), [Event::Silent { port: NEAR() }]);
    world.command(Command::Watch { port: NEAR(), silence: None });
    world.pass(9_000);
    assert_eq!((world.events(), world.engine.deadline()), (vec![], None));
}

#[test]
fn figures_say_what_was_lost() {
    let mut world = bridged(far(A), far(B));
    for n in 1..=1_000u16 {
        world.pass(20);
        if n % 20 != 0 {
            world.rtp(NEAR(), A, &mut voice(n));
        }
    }
    let figures = world.figures(NEAR());
    assert_eq!((figures.received, figures.lost, figures.jitter), (950, 49, 0));
    assert!((3.4..4.1).contains(&figures.mos), "{}", figures.mos);
    world.command(Command::Close { port: NEAR() });
    assert!(world.events().contains(&Event::Closed { port: NEAR(), figures }));
    assert!(world.engine.figures(NEAR()).is_none());
}

#[test]
fn wrong_empty_huge_and_broken_packets_are_harmless() {
    let mut world = bridged(far(A), far(B));
    world.stream(NEAR(), A, 1, 3);
    for bytes in [&mut [][..], &mut [0x80], &mut [0; 11], &mut [0xff; 64], &mut [0x80; 2_049]] {
        assert_eq!(world.rtp(NEAR(), A, bytes), None);
    }
    assert_eq!(world.figures(NEAR()).refused, 5);
    assert!(world.rtp(NEAR(), A, &mut packet(8, 4, &[])).is_some());
    assert_eq!(world.rtp(NEAR(), A, &mut packet(77, 5, &[70])), None);
    assert_eq!(world.stream(NEAR(), A, 40_000, 10), 10);
    assert_eq!(world.figures(NEAR()).lost, 0);
}

#[test]
fn a_bridge_replaces_earlier_ones_and_ends_with_either_port() {
    let third = port(30_004);
    let mut world =
        World::with(&[(NEAR(), far(A)), (PEER(), far(B)), (third, far("192.0.2.60:6000"))]);
    world.bridge(NEAR(), PEER());
    world.bridge(NEAR(), third);
    assert_eq!(world.stream(PEER(), B, 1, 2), 0);
    assert_eq!(world.rtp(NEAR(), A, &mut voice(1)).unwrap().port, third);
    world.command(Command::Close { port: third });
    assert_eq!(world.rtp(NEAR(), A, &mut voice(2)), None);
    world.bridge(NEAR(), PEER());
    world.command(Command::Unbridge { port: PEER() });
    assert_eq!(world.rtp(NEAR(), A, &mut voice(3)), None);
}

#[test]
fn a_port_that_moves_to_another_engine_keeps_what_it_knows() {
    let (mut one, mut other) = (bridged(far(A), far(B)), World::new());
    one.stream(NEAR(), A, 1, 10);
    let moved = one.engine.release(NEAR()).unwrap();
    assert_eq!(one.stream(PEER(), B, 1, 1), 0);
    assert!(other.engine.adopt(other.now, moved));
    other.stream(NEAR(), A, 11, 5);
    assert_eq!(other.stream(NEAR(), "198.51.100.1:1", 16, 50), 0);
    let figures = other.figures(NEAR());
    assert_eq!((figures.received, figures.lost, figures.refused), (15, 0, 50));
}

#[test]
fn q44_ids_of_earlier_bearers_change_nothing_and_nothing_is_left_behind() {
    let mut world = World::new();
    for generation in 1..=500 {
        let id = PortId::new(30_000, generation);
        world.open(id);
        world.command(Command::Agree { port: id, far: far(A) });
        world.command(Command::Watch { port: id, silence: Some(Duration::from_secs(3)) });
        world.command(Command::music(id, MUSIC, Instant(0)));
        world.command(Command::Close { port: PortId::new(30_000, generation - 1) });
        world.open(PortId::new(30_000, generation - 1));
        assert_eq!(world.engine.len(), 1);
    }
    world.command(Command::Close { port: PortId::new(30_000, 500) });
    assert!(world.engine.is_empty());
    assert_eq!(world.engine.deadline(), None);
    let closed = world.events().iter().filter(|e| matches!(e, Event::Closed { .. })).count();
    assert_eq!(closed, 500);
}

/// A far end of any kind, which may be silent in its pauses, press keys in its sound alone, or be
/// told that nobody else is believed.
fn any(kind: u32) -> Far {
    let codec = Codec::ALL[kind as usize % 4];
    let (comfort, inband, strict) = ((kind > 3).then_some(13), kind == 5, kind % 3 == 1);
    Far { comfort, inband, strict, ..Far::at(address([A, B][kind as usize % 2]), codec) }
}

/// A packet of any kind: of each codec, a key, a pause, and one that nobody has agreed.
fn anything(kind: u32, sequence: u16) -> Vec<u8> {
    let content: &[u8] = match kind {
        0 => &[0x2a; 160],
        1 => &[5, 0x8a, 3, 0x20],
        2 => &[40, 200],
        3 => &[0xf8, 0xff, 0xfe],
        _ => &[0x77; 33],
    };
    let types = [8, 0, 9, Codec::Opus.our_payload(), 101, 13, 18];
    packet(types[sequence as usize % types.len()], sequence, content)
}

proptest::proptest! {
    #[test]
    fn q44_commands_and_packets_in_any_order_are_harmless(
        steps in proptest::collection::vec((0u8..22, 0u32..4, 0u32..4, 0u32..3), 0..300)
    ) {
        let mut world = World::new();
        for (n, (what, a, b, generation)) in (0..).zip(steps) {
            let kind = a + b;
            let (a, b) = (30_000 + 2 * a, 30_000 + 2 * b);
            let (port, other) = (PortId::new(a, generation), PortId::new(b, generation));
            let silence = (generation > 0).then_some(Duration::from_millis(500));
            match what {
                0 | 1 => world.open(port),
                2 => world.command(Command::Close { port }),
                3 => world.command(Command::Agree { port, far: far(A) }),
                4 => world.command(Command::Agree { port, far: mu(far(B)) }),
                5 => world.bridge(port, other),
                6 => world.command(Command::Unbridge { port }),
                7 => {
                    let then = (b % 4 == 0).then_some(Music { tune: MUSIC, since: world.now });
                    world.command(Command::Play { port, piece: 1, tunes: vec![PROMPT], then });
                }
                8 => world.command(Command::Stop { port }),
                9 => world.command(Command::Watch { port, silence }),
                10 => { world.rtp(port, A, &mut voice(b as u16)); }
                11 => world.command(Command::Agree { port, far: any(kind) }),
                12 | 13 => {
                    let mut ports = vec![port, other, PortId::new(30_006, generation)];
                    ports.truncate(2 + kind as usize % 2);
                    let seats = ports.into_iter().zip([kind as u16, u16::MAX, 1]);
                    let seat = |(port, hears)| control::Seat { port, hears, keys: true };
                    let seats = seats.map(seat);
                    world.command(Command::Gather { seats: seats.collect() });
                }
                14 => world.command(Command::Press { port, keys: "1*#z,9".into() }),
                15 => world.command(Command::Codes { port }),
                16 => {
                    let track = Track { call: CallId(9), side: Side::Right };
                    world.command(Command::Record { port, track: (kind < 5).then_some(track) });
                }
                17 | 18 => _ = world.rtp(port, [A, B][n as usize % 2], &mut anything(kind, n)),
                19 => _ = world.rtcp(port, A, &mut build(77, None, &[], "x")),
                20 => {
                    // Nobody knows them, whatever they say and whenever.
                    proptest::prop_assert!(world.rtp(port, STRANGER, &mut voice(n)).is_none());
                    proptest::prop_assert!(world.rtcp(port, STRANGER, &mut [0x81, 203]).is_none());
                }
                _ => world.pass(u64::from(b % 100)),
            }
            let fars = [A, B].map(|far| address(far).ip());
            let astray = world.frames().into_iter().find(|frame| !fars.contains(&frame.to.ip()));
            proptest::prop_assert!(astray.is_none(), "{astray:?}");
        }
        for at in 0..4 {
            for generation in 0..3 {
                world.command(Command::Close { port: PortId::new(30_000 + 2 * at, generation) });
            }
        }
        proptest::prop_assert!(world.engine.is_empty());
        proptest::prop_assert_eq!(world.engine.deadline(), None);
    }
}
