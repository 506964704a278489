//! How good a voice still is after a telephone call: found again in a recording, and held against
//! what was said, by level, delay and distortion. No ear is asked.
//!
//! In: what was said once, and a recording in which it comes again and again without a pause, both
//! at 8,000 Hz or both at 16,000. Out: a [`Score`].

use std::f64::consts::PI;

const BINS: usize = 28;
/// Spectra are compared from 200 Hz to what every codec can carry at that rate.
const LOWEST: f64 = 200.0;
/// A frame this far below the loudest of what was said is a pause, in dB.
const PAUSE: f64 = 35.0;
/// No band counts as fainter than this below the loudest of all, in dB: nobody hears it.
const FLOOR: f64 = 45.0;

#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// Louder by so many dB.
    pub level: f64,
    /// Log-spectral distance in dB, the mean of all frames that sound: 0 is the same sound, 2 a
    /// good codec, 6 a bad line.
    pub distance: f64,
    /// The part of its frames that are further off than 12 dB: holes and clicks.
    pub broken: f64,
    /// Where in the recording it was found, in samples.
    pub at: usize,
}

/// Copies that are looked at, before and behind the best of them: those of half a minute.
const COPIES: usize = 13;

/// Finds the copies of `said` in `heard` and judges them all: the score is that of the median.
/// `None`: there is none.
pub fn judge(said: &[i16], heard: &[i16], rate: usize) -> Option<Score> {
    let copies = find(said, heard, rate).into_iter();
    let mut scores: Vec<Score> = copies.map(|at| judge_at(said, heard, at, rate)).collect();
    scores.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    scores.get(scores.len() / 2).copied()
}

fn judge_at(said: &[i16], heard: &[i16], at: usize, rate: usize) -> Score {
    // 20 ms.
    let frame = rate / 50;
    let heard = &heard[at..at + said.len()];
    let loud = |samples: &[i16]| -> f64 {
        let power: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
        10.0 * (power / samples.len() as f64).max(1.0).log10()
    };
    let level = loud(heard) - loud(said);
    let loudest = said.chunks_exact(frame).map(loud).fold(0.0, f64::max);
    let (mut sum, mut broken, mut count) = (0.0, 0u32, 0u32);
    for n in 1..said.len() / frame - 1 {
        let window = (n * frame - frame / 2)..((n + 1) * frame + frame / 2);
        if loud(&said[n * frame..(n + 1) * frame]) < loudest - PAUSE {
            continue;
        }
        let (own, other) = (spectrum(&said[window.clone()], rate), spectrum(&heard[window], rate));
        let floor = own.iter().copied().fold(0.0, f64::max) - FLOOR;
        let off = own
            .iter()
            .zip(other)
            .map(|(own, other)| (own.max(floor) - (other - level).max(floor)).powi(2));
        let distance = (off.sum::<f64>() / BINS as f64).sqrt();
        sum += distance;
        broken += u32::from(distance > 12.0);
        count += 1;
    }
    let count = f64::from(count.max(1));
    Score { level, distance: sum / count, broken: f64::from(broken) / count, at }
}

/// Power in dB at even steps of the band, under a Hann window.
fn spectrum(samples: &[i16], rate: usize) -> [f64; BINS] {
    let highest = rate as f64 * 0.425;
    let size = samples.len() as f64;
    std::array::from_fn(|bin| {
        let hertz = LOWEST + (highest - LOWEST) * bin as f64 / (BINS - 1) as f64;
        let turn = 2.0 * PI * hertz / rate as f64;
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let window = 0.5 - 0.5 * (2.0 * PI * (n as f64 + 0.5) / size).cos();
            let value = f64::from(*sample) * window;
            real += value * (turn * n as f64).cos();
            imaginary += value * (turn * n as f64).sin();
        }
        10.0 * (real * real + imaginary * imaginary).max(1.0).log10()
    })
}

/// Where copies begin: the one that is most like it, first by the loudness of every 5 ms, then
/// sample by sample; and the others where they must be, since it comes again and again. A telephone
/// may have made up or left out 100 ms in between.
fn find(said: &[i16], heard: &[i16], rate: usize) -> Vec<usize> {
    let step = rate / 200;
    let envelope = |samples: &[i16]| -> Vec<f64> {
        let loud = |part: &[i16]| part.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>().sqrt();
        samples.chunks_exact(step).map(loud).collect()
    };
    let (own, all) = (envelope(said), envelope(heard));
    let real = |samples: &[i16]| samples.iter().map(|s| f64::from(*s)).collect::<Vec<f64>>();
    let (said, heard) = (real(said), real(heard));
    let last = heard.len().saturating_sub(said.len());
    let most_like = |own: &[f64], all: &[f64], around: std::ops::Range<usize>| {
        let places = around.map(|place| (place, likeness(own, all, place)));
        places.max_by(|a, b| a.1.total_cmp(&b.1)).map(|best| best.0)
    };
    let exact = |coarse: usize| {
        let place = coarse * step;
        let around = place.saturating_sub(2 * step)..(place + 2 * step).min(last);
        most_like(&said, &heard, around)
    };
    let places = all.len().saturating_sub(own.len());
    let Some(first) = most_like(&own, &all, 0..places) else { return Vec::new() };
    let ahead = (0..COPIES).map(|n| first + n * own.len());
    let behind = (1..COPIES).filter_map(|n| first.checked_sub(n * own.len()));
    let near = |place: usize| {
        let around = place.saturating_sub(20)..(place + 20).min(places);
        exact(most_like(&own, &all, around)?)
    };
    ahead.chain(behind).filter(|place| *place < places).filter_map(near).collect()
}

/// How much `own` is like `all` from a place on.
fn likeness(own: &[f64], all: &[f64], place: usize) -> f64 {
    let part = &all[place..place + own.len()];
    let product: f64 = own.iter().zip(part).map(|(a, b)| a * b).sum();
    let power: f64 = part.iter().map(|b| b * b).sum();
    product / power.sqrt().max(1.0)
}
