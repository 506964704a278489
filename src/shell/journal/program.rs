//! The program that writes a journal, kept beside it. What lies where it was started from may be
//! replaced at any moment, and only a build with the same core can handle its events: should the
//! switch die before the new one was told to go on with its calls, a start of the new one hands
//! over to this. Its name says which build it is: `program.<core>.<build>`; there is one.
//!
//! In: the folder of a journal. Out: the program that can go on with it.

use super::files;
use crate::core::journal::{BUILD, HEADER_LEN, Header};
use crate::shell::clock::Patience;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// All of what this program is made of, as `BUILD` is of its core; see `build.rs`.
const PROGRAM: &str = env!("PUKAR_PROGRAM");

const NAME: &str = "program";
/// It was handed over to, and has not been at work for long since.
const TRIED: &str = "program.tried";
/// This one, whatever lies in its place by now.
const SELF: &str = "/proc/self/exe";
/// How long a kept program has to say which one it is.
const SAYS_WITHIN: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(5);

/// Which build this is, for whoever asks it: its core, and all of it.
pub fn identity() -> String {
    format!("{BUILD}.{PROGRAM}")
}

/// Keeps this program beside its journal. Where it may be, as another name for the same file, which
/// is there at once and takes no room; where it may not (the file is root's and the switch has a
/// user of its own, or lies on another disk), as a copy.
pub fn keep(dir: &Path) {
    tell(dir, keep_as(dir, &identity(), &|to| fs::hard_link(std::env::current_exe()?, to)));
}

/// The same as a copy of its own, where that has not come about: whoever writes into the file that
/// this one was started from, does not write into it.
pub fn keep_a_copy(dir: &Path) {
    if fs::metadata(kept(dir, &identity())).map_or(true, |kept| is_same_file(&kept)) {
        tell(dir, copy(dir, &identity()));
    }
}

fn tell(dir: &Path, kept: io::Result<()>) {
    if let Err(error) = kept {
        tracing::warn!(
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

fn kept(dir: &Path, identity: &str) -> PathBuf {
    dir.join(format!("{NAME}.{identity}"))
}

fn keep_as(dir: &Path, identity: &str, link: &dyn Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    let path = kept(dir, identity);
    if !path.is_file() {
        let fresh = path.with_extension("new");
        let _ = fs::remove_file(&fresh);
        let linked = link(&fresh).and_then(|()| fs::metadata(&fresh));
        match linked.is_ok_and(|linked| is_same_file(&linked)) {
            true => fs::rename(&fresh, &path)?,
            false => copy(dir, identity)?,
        }
    }
    remove_others(dir, &path)
}

/// On the disk before it has its name.
fn copy(dir: &Path, identity: &str) -> io::Result<()> {
    let path = kept(dir, identity);
    let fresh = path.with_extension("new");
    let written = || {
        let _ = fs::remove_file(&fresh);
        fs::copy(SELF, &fresh)?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o700))?;
        fs::File::open(&fresh)?.sync_all()?;
        fs::rename(&fresh, &path)
    };
    // On a full disk the half of it would take the room that the journal needs.
    written().inspect_err(|_| drop(fs::remove_file(&fresh)))?;
    files::sync_folder(dir)
}

/// One is kept: that which writes the journal. Whatever went before it has handed over.
fn remove_others(dir: &Path, but: &Path) -> io::Result<()> {
    for path in all(dir)?.into_iter().filter(|path| path != but) {
        fs::remove_file(path)?;
    }
    Ok(())
}

fn all(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(dir)?.flatten().map(|entry| entry.path());
    let named = |path: &PathBuf| {
        path.file_stem().is_some_and(|stem| {
            stem == NAME || stem.to_string_lossy().starts_with(&format!("{NAME}."))
        })
    };
    Ok(paths.filter(named).filter(|path| path.file_name().is_some_and(|n| n != TRIED)).collect())
}

fn is_same_file(kept: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(SELF).is_ok_and(|own| (kept.dev(), kept.ino()) == (own.dev(), own.ino()))
}

/// The program that can handle what lies in the journal of a data folder, where this one cannot.
pub fn that_can_go_on(data: &Path) -> Option<PathBuf> {
    let dir = data.join("journal");
    let (segments, snapshots) = files::list_whole(&dir).ok()?;
    let newest = snapshots.last().copied().unwrap_or(0);
    let foreign = |number: &u64| foreign_events(&files::segment(&dir, *number));
    let build = segments.iter().filter(|number| **number >= newest).rev().find_map(foreign)?;
    let core = format!("{NAME}.{build}.");
    let is_its = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with(&core) && path.extension().is_some_and(|end| end != "new")
    };
    let kept = all(&dir).ok()?.into_iter().find(is_its)?;
    let says = says_who_it_is(&kept);
    let is_it = kept.file_name().is_some_and(|name| name.to_string_lossy().ends_with(&says));
    if says.is_empty() || !is_it {
        tracing::error!("{} is another program than its name says", kept.display());
        return None;
    }
    Some(kept)
}

