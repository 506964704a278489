//! Segments that somebody has taken away: what was in them is missing, and nothing is numbered
//! anew.

use super::*;
use crate::core::JOURNAL_GAP;

/// A journal of two segments, with the snapshot between them.
fn of_two(place: &Place) -> Process {
    let mut process = place.start();
    (0..3).for_each(|n| process.arrives(&format!("c{n}")));
    process.ends_one();
    process.writer.wants_snapshot();
    while files::list(&place.dir()).unwrap().1.last() != Some(&2) || !is_over(place, 1) {
        process.tell(Event::Tick);
        std::thread::park_timeout(Duration::from_millis(5));
    }
    process
}

fn is_over(place: &Place, number: u64) -> bool {
    let bytes = std::fs::read(files::segment(&place.dir(), number)).unwrap();
    Header::decode(&bytes).unwrap().followed
}

fn take(place: &Place, paths: &[PathBuf]) {
    for path in paths {
        std::fs::rename(path, place.folder.0.join(path.file_name().unwrap())).unwrap();
    }
}

/// All calls have a record and a number of their own, and a row says that something is missing.
fn is_closed_with_a_gap(place: &Place, ended_by: &[EndedBy]) {
    let mut process = place.start();
    assert_eq!(process.board.live(), 0, "nobody is gone on with who may have gone");
    process.arrives("later");
    process.ends_one();
    let records = place.records();
    let seqs: Vec<u64> = records.iter().map(|record| record.seq).collect();
    assert_eq!(seqs, (1..=ended_by.len() as u64).collect::<Vec<_>>(), "each number once");
    let ends: Vec<_> = records.iter().map(|record| record.ended_by).collect();
    assert_eq!(ends, ended_by);
    let rows = place.outbox().newest().unwrap();
    let gaps = rows.iter().filter(|row| matches!(row, Row::AgentState(state) if state.is_gap()));
    assert_eq!(gaps.count(), 1, "{rows:#?}");
}

#[test]
fn a_newest_segment_that_was_taken_away_gives_no_number_twice() {
    use EndedBy::{Admin, Recovered};
    let place = Place::new("journal-taken");
    let mut process = of_two(&place);
    process.ends_one();
    process.arrives("unknown");
    drop(process);
    take(&place, &[files::segment(&place.dir(), 2)]);
    // One that had not ended at the snapshot has by now, and has its record.
    is_closed_with_a_gap(&place, &[Admin, Admin, Recovered, Admin]);
}

#[test]
fn a_segment_that_was_taken_away_with_its_snapshot_is_missed_too() {
    use EndedBy::{Admin, Recovered};
    let place = Place::new("journal-taken-both");
    let mut process = of_two(&place);
    process.arrives("unknown");
    drop(process);
    take(&place, &[files::segment(&place.dir(), 2), files::snapshot(&place.dir(), 2)]);
    is_closed_with_a_gap(&place, &[Admin, Recovered, Recovered, Admin]);
}

#[test]
fn a_journal_that_ends_before_the_outbox_does_is_not_gone_on_with() {
    use EndedBy::{Admin, Recovered};
    let place = Place::new("journal-behind-outbox");
    let mut process = place.start();
    (0..2).for_each(|n| process.arrives(&format!("c{n}")));
    let earlier = std::fs::read(place.segment()).unwrap();
    process.ends_one();
    drop(process);
    std::fs::write(place.segment(), earlier).unwrap();
    is_closed_with_a_gap(&place, &[Admin, Recovered, Admin]);
}

#[test]
fn a_gap_has_a_row_of_its_own_though_nobody_lived_in_it() {
    let place = Place::new("journal-gap-row");
    let mut process = place.start();
    process.writer.fill_disk();
    process.arrives("lost");
    let said = process.writer.news().unwrap();
    process.tell(said);
    heals(&mut process);
    let said = process.writer.news().unwrap();
    process.tell(said);
    let rows = place.outbox().newest().unwrap();
    let [Row::AgentState(gap)] = &rows[..] else { panic!("{rows:#?}") };
    assert!(gap.is_gap() && gap.reason.contains("No space"), "{gap:?}");
    assert!(gap.until > gap.from && gap.seq == 1);
    process.is_same(&place.start());
}

/// The process dies in the gap: nobody knows any more who called.
#[test]
fn whoever_dies_in_a_gap_leaves_a_row_that_says_so_once() {
    let place = Place::new("journal-gap-death");
    drop(place.start());
    let mut options = std::fs::OpenOptions::new();
    let segment = options.read(true).write(true).open(place.segment()).unwrap();
    files::mark_gap(&segment).unwrap();
    (0..3).for_each(|_| drop(place.start()));
    let rows = place.outbox().newest().unwrap();
    let [Row::AgentState(gap)] = &rows[..] else { panic!("{rows:#?}") };
    assert!(gap.is_gap() && gap.state == JOURNAL_GAP, "{gap:?}");
}
