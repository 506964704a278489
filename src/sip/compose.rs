//! Writing requests and responses: the header fields that all of ours have.
//!
//! In: what is to be said. Out: bytes. Knows no state. May import: wire and base.

use super::dialog::Aimed;
use super::{Body, Cause, Hop, Party, Settings, Transport};
use crate::wire::sip::{
    Fields, Message, Method, Name, TopVia, Via, Writer, percent, phrase, quoted,
};
use bytes::Bytes;
use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};

/// What we serve; everything else gets 405 or 501.
pub const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO, REGISTER, REFER, \
                         NOTIFY";
pub const ACCEPT: &str = "application/sdp";
/// Option tags that a peer may require of us.
pub const SUPPORTED: &[&str] = &["100rel", "timer", "replaces", "norefersub"];

/// The same for a header line.
pub const SUPPORTED_LINE: &str = "100rel, timer, replaces, norefersub";

pub struct Head<'a> {
    pub method: Method<'a>,
    pub uri: &'a str,
    pub branch: &'a str,
    pub hop: &'a Hop,
    pub settings: &'a Settings,
    pub from: &'a str,
    pub to: &'a str,
    pub call_id: &'a str,
    pub seq: u32,
    /// Max-Forwards.
    pub forwards: u8,
}

/// RFC 3261 section 8.1.1.6: "a Max-Forwards header field into each request with an initial value
/// that SHOULD be 70".
pub const FORWARDS: u8 = 70;

/// RFC 3261 section 8.1.1.
pub fn request(head: &Head) -> Writer {
    let mut writer = Writer::request(head.method, head.uri);
    via(&mut writer, head.settings, head.hop, head.branch);
    writer
        .header(Name::MaxForwards, head.forwards)
        .header(Name::From, head.from)
        .header(Name::To, head.to)
        .header(Name::CallId, head.call_id)
        .header(Name::CSeq, format_args!("{} {}", head.seq, head.method));
    if head.method != Method::Ack {
        writer.header(Name::UserAgent, &head.settings.product);
    }
    writer
}

/// The Via of a request of ours, with `rport` (RFC 3581).
pub fn via(writer: &mut Writer, settings: &Settings, hop: &Hop, branch: &str) {
    let transport = name(hop.transport);
    let sent_by = advertised(settings, hop);
    let value = format_args!("SIP/2.0/{transport} {sent_by};rport;branch={branch}");
    writer.header(Name::Via, value);
}

/// A response to the request with these fields.
pub fn response(
    settings: &Settings,
    fields: &Fields,
    via: Option<&Via>,
    hop: &Hop,
    (status, reason): (u16, Option<&str>),
    tag: &str,
) -> Writer {
    let reason = reason.unwrap_or_else(|| phrase(status));
    // "When a UAS creates a 100 response, no tag is needed" (RFC 3261 section 8.2.6.2).
    let tag = (status > 100).then_some(tag);
    let mut writer = Writer::reply(status, reason, fields, top_via(via, hop), tag);
    if status > 100 {
        writer.header(Name::Server, &settings.product);
    }
    writer
}

/// RFC 3261 section 18.2.1: "If the host portion of the sent-by ... contains a domain name, or if
/// it contains an IP address that differs from the packet source address, the server MUST add a
/// received parameter"; RFC 3581 section 4 wants it wherever rport is.
fn top_via(via: Option<&Via>, hop: &Hop) -> TopVia {
    let Some(via) = via else { return TopVia::default() };
    let asked = via.rport().is_some();
    let differs = via.host.ip() != Some(hop.peer.ip());
    TopVia {
        received: (asked || differs).then_some(hop.peer.ip()),
        rport: asked.then_some(hop.peer.port()),
    }
}

pub fn finish(writer: Writer, body: Option<&Body>) -> Bytes {
    keep(match body {
        Some(body) => writer.finish_with(&body.kind, &body.bytes),
        None => writer.finish(),
    })
}

/// Octets that a transaction may keep for half a minute: no more than there are.
pub fn keep(octets: Vec<u8>) -> Bytes {
    octets.into_boxed_slice().into()
}

