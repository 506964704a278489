//! What agents are held to be in, against the calls that live. The laws of the switch say that the
//! two never differ; should a fault make them, an agent must not be lost for the day: the agent is
//! freed, and a fact tells of it.

use super::Switch;
use crate::acd::AgentState;
use crate::base::{AgentId, CallId, Now, Timer};
use std::time::Duration;

/// How often, while anybody is in a call.
const EVERY: Duration = Duration::from_secs(60);

impl Switch {
    /// Somebody is in a call: look after a while whether that is still so.
    pub(super) fn will_reconcile(&mut self, now: Now) {
        if !self.state.timers.is_set(Timer::Reconcile) {
            self.state.timers.set(Timer::Reconcile, now.instant + EVERY);
        }
    }

    /// `Timer::Reconcile`.
    pub(super) fn reconcile(&mut self, now: Now) {
        let busy: Vec<(AgentId, AgentState)> = (self.state.desk.agents())
            .filter(|(_, state)| is_busy(state))
            .map(|(agent, state)| (agent, state.clone()))
            .collect();
        for (agent, state) in &busy {
            if let Some(call) = self.ghost(*agent, state) {
                self.desk(now, |desk, cx, out| desk.repair(cx, *agent, call, out));
            }
        }
        if !busy.is_empty() {
            self.will_reconcile(now);
        }
    }

    /// The call that this agent is held to be in, and is not.
    fn ghost(&self, agent: AgentId, state: &AgentState) -> Option<CallId> {
        let call = state.call()?;
        let live = self.state.calls.get(call);
        let is_in = match state {
            AgentState::Offered { .. } => {
                live.is_some_and(|call| call.rings_at(agent))
                    || self.state.calls.stopping.rings_at(agent)
            }
            AgentState::Talking { .. } => {
                live.is_some_and(|call| call.answered_by(agent).is_some())
            }
            AgentState::OwnCall { .. } => {
                let own = live.and_then(|call| call.own.as_ref());
                own.is_some_and(|own| own.agents.contains(&agent))
            }
            _ => true,
        };
        (!is_in).then_some(call)
    }
}

fn is_busy(state: &AgentState) -> bool {
    matches!(
        state,
        AgentState::Offered { .. } | AgentState::Talking { .. } | AgentState::OwnCall { .. }
    )
}
