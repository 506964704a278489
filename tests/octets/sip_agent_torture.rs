//! What the user agent answers to each message of RFC 4475 and RFC 5118: `expectations.tsv` beside
//! the messages says what it may be. `PUKAR_TORTURE` names the folder that holds them.

use pukar::base::{Cx, Now, Rng, Timers};
use pukar::sip::{Effect, Hop, Listener, Settings, Transport, Trunk, UserAgent};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The statuses that an agent answers with to a message from `peer`, on `transport`.
fn answers(message: &[u8], peer: &str, transport: Transport) -> Vec<u16> {
    let here = addr("192.0.2.200:5060");
    let settings = Settings {
        domains: vec!["example.com".into(), "example.net".into()],
        listen: vec![Listener { transport: Transport::Udp, bind: here, advertise: None }],
        trunks: vec![Trunk { hosts: vec!["192.0.2.7:5060".into()], ..Trunk::default() }],
        ..Settings::default()
    };
    let (mut rng, mut timers) = (Rng::new(1), Timers::default());
    let mut cx = Cx { now: Now::default(), rng: &mut rng, timers: &mut timers };
    let mut agent = UserAgent::new(settings, &mut cx);
    let mut out = Vec::new();
    let hop = Hop { transport, local: here, peer: addr(peer), flow: None };
    agent.receive(&mut cx, hop, message, &mut out);
    agent.check().unwrap();
    out.iter().filter_map(status).collect()
}

fn status(effect: &Effect) -> Option<u16> {
    match effect {
        Effect::Send { bytes, .. } => {
            let text = std::str::from_utf8(bytes.get(8..11)?).ok()?;
            Some(text.parse().unwrap())
        }
        Effect::Close { .. } | Effect::Keep { .. } | Effect::Ask { .. } | Effect::Notice(_) => None,
    }
}

/// Whether the answers are what a row of the table allows.
fn fits(name: &str, kind: &str, expected: &str, answers: &[u16]) -> bool {
    let last = answers.last().copied();
    let refused = |status: u16| last == Some(status);
    if kind == "response" {
        return answers.is_empty();
    }
    // Whoever registers has to prove it; a 200 needs credentials that the message has not.
    let accepted = last.is_some_and(|s| s != 400 && s != 505 && s < 500 || s == 501);
    match (name, expected) {
        (_, "accept" | "accept|400") => accepted,
        (_, "200" | "401|accept") => refused(401),
        (_, "error(400)" | "400" | "400|liberal") => refused(400),
        // The matching of RFC 2543 serves it like any other.
        (_, "400|2543") => refused(200),
        ("zeromf.dat", _) => refused(200),
        (_, "400(registrar)|accept(proxy)") => refused(400),
        (_, choice) => choice.split('|').filter_map(|c| c.parse().ok()).any(refused),
    }
}

/// Both RFCs' tables, or nothing where the messages are not at hand.
fn wrong_answers(rfc: &str, file: impl Fn(&Path, &str) -> PathBuf) -> Vec<String> {
    let Some(root) = env::var_os("PUKAR_TORTURE").map(PathBuf::from) else {
        let _ = writeln!(
            std::io::stderr(),
            "PUKAR_TORTURE is not set: no message of the RFCs was read"
        );
        return Vec::new();
    };
    let folder = root.join(rfc);
    let table = fs::read_to_string(folder.join("expectations.tsv")).unwrap();
    let mut lines = table.lines();
    let head: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let at = head.iter().position(|column| *column == "expected").unwrap();
    let mut wrong = Vec::new();
    for row in lines {
        let columns: Vec<&str> = row.split('\t').collect();
        let (name, expected) = (columns[0], columns[at]);
        let message = fs::read(file(&folder, name)).unwrap();
        let kind = if message.starts_with(b"SIP/2.0") { "response" } else { "request" };
        for peer in ["198.51.100.9:5060", "192.0.2.7:5060"] {
            for transport in [Transport::Udp, Transport::Tcp] {
                let answers = answers(&message, peer, transport);
                if !fits(name, kind, expected, &answers) {
                    wrong.push(format!("{name} from {peer}: {answers:?}, not {expected}"));
                }
            }
        }
    }
    wrong
}

#[test]
fn every_message_of_rfc_4475_gets_its_answer() {
    let wrong = wrong_answers("rfc4475", |folder, name| folder.join(name));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_message_of_rfc_5118_gets_its_answer() {
    let wrong =
        wrong_answers("rfc5118", |folder, name| folder.join("wire").join(format!("{name}.dat")));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
