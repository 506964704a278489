//! The calendar: over midnight, on holidays, in zones with summer time, and over a whole month.

use super::*;
use jiff::civil::{Date, date};

const HOUR: i64 = 3_600_000_000;

fn shift(name: &str, from: u16, until: u16) -> Shift {
    Shift {
        name: name.into(),
        from: from * 60,
        until: until * 60,
        days: [true; 7],
        rota: None,
        members: vec![Member { agent: format!("op-{name}"), role: Role::Operator }],
        minima: Vec::new(),
        auto: true,
        exceptions: Vec::new(),
    }
}

fn three() -> RosterSettings {
    let shifts = vec![shift("morning", 6, 14), shift("evening", 14, 22), shift("night", 22, 6)];
    RosterSettings { shifts, ..RosterSettings::default() }
}

/// This time of day in this zone.
fn at(zone: &str, date: Date, hour: i8, minute: i8) -> Wall {
    let time = date.at(hour, minute, 0, 0).in_tz(zone).unwrap();
    Wall(time.timestamp().as_microsecond())
}

fn names(settings: &RosterSettings, now: Wall) -> Vec<&str> {
    let running = Calendar::new(settings).running(now);
    running.iter().map(|turn| settings.shifts[turn.shift].name.as_str()).collect()
}

#[test]
fn three_shifts_hand_over_to_the_minute_and_the_night_goes_over_midnight() {
    let settings = three();
    let india = |hour, minute| at("Asia/Kolkata", date(2026, 11, 22), hour, minute);
    for (hour, minute, name) in [
        (0, 0, "night"),
        (5, 59, "night"),
        (6, 0, "morning"),
        (13, 59, "morning"),
        (14, 0, "evening"),
        (21, 59, "evening"),
        (22, 0, "night"),
        (23, 59, "night"),
    ] {
        assert_eq!(names(&settings, india(hour, minute)), [name], "{hour}:{minute}");
    }
    let calendar = Calendar::new(&settings);
    assert_eq!(calendar.next_change(india(5, 59)), Some(india(6, 0)));
    assert_eq!(calendar.next_change(india(6, 0)), Some(india(14, 0)));
    let night = calendar.running(india(3, 0))[0];
    assert_eq!((night.date, night.ends), (date(2026, 11, 21), india(6, 0)));
}

#[test]
fn every_minute_of_a_month_has_exactly_one_shift() {
    let settings = three();
    let calendar = Calendar::new(&settings);
    let first = at("Asia/Kolkata", date(2026, 12, 1), 0, 0);
    for minute in 0..31 * 24 * 60 {
        let now = Wall(first.0 + minute * HOUR / 60);
        let turns = calendar.between(now, Wall(now.0 + 1));
        assert_eq!(turns.len(), 1, "{}", calendar.clock(now));
        assert!(turns[0].starts <= now && now < turns[0].ends);
    }
}

#[test]
fn a_night_in_a_zone_with_summer_time_is_an_hour_longer_or_shorter() {
    let settings = RosterSettings { zone: "Europe/Berlin".into(), ..three() };
    let length = |date: Date| {
        let turn = Calendar::new(&settings).running(at("Europe/Berlin", date, 23, 0))[0];
        (turn.ends.0 - turn.starts.0) / HOUR
    };
    assert_eq!(length(date(2026, 3, 28)), 7);
    assert_eq!(length(date(2026, 10, 24)), 9);
    assert_eq!(length(date(2026, 6, 1)), 8);
}

