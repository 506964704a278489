//! Claims: one agent, asked for by name, past every line. A transfer, a consultation, a pick-up.
//!
//! In: a call and an agent, or a queue of whose agents any will do. Out: the agent rings for it, or
//! why not. The laws of offers hold for claims too: one call at a time, duty, a phone that is
//! there, and no ringing inside a wrap-up. May import: base.

use super::agent::{Duty, Task};
use super::caller::{Caller, key_of};
use super::desk::{Desk, Turn};
use super::queue::{Claim, LaneAt};
use super::{Effect, Fact, Join, MissedBecause, Strategy, Withdrawn, strategy};
use crate::base::{AgentId, CallId, Cx, QueueId, Timer};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Why an agent cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unfree {
    UnknownAgent,
    LoggedOut,
    Paused {
        reason: String,
    },
    Unreachable,
    /// Rings or talks.
    Engaged,
    WrapsUp,
    /// Of the queue's agents none is free.
    Nobody,
}

impl std::fmt::Display for Unfree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::UnknownAgent => "there is no such agent",
            Self::LoggedOut => "the agent is logged out",
            Self::Paused { reason } if reason.is_empty() => "the agent is paused",
            Self::Paused { reason } => return write!(f, "the agent is paused: {reason}"),
            Self::Unreachable => "no phone of the agent is there",
            Self::Engaged => "the agent has a call in hand",
            Self::WrapsUp => "the agent is in wrap-up",
            Self::Nobody => "nobody who serves the queue is free",
        })
    }
}

impl Desk {
    /// Has this agent ring for the call, and nobody else; whatever the call is at the desk stays as
    /// it is. The phones' word comes back by `answered` and `missed`, the end by `released`. How
    /// long it rings is for the driver to say. The wrap-up is that of `queue`.
    pub fn claim(
        &mut self,
        cx: &mut Cx<'_>,
        call: CallId,
        agent: AgentId,
        queue: Option<QueueId>,
        out: &mut Vec<Effect>,
    ) -> Result<(), Unfree> {
        let who = self.agents.get(agent).filter(|who| !who.retired).ok_or(Unfree::UnknownAgent)?;
        let notes = match who.task {
            Task::Nothing if who.stopping.is_none() => None,
            // They talk already, on the second call.
            Task::WrapUp { .. } if who.beside.is_some() => return Err(Unfree::Engaged),
            // What they write of is the call that comes back to them.
            Task::WrapUp { call: own, until } if own == call && who.stopping.is_none() => {
                Some(until)
            }
            Task::WrapUp { .. } => return Err(Unfree::WrapsUp),
            Task::Nothing
            | Task::Offered(_)
            | Task::Talking(_)
            | Task::Claimed { .. }
            | Task::Serving { .. }
            | Task::Own(_) => {
                return Err(Unfree::Engaged);
            }
        };
        match &who.duty {
            Duty::On if who.reachable() => {}
            Duty::On => return Err(Unfree::Unreachable),
            Duty::Off => return Err(Unfree::LoggedOut),
            Duty::Paused(reason) => return Err(Unfree::Paused { reason: reason.clone() }),
        }
        let mut turn = Turn::new(cx, out);
        let queue = queue.and_then(|queue| self.queues.get(queue));
        let wrap_up = queue.map_or(Duration::ZERO, |queue| queue.settings.wrap_up);
        turn.fact(Fact::Claimed { call, agent });
        turn.cx.timers.cancel(Timer::WrapUp(agent));
        self.set_task(&mut turn, agent, Task::Claimed { call, wrap_up, notes });
        self.decide(turn);
        Ok(())
    }

    /// The same for whichever agent of this queue would ring for this caller, if one is free.
    /// Nobody waits here: a level or a language that none of the free has is asked for no longer,
    /// in the steps in which it falls for those who wait.
    pub fn claim_any(
        &mut self,
        cx: &mut Cx<'_>,
        (call, queue): (CallId, QueueId),
        join: Join,
        out: &mut Vec<Effect>,
    ) -> Result<AgentId, Unfree> {
        let before = self.callers.get(&call).cloned();
        let mut caller = Caller::new(cx.now.instant, call, queue, join, before);
        let last = caller.key.as_deref().and_then(|key| self.last_agent(queue, key));
        let mut at = cx.now.instant;
        let agent = loop {
            let line = self.queues.get(queue).ok_or(Unfree::Nobody)?;
            let (need, next) = caller.need_at(at, &line.settings);
            let lane = self.shared_lane(queue, &need);
            (caller.need, caller.lane) = (need, lane);
            if let Some(agent) = self.would_ring(cx, queue, &mut caller, last) {
                break agent;
            }
            at = next.ok_or(Unfree::Nobody)?;
        };
        let pick = self.account(queue, &caller, &[agent], Claim::Asked);
        let told = out.len();
        self.claim(cx, call, agent, Some(queue), out)?;
        out.insert(told, Effect::Fact(Fact::Picked(Box::new(pick))));
        if let Some(line) = self.queues.get_mut(queue)
            && line.settings.strategy == Strategy::RoundRobin
        {
            line.last = Some(agent);
        }
        Ok(agent)
    }

