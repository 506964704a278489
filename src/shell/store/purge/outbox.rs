//! Purging the outbox: a row that has to go is blotted where it lies, so that a switch may go on
//! appending and reading. What a store has refused is taken out of its file.

use super::gone::{Gone, Tell, noted_of};
use super::{Purged, Rules};
use crate::core::Row;
use crate::shell::store::blots::Blots;
use crate::shell::store::columns::{AGENT_STATES, CALLS, number_of};
use crate::shell::store::outbox::Position;
use crate::shell::store::verify::{Ranges, cells_of};
use crate::shell::store::{outbox, proof, refused};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// As its proofs are called.
const OF: &str = "outbox";
/// And in them what stores had not got yet, by the names of their cursors.
const NEVER_CAME: &str = "never_came_to";

/// Numbers of a table's rows by the store that had not got them yet.
type Waiting = BTreeMap<(String, &'static str), Vec<u64>>;

/// The proofs of what was purged of the outbox in a data folder.
pub fn blotted(data: &Path, tell: Tell<'_>) -> Result<Vec<Value>, String> {
    noted_of(&proof::of_data(data), Some(OF), tell)
}

/// The stores that there were when something was purged, and the numbers of what was on its way to
/// each: none for most.
pub fn never_came(proof: &Value) -> BTreeMap<String, Ranges> {
    let all = proof[NEVER_CAME].as_object().into_iter().flatten();
    all.filter_map(|(store, seqs)| Some((store.clone(), Ranges::read(seqs.as_str()?)?))).collect()
}

/// The same, to be written down.
pub fn name_never_came(proof: &mut Value, store: &str, seqs: &Ranges) {
    proof[NEVER_CAME][store] = json!(seqs.to_string());
}

pub fn purge(folder: &Path, rules: &Rules, purged: &mut Purged) -> io::Result<()> {
    let end = outbox::extent(folder)?;
    for segment in outbox::segments(folder)? {
        let upto = if segment == end.segment { end.offset } else { u64::MAX };
        let cursors = outbox::cursors(folder)?;
        let (mut gone, mut waiting) = (both(), nothing_for(cursors.keys()));
        let mut goes = |offset, row: &Row| {
            let goes = is_old(row, &mut gone, rules);
            let at = Position { segment, offset };
            for (store, _) in cursors.iter().filter(|(_, cursor)| goes && **cursor <= at) {
                waiting.entry((store.clone(), table_of(row))).or_default().push(number_of(row));
            }
            goes
        };
        let Some(found) = Blots::find(folder, (segment, upto), &mut goes)? else { continue };
        if !rules.wish.dry_run {
            note(&gone, waiting, rules)?;
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
            let mut waiting = nothing_for(outbox::cursors(folder)?.keys());
            for row in &old {
                let key = (name.clone(), table_of(row));
                waiting.entry(key).or_default().push(number_of(row));
            }
            note(&gone, waiting, rules)?;
            refused::keep(folder, &name, &kept)?;
        }
        purged.add(&gone);
    }
    Ok(())
}

fn nothing_for<'a>(stores: impl Iterator<Item = &'a String>) -> Waiting {
    let tables = [CALLS.name, AGENT_STATES.name];
    let each = stores.flat_map(|store| tables.map(|table| ((store.clone(), table), Vec::new())));
    each.collect()
}

fn table_of(row: &Row) -> &'static str {
    if matches!(row, Row::Call(_)) { CALLS.name } else { AGENT_STATES.name }
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
fn note(gone: &[Gone; 2], waiting: Waiting, rules: &Rules) -> io::Result<()> {
    let some = gone.iter().filter(|gone| gone.count() > 0);
    let mut told: Vec<Value> =
        some.map(|gone| gone.proof(rules).told_of(OF, gone.table.name)).collect();
    for ((store, table), mut seqs) in waiting {
        seqs.sort_unstable();
        if let Some(told) = told.iter_mut().find(|told| told["table_name"] == table) {
            name_never_came(told, &store, &Ranges::of(seqs));
        }
    }
    proof::note(&rules.settings.data, &told)
}
