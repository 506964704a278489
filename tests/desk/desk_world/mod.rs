//! A small stage around the core: callers who call with any header fields, phones and centres that
//! answer, refuse or let it ring, and a clock that goes where it is told. The laws of the switch
//! are asked after every event.

use bytes::Bytes;
use pukar::base::{Instant, Now, PortId, TuneId, Wall, limits};
use pukar::call::{self, NOTICE, Tape, TapeEvent};
use pukar::config::Settings;
use pukar::core::{CallRecord, Command, Done, Event, Fact, Out, Row, Switch, Verb, What};
use pukar::media::control::{self, Figures};
use pukar::sip::{Hop, Transport};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const SDP: &str = "v=0\r\no=a 1 1 IN IP4 10.9.9.9\r\ns=-\r\nc=IN IP4 10.9.9.9\r\nt=0 0\r\n\
    m=audio 30000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n";
/// 2026-11-22 00:00 in India, a Sunday.
pub const MIDNIGHT: i64 = 1_795_285_800_000_000;

/// What stands before each test's own part. Callers come by the trunk `bsnl`.
pub const COMMON: &str = r#"
[sip]
listen = ["udp:10.0.0.1:5060"]
domain = "helpline.example"
[media]
ports = "20000-20999"
[[trunk]]
name = "bsnl"
hosts = ["10.1.0.1:5060"]
ping = "0s"
"#;
pub const BSNL: &str = "10.1.0.1:5060";
/// To numbers outside, for everybody.
pub const ROUTE: &str =
    "[[route]]\nprefixes = [\"+91\"]\ntrunk = \"bsnl\"\nidentity = \"+917552551181\"\n";
/// Where the phones of agents are.
pub const OP1: &str = "10.2.0.1:5060";
pub const OP2: &str = "10.2.0.2:5060";
pub const OP3: &str = "10.2.0.3:5060";
const OWN: &str = "10.0.0.1:5060";

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Habit {
    /// 180, and 200 at once.
    Answers,
    Rings,
    /// 100, and nothing after it.
    Takes,
    Refuses(u16),
}

pub struct Stage {
    pub switch: Switch,
    pub settings: Settings,
    pub now: Now,
    pub facts: Vec<Fact>,
    pub records: Vec<CallRecord>,
    pub replies: Vec<Result<String, String>>,
    /// What whoever records was told, ports among it.
    pub tapes: Vec<Command>,
    /// Nothing is told of the end of a recording.
    pub is_disk_slow: bool,
    /// What is said about recording takes its time: until [`Stage::tells_to_the_end`].
    pub is_telling: bool,
    /// What each port is played just now, by its piece.
    playing: BTreeMap<PortId, u32>,
    /// INVITEs that the switch sent: to whom, and the message.
    pub invites: Vec<(SocketAddr, String)>,
    /// The last response to each caller's INVITE.
    pub answers: BTreeMap<String, String>,
    /// Media ports in the order in which they were opened.
    pub opened: Vec<PortId>,
    /// What the data plane was told to play.
    pub played: Vec<TuneId>,
    /// What it was told last to go on with.
    pub music: Option<TuneId>,
    /// Who was told that it need not ring any more.
    pub cancelled: Vec<SocketAddr>,
    habits: BTreeMap<SocketAddr, Habit>,
    deaf: BTreeSet<SocketAddr>,
    /// The last message to each address.
    last: BTreeMap<SocketAddr, String>,
    /// Where the switch listens.
    own: SocketAddr,
    /// Other switches, and what was said to them and not yet taken there.
    others: BTreeSet<SocketAddr>,
    for_others: Vec<(SocketAddr, String)>,
    serial: u64,
}

pub fn settings(text: &str) -> Settings {
    read(&format!("{COMMON}{text}"))
}

