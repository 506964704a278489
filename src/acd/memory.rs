//! Callers who have left, for a while: their places, and who talked to them last.

use crate::base::{AgentId, Instant, limits};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Bounded: the longest gone is forgotten for a new one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    callers: BTreeMap<String, Gone>,
    /// The same callers by the time at which they left.
    by_age: BTreeSet<(Instant, String)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Gone {
    at: Instant,
    /// Of one who left unanswered, or was cut off.
    place: Option<Left>,
    /// Who talked to this caller, the last one last.
    agents: Vec<AgentId>,
}

/// A place that somebody may come back to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Left {
    pub line: String,
    /// The first arrival.
    pub arrived: Instant,
    pub emergency: bool,
}

impl Memory {
    /// Left without having been answered, or was cut off.
    pub fn left(&mut self, now: Instant, key: &str, place: Left) {
        let agents = self.forget(key).map(|gone| gone.agents).unwrap_or_default();
        self.keep(key, Gone { at: now, place: Some(place), agents });
    }

    pub fn talked(&mut self, now: Instant, key: &str, agent: AgentId) {
        self.add(now, key, agent, None);
    }

    /// The same of an agent who was asked by name; a place that the caller has is kept.
    pub fn served(&mut self, now: Instant, key: &str, agent: AgentId) {
        let place = self.callers.get(key).and_then(|gone| gone.place.clone());
        self.add(now, key, agent, place);
    }

    fn add(&mut self, at: Instant, key: &str, agent: AgentId, place: Option<Left>) {
        let mut agents = self.forget(key).map(|gone| gone.agents).unwrap_or_default();
        agents.retain(|known| *known != agent);
        agents.push(agent);
        if agents.len() > limits::TALKED_REMEMBERED_MAX {
            agents.remove(0);
        }
        self.keep(key, Gone { at, place, agents });
    }

    /// The place of a caller who left this line no longer than `within` ago.
    pub fn place(&self, now: Instant, key: &str, line: &str, within: Duration) -> Option<&Left> {
        let gone = self.callers.get(key).filter(|gone| now.since(gone.at) <= within)?;
        gone.place.as_ref().filter(|left| left.line == line && !within.is_zero())
    }

    /// A place is given back once.
    pub fn take_place(&mut self, key: &str) {
        if let Some(gone) = self.callers.get_mut(key) {
            gone.place = None;
        }
    }

    /// Who talked to this caller, the last one first.
    pub fn agents(&self, key: &str) -> impl Iterator<Item = AgentId> + '_ {
        self.callers.get(key).into_iter().flat_map(|gone| gone.agents.iter().rev().copied())
    }

    pub fn len(&self) -> usize {
        self.callers.len()
    }

    pub fn check(&self) -> bool {
        let known = |(at, key): &(Instant, String)| {
            self.callers.get(key).is_some_and(|gone| gone.at == *at)
        };
        self.by_age.len() == self.callers.len()
            && self.callers.len() <= limits::CALLERS_REMEMBERED_MAX
            && self.by_age.iter().all(known)
    }

    fn keep(&mut self, key: &str, gone: Gone) {
        let now = gone.at;
        self.by_age.insert((now, key.into()));
        self.callers.insert(key.into(), gone);
        while let Some((at, _)) = self.by_age.first()
            && (self.callers.len() > limits::CALLERS_REMEMBERED_MAX
                || now.since(*at) > limits::CALLER_REMEMBERED)
        {
            if let Some((_, key)) = self.by_age.pop_first() {
                self.callers.remove(&key);
            }
        }
    }

    fn forget(&mut self, key: &str) -> Option<Gone> {
        let gone = self.callers.remove(key)?;
        self.by_age.remove(&(gone.at, key.into()));
        Some(gone)
    }
}
