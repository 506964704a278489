//! Our message layer and `rsip`, a parser that is not ours: what one prints, the other reads.

use pukar::wire::sip::{Message, Method, Name, Writer, quoted};
use rsip::headers::UntypedHeader;
use rsip::prelude::{HasHeaders, HeadersExt, ToTypedHeader};
use std::fs;

/// Name and octets of the sound fixtures that rsip reads too.
fn sound() -> Vec<(String, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/sip-fixtures");
    let table = fs::read_to_string(format!("{folder}/expectations.tsv")).unwrap();
    let rows = table.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    let accepted = rows.filter(|row| row[2] == "accept").map(|row| row[0].to_string());
    let octets = |name: &String| fs::read(format!("{folder}/{name}")).unwrap();
    accepted.map(|name| (name.clone(), octets(&name))).filter(|(_, o)| rsip_reads(o)).collect()
}

fn rsip_reads(octets: &[u8]) -> bool {
    let printed = Message::parse(octets).unwrap().print();
    rsip::SipMessage::try_from(printed).is_ok_and(|m| {
        m.call_id_header().is_ok()
            && m.from_header().is_ok()
            && m.to_header().is_ok()
            && m.cseq_header().is_ok_and(|cseq| cseq.typed().is_ok())
    })
}

#[test]
fn rsip_reads_most_of_what_is_sound() {
    assert!(sound().len() >= 28, "{}", sound().len());
}

#[test]
fn what_we_print_rsip_reads_alike() {
    for (name, octets) in sound() {
        let ours = Message::parse(&octets).unwrap();
        let theirs = rsip::SipMessage::try_from(ours.print()).unwrap();
        assert_eq!(theirs.call_id_header().unwrap().value(), ours.call_id, "{name}");
        let cseq = theirs.cseq_header().unwrap().typed().unwrap();
        assert_eq!(
            (cseq.seq, cseq.method.to_string()),
            (ours.cseq.number, ours.method().to_string())
        );
        assert_eq!(theirs.body(), ours.body, "{name}");
        assert_eq!(theirs.headers().iter().count(), printed_lines(&ours), "{name}");
        let tag = |value: &str| value.rsplit_once(";tag=").map(|(_, tag)| tag.to_string());
        if !name.starts_with("quoted") {
            let from = theirs.from_header().unwrap().value().to_string();
            assert_eq!(tag(&from).as_deref(), ours.from.tag(), "{name}");
        }
    }
}

/// Header lines in what we print: Content-Length is always among them.
fn printed_lines(m: &Message<'_>) -> usize {
    m.fields.iter().filter(|field| field.name != Name::ContentLength).count() + 1
}

#[test]
fn what_rsip_prints_we_read_alike() {
    // It prints a body as text, so that other octets do not survive it.
    for (name, octets) in sound().into_iter().filter(|(_, o)| std::str::from_utf8(o).is_ok()) {
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
    // rsip leaves the quotes to its user.
    // rsip leaves the quotes to its user.
    let from = theirs.from_header().unwrap().typed().unwrap();
    assert_eq!(from.display_name.as_deref(), Some("\"सीमा\""));
    assert_eq!(theirs.body, b"v=0\r\n");
}
