//! Addresses: `"display" <uri>;params` (RFC 3261 sections 20.10 and 25.1, `name-addr`).

use super::lex::{is_ws, quoted_end, trim, trim_start};
use super::params::{Params, unquote};
use super::uri::Uri;
use std::borrow::Cow;

/// A party: From, To, Contact, Route, P-Asserted-Identity and the like.
#[derive(Clone, Copy, Debug)]
pub struct NameAddr<'a> {
    /// The display name as it stands, quotes included; empty where there is none.
    raw_display: &'a [u8],
    pub uri: Uri<'a>,
    /// Header parameters: those after the `>`, or after a URI without brackets.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// The whole of `raw`, which is one value, as an address.
    pub fn parse(raw: &'a [u8]) -> Option<NameAddr<'a>> {
        let raw = trim(raw);
        let display_end = match raw.first()? {
            b'"' => quoted_end(raw)?,
            _ => memchr::memchr(b'<', raw).unwrap_or(0),
        };
        let (display, rest) = raw.split_at(display_end);
        let rest = trim_start(rest);
        if let Some(inner) = rest.strip_prefix(b"<") {
            let end = memchr::memchr(b'>', inner)?;
            let uri = Uri::parse(std::str::from_utf8(&inner[..end]).ok()?)?;
            let params = Params::checked_once(&inner[end + 1..], "tag")?;
            let raw_display = trim(display);
            return is_display(raw_display).then_some(NameAddr { raw_display, uri, params });
        }
        if display_end > 0 {
            return None;
        }
        Self::bare(raw)
    }

    /// "If the URI contains a comma, question mark or semicolon, the URI MUST be enclosed in angle
    /// brackets" (RFC 3261 section 20): so semicolons here start header parameters, and a comma or
    /// a question mark is a mistake.
    fn bare(raw: &'a [u8]) -> Option<NameAddr<'a>> {
        let end = raw.iter().position(|&b| b == b';' || is_ws(b)).unwrap_or(raw.len());
        let (uri, params) = raw.split_at(end);
        if memchr::memchr2(b',', b'?', uri).is_some() {
            return None;
        }
        let uri = Uri::parse(std::str::from_utf8(uri).ok()?)?;
        Some(NameAddr { raw_display: b"", uri, params: Params::checked_once(params, "tag")? })
    }

    /// The display name as people read it; empty where there is none.
    pub fn display(&self) -> Cow<'a, str> {
        unquote(self.raw_display)
    }

    /// The `tag` parameter. RFC 2543 peers send none.
    pub fn tag(&self) -> Option<&'a str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }
}

/// A quoted string, or words. Words are read generously (any letter, any script), but nothing that
/// separates values may stand among them.
fn is_display(raw: &[u8]) -> bool {
    raw.starts_with(b"\"")
        || !raw.iter().any(|&b| matches!(b, b',' | b';' | b'"' | b'>' | b':' | b'@' | b'\0'))
}

/// A value of Contact (RFC 3261 section 20.10).
#[derive(Clone, Copy, Debug)]
pub enum Contact<'a> {
    /// `*`: all of them, in a REGISTER that removes.
    All,
    At(NameAddr<'a>),
}

impl<'a> Contact<'a> {
    pub fn parse(raw: &'a [u8]) -> Option<Contact<'a>> {
        match trim(raw) {
            b"*" => Some(Contact::All),
            raw => NameAddr::parse(raw).map(Contact::At),
        }
    }

    pub fn address(self) -> Option<NameAddr<'a>> {
        match self {
            Contact::All => None,
            Contact::At(address) => Some(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(raw: &str) -> NameAddr<'_> {
        NameAddr::parse(raw.as_bytes()).unwrap_or_else(|| panic!("{raw}"))
    }

    #[test]
    fn every_form_of_an_address() {
        let a = address("\"J Rosenberg \\\\\\\"\"  <sip:j@example.com>\r\n  ;\r\n  tag = 98asjd8");
        assert_eq!(a.display(), "J Rosenberg \\\"");
        assert_eq!((a.uri.raw, a.tag()), ("sip:j@example.com", Some("98asjd8")));
        let a = address("caller<sip:caller@example.com>;tag=323");
        assert_eq!((a.display().as_ref(), a.tag()), ("caller", Some("323")));
        let a = address("सीमा देवी <tel:+919826012345>");
        assert_eq!((a.display().as_ref(), a.tag()), ("सीमा देवी", None));
        let a = address("sip:h ;   tag    = 1918181833n");
        assert_eq!((a.uri.raw, a.tag()), ("sip:h", Some("1918181833n")));
        let a = address("<sip:u@h;tag=not>");
        assert_eq!((a.tag(), a.uri.params.get("tag")), (None, Some("not")));
        let a =
            address("token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;x''~+*_!.-%=\"раб\"");
        assert_eq!(a.display(), "token1~` token2'+_ token3*%!.-");
    }

    #[test]
    fn a_latin_1_display_name_is_read_as_such() {
        let a = NameAddr::parse(b"\"Jos\xe9\" <sip:j@h>;tag=1").unwrap();
        assert_eq!((a.display().as_ref(), a.tag()), ("José", Some("1")));
    }

    #[test]
    fn addresses_that_can_be_read_in_two_ways_are_refused() {
        for bad in [
            "",
            "\"Mr. J. User <sip:j@h>",
            "Bell, Alexander <sip:a@h>;tag=43",
            "< sip:a@h >",
            "sip:u@h?Route=%3Csip:x%3E",
            "sip:a,b@h",
            "<sip:a@h",
            "<sip:a@h> x",
            "<sip:a@h>;;tag=1",
            "\"a\" sip:a@h",
            "<sip:a@h>, <sip:b@h>",
            "sip:a@h>",
            "\"a\" \"b\" <sip:a@h>",
        ] {
            assert!(NameAddr::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_star_is_no_address() {
        assert!(matches!(Contact::parse(b" * "), Some(Contact::All)));
        assert!(Contact::parse(b"<sip:a@h>;q=0.5").unwrap().address().is_some());
        assert!(Contact::parse(b"**").is_none());
    }
}
