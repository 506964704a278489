//! The desk: what happens to callers and agents, one input at a time.
//!
//! In: callers who join and leave, what phones did, what agents want, timers. Out: offers,
//! withdrawals, facts. Every input ends with `decide`, so nobody eligible is ever idle while an
//! eligible caller waits. Does not know what a phone is. May import: base.

use super::agent::{Agent, Duty, Task};
use super::caller::{Caller, Stage, key_of};
use super::memory::{Left, Memory};
use super::queue::{LaneAt, Queue};
use super::{Away, Effect, Fact, Join, Miss, MissedBecause, Refused, Wish, Withdrawn};
use crate::base::{AgentId, CallId, Cx, Instant, QueueId, Slab, Timer};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Callers, agents and queues, and who rings for whom.
///
/// An offer is named by its call and its agent: whoever drives the desk tells the legs of two
/// offers of the same pair apart, and reports only about the living one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Desk {
    pub(super) queues: Slab<QueueId, Queue>,
    pub(super) agents: Slab<AgentId, Agent>,
    pub(super) callers: BTreeMap<CallId, Caller>,
    pub(super) queue_names: BTreeMap<String, QueueId>,
    pub(super) agent_names: BTreeMap<String, AgentId>,
    pub(super) memory: Memory,
    /// Whom the configuration made what they are, and neither a roster nor a hand since.
    pub(super) fresh: BTreeSet<AgentId>,
    /// Queues from which the last who was there has gone, until somebody asks.
    pub(super) deserted: BTreeSet<QueueId>,
}

/// One input under way: what it was handed, and the lanes in which a match may have come up.
pub(super) struct Turn<'a, 'c> {
    pub cx: &'a mut Cx<'c>,
    pub out: &'a mut Vec<Effect>,
    pub touched: Vec<(QueueId, LaneAt)>,
}

impl<'a, 'c> Turn<'a, 'c> {
    pub fn new(cx: &'a mut Cx<'c>, out: &'a mut Vec<Effect>) -> Self {
        Self { cx, out, touched: Vec::new() }
    }

    pub fn now(&self) -> Instant {
        self.cx.now.instant
    }

    pub fn fact(&mut self, fact: Fact) {
        self.out.push(Effect::Fact(fact));
    }
}

impl Desk {
    /// A caller comes to a queue, or moves to another one. A caller whom the desk knows already
    /// keeps the first arrival, an emergency, the higher priority, and whatever `join` leaves
    /// empty. Joining the queue in which one waits already changes nothing, and neither does one
    /// that would turn away somebody who waits: who has a place keeps it.
    pub fn join(
        &mut self,
        cx: &mut Cx<'_>,
        call: CallId,
        queue: QueueId,
        join: Join,
        out: &mut Vec<Effect>,
    ) {
        let mut turn = Turn::new(cx, out);
        let waits_here = |c: &Caller| c.queue == queue && c.unanswered();
        if self.callers.get(&call).is_some_and(waits_here) {
            return;
        }
        let now = turn.now();
        let before = self.callers.get(&call).cloned();
        let (is_new, waits) = (before.is_none(), before.as_ref().is_some_and(Caller::unanswered));
        let (again, lent) = (join.again, join.lent);
        let mut caller = Caller::new(now, call, queue, join, before);
        let obstacle = self.obstacle(queue, !caller.place.ordinary || caller.keep.is_some());
        let obstacle = obstacle.or_else(|| self.desertion(queue).filter(|_| lent));
        let obstacle = obstacle.filter(|(why, _)| *why == Away::NoQueue || !again);
        // Whoever comes back to a place has been counted before.
        let place = self.place_of(now, &caller).filter(|_| is_new);
        let obstacle = obstacle.filter(|(why, _)| *why != Away::Full || place.is_none());
        if obstacle.is_some() && waits {
            return;
        }
        self.remove(&mut turn, call);
        if let Some(obstacle) = obstacle {
            self.turn_away(&mut turn, (call, queue), obstacle);
        } else {
            if is_new {
                self.recognise(&mut caller, place);
            }
            self.callers.insert(call, caller);
            turn.fact(Fact::Queued { call, queue });
            self.enlist(&mut turn, call);
            self.arm_max_wait(&mut turn, call, now);
        }
        self.decide(turn);
    }

