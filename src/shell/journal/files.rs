//! The files of a journal: names, rights, and what is there.

use crate::core::journal::{Entries, HEADER_LEN, Header, Unreadable};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What starts could not use: a folder each, called after its first segment.
const ASIDE: &str = "set-aside";

/// Files that are being written, and are not yet what they will be called.
const UNFINISHED: &str = "new";
/// A snapshot that is there before its segment, which has nothing in it yet.
const LEADING: &str = "leading";

/// Makes the folder, for its owner only.
pub fn prepare(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Whether a data folder has a journal in it.
pub fn is_begun(data: &Path) -> bool {
    list(&data.join("journal")).is_ok_and(|(segments, _)| !segments.is_empty())
}

/// Removes what a process that died had begun to publish.
pub fn remove_unfinished(dir: &Path) -> io::Result<()> {
    for path in fs::read_dir(dir)?.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|end| end == UNFINISHED) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

pub fn segment(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:012}.events"))
}

pub fn snapshot(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:012}.snapshot"))
}

/// The name of a snapshot until its segment is there.
pub fn leading(dir: &Path, number: u64) -> PathBuf {
    snapshot(dir, number).with_extension(LEADING)
}

/// A snapshot under the name that it has.
pub fn snapshot_or_leading(dir: &Path, number: u64) -> PathBuf {
    let (own, leading) = (snapshot(dir, number), leading(dir, number));
    if !own.exists() && leading.exists() { leading } else { own }
}

/// Nothing is written down any more, so what a snapshot leads to is not all: without its segment it
/// has the name of one that had it.
pub fn lead_nowhere(dir: &Path) -> io::Result<()> {
    for number in leads(dir)? {
        fs::rename(leading(dir, number), snapshot(dir, number))?;
    }
    sync_folder(dir)
}

/// The numbers of the segments and of the snapshots that are there.
pub fn list(dir: &Path) -> io::Result<(Vec<u64>, Vec<u64>)> {
    let (mut segments, mut snapshots) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let numbered = |end: &str| name.strip_suffix(end)?.parse::<u64>().ok();
        segments.extend(numbered(".events"));
        snapshots.extend(numbered(".snapshot"));
    }
    segments.sort_unstable();
    snapshots.sort_unstable();
    Ok((segments, snapshots))
}

/// The same for whoever looks back, perhaps beside a switch that is at work: less a segment at the
/// end that was only begun, in which there is nothing to read.
pub fn list_whole(dir: &Path) -> io::Result<(Vec<u64>, Vec<u64>)> {
    let (mut segments, snapshots) = list(dir)?;
    while segments.pop_if(|last| is_stub(&segment(dir, *last))).is_some() {}
    Ok((segments, snapshots))
}

/// The same for a start, which clears away what was only begun when the process died or the power
/// went. Where a snapshot leads to it, the segment is begun anew. One that is not there at all was
/// never begun where its snapshot has the name of one that is there before; else somebody has taken
/// it, with what was in it.
pub fn list_settled(dir: &Path) -> io::Result<Settled> {
    let (segments, snapshots) = list(dir)?;
    let mut found = Settled { segments, snapshots, alone: None };
    while let Some(last) = found.segments.pop_if(|last| is_stub(&segment(dir, *last))) {
        tracing::warn!("segment {last} of the journal was only begun");
        fs::remove_file(segment(dir, last))?;
        if found.snapshots.contains(&last) {
            found.begin(dir, last);
            if found.alone == Some(last) {
                // Should this start come to nothing, the next must know that it never was there.
                let renamed = fs::rename(snapshot(dir, last), leading(dir, last));
                if let Err(error) = renamed {
                    tracing::warn!("snapshot {last} of the journal cannot be renamed: {error}");
                }
            }
            break;
        }
    }
    for number in leads(dir)? {
        if found.alone != Some(number) {
            found.settle(dir, number)?;
        }
    }
    Ok(found)
}

/// The files that a start begins with.
#[derive(Debug)]
pub struct Settled {
    pub segments: Vec<u64>,
    pub snapshots: Vec<u64>,
    /// The newest snapshot, where its segment was never begun and cannot be just now. It leads to
    /// one still.
    pub alone: Option<u64>,
}

impl Settled {
    fn begin(&mut self, dir: &Path, number: u64) {
        match create(&segment(dir, number), &Header::new(number, false)) {
            Ok(_) => self.segments.push(number),
            Err(error) => {
                tracing::error!("segment {number} of the journal cannot be begun: {error}");
                self.alone = Some(number);
            }
        }
    }

    /// A snapshot that was written before its segment gets that, and the name of any other.
    fn settle(&mut self, dir: &Path, number: u64) -> io::Result<()> {
        let newest = self.segments.iter().chain(&self.snapshots).max().copied().unwrap_or(0);
        let is_begun = self.segments.last() == Some(&number) && is_empty(&segment(dir, number));
        if newest >= number && !is_begun {
            return fs::remove_file(leading(dir, number));
        }
        if !is_begun {
            self.begin(dir, number);
        }
        self.snapshots.push(number);
        if self.alone == Some(number) {
            return Ok(());
        }
        fs::rename(leading(dir, number), snapshot(dir, number))?;
        sync_folder(dir)
    }
}