fn read(text: &str) -> Settings {
    let files = [("test.toml".to_string(), text.to_string())];
    pukar::config::parse(&files, &|_| None).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

impl Stage {
    pub fn new(text: &str) -> Self {
        Self::at(text, MIDNIGHT)
    }

    pub fn at(text: &str, wall: i64) -> Self {
        Self::with(settings(text), wall, OWN)
    }

    /// With these settings, of a switch at the usual address.
    pub fn of(settings: Settings, wall: i64) -> Self {
        Self::with(settings, wall, OWN)
    }

    /// A switch that listens there.
    pub fn at_address(text: &str, own: &str) -> Self {
        let common = COMMON.replace(OWN, own);
        Self::with(read(&format!("{common}{text}")), MIDNIGHT, own)
    }

    fn with(settings: Settings, wall: i64, own: &str) -> Self {
        let own: SocketAddr = own.parse().unwrap();
        let now = Now { instant: Instant(1_000_000), wall: Wall(wall) };
        let mut out = Out::default();
        // Two switches have other dice.
        let seed = match own.ip() {
            IpAddr::V4(ip) => 1 + u64::from(ip.octets()[1]),
            IpAddr::V6(_) => 1,
        };
        let switch = Switch::new(settings.clone(), seed, now, &mut out);
        let mut stage = Self {
            switch,
            settings,
            now,
            facts: Vec::new(),
            records: Vec::new(),
            replies: Vec::new(),
            tapes: Vec::new(),
            is_disk_slow: false,
            is_telling: false,
            playing: BTreeMap::new(),
            invites: Vec::new(),
            answers: BTreeMap::new(),
            opened: Vec::new(),
            played: Vec::new(),
            music: None,
            cancelled: Vec::new(),
            habits: BTreeMap::new(),
            deaf: BTreeSet::new(),
            last: BTreeMap::new(),
            own,
            others: BTreeSet::new(),
            for_others: Vec::new(),
            serial: 0,
        };
        stage.take(out);
        stage.tell(Event::Tick);
        stage
    }

    pub fn habit(&mut self, address: &str, habit: Habit) {
        self.habits.insert(address.parse().unwrap(), habit);
    }

    /// Nothing is heard from there any more.
    pub fn deaf(&mut self, address: &str) {
        self.deaf.insert(address.parse().unwrap());
    }

    pub fn hears_again(&mut self, address: &str) {
        self.deaf.remove(&address.parse().unwrap());
    }

    pub fn heard_at(&self, address: &str) -> String {
        self.last[&address.parse().unwrap()].clone()
    }

    /// A call from the carrier, to `uri`, with these further header lines. Its name is its Call-ID.
    pub fn dial(&mut self, from: &str, uri: &str, more: &str) -> String {
        self.dial_to(from, uri, uri, more)
    }

    pub fn dial_to(&mut self, from: &str, uri: &str, to: &str, more: &str) -> String {
        let text = self.invite_to(from, uri, to, more);
        let name = field(&text, "Call-ID").to_string();
        self.say(BSNL, text);
        name
    }

    /// The INVITE of such a call, to be changed and said.
    pub fn invite(&mut self, from: &str, uri: &str, more: &str) -> String {
        self.invite_to(from, uri, uri, more)
    }

    fn invite_to(&mut self, from: &str, uri: &str, to: &str, more: &str) -> String {
        self.serial += 1;
        let name = format!("c{}", self.serial);
        let text = format!(
            "INVITE sip:{uri}@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {BSNL};branch=z9hG4bK{name}\r\n\
             From: <sip:{from}@bsnl.example>;tag=f{name}\r\nTo: <sip:{to}@10.0.0.1>\r\n\
             Call-ID: {name}\r\nCSeq: 1 INVITE\r\nContact: <sip:{name}@{BSNL}>\r\n\
             Max-Forwards: 70\r\n{more}Content-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{SDP}",
            SDP.len()
        );
        text.replace("sip:@", "sip:")
    }

    /// A call from the phone of `user` at `address`. Its name is its Call-ID.
    pub fn phone_dials(&mut self, address: &str, user: &str, number: &str) -> String {
        self.serial += 1;
        let name = format!("p{}", self.serial);
        let number = number.replace('#', "%23");
        let text = format!(
            "INVITE sip:{number}@10.0.0.1 SIP/2.0\r\n\
             Via: SIP/2.0/UDP {address};branch=z9hG4bK{name}\r\n\
             From: <sip:{user}@helpline.example>;tag=f{name}\r\nTo: <sip:{number}@10.0.0.1>\r\n\
             Call-ID: {name}\r\nCSeq: 1 INVITE\r\nContact: <sip:{user}@{address}>\r\n\
             Max-Forwards: 70\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{SDP}",
            SDP.len()
        );
        self.say(address, text);
        name
    }

    /// The phone at `address` hangs up the call that it placed.
    pub fn phone_hangs_up(&mut self, address: &str, name: &str) {
        let answer = self.answers[name].clone();
        self.say(address, within("BYE", 2, &answer));
    }

    /// The phone gives up the call that it placed and that is not answered.
    pub fn phone_cancels(&mut self, address: &str, name: &str) {
        let text = format!(
            "CANCEL sip:x@10.0.0.1 SIP/2.0\r\n\
             Via: SIP/2.0/UDP {address};branch=z9hG4bK{name}\r\n\
             From: <sip:x@helpline.example>;tag=f{name}\r\nTo: <sip:x@10.0.0.1>\r\n\
             Call-ID: {name}\r\nCSeq: 1 CANCEL\r\nMax-Forwards: 70\r\n\
             Content-Length: 0\r\n\r\n"
        );
        self.say(address, text);
    }

    /// The phone or carrier at `address` answers the call that it was rung for last.
    pub fn far_end_answers(&mut self, address: &str) {
        let to: SocketAddr = address.parse().unwrap();
        let (_, invite) = self.invites.iter().rev().find(|(at, _)| *at == to).unwrap().clone();
        self.say(address, respond("200 OK", &invite, SDP));
    }

    /// A key is pressed by whoever is at the port that was opened last.
    pub fn press(&mut self, keys: &str) {
        let port = *self.opened.last().expect("a port was opened");
        self.press_at(port, keys);
    }

    pub fn press_at(&mut self, port: PortId, keys: &str) {
        for key in keys.chars() {
            self.tell(Event::Media(control::Event::Key { port, key }));
        }
    }

    pub fn hang_up(&mut self, name: &str) {
        self.hang_up_with(name, "");
    }

    /// With these further header lines.
    pub fn hang_up_with(&mut self, name: &str, more: &str) {
        let answer = self.answers[name].clone();
        let text = within("BYE", 2, &answer);
        self.say(BSNL, text.replacen("Max-Forwards", &format!("{more}Max-Forwards"), 1));
    }

    /// The phone or centre at `address` hangs up the call that it was rung for last, after a word
    /// or two: an answer that comes to nothing is another story.
    pub fn far_end_hangs_up(&mut self, address: &str) {
        let connected =
            |fact: &&Fact| matches!(fact.what, What::Call(call::Fact::Connected { .. }));
        let since = self.facts.iter().rev().find(connected).map(|fact| fact.at.instant);
        let talked = since.map_or(Duration::MAX, |since| self.now.instant.since(since));
        self.wait(limits::TALK_MIN.saturating_sub(talked));
        self.far_end_hangs_up_at_once(address);
    }

    pub fn far_end_hangs_up_at_once(&mut self, address: &str) {
        self.far_end_hangs_up_with(address, "");
    }

    /// With these further header lines.
    pub fn far_end_hangs_up_with(&mut self, address: &str, more: &str) {
        self.serial += 1;
        let to: SocketAddr = address.parse().unwrap();
        let (_, invite) = self.invites.iter().rev().find(|(at, _)| *at == to).unwrap().clone();
        let text = format!(
            "BYE {} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bKb{}\r\nFrom: {};tag=far\r\n\
             To: {}\r\nCall-ID: {}\r\nCSeq: 7 BYE\r\nMax-Forwards: 70\r\n{more}\
             Content-Length: 0\r\n\r\n",
            uri(field(&invite, "Contact")),
            self.serial,
            field(&invite, "To"),
            field(&invite, "From"),
            field(&invite, "Call-ID"),
        );
        self.say(address, text);
    }

    pub fn ask(&mut self, verb: Verb) {
        self.tell(Event::Admin { request: 1, by: "supervisor".into(), verb });
    }

    pub fn set_agent(&mut self, agent: &str, state: &str) {
        let (agent, state) = (agent.into(), state.into());
        self.ask(Verb::SetAgent { agent, state, reason: String::new() });
    }

    pub fn reload(&mut self, text: &str) {
        self.settings = settings(text);
        self.tell(Event::Reload(Box::new(self.settings.clone())));
    }

    /// Killed, and restored from what it wrote down.
    pub fn kill(&mut self) {
        let snapshot = self.switch.snapshot();
        let text = serde_json::to_string(&snapshot).unwrap();
        let read = serde_json::from_str(&text).unwrap();
        self.switch = Switch::restore(self.settings.clone(), read);
        assert!(self.switch.snapshot() == snapshot);
    }

    pub fn wait(&mut self, span: Duration) {
        let until = self.now.instant + span;
        while let Some((at, _)) = self.switch.next_deadline().filter(|&(at, _)| at <= until) {
            self.pass(at.max(self.now.instant));
            self.tell(Event::Tick);
        }
        self.pass(until);
        self.tell(Event::Tick);
    }

    fn pass(&mut self, at: Instant) {
        let passed = at.since(self.now.instant).as_micros() as i64;
        self.now = Now { instant: at, wall: Wall(self.now.wall.0 + passed) };
    }

    fn hop(&self, peer: SocketAddr) -> Hop {
        Hop { transport: Transport::Udp, local: self.own, peer, flow: None }
    }

    /// What is said to this address is kept for the test to carry.
    pub fn beyond(&mut self, other: &str) {
        self.others.insert(other.parse().unwrap());
    }

    pub fn for_beyond(&mut self) -> Vec<String> {
        self.for_each_beyond().into_iter().map(|(_, text)| text).collect()
    }

    pub fn for_each_beyond(&mut self) -> Vec<(SocketAddr, String)> {
        std::mem::take(&mut self.for_others)
    }

    pub fn say(&mut self, from: &str, text: String) {
        let hop = self.hop(from.parse().unwrap());
        self.tell(Event::Sip { hop, bytes: Bytes::from(text) });
    }

    pub fn tell(&mut self, event: Event) {
        let mut todo = VecDeque::from([event]);
        while let Some(event) = todo.pop_front() {
            let mut out = Out::default();
            self.switch.handle(self.now, event, &mut out);
            self.switch.check().unwrap_or_else(|law| panic!("{law}"));
            todo.extend(self.take(out));
        }
    }

    /// Everything that is being said has been said.
    pub fn tells_to_the_end(&mut self) {
        for (port, piece) in std::mem::take(&mut self.playing) {
            self.tell(Event::Media(control::Event::Played { port, piece }));
        }
    }

    fn take(&mut self, out: Out) -> Vec<Event> {
        self.facts.extend(out.facts);
        let mut events = Vec::new();
        for command in out.commands {
            match command {
                Command::Send { hop, bytes } => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    self.heard(hop.peer, &text, &mut events);
                }
                Command::Media(control::Command::Open { port, .. }) => self.opened.push(port),
                Command::Media(control::Command::Play { port, piece, tunes, then }) => {
                    if piece == NOTICE && !self.is_telling {
                        events.push(Event::Media(control::Event::Played { port, piece }));
                    }
                    self.playing.insert(port, piece);
                    self.played.extend(tunes);
                    self.music = then.map(|music| music.tune);
                }
                Command::Media(control::Command::Stop { .. }) => self.music = None,
                Command::Media(control::Command::Close { port }) => events.push(closed(port)),
                Command::Store(row) => {
                    if let Row::Call(record) = *row {
                        self.records.push(record);
                    }
                }
                Command::Tape(_) | Command::Media(control::Command::Record { .. }) => {
                    if let Command::Tape(Tape::End { call, .. } | Tape::Close { call, .. }) =
                        command
                        && !self.is_disk_slow
                    {
                        let finished = TapeEvent::Finished { call, millis: 1 };
                        events.push(Event::Recording(finished));
                    }
                    self.tapes.push(command);
                }
                Command::Reply { result, .. } => self.replies.push(result.map(Done::words)),
                _ => {}
            }
        }
        events
    }

    /// A message reaches a phone or the carrier.
    fn heard(&mut self, peer: SocketAddr, text: &str, events: &mut Vec<Event>) {
        let hop = self.hop(peer);
        let mut say = |text: String| {
            events.push(Event::Sip { hop, bytes: Bytes::from(text) });
        };
        self.last.insert(peer, text.to_string());
        if self.others.contains(&peer) {
            if text.starts_with("INVITE") {
                self.invites.push((peer, text.to_string()));
            }
            return self.for_others.push((peer, text.to_string()));
        }
        let start = text.split(' ').next().unwrap_or_default();
        match start {
            _ if self.deaf.contains(&peer) => {}
            "INVITE" => {
                self.invites.push((peer, text.to_string()));
                let habit = self.habits.get(&peer).copied().unwrap_or(Habit::Rings);
                let rings = if habit == Habit::Takes { "100 Trying" } else { "180 Ringing" };
                say(respond(rings, text, ""));
                match habit {
                    Habit::Answers => say(respond("200 OK", text, SDP)),
                    Habit::Refuses(status) => say(respond(&format!("{status} No"), text, "")),
                    Habit::Rings | Habit::Takes => {}
                }
            }
            "CANCEL" => {
                self.cancelled.push(peer);
                say(respond("200 OK", text, ""));
                let id = field(text, "Call-ID").to_string();
                let of = |(_, invite): &&(SocketAddr, String)| field(invite, "Call-ID") == id;
                if let Some((_, invite)) = self.invites.iter().rev().find(of) {
                    say(respond("487 Request Terminated", invite, ""));
                }
            }
            "BYE" | "OPTIONS" => say(respond("200 OK", text, "")),
            "SIP/2.0" if field(text, "CSeq") == "1 INVITE" && !text.starts_with("SIP/2.0 1") => {
                self.answers.insert(field(text, "Call-ID").into(), text.into());
                say(within("ACK", 1, text));
            }
            _ => {}
        }
    }

    /// What happened to calls, in words: the facts that a story is about.
    pub fn story(&self) -> Vec<String> {
        let agent = |id| self.switch.state().agent_name(id).unwrap_or_default().to_string();
        let told = self.facts.iter().filter_map(|fact| match &fact.what {
            What::Overflowed { from, to, why, .. } => Some(format!("{from} -> {to} ({why})")),
            What::Desk(pukar::acd::Fact::Offered { agent: id, .. }) => {
                Some(format!("offered {}", agent(*id)))
            }
            What::Call(call::Fact::Connected { agent: Some(id), .. }) => {
                Some(format!("connected {}", agent(*id)))
            }
            What::Call(call::Fact::Connected { agent: None, .. }) => Some("connected".into()),
            What::Call(call::Fact::Rung { number, reached, .. }) => {
                Some(format!("rung {number}: {reached}"))
            }
            _ => None,
        });
        told.collect()
    }

    /// Which trunks were told to be up or down, by their places.
    pub fn trunks_told(&self) -> Vec<(u64, bool)> {
        let told = self.facts.iter().filter_map(|fact| match &fact.what {
            What::Trunk { trunk, up } => Some((trunk.0, *up)),
            _ => None,
        });
        told.collect()
    }

    pub fn arrival(&self) -> &call::Arrival {
        let arrivals = self.facts.iter().rev().filter_map(|fact| match &fact.what {
            What::Call(
                call::Fact::Arrived { arrival, .. } | call::Fact::Refused { arrival, .. },
            ) => Some(arrival),
            _ => None,
        });
        arrivals.map(|arrival| &**arrival).next().expect("somebody called")
    }

    pub fn state(&self, agent: &str) -> &'static str {
        self.switch.state().agent_state(agent).map_or("gone", |state| state.name())
    }
}

