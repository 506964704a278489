//! Building: nothing that is given can add a line, and what is copied stays as it was.

use super::*;
use crate::wire::sip::{percent, quoted};

const REQUEST: &[u8] = b"OPTIONS sip:a@b SIP/2.0\r\n\
    v:  SIP/2.0/UDP 10.0.0.1:5070 ;branch=z9hG4bKa;rport ,\r\n  SIP/2.0/TCP p;branch=z9hG4bKb\r\n\
    From: \"Jos\xe9\" <sip:x@y>;tag=1\r\n\
    Via: SIP/2.0/UDP q\r\n\
    To:\r\n sip:a@b\r\n\
    i: c1\r\n\
    CSeq: 1\r\n OPTIONS\r\n\r\n";

#[test]
fn a_reply_copies_and_marks_the_top_via() {
    let request = Message::parse(REQUEST).unwrap();
    let top = TopVia { received: "192.0.2.9".parse().ok(), rport: Some(40_001) };
    let reply = Writer::reply(200, "OK", &request.fields, top, Some("t9")).finish();
    let expected = b"SIP/2.0 200 OK\r\n\
        Via: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa;received=192.0.2.9;rport=40001 ,\r\n  \
        SIP/2.0/TCP p;branch=z9hG4bKb\r\n\
        Via: SIP/2.0/UDP q\r\n\
        From: \"Jos\xe9\" <sip:x@y>;tag=1\r\n\
        To:\r\n sip:a@b;tag=t9\r\n\
        i: c1\r\n\
        CSeq: 1\r\n OPTIONS\r\n\
        Content-Length: 0\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&reply), String::from_utf8_lossy(expected));
    let read = Message::parse(&reply).unwrap();
    assert_eq!((read.vias().count(), read.to.tag()), (3, Some("t9")));
}

#[test]
fn a_reply_keeps_a_tag_that_is_there_and_an_unmarked_via_as_it_is() {
    let tagged = String::from_utf8_lossy(REQUEST).replace("sip:a@b\r\n", "sip:a@b;tag=mine\r\n");
    let request = Message::parse(tagged.as_bytes()).unwrap();
    let reply = Writer::reply(481, phrase(481), &request.fields, TopVia::default(), Some("t9"));
    let reply = reply.finish();
    let read = Message::parse(&reply).unwrap();
    assert_eq!((read.status(), read.to.tag()), (Some(481), Some("mine")));
    assert_eq!(read.via.rport(), Some(None));
}

#[test]
fn a_refused_request_is_answered_with_the_lines_that_it_had() {
    let bad = [&b"OPTIONS sip:a@b SIP/7.0"[..], &REQUEST[23..]].concat();
    let rejected = Message::parse(&bad).unwrap_err();
    assert_eq!((rejected.status, rejected.is_answerable()), (505, true));
    let (status, reason) = (rejected.status, rejected.reason);
    let reply = Writer::reply(status, reason, &rejected.fields, TopVia::default(), Some("t"));
    assert_eq!(Message::parse(&reply.finish()).unwrap().status(), Some(505));
}

#[test]
fn no_value_can_add_a_line() {
    let evil = "x\r\nVia: SIP/2.0/UDP evil\0\n";
    let mut writer = Writer::request(Method::Other("A\r\nB"), evil);
    writer
        .header(Name::Subject, evil)
        .header_named(evil, evil)
        .header_raw(Name::UserAgent, evil.as_bytes());
    let out = writer.finish_with(evil, evil.as_bytes());
    let head = &out[..memchr::memmem::find(&out, b"\r\n\r\n").unwrap()];
    let text = std::str::from_utf8(head).unwrap();
    assert_eq!(text.split("\r\n").count(), 6);
    assert_eq!(text.matches(['\r', '\n', '\0']).count(), 10);
}

#[test]
fn a_request_that_was_built_is_read_as_it_was_meant() {
    let mut writer = Writer::request(Method::Invite, "sip:1070@example.in;transport=tcp");
    let name = "सीमा \"X\" \\";
    writer
        .header(Name::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;rport")
        .header(Name::MaxForwards, 70)
        .header(Name::From, format_args!("{} <sip:{}@h>;tag=1", quoted(name), percent("क@;")))
        .header(Name::To, "<sip:1070@example.in>")
        .header(Name::CallId, "c1")
        .header(Name::CSeq, format_args!("{} {}", 1, Method::Invite))
        .header(Name::Contact, "<sip:us@192.0.2.1>");
    let out = writer.finish_with("application/sdp", b"v=0\r\n");
    let read = Message::parse(&out).unwrap();
    assert_eq!((read.from.display().as_ref(), read.body), (name, &b"v=0\r\n"[..]));
    assert_eq!(read.from.uri.user_text(), "क@;");
    assert_eq!(read.print(), out);
}
