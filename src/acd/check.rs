//! The laws of the desk, as a check that a simulator runs after every event.
//!
//! Conservation first: a call is waiting, offered or talking, exactly one of these, and both sides
//! of every pair know of each other.

use super::agent::{Agent, Task};
use super::desk::Desk;
use super::queue::{Queue, Stage};
use crate::base::{AgentId, Timer, Timers};
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
            let max_wait = self.queue_settings(caller.queue).map(|settings| settings.max_wait);
            let bounded = !talks && max_wait.is_some_and(|span| !span.is_zero());
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
        Ok(())
    }

    fn check_calls(&self) -> Result<(), String> {
        for (&call, caller) in &self.callers {
            let place = (caller.arrived, call);
            let line = self.queues.get(caller.queue);
            let waits = line.is_some_and(|line| line.waiting.contains(&place));
            let rings = line.is_some_and(|line| line.ringing.contains(&place));
            let expected = match &caller.stage {
                Stage::Waiting => (true, false),
                Stage::Offered(_) => (false, true),
                Stage::Talking { .. } => (false, false),
            };
            law!((waits, rings) == expected, "{call:?} is {:?} but not in line so", caller.stage);
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

    fn check_agents(&self) -> Result<(), String> {
        for (id, agent) in self.agents.iter() {
            law!(agent.shown == agent.state(), "{id:?} shows {:?}", agent.shown);
            law!(!Self::overstays(agent), "{id:?} was removed and stays");
            let serves = if agent.retired { Vec::new() } else { self.served_with(&agent.skills) };
            law!(agent.serves == serves, "{id:?} serves {:?}, not {serves:?}", agent.serves);
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
                let eligible = caller.is_some_and(|c| agent.serves.contains(&c.queue));
                law!(eligible && !agent.withheld(), "{id:?} may not take {call:?}");
                law!(agent.rest_until.is_none(), "{id:?} is rung while at rest");
            }
            Task::Talking(call) => {
                let mutual = self.callers.get(&call).is_some_and(
                    |c| matches!(c.stage, Stage::Talking { agent, .. } if agent == id),
                );
                law!(mutual, "{call:?} does not talk to {id:?}");
            }
            Task::WrapUp { call, .. } => {
                let talks = self.callers.get(&call).is_some_and(
                    |c| matches!(c.stage, Stage::Talking { agent, .. } if agent == id),
                );
                law!(!talks, "{id:?} wraps up {call:?} and still talks");
            }
        }
        Ok(())
    }

    fn check_queues(&self) -> Result<(), String> {
        let mut in_line = 0;
        for (id, queue) in self.queues.iter() {
            in_line += queue.waiting.len() + queue.ringing.len();
            self.check_free(queue).map_err(|law| format!("{id:?}: {law}"))?;
            let served = self.agents.iter().filter(|(_, agent)| {
                agent.shown == super::AgentState::Ready && agent.serves.contains(&id)
            });
            law!(served.count() == queue.free.len(), "{id:?} does not know who is free");
            law!(queue.next().is_none(), "{id:?}: somebody waits and somebody eligible is idle");
        }
        let unanswered =
            self.callers.values().filter(|c| !matches!(c.stage, Stage::Talking { .. })).count();
        law!(in_line == unanswered, "{in_line} in line, {unanswered} unanswered");
        Ok(())
    }

    fn check_free(&self, queue: &Queue) -> Result<(), String> {
        for &(since, agent) in &queue.free {
            let who = self.agents.get(agent).ok_or(format!("{agent:?} is free and gone"))?;
            law!(who.shown == super::AgentState::Ready, "{agent:?} is free and {:?}", who.shown);
            law!(who.idle_since == since, "{agent:?} has two idle clocks");
        }
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
