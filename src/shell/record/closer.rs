//! The threads for whatever may take its time on the disk, while whoever writes goes on. One brings
//! recordings that are over there to the last octet and gives them their names: a record may wait
//! for that. The other mends what dead processes have left and deletes what is old, for which
//! nobody waits.
//!
//! In: files that are done with. Out: what became of each. May import: base, call, core.

use super::file;
use super::growing::Growing;
use super::{Recorder, sync_folder};
use crate::base::CallId;
use crate::call::TapeEvent;
use crossbeam_channel::Receiver;
use std::collections::BTreeSet;
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

/// Until nobody has anything to finish any more.
pub fn finish(config: &Recorder, jobs: &Receiver<Finish>) {
    while let Ok(first) = jobs.recv() {
        let mut folders = BTreeSet::new();
        let mut news = Vec::new();
        for job in std::iter::once(first).chain(jobs.try_iter().take(TOGETHER - 1)) {
            let Finish { call, file, millis } = job;
            match file.finish() {
                Ok(part) => {
                    folders.extend(part.parent().map(PathBuf::from));
                    news.push(TapeEvent::Finished { call, millis });
                }
                Err(error) => config.failed(call, &error.to_string()),
            }
        }
        // A file is finished when its name is on the disk as well.
        for folder in folders {
            if let Err(error) = sync_folder(&folder) {
                tracing::error!("{}: {error}: a recording may be lost yet", folder.display());
            }
        }
        news.into_iter().for_each(|event| config.tell(event));
    }
}

impl Over {
    /// Where it was until now.
    fn finish(self) -> io::Result<PathBuf> {
        match self {
            Self::Written(file) => {
                let part = file.part();
                file.finish().map(|()| part)
            }
            Self::Ended(part) => file::mend(&part).map(|()| part),
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
