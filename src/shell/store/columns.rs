//! The columns of every table, once: the databases, the JSON lines and `records.query` all take
//! them from here. Their names and meanings are part of the interface.

use crate::core::{AgentStateRow, CallRecord, LegRow};
use crate::shell::stamp::{optional, rfc3339};
use serde_json::{Value, json};

pub struct Table {
    pub name: &'static str,
    /// Name, and type in SQL.
    pub columns: &'static [(&'static str, &'static str)],
    /// What makes a row the same row.
    pub key: &'static str,
}

const TEXT: &str = "TEXT NOT NULL";
const MAYBE: &str = "TEXT";
const NUMBER: &str = "INTEGER NOT NULL";

pub const CALLS: Table = Table {
    name: "calls",
    columns: &[
        ("id", TEXT),
        ("seq", NUMBER),
        ("direction", TEXT),
        ("line", TEXT),
        ("trunk", TEXT),
        ("caller", TEXT),
        ("caller_raw", TEXT),
        ("dialled", TEXT),
        ("district", TEXT),
        ("queue", TEXT),
        ("agent", TEXT),
        ("outcome", TEXT),
        ("ended_by", TEXT),
        ("sip_status", NUMBER),
        ("q850", "INTEGER"),
        ("category", TEXT),
        ("case_ref", TEXT),
        ("recording", TEXT),
        ("arrived_at", TEXT),
        ("system_answered_at", MAYBE),
        ("queued_at", MAYBE),
        ("first_offered_at", MAYBE),
        ("connected_at", MAYBE),
        ("ended_at", TEXT),
        ("wrapped_up_at", MAYBE),
        ("wait_ms", NUMBER),
        ("talk_ms", NUMBER),
        ("hold_ms", NUMBER),
        ("wrap_ms", NUMBER),
        ("offers", NUMBER),
        ("transfers", NUMBER),
    ],
    key: "id",
};

pub const LEGS: Table = Table {
    name: "legs",
    columns: &[
        ("call", TEXT),
        ("n", NUMBER),
        ("role", TEXT),
        ("agent", TEXT),
        ("opened_at", TEXT),
        ("answered_at", MAYBE),
        ("closed_at", MAYBE),
        ("status", NUMBER),
        ("q850", "INTEGER"),
        ("packets_received", NUMBER),
        ("packets_sent", NUMBER),
        ("packets_lost", NUMBER),
        ("jitter_ms", "REAL NOT NULL"),
        ("mos", "REAL NOT NULL"),
    ],
    key: "call, n",
};

pub const AGENT_STATES: Table = Table {
    name: "agent_states",
    columns: &[
        ("seq", NUMBER),
        ("agent", TEXT),
        ("state", TEXT),
        ("reason", TEXT),
        ("call", TEXT),
        ("from_at", TEXT),
        ("until_at", TEXT),
    ],
    key: "agent, from_at, seq",
};

/// In the order of [`CALLS`].
pub fn of_call(row: &CallRecord) -> Vec<Value> {
    vec![
        json!(row.id),
        json!(row.seq),
        json!(row.direction),
        json!(row.line),
        json!(row.trunk),
        json!(row.caller),
        json!(row.caller_raw),
        json!(row.dialled),
        json!(row.district),
        json!(row.queue),
        json!(row.agent),
        json!(row.outcome),
        json!(row.ended_by),
        json!(row.sip_status),
        json!(row.q850),
        json!(row.category),
        json!(row.case_ref),
        json!(row.recording),
        json!(rfc3339(row.arrived_at)),
        json!(optional(row.system_answered_at)),
        json!(optional(row.queued_at)),
        json!(optional(row.first_offered_at)),
        json!(optional(row.connected_at)),
        json!(rfc3339(row.ended_at)),
        json!(optional(row.wrapped_up_at)),
        json!(row.wait_ms),
        json!(row.talk_ms),
        json!(row.hold_ms),
        json!(row.wrap_ms),
        json!(row.offers),
        json!(row.transfers),
    ]
}

/// In the order of [`LEGS`]; legs of a call are counted from 1.
pub fn of_leg(call: &str, n: usize, row: &LegRow) -> Vec<Value> {
    vec![
        json!(call),
        json!(n),
        json!(row.role),
        json!(row.agent),
        json!(rfc3339(row.opened_at)),
        json!(optional(row.answered_at)),
        json!(optional(row.closed_at)),
        json!(row.status),
        json!(row.q850),
        json!(row.packets_received),
        json!(row.packets_sent),
        json!(row.packets_lost),
        json!(row.jitter_ms),
        json!(row.mos),
    ]
}

/// In the order of [`AGENT_STATES`].
pub fn of_agent_state(row: &AgentStateRow) -> Vec<Value> {
    vec![
        json!(row.seq),
        json!(row.agent),
        json!(row.state),
        json!(row.reason),
        json!(row.call),
        json!(rfc3339(row.from)),
        json!(rfc3339(row.until)),
    ]
}

impl Table {
    /// The columns with their values, as a JSON object.
    pub fn object(&self, values: Vec<Value>) -> Value {
        let names = self.columns.iter().map(|(name, _)| name.to_string());
        Value::Object(names.zip(values).collect())
    }
}
