//! A simulated phone, caller's or agent's, with habits good and bad: requests that come to it, and
//! what its own clock tells it to do. Written apart from the switch's own SIP layer.

use super::habits::{Habits, Step};
use super::plan::{is_agent, number_of};
use super::sealed::is_sealed;
use super::session::{Session, Stage, reliably, response};
use super::signup::Signup;
use crate::base::Rng;
use crate::sip::Transport;
use crate::wire::sip::{Message, Method, Name, Start};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Debug)]
pub struct Phone {
    pub address: SocketAddr,
    /// What it claims to be called from.
    pub number: String,
    pub transport: Transport,
    pub habits: Habits,
    /// What it does with calls was told by a story, and does not change from call to call.
    pub scripted: bool,
    /// A phone that has lost its power: hears and says nothing.
    pub dead: bool,
    pub sessions: BTreeMap<String, Session>,
    pub signup: Option<Signup>,
    /// Its microphone is off: it signals, and is not heard.
    pub muted: bool,
    /// It knows nothing of keys.
    pub plain: bool,
}

/// What a phone wants done.
#[derive(Debug)]
pub enum Do {
    Send(Vec<u8>),
    Wake {
        after: Duration,
        call_id: String,
        what: Wake,
    },
    /// The same, for what a phone does all its life: nobody waits for it at the end of the day.
    Sign {
        after: Duration,
        round: u32,
    },
    /// Loses its power.
    Die,
    /// Was left in a state that only a bad network excuses.
    Protest(&'static str),
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
    Hold,
    Resume,
    /// The other phone behind this contact answers.
    Twin,
    /// Nobody came to a phone that rings: it stops by itself.
    Weary,
    /// A call was cancelled, and nothing was heard of it.
    Forget,
}

pub const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// Repeats until 64*T1 have passed.
pub const REPEATS: u8 = 10;
/// Longer than any queue rings.
const WEARY: Duration = Duration::from_secs(180);

impl Phone {
    pub fn new(address: SocketAddr, habits: Habits) -> Self {
        Self {
            address,
            number: number_of(address),
            transport: Transport::Udp,
            habits,
            scripted: false,
            dead: false,
            sessions: BTreeMap::new(),
            signup: None,
            muted: false,
            plain: false,
        }
    }

    pub fn is_idle(&self) -> bool {
        self.sessions.values().all(|session| session.stage == Stage::Over)
    }

    /// Sessions in which it believes to talk, other than the second answers of forks.
    pub fn talks(&self) -> usize {
        let up = |session: &&Session| session.stage == Stage::Up && session.key == session.call_id;
        self.sessions.values().filter(up).count()
    }

    /// Sessions in which it has been asked and has not answered.
    pub fn rings(&self) -> usize {
        self.sessions.values().filter(|session| session.stage == Stage::Asked).count()
    }

    /// Calls `number` at the switch.
    pub fn call(&mut self, number: &str, switch: SocketAddr, rng: &mut Rng, out: &mut Vec<Do>) {
        let own = self.number.clone();
        self.call_as(&own, number, switch, rng, out);
    }

    /// The same, under this name. The Call-ID.
    pub fn call_as(
        &mut self,
        own: &str,
        number: &str,
        switch: SocketAddr,
        rng: &mut Rng,
        out: &mut Vec<Do>,
    ) -> String {
        let mut session = Session {
            local: format!("<sip:{own}@{}>", self.address.ip()),
            remote: format!("<sip:{number}@{switch}>"),
            target: format!("sip:{number}@{switch}"),
            ..Session::new(format!("{:016x}@{}", rng.bits(), self.address.ip()), rng)
        };
        session.delayed = self.habits.delayed;
        let mut more = String::new();
        if self.habits.reliable {
            more += "Require: 100rel\r\n";
        }
        if self.habits.lent {
            let (call, waited) = (rng.bits(), rng.below(100));
            more += &format!(
                "X-Pukar-Call: {call:x}\r\nX-Pukar-Place: kept\r\nX-Pukar-Wait: {waited}.5\r\n\
                 X-Pukar-Passed: {call:x}\r\n"
            );
        }
        let sdp = (!session.delayed).then_some("sendrecv");
        session.invite = session.request_with("INVITE", self.line(), rng.bits(), (sdp, &more));
        let invite = session.invite.clone();
        repeat(&mut session, invite, out);
        let key = session.key.clone();
        self.sessions.insert(key.clone(), session);
        key
    }

