//! Two user agents, or one and raw text, over a virtual wire in virtual time.

use crate::base::{Cx, Instant, LegId, Now, Rng, Timers, TrunkId, Wall};
use crate::sip::*;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// How the network treats a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rude {
    /// Percent.
    pub loss: u64,
    pub duplicates: u64,
    /// Longest delay of a message, and of a late copy, in milliseconds.
    pub delay: u64,
    pub late: u64,
}

pub struct Node {
    pub agent: UserAgent,
    pub rng: Rng,
    pub timers: Timers,
    pub addr: SocketAddr,
    pub notices: Vec<Notice>,
    /// What it sent, as text, and where the last of it went.
    pub sent: Vec<String>,
    pub last_hop: Option<Hop>,
    /// Streams that may stay.
    pub kept: Vec<crate::base::FlowId>,
    /// What it asked the DNS.
    pub asked: Vec<(crate::base::QueryId, String, RecordKind)>,
}

pub struct World {
    pub now: Now,
    pub nodes: Vec<Node>,
    pub dice: Rng,
    pub rude: Rude,
    /// Messages under way, by time and number.
    pub wire: BTreeMap<(Instant, u64), (usize, Hop, Vec<u8>)>,
    pub count: u64,
    /// Every event is followed by `check`, some by a trip through serde.
    pub careful: bool,
}

pub fn addr(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 5060))
}

pub fn settings(own: SocketAddr, trunk: SocketAddr) -> Settings {
    let listener = |transport| Listener { transport, bind: own, advertise: None };
    Settings {
        domains: vec!["helpline.example".into()],
        listen: vec![listener(Transport::Udp), listener(Transport::Tcp)],
        trunks: vec![Trunk {
            name: "far".into(),
            hosts: vec![trunk.to_string()],
            ..Trunk::default()
        }],
        ..Settings::default()
    }
}

impl Node {
    fn new(addr: SocketAddr, settings: Settings, seed: u64) -> Self {
        let (mut rng, mut timers) = (Rng::new(seed), Timers::default());
        let mut cx = Cx { now: Now::default(), rng: &mut rng, timers: &mut timers };
        let agent = UserAgent::new(settings, &mut cx);
        let (notices, sent, asked) = (Vec::new(), Vec::new(), Vec::new());
        let kept = Vec::new();
        Self { agent, rng, timers, addr, notices, sent, last_hop: None, kept, asked }
    }
}

impl World {
    /// Two agents that are each other's trunk.
    pub fn pair(seed: u64, rude: Rude) -> Self {
        Self::pair_over("udp", seed, rude)
    }

    pub fn pair_over(transport: &str, seed: u64, rude: Rude) -> Self {
        let (a, b) = (addr(1), addr(2));
        let node = |own, far: SocketAddr, seed| {
            let mut settings = settings(own, far);
            settings.trunks[0].hosts = vec![format!("{transport}:{far}")];
            Node::new(own, settings, seed)
        };
        let nodes = vec![node(a, b, seed), node(b, a, seed ^ 0x5555)];
        let mut world = Self {
            now: Now { instant: Instant(1_000_000), wall: Wall(1_800_000_000_000_000) },
            nodes,
            dice: Rng::new(seed ^ 0xaaaa),
            rude,
            wire: BTreeMap::new(),
            count: 0,
            careful: true,
        };
        world.run(Duration::ZERO);
        world
    }

    /// One agent; the other end is the test.
    pub fn single(change: impl FnOnce(&mut Settings)) -> Self {
        let mut world = Self::pair(7, Rude::default());
        world.nodes.truncate(1);
        let mut settings = settings(addr(1), addr(2));
        change(&mut settings);
        world.nodes[0] = Node::new(addr(1), settings, 7);
        world.run(Duration::ZERO);
        world
    }

    /// Calls a method of an agent and carries out what it asks for.
    pub fn with<R>(
        &mut self,
        at: usize,
        work: impl FnOnce(&mut UserAgent, &mut Cx, &mut Vec<Effect>) -> R,
    ) -> R {
        let mut out = Vec::new();
        let node = &mut self.nodes[at];
        let mut cx = Cx { now: self.now, rng: &mut node.rng, timers: &mut node.timers };
        let result = work(&mut node.agent, &mut cx, &mut out);
        if self.careful {
            if let Err(what) = node.agent.check() {
                panic!("node {at} at {:?}: {what}\n{}", self.now.instant, node.sent.join("\n"));
            }
            if self.dice.chance(2) {
                let text = serde_json::to_string(&node.agent).unwrap();
                let back: UserAgent = serde_json::from_str(&text).unwrap();
                assert!(back == node.agent, "the state does not survive serde");
                node.agent = back;
            }
        }
        for effect in out {
            self.effect(at, effect);
        }
        result
    }

