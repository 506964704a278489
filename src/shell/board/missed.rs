//! The missed-call desk as the board shows it: who was not answered, how often, and who is on it.

use super::fold::Board;
use crate::base::{Now, limits};
use crate::call::{EndedBy, MissedNews};
use crate::shell::stamp::rfc3339;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How soon a missed caller is to be tried.
const FIRST_TRY: Duration = Duration::from_secs(15 * 60);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MissedList {
    people: BTreeMap<String, Person>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Person {
    since: Now,
    /// Calls in which they were not answered, and attempts to call them.
    times: u64,
    attempts: u64,
    state: State,
    /// Since when, and who; empty: nobody.
    claimed: (Now, String),
    call: String,
    /// Who ended that call.
    why: EndedBy,
    /// Where that call was.
    queue: String,
    district: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Open,
    Claimed,
    Calling,
    Unreached,
}

impl MissedList {
    /// `place`: the queue and the district of the call that was missed.
    pub fn take(&mut self, at: Now, number: &str, news: &MissedNews, place: (String, String)) {
        if let MissedNews::Abandoned { parent, why } = news {
            let person = self.people.entry(number.into()).or_insert_with(|| Person {
                since: at,
                times: 0,
                attempts: 0,
                state: State::Open,
                claimed: (at, String::new()),
                call: String::new(),
                why: *why,
                queue: String::new(),
                district: String::new(),
            });
            person.times += 1;
            person.call.clone_from(parent);
            person.why = *why;
            (person.queue, person.district) = place;
        }
        let Some(person) = self.people.get_mut(number) else { return };
        match news {
            MissedNews::Abandoned { .. } => {}
            MissedNews::Claimed { by } => {
                person.claimed = (at, by.clone());
                person.state = State::Claimed;
            }
            MissedNews::Released { .. } => {
                person.claimed.1.clear();
                if person.state == State::Claimed {
                    person.state = State::Open;
                }
            }
            MissedNews::Calling => person.state = State::Calling,
            MissedNews::Unreached => {
                person.claimed.1.clear();
                person.state = State::Unreached;
            }
            MissedNews::Served | MissedNews::Closed { .. } => {
                self.people.remove(number);
            }
        }
        if self.people.len() > limits::MISSED_MAX {
            self.people.pop_first();
        }
    }

    /// The number was rung.
    pub fn rung(&mut self, number: &str) {
        if let Some(person) = self.people.get_mut(number) {
            person.attempts += 1;
        }
    }
}

impl Person {
    /// What is shown: nobody tells that a claim has lapsed.
    fn stands(&self, now: Now) -> (State, &str) {
        let (since, by) = &self.claimed;
        let lapsed = now.instant.since(since.instant) >= limits::CLAIM_KEPT;
        match self.state {
            State::Claimed if lapsed => (State::Open, ""),
            state if lapsed => (state, ""),
            state => (state, by),
        }
    }
}

impl Board {
    /// Where a missed caller had waited, and their district.
    pub fn place_of_missed(&self, number: &str) -> Option<(&str, &str)> {
        let person = self.missed.people.get(number)?;
        Some((&person.queue, &person.district))
    }

    /// The longest missed first, of the queues and districts that `sees` lets through.
    pub fn missed_list(&self, now: Now, sees: &dyn Fn(&str, &str) -> bool) -> Value {
        let theirs = |(_, person): &(&String, &Person)| sees(&person.queue, &person.district);
        let mut people: Vec<(&String, &Person)> =
            self.missed.people.iter().filter(theirs).collect();
        people.sort_by_key(|(number, person)| (person.since.instant, *number));
        let row = |(number, person): (&String, &Person)| {
            let waited = now.instant.since(person.since.instant);
            let (state, claimed_by) = person.stands(now);
            json!({
                "number": number,
                "since": rfc3339(person.since.wall),
                "since_ms": waited.as_millis() as u64,
                "times": person.times,
                "attempts": person.attempts,
                "state": state,
                "claimed_by": claimed_by,
                "call": person.call,
                "why": person.why,
                "queue": person.queue,
                "district": person.district,
                "overdue": person.attempts == 0 && waited > FIRST_TRY,
            })
        };
        people.into_iter().map(row).collect()
    }
}
