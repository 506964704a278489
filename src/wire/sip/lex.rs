//! The letters of SIP's grammar (RFC 3261 section 25.1). A folded line is whitespace to every
//! parser here, so values are read without being unfolded first.

use std::borrow::Cow;

/// Parameters of a URI that take part in a comparison; more are refused nobody, only not compared.
pub(super) const COMPARED_MAX: usize = 32;

/// Classes of octets, one bit each, so that one look-up for each octet answers.
pub(super) mod class {
    /// `token`.
    pub const TOKEN: u8 = 1;
    /// What a parameter value may hold unquoted: a token, a host with brackets and colons, and what
    /// peers in the field send besides. Never what could end the value for another reader.
    pub const VALUE: u8 = 2;
    /// Host names and IPv4 addresses; the underscore is tolerated.
    pub const HOST: u8 = 4;
    /// What may stand in a URI: not what would end it for some other reader.
    pub const URI: u8 = 8;
    /// Anything but whitespace and controls.
    pub const VISIBLE: u8 = 16;
}

static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = classify(byte as u8);
        byte += 1;
    }
    table
};

const fn classify(b: u8) -> u8 {
    let token = b.is_ascii_alphanumeric()
        || matches!(b, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
    let value = token
        || matches!(b, b'[' | b']' | b':' | b'/' | b'&' | b'$' | b'@' | b'(' | b')' | b'=' | b'?')
        || matches!(b, b'|' | b'#' | b'{' | b'}' | b'^' | 0x80..);
    let host = b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let visible = b > b' ' && b != 0x7f;
    let uri = visible && !matches!(b, b'<' | b'>' | b'"');
    (if token { class::TOKEN } else { 0 })
        | (if value { class::VALUE } else { 0 })
        | (if host { class::HOST } else { 0 })
        | (if uri { class::URI } else { 0 })
        | (if visible { class::VISIBLE } else { 0 })
}

/// How many octets at the front are of `class`.
pub(super) fn run(bytes: &[u8], class: u8) -> usize {
    let is = |b: u8| CLASS[usize::from(b)] & class != 0;
    let mut at = 0;
    // Four at a time: one branch for four look-ups.
    while let Some(&[a, b, c, d]) = bytes[at..].first_chunk::<4>()
        && is(a) & is(b) & is(c) & is(d)
    {
        at += 4;
    }
    while at < bytes.len() && is(bytes[at]) {
        at += 1;
    }
    at
}

/// Whitespace inside a value: SP, HTAB and the CRLF of a folded line.
pub(super) const fn is_ws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

pub(super) fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_ws(*first)
    {
        bytes = rest;
    }
    bytes
}

pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let mut bytes = trim_start(bytes);
    while let [rest @ .., last] = bytes
        && is_ws(*last)
    {
        bytes = rest;
    }
    bytes
}

/// Splits off the token at the front; it may be empty.
pub(super) fn take_token(bytes: &[u8]) -> (&str, &[u8]) {
    let (token, rest) = bytes.split_at(run(bytes, class::TOKEN));
    (ascii(token), rest)
}

/// The whole of `bytes`, if it is one token.
pub(super) fn whole_token(bytes: &[u8]) -> Option<&str> {
    match take_token(bytes) {
        (token, []) if !token.is_empty() => Some(token),
        _ => None,
    }
}

/// Text that is known to be ASCII; empty if it is not.
pub(super) fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Where the quoted string ends that starts at `bytes[0] == b'"'`: the index after the closing
/// quote, or `None` when it never closes.
pub(super) fn quoted_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// A decimal number of digits only. Leading zeroes are legal; what does not fit is `None`.
pub(super) fn number<T: TryFrom<u64>>(bytes: &[u8]) -> Option<T> {
    if bytes.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for &b in bytes {
        if !b.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(b - b'0'))?;
    }
    T::try_from(value).ok()
}

/// delta-seconds (RFC 3261 section 20.19). A number beyond 2^32-1 means "as long as can be".
pub(super) fn seconds(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(number(bytes).unwrap_or(u32::MAX))
}

/// `bytes` as people read them: folds become one space, UTF-8 stays, and what is not UTF-8 is read
/// as Latin-1, which is what gateways that send such octets mean.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    let plain = memchr::memchr(b'\n', bytes).is_none();
    match std::str::from_utf8(bytes) {
        Ok(text) if plain => Cow::Borrowed(text),
        Ok(text) => Cow::Owned(unfold(text)),
        Err(_) => {
            let latin: String = bytes.iter().map(|&b| char::from(b)).collect();
            Cow::Owned(if plain { latin } else { unfold(&latin) })
        }
    }
}

fn unfold(text: &str) -> String {
    let mut lines = text.split("\r\n");
    let mut out = lines.next().unwrap_or_default().trim_end_matches([' ', '\t']).to_string();
    for line in lines {
        out.push(' ');
        out.push_str(line.trim_matches([' ', '\t']));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_string_ends_at_its_own_quote() {
        assert_eq!(quoted_end(b"\"ab\" c"), Some(4));
        assert_eq!(quoted_end(b"\"a\\\"b\""), Some(6));
        assert_eq!(quoted_end(b"\"a\\\\\""), Some(5));
        for open in [&b"\""[..], b"\"a", b"\"a\\", b"\"a\\\""] {
            assert_eq!(quoted_end(open), None);
        }
    }

    #[test]
    fn numbers_are_digits_only_and_must_fit() {
        assert_eq!(number::<u32>(b"0068"), Some(68));
        assert_eq!(number::<u32>(b"4294967295"), Some(u32::MAX));
        for bad in [&b""[..], b"-1", b"+1", b" 1", b"1a", b"4294967296", b"99999999999999999999999"]
        {
            assert_eq!(number::<u32>(bad), None);
        }
        assert_eq!(seconds(b"99999999999999999999999"), Some(u32::MAX));
    }

    #[test]
    fn text_is_unfolded_and_latin_1_becomes_what_it_means() {
        assert_eq!(text("सीमा".as_bytes()), "सीमा");
        assert_eq!(text(b"Jos\xe9"), "José");
        assert_eq!(text(b"one \r\n  two\r\n\tthree"), "one two three");
    }
}
