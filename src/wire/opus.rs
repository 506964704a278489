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
}

/// Several packets of one frame each as one packet (RFC 6716 section 3.2.5). `None`: they are not
/// alike, or not of one frame, or more than 48.
pub fn join(packets: &[&[u8]]) -> Option<Vec<u8>> {
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
    Some(whole)
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
        Self { bits: BITS.1, rate: RATE.1, fec: false, cbr: false }
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
                Terms { bits: 20_000, rate: 16_000, fec: true, cbr: true },
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
            join(&parts)
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
}
