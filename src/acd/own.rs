//! Calls that an agent's phone places or takes by itself, beside the queues: they keep its agent
//! from being offered a caller, whether or not a colleague's call may wait. The desk knows of them
//! that they are.

use super::agent::{Duty, Task};
use super::caller::Stage;
use super::desk::{Desk, Turn};
use super::{Away, Effect, Fact, Instead};
use crate::base::{AgentId, CallId, Cx, Timer};
use std::time::Duration;

/// What an agent may begin just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Logged out.
    Off,
    Free,
    /// An own call ends the wrap-up.
    WrapUp,
    /// The phone rings for a caller.
    Offered,
    /// In a conversation; a call beside it is a consultation.
    InCall,
}

impl Desk {
    pub fn standing(&self, agent: AgentId) -> Standing {
        let Some(who) = self.agents.get(agent) else { return Standing::Off };
        match who.task {
            Task::Offered(_) | Task::Claimed { .. } => Standing::Offered,
            Task::Talking(_) | Task::Serving { .. } | Task::Own(_) => Standing::InCall,
            Task::WrapUp { .. } => Standing::WrapUp,
            Task::Nothing if who.retired || who.duty == Duty::Off => Standing::Off,
            Task::Nothing => Standing::Free,
        }
    }

    /// The agent's phone is in this call. Nobody with another call in hand is moved by it.
    pub fn occupy(&mut self, cx: &mut Cx<'_>, agent: AgentId, call: CallId, out: &mut Vec<Effect>) {
        let mut turn = Turn::new(cx, out);
        match self.agents.get(agent).map(|who| who.task) {
            Some(Task::Nothing) => {}
            Some(Task::WrapUp { .. }) => turn.cx.timers.cancel(Timer::WrapUp(agent)),
            Some(
                Task::Offered(_)
                | Task::Talking(_)
                | Task::Claimed { .. }
                | Task::Serving { .. }
                | Task::Own(_),
            )
            | None => return,
        }
        if let Some(who) = self.agents.get_mut(agent) {
            who.beside.take_if(|beside| *beside == call);
        }
        self.set_task(&mut turn, agent, Task::Own(call));
        self.decide(turn);
    }

    /// A second call comes to an agent who has one in hand, or rings, or writes notes. When that is
    /// over, by whatever way, they are in this one; no queue has ever a caller for whoever talks.
    /// There is one such call at a time, and another takes its place when it lives no more.
    pub fn wait_beside(&mut self, agent: AgentId, call: CallId, lives: impl Fn(CallId) -> bool) {
        let Some(who) = self.agents.get_mut(agent) else { return };
        let has_room = who.beside.is_none_or(|before| !lives(before));
        if who.task != Task::Nothing && has_room {
            who.beside = Some(call);
        }
    }

    /// Whether an agent with a call in hand has no second one.
    pub fn may_wait_beside(&self, agent: AgentId) -> bool {
        self.standing(agent) == Standing::InCall
            && self.agents.get(agent).is_some_and(|who| who.beside.is_none())
    }

    /// The call is over; its notes are written for so long.
    pub fn own_over(
        &mut self,
        cx: &mut Cx<'_>,
        agent: AgentId,
        call: CallId,
        wrap_up: Duration,
        out: &mut Vec<Effect>,
    ) {
        let mut turn = Turn::new(cx, out);
        if let Some(who) = self.agents.get_mut(agent)
            && who.beside == Some(call)
        {
            who.beside = None;
        }
        if self.agents.get(agent).map(|who| who.task) == Some(Task::Own(call)) {
            self.wrap_up(&mut turn, agent, call, wrap_up);
        }
        self.decide(turn);
    }

    /// The phone at which this agent is reached is another than before: whether it is the agent's
    /// own, and whether it is there.
    pub fn seated(
        &mut self,
        cx: &mut Cx<'_>,
        agent: AgentId,
        (own, reachable): (bool, bool),
        out: &mut Vec<Effect>,
    ) {
        if let Some(who) = self.agents.get_mut(agent) {
            who.elsewhere = !own;
            who.silent = false;
        }
        self.reachable(cx, agent, reachable, out);
    }

    /// The desk believed that the agent has a call in which they are not: the agent is free again,
    /// and whoever looks at the facts sees it. A caller who lives, and was thought to be theirs,
    /// is back in the line at the old place; one who does not is gone.
    pub fn repair(
        &mut self,
        cx: &mut Cx<'_>,
        agent: AgentId,
        (call, lives): (CallId, bool),
        out: &mut Vec<Effect>,
    ) {
        let mut turn = Turn::new(cx, out);
        if let Some(who) = self.agents.get_mut(agent)
            && who.stopping == Some(call)
        {
            who.stopping = None;
            turn.fact(Fact::Repaired { agent, call });
            self.settle(&mut turn, agent);
        }
        let task = self.task(agent);
        if task.call() == Some(call) && !matches!(task, Task::WrapUp { .. }) {
            turn.fact(Fact::Repaired { agent, call });
            match lives {
                true => self.take_back(&mut turn, agent, call),
                false => _ = self.remove(&mut turn, call),
            }
            turn.cx.timers.cancel(Timer::RingTimeout(call, agent));
            // A second call may have come up meanwhile, which is none of a ghost's.
            if !matches!(self.task(agent), Task::Own(other) if other != call) {
                turn.cx.timers.cancel(Timer::WrapUp(agent));
                self.set_task(&mut turn, agent, Task::Nothing);
            }
        }
        self.decide(turn);
    }

    /// The caller has nothing to do with this agent.
    fn take_back(&mut self, turn: &mut Turn<'_, '_>, agent: AgentId, call: CallId) {
        let Some(caller) = self.callers.get_mut(&call) else { return };
        let queue = caller.queue;
        let waits_again = match &mut caller.stage {
            Stage::Offered(agents) => agents.remove(&agent) && agents.is_empty(),
            Stage::Talking { agent: with, .. } => *with == agent,
            Stage::Waiting => false,
        };
        if waits_again && self.queues.get(queue).is_none() {
            // A reload has taken the queue away while they talked.
            self.callers.remove(&call);
            turn.fact(Fact::Unqueued { call, queue });
            self.turn_away(turn, (call, queue), (Away::NoQueue, Instead::Refuse));
        } else if waits_again {
            let now = turn.now();
            self.line_up(turn, call);
            self.arm_max_wait(turn, call, now);
        }
    }
}
