//! `pukar why --journal`: the story of a call that is no longer in memory, told by going through
//! the journal with the same core.

use super::walk::{At, Next, Walk, walk};
use crate::base::CallId;
use crate::call;
use crate::core::{Fact, What};
use serde_json::Value;
use std::path::Path;

/// The story of the call with this id, or with an id that ends so.
pub fn explain(dir: &Path, id: &str) -> Result<Value, String> {
    let (mut call, mut story) = (None, None);
    let mut tell = |known: &Walk<'_>| story = known.board.why(id, known.now).ok();
    walk(dir, &mut |at| {
        Ok(match at {
            // Another attempt, or behind a gap.
            At::Begun(_) => {
                call = None;
                Next::On
            }
            At::Batch(known, facts) => {
                call = call.or_else(|| arrived(facts, id));
                if call.is_none_or(|call| !has_ended(facts, call)) {
                    return Ok(Next::On);
                }
                tell(known);
                Next::Enough
            }
            // What came of it is in no journal.
            At::BrokenOff(known) if call.is_some() => {
                tell(known);
                Next::Enough
            }
            At::BrokenOff(_) => Next::On,
            At::End(known) => {
                tell(known);
                Next::On
            }
        })
    })?;
    story.ok_or_else(|| {
        format!("no call {id} arrives in {}; `ls` says how far back it goes", dir.display())
    })
}

fn arrived(facts: &[Fact], id: &str) -> Option<CallId> {
    facts.iter().find_map(|fact| match &fact.what {
        What::Call(call::Fact::Arrived { call, arrival }) => {
            arrival.id.ends_with(id).then_some(*call)
        }
        _ => None,
    })
}

fn has_ended(facts: &[Fact], over: CallId) -> bool {
    let ends =
        |what: &What| matches!(what, What::Call(call::Fact::Ended { call, .. }) if *call == over);
    facts.iter().any(|fact| ends(&fact.what))
}