    /// The place that is kept for whoever was on the same line a while ago.
    fn place_of(&self, now: Instant, caller: &Caller) -> Option<Instant> {
        let within = self.queues.get(caller.queue)?.settings.return_within;
        let place = self.memory.place(now, caller.key.as_deref()?, &caller.line, within)?;
        Some(place.arrived)
    }

    /// Whoever was here a while ago has the old place, once, and the agent of last time.
    fn recognise(&mut self, caller: &mut Caller, place: Option<Instant>) {
        let Some(key) = &caller.key else { return };
        if let Some(arrived) = place {
            self.memory.take_place(key);
            caller.place.arrived = caller.place.arrived.min(arrived);
        }
        caller.held = caller.held.or_else(|| self.last_agent(caller.queue, key));
    }

    /// Who talked to this caller last, of those who serve this queue: an operator in one, a
    /// counsellor in the other.
    pub(super) fn last_agent(&self, queue: QueueId, key: &str) -> Option<AgentId> {
        let serves = |agent: &AgentId| {
            self.agents.get(*agent).is_some_and(|who| who.serves.contains(&queue))
        };
        self.memory.agents(key).find(serves)
    }

    /// Somebody who was talked with was cut off: they come back to their place for a while, which
    /// is that of this arrival, and of an emergency or not.
    pub fn cut_off(
        &mut self,
        now: Instant,
        caller: &str,
        line: &str,
        (arrived, emergency): (Instant, bool),
    ) {
        let place = Left { line: line.into(), arrived, emergency };
        self.memory.left(now, &key_of(caller), place);
    }

    /// Whether this call, which comes to a queue, is of somebody who comes back to the place of an
    /// emergency.
    pub fn comes_back_urgent(
        &self,
        now: Instant,
        (call, queue): (CallId, QueueId),
        (caller, line): (&str, &str),
    ) -> bool {
        let settings = self.queue_settings(queue).filter(|_| !self.callers.contains_key(&call));
        let within = settings.map_or(Duration::ZERO, |settings| settings.return_within);
        let place = self.memory.place(now, &key_of(caller), line, within);
        place.is_some_and(|place| place.emergency)
    }

    /// The caller hung up. In conversation this ends it, like `released`.
    /// Whoever has not been answered may come back to the same place for a while.
    pub fn leave(&mut self, cx: &mut Cx<'_>, call: CallId, out: &mut Vec<Effect>) {
        let mut turn = Turn::new(cx, out);
        if let Some(caller) = self.remove(&mut turn, call)
            && caller.unanswered()
            && let Some(key) = &caller.key
        {
            let (line, arrived) = (caller.line.clone(), caller.place.arrived);
            let place = Left { line, arrived, emergency: !caller.place.ordinary };
            self.memory.left(turn.now(), key, place);
        }
        self.decide(turn);
    }

    /// Callers of queues that everybody has left since this was asked last.
    pub fn left_alone(&mut self) -> Vec<CallId> {
        let left = std::mem::take(&mut self.deserted);
        let left = left.into_iter().filter(|queue| self.is_deserted(*queue));
        left.flat_map(|queue| self.line(queue)).collect()
    }

    /// Somebody else serves the caller: their place is nobody's any more.
    pub fn take_out(&mut self, cx: &mut Cx<'_>, call: CallId, out: &mut Vec<Effect>) {
        let mut turn = Turn::new(cx, out);
        self.remove(&mut turn, call);
        self.decide(turn);
    }

