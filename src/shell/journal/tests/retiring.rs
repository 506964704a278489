//! What goes of a journal by its age and by its size, and the proof of it.

use super::super::retire::Retirement;
use super::*;
use crate::shell::store::proof;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: Duration = Duration::from_secs(86_400);

/// Segments are kept for a month, and no day is over before one.
fn of_a_month(name: &str) -> Place {
    let mut place = Place::new(name);
    place.limits = Limits { keep: u64::MAX, keep_for: Some(DAY * 30), ..Limits::default() };
    place
}

impl Process {
    /// Time passes, by the clock and by the calendar, which may be moved as well.
    fn passes(&mut self, span: Duration, moved: Duration) {
        self.now.instant = self.now.instant + span;
        self.now.wall = Wall(self.now.wall.0 + (span + moved).as_micros() as i64);
    }

    /// The next segment begins, its snapshot is safe, and what is too old has gone.
    fn turns(&mut self, place: &Place) {
        self.writer.wants_snapshot();
        let before = newest(place);
        for _ in 0..4_000 {
            self.tell(Event::Tick);
            if newest(place) > before && self.writer.is_at_rest() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(3));
        }
        panic!("no snapshot comes");
    }
}

fn newest(place: &Place) -> u64 {
    *files::list(&place.dir()).unwrap().1.last().unwrap()
}

fn segments(place: &Place) -> Vec<u64> {
    files::list(&place.dir()).unwrap().0
}

fn proofs(place: &Place) -> Vec<Value> {
    let text = std::fs::read_to_string(proof::of_data(&place.folder.0)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A folder that an older start has put there, last written at this time by the clock of the disk.
fn shelve(place: &Place, name: &str, written: SystemTime) -> PathBuf {
    let shelf = place.dir().join("set-aside").join(name);
    std::fs::create_dir_all(&shelf).unwrap();
    let file = shelf.join(format!("{name}.events"));
    std::fs::write(&file, "another form").unwrap();
    std::fs::File::options().write(true).open(file).unwrap().set_modified(written).unwrap();
    shelf
}

/// However little happens on a day: what is in a journal is callers' numbers, too.
#[test]
fn segments_and_what_was_put_aside_go_by_their_days_and_leave_proof() {
    let place = of_a_month("journal-days");
    let mut process = place.start();
    let then = UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    let shelf = shelve(&place, "000000000009", then);
    let empty = place.dir().join("set-aside/000000000008");
    std::fs::create_dir_all(&empty).unwrap();
    process.arrives("c0");
    process.turns(&place);
    let whole = std::fs::read(files::segment(&place.dir(), 1)).unwrap();
    let snapshot = std::fs::read(files::snapshot(&place.dir(), 1)).unwrap();
    assert!(!shelf.exists() && empty.exists(), "in one of them is nothing");
    for _ in 0..2 {
        process.passes(DAY * 16, Duration::ZERO);
        process.turns(&place);
    }
    process.turns(&place);
    assert_eq!(segments(&place), [2, 3, 4, 5], "the first ended 32 days ago");
    let told = proofs(&place);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0]["what"].as_str().unwrap().starts_with("set-aside/000000000009"), "{told:?}");
    let proof = &told[1];
    let by = (&proof["of"], &proof["seqs"], &proof["purged_by"]);
    assert_eq!(by, (&"journal".into(), &"1".into(), &"[journal] keep_days".into()));
    let octets = format!("{} octets", whole.len() + snapshot.len());
    assert!(proof["what"].as_str().unwrap().contains(&octets), "{proof}, of {octets}");
    let digest = Sha256::new().chain_update(&whole).chain_update(&snapshot).finalize();
    assert_eq!(proof["digest"], proof::hex(digest), "of what anybody may have a copy of");
}

#[test]
fn a_calendar_that_jumps_removes_no_segment_and_what_was_put_aside_after_a_day() {
    let place = of_a_month("journal-jump");
    let mut process = place.start();
    let yesterday = Duration::from_micros(process.now.wall.0 as u64) - DAY;
    let shelf = shelve(&place, "000000000009", UNIX_EPOCH + yesterday);
    process.arrives("c0");
    process.turns(&place);
    process.passes(Duration::from_secs(3_600), DAY * 365);
    for _ in 0..3 {
        process.turns(&place);
    }
    assert!(shelf.exists(), "somebody will put it right");
    process.passes(DAY, Duration::ZERO);
    process.turns(&place);
    assert!(!shelf.exists(), "and if not, that is what day it is");
    assert_eq!(segments(&place), [1, 2, 3, 4, 5, 6], "which their clock is not moved by");
    assert_eq!(proofs(&place).len(), 1);
}

