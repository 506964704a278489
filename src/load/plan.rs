//! What a load test is asked to do: who calls, who answers, how they behave, for how long.
//!
//! In: the command line, or `demo`. Out: a plain value. Knows nothing of sockets.
//! May import: base, wire.

use crate::base::Rng;
use crate::wire::g711::Law;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Any length between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: Duration,
    pub to: Duration,
}

impl Span {
    pub const fn millis(from: u64, to: u64) -> Self {
        Self { from: Duration::from_millis(from), to: Duration::from_millis(to) }
    }

    /// A length drawn evenly from the span.
    pub fn draw(self, rng: &mut Rng) -> Duration {
        let width = self.to.saturating_sub(self.from).as_micros() as u64;
        self.from + Duration::from_micros(rng.below(width + 1))
    }
}

impl std::str::FromStr for Span {
    type Err = String;

    /// `6-8` or `6` in seconds, with fractions.
    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let length = |part: &str| {
            let seconds: f64 = part.trim().trim_end_matches('s').parse().ok()?;
            Duration::try_from_secs_f64(seconds).ok()
        };
        match (length(from), length(to)) {
            (Some(from), Some(to)) if from <= to => Ok(Self { from, to }),
            _ => Err(format!("`{text}` is no span of seconds; write 6-8, or 0.5")),
        }
    }
}

/// What carries SIP. Media is always RTP over UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

/// When callers ring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrivals {
    /// Spread evenly, with jitter, over this long. Zero is all at once.
    Over(Duration),
    /// So many a second.
    Rate(f64),
}

/// How the agents' phones behave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manner {
    pub ring: Span,
    pub talk: Span,
    /// Of a hundred offered calls, how many get 486.
    pub decline_percent: u8,
    /// Of a hundred offered calls, how many ring until the switch gives up.
    pub ignore_percent: u8,
}

/// Everything about one load test.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The switch under test.
    pub target: SocketAddr,
    pub transport: Transport,
    /// Calls placed in all; each caller calls once.
    pub callers: u32,
    pub agents: u32,
    /// How long callers may stay, from the first call. Whoever still waits then hangs up.
    pub seconds: u32,
    pub arrivals: Arrivals,
    /// What callers dial, in turn.
    pub numbers: Vec<String>,
    /// The host in request URIs; empty means the target's address.
    pub domain: String,
    /// Callers are this prefix and five digits.
    pub caller_prefix: String,
    /// Of a hundred callers, how many give up after `patience`. The others wait to the end.
    pub impatient_percent: u8,
    pub patience: Span,
    /// Of a hundred callers, how many hang up first once they talk.
    pub caller_ends_percent: u8,
    pub manner: Manner,
    /// Agents are this prefix and a number from 1: `op1`.
    pub agent_prefix: String,
    /// Agents register with this secret (digest MD5 or SHA-256); without one they sit at
    /// `agents_at` and the switch knows it. `{}` becomes the agent's number.
    pub secret: Option<String>,
    pub callers_at: SocketAddr,
    pub agents_at: SocketAddr,
    /// First RTP port that is tried; each phone takes the next free even one.
    pub rtp_from: u16,
    pub callers_law: Law,
    pub agents_law: Law,
    /// Without media only signalling is tested.
    pub media: bool,
    /// Waiting callers send voice too, as telephones do.
    pub speak_waiting: bool,
    /// Of what is no voice of ours each phone keeps a print a packet: see [`super::print`].
    pub keep: bool,
    /// Of a hundred datagrams of SIP, in either direction, how many are lost, and how many come
    /// twice.
    pub drop_percent: u8,
    pub repeat_percent: u8,
    /// Callers call the agents' phones straight; no switch.
    pub direct: bool,
    /// An answer within this long counts for the service level.
    pub answer_within: Duration,
    /// How long phones wait for the last goodbyes after the end.
    pub drain: Duration,
    pub media_threads: u16,
    pub seed: u64,
}

impl Plan {
    /// 500 callers and 100 agents for a minute, against `target`.
    pub fn new(target: SocketAddr) -> Self {
        let here = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            target,
            transport: Transport::Udp,
            callers: 500,
            agents: 100,
            seconds: 60,
            arrivals: Arrivals::Over(Duration::from_secs(5)),
            numbers: vec!["181".into()],
            domain: String::new(),
            caller_prefix: "98260".into(),
            impatient_percent: 4,
            patience: Span::millis(3_000, 15_000),
            caller_ends_percent: 30,
            manner: Manner {
                ring: Span::millis(200, 1_000),
                talk: Span::millis(6_000, 8_000),
                decline_percent: 2,
                ignore_percent: 1,
            },
            agent_prefix: "op".into(),
            secret: None,
            callers_at: here(0),
            agents_at: here(0),
            rtp_from: 40_000,
            callers_law: Law::A,
            agents_law: Law::A,
            media: true,
            speak_waiting: true,
            keep: false,
            drop_percent: 0,
            repeat_percent: 0,
            direct: false,
            answer_within: Duration::from_secs(20),
            drain: Duration::from_secs(6),
            media_threads: 1,
            seed: 1,
        }
    }

    /// Fits talk times to the minute: everybody who waits gets served when each agent takes their
    /// share of the callers, and an eighth of the time is left over.
    pub fn fit_talk(&mut self) {
        let rounds = self.callers.div_ceil(self.agents.max(1)).max(1);
        let per_call = f64::from(self.seconds) * 0.75 / f64::from(rounds);
        let talk = (per_call - 2.0).clamp(0.5, 20.0);
        self.manner.talk = Span::millis((talk * 850.0) as u64, (talk * 1_150.0) as u64);
    }

    pub fn caller_number(&self, who: u32) -> String {
        format!("{}{who:05}", self.caller_prefix)
    }

    /// Which caller shows this number, however the switch wrote it.
    pub fn caller_of(&self, number: &str) -> Option<u32> {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let (rest, who) = digits.split_at_checked(digits.len().checked_sub(5)?)?;
        let who = who.parse().ok().filter(|&who| who < self.callers)?;
        rest.ends_with(&self.caller_prefix).then_some(who)
    }

    pub fn agent_of(&self, user: &str) -> Option<u32> {
        let number: u32 = user.strip_prefix(&self.agent_prefix)?.parse().ok()?;
        (1..=self.agents).contains(&number).then(|| number - 1)
    }

    pub fn agent_name(&self, who: u32) -> String {
        format!("{}{}", self.agent_prefix, who + 1)
    }

    /// Everything in the plan that cannot work, in words.
    pub fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.numbers.is_empty() && !self.direct {
            found.push("no number to call: give --number".into());
        }
        if self.direct && self.agents == 0 {
            found.push("--direct needs agents to call".into());
        }
        if self.callers > 100_000 {
            found.push("callers are numbered with five digits: at most 100000".into());
        }
        if self.manner.decline_percent > 100 || self.manner.ignore_percent > 100 {
            found.push("a share is a percentage: 0 to 100".into());
        }
        if !self.target.is_ipv4() && !self.direct {
            found.push("the target must be an IPv4 address".into());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_in_seconds() {
        assert_eq!("6-8".parse(), Ok(Span::millis(6_000, 8_000)));
        assert_eq!("0.5".parse(), Ok(Span::millis(500, 500)));
        assert!("8-6".parse::<Span>().is_err() && "soon".parse::<Span>().is_err());
    }

    #[test]
    fn the_default_minute_has_room_for_every_caller() {
        let mut plan = Plan::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)));
        plan.fit_talk();
        assert_eq!(plan.manner.talk, Span::millis(5_950, 8_050));
        assert!(plan.mistakes().is_empty());
    }
}
