//! Comma lists: several values in one header field (RFC 3261 section 7.3.1). A comma inside quotes
//! or angle brackets separates nothing.

use super::lex::{quoted_end, trim, whole_token};

/// The values of one comma list.
#[derive(Clone, Debug)]
pub struct List<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> List<'a> {
    pub fn new(value: &'a [u8]) -> Self {
        Self { rest: (!value.is_empty()).then_some(value) }
    }
}

impl<'a> Iterator for List<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let end = value_end(rest);
        self.rest = rest.get(end + 1..);
        Some(trim(&rest[..end]))
    }
}

/// Where the first value ends: at a comma, or at the end. A quote that never closes ends there.
fn value_end(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(step) = memchr::memchr3(b',', b'"', b'<', &bytes[at..]) {
        at += step;
        at += match bytes[at] {
            b',' => return at,
            b'"' => quoted_end(&bytes[at..]).unwrap_or(bytes.len() - at),
            _ => memchr::memchr(b'>', &bytes[at..]).map_or(bytes.len() - at, |end| end + 1),
        };
    }
    bytes.len()
}

/// The tokens of all fields of one name: Require, Supported, Allow, Privacy.
#[derive(Clone, Debug)]
pub struct Tokens<'a, I> {
    fields: I,
    list: List<'a>,
    separator: u8,
}

impl<'a, I: Iterator<Item = &'a [u8]>> Tokens<'a, I> {
    pub(super) fn new(fields: I) -> Self {
        Self { fields, list: List { rest: None }, separator: b',' }
    }

    /// Privacy separates its values by semicolons (RFC 3323 section 4.2).
    pub(super) fn semicolons(fields: I) -> Self {
        Self { separator: b';', ..Self::new(fields) }
    }
}

impl<'a, I: Iterator<Item = &'a [u8]>> Iterator for Tokens<'a, I> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let item = match self.separator {
                b',' => self.list.next(),
                _ => next_semicolon(&mut self.list.rest),
            };
            match item {
                Some(item) => {
                    if let Some(token) = whole_token(item) {
                        return Some(token);
                    }
                }
                None => self.list = List::new(self.fields.next()?),
            }
        }
    }
}

fn next_semicolon<'a>(rest: &mut Option<&'a [u8]>) -> Option<&'a [u8]> {
    let bytes = (*rest)?;
    let end = memchr::memchr2(b';', b',', bytes).unwrap_or(bytes.len());
    *rest = bytes.get(end + 1..);
    Some(trim(&bytes[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(value: &str) -> Vec<&str> {
        List::new(value.as_bytes()).map(|v| std::str::from_utf8(v).unwrap()).collect()
    }

    #[test]
    fn commas_in_quotes_and_brackets_separate_nothing() {
        assert_eq!(
            split("\"Bell, A\" <sip:a,b@c>;x=\"1,2\" , <sip:d> ,e"),
            ["\"Bell, A\" <sip:a,b@c>;x=\"1,2\"", "<sip:d>", "e"]
        );
        assert_eq!(split("a,,b,"), ["a", "", "b", ""]);
        assert_eq!(split("\"open, a"), ["\"open, a"]);
        assert_eq!(split("<open, a"), ["<open, a"]);
        assert!(split("").is_empty());
    }

    #[test]
    fn tokens_run_over_all_fields_of_a_name() {
        let fields = [&b"100rel, timer"[..], b"", b"path ,, bad one"];
        assert_eq!(
            Tokens::new(fields.into_iter()).collect::<Vec<_>>(),
            ["100rel", "timer", "path"]
        );
        let privacy = [&b"id;critical"[..], b"user"];
        assert_eq!(
            Tokens::semicolons(privacy.into_iter()).collect::<Vec<_>>(),
            ["id", "critical", "user"]
        );
    }
}
