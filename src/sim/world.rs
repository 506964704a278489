//! The world: an agenda of things to come, the switch in the middle, and phones around it.
//!
//! After every event the laws are asked ([`Switch::check`], [`super::laws`], [`super::ports`]), and
//! once more at rest. They were tried on planted bugs; which law kills which:
//!
//! | planted bug | law |
//! |---|---|
//! | a call leaves, or its agent is released, and the desk is not told | no ghosts |
//! | a call that waited too long is not ended | no lost calls |
//! | a phone's refusal is not told to the desk | who is offered a call has a phone that rings |
//! | an offer is withdrawn and the phone rings on | a phone rings only for who is offered |
//! | CANCEL is not sent | a phone's protest |
//! | a 2xx without an ACK is repeated no more and not hung up | a leg that was hung up is over |
//! | a port is not closed | ports are open at rest |
//! | a port is not given back, in `bury` or after it failed | legs and ports are as many |
//! | caller and agent are connected and not bridged | who is connected is bridged |
//! | a transaction is never forgotten | rest |
//! | a row is stored twice, a number is left out | rows are gapless |
//! | a record keeps the first agent after a second one took over | a record names who talked |
//! | a phone leaves and the desk is not told, or one is there after a reload | desk = registrar |
//! | a restored switch takes queue ids from the file | a record's queue is one of a line |
//! | a fork's second 2xx is not acknowledged, or not hung up | a phone's protest; rest |
//! | a reliable response is not acknowledged | a phone's protest |
//! | a pick forgets a priority, or a language | who is passed over is named, and why |
//! | a promise of a call takes no way out of its queue | nobody is left where nobody works |
//! | whom a centre gives back is hung up on | who is given back does not end so |
//! | a phone told to stop for a transfer is offered the next caller | a phone's protest |
//! | a leg's port moves, or is opened anew, without its keys | what was sealed is never plain |
//!
//! Not killed, because something else makes up for them: `too_late` not called (the leg is gone by
//! then), a ring timeout left running (it means nothing any more), figures that never come (the
//! call's guard), a guard that never fires (late figures). A story, not a law, kills a silence that
//! is counted on in the queue.

use super::agenda::{Agenda, Work};
use super::diary::Diary;
use super::habits::{GIVEN_BACK, Habits};
use super::killed::Life;
use super::laws::Laws;
use super::network::Network;
use super::phone::{Do, Phone};
use super::plan::{
    Plan, caller_address, centre_address, desk_address, exchange_address, is_callee, switch_address,
};
use super::ports::{Follows, Ports};
use super::sealed::{Habit, Keys};
use super::seen::Seen;
use super::streams::Streams;
use super::trace;
use crate::base::{CallId, Instant, Now, Rng, Wall};
use crate::config::Settings;
use crate::core::{Command, Event, Out, Switch};
use crate::media::control;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

pub struct World {
    pub(super) seed: u64,
    pub(super) plan: Plan,
    pub(super) settings: Settings,
    pub(super) now: Instant,
    /// How far the calendar has stepped.
    pub(super) stepped: i64,
    pub(super) rng: Rng,
    pub(super) agenda: Agenda,
    pub(super) switch: Switch,
    pub(super) diary: Diary,
    pub(super) life: Life,
    pub(super) network: Network,
    pub(super) streams: Streams,
    pub(super) ports: Ports,
    /// What was said of keys.
    pub(super) keys: Keys,
    /// Recordings under way.
    pub(super) tapes: BTreeSet<CallId>,
    pub(super) phones: BTreeMap<SocketAddr, Phone>,
    pub(super) laws: Laws,
    pub(super) steps: u64,
    /// Nothing new is planned: whoever has nothing left to do goes home.
    closing: bool,
    /// Prints what goes in and what comes out, for whoever looks into a failing seed.
    pub(super) trace: bool,
}

/// What one seed came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    pub arrived: u64,
    pub answered: u64,
    pub abandoned: u64,
    /// Turned away, at the door or by a queue; and promised a call back.
    pub refused: u64,
    pub called_back: u64,
    /// How often the process has died, with nothing left but its journal.
    pub kills: u64,
    pub seen: Seen,
    pub events: u64,
    pub ports: u64,
    /// A digest of every event, command and fact, in order.
    pub digest: u64,
}