    /// A waiting caller has said more: that it is an emergency, or which languages they speak
    /// (none: nothing new). A phone that rings for them goes on ringing.
    pub fn amend(
        &mut self,
        cx: &mut Cx<'_>,
        call: CallId,
        (emergency, languages): (bool, &[String]),
        out: &mut Vec<Effect>,
    ) {
        let mut turn = Turn::new(cx, out);
        if let Some(mut caller) = self.callers.remove(&call) {
            let unanswered = caller.unanswered();
            if unanswered {
                self.unlist(&mut turn, &mut caller);
            }
            let urgent = emergency && caller.place.ordinary;
            caller.amend(emergency, languages);
            self.callers.insert(call, caller);
            if unanswered {
                self.enlist(&mut turn, call);
            }
            if unanswered && urgent {
                let now = turn.now();
                self.arm_max_wait(&mut turn, call, now);
            }
        }
        self.decide(turn);
    }

    /// The phone failed to take the offer. The caller keeps the place, the agent rests.
    ///
    /// After `answered` it means that the answer came to nothing (no ACK, no media, hung up at
    /// once): the caller is back in the old place in the same breath, and all who rang ring again.
    ///
    /// `NoAnswer` and `Unreachable` count towards the automatic pause: in both the agent was
    /// called and cannot be had. `Declined` does not: somebody, or a phone set not to disturb, is
    /// there and said no; the rest bounds how often it is asked.
    pub fn missed(
        &mut self,
        cx: &mut Cx<'_>,
        call: CallId,
        agent: AgentId,
        miss: Miss,
        out: &mut Vec<Effect>,
    ) {
        let mut turn = Turn::new(cx, out);
        let counts = match miss {
            Miss::NoAnswer | Miss::Unreachable => true,
            Miss::Declined => false,
        };
        let task = self.task(agent);
        match task {
            _ if task.call() != Some(call) => {}
            Task::Offered(_) => {
                self.miss(&mut turn, call, agent, MissedBecause::Phone(miss), counts);
            }
            Task::Talking(_) => {
                self.fall_back(&mut turn, call, agent, miss, counts);
            }
            Task::Claimed { .. } | Task::Serving { .. } => {
                self.unclaim(&mut turn, call, agent, MissedBecause::Phone(miss));
            }
            Task::Nothing | Task::WrapUp { .. } | Task::Own(_) => {}
        }
        self.decide(turn);
    }

    /// The phone answered. True: the agent has the call, and nobody else rings for it any more.
    /// False: too late, hang that phone up.
    ///
    /// It is not too late for an agent whose offer was withdrawn a moment ago because it had rung
    /// long enough, while nobody else has answered: the handset was lifted, and the two crossed on
    /// their way. The miss is forgotten, and with it a pause that it brought about.
    pub fn answered(
        &mut self,
        cx: &mut Cx<'_>,
        call: CallId,
        agent: AgentId,
        out: &mut Vec<Effect>,
    ) -> bool {
        let mut turn = Turn::new(cx, out);
        match self.task(agent) {
            Task::Offered(c) if c == call => {}
            Task::Nothing if self.crossed(call, agent) => self.forgive(agent),
            Task::Talking(c) | Task::Serving { call: c, .. } => return c == call,
            Task::Claimed { call: c, wrap_up, .. } if c == call => {
                self.begin_serving(&mut turn, call, agent, wrap_up);
                self.decide(turn);
                return true;
            }
            Task::Nothing
            | Task::Offered(_)
            | Task::Claimed { .. }
            | Task::WrapUp { .. }
            | Task::Own(_) => return false,
        }
        let Some(mut caller) = self.callers.remove(&call) else { return false };
        self.unlist(&mut turn, &mut caller);
        let wrap_up = self.queues.get(caller.queue).map(|queue| queue.settings.wrap_up);
        let talking = Stage::Talking { agent, wrap_up: wrap_up.unwrap_or_default() };
        let before = std::mem::replace(&mut caller.stage, talking);
        caller.answered = turn.now();
        caller.tried.clear();
        self.callers.insert(call, caller);
        turn.cx.timers.cancel(Timer::MaxWait(call));
        turn.cx.timers.cancel(Timer::RingTimeout(call, agent));
        self.set_task(&mut turn, agent, Task::Talking(call));
        turn.fact(Fact::Taken { call, agent });
        if let Stage::Offered(others) = before {
            for other in others.into_iter().filter(|&other| other != agent) {
                let why = MissedBecause::Withdrawn(Withdrawn::AnsweredElsewhere);
                self.drop_offer(&mut turn, call, other, why);
                self.settle(&mut turn, other);
            }
        }
        self.decide(turn);
        true
    }

