//! The choice itself, naively: every caller against every agent.

use super::{Agent, Call, Model, Queue};
use pukar::acd::{AgentState, Claim, Effect, Fact, PassedOver, Pick, Strategy, Verdict};
use pukar::base::{AgentId, CallId, Instant, QueueId};
use std::cmp::Reverse;
use std::time::Duration;

impl Call {
    /// Emergencies, the higher priority, the earlier arrival.
    pub fn place(&self) -> (bool, Reverse<u8>, Instant, CallId) {
        let priority = if self.emergency { 9 } else { self.priority };
        (!self.emergency, Reverse(priority), self.arrived, self.id)
    }

    fn claim(&self, now: Instant, queue: &Queue) -> Claim {
        if self.emergency {
            Claim::Emergency
        } else if now.0 >= self.arrived.0 + queue.settings.aging.as_micros() as u64 {
            Claim::Aged
        } else {
            Claim::Weighed(Reverse(queue.settings.weight), Reverse(self.priority))
        }
    }
}

impl Model {
    fn queue_of(&self, call: &Call) -> &Queue {
        self.queues.iter().find(|queue| queue.id == call.queue).unwrap()
    }

    /// The level and the languages asked for when the call was last looked at.
    fn need(&self, call: &Call) -> (u8, Vec<String>) {
        let settings = &self.queue_of(call).settings;
        if call.emergency {
            let levels = settings.relax.iter().map(|r| r.level).chain([settings.level]);
            return (levels.min().unwrap(), Vec::new());
        }
        let waited = call.looked.since(call.joined);
        let mut level = settings.level;
        for step in &settings.relax {
            if step.after <= waited {
                level = level.min(step.level);
            }
        }
        let mut languages = Vec::new();
        let mut let_in = Duration::ZERO;
        for language in &call.languages {
            if let_in <= waited {
                languages.push(language.clone());
            }
            let_in += settings.language_after;
        }
        if let_in <= waited {
            languages.clear();
        }
        languages.sort();
        languages.dedup();
        (level, languages)
    }

    /// When what is asked for changes next.
    pub fn next_look(&self, call: &Call) -> Option<Instant> {
        let settings = &self.queue_of(call).settings;
        let mut times = Vec::new();
        if !call.emergency {
            times.extend(settings.relax.iter().map(|step| call.joined + step.after));
            let spans = (1..).zip(&call.languages).map(|(n, _)| settings.language_after * n);
            times.extend(spans.map(|span| call.joined + span));
        }
        times.extend(call.held.map(|_| call.joined + settings.sticky));
        times.into_iter().filter(|&at| at > call.looked).min()
    }

    pub fn meets(&self, agent: &Agent, call: &Call) -> bool {
        if !self.queues.iter().any(|queue| queue.id == call.queue) {
            return false;
        }
        let (level, languages) = self.need(call);
        agent.is_able(&self.queue_of(call).settings, level) && agent.speaks(&languages)
    }

    pub fn look(&mut self, now: Instant, id: CallId) {
        let c = self.calls.iter().position(|c| c.id == id).unwrap();
        self.calls[c].looked = now;
        let call = &self.calls[c];
        let until = call.joined + self.queue_of(call).settings.sticky;
        let held = call.held.filter(|&held| {
            let agent = self.agents.iter().find(|a| a.id == held);
            let there = agent.is_some_and(|a| a.on_duty() && self.meets(a, call));
            !call.emergency && now < until && there
        });
        self.calls[c].held = held;
    }

    /// An offer failed, or an answer came to nothing.
    pub fn note_miss(&mut self, now: Instant, id: CallId, agent: AgentId) {
        let Some(call) = self.calls.iter_mut().find(|c| c.id == id) else { return };
        if !call.tried.contains(&agent) {
            call.tried.push(agent);
        }
        call.held = call.held.filter(|&held| held != agent);
        if !self.agents.iter().any(|a| a.rings_for(id)) {
            self.look(now, id);
        }
    }

