//! Escapes: `%41` in URIs (RFC 3261 section 19.1.2) and quoted strings (section 25.1).

use std::borrow::Cow;
use std::fmt::{self, Write};

/// `raw` with its `%HH` undone, once and only once: `%2541` becomes `%41`, not `A`. A `%` that
/// starts no escape stays. Octets that are not UTF-8 are read as Latin-1. `%00` is an octet like
/// any other and cuts nothing off.
pub fn unpercent(raw: &str) -> Cow<'_, str> {
    if memchr::memchr(b'%', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut plain = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((byte, _, after)) = unit(rest) {
        plain.push(byte);
        rest = after;
    }
    Cow::Owned(match String::from_utf8(plain) {
        Ok(text) => text,
        Err(error) => error.into_bytes().into_iter().map(char::from).collect(),
    })
}

/// The next octet that `raw` stands for, whether it was written as an escape, and what follows.
pub(super) fn unit(raw: &[u8]) -> Option<(u8, bool, &[u8])> {
    if let [b'%', high, low, rest @ ..] = raw
        && let (Some(high), Some(low)) = (hex(*high), hex(*low))
    {
        return Some((high << 4 | low, true, rest));
    }
    let (first, rest) = raw.split_first()?;
    Some((*first, false, rest))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// `plain` as the user part of a URI: what is neither unreserved nor user-unreserved is escaped.
pub fn percent(plain: &str) -> impl fmt::Display + '_ {
    Percent(plain)
}

struct Percent<'a>(&'a str);

impl fmt::Display for Percent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' => {}
                b'&' | b'=' | b'+' | b'$' | b',' | b'/' => {}
                _ if byte.is_ascii_alphanumeric() => {}
                _ => {
                    write!(f, "%{byte:02X}")?;
                    continue;
                }
            }
            f.write_char(char::from(byte))?;
        }
        Ok(())
    }
}

/// `plain` as a quoted string: UTF-8 stays, `"` and `\` are escaped, control characters become
/// spaces.
pub fn quoted(plain: &str) -> impl fmt::Display + '_ {
    Quoted(plain)
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => {
                    f.write_char('\\')?;
                    f.write_char(c)?;
                }
                c if c.is_control() => f.write_char(' ')?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_is_undone_once() {
        assert_eq!(unpercent("name=value%2541"), "name=value%41");
        assert_eq!(unpercent("null-%00-null"), "null-\0-null");
        assert_eq!(unpercent("%E0%A4%95"), "क");
        assert_eq!(unpercent("Jos%e9"), "José");
        assert_eq!(unpercent("100%&%4"), "100%&%4");
    }

    #[test]
    fn what_is_escaped_comes_back() {
        for plain in ["+919826012345", "a b@c;d?e%f", "सीमा", "null\0"] {
            let escaped = percent(plain).to_string();
            assert!(!escaped.contains(['@', ' ', ';', '?']), "{escaped}");
            assert_eq!(unpercent(&escaped), plain);
        }
        assert_eq!(percent("+91 98").to_string(), "+91%2098");
    }

    #[test]
    fn a_quoted_string_cannot_be_left() {
        assert_eq!(quoted("सीमा \"X\" \\").to_string(), "\"सीमा \\\"X\\\" \\\\\"");
        assert_eq!(quoted("a\r\nVia: b").to_string(), "\"a  Via: b\"");
    }
}
