//! Rows that did not come: the queue from the core is bounded, and while the disk of the outbox
//! hangs it may run over. Numbers are gapless, so whoever appends sees what is missing, and takes
//! it from the journal, which has noted every row before it was sent on its way.

use super::columns::number_of;
use crate::core::Row;
use crate::shell::journal;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Calls, or agents' states.
type Kind = bool;

/// `rows`, with those before them that are in no outbox yet, and those up to `upto` where it is
/// known how many there have been; `last`: the numbers that the outbox has.
pub fn fill(rows: Vec<Row>, last: (u64, u64), upto: Option<(u64, u64)>, outbox: &Path) -> Vec<Row> {
    let mut wanted = missing(&rows, last, upto);
    if wanted.is_empty() {
        return rows;
    }
    let mut found = BTreeMap::new();
    let read = journal::rows(&outbox.with_file_name("journal"), &mut |row| {
        let key = (kind(&row), number_of(&row));
        if wanted.remove(&key) {
            found.insert(key, row);
        }
    });
    if let Err(error) = read {
        tracing::error!("the journal cannot be read for rows that are missing: {error}");
    }
    tracing::warn!("{} rows that were over the limit are taken from the journal", found.len());
    for (kind, number) in wanted {
        let kind = if kind { "call" } else { "agent state" };
        tracing::error!("record number {number} of {kind}s is in no place: the journal has a gap");
    }
    let mut whole = Vec::new();
    for row in rows {
        let (kind, number) = (kind(&row), number_of(&row));
        let earlier: Vec<_> = found.range((kind, 0)..(kind, number)).map(|(key, _)| *key).collect();
        whole.extend(earlier.iter().filter_map(|key| found.remove(key)));
        whole.push(row);
    }
    whole.extend(found.into_values());
    whole
}

/// The numbers between those that are there.
fn missing(
    rows: &[Row],
    (calls, states): (u64, u64),
    upto: Option<(u64, u64)>,
) -> BTreeSet<(Kind, u64)> {
    let mut wanted = BTreeSet::new();
    let mut last = BTreeMap::from([(true, calls), (false, states)]);
    for row in rows {
        let (kind, number) = (kind(row), number_of(row));
        let before = last.insert(kind, number).unwrap_or_default();
        // Of the first that there ever was nothing is missing that anybody knows of.
        if before > 0 {
            wanted.extend((before + 1..number).map(|number| (kind, number)));
        }
    }
    let ends = upto.into_iter().flat_map(|(calls, states)| [(true, calls), (false, states)]);
    for (kind, end) in ends {
        if let Some(before) = last.get(&kind).filter(|before| **before > 0) {
            wanted.extend((before + 1..=end).map(|number| (kind, number)));
        }
    }
    wanted
}

fn kind(row: &Row) -> Kind {
    matches!(row, Row::Call(_))
}