    fn effect(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::Send { hop, bytes } => {
                self.nodes[at].sent.push(String::from_utf8_lossy(&bytes).into_owned());
                self.nodes[at].last_hop = Some(hop);
                let Some(to) = self.nodes.iter().position(|n| n.addr == hop.peer) else { return };
                let hop = Hop { local: hop.peer, peer: hop.local, ..hop };
                let copies = 1 + u64::from(self.dice.chance(self.rude.duplicates));
                for copy in 0..copies {
                    if self.dice.chance(self.rude.loss) {
                        continue;
                    }
                    let most = if copy == 0 { self.rude.delay } else { self.rude.late };
                    let delay = Duration::from_millis(self.dice.below(most + 1));
                    let when = self.now.instant + delay + Duration::from_micros(100);
                    self.count += 1;
                    self.wire.insert((when, self.count), (to, hop, bytes.to_vec()));
                }
            }
            Effect::Notice(notice) => self.nodes[at].notices.push(notice),
            Effect::Ask { query, name, kind } => self.nodes[at].asked.push((query, name, kind)),
            Effect::Keep { flow } => self.nodes[at].kept.push(flow),
            Effect::Close { .. } => {}
        }
    }

    /// The next event that is due before `until`.
    pub fn step(&mut self, until: Instant) -> bool {
        let message = self.wire.first_key_value().map(|(&(when, _), _)| when);
        let timer = (0..self.nodes.len())
            .filter_map(|at| Some((self.nodes[at].timers.next()?.0, at)))
            .min();
        let message_first = match (message, timer) {
            (Some(when), Some((timer, _))) => when <= timer,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let when = if message_first { message } else { timer.map(|(when, _)| when) };
        let Some(when) = when.filter(|&when| when <= until) else {
            self.now.instant = self.now.instant.max(until);
            return false;
        };
        self.now.instant = self.now.instant.max(when);
        if message_first {
            if let Some((_, (to, hop, bytes))) = self.wire.pop_first() {
                self.with(to, |agent, cx, out| agent.receive(cx, hop, &bytes, out));
            }
        } else if let Some((_, at)) = timer
            && let Some(timer) = self.nodes[at].timers.pop_due(when)
        {
            self.with(at, |agent, cx, out| agent.expire(cx, timer, out));
        }
        true
    }

    pub fn run(&mut self, span: Duration) {
        let until = self.now.instant + span;
        while self.step(until) {}
    }

    pub fn act(&mut self, at: usize, leg: LegId, act: Act) {
        self.with(at, |agent, cx, out| agent.act(cx, leg, act, out));
    }

    pub fn dial(&mut self, at: usize) -> LegId {
        let dial = dial();
        self.with(at, |agent, cx, out| agent.invite(cx, dial, out))
    }

    /// Raw text comes to the only agent, from its trunk.
    pub fn say(&mut self, text: &str) -> Vec<String> {
        self.say_bytes(text.replace('\n', "\r\n").as_bytes(), addr(2))
    }

    pub fn say_bytes(&mut self, bytes: &[u8], peer: SocketAddr) -> Vec<String> {
        let hop = Hop { transport: Transport::Udp, local: addr(1), peer, flow: None };
        self.nodes[0].sent.clear();
        self.with(0, |agent, cx, out| agent.receive(cx, hop, bytes, out));
        std::mem::take(&mut self.nodes[0].sent)
    }

    pub fn take_notices(&mut self, at: usize) -> Vec<Notice> {
        std::mem::take(&mut self.nodes[at].notices)
    }

    /// What was sent since the last look.
    pub fn take_sent(&mut self, at: usize) -> Vec<String> {
        std::mem::take(&mut self.nodes[at].sent)
    }

    pub fn is_quiet(&self) -> bool {
        self.nodes.iter().all(|node| node.agent.is_quiet())
    }
}

pub fn sdp(text: &str) -> Body {
    Body { kind: "application/sdp".into(), bytes: text.as_bytes().to_vec().into() }
}

pub fn dial() -> Dial {
    let party = |user: &str| Party { user: user.into(), ..Party::default() };
    Dial {
        forwards: 69,
        brief: false,
        target: Target::Trunk { trunk: TrunkId(0), number: "181".into() },
        from: party("+919826012345"),
        to: party("181"),
        asserted: None,
        headers: Vec::new(),
        offer: sdp("v=0 offer\r\n"),
    }
}

/// The value of the first header line called `name` in a message of ours.
pub fn header<'a>(message: &'a str, name: &str) -> &'a str {
    message
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .unwrap_or_else(|| panic!("no {name} in\n{message}"))
}

