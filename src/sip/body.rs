//! Bodies: the session description in a message, alone or as a part of `multipart/mixed`
//! (RFC 2046 section 5.1). Bodies are carried, never read further.
//!
//! In: a message. Out: the description, or what is wrong. May import: wire and base.

use super::Body;
use crate::base::limits;
use crate::base::limits::SDP_MAX;
use crate::wire::sip::{Message, Name, Params};
use bytes::Bytes;

const SDP: &str = "application/sdp";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    None,
    Description(Body),
    /// 415: a body that we do not understand and must (RFC 3261 section 8.2.3).
    Unknown,
    /// 513
    TooLarge,
}

pub fn find(message: &Message) -> Found {
    if message.body.is_empty() {
        return Found::None;
    }
    let encoded = message.header(Name::ContentEncoding);
    if encoded.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return Found::Unknown;
    }
    if message.has_body(SDP) {
        return description(message.body);
    }
    let mixed = message.content_type().is_some_and(|kind| {
        kind.len() > 10 && kind.as_bytes()[..10].eq_ignore_ascii_case(b"multipart/")
    });
    match boundary(message).filter(|_| mixed) {
        Some(boundary) => match part(message.body, &boundary) {
            Some(part) => description(part),
            None => Found::Unknown,
        },
        None if is_optional(message) => Found::None,
        None => Found::Unknown,
    }
}

/// The key in an INFO: `Signal=5` in `application/dtmf-relay`, the key alone in `application/dtmf`;
/// some write the numbers of RFC 4733 for `*`, `#` and the letters.
pub fn key(message: &Message) -> Option<char> {
    let text = std::str::from_utf8(message.body).ok()?;
    let signal = match () {
        () if message.has_body("application/dtmf-relay") => {
            let pair = |line: &str| {
                let (name, value) = line.split_once('=')?;
                name.trim().eq_ignore_ascii_case("signal").then(|| value.trim().to_string())
            };
            text.lines().find_map(pair)?
        }
        () if message.has_body("application/dtmf") => text.trim().to_string(),
        () => return None,
    };
    let code = |code: u8| Some(char::from(*b"*#ABCD".get(usize::from(code.checked_sub(10)?))?));
    match signal.as_bytes() {
        [key @ (b'0'..=b'9' | b'*' | b'#' | b'A'..=b'D' | b'a'..=b'd')] => {
            Some(char::from(*key).to_ascii_uppercase())
        }
        [b'1', digit @ b'0'..=b'5'] => code(10 + digit - b'0'),
        _ => None,
    }
}

fn description(bytes: &[u8]) -> Found {
    if bytes.len() > SDP_MAX {
        return Found::TooLarge;
    }
    Found::Description(Body { kind: SDP.into(), bytes: Bytes::copy_from_slice(bytes) })
}

/// RFC 3261 section 20.11: `handling=optional`.
fn is_optional(message: &Message) -> bool {
    let value = message.header(Name::ContentDisposition).unwrap_or_default();
    parameters(value)
        .and_then(|p| p.get("handling"))
        .is_some_and(|h| h.eq_ignore_ascii_case("optional"))
}

fn parameters(value: &[u8]) -> Option<Params<'_>> {
    let start = memchr::memchr(b';', value)?;
    Params::checked(&value[start..])
}

fn boundary(message: &Message) -> Option<String> {
    let params = parameters(message.header(Name::ContentType)?)?;
    params.text("boundary").map(|b| b.into_owned()).filter(|b| (1..=70).contains(&b.len()))
}

/// The first part of type application/sdp.
fn part<'a>(body: &'a [u8], boundary: &str) -> Option<&'a [u8]> {
    let mark = format!("--{boundary}");
    let mut starts = memchr::memmem::find_iter(body, mark.as_bytes());
    let mut start = starts.next()? + mark.len();
    for next in starts.take(limits::SIP_PARTS_MAX) {
        if let Some(content) = sdp_content(&body[start..next]) {
            return Some(content);
        }
        start = next + mark.len();
    }
    None
}

/// What is in a part, if its Content-Type says SDP. The CRLF before the boundary belongs to it.
fn sdp_content(part: &[u8]) -> Option<&[u8]> {
    let head_end = memchr::memmem::find(part, b"\r\n\r\n")?;
    let (head, content) = (&part[..head_end], &part[head_end + 4..]);
    let says_sdp = head.split(|&b| b == b'\n').any(|line| {
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        line[..colon].trim_ascii().eq_ignore_ascii_case(b"content-type")
            && value.get(..SDP.len()).is_some_and(|v| v.eq_ignore_ascii_case(SDP.as_bytes()))
    });
    says_sdp.then(|| content.strip_suffix(b"\r\n").unwrap_or(content))
}
