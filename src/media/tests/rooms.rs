//! Rooms: each party hears all the others and never itself.

use super::*;
use crate::wire::g711::Law;

const FAR: [&str; 4] = ["192.0.2.40:4000", "192.0.2.50:5000", "192.0.2.60:6000", "192.0.2.70:7000"];
/// What each says, as one level that every sum of them tells apart.
const LEVELS: [i16; 4] = [1_000, 2_000, 4_000, 8_000];

fn ports(count: u32) -> Vec<PortId> {
    (0..count).map(|n| port(30_000 + 2 * n)).collect()
}

fn room(fars: &[Far]) -> World {
    let ports = ports(fars.len() as u32);
    let open: Vec<(PortId, Far)> = ports.iter().copied().zip(fars.iter().copied()).collect();
    let mut world = World::with(&open);
    world.command(Command::gather(&ports));
    world
}

/// Each of `who` says its level for half a second; the last level that each port heard.
fn talk(world: &mut World, who: &[usize], from: u16, laws: &[Law]) -> Vec<Option<i16>> {
    let ports = ports(laws.len() as u32);
    world.out.clear();
    for n in from..from + 25 {
        world.pass(20);
        for &n_th in who {
            let law = laws[n_th];
            let payload = [law.encode(LEVELS[n_th]); 160];
            let mut bytes = packet(law.static_payload(), n, &payload);
            assert_eq!(world.rtp(ports[n_th], FAR[n_th], &mut bytes), None, "mixed, not relayed");
        }
    }
    let frames = world.frames();
    let last = |port: &PortId, law: Law| {
        let frame = frames.iter().rev().find(|frame| frame.port == *port)?;
        Some(law.decode(frame.payload()[80]))
    };
    ports.iter().zip(laws).map(|(port, law)| last(port, *law)).collect()
}

fn near(heard: Option<i16>, level: i16) -> bool {
    heard.is_some_and(|heard| (i32::from(heard) - i32::from(level)).abs() <= 300)
}

#[test]
fn three_parties_hear_each_other_and_nobody_themselves() {
    let mut world = room(&[far(FAR[0]), mu(far(FAR[1])), far(FAR[2])]);
    let laws = [Law::A, Law::Mu, Law::A];
    let heard = talk(&mut world, &[0, 1, 2], 1, &laws);
    for (n, level) in [6_000, 5_000, 3_000].into_iter().enumerate() {
        assert!(near(heard[n], level), "{n}: {heard:?}");
    }
}

#[test]
fn whoever_says_nothing_hears_everybody() {
    let mut world = room(&[far(FAR[0]), far(FAR[1]), far(FAR[2]), mu(far(FAR[3]))]);
    let laws = [Law::A, Law::A, Law::A, Law::Mu];
    let heard = talk(&mut world, &[0, 1], 1, &laws);
    let expected = [2_000, 1_000, 3_000, 3_000];
    assert!((0..4).all(|n| near(heard[n], expected[n])), "{heard:?}");
}

#[test]
fn loud_voices_together_are_no_louder_than_can_be_said() {
    let mut world = room(&[far(FAR[0]), far(FAR[1]), far(FAR[2])]);
    world.out.clear();
    let loud = Law::A.encode(i16::MAX);
    for n in 1..26 {
        world.pass(20);
        for (port, from) in ports(2).into_iter().zip(FAR) {
            world.rtp(port, from, &mut packet(8, n, &[loud; 160]));
        }
    }
    let frames = world.frames();
    let third = frames.iter().rev().find(|frame| frame.port == port(30_004)).unwrap();
    assert_eq!(third.payload()[80], loud, "no overflow into the other sign");
}

#[test]
fn a_room_is_left_and_what_stays_goes_on() {
    let mut world = room(&[far(FAR[0]), far(FAR[1]), far(FAR[2])]);
    let laws = [Law::A; 3];
    talk(&mut world, &[0, 1, 2], 1, &laws);
    world.command(Command::Unbridge { port: port(30_004) });
    let heard = talk(&mut world, &[0, 1], 26, &laws);
    assert!(near(heard[0], 2_000) && near(heard[1], 1_000), "{heard:?}");
    assert_eq!(heard[2], None, "whoever has left hears nothing");
    world.bridge(port(30_000), port(30_002));
    let mut bytes = packet(8, 60, &[0xd5; 160]);
    assert!(world.rtp(port(30_000), FAR[0], &mut bytes).is_some(), "two are a bridge");
    assert_eq!(world.engine.deadline(), None, "and the room is gone");
}

#[test]
fn a_beep_is_heard_alone_and_the_room_goes_on_after_it() {
    let mut world = room(&[far(FAR[0]), far(FAR[1]), far(FAR[2])]);
    talk(&mut world, &[0, 1], 1, &[Law::A; 3]);
    let tunes = vec![PROMPT];
    world.command(Command::Play { port: port(30_004), piece: 0, tunes, then: None });
    let heard = talk(&mut world, &[0, 1], 26, &[Law::A; 3]);
    assert!(near(heard[2], 3_000), "{heard:?}");
}

