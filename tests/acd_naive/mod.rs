//! The desk once more, as naively as it can be said: lists, no indexes, and a search through all
//! pairs for every single offer. Slow, and short enough to be seen to be right.

use pukar::acd::{
    AgentSettings, AgentState, Desk, Effect, Fact, Miss, MissedBecause, QueueSettings, Settings,
    Strategy, Wish, Withdrawn,
};
use pukar::base::{AgentId, CallId, Instant, QueueId, Timer};
use std::cmp::Reverse;
use std::time::Duration;

pub struct Agent {
    pub id: AgentId,
    settings: AgentSettings,
    gone: bool,
    registered: bool,
    /// `Ready`, `Off` or `Paused`.
    duty: AgentState,
    /// `Offered`, `Talking` or `WrapUp`.
    busy: Option<AgentState>,
    /// When ringing or wrap-up ends.
    until: Instant,
    rest: Option<Instant>,
    idle: Instant,
    misses: u32,
    last: AgentState,
}

struct Call {
    id: CallId,
    queue: QueueId,
    arrived: Instant,
    joined: Instant,
    max_wait: Option<Instant>,
    talks: Option<(AgentId, Duration)>,
}

pub struct Model {
    pub queues: Vec<(QueueId, QueueSettings)>,
    pub agents: Vec<Agent>,
    calls: Vec<Call>,
    pub out: Vec<Effect>,
}

impl Agent {
    pub fn state(&self) -> AgentState {
        if let Some(busy) = &self.busy {
            busy.clone()
        } else if self.gone {
            AgentState::Off
        } else if self.duty != AgentState::Ready {
            self.duty.clone()
        } else if !self.settings.fixed && !self.registered {
            AgentState::Unreachable
        } else if self.rest.is_some() {
            AgentState::Resting
        } else {
            AgentState::Ready
        }
    }

    fn rings_for(&self, call: CallId) -> bool {
        self.busy == Some(AgentState::Offered { call })
    }

    fn has_skills_of(&self, queue: &QueueSettings) -> bool {
        !self.gone && queue.skills.iter().all(|skill| self.settings.skills.contains(skill))
    }
}

impl Model {
    pub fn new() -> Self {
        Self { queues: Vec::new(), agents: Vec::new(), calls: Vec::new(), out: Vec::new() }
    }

    pub fn call_of(&self, agent: AgentId) -> Option<CallId> {
        match self.agents.iter().find(|a| a.id == agent)?.busy {
            Some(AgentState::Offered { call } | AgentState::Talking { call }) => Some(call),
            _ => None,
        }
    }

    pub fn line(&self, queue: QueueId) -> impl Iterator<Item = CallId> {
        let in_line = self.calls.iter().filter(|c| c.queue == queue && c.talks.is_none());
        let mut line: Vec<_> = in_line.map(|c| (c.arrived, c.id)).collect();
        line.sort_unstable();
        line.into_iter().map(|(_, call)| call)
    }

    pub fn timers(&self) -> Vec<(Instant, Timer)> {
        let mut timers = Vec::new();
        for call in &self.calls {
            timers.extend(call.max_wait.map(|at| (at, Timer::MaxWait(call.id))));
        }
        for agent in &self.agents {
            timers.extend(agent.rest.map(|at| (at, Timer::Rest(agent.id))));
            match agent.busy {
                Some(AgentState::Offered { call }) => {
                    timers.push((agent.until, Timer::RingTimeout(call, agent.id)));
                }
                Some(AgentState::WrapUp { .. }) => {
                    timers.push((agent.until, Timer::WrapUp(agent.id)));
                }
                _ => {}
            }
        }
        timers
    }

    pub fn join(&mut self, now: Instant, id: CallId, queue: QueueId, arrived: Instant) {
        let known = self.calls.iter().find(|c| c.id == id);
        if known.is_some_and(|c| c.queue == queue && c.talks.is_none()) {
            return;
        }
        let arrived = known.map_or(arrived, |c| c.arrived);
        self.take_out(now, id);
        let Some(settings) = self.queue(queue) else {
            self.out.push(Effect::Expired { call: id, queue });
            return self.finish(now);
        };
        let max_wait = Some(now + settings.max_wait).filter(|_| !settings.max_wait.is_zero());
        self.calls.push(Call { id, queue, arrived, joined: now, max_wait, talks: None });
        self.out.push(Effect::Fact(Fact::Queued { call: id, queue }));
        self.finish(now);
    }

    pub fn leave(&mut self, now: Instant, call: CallId) {
        self.take_out(now, call);
        self.finish(now);
    }

    pub fn released(&mut self, now: Instant, call: CallId, agent: AgentId) {
        if self.calls.iter().any(|c| c.id == call && c.talks.is_some_and(|(a, _)| a == agent)) {
            self.leave(now, call);
        }
    }

