//! A challenge or credentials as text (RFC 3261 section 25.1: `digest-cln`, `dig-resp`).
//!
//! In: one header field value. Out: its parameters with quotes and escapes undone.

use crate::base::limits;

/// The parameters of a Digest value. `None`: another scheme, not well-formed, or one twice.
pub fn digest_params(value: &str) -> Option<Vec<(String, String)>> {
    let (scheme, mut rest) = value.trim().split_once(|c: char| c.is_ascii_whitespace())?;
    if !scheme.eq_ignore_ascii_case("Digest") {
        return None;
    }
    let mut params: Vec<(String, String)> = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
        if rest.is_empty() {
            return Some(params);
        }
        let (name, after) = rest.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        if name.is_empty()
            || params.len() == limits::DIGEST_PARAMS_MAX
            || params.iter().any(|(other, _)| *other == name)
        {
            return None;
        }
        let (value, after) = take_value(after.trim_start())?;
        params.push((name, value));
        rest = after.trim_start();
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

/// A token or a quoted string, and what follows it.
fn take_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        return Some((text[..end].trim_end().to_string(), &text[end..]));
    };
    let mut value = String::with_capacity(quoted.len());
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sip::quoted;

    #[test]
    fn parameters_are_read_whatever_their_spacing_and_quotes() {
        let params = digest_params(
            "dIgEsT username = \"ka\\\"y, b\",realm=\"r\",, nc=00000001 ,\r\n qop=auth,uri=\"\"",
        )
        .unwrap();
        let shown: Vec<_> = params.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(shown, ["username=ka\"y, b", "realm=r", "nc=00000001", "qop=auth", "uri="]);
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for value in [
            "Basic QWxhZGRpbjpvcGVu",
            "NoOneKnowsThisScheme opaque-data=here",
            "Digest",
            "Digest realm=\"open",
            "Digest realm=\"a\" nonce=\"b\"",
            "Digest realm=\"a\",realm=\"b\"",
            "Digest =x",
            "Digest realm",
        ] {
            assert_eq!(digest_params(value), None, "{value}");
        }
    }

    #[test]
    fn a_quoted_value_returns_as_it_was() {
        let value = "a\"b\\c, é";
        let whole = format!("Digest x={}", quoted(value));
        assert_eq!(digest_params(&whole).unwrap(), [("x".to_string(), value.to_string())]);
    }
}
