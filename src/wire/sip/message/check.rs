//! What makes a message sound, and the refusal of one that is not (RFC 3261 sections 8.1.1, 8.2,
//! 16.3 and 18.3; RFC 4475 for what the field gets wrong).

use super::super::lex::{class, run};
use super::*;

type Refusal = (u16, &'static str);

const fn bad(reason: &'static str) -> Refusal {
    (400, reason)
}

pub(super) fn parse(raw: &[u8]) -> Result<Message<'_>, Rejected<'_>> {
    let over = raw.len() > SIP_MESSAGE_MAX;
    let mut raw = &raw[..raw.len().min(SIP_MESSAGE_MAX)];
    while let [b'\r', b'\n', rest @ ..] = raw {
        raw = rest;
    }
    let line_end = line_end(raw);
    let (line, start_status) = (&raw[..line_end], start_line(&raw[..line_end]));
    let scan = Fields::scan(raw, (line_end + 2).min(raw.len()));
    let verdict = start_status.and_then(|start| {
        if over {
            return Err((513, "Message Too Large"));
        }
        sound(raw, start, &scan.fields, scan.error, scan.body)
    });
    match verdict {
        Ok(sound) => Ok(Message {
            start: sound.start,
            fields: scan.fields,
            body: sound.body,
            via: sound.via,
            from: sound.from,
            to: sound.to,
            call_id: sound.call_id,
            cseq: sound.cseq,
            raw: &raw[..scan.body + sound.body.len()],
        }),
        Err((status, reason)) => Err(reject(line, status, reason, scan.fields)),
    }
}

/// Where the start line ends. A CR or LF by itself in it is no part of any word, so it is refused.
fn line_end(raw: &[u8]) -> usize {
    let ends = memchr::memchr_iter(b'\n', raw).filter(|&at| at > 0 && raw[at - 1] == b'\r');
    ends.map(|at| at - 1).next().unwrap_or(raw.len())
}

/// The parts of a message that only a sound one has.
struct Sound<'a> {
    start: Start<'a>,
    body: &'a [u8],
    via: Via<'a>,
    from: NameAddr<'a>,
    to: NameAddr<'a>,
    call_id: &'a str,
    cseq: CSeq<'a>,
}

fn sound<'a>(
    raw: &'a [u8],
    start: Start<'a>,
    fields: &Fields<'a>,
    error: Option<&'static str>,
    body: usize,
) -> Result<Sound<'a>, Refusal> {
    if let Some(reason) = error {
        return Err(bad(reason));
    }
    if let Some(name) = fields.doubled() {
        return Err(bad(doubled(name)));
    }
    let required = |name, reason| fields.first(name).ok_or(bad(reason));
    let via = top_via(fields)?;
    let from = NameAddr::parse(required(Name::From, "Missing From")?);
    let from = from.ok_or(bad("Malformed From"))?;
    let to = NameAddr::parse(required(Name::To, "Missing To")?);
    let to = to.ok_or(bad("Malformed To"))?;
    let call_id = call_id(required(Name::CallId, "Missing Call-ID")?);
    let call_id = call_id.ok_or(bad("Malformed Call-ID"))?;
    let cseq = CSeq::parse(required(Name::CSeq, "Missing CSeq")?).ok_or(bad("Malformed CSeq"))?;
    // RFC 3261 section 8.1.1.5: "The method MUST match that of the request."
    if let Start::Request { method, .. } = start
        && method != cseq.method
    {
        return Err(bad("CSeq method does not match"));
    }
    acted_on(fields)?;
    Ok(Sound { start, body: cut_body(raw, fields, body)?, via, from, to, call_id, cseq })
}

fn start_line(line: &[u8]) -> Result<Start<'_>, Refusal> {
    if line.get(..4).is_some_and(|four| four.eq_ignore_ascii_case(b"SIP/")) {
        return status_line(line).ok_or(bad("Malformed status line"));
    }
    let mut parts = line.splitn(3, |&b| b == b' ');
    let (method, uri, version) = (parts.next(), parts.next(), parts.next());
    let method = method.and_then(whole_token).ok_or(bad("Malformed method"))?;
    let uri = uri.filter(|uri| !uri.is_empty()).ok_or(bad("Malformed request line"))?;
    let version = version.ok_or(bad("Malformed request line"))?;
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        return Err(other_version(version));
    }
    let uri = std::str::from_utf8(uri).ok().and_then(Uri::parse);
    let uri = uri.ok_or(bad("Malformed Request-URI"))?;
    // RFC 3261 section 19.1.1: headers are not allowed in a Request-URI. They must not become real
    // ones, nor travel on.
    if !uri.headers.is_empty() {
        return Err(bad("Headers in the Request-URI"));
    }
    Ok(Start::Request { method: Method::of(method), uri })
}

/// Another version is refused as such (RFC 3261 section 21.5.6); spaces and noise are malformed.
fn other_version(version: &[u8]) -> Refusal {
    let digits = |part: Option<&[u8]>| {
        part.is_some_and(|p| !p.is_empty() && p.iter().all(u8::is_ascii_digit))
    };
    let named = version.get(..4).is_some_and(|four| four.eq_ignore_ascii_case(b"SIP/"));
    let mut parts = version.get(4..).unwrap_or_default().splitn(2, |&b| b == b'.');
    match named && digits(parts.next()) && digits(parts.next()) {
        true => (505, "Version Not Supported"),
        false => bad("Malformed request line"),
    }
}

