//! The desk once more, as naively as it can be said: lists, no indexes, and a search through all
//! pairs for every single offer. Slow, and short enough to be seen to be right.

mod agents;
mod claims;
mod hands;
mod matching;
mod memory;
mod phones;

pub use agents::{Agent, Busy};
use memory::Gone;

use pukar::acd::{
    AgentState, Away, Door, Effect, Fact, Instead, Join, Miss, MissedBecause, QueueSettings, Wish,
    Withdrawn,
};
use pukar::base::{AgentId, CallId, Instant, QueueId, Rng, Timer};
use std::time::Duration;

pub struct Call {
    pub id: CallId,
    pub queue: QueueId,
    arrived: Instant,
    joined: Instant,
    keep: Option<Duration>,
    lent: bool,
    max_wait: Option<Instant>,
    talks: Option<(AgentId, Duration, Instant)>,
    emergency: bool,
    priority: u8,
    languages: Vec<String>,
    key: Option<String>,
    line: String,
    held: Option<AgentId>,
    tried: Vec<AgentId>,
    /// When what is asked of an agent was looked at last.
    looked: Instant,
}

pub struct Queue {
    pub id: QueueId,
    pub settings: QueueSettings,
    /// Whom round-robin rang last.
    last: Option<AgentId>,
    handled: Vec<Duration>,
    door: Door,
    /// As the configuration says it; `settings` has what a supervisor says.
    weight: u32,
}

pub struct Model {
    pub queues: Vec<Queue>,
    pub agents: Vec<Agent>,
    pub calls: Vec<Call>,
    gone: Vec<Gone>,
    rng: Rng,
    pub out: Vec<Effect>,
}

fn lowest_level(queue: &QueueSettings) -> u8 {
    queue.relax.iter().map(|r| r.level).chain([queue.level]).min().unwrap()
}

fn missed(calls: u32) -> String {
    format!("missed {calls} call{}", if calls == 1 { "" } else { "s" })
}

impl Model {
    pub fn new() -> Self {
        Self {
            queues: Vec::new(),
            agents: Vec::new(),
            calls: Vec::new(),
            gone: Vec::new(),
            rng: Rng::new(1),
            out: Vec::new(),
        }
    }

    pub fn call_of(&self, agent: AgentId) -> Option<CallId> {
        self.agents.iter().find(|a| a.id == agent)?.busy.map(Busy::call)
    }

    pub fn beside_of(&self, agent: AgentId) -> Option<CallId> {
        self.agents.iter().find(|a| a.id == agent)?.beside
    }

    pub fn line(&self, queue: QueueId) -> impl Iterator<Item = CallId> {
        let in_line = self.calls.iter().filter(|c| c.queue == queue && c.talks.is_none());
        let mut line: Vec<_> = in_line.map(|c| (c.place(), c.id)).collect();
        line.sort_unstable();
        line.into_iter().map(|(_, call)| call)
    }

    pub fn timers(&self) -> Vec<(Instant, Timer)> {
        let mut timers = Vec::new();
        for call in &self.calls {
            timers.extend(call.max_wait.map(|at| (at, Timer::MaxWait(call.id))));
        }
        for queue in &self.queues {
            let waits = self.calls.iter().filter(|c| c.queue == queue.id && c.talks.is_none());
            let next = waits.filter_map(|call| self.next_look(call)).min();
            timers.extend(next.map(|at| (at, Timer::QueueReview(queue.id))));
        }
        for agent in &self.agents {
            timers.extend(agent.rest.map(|at| (at, Timer::Rest(agent.id))));
            match agent.busy {
                Some(Busy::Rings(call)) => {
                    timers.push((agent.until, Timer::RingTimeout(call, agent.id)));
                }
                Some(Busy::WrapsUp(_)) => {
                    timers.push((agent.until, Timer::WrapUp(agent.id)));
                }
                _ => {}
            }
        }
        timers
    }

    /// A caller has said more.
    pub fn amend(&mut self, now: Instant, id: CallId, emergency: bool, languages: &[String]) {
        let rings = self.agents.iter().any(|a| a.rings_for(id));
        let mut urgent = false;
        if let Some(call) = self.calls.iter_mut().find(|c| c.id == id) {
            urgent = emergency && !call.emergency && call.talks.is_none();
            call.emergency |= emergency;
            if !languages.is_empty() && !rings && call.talks.is_none() {
                call.languages = languages.iter().map(|l| format!("lang:{l}")).collect();
            }
            if call.talks.is_none() {
                self.look(now, id);
            }
        }
        if urgent {
            self.bound_wait(id, now);
        }
        self.finish(now);
    }

