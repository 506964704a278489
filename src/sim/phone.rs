//! A simulated phone, caller's or agent's, with habits good and bad.

use super::session::{Session, Stage, response};
use crate::base::Rng;
use crate::wire::sip::{Message, Method, Name, Start};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// What a phone does with the next call. Times run from the INVITE, or from the answer.
#[derive(Clone, Debug)]
pub struct Habits {
    /// 180 after this time. `None`: not even that.
    pub ring_after: Option<Duration>,
    /// The final answer after this time. `None`: never.
    pub answer_after: Option<Duration>,
    pub status: u16,
    /// Hang up so long after the answer. `None`: the other end has to.
    pub talk: Option<Duration>,
    /// Does not acknowledge a 2xx.
    pub never_acks: bool,
    /// Answers 200 to the INVITE although a CANCEL has come.
    pub answers_cancelled: bool,
    /// Puts the other end on hold and comes back, so long after the answer.
    pub refreshes_after: Option<Duration>,
}

#[derive(Debug)]
pub struct Phone {
    pub address: SocketAddr,
    pub habits: Habits,
    /// A phone that has lost its power: hears and says nothing.
    pub dead: bool,
    pub sessions: BTreeMap<String, Session>,
}

/// What a phone wants done.
#[derive(Debug)]
pub enum Do {
    Send { to: SocketAddr, bytes: Vec<u8> },
    Wake { after: Duration, call_id: String, what: Wake },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Send again whatever is repeated, if it is still this round.
    Repeat {
        round: u32,
        interval: Duration,
        left: u8,
    },
    Ring,
    Answer,
    HangUp,
    Refresh,
}

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// Repeats until 64*T1 have passed.
const REPEATS: u8 = 10;

impl Phone {
    pub fn new(address: SocketAddr, habits: Habits) -> Self {
        Self { address, habits, dead: false, sessions: BTreeMap::new() }
    }

    pub fn is_idle(&self) -> bool {
        self.sessions.values().all(|session| session.stage == Stage::Over)
    }

    /// Calls `number` at the switch.
    pub fn call(&mut self, number: &str, switch: SocketAddr, rng: &mut Rng, out: &mut Vec<Do>) {
        let mut session = Session {
            call_id: format!("{:016x}@{}", rng.bits(), self.address.ip()),
            tag: format!("{:x}", rng.bits()),
            remote: format!("<sip:{number}@{switch}>"),
            local: format!("<sip:+9198260{:05}@{}>", rng.below(100_000), self.address.ip()),
            target: format!("sip:{number}@{switch}"),
            peer: switch,
            stage: Stage::Calling,
            cseq: 0,
            accepted: 0,
            repeating: None,
            invite: Vec::new(),
            round: 0,
            leaving: false,
            provisional: false,
            was_up: false,
        };
        session.invite = session.request("INVITE", self.address, rng.bits(), true);
        let invite = session.invite.clone();
        repeat(&mut session, invite, out);
        self.sessions.insert(session.call_id.clone(), session);
    }

    /// Wants out of every session, however far it has come.
    pub fn hang_up(&mut self, rng: &mut Rng, out: &mut Vec<Do>) {
        let ids: Vec<String> = self.sessions.keys().cloned().collect();
        for id in ids {
            self.leave(&id, rng, out);
        }
    }

    pub fn wake(&mut self, call_id: &str, what: Wake, rng: &mut Rng, out: &mut Vec<Do>) {
        let address = self.address;
        let Some(session) = self.sessions.get_mut(call_id).filter(|_| !self.dead) else { return };
        match what {
            Wake::Repeat { round, interval, left } if round == session.round => {
                let Some(bytes) = session.repeating.clone() else { return };
                if left == 0 {
                    session.repeating = None;
                    session.stage = Stage::Over;
                    return;
                }
                out.push(Do::Send { to: session.peer, bytes });
                let interval = (interval * 2).min(T2);
                let what = Wake::Repeat { round, interval, left: left - 1 };
                out.push(Do::Wake { after: interval, call_id: call_id.into(), what });
            }
            Wake::Ring if session.stage == Stage::Asked => {
                if let Ok(invite) = Message::parse(&session.invite) {
                    let bytes = response(&invite, 180, &session.tag, address, false);
                    out.push(Do::Send { to: session.peer, bytes });
                }
            }
            Wake::Answer if session.stage == Stage::Asked => self.answer(call_id, out),
            Wake::HangUp => self.leave(call_id, rng, out),
            Wake::Refresh if session.stage == Stage::Up => {
                let bytes = session.request("INVITE", address, rng.bits(), true);
                session.invite = bytes.clone();
                repeat(session, bytes, out);
            }
            Wake::Repeat { .. } | Wake::Ring | Wake::Answer | Wake::Refresh => {}
        }
    }

