//! Rows as CSV (RFC 4180) for spreadsheets: UTF-8 with a byte order mark, so that Hindi is shown as
//! Hindi; a file a day and table, such as `calls-2026-11-22.csv`, by the day on which a row ended.

use super::columns::{self, AGENT_STATES, CALLS, LEGS, Table};
use super::turn::{self, Turn};
use super::{Store, Trouble};
use crate::base::Wall;
use crate::core::Row;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const MARK: &str = "\u{feff}";
/// Files that stay open: those of today, of yesterday, and of a few late rows.
const OPEN_MAX: usize = 12;
/// Files of one day and table: each change of the columns begins another.
const FORMS_MAX: u32 = 100;

pub struct Csv {
    folder: PathBuf,
    zone: TimeZone,
    sheets: BTreeMap<String, Sheet>,
}

/// A file, and the keys of the rows that it has.
struct Sheet {
    path: PathBuf,
    file: File,
    len: u64,
    keys: BTreeSet<String>,
}

/// What a batch adds to a file.
struct Page {
    table: &'static Table,
    rows: Vec<(String, String)>,
}

impl Csv {
    pub fn open(folder: &Path, zone: &str) -> Result<Self, String> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|e| format!("{}: {e}", folder.display()))?;
        let zone = TimeZone::get(zone).map_err(|e| e.to_string())?;
        Ok(Self { folder: folder.into(), zone, sheets: BTreeMap::new() })
    }

    fn day(&self, at: Wall) -> String {
        let stamp = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
        stamp.to_zoned(self.zone.clone()).strftime("%Y-%m-%d").to_string()
    }

    fn pages(&self, rows: &[Row]) -> BTreeMap<String, Page> {
        let mut pages = BTreeMap::new();
        let mut put = |table: &'static Table, day: &str, values: Vec<Value>| {
            let name = format!("{}-{day}", table.name);
            let page = pages.entry(name).or_insert_with(|| Page { table, rows: Vec::new() });
            let raw = columns::text_of(&values);
            let cells: Vec<String> = values.iter().map(field).collect();
            page.rows.push((table.key_of(&raw), line(&cells)));
        };
        for row in rows {
            match row {
                Row::Call(call) => {
                    let day = self.day(call.ended_at);
                    put(&CALLS, &day, columns::of_call(call));
                    for (n, leg) in call.legs.iter().enumerate() {
                        put(&LEGS, &day, columns::of_leg(&call.id, n + 1, leg));
                    }
                }
                Row::AgentState(state) => {
                    put(&AGENT_STATES, &self.day(state.until), columns::of_agent_state(state));
                }
            }
        }
        pages
    }

    fn sheet(&mut self, name: &str, table: &Table) -> io::Result<&mut Sheet> {
        // A purge has written it anew, or somebody has put it away.
        self.sheets.retain(|_, sheet| !turn::has_moved(&sheet.file, &sheet.path));
        if !self.sheets.contains_key(name) {
            if self.sheets.len() >= OPEN_MAX {
                self.sheets.clear();
            }
            self.sheets.insert(name.into(), Sheet::open(&self.folder, name, table)?);
        }
        self.sheets.get_mut(name).ok_or_else(|| io::Error::other("a sheet is gone"))
    }
}

impl Store for Csv {
    fn write(&mut self, rows: &[Row]) -> Result<(), Trouble> {
        let lock = turn::beside(&self.folder);
        let _turn = Turn::of_store(&lock).map_err(|e| format!("{}: {e}", lock.display()))?;
        for (name, page) in self.pages(rows) {
            let written = self.sheet(&name, page.table).and_then(|sheet| sheet.append(page.rows));
            written.map_err(|e| format!("{}: {e}", self.folder.join(&name).display()))?;
        }
        Ok(())
    }
}