    pub fn join(&mut self, now: Instant, id: CallId, queue: QueueId, join: Join) {
        let known = self.calls.iter().position(|c| c.id == id);
        if known.is_some_and(|c| self.calls[c].queue == queue && self.calls[c].talks.is_none()) {
            return;
        }
        let (again, lent) = (join.again, join.lent);
        let mut call = self.caller(now, id, queue, join);
        let place = self.place(now, &call).filter(|_| known.is_none());
        let obstacle =
            self.obstacle(&call, lent).filter(|(why, _)| *why == Away::NoQueue || !again);
        let obstacle = obstacle.filter(|(why, _)| *why != Away::Full || place.is_none());
        if obstacle.is_some() && known.is_some_and(|c| self.calls[c].talks.is_none()) {
            return;
        }
        self.take_out(now, id);
        if let Some((why, instead)) = obstacle {
            self.turn_away(id, queue, why, instead);
            return self.finish(now);
        }
        if known.is_none() {
            self.recognise(&mut call, place);
        }
        self.calls.push(call);
        self.bound_wait(id, now);
        self.look(now, id);
        self.out.push(Effect::Fact(Fact::Queued { call: id, queue }));
        self.finish(now);
    }

    /// Somebody who comes, with what is known of them already.
    fn caller(&self, now: Instant, id: CallId, queue: QueueId, join: Join) -> Call {
        let mut call = Call {
            id,
            queue,
            arrived: join.arrived.unwrap_or(now).min(now),
            joined: now,
            keep: join.keep,
            lent: join.lent,
            max_wait: None,
            talks: None,
            emergency: join.emergency,
            priority: join.priority,
            languages: join.languages.iter().map(|l| format!("lang:{l}")).collect(),
            key: join.caller,
            line: join.line,
            held: join.agent,
            tried: Vec::new(),
            looked: now,
        };
        if let Some(before) = self.calls.iter().find(|c| c.id == id) {
            call.arrived = before.arrived;
            call.emergency |= before.emergency;
            call.priority = call.priority.max(before.priority);
            if call.languages.is_empty() {
                call.languages = before.languages.clone();
            }
            call.key = call.key.or(before.key.clone());
            if call.line.is_empty() {
                call.line = before.line.clone();
            }
        }
        call
    }

    /// How long a caller waits, counted from joining; not less than until `soonest`.
    fn bound_wait(&mut self, id: CallId, soonest: Instant) {
        let c = self.calls.iter().position(|c| c.id == id).unwrap();
        let call = &self.calls[c];
        let queue = self.queue(call.queue).filter(|queue| {
            !call.emergency || call.lent || queue.when_expired == Instead::Overflow
        });
        let queue = queue.map_or(Duration::ZERO, |queue| queue.max_wait);
        let span = call.keep.unwrap_or(queue);
        let bound = (call.joined + span).max(soonest);
        self.calls[c].max_wait = Some(bound).filter(|_| !span.is_zero());
    }

    /// Why a queue does not take whoever comes. `lent`: has a place elsewhere, and is not taken
    /// where nobody would serve them, however urgent it is.
    fn obstacle(&self, call: &Call, lent: bool) -> Option<(Away, Instead)> {
        let sure = call.emergency || call.keep.is_some();
        let Some(queue) = self.queues.iter().find(|queue| queue.id == call.queue) else {
            return Some((Away::NoQueue, Instead::Refuse));
        };
        if let Some(obstacle) = self.closed(queue, sure) {
            return Some(obstacle);
        }
        match queue.door {
            _ if !lent => None,
            Door::Shut | Door::Onward => Some((Away::Shut, Instead::Refuse)),
            Door::Open if self.is_staffed(queue) => None,
            Door::Open => Some((Away::Unstaffed, Instead::Refuse)),
        }
    }

    fn closed(&self, queue: &Queue, sure: bool) -> Option<(Away, Instead)> {
        let settings = &queue.settings;
        if sure {
            return None;
        }
        if queue.door == Door::Shut {
            return Some((Away::Shut, settings.when_unstaffed.unwrap_or_default()));
        }
        if let (false, Some(instead)) = (self.is_staffed(queue), settings.when_unstaffed) {
            return Some((Away::Unstaffed, instead));
        }
        let limit = settings.max_callers as usize;
        let full = limit > 0 && self.line(queue.id).count() >= limit;
        full.then_some((Away::Full, settings.when_full))
    }

