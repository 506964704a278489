//! Gaps as they are found, against the plain reading of the same roster; and what it costs.

use super::super::minutes::WORK;
use super::*;
use crate::acd::Calendar;
use crate::base::{Rng, Wall};
use crate::config::parse;
use std::fmt::Write;

const MINUTE: i64 = 60_000_000;

fn mistakes(text: &str) -> Vec<String> {
    match parse(&[("f".into(), text.into())], &|_| None) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
    }
}

/// Few people, shifts and queues, and days that differ close together.
fn random_roster(rng: &mut Rng) -> String {
    let mut text = "[switch]\ntimezone = \"UTC\"\n".to_string();
    let mut add = |line: &str| text += &(line.to_string() + "\n");
    for n in 1..=4 {
        let any = ["a", "b", "c"][rng.below(3) as usize];
        let skill = ["a", "b", "c"].get(n - 1).copied().unwrap_or(any);
        add(&format!("[[agent]]\nid = \"op{n}\"\ncontact = \"sip:op{n}@10.0.0.{n}\""));
        add(&format!("skills = [\"{skill}\", \"s\"]"));
    }
    // Four ways would lead round in a circle, which is a mistake of another kind.
    let mut ways = 0;
    for (name, to) in [("a", "b"), ("b", "c"), ("c", "s"), ("s", "a")] {
        add(&format!("[[queue]]\nname = \"{name}\"\nskills = [\"{name}\"]\n#{name}"));
        if ways < 3 && rng.chance(30) {
            ways += 1;
            add(&format!("[[queue.overflow]]\nunstaffed = true\nto = \"queue:{to}\""));
        }
    }
    let hours = ["06:00-14:00", "14:00-22:00", "22:00-06:00", "00:00-24:00", "20:00-09:30"];
    let date = |rng: &mut Rng| format!("2026-12-{:02}", 1 + rng.below(9));
    let who = |rng: &mut Rng| format!("\"op{}\"", 1 + rng.below(4));
    for n in 0..5 {
        let days = ["mon-sun", "mon-sun", "mon-sat"][rng.below(3) as usize];
        add(&format!("[[shift]]\nname = \"s{n}\"\nhours = \"{}\"", hours[n % 5]));
        add(&format!(
            "days = \"{days}\"\nagents = [\"op{}\", \"op{}\"]",
            1 + n % 4,
            1 + (n + 1) % 4
        ));
        if rng.chance(12) {
            let round = 2 + rng.below(7);
            let (from, days) = (date(rng), 1 + rng.below(round));
            add(&format!("rota = {{ from = \"{from}\", round = {round}, on = \"1-{days}\" }}"));
        }
        for _ in 0..rng.below(3) {
            add(&format!("[[shift.exception]]\ndate = \"{}\"", date(rng)));
            add(&format!("absent = [{}]\ninstead = [{}]", who(rng), who(rng)));
            add(&format!("off = {}", rng.chance(30)));
        }
    }
    if rng.chance(50) {
        add(&format!("[[holiday]]\ndate = \"{}\"\nshifts = [\"s1\", \"s3\"]", date(rng)));
    }
    text
}

/// Of each minute from then on whether somebody works who serves.
fn covered(
    calendar: &Calendar,
    serves: &dyn Fn(&str) -> bool,
    from: Wall,
    minutes: usize,
) -> Vec<bool> {
    let until = Wall(from.0 + minutes as i64 * MINUTE);
    let mut covered = vec![false; minutes];
    for turn in calendar.between(from, until) {
        if calendar.members(&turn).iter().any(|member| serves(&member.agent)) {
            let at = |wall: Wall| ((wall.0 - from.0) / MINUTE).clamp(0, minutes as i64) as usize;
            covered[at(turn.starts)..at(turn.ends)].fill(true);
        }
    }
    covered
}

/// The first of a year of days on which nothing differs.
fn gap_of_a_year(
    settings: &Settings,
    first: Date,
    serves: &dyn Fn(&str) -> bool,
) -> Option<(Date, usize)> {
    let mut plain = settings.roster.clone();
    plain.holidays.clear();
    plain.shifts.iter_mut().for_each(|shift| shift.exceptions.clear());
    let calendar = Calendar::new(&plain);
    first.series(1.days()).take(366).find_map(|date| {
        let minutes = covered(&calendar, serves, calendar.day(date).unwrap().0, DAY);
        Some((date, minutes.iter().position(|on| !on)?))
    })
}

