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

const LOOK: Duration = Duration::from_millis(5);
/// A store tries again later, and nobody else waits for it.
pub const STORE_WAITS: Duration = Duration::from_secs(2);
/// A purge has nothing else to do.
pub const PURGE_WAITS: Duration = Duration::from_secs(60);

/// Letting go of it is the other's turn.
#[derive(Debug)]
pub struct Turn {
    _file: File,
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
        Ok(Self { _file: file })
    }

    /// For a store: where nothing can be locked, rows are worth more than a purge.
    pub fn of_store(lock: &Path) -> io::Result<Option<Self>> {
        match Self::take(lock, STORE_WAITS) {
            Ok(turn) => Ok(Some(turn)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            Err(_) => Ok(None),
        }
    }
}

/// The file that is locked for another one.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

/// Whether another file lies there by now, or none.
pub fn has_moved(file: &File, path: &Path) -> bool {
    let id = |about: std::fs::Metadata| (about.dev(), about.ino());
    let (own, there) = (file.metadata().map(id).ok(), std::fs::metadata(path).map(id).ok());
    own.is_none() || own != there
}
