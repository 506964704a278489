//! The moves that inputs are made of: out of the line and back, off an offer, into a rest.
//!
//! Each keeps both sides of a pair, their timers and the ordered sets in step.

use super::agent::{Agent, Duty, Presence, Task};
use super::caller::{Caller, Stage};
use super::desk::{Desk, Turn};
use super::queue::{LaneAt, Queue};
use super::{
    AgentState, Away, Effect, Fact, Instead, Miss, MissedBecause, QueueSettings, Withdrawn,
    strategy,
};
use crate::base::{AgentId, CallId, Instant, QueueId, Slab, Timer, limits};
use std::time::Duration;

impl Desk {
    /// Takes a call out of the desk and frees whoever rang for it or talked.
    pub(super) fn remove(&mut self, turn: &mut Turn<'_, '_>, call: CallId) -> Option<Caller> {
        let mut caller = self.callers.remove(&call)?;
        turn.cx.timers.cancel(Timer::MaxWait(call));
        self.unlist(turn, &mut caller);
        let queue = caller.queue;
        match &caller.stage {
            Stage::Waiting => turn.fact(Fact::Unqueued { call, queue }),
            Stage::Offered(agents) => {
                turn.fact(Fact::Unqueued { call, queue });
                for &agent in agents {
                    let why = MissedBecause::Withdrawn(Withdrawn::CallerGone);
                    self.drop_offer(turn, call, agent, why);
                    self.settle(turn, agent);
                }
            }
            &Stage::Talking { agent, wrap_up } => self.part(turn, &caller, agent, wrap_up),
        }
        Some(caller)
    }

    /// The desk lets go of a call that nobody answered; the core decides what becomes of it.
    pub(super) fn give_up(&mut self, turn: &mut Turn<'_, '_>, call: CallId, why: Away) {
        let Some(caller) = self.remove(turn, call) else { return };
        let settings = self.queues.get(caller.queue).map(|queue| &queue.settings);
        let instead = match settings {
            Some(settings) if why == Away::Expired => settings.when_expired,
            Some(_) | None => Instead::Refuse,
        };
        self.turn_away(turn, (call, caller.queue), (why, instead));
    }

    /// An offer ended without an answer through this agent, who rests now.
    pub(super) fn miss(
        &mut self,
        turn: &mut Turn<'_, '_>,
        call: CallId,
        agent: AgentId,
        why: MissedBecause,
        counts: bool,
    ) {
        self.drop_offer(turn, call, agent, why);
        let Some(caller) = self.callers.get_mut(&call) else { return };
        let queue = caller.queue;
        caller.missed_by(agent);
        if let Stage::Offered(agents) = &mut caller.stage {
            agents.remove(&agent);
            if agents.is_empty() {
                self.line_up(turn, call);
            }
        }
        self.rest(turn, agent, queue, counts);
    }

    /// The agent may not be rung any more: an offer in hand is withdrawn.
    pub(super) fn interrupt(&mut self, turn: &mut Turn<'_, '_>, agent: AgentId) {
        let Some(who) = self.agents.get(agent) else { return };
        let why = MissedBecause::Withdrawn(Withdrawn::AgentGone);
        match who.task {
            Task::Offered(call) if who.withheld() || !self.may_take(agent, call) => {
                self.miss(turn, call, agent, why, false);
            }
            Task::Claimed { call, .. } if who.withheld() => {
                turn.out.push(Effect::Unclaimed { call, agent });
                self.unclaim(turn, call, agent, why);
            }
            Task::Nothing
            | Task::Offered(_)
            | Task::Talking(_)
            | Task::Claimed { .. }
            | Task::Serving { .. }
            | Task::WrapUp { .. }
            | Task::Own(_) => {}
        }
    }

    /// An answer came to nothing: the caller is back in the old place.
    pub(super) fn fall_back(
        &mut self,
        turn: &mut Turn<'_, '_>,
        call: CallId,
        agent: AgentId,
        miss: Miss,
        counts: bool,
    ) {
        let Some(caller) = self.callers.get_mut(&call) else { return };
        caller.missed_by(agent);
        let queue = caller.queue;
        if let Some(who) = self.agents.get_mut(agent) {
            who.task = Task::Nothing;
        }
        turn.fact(Fact::Missed { call, agent, why: MissedBecause::Phone(miss) });
        match self.queues.get(queue).map(|line| line.settings.ring_for) {
            Some(ring_for) => {
                self.line_up(turn, call);
                // The wait is not over through somebody else's failure: one more ring, at least.
                let soonest = turn.now() + ring_for;
                self.arm_max_wait(turn, call, soonest);
            }
            None => {
                self.callers.remove(&call);
                turn.fact(Fact::Unqueued { call, queue });
                self.turn_away(turn, (call, queue), (Away::NoQueue, Instead::Refuse));
            }
        }
        self.rest(turn, agent, queue, counts);
    }

