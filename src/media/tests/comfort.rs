//! Comfort noise (RFC 3389): a pause that was told of, and what becomes of it on its way to others.

use super::*;
use crate::wire::dtmf::Press;
use crate::wire::rtcp::build;

const A: &str = "192.0.2.40:4000";
const A_RTCP: &str = "192.0.2.40:4001";
const B: &str = "192.0.2.50:5000";
const NEAR: fn() -> PortId = || port(30_000);
const PEER: fn() -> PortId = || port(30_002);

fn quiet(far: Far, comfort: Option<u8>) -> Far {
    Far { comfort, ..far }
}

/// Two who talk, watched for silence as they are.
fn talking(near: Far, peer: Far) -> World {
    let mut world = World::with(&[(NEAR(), near), (PEER(), peer)]);
    world.bridge(NEAR(), PEER());
    let silence = Some(Duration::from_secs(3));
    for port in [NEAR(), PEER()] {
        world.command(Command::Watch { port, silence });
    }
    world.stream(NEAR(), A, 1, 10);
    world
}

fn is_silent(world: &mut World) -> bool {
    world.events().contains(&Event::Silent { port: NEAR() })
}

/// Noise at 40 dB below overload.
fn noise(sequence: u16) -> Vec<u8> {
    packet(13, sequence, &[40])
}

/// What is passed on, by the numbers that it had when it came: the first was `first`.
fn since(first: u16, numbers: &[u16]) -> Vec<u16> {
    numbers.iter().map(|n| n - numbers[0] + first).collect()
}

#[test]
fn to_have_named_comfort_noise_is_not_to_pause_and_reports_are_no_voice() {
    let mut world = talking(quiet(far(A), Some(13)), far(B));
    for second in 0..4 {
        assert!(!is_silent(&mut world), "after {second} s");
        world.rtcp(NEAR(), A_RTCP, &mut build(77, None, &[], "a"));
        world.pass(1_000);
    }
    assert!(is_silent(&mut world));
}

#[test]
fn a_pause_that_was_told_of_is_silence_after_twenty_seconds_without_even_a_report() {
    for named in [Some(13), None] {
        let mut world = talking(quiet(far(A), named), far(B));
        world.rtp(NEAR(), A, &mut noise(11));
        for _ in 0..10 {
            world.rtcp(NEAR(), A_RTCP, &mut build(77, None, &[], "a"));
            world.pass(5_000);
        }
        assert!(!is_silent(&mut world), "it is still there");
        world.pass(16_000);
        assert!(is_silent(&mut world), "and is no more");
    }
}

#[test]
fn whoever_has_paused_and_speaks_again_is_heard_like_any_other() {
    let mut world = talking(quiet(far(A), Some(13)), far(B));
    world.rtp(NEAR(), A, &mut noise(11));
    world.pass(10_000);
    world.rtp(NEAR(), A, &mut voice(511));
    assert!(!is_silent(&mut world));
    world.pass(3_300);
    assert!(is_silent(&mut world));
}

#[test]
fn comfort_noise_goes_on_to_whoever_agreed_to_it_under_their_number() {
    let mut world = talking(quiet(far(A), Some(13)), quiet(mu(far(B)), Some(19)));
    let mut bytes = noise(11);
    let relay = world.rtp(NEAR(), A, &mut bytes);
    assert_eq!(relay, Some(Relay { port: PEER(), to: address(B) }));
    assert_eq!((bytes[1] & 0x7f, &bytes[12..]), (19, &[40][..]));
    let mut next = voice(12);
    assert!(world.rtp(NEAR(), A, &mut next).is_some(), "and what follows is relayed");
    assert_eq!(number(&next), number(&bytes) + 1);
}

