//! What one shift hands over to the next, besides its figures: who waits and who was missed, what
//! is wrong, what was set by hand and stays so, who of the agents is away.

use super::fold::Board;
use crate::base::Now;
use serde_json::{Value, json};

/// Missed callers that are listed, those who have waited longest.
const MISSED_SHOWN: usize = 50;

impl Board {
    /// Of the queues and districts that `sees` lets through.
    pub fn handover(&self, now: Now, sees: &dyn Fn(&str, &str) -> bool) -> Value {
        let wall = self.wallboard(now, &|queue| sees(queue, ""));
        let rows = |list: Value| match list {
            Value::Array(rows) => rows,
            _ => Vec::new(),
        };
        let missed = rows(self.missed_list(now, sees));
        let count = |fits: &dyn Fn(&Value) -> bool| missed.iter().filter(|row| fits(row)).count();
        let by_hand = |queue: &&Value| {
            queue["door"] != "open"
                || queue["overflow"] != "configured"
                || !queue["weight"].is_null()
                || !queue["message"].is_null()
        };
        let hands = wall["queues"].as_array().into_iter().flatten().filter(by_hand);
        let away = |row: &Value| {
            let queues = row["queues"].as_array().into_iter().flatten();
            let own = queues.filter_map(Value::as_str).any(|queue| sees(queue, ""));
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
