//! The RIFF chunks of a WAV file: format and audio, wherever they are among others; and those of a
//! file of G.711, written. May import: base, wire.

use super::Error;
use crate::wire::g711::Law;

/// Octets before the audio in a file of ours.
pub const HEADER: usize = 58;

const LINEAR: u16 = 1;
const FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
/// The real format stands in the extension.
const EXTENSIBLE: u16 = 0xfffe;

/// The audio of a file, as it stands there.
pub struct Found<'a> {
    pub coding: Coding,
    pub channels: u16,
    pub rate: u32,
    pub octets: &'a [u8],
}

/// What the octets of a sample are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Whole numbers of so many bits, the lowest octet first; those of 8 have no sign.
    Linear(u16),
    Float(u16),
    Law(Law),
}

impl Coding {
    pub fn octets(self) -> usize {
        match self {
            Self::Linear(bits) | Self::Float(bits) => usize::from(bits / 8),
            Self::Law(_) => 1,
        }
    }
}

/// What is wrong with a file is said of the first thing that is.
pub fn find(bytes: &[u8]) -> Result<Found<'_>, Error> {
    let malformed = |what: &str| Error::Malformed(what.into());
    if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
        return Err(malformed("it does not begin with RIFF and WAVE"));
    }
    let (mut format, mut audio) = (None, None);
    let mut at = 12;
    while let Some(head) = bytes.get(at..at + 8) {
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let body = &bytes[at + 8..];
        match &head[..4] {
            b"fmt " if format.is_none() => {
                let whole = body.get(..size).ok_or_else(|| malformed("its format is cut short"))?;
                format = Some(read_format(whole)?);
            }
            b"data" if audio.is_none() => {
                let whole = body.get(..size);
                audio = Some(whole.ok_or_else(|| malformed("its length is longer than the file"))?);
            }
            _ => {}
        }
        // Chunks begin on even octets.
        at = at.saturating_add(8).saturating_add(size).next_multiple_of(2);
    }
    let (coding, channels, rate) = format.ok_or_else(|| malformed("it has no format"))?;
    let octets = audio.ok_or_else(|| malformed("it has no audio"))?;
    Ok(Found { coding, channels, rate, octets })
}

fn read_format(format: &[u8]) -> Result<(Coding, u16, u32), Error> {
    let word = |at: usize| {
        let pair = format.get(at..at + 2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        pair.ok_or_else(|| Error::Malformed("its format is cut short".into()))
    };
    let tag = match word(0)? {
        EXTENSIBLE => word(24)?,
        tag => tag,
    };
    let coding = match (tag, word(14)?) {
        (LINEAR, bits @ (8 | 16 | 24 | 32)) => Coding::Linear(bits),
        (FLOAT, bits @ (32 | 64)) => Coding::Float(bits),
        (A_LAW, 8) => Coding::Law(Law::A),
        (MU_LAW, 8) => Coding::Law(Law::Mu),
        (LINEAR | FLOAT | A_LAW | MU_LAW, bits) => {
            return Err(Error::Unsupported(format!("{bits} bits")));
        }
        (tag, _) => return Err(Error::Unsupported(format!("WAV of the kind {tag:#06x}"))),
    };
    let rate = u32::from(word(4)?) | u32::from(word(6)?) << 16;
    Ok((coding, word(2)?, rate))
}

/// A whole file of G.711. `octets`: those of all channels by turns.
pub fn g711(law: Law, channels: u16, rate: u32, octets: &[u8]) -> Vec<u8> {
    let mut file = header(law, channels, rate, octets.len() as u32).to_vec();
    file.extend_from_slice(octets);
    if !octets.len().is_multiple_of(2) {
        file.push(0);
    }
    file
}

/// What stands before `length` octets of audio.
pub fn header(law: Law, channels: u16, rate: u32, length: u32) -> [u8; HEADER] {
    let tag = match law {
        Law::A => A_LAW,
        Law::Mu => MU_LAW,
    };
    let frames = length / u32::from(channels).max(1);
    let riff = (HEADER as u32 - 8).saturating_add(length).saturating_add(length % 2);
    let mut bytes = [0; HEADER];
    let mut at = 0;
    let mut put = |part: &[u8]| {
        bytes[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    };
    put(b"RIFF");
    put(&riff.to_le_bytes());
    put(b"WAVEfmt ");
    put(&18u32.to_le_bytes());
    put(&tag.to_le_bytes());
    put(&channels.to_le_bytes());
    put(&rate.to_le_bytes());
    put(&rate.saturating_mul(u32::from(channels)).to_le_bytes());
    put(&channels.to_le_bytes());
    put(&8u16.to_le_bytes());
    put(&0u16.to_le_bytes());
    // Formats other than linear PCM say how many samples a channel has.
    put(b"fact");
    put(&4u32.to_le_bytes());
    put(&frames.to_le_bytes());
    put(b"data");
    put(&length.to_le_bytes());
    bytes
}
