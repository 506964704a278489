//! Other sampling rates become the telephone's: a windowed sinc, one set of taps for each phase
//! that occurs. For files that are read once; far too slow for a packet. May import: base.

use super::RATE;
use std::f64::consts::PI;

/// Zero crossings of the low-pass filter on either side, at its cut-off.
const LOBES: f64 = 16.0;
/// The pass band ends here, as a part of the lower of the two Nyquist frequencies.
const PASS: f64 = 0.92;

/// From `rate` to [`RATE`].
pub fn resample(input: &[f32], rate: u32) -> Vec<f32> {
    if rate == RATE {
        return input.to_vec();
    }
    let divisor = gcd(rate, RATE);
    let (down, up) = (u64::from(rate / divisor), u64::from(RATE / divisor));
    let cutoff = PASS * f64::from(RATE.min(rate)) / f64::from(rate);
    let phases: Vec<Vec<f32>> =
        (0..up).map(|phase| taps(phase as f64 / up as f64, cutoff)).collect();
    let reach = phases[0].len() as i64 / 2;
    let length = (input.len() as u64 * up).div_ceil(down);
    let at = |n: u64| {
        let (whole, phase) = ((n * down / up) as i64, (n * down % up) as usize);
        let taps = phases[phase].iter().zip(whole - reach + 1..);
        taps.map(|(tap, i)| tap * usize::try_from(i).map_or(0.0, |i| *input.get(i).unwrap_or(&0.0)))
            .sum()
    };
    (0..length).map(at).collect()
}

/// The filter around a point that lies `fraction` of a sample after the middle; its sum is 1.
fn taps(fraction: f64, cutoff: f64) -> Vec<f32> {
    let reach = (LOBES / cutoff).ceil() as i64;
    let raw = (-reach + 1..=reach).map(|i| {
        let x = i as f64 - fraction;
        let window = 0.5 + 0.5 * (PI * x / (reach as f64 + 1.0)).cos();
        let angle = PI * cutoff * x;
        if angle.abs() < 1e-9 { window } else { window * angle.sin() / angle }
    });
    let raw: Vec<f64> = raw.collect();
    let sum: f64 = raw.iter().sum();
    raw.into_iter().map(|tap| (tap / sum) as f32).collect()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
