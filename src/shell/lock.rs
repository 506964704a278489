//! One switch to a data folder: two would write over each other. Whoever has the lock of the folder
//! (flock(2)) may write there, until its process ends, however it ends.
//!
//! In: the folder, and the lock of the program before this one. Out: the lock, or who has it.

use super::sys::flock;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Holds the number of the process too, for people.
const NAME: &str = "lock";

/// Letting go of it lets another switch in.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// `left`: that of the program before this one, which has kept it locked. An error is one
    /// sentence that names the folder and the process.
    pub fn take(dir: &Path, left: Option<OwnedFd>) -> Result<Self, String> {
        let path = dir.join(NAME);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        if let Some(left) = left.map(File::from)
            && is_same(&left, &file).unwrap_or(false)
        {
            return Ok(Self(left));
        }
        match flock::try_lock(&file) {
            Ok(true) => {}
            Ok(false) => return Err(is_taken(dir, &path)),
            // A file system without locks must not cost the helpline.
            Err(error) => tracing::warn!(
                "{} cannot be locked: {error}; see to it that no second switch writes there",
                path.display()
            ),
        }
        let pid = format!("{}\n", std::process::id());
        // On a full disk nobody learns the number; the lock holds.
        let _ = file.set_len(0).and_then(|()| file.write_all_at(pid.as_bytes(), 0));
        Ok(Self(file))
    }

    /// For the program that comes after this one.
    pub fn into_fd(self) -> OwnedFd {
        self.0.into()
    }
}

fn is_same(left: &File, found: &File) -> io::Result<bool> {
    let (left, found) = (left.metadata()?, found.metadata()?);
    Ok((left.dev(), left.ino()) == (found.dev(), found.ino()))
}

fn is_taken(dir: &Path, path: &Path) -> String {
    let pid = std::fs::read_to_string(path).unwrap_or_default();
    let who = match pid.trim() {
        "" => "another switch".to_string(),
        pid => format!("another switch, process {pid}"),
    };
    format!(
        "the data folder {} is in use by {who}. Stop that one first, or choose another folder \
         under [switch] data or with --data",
        dir.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::store::tests::Folder;

    #[test]
    fn a_second_switch_is_told_whose_the_folder_is_and_a_later_one_is_let_in() {
        let folder = Folder::new("lock");
        let first = Lock::take(&folder.0, None).unwrap();
        let why = Lock::take(&folder.0, None).unwrap_err();
        let (place, pid) = (folder.0.display().to_string(), std::process::id().to_string());
        assert!(why.contains(&place) && why.contains(&format!("process {pid}")), "{why}");
        // The next program in the same process has it from this one.
        let handed = Lock::take(&folder.0, Some(first.into_fd())).unwrap();
        assert!(Lock::take(&folder.0, None).is_err(), "handed on, it is still locked");
        drop(handed);
        Lock::take(&folder.0, None).unwrap();
    }

    #[test]
    fn what_another_folder_was_locked_with_opens_nothing_here() {
        let (one, other) = (Folder::new("lock-one"), Folder::new("lock-other"));
        let elsewhere = Lock::take(&one.0, None).unwrap();
        let own = Lock::take(&other.0, None).unwrap();
        assert!(Lock::take(&other.0, Some(elsewhere.into_fd())).is_err());
        drop(own);
    }
}
