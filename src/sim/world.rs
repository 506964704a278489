//! The world: an agenda of things to come, and the laws that hold after every one of them.

use super::network::Network;
use super::phone::{Do, Habits, Phone, Wake};
use super::plan::{Plan, agent_address, caller_address, switch_address};
use super::ports::{Follows, Ports};
use super::trace;
use crate::base::{Instant, Now, Rng, Wall};
use crate::call;
use crate::core::{CallRecord, Command, Event, Out, Row, Snapshot, Switch, Verb, What};
use crate::sip::{Hop, Transport};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

pub struct World {
    seed: u64,
    plan: Plan,
    now: Instant,
    rng: Rng,
    agenda: BTreeMap<(Instant, u64), Work>,
    serial: u64,
    switch: Switch,
    network: Network,
    ports: Ports,
    phones: BTreeMap<SocketAddr, Phone>,
    facts: u64,
    arrived: u64,
    records: Vec<CallRecord>,
    names: BTreeMap<String, ()>,
    log: std::hash::DefaultHasher,
    steps: u64,
    /// Work on the agenda other than ticks.
    pending: usize,
    /// When the one tick that counts is planned.
    tick: Option<Instant>,
    /// Prints what goes in and what comes out, for whoever looks into a failing seed.
    trace: bool,
}

/// What one seed came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    pub arrived: u64,
    pub answered: u64,
    pub abandoned: u64,
    pub events: u64,
    pub ports: u64,
    /// A digest of every event, command and fact, in order.
    pub digest: u64,
}

#[derive(Debug)]
enum Work {
    Arrive { from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
    Phone { address: SocketAddr, call_id: String, what: Wake },
    Media(crate::media::control::Event),
    Silence { address: SocketAddr },
    Dial { address: SocketAddr },
    GiveUp { address: SocketAddr },
    Vanish { address: SocketAddr },
    Tick,
}

/// Longer than any of these days may last.
const LAST: Instant = Instant(6 * 3_600 * 1_000_000);
/// More events than any of these days may hold.
const STEPS_MAX: u64 = 200_000;
const START: i64 = 1_586_000_000_000_000;

impl World {
    /// Lives through a day. The error names the law that was broken, and when.
    pub fn run(seed: u64, plan: Plan) -> Result<Verdict, String> {
        Self::new(seed, plan).through()
    }

    /// The same, and prints every event, command and fact.
    pub fn run_traced(seed: u64, plan: Plan) -> Result<Verdict, String> {
        let world = Self::new(seed, plan);
        Self { trace: true, ..world }.through()
    }

    fn through(mut self) -> Result<Verdict, String> {
        self.live().map_err(|why| {
            format!("seed {}, event {}, at {} us: {why}", self.seed, self.steps, self.now.0)
        })
    }

    fn new(seed: u64, plan: Plan) -> Self {
        let mut rng = Rng::new(seed);
        let mut out = Out::default();
        let now = Now { instant: Instant(0), wall: Wall(START) };
        let switch = Switch::new(plan.settings(), rng.bits(), now, &mut out);
        let delay = Duration::from_millis(if plan.faults.loss > 0 { 120 } else { 10 });
        let network = Network::new(plan.faults.loss, plan.faults.repeats, delay);
        let mut world = Self {
            seed,
            now: Instant(0),
            rng,
            agenda: BTreeMap::new(),
            serial: 0,
            switch,
            network,
            ports: Ports::default(),
            phones: BTreeMap::new(),
            facts: 0,
            arrived: 0,
            records: Vec::new(),
            names: BTreeMap::new(),
            log: std::hash::DefaultHasher::new(),
            steps: 0,
            pending: 0,
            tick: None,
            trace: false,
            plan,
        };
        world.facts = out.facts.len() as u64;
        world.people();
        world
    }

    fn people(&mut self) {
        for n in 0..self.plan.agents {
            let habits = self.agent_habits();
            self.phones.insert(agent_address(n), Phone::new(agent_address(n), habits));
        }
        let within = self.plan.arrive_within.as_micros() as u64;
        for n in 0..self.plan.callers {
            let address = caller_address(n);
            let rude = self.rng.chance(self.plan.faults.rude_callers);
            let habits = Habits {
                ring_after: None,
                answer_after: None,
                status: 200,
                talk: None,
                never_acks: rude && self.rng.chance(20),
                answers_cancelled: false,
                refreshes_after: None,
            };
            self.phones.insert(address, Phone::new(address, habits));
            let dial = Instant(self.rng.below(within));
            self.at(dial, Work::Dial { address });
            let patience = if rude { self.rng.below(4_000_000) } else { self.seconds(5, 300) };
            self.at(dial + Duration::from_micros(patience), Work::GiveUp { address });
            if self.rng.chance(self.plan.faults.vanish) {
                let when = dial + Duration::from_micros(self.seconds(1, 60));
                self.at(when, Work::Vanish { address });
            }
        }
    }

