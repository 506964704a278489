//! Requests that are made from another: the ACK of a failure, CANCEL, and a request once more with
//! credentials or over another transport.
//!
//! In: the octets of the request that was sent. Out: octets. May import: wire and base.

use super::{Cause, Hop, Settings, compose};
use crate::wire::sip::{Message, Method, Name, Writer};
use bytes::Bytes;

/// RFC 3261 section 17.1.1.3: "The ACK request constructed by the client transaction contains
/// values for the Call-ID, From, and Request-URI that are equal to the values of those header
/// fields in the request ... The To header field in the ACK MUST equal the To header field in the
/// response being acknowledged".
pub fn ack(request: &[u8], response: &Message) -> Option<Bytes> {
    let invite = Message::parse(request).ok()?;
    let mut writer = beside(&invite, Method::Ack, response)?;
    // "If the INVITE request whose response is being acknowledged had Route header fields, those
    // header fields MUST appear in the ACK."
    writer.copy(&invite.fields, Name::Route);
    Some(compose::keep(writer.finish()))
}

/// RFC 3261 section 9.1: "The Request-URI, Call-ID, To, the numeric part of CSeq, and From header
/// fields in the CANCEL request MUST be identical to those in the request being cancelled".
pub fn cancel(request: &[u8], cause: &Cause) -> Option<Bytes> {
    let invite = Message::parse(request).ok()?;
    let mut writer = beside(&invite, Method::Cancel, &invite)?;
    writer.copy(&invite.fields, Name::Route);
    compose::reason(&mut writer, cause);
    Some(compose::keep(writer.finish()))
}

fn beside(invite: &Message, method: Method, to: &Message) -> Option<Writer> {
    let mut writer = Writer::request(method, invite.request_uri()?.raw);
    writer
        .header_raw(Name::Via, invite.via.raw)
        .header(Name::MaxForwards, compose::FORWARDS)
        .copy(&invite.fields, Name::From)
        .copy(&to.fields, Name::To)
        .copy(&invite.fields, Name::CallId)
        .header(Name::CSeq, format_args!("{} {method}", invite.cseq.number));
    Some(writer)
}

/// The sequence number of a request of ours, as `compose` wrote it.
pub fn sequence(request: &[u8]) -> Option<u32> {
    let name = b"\r\nCSeq: ";
    let value = &request[memchr::memmem::find(request, name)? + name.len()..];
    let end = value.iter().position(|octet| !octet.is_ascii_digit())?;
    std::str::from_utf8(&value[..end]).ok()?.parse().ok()
}

/// What is new in a request that is sent once more.
pub struct Again<'a> {
    pub settings: &'a Settings,
    pub hop: &'a Hop,
    pub branch: &'a str,
    /// `None`: the one it had.
    pub seq: Option<u32>,
    /// Answers a challenge; it replaces what stood there.
    pub credentials: Option<(Name, &'a str)>,
}

/// RFC 3261 section 8.1.3.5: "this new request constitutes a new transaction and SHOULD have the
/// same value of the Call-ID, To, and From of the previous request, but the CSeq should contain a
/// new sequence number that is one higher than the previous."
pub fn again(request: &[u8], new: &Again) -> Option<Bytes> {
    let old = Message::parse(request).ok()?;
    let method = old.method();
    let seq = new.seq.unwrap_or(old.cseq.number);
    let mut writer = Writer::request(method, old.request_uri()?.raw);
    compose::via(&mut writer, new.settings, new.hop, new.branch);
    for field in old.fields.iter() {
        match field.name {
            Name::Via | Name::ContentLength | Name::ContentType => {}
            Name::CSeq => {
                writer.header(Name::CSeq, format_args!("{seq} {method}"));
            }
            name if new.credentials.is_some_and(|(own, _)| own == name) => {}
            Name::Other => {
                let name = String::from_utf8_lossy(field.raw_name);
                writer.header_named(&name, String::from_utf8_lossy(field.value));
            }
            name => {
                writer.header_raw(name, field.value);
            }
        }
    }
    if let Some((name, value)) = new.credentials {
        writer.header(name, value);
    }
    Some(match old.header(Name::ContentType) {
        Some(kind) => compose::keep(writer.finish_with(&String::from_utf8_lossy(kind), old.body)),
        None => compose::keep(writer.finish()),
    })
}
