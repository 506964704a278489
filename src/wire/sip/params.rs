//! Parameters: `;name=value` after a URI, an address or a Via (RFC 3261 section 25.1,
//! `generic-param`).

use super::lex::{ascii, is_token, quoted_end, take_token, text, trim, trim_start};
use std::borrow::Cow;

/// The parameters of something, read one by one as they are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    /// From the first `;` on, or empty.
    raw: &'a [u8],
}

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    pub name: &'a str,
    /// As it stands there, quotes included. `None`: there is no `=`.
    pub value: Option<&'a [u8]>,
}

impl<'a> Params<'a> {
    /// Reads parameters to the end of `raw`; `None` where anything else is in it.
    pub fn checked(raw: &'a [u8]) -> Option<Self> {
        let mut rest = trim_start(raw);
        while !rest.is_empty() {
            (_, rest) = Self::take(rest)?;
        }
        Some(Self { raw })
    }

    /// Reads the parameter that starts with the `;` at the front of `rest`.
    fn take(rest: &'a [u8]) -> Option<(Param<'a>, &'a [u8])> {
        let (name, rest) = take_token(trim_start(rest.strip_prefix(b";")?));
        let rest = trim_start(rest);
        if name.is_empty() {
            return None;
        }
        let Some(after) = rest.strip_prefix(b"=").map(trim_start) else {
            return at_boundary(rest).then_some((Param { name, value: None }, rest));
        };
        let end = match after.first()? {
            b'"' => quoted_end(after)?,
            _ => after.iter().position(|&b| !is_value(b)).unwrap_or(after.len()),
        };
        let (value, rest) = after.split_at(end);
        let rest = trim_start(rest);
        let sound = !value.is_empty() && at_boundary(rest);
        sound.then_some((Param { name, value: Some(value) }, rest))
    }

    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let mut rest = trim_start(self.raw);
        std::iter::from_fn(move || {
            let (param, after) = Self::take(rest)?;
            rest = after;
            Some(param)
        })
    }

    /// The parameter `name`, whatever its case.
    pub fn find(&self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|param| param.name.eq_ignore_ascii_case(name))
    }

    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The value of `name` without its quotes; empty where it has no value.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.find(name).map(|param| param.bare())
    }

    /// The value of `name` as people read it, quotes and escapes undone.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.find(name).map(|param| unquote(param.value.unwrap_or_default()))
    }

    /// How often `name` is there. More than once is an attempt to be read in two ways.
    pub fn count(&self, name: &str) -> usize {
        self.iter().filter(|param| param.name.eq_ignore_ascii_case(name)).count()
    }

    /// As it stands in the message, from the first `;` on.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    pub fn is_empty(&self) -> bool {
        trim(self.raw).is_empty()
    }
}

impl<'a> Param<'a> {
    /// The value without its quotes; empty where there is none.
    pub fn bare(&self) -> &'a str {
        ascii(bare(self.value.unwrap_or_default()))
    }
}

fn at_boundary(rest: &[u8]) -> bool {
    matches!(rest, [] | [b';', ..])
}

/// What a value may hold unquoted: a token, a host with brackets and colons, and what peers in the
/// field send besides. Never what could end the value for another reader.
fn is_value(byte: u8) -> bool {
    is_token(byte)
        || matches!(byte, b'[' | b']' | b':' | b'/' | b'&' | b'$' | b'@' | b'(' | b')')
        || matches!(byte, b'=' | b'?' | b'|' | b'#' | b'{' | b'}' | b'^')
        || byte >= 0x80
}

/// `raw` without the quotes around it.
pub(super) fn bare(raw: &[u8]) -> &[u8] {
    match raw {
        [b'"', inner @ .., b'"'] => inner,
        _ => raw,
    }
}

/// A quoted string or a token as people read it.
pub(super) fn unquote(raw: &[u8]) -> Cow<'_, str> {
    let inner = bare(raw);
    if inner.len() == raw.len() || memchr::memchr(b'\\', inner).is_none() {
        return text(inner);
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        plain.push(if byte == b'\\' { *bytes.next().unwrap_or(&b'\\') } else { byte });
    }
    Cow::Owned(text(&plain).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_in_any_case_and_spacing() {
        let raw = b" ; Tag = a1 ;lr;text=\"a;b \\\" c\"\r\n ;received=[2001:db8::1]";
        let params = Params::checked(raw).unwrap();
        assert_eq!(params.get("tag"), Some("a1"));
        assert_eq!(params.get("LR"), Some(""));
        assert_eq!(params.text("text").as_deref(), Some("a;b \" c"));
        assert_eq!(params.get("received"), Some("[2001:db8::1]"));
        assert_eq!(params.get("nothing"), None);
        assert_eq!(params.iter().count(), 4);
    }

    #[test]
    fn stray_separators_and_open_quotes_are_refused() {
        for bad in [";", ";;a", "a=1", ";a=", ";a=\"x", ";a=1,b", ";a=1 b", ";a b", ";=1"] {
            assert_eq!(Params::checked(bad.as_bytes()), None, "{bad}");
        }
        assert!(Params::checked(b"").unwrap().is_empty());
    }

    #[test]
    fn a_latin_1_value_is_read_as_such() {
        let params = Params::checked(b";a=\"Jos\xe9\";b=2").unwrap();
        assert_eq!(params.text("a").as_deref(), Some("José"));
        assert_eq!(params.get("b"), Some("2"));
    }
}
