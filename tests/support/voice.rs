//! What is said over telephones whose sound is judged: sentences of the shipped Hindi prompts, and
//! for wide band voices that are computed, since the prompts have nothing above 4,000 Hz. Each ends
//! in a moment of silence, and is meant to be said again and again.

use pukar::wire::wav;
use std::f64::consts::{PI, TAU};

/// How long each of them is.
pub const SECONDS: f64 = 1.75;
/// Who says different ones is not taken for another.
const SENTENCES: [&str; 8] =
    ["welcome", "busy", "closed", "cb_ok", "rec", "full", "fail", "cb_offer"];

pub fn sentence() -> Vec<i16> {
    nth(0)
}

/// One of eight sentences, at 8,000 Hz.
pub fn nth(n: usize) -> Vec<i16> {
    let name = SENTENCES[n % SENTENCES.len()];
    let prompts = concat!(env!("CARGO_MANIFEST_DIR"), "/prompts/hi/");
    let file = std::fs::read(format!("{prompts}{name}.wav")).unwrap();
    let mut samples = wav::read(&file).unwrap();
    samples.truncate(12_000);
    samples.resize(14_000, 0);
    samples
}

/// One of as many voices of wide band, at 16,000 Hz: the harmonics of a gliding note up to
/// 6,800 Hz, in syllables of a quarter of a second, no two neighbours on the same note.
pub fn wide(n: usize) -> Vec<i16> {
    const RATE: f64 = 16_000.0;
    let (mut phase, step, lowest) = (0.0, (2 + n % 5) as f64, (110 + 4 * n) as f64);
    let sample = |at: usize| {
        let time = at as f64 / RATE;
        let syllable = (time * 4.0).floor();
        let inside = time * 4.0 - syllable;
        let note = lowest + 23.0 * (syllable * step % 7.0) + 30.0 * inside;
        phase += note / RATE;
        if syllable >= 6.0 {
            return 0;
        }
        let harmonics = 1..=(6_800.0 / note) as u32;
        let sum: f64 = harmonics
            .map(|k| (TAU * phase * f64::from(k) + f64::from(k * k)).sin() / f64::from(k).sqrt())
            .sum();
        let swell = (PI * inside).sin().powf(0.5);
        (sum * swell * 1_800.0) as i16
    };
    (0..(RATE * SECONDS) as usize).map(sample).collect()
}

/// The same with so many times as many samples a second: telephones' own ways to that are bad ones.
pub fn raised(samples: &[i16], times: usize) -> Vec<i16> {
    /// Samples on either side that have a part in what is between them.
    const REACH: usize = 12;
    let tap = |off: f64| {
        let sinc = if off == 0.0 { 1.0 } else { (PI * off).sin() / (PI * off) };
        sinc * (0.54 + 0.46 * (PI * off / (REACH + 1) as f64).cos())
    };
    let between = |part: usize| -> Vec<f64> {
        let part = part as f64 / times as f64;
        (0..2 * REACH).map(|n| tap(n as f64 - (REACH - 1) as f64 - part)).collect()
    };
    let parts: Vec<Vec<f64>> = (0..times).map(between).collect();
    let length = samples.len();
    let around = [&samples[length - REACH + 1..], samples, &samples[..REACH]].concat();
    let raised = around.windows(2 * REACH).flat_map(|window| {
        parts.iter().map(|taps| {
            let sum: f64 = window.iter().zip(taps).map(|(s, tap)| f64::from(*s) * tap).sum();
            sum.round() as i16
        })
    });
    raised.collect()
}
