//! The thread for whatever may take its time on the disk: recordings that are over are brought
//! there to the last octet and given their names, what dead processes have left is mended, what is
//! old deleted. Whoever writes goes on meanwhile.
//!
//! In: files that are done with. Out: what became of each. May import: base, call, core.

use super::file;
use super::growing::Growing;
use super::{Recorder, sync_folder};
use crate::base::CallId;
use crate::call::TapeEvent;
use crossbeam_channel::Receiver;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What is closed together: their names are brought to the disk at once.
const TOGETHER: usize = 64;

pub enum Job {
    Finish {
        call: CallId,
        file: Box<Growing>,
        millis: u64,
    },
    /// What is there may still be worth something.
    Mend(PathBuf),
    /// What is older than it has to be kept.
    Forget,
}

/// Until nobody has anything to close any more.
pub fn run(config: &Recorder, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut folders = BTreeSet::new();
        let mut news = Vec::new();
        for job in std::iter::once(first).chain(jobs.try_iter().take(TOGETHER - 1)) {
            match job {
                Job::Finish { call, file, millis } => {
                    let path = file.part();
                    match file.finish() {
                        Ok(()) => {
                            folders.extend(path.parent().map(PathBuf::from));
                            news.push(TapeEvent::Finished { call, millis });
                        }
                        Err(error) => config.failed(call, &error.to_string()),
                    }
                }
                Job::Mend(part) => mend(&part),
                Job::Forget => config.forget_old(),
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

fn mend(part: &std::path::Path) {
    match file::mend(part) {
        Ok(()) => tracing::warn!("{}: its writing was interrupted; it is mended", part.display()),
        Err(error) => tracing::error!("{} cannot be mended: {error}", part.display()),
    }
}
