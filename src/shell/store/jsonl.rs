//! Rows as JSON, one a line, with the names of the columns as keys and the table's name as
//! `"table"`; a call has its legs with it.

use super::columns::json_line;
use super::turn::{self, Turn};
use super::{Store, Trouble};
use crate::core::Row;
use serde_json::Value;
use std::collections::{BTreeSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How much of the end of the file is looked at for rows that may come again: more than the outbox
/// keeps of what every store has, since a cursor that is lost begins with all of that.
const TAIL: u64 = 48 << 20;

pub struct JsonLines {
    path: PathBuf,
    file: File,
    len: u64,
    recent: Recent,
}

/// Keys of the rows at the end of the file.
struct Recent {
    keys: BTreeSet<String>,
    /// The same in their order, with how long each line is.
    lines: VecDeque<(String, u64)>,
    octets: u64,
    most: u64,
}

impl Recent {
    fn new(most: u64) -> Self {
        Self { keys: BTreeSet::new(), lines: VecDeque::new(), octets: 0, most }
    }

    fn add(&mut self, key: String, len: u64) {
        if self.keys.insert(key.clone()) {
            self.octets += len;
            self.lines.push_back((key, len));
        }
        while self.octets > self.most
            && let Some((oldest, len)) = self.lines.pop_front()
        {
            self.keys.remove(&oldest);
            self.octets -= len;
        }
    }
}

impl JsonLines {
    pub fn open(path: &Path) -> Result<Self, String> {
        let open = || {
            if let Some(dir) = path.parent() {
                std::fs::create_dir_all(dir)?;
            }
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let mut file = options.open(path)?;
            let end = file.metadata()?.len();
            let start = end.saturating_sub(TAIL);
            let (mut recent, mut len) = (Recent::new(TAIL), start);
            file.seek(SeekFrom::Start(start))?;
            let mut lines = BufReader::new(&file);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
                len += line.len() as u64;
                if let Some(key) = serde_json::from_slice(&line).ok().as_ref().and_then(key) {
                    recent.add(key, line.len() as u64);
                }
                line.clear();
            }
            Ok(Self { path: path.into(), file, len, recent })
        };
        open().map_err(|e: std::io::Error| format!("{}: {e}", path.display()))
    }
}

impl Store for JsonLines {
    fn write(&mut self, rows: &[Row]) -> Result<(), Trouble> {
        let _turn = Turn::of_store(&turn::beside(&self.path)).map_err(|e| e.to_string())?;
        if turn::has_moved(&self.file, &self.path) {
            // A purge has written it anew, or somebody has put it away.
            *self = Self::open(&self.path)?;
        }
        let mut text = String::new();
        let (mut keys, mut written) = (BTreeSet::new(), Vec::new());
        for row in rows.iter().map(json_line) {
            let Some(key) = key(&row) else { continue };
            if !self.recent.keys.contains(&key) && keys.insert(key.clone()) {
                let before = text.len();
                text.push_str(&row.to_string());
                text.push('\n');
                written.push((key, (text.len() - before) as u64));
            }
        }
        let mut all = || {
            self.file.seek(SeekFrom::Start(self.len))?;
            self.file.set_len(self.len)?;
            self.file.write_all(text.as_bytes())?;
            self.file.sync_data()
        };
        all().map_err(|e: std::io::Error| e.to_string())?;
        self.len += text.len() as u64;
        written.into_iter().for_each(|(key, len)| self.recent.add(key, len));
        Ok(())
    }
}

fn key(row: &Value) -> Option<String> {
    match row["table"].as_str()? {
        "calls" => row["id"].as_str().map(str::to_string),
        _ => Some(format!("{}/{}/{}", row["agent"], row["from_at"], row["seq"])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::store::tests::{Folder, call};

    #[test]
    fn rows_that_are_fed_again_in_many_batches_stand_there_once() {
        let folder = Folder::new("jsonl-again");
        let path = folder.0.join("records.jsonl");
        let rows: Vec<Row> = (1..=60).map(call).collect();
        let feed = |rows: &[Row]| {
            let mut store = JsonLines::open(&path).unwrap();
            rows.chunks(10).for_each(|batch| store.write(batch).unwrap());
        };
        feed(&rows[..50]);
        // The cursor was lost: everything comes again, and then some.
        feed(&rows);
        let text = std::fs::read_to_string(&path).unwrap();
        let seqs = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let seqs: Vec<_> = seqs.map(|row| row["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, (1..=60).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_remembered_has_a_bound_and_is_the_newest() {
        let mut recent = Recent::new(30);
        (0..10).for_each(|n| recent.add(n.to_string(), 10));
        recent.add("9".into(), 10);
        assert_eq!(recent.keys.iter().collect::<Vec<_>>(), ["7", "8", "9"]);
    }
}
