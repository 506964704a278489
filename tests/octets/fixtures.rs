//! Every message of `sip-fixtures/` is read as its expectation says; and thousands of seeded
//! mutations of each, and arbitrary octets, neither panic nor lose what was read when printed.

use proptest::prelude::*;
use pukar::wire::sip::{Frame, Framer, List, Message, Name, NameAddr, Params, TopVia, Uri, Writer};
use std::fs;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sip-fixtures");

/// Name, octets, and what is expected of each fixture.
fn fixtures() -> Vec<(String, Vec<u8>, String)> {
    let table = fs::read_to_string(format!("{FOLDER}/expectations.tsv")).unwrap();
    let row = |line: &str| {
        let columns: Vec<_> = line.split('\t').collect();
        let octets = fs::read(format!("{FOLDER}/{}", columns[0])).expect(columns[0]);
        (columns[0].to_string(), octets, columns[2].to_string())
    };
    table.lines().skip(1).map(row).collect()
}

fn outcome(octets: &[u8]) -> String {
    match Message::parse(octets) {
        Ok(_) => "accept".into(),
        Err(rejected) if rejected.is_answerable() => rejected.status.to_string(),
        Err(_) => "discard".into(),
    }
}

#[test]
fn every_fixture_is_read_as_expected() {
    let fixtures = fixtures();
    for (name, octets, expected) in &fixtures {
        let rejected = Message::parse(octets).err().map(|r| r.reason);
        assert_eq!(&outcome(octets), expected, "{name}: {rejected:?}");
    }
    let files = fs::read_dir(FOLDER).unwrap().count() - 1;
    assert_eq!(files, fixtures.len(), "a fixture without an expectation");
}

#[test]
fn what_is_printed_reads_the_same() {
    for (name, octets, _) in fixtures().iter().filter(|(_, _, expected)| expected == "accept") {
        check_print(octets, name);
    }
}

/// Printing a message that was read, and reading it again, changes nothing.
fn check_print(octets: &[u8], name: &str) {
    let first = Message::parse(octets).unwrap();
    let printed = first.print();
    let second = Message::parse(&printed).unwrap_or_else(|r| panic!("{name}: {}", r.reason));
    assert_eq!(second.print(), printed, "{name}");
    assert_eq!((second.body, second.call_id), (first.body, first.call_id), "{name}");
    let lines = |m: &Message<'_>| {
        let lines = m.fields.iter().filter(|f| f.name != Name::ContentLength);
        lines.map(|f| f.line.to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(lines(&first), lines(&second), "{name}");
}

/// Reads everything that can be read, answers what can be answered.
fn exercise(octets: &[u8]) {
    match Message::parse(octets) {
        Ok(m) => {
            check_print(octets, "mutation");
            let _ = (m.vias().count(), m.contacts().count(), m.routes().count());
            let _ = (m.record_routes().count(), m.diversion().count(), m.history_info().count());
            let _ = (m.require().count(), m.supported().count(), m.privacy().count());
            let _ = (m.expires(), m.min_expires(), m.session_expires(), m.min_se(), m.rack());
            let _ = (m.from.display(), m.from.uri.user_text(), m.from.uri.same(&m.to.uri));
            let _ = m.authorization().map(|a| a.params().count()).sum::<usize>();
            m.reasons().for_each(|r| drop((r.cause(), r.text())));
            let reply = Writer::reply(200, "OK", &m.fields, TopVia::default(), Some("t"));
            let reply = reply.finish();
            let read = Message::parse(&reply).map_err(|r| r.reason).expect("our own reply");
            assert_eq!(read.cseq, m.cseq);
        }
        Err(r) => {
            let top = TopVia { received: "192.0.2.1".parse().ok(), rport: Some(1) };
            let reply = Writer::reply(r.status, r.reason, &r.fields, top, Some("t")).finish();
            assert!(reply.ends_with(b"\r\n\r\n"));
        }
    }
}

/// A small generator, so that a failing round can be repeated from its number.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit.max(1)
    }
}

const SHARDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b",",
    b";",
    b"\"",
    b"\\",
    b"<",
    b">",
    b"%00",
    b":",
    b"@",
    b" ",
    b"\r\n ",
    b"\xff",
    b"4294967296",
    b"-1",
    b"SIP/2.0",
    b"Content-Length: 0\r\n",
    b"tag=",
    b"[",
];

fn mutate(octets: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut out = octets.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(out.len() + 1);
        match dice.below(5) {
            0 => out.truncate(at),
            1 if at < out.len() => out[at] = dice.below(256) as u8,
            2 => {
                let end = (at + dice.below(40)).min(out.len());
                out.drain(at..end);
            }
            3 => {
                let end = (at + dice.below(60)).min(out.len());
                let piece = out[at..end].to_vec();
                out.splice(at..at, piece);
            }
            _ => {
                out.splice(at..at, SHARDS[dice.below(SHARDS.len())].iter().copied());
            }
        }
    }
    out
}

#[test]
fn seeded_mutations_of_every_fixture_are_survived() {
    for (number, (_, octets, _)) in fixtures().iter().enumerate() {
        let mut dice = Dice(number as u64 + 1);
        for _ in 0..400 {
            exercise(&mutate(octets, &mut dice));
        }
    }
}

#[test]
fn a_stream_of_fixtures_is_cut_as_it_was_joined() {
    let printed: Vec<_> = fixtures()
        .iter()
        .filter_map(|(_, octets, _)| Message::parse(octets).ok().map(|m| m.print()))
        .collect();
    let stream = printed.concat();
    for size in [1, 7, 1_400, stream.len()] {
        let mut framer = Framer::default();
        let mut cut = Vec::new();
        for piece in stream.chunks(size) {
            framer.feed(piece);
            while let Some(frame) = framer.next_frame() {
                match frame {
                    Frame::Message(octets) => cut.push(octets.to_vec()),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!(cut == printed, "pieces of {size}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn arbitrary_octets_are_survived(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
        exercise(&octets);
        let _ = (NameAddr::parse(&octets), List::new(&octets).count());
        let _ = std::str::from_utf8(&octets).map(|text| Uri::parse(text).is_some());
        let _ = Params::default().text("x");
        let mut framer = Framer::default();
        for piece in octets.chunks(3) {
            framer.feed(piece);
            while framer.next_frame().is_some() {}
        }
    }

    #[test]
    fn a_header_of_grammar_shards_is_survived(
        shards in proptest::collection::vec("[,;<>\"\\\\ =:@%a-c0-9\\[\\]]{0,6}", 0..40),
        name in "Via|Contact|To|Route|Authorization|Session-Expires|Reason",
    ) {
        let value = shards.concat();
        let text = format!(
            "OPTIONS sip:a@b SIP/2.0\r\n{name}: {value}\r\nVia: SIP/2.0/UDP a\r\nFrom: sip:a@b\r\n\
             To: sip:c@d\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n");
        exercise(text.as_bytes());
    }
}
