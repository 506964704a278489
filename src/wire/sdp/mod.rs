//! Session descriptions (RFC 8866), and what the offer/answer model needs of them (RFC 3264).
//!
//! In: a body of at most [`SDP_MAX`] octets. Out: a [`Session`], and from it the one [`Audio`]
//! stream that the switch can serve; printed, offered, mirrored in an answer. Knows no call and
//! decides nothing. May import: base.
//!
//! [`SDP_MAX`]: crate::base::limits::SDP_MAX

mod audio;
mod crypto;
mod ours;
mod parse;
mod print;

pub use audio::{Audio, Events, Format, Srtp, Unusable};
pub use crypto::{Crypto, Flaw, Master, Suite, without_keys};
pub use ours::Ours;
pub use parse::Error;

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A session description. Attributes that are not understood are kept, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub origin: Origin,
    /// `s=`; a dash where there is none.
    pub name: String,
    pub connection: Option<Place>,
    /// `t=`, without the letter. RFC 3264 section 6: the answer's is the offer's.
    pub timing: String,
    /// The default for every media line that has none of its own.
    pub direction: Option<Direction>,
    pub attributes: Vec<Attribute>,
    pub media: Vec<Media>,
}

/// `o=`: who made the description, and which version of it this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub user: String,
    pub id: u64,
    pub version: u64,
    pub address: String,
}

/// One `m=` line and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// `audio`, `video`, `image`, `application`.
    pub kind: String,
    /// Zero: refused or switched off.
    pub port: u16,
    /// `RTP/AVP` and the like.
    pub transport: String,
    /// Payload types of RTP, tokens of anything else.
    pub formats: Vec<String>,
    pub connection: Option<Place>,
    pub maps: Vec<Map>,
    pub fmtp: Vec<Fmtp>,
    /// Milliseconds of audio in a packet.
    pub ptime: Option<u16>,
    pub maxptime: Option<u16>,
    pub direction: Option<Direction>,
    /// RFC 3605: where RTCP goes, if not to the port after RTP's.
    pub rtcp: Option<Rtcp>,
    pub rtcp_mux: bool,
    /// RFC 4568: the keys that its sound may be sealed with, dearest first, and what is wrong with
    /// those that cannot be used.
    pub crypto: Vec<Result<Crypto, Flaw>>,
    pub attributes: Vec<Attribute>,
}

/// What stands in a `c=` line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    Address(IpAddr),
    /// A host name: allowed by the grammar, resolved by nobody.
    Name(String),
}

/// Which of the two kinds of addresses one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    /// Of an IPv6 address that holds one of IPv4 (RFC 4291 section 2.5.5.2), that of the latter.
    pub fn of(address: IpAddr) -> Self {
        if address.to_canonical().is_ipv4() { Self::V4 } else { Self::V6 }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// `a=rtpmap`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Map {
    pub payload: u8,
    pub encoding: String,
    pub rate: u32,
    /// Channels and the like, if given.
    pub rest: Option<String>,
}

/// `a=fmtp`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fmtp {
    pub format: String,
    pub parameters: String,
}

/// `a=rtcp` (RFC 3605).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rtcp {
    pub port: u16,
    pub address: Option<IpAddr>,
}

/// Any other `a=` line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    pub name: String,
    pub value: Option<String>,
}

/// Who speaks and who listens, as seen by the one who says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same direction as the other end sees it, which is also the widest answer to it
    /// (RFC 3264 section 6.1).
    pub fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// What both allow.
    pub fn and(self, other: Self) -> Self {
        Self::new(self.sends() && other.sends(), self.receives() && other.receives())
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

impl Session {
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        parse::session(bytes)
    }

    /// The media line's direction, or the session's, or RFC 8866 section 6.7's default.
    pub fn direction_of(&self, media: &Media) -> Direction {
        media.direction.or(self.direction).unwrap_or(Direction::SendRecv)
    }
}

#[cfg(test)]
mod tests;
