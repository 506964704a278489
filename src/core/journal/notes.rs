//! Notes of a version whose records have other columns: every column that fits is taken, whatever
//! else there is. A call without its id is nobody's.

use super::{Note, Numbers};
use crate::base::Wall;
use crate::call::{Direction, EndedBy, Outcome};
use crate::core::record::{AgentStateRow, CallRecord, LegRow, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub fn of_another_form(payload: &[u8]) -> Option<Note> {
    let whole: Value = serde_json::from_slice(payload).ok()?;
    let (kind, given) = whole.as_object()?.iter().next()?;
    match kind.as_str() {
        "Live" => Some(Note::Live(Box::new(record(given)?))),
        "Ended" => Some(Note::Ended(Box::new(record(given)?))),
        "Row" => Some(Note::Row(Box::new(row(given)?))),
        "Kept" => serde_json::from_value(given.clone()).ok().map(Note::Kept),
        "Over" => serde_json::from_value(given.clone()).ok().map(Note::Over),
        "Numbers" => Some(Note::Numbers(fitting(Numbers::default(), given))),
        _ => None,
    }
}

fn row(given: &Value) -> Option<Row> {
    let (kind, given) = given.as_object()?.iter().next()?;
    match kind.as_str() {
        "Call" => record(given).map(Row::Call),
        "AgentState" => {
            let state = fitting(blank_state(), given);
            (state.seq > 0).then_some(Row::AgentState(state))
        }
        _ => None,
    }
}

fn record(given: &Value) -> Option<CallRecord> {
    let mut record = fitting(blank_record(), given);
    if record.legs.is_empty() {
        let legs = given["legs"].as_array().into_iter().flatten();
        record.legs = legs.map(|leg| fitting(LegRow::default(), leg)).collect();
    }
    (!record.id.is_empty()).then_some(record)
}

/// `blank`, with everything from `given` that is of the right kind.
fn fitting<T: Serialize + DeserializeOwned>(blank: T, given: &Value) -> T {
    let (Ok(mut whole), Some(given)) = (serde_json::to_value(&blank), given.as_object()) else {
        return blank;
    };
    for (name, value) in given {
        let Some(place) = whole.get_mut(name) else { continue };
        let before = std::mem::replace(place, value.clone());
        if T::deserialize(&whole).is_err() {
            whole[name.as_str()] = before;
        }
    }
    T::deserialize(&whole).unwrap_or(blank)
}

fn blank_record() -> CallRecord {
    CallRecord {
        id: String::new(),
        seq: 0,
        direction: Direction::In,
        line: String::new(),
        trunk: String::new(),
        caller: String::new(),
        caller_raw: String::new(),
        dialled: String::new(),
        district: String::new(),
        queue: String::new(),
        agent: String::new(),
        outcome: Outcome::Failed,
        ended_by: EndedBy::Switch,
        sip_status: 0,
        q850: None,
        category: String::new(),
        case_ref: String::new(),
        parent: String::new(),
        flags: String::new(),
        recording: String::new(),
        arrived_at: Wall(0),
        system_answered_at: None,
        queued_at: None,
        first_offered_at: None,
        connected_at: None,
        ended_at: Wall(0),
        wrapped_up_at: None,
        wait_ms: 0,
        talk_ms: 0,
        hold_ms: 0,
        wrap_ms: 0,
        offers: 0,
        transfers: 0,
        legs: Vec::new(),
    }
}

fn blank_state() -> AgentStateRow {
    AgentStateRow {
        seq: 0,
        agent: String::new(),
        state: String::new(),
        reason: String::new(),
        call: String::new(),
        from: Wall(0),
        until: Wall(0),
    }
}
