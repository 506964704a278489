//! A whole queue call as a bench drives it: the switch in the middle, and phones that cost nothing.
//! Whoever takes it in does without some of it.
#![allow(dead_code)]

use crate::harness::cpu_ns;
use bytes::Bytes;
use pukar::base::{Instant, Now, Wall};
use pukar::core::{Command, Event, Out, Row, Switch};
use pukar::media::control::{self, Figures};
use pukar::sip::{Hop, Transport};
use std::net::SocketAddr;
use std::time::Duration;

/// Calls that go side by side, one step of each after the other.
pub const SIDE_BY_SIDE: usize = 100;
/// From the answer to the end of the talk.
const TALK: Duration = Duration::from_secs(3);
/// By then whoever waits is told of it for the first time.
const PATIENCE: Duration = Duration::from_secs(12);
/// The longest that anything of a call is remembered.
const AFTERWARDS: Duration = Duration::from_secs(40);
const CALLER: &str = "127.0.0.2:5070";
const SDP: &str = "v=0\r\no=a 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n\
    m=audio 30000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

pub const STEPS: [&str; 8] = [
    "INVITE -> 100, 200, the agent's INVITE",
    "ACK",
    "180 of the agent",
    "200 of the agent -> ACK",
    "BYE of the agent -> 200, BYE to the caller",
    "200 of the caller",
    "figures of both ports -> record",
    "timers, until all is forgotten",
];

pub struct World {
    pub switch: Switch,
    pub now: Now,
    out: Out,
    pub records: usize,
    pub messages: usize,
    pub facts: usize,
    /// CPU time of the longest single event, in nanoseconds, where somebody wants it.
    pub longest: Option<u64>,
    /// Everything that came in, and every row that came out, where somebody wants it.
    pub heard: Option<Vec<(Now, Event)>>,
    pub rows: Option<Vec<Row>>,
}

impl World {
    pub fn new() -> Self {
        let text = std::fs::read_to_string("benches/kit.toml").expect("run it from the repository");
        let files = [("benches/kit.toml".to_string(), text)];
        let settings = pukar::config::parse(&files, &|_| None).expect("kit.toml is right");
        let now = Now { instant: Instant(1_000_000_000), wall: Wall(1_700_000_000_000_000) };
        let mut out = Out::default();
        let switch = Switch::new(settings, 1, now, &mut out);
        let (out, heard, rows) = (Out::default(), None, None);
        Self { switch, now, out, records: 0, messages: 0, facts: 0, longest: None, heard, rows }
    }

    /// One call after the other through each step; what each step of all of them cost.
    pub fn round(&mut self, round: usize) -> [u64; STEPS.len()] {
        let names: Vec<String> = (0..SIDE_BY_SIDE).map(|n| format!("c{round}x{n}")).collect();
        let invites = names.iter().map(|name| (hop(CALLER), invite(name))).collect();
        let (first, sent) = self.sip(invites);
        let answers: Vec<_> = sent.iter().filter(|(_, m)| m.starts_with("SIP/2.0 200")).collect();
        let offers: Vec<_> = sent.iter().filter(|(_, m)| m.starts_with("INVITE")).collect();
        assert_eq!((answers.len(), offers.len()), (SIDE_BY_SIDE, SIDE_BY_SIDE));
        let (acked, _) = self.sip(answers.iter().map(|(hop, m)| (*hop, ack(m))).collect());
        let ring = offers.iter().map(|(hop, m)| (*hop, respond("180 Ringing", m, ""))).collect();
        let (rung, _) = self.sip(ring);
        let take = offers.iter().map(|(hop, m)| (*hop, respond("200 OK", m, SDP))).collect();
        let (taken, _) = self.sip(take);
        // Who hangs up in the moment of the answer has not talked.
        self.now.instant = self.now.instant + TALK;
        let byes = offers.iter().map(|(hop, m)| (*hop, bye(m))).collect();
        let (over, sent) = self.sip(byes);
        let hung_up: Vec<_> = sent.iter().filter(|(_, m)| m.starts_with("BYE")).collect();
        assert_eq!(hung_up.len(), SIDE_BY_SIDE);
        let mut closed = self.closed();
        let last = hung_up.iter().map(|(hop, m)| (*hop, respond("200 OK", m, ""))).collect();
        let (done, _) = self.sip(last);
        closed.extend(self.closed());
        assert_eq!(closed.len(), 2 * SIDE_BY_SIDE);
        let (figured, _) = self.handle(closed);
        self.now.instant = self.now.instant + AFTERWARDS;
        let (timers, _) = self.handle(vec![Event::Tick]);
        [first, acked, rung, taken, over, done, figured, timers]
    }

