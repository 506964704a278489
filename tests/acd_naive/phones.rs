//! What phones say of themselves, naively.

use super::{Model, missed};
use pukar::acd::AgentState;
use pukar::base::{AgentId, Instant};

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

    pub fn reachable(&mut self, now: Instant, agent: AgentId, there: bool) {
        for agent in self.agents.iter_mut().filter(|a| a.id == agent) {
            agent.registered = there;
            agent.silent &= !there;
        }
        self.finish(now);
    }
}
