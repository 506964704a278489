//! Twice as many samples a second, or half as many: the one filter between the telephone's 8,000
//! and the 16,000 of wide band. Half of its taps are zero, so that it costs half.
//!
//! In: samples as they come, in pieces of any length. Out: the others, 1.5 ms late. May import:
//! nothing.

/// Taps on either side that are not zero. With a Hamming window 3,400 Hz pass untouched, and what
/// is above 4,600 Hz is 50 dB down.
const REACH: usize = 12;

/// Odd taps from the middle outwards, at the higher rate; the middle one is one half.
static TAPS: [f32; REACH] = taps();

/// `sinc(k / 2) / 2` under the window, whose cosines are summed by their series: they must be known
/// when the program is built.
const fn taps() -> [f32; REACH] {
    let mut taps = [0.0; REACH];
    let mut n = 0;
    while n < REACH {
        let k = (2 * n + 1) as f64;
        let sign = if n % 2 == 0 { 1.0 } else { -1.0 };
        let at = std::f64::consts::PI * k / (2 * REACH) as f64;
        let window = 0.54 + 0.46 * cosine(at);
        taps[n] = (sign / (std::f64::consts::PI * k) * window) as f32;
        n += 1;
    }
    taps
}

const fn cosine(x: f64) -> f64 {
    let (mut sum, mut term, mut n) = (1.0, 1.0, 1);
    while n < 20 {
        term *= -x * x / ((2 * n - 1) as f64 * (2 * n) as f64);
        sum += term;
        n += 1;
    }
    sum
}

/// What the filter remembers of what came before.
#[derive(Clone, Debug)]
pub struct Up(Vec<i16>);

#[derive(Clone, Debug)]
pub struct Down(Vec<i16>);

impl Default for Up {
    fn default() -> Self {
        Self(vec![0; 2 * REACH])
    }
}

impl Default for Down {
    fn default() -> Self {
        Self(vec![0; 4 * REACH])
    }
}

impl Up {
    pub fn run(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        self.0.extend_from_slice(samples);
        // A sample in the middle stands for itself; what lies between two comes from both sides.
        for window in self.0.windows(2 * REACH).skip(1) {
            let sides = (0..REACH).map(|n| {
                let pair = f32::from(window[REACH - 1 - n]) + f32::from(window[REACH + n]);
                TAPS[n] * pair
            });
            let between = 2.0 * sides.sum::<f32>();
            out.extend([window[REACH - 1], clip(between)]);
        }
        let begun = self.0.len() - 2 * REACH;
        self.0.drain(..begun);
    }
}

impl Down {
    /// An odd sample at the end waits for the next.
    pub fn run(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        self.0.extend_from_slice(samples);
        let pairs = (self.0.len() - 4 * REACH) / 2;
        for pair in 0..pairs {
            let window = &self.0[2 * pair..2 * pair + 4 * REACH];
            // An even place, so that the delay is whole at either rate.
            let middle = 2 * REACH;
            let sides = (0..REACH).map(|n| {
                let k = 2 * n + 1;
                TAPS[n] * (f32::from(window[middle - k]) + f32::from(window[middle + k]))
            });
            out.push(clip(0.5 * f32::from(window[middle]) + sides.sum::<f32>()));
        }
        self.0.drain(..2 * pairs);
    }
}

fn clip(sample: f32) -> i16 {
    // The cast saturates.
    sample.round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn tone(hertz: f64, rate: f64) -> Vec<i16> {
        let samples = 0..(rate / 2.0) as u32;
        samples.map(|n| (10_000.0 * (TAU * hertz * f64::from(n) / rate).sin()) as i16).collect()
    }

    fn loudness(samples: &[i16]) -> f64 {
        let middle = &samples[500..samples.len() - 500];
        let power: f64 = middle.iter().map(|s| f64::from(*s).powi(2)).sum();
        (2.0 * power / middle.len() as f64).sqrt()
    }

    fn up(samples: &[i16]) -> Vec<i16> {
        let (mut filter, mut out) = (Up::default(), Vec::new());
        samples.chunks(37).for_each(|piece| filter.run(piece, &mut out));
        out
    }

    fn down(samples: &[i16]) -> Vec<i16> {
        let (mut filter, mut out) = (Down::default(), Vec::new());
        samples.chunks(37).for_each(|piece| filter.run(piece, &mut out));
        out
    }

    #[test]
    fn what_the_telephone_carries_comes_through_unchanged() {
        for hertz in [200.0, 1_000.0, 3_000.0, 3_400.0] {
            let wide = up(&tone(hertz, 8_000.0));
            assert_eq!(wide.len(), 8_000);
            assert!((loudness(&wide) - 10_000.0).abs() < 150.0, "{hertz}: {}", loudness(&wide));
            let narrow = down(&tone(hertz, 16_000.0));
            assert_eq!(narrow.len(), 4_000);
            assert!((loudness(&narrow) - 10_000.0).abs() < 150.0, "{hertz}: {}", loudness(&narrow));
        }
    }

    #[test]
    fn what_it_cannot_carry_does_not_fold_back() {
        for hertz in [4_800.0, 6_000.0, 7_500.0] {
            let narrow = down(&tone(hertz, 16_000.0));
            assert!(loudness(&narrow) < 40.0, "{hertz}: {}", loudness(&narrow));
        }
        // Nor does an image of a tone appear above 4 kHz.
        let (wide, hertz) = (up(&tone(1_000.0, 8_000.0)), 7_000.0);
        let at = |n: usize| TAU * hertz * n as f64 / 16_000.0;
        let part = |wave: fn(f64) -> f64| {
            let sum: f64 = wide.iter().enumerate().map(|(n, s)| f64::from(*s) * wave(at(n))).sum();
            2.0 * sum / wide.len() as f64
        };
        assert!(part(f64::sin).hypot(part(f64::cos)) < 40.0);
    }
}
