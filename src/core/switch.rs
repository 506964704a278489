//! The switch: every event goes to the layer that it concerns, every effect to the layer that it
//! asks for. What a layer asks for waits in one line, first come, first carried.

use super::carry::Work;
use super::journal::Numbers;
use super::ledger::Ledger;
use super::people::Known;
use super::{Command, Event, Fact, Out, What};
use crate::acd::{self, Desk};
use crate::base::{AgentId, Cx, Instant, Now, Rng, Secret, Timer, Timers};
use crate::call::{self, Calls, Io};
use crate::config::Settings;
use crate::sip::{self, UserAgent};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

pub struct Switch {
    pub(super) settings: Settings,
    pub(super) state: State,
    /// Where in `settings.call.phones` a user is.
    pub(super) phones: BTreeMap<String, usize>,
    /// Where in `settings.call` a dialled number leads.
    pub(super) numbers: call::Numbers,
    /// What still has to be carried; empty between events.
    pub(super) work: VecDeque<Work>,
    /// Reused from event to event; empty in between.
    pub(super) spare: Spare,
    /// What is to be left out of the next event, and what is seen to just now.
    faults: Faults,
}

/// Timers in which the core breaks its own rules: whoever catches that learns which it was, and
/// goes through it all again without.
#[derive(Debug, Default)]
struct Faults {
    /// One of them twice: the core breaks in what is done in its place as well.
    left_out: Vec<Timer>,
    expiring: Option<Timer>,
}

impl Faults {
    fn times(&self, timer: Timer) -> usize {
        self.left_out.iter().filter(|left_out| **left_out == timer).count()
    }
}

#[cfg(test)]
thread_local! {
    /// A planted bug: the core of this thread breaks in these timers, after so many times in which
    /// they have been left out.
    pub static BREAKS_IN: std::cell::Cell<fn(&Timer, usize) -> bool> =
        const { std::cell::Cell::new(|_, _| false) };
}

/// Everything that the switch knows: what a snapshot holds.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub(super) rng: Rng,
    pub(super) timers: Timers,
    pub(super) sip: UserAgent,
    pub(super) desk: Desk,
    pub(super) calls: Calls,
    pub(super) ledger: Ledger,
    pub(super) relief: acd::Relief,
    pub(super) announcer: acd::Announcer,
    pub(super) callbacks: acd::Callbacks,
    pub(super) roster: acd::Roster,
    pub(super) facts: u64,
    pub(super) draining: bool,
    pub(super) drained: bool,
}

/// All of the switch's memory, as a plain value.
pub type Snapshot = State;

#[derive(Debug, Default)]
pub(super) struct Spare {
    sip: Vec<sip::Effect>,
    desk: Vec<acd::Effect>,
    call: Vec<call::Effect>,
    pub(super) rows: Vec<super::Row>,
}

impl Switch {
    /// A switch that has seen nothing yet. The first facts, the state of every agent, go to `out`.
    pub fn new(settings: Settings, seed: u64, now: Now, out: &mut Out) -> Self {
        Self::after(Numbers::default(), settings, seed, now, out)
    }

    /// The same, but it counts on from an earlier switch of which nothing else is known.
    pub fn after(numbers: Numbers, settings: Settings, seed: u64, now: Now, out: &mut Out) -> Self {
        let (mut rng, mut timers) = (Rng::new(seed), Timers::default());
        let mut effects = Vec::new();
        let cx = &mut Cx { now, rng: &mut rng, timers: &mut timers };
        let sip = UserAgent::new(settings.sip.clone(), cx);
        let desk = Desk::new(cx, &settings.acd, &mut effects);
        let calls = Calls::new(&settings.call, cx);
        let mut ledger = Ledger::default();
        ledger.count_from((numbers.calls, numbers.states));
        let state = State {
            sip,
            desk,
            calls,
            ledger,
            relief: acd::Relief::default(),
            announcer: acd::Announcer::default(),
            callbacks: acd::Callbacks::default(),
            roster: acd::Roster::default(),
            facts: numbers.facts,
            draining: false,
            drained: false,
            rng,
            timers,
        };
        let mut switch = Self::restore(settings, state);
        switch.work.extend(effects.into_iter().map(Work::Desk));
        switch.settle(now, out);
        switch.look_at_roster(now, out);
        switch.settle(now, out);
        switch
    }

    /// What is drawn from now on follows from this: a seed is too narrow for keys. Before the first
    /// event.
    pub fn stir(&mut self, secret: Secret) {
        self.state.rng = Rng::of(secret);
    }

