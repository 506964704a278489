//! Purging the outbox: a row that has to go is blotted where it lies, so that a switch may go on
//! appending and reading. What a store has refused is taken out of its file.

use super::gone::{Gone, Tell, noted_of};
use super::{Purged, Rules};
use crate::core::Row;
use crate::shell::store::blots::Blots;
use crate::shell::store::columns::{AGENT_STATES, CALLS};
use crate::shell::store::verify::cells_of;
use crate::shell::store::{outbox, proof, refused};
use serde_json::Value;
use std::io;
use std::path::Path;

/// As its proofs are called.
const OF: &str = "outbox";

/// The table and the numbers of what was purged of the outbox in a data folder.
pub fn blotted(data: &Path, tell: Tell<'_>) -> Result<Vec<(String, String)>, String> {
    noted_of(&proof::of_data(data), Some(OF), tell)
}

pub fn purge(folder: &Path, rules: &Rules, purged: &mut Purged) -> io::Result<()> {
    let end = outbox::extent(folder)?;
    for segment in outbox::segments(folder)? {
        let upto = if segment == end.segment { end.offset } else { u64::MAX };
        let mut gone = both();
        let mut goes = |row: &Row| is_old(row, &mut gone, rules);
        let Some(found) = Blots::find(folder, (segment, upto), &mut goes)? else { continue };
        if !rules.wish.dry_run {
            note(&gone, rules)?;
            found.blot()?;
        }
        purged.add(&gone);
    }
    for name in refused::names(folder)? {
        let _turn = if rules.wish.dry_run { None } else { Some(refused::turn(folder)?) };
        let mut gone = both();
        let rows = refused::rows(folder, &name)?.into_iter();
        let (old, kept): (Vec<Row>, Vec<Row>) = rows.partition(|row| is_old(row, &mut gone, rules));
        if !rules.wish.dry_run && !old.is_empty() {
            note(&gone, rules)?;
            refused::keep(folder, &name, &kept)?;
        }
        purged.add(&gone);
    }
    Ok(())
}

fn both() -> [Gone; 2] {
    [Gone::of(&CALLS), Gone::of(&AGENT_STATES)]
}

fn is_old(row: &Row, gone: &mut [Gone; 2], rules: &Rules) -> bool {
    let own = cells_of(row);
    own.first().is_some_and(|(table, cells)| {
        let gone = gone.iter_mut().find(|gone| gone.table.name == table.name);
        gone.is_some_and(|gone| gone.judge(rules, cells))
    })
}

/// First the proof: what it names and is there still goes next time.
fn note(gone: &[Gone; 2], rules: &Rules) -> io::Result<()> {
    let told = gone.iter().filter(|gone| gone.count() > 0);
    let told: Vec<Value> =
        told.map(|gone| gone.proof(rules).told_of(OF, gone.table.name)).collect();
    proof::note(&rules.settings.data, &told)
}
