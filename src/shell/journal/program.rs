//! The program that writes a journal, kept beside it. What lies where it was started from may be
//! replaced at any moment, and only the same build can handle its events: should the switch die
//! before the new one was told to go on with its calls, a start of the new one hands over to this.
//!
//! In: the folder of a journal. Out: the program that can go on with it.

use super::files;
use crate::core::journal::{HEADER_LEN, Header};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const NAME: &str = "program";
/// It was handed over to, and has not been at work for long since.
const TRIED: &str = "program.tried";
/// This one, whatever lies in its place by now.
const SELF: &str = "/proc/self/exe";

/// Keeps this program beside its journal: another name for the same file, which takes no room and
/// is no other by mistake.
pub fn keep(dir: &Path) {
    if let Err(error) = try_keep(dir) {
        tracing::info!(
            "{}: the program cannot be kept beside its journal: {error}. After another version \
             was put in its place, `pukar upgrade` at once: should this one die before, its calls \
             are lost",
            dir.display()
        );
    }
}

/// It was handed over to: should it die, the next start goes on without it. False: that was so, and
/// it has died.
pub fn try_once(data: &Path) -> bool {
    let tried = data.join("journal").join(TRIED);
    !tried.exists() && fs::write(tried, b"").is_ok()
}

/// Whoever is at work now does not die of what lies there.
pub fn stands(dir: &Path) {
    let _ = fs::remove_file(dir.join(TRIED));
}

fn try_keep(dir: &Path) -> io::Result<()> {
    let (path, fresh) = (dir.join(NAME), dir.join(NAME).with_extension("new"));
    let own = fs::metadata(SELF)?;
    if is_same(&path, &own) {
        return Ok(());
    }
    let _ = fs::remove_file(&fresh);
    fs::hard_link(std::env::current_exe()?, &fresh)?;
    if !is_same(&fresh, &own) {
        fs::remove_file(&fresh)?;
        return Err(io::Error::other("another lies in its place already"));
    }
    fs::rename(&fresh, &path)
}

fn is_same(path: &Path, own: &fs::Metadata) -> bool {
    fs::metadata(path).is_ok_and(|kept| (kept.dev(), kept.ino()) == (own.dev(), own.ino()))
}

/// The program that can handle what lies in the journal of a data folder, where this one cannot.
pub fn that_can_go_on(data: &Path) -> Option<PathBuf> {
    let dir = data.join("journal");
    let (segments, snapshots) = files::list_whole(&dir).ok()?;
    let newest = snapshots.last().copied().unwrap_or(0);
    let is_foreign = |number: &u64| has_foreign_events(&files::segment(&dir, *number));
    let foreign = segments.iter().filter(|number| **number >= newest).any(is_foreign);
    let kept = dir.join(NAME);
    let own = fs::metadata(SELF).ok()?;
    (foreign && kept.is_file() && !is_same(&kept, &own)).then_some(kept)
}

fn has_foreign_events(segment: &Path) -> bool {
    let mut bytes = [0; HEADER_LEN];
    let mut read = || -> io::Result<fs::Metadata> {
        let mut file = fs::File::open(segment)?;
        file.read_exact(&mut bytes)?;
        file.metadata()
    };
    let has_more = read().is_ok_and(|about| about.len() > HEADER_LEN as u64);
    has_more && Header::decode(&bytes).is_ok_and(|header| header.check_build().is_err())
}