    pub fn free(&self, call: &Call) -> Vec<usize> {
        let fits = |a: &Agent| {
            a.state() == AgentState::Ready
                && call.held.is_none_or(|held| held == a.id)
                && self.meets(a, call)
        };
        let mut free: Vec<usize> =
            (0..self.agents.len()).filter(|&i| fits(&self.agents[i])).collect();
        let strategy = self.queue_of(call).settings.strategy;
        free.sort_by_key(|&i| {
            let agent = &self.agents[i];
            let count = match strategy {
                Strategy::LongestIdle | Strategy::RingAll => 0,
                Strategy::FewestCalls => agent.calls,
                Strategy::LeastTalkTime => agent.talked.as_micros() as u64,
                Strategy::Ordered => agent.order as u64,
                Strategy::RoundRobin | Strategy::Random => return (0, Instant(0), agent.id),
            };
            (count, agent.idle, agent.id)
        });
        free
    }

    /// The best caller for whom there is anybody, and who rings for that caller.
    pub fn best_offer(&mut self, now: Instant) -> Option<(CallId, Vec<usize>)> {
        let mut best = None;
        for call in self.calls.iter().filter(|c| c.talks.is_none()) {
            let queue = self.queue_of(call);
            let rings = self.agents.iter().any(|a| a.rings_for(call.id));
            if rings && queue.settings.strategy != Strategy::RingAll || self.free(call).is_empty() {
                continue;
            }
            let rank = (rings, call.claim(now, queue), call.arrived, call.id);
            if best.as_ref().is_none_or(|first| rank < *first) {
                best = Some(rank);
            }
        }
        let (_, claim, _, id) = best?;
        let c = self.calls.iter().position(|c| c.id == id).unwrap();
        let mut call = self.calls.remove(c);
        let free = self.free(&call);
        let chosen = self.choose(&mut call, &free);
        let pick = self.account(&call, claim, &free, &chosen);
        self.went_round(call.queue, self.agents[*chosen.last().unwrap()].id);
        self.calls.insert(c, call);
        self.out.push(Effect::Fact(Fact::Picked(Box::new(pick))));
        Some((id, chosen))
    }

    /// Nobody, where nobody is free.
    pub fn choose(&mut self, call: &mut Call, free: &[usize]) -> Vec<usize> {
        let Some(&first) = free.first() else { return Vec::new() };
        let untried = |&i: &usize| !call.tried.contains(&self.agents[i].id);
        let mut rest: Vec<usize> = free.iter().copied().filter(untried).collect();
        let queue = self.queue_of(call);
        match queue.settings.strategy {
            Strategy::RingAll => free.to_vec(),
            Strategy::LongestIdle => vec![first],
            Strategy::RoundRobin => {
                let later = free.iter().find(|&&i| Some(self.agents[i].id) > queue.last);
                vec![*later.unwrap_or(&first)]
            }
            strategy => {
                if rest.is_empty() {
                    call.tried.clear();
                    rest = free.to_vec();
                }
                match strategy {
                    Strategy::Random => vec![rest[self.rng.below(rest.len() as u64) as usize]],
                    _ => vec![rest[0]],
                }
            }
        }
    }

    pub fn went_round(&mut self, queue: QueueId, agent: AgentId) {
        for queue in self.queues.iter_mut().filter(|q| q.id == queue) {
            if queue.settings.strategy == Strategy::RoundRobin {
                queue.last = Some(agent);
            }
        }
    }

