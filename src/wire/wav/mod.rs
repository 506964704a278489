//! WAV files as audio for the telephone: any usual rate, depth and channel count, linear or G.711,
//! becomes 8,000 Hz, mono, 16 bits. And the other way: a file of G.711.
//!
//! In: the octets of a file. Out: samples, or what is wrong with it. May import: base.

mod level;
mod resample;
mod riff;

pub use level::{level, trim};
pub use riff::{HEADER, g711, header};

use resample::resample;
use riff::Companded;
use std::fmt;
use std::io::Cursor;

/// Samples a second of everything that the switch plays.
pub const RATE: u32 = 8_000;
/// Octets in one file: half an hour of CD audio is three times as much.
pub const FILE_MAX: usize = 100 << 20;
/// Seconds in one file.
const SECONDS_MAX: u32 = 1_800;
const RATES: [u32; 9] = [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];

/// Why a file cannot be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    TooLong,
    /// Not a WAV file, or cut short, or lying about its length.
    Malformed(String),
    /// A rate, depth or channel count that is not read.
    Unsupported(String),
    Empty,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "longer than {SECONDS_MAX} s or {FILE_MAX} octets"),
            Self::Malformed(what) => write!(f, "not a sound WAV file: {what}"),
            Self::Unsupported(what) => write!(f, "{what} is not supported"),
            Self::Empty => f.write_str("no samples in it"),
        }
    }
}

impl std::error::Error for Error {}

impl From<hound::Error> for Error {
    fn from(error: hound::Error) -> Self {
        match error {
            hound::Error::Unsupported => Self::Unsupported("this kind of WAV".into()),
            other => Self::Malformed(other.to_string()),
        }
    }
}

/// The file's audio at [`RATE`], mono.
pub fn read(bytes: &[u8]) -> Result<Vec<i16>, Error> {
    if bytes.len() > FILE_MAX {
        return Err(Error::TooLong);
    }
    if let Some(found) = riff::companded(bytes)? {
        return companded(&found);
    }
    let reader = hound::WavReader::new(Cursor::new(bytes))?;
    let spec = reader.spec();
    check(spec.sample_rate, spec.channels)?;
    if reader.duration() == 0 {
        return Err(Error::Empty);
    }
    // The header's word for its length is checked before anything is set aside for it.
    let octets = u64::from(reader.len()) * u64::from(spec.bits_per_sample.div_ceil(8));
    if octets > bytes.len() as u64 {
        return Err(Error::Malformed("its length is longer than the file".into()));
    }
    if reader.duration() / spec.sample_rate >= SECONDS_MAX {
        return Err(Error::TooLong);
    }
    let mono = mono(samples(reader)?, usize::from(spec.channels));
    Ok(resample(&mono, spec.sample_rate).into_iter().map(to_i16).collect())
}

fn check(rate: u32, channels: u16) -> Result<(), Error> {
    if !RATES.contains(&rate) {
        return Err(Error::Unsupported(format!("{rate} Hz")));
    }
    if !(1..=2).contains(&channels) {
        return Err(Error::Unsupported(format!("{channels} channels")));
    }
    Ok(())
}

/// What is in the telephone's own code already, if it has its rate, is not touched.
fn companded(found: &Companded) -> Result<Vec<i16>, Error> {
    check(found.rate, found.channels)?;
    let channels = usize::from(found.channels);
    let frames = found.octets.len() / channels;
    if frames == 0 {
        return Err(Error::Empty);
    }
    if frames as u64 >= u64::from(SECONDS_MAX) * u64::from(found.rate) {
        return Err(Error::TooLong);
    }
    let samples = found.octets.iter().map(|octet| found.law.decode(*octet));
    if found.rate == RATE && channels == 1 {
        return Ok(samples.collect());
    }
    let mono = mono(samples.map(|s| f32::from(s) / 32_768.0).collect(), channels);
    Ok(resample(&mono, found.rate).into_iter().map(to_i16).collect())
}

/// All channels, as numbers from -1 to 1.
fn samples(mut reader: hound::WavReader<Cursor<&[u8]>>) -> Result<Vec<f32>, Error> {
    let spec = reader.spec();
    match (spec.sample_format, spec.bits_per_sample) {
        (hound::SampleFormat::Int, bits @ (8 | 16 | 24 | 32)) => {
            let scale = 1.0 / (1u64 << (bits - 1)) as f32;
            let read = reader.samples::<i32>().map(|s| Ok(s? as f32 * scale));
            read.collect()
        }
        (hound::SampleFormat::Float, 32) => {
            // A number that is none is silence, not an infinite echo of it in the filter.
            let read = reader.samples::<f32>().map(|s| Ok(s?));
            read.map(|s: Result<f32, Error>| s.map(|s| if s.is_finite() { s } else { 0.0 }))
                .collect()
        }
        (_, bits) => Err(Error::Unsupported(format!("{bits} bits"))),
    }
}

fn mono(samples: Vec<f32>, channels: usize) -> Vec<f32> {
    if channels == 1 {
        return samples;
    }
    samples
        .chunks_exact(channels)
        .map(|frame| frame.iter().sum::<f32>() / channels as f32)
        .collect()
}

fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::g711::Law;
    use hound::{SampleFormat, WavSpec, WavWriter};
    use std::f64::consts::PI;

    fn spec(channels: u16, sample_rate: u32, bits: u16) -> WavSpec {
        let sample_format = if bits == 32 { SampleFormat::Float } else { SampleFormat::Int };
        WavSpec { channels, sample_rate, bits_per_sample: bits, sample_format }
    }

    /// One second of a tone at half of full scale.
    fn tone(spec: WavSpec, hertz: f64) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut file, spec).unwrap();
        for n in 0..spec.sample_rate {
            let value = 0.5 * (2.0 * PI * hertz * f64::from(n) / f64::from(spec.sample_rate)).sin();
            for _ in 0..spec.channels {
                match spec.sample_format {
                    SampleFormat::Float => writer.write_sample(value as f32).unwrap(),
                    SampleFormat::Int => {
                        let full = f64::from(1u32 << (spec.bits_per_sample - 1));
                        writer.write_sample((value * full) as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
        file.into_inner()
    }

    /// Loudness in the middle of the second, against a full-scale square wave.
    fn loudness(samples: &[i16]) -> f64 {
        let middle = &samples[1_000..7_000];
        let power: f64 = middle.iter().map(|s| (f64::from(*s) / 32_768.0).powi(2)).sum();
        (power / middle.len() as f64).sqrt()
    }

    #[test]
    fn every_usual_format_becomes_the_same_audio() {
        let depths = [(1, 8), (1, 16), (2, 16), (1, 24), (2, 32)];
        for rate in RATES {
            // Every depth at one rate is enough, and every rate at one depth.
            for (channels, bits) in depths.into_iter().take(if rate == 16_000 { 5 } else { 1 }) {
                let samples = read(&tone(spec(channels, rate, bits), 1_000.0)).unwrap();
                assert_eq!(samples.len(), 8_000, "{rate} Hz");
                let off = loudness(&samples) - 0.5 / 2f64.sqrt();
                assert!(off.abs() < 0.01, "{rate} Hz, {bits} bits: {off}");
            }
        }
    }

    #[test]
    fn g711_is_read_in_both_laws_and_at_other_rates() {
        let sine = |rate: u32| {
            (0..rate).map(move |n| {
                let value = (2.0 * PI * 1_000.0 * f64::from(n) / f64::from(rate)).sin();
                (16_384.0 * value) as i16
            })
        };
        for law in Law::BOTH {
            let octets: Vec<u8> = sine(RATE).map(|s| law.encode(s)).collect();
            let samples = read(&g711(law, 1, RATE, &octets)).unwrap();
            assert!(samples.iter().zip(&octets).all(|(s, o)| *s == law.decode(*o)));
            let both: Vec<u8> = sine(16_000).flat_map(|s| [law.encode(s); 2]).collect();
            let samples = read(&g711(law, 2, 16_000, &both)).unwrap();
            assert_eq!(samples.len(), 8_000);
            assert!((loudness(&samples) - 0.5 / 2f64.sqrt()).abs() < 0.01);
        }
        let whole = g711(Law::A, 1, RATE, &[0xd5; 800]);
        let cut = Error::Malformed("its length is longer than the file".into());
        assert_eq!(read(&whole[..500]), Err(cut));
        assert_eq!(read(&g711(Law::A, 1, RATE, &[])), Err(Error::Empty));
        assert_eq!(
            read(&g711(Law::A, 3, RATE, &[0; 9])),
            Err(Error::Unsupported("3 channels".into()))
        );
    }

    #[test]
    fn what_the_telephone_cannot_carry_does_not_fold_back() {
        for rate in [22_050, 48_000] {
            let samples = read(&tone(spec(1, rate, 16), 5_000.0)).unwrap();
            assert!(loudness(&samples) < 0.003, "{rate}: {}", loudness(&samples));
            let kept = read(&tone(spec(1, rate, 16), 3_300.0)).unwrap();
            assert!(loudness(&kept) > 0.34, "{rate}: {}", loudness(&kept));
        }
    }

    #[test]
    fn what_is_no_wav_says_so() {
        assert!(matches!(read(b""), Err(Error::Malformed(_))));
        assert!(matches!(read(b"ID3 this is an mp3, really"), Err(Error::Malformed(_))));
        let whole = tone(spec(1, 8_000, 16), 400.0);
        assert!(matches!(read(&whole[..whole.len() - 100]), Err(Error::Malformed(_))));
        let mut lying = whole.clone();
        lying[40..44].copy_from_slice(&0xffff_fff0u32.to_le_bytes());
        assert!(matches!(read(&lying), Err(Error::Malformed(_))), "{:?}", read(&lying));
        assert_eq!(
            read(&whole[..44]),
            Err(Error::Malformed("its length is longer than the file".into()))
        );
        let odd = tone(spec(1, 7_350, 16), 400.0);
        assert_eq!(read(&odd), Err(Error::Unsupported("7350 Hz".into())));
        let mut empty = Cursor::new(Vec::new());
        WavWriter::new(&mut empty, spec(1, 8_000, 16)).unwrap().finalize().unwrap();
        assert_eq!(read(&empty.into_inner()), Err(Error::Empty));
    }

    proptest::proptest! {
        #[test]
        fn no_damage_to_the_header_brings_it_down(at in 0usize..60, byte in 0u8..=255) {
            let mut file = tone(spec(1, 8_000, 16), 400.0);
            file.truncate(2_000);
            file[at] = byte;
            let _ = read(&file);
            let mut file = g711(Law::Mu, 1, RATE, &[7; 900]);
            file[at] = byte;
            let _ = read(&file);
        }
    }
}