    /// So many come at once to where nobody serves them, have all that is due by then in one moment,
    /// and hang up together.
    pub fn crowd(&mut self, round: usize, size: usize) {
        let invite = |n| invite(&format!("w{round}x{n}")).replace("helpline@", "waitline@");
        let (_, sent) = self.sip((0..size).map(|n| (hop(CALLER), invite(n))).collect());
        let answers: Vec<_> = sent.iter().filter(|(_, m)| m.starts_with("SIP/2.0 200")).collect();
        assert_eq!(answers.len(), size);
        self.sip(answers.iter().map(|(hop, m)| (*hop, ack(m))).collect());
        self.now.instant = self.now.instant + PATIENCE;
        self.handle(vec![Event::Tick]);
        let byes = answers.iter().map(|(hop, m)| (*hop, ack(m).replace("ACK", "BYE")));
        self.sip(byes.map(|(hop, m)| (hop, m.replace("CSeq: 1", "CSeq: 2"))).collect());
        let closed = self.closed();
        assert_eq!(closed.len(), size);
        self.handle(closed);
        self.now.instant = self.now.instant + AFTERWARDS;
        self.handle(vec![Event::Tick]);
    }

    /// What the ports say that were closed just now.
    fn closed(&mut self) -> Vec<Event> {
        let figures = Figures::default();
        let closes = |c: Command| match c {
            Command::Media(control::Command::Close { port }) => Some(port),
            _ => None,
        };
        let ports = self.out.commands.drain(..).filter_map(closes);
        ports.map(|port| Event::Media(control::Event::Closed { port, figures })).collect()
    }

    fn sip(&mut self, messages: Vec<(Hop, String)>) -> (u64, Vec<(Hop, String)>) {
        let event = |(hop, text): (Hop, String)| Event::Sip { hop, bytes: Bytes::from(text) };
        self.handle(messages.into_iter().map(event).collect())
    }

    /// What the events cost, and the messages that followed. Other commands stay in `self.out`.
    fn handle(&mut self, events: Vec<Event>) -> (u64, Vec<(Hop, String)>) {
        self.out.commands.clear();
        self.out.facts.clear();
        if let Some(heard) = &mut self.heard {
            let mut now = self.now;
            heard.extend(events.iter().cloned().map(|event| {
                now.instant = now.instant + Duration::from_micros(50);
                (now, event)
            }));
        }
        let before = cpu_ns();
        for event in events {
            self.now.instant = self.now.instant + Duration::from_micros(50);
            let began = self.longest.map(|_| cpu_ns());
            self.switch.handle(self.now, event, &mut self.out);
            let took = began.map(|began| cpu_ns() - began);
            self.longest = self.longest.max(took);
        }
        let spent = cpu_ns() - before;
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let sent = self.out.commands.iter().filter_map(|command| match command {
            Command::Send { hop, bytes } => Some((*hop, text(bytes))),
            _ => None,
        });
        let sent: Vec<_> = sent.collect();
        let rows = self.out.commands.iter().filter_map(|command| match command {
            Command::Store(row) => Some(&**row),
            _ => None,
        });
        self.records += rows.clone().filter(|row| matches!(row, Row::Call(_))).count();
        if let Some(wanted) = &mut self.rows {
            wanted.extend(rows.cloned());
        }
        self.messages += sent.len();
        self.facts += self.out.facts.len();
        (spent, sent)
    }
}

fn hop(peer: &str) -> Hop {
    let local: SocketAddr = "127.0.0.1:5068".parse().expect("an address");
    let peer = peer.parse().expect("an address");
    Hop { transport: Transport::Udp, local, peer, flow: None }
}

fn invite(name: &str) -> String {
    format!(
        "INVITE sip:helpline@127.0.0.1:5068 SIP/2.0\r\n\
         Via: SIP/2.0/UDP {CALLER};branch=z9hG4bK-{name}\r\n\
         From: \"{name}\" <sip:{name}@{CALLER}>;tag=f{name}\r\n\
         To: <sip:helpline@127.0.0.1:5068>\r\nCall-ID: {name}@127.0.0.2\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:{name}@{CALLER}>\r\nMax-Forwards: 70\r\n\
         Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{SDP}",
        SDP.len()
    )
}

fn ack(answer: &str) -> String {
    let id = field(answer, "Call-ID");
    format!(
        "ACK {} SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bKa{id}\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: {id}\r\nCSeq: 1 ACK\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        uri(field(answer, "Contact")),
        field(answer, "From"),
        field(answer, "To"),
    )
}

fn respond(status: &str, request: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let to = field(request, "To");
    let tag = if to.contains("tag=") { "" } else { ";tag=agent" };
    format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:agent@127.0.0.3:5094>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        field(request, "Via"),
        field(request, "From"),
        field(request, "Call-ID"),
        field(request, "CSeq"),
        body.len()
    )
}

fn bye(invite: &str) -> String {
    let id = field(invite, "Call-ID");
    format!(
        "BYE {} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.3:5094;branch=z9hG4bKb{id}\r\n\
         From: {};tag=agent\r\nTo: {}\r\nCall-ID: {id}\r\nCSeq: 1 BYE\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n",
        uri(field(invite, "Contact")),
        field(invite, "To"),
        field(invite, "From"),
    )
}

fn field<'m>(message: &'m str, name: &str) -> &'m str {
    let mut lines = message.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

fn uri(address: &str) -> &str {
    address.split(['<', '>']).nth(1).unwrap_or(address)
}