    fn is_staffed(&self, queue: &Queue) -> bool {
        let counts = |a: &Agent| a.on_duty() || a.is_there() && queue.settings.paused_is_staff;
        self.agents.iter().any(|a| counts(a) && a.serves(&queue.settings))
    }

    pub fn turns_away(&self, queue: QueueId, sure: bool) -> Option<Away> {
        let queue = self.queues.iter().find(|known| known.id == queue)?;
        self.closed(queue, sure).map(|(why, _)| why)
    }

    fn turn_away(&mut self, call: CallId, queue: QueueId, why: Away, instead: Instead) {
        self.out.push(Effect::Fact(Fact::TurnedAway { call, queue, why, instead }));
        self.out.push(Effect::TurnedAway { call, queue, why, instead });
    }

    pub fn leave(&mut self, now: Instant, call: CallId) {
        let waits = self.calls.iter().find(|c| c.id == call && c.talks.is_none());
        if let Some(c) = waits {
            let (key, place) = (c.key.clone(), (c.line.clone(), c.arrived, c.emergency));
            self.remember(now, key, Some(place), None);
        }
        self.take_out(now, call);
        self.finish(now);
    }

    pub fn released(&mut self, now: Instant, call: CallId, agent: AgentId) {
        match self.agents.iter().find(|a| a.id == agent).and_then(|a| a.busy) {
            Some(Busy::Talks(own)) if own == call => self.leave(now, call),
            _ => self.unserve(now, call, agent),
        }
    }

    pub fn answered(&mut self, now: Instant, call: CallId, agent: AgentId) -> bool {
        let Some(i) = self.agents.iter().position(|a| a.id == agent) else { return false };
        let waits = self.calls.iter().position(|c| c.id == call && c.talks.is_none());
        let who = &mut self.agents[i];
        let paused = who.duty == (AgentState::Paused { reason: missed(who.misses) });
        match who.busy {
            Some(Busy::Talks(own) | Busy::Serves(own, ..)) => return own == call,
            Some(Busy::Asked(own, wrap_up)) if own == call => {
                who.busy = Some(Busy::Serves(call, wrap_up, now));
                self.out.push(Effect::Fact(Fact::Serving { call, agent }));
                self.finish(now);
                return true;
            }
            Some(Busy::Rings(own)) if own == call => {}
            // The answer crossed the withdrawal.
            None if waits.is_some() && !who.gone && (who.duty == AgentState::Ready || paused) => {
                who.duty = AgentState::Ready;
                who.misses = who.misses.saturating_sub(1);
            }
            _ => return false,
        }
        let caller = waits.unwrap();
        let wrap_up = self.queue(self.calls[caller].queue).unwrap().wrap_up;
        self.calls[caller].talks = Some((agent, wrap_up, now));
        self.calls[caller].tried.clear();
        self.calls[caller].max_wait = None;
        self.out.push(Effect::Fact(Fact::Taken { call, agent }));
        for i in 0..self.agents.len() {
            if self.agents[i].id == agent {
                self.agents[i].busy = Some(Busy::Talks(call));
            } else if self.agents[i].rings_for(call) {
                self.withdraw(i, call, Withdrawn::AnsweredElsewhere);
            }
        }
        self.finish(now);
        true
    }

    pub fn missed(&mut self, now: Instant, call: CallId, agent: AgentId, miss: Miss) {
        let Some(i) = self.agents.iter().position(|a| a.id == agent) else { return };
        let rings = self.agents[i].rings_for(call);
        let talks = self.agents[i].busy == Some(Busy::Talks(call));
        match self.agents[i].busy {
            Some(Busy::Asked(own, _) | Busy::Serves(own, ..)) if own == call => {
                return self.unclaim(now, i, MissedBecause::Phone(miss));
            }
            _ if !rings && !talks => return,
            _ => {}
        }
        self.agents[i].busy = None;
        let why = MissedBecause::Phone(miss);
        self.out.push(Effect::Fact(Fact::Missed { call, agent, why }));
        let c = self.calls.iter().position(|c| c.id == call).unwrap();
        let queue = self.calls[c].queue;
        let settings = self.queue(queue).cloned();
        if talks {
            match &settings {
                Some(s) => {
                    self.calls[c].talks = None;
                    self.bound_wait(call, now + s.ring_for);
                }
                None => {
                    self.calls.remove(c);
                    self.out.push(Effect::Fact(Fact::Unqueued { call, queue }));
                    self.turn_away(call, queue, Away::NoQueue, Instead::Refuse);
                }
            }
        }
        self.note_miss(now, call, agent);
        self.rest(now, i, settings.as_ref(), miss != Miss::Declined);
        self.finish(now);
    }

