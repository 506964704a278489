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
