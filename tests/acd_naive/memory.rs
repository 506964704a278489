//! Callers who have left, naively: a list, searched from end to end.

use super::{Call, Model};
use pukar::base::{AgentId, Instant};

pub struct Gone {
    key: String,
    at: Instant,
    place: Option<(String, Instant)>,
    agents: Vec<AgentId>,
}

impl Model {
    pub fn place(&self, now: Instant, call: &Call) -> Option<Instant> {
        let within = self.queue(call.queue)?.return_within;
        let gone = self.gone.iter().find(|g| Some(&g.key) == call.key.as_ref())?;
        let (line, arrived) = gone.place.as_ref()?;
        let soon = !within.is_zero() && now.since(gone.at) <= within;
        (soon && *line == call.line).then_some(*arrived)
    }

    pub fn recognise(&mut self, call: &mut Call, place: Option<Instant>) {
        let queue = self.queue(call.queue).cloned();
        let serves = |id: &AgentId| {
            let agent = self.agents.iter().find(|agent| agent.id == *id);
            agent.zip(queue.as_ref()).is_some_and(|(agent, queue)| agent.serves(queue))
        };
        let Some(g) = self.gone.iter().position(|g| Some(&g.key) == call.key.as_ref()) else {
            return;
        };
        let last = self.gone[g].agents.iter().rev().find(|id| serves(id)).copied();
        let gone = &mut self.gone[g];
        if let Some(arrived) = place {
            call.arrived = call.arrived.min(arrived);
            gone.place = None;
        }
        call.held = call.held.or(last);
    }

    pub fn cut_off(&mut self, now: Instant, key: &str, line: &str, arrived: Instant) {
        self.remember(now, Some(key.into()), Some((line.into(), arrived)), None);
    }

    pub fn remember(
        &mut self,
        at: Instant,
        key: Option<String>,
        place: Option<(String, Instant)>,
        talked: Option<AgentId>,
    ) {
        let Some(key) = key else { return };
        let known = self.gone.iter().position(|gone| gone.key == key);
        let before = known.map(|g| self.gone.remove(g)).map(|gone| gone.agents);
        let mut agents = before.unwrap_or_default();
        agents.retain(|known| Some(*known) != talked);
        agents.extend(talked);
        if agents.len() > 4 {
            agents.remove(0);
        }
        self.gone.push(Gone { key, at, place, agents });
    }
}