/// `SIP/2.0 SP 3DIGIT SP [phrase]`; the space before an empty phrase is often forgotten.
fn status_line(line: &[u8]) -> Option<Start<'_>> {
    let rest = line.get(..8).filter(|v| v.eq_ignore_ascii_case(b"SIP/2.0 ")).map(|_| &line[8..])?;
    let (code, phrase) = rest.split_at_checked(3)?;
    let status = number(code).filter(|code| (100..=699).contains(code))?;
    match phrase {
        [] => Some(Start::Response { status, reason: b"" }),
        [b' ', reason @ ..] => Some(Start::Response { status, reason }),
        _ => None,
    }
}

fn top_via<'a>(fields: &Fields<'a>) -> Result<Via<'a>, Refusal> {
    let mut top = None;
    let mut count = 0;
    for field in fields.all(Name::Via) {
        for value in List::new(field.value) {
            count += 1;
            if count > SIP_VALUES_MAX {
                return Err(bad("Too many Via values"));
            }
            let via = Via::parse(value).ok_or(bad("Malformed Via"))?;
            top.get_or_insert(via);
        }
    }
    top.ok_or(bad("Missing Via"))
}

/// Any visible octets. It is compared, never read (RFC 3261 section 20.8).
fn call_id(raw: &[u8]) -> Option<&str> {
    let visible = !raw.is_empty() && run(raw, class::VISIBLE) == raw.len();
    std::str::from_utf8(raw).ok().filter(|_| visible)
}

/// The fields that the switch acts on must say something; of the others, noise is ignored.
fn acted_on(fields: &Fields<'_>) -> Result<(), Refusal> {
    let mut values = 0;
    for (name, value) in fields.values() {
        let mut each = |sound: fn(&[u8]) -> bool| {
            List::new(value).all(|item| {
                values += 1;
                values <= 4 * SIP_VALUES_MAX && sound(item)
            })
        };
        let (sound, reason) = match name {
            Name::Contact => (each(|v| Contact::parse(v).is_some()), "Malformed Contact"),
            Name::Route => (each(|v| NameAddr::parse(v).is_some()), "Malformed Route"),
            Name::RecordRoute => (each(|v| NameAddr::parse(v).is_some()), "Malformed Record-Route"),
            Name::Path => (each(|v| NameAddr::parse(v).is_some()), "Malformed Path"),
            Name::ReferTo => (NameAddr::parse(value).is_some(), "Malformed Refer-To"),
            Name::MaxForwards => (number::<u8>(value).is_some(), "Malformed Max-Forwards"),
            Name::RSeq => (number::<u32>(value).is_some(), "Malformed RSeq"),
            Name::RAck => (RAck::parse(value).is_some(), "Malformed RAck"),
            Name::MinSe => (leading_seconds(value).is_some(), "Malformed Min-SE"),
            Name::SessionExpires => {
                (SessionExpires::parse(value).is_some(), "Malformed Session-Expires")
            }
            _ => continue,
        };
        if !sound {
            return Err(bad(reason));
        }
    }
    Ok(())
}

/// RFC 3261 section 18.3: what follows the body in a datagram is ignored; a body that is shorter
/// than announced is a 400; without Content-Length the body runs to the end of the datagram.
fn cut_body<'a>(raw: &'a [u8], fields: &Fields<'a>, at: usize) -> Result<&'a [u8], Refusal> {
    let rest = &raw[at..];
    match content_length(fields)? {
        None => Ok(rest),
        Some(length) if length > SIP_MESSAGE_MAX => Err((513, "Message Too Large")),
        Some(length) => rest.get(..length).ok_or(bad("Content-Length beyond the message")),
    }
}

/// What Content-Length announces. A length is digits; anything else is no length.
pub(in crate::wire::sip) fn content_length(fields: &Fields<'_>) -> Result<Option<usize>, Refusal> {
    match fields.first(Name::ContentLength) {
        None => Ok(None),
        Some(value) => number(value).map(Some).ok_or(bad("Malformed Content-Length")),
    }
}

fn doubled(name: Name) -> &'static str {
    match name {
        Name::From => "More than one From",
        Name::To => "More than one To",
        Name::CallId => "More than one Call-ID",
        Name::CSeq => "More than one CSeq",
        Name::MaxForwards => "More than one Max-Forwards",
        Name::ContentLength => "More than one Content-Length",
        Name::ContentType => "More than one Content-Type",
        _ => "A header field that may be there once is there twice",
    }
}

fn reject<'a>(
    line: &'a [u8],
    status: u16,
    reason: &'static str,
    fields: Fields<'a>,
) -> Rejected<'a> {
    let is_request = !line.get(..4).is_some_and(|four| four.eq_ignore_ascii_case(b"SIP/"));
    let word = line.split(|b| matches!(b, b' ' | b'\t')).next().unwrap_or_default();
    let method = whole_token(word).map(Method::of).filter(|_| is_request);
    Rejected { status, reason, is_request, method, fields }
}
