//! Looking back: the same events again, whatever is in the way.

use super::versions::by_another_build;
use super::*;

#[test]
fn whoever_looks_back_leaves_out_the_event_that_broke_the_core() {
    let place = Place::new("journal-poison-back");
    let mut process = place.start();
    process.arrives("c0");
    let id = process.board.call_ids()[0].clone();
    let verb = crate::core::Verb::Hangup { call: id.clone() };
    let poison = Event::Admin { request: u64::MAX, by: String::new(), verb };
    process.writer.append(process.now, &[poison]);
    process.writer.commit(process.now, &process.switch);
    process.ends_one();
    drop(process);
    let told = super::explain(&place.dir(), &id).unwrap();
    assert!(told["steps"].as_array().unwrap().len() >= 3, "{told}");
    let audit = super::audit(&place.dir()).unwrap();
    assert!(!audit.incomplete && audit.rows == 1, "{audit}");
    assert!(audit.notes[0].contains("segment 1, entry ") && audit.notes[0].contains("left out"));
}

#[test]
fn whoever_looks_back_begins_anew_behind_a_gap_and_says_so() {
    let place = Place::new("journal-gap-back");
    let mut process = place.start();
    process.arrives("c0");
    process.writer.fill_disk();
    process.arrives("lost");
    heals(&mut process);
    process.arrives("c1");
    let id = process.board.call_ids()[2].clone();
    drop(process);
    let audit = super::audit(&place.dir()).unwrap();
    assert!(audit.incomplete, "{audit}");
    assert_eq!(audit.notes, ["something is missing before segment 2"]);
    assert_eq!(audit.segments, 2, "{audit}");
    let told = super::explain(&place.dir(), &id).unwrap();
    assert!(told["now"].is_array(), "it arrived after the gap: {told}");
}

#[test]
fn whoever_looks_back_begins_where_this_core_has_written() {
    let mut place = Place::new("journal-foreign-back");
    place.limits.segment = 6_000;
    let mut process = place.start();
    let newest = |place: &Place| *files::list(&place.dir()).unwrap().1.last().unwrap();
    process.arrives("c0");
    while newest(&place) == 1 {
        process.arrives("c1");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    process.arrives("c2");
    let id = process.board.call_ids().last().unwrap().clone();
    drop(process);
    for path in [files::segment(&place.dir(), 1), files::snapshot(&place.dir(), 1)] {
        if let Ok(bytes) = std::fs::read(&path) {
            std::fs::write(&path, by_another_build(bytes)).unwrap();
        }
    }
    let audit = super::audit(&place.dir()).unwrap();
    assert!(!audit.incomplete && audit.segments >= 1, "{audit}");
    assert!(super::explain(&place.dir(), &id).unwrap()["now"].is_array());
}
