//! Purging JSON lines: the file is gone through once and written anew without what goes, and takes
//! the place of the old one whole. A switch may go on appending meanwhile: only what has come since
//! is copied in a turn of the purge's own (`turn.rs`), and the store then finds the new file. The
//! proof lies beside it, a line each, in `<file>.purges`.

use super::gone::{Gone, note};
use super::{Purged, Rules};
use crate::shell::store::columns::{AGENT_STATES, CALLS};
use crate::shell::store::turn::{self, PURGE_WAITS, Turn};
use crate::shell::store::verify::object;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where the proofs of a file lie.
pub fn proofs(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".purges");
    name.into()
}

pub fn purge(path: &Path, rules: &Rules, purged: &mut Purged) -> Result<(), String> {
    if !path.exists() {
        return Ok(());
    }
    let fresh = path.with_extension("new");
    let alone = match rules.wish.dry_run {
        true => None,
        false => Some(Turn::of_purge(path).map_err(|e| e.to_string())?),
    };
    let done = Rewrite::of(path, &fresh, rules).and_then(|rewrite| rewrite.finish(purged));
    drop(alone);
    // What is left of it is as long as the file, and has callers' numbers in it.
    done.inspect_err(|_| drop(fs::remove_file(&fresh))).map_err(|e: io::Error| e.to_string())
}

struct Rewrite<'r> {
    path: &'r Path,
    fresh: &'r Path,
    rules: &'r Rules<'r>,
    old: File,
    /// As far as it has been gone through.
    at: u64,
    /// Nowhere, where it is only counted.
    out: Option<BufWriter<File>>,
    gone: [Gone; 2],
}

impl<'r> Rewrite<'r> {
    fn of(path: &'r Path, fresh: &'r Path, rules: &'r Rules<'r>) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let out = match rules.wish.dry_run {
            true => None,
            false => {
                // One that was killed has left it.
                let _ = fs::remove_file(fresh);
                let out = options.open(fresh)?;
                turn::belongs_as(fresh, path)?;
                Some(BufWriter::new(out))
            }
        };
        let gone = [Gone::of(&CALLS), Gone::of(&AGENT_STATES)];
        let old = File::open(path)?;
        let mut rewrite = Self { path, fresh, rules, old, at: 0, out, gone };
        rewrite.go_on()?;
        Ok(rewrite)
    }

    /// Through all whole lines that are there.
    fn go_on(&mut self) -> io::Result<()> {
        self.old.seek(SeekFrom::Start(self.at))?;
        let mut lines = BufReader::new(self.old.try_clone()?);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            self.at += line.len() as u64;
            if !self.goes(&line)
                && let Some(out) = &mut self.out
            {
                out.write_all(&line)?;
            }
            line.clear();
        }
        Ok(())
    }

    /// What cannot be read is no row, and stays.
    fn goes(&mut self, line: &[u8]) -> bool {
        let Ok(row) = serde_json::from_slice(line) else { return false };
        let mut goes = false;
        object(&row, &mut |table, cells| {
            let gone = self.gone.iter_mut().find(|gone| gone.table.name == table.name);
            goes |= gone.is_some_and(|gone| gone.judge(self.rules, &cells));
        });
        goes
    }

    fn finish(mut self, purged: &mut Purged) -> io::Result<()> {
        let any = |gone: &[Gone; 2]| gone.iter().any(|gone| gone.count() > 0);
        if self.out.is_some() && any(&self.gone) {
            // What is long is brought to the disk now: the store does not wait for that.
            if let Some(out) = &mut self.out {
                out.flush()?;
                out.get_ref().sync_data()?;
            }
            let _turn = Turn::take(&turn::beside(self.path), PURGE_WAITS)?;
            if turn::has_moved(&self.old, self.path) {
                return Err(io::Error::other("another purge was quicker; try again"));
            }
            self.go_on()?;
            let Some(out) = self.out.take() else { return Ok(()) };
            out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()?;
            // First the proof: what it names and is there still goes next time.
            note(&proofs(self.path), self.path, &self.gone, self.rules)?;
            fs::rename(self.fresh, self.path)?;
            File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        } else if self.out.is_some() {
            fs::remove_file(self.fresh)?;
        }
        purged.add(&self.gone);
        Ok(())
    }
}
