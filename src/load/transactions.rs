//! The transactions of test phones over UDP: requests repeated until answered, answers repeated
//! when asked again (RFC 3261 section 17, timers A to K).
//!
//! In: messages with the time. Out: what to send again, and which requests nobody answered. Pure.
//! Knows nothing of calls. May import: nothing of ours.

use super::clock::{MILLISECOND, SECOND};
use super::links::{Hop, Link};
use rsip::Method;
use std::collections::{BTreeMap, BTreeSet};

const T1: u64 = 500 * MILLISECOND;
const T2: u64 = 4 * SECOND;
const GIVE_UP: u64 = 64 * T1;

/// What a request was about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum About {
    Leg(u32, Method),
    Register(u32),
}

struct Client {
    about: About,
    hop: Hop,
    bytes: Vec<u8>,
    ack: Option<Vec<u8>>,
    interval: u64,
    gives_up: u64,
    state: Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Silent,
    Provisional,
    Answered,
}

struct Server {
    hop: Hop,
    answer: Option<Vec<u8>>,
    /// Repeat the final answer of an INVITE until its ACK comes.
    repeats: Option<u64>,
    forgotten: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Client(String),
    Server(String),
}

/// What an answer meant to its transaction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fit {
    /// News about a request of ours.
    News(About),
    /// A final answer once more.
    Again(About),
    /// Nothing that we asked.
    Stray,
}

#[derive(Default)]
pub struct Transactions {
    clients: BTreeMap<String, Client>,
    servers: BTreeMap<String, Server>,
    due: BTreeSet<(u64, Key)>,
    /// Messages that we sent again because no answer came.
    pub resent: u64,
    /// Requests that came again though we had seen them.
    pub repeats_seen: u64,
}

fn reliable(hop: &Hop) -> bool {
    matches!(hop.link, Link::Tcp(_))
}

impl Transactions {
    /// A request has been sent.
    pub fn asked(&mut self, now: u64, branch: &str, hop: Hop, bytes: Vec<u8>, about: About) {
        let first = if reliable(&hop) { GIVE_UP } else { T1 };
        self.due.insert((now + first, Key::Client(branch.into())));
        let gives_up = now + GIVE_UP;
        let state = Asked::Silent;
        let client = Client { about, hop, bytes, ack: None, interval: T1, gives_up, state };
        self.clients.insert(branch.into(), client);
    }

    /// An answer with `code` has come.
    pub fn answered(&mut self, now: u64, branch: &str, code: u16) -> Fit {
        let Some(client) = self.clients.get_mut(branch) else { return Fit::Stray };
        if client.state == Asked::Answered {
            return Fit::Again(client.about);
        }
        if code >= 200 {
            client.state = Asked::Answered;
            client.gives_up = now + GIVE_UP;
            self.due.insert((client.gives_up, Key::Client(branch.into())));
        } else {
            client.state = Asked::Provisional;
        }
        Fit::News(client.about)
    }

    /// The ACK of a refused INVITE, to be sent again with each repeat (RFC 3261 17.1.1.2).
    pub fn keep_ack(&mut self, branch: &str, ack: Vec<u8>) {
        if let Some(client) = self.clients.get_mut(branch) {
            client.ack = Some(ack);
        }
    }

    pub fn ack_again(&self, branch: &str) -> Option<(Hop, &[u8])> {
        let client = self.clients.get(branch)?;
        client.ack.as_deref().map(|ack| (client.hop, ack))
    }

    /// A request has come. False if it came before; then the answer so far is in `again`.
    pub fn is_new(&mut self, now: u64, key: &str, hop: Hop) -> bool {
        if self.servers.contains_key(key) {
            self.repeats_seen += 1;
            return false;
        }
        let server = Server { hop, answer: None, repeats: None, forgotten: u64::MAX };
        self.servers.insert(key.into(), server);
        self.due.insert((now + 10 * GIVE_UP, Key::Server(key.into())));
        true
    }

    pub fn again(&self, key: &str) -> Option<(Hop, &[u8])> {
        let server = self.servers.get(key)?;
        server.answer.as_deref().map(|answer| (server.hop, answer))
    }

    /// We answered; a refusal of an INVITE is repeated until acknowledged.
    pub fn replied(&mut self, now: u64, key: &str, code: u16, invite: bool, answer: Vec<u8>) {
        let Some(server) = self.servers.get_mut(key) else { return };
        server.answer = Some(answer);
        if code < 200 {
            return;
        }
        server.forgotten = now + GIVE_UP;
        self.due.insert((server.forgotten, Key::Server(key.into())));
        if invite && code >= 300 && !reliable(&server.hop) {
            server.repeats = Some(T1);
            self.due.insert((now + T1, Key::Server(key.into())));
        }
    }