#[test]
fn comfort_noise_becomes_noise_for_whoever_has_not_agreed_to_it() {
    let mut world = talking(quiet(far(A), Some(13)), far(B));
    assert!(world.rtp(NEAR(), A, &mut voice(11)).is_some(), "until then all is relayed");
    world.rtp(NEAR(), A, &mut noise(12));
    world.out.clear();
    world.pass(2_000);
    let frames = world.frames();
    let heard: Vec<f64> = frames
        .iter()
        .filter(|frame| frame.port == PEER())
        .flat_map(|frame| frame.payload().iter().map(|octet| f64::from(Law::A.decode(*octet))))
        .collect();
    assert!((15_800..=16_000).contains(&heard.len()), "{}", heard.len());
    // Between the level and what the steps of A-law make of so little.
    for second in heard.chunks_exact(4_000) {
        let power = second.iter().map(|s| s * s).sum::<f64>() / second.len() as f64;
        let level = 10.0 * (power / 32_768f64.powi(2)).log10();
        assert!((-42.0..-38.0).contains(&level), "{level} dB");
    }
    // The voice comes back, in the same stream.
    for n in 112..130 {
        world.pass(20);
        assert_eq!(world.rtp(NEAR(), A, &mut packet(8, n, &[0x2a; 160])), None);
    }
    let frames = world.frames();
    let last = frames.iter().rev().find(|frame| frame.port == PEER()).unwrap();
    assert!(last.payload().iter().all(|octet| *octet == 0x2a));
    // Once both know it, nothing has to be made any more.
    world.command(Command::Agree { port: PEER(), far: quiet(far(B), Some(13)) });
    assert!(world.rtp(NEAR(), A, &mut noise(130)).is_some());
}

#[test]
fn what_is_kept_back_leaves_no_gap_in_the_numbers() {
    let mut world = talking(far(A), far(B));
    world.command(Command::Codes { port: NEAR() });
    let say = |world: &mut World, packets: &[(u16, Option<char>)]| -> Vec<u16> {
        let mut numbers = Vec::new();
        for (n, key) in packets {
            let press = key.map(|key| Press { key, end: false, volume: 10, duration: 160 });
            let mut bytes = match press.and_then(|press| press.bytes()) {
                Some(payload) => packet(101, *n, &payload),
                None => voice(*n),
            };
            world.pass(20);
            let said = world.rtp(NEAR(), A, &mut bytes).is_some();
            numbers.extend(said.then(|| number(&bytes)));
        }
        numbers
    };
    let code = (12..16).map(|n| (n, Some('*')));
    // One whose packet before it was lost, and comes twice.
    let more = [(17, Some('5')), (17, Some('5'))];
    let voices = (18..22).map(|n| (n, None));
    let all: Vec<(u16, Option<char>)> =
        [(11, None)].into_iter().chain(code).chain(more).chain(voices).collect();
    let first = say(&mut world, &all);
    let numbers = since(11, &first);
    assert_eq!(numbers, [11, 13, 14, 15, 16], "one was lost, five were kept back");
    // Overtaken by keys that are kept back: 24 comes after 25 and 26.
    let overtaken = [(22, None), (25, Some('7')), (26, Some('7')), (24, None), (27, None)];
    let numbers = [&first[..1], &say(&mut world, &overtaken)].concat();
    assert_eq!(since(11, &numbers)[1..], [17, 19, 20], "18 was lost, no number comes twice");
}

#[test]
fn a_packet_that_a_key_of_ours_overtook_keeps_its_number() {
    let mut world = talking(far(A), far(B));
    let mut numbers = Vec::new();
    let mut say = |world: &mut World, n: u16| {
        let mut bytes = voice(n);
        assert!(world.rtp(NEAR(), A, &mut bytes).is_some());
        numbers.push(number(&bytes));
    };
    say(&mut world, 11);
    world.out.clear();
    world.command(Command::Press { port: PEER(), keys: "5".into() });
    say(&mut world, 13);
    world.pass(40);
    let pressed: Vec<u16> = world.frames().iter().map(|frame| number(&frame.header)).collect();
    say(&mut world, 12);
    say(&mut world, 14);
    assert_eq!(since(11, &[&numbers[..], &pressed].concat()), [11, 13, 12, 16, 14, 15]);
}