    pub fn answered(&mut self, now: Instant, call: CallId, agent: AgentId) -> bool {
        let Some(caller) = self.calls.iter().position(|c| c.id == call) else { return false };
        if let Some((talks, _)) = self.calls[caller].talks {
            return talks == agent;
        }
        if !self.agents.iter().any(|a| a.id == agent && a.rings_for(call)) {
            return false;
        }
        let wrap_up = self.queue(self.calls[caller].queue).unwrap().wrap_up;
        self.calls[caller].talks = Some((agent, wrap_up));
        self.calls[caller].max_wait = None;
        self.out.push(Effect::Fact(Fact::Taken { call, agent }));
        for i in 0..self.agents.len() {
            if self.agents[i].id == agent {
                self.agents[i].busy = Some(AgentState::Talking { call });
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
        let talks = self.agents[i].busy == Some(AgentState::Talking { call });
        if !rings && !talks {
            return;
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
                    let bound = (self.calls[c].joined + s.max_wait).max(now + s.ring_for);
                    self.calls[c].talks = None;
                    self.calls[c].max_wait = Some(bound).filter(|_| !s.max_wait.is_zero());
                }
                None => {
                    self.calls.remove(c);
                    self.out.push(Effect::Fact(Fact::Unqueued { call, queue }));
                    self.out.push(Effect::Expired { call, queue });
                }
            }
        }
        self.rest(now, i, settings.as_ref(), miss != Miss::Declined);
        self.finish(now);
    }

    pub fn wish(&mut self, now: Instant, agent: AgentId, wish: Wish) -> bool {
        let Some(i) = self.agents.iter().position(|a| a.id == agent) else { return false };
        let agent = &mut self.agents[i];
        match wish {
            Wish::Ready if agent.duty == AgentState::Ready => {}
            Wish::Ready => {
                agent.misses = 0;
                agent.duty = AgentState::Ready;
            }
            Wish::Pause { reason } => agent.duty = AgentState::Paused { reason },
            Wish::LogOut => agent.duty = AgentState::Off,
            Wish::EndWrapUp => {
                if !matches!(agent.busy, Some(AgentState::WrapUp { .. })) {
                    return false;
                }
                agent.busy = None;
            }
        }
        self.finish(now);
        true
    }

    pub fn reachable(&mut self, now: Instant, agent: AgentId, there: bool) {
        for agent in self.agents.iter_mut().filter(|a| a.id == agent) {
            agent.registered = there;
        }
        self.finish(now);
    }

