//! Parameters: `;name=value` after a URI, an address or a Via (RFC 3261 section 25.1,
//! `generic-param`).

use super::lex::{ascii, class, quoted_end, run, text, trim, trim_start};
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
        Self::checked_once(raw, "")
    }

    /// Likewise, and `None` too where `once` is there twice, or says nothing: either is an attempt
    /// to be read in two ways.
    pub(super) fn checked_once(raw: &'a [u8], once: &str) -> Option<Self> {
        let mut rest = trim_start(raw);
        let mut seen = false;
        while !rest.is_empty() {
            let (parts, after) = Self::take(rest)?;
            rest = after;
            if is_named(&parts, once) {
                if seen || says_nothing(parts.1.unwrap_or_default()) {
                    return None;
                }
                seen = true;
            }
        }
        Some(Self { raw })
    }

    /// Reads the parameter that starts with the `;` at the front of `rest`.
    fn take(rest: &'a [u8]) -> Option<(Parts<'a>, &'a [u8])> {
        let after = trim_start(rest.strip_prefix(b";")?);
        let (name, rest) = after.split_at(run(after, class::TOKEN));
        let rest = trim_start(rest);
        if name.is_empty() {
            return None;
        }
        let Some(after) = rest.strip_prefix(b"=").map(trim_start) else {
            return at_boundary(rest).then_some(((name, None), rest));
        };
        let end = match after.first()? {
            b'"' => quoted_end(after)?,
            _ => run(after, class::VALUE),
        };
        let (value, rest) = after.split_at(end);
        let rest = trim_start(rest);
        let sound = !value.is_empty() && at_boundary(rest);
        sound.then_some(((name, Some(value)), rest))
    }

    fn parts(&self) -> impl Iterator<Item = Parts<'a>> + use<'a> {
        let mut rest = trim_start(self.raw);
        std::iter::from_fn(move || {
            let (parts, after) = Self::take(rest)?;
            rest = after;
            Some(parts)
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        self.parts().map(Param::of)
    }

    /// The parameter `name`, whatever its case.
    pub fn find(&self, name: &str) -> Option<Param<'a>> {
        self.parts().find(|parts| is_named(parts, name)).map(Param::of)
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

    /// As it stands in the message, from the first `;` on.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    pub fn is_empty(&self) -> bool {
        trim(self.raw).is_empty()
    }
}

/// Name and value as octets.
type Parts<'a> = (&'a [u8], Option<&'a [u8]>);

fn is_named((name, _): &Parts<'_>, wanted: &str) -> bool {
    name.len() == wanted.len() && name.eq_ignore_ascii_case(wanted.as_bytes())
}

impl<'a> Param<'a> {
    fn of((name, value): Parts<'a>) -> Self {
        Param { name: ascii(name), value }
    }

    /// The value without its quotes; empty where there is none.
    pub fn bare(&self) -> &'a str {
        ascii(bare(self.value.unwrap_or_default()))
    }
}

/// Empty, but for quotes, or no text at all.
fn says_nothing(value: &[u8]) -> bool {
    let value = bare(value);
    value.is_empty() || !value.is_ascii() && std::str::from_utf8(value).is_err()
}

fn at_boundary(rest: &[u8]) -> bool {
    matches!(rest, [] | [b';', ..])
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
    fn what_may_be_there_once_is_refused_twice() {
        assert!(Params::checked_once(b";Tag=1;x", "tag").is_some());
        for bad in [&b";tag=1;TAG=1"[..], b";tag", b";tag=\"\"", b";tag=\xff"] {
            assert!(Params::checked_once(bad, "tag").is_none());
        }
    }

    #[test]
    fn a_latin_1_value_is_read_as_such() {
        let params = Params::checked(b";a=\"Jos\xe9\";b=2").unwrap();
        assert_eq!(params.text("a").as_deref(), Some("José"));
        assert_eq!(params.get("b"), Some("2"));
    }
}