    /// Wants out of every session, however far it has come.
    pub fn hang_up(&mut self, rng: &mut Rng, out: &mut Vec<Do>) {
        let ids: Vec<String> = self.sessions.keys().cloned().collect();
        for id in ids {
            self.leave(&id, rng, out);
        }
    }

    /// Puts whomever it talks with on hold, and comes back after two seconds.
    pub fn hold(&self, out: &mut Vec<Do>) {
        let up = self.sessions.values().filter(|session| session.stage == Stage::Up);
        out.extend(up.map(|session| Do::Wake {
            after: Duration::ZERO,
            call_id: session.key.clone(),
            what: Wake::Hold,
        }));
    }

    pub fn wake(&mut self, call_id: &str, what: Wake, rng: &mut Rng, out: &mut Vec<Do>) {
        if self.dead {
            return;
        }
        let line = self.line();
        if let Some(signup) = self.signup.as_mut().filter(|signup| signup.call_id == call_id) {
            return signup.wake(what, out);
        }
        let Some(session) = self.sessions.get_mut(call_id) else { return };
        match what {
            Wake::Repeat { round, interval, left } if round == session.round => {
                self.repeat_again(call_id, (interval, left), rng, out);
            }
            Wake::Ring if session.stage == Stage::Asked => {
                if let Ok(invite) = Message::parse(&session.invite) {
                    let bytes = response(&invite, 180, &session.tag, line, None);
                    if self.habits.reliable && invite.supports("100rel") {
                        session.rseq += 1;
                        let bytes = reliably(&bytes, session.rseq);
                        session.ringing = Some(bytes.clone());
                        repeat(session, bytes, out);
                    } else {
                        session.ringing = Some(bytes.clone());
                        out.push(Do::Send(bytes));
                    }
                }
                self.reach(Step::Ringing, out);
            }
            Wake::Answer if session.stage == Stage::Asked => self.answer(call_id, out),
            Wake::Weary if session.stage == Stage::Asked => {
                if session.ringing.is_some() {
                    out.push(Do::Protest("rings, and nobody stops it"));
                }
                self.refuse(call_id, 480, out);
            }
            Wake::HangUp => self.leave(call_id, rng, out),
            Wake::Forget if session.stage == Stage::Calling => session.stage = Stage::Over,
            Wake::Twin if session.was_up => self.answer_again(call_id, rng, out),
            Wake::Hold | Wake::Resume
                if session.stage == Stage::Up && session.repeating.is_none() =>
            {
                let direction = if what == Wake::Hold { "sendonly" } else { "sendrecv" };
                let bytes = session.request("INVITE", line, rng.bits(), Some(direction));
                session.invite = bytes.clone();
                repeat(session, bytes, out);
                if what == Wake::Hold {
                    let after = Duration::from_secs(2);
                    out.push(Do::Wake { after, call_id: call_id.into(), what: Wake::Resume });
                }
            }
            Wake::Repeat { .. }
            | Wake::Ring
            | Wake::Answer
            | Wake::Twin
            | Wake::Weary
            | Wake::Forget
            | Wake::Hold
            | Wake::Resume => {}
        }
    }

    fn repeat_again(
        &mut self,
        call_id: &str,
        (interval, left): (Duration, u8),
        rng: &mut Rng,
        out: &mut Vec<Do>,
    ) {
        let streams = self.transport == Transport::Tcp;
        let Some(session) = self.sessions.get_mut(call_id) else { return };
        let Some(bytes) = session.repeating.clone() else { return };
        let response = bytes.starts_with(b"SIP/2.0");
        if left == 0 {
            session.repeating = None;
            // RFC 3261 section 13.3.1.4: a 2xx that nobody acknowledges is followed by BYE; and a
            // re-INVITE that nobody answers ends the dialog (section 12.2.1.2).
            if session.stage == Stage::Up {
                if response {
                    out.push(Do::Protest("answered, and nobody acknowledges it"));
                }
                self.leave(call_id, rng, out);
            } else if session.stage == Stage::Asked {
                // RFC 3262 section 3: no PRACK came for what was to be acknowledged.
                out.push(Do::Protest("rang reliably, and nobody acknowledges it"));
                self.refuse(call_id, 504, out);
            } else {
                session.stage = Stage::Over;
            }
            return;
        }
        if response || !streams {
            out.push(Do::Send(bytes));
        }
        let interval = (interval * 2).min(T2);
        let what = Wake::Repeat { round: session.round, interval, left: left - 1 };
        out.push(Do::Wake { after: interval, call_id: call_id.into(), what });
    }