/// The numbers of the snapshots that are there before their segments.
pub fn leads(dir: &Path) -> io::Result<Vec<u64>> {
    let paths = fs::read_dir(dir)?.flatten().map(|entry| entry.path());
    let leading = paths.filter(|path| path.extension().is_some_and(|end| end == LEADING));
    Ok(leading.filter_map(|path| path.file_stem()?.to_str()?.parse().ok()).collect())
}

/// A segment of its own with nothing in it but its header.
fn is_empty(path: &Path) -> bool {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.len() == HEADER_LEN && Header::decode(&bytes).is_ok_and(|header| !header.follows)
}

/// Too short for a header.
fn is_stub(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| about.len() < HEADER_LEN as u64)
}

#[cfg(test)]
thread_local! {
    /// No file can be begun on this thread.
    pub static FULL: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

#[cfg(test)]
fn has_room() -> io::Result<()> {
    if FULL.get() { Err(io::Error::from_raw_os_error(libc::ENOSPC)) } else { Ok(()) }
}

#[cfg(not(test))]
fn has_room() -> io::Result<()> {
    Ok(())
}

/// A new file with its header, for its owner only.
pub fn create(path: &Path, header: &Header) -> io::Result<File> {
    has_room()?;
    let mut options = OpenOptions::new();
    let mut file = options.write(true).read(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(&header.encode());
    // What has no header would only be in the way of the next try.
    written.inspect_err(|_| drop(fs::remove_file(path)))?;
    Ok(file)
}

/// Writes a whole file so that it is there whole or not at all.
pub fn publish(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension(UNFINISHED);
    has_room()?;
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(&fresh, path)
    };
    // On a full disk the half of it would be in the way for ever: the next try has another name.
    write().inspect_err(|_| drop(fs::remove_file(&fresh)))?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// New names in a folder survive a loss of power only after this.
pub fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// States in the header of a segment that something after it is missing.
pub fn mark_gap(file: &File) -> io::Result<()> {
    mark(file, |header| Header { gap: true, ..header })
}

/// States there that the next segment goes on where it ends.
pub fn mark_followed(dir: &Path, number: u64) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).open(segment(dir, number))?;
    mark(&file, |header| Header { followed: true, ..header })?;
    file.sync_data()
}

fn mark(file: &File, change: impl FnOnce(Header) -> Header) -> io::Result<()> {
    let mut bytes = [0; HEADER_LEN];
    file.read_exact_at(&mut bytes, 0)?;
    let damaged = |_| io::Error::other("the header is damaged");
    let header = change(Header::decode(&bytes).map_err(damaged)?);
    file.write_all_at(&header.encode(), 0)
}

/// A file of the journal as it lies on the disk.
pub struct Loaded {
    pub bytes: Vec<u8>,
    pub header: Result<Header, Unreadable>,
}

impl Loaded {
    pub fn open(path: &Path) -> io::Result<Self> {
        let bytes = fs::read(path)?;
        let header = Header::decode(&bytes);
        Ok(Self { bytes, header })
    }

    pub fn entries(&self, number: u64) -> Entries<'_> {
        Entries::new(&self.bytes, number)
    }
}

/// Puts everything up to a segment aside, where no start looks for it and people still can; to the
/// folder. What was put there before stays: in it may be calls that nobody has told yet.
pub fn set_aside(dir: &Path, last: u64) -> io::Result<PathBuf> {
    let root = dir.join(ASIDE);
    prepare(&root)?;
    // An older version has put it there without a folder.
    shelve(&numbered(&root, u64::MAX)?, &root)?;
    let aside = shelve(&numbered(dir, last)?, &root)?;
    sync_folder(dir)?;
    Ok(aside)
}

/// The folders of what was put aside from the journal in `dir`, the oldest first.
pub fn asides(dir: &Path) -> Vec<PathBuf> {
    let shelves = shelves(dir).unwrap_or_default();
    std::iter::once(dir.join(ASIDE)).chain(shelves).collect()
}

/// The same, of those that were put there whole.
pub fn shelves(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir.join(ASIDE))?.flatten().map(|entry| entry.path());
    let mut shelves: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    shelves.sort();
    Ok(shelves)
}

/// Moves files into a folder that is called after the first of them.
fn shelve(files: &[(u64, PathBuf)], root: &Path) -> io::Result<PathBuf> {
    let Some(first) = files.iter().map(|(number, _)| *number).min() else {
        return Ok(root.to_path_buf());
    };
    let shelf = root.join(format!("{first:012}"));
    prepare(&shelf)?;
    for (_, path) in files {
        if let Some(name) = path.file_name() {
            fs::rename(path, shelf.join(name))?;
        }
    }
    sync_folder(&shelf)?;
    Ok(shelf)
}

/// The files of a journal up to a number.
fn numbered(dir: &Path, last: u64) -> io::Result<Vec<(u64, PathBuf)>> {
    let files = fs::read_dir(dir)?.flatten().map(|entry| entry.path());
    let number = |path: &Path| path.file_stem()?.to_str()?.parse::<u64>().ok();
    let files = files.filter(|path| path.is_file());
    let files = files.filter_map(|path| Some((number(&path).filter(|n| *n <= last)?, path)));
    Ok(files.collect())
}
