//! Purging JSON lines: the file is written anew without what goes, and takes the place of the old
//! one whole. Nobody may write it meanwhile, so this is done where no switch is at work. The proof
//! lies beside it, a line each, in `<file>.purges`.

use super::{Books, Proof};
use crate::shell::store::columns::{AGENT_STATES, CALLS, Table};
use crate::shell::store::verify::{Cells, object};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A line, and the row that it holds, if it does; whether to go on.
type Visit<'v> = &'v mut dyn FnMut(&[u8], Option<Value>) -> io::Result<bool>;

pub struct Lines {
    path: PathBuf,
}

impl Lines {
    pub fn open(path: &Path) -> Result<Self, String> {
        match path.exists() {
            true => Ok(Self { path: path.into() }),
            false => Err("there is no such file".into()),
        }
    }

    /// Every line, and the row that it holds, if it does.
    fn each(&self, visit: Visit<'_>) -> io::Result<()> {
        let mut lines = BufReader::new(File::open(&self.path)?);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            if !visit(&line, serde_json::from_slice(&line).ok())? {
                return Ok(());
            }
            line.clear();
        }
        Ok(())
    }

    fn write_without(&self, table: &Table, gone: &BTreeSet<u64>) -> io::Result<PathBuf> {
        let fresh = self.path.with_extension("new");
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        let mut out = BufWriter::new(file);
        self.each(&mut |line, row| {
            let goes = row.is_some_and(|row| {
                name_of(&row) == table.name
                    && row["seq"].as_u64().is_some_and(|n| gone.contains(&n))
            });
            if !goes {
                out.write_all(line)?;
            }
            Ok(true)
        })?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()?;
        Ok(fresh)
    }
}

fn name_of(row: &Value) -> &'static str {
    if row["table"] == AGENT_STATES.name { AGENT_STATES.name } else { CALLS.name }
}

/// Where the proofs of a file lie.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".purges");
    name.into()
}

impl Books for Lines {
    fn older(
        &mut self,
        table: &'static Table,
        before: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Cells>, String> {
        let mut found = Vec::new();
        let scanned = self.each(&mut |_, row| {
            let Some(row) = row else { return Ok(true) };
            object(&row, &mut |of, cells| {
                let is_next = table.seq_of(&cells).is_some_and(|seq| seq > after);
                if of.name == table.name && is_next && table.cell(&cells, table.time) < before {
                    found.push(cells);
                }
            });
            Ok(found.len() < limit)
        });
        scanned.map(|()| found).map_err(|e| e.to_string())
    }

    fn remove(
        &mut self,
        table: &'static Table,
        rows: &[Cells],
        proof: &Proof,
    ) -> Result<(), String> {
        let gone: BTreeSet<u64> = rows.iter().filter_map(|row| table.seq_of(row)).collect();
        let line = json!({
            "purged_at": proof.at,
            "purged_by": proof.by,
            "table_name": table.name,
            "what": proof.what,
            "count": rows.len(),
            "seqs": proof.seqs,
            "digest": proof.digest,
        });
        let all = || {
            let fresh = self.write_without(table, &gone)?;
            // First the proof: what it names and is there still goes next time.
            let mut options = OpenOptions::new();
            let proofs = options.append(true).create(true).mode(0o600).open(beside(&self.path));
            let mut proofs = proofs?;
            proofs.write_all(format!("{line}\n").as_bytes())?;
            proofs.sync_data()?;
            fs::rename(fresh, &self.path)
        };
        all().map_err(|e: io::Error| e.to_string())
    }
}

/// The table and the numbers of every purge.
pub fn proofs(path: &Path) -> Result<Vec<(String, String)>, String> {
    let path = beside(path);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    let proof = |line: &str| {
        let row: Value = serde_json::from_str(line).ok()?;
        Some((row["table_name"].as_str()?.to_string(), row["seqs"].as_str()?.to_string()))
    };
    let all: Option<Vec<_>> = text.lines().map(proof).collect();
    all.ok_or_else(|| format!("{}: it holds what is no proof", path.display()))
}