    fn agent_habits(&mut self) -> Habits {
        let mut habits = Habits {
            ring_after: Some(Duration::from_millis(20 + self.rng.below(300))),
            answer_after: Some(Duration::from_micros(self.seconds(1, 5))),
            status: 200,
            talk: Some(Duration::from_micros(self.seconds(3, 40))),
            never_acks: false,
            answers_cancelled: false,
            refreshes_after: None,
        };
        if !self.rng.chance(self.plan.faults.rude_agents) {
            return habits;
        }
        match self.rng.below(9) {
            0 => habits.status = 486,
            1 => habits.status = 603,
            2 => habits.status = 302,
            3 => habits.answer_after = None,
            4 => (habits.ring_after, habits.answer_after) = (None, None),
            5 => habits.answers_cancelled = true,
            6 => {
                habits.answer_after =
                    Some(Duration::from_micros(11_900_000 + self.rng.below(200_000)))
            }
            7 => (habits.ring_after, habits.answer_after) = (None, Some(Duration::ZERO)),
            _ => habits.refreshes_after = Some(Duration::from_secs(1)),
        }
        habits
    }

    fn seconds(&mut self, from: u64, to: u64) -> u64 {
        (from * 1_000_000) + self.rng.below((to - from) * 1_000_000)
    }

    fn live(&mut self) -> Result<Verdict, String> {
        self.wake_later();
        while let Some(((at, _), work)) = self.agenda.pop_first() {
            if at > LAST {
                return Err(format!("the world never came to rest; next: {work:?}"));
            }
            self.now = self.now.max(at);
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return Err(format!("the world does not come to rest; next: {work:?}"));
            }
            match work {
                Work::Tick if self.tick != Some(at) => continue,
                Work::Tick => self.tick = None,
                _ => self.pending -= 1,
            }
            self.perform(work)?;
            if self.is_over() {
                break;
            }
        }
        self.judge()
    }

    /// Everyone has called and hung up, and the switch has nothing left to do for anyone.
    fn is_over(&self) -> bool {
        self.pending == 0
            && self.phones.values().all(|phone| phone.dead || phone.is_idle())
            && self.switch.state().is_quiet()
    }

    fn perform(&mut self, work: Work) -> Result<(), String> {
        let mut wants = Vec::new();
        match work {
            Work::Arrive { from, to, bytes } if to == switch_address() => {
                let hop = Hop { transport: Transport::Udp, local: to, peer: from, flow: None };
                return self.feed(Event::Sip { hop, bytes: bytes.into() });
            }
            Work::Arrive { from, to, bytes } => {
                let habits = self.agent_habits();
                let Some(phone) = self.phones.get_mut(&to) else {
                    return Err(format!("a message to {to}, where nobody is"));
                };
                if is_agent(to) && phone.is_idle() {
                    phone.habits = habits;
                }
                phone.receive(from, &bytes, &mut self.rng, &mut wants);
                return self.grant(to, wants);
            }
            Work::Phone { address, call_id, what } => {
                let phone = self.phones.get_mut(&address).ok_or("no such phone")?;
                phone.wake(&call_id, what, &mut self.rng, &mut wants);
                return self.grant(address, wants);
            }
            Work::Dial { address } => {
                let phone = self.phones.get_mut(&address).ok_or("no such phone")?;
                phone.call("181", switch_address(), &mut self.rng, &mut wants);
                return self.grant(address, wants);
            }
            Work::GiveUp { address } => {
                let phone = self.phones.get_mut(&address).ok_or("no such phone")?;
                if !phone.dead {
                    phone.hang_up(&mut self.rng, &mut wants);
                }
                return self.grant(address, wants);
            }
            Work::Vanish { address } => {
                self.phones.get_mut(&address).ok_or("no such phone")?.dead = true;
                self.report_silence(address);
            }
            Work::Silence { address } => self.report_silence(address),
            Work::Media(event) => return self.feed(Event::Media(event)),
            Work::Tick => return self.feed(Event::Tick),
        }
        Ok(())
    }

    /// The data plane notices that a dead phone says nothing. Asked again while it is watched.
    fn report_silence(&mut self, address: SocketAddr) {
        for (port, after) in self.ports.watching(address.ip()) {
            let silent = crate::media::control::Event::Silent { port };
            self.at(self.now + after, Work::Media(silent));
        }
    }

    fn grant(&mut self, from: SocketAddr, wants: Vec<Do>) -> Result<(), String> {
        for want in wants {
            match want {
                Do::Send { to, bytes } => self.travel(from, to, bytes),
                Do::Wake { after, call_id, what } => {
                    self.at(self.now + after, Work::Phone { address: from, call_id, what });
                }
            }
        }
        Ok(())
    }

    fn travel(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        for at in self.network.arrivals(self.now, from, to, &mut self.rng) {
            self.at(at, Work::Arrive { from, to, bytes: bytes.clone() });
        }
    }

