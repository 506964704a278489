//! What a network does to two voices, and what is left of it.

use super::*;
use crate::base::{CallId, Rng};
use crate::media::Track;
use crate::media::sound::Encoder;
use std::f64::consts::TAU;

const SECONDS: u64 = 20;
const BEGAN: Instant = Instant(5_000_000);

/// One side's packets, each with the microseconds after the beginning at which it comes.
struct Voice {
    side: Side,
    law: Law,
    packets: Vec<(u64, u16, u32, Vec<u8>)>,
}

impl Voice {
    fn new(side: Side, law: Law, hertz: f64) -> Self {
        let packet = |n: u64| {
            let sample = |i: u64| {
                let at = (n * 160 + i) as f64 / RATE as f64;
                law.encode((8_000.0 * (TAU * hertz * at).sin()) as i16)
            };
            let stamp = (n as u32).wrapping_mul(160).wrapping_add(0xffff_f000);
            (
                (n + 1) * 20_000,
                (n as u16).wrapping_add(65_500),
                stamp,
                (0..160).map(sample).collect(),
            )
        };
        Self { side, law, packets: (0..SECONDS * 50).map(packet).collect() }
    }

    fn changed(mut self, change: impl FnMut(&mut Vec<(u64, u16, u32, Vec<u8>)>)) -> Self {
        let mut change = change;
        change(&mut self.packets);
        self.packets.sort_by_key(|packet| packet.0);
        self
    }
}

/// What is written, and by which voice the two sides were heard.
fn record(voices: &[Voice]) -> Vec<u8> {
    let mut all: Vec<(u64, usize, usize)> = Vec::new();
    for (v, voice) in voices.iter().enumerate() {
        all.extend(voice.packets.iter().enumerate().map(|(p, packet)| (packet.0, v, p)));
    }
    all.sort_unstable();
    let (mut timeline, mut out) = (Timeline::new(BEGAN, 0), Vec::new());
    for (came, v, p) in all {
        let voice = &voices[v];
        let (_, sequence, timestamp, audio) = &voice.packets[p];
        let heard = Heard {
            track: Track { call: CallId(1), side: voice.side },
            at: Instant(BEGAN.0 + came),
            ssrc: 100 + v as u32,
            sequence: *sequence,
            timestamp: *timestamp,
            codec: voice.law.into(),
            comfort: false,
            audio,
        };
        timeline.put(&heard, &mut out);
        let now = timeline.frame(heard.at);
        timeline.write_to(now.saturating_sub(BEHIND), &mut out);
    }
    timeline.write_to(SECONDS * RATE, &mut out);
    out
}

fn side(out: &[u8], lane: usize) -> Vec<i16> {
    out.chunks(FRAME).map(|frame| Law::A.decode(frame[lane])).collect()
}

/// Sounding frames of 20 ms, and how many of them hold the tone in its phase.
fn judge(samples: &[i16], hertz: f64) -> (usize, usize) {
    let (mut sounding, mut right) = (0, 0);
    for (n, frame) in samples.chunks(160).enumerate() {
        if frame.iter().all(|s| s.abs() < 100) {
            continue;
        }
        sounding += 1;
        let error = frame.iter().enumerate().map(|(i, sample)| {
            let at = (n * 160 + i) as f64 / RATE as f64;
            (f64::from(*sample) - 8_000.0 * (TAU * hertz * at).sin()).powi(2)
        });
        let rms = (error.sum::<f64>() / frame.len() as f64).sqrt();
        right += usize::from(rms < 800.0);
    }
    (sounding, right)
}

#[test]
fn q40_the_length_is_that_of_the_call_with_15_percent_lost_and_both_laws() {
    let mut rng = Rng::new(40);
    let caller = Voice::new(Side::Left, Law::A, 400.0)
        .changed(|packets| packets.retain(|_| rng.below(100) >= 15));
    let kept = caller.packets.len();
    let agent = Voice::new(Side::Right, Law::Mu, 700.0);
    let out = record(&[caller, agent]);
    assert_eq!(out.len() as u64, SECONDS * RATE * FRAME as u64);
    let all = (SECONDS * 50) as usize;
    let (sounding, right) = judge(&side(&out, 0), 400.0);
    assert!(right >= kept, "{right} of {kept} are what came");
    assert!(sounding > all - 5, "{sounding} of {all}: what was lost is made up");
    assert_eq!(judge(&side(&out, 1), 700.0), (all, all));
}