/// Nothing where it does not say so in time.
fn says_who_it_is(program: &Path) -> String {
    let mut asked = Command::new(program);
    asked.arg("identity").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut child) = asked.spawn() else { return String::new() };
    let patience = Patience::of(SAYS_WITHIN);
    while !patience.is_over() && child.try_wait().is_ok_and(|ended| ended.is_none()) {
        std::thread::park_timeout(LOOK);
    }
    let _ = child.kill();
    let said = child.wait_with_output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&said).trim().to_string()
}

/// The build of a segment that has more than its header, where that is another than this.
fn foreign_events(segment: &Path) -> Option<u64> {
    let mut bytes = [0; HEADER_LEN];
    let mut file = fs::File::open(segment).ok()?;
    file.read_exact(&mut bytes).ok()?;
    let has_more = file.metadata().ok()?.len() > HEADER_LEN as u64;
    let header = Header::decode(&bytes).ok().filter(|_| has_more)?;
    header.check_build().is_err().then_some(header.build)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::store::tests::Folder;
    use std::os::unix::fs::MetadataExt;

    fn refused(_: &Path) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    #[test]
    fn where_no_second_name_is_to_be_had_a_copy_is_kept_by_its_identity_and_only_one() {
        let folder = Folder::new("kept-copy");
        let names = || {
            let mut found: Vec<String> = fs::read_dir(&folder.0)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            found.sort();
            found
        };
        // What older ones have left, and one that died as it copied.
        for left in ["program", "program.1.2", "program.1.3.new", "program.1.new"] {
            fs::write(folder.0.join(left), "older").unwrap();
        }
        fs::write(folder.0.join(TRIED), "").unwrap();
        keep_as(&folder.0, "1.2", &refused).unwrap();
        assert_eq!(fs::read(kept(&folder.0, "1.2")).unwrap(), b"older", "it is there by its name");
        keep_as(&folder.0, "4.5", &refused).unwrap();
        assert_eq!(names(), ["program.4.5", TRIED]);
        let copy = fs::metadata(kept(&folder.0, "4.5")).unwrap();
        assert_eq!(copy.len(), fs::metadata(SELF).unwrap().len());
        assert!(!is_same_file(&copy) && copy.mode() & 0o777 == 0o700);
        // The same length, at the same time, and another program.
        keep_as(&folder.0, "4.6", &refused).unwrap();
        assert_eq!(names(), ["program.4.6", TRIED]);
        let again = fs::metadata(kept(&folder.0, "4.6")).unwrap().ino();
        keep_as(&folder.0, "4.6", &refused).unwrap();
        assert_eq!(fs::metadata(kept(&folder.0, "4.6")).unwrap().ino(), again, "kept once");
    }

    #[test]
    fn what_is_a_second_name_at_first_is_a_copy_later() {
        let folder = Folder::new("kept-link");
        keep(&folder.0);
        let path = kept(&folder.0, &identity());
        keep_a_copy(&folder.0);
        let copy = fs::metadata(&path).unwrap();
        assert!(!is_same_file(&copy) && copy.len() == fs::metadata(SELF).unwrap().len());
        keep_a_copy(&folder.0);
        assert_eq!(fs::metadata(&path).unwrap().ino(), copy.ino(), "copied once");
    }
}
