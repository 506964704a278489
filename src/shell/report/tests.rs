//! Reports over a database of known calls.

use super::*;
use crate::call::{Direction, Outcome};
use crate::core::{CallRecord, Row};
use crate::shell::store::tests::{Folder, call};
use crate::shell::store::{Source, Sqlite, Store};
use std::time::Duration;

/// 2026-11-22 00:00 in India.
const MIDNIGHT: i64 = 1_795_285_800_000_000;
const HOUR: i64 = 3_600_000_000;

fn record(seq: u64, hour: i64, outcome: Outcome, wait_ms: u64, queue: &str) -> CallRecord {
    let Row::Call(mut record) = call(seq) else { unreachable!("it is a call") };
    record.id = format!("{seq:026}");
    (record.outcome, record.wait_ms, record.queue) = (outcome, wait_ms, queue.into());
    (record.line, record.district) = ("181".into(), String::new());
    record.arrived_at = Wall(MIDNIGHT + hour * HOUR + seq as i64);
    record
}

fn morning() -> RosterSettings {
    let shift = crate::acd::Shift {
        name: "morning".into(),
        from: 6 * 60,
        until: 14 * 60,
        days: [true; 7],
        rota: None,
        members: Vec::new(),
        minima: Vec::new(),
        auto: false,
        exceptions: Vec::new(),
    };
    RosterSettings { shifts: vec![shift], ..RosterSettings::default() }
}

#[test]
fn a_report_reconciles_and_is_the_same_when_run_again() {
    let folder = Folder::new("report");
    let database = folder.0.join("records.db");
    let rows = [
        record(1, 7, Outcome::Answered, 4_000, "general"),
        record(2, 7, Outcome::Answered, 25_000, "general"),
        record(3, 8, Outcome::Abandoned, 3_000, "general"),
        record(4, 15, Outcome::Abandoned, 70_000, "health"),
        record(5, 15, Outcome::Refused, 0, ""),
        record(6, 21, Outcome::Answered, 1_000, "health"),
    ];
    let mut out = record(7, 9, Outcome::Answered, 0, "");
    out.direction = Direction::Out;
    let rows: Vec<Row> = rows.into_iter().chain([out]).map(Row::Call).collect();
    Sqlite::open(&database).unwrap().write(&rows).unwrap();
    let database = Source::Sqlite(database);
    let (roster, reports) = (morning(), Reports::default());
    let window = Window { since: Wall(MIDNIGHT + 6 * HOUR), until: Wall(MIDNIGHT + 20 * HOUR) };
    let wanted =
        Wanted { database: &database, roster: &roster, reports: &reports, window, within: None };
    let found = report(&wanted).unwrap();
    let total = &found["total"];
    let count = |key: &str| total[key].as_u64().unwrap();
    assert_eq!((count("offered"), count("answered"), count("abandoned")), (5, 2, 2));
    assert_eq!(
        (count("refused"), count("short_abandoned"), count("longest_wait_ms")),
        (1, 1, 70_000)
    );
    // Two answered, one left after a wait that counts: 1 of 3 in 20 s, 2 of 3 in 30 s.
    assert_eq!(total["service_level"]["20"], 0.3333);
    assert_eq!(total["service_level"]["30"], 0.6667);
    assert_eq!(found["by"]["shift"]["morning"]["offered"], 3);
    assert_eq!(found["by"]["shift"]["-"]["offered"], 2);
    assert_eq!(found["by"]["hour"]["2026-11-22 15:00"]["offered"], 2);
    assert_eq!(found["by"]["queue"]["-"]["refused"], 1);
    assert_eq!(found["other_directions"]["out"], 1);
    assert_eq!(found["reconciled"], true);
    assert_eq!(found["day"]["total"]["offered"], 5, "from midnight to the end of the window");
    assert_eq!(report(&wanted).unwrap(), found);
    let within = Some((vec!["health".to_string()], Vec::new()));
    let theirs = report(&Wanted { within, ..wanted }).unwrap();
    assert_eq!(theirs["total"]["offered"], 1, "each sees what is theirs");
}

#[test]
fn cut_offs_are_the_last_two_that_have_passed() {
    let at = |hour: i64| Wall(MIDNIGHT + hour * HOUR);
    let cuts = [8 * 60, 20 * 60];
    for (now, since, until) in [(9, -4, 8), (8, -4, 8), (7, -16, -4), (21, 8, 20)] {
        let window = last_cut_off(at(now), "Asia/Kolkata", &cuts);
        assert_eq!(window, Window { since: at(since), until: at(until) }, "{now}");
    }
    let day = last_cut_off(at(9), "Asia/Kolkata", &[]);
    assert_eq!(day, Window { since: at(-24), until: at(0) });
    assert_eq!(Reports::default().short, Duration::from_secs(5));
}

#[test]
fn the_shift_that_is_on_is_handed_over_or_the_one_that_ended_last() {
    let at = |hour: i64| Wall(MIDNIGHT + hour * HOUR);
    let window = |since: i64, until: i64| Window { since: at(since), until: at(until) };
    let mut roster = morning();
    let mut day = roster.shifts[0].clone();
    (day.name, day.from, day.until) = ("day".into(), 9 * 60, 17 * 60);
    roster.shifts.push(day);
    for (hour, name, since, until) in
        [(7, "morning", 6, 7), (10, "morning", 6, 10), (15, "day", 9, 15), (20, "day", 9, 17)]
    {
        let found = shift_to_hand_over(&roster, at(hour));
        assert_eq!(found, Some((name.to_string(), window(since, until))), "{hour}:00");
    }
    assert_eq!(shift_to_hand_over(&RosterSettings::default(), at(7)), None);
}