/// Of each queue the first gap, minute by minute: of a week in which nothing differs, or else of
/// the days that may.
fn naive(settings: &Settings) -> Vec<String> {
    let calendar = Calendar::new(&settings.roster);
    let mut found = Vec::new();
    for (at, queue) in settings.acd.queues.iter().enumerate() {
        let mut reached = BTreeSet::from([at]);
        loop {
            let before = reached.len();
            let ways = |at: &usize| {
                let out = &settings.acd.queues[*at].name;
                let out = settings.overflows.iter().filter(move |own| own.queue == *out);
                out.flat_map(|own| &own.ways).filter_map(|way| match &way.to {
                    Elsewhere::Queue(to) => {
                        settings.acd.queues.iter().position(|queue| queue.name == *to)
                    }
                    Elsewhere::District(_) => None,
                })
            };
            let more: Vec<usize> = reached.iter().flat_map(ways).collect();
            reached.extend(more);
            if reached.len() == before {
                break;
            }
        }
        let serves = |agent: &str| {
            let agent = settings.acd.agents.iter().find(|own| own.id == agent).unwrap();
            let has = |skill: &String| agent.skills.iter().any(|own| own.name == *skill);
            reached.iter().any(|at| settings.acd.queues[*at].skills.iter().all(has))
        };
        if settings.acd.agents.iter().any(|agent| {
            let is_on = |shift: &Shift| shift.everybody().any(|member| member.agent == agent.id);
            serves(&agent.id) && !settings.roster.shifts.iter().any(is_on)
        }) {
            continue;
        }
        let day = |date: Date| calendar.day(date).unwrap().0;
        let covered = |from, minutes| covered(&calendar, &serves, from, minutes);
        let is_ours = |shift: &&Shift| shift.members.iter().any(|member| serves(&member.agent));
        let rotas = settings.roster.shifts.iter().filter(is_ours).filter_map(|s| s.rota.as_ref());
        let first = rotas.map(|rota| rota.from).min();
        if let Some((date, minute)) =
            first.and_then(|first| gap_of_a_year(settings, first, &serves))
        {
            let from = clock(minute);
            found.push(format!("\"{}\" is on shift on {date} from {from}", queue.name));
            continue;
        }
        // A Monday years ahead, with the night before.
        let week = covered(day(Date::constant(2035, 1, 1)), WEEK);
        if first.is_none()
            && let Some(start) = (0..WEEK).find(|minute| !week[*minute])
        {
            let first = match (0..WEEK).find(|minute| week[*minute]) {
                None => 0,
                Some(on) => (on..on + WEEK).find(|minute| !week[minute % WEEK]).unwrap_or(start),
            };
            found.push(format!("\"{}\" is on shift from {}", queue.name, moment(first)));
            continue;
        }
        for n in 1..=11 {
            let date = Date::constant(2026, 12, n);
            if let Some(minute) = covered(day(date), DAY).iter().position(|on| !on) {
                let from = clock(minute);
                found.push(format!("\"{}\" is on shift on {date} from {from}", queue.name));
                break;
            }
        }
    }
    found
}

#[test]
fn gaps_are_those_of_the_plain_reading_of_a_roster() {
    let (mut rng, mut seen) = (Rng::new(11), [0, 0, 0, 0]);
    for round in 0..300 {
        let text = random_roster(&mut rng);
        // The same roster, with a word for those times, is read whatever its gaps are.
        let waits = text.replace("\n#", "\nwhen_unstaffed = \"wait\"\n#");
        let settings = parse(&[("f".into(), waits)], &|_| None).unwrap_or_else(|why| {
            panic!("{why:?}\n{text}");
        });
        let mut expected = naive(&settings);
        let found = mistakes(&text);
        assert_eq!(found.len(), expected.len(), "round {round}: {found:#?} {expected:#?}\n{text}");
        seen[usize::from(!expected.is_empty())] += 1;
        seen[2] += expected.iter().filter(|gap| gap.contains("2026")).count();
        seen[3] += found.iter().filter(|gap| gap.contains("by their rotas")).count();
        expected.retain(|gap| !found.iter().any(|found| found.contains(gap.as_str())));
        assert!(expected.is_empty(), "round {round}: {found:#?} {expected:#?}\n{text}");
    }
    assert!(seen.iter().all(|times| *times > 20), "{seen:?}");
}

/// Districts with three shifts and three queues each, and two days for each shift on which
/// somebody is absent, of whom there are two.
fn house(districts: usize) -> String {
    let mut text = String::new();
    for d in 0..districts {
        for n in 0..9 {
            let skill = if n % 3 == 2 { "health" } else { "d" };
            let _ = write!(
                text,
                "[[agent]]\nid = \"d{d}-{n}\"\nsecret = \"a long secret\"\n\
                 skills = [\"{skill}{d}\"]\n"
            );
        }
        let way = format!("[[queue.overflow]]\nunstaffed = true\nto = \"queue:d{d}\"\n");
        for (queue, skill, way) in
            [("d", "d", ""), ("health", "health", &*way), ("night", "d", &*way)]
        {
            let name = format!("[[queue]]\nname = \"{queue}{d}\"\nskills = [\"{skill}{d}\"]\n");
            text += &(name + way);
        }
        for (s, hours) in ["06:00-14:00", "14:00-22:00", "22:00-06:00"].into_iter().enumerate() {
            let who = |n: usize| format!("\"d{d}-{}\"", 3 * s + n);
            let day = |n: usize| {
                let (year, n) = (2026 + (2 * d + n) / 330, (2 * d + n) % 330);
                format!("{year}-{:02}-{:02}", 1 + n / 30 % 11, 1 + (n + s) % 28)
            };
            let _ = write!(
                text,
                "[[shift]]\nname = \"s{d}-{s}\"\nhours = \"{hours}\"\nagents = [{}, {}]\n\
                 counsellors = [{}]\n[[shift.exception]]\ndate = \"{}\"\nabsent = [{}]\n\
                 [[shift.exception]]\ndate = \"{}\"\nabsent = [{}]\n",
                who(0),
                who(1),
                who(2),
                day(0),
                who(0),
                day(1),
                who(1)
            );
        }
    }
    text
}

#[test]
fn a_thousand_queues_and_shifts_and_two_thousand_days_that_differ_are_little_work() {
    let work = |districts: usize| {
        let before = WORK.get();
        assert_eq!(mistakes(&house(districts)), [""; 0]);
        WORK.get() - before
    };
    let (tenth, whole) = (work(33), work(330));
    assert!(whole < 12 * tenth, "{tenth}, and of ten times as many {whole}");
    // A word for each minute of each queue on each of those days would be ten thousand times that.
    assert!(whole < 10_000_000, "{whole}");
}
