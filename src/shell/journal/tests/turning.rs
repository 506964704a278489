//! Starts that go on, segments that turn over, rows that the outbox has not seen, torn ends.

use super::*;

#[test]
fn a_start_goes_on_where_the_last_process_stopped() {
    let place = Place::new("journal-on");
    let mut before = place.start();
    (0..3).for_each(|n| before.arrives(&format!("c{n}")));
    before.ends_one();
    let after = place.start();
    before.is_same(&after);
    assert_eq!((after.board.live(), after.now), (2, before.now));
    assert_eq!(place.records().len(), 1);
}

#[test]
fn rows_that_the_outbox_has_not_seen_come_from_the_journal_once() {
    let place = Place::new("journal-rows");
    let mut process = place.start();
    (0..4).for_each(|n| process.arrives(&format!("c{n}")));
    process.ends_one();
    process.rows_reach_the_outbox = false;
    process.ends_one();
    process.ends_one();
    drop(process);
    let seqs = || place.records().iter().map(|record| record.seq).collect::<Vec<_>>();
    assert_eq!(seqs(), [1]);
    drop(place.start());
    assert_eq!(seqs(), [1, 2, 3]);
    drop(place.start());
    assert_eq!(seqs(), [1, 2, 3]);
}

#[test]
fn segments_turn_over_and_the_old_ones_go_when_a_newer_snapshot_is_safe() {
    let mut place = Place::new("journal-turn");
    place.limits = Limits { segment: 4_000, keep: 0, ..Limits::default() };
    let mut process = place.start();
    let (mut calls, mut oldest) = (0, 1);
    // A snapshot comes when the disk has taken the one before.
    while calls < 60 || oldest <= 3 && calls < 2_000 {
        process.arrives(&format!("c{calls}"));
        process.ends_one();
        std::thread::park_timeout(Duration::from_millis(3));
        oldest = files::list(&place.dir()).unwrap().0[0];
        calls += 1;
    }
    let (segments, snapshots) = files::list(&place.dir()).unwrap();
    assert!(segments[0] > 3 && segments.len() < 12, "{segments:?}");
    assert!(snapshots.len() < 5, "{snapshots:?}");
    process.is_same(&place.start());
    assert_eq!(place.records().len(), calls);
}

#[test]
fn a_snapshot_never_passes_rows_that_are_not_in_the_outbox() {
    let mut place = Place::new("journal-behind");
    place.limits.segment = 2_000;
    let mut process = place.start();
    process.rows_reach_the_outbox = false;
    for n in 0..10 {
        process.arrives(&format!("c{n}"));
        process.ends_one();
        std::thread::park_timeout(Duration::from_millis(30));
    }
    drop(process);
    assert_eq!(place.records().len(), 0);
    drop(place.start());
    assert_eq!(place.records().len(), 10);
}

#[test]
fn an_outbox_that_is_stuck_neither_fills_the_disk_with_the_journal_nor_costs_a_row() {
    let mut place = Place::new("journal-stuck");
    (place.limits.segment, place.limits.stuck) = (2_000, 30_000);
    let mut process = place.start();
    process.arrives("first");
    process.ends_one();
    process.rows_reach_the_outbox = false;
    let longest = || {
        let numbers = files::list(&place.dir()).unwrap().0;
        let length = |n: &u64| std::fs::metadata(files::segment(&place.dir(), *n)).unwrap().len();
        numbers.iter().map(length).max().unwrap()
    };
    for n in 0..60 {
        process.arrives(&format!("c{n}"));
        process.ends_one();
        // The next segment waits for the snapshot before it, however long a disk takes.
        for _ in 0..4_000 {
            if std::fs::metadata(place.segment()).unwrap().len() <= place.limits.stuck {
                break;
            }
            process.rests();
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
    assert!(files::list(&place.dir()).unwrap().0.len() > 3, "it turns all the same");
    assert!(longest() < 60_000, "{} octets", longest());
    drop(process);
    assert_eq!(place.records().len(), 1);
    drop(place.start());
    let seqs: Vec<u64> = place.records().iter().map(|record| record.seq).collect();
    assert_eq!(seqs, (1..=61).collect::<Vec<_>>(), "old segments have noted them");
}

#[test]
fn whatever_is_cut_off_the_end_the_rest_is_there() {
    let place = Place::new("journal-torn");
    let mut process = place.start();
    process.arrives("c0");
    process.arrives("c1");
    drop(process);
    let whole = std::fs::read(place.segment()).unwrap();
    for cut in [1, 7, 100] {
        std::fs::write(place.segment(), &whole[..whole.len() - cut]).unwrap();
        let process = place.start();
        assert_eq!(process.board.live(), 2, "only a note was cut");
    }
    std::fs::write(place.segment(), &whole[..HEADER_LEN + 300]).unwrap();
    let mut process = place.start();
    assert_eq!(process.board.live(), 0, "the first entry itself was cut");
    process.arrives("c2");
    process.is_same(&place.start());
}