    pub fn expire(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::RingTimeout(call, agent) => {
                let rings = |a: &Agent| a.id == agent && a.rings_for(call);
                if let Some(i) = self.agents.iter().position(rings) {
                    self.withdraw(i, call, Withdrawn::RingTimeout);
                    let queue = self.calls.iter().find(|c| c.id == call).unwrap().queue;
                    let settings = self.queue(queue).cloned();
                    self.rest(now, i, settings.as_ref(), true);
                }
            }
            Timer::WrapUp(agent) => {
                for a in self.agents.iter_mut().filter(|a| a.id == agent && a.until <= now) {
                    a.busy = a.busy.take().filter(|b| !matches!(b, AgentState::WrapUp { .. }));
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
                    self.take_out(now, call);
                    self.out.push(Effect::Expired { call, queue });
                }
            }
            _ => {}
        }
        self.finish(now);
    }

    /// The ids of new names are taken from the desk.
    pub fn reload(&mut self, now: Instant, settings: &Settings, desk: &Desk) {
        let kept = |name: &str| settings.queues.iter().any(|q| q.name == name);
        let queues = self.queues.iter().filter(|(_, queue)| !kept(&queue.name));
        for queue in queues.map(|&(id, _)| id).collect::<Vec<_>>() {
            for call in self.line(queue).collect::<Vec<_>>() {
                self.take_out(now, call);
                self.out.push(Effect::Expired { call, queue });
            }
        }
        self.refresh(now);
        let queues = settings.queues.iter();
        self.queues = queues.map(|q| (desk.queue_id(&q.name).unwrap(), q.clone())).collect();
        for call in self.calls.iter_mut().filter(|c| c.talks.is_none()) {
            let (_, queue) = self.queues.iter().find(|(id, _)| *id == call.queue).unwrap();
            let bound = (call.joined + queue.max_wait).max(now);
            call.max_wait = Some(bound).filter(|_| !queue.max_wait.is_zero());
        }
        self.agents.iter_mut().for_each(|agent| agent.gone = true);
        for new in &settings.agents {
            if let Some(agent) = self.agents.iter_mut().find(|a| a.settings.id == new.id) {
                agent.gone = false;
                agent.settings = new.clone();
                continue;
            }
            self.agents.push(Agent {
                id: desk.agent_id(&new.id).unwrap(),
                settings: new.clone(),
                gone: false,
                registered: false,
                duty: if new.ready { AgentState::Ready } else { AgentState::Off },
                busy: None,
                until: now,
                rest: None,
                idle: now,
                misses: 0,
                last: AgentState::Off,
            });
        }
        self.finish(now);
    }

    fn queue(&self, queue: QueueId) -> Option<&QueueSettings> {
        self.queues.iter().find(|(id, _)| *id == queue).map(|(_, settings)| settings)
    }

    fn withdraw(&mut self, i: usize, call: CallId, why: Withdrawn) {
        let agent = self.agents[i].id;
        self.agents[i].busy = None;
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
            if let Some((agent, wrap_up)) = caller.talks
                && self.agents[i].id == agent
            {
                self.agents[i].misses = 0;
                self.agents[i].until = now + wrap_up;
                let wraps = !wrap_up.is_zero();
                self.agents[i].busy = wraps.then_some(AgentState::WrapUp { call });
            }
        }
    }

    fn rest(&mut self, now: Instant, i: usize, queue: Option<&QueueSettings>, counts: bool) {
        let agent = &mut self.agents[i];
        let rest = queue.map_or(Duration::ZERO, |q| q.rest).max(Duration::from_millis(100));
        agent.rest = Some(now + rest);
        agent.misses += u32::from(counts);
        let limit = queue.map_or(0, |q| q.pause_after);
        if counts && limit > 0 && agent.misses >= limit && agent.duty == AgentState::Ready {
            let s = if agent.misses == 1 { "" } else { "s" };
            agent.duty = AgentState::Paused { reason: format!("missed {} call{s}", agent.misses) };
        }
    }

    /// What follows from any change: offers to those who may not ring any more are withdrawn, idle
    /// clocks start, the gone go, and everybody who can be served is served.
    fn finish(&mut self, now: Instant) {
        for i in 0..self.agents.len() {
            let Some(AgentState::Offered { call }) = self.agents[i].busy else { continue };
            let agent = &self.agents[i];
            let queue = self.calls.iter().find(|c| c.id == call).unwrap().queue;
            let settings = self.queue(queue).cloned();
            let may = agent.duty == AgentState::Ready
                && (agent.settings.fixed || agent.registered)
                && settings.as_ref().is_some_and(|q| agent.has_skills_of(q));
            if !may {
                self.withdraw(i, call, Withdrawn::AgentGone);
                self.rest(now, i, settings.as_ref(), false);
            }
        }
        self.refresh(now);
        self.agents.retain(|a| !a.gone || a.busy.is_some());
        while let Some((call, agents)) = self.best_offer() {
            for i in agents {
                let c = self.calls.iter().find(|c| c.id == call).unwrap();
                self.agents[i].until = now + self.queue(c.queue).unwrap().ring_for;
                self.agents[i].busy = Some(AgentState::Offered { call });
                let agent = self.agents[i].id;
                self.out.push(Effect::Offer { call, agent });
                self.out.push(Effect::Fact(Fact::Offered { call, agent }));
            }
        }
        self.refresh(now);
    }

    fn refresh(&mut self, now: Instant) {
        for agent in &mut self.agents {
            let state = agent.state();
            let rang = matches!(agent.last, AgentState::Offered { .. });
            if state == AgentState::Ready && agent.last != AgentState::Ready && !rang {
                agent.idle = now;
            }
            agent.last = state;
        }
    }

    /// The best caller for whom there is anybody, and who rings for that caller.
    fn best_offer(&self) -> Option<(CallId, Vec<usize>)> {
        let mut best = None;
        for call in self.calls.iter().filter(|c| c.talks.is_none()) {
            let queue = self.queue(call.queue).unwrap();
            let rings = self.agents.iter().any(|a| a.rings_for(call.id));
            if rings && queue.strategy == Strategy::LongestIdle {
                continue;
            }
            let fits = |a: &Agent| a.state() == AgentState::Ready && a.has_skills_of(queue);
            let mut agents: Vec<usize> =
                (0..self.agents.len()).filter(|&i| fits(&self.agents[i])).collect();
            agents.sort_unstable_by_key(|&i| (self.agents[i].idle, self.agents[i].id));
            if queue.strategy == Strategy::LongestIdle {
                agents.truncate(1);
            }
            let rank = (rings, Reverse(queue.weight), call.arrived, call.id);
            let better = best.as_ref().is_none_or(|(first, _)| rank < *first);
            if better && !agents.is_empty() {
                best = Some((rank, agents));
            }
        }
        best.map(|((.., call), agents)| (call, agents))
    }
}
