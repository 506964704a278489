//! URIs (RFC 3261 section 19.1; `tel:` RFC 3966), and when two of them are the same.

use super::escape::{unit, unpercent};
use super::host::Host;
use super::lex::{COMPARED_MAX, class, run};
use super::params::{Param, Params};
use std::borrow::Cow;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme<'a> {
    Sip,
    Sips,
    Tel,
    /// Carried, never followed.
    Other(&'a str),
}

/// A URI, checked, with its parts. Printing it gives the octets that it was read from.
#[derive(Clone, Copy, Debug)]
pub struct Uri<'a> {
    pub raw: &'a str,
    pub scheme: Scheme<'a>,
    /// User part as written, or the number of a `tel:` URI. [`Uri::user_text`] undoes escapes.
    pub user: Option<&'a str>,
    pub password: Option<&'a str>,
    /// Empty name where the scheme has no host (`tel:` and unknown ones).
    pub host: Host<'a>,
    pub port: Option<u16>,
    /// URI parameters, escapes not undone.
    pub params: Params<'a>,
    /// What follows `?`, or empty (RFC 3261 section 19.1.1, `headers`).
    pub headers: &'a str,
}

impl<'a> Uri<'a> {
    /// The whole of `raw` as a URI.
    pub fn parse(raw: &'a str) -> Option<Uri<'a>> {
        let (scheme, rest) = scheme(raw)?;
        if let Scheme::Other(name) = scheme {
            let sound = is_scheme(name) && !rest.is_empty() && is_clean(rest);
            return sound.then(|| opaque(raw, name));
        }
        match scheme {
            Scheme::Tel => tel(raw, rest),
            _ => hierarchical(raw, scheme, rest),
        }
    }

    /// The user part with its escapes undone once; empty where there is none.
    pub fn user_text(&self) -> Cow<'a, str> {
        unpercent(self.user.unwrap_or_default())
    }

    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// A SIP URI that asks for no TLS: what can be followed here. RFC 3261 section 19.1: SIPS
    /// "specifies that the resource be contacted securely", so never in clear.
    pub fn is_clear(&self) -> bool {
        self.scheme == Scheme::Sip
    }

    /// `;lr`: the route behind this URI is loose (RFC 3261 section 19.1.1).
    pub fn is_loose(&self) -> bool {
        self.params.has("lr")
    }

    /// `;transport=`, as written.
    pub fn transport(&self) -> Option<&'a str> {
        self.params.get("transport")
    }

    /// `;maddr=`, where it holds a host.
    pub fn maddr(&self) -> Option<Host<'a>> {
        self.params.get("maddr").and_then(Host::parse)
    }

    /// The headers of the URI, escapes not undone: `?Replaces=...&...`.
    pub fn header_pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let pairs = self.headers.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// RFC 3261 section 19.1.4: whether both name the same resource. Not transitive, by the RFC.
    pub fn same(&self, other: &Uri<'_>) -> bool {
        self.compare(other, true)
    }

    /// Likewise, but a transport that only one of them names does not part them.
    pub fn same_but_transport(&self, other: &Uri<'_>) -> bool {
        self.compare(other, false)
    }

    fn compare(&self, other: &Uri<'_>, transport_counts: bool) -> bool {
        if !self.is_sip() || !other.is_sip() {
            return self.same_opaque(other);
        }
        let user = |uri: &Uri<'_>| uri.user.is_some();
        same_scheme(self.scheme, other.scheme)
            && user(self) == user(other)
            && equivalent(self.user.unwrap_or_default(), other.user.unwrap_or_default(), false)
            && self.password.is_some() == other.password.is_some()
            && equivalent(
                self.password.unwrap_or_default(),
                other.password.unwrap_or_default(),
                false,
            )
            && self.host.same(other.host)
            && self.port == other.port
            && same_params(self.params, other.params, transport_counts)
            && same_params(other.params, self.params, transport_counts)
            && same_headers(self, other)
    }

    /// RFC 3966 section 5 in short: visual separators and case mean nothing.
    fn same_opaque(&self, other: &Uri<'_>) -> bool {
        let separator = |c: &char| !matches!(c, '-' | '.' | '(' | ')');
        let folded = |uri: &Uri<'_>| -> String {
            uri.raw.chars().filter(separator).map(|c| c.to_ascii_lowercase()).collect()
        };
        match (self.scheme, other.scheme) {
            (Scheme::Tel, Scheme::Tel) => folded(self) == folded(other),
            _ => self.raw == other.raw,
        }
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.raw)
    }
}

/// Whether nothing is in `part` that would end the URI for some other reader.
fn is_clean(part: &str) -> bool {
    run(part.as_bytes(), class::URI) == part.len()
}