    /// Hands an event to the switch, does what it asks, and checks every law.
    fn feed(&mut self, event: Event) -> Result<(), String> {
        let mut out = Out::default();
        let now = Now { instant: self.now, wall: Wall(START + self.now.0 as i64) };
        format!("{now:?} {event:?}").hash(&mut self.log);
        if self.trace {
            trace::event(now, &event);
        }
        self.switch.handle(now, event, &mut out);
        if self.trace {
            trace::out(&out);
        }
        format!("{out:?}").hash(&mut self.log);
        for fact in &out.facts {
            self.facts += 1;
            if fact.seq != self.facts {
                return Err(format!("fact {} after {}", fact.seq, self.facts - 1));
            }
            let arrived = matches!(
                fact.what,
                What::Call(call::Fact::Arrived { .. } | call::Fact::Refused { .. })
            );
            self.arrived += u64::from(arrived);
        }
        for command in out.commands {
            self.execute(command)?;
        }
        self.switch.check()?;
        self.strike()?;
        self.wake_later();
        Ok(())
    }

    /// Kill and restore; a supervisor's hand.
    fn strike(&mut self) -> Result<(), String> {
        if self.rng.below(1_000) < self.plan.faults.kill {
            let written = serde_json::to_string(&self.switch.snapshot()).map_err(text)?;
            let read: Snapshot = serde_json::from_str(&written).map_err(text)?;
            if read != *self.switch.state() {
                return Err("a restored switch is not the one that was written".into());
            }
            self.switch = Switch::restore(self.plan.settings(), read);
        }
        if self.rng.below(1_000) < self.plan.faults.hands {
            let agent = format!("op{}", self.rng.below(u64::from(self.plan.agents)));
            let states = ["ready", "pause", "logout", "ready", "end-wrap-up", "ready"];
            let state = states[self.rng.below(6) as usize].to_string();
            let verb = Verb::SetAgent { agent, state, reason: "tea".into() };
            return self.feed(Event::Admin { request: self.steps, verb });
        }
        Ok(())
    }

    fn execute(&mut self, command: Command) -> Result<(), String> {
        match command {
            Command::Send { hop, bytes } => self.travel(hop.local, hop.peer, bytes.to_vec()),
            Command::Media(command) => {
                let refuse = self.rng.chance(self.plan.faults.port_taken);
                if let Some(Follows(after, event)) = self.ports.command(&command, refuse)? {
                    self.at(self.now + after, Work::Media(event));
                }
                if let crate::media::control::Command::Watch { .. } = command {
                    let dead = self.phones.values().filter(|phone| phone.dead);
                    let dead: Vec<SocketAddr> = dead.map(|phone| phone.address).collect();
                    for address in dead {
                        self.at(self.now, Work::Silence { address });
                    }
                }
            }
            Command::Store(row) => self.store(*row)?,
            Command::Close { .. } | Command::Ask { .. } => {
                return Err(format!("nothing here has a stream or a name: {command:?}"));
            }
            Command::Reply { .. } | Command::Drained => {}
        }
        Ok(())
    }

    fn store(&mut self, row: Row) -> Result<(), String> {
        let Row::Call(record) = row else { return Ok(()) };
        if record.seq != self.records.len() as u64 + 1 {
            return Err(format!("record {} after {}", record.seq, self.records.len()));
        }
        if self.names.insert(record.id.clone(), ()).is_some() {
            return Err(format!("two records for call {}", record.id));
        }
        let talked = record.connected_at.is_some();
        if talked != (record.outcome == call::Outcome::Answered) {
            return Err(format!("outcome and connection disagree: {record:?}"));
        }
        self.records.push(record);
        Ok(())
    }

    fn judge(&mut self) -> Result<Verdict, String> {
        let records = self.records.len() as u64;
        if records != self.arrived {
            let open: Vec<_> = self.switch.state().open_records().collect();
            return Err(format!("{} calls, {records} records; open: {open:?}", self.arrived));
        }
        if self.ports.open() > 0 {
            return Err(format!("{} media ports are still open", self.ports.open()));
        }
        self.switch.state().at_rest()?;
        let count =
            |outcome| self.records.iter().filter(|record| record.outcome == outcome).count() as u64;
        Ok(Verdict {
            arrived: self.arrived,
            answered: count(call::Outcome::Answered),
            abandoned: count(call::Outcome::Abandoned),
            events: self.steps,
            ports: self.ports.opened,
            digest: self.log.finish() ^ self.seed,
        })
    }

    /// One tick is planned, for the next deadline; one that an earlier deadline has overtaken
    /// means nothing when its time comes.
    fn wake_later(&mut self) {
        let Some((at, _)) = self.switch.next_deadline() else { return };
        let at = at.max(self.now);
        if self.tick.is_none_or(|planned| at < planned) {
            self.tick = Some(at);
            self.at(at, Work::Tick);
        }
    }

    fn at(&mut self, at: Instant, work: Work) {
        self.serial += 1;
        self.pending += usize::from(!matches!(work, Work::Tick));
        self.agenda.insert((at, self.serial), work);
    }
}

fn is_agent(address: SocketAddr) -> bool {
    matches!(address.ip(), std::net::IpAddr::V4(ip) if ip.octets()[1] == 2)
}

fn text(error: serde_json::Error) -> String {
    error.to_string()
}
