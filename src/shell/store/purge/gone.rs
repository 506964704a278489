//! What goes of one table, row by row as it is found, and the proof of it.

use super::{Proof, Rules};
use crate::shell::store::columns::Table;
use crate::shell::store::turn::belongs_as;
use crate::shell::store::verify::{Cells, Ranges};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
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
        let digest = self.digest.clone().finalize();
        Proof {
            at: format!("{:.3}", rules.now),
            by: rules.wish.by.clone(),
            what: format!("{} before {}", self.table.name, rules.newest().unwrap_or_default()),
            count: self.count(),
            seqs: Ranges::of(seqs).to_string(),
            digest: digest.iter().map(|octet| format!("{octet:02x}")).collect(),
        }
    }

    /// The proof as an object; `None` where nothing goes.
    pub fn told(&self, rules: &Rules) -> Option<Value> {
        let proof = self.proof(rules);
        (proof.count > 0).then(|| {
            json!({
                "purged_at": proof.at,
                "purged_by": proof.by,
                "table_name": self.table.name,
                "what": proof.what,
                "count": proof.count,
                "seqs": proof.seqs,
                "digest": proof.digest,
            })
        })
    }
}

/// Adds proofs to a file beside `of`, and brings them to the disk: before anything goes.
pub fn note(path: &Path, of: &Path, gone: &[Gone], rules: &Rules) -> io::Result<()> {
    let proofs = gone.iter().filter_map(|gone| gone.told(rules));
    let text: String = proofs.map(|proof| format!("{proof}\n")).collect();
    let mut options = OpenOptions::new();
    let mut file = options.append(true).create(true).mode(0o600).open(path)?;
    belongs_as(path, of)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// The table and the numbers of every purge that is noted in a file.
pub fn noted(path: &Path) -> Result<Vec<(String, String)>, String> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    let all: Option<Vec<_>> = text
        .lines()
        .map(|line| serde_json::from_str(line).ok().as_ref().and_then(table_and_numbers))
        .collect();
    all.ok_or_else(|| format!("{}: it holds what is no proof", path.display()))
}

pub fn table_and_numbers(proof: &Value) -> Option<(String, String)> {
    Some((proof["table_name"].as_str()?.into(), proof["seqs"].as_str()?.into()))
}
