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
    let mut scores = pieces(said, heard, rate);
    scores.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    scores.get(scores.len() / 2).copied()
}

/// Cuts what was heard into pieces as long as what was said, and judges each: whatever its
/// beginning is, all of what was said is in it, since it is said again and again.
pub fn pieces(said: &[i16], heard: &[i16], rate: usize) -> Vec<Score> {
    let waves = Waves::new(rate);
    let each = (0..).step_by(said.len()).zip(heard.chunks_exact(said.len()));
    each.map(|(place, piece)| {
        let turn = turn(said, piece, rate);
        let turned = [&said[turn..], &said[..turn]].concat();
        Score { at: place + (said.len() - turn) % said.len(), ..waves.held_against(&turned, piece) }
    })
    .collect()
}

/// What a piece of 40 ms is multiplied with, sample by sample, for its power at even steps of the
/// band, under a Hann window.
struct Waves {
    /// Samples of 20 ms.
    frame: usize,
    bins: Vec<Vec<[f64; 2]>>,
}

impl Waves {
    fn new(rate: usize) -> Self {
        let (frame, highest) = (rate / 50, rate as f64 * 0.425);
        let bin = |bin: usize| {
            let hertz = LOWEST + (highest - LOWEST) * bin as f64 / (BINS - 1) as f64;
            let turn = 2.0 * PI * hertz / rate as f64;
            let wave = |n: usize| {
                let window = 0.5 - 0.5 * (PI * (n as f64 + 0.5) / frame as f64).cos();
                let (sin, cos) = (turn * n as f64).sin_cos();
                [window * cos, window * sin]
            };
            (0..2 * frame).map(wave).collect()
        };
        Self { frame, bins: (0..BINS).map(bin).collect() }
    }

    /// Both begin at the same moment of what was said.
    fn held_against(&self, said: &[i16], heard: &[i16]) -> Score {
        let frame = self.frame;
        let level = loudness(heard) - loudness(said);
        let loudest = said.chunks_exact(frame).map(loudness).fold(0.0, f64::max);
        let (mut sum, mut broken, mut count) = (0.0, 0u32, 0u32);
        for n in 1..said.len() / frame - 1 {
            let window = (n * frame - frame / 2)..((n + 1) * frame + frame / 2);
            if loudness(&said[n * frame..(n + 1) * frame]) < loudest - PAUSE {
                continue;
            }
            let (own, other) =
                (self.spectrum(&said[window.clone()]), self.spectrum(&heard[window]));
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
        Score { level, distance: sum / count, broken: f64::from(broken) / count, at: 0 }
    }

    /// In dB.
    fn spectrum(&self, samples: &[i16]) -> [f64; BINS] {
        std::array::from_fn(|bin| {
            let (mut real, mut imaginary) = (0.0, 0.0);
            for (sample, [cos, sin]) in samples.iter().zip(&self.bins[bin]) {
                real += f64::from(*sample) * cos;
                imaginary += f64::from(*sample) * sin;
            }
            10.0 * (real * real + imaginary * imaginary).max(1.0).log10()
        })
    }
}

/// In dB.
fn loudness(samples: &[i16]) -> f64 {
    let power: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    10.0 * (power / samples.len() as f64).max(1.0).log10()
}

/// Which sample of what was said the piece begins with: first by the loudness of every 5 ms, then
/// by samples, of which one in seven tells enough.
fn turn(said: &[i16], piece: &[i16], rate: usize) -> usize {
    let step = rate / 200;
    let envelope = |samples: &[i16]| -> Vec<f64> {
        let loud = |part: &[i16]| part.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>().sqrt();
        samples.chunks_exact(step).map(loud).collect()
    };
    let (own, other) = (envelope(said), envelope(piece));
    let coarse = most_like(&own, &other, 1, 0..own.len()) * step;
    let real = |samples: &[i16]| samples.iter().map(|s| f64::from(*s)).collect::<Vec<f64>>();
    let around = said.len() + coarse - 2 * step..said.len() + coarse + 2 * step;
    most_like(&real(said), &real(piece), 7, around) % said.len()
}

/// The turn of `own`, one of these, that is most like the other.
fn most_like(own: &[f64], other: &[f64], stride: usize, turns: Range<usize>) -> usize {
    let likeness = |turn: usize| {
        let turn = turn % own.len();
        let turned = own[turn..].iter().chain(&own[..turn]);
        turned.zip(other).step_by(stride).map(|(a, b)| a * b).sum::<f64>()
    };
    let each = turns.map(|turn| (turn, likeness(turn)));
    each.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |best| best.0)
}