    /// Puts a caller for whom no phone rings into the line, at the place of the first arrival.
    pub(super) fn line_up(&mut self, turn: &mut Turn<'_, '_>, call: CallId) {
        if let Some(caller) = self.callers.get_mut(&call) {
            caller.stage = Stage::Waiting;
            self.reconsider(turn, call);
        }
    }

    /// Sets the end of the wait, counted from joining this queue, but not before `soonest`.
    pub(super) fn arm_max_wait(&mut self, turn: &mut Turn<'_, '_>, call: CallId, soonest: Instant) {
        let Some(caller) = self.callers.get(&call) else { return };
        let max_wait = self.max_wait(caller);
        if max_wait.is_zero() {
            turn.cx.timers.cancel(Timer::MaxWait(call));
        } else {
            turn.cx.timers.set(Timer::MaxWait(call), (caller.joined + max_wait).max(soonest));
        }
    }

    /// Zero: without end. Nobody hangs up on an emergency because it has waited for too long; it
    /// may be sent on, or back.
    pub(super) fn max_wait(&self, caller: &Caller) -> Duration {
        let settings = self.queues.get(caller.queue).map(|queue| &queue.settings);
        let ends = |settings: &&QueueSettings| {
            caller.place.ordinary || caller.lent || settings.when_expired == Instead::Overflow
        };
        let own = settings.filter(ends).map_or(Duration::ZERO, |settings| settings.max_wait);
        caller.keep.unwrap_or(own)
    }

    /// The agent's half of an offer that is over. The caller's half and `settle` are not done here.
    pub(super) fn drop_offer(
        &mut self,
        turn: &mut Turn<'_, '_>,
        call: CallId,
        agent: AgentId,
        why: MissedBecause,
    ) {
        turn.cx.timers.cancel(Timer::RingTimeout(call, agent));
        if let Some(who) = self.agents.get_mut(agent) {
            who.task = Task::Nothing;
        }
        if let MissedBecause::Withdrawn(why) = why {
            self.stops(agent, call);
            turn.out.push(Effect::Withdraw { call, agent, why });
        }
        turn.fact(Fact::Missed { call, agent, why });
    }

    /// The agent's phones have been told to stop, and until they have the agent is offered nobody:
    /// a phone that rings already would say that it is busy.
    pub fn stops(&mut self, agent: AgentId, call: CallId) {
        if let Some(who) = self.agents.get_mut(agent) {
            who.stopping = Some(call);
        }
    }

    /// An offer failed on the agent's side: no further one for a while, and after too many in a
    /// row none until the agent asks for it.
    fn rest(&mut self, turn: &mut Turn<'_, '_>, agent: AgentId, queue: QueueId, counts: bool) {
        let settings = self.queues.get(queue).map(|line| &line.settings);
        let rest = settings.map_or(limits::REST_MIN, |s| s.rest.max(limits::REST_MIN));
        let pause_after = settings.map_or(0, |s| s.pause_after);
        let Some(who) = self.agents.get_mut(agent) else { return };
        let until = turn.now() + rest;
        who.rest_until = Some(until);
        turn.cx.timers.set(Timer::Rest(agent), until);
        if counts {
            who.misses = who.misses.saturating_add(1);
            if who.duty == Duty::On && pause_after > 0 && who.misses >= pause_after {
                who.duty = Duty::Paused(who.reason_of_misses());
            }
        }
        self.settle(turn, agent);
    }

    /// A conversation ended well: misses in a row are over, and the after-call work begins.
    fn part(
        &mut self,
        turn: &mut Turn<'_, '_>,
        caller: &Caller,
        agent: AgentId,
        wrap_up: Duration,
    ) {
        let (call, now) = (caller.place.call, turn.now());
        let talked = now.since(caller.answered);
        if let Some(queue) = self.queues.get_mut(caller.queue) {
            queue.note(talked + wrap_up);
        }
        if let Some(key) = &caller.key {
            self.memory.talked(now, key, agent);
        }
        self.end_talk(turn, agent, call, (talked, wrap_up));
    }

    /// A conversation counts, and its notes are written.
    pub(super) fn end_talk(
        &mut self,
        turn: &mut Turn<'_, '_>,
        agent: AgentId,
        call: CallId,
        (talked, wrap_up): (Duration, Duration),
    ) {
        let Some(who) = self.agents.get_mut(agent) else { return };
        who.misses = 0;
        who.calls += 1;
        who.talked += talked.as_micros() as u64;
        self.wrap_up(turn, agent, call, wrap_up);
    }

    /// The notes of a call that is over, where there is a time for them.
    pub(super) fn wrap_up(
        &mut self,
        turn: &mut Turn<'_, '_>,
        agent: AgentId,
        call: CallId,
        span: Duration,
    ) {
        if span.is_zero() {
            return self.set_task(turn, agent, Task::Nothing);
        }
        let until = turn.now() + span;
        turn.cx.timers.set(Timer::WrapUp(agent), until);
        self.set_task(turn, agent, Task::WrapUp { call, until });
    }