    pub fn receive(&mut self, bytes: &[u8], rng: &mut Rng, out: &mut Vec<Do>) {
        if self.dead {
            return;
        }
        let message = Message::parse(bytes)
            .unwrap_or_else(|why| panic!("the switch sent {}: {why:?}", show(bytes)));
        let call_id = String::from_utf8_lossy(message.header(Name::CallId).unwrap_or_default());
        let call_id = self.key_of(&call_id, &message);
        match message.start {
            Start::Request { .. } => self.asked(&call_id, &message, rng, out),
            Start::Response { status: code, .. } => {
                match self.signup.as_mut().filter(|signup| signup.call_id == call_id) {
                    Some(signup) => signup.told(&message, code, rng, out),
                    None => self.told(&call_id, &message, code, rng, out),
                }
            }
        }
    }

    fn asked(&mut self, call_id: &str, message: &Message, rng: &mut Rng, out: &mut Vec<Do>) {
        let line = self.line();
        let known = self.sessions.contains_key(call_id);
        let talks = self.sessions.get(call_id).is_some_and(|s| s.stage == Stage::Up);
        let mut reply = |status, tag: &str, sdp| {
            let bytes = response(message, status, tag, line, sdp);
            out.push(Do::Send(bytes));
        };
        match message.method() {
            Method::Invite if !known || self.is_new(call_id, message) => {
                self.invited(call_id, message, rng, out)
            }
            Method::Invite => self.invited_again(call_id, message, out),
            Method::Ack => self.confirmed(call_id, message, rng, out),
            Method::Bye => {
                reply(if known { 200 } else { 481 }, "x", None);
                if let Some(session) = self.sessions.get_mut(call_id) {
                    session.stage = Stage::Over;
                    session.repeating = None;
                }
            }
            Method::Cancel => {
                reply(if known { 200 } else { 481 }, "x", None);
                self.cancelled(call_id, out);
            }
            // Asked whether it still knows of a call: not of one that it has left.
            Method::Options if message.to.tag().is_some() && !talks => reply(481, "x", None),
            method => {
                reply(200, "x", message.has_body("application/sdp").then_some("sendrecv"));
                let rings = self.sessions.get_mut(call_id).filter(|s| s.stage == Stage::Asked);
                if let Some(session) = rings.filter(|_| method == Method::Prack) {
                    session.stop_repeating("SIP/2.0");
                }
            }
        }
    }

    /// The session that a message is about: the second answer of a fork has a tag of its own.
    fn key_of(&self, call_id: &str, message: &Message) -> String {
        let own = match message.start {
            Start::Request { .. } => message.to.tag(),
            Start::Response { .. } => message.from.tag(),
        };
        let twin = twin_of(call_id);
        let is_twins = self.sessions.get(&twin).is_some_and(|s| own == Some(s.tag.as_str()));
        if is_twins { twin } else { call_id.into() }
    }

    /// An INVITE after a final refusal is another attempt: with credentials, or redirected here.
    fn is_new(&self, call_id: &str, message: &Message) -> bool {
        let seq = |bytes: &[u8]| Message::parse(bytes).map_or(0, |before| before.cseq.number);
        let before = self.sessions.get(call_id).filter(|session| session.stage == Stage::Over);
        message.to.tag().is_none()
            && before.is_some_and(|session| message.cseq.number > seq(&session.invite))
    }

