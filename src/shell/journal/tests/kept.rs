//! What is kept for whoever looks back, and numbers that are given once.

use super::versions::by_another_build;
use super::*;

#[test]
fn a_journal_whose_oldest_segments_have_gone_can_be_looked_back_into_from_its_first() {
    let mut place = Place::new("journal-aged");
    place.limits = Limits { segment: 6_000, keep: 250_000, ..Limits::default() };
    let mut process = place.start();
    let listed = |place: &Place| files::list(&place.dir()).unwrap();
    let mut calls = 0;
    while listed(&place).0[0] <= 3 && calls < 4_000 {
        process.arrives(&format!("c{calls}"));
        process.ends_one();
        std::thread::park_timeout(Duration::from_millis(3));
        calls += 1;
    }
    drop(process);
    let (segments, snapshots) = listed(&place);
    let (first, last) = (segments[0], *segments.last().unwrap());
    assert!(first > 3 && segments.len() > 4, "{segments:?}");
    assert!((first..last).all(|n| snapshots.contains(&n)), "{snapshots:?} of {segments:?}");
    let files = std::fs::read_dir(place.dir()).unwrap().flatten();
    let size: u64 = files.map(|file| file.metadata().unwrap().len()).sum();
    assert!(size < 500_000, "what is kept has its bound: {size} octets");
    let audit = super::super::audit(&place.dir()).unwrap();
    assert!(!audit.incomplete && audit.notes.is_empty(), "{audit}");
    assert_eq!(audit.segments, segments.len() as u64);
    // Where some have none all the same, that is said.
    for number in [first, first + 1] {
        std::fs::remove_file(files::snapshot(&place.dir(), number)).unwrap();
    }
    let audit = super::super::audit(&place.dir()).unwrap();
    assert!(audit.incomplete && audit.segments == segments.len() as u64 - 2, "{audit}");
    let said = format!("2 of segments {first} to {} have no snapshot", first + 1);
    assert!(audit.notes[0].starts_with(&said), "{audit}");
}

#[test]
fn a_number_that_was_given_is_not_given_again_though_its_row_is_nowhere() {
    let place = Place::new("journal-given");
    let mut process = place.start();
    (0..2).for_each(|n| process.arrives(&format!("c{n}")));
    process.ends_one();
    process.writer.fill_disk();
    process.arrives("c2");
    heals(&mut process);
    drop(process);
    // The row of the first is in no outbox and in no segment any more.
    std::fs::remove_file(files::segment(&place.dir(), 1)).unwrap();
    std::fs::remove_file(files::snapshot(&place.dir(), 1)).unwrap();
    std::fs::remove_dir_all(place.folder.0.join("outbox")).unwrap();
    for path in [files::segment(&place.dir(), 2), files::snapshot(&place.dir(), 2)] {
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, by_another_build(bytes)).unwrap();
    }
    drop(place.start());
    let seqs: Vec<u64> = place.records().iter().map(|record| record.seq).collect();
    assert_eq!(seqs, [2, 3]);
}