pub fn status(message: &str) -> u16 {
    message.strip_prefix("SIP/2.0 ").and_then(|m| m[..3].parse().ok()).unwrap_or(0)
}

/// An INVITE of the trunk; `more` are further header lines, each with its line end.
pub fn invite(more: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    format!(
        "INVITE sip:181@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKi;rport\n\
         From: <sip:9826012345@192.0.2.2>;tag=f\nTo: <sip:181@192.0.2.1>\nCall-ID: c1\n\
         CSeq: 1 INVITE\nContact: <sip:gw@192.0.2.2:5060>\nMax-Forwards: 70\n{more}{kind}\
         Content-Length: {}\n\n{body}",
        body.replace('\n', "\r\n").len()
    )
}

/// A request in the dialog that `response` of ours opened.
pub fn within(method: &str, seq: u32, response: &str, more: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    let number = if method == "ACK" { 1 } else { seq };
    format!(
        "{method} sip:192.0.2.1:5060 SIP/2.0\n\
         Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{method}{seq};rport\n\
         From: {}\nTo: {}\nCall-ID: {}\nCSeq: {number} {method}\n\
         Contact: <sip:gw@192.0.2.2:5060>\nMax-Forwards: 70\n{more}{kind}\
         Content-Length: {}\n\n{body}",
        header(response, "From"),
        header(response, "To"),
        header(response, "Call-ID"),
        body.replace('\n', "\r\n").len()
    )
}

/// A response to a request of ours.
pub fn answer(request: &str, status: u16, tag: &str, more: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    let to = header(request, "To");
    let to =
        if to.contains(";tag=") || status == 100 { to.into() } else { format!("{to};tag={tag}") };
    format!(
        "SIP/2.0 {status} Something\nVia: {}\nFrom: {}\nTo: {to}\nCall-ID: {}\nCSeq: {}\n\
         Contact: <sip:gw{tag}@192.0.2.2:5060>\n{more}{kind}Content-Length: {}\n\n{body}",
        header(request, "Via"),
        header(request, "From"),
        header(request, "Call-ID"),
        header(request, "CSeq"),
        body.replace('\n', "\r\n").len()
    )
}

/// First lines, without what follows the status or the URI.
pub fn starts(messages: &[String]) -> Vec<&str> {
    let word = |m: &'_ String| m.len().min(if m.starts_with("SIP") { 11 } else { 7 });
    messages.iter().map(|m| m[..word(m)].split(" sip").next().unwrap_or("").trim()).collect()
}

impl World {
    /// The leg of the call that came last.
    pub fn invited(&mut self) -> LegId {
        let notices = self.take_notices(0);
        let last = notices.iter().rev().find_map(|notice| match notice {
            Notice::Invited { leg, .. } => Some(*leg),
            _ => None,
        });
        last.unwrap_or_else(|| panic!("{notices:?}"))
    }

    /// What an action sends at once.
    pub fn acts(&mut self, leg: LegId, act: Act) -> Vec<String> {
        self.take_sent(0);
        self.act(0, leg, act);
        self.take_sent(0)
    }

    /// What is sent while time passes.
    pub fn wait(&mut self, seconds: u64) -> Vec<String> {
        self.take_sent(0);
        self.run(Duration::from_secs(seconds));
        self.take_sent(0)
    }

    /// An answered call from the trunk: its leg, and our 200.
    pub fn talking(&mut self, more: &str) -> (LegId, String) {
        self.say(&invite(more, "v=0 offer\n"));
        let leg = self.invited();
        let ok = self.acts(leg, Act::Answer { body: sdp("v=0 answer\r\n") }).remove(0);
        self.say(&within("ACK", 1, &ok, "", ""));
        assert_eq!(self.take_notices(0), [Notice::Confirmed { leg, answer: None }]);
        (leg, ok)
    }

    /// The DNS answers the oldest question, which must be this one, with these addresses.
    pub fn resolve(&mut self, name: &str, ips: &[&str]) {
        let (query, asked, _) = self.nodes[0].asked.remove(0);
        assert_eq!(asked, name);
        let records = ips.iter().map(|ip| Record::Address(ip.parse().unwrap())).collect();
        let found = resolve::Answer::Found { records, ttl: Duration::from_secs(60) };
        self.with(0, |agent, cx, out| agent.answered(cx, query, found, out));
    }

    /// Where the last message went.
    pub fn last_peer(&self) -> String {
        self.nodes[0].last_hop.map_or(String::new(), |hop| hop.peer.to_string())
    }

    /// A call that we placed, and its INVITE.
    pub fn calling(&mut self) -> (LegId, String) {
        self.take_sent(0);
        let leg = self.dial(0);
        (leg, self.take_sent(0).remove(0))
    }
}
