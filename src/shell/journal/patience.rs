//! How long starts have failed on a file of the journal that is not to be read, as one that is
//! another user's. Whoever is on duty may mend that, and then everybody's call goes on; but nobody
//! shall be without a helpline for ever.

use crate::base::Wall;
use std::fs;
use std::path::Path;

const NAME: &str = "starts.failed";
/// So long since the first, and so many.
const ENOUGH_S: i64 = 60;
const ENOUGH: u64 = 5;

/// Notes one more; whether there is no hope left.
pub fn is_over(dir: &Path, now: Wall) -> bool {
    let text = fs::read_to_string(dir.join(NAME)).unwrap_or_default();
    let mut words = text.split_whitespace();
    let first = words.next().and_then(|word| word.parse().ok()).unwrap_or(now.0);
    let times = words.next().and_then(|word| word.parse().ok()).unwrap_or(0u64) + 1;
    if let Err(error) = fs::write(dir.join(NAME), format!("{first} {times}\n")) {
        tracing::warn!("{}: failed starts cannot be counted: {error}", dir.display());
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
}
