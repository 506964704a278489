//! What goes of one table, row by row as it is found, and the proof of it.

use super::Rules;
use crate::shell::store::columns::Table;
use crate::shell::store::proof::{self, Proof};
use crate::shell::store::verify::{Cells, Ranges};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io;
use std::path::Path;

pub struct Gone {
    pub table: &'static Table,
    /// Old enough, and held.
    pub held: u64,
    seqs: Vec<u64>,
    digest: Sha256,
}

impl Gone {
    pub fn of(table: &'static Table) -> Self {
        Self { table, held: 0, seqs: Vec::new(), digest: Sha256::new() }
    }

    /// Whether the row goes.
    pub fn judge(&mut self, rules: &Rules, row: &Cells) -> bool {
        if !rules.is_old(self.table, row) {
            return false;
        }
        let Some(seq) = self.table.seq_of(row) else { return false };
        if rules.is_held(self.table, row) {
            self.held += 1;
            return false;
        }
        self.seqs.push(seq);
        self.digest.update(row.join("\u{1f}").as_bytes());
        self.digest.update(b"\n");
        true
    }

    pub fn count(&self) -> u64 {
        self.seqs.len() as u64
    }

    /// Of the rows in the order in which they were found.
    pub fn proof(&self, rules: &Rules) -> Proof {
        let mut seqs = self.seqs.clone();
        seqs.sort_unstable();
        let before = rules.newest().unwrap_or_default();
        Proof {
            seqs: Ranges::of(seqs).to_string(),
            digest: proof::hex(self.digest.clone().finalize()),
            ..rules.proof(format!("{} before {before}", self.table.name), self.count())
        }
    }

    /// The proof as an object; `None` where nothing goes.
    pub fn told(&self, rules: &Rules) -> Option<Value> {
        (self.count() > 0).then(|| self.proof(rules).told(self.table.name))
    }
}

/// Adds proofs to a file beside `of`, and brings them to the disk: before anything goes.
pub fn note(path: &Path, of: &Path, gone: &[Gone], rules: &Rules) -> io::Result<()> {
    let proofs: Vec<Value> = gone.iter().filter_map(|gone| gone.told(rules)).collect();
    proof::append(path, of, &proofs)
}

/// The table and the numbers of every purge that is noted in a file. A line that is none, such as
/// one of which a loss of power has left the half, is told.
pub fn noted(path: &Path, tell: Tell<'_>) -> Result<Vec<(String, String)>, String> {
    let proofs = noted_of(path, None, tell)?;
    Ok(proofs.iter().filter_map(table_and_numbers).collect())
}

pub type Tell<'t> = &'t mut dyn FnMut(String);

/// The proofs themselves, of one of those that the file has proofs of.
pub fn noted_of(path: &Path, of: Option<&str>, tell: Tell<'_>) -> Result<Vec<Value>, String> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    let mut found = Vec::new();
    let lines = text.split(|octet| *octet == b'\n').enumerate();
    for (n, line) in lines.filter(|(_, line)| !line.is_empty()) {
        let proof = serde_json::from_slice::<Value>(line).ok();
        match proof.filter(|proof| table_and_numbers(proof).is_some()) {
            Some(proof) if of.is_none_or(|of| proof["of"] == of) => found.push(proof),
            Some(_) => {}
            None => tell(format!("{}:{}: it is no proof of a purge", path.display(), n + 1)),
        }
    }
    Ok(found)
}

pub fn table_and_numbers(proof: &Value) -> Option<(String, String)> {
    Some((proof["table_name"].as_str()?.into(), proof["seqs"].as_str()?.into()))
}