    /// Whether an answer may still be that of an agent whose offer was withdrawn: they have not
    /// gone, nor said that they want a pause, and nobody else has the caller.
    fn crossed(&self, call: CallId, agent: AgentId) -> bool {
        let here = self.agents.get(agent).is_some_and(|who| match &who.duty {
            Duty::On => !who.retired,
            Duty::Paused(reason) => !who.retired && *reason == who.reason_of_misses(),
            Duty::Off => false,
        });
        here && self.unanswered(call)
    }

    /// The last miss was none.
    fn forgive(&mut self, agent: AgentId) {
        let Some(who) = self.agents.get_mut(agent) else { return };
        if who.duty == Duty::Paused(who.reason_of_misses()) {
            who.duty = Duty::On;
        }
        who.misses = who.misses.saturating_sub(1);
    }

    /// The conversation is over: the call leaves the desk, the agent wraps up. Of an agent who was
    /// claimed only the claim ends.
    pub fn released(
        &mut self,
        cx: &mut Cx<'_>,
        call: CallId,
        agent: AgentId,
        out: &mut Vec<Effect>,
    ) {
        if self.task(agent) == Task::Talking(call) {
            return self.leave(cx, call, out);
        }
        let mut turn = Turn::new(cx, out);
        self.unserve(&mut turn, call, agent);
        self.decide(turn);
    }

    /// The agent was reserved for somebody who could not be reached: the call leaves the desk, and
    /// the agent is free in the same breath, without a wrap-up and without blame.
    pub fn spared(&mut self, cx: &mut Cx<'_>, call: CallId, agent: AgentId, out: &mut Vec<Effect>) {
        let mut turn = Turn::new(cx, out);
        if self.task(agent) == Task::Talking(call)
            && let Some(caller) = self.callers.remove(&call)
        {
            turn.fact(Fact::Unqueued { call, queue: caller.queue });
            self.set_task(&mut turn, agent, Task::Nothing);
        }
        self.decide(turn);
    }

    /// What an agent, a supervisor or the roster wants. It takes effect at once, but for a call in
    /// hand and its wrap-up, which come first; an offer in hand is withdrawn. Only `EndWrapUp`
    /// ends a wrap-up early: not `Ready`, and not a pause and a return.
    pub fn wish(
        &mut self,
        cx: &mut Cx<'_>,
        agent: AgentId,
        wish: Wish,
        out: &mut Vec<Effect>,
    ) -> Result<(), Refused> {
        let mut turn = Turn::new(cx, out);
        let who = self.agents.get_mut(agent).ok_or(Refused::UnknownAgent)?;
        let logs_in = matches!(wish, Wish::Ready | Wish::Pause { .. });
        if logs_in || wish == Wish::LogOut {
            self.fresh.remove(&agent);
        }
        if who.duty == Duty::Off && logs_in {
            (who.calls, who.talked) = (0, 0);
        }
        match wish {
            Wish::Ready => {
                if who.duty != Duty::On {
                    who.misses = 0;
                }
                who.duty = Duty::On;
            }
            Wish::Pause { reason } => who.duty = Duty::Paused(reason),
            Wish::LogOut => {
                who.duty = Duty::Off;
                self.end_loans(&mut turn, agent);
            }
            Wish::EndWrapUp => match who.task {
                Task::WrapUp { .. } => self.end_wrap_up(&mut turn, agent),
                Task::Nothing
                | Task::Offered(_)
                | Task::Talking(_)
                | Task::Claimed { .. }
                | Task::Serving { .. }
                | Task::Own(_) => return Err(Refused::NotInWrapUp),
            },
        }
        self.interrupt(&mut turn, agent);
        self.settle(&mut turn, agent);
        self.decide(turn);
        Ok(())
    }

