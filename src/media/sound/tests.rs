//! What every codec does to a voice, at every rate, and what garbage does to it.

use super::*;
use std::f64::consts::TAU;

const FRAMES: usize = 50;

/// Something like a voice: a fundamental that glides, with harmonics up to 3 kHz.
fn voice(rate: u32) -> Vec<i16> {
    let samples = 0..FRAMES as u32 * rate / 50;
    let sample = |n: u32| {
        let at = f64::from(n) / f64::from(rate);
        let phase = TAU * (140.0 * at + 20.0 * at * at);
        let harmonics = (1..18).map(|k| (f64::from(k) * phase).sin() / f64::from(k));
        (3_000.0 * harmonics.sum::<f64>()) as i16
    };
    samples.map(sample).collect()
}

/// Signal to noise in dB at the best delay and level, and that delay in samples.
fn quality(sent: &[i16], heard: &[i16], delay_max: usize) -> (f64, usize) {
    let span = sent.len() / 2;
    let from = sent.len() / 4;
    let at = |delay: usize| {
        let pairs = sent[from..from + span].iter().zip(&heard[from + delay..]);
        let (mut product, mut power, mut own) = (0.0, 1.0, 0.0);
        for (a, b) in pairs {
            let (a, b) = (f64::from(*a), f64::from(*b));
            (product, power, own) = (product + a * b, power + b * b, own + a * a);
        }
        let noise = own - product * product / power;
        (10.0 * (own / noise.max(1.0)).log10(), delay)
    };
    let room = heard.len().saturating_sub(from + span);
    (0..delay_max.min(room)).map(at).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
}

fn encoded(codec: Codec, rate: u32) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec, rate);
    let frame = |samples: &[i16]| {
        let mut payload = Vec::new();
        encoder.encode(samples, &mut payload);
        payload
    };
    voice(rate).chunks(rate as usize / 50).map(frame).collect()
}

#[test]
fn a_voice_survives_every_codec_at_both_rates() {
    for codec in Codec::ALL {
        for (from, to) in [(NARROW, NARROW), (WIDE, WIDE), (NARROW, WIDE), (WIDE, NARROW)] {
            let mut decoder = Decoder::new(codec, to);
            let mut heard = Vec::new();
            for payload in encoded(codec, from) {
                assert_eq!(ticks(codec, &payload), Some(codec.clock() / 50));
                decoder.decode(&payload, &mut heard);
            }
            assert_eq!(heard.len(), FRAMES * to as usize / 50, "{codec:?} {from} {to}");
            let (good, delay) = quality(&voice(to), &heard, to as usize / 50);
            let least = if codec == Codec::Opus { 5.0 } else { 18.0 };
            assert!(good > least, "{codec:?} {from} {to}: {good} dB, {delay} samples late");
        }
    }
}

#[test]
fn a_lost_packet_of_opus_is_made_up_by_opus() {
    let packets = encoded(Codec::Opus, WIDE);
    let (mut decoder, mut heard) = (Decoder::new(Codec::Opus, WIDE), Vec::new());
    for (n, packet) in packets.iter().enumerate() {
        match n % 10 {
            5 => assert!(decoder.conceal(packets.get(n + 1).map(|p| &p[..]), 320, &mut heard)),
            9 => assert!(decoder.conceal(None, 320, &mut heard)),
            _ => decoder.decode(packet, &mut heard),
        }
    }
    assert_eq!(heard.len(), FRAMES * 320);
    // What is made up is in another phase and a little fainter; loud it must never be.
    let power =
        |samples: &[i16]| -> f64 { samples[1_600..].iter().map(|s| f64::from(*s).powi(2)).sum() };
    let level = 10.0 * (power(&heard) / power(&voice(WIDE))).log10();
    assert!((-6.0..1.0).contains(&level), "{level} dB");
    assert!(!Decoder::new(Codec::G722, WIDE).conceal(None, 320, &mut heard), "it has no way");
}

#[test]
fn how_long_a_packet_of_opus_is_stands_in_its_first_octets() {
    let long = |packet: &[u8]| duration(packet).map(|ticks| ticks / 48);
    assert_eq!([long(&[0x08]), long(&[0x78]), long(&[0x18])], [Some(20), Some(20), Some(60)]);
    assert_eq!([long(&[0x09, 1]), long(&[0x0b, 6]), long(&[0x0b, 7])], [Some(40), Some(120), None]);
    assert_eq!([long(&[]), long(&[0x0b]), long(&[0x0b, 0])], [None; 3]);
}

proptest::proptest! {
    #[test]
    fn no_payload_brings_a_decoder_down(
        payloads in proptest::collection::vec(proptest::collection::vec(0u8..=255, 0..300), 1..12),
        wide in proptest::bool::ANY,
    ) {
        let rate = if wide { WIDE } else { NARROW };
        for codec in Codec::ALL {
            let (mut decoder, mut heard) = (Decoder::new(codec, rate), Vec::new());
            for payload in &payloads {
                let before = heard.len();
                decoder.decode(payload, &mut heard);
                decoder.conceal(Some(payload), 320, &mut heard);
                decoder.conceal(None, 160, &mut heard);
                // 120 ms of Opus or as many octets of the others, and what was made up.
                let most = 2 * payload.len().max(960) + 480;
                assert!(heard.len() - before <= most);
            }
        }
    }

    #[test]
    fn a_damaged_packet_of_opus_is_an_odd_sound_and_no_more(
        at in 0usize..50, octet in 0usize..80, with in 0u8..=255, cut in 0usize..80,
    ) {
        let mut packets = encoded_once();
        let packet = &mut packets[at];
        packet.truncate(packet.len().min(cut.max(1)));
        let last = packet.len() - 1;
        packet[octet.min(last)] = with;
        let (mut decoder, mut heard) = (Decoder::new(Codec::Opus, WIDE), Vec::new());
        for packet in &packets[at.saturating_sub(1)..(at + 3).min(FRAMES)] {
            decoder.decode(packet, &mut heard);
        }
        assert!(heard.len() <= 4 * 1_920);
    }
}

