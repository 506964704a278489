//! Whether the roster leaves a queue alone: at some time of an ordinary week, or on a day that
//! differs. One that somebody outside the roster serves, or that says what becomes of its callers
//! then, is not left alone; nor is one that overflows, while it is unstaffed, to where somebody is.

use super::mistake::{Log, Place};
use super::settings::Settings;
use super::shifts::DAYS;
use super::tree::{Table, Value};
use crate::acd::{Calendar, DAY_MINUTES, Elsewhere, Member, QueueSettings, Shift, When};
use crate::base::{Id, Wall};
use crate::call::Centre;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

const DAY: usize = DAY_MINUTES as usize;
const WEEK: usize = 7 * DAY;
const MINUTE_MICROS: i64 = 60_000_000;
const INSTEAD: &str = "add [[queue.overflow]] with unstaffed = true, or say what becomes of \
                       callers then: when_unstaffed = \"callback\", or \"wait\"";

/// The sections that say it.
pub struct Written<'a> {
    pub queues: &'a [&'a Table],
    pub shifts: &'a [&'a Table],
    pub holidays: &'a [&'a Table],
}

/// One mistake a queue: the first gap of its week, or else the first of a day that differs.
pub fn find(written: &Written, settings: &Settings, log: &mut Log) {
    let Some(place) = written.shifts.first().map(|table| table.place) else { return };
    let cover = Cover::new(written.queues, settings);
    let mut sound: Vec<usize> = Vec::new();
    let week = cover.week();
    for (at, queue) in settings.acd.queues.iter().enumerate() {
        let covered = cover.of(at, &week, &mut BTreeSet::new());
        let all = covered.map_or_else(Vec::new, |covered| gaps(&covered));
        let Some(&(from, until)) = all.first() else {
            sound.push(at);
            continue;
        };
        let more = match all.len() - 1 {
            0 => String::new(),
            1 => ", and once more a week".into(),
            n => format!(", and {n} times more a week"),
        };
        let (from, until) = (moment(from), moment(until));
        let who = format!("nobody who serves queue \"{}\" is on shift", queue.name);
        let what = format!("{who} from {from} to {until}{more}");
        log.add(place, what, format!("close the gap, {INSTEAD}"));
    }
    for date in cover.days_that_differ() {
        let Some(day) = cover.day(date) else { continue };
        sound.retain(|&at| {
            let covered = cover.of(at, &day, &mut BTreeSet::new());
            let Some((from, until)) = covered.and_then(|covered| first_gap(&covered)) else {
                return true;
            };
            let name = &settings.acd.queues[at].name;
            let who = format!("nobody who serves queue \"{name}\" is on shift");
            let what = format!("{who} on {date} from {} to {}", clock(from), clock(until));
            let place = holiday_at(written.holidays, date).unwrap_or(place);
            log.add(place, what, format!("name the shifts that work that day, {INSTEAD}"));
            false
        });
    }
}

/// A week or a day: how many minutes it has, and when which crews work.
struct Times {
    minutes: usize,
    works: Vec<(Range<usize>, BTreeSet<Crew>)>,
}

/// Agents of the same skills, by a number.
type Crew = usize;

/// One queue, as far as time does not change it.
struct Served {
    /// It says what becomes of its callers while nobody is there.
    planned: bool,
    crews: BTreeSet<Crew>,
    /// Where its callers go then; `None`: to a centre that has a roster of its own.
    ways: Vec<Option<usize>>,
}

struct Cover<'a> {
    settings: &'a Settings,
    calendar: Calendar<'a>,
    crew_of: BTreeMap<&'a str, Crew>,
    /// Crews some of whom no shift names.
    outside: BTreeSet<Crew>,
    queues: Vec<Served>,
}

impl<'a> Cover<'a> {
    fn new(written: &[&Table], settings: &'a Settings) -> Self {
        let shifts = &settings.roster.shifts;
        let everybody = shifts.iter().flat_map(Shift::everybody);
        let on_roster: BTreeSet<&str> = everybody.map(|member| member.agent.as_str()).collect();
        let mut crews: BTreeMap<Vec<(&str, u8)>, Crew> = BTreeMap::new();
        let (mut crew_of, mut outside) = (BTreeMap::new(), BTreeSet::new());
        for agent in &settings.acd.agents {
            let skills = agent.skills.iter().map(|skill| (skill.name.as_str(), skill.level));
            let next = crews.len();
            let crew = *crews.entry(skills.collect()).or_insert(next);
            crew_of.insert(agent.id.as_str(), crew);
            if !on_roster.contains(agent.id.as_str()) {
                outside.insert(crew);
            }
        }
        let queues = settings.acd.queues.iter().zip(written);
        let queues = queues.map(|(queue, table)| served(settings, queue, table, &crews)).collect();
        Self { settings, calendar: Calendar::new(&settings.roster), crew_of, outside, queues }
    }