    /// The one way in. `out` gets what follows, in order; nothing else needs to be asked.
    pub fn handle(&mut self, now: Now, event: Event, out: &mut Out) {
        if let Event::Restarted { flows, secret } = &event {
            self.state.rng.stir(*secret);
            // Before anything is done about what has become due meanwhile.
            self.restarted(now, flows, out);
            self.settle(now, out);
        }
        while let Some(timer) = self.state.timers.pop_due(now.instant) {
            let left_out = self.faults.times(timer);
            self.faults.expiring = Some(timer);
            #[cfg(test)]
            assert!(!BREAKS_IN.get()(&timer, left_out), "a planted bug");
            match left_out {
                0 => self.expire(now, timer, out),
                1 => self.fall_back(now, timer, out),
                _ => continue,
            }
            self.settle(now, out);
        }
        self.faults = Faults::default();
        self.event(now, event, out);
        self.settle(now, out);
        if self.state.draining && !self.state.drained && self.is_idle() {
            self.state.drained = true;
            out.commands.push(Command::Drained);
        }
    }

    /// Should these timers be due at the next event, what each was for is ended in another way; and
    /// where one stands here twice, nothing is done about it at all.
    pub fn leave_out(&mut self, timers: Vec<Timer>) {
        self.faults.left_out = timers;
    }

    /// The timer that was being seen to when the core broke one of its own rules.
    pub fn expiring(&self) -> Option<Timer> {
        self.faults.expiring
    }

    /// When to call `handle` next if nothing else happens, and why.
    pub fn next_deadline(&self) -> Option<(Instant, Timer)> {
        self.state.timers.next()
    }

    pub fn snapshot(&self) -> Snapshot {
        self.state.clone()
    }

    /// `settings` as the configuration says them.
    pub fn restore(settings: Settings, snapshot: Snapshot) -> Self {
        let mut switch = Self::with(settings, snapshot);
        switch.state.desk.recount();
        switch.rename_queues();
        switch
    }

    /// `settings` as they were in force, with the queues' ids in them.
    pub(super) fn with(settings: Settings, snapshot: Snapshot) -> Self {
        let mut switch = Self {
            settings,
            state: snapshot,
            phones: BTreeMap::new(),
            numbers: call::Numbers::default(),
            work: VecDeque::new(),
            spare: Spare::default(),
            faults: Faults::default(),
        };
        switch.index();
        switch
    }

    /// The state, to look at: for checks and tests.
    pub fn state(&self) -> &State {
        &self.state
    }

    fn event(&mut self, now: Now, event: Event, out: &mut Out) {
        match event {
            Event::Tick | Event::Restarted { .. } => {}
            Event::Sip { hop, bytes } => {
                self.sip(now, |ua, cx, out| ua.receive(cx, hop, &bytes, out));
            }
            Event::FlowClosed { flow } => {
                self.sip(now, |ua, cx, out| ua.flow_closed(cx, flow, out))
            }
            Event::Proven { flow, names } => self.state.sip.proven(flow, names),
            Event::Unreachable { hop } => self.sip(now, |ua, cx, out| ua.unreachable(cx, hop, out)),
            Event::Dns { query, answer } => {
                self.sip(now, |ua, cx, out| ua.answered(cx, query, answer, out));
            }
            Event::Swamped(swamped) => self.state.calls.swamped(swamped),
            Event::ClockMoved { seconds } => self.fact(now, What::ClockMoved { seconds }, out),
            Event::Store { name, trouble } => {
                let up = trouble.is_none();
                let why = trouble.unwrap_or_default();
                self.fact(now, What::Store { name, up, why }, out);
            }
            Event::Journal { trouble } => {
                let whole = trouble.is_none();
                match &trouble {
                    Some(why) => self.state.ledger.gap_begins(now, why),
                    None => self.state.ledger.gap_is_over(now, &mut self.spare.rows),
                }
                let why = trouble.unwrap_or_default();
                self.fact(now, What::Journal { whole, why }, out);
            }
            Event::Recorder { trouble } => {
                let (up, why) = (trouble.is_none(), trouble.unwrap_or_default());
                self.fact(now, What::Recorder { up, why }, out);
            }
            Event::Media(event) => self.calls(now, |calls, io| calls.media(io, event)),
            Event::Recording(event) => self.calls(now, |calls, io| calls.taped(io, event)),
            Event::Admin { request, by, verb } => {
                let result = self.act(now, by, verb, out);
                out.commands.push(Command::Reply { request, result });
            }
            Event::Reload(settings) => self.reload(now, *settings, out),
            Event::Drain => self.drain(now, out),
            Event::Close => self.close(now, out),
        }
    }

