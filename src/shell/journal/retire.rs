//! What of a journal is kept no longer: segments, and folders that were put aside, go by their age
//! and by their size, each with proof (`store/proof.rs`), since callers' numbers are in them.
//!
//! A segment is as old as the journal's own clock says, which no calendar moves, and which counts
//! a day at most of the time that the machine was off: it may stay too long, and never too short. A
//! folder that was put aside had another clock: there the calendar counts, and one that was moved
//! ahead after a day at the earliest, when whoever is on duty has long been told.

use super::Limits;
use super::files::{self, Loaded};
use crate::base::{Now, Wall};
use crate::core::journal::{self, Kind, Note};
use crate::shell::store::proof::{self, Proof};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a calendar has to stand before it counts.
const TRUSTED_AFTER: Duration = Duration::from_secs(86_400);

/// As proofs say it.
const BY_AGE: &str = "[journal] keep_days";
const BY_SIZE: &str = "[journal] keep";
/// Octets that are read between two looks whether there is time for it.
const PIECE: u64 = 1 << 20;

/// Whether something else has to be done first: what is too old then goes another time.
pub type Hurry<'h> = &'h dyn Fn() -> bool;

/// The journal of a switch that is at work.
pub struct Retirement {
    dir: PathBuf,
    limits: Limits,
    /// When the segments that there are began, as far as anybody has looked.
    begun: BTreeMap<u64, Option<Now>>,
    /// The last times in what was put aside, of folders as they were last changed.
    asides: BTreeMap<PathBuf, (SystemTime, Option<Wall>)>,
    /// Segments that there is proof of, and that the disk would not let go.
    proved: BTreeSet<u64>,
}

impl Retirement {
    pub fn new(dir: &Path, limits: Limits) -> Self {
        let (begun, asides, proved) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { dir: dir.into(), limits, begun, asides, proved }
    }

    /// A snapshot is safe. The one before it stays as well: a disk that spoils one rarely spoils
    /// two.
    pub fn clear(&mut self, (number, now): (u64, Now), hurry: Hurry<'_>) -> io::Result<()> {
        let (segments, snapshots) = files::list(&self.dir)?;
        self.begun.insert(number, Some(now));
        let before = snapshots.iter().rev().find(|n| **n < number).copied().unwrap_or(number);
        let (mut kept, mut why, mut failed) = (0, None, Ok(()));
        for number in segments.into_iter().rev().filter(|number| *number < before) {
            // Whoever looks back begins with a snapshot: each segment that stays keeps its own.
            kept += self.octets(number);
            why = why.or((kept > self.limits.keep).then_some(BY_SIZE));
            why = why.or_else(|| self.is_over(number, &snapshots, now).then_some(BY_AGE));
            if let Some(why) = why.filter(|_| !hurry()) {
                failed = failed.and(self.remove(number, why, hurry));
            }
        }
        // Without its segment a snapshot leads nowhere.
        let left = files::list(&self.dir)?.0;
        for number in snapshots.iter().filter(|n| **n < before && !left.contains(n)) {
            let _ = fs::remove_file(files::snapshot(&self.dir, *number));
        }
        self.begun.retain(|number, _| *number >= before || left.contains(number));
        self.proved.retain(|number| left.contains(number));
        if let Some(oldest) = self.oldest(now, &snapshots) {
            self.clear_asides(oldest, hurry);
        }
        failed
    }

    fn octets(&self, number: u64) -> u64 {
        let both = [files::segment(&self.dir, number), files::snapshot(&self.dir, number)];
        both.iter().map(|path| fs::metadata(path).map_or(0, |about| about.len())).sum()
    }

    /// What was put aside before this is too old; `None`: nothing ever is.
    fn oldest(&mut self, now: Now, snapshots: &[u64]) -> Option<Wall> {
        let span = self.limits.keep_for?;
        let mut today = now.wall;
        for number in snapshots.iter().rev() {
            let Some(then) = self.begun(*number) else { continue };
            let passed = now.instant.since(then.instant);
            today = today.min(Wall(then.wall.0.saturating_add(passed.as_micros() as i64)));
            if passed >= TRUSTED_AFTER {
                break;
            }
        }
        Some(Wall(today.0.saturating_sub(span.as_micros() as i64)))
    }

    /// Whether a segment ended too long ago, where the next snapshot begins.
    fn is_over(&mut self, number: u64, snapshots: &[u64], now: Now) -> bool {
        let Some(span) = self.limits.keep_for else { return false };
        let next = snapshots.iter().find(|next| **next > number);
        let ended = next.and_then(|next| self.begun(*next));
        ended.is_some_and(|ended| now.instant.since(ended.instant) > span)
    }

    /// When a segment began, as its snapshot says to any version.
    fn begun(&mut self, number: u64) -> Option<Now> {
        let path = files::snapshot(&self.dir, number);
        *self.begun.entry(number).or_insert_with(|| numbered_at(&path, number).first().copied())
    }

    fn remove(&mut self, number: u64, why: &str, hurry: Hurry<'_>) -> io::Result<()> {
        let own = [files::segment(&self.dir, number), files::snapshot(&self.dir, number)];
        if !self.proved.contains(&number) {
            let Some((size, digest)) = digest_of(&own, hurry) else { return Ok(()) };
            let what = format!("segment {number} of the journal and its snapshot, {size}");
            note(&self.dir, Proof { count: 1, seqs: number.to_string(), digest, ..of(what, why) });
            self.proved.insert(number);
        }
        fs::remove_file(&own[0])
    }

