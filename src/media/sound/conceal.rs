//! What is heard in the place of what was lost: the last period of the voice again and again, ever
//! fainter (after ITU-T G.711 appendix I), and a smooth way back. The same search for a period
//! makes a stream shorter that has become too late.
//!
//! In: samples that came, and how many did not. Out: samples. May import: nothing.

/// The longest loss that is filled, in milliseconds; behind it is silence.
pub const LONGEST: usize = 60;
/// How long nothing is fainter, and how long the way back from a loss is.
const FULL: usize = 10;
const BACK: usize = 5;

#[derive(Clone, Debug)]
pub struct Conceal {
    /// Samples in a millisecond.
    ms: usize,
    /// The last samples that came.
    past: Vec<i16>,
    /// What is repeated, where in it we are, and how many samples were made up so far.
    period: Vec<i16>,
    at: usize,
    lost: usize,
}

impl Conceal {
    /// `rate`: samples a second.
    pub fn new(rate: u32) -> Self {
        let ms = rate as usize / 1_000;
        Self { ms, past: vec![0; past(ms)], period: Vec::new(), at: 0, lost: 0 }
    }

    /// These came. After a loss their beginning is made to follow what was made up.
    pub fn came(&mut self, samples: &mut [i16]) {
        if self.lost > 0 {
            let length = (BACK * self.ms).min(samples.len());
            for (n, sample) in samples[..length].iter_mut().enumerate() {
                let made_up = f32::from(self.made_up());
                let part = (n as f32 + 0.5) / length as f32;
                *sample = (f32::from(*sample) * part + made_up * (1.0 - part)) as i16;
            }
            self.lost = 0;
        }
        let kept = past(self.ms);
        self.past.extend_from_slice(&samples[samples.len().saturating_sub(kept)..]);
        self.past.drain(..self.past.len() - kept);
    }

    /// So many were lost.
    pub fn lost(&mut self, count: usize, out: &mut Vec<i16>) {
        if self.lost == 0 {
            self.begin();
        }
        for _ in 0..count {
            let sample = self.made_up();
            out.push(sample);
        }
    }

    fn begin(&mut self) {
        let end = self.past.len();
        let period = period(&self.past, self.ms);
        self.period.clear();
        self.period.extend_from_slice(&self.past[end - period..]);
        // Its end becomes what was before its beginning, so that it follows itself smoothly.
        let quarter = period / 4;
        for n in 0..quarter {
            let part = (n as f32 + 0.5) / quarter as f32;
            let before = f32::from(self.past[end - period - quarter + n]);
            let own = &mut self.period[period - quarter + n];
            *own = (f32::from(*own) * (1.0 - part) + before * part) as i16;
        }
        self.at = 0;
    }

    fn made_up(&mut self) -> i16 {
        let (full, end) = (FULL * self.ms, LONGEST * self.ms);
        let sample = self.period.get(self.at).copied().unwrap_or_default();
        self.at = (self.at + 1) % self.period.len().max(1);
        let left = end.saturating_sub(self.lost.max(full)) as f32 / (end - full) as f32;
        self.lost += 1;
        (f32::from(sample) * left) as i16
    }
}

/// Samples that are remembered: the longest period twice, and a quarter.
fn past(ms: usize) -> usize {
    35 * ms
}

/// Makes `samples` shorter by a period, at most 15 ms, and says by how many; they should be 35 ms
/// or more. The seam is a cross-fade of the length of the period.
pub fn shorten(samples: &mut Vec<i16>, rate: u32) -> usize {
    let ms = rate as usize / 1_000;
    if samples.len() < past(ms) {
        return 0;
    }
    let period = period(&samples[..past(ms)], ms);
    for n in 0..period {
        let part = (n as f32 + 0.5) / period as f32;
        let (early, late) = (f32::from(samples[n]), f32::from(samples[n + period]));
        samples[n + period] = (early * (1.0 - part) + late * part) as i16;
    }
    samples.drain(..period);
    period
}

/// The period of a voice at the end of `samples`, 2.5 to 15 ms: where they are most like
/// themselves. Looked for at 8,000 Hz, which is fine enough.
fn period(samples: &[i16], ms: usize) -> usize {
    let step = ms / 8;
    let coarse: Vec<f32> = samples.iter().step_by(step.max(1)).map(|s| f32::from(*s)).collect();
    let end = coarse.len();
    let window = 160.min(end - 120);
    let last = &coarse[end - window..];
    let likeness = |lag: usize| {
        let before = &coarse[end - window - lag..end - lag];
        let (mut product, mut power) = (0.0, 1.0);
        for (a, b) in last.iter().zip(before) {
            product += a * b;
            power += b * b;
        }
        if product > 0.0 { product * product / power } else { 0.0 }
    };
    let mut best = (20, -1.0);
    for lag in 20..=120 {
        let this = likeness(lag);
        if this > best.1 {
            best = (lag, this);
        }
    }
    best.0 * step.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn voice(rate: u32, samples: std::ops::Range<u32>) -> Vec<i16> {
        let at = |n: u32| TAU * 150.0 * f64::from(n) / f64::from(rate);
        samples.map(|n| (6_000.0 * at(n).sin() + 3_000.0 * (3.0 * at(n)).sin()) as i16).collect()
    }

    #[test]
    fn a_lost_frame_of_a_voice_goes_on_like_the_voice_and_fades() {
        for rate in [8_000, 16_000] {
            let (frame, mut conceal) = (rate / 50, Conceal::new(rate));
            conceal.came(&mut voice(rate, 0..5 * frame));
            let mut made_up = Vec::new();
            conceal.lost(frame as usize, &mut made_up);
            let real = voice(rate, 5 * frame..6 * frame);
            let noise: f64 = made_up.iter().zip(&real).map(|(a, b)| f64::from(a - b).powi(2)).sum();
            let power: f64 = real.iter().map(|s| f64::from(*s).powi(2)).sum();
            assert!(noise < 0.1 * power, "{rate}: {}", noise / power);
            conceal.lost(3 * frame as usize, &mut made_up);
            assert!(made_up[3 * frame as usize + 1..].iter().all(|sample| *sample == 0));
            let mut back = vec![10_000; frame as usize];
            conceal.came(&mut back);
            assert!(back[0] < 2_000 && back[frame as usize / 2] == 10_000, "{}", back[0]);
        }
    }

    #[test]
    fn what_is_shortened_loses_whole_periods_and_has_no_seam() {
        for rate in [8_000, 16_000] {
            let mut samples = voice(rate, 0..rate / 20);
            let before = samples.len();
            let by = shorten(&mut samples, rate);
            assert_eq!(samples.len() + by, before);
            let (ms, period) = (by as f64 * 1_000.0 / f64::from(rate), 1_000.0 / 150.0);
            let off = (ms / period).round() * period - ms;
            assert!(off.abs() < 0.3 && ms < 15.1, "{rate}: {ms} ms");
            let leap = |pair: &[i16]| (i32::from(pair[1]) - i32::from(pair[0])).abs();
            let largest = voice(rate, 0..rate / 20).windows(2).map(leap).max().unwrap();
            assert!(samples.windows(2).all(|pair| leap(pair) < largest * 2));
            assert_eq!(shorten(&mut vec![5; 20 * rate as usize / 1_000], rate), 0);
        }
    }
}