#[test]
fn nothing_is_encoded_for_whoever_does_not_hear() {
    let held = Far { hears: false, ..far(FAR[1]) };
    let mut world = room(&[far(FAR[0]), held, far(FAR[2])]);
    world.command(Command::Play { port: port(30_004), piece: 0, tunes: vec![PROMPT], then: None });
    let codecs = |world: &World| {
        ports(3)
            .into_iter()
            .map(|port| world.engine.table.get(port).unwrap().spoken().map(|(codec, _)| codec))
            .collect()
    };
    let hearing: Vec<Option<Codec>> = codecs(&world);
    assert_eq!(hearing, [Some(Codec::Pcma), None, None], "on hold, and played something");
    world.command(Command::Agree { port: port(30_002), far: far(FAR[1]) });
    world.command(Command::Stop { port: port(30_004) });
    let hearing: Vec<Option<Codec>> = codecs(&world);
    assert_eq!(hearing, [Some(Codec::Pcma); 3]);
}

#[test]
fn keys_of_a_code_do_not_reach_the_other_party_and_others_do() {
    use crate::wire::dtmf::Press;
    let (near, peer) = (port(30_000), port(30_002));
    let mut world = World::with(&[(near, far(FAR[0])), (peer, far(FAR[1]))]);
    world.bridge(near, peer);
    let mut pressed = 0;
    let mut press = |world: &mut World, key: char| {
        pressed += 1;
        let bytes = Press { key, end: false, volume: 10, duration: 160 }.bytes().unwrap();
        let (sequence, timestamp) = (pressed, u32::from(pressed) * 1_600);
        let header = Header { marker: true, payload_type: 101, sequence, timestamp, ssrc: 77 };
        let mut bytes = [&header.bytes()[..], &bytes].concat();
        world.rtp(near, FAR[0], &mut bytes).is_some()
    };
    assert!(press(&mut world, '*'), "nobody reads codes yet");
    world.command(Command::Codes { port: near });
    assert!(press(&mut world, '5'));
    assert!(!press(&mut world, '*') && !press(&mut world, '5'));
    world.command(Command::Codes { port: near });
    assert!(press(&mut world, '5'));
    let keys = world.events().into_iter().filter(|event| matches!(event, Event::Key { .. }));
    assert_eq!(keys.count(), 5, "each is told");
}

/// A supervisor who listens changes nothing: an agent in a bank's menu still presses keys.
#[test]
fn keys_of_a_party_of_a_room_reach_those_who_hear_it_and_a_supervisors_nobody() {
    use crate::wire::dtmf::Press;
    let fars = [far(FAR[0]), far(FAR[1]), far(FAR[2])];
    let mut world = room(&fars);
    let ports = ports(3);
    // The third listens, and speaks to the second alone.
    let seats = [(0b010, true), (0b101, true), (0b011, false)];
    let seats = ports.iter().zip(seats);
    let seats = seats.map(|(port, (hears, keys))| control::Seat { port: *port, hears, keys });
    world.command(Command::Gather { seats: seats.collect() });
    let mut pressed = 0;
    let mut told = |world: &mut World, by: usize| {
        pressed += 20;
        let bytes = Press { key: '5', end: true, volume: 10, duration: 800 }.bytes().unwrap();
        world.rtp(ports[by], FAR[by], &mut packet(101, pressed, &bytes));
        world.pass(300);
        let frames = world.frames();
        let pressed = |port: &&PortId| {
            frames.iter().any(|frame| frame.port == **port && frame.header[1] & 0x7f == 101)
        };
        let told: Vec<usize> =
            ports.iter().filter(pressed).map(|port| port.slot() as usize / 2 - 15_000).collect();
        told
    };
    assert_eq!(told(&mut world, 0), [1, 2]);
    assert_eq!(told(&mut world, 1), [0, 2]);
    assert_eq!(told(&mut world, 2), [0; 0]);
    world.command(Command::Unbridge { port: ports[0] });
    assert_eq!(told(&mut world, 1), [2], "whoever has left is told nothing");
}

/// Two supervisors who hear the same two people, and those themselves: four ears, three encodings.
#[test]
fn who_always_hears_the_same_people_hears_one_encoding_in_any_codec() {
    for codec in Codec::ALL {
        let fars: Vec<Far> = FAR.iter().map(|at| Far::at(address(at), codec)).collect();
        let ports = ports(4);
        let open: Vec<(PortId, Far)> = ports.iter().copied().zip(fars).collect();
        let mut world = World::with(&open);
        // The caller and the agent hear each other; the others hear both, and nobody hears them.
        let seats = ports.iter().zip([2, 1, 3, 3]);
        let seats = seats.map(|(port, hears)| control::Seat { port: *port, hears, keys: false });
        world.command(Command::Gather { seats: seats.collect() });
        let mut coder = crate::media::sound::Encoder::new(codec, 8_000);
        for n in 1..30 {
            world.pass(20);
            let mut payload = Vec::new();
            coder.encode(&[[1_000_i16; 8], [-1_000; 8]].concat().repeat(10), &mut payload);
            let mut bytes = packet(codec.our_payload(), n, &payload);
            let timestamp = u32::from(n) * codec.clock() / 50;
            bytes[4..8].copy_from_slice(&timestamp.to_be_bytes());
            world.rtp(ports[0], FAR[0], &mut bytes);
        }
        let frames = world.frames();
        let last = |at: usize| frames.iter().rev().find(|frame| frame.port == ports[at]).unwrap();
        assert!(Arc::ptr_eq(&last(2).audio, &last(3).audio), "{codec:?}");
        let mut decoder = crate::media::sound::Decoder::new(codec, 8_000);
        let mut heard = Vec::new();
        for frame in frames.iter().filter(|frame| frame.port == ports[3]) {
            decoder.decode(frame.payload(), &mut heard);
        }
        let loud = heard.iter().rev().take(800).filter(|sample| sample.abs() > 400).count();
        assert!(loud > 400, "{codec:?}: {loud} of 800");
    }
}
