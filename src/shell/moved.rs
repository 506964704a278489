//! `[switch] data` was edited while a switch runs: it goes on where it was, and should it die the
//! next start would look for its calls in the new folder, and find none. So a reload leaves a note
//! in each of the two folders, and a start goes by them for as long as they agree: until the last
//! call has ended in order, or the configuration names the old folder again.
//!
//! In: the folder that the configuration names. Out: the one where the calls are.

use super::checks;
use crate::config::Settings;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// In the folder that the configuration names: where the calls are.
const CALLS: &str = "calls-are-in";
/// In the folder where the calls are: what the configuration names.
const NAMED: &str = "is-to-be-left-for";

/// Leaves the notes, or takes them away where nothing has moved; a sentence where that cannot be.
pub fn note(named: &Path, calls: &Path) -> Result<(), String> {
    if named == calls {
        return settled(calls);
    }
    checks::data_folder(named)?;
    let leave = |at: PathBuf, other: &Path| {
        let other = other.canonicalize().unwrap_or_else(|_| other.into());
        fs::write(&at, other.as_os_str().as_encoded_bytes())
            .map_err(|e| format!("{}: {e}", at.display()))
    };
    leave(calls.join(NAMED), named)?;
    leave(named.join(CALLS), calls)
}

/// Whatever the configuration names, that is where the next start goes.
pub fn settled(calls: &Path) -> Result<(), String> {
    let path = calls.join(NAMED);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(format!("{}: {error}. Remove it before the next start", path.display()))
        }
        _ => Ok(()),
    }
}

/// The settings for a start: with the folder where the calls are, in which it can write.
pub fn follow(settings: Settings) -> Result<Settings, String> {
    let named = settings.data.clone();
    let Some(calls) = left_behind(&named) else {
        checks::data_folder(&named)?;
        settled(&named)?;
        return Ok(settings);
    };
    tracing::error!(
        "[switch] data says {}, and the calls of the switch that died are in {}: it goes on there. \
         The new folder is taken from the first start after an orderly end (SIGTERM)",
        named.display(),
        calls.display()
    );
    checks::data_folder(&calls)?;
    Ok(settings.with_data_at(&calls))
}

/// Where a start would go, to look there first.
pub fn calls_of(named: &Path) -> PathBuf {
    left_behind(named).unwrap_or_else(|| named.into())
}

/// Where the calls are, where both notes say so and they are there.
fn left_behind(named: &Path) -> Option<PathBuf> {
    let read = |path: PathBuf| fs::read_to_string(path).ok().map(PathBuf::from);
    let calls = read(named.join(CALLS))?;
    let agree = read(calls.join(NAMED))? == named.canonicalize().ok()?;
    (agree && super::has_journal(&calls)).then_some(calls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::store::tests::Folder;

    #[test]
    fn a_start_goes_where_the_calls_are_until_they_have_ended_or_the_old_folder_is_named_again() {
        let folder = Folder::new("moved");
        let (old, new) = (folder.0.join("old"), folder.0.join("new"));
        fs::create_dir_all(old.join("journal")).unwrap();
        fs::write(old.join("journal/000000000001.events"), b"").unwrap();
        let start = |data: &Path| follow(Settings::default().with_data(data)).unwrap().data;
        assert_eq!(start(&new), new, "nobody has left a note");
        note(&new, &old).unwrap();
        assert_eq!((start(&new), start(&new)), (old.clone(), old.clone()), "as often as it dies");
        settled(&old).unwrap();
        assert_eq!(start(&new), new, "the last call has ended");
        note(&new, &old).unwrap();
        note(&old, &old).unwrap();
        assert_eq!(start(&new), new, "it was edited back, and a reload saw it");
        note(&new, &old).unwrap();
        assert_eq!(start(&old), old);
        assert_eq!(start(&new), new, "it was edited back, and a start saw it");
        note(&new, &folder.0.join("nowhere")).unwrap_err();
        assert_eq!(start(&new), new);
    }
}
