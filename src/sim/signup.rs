//! The registration of a simulated phone: REGISTER with digest, again before it runs out, and
//! again after whatever went wrong. RFC 3261 section 10.2.

use super::phone::{Do, REPEATS, T1, Wake};
use super::session::{Line, finish};
use crate::base::Rng;
use crate::sip::{Login, Secret, digest};
use crate::wire::sip::{Message, Name, text};
use std::fmt::Write;
use std::time::Duration;

#[derive(Debug)]
pub struct Signup {
    pub call_id: String,
    pub login: Login,
    domain: String,
    line: Line,
    tag: String,
    cseq: u32,
    /// Seconds that are asked for.
    pub expires: u32,
    /// The phone wants to be there, or not.
    pub wanted: bool,
    /// What it was last told: there, or not.
    pub bound: bool,
    challenge: Option<digest::Session>,
    /// Answers to challenges in a row.
    tries: u8,
    repeating: Option<Vec<u8>>,
    /// Counts requests, so that a stale wake-up means nothing.
    pub round: u32,
}

/// After a failure.
const PAUSE: Duration = Duration::from_secs(4);

impl Signup {
    pub fn new(user: &str, secret: &str, domain: &str, line: Line, rng: &mut Rng) -> Self {
        Self {
            call_id: format!("{:016x}@{}", rng.bits(), line.address.ip()),
            login: Login { user: user.into(), secret: Secret(secret.into()) },
            domain: domain.into(),
            line,
            tag: format!("{:x}", rng.bits()),
            cseq: 0,
            expires: 60,
            wanted: true,
            bound: false,
            challenge: None,
            tries: 0,
            repeating: None,
            round: 0,
        }
    }

    /// Registers, or unregisters, whichever is wanted.
    pub fn send(&mut self, rng: &mut Rng, out: &mut Vec<Do>) {
        self.cseq += 1;
        let uri = format!("sip:{}", self.domain);
        let expires = if self.wanted { self.expires } else { 0 };
        let user = &self.login.user;
        let mut head = format!(
            "REGISTER {uri} SIP/2.0\r\nVia: {}\r\nFrom: <sip:{user}@{domain}>;tag={}\r\n\
             To: <sip:{user}@{domain}>\r\nCall-ID: {}\r\nCSeq: {} REGISTER\r\nContact: {}\r\n\
             Expires: {expires}\r\nMax-Forwards: 70\r\n",
            self.line.via(rng.bits()),
            self.tag,
            self.call_id,
            self.cseq,
            self.line.contact(),
            domain = self.domain,
        );
        if let Some(challenge) = &mut self.challenge {
            let answer = challenge.answer(&self.login, "REGISTER", &uri);
            let _ = write!(head, "Authorization: {answer}\r\n");
        }
        let bytes = finish(head, None);
        self.round += 1;
        self.repeating = Some(bytes.clone());
        out.push(Do::Send(bytes));
        let what = Wake::Repeat { round: self.round, interval: T1, left: REPEATS };
        out.push(Do::Wake { after: T1, call_id: self.call_id.clone(), what });
    }

    /// No refresh until it is told to register again.
    pub fn forget(&mut self) {
        self.round += 1;
        self.repeating = None;
    }

    pub fn wake(&mut self, what: Wake, out: &mut Vec<Do>) {
        let Wake::Repeat { round, interval, left } = what else { return };
        let Some(bytes) = self.repeating.clone().filter(|_| round == self.round) else { return };
        if left == 0 {
            self.repeating = None;
            return out.push(Do::Sign { after: PAUSE, round: self.round });
        }
        out.push(Do::Send(bytes));
        let interval = (interval * 2).min(T1 * 8);
        let what = Wake::Repeat { round, interval, left: left - 1 };
        out.push(Do::Wake { after: interval, call_id: self.call_id.clone(), what });
    }

    pub fn told(&mut self, message: &Message, code: u16, rng: &mut Rng, out: &mut Vec<Do>) {
        if message.cseq.number != self.cseq || self.repeating.is_none() || code < 200 {
            return;
        }
        self.repeating = None;
        match code {
            200 => {
                (self.tries, self.bound) = (0, self.wanted);
                if self.wanted {
                    let after = Duration::from_secs(u64::from(self.expires / 2));
                    out.push(Do::Sign { after, round: self.round });
                }
            }
            401 if self.tries < 2 => {
                self.tries += 1;
                let values: Vec<_> = message.headers(Name::WwwAuthenticate).map(text).collect();
                self.challenge = digest::Session::new(values.iter().map(|v| &**v), rng);
                self.send(rng, out);
            }
            _ => {
                self.tries = 0;
                self.challenge = None;
                out.push(Do::Sign { after: PAUSE, round: self.round });
            }
        }
    }
}
