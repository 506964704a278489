//! Callers who have left, naively: a list, searched from end to end.

use super::{Call, Model};
use pukar::base::{AgentId, CallId, Instant, QueueId};
use std::time::Duration;

type Place = (String, Instant, bool);

pub struct Gone {
    key: String,
    at: Instant,
    /// The line, the arrival, and whether it was an emergency.
    place: Option<Place>,
    agents: Vec<AgentId>,
}

impl Model {
    pub fn place(&self, now: Instant, call: &Call) -> Option<Instant> {
        let within = self.queue(call.queue)?.return_within;
        let gone = self.gone.iter().find(|g| Some(&g.key) == call.key.as_ref())?;
        let (line, arrived, _) = gone.place.as_ref()?;
        let soon = !within.is_zero() && now.since(gone.at) <= within;
        (soon && *line == call.line).then_some(*arrived)
    }

    /// Whether this call, which comes to a queue, is of somebody who left an emergency's place.
    pub fn comes_back_urgent(
        &self,
        now: Instant,
        (call, queue): (CallId, QueueId),
        (key, line): (&str, &str),
    ) -> bool {
        let within = self.queue(queue).map_or(Duration::ZERO, |queue| queue.return_within);
        let is_new = !self.calls.iter().any(|known| known.id == call);
        let gone = self.gone.iter().find(|gone| gone.key == key);
        let soon = |at: Instant| !within.is_zero() && now.since(at) <= within;
        is_new
            && gone.is_some_and(|gone| {
                soon(gone.at)
                    && gone.place.as_ref().is_some_and(|(own, _, urgent)| own == line && *urgent)
            })
    }

    pub fn recognise(&mut self, call: &mut Call, place: Option<Instant>) {
        let last = self.last_agent(call);
        let Some(gone) = self.gone.iter_mut().find(|g| Some(&g.key) == call.key.as_ref()) else {
            return;
        };
        if let Some(arrived) = place {
            call.arrived = call.arrived.min(arrived);
            gone.place = None;
        }
        call.held = call.held.or(last);
    }

    /// Who talked last to this caller, of those who serve the queue.
    pub fn last_agent(&self, call: &Call) -> Option<AgentId> {
        let queue = self.queue(call.queue)?;
        let serves =
            |id: &&AgentId| self.agents.iter().any(|agent| agent.id == **id && agent.serves(queue));
        let gone = self.gone.iter().find(|g| Some(&g.key) == call.key.as_ref())?;
        gone.agents.iter().rev().find(serves).copied()
    }

    /// Who was asked by name has talked; a place that is kept for the caller stays kept.
    pub fn served(&mut self, now: Instant, key: Option<String>, agent: AgentId) {
        let known = self.gone.iter().find(|gone| Some(&gone.key) == key.as_ref());
        let place = known.and_then(|gone| gone.place.clone());
        self.remember(now, key, place, Some(agent));
    }

    pub fn cut_off(&mut self, now: Instant, key: &str, line: &str, left: (Instant, bool)) {
        let place = (line.into(), left.0, left.1);
        self.remember(now, Some(key.into()), Some(place), None);
    }

    pub fn remember(
        &mut self,
        at: Instant,
        key: Option<String>,
        place: Option<Place>,
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
