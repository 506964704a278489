//! The laws of the desk, as a check that a simulator runs after every event.
//!
//! Conservation first: a call is waiting, offered or talking, exactly one of these, and both sides
//! of every pair know of each other.

use super::agent::{Agent, Presence, Task};
use super::caller::{Caller, Stage};
use super::desk::Desk;
use super::pick::Tally;
use super::queue::{Lane, LaneAt, Queue};
use super::strategy;
use crate::base::{AgentId, CallId, Instant, QueueId, Timer, Timers};
use std::collections::BTreeSet;

/// Fails with the law that was broken.
macro_rules! law {
    ($holds:expr, $($law:tt)*) => {
        if !$holds {
            return Err(format!($($law)*));
        }
    };
}

impl Desk {
    /// Whether every law holds. Looks at everything: for tests and simulations.
    pub fn check(&self) -> Result<(), String> {
        self.check_calls()?;
        self.check_agents()?;
        self.check_queues()?;
        law!(self.memory.check(), "the memory of callers is in disorder");
        self.check_names()
    }

    /// Whether everything that ends by itself has a timer that ends it: nobody is stuck.
    pub fn check_timers(&self, timers: &Timers) -> Result<(), String> {
        for (&call, caller) in &self.callers {
            let (mut rung, mut talks) = (&BTreeSet::new(), false);
            match &caller.stage {
                Stage::Waiting => {}
                Stage::Offered(agents) => rung = agents,
                Stage::Talking { .. } => talks = true,
            }
            for &agent in rung {
                let timer = Timer::RingTimeout(call, agent);
                law!(timers.is_set(timer), "{agent:?} may ring for {call:?} for ever");
            }
            let bounded = !talks && !self.max_wait(caller).is_zero();
            let set = timers.is_set(Timer::MaxWait(call));
            law!(set == bounded, "{call:?}: wait bounded {bounded}, timer set {set}");
        }
        for (id, agent) in self.agents.iter() {
            let wraps_up = matches!(agent.task, Task::WrapUp { .. });
            let set = timers.is_set(Timer::WrapUp(id));
            law!(set == wraps_up, "{id:?}: wraps up {wraps_up}, timer set {set}");
            let rests = agent.rest_until.is_some();
            let set = timers.is_set(Timer::Rest(id));
            law!(set == rests, "{id:?}: rests {rests}, timer set {set}");
        }
        for (id, queue) in self.queues.iter() {
            let changes = !queue.agenda.is_empty();
            let set = timers.is_set(Timer::QueueReview(id));
            law!(set == changes, "{id:?}: needs change {changes}, timer set {set}");
        }
        Ok(())
    }

    fn check_calls(&self) -> Result<(), String> {
        for (&call, caller) in &self.callers {
            self.check_place(call, caller)?;
            match &caller.stage {
                Stage::Waiting => {}
                Stage::Offered(agents) => {
                    law!(!agents.is_empty(), "{call:?} is offered to nobody");
                    for &agent in agents {
                        let task = self.agents.get(agent).map(|who| who.task);
                        law!(task == Some(Task::Offered(call)), "{agent:?} forgot {call:?}");
                    }
                }
                &Stage::Talking { agent, .. } => {
                    let task = self.agents.get(agent).map(|who| who.task);
                    law!(task == Some(Task::Talking(call)), "{agent:?} forgot {call:?}");
                }
            }
        }
        Ok(())
    }

    /// In the line of one queue and in one lane of it, or in none.
    fn check_place(&self, call: CallId, caller: &Caller) -> Result<(), String> {
        let Some(queue) = self.queues.get(caller.queue) else {
            law!(!caller.unanswered(), "{call:?} waits in no queue");
            return Ok(());
        };
        let place = &caller.place;
        let lane = queue.lane(caller.lane).filter(|_| caller.unanswered());
        let waits = lane.is_some_and(|lane| lane.waiting.contains(place));
        let rings = lane.is_some_and(|lane| lane.ringing.contains(place));
        let expected = match &caller.stage {
            Stage::Waiting => (true, false),
            Stage::Offered(_) => (false, true),
            Stage::Talking { .. } => (false, false),
        };
        law!((waits, rings) == expected, "{call:?} is {:?} but not in line so", caller.stage);
        law!(queue.waiting.contains(place) == waits, "{call:?} waits in its lane alone");
        law!(queue.line.contains(place) == caller.unanswered(), "{call:?} is not in the line");
        let listed = caller.review.is_some_and(|at| queue.agenda.contains(&(at, call)));
        law!(listed == caller.review.is_some(), "{call:?} will not be looked at again");
        let fits = match (caller.lane, lane) {
            (LaneAt::Shared(_), Some(lane)) => caller.held.is_none() && lane.need == caller.need,
            (LaneAt::Held(agent), Some(_)) => caller.held == Some(agent),
            (LaneAt::Shared(_) | LaneAt::Held(_), None) => true,
        };
        law!(fits, "{call:?} is in the wrong lane");
        Ok(())
    }

    fn check_agents(&self) -> Result<(), String> {
        for (id, agent) in self.agents.iter() {
            law!(agent.shown == agent.state(), "{id:?} shows {:?}", agent.shown);
            law!(!Self::overstays(agent), "{id:?} was removed and stays");
            let (serves, lanes) = self.service_of(agent);
            law!(agent.serves == serves, "{id:?} serves {:?}, not {serves:?}", agent.serves);
            law!(agent.lanes == lanes, "{id:?} is in lanes {:?}, not {lanes:?}", agent.lanes);
            law!(agent.presence == agent.present(), "{id:?} counts as {:?}", agent.presence);
            self.check_task(id, agent)?;
        }
        Ok(())
    }