fn encoded_once() -> Vec<Vec<u8>> {
    static ONCE: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    ONCE.get_or_init(|| encoded(Codec::Opus, WIDE)).clone()
}

fn encoded_with(terms: Terms, samples: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::with(Codec::Opus, WIDE, &terms);
    let frame = |samples: &[i16]| {
        let mut payload = Vec::new();
        encoder.encode(samples, &mut payload);
        payload
    };
    samples.chunks(320).map(frame).collect()
}

/// RFC 7587 section 6.1.
#[test]
fn opus_is_what_the_far_end_wants_of_it() {
    let mean = |packets: &[Vec<u8>]| {
        packets.iter().map(Vec::len).sum::<usize>() as f64 * 8.0 * 50.0 / packets.len() as f64
    };
    let any = Terms::default();
    for bits in [8_000, 12_000, 20_000] {
        let packets = encoded_with(Terms { bits, ..any }, &voice(WIDE));
        assert!(mean(&packets) < 1.1 * f64::from(bits), "{bits}: {}", mean(&packets));
    }
    let own = encoded_with(any, &voice(WIDE));
    assert!((14_000.0..36_000.0).contains(&mean(&own)), "{}", mean(&own));
    let alike = encoded_with(Terms { cbr: true, ..any }, &voice(WIDE));
    assert!(alike.iter().all(|packet| packet.len() == 80), "32,000 bits a second");
    // RFC 6716 section 3.1: which band it is stands in the first octet.
    let band = |packet: &Vec<u8>| match packet[0] >> 3 {
        0..4 | 16..20 => 4_000,
        4..8 => 6_000,
        _ => 8_000,
    };
    for (rate, hertz) in [(8_000, 4_000), (12_000, 6_000), (16_000, 8_000), (48_000, 8_000)] {
        let packets = encoded_with(Terms { rate, ..any }, &voice(WIDE));
        assert!(packets[5..].iter().all(|packet| band(packet) <= hertz), "{rate}");
    }
}

/// A voice whose pitch is another in every frame: nobody can guess the one that is lost.
fn leaping() -> Vec<i16> {
    let sample = |n: usize| {
        let hertz = pitch(n / 320);
        let at = TAU * hertz * (n % 320) as f64 / f64::from(WIDE);
        (2_500.0 * (1..5).map(|k| (f64::from(k) * at).sin() / f64::from(k)).sum::<f64>()) as i16
    };
    (0..FRAMES * 320).map(sample).collect()
}

fn pitch(frame: usize) -> f64 {
    [400.0, 750.0, 550.0, 950.0, 650.0, 850.0, 500.0][frame % 7]
}

/// How loud the pitch of each lost frame is, where that frame was to be heard.
fn recovered(terms: Terms, repaired: bool) -> f64 {
    let packets = encoded_with(terms, &leaping());
    let (mut decoder, mut heard) = (Decoder::new(Codec::Opus, WIDE), Vec::new());
    let lost = |n: usize| n % 5 == 3;
    for (n, packet) in packets.iter().enumerate() {
        match lost(n) {
            true => {
                let next = packets.get(n + 1).filter(|_| repaired).map(|packet| &packet[..]);
                assert!(decoder.conceal(next, 320, &mut heard));
            }
            false => decoder.decode(packet, &mut heard),
        }
    }
    // The coder looks ahead by 6.5 ms.
    let loud = |n: usize| {
        let part = &heard[n * 320 + 104..(n + 1) * 320 + 104];
        let turn = TAU * pitch(n) / f64::from(WIDE);
        let wave = |wave: fn(f64) -> f64| {
            part.iter().zip(0..).map(|(s, at)| f64::from(*s) * wave(turn * f64::from(at))).sum()
        };
        f64::hypot(wave(f64::sin), wave(f64::cos)) / 160.0
    };
    let places: Vec<usize> = (10..FRAMES - 2).filter(|n| lost(*n)).collect();
    places.iter().map(|n| loud(*n)).sum::<f64>() / places.len() as f64
}

#[test]
fn a_lost_packet_is_what_the_next_one_says_it_was() {
    let fec = Terms { fec: true, ..Terms::default() };
    let (repaired, made_up) = (recovered(fec, true), recovered(fec, false));
    assert!(repaired > 3.0 * made_up, "{repaired} {made_up}");
    assert!(repaired > 1_200.0, "of 2,500: {repaired}");
    // For whoever has not asked for it nothing is said twice.
    let plain = recovered(Terms::default(), true);
    assert!(plain < 2.0 * made_up, "{plain} {made_up}");
}
