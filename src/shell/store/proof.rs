//! Proof of what was removed for its age: what, how many, by whom, their numbers, and a digest by
//! which whoever has a copy can show that it was this. A line of JSON each, in a file beside what
//! it is about, and on the disk before anything goes.

use super::joined::joined;
use super::turn::{STORE_WAITS, Turn, belongs_as};
use crate::base::limits;
use crate::shell::clock::Clock;
use crate::shell::stamp::rfc3339;
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Of one transaction, file or folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    pub at: String,
    pub by: String,
    pub what: String,
    pub count: u64,
    /// As `1-500,502`; empty where what went has no numbers.
    pub seqs: String,
    pub digest: String,
}

impl Proof {
    /// As it is written down. `table`: what the numbers are of.
    pub fn told(&self, table: &str) -> Value {
        json!({
            "purged_at": self.at,
            "purged_by": self.by,
            "table_name": table,
            "what": self.what,
            "count": self.count,
            "seqs": self.seqs,
            "digest": self.digest,
        })
    }

    /// The same, where a file has proofs of several: `of` says which.
    pub fn told_of(&self, of: &str, table: &str) -> Value {
        let mut told = self.told(table);
        told["of"] = json!(of);
        told
    }
}

/// Where the proofs of a data folder lie: of the outbox, the access log, the journal, and of web
/// servers, which have no place of ours.
pub fn of_data(data: &Path) -> PathBuf {
    data.join("purges.jsonl")
}

/// Adds proofs to those of a data folder.
pub fn note(data: &Path, proofs: &[Value]) -> io::Result<()> {
    append(&of_data(data), &made_by_the_switch(data), proofs)
}

/// What in a data folder belongs to whom the switch runs as. The folder itself may be another's.
pub fn made_by_the_switch(data: &Path) -> PathBuf {
    let own = ["journal", "outbox", "audit"].map(|name| data.join(name));
    own.into_iter().find(|path| path.is_dir()).unwrap_or_else(|| data.into())
}

/// Adds proofs to a file that is to belong to whom `of` belongs, and brings them to the disk: all,
/// or none. Of one that was torn by a loss of power, what is left stays a line of its own. Where
/// the file has become long, older ones become one.
pub fn append(path: &Path, of: &Path, proofs: &[Value]) -> io::Result<()> {
    append_within(path, of, proofs, limits::PROOFS_MAX)
}

fn append_within(path: &Path, of: &Path, proofs: &[Value], most: u64) -> io::Result<()> {
    if proofs.is_empty() {
        return Ok(());
    }
    // The switch and a purge may both have something to prove.
    let mut turn = Turn::take(path, STORE_WAITS)?;
    while !turn.is_of(path) {
        turn = Turn::take(path, STORE_WAITS)?;
    }
    belongs_as(path, of)?;
    let mut options = OpenOptions::new();
    let mut file = options.read(true).append(true).mode(0o600).open(path)?;
    let (end, mut last) = (file.metadata()?.len(), [b'\n']);
    if end > 0 {
        file.read_exact_at(&mut last, end - 1)?;
    }
    let start = if last == [b'\n'] { "" } else { "\n" };
    let lines = proofs.iter().map(|proof| format!("{proof}\n"));
    let text: String = std::iter::once(start.to_string()).chain(lines).collect();
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
    written.inspect_err(|_| drop(file.set_len(end)))?;
    if end + text.len() as u64 > most
        && let Err(error) = shorten(path, of)
    {
        tracing::warn!("{}: old proofs cannot become one: {error}", path.display());
    }
    Ok(())
}

/// Whole under its name or not at all, whatever happens meanwhile.
fn shorten(path: &Path, of: &Path) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    belongs_as(&fresh, of)?;
    file.write_all(&joined(&fs::read(path)?)).and_then(|()| file.sync_data())?;
    fs::rename(&fresh, path)?;
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

pub fn hex(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// For what the switch removes by itself.
pub fn now() -> String {
    rfc3339(Clock::start().now().wall)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::store::tests::Folder;

    #[test]
    fn a_file_of_proofs_stays_as_short_as_it_may_be_and_has_proof_of_all() {
        let folder = Folder::new("proofs");
        let path = folder.0.join("purges.jsonl");
        let of_segment = |n: u64| {
            let proof = Proof { count: 1, seqs: n.to_string(), ..Proof::default() };
            proof.told_of("journal", "journal")
        };
        std::thread::scope(|both| {
            for first in [1, 201] {
                let (path, folder) = (&path, &folder.0);
                both.spawn(move || {
                    for n in first..first + 200 {
                        let append = || append_within(path, folder, &[of_segment(n)], 3_000);
                        // However slow the disk is, and whoever of them is quicker.
                        let busy = |done: &io::Result<()>| {
                            let error = done.as_ref().err();
                            error.is_some_and(|e| e.kind() == io::ErrorKind::WouldBlock)
                        };
                        let mut tries = std::iter::repeat_with(append).take(30);
                        tries.find(|done| !busy(done)).unwrap().unwrap();
                    }
                });
            }
        });
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.len() <= 3_000, "{text}");
        let proofs = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let (seqs, counts): (Vec<String>, Vec<u64>) = proofs
            .map(|proof| (proof["seqs"].as_str().unwrap().into(), proof["count"].as_u64().unwrap()))
            .unzip();
        let seqs = crate::shell::store::verify::Ranges::read(&seqs.join(",")).unwrap();
        assert_eq!((seqs.count(), counts.iter().sum::<u64>()), (400, 400), "each once");
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    }
}
