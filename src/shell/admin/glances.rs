//! Who has had whose numbers before their eyes. A screen asks every second; each call, or number,
//! is put on the books when it comes into sight, and not at every look.
//!
//! In: answers. Out: what of them is not on the books yet. It knows no rights.

use super::access::numbers_in;
use crate::base::Instant;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Whoever goes on looking at the same is on the books again after this time.
const GLANCE: Duration = Duration::from_secs(600);
/// Screens remembered at a time; what one over it shows is noted at every look.
const SCREENS_MAX: usize = 10_000;

/// What every screen shows: who looks at it, and by which verb.
#[derive(Default)]
pub struct Glances(Mutex<BTreeMap<(String, &'static str), Screen>>);

struct Screen {
    since: Instant,
    shown: BTreeSet<String>,
}

impl Glances {
    /// What came into sight with this answer.
    pub fn news(&self, who: &str, verb: &'static str, now: Instant, answer: &Value) -> Vec<String> {
        let shown = shown(answer);
        let mut screens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        screens.retain(|_, screen| now.since(screen.since) < GLANCE);
        let key = (who.to_string(), verb);
        if let Some(screen) = screens.get_mut(&key) {
            let news = shown.difference(&screen.shown).cloned().collect();
            screen.shown = shown;
            return news;
        }
        let news = shown.iter().cloned().collect();
        if screens.len() < SCREENS_MAX && !shown.is_empty() {
            screens.insert(key, Screen { since: now, shown });
        }
        news
    }
}

/// Whose numbers stand in an answer: calls by their ids, and by the number itself who has no call.
fn shown(answer: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    numbers_in(answer, &mut |row, number| {
        all.insert(call_of(row).unwrap_or(number).to_string());
    });
    all
}

fn call_of(row: &Map<String, Value>) -> Option<&str> {
    let text = |key: &str| row.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    // The id of an agent is no call's.
    let own = || row.contains_key("direction").then(|| text("id")).flatten();
    text("call").or_else(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000)
    }

    fn call(id: &str) -> Value {
        json!({"id": id, "direction": "in", "caller": "+919826012345"})
    }

    #[test]
    fn a_call_is_on_the_books_when_it_comes_into_sight_and_again_after_a_while() {
        let glances = Glances::default();
        let look = |seconds, calls: &[&str]| {
            let answer = calls.iter().map(|id| call(id)).collect();
            glances.news("ali", "calls.list", at(seconds), &answer)
        };
        assert_eq!(look(0, &["A", "B"]), ["A", "B"]);
        assert_eq!(look(1, &["A", "B"]), [""; 0], "nothing new");
        assert_eq!(look(2, &["B", "C"]), ["C"]);
        assert_eq!(look(3, &["A", "B", "C"]), ["A"], "it was out of sight");
        assert_eq!(look(601, &["A", "B", "C"]), ["A", "B", "C"]);
        let other = glances.news("boss", "calls.list", at(602), &json!([call("A")]));
        assert_eq!(other, ["A"], "each has eyes of their own");
    }

    #[test]
    fn whoever_has_no_call_is_named_by_the_number_and_a_short_code_is_nobodys() {
        let answer = json!({"people": [{"number": "9826012345", "call": "A"},
            {"number": "9826099999", "call": ""}], "agents": [{"id": "op1", "caller": "181"}],
            "blocks": [{"number": "9812345678", "reason": "shouts"}]});
        let named: Vec<_> = shown(&answer).into_iter().collect();
        assert_eq!(named, ["9812345678", "9826099999", "A"]);
    }

    #[test]
    fn what_nobody_has_room_to_remember_is_noted_at_every_look() {
        let glances = Glances::default();
        let answer = json!([call("A")]);
        for n in 0..SCREENS_MAX {
            glances.news(&n.to_string(), "calls.list", at(0), &answer);
        }
        for _ in 0..2 {
            assert_eq!(glances.news("one more", "calls.list", at(1), &answer), ["A"]);
        }
    }
}