    fn invited(&mut self, call_id: &str, message: &Message, rng: &mut Rng, out: &mut Vec<Do>) {
        // A late repeat, or one whose To has a tag, belongs to a call that is long over.
        if message.to.tag().is_some() {
            let bytes = response(message, 481, "x", self.line(), None);
            return out.push(Do::Send(bytes));
        }
        // An agent is offered one caller at a time, and the phone of one who is not shows it.
        let asked = |session: &Session| session.stage == Stage::Asked && session.for_queue;
        let told = message.fields.named("X-Pukar-Wait").next().is_some();
        let for_queue = told && is_agent(self.address);
        if for_queue && self.habits.ring_after.is_some() && self.sessions.values().any(asked) {
            out.push(Do::Protest("is rung for two callers at once"));
        }
        let raw = |name| String::from_utf8_lossy(message.header(name).unwrap_or_default()).into();
        let contact = message.contact().map(|contact| contact.uri.raw.to_string());
        let session = Session {
            remote: raw(Name::From),
            local: raw(Name::To),
            target: contact.unwrap_or_default(),
            stage: Stage::Asked,
            for_queue,
            cseq: 100,
            invite: message.raw().to_vec(),
            asked: message.raw().to_vec(),
            ..Session::new(call_id.into(), rng)
        };
        self.sessions.insert(call_id.into(), session);
        let plans = [
            (self.habits.ring_after, Wake::Ring),
            (self.habits.answer_after, Wake::Answer),
            (Some(WEARY), Wake::Weary),
        ];
        for (after, what) in plans {
            if let Some(after) = after {
                out.push(Do::Wake { after, call_id: call_id.into(), what });
            }
        }
        self.reach(Step::Invited, out);
    }

    /// A repeated INVITE, or one inside the dialog, which is agreed to at once.
    fn invited_again(&mut self, call_id: &str, message: &Message, out: &mut Vec<Do>) {
        let (line, glares) = (self.line(), self.habits.glares);
        let Some(session) = self.sessions.get_mut(call_id) else { return };
        let inside = message.to.tag().is_some();
        if !inside {
            // RFC 3261 section 17.2.1: a repeat is answered with the last response.
            let repeated = session.repeating.clone().filter(|b| b.starts_with(b"SIP/2.0"));
            let ringing = session.ringing.clone().filter(|_| session.stage == Stage::Asked);
            out.extend(repeated.or(ringing).map(Do::Send));
            return;
        }
        let asks = session.repeating.as_ref().is_some_and(|b| b.starts_with(b"INVITE"));
        let status = match session.stage {
            Stage::Up if asks || glares => 491,
            Stage::Up => 200,
            Stage::Calling | Stage::Asked | Stage::Leaving | Stage::Over => 481,
        };
        let sdp = (status == 200).then_some("sendrecv");
        let bytes = response(message, status, &session.tag, line, sdp);
        out.push(Do::Send(bytes));
    }

    fn confirmed(&mut self, call_id: &str, message: &Message, rng: &mut Rng, out: &mut Vec<Do>) {
        let Some(session) = self.sessions.get_mut(call_id) else { return };
        if Message::parse(&session.invite).is_ok_and(|i| i.cseq.number == message.cseq.number) {
            session.stop_repeating("SIP/2.0");
        }
        let (leaving, up) = (session.leaving, session.stage == Stage::Up);
        if leaving {
            self.leave(call_id, rng, out);
        } else if up {
            self.reach(Step::Confirmed, out);
        }
    }

    fn answer(&mut self, call_id: &str, out: &mut Vec<Do>) {
        let (line, habits) = (self.line(), self.habits.clone());
        if habits.status >= 300 {
            return self.refuse(call_id, habits.status, out);
        }
        let Some(session) = self.sessions.get_mut(call_id) else { return };
        if self.plain && is_sealed(&session.invite) {
            return self.refuse(call_id, 488, out);
        }
        let Ok(invite) = Message::parse(&session.invite) else { return };
        let bytes = response(&invite, habits.status, &session.tag, line, Some("sendrecv"));
        session.stage = Stage::Up;
        session.was_up = true;
        repeat(session, bytes, out);
        let plans = [
            (habits.talk, Wake::HangUp),
            (habits.holds_after, Wake::Hold),
            (habits.twin, Wake::Twin),
        ];
        for (after, what) in plans {
            if let Some(after) = after {
                out.push(Do::Wake { after, call_id: call_id.into(), what });
            }
        }
        self.reach(Step::Answered, out);
    }

