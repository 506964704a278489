//! Whether two URIs are the same (RFC 3261 section 19.1.4).
//!
//! In: two URIs as text. Out: the verdict. URIs of other schemes, and what cannot be taken apart,
//! are the same when they are written the same.

use std::net::Ipv6Addr;

/// Parameters or headers of one URI. Each is looked for in the other URI: with more of them, the
/// text is compared as it stands.
const PAIRS_MAX: usize = 64;

/// The rules for contacts: what names another place is another URI.
pub fn same_uri(a: &str, b: &str) -> bool {
    compare(a, b, true)
}

/// As `same_uri`, but a transport that only one of them names does not part them: clients leave it
/// out of the digest's `uri`, or add it.
pub fn alike_uri(a: &str, b: &str) -> bool {
    compare(a, b, false)
}

fn compare(a: &str, b: &str, transport_counts: bool) -> bool {
    if a == b {
        return true;
    }
    match (Parts::of(a), Parts::of(b)) {
        (Some(a), Some(b)) => {
            // "A SIP and SIPS URI are never equivalent."
            a.secure == b.secure
                && a.user == b.user
                && a.host == b.host
                && a.port == b.port
                && a.headers == b.headers
                && same_params(&a.params, &b.params, transport_counts)
        }
        _ => false,
    }
}

/// "Any uri-parameter appearing in both URIs must match." Those that say where the request goes
/// must also appear in both; all others that appear in only one are ignored.
fn same_params(a: &[Pair], b: &[Pair], transport_counts: bool) -> bool {
    let value = |list: &[Pair], name: &str| {
        list.iter().find(|(n, _)| n == name).map(|(_, value)| value.to_ascii_lowercase())
    };
    let counts = |name: &str| match name {
        "user" | "ttl" | "method" | "maddr" => true,
        "transport" => transport_counts,
        _ => false,
    };
    a.iter().chain(b).all(|(name, _)| match (value(a, name), value(b, name)) {
        (Some(a), Some(b)) => a == b,
        _ => !counts(name),
    })
}

type Pair = (String, String);

/// A SIP or SIPS URI with escapes in one form and case folded wherever it does not count.
struct Parts {
    secure: bool,
    user: Option<String>,
    host: String,
    port: Option<String>,
    params: Vec<Pair>,
    /// Sorted.
    headers: Vec<Pair>,
}

impl Parts {
    fn of(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_once(':')?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "sip" => false,
            "sips" => true,
            _ => return None,
        };
        // The user part may hold `;` and `?`, so it is cut off first; an `@` ends it.
        let (user, rest) = match rest.split_once('@') {
            Some((user, rest)) => (Some(unescape(user)), rest),
            None => (None, rest),
        };
        let (rest, headers) = rest.split_once('?').unwrap_or((rest, ""));
        let (place, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = split_port(place);
        let mut headers = pairs(headers, '&')?;
        headers.sort();
        let host = host_form(host);
        Some(Self { secure, user, host, port, params: pairs(params, ';')?, headers })
    }
}

fn split_port(place: &str) -> (&str, Option<String>) {
    let after_bracket = place.rfind(']').map_or(0, |at| at + 1);
    match place[after_bracket..].split_once(':') {
        Some((before, port)) => {
            let port = port.trim_start_matches('0').to_string();
            (&place[..after_bracket + before.len()], Some(port))
        }
        None => (place, None),
    }
}

/// RFC 5954 section 4.2: IPv6 addresses are compared as addresses, not as text.
fn host_form(host: &str) -> String {
    let host = unescape(host).to_ascii_lowercase();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<Ipv6Addr>().map_or(host.clone(), |v6| v6.to_string())
}

fn pairs(text: &str, between: char) -> Option<Vec<Pair>> {
    let pair = |item: &str| {
        let (name, value) = item.split_once('=').unwrap_or((item, ""));
        (unescape(name).to_ascii_lowercase(), unescape(value))
    };
    let items = text.split(between).filter(|item| !item.is_empty());
    let pairs: Vec<_> = items.take(PAIRS_MAX + 1).map(pair).collect();
    (pairs.len() <= PAIRS_MAX).then_some(pairs)
}

/// "Characters other than those in the reserved set are equivalent to their %HEX encoding."
/// Undone once, and only where the escape means such a character; others (`%00`) stay escapes.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(c) if c.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&c) => {
                plain.push(char::from(c));
            }
            Some(c) => plain.push_str(&format!("%{c:02X}")),
            None => {
                plain.push('%');
                rest = &rest[at + 1..];
                continue;
            }
        }
        rest = &rest[at + 3..];
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_equal_pairs_of_rfc_3261() {
        for (a, b) in [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("sip:a@[2001:DB8::0:1]:5060", "sip:a@[2001:db8::1]:5060"),
        ] {
            assert!(same_uri(a, b) && same_uri(b, a), "{a} {b}");
        }
    }

    #[test]
    fn the_unequal_pairs_of_rfc_3261() {
        for (a, b) in [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
            ("sip:bob@biloxi.com", "sip:biloxi.com"),
            ("tel:+917552551234", "tel:+91-755-2551234"),
        ] {
            assert!(!same_uri(a, b) && !same_uri(b, a), "{a} {b}");
        }
    }

    #[test]
    fn escaped_nulls_and_escaped_escapes_count() {
        assert!(!same_uri("sip:%00@host5.example.com", "sip:%00%00@host5.example.com"));
        assert!(!same_uri("sip:null-%00-null@example.com", "sip:null-@example.com"));
        assert!(!same_uri("sip:a%2541@h", "sip:aA@h"));
        assert!(same_uri("sip:a%3bb@h", "sip:a%3Bb@h"));
        assert!(!same_uri("sip:user;par=u@example.net", "sip:user@example.net;par=u"));
        assert!(!same_uri("sip:a%@h", "sip:a%é@h"));
        let long = format!("sip:a@h{}", ";p=1".repeat(20_000));
        assert!(same_uri(&long, &long) && !same_uri(&long, &long.replace('p', "q")));
    }

    #[test]
    fn a_transport_named_once_parts_contacts_but_not_digests() {
        let (a, b) = ("sip:pukar", "sip:pukar;transport=tcp");
        assert!(!same_uri(a, b) && alike_uri(a, b));
        assert!(!alike_uri("sip:pukar;transport=udp", b));
        assert!(!alike_uri("sip:pukar", "sip:other"));
    }
}
