//! Keys that are pressed while whoever they are for hears something of ours.

use super::*;
use crate::media::tones::{Tones, tone};
use crate::wire::dtmf::Press;

const FAR: [&str; 2] = ["192.0.2.40:4000", "192.0.2.50:5000"];
const ONE: fn() -> PortId = || port(30_000);
const OTHER: fn() -> PortId = || port(30_002);

/// What came to the other one: of which stream, and when in it; whether it is a key; its payload.
type Came = ((u32, u32), bool, Vec<u8>);

fn came(bytes: &[u8]) -> Came {
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    ((word(8), word(4)), bytes[1] & 0x7f == 101, bytes[12..].to_vec())
}

/// Twenty milliseconds: the one says this, and so much comes to the other.
fn step(world: &mut World, mut said: Vec<u8>) -> Vec<Came> {
    let relayed = world.rtp(ONE(), FAR[0], &mut said).map(|_| came(&said));
    world.pass(20);
    let ours = world.out.iter().filter_map(|effect| match effect {
        Effect::Send(frame) if frame.port == OTHER() => {
            Some(came(&[&frame.header[..], frame.payload()].concat()))
        }
        _ => None,
    });
    let all = relayed.into_iter().chain(ours).collect();
    world.out.retain(|effect| !matches!(effect, Effect::Send(_)));
    all
}

/// The nth packet of eight of a press that begins under this number.
fn held(key: char, first: u16, n: u16) -> Vec<u8> {
    let press = Press { key, end: n >= 5, volume: 10, duration: 160 * (n.min(5) + 1) };
    let timestamp = u32::from(first) * 160;
    let header =
        Header { marker: n == 0, payload_type: 101, sequence: first + n, timestamp, ssrc: 77 };
    [&header.bytes()[..], &press.bytes().unwrap()].concat()
}

/// The presses among this, as a telephone tells them apart: by stream and beginning; of which
/// stream, and whether each has ended.
fn presses(all: &[Came]) -> Vec<(u32, char, bool)> {
    let mut told: Vec<((u32, u32), char, bool)> = Vec::new();
    for (begun, _, payload) in all.iter().filter(|came| came.1) {
        let Press { key, end, .. } = Press::parse(payload).unwrap();
        match told.iter_mut().find(|press| press.0 == *begun) {
            Some(press) => press.2 |= end,
            None => told.push((*begun, key, end)),
        }
    }
    told.into_iter().map(|((ssrc, _), key, end)| (ssrc, key, end)).collect()
}

fn talking(far: [Far; 2]) -> World {
    let mut world = World::with(&[(ONE(), far[0]), (OTHER(), far[1])]);
    world.bridge(ONE(), OTHER());
    for n in 1..=10 {
        step(&mut world, voice(n));
    }
    world
}

/// A beep of 100 ms begins before the press, amid it, or ends amid it; whoever hears the beep is
/// told of the key all the same, once, and of its end.
#[test]
fn a_key_that_is_pressed_while_the_other_hears_a_beep_reaches_them_once() {
    for beep in 0..12 {
        let mut world = talking([far(FAR[0]), far(FAR[1])]);
        let mut all = Vec::new();
        for n in 0..30 {
            if n == beep {
                let (port, tunes) = (OTHER(), vec![PROMPT]);
                world.command(Command::Play { port, piece: 1, tunes, then: None });
            }
            // It is down from the fourth step on.
            let said = if (4..12).contains(&n) { held('7', 15, n - 4) } else { voice(11 + n) };
            all.extend(step(&mut world, said));
        }
        let told: Vec<(u32, char, bool)> = presses(&all);
        assert_eq!(told.len(), 1, "a beep at {beep}: {told:?}");
        // One that had begun as it came is heard to its end by whoever hears one at all.
        assert!(told[0].1 == '7' && (told[0].2 || beep > 4), "a beep at {beep}: {told:?}");
        let keys = world.events();
        let keys = keys.iter().filter(|event| matches!(event, Event::Key { key: '7', .. }));
        assert_eq!(keys.count(), 1, "and the switch is told of it");
        // Afterwards they hear one another as before.
        let last = step(&mut world, voice(41));
        assert_eq!(last, [((77, 41 * 160), false, vec![0xd5; 160])], "a beep at {beep}");
        let next: Vec<Came> = (0..8).flat_map(|n| step(&mut world, held('8', 42, n))).collect();
        assert_eq!(presses(&next), [(77, '8', true)], "a beep at {beep}");
    }
}

/// A room is one stream, and goes on beside the key.
#[test]
fn whoever_is_told_of_a_key_in_a_room_misses_nothing_of_the_room() {
    let wide = Far { payload: 9, codec: Codec::G722, ..far(FAR[1]) };
    let mut world = talking([far(FAR[0]), wide]);
    let mut all = Vec::new();
    for n in 0..30 {
        let said = if (4..12).contains(&n) { held('7', 15, n - 4) } else { voice(11 + n) };
        all.extend(step(&mut world, said));
    }
    assert_eq!(presses(&all).len(), 1);
    let sound = all.iter().filter(|came| !came.1).count();
    assert_eq!(sound, 30, "20 ms at a time");
}

/// What begins with a `*` is a code of ours, and nobody's key.
#[test]
fn a_code_that_is_keyed_in_amid_a_beep_reaches_nobody_but_us() {
    let mut world = talking([far(FAR[0]), far(FAR[1])]);
    world.command(Command::Codes { port: ONE() });
    world.command(Command::music(OTHER(), MUSIC, Instant(0)));
    let mut all = Vec::new();
    for (at, key) in (0..).zip("*2".chars()) {
        for n in 0..8 {
            if n == 4 && key == '2' {
                // Read, and what comes of its last key is none of the next code.
                world.command(Command::Stop { port: OTHER() });
                world.command(Command::Codes { port: ONE() });
            }
            all.extend(step(&mut world, held(key, 15 + 20 * at, n)));
        }
    }
    assert_eq!(presses(&all), []);
    let told = world.events();
    let keys = told.iter().filter_map(|event| match event {
        Event::Key { key, .. } => Some(*key),
        _ => None,
    });
    assert_eq!(keys.collect::<String>(), "*2");
}

/// The same of two trunks that have keys in their sound alone.
#[test]
fn a_tone_that_is_pressed_while_the_other_trunk_hears_a_beep_is_one_there_too() {
    for beep in [0, 2, 30] {
        let trunk = |rtp| Far { inband: true, event: None, ..far(rtp) };
        let mut world = talking(FAR.map(trunk));
        let mut all = Vec::new();
        for n in 0..30u16 {
            if n == beep {
                let (port, tunes) = (OTHER(), vec![PROMPT; 2]);
                world.command(Command::Play { port, piece: 1, tunes, then: None });
            }
            // It is down for 200 ms.
            let since = (3..13).contains(&n).then(|| u32::from(n - 3) * 160);
            let samples = since.map_or([0; 160], |since| tone('5', since));
            let said = packet(8, 11 + n, &samples.map(|sample| Law::A.encode(sample)));
            all.extend(step(&mut world, said));
        }
        let (mut ear, mut keys) = (Tones::default(), Vec::new());
        let samples =
            all.iter().flat_map(|(.., payload)| payload.iter().map(|o| Law::A.decode(*o)));
        ear.hear(samples, &mut keys);
        assert_eq!(keys, ['5'], "a beep at {beep}");
    }
}