/// Longer than any of these days may last.
const LAST: Instant = Instant(6 * 3_600 * 1_000_000);
/// More events than any of these days may hold.
const STEPS_MAX: u64 = 200_000;
const START: i64 = 1_586_000_000_000_000;

impl World {
    /// Lives through a day. The error names the law that was broken, and when.
    pub fn run(seed: u64, plan: Plan) -> Result<Verdict, String> {
        let mut world = Self::new(seed, plan);
        world.people();
        world.through()
    }

    /// The same, and prints every event, command and fact.
    pub fn run_traced(seed: u64, plan: Plan) -> Result<Verdict, String> {
        let mut world = Self { trace: true, ..Self::new(seed, plan) };
        world.people();
        world.through()
    }

    /// The switch, and agents' phones without a plan.
    pub(super) fn new(seed: u64, plan: Plan) -> Self {
        Self::build(seed, plan).unwrap_or_else(|why| panic!("seed {seed}: {why}"))
    }

    fn build(seed: u64, plan: Plan) -> Result<Self, String> {
        let mut rng = Rng::new(seed);
        let mut out = Out::default();
        let now = Now { instant: Instant(0), wall: Wall(START) };
        let settings = plan.settings();
        let switch = Switch::new(settings.clone(), rng.bits(), now, &mut out);
        let delay = Duration::from_millis(if plan.faults.loss > 0 { 120 } else { 10 });
        let network = Network::new(plan.faults.loss, plan.faults.repeats, delay);
        let mut world = Self {
            seed,
            settings,
            now: Instant(0),
            stepped: 0,
            rng,
            agenda: Agenda::default(),
            diary: Diary::begin(1, &switch.memory(now))?,
            life: Life::default(),
            switch,
            network,
            streams: Streams::default(),
            ports: Ports::default(),
            keys: Keys::default(),
            tapes: BTreeSet::new(),
            phones: BTreeMap::new(),
            laws: Laws::of(&plan),
            steps: 0,
            closing: false,
            trace: false,
            plan,
        };
        world.laws.begin(&out);
        world.staff();
        for command in out.commands {
            world.execute(command)?;
        }
        Ok(world)
    }

    /// To the end of the day.
    pub(super) fn through(&mut self) -> Result<Verdict, String> {
        self.closing = true;
        let result = self.live(|world| world.is_over()).and_then(|()| self.judge());
        result.map_err(|why| self.complaint(&why))
    }

    pub(super) fn complaint(&self, why: &str) -> String {
        format!("seed {}, event {}, at {} us: {why}", self.seed, self.steps, self.now.0)
    }