    /// The INVITE had been forked, and another phone behind this contact was lifted as well: its
    /// 2xx comes from the same address with a tag of its own (RFC 3261 section 13.2.2.4).
    fn answer_again(&mut self, call_id: &str, rng: &mut Rng, out: &mut Vec<Do>) {
        let (line, key) = (self.line(), twin_of(call_id));
        let Some(first) = self.sessions.get(call_id) else { return };
        if self.sessions.contains_key(&key) {
            return;
        }
        let mut twin = Session {
            key,
            stage: Stage::Up,
            was_up: true,
            tag: format!("{:x}", rng.bits()),
            invite: first.asked.clone(),
            repeating: None,
            leaving: false,
            ..first.clone()
        };
        let Ok(invite) = Message::parse(&first.asked) else { return };
        let bytes = response(&invite, 200, &twin.tag, line, Some("sendrecv"));
        repeat(&mut twin, bytes, out);
        if let Some(after) = self.habits.talk {
            out.push(Do::Wake { after, call_id: twin.key.clone(), what: Wake::HangUp });
        }
        self.sessions.insert(twin.key.clone(), twin);
    }

    fn refuse(&mut self, call_id: &str, status: u16, out: &mut Vec<Do>) {
        let line = self.line();
        let Some(session) = self.sessions.get_mut(call_id) else { return };
        session.stage = Stage::Over;
        if let Ok(invite) = Message::parse(&session.invite) {
            let bytes = response(&invite, status, &session.tag, line, None);
            repeat(session, bytes, out);
        }
    }

    fn cancelled(&mut self, call_id: &str, out: &mut Vec<Do>) {
        let rings = self.sessions.get(call_id).is_some_and(|s| s.stage == Stage::Asked);
        match (rings, self.habits.answers_cancelled) {
            (true, true) => self.answer(call_id, out),
            (true, false) => self.refuse(call_id, 487, out),
            (false, _) => {}
        }
    }

    pub(super) fn leave(&mut self, call_id: &str, rng: &mut Rng, out: &mut Vec<Do>) {
        let (line, why) = (self.line(), self.habits.why);
        let Some(session) = self.sessions.get_mut(call_id) else { return };
        if session.stage == Stage::Up && self.habits.dies == Some(Step::Leaving) {
            return self.reach(Step::Leaving, out);
        }
        let Some(session) = self.sessions.get_mut(call_id) else { return };
        session.leaving = true;
        let unacknowledged = session.repeating.as_ref().is_some_and(|b| b.starts_with(b"SIP/2.0"));
        match session.stage {
            // RFC 3261 section 15: "The callee's UA ... MUST NOT send a BYE on a confirmed dialog
            // until it has received an ACK for its 2xx response".
            Stage::Up if unacknowledged && !self.habits.impatient => {}
            Stage::Up => {
                session.stage = Stage::Leaving;
                let bytes = session.request_with("BYE", line, rng.bits(), (None, why));
                repeat(session, bytes, out);
            }
            Stage::Calling if session.provisional => cancel(session, out),
            Stage::Calling | Stage::Asked | Stage::Leaving | Stage::Over => {}
        }
    }

    fn reach(&mut self, step: Step, out: &mut Vec<Do>) {
        if self.habits.dies == Some(step) {
            out.push(Do::Die);
        }
    }
}

/// Sends now, and again until told otherwise.
pub(super) fn repeat(session: &mut Session, bytes: Vec<u8>, out: &mut Vec<Do>) {
    session.round += 1;
    session.repeating = Some(bytes.clone());
    out.push(Do::Send(bytes));
    let what = Wake::Repeat { round: session.round, interval: T1, left: REPEATS };
    out.push(Do::Wake { after: T1, call_id: session.key.clone(), what });
}

/// RFC 3261 section 9.1: "If there is no final response for the original request in 64*T1 seconds
/// ..., the client SHOULD then consider the original transaction cancelled".
pub(super) fn cancel(session: &Session, out: &mut Vec<Do>) {
    out.extend(session.cancel().map(Do::Send));
    let (after, call_id) = (64 * T1, session.key.clone());
    out.push(Do::Wake { after, call_id, what: Wake::Forget });
}

fn twin_of(call_id: &str) -> String {
    format!("{call_id}~twin")
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
