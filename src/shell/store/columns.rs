//! The columns of every table, once: the databases, the JSON lines and `records.query` all take
//! them from here. Their names and meanings are part of the interface.

use crate::core::{AgentStateRow, CallRecord, LegRow, Row};
use crate::shell::stamp::{optional, rfc3339};
use serde_json::{Value, json};

pub struct Table {
    pub name: &'static str,
    /// Name, and type in SQL.
    pub columns: &'static [(&'static str, &'static str)],
    /// What makes a row the same row.
    pub key: &'static str,
    /// The column by whose time a row is old.
    pub time: &'static str,
    /// Names of indices, and what they are on.
    pub indices: &'static [(&'static str, &'static str)],
}

/// The form of the tables. A change of any of them is another form: the databases that are there
/// are brought up to it, column by column.
pub const SCHEMA: i32 = 5;

/// A batch is written in this order.
pub const TABLES: [&Table; 3] = [&CALLS, &LEGS, &AGENT_STATES];

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
        ("parent", TEXT),
        ("flags", TEXT),
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
    time: "arrived_at",
    indices: &[("calls_arrived", "arrived_at"), ("calls_seq", "seq")],
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
        ("srtp", MAYBE),
        ("packets_received", NUMBER),
        ("packets_sent", NUMBER),
        ("packets_lost", NUMBER),
        ("jitter_ms", "REAL NOT NULL"),
        ("mos", "REAL NOT NULL"),
        ("round_trip_ms", "REAL"),
        ("far_lost", "INTEGER"),
        ("far_jitter_ms", "REAL"),
        ("far_mos", "REAL"),
    ],
    key: "call, n",
    time: "opened_at",
    indices: &[],
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
    time: "until_at",
    indices: &[("agent_states_from", "from_at"), ("agent_states_seq", "seq")],
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
        json!(row.parent),
        json!(row.flags),
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
        json!(row.srtp),
        json!(row.packets_received),
        json!(row.packets_sent),
        json!(row.packets_lost),
        json!(finite(row.jitter_ms)),
        json!(finite(row.mos)),
        json!(row.round_trip_ms.map(finite)),
        json!(row.far_lost),
        json!(row.far_jitter_ms.map(finite)),
        json!(row.far_mos.map(finite)),
    ]
}

/// What is no number would be null, and no store could take the row.
fn finite(figure: f64) -> f64 {
    if figure.is_finite() { figure } else { 0.0 }
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

/// A value as a store that knows only text has it; the same whichever store it was read from.
/// Columns that may be null never hold empty text, so that the two are not confused.
pub fn text_of(values: &[Value]) -> Vec<String> {
    values.iter().map(cell_of).collect()
}

/// One of them: a number that is whole has no point, whatever it was before.
pub fn cell_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.to_string(),
            None => number.as_f64().unwrap_or_default().to_string(),
        },
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

impl Table {
    /// What makes a row the same row, from its cells.
    pub fn key_of(&self, cells: &[String]) -> String {
        let names = self.key.split(", ");
        let cells = names.filter_map(|name| cells.get(self.place_of(name)?)).map(String::as_str);
        cells.collect::<Vec<_>>().join("/")
    }

    /// The number of a row, where rows of this table have one of their own.
    pub fn seq_of(&self, cells: &[String]) -> Option<u64> {
        cells.get(self.place_of("seq")?)?.parse().ok()
    }

    /// One cell of a row; empty where the table has no such column.
    pub fn cell<'c>(&self, cells: &'c [String], name: &str) -> &'c str {
        self.place_of(name).and_then(|at| cells.get(at)).map_or("", String::as_str)
    }

    pub fn has_seq(&self) -> bool {
        self.place_of("seq").is_some()
    }

    fn place_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(column, _)| *column == name)
    }

    /// The columns with their values, as a JSON object.
    pub fn object(&self, values: Vec<Value>) -> Value {
        let names = self.columns.iter().map(|(name, _)| name.to_string());
        Value::Object(names.zip(values).collect())
    }
}

/// A row as one JSON object with the table's name as `"table"`; a call has its legs with it.
pub fn json_line(row: &Row) -> Value {
    let (table, mut object) = match row {
        Row::Call(call) => {
            let mut object = CALLS.object(of_call(call));
            let legs = call.legs.iter().enumerate();
            object["legs"] =
                legs.map(|(n, leg)| LEGS.object(of_leg(&call.id, n + 1, leg))).collect();
            (CALLS.name, object)
        }
        Row::AgentState(state) => (AGENT_STATES.name, AGENT_STATES.object(of_agent_state(state))),
    };
    object["table"] = table.into();
    object
}

/// What makes a row the same row, among those of all tables.
pub fn key_of(row: &Row) -> String {
    match row {
        Row::Call(call) => call.id.clone(),
        Row::AgentState(state) => {
            format!("{}/{}/{}", state.agent, rfc3339(state.from), state.seq)
        }
    }
}

/// Its number among the rows of its table.
pub fn number_of(row: &Row) -> u64 {
    match row {
        Row::Call(call) => call.seq,
        Row::AgentState(state) => state.seq,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use siphasher::sip::SipHasher13;
    use std::hash::{Hash, Hasher};

    #[test]
    fn a_change_of_the_columns_is_another_form() {
        let mut hasher = SipHasher13::new();
        for table in TABLES {
            (table.name, table.columns, table.key).hash(&mut hasher);
        }
        let known = (5, 9_002_339_872_444_964_569);
        let now = (SCHEMA, hasher.finish());
        assert_eq!(now, known, "raise SCHEMA, so that databases are brought up to it, then this");
    }
}