    pub fn wish(&mut self, now: Instant, agent: AgentId, wish: Wish) -> bool {
        let Some(i) = self.agents.iter().position(|a| a.id == agent) else { return false };
        let agent = &mut self.agents[i];
        if agent.duty == AgentState::Off && matches!(wish, Wish::Ready | Wish::Pause { .. }) {
            (agent.calls, agent.talked) = (0, Duration::ZERO);
        }
        match wish {
            Wish::Ready if agent.duty == AgentState::Ready => {}
            Wish::Ready => {
                agent.misses = 0;
                agent.duty = AgentState::Ready;
            }
            Wish::Pause { reason } => agent.duty = AgentState::Paused { reason },
            Wish::LogOut => {
                agent.duty = AgentState::Off;
                self.end_loans(now, i);
            }
            Wish::EndWrapUp => {
                if !matches!(agent.busy, Some(Busy::WrapsUp(_))) {
                    return false;
                }
                agent.busy = None;
            }
        }
        self.finish(now);
        true
    }

    pub fn expire(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::RingTimeout(call, agent) => {
                let rings = |a: &Agent| a.id == agent && a.rings_for(call);
                if let Some(i) = self.agents.iter().position(rings) {
                    self.withdraw(i, call, Withdrawn::RingTimeout);
                    let queue = self.calls.iter().find(|c| c.id == call).unwrap().queue;
                    let settings = self.queue(queue).cloned();
                    self.note_miss(now, call, agent);
                    self.rest(now, i, settings.as_ref(), true);
                }
            }
            Timer::QueueReview(queue) => {
                let waits = self.calls.iter().filter(|c| c.queue == queue && c.talks.is_none());
                let due = waits.filter(|c| self.next_look(c).is_some_and(|at| at <= now));
                for call in due.map(|c| c.id).collect::<Vec<_>>() {
                    self.look(now, call);
                }
            }
            Timer::WrapUp(agent) => {
                for a in self.agents.iter_mut().filter(|a| a.id == agent && a.until <= now) {
                    a.busy = a.busy.filter(|b| !matches!(b, Busy::WrapsUp(_)));
                }
            }
            Timer::Rest(agent) => {
                for a in self.agents.iter_mut().filter(|a| a.id == agent) {
                    a.rest = a.rest.filter(|&until| until > now);
                }
            }
            Timer::MaxWait(call) => {
                let waits = |c: &&Call| c.id == call && c.talks.is_none();
                if let Some(queue) = self.calls.iter().find(waits).map(|c| c.queue) {
                    let instead = self.queue(queue).unwrap().when_expired;
                    self.take_out(now, call);
                    self.turn_away(call, queue, Away::Expired, instead);
                }
            }
            _ => {}
        }
        self.finish(now);
    }

    fn queue(&self, queue: QueueId) -> Option<&QueueSettings> {
        self.queues.iter().find(|known| known.id == queue).map(|known| &known.settings)
    }

    fn withdraw(&mut self, i: usize, call: CallId, why: Withdrawn) {
        let agent = self.agents[i].id;
        self.agents[i].busy = None;
        self.agents[i].stopping = Some(call);
        self.out.push(Effect::Withdraw { call, agent, why });
        let why = MissedBecause::Withdrawn(why);
        self.out.push(Effect::Fact(Fact::Missed { call, agent, why }));
    }

    fn take_out(&mut self, now: Instant, call: CallId) {
        let Some(c) = self.calls.iter().position(|c| c.id == call) else { return };
        let caller = self.calls.remove(c);
        if caller.talks.is_none() {
            let queue = caller.queue;
            self.out.push(Effect::Fact(Fact::Unqueued { call, queue }));
        }
        for i in 0..self.agents.len() {
            if self.agents[i].rings_for(call) {
                self.withdraw(i, call, Withdrawn::CallerGone);
            }
            if let Some((agent, wrap_up, since)) = caller.talks
                && self.agents[i].id == agent
            {
                self.remember(now, caller.key.clone(), None, Some(agent));
                if let Some(queue) = self.queues.iter_mut().find(|q| q.id == caller.queue) {
                    queue.handled.push(now.since(since) + wrap_up);
                }
                self.end_talk(now, i, (call, wrap_up, since));
            }
        }
    }

    fn end_talk(&mut self, now: Instant, i: usize, talk: (CallId, Duration, Instant)) {
        let (call, wrap_up, since) = talk;
        self.agents[i].calls += 1;
        self.agents[i].talked += now.since(since);
        self.agents[i].misses = 0;
        self.wrap_up(now, i, call, wrap_up);
    }

    fn wrap_up(&mut self, now: Instant, i: usize, call: CallId, span: Duration) {
        self.agents[i].until = now + span;
        self.agents[i].busy = (!span.is_zero()).then_some(Busy::WrapsUp(call));
    }

    fn rest(&mut self, now: Instant, i: usize, queue: Option<&QueueSettings>, counts: bool) {
        let agent = &mut self.agents[i];
        let rest = queue.map_or(Duration::ZERO, |q| q.rest).max(Duration::from_millis(100));
        agent.rest = Some(now + rest);
        agent.misses += u32::from(counts);
        let limit = queue.map_or(0, |q| q.pause_after);
        if counts && limit > 0 && agent.misses >= limit && agent.duty == AgentState::Ready {
            agent.duty = AgentState::Paused { reason: missed(agent.misses) };
        }
    }

    /// What follows from any change: offers to those who may not ring any more are withdrawn, idle
    /// clocks start, the gone go, and everybody who can be served is served.
    fn finish(&mut self, now: Instant) {
        self.second_calls();
        for i in 0..self.agents.len() {
            let agent = &self.agents[i];
            if let Some(Busy::Asked(call, _)) = agent.busy
                && !agent.on_duty()
            {
                self.out.push(Effect::Unclaimed { call, agent: agent.id });
                self.end_claim(now, i, MissedBecause::Withdrawn(Withdrawn::AgentGone));
                continue;
            }
            let Some(Busy::Rings(call)) = agent.busy else { continue };
            let c = self.calls.iter().find(|c| c.id == call).unwrap();
            let settings = self.queue(c.queue).cloned();
            if !agent.on_duty() || !self.meets(agent, c) {
                let agent = agent.id;
                self.withdraw(i, call, Withdrawn::AgentGone);
                self.note_miss(now, call, agent);
                self.rest(now, i, settings.as_ref(), false);
            }
        }
        for c in 0..self.calls.len() {
            let held = self.calls[c].held.filter(|_| self.calls[c].talks.is_none());
            let on_duty = |agent| self.agents.iter().any(|a| a.id == agent && a.on_duty());
            if held.is_some_and(|agent| !on_duty(agent)) {
                self.look(now, self.calls[c].id);
            }
        }
        self.second_calls();
        self.refresh(now);
        self.agents.retain(|a| !a.gone || a.busy.is_some() || a.stopping.is_some());
        while let Some((call, agents)) = self.best_offer(now) {
            for i in agents {
                let c = self.calls.iter().find(|c| c.id == call).unwrap();
                self.agents[i].until = now + self.queue(c.queue).unwrap().ring_for;
                self.agents[i].busy = Some(Busy::Rings(call));
                let agent = self.agents[i].id;
                self.out.push(Effect::Offer { call, agent });
                self.out.push(Effect::Fact(Fact::Offered { call, agent }));
            }
        }
        self.refresh(now);
    }

    /// Whoever has a second call in hand is in it when the first is over.
    fn second_calls(&mut self) {
        for agent in self.agents.iter_mut().filter(|a| a.busy.is_none()) {
            agent.busy = agent.beside.take().map(Busy::Own);
        }
    }

    fn refresh(&mut self, now: Instant) {
        for agent in &mut self.agents {
            let state = agent.state();
            let rang = matches!(agent.last, AgentState::Offered { .. });
            let idle = matches!(state, AgentState::Ready | AgentState::Offered { .. });
            if idle && agent.last != AgentState::Ready && !rang {
                agent.idle = now;
            }
            agent.last = state;
        }
    }
}
