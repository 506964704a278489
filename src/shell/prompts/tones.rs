//! Tones that need no recording, as they sound in India. A file of the same name replaces any.

use std::f64::consts::TAU;

const RATE: usize = 8_000;
/// Tones lie here; it is no language.
pub const FOLDER: &str = "tone";
/// `tone` alone is ring-back: what callers hear where there is no music.
pub const NAMES: [&str; 8] = [
    "tone",
    "tone/ring",
    "tone/busy",
    "tone/congested",
    "tone/beep",
    "tone/done",
    "tone/refused",
    "tone/accept",
];

/// The samples of a tone, once through its cadence. `pause` is one in every language.
pub fn tone(name: &str) -> Option<Vec<i16>> {
    Some(match name {
        "tone" | "tone/ring" => ring(),
        "tone/busy" => beeps(400.0, &[(750, true), (750, false)]),
        "tone/congested" => beeps(400.0, &[(250, true), (250, false)]),
        "tone/beep" => beeps(1_400.0, &[(200, true)]),
        "tone/done" => {
            [beeps(880.0, &[(120, true), (40, false)]), beeps(1_320.0, &[(160, true)])].concat()
        }
        "tone/refused" => {
            [beeps(440.0, &[(180, true), (60, false)]), beeps(330.0, &[(300, true)])].concat()
        }
        "tone/accept" => beeps(520.0, &[(150, true), (150, false), (150, true), (1_000, false)]),
        _ if name.ends_with("/pause") => beeps(0.0, &[(250, false)]),
        _ => return None,
    })
}

/// Ringing: 400 Hz, trembling at 25 Hz, twice 0.4 s, then a rest.
fn ring() -> Vec<i16> {
    let sounds = |ms: usize| ms < 400 || (600..1_000).contains(&ms);
    let sample = |n: usize| {
        let at = n as f64 / RATE as f64;
        let loudness = 6_000.0 * (0.6 + 0.4 * (TAU * 25.0 * at).sin());
        let level = if sounds(n * 1_000 / RATE) { loudness } else { 0.0 };
        (level * (TAU * 400.0 * at).sin()) as i16
    };
    (0..3 * RATE).map(sample).collect()
}

/// A tone of that many milliseconds, or a pause, one after the other. Its ends are rounded off, so
/// that nothing clicks.
fn beeps(hertz: f64, parts: &[(usize, bool)]) -> Vec<i16> {
    let mut samples = Vec::new();
    for (millis, sounds) in parts {
        let length = millis * RATE / 1_000;
        samples.extend((0..length).map(|n| {
            let edge = n.min(length - n) as f64 / (RATE as f64 / 200.0);
            let loudness = if *sounds { 6_000.0 * edge.min(1.0) } else { 0.0 };
            (loudness * (TAU * hertz * n as f64 / RATE as f64).sin()) as i16
        }));
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tone_sounds_and_does_not_shout() {
        for name in NAMES {
            let samples = tone(name).unwrap();
            let peak = samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
            assert!((4_000..8_000).contains(&peak), "{name}: {peak}");
            assert!(samples[0].unsigned_abs() < 500, "{name}");
        }
        assert_eq!(tone("tone/loud"), None);
        assert_eq!(tone("hi/pause"), Some(vec![0; 2_000]));
    }
}