    pub(super) fn end_wrap_up(&mut self, turn: &mut Turn<'_, '_>, agent: AgentId) {
        turn.cx.timers.cancel(Timer::WrapUp(agent));
        self.set_task(turn, agent, Task::Nothing);
    }

    pub(super) fn set_task(&mut self, turn: &mut Turn<'_, '_>, agent: AgentId, task: Task) {
        if let Some(who) = self.agents.get_mut(agent) {
            who.task = task;
            if !matches!(task, Task::Claimed { .. } | Task::Serving { .. }) {
                who.asked_by = None;
            }
        }
        self.settle(turn, agent);
    }

    /// Makes an agent's state known after whatever changed it, and keeps the sets of free agents
    /// in step. A retired agent with nothing in hand goes here.
    pub(super) fn settle(&mut self, turn: &mut Turn<'_, '_>, agent: AgentId) {
        self.count_presence(turn, agent);
        let Some(who) = self.agents.get_mut(agent) else { return };
        if who.task == Task::Nothing
            && let Some(call) = who.beside.take()
        {
            who.task = Task::Own(call);
        }
        let state = who.state();
        if state != who.shown {
            let before = std::mem::replace(&mut who.shown, state.clone());
            for &id in &who.serves {
                let Some(queue) = self.queues.get_mut(id) else { continue };
                queue.tally.take(&before);
                queue.tally.add(&state);
            }
            if before == AgentState::Ready {
                withdraw_turn(&mut self.queues, agent, who);
            }
            let idle = matches!(state, AgentState::Ready | AgentState::Offered { .. });
            if idle && !matches!(before, AgentState::Ready | AgentState::Offered { .. }) {
                who.idle_since = turn.now();
            }
            if state == AgentState::Ready {
                take_turn(&mut self.queues, &mut turn.touched, agent, who);
            }
            turn.fact(Fact::Agent { agent, state });
        }
        if who.retired && who.task == Task::Nothing && who.stopping.is_none() {
            turn.cx.timers.cancel(Timer::Rest(agent));
            self.agent_names.remove(&who.name);
            self.fresh.remove(&agent);
            self.agents.remove(agent);
        }
    }

    /// Keeps the queues' counts of who is there in step, and lets go of callers who wait for
    /// somebody who is not to be had.
    fn count_presence(&mut self, turn: &mut Turn<'_, '_>, agent: AgentId) {
        let Some(who) = self.agents.get_mut(agent) else { return };
        let presence = who.present();
        if presence == who.presence {
            return;
        }
        let before = std::mem::replace(&mut who.presence, presence);
        let share = who.share();
        for &id in &who.serves {
            let Some(queue) = self.queues.get_mut(id) else { continue };
            queue.present -= usize::from(queue.counts(before));
            queue.present += usize::from(queue.counts(presence));
            if queue.present == 0 {
                self.deserted.insert(id);
            }
            queue.capacity -= if before == Presence::OnDuty { share } else { 0 };
            queue.capacity += if presence == Presence::OnDuty { share } else { 0 };
        }
        if presence != Presence::OnDuty {
            self.let_go(turn, agent);
        }
    }
}

/// The agent is ready: has a turn in every lane whose callers they may take.
fn take_turn(
    queues: &mut Slab<QueueId, Queue>,
    touched: &mut Vec<(QueueId, LaneAt)>,
    agent: AgentId,
    who: &Agent,
) {
    for &id in &who.serves {
        let Some(queue) = queues.get_mut(id) else { continue };
        queue.ready += 1;
        let turn = strategy::turn(queue.settings.strategy, agent, who);
        if let Some(lane) = queue.held.get_mut(&agent) {
            lane.free.insert(turn);
            touched.push((id, LaneAt::Held(agent)));
        }
    }
    for &(id, number) in &who.lanes {
        let Some(queue) = queues.get_mut(id) else { continue };
        let turn = strategy::turn(queue.settings.strategy, agent, who);
        if let Some(lane) = queue.lanes.get_mut(number as usize) {
            lane.free.insert(turn);
            touched.push((id, LaneAt::Shared(number)));
        }
    }
}

fn withdraw_turn(queues: &mut Slab<QueueId, Queue>, agent: AgentId, who: &Agent) {
    for &id in &who.serves {
        let Some(queue) = queues.get_mut(id) else { continue };
        queue.ready -= 1;
        if let Some(lane) = queue.held.get_mut(&agent) {
            lane.free.clear();
        }
    }
    for &(id, number) in &who.lanes {
        let Some(queue) = queues.get_mut(id) else { continue };
        let turn = strategy::turn(queue.settings.strategy, agent, who);
        if let Some(lane) = queue.lanes.get_mut(number as usize) {
            lane.free.remove(&turn);
        }
    }
}
