//! Whose turn it is at files of rows: the store's that appends, or that of a purge which writes
//! them anew. A file beside them is locked (flock(2)) for as long as either does, which is never
//! long.

use crate::shell::clock::Patience;
use crate::shell::sys::flock;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const ROOT: u32 = 0;
const LOOK: Duration = Duration::from_millis(5);
/// A store tries again later, and nobody else waits for it.
pub const STORE_WAITS: Duration = Duration::from_secs(2);
/// A purge has nothing else to do.
pub const PURGE_WAITS: Duration = Duration::from_secs(60);

/// Letting go of it is the other's turn.
#[derive(Debug)]
pub struct Turn {
    file: File,
}

impl Turn {
    /// `WouldBlock`: the other takes longer than that. Any other error: nothing can be locked
    /// there.
    pub fn take(lock: &Path, within: Duration) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(lock)?;
        let patience = Patience::of(within);
        while !flock::try_lock(&file)? {
            if patience.is_over() {
                let why = "the file is being written anew by somebody else";
                return Err(io::Error::new(io::ErrorKind::WouldBlock, why));
            }
            std::thread::park_timeout(LOOK);
        }
        Ok(Self { file })
    }

    /// Whether what is locked still lies there: a file that is locked itself may be replaced.
    pub fn is_of(&self, path: &Path) -> bool {
        !has_moved(&self.file, path)
    }

    /// For a store: where no file can be made to lock, rows are worth more than a purge. One that
    /// is there and cannot be locked may be locked by another.
    pub fn of_store(lock: &Path) -> io::Result<Option<Self>> {
        match Self::take(lock, STORE_WAITS) {
            Ok(turn) => Ok(Some(turn)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock || lock.exists() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// For a purge, beside those of its kind: for as long as it works. What it makes belongs to
    /// whom `of` belongs, whoever purges: that is who goes on with it.
    pub fn of_purge(of: &Path) -> io::Result<Self> {
        let lock = named(of, ".purging");
        let busy = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock => io::Error::other("another purge is at work there"),
            _ => error,
        };
        let turn = Self::take(&lock, Duration::ZERO).map_err(busy)?;
        belongs_as(&lock, of)?;
        // The store's own, so that it may open it.
        let lock = beside(of);
        OpenOptions::new().append(true).create(true).mode(0o600).open(&lock)?;
        belongs_as(&lock, of)?;
        Ok(turn)
    }
}

/// The file that is locked for another one.
pub fn beside(path: &Path) -> PathBuf {
    named(path, ".lock")
}

fn named(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Gives a file that root has made to whom another one belongs. Nobody else can give one away.
pub fn belongs_as(path: &Path, of: &Path) -> io::Result<()> {
    let owner = |path: &Path| std::fs::metadata(path).map(|about| (about.uid(), about.gid()));
    let (own, wanted) = (owner(path)?, owner(of)?);
    match own == wanted || own.0 != ROOT {
        true => Ok(()),
        false => std::os::unix::fs::chown(path, Some(wanted.0), Some(wanted.1)),
    }
}

/// Whether another file lies there by now, or none.
pub fn has_moved(file: &File, path: &Path) -> bool {
    let id = |about: std::fs::Metadata| (about.dev(), about.ino());
    let (own, there) = (file.metadata().map(id).ok(), std::fs::metadata(path).map(id).ok());
    own.is_none() || own != there
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::store::tests::Folder;

    #[test]
    fn two_purges_of_one_file_are_not_at_work_at_a_time_and_the_store_goes_on_beside_one() {
        let folder = Folder::new("turn");
        let rows = folder.0.join("calls.jsonl");
        std::fs::write(&rows, "").unwrap();
        let one = Turn::of_purge(&rows).unwrap();
        let two = Turn::of_purge(&rows).unwrap_err();
        assert!(two.to_string().contains("another purge is at work"), "{two}");
        assert!(Turn::of_store(&beside(&rows)).unwrap().is_some());
        drop(one);
        Turn::of_purge(&rows).unwrap();
    }

    /// Only root can try that, and whoever is not root has nothing to give.
    #[test]
    fn what_root_has_not_made_stays_whose_it_is() {
        let folder = Folder::new("turn-owner");
        let (own, of) = (folder.0.join("own"), folder.0.join("of"));
        [&own, &of].into_iter().for_each(|path| std::fs::write(path, "").unwrap());
        let owner = |path: &Path| std::fs::metadata(path).unwrap().uid();
        if owner(&own) == ROOT {
            std::os::unix::fs::chown(&own, Some(65_533), None).unwrap();
        }
        let before = owner(&own);
        belongs_as(&own, Path::new("/proc/self/exe")).unwrap();
        assert_eq!(owner(&own), before);
    }

    #[test]
    fn a_store_appends_without_a_turn_only_where_nothing_can_be_locked() {
        let folder = Folder::new("turnless");
        let lock = folder.0.join("gone").join("calls.jsonl.lock");
        assert!(Turn::of_store(&lock).unwrap().is_none());
        // A folder cannot be opened as a file, and is there.
        assert!(Turn::of_store(&folder.0).is_err());
    }
}
