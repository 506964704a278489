//! Rows that one store refuses for good, each alone. One of them must not keep all others away: it
//! is put aside, in `refused/` of the outbox, a file a store, and tried again whenever the switch
//! starts.

use super::columns::{key_of, number_of};
use super::line;
use super::turn::{STORE_WAITS, Turn, belongs_as};
use crate::core::Row;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The rows that this store has refused; `name`: as its cursor is called.
pub fn rows(outbox: &Path, name: &str) -> io::Result<Vec<Row>> {
    let text = match fs::read(path(outbox, name)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    // A line that was left unfinished was not counted as put aside.
    let lines = text.split_inclusive(|octet| *octet == b'\n');
    Ok(lines.filter_map(|text| line::read(text).ok()).collect())
}

/// The stores that have refused something.
pub fn names(outbox: &Path) -> io::Result<Vec<String>> {
    let files = match fs::read_dir(outbox.join(FOLDER)) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let names = files.flatten().filter_map(|file| file.file_name().into_string().ok());
    Ok(names.filter_map(|name| Some(name.strip_suffix(".rows")?.to_string())).collect())
}

/// Whoever changes these files has it meanwhile: a store, or a purge.
pub fn turn(outbox: &Path) -> io::Result<Turn> {
    let lock = outbox.join(FOLDER).with_extension("lock");
    let turn = Turn::take(&lock, STORE_WAITS)?;
    belongs_as(&lock, outbox)?;
    Ok(turn)
}

/// Puts one more aside, but not more than so many; it is on the disk when this returns.
pub fn put(outbox: &Path, name: &str, row: Row, most: usize) -> io::Result<()> {
    let _turn = turn(outbox)?;
    let mut all = rows(outbox, name)?;
    all.retain(|known| key_of(known) != key_of(&row));
    if all.len() >= most {
        return Err(io::Error::other(format!("{} rows lie there already", all.len())));
    }
    all.push(row);
    keep(outbox, name, &all)
}

/// The store has these by now: how many are left.
pub fn let_go(outbox: &Path, name: &str, taken: &BTreeSet<String>) -> io::Result<usize> {
    if taken.is_empty() {
        return Ok(rows(outbox, name)?.len());
    }
    let _turn = turn(outbox)?;
    // A purge may have been at them while they were written.
    let mut left = rows(outbox, name)?;
    let before = left.len();
    left.retain(|row| !taken.contains(&key_of(row)));
    if left.len() < before {
        keep(outbox, name, &left)?;
    }
    Ok(left.len())
}

/// From now on these are all.
pub fn keep(outbox: &Path, name: &str, rows: &[Row]) -> io::Result<()> {
    let path = path(outbox, name);
    if rows.is_empty() {
        return fs::remove_file(path);
    }
    DirBuilder::new().recursive(true).mode(0o700).create(outbox.join(FOLDER))?;
    let mut text = Vec::new();
    rows.iter().try_for_each(|row| line::write(&mut text, row))?;
    let fresh = path.with_extension("new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    belongs_as(&fresh, outbox)?;
    file.write_all(&text)?;
    file.sync_data()?;
    fs::rename(fresh, path)
}

/// `call 17 (01HZ...)`.
pub fn named(row: &Row) -> String {
    let kind = if matches!(row, Row::Call(_)) { "call" } else { "agents' state" };
    format!("{kind} {} ({})", number_of(row), key_of(row))
}

const FOLDER: &str = "refused";

fn path(outbox: &Path, name: &str) -> PathBuf {
    outbox.join(FOLDER).join(format!("{name}.rows"))
}