pub fn route(writer: &mut Writer, route: Aimed) {
    match route {
        Aimed::Route(value) => writer.header(Name::Route, value),
        Aimed::Target(uri) => writer.header(Name::Route, format_args!("<{uri}>")),
    };
}

/// Contact of a dialog on this hop. `secure`: the peer's is a SIPS URI, and so ours has to be (RFC
/// 3261 section 12.1.1).
pub fn contact(settings: &Settings, hop: &Hop, secure: bool) -> String {
    let here = advertised(settings, hop);
    match hop.transport {
        Transport::Udp => format!("<sip:{here}>"),
        Transport::Tcp => format!("<sip:{here};transport=tcp>"),
        Transport::Tls if secure => format!("<sips:{here}>"),
        Transport::Tls => format!("<sip:{here};transport=tls>"),
    }
}

/// What we are reached at by whoever is at the other end of `hop`.
pub fn advertised(settings: &Settings, hop: &Hop) -> SocketAddr {
    let listener = settings.listen.iter().find(|l| {
        l.transport == hop.transport
            && l.bind.port() == hop.local.port()
            && (l.bind.ip() == hop.local.ip() || l.bind.ip().is_unspecified())
    });
    // A stream that we opened has a port of its own; its listener is reached at another.
    let listener = listener.or_else(|| {
        let mut same = settings.listen.iter().filter(|l| l.transport == hop.transport);
        same.find(|l| l.bind.is_ipv4() == hop.local.is_ipv4())
    });
    let port = listener.map_or(hop.local.port(), |l| l.bind.port());
    let ip: Option<IpAddr> = listener.and_then(|l| l.advertise);
    SocketAddr::new(ip.unwrap_or(hop.local.ip()), port)
}

pub fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
        Transport::Tls => "TLS",
    }
}

/// A name-addr, without a tag.
pub fn address(party: &Party, host: impl fmt::Display) -> String {
    let mut text = String::with_capacity(64);
    if !party.display.is_empty() {
        let _ = write!(text, "{} ", quoted(&party.display));
    }
    let _ = match party.user.is_empty() {
        true => write!(text, "<sip:{host}>"),
        false => write!(text, "<sip:{}@{host}>", percent(&party.user)),
    };
    text
}

/// The options in Require that we do not have, as Unsupported lists them (RFC 3261 section
/// 8.2.2.3).
pub fn unknown_options(message: &Message) -> String {
    let known = |option: &str| SUPPORTED.iter().any(|own| own.eq_ignore_ascii_case(option));
    let unknown: Vec<&str> = message.require().filter(|option| !known(option)).collect();
    unknown.join(", ")
}

/// What RFC 3261 section 20.43 wants beside a 488: 305 is "Incompatible media format".
pub fn warning(settings: &Settings, hop: &Hop, status: u16) -> Option<String> {
    let text = "Served here: audio in PCMA, PCMU, G722 or opus, over RTP/AVP or over RTP/SAVP with \
                a=crypto, as far as this switch is set to, at an address of the IP version that it \
                speaks";
    (status == 488).then(|| format!("305 {} \"{text}\"", advertised(settings, hop)))
}

/// RFC 3326.
pub fn reason(writer: &mut Writer, cause: &Cause) {
    let text = |f: &mut String| {
        if !cause.text.is_empty() {
            let _ = write!(f, ";text={}", quoted(&cause.text));
        }
    };
    if let Some(sip) = cause.sip {
        let mut value = format!("SIP;cause={sip}");
        text(&mut value);
        writer.header(Name::Reason, value);
    }
    if let Some(q850) = cause.q850 {
        let mut value = format!("Q.850;cause={q850}");
        text(&mut value);
        writer.header(Name::Reason, value);
    }
}

pub fn cause_of(message: &Message) -> Cause {
    let mut cause = Cause::default();
    for reason in message.reasons() {
        if reason.protocol.eq_ignore_ascii_case("SIP") {
            cause.sip = reason.cause();
        } else if reason.protocol.eq_ignore_ascii_case("Q.850") {
            cause.q850 = reason.cause().and_then(|code| u8::try_from(code).ok());
        } else {
            continue;
        }
        if cause.text.is_empty() {
            cause.text = crate::base::text::clean(&reason.text(), 128);
        }
    }
    cause
}