#[test]
fn q40_mixed_codecs_with_15_percent_lost_are_as_long_as_the_call_and_in_time() {
    // Silence for half of the call, then a tone.
    let sound = |codec: Codec, hertz: f64| {
        let mut encoder = Encoder::new(codec, NARROW);
        let frame = |n: u64| {
            let sample = |i: u64| {
                let at = (n * 160 + i) as f64 / RATE as f64;
                if n < SECONDS * 25 { 0 } else { (8_000.0 * (TAU * hertz * at).sin()) as i16 }
            };
            let mut payload = Vec::new();
            encoder.encode(&(0..160).map(sample).collect::<Vec<i16>>(), &mut payload);
            payload
        };
        (0..SECONDS * 50).map(frame).collect::<Vec<Vec<u8>>>()
    };
    let mut rng = Rng::new(41);
    let (mut timeline, mut out) = (Timeline::new(BEGAN, 0), Vec::new());
    let sides = [(Side::Left, Codec::Opus, 400.0), (Side::Right, Codec::G722, 700.0)];
    let sides = sides.map(|(side, codec, hertz)| (side, codec, sound(codec, hertz)));
    for n in 0..SECONDS * 50 {
        for (side, codec, payloads) in &sides {
            if rng.below(100) < 15 {
                continue;
            }
            let heard = Heard {
                track: Track { call: CallId(1), side: *side },
                at: Instant(BEGAN.0 + (n + 1) * 20_000 + rng.below(15_000)),
                ssrc: 1,
                sequence: n as u16,
                timestamp: n as u32 * codec.clock() / 50,
                codec: *codec,
                comfort: false,
                audio: &payloads[n as usize],
            };
            timeline.put(&heard, &mut out);
            let now = timeline.frame(heard.at);
            timeline.write_to(now.saturating_sub(BEHIND), &mut out);
        }
    }
    timeline.write_to(SECONDS * RATE, &mut out);
    assert_eq!(out.len() as u64, SECONDS * RATE * FRAME as u64);
    for lane in [0, 1] {
        let samples = side(&out, lane);
        let (before, after) = samples.split_at(samples.len() / 2);
        let loud = |samples: &[i16]| samples.iter().any(|sample| sample.abs() > 1_500);
        assert!(!loud(&before[..before.len() - 160]), "{lane}: nothing is heard too soon");
        let begins = after.iter().position(|sample| sample.abs() > 1_500).unwrap();
        assert!(begins < 160, "{lane}: {begins} frames late");
        let sounding = after[400..].chunks(160).filter(|frame| loud(frame)).count();
        assert!(sounding > 450, "{lane}: {sounding} of 497");
    }
}

#[test]
fn disorder_duplicates_and_jitter_change_nothing() {
    let mut rng = Rng::new(7);
    let caller = Voice::new(Side::Left, Law::A, 500.0).changed(|packets| {
        // The first is on time, or all would look too early by it.
        for packet in packets.iter_mut().skip(1) {
            packet.0 += rng.below(60) * 1_000;
        }
        let twice: Vec<_> = packets.iter().step_by(10).cloned().collect();
        packets.extend(twice.into_iter().map(|mut packet| {
            packet.0 += 25_000;
            packet
        }));
    });
    let out = record(&[caller, Voice::new(Side::Right, Law::A, 600.0)]);
    let all = (SECONDS * 50) as usize;
    assert_eq!(judge(&side(&out, 0), 500.0), (all, all));
}

#[test]
fn a_first_packet_that_is_late_does_not_move_the_call() {
    let caller = Voice::new(Side::Left, Law::A, 500.0).changed(|packets| packets[0].0 += 15_000);
    let samples = side(&record(&[caller]), 0);
    let begin = samples.iter().skip(16_000).take(160).collect::<Vec<_>>();
    assert!(begin.iter().any(|s| s.abs() > 1_000));
    let quiet_at_end = samples.iter().rev().take_while(|s| s.abs() < 100).count();
    assert!(quiet_at_end <= 160, "{quiet_at_end}");
}

#[test]
fn a_telephone_whose_clock_is_slow_stays_within_20_ms() {
    // One part in a thousand: ten times what a bad crystal does.
    let caller = Voice::new(Side::Left, Law::A, 500.0).changed(|packets| {
        for packet in packets.iter_mut() {
            packet.0 += packet.0 / 1_000;
        }
        // A click by which the last second is known.
        packets[950].3.fill(Law::A.encode(30_000));
    });
    let samples = side(&record(&[caller]), 0);
    let click = samples.iter().position(|s| *s > 20_000).unwrap() as i64;
    let said = 950 * 160 + 950 * 160 / 1_000;
    assert!((click - said).abs() <= 160, "{click} {said}");
}

