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
}