    pub fn account(&self, call: &Call, claim: Claim, free: &[usize], chosen: &[usize]) -> Pick {
        let queue = self.queue_of(call);
        let (level, languages) = self.need(call);
        let mut agents: Vec<(AgentId, Verdict)> =
            chosen.iter().map(|&i| (self.agents[i].id, Verdict::Chosen)).collect();
        for &i in free.iter().filter(|i| !chosen.contains(i)) {
            let id = self.agents[i].id;
            let tried = call.tried.contains(&id);
            agents.push((id, if tried { Verdict::Tried } else { Verdict::Behind }));
        }
        let mut others: Vec<&Agent> =
            self.agents.iter().filter(|a| a.serves(&queue.settings)).collect();
        others.retain(|a| !agents.iter().any(|(id, _)| *id == a.id));
        others.sort_by_key(|a| a.id);
        agents.extend(others.iter().map(|a| {
            let verdict = match a.state() {
                AgentState::Off => Verdict::Off,
                AgentState::Paused { .. } => Verdict::Paused,
                AgentState::Unreachable => Verdict::Unreachable,
                AgentState::Resting => Verdict::Resting,
                AgentState::Offered { .. } => Verdict::Offered,
                AgentState::Talking { .. } => Verdict::Talking,
                AgentState::WrapUp { .. } => Verdict::WrapUp,
                AgentState::OwnCall { .. } => Verdict::OwnCall,
                AgentState::Ready if !a.is_able(&queue.settings, level) => Verdict::Level,
                AgentState::Ready if !a.speaks(&languages) => Verdict::Language,
                AgentState::Ready => Verdict::NotTheSame,
            };
            (a.id, verdict)
        }));
        let callers = self.passed_over(call, chosen[0]);
        Pick {
            call: call.id,
            queue: call.queue,
            strategy: queue.settings.strategy,
            claim,
            level,
            languages,
            agents,
            others: Vec::new(),
            callers,
            more_callers: 0,
        }
    }

    fn passed_over(&self, served: &Call, chosen: usize) -> Vec<(CallId, PassedOver)> {
        let agent = &self.agents[chosen];
        let waits = |c: &&Call| {
            c.talks.is_none()
                && c.queue == served.queue
                && c.place() < served.place()
                && !self.agents.iter().any(|a| a.rings_for(c.id))
        };
        let mut before: Vec<&Call> = self.calls.iter().filter(waits).collect();
        before.sort_by_key(|c| c.place());
        let why = |c: &&Call| match c.held {
            Some(held) if held != agent.id => PassedOver::HeldFor(held),
            Some(_) => PassedOver::Aged,
            None if !agent.is_able(&self.queue_of(c).settings, self.need(c).0) => PassedOver::Level,
            None if !agent.speaks(&self.need(c).1) => PassedOver::Language,
            None => PassedOver::Aged,
        };
        before.iter().map(|c| (c.id, why(c))).collect()
    }

    /// The number in the line: how many unanswered callers would go before.
    pub fn position(&self, now: Instant, id: CallId) -> Option<usize> {
        let call = self.calls.iter().find(|c| c.id == id && c.talks.is_none())?;
        let rank = |c: &Call| (c.claim(now, self.queue_of(c)), c.arrived, c.id);
        let line = self.calls.iter().filter(|c| c.queue == call.queue && c.talks.is_none());
        Some(1 + line.filter(|c| rank(c) < rank(call)).count())
    }

    pub fn estimate(&self, id: QueueId, position: usize) -> Option<Duration> {
        let queue = self.queues.iter().find(|queue| queue.id == id)?;
        let last: Vec<&Duration> = queue.handled.iter().rev().take(16).collect();
        let on_duty = self.agents.iter().filter(|a| a.on_duty() && a.serves(&queue.settings));
        let shares = on_duty
            .map(|a| 1_000 / self.queues.iter().filter(|q| a.serves(&q.settings)).count() as u128);
        let agents: u128 = shares.sum();
        if last.len() < 4 || agents == 0 {
            return None;
        }
        let sum: u128 = last.iter().map(|span| span.as_micros()).sum();
        let micros = (position as u128 * sum * 1_000).div_ceil(last.len() as u128 * agents);
        Some(Duration::from_micros(micros as u64))
    }
}
