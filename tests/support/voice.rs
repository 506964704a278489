//! What is said over telephones whose sound is judged: a sentence of the shipped Hindi prompts, and
//! for wide band a voice that is computed, since the prompts have nothing above 4,000 Hz. Each ends
//! in a moment of silence, and is meant to be said again and again.

use pukar::wire::wav;
use std::f64::consts::TAU;

/// At 8,000 Hz, 2.25 s.
pub fn sentence() -> Vec<i16> {
    let prompts = concat!(env!("CARGO_MANIFEST_DIR"), "/prompts/hi/");
    let file = std::fs::read(format!("{prompts}welcome.wav")).unwrap();
    let mut samples = wav::read(&file).unwrap();
    samples.truncate(16_000);
    samples.extend([0; 2_000]);
    samples
}

/// 2.25 s at this rate: the harmonics of a gliding voice up to 6,800 Hz, in syllables of a quarter
/// of a second, no two on the same note.
pub fn wide(rate: u32) -> Vec<i16> {
    let length = rate as usize * 9 / 4;
    let mut phase = 0.0;
    let sample = |n: usize| {
        let time = n as f64 / f64::from(rate);
        let syllable = (time * 4.0).floor();
        let inside = time * 4.0 - syllable;
        let note = 110.0 + 23.0 * (syllable * 3.0 % 7.0) + 30.0 * inside;
        phase += note / f64::from(rate);
        if syllable >= 8.0 {
            return 0;
        }
        let harmonics = 1..=(6_800.0 / note) as u32;
        let sum: f64 = harmonics
            .map(|k| (TAU * phase * f64::from(k) + f64::from(k * k)).sin() / f64::from(k).sqrt())
            .sum();
        let swell = (std::f64::consts::PI * inside).sin().powf(0.5);
        (sum * swell * 1_800.0) as i16
    };
    (0..length).map(sample).collect()
}