    /// A phone of the agent registered, or the last one went. A conversation goes on regardless.
    pub fn reachable(
        &mut self,
        cx: &mut Cx<'_>,
        agent: AgentId,
        reachable: bool,
        out: &mut Vec<Effect>,
    ) {
        let mut turn = Turn::new(cx, out);
        let Some(who) = self.agents.get_mut(agent) else { return };
        who.registered = reachable;
        who.silent &= !reachable;
        self.interrupt(&mut turn, agent);
        self.settle(&mut turn, agent);
        self.decide(turn);
    }

    /// No phone of the agent rings any more for a call that was withdrawn or let go. Every
    /// [`Effect::Withdraw`] and every claim that ends unanswered is followed by this.
    pub fn quiet(&mut self, cx: &mut Cx<'_>, agent: AgentId, out: &mut Vec<Effect>) {
        let mut turn = Turn::new(cx, out);
        if let Some(who) = self.agents.get_mut(agent)
            && who.stopping.take().is_some()
        {
            self.settle(&mut turn, agent);
        }
        self.decide(turn);
    }

    /// The agent's phone has fallen silent, or is heard again. `away`: it has been away meanwhile,
    /// so that what it missed is not the agent's doing, nor a pause that the misses brought about.
    pub fn silent(
        &mut self,
        cx: &mut Cx<'_>,
        agent: AgentId,
        (silent, away): (bool, bool),
        out: &mut Vec<Effect>,
    ) {
        let mut turn = Turn::new(cx, out);
        let Some(who) = self.agents.get_mut(agent) else { return };
        who.silent = silent;
        if !silent && away {
            if who.duty == Duty::Paused(who.reason_of_misses()) {
                who.duty = Duty::On;
            }
            who.misses = 0;
        }
        self.interrupt(&mut turn, agent);
        self.settle(&mut turn, agent);
        self.decide(turn);
    }

    /// One of the desk's timers fired. One that nothing waits for any more is ignored.
    pub fn expire(&mut self, cx: &mut Cx<'_>, timer: Timer, out: &mut Vec<Effect>) {
        let mut turn = Turn::new(cx, out);
        let now = turn.now();
        match timer {
            Timer::RingTimeout(call, agent) if self.task(agent) == Task::Offered(call) => {
                let why = MissedBecause::Withdrawn(Withdrawn::RingTimeout);
                self.miss(&mut turn, call, agent, why, true);
            }
            Timer::WrapUp(agent) => {
                if matches!(self.task(agent), Task::WrapUp { until, .. } if until <= now) {
                    self.end_wrap_up(&mut turn, agent);
                }
            }
            Timer::Rest(agent) => {
                if let Some(who) = self.agents.get_mut(agent)
                    && who.rest_until.is_some_and(|until| until <= now)
                {
                    who.rest_until = None;
                    turn.cx.timers.cancel(timer);
                    self.settle(&mut turn, agent);
                }
            }
            Timer::MaxWait(call) if self.unanswered(call) => {
                self.give_up(&mut turn, call, Away::Expired);
            }
            Timer::QueueReview(queue) => self.review(&mut turn, queue),
            // The other timers are not the desk's.
            _ => {}
        }
        self.decide(turn);
    }

    pub(super) fn task(&self, agent: AgentId) -> Task {
        self.agents.get(agent).map_or(Task::Nothing, |who| who.task)
    }

    fn unanswered(&self, call: CallId) -> bool {
        self.callers.get(&call).is_some_and(Caller::unanswered)
    }
}