    /// The minutes in which somebody is there for callers of the queue; `None`: there always is,
    /// or they are not simply left. `seen`: queues on the way here.
    fn of(&self, at: usize, times: &Times, seen: &mut BTreeSet<usize>) -> Option<Vec<bool>> {
        let is_first = seen.is_empty();
        seen.insert(at);
        let queue = self.queues.get(at)?;
        // Whatever a queue does with its own callers while it is unstaffed, from another it takes
        // nobody then: they go on along its ways.
        let is_closed = is_first && (queue.planned || queue.crews.is_empty());
        if is_closed || !queue.crews.is_disjoint(&self.outside) {
            return None;
        }
        let mut covered = vec![false; times.minutes];
        let own = times.works.iter().filter(|(_, crews)| !crews.is_disjoint(&queue.crews));
        own.for_each(|(minutes, _)| covered[minutes.clone()].fill(true));
        for way in &queue.ways {
            let to = (*way)?;
            if !seen.contains(&to) {
                let there = self.of(to, times, seen)?;
                covered.iter_mut().zip(there).for_each(|(here, there)| *here |= there);
            }
        }
        Some(covered)
    }

    fn week(&self) -> Times {
        let mut works = Vec::new();
        for shift in &self.settings.roster.shifts {
            let crews = self.crews(shift.members.iter());
            let length = match shift.until > shift.from {
                true => shift.until - shift.from,
                false => DAY_MINUTES - shift.from + shift.until,
            };
            for day in (0..7).filter(|day| shift.days[*day]) {
                let from = day * DAY + usize::from(shift.from);
                let until = from + usize::from(length);
                works.push((from..until.min(WEEK), crews.clone()));
                works.push((0..until.saturating_sub(WEEK), crews.clone()));
            }
        }
        Times { minutes: WEEK, works }
    }

    fn day(&self, date: Date) -> Option<Times> {
        let (from, until) = self.calendar.day(date)?;
        // A day on which the clocks change has another length.
        let length = (until.0 - from.0) / MINUTE_MICROS;
        let minute = |at: Wall| ((at.0 - from.0) / MINUTE_MICROS).clamp(0, length) as usize;
        let turns = self.calendar.between(from, until).into_iter();
        let works = turns.map(|turn| {
            let crews = self.crews(self.calendar.members(&turn).into_iter());
            (minute(turn.starts)..minute(turn.ends), crews)
        });
        Some(Times { minutes: length as usize, works: works.collect() })
    }

    fn crews<'m>(&self, members: impl Iterator<Item = &'m Member>) -> BTreeSet<Crew> {
        members.filter_map(|member| self.crew_of.get(member.agent.as_str()).copied()).collect()
    }

    /// Holidays and exceptions, and the days after them, into which their nights last.
    fn days_that_differ(&self) -> BTreeSet<Date> {
        let roster = &self.settings.roster;
        let holidays = roster.holidays.iter().map(|holiday| holiday.date);
        let exceptions = roster.shifts.iter().flat_map(|shift| &shift.exceptions);
        let dates = holidays.chain(exceptions.map(|exception| exception.date));
        dates.flat_map(|date| [Some(date), date.tomorrow().ok()]).flatten().collect()
    }
}

/// Who may take somebody of this queue at some time of the wait, and where the others go.
fn served(
    settings: &Settings,
    queue: &QueueSettings,
    table: &Table,
    crews: &BTreeMap<Vec<(&str, u8)>, Crew>,
) -> Served {
    let level = queue.lowest_level();
    let able = crews.iter().filter(|(skills, _)| {
        let has = |skill: &String| skills.iter().any(|own| own.0 == *skill && own.1 >= level);
        queue.skills.iter().all(has)
    });
    let named = |name: &str| settings.acd.queues.iter().position(|queue| queue.name == name);
    let local = |district: &str| match settings.call.district(district)?.centre {
        Centre::Queue(queue) => Some(queue.slot() as usize),
        Centre::Trunk(_) => None,
    };
    let ways = settings.overflows.iter().filter(|out| out.queue == queue.name);
    let ways = ways.flat_map(|out| &out.ways).filter(|way| way.when == When::Unstaffed);
    Served {
        planned: table.entries.contains_key("when_unstaffed"),
        crews: able.map(|(_, crew)| *crew).collect(),
        ways: ways
            .map(|way| match &way.to {
                Elsewhere::Queue(name) => named(name),
                Elsewhere::District(name) => local(name),
            })
            .collect(),
    }
}

/// The first time of a day at which nobody is there.
fn first_gap(covered: &[bool]) -> Option<(usize, usize)> {
    let from = covered.iter().position(|on| !on)?;
    let length = covered[from..].iter().position(|on| *on).unwrap_or(covered.len() - from);
    Some((from, from + length))
}

fn holiday_at(tables: &[&Table], date: Date) -> Option<Place> {
    let date = date.to_string();
    let of_date = |table: &&&Table| {
        let written = table.entries.get("date").map(|(_, node)| &node.value);
        matches!(written, Some(Value::Text(text)) if *text == date)
    };
    tables.iter().find(of_date).map(|table| table.place)
}

/// The spans of a week, in minutes from Monday, in which nobody is there.
fn gaps(covered: &[bool]) -> Vec<(usize, usize)> {
    // A gap over the end of the week is one gap: begin to count where somebody works.
    let Some(start) = covered.iter().position(|on| *on) else { return vec![(0, WEEK)] };
    let mut gaps: Vec<(usize, usize)> = Vec::new();
    for minute in (start..start + WEEK).filter(|at| !covered[at % WEEK]) {
        match gaps.last_mut() {
            Some((_, end)) if *end == minute => *end += 1,
            Some(_) | None => gaps.push((minute, minute + 1)),
        }
    }
    gaps
}

fn moment(minute: usize) -> String {
    let minute = minute % WEEK;
    format!("{} {}", DAYS[minute / DAY], clock(minute % DAY))
}

fn clock(minute: usize) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}
