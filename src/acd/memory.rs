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
    /// The line and the first arrival of one who left unanswered, or was cut off.
    place: Option<(String, Instant)>,
    /// Who talked to this caller last.
    agent: Option<AgentId>,
}

impl Memory {
    /// Left without having been answered, or was cut off.
    pub fn left(&mut self, now: Instant, key: &str, line: &str, arrived: Instant) {
        let agent = self.forget(key).and_then(|gone| gone.agent);
        self.keep(key, Gone { at: now, place: Some((line.into(), arrived)), agent });
    }

    pub fn talked(&mut self, now: Instant, key: &str, agent: AgentId) {
        self.forget(key);
        self.keep(key, Gone { at: now, place: None, agent: Some(agent) });
    }

    /// The first arrival of a caller who left this line no longer than `within` ago.
    pub fn place(&self, now: Instant, key: &str, line: &str, within: Duration) -> Option<Instant> {
        let gone = self.callers.get(key).filter(|gone| now.since(gone.at) <= within)?;
        let (left, arrived) = gone.place.as_ref()?;
        (left == line && !within.is_zero()).then_some(*arrived)
    }

    /// A place is given back once.
    pub fn take_place(&mut self, key: &str) {
        if let Some(gone) = self.callers.get_mut(key) {
            gone.place = None;
        }
    }

    pub fn agent(&self, key: &str) -> Option<AgentId> {
        self.callers.get(key).and_then(|gone| gone.agent)
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
