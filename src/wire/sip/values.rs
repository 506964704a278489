//! Small header values: CSeq, RAck, Session-Expires, Reason.

use super::lex::{is_ws, number, seconds, take_token, trim, trim_start, whole_token};
use super::method::Method;
use super::params::Params;
use std::borrow::Cow;

/// CSeq (RFC 3261 section 20.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    pub number: u32,
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Beyond 2^32-1 it is no CSeq (RFC 4475 section 3.1.2.4).
    pub fn parse(raw: &'a [u8]) -> Option<CSeq<'a>> {
        let (digits, rest) = split_digits(trim(raw));
        let method = whole_token(trim_start(rest)).filter(|_| is_ws(rest[0]))?;
        Some(CSeq { number: number(digits)?, method: Method::of(method) })
    }
}

/// RAck (RFC 3262 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RAck<'a> {
    pub rseq: u32,
    pub cseq: CSeq<'a>,
}

impl<'a> RAck<'a> {
    pub fn parse(raw: &'a [u8]) -> Option<RAck<'a>> {
        let (digits, rest) = split_digits(trim(raw));
        Some(RAck { rseq: number(digits)?, cseq: CSeq::parse(rest)? })
    }
}

/// Who refreshes the session (RFC 4028 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    Uac,
    Uas,
}

impl Refresher {
    pub fn as_str(self) -> &'static str {
        match self {
            Refresher::Uac => "uac",
            Refresher::Uas => "uas",
        }
    }
}

/// Session-Expires (RFC 4028 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    pub seconds: u32,
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    pub fn parse(raw: &[u8]) -> Option<SessionExpires> {
        let (digits, params) = split_digits(trim(raw));
        let refresher = match Params::checked(params)?.get("refresher") {
            None => None,
            Some(who) if who.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) => return None,
        };
        Some(SessionExpires { seconds: seconds(digits)?, refresher })
    }
}

/// delta-seconds, with whatever parameters or comment follow (Min-SE, Retry-After).
pub(super) fn leading_seconds(raw: &[u8]) -> Option<u32> {
    seconds(split_digits(trim(raw)).0)
}

/// One value of Reason (RFC 3326).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// `SIP`, `Q.850` or another protocol.
    pub protocol: &'a str,
    pub params: Params<'a>,
}

impl<'a> Reason<'a> {
    pub fn parse(raw: &'a [u8]) -> Option<Reason<'a>> {
        let (protocol, rest) = take_token(trim_start(raw));
        let params = Params::checked(rest)?;
        (!protocol.is_empty()).then_some(Reason { protocol, params })
    }

    pub fn cause(&self) -> Option<u16> {
        number(self.params.get("cause")?.as_bytes())
    }

    pub fn text(&self) -> Cow<'a, str> {
        self.params.text("text").unwrap_or_default()
    }
}

/// Replaces (RFC 3891 section 6.1). The tags are as the one who reads it sees them: `to_tag` is its
/// own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces<'a> {
    pub call_id: &'a str,
    pub to_tag: Cow<'a, str>,
    pub from_tag: Cow<'a, str>,
    pub early_only: bool,
}

impl<'a> Replaces<'a> {
    pub fn parse(raw: &'a [u8]) -> Option<Replaces<'a>> {
        let raw = trim(raw);
        let (call_id, params) = raw.split_at(raw.iter().position(|b| *b == b';')?);
        let call_id = std::str::from_utf8(trim(call_id)).ok().filter(|id| !id.is_empty())?;
        let params = Params::checked(params)?;
        Some(Replaces {
            call_id,
            to_tag: params.text("to-tag").filter(|tag| !tag.is_empty())?,
            from_tag: params.text("from-tag").filter(|tag| !tag.is_empty())?,
            early_only: params.has("early-only"),
        })
    }
}

fn split_digits(raw: &[u8]) -> (&[u8], &[u8]) {
    raw.split_at(raw.iter().position(|b| !b.is_ascii_digit()).unwrap_or(raw.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_have_32_bits() {
        let cseq = CSeq { number: 9, method: Method::Invite };
        assert_eq!(CSeq::parse(b"0009\r\n  INVITE"), Some(cseq));
        assert_eq!(CSeq::parse(b"4294967295 ACK").map(|c| c.number), Some(u32::MAX));
        for bad in [&b"4294967296 ACK"[..], b"-1 ACK", b"1", b"1 ", b"INVITE", b"1ACK", b"1 A B"] {
            assert_eq!(CSeq::parse(bad), None);
        }
        assert_eq!(RAck::parse(b"776656 9 INVITE"), Some(RAck { rseq: 776_656, cseq }));
        assert_eq!(RAck::parse(b"776656 INVITE"), None);
    }

    #[test]
    fn session_timers() {
        let parsed = SessionExpires::parse(b"1800 ; Refresher=UAS").unwrap();
        assert_eq!((parsed.seconds, parsed.refresher), (1800, Some(Refresher::Uas)));
        assert_eq!(SessionExpires::parse(b"90").unwrap().refresher, None);
        for bad in [&b""[..], b"abc", b"1800;refresher=me", b"18 00", b"1;;"] {
            assert_eq!(SessionExpires::parse(bad), None);
        }
        assert_eq!(leading_seconds(b"120 (in a meeting);duration=60"), Some(120));
        assert_eq!(leading_seconds(b"soon"), None);
    }

    #[test]
    fn replaces_names_a_dialog() {
        let parsed = Replaces::parse(b"98732@sip.example.com ;from-tag=r33 ; to-tag=ff87").unwrap();
        assert_eq!((parsed.call_id, parsed.early_only), ("98732@sip.example.com", false));
        assert_eq!((&*parsed.to_tag, &*parsed.from_tag), ("ff87", "r33"));
        assert!(Replaces::parse(b"1;to-tag=a;from-tag=b;early-only").unwrap().early_only);
        for bad in [&b"1"[..], b"1;to-tag=a", b";to-tag=a;from-tag=b", b"1;to-tag=a;from-tag"] {
            assert_eq!(Replaces::parse(bad), None);
        }
    }

    #[test]
    fn reasons_carry_a_cause_and_a_text() {
        let reason = Reason::parse(b"Q.850 ;cause=16 ;text=\"Normal, clearing\"").unwrap();
        assert_eq!((reason.protocol, reason.cause()), ("Q.850", Some(16)));
        assert_eq!(reason.text(), "Normal, clearing");
        assert_eq!(Reason::parse(b"SIP").unwrap().cause(), None);
    }
}
