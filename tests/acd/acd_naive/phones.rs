//! What phones say of themselves, naively.

use super::{Model, missed};
use pukar::acd::AgentState;
use pukar::base::{AgentId, CallId, Instant};

impl Model {
    pub fn silent(&mut self, now: Instant, agent: AgentId, (silent, away): (bool, bool)) {
        for agent in self.agents.iter_mut().filter(|a| a.id == agent) {
            agent.silent = silent;
            if !silent && away {
                if agent.duty == (AgentState::Paused { reason: missed(agent.misses) }) {
                    agent.duty = AgentState::Ready;
                }
                agent.misses = 0;
            }
        }
        self.finish(now);
    }

    pub fn stopping(&self) -> impl Iterator<Item = AgentId> {
        self.agents.iter().filter(|a| a.stopping.is_some()).map(|a| a.id)
    }

    pub fn quiet(&mut self, now: Instant, agent: AgentId) {
        for agent in self.agents.iter_mut().filter(|a| a.id == agent) {
            agent.stopping = None;
        }
        self.finish(now);
    }

    /// The agent has another phone: their own, or somebody's.
    pub fn seated(&mut self, now: Instant, agent: AgentId, (own, there): (bool, bool)) {
        for agent in self.agents.iter_mut().filter(|a| a.id == agent) {
            (agent.elsewhere, agent.silent) = (!own, false);
        }
        self.reachable(now, agent, there);
    }

    /// The phones were told to stop before it is said that nobody answered.
    pub fn stops(&mut self, agent: AgentId, call: CallId) {
        for agent in self.agents.iter_mut().filter(|a| a.id == agent) {
            agent.stopping = Some(call);
        }
    }

    pub fn reachable(&mut self, now: Instant, agent: AgentId, there: bool) {
        for agent in self.agents.iter_mut().filter(|a| a.id == agent) {
            agent.registered = there;
            agent.silent &= !there;
        }
        self.finish(now);
    }
}
