//! The missed-call desk: callers who hung up unanswered, once each by number, until somebody has
//! talked with them. Whoever wants to call one claims it first, so that no two do.

use super::{Fact, Io, MissedNews, Origin};
use crate::base::{CallId, Instant, limits};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    people: BTreeMap<String, Person>,
    /// The same by the time at which they were first missed.
    by_age: BTreeSet<(Instant, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Of their last call; the arrival is that of the first.
    pub origin: Origin,
    since: Instant,
    /// Calls in which they were not answered.
    pub times: u32,
    /// Who has taken it on; empty: nobody.
    pub claimed_by: String,
    /// The call that calls them back just now, or will.
    pub calling: Option<CallId>,
}

impl Missed {
    pub fn of(&self, number: &str) -> Option<&Person> {
        self.people.get(number)
    }

    pub fn len(&self) -> usize {
        self.people.len()
    }

    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// A caller hung up unanswered. Beyond the limit the longest missed is let go of.
    pub fn note(&mut self, io: &mut Io, origin: Origin) {
        let (number, parent) = (origin.number.clone(), origin.parent.clone());
        let now = io.cx.now.instant;
        match self.people.get_mut(&number) {
            Some(person) => {
                let arrived = person.origin.arrived.min(origin.arrived);
                person.origin = Origin { arrived, ..origin };
                person.times += 1;
            }
            None => {
                let claimed_by = String::new();
                let person = Person { origin, since: now, times: 1, claimed_by, calling: None };
                self.people.insert(number.clone(), person);
                self.by_age.insert((now, number.clone()));
            }
        }
        tell(io, &number, MissedNews::Abandoned { parent });
        if self.people.len() > limits::MISSED_MAX
            && let Some((_, oldest)) = self.by_age.first().cloned()
        {
            self.close(io, &oldest, MissedNews::Closed { by: String::new() });
        }
    }

    /// Somebody takes it on. The error says who has it already.
    pub fn claim(&mut self, io: &mut Io, number: &str, by: &str) -> Result<(), String> {
        let person = self.people.get_mut(number).ok_or_else(|| unknown(number))?;
        if !person.claimed_by.is_empty() && person.claimed_by != by {
            return Err(format!("{number} is claimed by {}", person.claimed_by));
        }
        person.claimed_by = by.into();
        tell(io, number, MissedNews::Claimed { by: by.into() });
        Ok(())
    }

    /// Whom to call, where nobody calls them already.
    pub fn wanted(&self, number: &str) -> Result<Origin, String> {
        let person = self.people.get(number).ok_or_else(|| unknown(number))?;
        match person.calling {
            Some(_) => Err(format!("{number} is being called already")),
            None => Ok(person.origin.clone()),
        }
    }

    pub fn calling(&mut self, io: &mut Io, number: &str, call: CallId) {
        if let Some(person) = self.people.get_mut(number) {
            person.calling = Some(call);
            tell(io, number, MissedNews::Calling);
        }
    }

    /// The call that called them is over, and they were not reached: somebody else may try.
    pub fn given_up(&mut self, io: &mut Io, number: &str, call: CallId) {
        if let Some(person) = self.people.get_mut(number).filter(|p| p.calling == Some(call)) {
            person.calling = None;
            person.claimed_by.clear();
            tell(io, number, MissedNews::Unreached);
        }
    }

    pub fn close(&mut self, io: &mut Io, number: &str, news: MissedNews) -> bool {
        let Some(person) = self.people.remove(number) else { return false };
        self.by_age.remove(&(person.since, number.into()));
        tell(io, number, news);
        true
    }
}

fn unknown(number: &str) -> String {
    format!("no missed caller {number}: see `pukar missed`")
}

fn tell(io: &mut Io, number: &str, news: MissedNews) {
    io.fact(Fact::Missed { number: number.into(), news });
}
