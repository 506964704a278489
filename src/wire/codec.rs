//! The audio codecs that the switch speaks, by the names and numbers of RFC 3551 and RFC 7587.
//!
//! In: a name or a payload type. Out: a [`Codec`], and what session descriptions and RTP must know
//! of it. Encodes nothing. May import: base, g711.

use super::g711::Law;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// G.711 A-law.
    Pcma,
    /// G.711 mu-law.
    Pcmu,
    /// G.722 at 64 kbit/s.
    G722,
    Opus,
}

impl Codec {
    pub const ALL: [Self; 4] = [Self::Pcma, Self::Pcmu, Self::G722, Self::Opus];

    /// The encoding name, as in `a=rtpmap`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// Names are the same in capitals or not (RFC 4855 section 3).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// The payload type that RFC 3551 section 6 gave it; `None`: it has a number only by
    /// `a=rtpmap`.
    pub const fn static_payload(self) -> Option<u8> {
        match self {
            Self::Pcma => Some(8),
            Self::Pcmu => Some(0),
            Self::G722 => Some(9),
            Self::Opus => None,
        }
    }

    pub const fn of_static(payload: u8) -> Option<Self> {
        match payload {
            8 => Some(Self::Pcma),
            0 => Some(Self::Pcmu),
            9 => Some(Self::G722),
            _ => None,
        }
    }

    /// The payload type under which we offer it.
    pub const fn our_payload(self) -> u8 {
        match self.static_payload() {
            Some(payload) => payload,
            None => 96,
        }
    }

    /// Ticks a second of its RTP timestamps. RFC 3551 section 4.5.2: "Even though the actual
    /// sampling rate for G.722 audio is 16,000 Hz, the RTP clock rate for the G722 payload format
    /// is 8,000 Hz". RFC 7587 section 4.1: Opus has 48,000, whatever it was sampled at.
    pub const fn clock(self) -> u32 {
        match self {
            Self::Pcma | Self::Pcmu | Self::G722 => 8_000,
            Self::Opus => 48_000,
        }
    }

    /// What stands behind the clock in `a=rtpmap`. RFC 7587 section 7: "The number of channels
    /// MUST be 2", however many are sent.
    pub const fn channels(self) -> Option<&'static str> {
        match self {
            Self::Pcma | Self::Pcmu | Self::G722 => None,
            Self::Opus => Some("2"),
        }
    }

    /// Samples a second that carry what it can tell.
    pub const fn rate(self) -> u32 {
        match self {
            Self::Pcma | Self::Pcmu => 8_000,
            Self::G722 => 16_000,
            Self::Opus => 48_000,
        }
    }

    /// Which of the two laws of G.711 it is.
    pub const fn law(self) -> Option<Law> {
        match self {
            Self::Pcma => Some(Law::A),
            Self::Pcmu => Some(Law::Mu),
            Self::G722 | Self::Opus => None,
        }
    }
}

impl From<Law> for Codec {
    fn from(law: Law) -> Self {
        match law {
            Law::A => Self::Pcma,
            Law::Mu => Self::Pcmu,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_read_as_they_are_written() {
        for codec in Codec::ALL {
            assert_eq!(Codec::named(&codec.name().to_lowercase()), Some(codec));
            assert_eq!(codec.static_payload().map_or(Some(codec), Codec::of_static), Some(codec));
            assert!(codec.law().is_none_or(|law| Codec::from(law) == codec));
        }
        assert_eq!((Codec::named("G729"), Codec::of_static(18)), (None, None));
    }
}