    fn expire(&mut self, now: Now, timer: Timer, out: &mut Out) {
        match timer {
            Timer::Retransmit(_)
            | Timer::GiveUp(_)
            | Timer::Forget(_)
            | Timer::Repeat2xx(_)
            | Timer::NoAck(_)
            | Timer::RepeatProvisional(_)
            | Timer::KeepRinging(_)
            | Timer::Unheard(_)
            | Timer::Refresh(_)
            | Timer::SessionExpired(_)
            | Timer::RetryOffer(_)
            | Timer::Bury(_)
            | Timer::BindingExpires(_)
            | Timer::DnsSilent(_)
            | Timer::TrunkPing(_)
            | Timer::PhoneAsk(_)
            | Timer::TrunkRegister(_) => self.sip(now, |ua, cx, out| ua.expire(cx, timer, out)),
            Timer::RingTimeout(..)
            | Timer::WrapUp(_)
            | Timer::Rest(_)
            | Timer::MaxWait(_)
            | Timer::QueueReview(_) => self.desk(now, |desk, cx, out| desk.expire(cx, timer, out)),
            Timer::Roster => self.look_at_roster(now, out),
            Timer::Overflow(call) => self.relieve(now, call, out),
            Timer::Announce(call) => self.announce(now, call),
            Timer::Menu(call) => self.calls(now, |calls, io| calls.menu_over(io, call)),
            Timer::CallBack(call) => self.call_again(now, call),
            Timer::Keys(leg) => self.calls(now, |calls, io| calls.keys_over(io, leg)),
            Timer::Watch(call, agent) => {
                self.calls(now, |calls, io| calls.watch_over(io, call, agent));
            }
            Timer::Parked(call) => self.calls(now, |calls, io| calls.parked_too_long(io, call)),
            Timer::DialTimeout(call) => self.calls(now, |calls, io| calls.dial_timeout(io, call)),
            Timer::Silence(leg) => self.calls(now, |calls, io| calls.silence_over(io, leg)),
            Timer::Recheck(leg) => self.calls(now, |calls, io| calls.recheck(io, leg)),
            Timer::CallOver(call) => self.calls(now, |calls, io| calls.lasts_too_long(io, call)),
            Timer::Code(call) => self.calls(now, |calls, io| calls.code_over(io, call)),
            Timer::Unblock => self.blocks_expire(now, out),
            Timer::Reconcile => self.reconcile(now),
            Timer::CallGuard(call) => {
                if self.state.ledger.give_up(call, &mut self.spare.rows) {
                    let until = now.instant + super::RECORDING_WAIT;
                    self.state.timers.set(Timer::TapeGuard(call), until);
                }
            }
            Timer::TapeGuard(call) => {
                if self.state.ledger.is_taping(call) {
                    let what = call::Recorded::Unfinished;
                    self.fact(now, What::Call(call::Fact::Recording { call, what }), out);
                }
                self.state.calls.forget_recording(call);
            }
        }
    }

    fn reload(&mut self, now: Now, settings: Settings, out: &mut Out) {
        let before = std::mem::replace(&mut self.settings, settings).sip.trunks;
        self.index();
        let places = sip::places(&before, &self.settings.sip.trunks);
        self.state.calls.move_trunks(&|trunk| places.of(trunk));
        self.state.relief.move_trunks(&|trunk| places.of(trunk));
        let settings = self.settings.sip.clone();
        self.sip(now, |ua, cx, _| ua.reload(cx, settings));
        let mut settings = self.settings.acd.clone();
        let off = self.settings.roster.off_shift(now.wall);
        for agent in settings.agents.iter_mut().filter(|agent| off.contains(agent.id.as_str())) {
            agent.ready = false;
        }
        self.desk(now, |desk, cx, out| desk.reload(cx, &settings, out));
        self.calls(now, |calls, io| calls.reload(io));
        self.state.relief.keep_only(&self.state.desk);
        self.state.announcer.keep_only(&self.state.desk);
        self.rename_queues();
        self.tidy_seats(now);
        self.find_phones(now);
        self.ask_phones_anew(now);
        self.look_at_roster(now, out);
        self.relieve_everybody(now, out);
        self.listen_to_everybody(now);
        self.fact(now, What::Reloaded, out);
    }

    /// An agent who is new at the desk may have a phone that has long been registered.
    fn find_phones(&mut self, now: Now) {
        let agents: Vec<AgentId> = self.state.desk.agents().map(|(agent, _)| agent).collect();
        for agent in agents {
            let name = self.state.desk.agent_name(agent).unwrap_or_default();
            let bound = self.is_bound(name);
            if bound != self.state.desk.is_registered(agent) {
                self.desk(now, |desk, cx, out| desk.reachable(cx, agent, bound, out));
            }
        }
    }