    /// The agent of last time, where callers of this queue are kept for theirs; or whom the
    /// strategy chooses.
    fn would_ring(
        &self,
        cx: &mut Cx<'_>,
        queue: QueueId,
        caller: &mut Caller,
        last: Option<AgentId>,
    ) -> Option<AgentId> {
        let line = self.queues.get(queue)?;
        let lane = line.lane(caller.lane)?;
        let is_free = |agent: &AgentId| {
            let who = self.agents.get(*agent);
            let turn = who.map(|who| strategy::turn(line.settings.strategy, *agent, who));
            turn.is_some_and(|turn| lane.free.contains(&turn))
        };
        if let Some(agent) = last.filter(is_free).filter(|_| !line.settings.sticky.is_zero()) {
            caller.lane = LaneAt::Held(agent);
            return Some(agent);
        }
        strategy::choose(line, lane, caller, cx.rng).first().copied()
    }

    /// For whom an agent was asked by name, or has gone over to: it is remembered who talked.
    pub fn asked_for(&mut self, call: CallId, agent: AgentId, caller: &str) {
        let Some(who) = self.agents.get_mut(agent) else { return };
        let (Task::Claimed { call: own, .. } | Task::Serving { call: own, .. }) = who.task else {
            return;
        };
        if own == call {
            who.asked_by = (!caller.is_empty()).then(|| key_of(caller));
        }
    }

    /// The agent talks on in another call, which this one has become part of: no wrap-up between.
    pub fn carry_over(
        &mut self,
        cx: &mut Cx<'_>,
        (from, to): (CallId, CallId),
        agent: AgentId,
        (queue, otherwise): (Option<QueueId>, Duration),
        out: &mut Vec<Effect>,
    ) {
        let mut turn = Turn::new(cx, out);
        let task = self.task(agent);
        let (wrap_up, since) = match task {
            _ if task.call() != Some(from) => return,
            Task::Talking(_) => {
                let Some(caller) = self.callers.remove(&from) else { return };
                turn.cx.timers.cancel(Timer::MaxWait(from));
                (caller.wrap_up(), caller.answered)
            }
            Task::Serving { wrap_up, since, .. } => (wrap_up, since),
            Task::Own(_) => {
                let queue = queue.and_then(|queue| self.queues.get(queue));
                (queue.map_or(otherwise, |queue| queue.settings.wrap_up), turn.now())
            }
            Task::Nothing | Task::Offered(_) | Task::Claimed { .. } | Task::WrapUp { .. } => return,
        };
        self.set_task(&mut turn, agent, Task::Serving { call: to, wrap_up, since });
        self.decide(turn);
    }

    /// The agent's phone, which a colleague has called, rings on for a caller.
    pub fn carry_claim(
        &mut self,
        cx: &mut Cx<'_>,
        (from, to): (CallId, CallId),
        agent: AgentId,
        queue: Option<QueueId>,
        out: &mut Vec<Effect>,
    ) {
        if self.task(agent) != Task::Own(from) || self.is_withheld(agent) {
            return;
        }
        let mut turn = Turn::new(cx, out);
        let queue = queue.and_then(|queue| self.queues.get(queue));
        let wrap_up = queue.map_or(Duration::ZERO, |queue| queue.settings.wrap_up);
        turn.fact(Fact::Claimed { call: to, agent });
        self.set_task(&mut turn, agent, Task::Claimed { call: to, wrap_up, notes: None });
        self.decide(turn);
    }

    /// Whether nobody may have this agent ring for a caller, whatever they are doing.
    pub fn is_withheld(&self, agent: AgentId) -> bool {
        self.agents.get(agent).is_none_or(|who| who.withheld())
    }

    /// The phone of a claimed agent answered.
    pub(super) fn begin_serving(
        &mut self,
        turn: &mut Turn<'_, '_>,
        call: CallId,
        agent: AgentId,
        wrap_up: Duration,
    ) {
        let since = turn.now();
        turn.fact(Fact::Serving { call, agent });
        self.set_task(turn, agent, Task::Serving { call, wrap_up, since });
    }

    /// A claim is over without an answer. Notes that it broke into are written to their end.
    pub(super) fn unclaim(
        &mut self,
        turn: &mut Turn<'_, '_>,
        call: CallId,
        agent: AgentId,
        why: MissedBecause,
    ) {
        if let MissedBecause::Withdrawn(_) = why {
            self.stops(agent, call);
        }
        turn.fact(Fact::Unclaimed { call, agent, why });
        match self.task(agent) {
            Task::Claimed { notes: Some(until), .. } if until > turn.now() => {
                turn.cx.timers.set(Timer::WrapUp(agent), until);
                self.set_task(turn, agent, Task::WrapUp { call, until });
            }
            Task::Nothing
            | Task::Offered(_)
            | Task::Talking(_)
            | Task::Claimed { .. }
            | Task::Serving { .. }
            | Task::WrapUp { .. }
            | Task::Own(_) => self.set_task(turn, agent, Task::Nothing),
        }
    }

    /// The call needs the agent no more, who rings or talks for it.
    pub(super) fn unserve(&mut self, turn: &mut Turn<'_, '_>, call: CallId, agent: AgentId) {
        let task = self.task(agent);
        match task {
            _ if task.call() != Some(call) => {}
            Task::Claimed { .. } => {
                let why = MissedBecause::Withdrawn(Withdrawn::CallerGone);
                self.unclaim(turn, call, agent, why);
            }
            Task::Serving { wrap_up, since, .. } => {
                let talked = turn.now().since(since);
                let by = self.agents.get_mut(agent).and_then(|who| who.asked_by.take());
                if let Some(key) = by {
                    self.memory.served(turn.now(), &key, agent);
                }
                self.end_talk(turn, agent, call, (talked, wrap_up));
            }
            Task::Nothing
            | Task::Offered(_)
            | Task::Talking(_)
            | Task::WrapUp { .. }
            | Task::Own(_) => {}
        }
    }
}