    pub fn receive(&mut self, from: SocketAddr, bytes: &[u8], rng: &mut Rng, out: &mut Vec<Do>) {
        if self.dead {
            return;
        }
        let message = Message::parse(bytes)
            .unwrap_or_else(|why| panic!("the switch sent {}: {why:?}", show(bytes)));
        let call_id = String::from_utf8_lossy(message.header(Name::CallId).unwrap_or_default());
        match message.start {
            Start::Request { method, .. } => {
                self.asked(from, &call_id, &message, method, bytes, rng, out);
            }
            Start::Response { status: code, .. } => self.told(&call_id, &message, code, rng, out),
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn asked(
        &mut self,
        from: SocketAddr,
        call_id: &str,
        message: &Message,
        method: Method,
        bytes: &[u8],
        rng: &mut Rng,
        out: &mut Vec<Do>,
    ) {
        let address = self.address;
        let known = self.sessions.contains_key(call_id);
        let mut reply = |status, tag: &str, sdp| {
            let bytes = response(message, status, tag, address, sdp);
            out.push(Do::Send { to: from, bytes });
        };
        match method {
            Method::Invite if !known => self.invited(from, call_id, message, bytes, rng, out),
            Method::Invite => self.invited_again(call_id, message, from, out),
            Method::Ack => {
                if let Some(session) = self.sessions.get_mut(call_id) {
                    session.stop_repeating("SIP/2.0");
                    if session.leaving {
                        self.leave(call_id, rng, out);
                    }
                }
            }
            Method::Bye => {
                reply(if known { 200 } else { 481 }, "x", false);
                if let Some(session) = self.sessions.get_mut(call_id) {
                    session.stage = Stage::Over;
                    session.repeating = None;
                }
            }
            Method::Cancel => {
                reply(if known { 200 } else { 481 }, "x", false);
                self.cancelled(call_id, out);
            }
            _ => reply(200, "x", message.has_body("application/sdp")),
        }
    }

    fn invited(
        &mut self,
        from: SocketAddr,
        call_id: &str,
        message: &Message,
        bytes: &[u8],
        rng: &mut Rng,
        out: &mut Vec<Do>,
    ) {
        let raw = |name| String::from_utf8_lossy(message.header(name).unwrap_or_default()).into();
        let contact = message.contact().map(|contact| contact.uri.raw.to_string());
        let session = Session {
            call_id: call_id.into(),
            tag: format!("{:x}", rng.bits()),
            remote: raw(Name::From),
            local: raw(Name::To),
            target: contact.unwrap_or_default(),
            peer: from,
            stage: Stage::Asked,
            cseq: 100,
            accepted: 0,
            repeating: None,
            invite: bytes.to_vec(),
            round: 0,
            leaving: false,
            provisional: false,
            was_up: false,
        };
        self.sessions.insert(call_id.into(), session);
        let plans =
            [(self.habits.ring_after, Wake::Ring), (self.habits.answer_after, Wake::Answer)];
        for (after, what) in plans {
            if let Some(after) = after {
                out.push(Do::Wake { after, call_id: call_id.into(), what });
            }
        }
    }

    /// A repeated INVITE, or one inside the dialog, which is agreed to at once.
    fn invited_again(
        &mut self,
        call_id: &str,
        message: &Message,
        from: SocketAddr,
        out: &mut Vec<Do>,
    ) {
        let address = self.address;
        let Some(session) = self.sessions.get_mut(call_id) else { return };
        let inside = message.to.tag().is_some();
        if inside && session.stage == Stage::Up {
            let bytes = response(message, 200, &session.tag, address, true);
            out.push(Do::Send { to: from, bytes });
        } else if let Some(bytes) = session.repeating.clone() {
            out.push(Do::Send { to: from, bytes });
        }
    }

    fn answer(&mut self, call_id: &str, out: &mut Vec<Do>) {
        let (address, habits) = (self.address, self.habits.clone());
        let Some(session) = self.sessions.get_mut(call_id) else { return };
        let Ok(invite) = Message::parse(&session.invite) else { return };
        let bytes = response(&invite, habits.status, &session.tag, address, habits.status < 300);
        let up = habits.status < 300;
        session.stage = if up { Stage::Up } else { Stage::Over };
        session.was_up = up;
        repeat(session, bytes, out);
        let plans = [(habits.talk, Wake::HangUp), (habits.refreshes_after, Wake::Refresh)];
        for (after, what) in plans.into_iter().filter(|_| up) {
            if let Some(after) = after {
                out.push(Do::Wake { after, call_id: call_id.into(), what });
            }
        }
    }

    fn cancelled(&mut self, call_id: &str, out: &mut Vec<Do>) {
        let address = self.address;
        let rude = self.habits.answers_cancelled;
        let Some(session) = self.sessions.get_mut(call_id) else { return };
        if session.stage != Stage::Asked {
            return;
        }
        if rude {
            return self.answer(call_id, out);
        }
        session.stage = Stage::Over;
        if let Ok(invite) = Message::parse(&session.invite) {
            let bytes = response(&invite, 487, &session.tag, address, false);
            repeat(session, bytes, out);
        }
    }

    fn told(
        &mut self,
        call_id: &str,
        message: &Message,
        code: u16,
        rng: &mut Rng,
        out: &mut Vec<Do>,
    ) {
        let (address, never_acks) = (self.address, self.habits.never_acks);
        let Some(session) = self.sessions.get_mut(call_id) else { return };
        match (message.cseq.method, code) {
            (Method::Invite, 100..200) => {
                session.provisional = true;
                session.stop_repeating("INVITE");
                if session.leaving && session.stage == Stage::Calling {
                    let cancel = session.cancel();
                    out.extend(cancel.map(|bytes| Do::Send { to: session.peer, bytes }));
                }
            }
            (Method::Invite, 200..300) => {
                session.stop_repeating("INVITE");
                session.accepted = message.cseq.number;
                let to = message.header(Name::To).unwrap_or_default();
                session.remote = String::from_utf8_lossy(to).into_owned();
                if let Some(contact) = message.contact() {
                    session.target = contact.uri.raw.to_string();
                }
                if !never_acks {
                    let bytes = session.request("ACK", address, rng.bits(), false);
                    out.push(Do::Send { to: session.peer, bytes });
                }
                if session.stage == Stage::Calling {
                    session.stage = Stage::Up;
                    session.was_up = true;
                }
                if session.leaving {
                    self.leave(call_id, rng, out);
                }
            }
            (Method::Invite, _) => {
                session.stop_repeating("INVITE");
                let ack = session.ack_of_refusal(message);
                out.extend(ack.map(|bytes| Do::Send { to: session.peer, bytes }));
                if session.stage == Stage::Calling {
                    session.stage = Stage::Over;
                }
            }
            (Method::Bye, 200..) => {
                session.stage = Stage::Over;
                session.repeating = None;
            }
            _ => {}
        }
    }

    fn leave(&mut self, call_id: &str, rng: &mut Rng, out: &mut Vec<Do>) {
        let address = self.address;
        let Some(session) = self.sessions.get_mut(call_id) else { return };
        session.leaving = true;
        match session.stage {
            Stage::Up => {
                session.stage = Stage::Leaving;
                let bytes = session.request("BYE", address, rng.bits(), false);
                repeat(session, bytes, out);
            }
            Stage::Calling if session.provisional => {
                let cancel = session.cancel();
                out.extend(cancel.map(|bytes| Do::Send { to: session.peer, bytes }));
            }
            Stage::Calling | Stage::Asked | Stage::Leaving | Stage::Over => {}
        }
    }
}

/// Sends now, and again until told otherwise.
fn repeat(session: &mut Session, bytes: Vec<u8>, out: &mut Vec<Do>) {
    session.round += 1;
    session.repeating = Some(bytes.clone());
    out.push(Do::Send { to: session.peer, bytes });
    let what = Wake::Repeat { round: session.round, interval: T1, left: REPEATS };
    out.push(Do::Wake { after: T1, call_id: session.call_id.clone(), what });
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
