//! What a far end says of the Opus that it wants to be sent (RFC 7587 section 6.1): the parameters
//! of its `a=fmtp`, and ours.
//!
//! In: `useinbandfec=1; maxaveragebitrate=20000`. Out: [`Terms`], and the other way round. What is
//! unknown or out of range is passed over. May import: nothing.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Bits a second that the parameter may say, and samples.
const BITS: (u32, u32) = (6_000, 510_000);
const RATE: (u32, u32) = (8_000, 48_000);

/// By default it takes whatever comes. It may be sent one channel at any time (section 3.4), so
/// that `stereo` binds nobody who sends only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Terms {
    /// Bits a second at most, on the average (`maxaveragebitrate`): 6,000 to 510,000.
    pub bits: u32,
    /// Samples a second of what it can let be heard (`maxplaybackrate`): 8,000 to 48,000.
    pub rate: u32,
    /// It repairs a loss with what stands in the next packet (`useinbandfec`).
    pub fec: bool,
    /// Every packet is to be as long as the others (`cbr`).
    pub cbr: bool,
    /// Frames are of 10 ms and not of 20: it wants packets of 10, 30 or 50. That stands in
    /// `a=ptime`, and not among the parameters.
    pub tens: bool,
}

/// Several packets of one frame each as one packet (RFC 6716 section 3.2.5). `None`: they are not
/// alike, or not of one frame, or more than 48. `cbr`: where these are of one length, so is what
/// comes of as many of them, whatever they are filled up with.
pub fn join(packets: &[&[u8]], cbr: bool) -> Option<Vec<u8>> {
    let (kind, count) = (packets.first()?.first()? & !3, packets.len());
    if !(2..=48).contains(&count) {
        return None;
    }
    let frames: Option<Vec<&[u8]>> = packets.iter().map(|packet| alone(packet, kind)).collect();
    let frames = frames?;
    // Frames of any length each, no padding.
    let mut whole = vec![kind | 3, 0x80 | count as u8];
    for (n, frame) in frames.iter().enumerate() {
        match frame.len() {
            _ if n + 1 == count => {}
            length @ 0..252 => whole.push(length as u8),
            // Section 3.2.1: the second octet counts fours.
            length @ 252..=1_275 => {
                let rest = length % 4;
                whole.extend([252 + rest as u8, ((length - 252 - rest) / 4) as u8]);
            }
            _ => return None,
        }
    }
    frames.iter().for_each(|frame| whole.extend_from_slice(frame));
    if cbr {
        let longest: usize = packets.iter().map(|packet| packet.len() + 1).sum();
        fill(&mut whole, longest + 1);
    }
    Some(whole)
}

/// Fills a packet of many frames up to this length, of which it is short by one octet at least: the
/// count of what it is filled with stands behind that of its frames, and each 255 of it are 254
/// octets and more to come.
fn fill(whole: &mut Vec<u8>, length: usize) {
    let missing = length - whole.len();
    let long = (missing - 1) / 255;
    let count = std::iter::repeat_n(255, long).chain([(missing - 1 - long * 255) as u8]);
    whole[1] |= 0x40;
    whole.splice(2..2, count);
    whole.resize(length, 0);
}

/// The one frame of a packet of this kind, without what it may be filled up with.
fn alone(packet: &[u8], kind: u8) -> Option<&[u8]> {
    let (first, rest) = packet.split_first().filter(|(first, _)| **first & !3 == kind)?;
    match (first & 3, rest) {
        (0, frame) => Some(frame),
        // Section 3.2.5: the number of frames, whether their lengths stand here, and padding.
        (3, [0x01, frame @ ..]) => Some(frame),
        (3, [0x41, filled @ ..]) => {
            let long = filled.iter().take_while(|octet| **octet == 255).count();
            let padding = long * 254 + usize::from(*filled.get(long)?);
            let frame = &filled[long + 1..];
            frame.len().checked_sub(padding).map(|length| &frame[..length])
        }
        _ => None,
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self { bits: BITS.1, rate: RATE.1, fec: false, cbr: false, tens: false }
    }
}

impl Terms {
    pub fn read(parameters: &str) -> Self {
        let mut terms = Self::default();
        for (name, value) in parameters.split(';').filter_map(|one| one.split_once('=')) {
            let Ok(value) = value.trim().parse::<u32>() else { continue };
            match name.trim().to_ascii_lowercase().as_str() {
                "maxaveragebitrate" => terms.bits = value.clamp(BITS.0, BITS.1),
                "maxplaybackrate" => terms.rate = value.clamp(RATE.0, RATE.1),
                "useinbandfec" => terms.fec = value == 1,
                "cbr" => terms.cbr = value == 1,
                _ => {}
            }
        }
        terms
    }
}

