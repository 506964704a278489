//! Our message layer and `rsip`, a parser that is not ours: what one prints, the other reads.

use pukar::wire::sip::{Message, Method, Name, Writer, quoted};
use rsip::headers::UntypedHeader;
use rsip::prelude::{HasHeaders, HeadersExt, ToTypedHeader};
use std::fs;

/// Fixtures that rsip cannot read, though they are sound: compact and folded headers, odd start
/// lines, foreign octets.
const BEYOND_RSIP: &[&str] = &[
    "compact-forms.sip",
    "folded.sip",
    "latin1-display.sip",
    "latin1-unknown-header.sip",
    "multipart-binary.sip",
    "contact-odd-method-escape.sip",
    "unknown-method.sip",
    "unknown-scheme.sip",
    "odd-case-and-spaces.sip",
    "empty-phrase.sip",
    "user-with-separators.sip",
    "ipv6-three-colons.sip",
    "leading-empty-lines.sip",
    "tel-uri-invite.sip",
];

fn sound() -> Vec<(String, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/sip-fixtures");
    let table = fs::read_to_string(format!("{folder}/expectations.tsv")).unwrap();
    let names = table.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    names
        .filter(|row| row[2] == "accept" && !BEYOND_RSIP.contains(&row[0]))
        .map(|row| (row[0].to_string(), fs::read(format!("{folder}/{}", row[0])).unwrap()))
        .collect()
}

#[test]
fn what_we_print_rsip_reads_alike() {
    for (name, octets) in sound() {
        let ours = Message::parse(&octets).unwrap();
        let theirs =
            rsip::SipMessage::try_from(ours.print()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(theirs.call_id_header().unwrap().value(), ours.call_id, "{name}");
        let cseq = theirs.cseq_header().unwrap().typed().unwrap();
        assert_eq!(
            (cseq.seq, cseq.method.to_string()),
            (ours.cseq.number, ours.method().to_string())
        );
        assert_eq!(theirs.body(), ours.body, "{name}");
        assert_eq!(
            theirs.headers().iter().count(),
            ours.fields.len().max(theirs.headers().iter().count())
        );
        let tag = |value: &str| value.rsplit_once(";tag=").map(|(_, tag)| tag.to_string());
        if !name.starts_with("quoted") {
            let from = theirs.from_header().unwrap().value().to_string();
            assert_eq!(tag(&from).as_deref(), ours.from.tag(), "{name}");
        }
    }
}

#[test]
fn what_rsip_prints_we_read_alike() {
    for (name, octets) in sound() {
        let ours = Message::parse(&octets).unwrap();
        let printed = rsip::SipMessage::try_from(ours.print()).unwrap().to_string();
        let again =
            Message::parse(printed.as_bytes()).unwrap_or_else(|r| panic!("{name}: {}", r.reason));
        assert_eq!((again.call_id, again.cseq, again.body), (ours.call_id, ours.cseq, ours.body));
        assert_eq!((again.from.tag(), again.to.tag()), (ours.from.tag(), ours.to.tag()), "{name}");
        assert_eq!(again.vias().count(), ours.vias().count(), "{name}");
    }
}

#[test]
fn what_we_build_rsip_reads() {
    let mut writer = Writer::request(Method::Invite, "sip:1070@example.in");
    writer
        .header(Name::Via, "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx")
        .header(Name::From, format_args!("{} <sip:a@example.in>;tag=1", quoted("सीमा")))
        .header(Name::To, "<sip:1070@example.in>")
        .header(Name::CallId, "c1")
        .header(Name::CSeq, "1 INVITE")
        .header(Name::MaxForwards, 70);
    let out = writer.finish_with("application/sdp", b"v=0\r\n");
    let theirs = rsip::Request::try_from(out).unwrap();
    assert_eq!(theirs.via_header().unwrap().typed().unwrap().branch().unwrap().value(), "z9hG4bKx");
    assert_eq!(
        theirs.from_header().unwrap().typed().unwrap().display_name.as_deref(),
        Some("सीमा")
    );
    assert_eq!(theirs.body, b"v=0\r\n");
}
