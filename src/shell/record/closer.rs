//! The threads for whatever may take its time on the disk, while whoever writes goes on. One brings
//! recordings that are over there to the last octet and gives them their names: a record may wait
//! for that. The other mends what dead processes have left and deletes what is old, for which
//! nobody waits.
//!
//! In: files that are done with. Out: what became of each. May import: base, call, core.

use super::Recorder;
use super::file;
use super::growing::Growing;
use crate::base::CallId;
use crate::call::TapeEvent;
use crossbeam_channel::{Receiver, Sender};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// What is closed together: their names are brought to the disk at once.
const TOGETHER: usize = 64;

/// A recording that is over.
pub struct Finish {
    pub call: CallId,
    pub file: Over,
    pub millis: u64,
}

pub enum Over {
    Written(Box<Growing>),
    /// Another process has written it to the end, and has not given it its name.
    Ended(PathBuf),
}

pub enum Chore {
    /// What is there may still be worth something.
    Mend(PathBuf),
    /// What is older than it has to be kept.
    Forget,
}

/// Until nobody has anything to finish any more. What cannot be finished goes to `chores`.
/// `sync`: brings a folder to the disk.
pub fn finish(
    config: &Recorder,
    jobs: &Receiver<Finish>,
    chores: &Sender<Chore>,
    sync: impl Fn(&Path) -> io::Result<()>,
) {
    while let Ok(first) = jobs.recv() {
        let mut folders: BTreeMap<PathBuf, Vec<TapeEvent>> = BTreeMap::new();
        for job in std::iter::once(first).chain(jobs.try_iter().take(TOGETHER - 1)) {
            let Finish { call, file, millis } = job;
            let part = file.part();
            match file.finish() {
                Ok(()) => {
                    let folder = part.parent().map(PathBuf::from).unwrap_or_default();
                    folders.entry(folder).or_default().push(TapeEvent::Finished { call, millis });
                }
                Err(error) => {
                    config.failed(call, &error.to_string());
                    // Some time later it may be worth something still.
                    let _ = chores.try_send(Chore::Mend(part));
                }
            }
        }
        // A file is finished when its name is on the disk as well.
        for (folder, news) in folders {
            let why = sync(&folder).map_err(|e| format!("{}: {e}", folder.display()));
            for event in news {
                match (&why, event) {
                    (Err(why), TapeEvent::Finished { call, .. }) => config.failed(call, why),
                    (_, event) => config.tell(event),
                }
            }
        }
    }
}

impl Over {
    /// Where it is until it is finished.
    fn part(&self) -> PathBuf {
        match self {
            Self::Written(file) => file.part(),
            Self::Ended(part) => part.clone(),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Written(file) => file.finish(),
            Self::Ended(part) => file::mend(&part),
        }
    }
}

/// Until nobody has anything to tidy up any more.
pub fn tidy(config: &Recorder, chores: &Receiver<Chore>) {
    for chore in chores {
        match chore {
            Chore::Mend(part) => mend(&part),
            Chore::Forget => config.forget_old(),
        }
    }
}

fn mend(part: &Path) {
    match file::mend(part) {
        Ok(()) => tracing::warn!("{}: its writing was interrupted; it is mended", part.display()),
        Err(error) => tracing::error!("{} cannot be mended: {error}", part.display()),
    }
}