    fn clear_asides(&mut self, oldest: Wall, hurry: Hurry<'_>) {
        let shelves = files::shelves(&self.dir).unwrap_or_default();
        self.asides.retain(|shelf, _| shelves.contains(shelf));
        for shelf in shelves {
            if hurry() {
                return;
            }
            let removed = match self.newest_in(&shelf, hurry) {
                Ok(Some(newest)) if newest < oldest => {
                    remove_shelf(&self.dir, &shelf, BY_AGE, hurry)
                }
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = removed {
                let shelf = shelf.display();
                tracing::warn!("{shelf}: what was put aside cannot be looked at: {error}");
            }
        }
    }

    /// The same as [`newest_in`], which goes through all of it, once.
    fn newest_in(&mut self, shelf: &Path, hurry: Hurry<'_>) -> io::Result<Option<Wall>> {
        let changed = fs::metadata(shelf)?.modified()?;
        if let Some((at, newest)) = self.asides.get(shelf)
            && *at == changed
        {
            return Ok(*newest);
        }
        let newest = newest_in(shelf, hurry)?;
        if !hurry() {
            self.asides.insert(shelf.into(), (changed, newest));
        }
        Ok(newest)
    }
}

/// Of what was put aside, the oldest go where all of it is more than so many octets; but not `new`.
pub fn clear_by_size(dir: &Path, keep: u64, new: &Path) -> io::Result<()> {
    let (mut kept, mut failed) = (0, Ok(()));
    for shelf in files::shelves(dir)?.into_iter().rev() {
        let files = files_of(&shelf).unwrap_or_default();
        kept += files.iter().map(|path| fs::metadata(path).map_or(0, |m| m.len())).sum::<u64>();
        if kept > keep && shelf != new {
            failed = failed.and(remove_shelf(dir, &shelf, BY_SIZE, &|| false));
        }
    }
    failed
}

fn remove_shelf(dir: &Path, shelf: &Path, why: &str, hurry: Hurry<'_>) -> io::Result<()> {
    let (files, name) = (files_of(shelf)?, shelf.file_name().unwrap_or_default());
    let Some((size, digest)) = digest_of(&files, hurry) else { return Ok(()) };
    let count = files.len() as u64;
    let what = format!("set-aside/{} of the journal, {size}", name.display());
    note(dir, Proof { count, digest, ..of(what, why) });
    tracing::warn!("{} is removed: it is beyond {why}", shelf.display());
    fs::remove_dir_all(shelf)
}

/// The last time that is written in a folder that was put aside, by whatever version; where there
/// is none, that of its files. `None`: there is nothing in it, or no time to look.
fn newest_in(shelf: &Path, hurry: Hurry<'_>) -> io::Result<Option<Wall>> {
    let (mut told, mut written) = (None, None);
    for path in files_of(shelf)? {
        if hurry() {
            return Ok(None);
        }
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        let times = number.map_or_else(Vec::new, |number| numbered_at(&path, number));
        told = told.max(times.iter().map(|at| at.wall).max());
        let since = fs::metadata(&path)?.modified()?.duration_since(UNIX_EPOCH);
        let since = since.map_or(0, |since| since.as_micros() as i64);
        written = written.max(Some(Wall(since)));
    }
    Ok(told.or(written))
}

fn files_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder)?.flatten().map(|entry| entry.path()).filter(|p| p.is_file()).collect();
    files.sort();
    Ok(files)
}

/// The times at which a file of a journal says how far numbers have come.
fn numbered_at(path: &Path, number: u64) -> Vec<Now> {
    let mut found = Vec::new();
    let Ok(loaded) = Loaded::open(path) else { return found };
    let mut entries = loaded.entries(number);
    loop {
        for (kind, payload) in &mut entries {
            // Most notes are others, and long.
            if kind == Kind::Note
                && payload.starts_with(b"{\"Numbers\"")
                && let Some(Note::Numbers(numbers)) = journal::read_note(payload)
            {
                found.push(numbers.at);
            }
        }
        if !entries.skip_damage() {
            return found;
        }
    }
}

/// How long some files are together, and the digest of them one after the other; those that are
/// not there are left out. A disk that cannot be read keeps nothing from going: there is none then,
/// and instead of the length why. `None`: there was no time.
fn digest_of(files: &[PathBuf], hurry: Hurry<'_>) -> Option<(String, String)> {
    let mut digest = Sha256::new();
    let mut octets = 0;
    for path in files {
        match read_into(&mut digest, path, hurry) {
            Ok(Some(len)) => octets += len,
            Ok(None) => return None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Some((format!("which cannot be read: {error}"), String::new()));
            }
        }
    }
    Some((format!("{octets} octets"), proof::hex(digest.finalize())))
}

fn read_into(digest: &mut Sha256, path: &Path, hurry: Hurry<'_>) -> io::Result<Option<u64>> {
    let mut file = fs::File::open(path)?;
    let mut octets = 0;
    while !hurry() {
        match io::copy(&mut file.by_ref().take(PIECE), digest)? {
            0 => return Ok(Some(octets)),
            len => octets += len,
        }
    }
    Ok(None)
}

fn of(what: String, why: &str) -> Proof {
    Proof { at: proof::now(), by: why.into(), what, ..Proof::default() }
}

/// A disk that is full takes no proof, and what goes makes room on it: then the log has it.
fn note(dir: &Path, proof: Proof) {
    let data = dir.parent().unwrap_or(dir);
    let told = proof.told_of("journal", "journal");
    if let Err(error) = proof::note(data, std::slice::from_ref(&told)) {
        tracing::error!("{}: a proof cannot be written: {error}. It is {told}", data.display());
    }
}