    /// Does what is due, one after the other, until `done` says so or nothing is left.
    pub(super) fn live(&mut self, done: impl Fn(&Self) -> bool) -> Result<(), String> {
        self.wake_later();
        while let Some((at, work)) = self.agenda.next() {
            if at > LAST {
                return Err(format!("the world never came to rest; next: {work:?}"));
            }
            self.now = self.now.max(at);
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return Err(format!("the world does not come to rest; next: {work:?}"));
            }
            self.perform(work)?;
            if done(self) {
                break;
            }
        }
        Ok(())
    }

    /// Nothing happens for so long but what happens by itself.
    pub(super) fn pass(&mut self, until: Instant) -> Result<(), String> {
        while self.agenda.is_due(until) {
            self.live(|_| true)?;
        }
        self.now = self.now.max(until);
        Ok(())
    }

    /// Everyone has called and hung up, and the switch has nothing left to do for anyone.
    fn is_over(&self) -> bool {
        self.is_late() && self.switch.state().is_quiet()
    }

    /// Nobody has a call or will have one: phones need not register any more.
    fn is_late(&self) -> bool {
        self.agenda.is_done()
            && self.closing
            && self.phones.values().all(|phone| phone.dead || phone.is_idle())
            && self.switch.state().has_no_calls()
    }

    fn perform(&mut self, work: Work) -> Result<(), String> {
        match work {
            Work::Arrive { hop, .. }
                if hop.flow.is_some_and(|flow| !self.streams.is_open(flow)) =>
            {
                Ok(())
            }
            Work::Arrive { hop, bytes } => self.feed(Event::Sip { hop, bytes: bytes.into() }),
            Work::Deliver { hop, .. } if hop.flow.is_some_and(|f| !self.streams.is_open(f)) => {
                Ok(())
            }
            Work::Deliver { phone, bytes, .. } => self.deliver(phone, &bytes),
            Work::Phone { address, call_id, what } => {
                self.with_phone(address, |phone, rng, out| phone.wake(&call_id, what, rng, out))
            }
            Work::Sign { .. } if self.is_late() => Ok(()),
            Work::Sign { address, round } => self.sign(address, Some(round)),
            Work::Restless { address, forgets } => self.restless(address, forgets),
            Work::Return { address } => self.sign(address, None),
            Work::Dial { address, number } => self.dials(address, number),
            Work::GiveUp { address } => self.with_phone(address, |phone, rng, out| {
                if !phone.dead {
                    phone.hang_up(rng, out);
                }
            }),
            Work::Press { address, key } => self.key_in(address, &key.to_string()),
            Work::Accept { n, key } => self.accept(n, key),
            Work::Own { n } => self.own_call(n),
            Work::Vanish { address } => {
                self.excuse(address);
                self.with_phone(address, |phone, _, _| phone.dead = true)
            }
            Work::Cut { address, span } => {
                self.excuse(address);
                self.network.cut_off(address, self.now + span);
                self.at(self.now + span, Work::Mend { address });
                self.fall_silent(address);
                Ok(())
            }
            Work::Mend { address } => self.be_heard(address),
            Work::Media(event) => self.media(event),
            Work::Silent { port } => self.silent(port),
            Work::Break { port } => match self.ports.fail(port) {
                true => self.media(control::Event::Failed { port, why: "broken".into() }),
                false => Ok(()),
            },
            Work::Dns { query, name, kind } => self.resolve(query, &name, kind),
            Work::Tell(event) => self.feed(event),
            Work::Tick => self.feed(Event::Tick),
            Work::Rise => self.rise(),
        }
    }

    /// Whoever is there calls this number.
    pub(super) fn dials(&mut self, address: SocketAddr, number: &str) -> Result<(), String> {
        if self.phones.get(&address).is_some_and(|phone| phone.habits.never_acks) {
            self.excuse(address);
        }
        self.with_phone(address, |phone, rng, out| {
            phone.call(number, switch_address(), rng, out);
        })
    }

    /// Whatever becomes of calls from there may be their own doing.
    pub(super) fn excuse(&mut self, address: SocketAddr) {
        let number = self.phones.get(&address).map(|phone| phone.number.clone());
        self.laws.excuse(number.unwrap_or_default());
    }

    fn deliver(&mut self, phone: SocketAddr, bytes: &[u8]) -> Result<(), String> {
        let habits = is_callee(phone).then(|| Habits::agent(&self.plan, &mut self.rng));
        let known = self.phones.get_mut(&phone);
        let known = known.ok_or_else(|| format!("a message to {phone}, where nobody is"))?;
        if let Some(mut habits) = habits.filter(|_| known.is_idle() && !known.scripted) {
            if phone == centre_address() && self.rng.chance(30) {
                habits.why = GIVEN_BACK;
            }
            known.habits = habits;
        }
        known.plain = self.plan.sealing.of(phone) == Habit::Plain;
        self.with_phone(phone, |phone, rng, out| phone.receive(bytes, rng, out))
    }

    /// Something happens to a phone; whether it is heard may change with it.
    pub(super) fn with_phone(
        &mut self,
        address: SocketAddr,
        act: impl FnOnce(&mut Phone, &mut Rng, &mut Vec<Do>),
    ) -> Result<(), String> {
        let was_heard = self.is_heard(address);
        let phone = self.phones.get_mut(&address).ok_or("no such phone")?;
        let mut wants = Vec::new();
        act(phone, &mut self.rng, &mut wants);
        for want in wants {
            match want {
                Do::Send(bytes) => self.send(address, bytes),
                Do::Wake { after, call_id, what } => {
                    self.at(self.now + after, Work::Phone { address, call_id, what });
                }
                Do::Sign { after, round } => {
                    self.at(self.now + after, Work::Sign { address, round });
                }
                Do::Protest(why) if self.plan.faults.is_reliable() => {
                    return Err(format!("{address} {why}"));
                }
                Do::Protest(_) => {}
                Do::Die => self.at(self.now, Work::Vanish { address }),
            }
        }
        match (was_heard, self.is_heard(address)) {
            (true, false) => self.fall_silent(address),
            (false, true) => return self.be_heard(address),
            (true, true) | (false, false) => {}
        }
        Ok(())
    }

    /// Whether audio comes from this phone.
    pub(super) fn is_heard(&self, address: SocketAddr) -> bool {
        let phone = self.phones.get(&address);
        phone.is_some_and(|phone| {
            !phone.dead
                && !phone.muted
                && phone.talks() > 0
                && !self.network.is_cut(address, self.now)
        })
    }

    /// Hands an event to the switch, does what it asks, and checks every law.
    pub(super) fn feed(&mut self, event: Event) -> Result<(), String> {
        if self.life.is_down() {
            return Ok(());
        }
        let mut out = Out::default();
        let now = self.clock();
        self.diary.note(now, &event)?;
        self.laws.note_event(&event, now);
        if self.trace {
            trace::event(now, &event);
        }
        let failed = match &event {
            Event::Media(control::Event::Failed { port, .. }) => Some(*port),
            _ => None,
        };
        self.switch.handle(now, event, &mut out);
        if self.trace {
            trace::out(&out);
        }
        self.laws.note_out(&out, &self.settings, self.switch.state())?;
        if let Some(share) = self.life.dies() {
            return self.die(out, share);
        }
        for command in out.commands {
            self.execute(command)?;
        }
        if let Some(port) = failed {
            self.ports.told(port);
        }
        self.laws.check_bridges(&self.ports, &self.plan.agents)?;
        self.ports.check_tracks()?;
        self.switch.state().check_ears(&|ear, mouth| self.ports.goes_to(ear, mouth))?;
        self.switch.check()?;
        self.laws.check_stranded(self.now, &self.switch.stranded())?;
        self.diary.turn(&self.switch, now)?;
        self.strike()?;
        self.wake_later();
        Ok(())
    }

    pub(super) fn clock(&self) -> Now {
        Now { instant: self.now, wall: Wall(START + self.stepped + self.now.0 as i64) }
    }

    pub(super) fn execute(&mut self, command: Command) -> Result<(), String> {
        match command {
            Command::Send { hop, bytes } => self.carry(hop, bytes.to_vec()),
            Command::Media(command) => self.command_media(&command),
            Command::Store(row) => self.laws.store(*row),
            Command::Ask { query, name, kind } => {
                if !self.rng.chance(self.plan.faults.dns_silence) {
                    let after = self.network.pause(&mut self.rng);
                    self.at(self.now + after, Work::Dns { query, name, kind });
                }
                Ok(())
            }
            Command::Close { .. } => Err(format!("nobody broke a stream's framing: {command:?}")),
            Command::Tape(tape) => self.command_tape(tape),
            Command::Keep { .. } | Command::Reply { .. } | Command::Drained => Ok(()),
        }
    }

    fn command_media(&mut self, command: &control::Command) -> Result<(), String> {
        let refuse = self.rng.chance(self.plan.faults.port_taken);
        self.check_seal(command)?;
        if let Some(Follows(after, event)) = self.ports.command(command, refuse)? {
            let slow = self.rng.chance(self.plan.faults.slow_media);
            let late = if slow { self.rng.below(8_000_000) } else { 0 };
            let at = self.now + after + Duration::from_micros(late);
            self.at(at, Work::Media(event));
        }
        match *command {
            control::Command::Open { port, .. }
                if self.rng.chance(self.plan.faults.port_broken) =>
            {
                let after = Duration::from_micros(self.rng.below(30_000_000));
                self.at(self.now + after, Work::Break { port });
            }
            control::Command::Watch { port, silence: Some(after) } => {
                self.at(self.now + after, Work::Silent { port });
            }
            _ => {}
        }
        Ok(())
    }
}

impl World {
    /// The agents and their phones, which register where they have to.
    fn staff(&mut self) {
        for n in 0..self.plan.agents.len() as u16 {
            self.hire(self.plan.agents[usize::from(n)].address(n), n);
        }
        let exchange = exchange_address();
        let habits = Habits::agent(&self.plan, &mut self.rng);
        self.phones.insert(exchange, Phone::new(exchange, habits));
        for n in 0..self.plan.callers {
            let address = caller_address(n);
            let habits = Habits::caller(&self.plan, &mut self.rng);
            self.phones.insert(address, Phone::new(address, habits));
        }
        for address in [desk_address(), centre_address()] {
            let habits = Habits::agent(&self.plan, &mut self.rng);
            self.phones.insert(address, Phone::new(address, habits));
        }
    }
}
