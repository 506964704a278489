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
use riff::{Coding, Found};
use std::fmt;

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

/// The file's audio at [`RATE`], mono.
pub fn read(bytes: &[u8]) -> Result<Vec<i16>, Error> {
    if bytes.len() > FILE_MAX {
        return Err(Error::TooLong);
    }
    let found = riff::find(bytes)?;
    check(found.rate, found.channels)?;
    let channels = usize::from(found.channels);
    let frames = found.octets.len() / (channels * found.coding.octets());
    if frames == 0 {
        return Err(Error::Empty);
    }
    if frames as u64 >= u64::from(SECONDS_MAX) * u64::from(found.rate) {
        return Err(Error::TooLong);
    }
    // What is in the telephone's own code already, if it has its rate, is not touched.
    if let (Coding::Law(law), RATE, 1) = (found.coding, found.rate, channels) {
        return Ok(found.octets.iter().map(|octet| law.decode(*octet)).collect());
    }
    let mono = mono(samples(&found), channels);
    Ok(resample(&mono, found.rate).into_iter().map(to_i16).collect())
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

/// All channels, as numbers from -1 to 1.
fn samples(found: &Found) -> Vec<f32> {
    let whole = found.octets.chunks_exact(found.coding.octets());
    match found.coding {
        Coding::Law(law) => whole.map(|one| f32::from(law.decode(one[0])) / 32_768.0).collect(),
        Coding::Linear(8) => whole.map(|one| (f32::from(one[0]) - 128.0) / 128.0).collect(),
        // In the upper octets of four, whatever there are: the sign is where it belongs.
        Coding::Linear(_) => whole
            .map(|one| {
                let mut four = [0; 4];
                four[4 - one.len()..].copy_from_slice(one);
                i32::from_le_bytes(four) as f32 / 2_147_483_648.0
            })
            .collect(),
        // A number that is none is silence, not an infinite echo of it in the filter.
        Coding::Float(_) => whole.map(float).map(|s| if s.is_finite() { s } else { 0.0 }).collect(),
    }
}

fn float(octets: &[u8]) -> f32 {
    match *octets {
        [a, b, c, d] => f32::from_le_bytes([a, b, c, d]),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32,
        _ => 0.0,
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
    use std::io::Cursor;

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

    /// A file of these chunks, each on an even octet.
    fn riff(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
        let mut file = b"RIFF....WAVE".to_vec();
        for (name, body) in chunks {
            file.extend(*name);
            file.extend((body.len() as u32).to_le_bytes());
            file.extend(body);
            file.resize(file.len().next_multiple_of(2), 0);
        }
        let length = file.len() as u32 - 8;
        file[4..8].copy_from_slice(&length.to_le_bytes());
        file
    }

    /// The format of one channel at 8,000 Hz, in the extension of WAVE_FORMAT_EXTENSIBLE or not.
    fn format(tag: u16, bits: u16, extended: bool) -> Vec<u8> {
        let octets = bits / 8;
        let own = if extended { 0xfffe } else { tag };
        let plain = [own, 1, 8_000, 0, 8_000 * octets, 0, octets, bits];
        let extension = [22, bits, 4, 0, tag, 0, 0, 0x10, 0x80, 0xaa00, 0x3800, 0x719b];
        let extension = &extension[..if extended { extension.len() } else { 0 }];
        plain.iter().chain(extension).flat_map(|word: &u16| word.to_le_bytes()).collect()
    }

    /// A second of a tone at half of full scale, as each sample becomes octets.
    fn second(octets: impl Fn(f64) -> Vec<u8>) -> Vec<u8> {
        let sample = |n: u32| 0.5 * (2.0 * PI * 1_000.0 * f64::from(n) / 8_000.0).sin();
        (0..8_000).flat_map(|n| octets(sample(n))).collect()
    }

    #[test]
    fn files_of_any_depth_and_any_order_of_chunks_are_read() {
        let whole = |value: f64, bits: u32| (value * f64::from(1u32 << (bits - 1))) as i32;
        let int = |bits: u32| {
            move |value: f64| whole(value, bits).to_le_bytes()[..bits as usize / 8].to_vec()
        };
        let eight = |value: f64| vec![(whole(value, 8) + 128) as u8];
        let float = |value: f64| (value as f32).to_le_bytes().to_vec();
        let law = |law: Law| move |value: f64| vec![law.encode((value * 32_768.0) as i16)];
        let wide = |value: f64| ((value * f64::from(i32::MAX)) as i32).to_le_bytes().to_vec();
        for (what, tag, bits, octets) in [
            ("8 bits", 1, 8, second(eight)),
            ("16 bits", 1, 16, second(int(16))),
            ("24 bits", 1, 24, second(int(24))),
            ("32 bits", 1, 32, second(wide)),
            ("float", 3, 32, second(float)),
            ("double", 3, 64, second(|value| value.to_le_bytes().to_vec())),
            ("A-law", 6, 8, second(law(Law::A))),
            ("mu-law", 7, 8, second(law(Law::Mu))),
        ] {
            let list = |length: usize| (b"LIST", vec![7; length]);
            for extended in [false, true] {
                let (format, data) =
                    ((b"fmt ", format(tag, bits, extended)), (b"data", octets.clone()));
                for chunks in [
                    vec![format.clone(), data.clone()],
                    vec![list(9), format.clone(), list(30), data.clone(), list(5)],
                    vec![data, list(1), format],
                ] {
                    let samples = read(&riff(&chunks));
                    let samples = samples.unwrap_or_else(|why| panic!("{what} {extended}: {why}"));
                    assert_eq!(samples.len(), 8_000, "{what} {extended}");
                    let off = loudness(&samples) - 0.5 / 2f64.sqrt();
                    assert!(off.abs() < 0.01, "{what} {extended}: {off}");
                }
            }
        }
    }

    #[test]
    fn what_is_too_long_for_anybody_is_not_read() {
        let hour = g711(Law::A, 1, RATE, &vec![0xd5; 8_000 * SECONDS_MAX as usize]);
        assert_eq!(read(&hour), Err(Error::TooLong));
        let shorter = g711(Law::A, 1, RATE, &vec![0xd5; 8_000 * SECONDS_MAX as usize - 1]);
        assert!(read(&shorter).is_ok());
    }

    #[test]
    fn what_is_no_wav_says_so() {
        assert!(matches!(read(b""), Err(Error::Malformed(_))));
        let strange = riff(&[(b"fmt ", format(0x55, 16, false)), (b"data", vec![0; 90])]);
        assert_eq!(read(&strange), Err(Error::Unsupported("WAV of the kind 0x0055".into())));
        let odd = riff(&[(b"fmt ", format(1, 12, false)), (b"data", vec![0; 90])]);
        assert_eq!(read(&odd), Err(Error::Unsupported("12 bits".into())));
        let bare = riff(&[(b"data", vec![0; 90])]);
        assert_eq!(read(&bare), Err(Error::Malformed("it has no format".into())));
        let brief = riff(&[(b"fmt ", vec![1, 0, 1, 0]), (b"data", vec![0; 90])]);
        assert_eq!(read(&brief), Err(Error::Malformed("its format is cut short".into())));
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
