//! G.711, the codec of the telephone network: 8,000 samples a second, one octet each.
//!
//! In: samples or octets. Out: the other, through tables made at compile time. May import: base.

use serde::{Deserialize, Serialize};

/// Which of the two companding laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Law {
    /// A-law, PCMA, static payload type 8.
    A,
    /// Mu-law, PCMU, static payload type 0.
    Mu,
}

impl Law {
    pub const BOTH: [Law; 2] = [Law::A, Law::Mu];

    /// The encoding name of RFC 3551.
    pub const fn name(self) -> &'static str {
        match self {
            Law::A => "PCMA",
            Law::Mu => "PCMU",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::BOTH.into_iter().find(|law| law.name().eq_ignore_ascii_case(name))
    }

    /// The payload type that RFC 3551 gave it.
    pub const fn static_payload(self) -> u8 {
        match self {
            Law::A => 8,
            Law::Mu => 0,
        }
    }

    pub const fn of_static(payload: u8) -> Option<Self> {
        match payload {
            8 => Some(Law::A),
            0 => Some(Law::Mu),
            _ => None,
        }
    }
}
