//! The RIFF chunks of a WAV file in G.711 (formats 6 and 7), which `hound` does not read: found in
//! a file, and written. May import: base, wire.

use super::Error;
use crate::wire::g711::Law;

/// Octets before the audio in a file of ours.
pub const HEADER: usize = 58;

const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
/// The real format stands in the extension.
const EXTENSIBLE: u16 = 0xfffe;

/// The audio of a file, as it stands there.
pub struct Companded<'a> {
    pub law: Law,
    pub channels: u16,
    pub rate: u32,
    pub octets: &'a [u8],
}

/// `None`: the file is in another format, or no RIFF file at all.
pub fn companded(bytes: &[u8]) -> Result<Option<Companded<'_>>, Error> {
    if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
        return Ok(None);
    }
    let mut format = None;
    let mut at = 12;
    while let Some(head) = bytes.get(at..at + 8) {
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let body = &bytes[at + 8..];
        match &head[..4] {
            b"fmt " => match body.get(..size).and_then(read_format) {
                Some(found) => format = Some(found),
                None => return Ok(None),
            },
            b"data" => {
                let Some((law, channels, rate)) = format else { return Ok(None) };
                let octets = body
                    .get(..size)
                    .ok_or_else(|| Error::Malformed("its length is longer than the file".into()))?;
                return Ok(Some(Companded { law, channels, rate, octets }));
            }
            _ => {}
        }
        // Chunks begin on even octets.
        at = at.saturating_add(8).saturating_add(size).next_multiple_of(2);
    }
    Ok(None)
}

fn read_format(format: &[u8]) -> Option<(Law, u16, u32)> {
    let word = |at: usize| Some(u16::from_le_bytes([*format.get(at)?, *format.get(at + 1)?]));
    let tag = match word(0)? {
        EXTENSIBLE => word(24)?,
        tag => tag,
    };
    let law = match tag {
        A_LAW => Law::A,
        MU_LAW => Law::Mu,
        _ => return None,
    };
    let rate = u32::from(word(4)?) | u32::from(word(6)?) << 16;
    (word(14)? == 8).then_some((law, word(2)?, rate))
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
