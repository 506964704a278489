//! The phones of a load test: every caller and agent, on one thread, driven by messages and
//! alarms.
//!
//! In: the plan, SIP off the links, what the media thread heard. Out: SIP, orders to the media
//! thread, and the evidence for the judge. May import: base, wire.

use super::clock::{self, MILLISECOND, SECOND};
use super::jacks::{self, Jacks};
use super::links::{Hop, Links};
use super::log::{End, Faults, GaveUp, LegLog};
use super::media::{Gauges, Heard, Order, Speaker};
use super::message::{self, Dialog};
use super::plan::{Arrivals, Plan};
use super::sdp::Far;
use super::transactions::{About, Transactions};
use crate::base::Rng;
use crate::wire::g711::Law;
use crossbeam_channel::{Receiver, Sender};
use mio::{Events, Poll, Token, Waker};
use rsip::{Method, Request, SipMessage};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Everything the phones wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// This caller dials.
    Place(u32),
    /// This caller has waited long enough.
    Patience(u32),
    /// This agent's phone has rung long enough to be picked up.
    PickUp(u32),
    /// This agent declines the call.
    Decline(u32),
    /// This phone has talked enough.
    TalkedOut(u32),
    /// The 2xx of this leg has no ACK yet (RFC 3261 section 13.3.1.4).
    Repeat2xx(u32),
    /// This agent registers, or refreshes.
    Register(u32),
    /// The test's time is over: whoever waits gives up.
    TimeUp,
    /// The last goodbyes have had their time.
    Drained,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The INVITE has no final answer.
    Early,
    Up,
    /// CANCEL sent; the INVITE's final answer is awaited.
    Leaving,
    Over,
}

pub(super) struct Leg {
    pub log: LegLog,
    pub dialog: Dialog,
    pub hop: Hop,
    pub slot: usize,
    pub at: SocketAddr,
    pub law: Law,
    pub far: Option<Far>,
    pub state: State,
    /// The INVITE we sent: its Via and number, which CANCEL and ACK repeat.
    pub via: String,
    pub invite_seq: u32,
    pub provisional: bool,
    pub authorized: bool,
    /// The INVITE we were sent, and its transaction.
    pub invite: Option<(Request, String)>,
    pub ok: Option<Unacknowledged>,
    /// Our ACK, for a 2xx that comes again.
    pub ack: Option<(Hop, Vec<u8>)>,
    pub versions: u64,
}

/// Our 2xx, until its ACK comes.
pub(super) struct Unacknowledged {
    pub bytes: Vec<u8>,
    pub since: u64,
    pub pause: u64,
}

/// One agent's phone.
#[derive(Default)]
pub(super) struct Agent {
    pub busy: Option<u32>,
    pub registered: bool,
    pub dialog: Dialog,
    pub authorization: Option<String>,
    pub refused: u8,
}

/// What callers decide before they call.
pub(super) struct Script {
    pub patience: Option<Duration>,
    pub ends_after: Option<Duration>,
}

pub(super) struct Phones<'a> {
    pub plan: &'a Plan,
    pub links: Links,
    pub rng: Rng,
    pub now: u64,
    pub nonce: u64,
    pub serial: u64,
    pub alarms: BTreeSet<(u64, Alarm)>,
    pub transactions: Transactions,
    pub legs: Vec<Leg>,
    /// Legs by side (agents: true) and Call-ID.
    pub calls: BTreeMap<(bool, String), u32>,
    pub scripts: Vec<Script>,
    pub agents: Vec<Agent>,
    /// Which leg each caller is on.
    pub caller_legs: BTreeMap<u32, u32>,
    pub jacks: Jacks,
    pub faults: Faults,
    pub time_up: bool,
    pub drained: bool,
    pub placed: u32,
    pub started_at: u64,
    pub registering: u32,
    pub orders: Vec<(Sender<Order>, Arc<Waker>)>,
    pub heard: Receiver<Heard>,
    pub gauges: Arc<Gauges>,
    /// Legs that have not ended, and ended ones whose media report is on its way.
    pub open: u32,
    pub reports_due: u32,
    pub settling: bool,
}

