//! How good a voice still is after a telephone call: found again in a recording, and held against
//! what was said, by level, delay and distortion. No ear is asked.
//!
//! In: what was said once, and a recording in which it comes again and again without a pause, both
//! at 8,000 Hz or both at 16,000. Out: a [`Score`] of each piece that is as long.

use std::f64::consts::PI;
use std::ops::Range;

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
    /// Where in the recording what was said begins anew, in samples.
    pub at: usize,
}

/// The score of the median of all whole pieces. `None`: there is none.
pub fn judge(said: &[i16], heard: &[i16], rate: usize) -> Option<Score> {
    let mut scores = Said::new(said, rate).pieces(heard);
    scores.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    scores.get(scores.len() / 2).copied()
}

/// What was said once, and what there is to know of it before anything is heard.
pub struct Said {
    samples: Vec<i16>,
    /// Samples a second.
    pub rate: usize,
    /// What a piece of 40 ms is multiplied with, sample by sample, for its power at even steps of
    /// the band, under a Hann window.
    waves: Vec<Vec<[f64; 2]>>,
    /// Those that sound, and where they begin: one every 20 ms.
    spectra: Vec<(usize, [f64; BINS])>,
}

impl Said {
    pub fn new(samples: &[i16], rate: usize) -> Self {
        let frame = rate / 50;
        let waves = (0..BINS).map(|bin| wave(bin, rate)).collect();
        let mut said = Self { samples: samples.to_vec(), rate, waves, spectra: Vec::new() };
        let loudest = samples.chunks_exact(frame).map(loudness).fold(0.0, f64::max);
        let sounds = |n: &usize| loudness(&samples[n * frame..][..frame]) >= loudest - PAUSE;
        let frames = (1..samples.len() / frame - 1).filter(sounds);
        let begins = frames.map(|n| n * frame - frame / 2);
        said.spectra = begins.map(|at| (at, said.spectrum(samples, at))).collect();
        said
    }

    /// Cuts what was heard into pieces as long as what was said, and judges each: whatever its
    /// beginning is, all of what was said is in it, since it is said again and again.
    pub fn pieces(&self, heard: &[i16]) -> Vec<Score> {
        let length = self.samples.len();
        let each = (0..).step_by(length).zip(heard.chunks_exact(length));
        each.map(|(place, piece)| {
            let anew = (length - self.turn(piece)) % length;
            let turned = [&piece[anew..], &piece[..anew]].concat();
            Score { at: place + anew, ..self.held_against(&turned) }
        })
        .collect()
    }

    fn held_against(&self, heard: &[i16]) -> Score {
        let level = loudness(heard) - loudness(&self.samples);
        let off = |(at, own): &(usize, [f64; BINS])| {
            let other = self.spectrum(heard, *at);
            let floor = own.iter().copied().fold(0.0, f64::max) - FLOOR;
            let off = own.iter().zip(other).map(|(own, other)| {
                let off = own.max(floor) - (other - level).max(floor);
                off.powi(2)
            });
            (off.sum::<f64>() / BINS as f64).sqrt()
        };
        let distances: Vec<f64> = self.spectra.iter().map(off).collect();
        let broken = distances.iter().filter(|distance| **distance > 12.0).count() as f64;
        let count = distances.len().max(1) as f64;
        let distance = distances.iter().sum::<f64>() / count;
        Score { level, distance, broken: broken / count, at: 0 }
    }

    /// Of the 40 ms that begin there, in dB.
    fn spectrum(&self, samples: &[i16], at: usize) -> [f64; BINS] {
        std::array::from_fn(|bin| {
            let (mut real, mut imaginary) = (0.0, 0.0);
            for (sample, [cos, sin]) in samples[at..].iter().zip(&self.waves[bin]) {
                real += f64::from(*sample) * cos;
                imaginary += f64::from(*sample) * sin;
            }
            10.0 * (real * real + imaginary * imaginary).max(1.0).log10()
        })
    }

    /// Which sample of what was said the piece begins with: first by the loudness of every 5 ms,
    /// which may be off by a period of the voice, then by samples, of which some tell enough.
    fn turn(&self, piece: &[i16]) -> usize {
        let step = self.rate / 200;
        let envelope = |samples: &[i16]| -> Vec<f64> {
            let power = |part: &[i16]| part.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
            samples.chunks_exact(step).map(|part| power(part).sqrt()).collect()
        };
        let (own, other) = (envelope(&self.samples), envelope(piece));
        let coarse = self.samples.len() + most_like(&own, &other, 1, 0..own.len()) * step;
        let around = coarse - 4 * step..coarse + 4 * step;
        let real = |samples: &[i16]| samples.iter().map(|s| f64::from(*s)).collect::<Vec<f64>>();
        most_like(&real(&self.samples), &real(piece), 11, around)
    }
}

fn wave(bin: usize, rate: usize) -> Vec<[f64; 2]> {
    let (size, highest) = (rate / 25, rate as f64 * 0.425);
    let hertz = LOWEST + (highest - LOWEST) * bin as f64 / (BINS - 1) as f64;
    let sample = |n: usize| {
        let window = 0.5 - 0.5 * (2.0 * PI * (n as f64 + 0.5) / size as f64).cos();
        let (sin, cos) = (2.0 * PI * hertz / rate as f64 * n as f64).sin_cos();
        [window * cos, window * sin]
    };
    (0..size).map(sample).collect()
}

/// In dB.
fn loudness(samples: &[i16]) -> f64 {
    let power: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    10.0 * (power / samples.len() as f64).max(1.0).log10()
}

/// The turn of `own`, one of these, that is most like the other.
fn most_like(own: &[f64], other: &[f64], stride: usize, turns: Range<usize>) -> usize {
    let likeness = |turn: usize| {
        let (mut product, mut power) = (0.0, 0.0);
        for at in (0..other.len()).step_by(stride) {
            let own = own[(turn + at) % own.len()];
            product += own * other[at];
            power += own * own;
        }
        product / power.sqrt().max(1.0)
    };
    let each = turns.map(|turn| (turn % own.len(), likeness(turn)));
    each.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |best| best.0)
}
