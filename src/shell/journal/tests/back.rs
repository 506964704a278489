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
    process.writer.break_off(process.now);
    process.ends_one();
    drop(process);
    let told = super::explain(&place.dir(), &id).unwrap();
    assert!(told["steps"].as_array().unwrap().len() >= 3, "{told}");
    let audit = super::audit(&place.dir()).unwrap();
    assert!(!audit.incomplete && audit.rows == 1, "{audit}");
    assert!(audit.notes[0].contains("segment 1, entry ") && audit.notes[0].contains("left out"));
}

/// In the clock of the switch, with a crash in between.
#[test]
fn q33_whoever_was_away_for_ten_minutes_gets_every_fact_once_and_the_journal_tells_the_same() {
    let place = Place::new("journal-away");
    let mut process = place.start();
    process.arrives("c0");
    process.ends_one();
    let from = process.switch.numbers(process.now).facts + 1;
    let (left, mut calls) = (process.now.instant, 1);
    while process.now.instant.since(left) < Duration::from_secs(600) {
        process.arrives(&format!("c{calls}"));
        process.ends_one();
        calls += 1;
        if calls == 60 {
            process = place.start();
        }
    }
    let newest = process.switch.numbers(process.now).facts;
    let told = process.board.facts(from, usize::MAX).unwrap();
    assert!(calls > 100 && told.len() as u64 == newest + 1 - from, "{} of {calls}", told.len());
    for (seq, fact) in (from..).zip(&told) {
        assert!(fact.starts_with(&format!("{{\"seq\":{seq},")), "{seq}: {fact}");
    }
    drop(process);
    let mut again = Vec::new();
    let mut note = |fact: &str| {
        again.push(fact.to_string());
        Ok(())
    };
    super::super::tell(&place.dir(), Some(from), &mut note).unwrap();
    assert!(told.iter().map(|fact| &**fact).eq(again.iter().map(String::as_str)));
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

#[test]
fn a_switch_that_did_something_else_than_follows_is_found_at_the_first_event() {
    let place = Place::new("journal-otherwise");
    let mut process = place.start();
    process.arrives("c0");
    let whole = super::audit(&place.dir()).unwrap();
    assert!(whole.batches == 1 && !whole.incomplete, "{whole}");
    assert!(whole.to_string().contains("in 1 batches"), "{whole}");
    // A planted bug of the live switch: one command that nothing asks for, in the second batch.
    let at = process.now;
    process.writer.append(at, &[Event::Tick]);
    process.switch.handle(at, Event::Tick, &mut process.out);
    process.writer.follow(&[Command::Drained], &[], &process.switch);
    process.writer.commit(at, &process.switch);
    process.arrives("c1");
    let why = super::audit(&place.dir()).unwrap_err();
    assert!(why.starts_with("segment 1, entry ") && why.contains("something else"), "{why}");
    assert!(why.contains("2023-11-14T22:13:21.500Z"), "{why}");
    assert!(why.contains("the event: Tick") && why.contains("(1 commands and 0 facts"), "{why}");
    // A start goes on all the same, and has said so.
    assert_eq!(place.start().board.live(), 2);
}

#[test]
fn facts_that_memory_has_forgotten_are_told_from_the_journal_without_gap_or_double() {
    let mut place = Place::new("journal-tell");
    place.limits.segment = 6_000;
    let mut process = place.start();
    for n in 0..12 {
        process.arrives(&format!("c{n}"));
        if n % 2 == 0 {
            process.ends_one();
        }
        std::thread::park_timeout(Duration::from_millis(3));
    }
    let told: Vec<String> =
        process.board.facts(1, 10_000).unwrap().iter().map(|fact| fact.to_string()).collect();
    assert!(told.len() > 40 && files::list(&place.dir()).unwrap().0.len() > 1);
    let from = |from: Option<u64>| {
        let mut facts = Vec::new();
        super::tell(&place.dir(), from, &mut |fact| {
            facts.push(fact.to_string());
            Ok(())
        })
        .map(|()| facts)
    };
    assert_eq!(from(None).unwrap(), told);
    assert_eq!(from(Some(30)).unwrap(), told[29..]);
    assert_eq!(from(Some(told.len() as u64 + 1)).unwrap(), Vec::<String>::new());
}

#[test]
fn whoever_waits_hears_the_music_go_on_where_it_would_be_by_now() {
    let music = |out: &Out| {
        let plays = out.commands.iter().filter_map(|command| match command {
            Command::Media(control::Command::Play { then, .. }) => *then,
            _ => None,
        });
        plays.collect::<Vec<_>>()
    };
    let place = Place::new("journal-music");
    let mut process = place.start();
    process.arrives("c0");
    let before = music(&process.out);
    assert_eq!(before.len(), 1);
    drop(process);
    let mut again = place.start();
    (0..4).for_each(|_| again.tell(Event::Tick));
    again.tell(Event::Restarted { flows: Default::default(), secret: Default::default() });
    // The position is that of the clock of the call, which has gone on.
    assert_eq!(music(&again.out), before);
    assert!(again.now.instant.since(before[0].since) >= Duration::from_secs(6));
}
