//! Challenges and credentials (RFC 3261 sections 20.7, 20.27, 20.28, 20.44; RFC 8760).

use super::lex::{take_token, trim, trim_start};
use super::list::List;
use super::params::unquote;
use std::borrow::Cow;

/// One challenge or one set of credentials: a scheme, and its parameters in a comma list. One
/// header field holds exactly one (RFC 3261 section 7.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<'a> {
    pub scheme: &'a str,
    /// What follows the scheme, as it stands.
    pub raw: &'a [u8],
}

impl<'a> Auth<'a> {
    pub fn parse(value: &'a [u8]) -> Option<Auth<'a>> {
        let (scheme, rest) = take_token(trim_start(value));
        (!scheme.is_empty()).then_some(Auth { scheme, raw: trim(rest) })
    }

    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Digest")
    }

    /// Names and values, quotes and escapes undone. What is no parameter is left out.
    pub fn params(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> + use<'a> {
        List::new(self.raw).filter_map(|item| {
            let (name, rest) = take_token(item);
            let value = trim_start(rest).strip_prefix(b"=")?;
            (!name.is_empty()).then(|| (name, unquote(trim(value))))
        })
    }

    /// The parameter `name`, whatever its case.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.params().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_a_scheme_and_unquoted_parameters() {
        let auth = Auth::parse(
            b"Digest username=\"ka\\\"y, b\", realm=\"pukar\",\r\n nonce=\"a=b,c\", qop=auth, \
              nc=00000001,uri=\"sip:h\" , response = \"\"",
        )
        .unwrap();
        assert!(auth.is_digest());
        assert_eq!(auth.get("USERNAME").as_deref(), Some("ka\"y, b"));
        assert_eq!(auth.get("nonce").as_deref(), Some("a=b,c"));
        assert_eq!(auth.get("nc").as_deref(), Some("00000001"));
        assert_eq!(auth.get("response").as_deref(), Some(""));
        assert_eq!(auth.get("cnonce"), None);
        assert_eq!(auth.params().count(), 7);
    }

    #[test]
    fn an_unknown_scheme_is_read_and_its_noise_left_out() {
        let auth = Auth::parse(b"NoOneKnowsThisScheme opaque-data=here,, x").unwrap();
        assert!(!auth.is_digest());
        assert_eq!(auth.get("opaque-data").as_deref(), Some("here"));
        assert_eq!(auth.params().count(), 1);
        assert!(Auth::parse(b"  ").is_none());
    }
}
