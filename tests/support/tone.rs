//! Tones that a phone plays, and a way to find them in what another one heard.

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

const RATE: usize = 8_000;
const AMPLITUDE: f64 = 8_000.0;
/// Half of the tone's own strength: what is lost at the ends of a recording is far less.
const HEARD: f64 = AMPLITUDE / 2.0;

/// A WAV file with this many seconds of a tone.
pub fn write(path: &Path, hertz: u32, seconds: usize) {
    let sample = |n: usize| {
        let phase = TAU * f64::from(hertz) * n as f64 / RATE as f64;
        (AMPLITUDE * phase.sin()) as i16
    };
    save(path, RATE as u32, (0..RATE * seconds).map(sample));
}

/// A WAV file with these samples, so many a second.
pub fn save(path: &Path, rate: u32, samples: impl Iterator<Item = i16>) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    samples.for_each(|sample| file.write_sample(sample).unwrap());
    file.finalize().unwrap();
}

/// A WAV file in which these come again and again, so many times.
pub fn save_again(path: &Path, rate: u32, samples: &[i16], times: usize) {
    save(path, rate, samples.iter().copied());
    let mut bytes = fs::read(path).unwrap();
    let data = bytes.split_off(44).repeat(times);
    bytes[4..8].copy_from_slice(&(data.len() as u32 + 36).to_le_bytes());
    bytes[40..44].copy_from_slice(&(data.len() as u32).to_le_bytes());
    bytes.extend(data);
    fs::write(path, bytes).unwrap();
}

/// Samples of a recording, even one whose header was never finished.
pub fn read(path: &Path) -> Vec<i16> {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let samples = bytes.get(44..).unwrap_or_default();
    samples.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// The same brought to 8,000 Hz and one channel, whatever rate the phone wrote.
pub fn read_8k(path: &Path) -> Vec<i16> {
    let mut bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let data = (bytes.len() - 44) as u32;
    bytes[4..8].copy_from_slice(&(data + 36).to_le_bytes());
    bytes[40..44].copy_from_slice(&data.to_le_bytes());
    pukar::wire::wav::read(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Seconds of 16-bit sound in a file that may still grow.
pub fn length(path: &Path) -> f64 {
    let bytes = fs::read(path).unwrap_or_default();
    let word =
        |at: usize| bytes.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let octets_a_second = word(28).filter(|n| *n > 0).unwrap_or(u32::MAX);
    bytes.len().saturating_sub(44) as f64 / f64::from(octets_a_second)
}

/// Whether this tone is heard for at least so many seconds, and the other one never.
pub fn hears(samples: &[i16], hertz: u32, least: f64, never: u32) -> Result<(), String> {
    let (own, other) = (seconds(samples, hertz), seconds(samples, never));
    if own >= least && other == 0.0 {
        return Ok(());
    }
    let all = samples.len() as f64 / RATE as f64;
    Err(format!("{hertz} Hz for {own} s and {never} Hz for {other} s of {all} s"))
}

/// For how long this tone is heard, in tenths of a second.
pub fn seconds(samples: &[i16], hertz: u32) -> f64 {
    let windows = samples.chunks_exact(RATE / 10);
    windows.filter(|window| strength(window, hertz) > HEARD).count() as f64 / 10.0
}

/// The amplitude of one frequency, by Goertzel's algorithm.
fn strength(samples: &[i16], hertz: u32) -> f64 {
    let turn = 2.0 * (TAU * f64::from(hertz) / RATE as f64).cos();
    let (mut one, mut two) = (0.0, 0.0);
    for sample in samples {
        (one, two) = (f64::from(*sample) + turn * one - two, one);
    }
    let power: f64 = one * one + two * two - turn * one * two;
    2.0 * power.max(0.0).sqrt() / samples.len() as f64
}
