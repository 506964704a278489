//! Rows as JSON, one a line, with the names of the columns as keys and the table's name as
//! `"table"`; a call has its legs with it.

use super::Store;
use super::columns::json_line;
use crate::core::Row;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How much of the end of the file is looked at for rows that may come again: more than one batch.
const TAIL: u64 = 8 << 20;

pub struct JsonLines {
    file: File,
    len: u64,
    /// Keys of the rows at the end of the file.
    recent: BTreeSet<String>,
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
            let start = file.metadata()?.len().saturating_sub(TAIL);
            file.seek(SeekFrom::Start(start))?;
            let mut tail = Vec::new();
            file.read_to_end(&mut tail)?;
            let whole = memchr::memrchr(b'\n', &tail).map_or(0, |at| at + 1);
            let len = start + whole as u64;
            let rows = tail[..whole].split(|octet| *octet == b'\n');
            let recent = rows.filter_map(|line| key(&serde_json::from_slice(line).ok()?)).collect();
            Ok(Self { file, len, recent })
        };
        open().map_err(|e: std::io::Error| format!("{}: {e}", path.display()))
    }
}

impl Store for JsonLines {
    fn write(&mut self, rows: &[Row]) -> Result<(), String> {
        let mut text = String::new();
        let mut written = BTreeSet::new();
        for row in rows.iter().map(json_line) {
            let Some(key) = key(&row) else { continue };
            if !self.recent.contains(&key) && written.insert(key) {
                text.push_str(&row.to_string());
                text.push('\n');
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
        // A row comes again only from the batch that was under way, or from the tail after a start.
        self.recent = written;
        Ok(())
    }
}

fn key(row: &Value) -> Option<String> {
    match row["table"].as_str()? {
        "calls" => row["id"].as_str().map(str::to_string),
        _ => Some(format!("{}/{}/{}", row["agent"], row["from_at"], row["seq"])),
    }
}