impl Sheet {
    /// The file of that name whose columns are ours; a row that was never finished is cut off.
    fn open(folder: &Path, name: &str, table: &Table) -> io::Result<Self> {
        let head = header(table);
        for form in 1..=FORMS_MAX {
            let ending = if form == 1 { String::new() } else { format!(".{form}") };
            let path = folder.join(format!("{name}{ending}.csv"));
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let mut file = options.open(&path)?;
            let mut text = Vec::new();
            file.read_to_end(&mut text)?;
            if !text.starts_with(head.as_bytes()) && !head.as_bytes().starts_with(&text) {
                continue;
            }
            if text.len() < head.len() {
                file.set_len(0)?;
                file.seek(SeekFrom::Start(0))?;
                file.write_all(head.as_bytes())?;
                file.sync_data()?;
                File::open(folder)?.sync_all()?;
                return Ok(Self { path, file, len: head.len() as u64, keys: BTreeSet::new() });
            }
            let mut records = Records::new(&text[head.len()..]);
            let keys = records.by_ref().map(|cells| table.key_of(&cells)).collect();
            let len = (head.len() + records.whole()) as u64;
            return Ok(Self { path, file, len, keys });
        }
        Err(io::Error::other("too many files of this day have other columns"))
    }

    fn append(&mut self, rows: Vec<(String, String)>) -> io::Result<()> {
        let (mut text, mut fresh) = (String::new(), BTreeSet::new());
        for (key, line) in rows {
            if !self.keys.contains(&key) && fresh.insert(key) {
                text.push_str(&line);
            }
        }
        self.file.set_len(self.len)?;
        self.file.seek(SeekFrom::Start(self.len))?;
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()?;
        self.len += text.len() as u64;
        self.keys.append(&mut fresh);
        Ok(())
    }
}

/// The mark, and the names of the columns.
pub fn header(table: &Table) -> String {
    let names: Vec<String> = table.columns.iter().map(|(name, _)| name.to_string()).collect();
    format!("{MARK}{}", line(&names))
}

/// The fields, as they are to stand in the file, as one record.
pub fn line(fields: &[String]) -> String {
    format!("{}\r\n", fields.join(","))
}

/// A cell of text that a spreadsheet would take for a formula is made plain text: callers choose
/// their own display names. A number with its country code is none.
pub fn field(value: &Value) -> String {
    let text = match value {
        Value::String(text) => plain(text),
        other => columns::cell_of(other),
    };
    match text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

/// Text that is no formula; [`raw`] undoes it.
fn plain(text: &str) -> String {
    let number = text.strip_prefix('+').is_some_and(|t| t.bytes().all(|b| b.is_ascii_digit()));
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\'']) && !number;
    if formula { format!("'{text}") } else { text.to_string() }
}

/// A cell as it was before it went into a sheet.
fn raw(cell: String) -> String {
    cell.strip_prefix('\'').map(str::to_string).unwrap_or(cell)
}

/// Goes through records; the last one counts only with its end of line.
pub struct Records<'a> {
    text: &'a [u8],
    whole: usize,
}

impl<'a> Records<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, whole: 0 }
    }

    /// Octets up to the end of the last whole record.
    pub fn whole(&self) -> usize {
        self.whole
    }
}

impl Iterator for Records<'_> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        let (mut cells, mut cell, mut quoted) = (Vec::new(), Vec::new(), false);
        let mut rest = self.text.get(self.whole..)?.iter().enumerate().peekable();
        while let Some((at, octet)) = rest.next() {
            match octet {
                b'"' if quoted && rest.peek().is_some_and(|(_, next)| **next == b'"') => {
                    cell.push(b'"');
                    rest.next();
                }
                b'"' => quoted = !quoted,
                b',' if !quoted => cells.push(finished(&mut cell)),
                b'\r' if !quoted => {}
                b'\n' if !quoted => {
                    cells.push(finished(&mut cell));
                    self.whole += at + 1;
                    return Some(cells);
                }
                _ => cell.push(*octet),
            }
        }
        None
    }
}

fn finished(cell: &mut Vec<u8>) -> String {
    raw(String::from_utf8_lossy(&std::mem::take(cell)).into_owned())
}
