//! The prompts, read from their files once, and the tone that needs no file.

use crate::base::{Id, TuneId};
use crate::config::Settings;
use crate::media::{Tune, Tunes};
use crate::wire::wav;
use std::f64::consts::TAU;

const RATE: usize = 8_000;

/// Every tune of the settings, and a sentence for each that cannot be had; the tone takes its
/// place, so that a caller hears that the line is alive.
pub fn load(settings: &Settings) -> (Tunes, Vec<String>) {
    let (mut tunes, mut complaints) = (Tunes::default(), Vec::new());
    for (slot, wanted) in settings.tunes.iter().enumerate() {
        let read = wanted.file.as_ref().map(|path| {
            let sentence = |why: String| format!("{}: {why}", path.display());
            let bytes = std::fs::read(path).map_err(|e| sentence(e.to_string()))?;
            wav::read(&bytes).map_err(|e| sentence(e.to_string()))
        });
        let samples = match read {
            Some(Ok(samples)) => samples,
            Some(Err(complaint)) => {
                complaints.push(format!("{complaint}. Callers hear a tone in its place"));
                tone()
            }
            None => tone(),
        };
        tunes.insert(TuneId::new(slot as u32, 0), Tune::new(&samples));
    }
    (tunes, complaints)
}

/// Ringing as it sounds in India: 400 Hz, trembling at 25 Hz, twice 0.4 s, then a rest.
fn tone() -> Vec<i16> {
    let sounds = |ms: usize| ms < 400 || (600..1_000).contains(&ms);
    let sample = |n: usize| {
        let at = n as f64 / RATE as f64;
        let loudness = 6_000.0 * (0.6 + 0.4 * (TAU * 25.0 * at).sin());
        let level = if sounds(n * 1_000 / RATE) { loudness } else { 0.0 };
        (level * (TAU * 400.0 * at).sin()) as i16
    };
    (0..3 * RATE).map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn a_prompt_that_is_missing_is_named_and_replaced_by_the_tone() {
        let file = Some("/nowhere/hi/welcome.wav".into());
        let missing = config::Tune { name: "hi/welcome".into(), file };
        let built_in = config::Tune { name: "tone".into(), file: None };
        let settings = Settings { tunes: vec![missing, built_in], ..Settings::default() };
        let (tunes, complaints) = load(&settings);
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].starts_with("/nowhere/hi/welcome.wav: "), "{}", complaints[0]);
        for slot in 0..2 {
            assert_eq!(tunes.find(TuneId::new(slot, 0)).unwrap().frames(), 150);
        }
    }
}