/// What is as everybody has it is not said.
impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = Self::default();
        let all = [
            (self.fec != own.fec, "useinbandfec", 1),
            (self.bits != own.bits, "maxaveragebitrate", self.bits),
            (self.rate != own.rate, "maxplaybackrate", self.rate),
            (self.cbr != own.cbr, "cbr", 1),
        ];
        let said = all.iter().filter(|(is_said, ..)| *is_said);
        for (n, (_, name, value)) in said.enumerate() {
            let between = if n > 0 { ";" } else { "" };
            write!(f, "{between}{name}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_reads_the_same_and_what_is_odd_is_passed_over() {
        for (text, terms) in [
            ("", Terms::default()),
            ("useinbandfec=1", Terms { fec: true, ..Terms::default() }),
            (
                "useinbandfec=1;maxaveragebitrate=20000;maxplaybackrate=16000;cbr=1",
                Terms { bits: 20_000, rate: 16_000, fec: true, cbr: true, tens: false },
            ),
        ] {
            assert_eq!(Terms::read(text), terms);
            assert_eq!(terms.to_string(), text);
        }
        let odd =
            "MaxAverageBitrate = 1 ; maxplaybackrate=96000;stereo=1;useinbandfec=;cbr;usedtx=x";
        assert_eq!(Terms::read(odd), Terms { bits: 6_000, ..Terms::default() });
        assert_eq!(Terms::read("maxaveragebitrate=99999999999;useinbandfec=2"), Terms::default());
    }

    #[test]
    fn frames_alike_are_one_packet_and_others_are_not() {
        let frame = |toc: u8, length: usize| [vec![toc], vec![7; length]].concat();
        let join = |frames: &[Vec<u8>]| {
            let parts: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
            join(&parts, false)
        };
        let whole = join(&[frame(0x08, 2), frame(0x08, 252), frame(0x08, 3)]).unwrap();
        assert_eq!(whole[..5], [0x0b, 0x83, 2, 252, 0]);
        assert_eq!(whole.len(), 5 + 2 + 252 + 3);
        let long = join(&[frame(0x08, 255), frame(0x08, 257), frame(0x08, 0)]).unwrap();
        assert_eq!(long[2..6], [255, 0, 253, 1]);
        // Filled up to be as long as others.
        let filled = [&[0x0b, 0x41, 3][..], &[7; 5], &[0; 3]].concat();
        let more = [&[0x0b, 0x41, 255, 1][..], &[7; 5], &[0; 255]].concat();
        let whole = join(&[filled.clone(), more, frame(0x08, 1)]).unwrap();
        assert_eq!(whole, [&[0x0b, 0x83, 5, 5][..], &[7; 11]].concat());
        for frames in [
            vec![filled, vec![0x0b, 0x41, 9, 1]],
            vec![frame(0x08, 2)],
            vec![frame(0x08, 2), frame(0x10, 2)],
            vec![frame(0x09, 2), frame(0x09, 2)],
            vec![frame(0x08, 2), Vec::new()],
            Vec::new(),
        ] {
            assert_eq!(join(&frames), None, "{frames:x?}");
        }
    }

    /// What a packet is filled up with is taken out, and as much is put in again.
    #[test]
    fn as_many_packets_of_one_length_are_one_of_one_length() {
        for length in [4, 60, 251, 252, 255, 256, 300, 700] {
            let lengths = (1..6).map(|filled| {
                let full = [vec![0x08], vec![7; length - 1]].concat();
                // So many octets of it say nothing, the two that say so included.
                let hollow = match filled {
                    1 => full.clone(),
                    _ if length < 9 => [&[0x0b, 0x41, 0][..], &vec![7; length - 3]].concat(),
                    _ => {
                        let rest = length - 3 - filled;
                        [&[0x0b, 0x41, filled as u8][..], &vec![7; rest], &vec![0; filled]].concat()
                    }
                };
                assert_eq!((full.len(), hollow.len()), (length, length));
                let whole = join(&[&full, &hollow, &hollow], true).unwrap();
                let (code, count) = (whole[0] & 3, whole[1]);
                assert_eq!((code, count), (3, 0xc3), "three frames, filled up");
                whole.len()
            });
            let lengths: Vec<usize> = lengths.collect();
            assert!(lengths.iter().all(|one| *one == 3 * length + 4), "{length}: {lengths:?}");
        }
    }
}
