//! What is noted about an event for versions that cannot handle it: the record of a call as it
//! stands, rows that are finished, and who is to be called or not to be let in from now on.
//!
//! In: facts and commands. Out: notes. The core is asked for what a fact does not say.

use crate::acd;
use crate::base::CallId;
use crate::call::{self, MissedNews};
use crate::core::journal::{NoteRef, Over};
use crate::core::{Command, Fact, Kept, What};
use crate::shell::engine::Engine;

type Put<'a> = &'a mut dyn FnMut(&NoteRef<'_>);

/// Of one event. A record is noted as it stands behind it, whatever was told of the call.
pub fn of_facts(facts: &[Fact], engine: &dyn Engine, put: Put<'_>) {
    let mut noted: Vec<CallId> = Vec::new();
    for fact in facts {
        let call = call_of(fact).filter(|call| !noted.contains(call));
        noted.extend(call);
        of_fact(fact, call, engine, put);
    }
}

/// The call in whose record something stands now that nobody could tell later.
fn call_of(fact: &Fact) -> Option<CallId> {
    match &fact.what {
        What::Call(
            call::Fact::Arrived { call, .. }
            | call::Fact::Connected { call, .. }
            | call::Fact::District { call, .. }
            | call::Fact::Category { call, .. }
            | call::Fact::Transferred { call, .. }
            | call::Fact::Ended { call, .. },
        )
        | What::Desk(acd::Fact::Queued { call, .. }) => Some(*call),
        _ => None,
    }
}

fn of_fact(fact: &Fact, call: Option<CallId>, engine: &dyn Engine, put: Put<'_>) {
    if let Some(call) = call {
        of_call(call, engine, put);
    }
    match &fact.what {
        What::Call(call::Fact::Missed { number, news }) => match news {
            MissedNews::Abandoned { .. } | MissedNews::Served | MissedNews::Closed { .. } => {
                of_wanted(number, engine, put);
            }
            MissedNews::Claimed { .. }
            | MissedNews::Released { .. }
            | MissedNews::Calling
            | MissedNews::Unreached => {}
        },
        What::Blocked { number, reason, by, until } => {
            let (number, reason, by) = (number.clone(), reason.clone(), by.clone());
            put(&NoteRef::Kept(&Kept::Block { number, reason, by, until: *until }));
        }
        What::Unblocked { number, .. } => put(&NoteRef::Over(&Over::Block(number.clone()))),
        _ => {}
    }
}

fn of_call(call: CallId, engine: &dyn Engine, put: Put<'_>) {
    let Some(note) = engine.draft(call) else { return };
    put(&note);
    // Whoever is owed a call has a call of their own in the books, which ends with it.
    let (NoteRef::Live(record) | NoteRef::Ended(record)) = note else { return };
    if !record.parent.is_empty() && record.direction == call::Direction::Out {
        of_wanted(&record.dialled, engine, put);
    }
}

fn of_wanted(number: &str, engine: &dyn Engine, put: Put<'_>) {
    match engine.wanted(number) {
        Some(wanted) => put(&NoteRef::Kept(&wanted)),
        None => put(&NoteRef::Over(&Over::Wanted(number.into()))),
    }
}

pub fn of_command(command: &Command, put: Put<'_>) {
    if let Command::Store(row) = command {
        put(&NoteRef::Row(row));
    }
}
