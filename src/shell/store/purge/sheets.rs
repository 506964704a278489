//! Purging CSV: day by day, each sheet of which something goes is written anew, and one of which
//! nothing stays is removed; legs go with their calls. A switch may go on writing: a day is done in
//! a turn of the purge's own (`turn.rs`). The proof lies in the folder, in `purges.jsonl`.

use super::gone::{Gone, note};
use super::{Purged, Rules};
use crate::shell::store::columns::{AGENT_STATES, CALLS, LEGS, Table};
use crate::shell::store::csv::{self, Records};
use crate::shell::store::turn::{self, PURGE_WAITS, Turn};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where the proofs lie.
pub fn proofs(folder: &Path) -> PathBuf {
    folder.join("purges.jsonl")
}

pub fn purge(folder: &Path, rules: &Rules, purged: &mut Purged) -> Result<(), String> {
    if !folder.exists() {
        return Ok(());
    }
    let _alone = match rules.wish.dry_run {
        true => None,
        false => Some(Turn::of_purge(folder).map_err(|e| e.to_string())?),
    };
    let mut all = || {
        for sheets in days(folder)?.into_values() {
            day(folder, &sheets, rules, purged)?;
        }
        Ok(())
    };
    all().map_err(|e: io::Error| e.to_string())
}

/// The sheets of each day, by table.
fn days(folder: &Path) -> io::Result<BTreeMap<String, Vec<(&'static Table, PathBuf)>>> {
    let mut days = BTreeMap::<_, Vec<_>>::new();
    for path in fs::read_dir(folder)?.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for table in [&CALLS, &LEGS, &AGENT_STATES] {
            let rest = name.strip_prefix(table.name).and_then(|rest| rest.strip_prefix('-'));
            if let Some(rest) = rest.filter(|rest| rest.ends_with(".csv"))
                && let Some(day) = rest.get(..10)
            {
                days.entry(day.to_string()).or_default().push((table, path.clone()));
            }
        }
    }
    Ok(days)
}

/// What is left of a sheet.
struct Left {
    path: PathBuf,
    text: Vec<u8>,
    rows: usize,
    changed: bool,
}

fn day(
    folder: &Path,
    sheets: &[(&'static Table, PathBuf)],
    rules: &Rules,
    purged: &mut Purged,
) -> io::Result<()> {
    let _turn = match rules.wish.dry_run {
        true => None,
        false => Some(Turn::take(&turn::beside(folder), PURGE_WAITS)?),
    };
    let mut gone = [Gone::of(&CALLS), Gone::of(&AGENT_STATES)];
    let (mut calls, mut left) = (BTreeSet::new(), Vec::new());
    for of in [&CALLS, &AGENT_STATES, &LEGS] {
        for (table, path) in sheets.iter().filter(|(table, _)| table.name == of.name) {
            left.push(without(table, path, &mut |cells| match gone
                .iter_mut()
                .find(|gone| gone.table.name == table.name)
            {
                Some(gone) => {
                    let goes = gone.judge(rules, cells);
                    if goes && table.name == CALLS.name {
                        calls.insert(table.cell(cells, "id").to_string());
                    }
                    goes
                }
                None => calls.contains(table.cell(cells, "call")),
            })?);
        }
    }
    if !rules.wish.dry_run && left.iter().any(|sheet| sheet.changed) {
        // First the proof: what it names and is there still goes next time.
        note(&proofs(folder), folder, &gone, rules)?;
        // Legs first: they are found by their calls alone.
        left.iter().rev().filter(|sheet| sheet.changed).try_for_each(Left::write)?;
        File::open(folder)?.sync_all()?;
    }
    purged.add(&gone);
    Ok(())
}

/// A sheet with other columns is an older version's: nobody knows here what stands where, so it
/// stays whole.
fn without(
    table: &Table,
    path: &Path,
    goes: &mut dyn FnMut(&Vec<String>) -> bool,
) -> io::Result<Left> {
    let text = fs::read(path)?;
    let head = csv::header(table);
    let mut left = Left { path: path.into(), text: head.clone().into(), rows: 0, changed: false };
    if !text.starts_with(head.as_bytes()) {
        return Ok(left);
    }
    let body = &text[head.len()..];
    let (mut records, mut from) = (Records::new(body), 0);
    while let Some(cells) = records.next() {
        match goes(&cells) {
            true => left.changed = true,
            false => {
                left.rows += 1;
                left.text.extend(&body[from..records.whole()]);
            }
        }
        from = records.whole();
    }
    Ok(left)
}

impl Left {
    fn write(&self) -> io::Result<()> {
        if self.rows == 0 {
            return fs::remove_file(&self.path);
        }
        let fresh = self.path.with_extension("new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let write = || {
            let mut file = options.open(&fresh)?;
            turn::belongs_as(&fresh, &self.path)?;
            file.write_all(&self.text)?;
            file.sync_data()?;
            fs::rename(&fresh, &self.path)
        };
        write().inspect_err(|_| drop(fs::remove_file(&fresh)))
    }
}
