//! Hosts: a name, an IPv4 address or a bracketed IPv6 reference (RFC 3261 section 25.1, RFC 5118).

use super::lex::{class, number, run};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a URI or a Via points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    Name(&'a str),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// The whole of `raw` as a host; an IPv6 address may stand without its brackets, as some write
    /// it in `received` and `maddr` (RFC 5118 section 4.5).
    pub fn parse(raw: &'a str) -> Option<Host<'a>> {
        if let Some(inner) = raw.strip_prefix('[') {
            return v6(inner.strip_suffix(']')?).map(Host::V6);
        }
        match raw.bytes().any(|b| b == b':') {
            true => v6(raw).map(Host::V6),
            false => name_or_v4(raw),
        }
    }

    /// `host [ ":" port ]`, the whole of `raw`. The IPv6 form must be bracketed.
    pub fn parse_with_port(raw: &'a str) -> Option<(Host<'a>, Option<u16>)> {
        match Self::take_with_port(raw)? {
            (host, port, "") => Some((host, port)),
            _ => None,
        }
    }

    /// `host [ ":" port ]` at the front of `raw`, and what follows.
    pub(super) fn take_with_port(raw: &'a str) -> Option<(Host<'a>, Option<u16>, &'a str)> {
        let (host, rest) = if raw.starts_with('[') {
            let (host, rest) = raw.split_at(raw.find(']')? + 1);
            (Host::parse(host)?, rest)
        } else {
            let (host, rest) = raw.split_at(run(raw.as_bytes(), class::HOST));
            (letters(host)?, rest)
        };
        let Some(after) = rest.strip_prefix(':') else {
            return Some((host, None, rest));
        };
        let digits = after.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(after.len());
        let (port, rest) = after.split_at(digits);
        Some((host, Some(number(port.as_bytes())?), rest))
    }

    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(ip) => Some(ip.into()),
            Host::V6(ip) => Some(ip.into()),
        }
    }

    /// Host names are compared without regard to case (RFC 3261 section 19.1.4).
    pub fn same(self, other: Host<'_>) -> bool {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a == b,
        }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(ip) => ip.fmt(f),
            Host::V6(ip) => write!(f, "[{ip}]"),
        }
    }
}

/// RFC 5118 section 4.10: the grammar of RFC 3261 allowed `2001:db8:::192.0.2.1`, so the third
/// colon is tolerated; it is never written.
fn v6(inner: &str) -> Option<Ipv6Addr> {
    if let Ok(ip) = inner.parse() {
        return Some(ip);
    }
    let (before, after) = inner.split_once(":::")?;
    format!("{before}::{after}").parse().ok()
}

fn name_or_v4(raw: &str) -> Option<Host<'_>> {
    letters(raw).filter(|_| run(raw.as_bytes(), class::HOST) == raw.len())
}

/// `raw` is known to hold nothing but what a host may.
fn letters(raw: &str) -> Option<Host<'_>> {
    (!raw.is_empty()).then(|| v4(raw.as_bytes()).map_or(Host::Name(raw), Host::V4))
}

fn v4(bytes: &[u8]) -> Option<Ipv4Addr> {
    if !bytes[0].is_ascii_digit() {
        return None;
    }
    let mut octets = [0_u8; 4];
    let (mut at, mut digits) = (0, 0);
    for &b in bytes {
        if b == b'.' && digits > 0 {
            (at, digits) = (at + 1, 0);
            continue;
        }
        let octet = octets.get_mut(at).filter(|_| b.is_ascii_digit())?;
        // A leading zero is octal to some readers.
        if digits > 0 && *octet == 0 {
            return None;
        }
        *octet = octet.checked_mul(10)?.checked_add(b - b'0')?;
        digits += 1;
    }
    (at == 3 && digits > 0).then(|| octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_and_without_ports() {
        let cases = [
            ("example.com", "example.com", None),
            ("192.0.2.1:5060", "192.0.2.1", Some(5060)),
            ("[2001:db8::10]:5070", "[2001:db8::10]", Some(5070)),
            ("[2001:db8::10:5070]", "[2001:db8::10:5070]", None),
            ("[2001:db8:::192.0.2.1]", "[2001:db8::c000:201]", None),
            ("[::ffff:192.0.2.2]", "[::ffff:192.0.2.2]", None),
        ];
        for (raw, host, port) in cases {
            let (parsed, parsed_port) = Host::parse_with_port(raw).unwrap();
            assert_eq!((parsed.to_string().as_str(), parsed_port), (host, port));
        }
        assert_eq!(Host::parse("2001:db8::9:255"), Host::parse("[2001:db8::9:255]"));
        assert!(Host::Name("A.example").same(Host::Name("a.EXAMPLE")));
    }

    #[test]
    fn four_numbers_are_an_address_and_anything_else_is_a_name() {
        assert_eq!(Host::parse("255.0.10.1"), Some(Host::V4([255, 0, 10, 1].into())));
        for name in
            ["1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1..2.3", ".1.2.3", "1.2.3.", "1"]
        {
            assert_eq!(Host::parse(name), Some(Host::Name(name)));
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in
            ["", "2001:db8::10", "a b", "[::1", "[::1]x", "h:", "h:70000", "h:-1", "[]", "a:b"]
        {
            assert_eq!(Host::parse_with_port(bad), None, "{bad}");
        }
    }
}