#[test]
fn silence_of_seconds_and_a_stream_that_begins_anew_keep_their_times() {
    let caller = Voice::new(Side::Left, Law::A, 500.0).changed(|packets| {
        packets.retain(|packet| !(4_000_000..9_000_000).contains(&packet.0));
        for packet in packets.iter_mut().filter(|packet| packet.0 >= 9_000_000) {
            (packet.1, packet.2) = (packet.1.wrapping_add(20_000), packet.2.wrapping_mul(3));
        }
        packets.truncate(480);
    });
    let samples = side(&record(&[caller]), 0);
    let sounds = |from: usize, to: usize| {
        samples[from * 800..to * 800].iter().filter(|s| s.abs() > 100).count()
    };
    assert!(sounds(0, 39) > 20_000, "{}", sounds(0, 39));
    assert_eq!(sounds(41, 89), 0);
    assert!(sounds(91, 120) > 10_000, "{}", sounds(91, 120));
}

#[test]
fn two_on_one_side_are_heard_together() {
    let out =
        record(&[Voice::new(Side::Right, Law::A, 500.0), Voice::new(Side::Right, Law::Mu, 500.0)]);
    let loud = side(&out, 1).iter().map(|s| s.abs()).max().unwrap();
    assert!(loud > 15_000, "{loud}");
    assert!(side(&out, 0).iter().all(|s| s.abs() < 100));
}

#[test]
fn what_an_earlier_process_wrote_is_gone_on_from() {
    let (mut timeline, mut out) = (Timeline::new(BEGAN, 3 * RATE), Vec::new());
    let heard = Heard {
        track: Track { call: CallId(1), side: Side::Left },
        at: Instant(BEGAN.0 + 6_020_000),
        ssrc: 1,
        sequence: 1,
        timestamp: 1,
        codec: Law::A.into(),
        comfort: false,
        audio: &[0x2a; 160],
    };
    timeline.put(&heard, &mut out);
    timeline.write_to(7 * RATE, &mut out);
    assert_eq!(out.len() as u64, 4 * RATE * FRAME as u64);
    assert_eq!(out.iter().position(|o| *o != SILENCE), Some(3 * RATE as usize * FRAME));
}

/// RFC 3389: whoever tells of a pause is not gone, and a recording is not dead in it.
#[test]
fn a_pause_that_was_told_of_sounds_as_it_was_told_until_the_voice_or_ten_seconds_are_over() {
    let (mut timeline, mut out) = (Timeline::new(BEGAN, 0), Vec::new());
    let voice = [Law::A.encode(8_000); 160];
    let put = |timeline: &mut Timeline, out: &mut Vec<u8>, n: u64, told: Option<u8>| {
        let level = told.map(|level| [level]);
        let heard = Heard {
            track: Track { call: CallId(1), side: Side::Right },
            at: Instant(BEGAN.0 + (n + 1) * 20_000),
            ssrc: 7,
            sequence: n as u16,
            timestamp: n as u32 * 160,
            codec: Codec::Pcma,
            comfort: told.is_some(),
            audio: level.as_ref().map_or(&voice[..], |level| &level[..]),
        };
        timeline.put(&heard, out);
    };
    let level = |out: &[u8], from: usize, to: usize| {
        let part = &side(out, 1)[from * 8..to * 8];
        let sum: f64 = part.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        (sum / part.len() as f64).sqrt()
    };
    for n in 0..1_000 {
        match n {
            // Voice for a second, a pause of four, voice for one, and a pause for good.
            0..50 | 250..300 => put(&mut timeline, &mut out, n, None),
            50 | 300 => put(&mut timeline, &mut out, n, Some(40)),
            _ => {}
        }
        timeline.write_to((n * 160).saturating_sub(BEHIND), &mut out);
    }
    timeline.write_to(160_000, &mut out);
    assert_eq!(out.len(), 160_000 * FRAME);
    assert!(side(&out, 0).iter().all(|sample| sample.abs() <= 8), "of one side only");
    for (from, to, least, most) in [
        (100, 980, 7_500.0, 8_500.0),
        (1_100, 4_900, 300.0, 360.0),
        (5_020, 5_980, 7_500.0, 8_500.0),
        (6_100, 15_900, 300.0, 360.0),
        (16_200, 20_000, 0.0, 8.1),
    ] {
        let heard = level(&out, from, to);
        assert!((least..=most).contains(&heard), "{from} to {to} ms: {heard}");
    }
}
