//! How long starts have failed on a file of the journal that is not to be read, as one that is
//! another user's. Whoever is on duty may mend that, and then everybody's call goes on; but nobody
//! shall be without a helpline for ever.

use super::files;
use super::writer::is_full;
use crate::base::Wall;
use std::fs;
use std::path::Path;

const NAME: &str = "starts.failed";
/// So long since the first, and so many.
const ENOUGH_S: i64 = 60;
const ENOUGH: u64 = 5;

/// Notes one more; whether there is no hope left. Where nothing can be noted there is none, since
/// nobody would ever know that it has been long enough; but for a disk that is full, where not even
/// the calls could be closed.
pub fn is_over(dir: &Path, now: Wall) -> bool {
    let text = fs::read_to_string(dir.join(NAME)).unwrap_or_default();
    let mut words = text.split_whitespace();
    let first = words.next().and_then(|word| word.parse().ok()).unwrap_or(now.0);
    let times = words.next().and_then(|word| word.parse().ok()).unwrap_or(0u64);
    // Noted by a clock that was ahead.
    let (first, times) = if first > now.0 { (now.0, 1) } else { (first, times + 1) };
    // One that is another user's can be replaced, where the folder is ours.
    if let Err(error) = files::publish(&dir.join(NAME), format!("{first} {times}\n").as_bytes()) {
        tracing::error!("{}: failed starts cannot be counted: {error}", dir.display());
        return !is_full(&error);
    }
    now.0 - first >= ENOUGH_S * 1_000_000 && times >= ENOUGH
}

/// A start has succeeded.
pub fn is_new(dir: &Path) {
    let _ = fs::remove_file(dir.join(NAME));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::store::tests::Folder;

    #[test]
    fn it_ends_after_a_minute_and_some_starts_and_begins_anew_after_one_that_succeeded() {
        let folder = Folder::new("patience");
        fs::create_dir_all(&folder.0).unwrap();
        let at = |s: i64| Wall(1_700_000_000_000_000 + s * 1_000_000);
        assert!((0..10).all(|s| !is_over(&folder.0, at(s))), "often, and not for long");
        assert!(is_over(&folder.0, at(61)));
        is_new(&folder.0);
        let ends: Vec<bool> = (0..5).map(|n| is_over(&folder.0, at(n * 100))).collect();
        assert_eq!(ends, [false, false, false, false, true], "long, and often");
    }

    #[test]
    fn on_a_full_disk_it_does_not_end_and_nothing_is_forgotten() {
        let folder = Folder::new("patience-full");
        let at = |s: i64| Wall(1_700_000_000_000_000 + s * 1_000_000);
        assert!((0..4).all(|s| !is_over(&folder.0, at(s))));
        files::FULL.set(true);
        assert!((0..9).all(|s| !is_over(&folder.0, at(100 + s))), "somebody will make room");
        files::FULL.set(false);
        assert!(is_over(&folder.0, at(200)));
    }

    #[test]
    fn a_clock_that_was_ahead_makes_nobody_wait_for_it_and_where_nothing_can_be_noted_it_is_over() {
        let folder = Folder::new("patience-clock");
        let at = |s: i64| Wall(1_700_000_000_000_000 + s * 1_000_000);
        assert!(!is_over(&folder.0, at(86_400 * 365)));
        let ends: Vec<bool> = (0..5).map(|n| is_over(&folder.0, at(n * 100))).collect();
        assert_eq!(ends, [false, false, false, false, true], "as if it had been the first");
        is_new(&folder.0);
        // A folder in its place is no file that could be written or removed.
        fs::create_dir_all(folder.0.join(NAME)).unwrap();
        assert!(is_over(&folder.0, at(0)));
    }
}