    pub fn acknowledged(&mut self, key: &str) {
        if let Some(server) = self.servers.get_mut(key) {
            server.repeats = None;
        }
    }

    pub fn next(&self) -> Option<u64> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Everything due at `now`: what to send again, and what nobody answered.
    pub fn wake(&mut self, now: u64, out: &mut Vec<(Hop, Vec<u8>)>, dead: &mut Vec<About>) {
        while let Some((at, key)) = self.due.first().cloned()
            && at <= now
        {
            self.due.pop_first();
            match &key {
                Key::Client(branch) => self.wake_client(now, branch, out, dead),
                Key::Server(name) => self.wake_server(now, name, out),
            }
        }
    }

    fn wake_client(
        &mut self,
        now: u64,
        branch: &str,
        out: &mut Vec<(Hop, Vec<u8>)>,
        dead: &mut Vec<About>,
    ) {
        let Some(client) = self.clients.get_mut(branch) else { return };
        let invite = matches!(client.about, About::Leg(_, Method::Invite));
        // A ringing INVITE is not given up: RFC 3261 section 17.1.1.2 stops timer B.
        if client.state == Asked::Provisional && invite {
            return;
        }
        if now >= client.gives_up {
            if client.state != Asked::Answered {
                dead.push(client.about);
            }
            self.clients.remove(branch);
            return;
        }
        if client.state == Asked::Answered {
            return;
        }
        self.resent += 1;
        out.push((client.hop, client.bytes.clone()));
        client.interval *= 2;
        if !invite {
            client.interval = client.interval.min(T2);
        }
        let at = (now + client.interval).min(client.gives_up);
        self.due.insert((at, Key::Client(branch.into())));
    }

    fn wake_server(&mut self, now: u64, name: &str, out: &mut Vec<(Hop, Vec<u8>)>) {
        let Some(server) = self.servers.get_mut(name) else { return };
        if now >= server.forgotten {
            self.servers.remove(name);
            return;
        }
        let (Some(interval), Some(answer)) = (server.repeats, &server.answer) else { return };
        self.resent += 1;
        out.push((server.hop, answer.clone()));
        let interval = (interval * 2).min(T2);
        server.repeats = Some(interval);
        self.due.insert((now + interval, Key::Server(name.into())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop() -> Hop {
        Hop { link: Link::Udp(0), to: "127.0.0.1:5060".parse().unwrap() }
    }

    fn sends(t: &mut Transactions, from: u64, to: u64) -> (Vec<u64>, usize) {
        let (mut times, mut dead) = (Vec::new(), Vec::new());
        let mut now = from;
        while now <= to {
            let mut out = Vec::new();
            t.wake(now, &mut out, &mut dead);
            times.extend(out.iter().map(|_| now / MILLISECOND));
            now += 100 * MILLISECOND;
        }
        (times, dead.len())
    }

    #[test]
    fn an_unanswered_invite_is_repeated_and_given_up_after_32_seconds() {
        let mut t = Transactions::default();
        t.asked(0, "b", hop(), vec![1], About::Leg(0, Method::Invite));
        let (times, dead) = sends(&mut t, 0, 33 * SECOND);
        assert_eq!(times, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        assert_eq!(dead, 1);
    }

    #[test]
    fn other_requests_are_repeated_every_four_seconds_at_most() {
        let mut t = Transactions::default();
        t.asked(0, "b", hop(), vec![1], About::Leg(0, Method::Bye));
        let (times, _) = sends(&mut t, 0, 16 * SECOND);
        assert_eq!(times, [500, 1_500, 3_500, 7_500, 11_500, 15_500]);
    }

    #[test]
    fn an_answered_request_is_left_alone() {
        let mut t = Transactions::default();
        let about = About::Leg(0, Method::Invite);
        t.asked(0, "b", hop(), vec![1], about);
        assert_eq!(t.answered(1, "b", 180), Fit::News(about));
        assert_eq!(t.answered(2, "b", 200), Fit::News(about));
        assert_eq!(t.answered(3, "b", 200), Fit::Again(about));
        assert_eq!(t.answered(3, "x", 200), Fit::Stray);
        assert_eq!(sends(&mut t, 0, 60 * SECOND), (vec![], 0));
    }

    #[test]
    fn a_refusal_is_repeated_until_its_ack() {
        let mut t = Transactions::default();
        assert!(t.is_new(0, "k", hop()) && !t.is_new(1, "k", hop()));
        t.replied(0, "k", 486, true, vec![9]);
        assert_eq!(sends(&mut t, 0, 2 * SECOND).0, [500, 1_500]);
        t.acknowledged("k");
        assert_eq!(sends(&mut t, 2 * SECOND, 40 * SECOND).0, Vec::<u64>::new());
        assert!(t.is_new(0, "k", hop()));
    }
}