    fn check_task(&self, id: AgentId, agent: &Agent) -> Result<(), String> {
        match agent.task {
            Task::Nothing => {}
            Task::Offered(call) => {
                let caller = self.callers.get(&call);
                let mutual = caller.is_some_and(
                    |c| matches!(&c.stage, Stage::Offered(agents) if agents.contains(&id)),
                );
                law!(mutual, "{call:?} does not ring at {id:?}");
                let eligible = self.may_take(id, call) && !agent.withheld();
                law!(eligible, "{id:?} may not take {call:?}");
                law!(agent.rest_until.is_none(), "{id:?} is rung while at rest");
            }
            Task::Talking(call) => {
                let mutual = self.callers.get(&call).is_some_and(
                    |c| matches!(c.stage, Stage::Talking { agent, .. } if agent == id),
                );
                law!(mutual, "{call:?} does not talk to {id:?}");
            }
            Task::Claimed { .. } => {
                law!(!agent.withheld(), "{id:?} is claimed and may not ring");
            }
            Task::Serving { .. } => {}
            Task::WrapUp { call, .. } => {
                let talks = self.callers.get(&call).is_some_and(
                    |c| matches!(c.stage, Stage::Talking { agent, .. } if agent == id),
                );
                law!(!talks, "{id:?} wraps up {call:?} and still talks");
            }
            // That the call lives is known where the calls are.
            Task::Own(_) => {}
        }
        Ok(())
    }

    fn check_queues(&self) -> Result<(), String> {
        let mut in_line = 0;
        for (id, queue) in self.queues.iter() {
            in_line += queue.line.len();
            let in_lanes = queue.every_lane().map(|(_, lane)| lane.callers().count());
            law!(in_lanes.sum::<usize>() == queue.line.len(), "{id:?}: line and lanes differ");
            let waiting = queue.every_lane().map(|(_, lane)| lane.waiting.len());
            law!(waiting.sum::<usize>() == queue.waiting.len(), "{id:?}: others wait in the lanes");
            let reviews = self.callers.values().filter(|c| c.queue == id && c.review.is_some());
            law!(reviews.count() == queue.agenda.len(), "{id:?} looks again at nobody");
            self.check_counts(id, queue)?;
            for (at, lane) in queue.every_lane() {
                self.check_free(queue, at, lane).map_err(|law| format!("{id:?}: {law}"))?;
                let next = queue.next(at, Instant(0));
                law!(next.is_none(), "{id:?}: somebody waits and somebody eligible is idle");
            }
        }
        let unanswered = self.callers.values().filter(|caller| caller.unanswered()).count();
        law!(in_line == unanswered, "{in_line} in line, {unanswered} unanswered");
        Ok(())
    }

    fn check_counts(&self, id: QueueId, queue: &Queue) -> Result<(), String> {
        let staff = || self.agents.iter().filter(|(_, agent)| agent.serves.contains(&id));
        let mut names: Vec<AgentId> = staff().map(|(id, _)| id).collect();
        names.sort_unstable();
        law!(names == queue.staff, "{id:?}: other staff");
        let ready = staff().filter(|(_, agent)| agent.is_shown_ready()).count();
        let present = staff().filter(|(_, agent)| queue.counts(agent.presence)).count();
        let on_duty = staff().filter(|(_, agent)| agent.presence == Presence::OnDuty);
        let capacity = on_duty.map(|(_, agent)| agent.share()).sum();
        let mut tally = Tally::default();
        staff().for_each(|(_, agent)| tally.add(&agent.shown));
        law!(tally == queue.tally, "{id:?} counts {:?}, not {tally:?}", queue.tally);
        let counted = (queue.ready, queue.present, queue.capacity);
        law!((ready, present, capacity) == counted, "{id:?} counts {counted:?}");
        Ok(())
    }

    fn check_free(&self, queue: &Queue, at: LaneAt, lane: &Lane) -> Result<(), String> {
        for &turn in lane.free.iter() {
            let agent = turn.2;
            let who = self.agents.get(agent).ok_or(format!("{agent:?} is free and gone"))?;
            law!(who.is_shown_ready(), "{agent:?} is free and {:?}", who.shown);
            let now = strategy::turn(queue.settings.strategy, agent, who);
            law!(turn == now, "{agent:?} has two turns");
        }
        let may = |id: &AgentId| match at {
            LaneAt::Shared(_) => true,
            LaneAt::Held(agent) => *id == agent,
        };
        let ready = queue.staff.iter().filter(|id| may(id)).filter_map(|&id| self.agents.get(id));
        let ready = ready.filter(|who| who.is_shown_ready());
        let eligible = ready.filter(|who| match at {
            LaneAt::Shared(_) => who.meets(&queue.settings, &lane.need),
            LaneAt::Held(_) => true,
        });
        law!(eligible.count() == lane.free.len(), "{at:?} does not know who is free");
        let kept = matches!(at, LaneAt::Shared(_)) || !lane.is_empty();
        law!(kept, "{at:?} is kept for nobody");
        Ok(())
    }

    fn check_names(&self) -> Result<(), String> {
        law!(self.agent_names.len() == self.agents.len(), "agents and their names differ");
        for (name, &id) in &self.agent_names {
            law!(self.agents.get(id).is_some_and(|who| who.name == *name), "{name} is nobody");
        }
        law!(self.queue_names.len() == self.queues.len(), "queues and their names differ");
        for (name, &id) in &self.queue_names {
            let queue = self.queues.get(id);
            law!(queue.is_some_and(|q| q.settings.name == *name), "{name} is no queue");
        }
        Ok(())
    }
}
