//! Segments that were only begun: killed between the file and its header, or the power went.

use super::*;

/// Room for a header that was not written to the end.
const LENGTHS: [usize; 2] = [0, 20];

fn put_stub(place: &Place, number: u64, octets: usize) {
    std::fs::write(files::segment(&place.dir(), number), vec![0; octets]).unwrap();
}

#[test]
fn behind_a_segment_that_was_only_begun_nothing_happens_twice() {
    for octets in LENGTHS {
        let place = Place::new("journal-stub");
        let mut before = place.start();
        (0..3).for_each(|n| before.arrives(&format!("c{n}")));
        before.ends_one();
        before.ends_one();
        put_stub(&place, 2, octets);
        let after = place.start();
        before.is_same(&after);
        let seqs: Vec<u64> = place.records().iter().map(|record| record.seq).collect();
        assert_eq!(seqs, [1, 2], "with {octets} octets");
        assert_eq!(files::list(&place.dir()).unwrap().0, [1], "it is not in the way");
    }
}

#[test]
fn whoever_looks_back_passes_over_a_segment_that_was_only_begun() {
    for octets in LENGTHS {
        let place = Place::new("journal-stub-back");
        let mut process = place.start();
        process.arrives("c0");
        let id = process.board.call_ids()[0].clone();
        process.ends_one();
        drop(process);
        put_stub(&place, 2, octets);
        let audit = super::super::audit(&place.dir()).unwrap();
        assert!(!audit.incomplete && audit.segments == 1 && audit.rows == 1, "{audit}");
        assert!(super::super::explain(&place.dir(), &id).is_ok());
        let mut facts = 0;
        let mut count = |_: &str| {
            facts += 1;
            Ok(())
        };
        super::super::tell(&place.dir(), None, &mut count).unwrap();
        assert!(facts > 3, "{facts}");
        assert_eq!(std::fs::read(files::segment(&place.dir(), 2)).unwrap().len(), octets, "read");
    }
}

/// The power went when the snapshot had reached the disk, and its segment had not; or the process
/// died when a first snapshot had, whose segment comes after it.
#[test]
fn a_segment_that_a_snapshot_leads_to_is_begun_anew() {
    for octets in LENGTHS.into_iter().map(Some).chain([None]) {
        let place = Place::new("journal-stub-led");
        let mut process = place.start();
        (0..2).for_each(|n| process.arrives(&format!("c{n}")));
        let switch = process.leaves();
        match octets {
            Some(octets) => put_stub(&place, 2, octets),
            None => {
                std::fs::remove_file(files::segment(&place.dir(), 2)).unwrap();
                let first = files::leading(&place.dir(), 2);
                std::fs::rename(files::snapshot(&place.dir(), 2), first).unwrap();
            }
        }
        let mut again = place.start();
        assert!(again.switch.state() == switch.state() && again.board.live() == 2);
        again.arrives("c2");
        again.is_same(&place.start());
    }
}

/// The disk is full, so the segment cannot be begun; and that start comes to nothing as well.
#[test]
fn a_start_that_cannot_begin_the_segment_and_dies_leaves_the_calls_to_the_next() {
    for named in ["snapshot", "leading"] {
        let place = Place::new("journal-alone");
        let mut process = place.start();
        (0..2).for_each(|n| process.arrives(&format!("c{n}")));
        let switch = process.leaves();
        let segment = files::segment(&place.dir(), 2);
        match named {
            "snapshot" => put_stub(&place, 2, 0),
            _ => {
                std::fs::remove_file(&segment).unwrap();
                let first = files::leading(&place.dir(), 2);
                std::fs::rename(files::snapshot(&place.dir(), 2), first).unwrap();
            }
        }
        for _ in 0..2 {
            files::FULL.set(true);
            let found = recover(&place.dir(), &mut place.outbox()).unwrap();
            files::FULL.set(false);
            let Begin::Again(again) = found.begin else { panic!("{named}: the books are closed") };
            assert!(again.is_live(), "and then it dies before it has written anything");
        }
        let mut again = place.start();
        assert!(again.switch.state() == switch.state() && again.board.live() == 2, "{named}");
        again.arrives("c2");
        again.is_same(&place.start());
    }
}

/// A start that finds two calls, and no room to begin a segment in.
fn without_room(place: &Place) -> Process {
    let mut process = place.start();
    (0..2).for_each(|n| process.arrives(&format!("c{n}")));
    process.leaves();
    put_stub(place, 2, 0);
    files::FULL.set(true);
    place.start()
}

/// It goes on, and what happens from then on is written nowhere: the next start must not pretend.
#[test]
fn what_a_start_has_done_that_could_begin_no_segment_is_not_pretended() {
    let place = Place::new("journal-alone-gap");
    let mut process = without_room(&place);
    assert!(!process.writer.is_whole() && process.board.live() == 2);
    process.tell(Event::Drain);
    drop(process);
    files::FULL.set(false);
    let again = place.start();
    assert_eq!(again.board.live(), 0, "they may have hung up since");
    let records = place.records();
    let stated = |flags: &str| flags.split(',').any(|flag| flag == crate::core::JOURNAL_GAP);
    let stated: Vec<bool> = records.iter().map(|record| stated(&record.flags)).collect();
    assert_eq!(stated, [true, true]);
}

/// The same, and there is room again: the next segment is begun, and its snapshot never comes.
#[test]
fn the_segment_after_such_a_gap_is_none_of_the_snapshot_before_it() {
    let place = Place::new("journal-alone-after");
    let mut process = without_room(&place);
    // A snapshot waits for the row of this one, which is written nowhere.
    process.rows_reach_the_outbox = false;
    process.ends_one();
    files::FULL.set(false);
    process.tell(Event::Tick);
    process.arrives("after");
    let (segments, snapshots) = files::list(&place.dir()).unwrap();
    assert_eq!((segments, snapshots), (vec![1, 3], vec![1, 2]));
    drop(process);
    let again = place.start();
    assert_eq!(again.board.live(), 0, "one of them has hung up");
    let records = place.records();
    let seqs: Vec<u64> = records.iter().map(|record| record.seq).collect();
    assert_eq!(seqs, [2, 3, 4], "the first has gone, and its number is not given again");
    let stated = records.iter().all(|record| record.flags.contains(crate::core::JOURNAL_GAP));
    assert!(stated, "{records:#?}");
}