#[test]
fn days_of_the_week_holidays_and_exceptions() {
    let mut settings = three();
    settings.shifts[0].days = [true, true, true, true, true, true, false];
    settings.holidays = vec![Holiday {
        date: date(2026, 11, 24),
        name: "गुरु नानक जयंती".into(),
        shifts: vec!["night".into()],
    }];
    settings.shifts[1].exceptions = vec![
        Exception { date: date(2026, 11, 25), off: true, absent: vec![], instead: vec![] },
        Exception {
            date: date(2026, 11, 26),
            off: false,
            absent: vec!["op-evening".into()],
            instead: vec![Member { agent: "op9".into(), role: Role::Operator }],
        },
    ];
    let on = |day, hour| names(&settings, at("Asia/Kolkata", date(2026, 11, day), hour, 0));
    assert_eq!(on(22, 8), [""; 0], "a Sunday");
    assert_eq!(on(23, 8), ["morning"]);
    assert_eq!(on(24, 8), [""; 0], "a holiday");
    assert_eq!(on(24, 3), ["night"], "that began the day before");
    assert_eq!(on(24, 23), ["night"], "that works on it");
    assert_eq!(on(25, 15), [""; 0]);
    assert_eq!(on(26, 15), ["evening"]);
    let calendar = Calendar::new(&settings);
    let members = |day| -> Vec<&str> {
        let turns = calendar.running(at("Asia/Kolkata", date(2026, 11, day), 15, 0));
        turns.iter().flat_map(|t| calendar.members(t)).map(|m| m.agent.as_str()).collect()
    };
    assert_eq!((members(23), members(26)), (vec!["op-evening"], vec!["op9"]));
}

#[test]
fn crews_that_change_by_the_week_and_six_days_on_and_two_off_come_round_for_years() {
    let from = date(2026, 11, 23);
    let rota = |on: &[bool]| Some(Rota { from, on: on.to_vec() });
    let mut settings = three();
    let mut third = [false; 21];
    third[..7].fill(true);
    for (n, shift) in settings.shifts.iter_mut().enumerate() {
        // One crew on all three: each begins a week after the other.
        shift.rota = rota(&third);
        third.rotate_right(7);
        shift.exceptions = Vec::new();
        shift.name = format!("crew-{n}");
    }
    let six = Shift {
        rota: rota(&[true, true, true, true, true, true, false, false]),
        ..shift("six", 0, 24)
    };
    settings.shifts.push(six);
    settings.holidays = vec![Holiday {
        date: date(2026, 11, 30),
        name: String::new(),
        shifts: vec!["crew-0".into(), "crew-1".into()],
    }];
    // The plain reading: a step a day, forwards and back.
    let step = |days: i32| if days >= 0 { 1 } else { -1 };
    for days in [-400, -22, -9, -8, -2, -1, 0, 5, 6, 7, 8, 14, 21, 300, 1_000] {
        let (mut day, mut week, mut turn, mut today) = (0, 0, 0, from);
        while day != days {
            day += step(days);
            today = if days > 0 { today.tomorrow().unwrap() } else { today.yesterday().unwrap() };
            week = (week + 21 + step(days)) % 21;
            turn = (turn + 8 + step(days)) % 8;
        }
        let hours = [8, 15, 23];
        for (crew, hour) in (0..).zip(hours) {
            let found = names(&settings, at("Asia/Kolkata", today, hour, 0));
            let mut expected = Vec::new();
            if week / 7 == crew {
                expected.push(format!("crew-{crew}"));
            }
            if turn < 6 && today != date(2026, 11, 30) {
                expected.push("six".into());
            }
            let sorted = |mut names: Vec<String>| {
                names.sort();
                names
            };
            let found = sorted(found.iter().map(|name| name.to_string()).collect());
            assert_eq!(found, sorted(expected), "{days} {hour}");
        }
    }
}

#[test]
fn a_shift_until_midnight_ends_there() {
    let settings = RosterSettings { shifts: vec![shift("late", 16, 24)], ..three() };
    let india = |day, hour, minute| at("Asia/Kolkata", date(2026, 11, day), hour, minute);
    assert_eq!(names(&settings, india(22, 23, 59)), ["late"]);
    assert_eq!(names(&settings, india(23, 0, 0)), [""; 0]);
    let calendar = Calendar::new(&settings);
    assert_eq!(calendar.next_change(india(22, 23, 0)), Some(india(23, 0, 0)));
}
