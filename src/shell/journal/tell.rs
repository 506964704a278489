//! `pukar events --journal`: facts that the switch has no longer in memory, told by going through
//! the journal with the same core.
//!
//! In: a folder, and the number of the first fact wanted. Out: facts as text, none left out unsaid.

use super::walk::{At, Next, walk};
use crate::shell::board::{Board, Missed};
use std::path::Path;

/// Facts asked of the board at once.
const FACTS: usize = 1_024;

type Visit<'a> = &'a mut dyn FnMut(&str) -> Result<(), String>;

/// Tells every fact from number `from` on that the journal in `dir` leads to; without a number,
/// from the oldest. An error: what is missing in it, or what `visit` says.
pub fn tell(dir: &Path, from: Option<u64>, visit: Visit<'_>) -> Result<(), String> {
    let mut next = from;
    walk(dir, &mut |at| {
        match at {
            At::Begun(known) | At::Batch(known, _) => hand_on(&known.board, &mut next, visit)?,
            At::BrokenOff(_) | At::End(_) => {}
        }
        Ok(Next::On)
    })
}

/// What the board knows from `next` on.
fn hand_on(board: &Board, next: &mut Option<u64>, visit: Visit<'_>) -> Result<(), String> {
    loop {
        let from = next.unwrap_or_else(|| board.oldest_fact());
        let facts = match board.facts(from, FACTS) {
            Ok(facts) => facts,
            // It comes later, or has been told while an event was not left out yet.
            Err(Missed::Ahead { .. }) => return Ok(()),
            Err(Missed::TooOld { oldest }) => {
                return Err(format!(
                    "facts {from} to {} are not in this journal: go on with --from {oldest}",
                    oldest - 1
                ));
            }
        };
        if facts.is_empty() {
            return Ok(());
        }
        for (seq, fact) in (from..).zip(facts) {
            visit(&fact)?;
            *next = Some(seq + 1);
        }
    }
}