impl<'a> Phones<'a> {
    pub fn new(
        plan: &'a Plan,
        links: Links,
        rng: Rng,
        orders: Vec<(Sender<Order>, Arc<Waker>)>,
        heard: Receiver<Heard>,
        gauges: Arc<Gauges>,
    ) -> Self {
        Self {
            plan,
            links,
            rng,
            now: clock::nanos(),
            nonce: 0,
            serial: 0,
            alarms: BTreeSet::new(),
            transactions: Transactions::default(),
            legs: Vec::new(),
            calls: BTreeMap::new(),
            scripts: Vec::new(),
            agents: (0..plan.agents).map(|_| Agent::default()).collect(),
            caller_legs: BTreeMap::new(),
            jacks: Jacks::new(plan.rtp_from),
            faults: Faults::default(),
            time_up: false,
            drained: false,
            placed: 0,
            started_at: 0,
            registering: 0,
            orders,
            heard,
            gauges,
            open: 0,
            reports_due: 0,
            settling: false,
        }
    }
}

impl Phones<'_> {
    pub fn alarm(&mut self, at: u64, alarm: Alarm) {
        self.alarms.insert((at, alarm));
    }

    pub fn alarm_in(&mut self, wait: Duration, alarm: Alarm) {
        self.alarm(self.now + clock::span(wait), alarm);
    }

    pub fn send(&mut self, hop: &Hop, bytes: &[u8]) {
        if let Err(error) = self.links.send(hop, bytes) {
            self.faults.add(format!("cannot send to {}: {error}", hop.to));
        }
    }

    /// A Via value with a branch of its own; returns the branch too.
    pub fn via(&mut self, agent: bool) -> (String, String) {
        self.serial += 1;
        let branch = format!("z9hG4bK{:x}.{}", self.nonce, self.serial);
        let (word, at) = (self.links.via_word(), self.links.local(agent));
        (format!("SIP/2.0/{word} {at};branch={branch};rport"), branch)
    }

    pub fn contact(&self, agent: bool, user: &str) -> String {
        let at = self.links.local(agent);
        let tcp = if self.links.via_word() == "TCP" { ";transport=tcp" } else { "" };
        format!("<sip:{user}@{at}{tcp}>")
    }

    /// A port for a leg; speaks nothing yet, and hears what comes.
    pub fn plug_in(&mut self, agent: bool) -> io::Result<(usize, SocketAddr)> {
        let ip = self.links.local(agent).ip();
        let jack = self.jacks.take(self.now, ip)?;
        if let Some(socket) = jack.socket {
            self.order(jack.slot, |slot| Order::Plug { slot, socket });
        }
        Ok((jack.slot, jack.at))
    }

    pub fn order(&mut self, slot: usize, order: impl FnOnce(usize) -> Order) {
        let count = self.orders.len();
        let (sender, waker) = &self.orders[slot % count];
        let _ = sender.send(order(slot / count));
        let _ = waker.wake();
    }

    /// Tells the media thread how this leg speaks now.
    pub fn speak(&mut self, leg: u32) {
        if !self.plan.media {
            return;
        }
        let l = &self.legs[leg as usize];
        let waits = !l.log.agent && l.log.voice_at.is_none() && !self.plan.speak_waiting;
        let speaks = l.state == State::Up && l.far.is_some_and(|f| f.listens) && !waits;
        let speaker = Speaker {
            agent: l.log.agent,
            who: l.log.who,
            leg,
            law: l.far.map_or(l.law, |f| f.law),
            to: l.far.map_or(l.at, |f| f.to),
            speaks,
        };
        self.order(l.slot, |slot| Order::Talk { slot, speaker });
    }

    /// The leg has ended; its port is given back.
    pub fn over(&mut self, leg: u32, end: End) {
        let now = self.now;
        let l = &mut self.legs[leg as usize];
        l.state = State::Over;
        if l.log.ended_at.is_some() {
            return;
        }
        (l.log.ended_at, l.log.end) = (Some(now), end);
        self.open -= 1;
        (l.ok, l.invite) = (None, None);
        let (slot, agent, who) = (l.slot, l.log.agent, l.log.who);
        if agent && self.agents[who as usize].busy == Some(leg) {
            self.agents[who as usize].busy = None;
        }
        if self.plan.media {
            self.reports_due += 1;
            self.order(slot, |slot| Order::Finish { slot });
        }
        self.jacks.give_back(now, slot);
    }

    /// Until every caller and agent is done, or the drain is over.
    pub fn run(
        &mut self,
        poll: &mut Poll,
        progress: &mut dyn FnMut(&super::Progress),
    ) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        let mut inbox = Vec::new();
        let mut next_line = self.now + SECOND;
        while !self.drained {
            self.now = clock::nanos();
            self.fire();
            if self.now >= next_line {
                next_line += SECOND;
                progress(&self.progress());
            }
            let pause = self.next_due().min(next_line).saturating_sub(clock::nanos());
            let pause = Duration::from_nanos(pause.clamp(50_000, SECOND));
            match poll.poll(&mut events, Some(pause)) {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
                Err(_) => continue,
                Ok(()) => {}
            }
            for event in &events {
                if event.token() != WAKE {
                    self.links.ready(event.token().0, &mut inbox);
                }
            }
            self.now = clock::nanos();
            for (hop, bytes) in inbox.drain(..) {
                self.arrived(hop, &bytes);
            }
            self.hear();
            self.settle();
        }
        progress(&self.progress());
        Ok(())
    }

    fn next_due(&self) -> u64 {
        let alarm = self.alarms.first().map_or(u64::MAX, |&(at, _)| at);
        alarm.min(self.transactions.next().unwrap_or(u64::MAX))
    }

    /// Once nobody calls any more, late messages get a moment to come.
    fn settle(&mut self) {
        let all_placed = self.placed == self.plan.callers || self.time_up;
        let quiet = self.open == 0 && self.reports_due == 0;
        let alone = self.plan.callers == 0 && !self.time_up;
        if self.started_at > 0 && all_placed && quiet && !alone && !self.settling {
            self.settling = true;
            self.alarm(self.now + 300 * MILLISECOND, Alarm::Drained);
        }
    }

    fn fire(&mut self) {
        while let Some(&(at, alarm)) = self.alarms.first()
            && at <= self.now
        {
            self.alarms.pop_first();
            match alarm {
                Alarm::Place(who) => self.place(who),
                Alarm::Patience(leg) => self.give_up(leg, GaveUp::Patience),
                Alarm::PickUp(leg) => self.pick_up(leg),
                Alarm::Decline(leg) => self.refuse(leg, 486),
                Alarm::TalkedOut(leg) => self.hang_up(leg),
                Alarm::Repeat2xx(leg) => self.repeat_2xx(leg),
                Alarm::Register(who) => self.register(who),
                Alarm::TimeUp => self.end_of_time(),
                Alarm::Drained => self.leave(),
            }
        }
        let (mut out, mut dead) = (Vec::new(), Vec::new());
        self.transactions.wake(self.now, &mut out, &mut dead);
        for (hop, bytes) in out {
            self.send(&hop, &bytes);
        }
        for about in dead {
            self.unanswered(about);
        }
    }

    fn unanswered(&mut self, about: About) {
        match about {
            About::Leg(leg, Method::Invite) => self.over(leg, End::Silence),
            About::Leg(leg, method) => {
                let log = &self.legs[leg as usize].log;
                let side = if log.agent { "agent" } else { "caller" };
                self.faults.add(format!("{side} {}: nobody answered {method}", log.who + 1));
                self.over(leg, End::Silence);
            }
            About::Register(who) => {
                self.faults.add(format!("agent {}: nobody answered REGISTER", who + 1));
                self.registration_done();
            }
        }
    }

    fn end_of_time(&mut self) {
        self.time_up = true;
        self.alarm_in(self.plan.drain, Alarm::Drained);
        for leg in 0..self.legs.len() as u32 {
            if !self.legs[leg as usize].log.agent {
                self.give_up(leg, GaveUp::TimeUp);
            }
        }
    }

    /// Whoever is still in a call says goodbye, unheard; the judge finds that it never ended.
    fn leave(&mut self) {
        self.drained = true;
        for leg in 0..self.legs.len() as u32 {
            if self.legs[leg as usize].state == State::Up {
                let log = self.legs[leg as usize].log.clone();
                self.hang_up(leg);
                self.legs[leg as usize].log = log;
            }
        }
    }

    fn hear(&mut self) {
        while let Ok(heard) = self.heard.try_recv() {
            match heard {
                Heard::Voice { leg, at } => self.first_voice(leg, at),
                Heard::Finished { leg, media } => {
                    self.legs[leg as usize].log.media = *media;
                    self.reports_due = self.reports_due.saturating_sub(1);
                }
                Heard::Stopped { .. } => {}
            }
        }
    }

    fn first_voice(&mut self, leg: u32, at: u64) {
        let l = &mut self.legs[leg as usize];
        if l.log.voice_at.is_some() || l.state == State::Over {
            return;
        }
        l.log.voice_at = Some(at);
        if !l.log.agent {
            self.meets_agent(leg);
            self.speak(leg);
        }
    }

    fn arrived(&mut self, hop: Hop, bytes: &[u8]) {
        if bytes.iter().all(|b| matches!(b, b'\r' | b'\n' | 0)) {
            return;
        }
        match message::read(bytes) {
            Ok(SipMessage::Request(request)) => self.asked(hop, request),
            Ok(SipMessage::Response(response)) => self.answered(hop, &response),
            Err(why) => {
                let text = String::from_utf8_lossy(bytes);
                let line = text.lines().next().unwrap_or_default().to_string();
                self.faults.add(format!("unreadable message from {}: {why}: {line}", hop.to));
            }
        }
    }

    /// The first callers ring once every agent has registered.
    pub fn registration_done(&mut self) {
        self.registering = self.registering.saturating_sub(1);
        if self.registering == 0 && self.started_at == 0 {
            self.open_doors();
        }
    }

    /// Sets when each caller rings.
    pub fn open_doors(&mut self) {
        self.started_at = self.now + 20 * MILLISECOND;
        let end = self.started_at + u64::from(self.plan.seconds) * SECOND;
        self.alarm(end, Alarm::TimeUp);
        let callers = self.plan.callers;
        let pause = match self.plan.arrivals {
            Arrivals::Over(span) => clock::span(span) as f64 / f64::from(callers.max(1)),
            Arrivals::Rate(rate) => SECOND as f64 / rate.max(0.001),
        };
        for who in 0..callers {
            let jitter = self.rng.below(1_000) as f64 / 1_000.0;
            let at = self.started_at + (pause * (f64::from(who) + jitter)) as u64;
            if at < end {
                self.alarm(at, Alarm::Place(who));
            }
        }
    }

    fn progress(&self) -> super::Progress {
        let callers = || self.legs.iter().filter(|l| !l.log.agent);
        let served = |l: &&Leg| l.log.served_at.or(l.log.voice_at).is_some();
        let live = |l: &&Leg| l.log.ended_at.is_none();
        let waits = |l: &Leg| self.now.saturating_sub(l.log.invited_at);
        let within = |l: &&Leg| {
            let at = l.log.served_at.or(l.log.voice_at).unwrap_or(u64::MAX);
            at.saturating_sub(l.log.invited_at) <= clock::span(self.plan.answer_within)
        };
        let answered = callers().filter(served).count();
        let abandoned = callers().filter(|l| !served(l) && l.log.gave_up.is_some()).count();
        let in_time = callers().filter(served).filter(within).count();
        let waiting = callers().filter(|l| live(l) && !served(l));
        super::Progress {
            second: clock::seconds(self.now.saturating_sub(self.started_at)),
            registering: self.registering,
            offered: self.placed,
            waiting: waiting.clone().count() as u32,
            talking: callers().filter(|l| live(l) && served(l)).count() as u32,
            answered: answered as u32,
            abandoned: abandoned as u32,
            longest_wait: clock::seconds(waiting.map(waits).max().unwrap_or(0)),
            service_level: super::report::share(in_time as u64, (answered + abandoned) as u64),
            packets: self.gauges.received.load(Ordering::Relaxed),
            lost: self.gauges.lost.load(Ordering::Relaxed),
        }
    }

    /// Packets that the kernel dropped at our own sockets, RTP and SIP.
    pub fn own_drops(&self) -> (BTreeMap<usize, u64>, u64) {
        let sip = [false, true].map(|side| self.links.local(side).port());
        (self.jacks.dropped(), jacks::dropped(&sip.into_iter().collect()))
    }
}

pub(super) const WAKE: Token = Token(usize::MAX);
