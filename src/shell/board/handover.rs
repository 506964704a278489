//! What one shift hands over to the next, besides its figures: who waits and who was missed, what
//! is wrong, what was set by hand and stays so, who of the agents is away.

use super::access::Sight;
use super::fold::Board;
use crate::base::Now;
use serde_json::{Value, json};

/// Missed callers that are listed, those who have waited longest.
const MISSED_SHOWN: usize = 50;

impl Board {
    /// Of what `sight` lets through.
    pub fn handover(&self, now: Now, sight: &Sight) -> Value {
        let wall = self.wallboard(now, sight);
        let rows = |list: Value| match list {
            Value::Array(rows) => rows,
            _ => Vec::new(),
        };
        let missed = rows(self.missed_list(now, sight.place));
        let count = |fits: &dyn Fn(&Value) -> bool| missed.iter().filter(|row| fits(row)).count();
        let by_hand = |queue: &&Value| {
            queue["door"] != "open"
                || queue["overflow"] != "configured"
                || !queue["weight"].is_null()
                || !queue["message"].is_null()
        };
        let hands = wall["queues"].as_array().into_iter().flatten().filter(by_hand);
        let away = |row: &Value| {
            let own = row["id"].as_str().is_some_and(|agent| sight.shows_agent(agent));
            own && (row["state"] == "paused" || row["state"] == "unreachable")
        };
        json!({
            "now": {
                "calls": wall["calls"],
                "longest_wait_ms": wall["longest_wait_ms"],
                "agents": wall["agents"],
                "alarms": wall["alarms"],
            },
            "by_hand": hands.collect::<Vec<_>>(),
            "missed": {
                "open": missed.len(),
                "unclaimed": count(&|row| row["claimed_by"] == ""),
                "overdue": count(&|row| row["overdue"] == true),
                "people": missed.iter().take(MISSED_SHOWN).collect::<Vec<_>>(),
            },
            "away": rows(self.agents_list(now)).into_iter().filter(away).collect::<Vec<_>>(),
        })
    }
}
