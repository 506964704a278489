//! Via (RFC 3261 section 20.42, RFC 3581): the way a request came and its response goes back.

use super::host::Host;
use super::lex::{take_token, trim, trim_start};
use super::params::Params;

#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    /// As written: `UDP`, `TCP`, or something nobody knows.
    pub transport: &'a str,
    pub host: Host<'a>,
    pub port: Option<u16>,
    pub params: Params<'a>,
    /// The whole value as it stands.
    pub raw: &'a [u8],
}

/// What a branch begins with that is unique in space and time (RFC 3261 section 8.1.1.7).
const COOKIE: &str = "z9hG4bK";

impl<'a> Via<'a> {
    /// The whole of `raw`, which is one value.
    pub fn parse(raw: &'a [u8]) -> Option<Via<'a>> {
        let raw = trim(raw);
        let rest = match raw {
            [s, i, p, b'/', b'2', b'.', b'0', b'/', rest @ ..]
                if [*s, *i, *p].eq_ignore_ascii_case(b"SIP") =>
            {
                rest
            }
            _ => spaced_version(raw)?,
        };
        let (transport, rest) = take_token(trim_start(rest));
        let sent_by = trim_start(rest);
        if transport.is_empty() || sent_by.len() == rest.len() {
            return None;
        }
        let end = memchr::memchr(b';', sent_by).unwrap_or(sent_by.len());
        let (host, port) = sent_by_parts(trim(&sent_by[..end]))?;
        let params = Params::checked_once(&sent_by[end..], "branch")?;
        Some(Via { transport, host, port, params, raw })
    }

    pub fn branch(&self) -> Option<&'a str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// The branch, where it names a transaction by itself: it has the cookie and something after
    /// it. Otherwise the rules of RFC 2543 hold (RFC 3261 section 17.2.3).
    pub fn transaction(&self) -> Option<&'a str> {
        let branch = self.branch()?;
        let cookie = branch.get(..COOKIE.len())?;
        let unique = branch.len() > COOKIE.len() && cookie.eq_ignore_ascii_case(COOKIE);
        unique.then_some(branch)
    }

    /// `received`, with or without brackets.
    pub fn received(&self) -> Option<Host<'a>> {
        self.params.get("received").and_then(Host::parse)
    }

    /// `rport` (RFC 3581): `Some(None)` asks for it, `Some(Some(port))` is the answer.
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get("rport").map(|value| super::lex::number(value.as_bytes()))
    }
}

/// `SIP / 2.0 /` with whitespace around the slashes, folds included (RFC 4475 section 3.1.1.1).
fn spaced_version(raw: &[u8]) -> Option<&[u8]> {
    let (protocol, rest) = take_token(raw);
    let rest = trim_start(rest).strip_prefix(b"/")?;
    let (version, rest) = take_token(trim_start(rest));
    let sound = protocol.eq_ignore_ascii_case("SIP") && version == "2.0";
    trim_start(rest).strip_prefix(b"/").filter(|_| sound)
}

/// `host [ COLON port ]`; whitespace may stand around the colon.
fn sent_by_parts(raw: &[u8]) -> Option<(Host<'_>, Option<u16>)> {
    let raw = std::str::from_utf8(raw).ok()?;
    if let Some(parts) = Host::parse_with_port(raw) {
        return Some(parts);
    }
    let (host, port) = raw.rsplit_once(':')?;
    let port = super::lex::number(trim(port.as_bytes()))?;
    let host = host.trim_end();
    let bracketed = host.starts_with('[') || !host.contains(':');
    Some((Host::parse(host).filter(|_| bracketed)?, Some(port)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn via(raw: &str) -> Via<'_> {
        Via::parse(raw.as_bytes()).unwrap_or_else(|| panic!("{raw}"))
    }

    #[test]
    fn a_plain_via_and_a_tortured_one_are_read_alike() {
        let v = via("SIP/2.0/UDP 192.0.2.2:5061;branch=z9hG4bK1;rport;received=2001:db8::9:255");
        assert_eq!((v.transport, v.port, v.branch()), ("UDP", Some(5061), Some("z9hG4bK1")));
        assert_eq!((v.rport(), v.transaction()), (Some(None), Some("z9hG4bK1")));
        let address: IpAddr = "2001:db8::9:255".parse().unwrap();
        assert_eq!(v.received().and_then(Host::ip), Some(address));
        let v =
            via("sip  / 2.0\r\n / TCP     spindle.example.com  : 5060 ;\r\n  branch  =   z9hG4bK9");
        assert_eq!((v.transport, v.port, v.branch()), ("TCP", Some(5060), Some("z9hG4bK9")));
    }

    #[test]
    fn a_bare_cookie_names_no_transaction() {
        assert_eq!(via("SIP/2.0/UDP h;branch=z9hG4bK").transaction(), None);
        assert_eq!(via("SIP/2.0/UDP h;branch=390skdjuw").transaction(), None);
        assert_eq!(via("SIP/2.0/UDP h").branch(), None);
        assert_eq!(via("SIP/2.0/UDP h;rport=5070").rport(), Some(Some(5070)));
    }

    #[test]
    fn what_is_no_via_is_refused() {
        for bad in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/7.0/UDP h",
            "SIP/2.0 h",
            "SIP/2.0/UDP h;;,;,,",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP h:x",
            "SIP/2.0/UDP 2001:db8::1",
            "HTTP/2.0/UDP h",
        ] {
            assert!(Via::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