/// A battery is empty, or somebody errs: for an hour it is years ago, and a segment ends in it.
#[test]
fn a_calendar_that_was_put_back_removes_nothing_before_its_time() {
    let place = of_a_month("journal-years-ago");
    let mut process = place.start();
    process.arrives("c0");
    process.turns(&place);
    let years = (DAY * 3_650).as_micros() as i64;
    process.now.wall = Wall(process.now.wall.0 - years);
    process.turns(&place);
    process.passes(Duration::from_secs(3_600), Duration::ZERO);
    process.now.wall = Wall(process.now.wall.0 + years);
    for _ in 0..3 {
        process.turns(&place);
        process.passes(DAY * 2, Duration::ZERO);
    }
    assert_eq!(segments(&place), [1, 2, 3, 4, 5, 6]);
    process.passes(DAY * 25, Duration::ZERO);
    process.turns(&place);
    assert_eq!(segments(&place), [4, 5, 6, 7], "the third ended 31 days ago");
}

/// The disk is broken under one of them, and another cannot be removed.
#[test]
fn what_cannot_be_read_goes_without_a_digest_and_keeps_no_other_from_going() {
    let mut place = Place::new("journal-broken");
    place.limits = Limits { keep: 0, ..Limits::default() };
    let mut process = place.start();
    process.arrives("c0");
    process.turns(&place);
    let path = |number| files::segment(&place.dir(), number);
    std::fs::remove_file(path(1)).unwrap();
    // Nobody has anything there, so reading it is an error of the device.
    std::os::unix::fs::symlink("/proc/self/mem", path(1)).unwrap();
    process.turns(&place);
    assert_eq!(segments(&place), [2, 3]);
    let told = &proofs(&place)[0];
    assert_eq!((&told["seqs"], &told["digest"]), (&"1".into(), &"".into()));
    assert!(told["what"].as_str().unwrap().contains("cannot be read"), "{told}");
    std::fs::write(path(1), "an older one").unwrap();
    std::fs::remove_file(path(2)).unwrap();
    std::fs::create_dir(path(2)).unwrap();
    process.turns(&place);
    assert_eq!(segments(&place), [2, 3, 4]);
    process.turns(&place);
    assert_eq!(segments(&place), [2, 4, 5]);
    let of_the_second = proofs(&place).iter().filter(|proof| proof["seqs"] == "2").count();
    assert_eq!(of_the_second, 1, "it is proved once, however often it is tried");
}

#[test]
fn what_has_begun_to_go_is_left_to_the_next_process_where_this_one_has_to_leave() {
    let place = Place::new("journal-hurries");
    let mut process = place.start();
    for n in 0..4 {
        process.arrives(&format!("c{n}"));
        process.turns(&place);
    }
    let mut old = Retirement::new(&place.dir(), Limits { keep: 0, ..place.limits });
    let now = process.now;
    let mut clear = |hurry: &dyn Fn() -> bool| old.clear((5, now), hurry).unwrap();
    let looks = std::cell::Cell::new(0);
    // While the first is being read.
    clear(&|| looks.replace(looks.get() + 1) > 0);
    assert_eq!((segments(&place).len(), proofs(&place).len()), (5, 0));
    // And behind the first.
    clear(&|| !proofs(&place).is_empty());
    assert_eq!(segments(&place), [1, 2, 4, 5]);
    clear(&|| false);
    assert_eq!((segments(&place), proofs(&place).len()), (vec![4, 5], 3));
}

/// Nobody hears the switch meanwhile: the next process has the time.
#[test]
fn whoever_leaves_removes_nothing() {
    let mut place = Place::new("journal-leaves");
    place.limits = Limits { keep: 0, ..Limits::default() };
    let mut process = place.start();
    process.arrives("c0");
    process.turns(&place);
    process.leaves();
    assert_eq!(segments(&place), [1, 2, 3]);
    let mut process = place.start();
    process.turns(&place);
    assert_eq!(segments(&place), [3, 4]);
}

#[test]
fn what_goes_by_its_size_leaves_proof_as_well() {
    let mut place = Place::new("journal-size");
    place.limits = Limits { keep: 0, ..Limits::default() };
    let mut process = place.start();
    for n in 0..3 {
        process.arrives(&format!("c{n}"));
        process.turns(&place);
    }
    let told = proofs(&place);
    let seqs: Vec<_> = told.iter().map(|proof| proof["seqs"].as_str().unwrap()).collect();
    assert_eq!(seqs, ["1", "2"], "{told:#?}");
    assert!(told.iter().all(|proof| proof["purged_by"] == "[journal] keep"), "{told:#?}");
    process.is_same(&place.start());
}