    /// Queues keep their ids over a reload, so their place in the new settings is no longer theirs.
    fn rename_queues(&mut self) {
        let Settings { acd, call, .. } = &mut self.settings;
        let of_lines = call.lines.iter_mut().flat_map(|line| {
            let goal = match &mut line.goal {
                call::Goal::Queue(queue)
                | call::Goal::Served { queue }
                | call::Goal::Later { queue }
                | call::Goal::Menu { queue } => Some(queue),
                call::Goal::Dial(_)
                | call::Goal::Goodbye
                | call::Goal::Placed
                | call::Goal::Codes => None,
            };
            let of_menu = line.menu.iter_mut().filter_map(|choice| match &mut choice.means {
                call::Means::Queue(queue, _) => Some(queue),
                call::Means::Language(_) | call::Means::District(_) => None,
            });
            goal.into_iter().chain(of_menu)
        });
        let of_districts =
            call.districts.iter_mut().filter_map(|district| match &mut district.centre {
                call::Centre::Queue(queue) => Some(queue),
                call::Centre::Trunk(_) => None,
            });
        let recorded = call.recording.queues.iter_mut();
        for queue in of_lines.chain(of_districts).chain(recorded) {
            if let Some(named) = acd.queues.get(crate::base::Id::slot(*queue) as usize)
                && let Some(id) = self.state.desk.queue_id(&named.name)
            {
                *queue = id;
            }
        }
        for agent in &mut call.recording.agents {
            if let Some(named) = acd.agents.get(crate::base::Id::slot(*agent) as usize)
                && let Some(id) = self.state.desk.agent_id(&named.id)
            {
                *agent = id;
            }
        }
    }

    fn index(&mut self) {
        self.numbers = call::Numbers::new(&self.settings.call);
        let phones = self.settings.call.phones.iter().enumerate();
        self.phones = phones.map(|(at, phone)| (phone.user.clone(), at)).collect();
    }

    pub(super) fn is_idle(&self) -> bool {
        // A leg outlives its call until its BYE is answered; a promise outlives the process.
        let legs = self.state.sip.counts().legs;
        let signed_off = !self.state.sip.is_signing_off();
        let promises = self.state.calls.promises();
        let (calls, open) = (self.state.calls.len(), self.state.ledger.open());
        calls == promises && open == promises && legs == 0 && signed_off
    }

    pub(super) fn sip<R>(
        &mut self,
        now: Now,
        act: impl FnOnce(&mut UserAgent, &mut Cx, &mut Vec<sip::Effect>) -> R,
    ) -> R {
        let done = act(&mut self.state.sip, cx!(self.state, now), &mut self.spare.sip);
        self.work.extend(self.spare.sip.drain(..).map(Work::Sip));
        done
    }

    pub(super) fn desk<R>(
        &mut self,
        now: Now,
        act: impl FnOnce(&mut Desk, &mut Cx, &mut Vec<acd::Effect>) -> R,
    ) -> R {
        let done = act(&mut self.state.desk, cx!(self.state, now), &mut self.spare.desk);
        self.work.extend(self.spare.desk.drain(..).map(Work::Desk));
        done
    }

    pub(super) fn calls<R>(&mut self, now: Now, act: impl FnOnce(&mut Calls, &mut Io) -> R) -> R {
        let host = self.settings.sip.domains.first().map_or("pukar.invalid", String::as_str);
        let settings = &self.settings.call;
        let people = &Known { desk: &self.state.desk, roster: &self.settings.roster };
        let (numbers, ua, out) = (&self.numbers, &self.state.sip, &mut self.spare.call);
        let cx = cx!(self.state, now);
        let io = &mut Io { cx, settings, numbers, host, people, ua, out };
        let done = act(&mut self.state.calls, io);
        self.state.calls.tell_of_seals(io, 0);
        self.state.calls.record(io, 0);
        self.work.extend(self.spare.call.drain(..).map(Work::Call));
        done
    }

    pub(super) fn fact(&mut self, now: Now, what: What, out: &mut Out) {
        self.state.facts += 1;
        if let What::Call(call::Fact::Ended { call, .. }) = what {
            self.state.timers.set(Timer::CallGuard(call), now.instant + super::FIGURES_WAIT);
        }
        let fact = Fact { seq: self.state.facts, at: now, what };
        let State { ledger, desk, .. } = &mut self.state;
        let names = super::carry::Known { desk, trunks: &self.settings.sip.trunks };
        ledger.fold(&fact, &names, &mut self.spare.rows);
        out.facts.push(fact);
    }
}