/// The scheme, and what follows its colon.
fn scheme(raw: &str) -> Option<(Scheme<'_>, &str)> {
    // As nearly everybody writes it.
    if let Some(rest) = raw.strip_prefix("sip:") {
        return Some((Scheme::Sip, rest));
    }
    let at = raw.bytes().position(|b| b == b':')?;
    let (name, rest) = (&raw[..at], &raw[at + 1..]);
    let known = [("sip", Scheme::Sip), ("sips", Scheme::Sips), ("tel", Scheme::Tel)];
    let found = known.into_iter().find(|(text, _)| text.eq_ignore_ascii_case(name));
    Some((found.map_or(Scheme::Other(name), |(_, scheme)| scheme), rest))
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn opaque<'a>(raw: &'a str, scheme: &'a str) -> Uri<'a> {
    Uri {
        raw,
        scheme: Scheme::Other(scheme),
        user: None,
        password: None,
        host: Host::Name(""),
        port: None,
        params: Params::default(),
        headers: "",
    }
}

fn tel<'a>(raw: &'a str, rest: &'a str) -> Option<Uri<'a>> {
    let (number, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
    let params = Params::checked(params.as_bytes()).filter(|_| is_clean(rest))?;
    let uri = Uri { scheme: Scheme::Tel, user: Some(number), params, ..opaque(raw, "") };
    (!number.is_empty()).then_some(uri)
}

/// `userinfo@host:port;params?headers`. The user part may hold `;`, `?` and `:`, but never `@`, so
/// the first `@` ends it (RFC 4475 section 3.1.1.9).
fn hierarchical<'a>(raw: &'a str, scheme: Scheme<'a>, rest: &'a str) -> Option<Uri<'a>> {
    let at = memchr::memchr(b'@', rest.as_bytes());
    let (host, port, tail) = Host::take_with_port(&rest[at.map_or(0, |at| at + 1)..])?;
    let query = memchr::memchr(b'?', tail.as_bytes()).unwrap_or(tail.len());
    let params = Params::checked(&tail.as_bytes()[..query])?;
    let headers = tail.get(query + 1..).unwrap_or_default();
    let (user, password) = match at.map(|at| &rest[..at]) {
        None => (None, None),
        Some(info) => match info.bytes().position(|b| b == b':') {
            None => (Some(info), None),
            Some(colon) => (Some(&info[..colon]), Some(&info[colon + 1..])),
        },
    };
    let clean = is_clean(tail) && at.is_none_or(|at| is_clean(&rest[..at]));
    if user == Some("") || !clean {
        return None;
    }
    Some(Uri { raw, scheme, user, password, host, port, params, headers })
}

fn same_scheme(a: Scheme<'_>, b: Scheme<'_>) -> bool {
    matches!((a, b), (Scheme::Sip, Scheme::Sip) | (Scheme::Sips, Scheme::Sips))
}

/// "Characters other than those in the 'reserved' set are equivalent to their encoding."
fn equivalent(a: &str, b: &str, fold_case: bool) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        match (unit(a), unit(b)) {
            (None, None) => return true,
            (Some((x, x_escaped, a_rest)), Some((y, y_escaped, b_rest))) => {
                let same = if fold_case { x.eq_ignore_ascii_case(&y) } else { x == y };
                if !same || (x_escaped != y_escaped && is_reserved(x)) {
                    return false;
                }
                (a, b) = (a_rest, b_rest);
            }
            _ => return false,
        }
    }
}

fn is_reserved(byte: u8) -> bool {
    matches!(byte, b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b',')
}

/// "A user, ttl, or method uri-parameter appearing in only one URI never matches"; transport and
/// maddr likewise. Any other parameter counts only where both have it. Too many of them are
/// compared as they stand.
fn same_params(a: Params<'_>, b: Params<'_>, transport_counts: bool) -> bool {
    if a.raw() == b.raw() {
        return true;
    }
    let is = |param: &Param<'_>, name: &str| param.name.eq_ignore_ascii_case(name);
    let counts = |param: &Param<'_>| {
        ["user", "ttl", "method", "maddr"].iter().any(|name| is(param, name))
            || transport_counts && is(param, "transport")
    };
    a.iter().nth(COMPARED_MAX).is_none()
        && a.iter().all(|param| match b.find(param.name) {
            Some(other) => equivalent(param.bare(), other.bare(), true),
            None => !counts(&param),
        })
}

/// "URI header components are never ignored", but their order is.
fn same_headers(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    if a.headers == b.headers {
        return true;
    }
    let count = |uri: &Uri<'_>| uri.header_pairs().take(COMPARED_MAX + 1).count();
    let known = |uri: &Uri<'_>, (name, value): (&str, &str)| {
        uri.header_pairs().any(|(n, v)| n.eq_ignore_ascii_case(name) && equivalent(value, v, false))
    };
    count(a) == count(b)
        && count(a) <= COMPARED_MAX
        && a.header_pairs().all(|pair| known(b, pair))
        && b.header_pairs().all(|pair| known(a, pair))
}

#[cfg(test)]
mod tests;