pub fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn closed(port: PortId) -> Event {
    Event::Media(control::Event::Closed { port, figures: Figures::default() })
}

/// A request of the caller inside the dialog that `answer` opened, or the ACK of a refusal.
fn within(method: &str, seq: u32, answer: &str) -> String {
    let (contact, id) = (field(answer, "Contact"), field(answer, "Call-ID"));
    let target = if contact.is_empty() { "sip:x@10.0.0.1" } else { uri(contact) };
    let branch = if answer.starts_with("SIP/2.0 2") { method } else { "" };
    format!(
        "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {BSNL};branch=z9hG4bK{id}{branch}\r\n\
         From: {}\r\nTo: {}\r\nCall-ID: {id}\r\nCSeq: {seq} {method}\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n",
        field(answer, "From"),
        field(answer, "To"),
    )
}

fn respond(status: &str, request: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let to = field(request, "To");
    let tag = if to.contains("tag=") { "" } else { ";tag=far" };
    format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:far@10.9.9.9>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        field(request, "Via"),
        field(request, "From"),
        field(request, "Call-ID"),
        field(request, "CSeq"),
        body.len()
    )
}

pub fn field<'m>(message: &'m str, name: &str) -> &'m str {
    let mut lines = message.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

fn uri(address: &str) -> &str {
    address.split(['<', '>']).nth(1).unwrap_or(address)
}
