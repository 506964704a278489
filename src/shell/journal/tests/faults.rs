//! What the machine refuses, what is written nowhere, and a death in the
//! midst of a start.

use super::versions::{by_another_build, rewrite};
use super::*;
use crate::core::JOURNAL_GAP;

#[test]
fn what_cannot_be_read_just_now_ends_the_start_and_nobody_s_call() {
    let place = Place::new("journal-world");
    let mut process = place.start();
    (0..2).for_each(|n| process.arrives(&format!("c{n}")));
    let (segment, away) = (place.segment(), place.folder.0.join("away"));
    std::fs::rename(&segment, &away).unwrap();
    std::fs::create_dir(&segment).unwrap();
    let why = place.try_start().err().expect("no switch without the calls");
    assert!(why.contains("is kept as it is") && why.contains("000000000001.events"), "{why}");
    assert!(!place.dir().join("set-aside").exists(), "nothing is given up");
    // But not for ever: after a minute there is a switch for whoever calls then.
    let failed = place.dir().join("starts.failed");
    let noted = std::fs::read_to_string(&failed).unwrap();
    let (first, times) = noted.trim().split_once(' ').unwrap();
    assert_eq!(times, "1");
    let earlier = first.parse::<i64>().unwrap() - 61_000_000;
    let copy = place.copy("journal-world-given-up");
    std::fs::write(copy.dir().join("starts.failed"), format!("{earlier} 4\n")).unwrap();
    let given_up = copy.start();
    assert_eq!(given_up.board.live(), 0);
    assert!(!copy.dir().join("starts.failed").exists(), "it counts anew");
    std::fs::remove_dir(&segment).unwrap();
    std::fs::rename(&away, &segment).unwrap();
    process.is_same(&place.start());
}

/// Of each call, by its end: whether its record states the gap.
fn stated(place: &Place) -> Vec<bool> {
    let flags = place.records().into_iter().map(|record| record.flags);
    flags.map(|flags| flags.split(',').any(|flag| flag == JOURNAL_GAP)).collect()
}

#[test]
fn a_gap_is_stated_in_the_records_of_all_who_lived_in_it_and_of_nobody_else() {
    let place = Place::new("journal-gap-flag");
    let mut process = place.start();
    process.arrives("before");
    process.writer.fill_disk();
    process.arrives("lost");
    let said = process.writer.news().unwrap();
    process.tell(said);
    process.arrives("within");
    heals(&mut process);
    let said = process.writer.news().unwrap();
    process.tell(said);
    process.arrives("after");
    (0..4).for_each(|_| process.ends_one());
    assert_eq!(stated(&place), [true, true, true, false]);
}

#[test]
fn a_gap_is_stated_in_the_records_of_calls_that_are_closed_behind_it() {
    let place = Place::new("journal-gap-closed");
    let mut process = place.start();
    (0..2).for_each(|n| process.arrives(&format!("c{n}")));
    drop(process);
    let mut options = std::fs::OpenOptions::new();
    let segment = options.read(true).write(true).open(place.segment()).unwrap();
    files::mark_gap(&segment).unwrap();
    drop(place.start());
    assert_eq!(stated(&place), [true, true]);
}

/// Killed before the old journal was put aside, and before a row was in the outbox.
#[test]
fn a_start_that_dies_as_it_closes_the_books_loses_no_record_of_theirs() {
    for has_snapshot in [true, false] {
        let place = Place::new("journal-closing");
        three_calls_one_over(&place);
        rewrite(&place, by_another_build);
        let Found { begin: Begin::Fresh { numbers, .. }, rows } =
            recover(&place.dir(), &mut place.outbox()).unwrap()
        else {
            panic!("another build's calls cannot be gone on with");
        };
        assert_eq!(rows.len(), 2, "{rows:#?}");
        let now = Now { instant: Instant(1), wall: Wall(1_700_000_000_000_000) };
        let mut out = Out::default();
        let switch = Switch::after(numbers, settings(), 1, now, &mut out);
        let board = Board::new(Names::of(switch.settings(), switch.names()), now);
        let rows = rows.into_iter().map(|row| Command::Store(Box::new(row)));
        let rows: Vec<Command> = rows.collect();
        let first = (&switch.memory(now), &board);
        let (stored, meters) = (Arc::<Stored>::default(), Metrics::new().for_shell());
        let writer =
            Writer::begin(&place.dir(), place.limits, first, Some(&rows), stored, meters).unwrap();
        drop(writer);
        if !has_snapshot {
            std::fs::remove_file(files::snapshot(&place.dir(), 2)).unwrap();
        }
        drop(place.start());
        let mut seqs: Vec<u64> = place.records().iter().map(|record| record.seq).collect();
        seqs.sort_unstable();
        assert_eq!(seqs, [1, 2, 3], "with a snapshot: {has_snapshot}");
    }
}
