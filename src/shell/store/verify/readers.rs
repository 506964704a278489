//! Every row that a store has, read back as text, and what was purged from it.

use super::{Cells, Ranges};
use crate::config::{Remote, Store};
use crate::shell::store::columns::{self, AGENT_STATES, CALLS, LEGS, TABLES, Table};
use crate::shell::store::{csv, nats, postgres, purge, query, runtime};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;

type Visit<'v> = &'v mut dyn FnMut(&'static Table, Cells);

pub fn read(store: &Store, visit: Visit) -> Result<(), String> {
    match store {
        Store::Sqlite { path } => sqlite(path, visit),
        Store::JsonLines { path } => json_lines(path, visit),
        Store::Csv { folder } => sheets(folder, visit),
        Store::Postgres(at) => runtime()?.block_on(postgres::read_all(at, visit)),
        Store::Nats(at) => messages(at, visit),
        Store::Webhook(_) => Err("a web server cannot be read back".into()),
    }
}

/// Whether what was written there stays, but for a purge, which leaves proof: sheets are put away
/// by hand, and a stream has limits of its own.
pub fn is_kept(store: &Store) -> bool {
    matches!(store, Store::Sqlite { .. } | Store::Postgres(_))
}

/// In the order of the tables. What is no proof where one should be is told.
pub fn purged(store: &Store, tell: &mut dyn FnMut(String)) -> Result<[Ranges; 3], String> {
    let found = match store {
        Store::Sqlite { path } => query::purged(path)?,
        Store::Postgres(at) => runtime()?.block_on(postgres::purged(at))?,
        Store::JsonLines { path } => purge::noted(&purge::proofs_of_lines(path), tell)?,
        Store::Csv { folder } => purge::noted(&purge::proofs_of_sheets(folder), tell)?,
        Store::Nats(at) => runtime()?.block_on(nats::purged(at))?,
        Store::Webhook(_) => Vec::new(),
    };
    let mut all = [Ranges::default(), Ranges::default(), Ranges::default()];
    for (table, seqs) in found {
        let ranges = Ranges::read(&seqs).ok_or("table purges holds what is no proof")?;
        for (at, known) in TABLES.iter().enumerate() {
            // Legs go with their calls.
            if known.name == table || (known.name == LEGS.name && table == CALLS.name) {
                all[at].join(ranges.clone());
            }
        }
    }
    Ok(all)
}

fn sqlite(path: &Path, visit: Visit) -> Result<(), String> {
    for table in TABLES {
        query::read_all(path, table, &mut |values| visit(table, columns::text_of(&values)))?;
    }
    Ok(())
}

fn json_lines(path: &Path, visit: Visit) -> Result<(), String> {
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    for (n, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|e| format!("{}: {e}", path.display()))?;
        let row = serde_json::from_str(&line);
        let row: Value = row.map_err(|_| format!("{}:{}: no JSON", path.display(), n + 1))?;
        object(&row, visit);
    }
    Ok(())
}

/// A row as [`columns::json_line`] writes it.
pub fn object(row: &Value, visit: Visit) {
    let cells = |table: &Table, row: &Value| {
        let values = table.columns.iter().map(|(name, _)| row[*name].clone());
        columns::text_of(&values.collect::<Vec<_>>())
    };
    if row["table"] == AGENT_STATES.name {
        return visit(&AGENT_STATES, cells(&AGENT_STATES, row));
    }
    visit(&CALLS, cells(&CALLS, row));
    for leg in row["legs"].as_array().into_iter().flatten() {
        visit(&LEGS, cells(&LEGS, leg));
    }
}

fn sheets(folder: &Path, visit: Visit) -> Result<(), String> {
    let sentence = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut files: Vec<_> =
        fs::read_dir(folder).map_err(sentence)?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A purge that was killed has left the half of another.
        let is_sheet = name.ends_with(".csv");
        let of = |table: &&&Table| is_sheet && name.starts_with(&format!("{}-", table.name));
        let Some(table) = TABLES.iter().find(of) else { continue };
        let text = fs::read(&path).map_err(sentence)?;
        // Sheets of an older version have other columns, and are older than what we know.
        if text.starts_with(csv::header(table).as_bytes()) {
            csv::Records::new(&text).skip(1).for_each(|cells| visit(table, cells));
        }
    }
    Ok(())
}

fn messages(at: &Remote, visit: Visit) -> Result<(), String> {
    runtime()?.block_on(nats::read_with_places(at, &mut |row, _| object(row, visit)))
}
