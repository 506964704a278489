//! Whether the roster leaves a queue alone: at some time of an ordinary week, or on a day that
//! differs. One that somebody outside the roster serves, or that says what becomes of its callers
//! then, is not left alone; nor is one that overflows, while it is unstaffed, to where somebody is.

use super::mistake::{Log, Place};
use super::settings::Settings;
use super::shifts::DAYS;
use super::tree::{Table, Value};
use crate::acd::{Calendar, DAY_MINUTES, Elsewhere, QueueSettings, When};
use crate::base::{Id, Wall};
use crate::call::Centre;
use jiff::civil::Date;
use std::collections::BTreeSet;

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
    let days = cover.days_that_differ();
    for queue in &settings.acd.queues {
        let Some(week) = cover.of(&queue.name, None, &mut Vec::new()) else { continue };
        let all = gaps(&week);
        if let Some(&(from, until)) = all.first() {
            let more = match all.len() - 1 {
                0 => String::new(),
                1 => ", and once more a week".into(),
                n => format!(", and {n} times more a week"),
            };
            let (from, until) = (moment(from), moment(until));
            let who = format!("nobody who serves queue \"{}\" is on shift", queue.name);
            let what = format!("{who} from {from} to {until}{more}");
            log.add(place, what, format!("close the gap, {INSTEAD}"));
            continue;
        }
        let gap = days.iter().find_map(|date| Some((date, cover.gap_of(queue, *date)?)));
        if let Some((date, (from, until))) = gap {
            let (from, until) = (clock(from), clock(until));
            let what = format!(
                "nobody who serves queue \"{}\" is on shift on {date} from {from} to {until}",
                queue.name
            );
            let place = holiday_at(written.holidays, *date).unwrap_or(place);
            log.add(place, what, format!("name the shifts that work that day, {INSTEAD}"));
        }
    }
}

struct Cover<'a> {
    settings: &'a Settings,
    queues: &'a [&'a Table],
    on_roster: BTreeSet<&'a str>,
    calendar: Calendar<'a>,
}

impl<'a> Cover<'a> {
    fn new(queues: &'a [&'a Table], settings: &'a Settings) -> Self {
        let shifts = &settings.roster.shifts;
        let own = shifts.iter().flat_map(|shift| &shift.members);
        let instead = shifts.iter().flat_map(|shift| &shift.exceptions).flat_map(|e| &e.instead);
        let on_roster = own.chain(instead).map(|member| member.agent.as_str()).collect();
        Self { settings, queues, on_roster, calendar: Calendar::new(&settings.roster) }
    }

    /// The minutes of a week, or of this day, in which somebody is there for callers of the queue;
    /// `None`: there always is, or they are not simply left. `seen`: queues on the way here.
    fn of(&self, name: &str, day: Option<Date>, seen: &mut Vec<String>) -> Option<Vec<bool>> {
        seen.push(name.into());
        let at = self.settings.acd.queues.iter().position(|queue| queue.name == name)?;
        let planned = self.queues.get(at)?.entries.get("when_unstaffed").map(|(_, node)| node);
        let serves = self.serves(&self.settings.acd.queues[at]);
        // Whom a queue does not take while it is unstaffed, it does not take from another either.
        let waits =
            planned.is_some_and(|node| matches!(&node.value, Value::Text(t) if t == "wait"));
        let is_first = seen.len() == 1;
        let is_closed = is_first && (planned.is_some() || serves.is_empty());
        if is_closed || waits || !serves.is_subset(&self.on_roster) {
            return None;
        }
        let mut covered = match day {
            None => self.week(&serves),
            Some(date) => self.day(&serves, date)?,
        };
        let ways = self.settings.overflows.iter().filter(|out| out.queue == name);
        let ways = ways.flat_map(|out| &out.ways).filter(|way| way.when == When::Unstaffed);
        for way in ways {
            let to = match &way.to {
                Elsewhere::Queue(queue) => queue.clone(),
                Elsewhere::District(district) => self.queue_of(district)?,
            };
            if !seen.contains(&to) {
                let there = self.of(&to, day, seen)?;
                covered.iter_mut().zip(there).for_each(|(here, there)| *here |= there);
            }
        }
        Some(covered)
    }

    /// `None`: its centre is behind a trunk, and has a roster of its own.
    fn queue_of(&self, district: &str) -> Option<String> {
        match self.settings.call.district(district)?.centre {
            Centre::Queue(queue) => {
                let queue = self.settings.acd.queues.get(queue.slot() as usize);
                queue.map(|queue| queue.name.clone())
            }
            Centre::Trunk(_) => None,
        }
    }

    /// Agents who may take somebody there at some time of the wait.
    fn serves(&self, queue: &QueueSettings) -> BTreeSet<&'a str> {
        let level = queue.lowest_level();
        let agents = self.settings.acd.agents.iter().filter(|agent| {
            let has = |skill: &String| {
                agent.skills.iter().any(|own| own.name == *skill && own.level >= level)
            };
            queue.skills.iter().all(has)
        });
        agents.map(|agent| agent.id.as_str()).collect()
    }

    fn week(&self, serves: &BTreeSet<&str>) -> Vec<bool> {
        let mut covered = vec![false; WEEK];
        for shift in &self.settings.roster.shifts {
            if !shift.members.iter().any(|member| serves.contains(member.agent.as_str())) {
                continue;
            }
            let length = match shift.until > shift.from {
                true => shift.until - shift.from,
                false => DAY_MINUTES - shift.from + shift.until,
            };
            for day in (0..7).filter(|day| shift.days[*day]) {
                let from = day * DAY + usize::from(shift.from);
                for minute in from..from + usize::from(length) {
                    covered[minute % WEEK] = true;
                }
            }
        }
        covered
    }

    fn day(&self, serves: &BTreeSet<&str>, date: Date) -> Option<Vec<bool>> {
        let (from, until) = self.calendar.day(date)?;
        // A day on which the clocks change has another length.
        let length = (until.0 - from.0) / MINUTE_MICROS;
        let mut covered = vec![false; length as usize];
        let minute = |at: Wall| ((at.0 - from.0) / MINUTE_MICROS).clamp(0, length) as usize;
        for turn in self.calendar.between(from, until) {
            let members = self.calendar.members(&turn);
            if members.iter().any(|member| serves.contains(member.agent.as_str())) {
                covered[minute(turn.starts)..minute(turn.ends)].fill(true);
            }
        }
        Some(covered)
    }

    /// Holidays and exceptions, and the days after them, into which their nights last.
    fn days_that_differ(&self) -> BTreeSet<Date> {
        let roster = &self.settings.roster;
        let holidays = roster.holidays.iter().map(|holiday| holiday.date);
        let exceptions = roster.shifts.iter().flat_map(|shift| &shift.exceptions);
        let dates = holidays.chain(exceptions.map(|exception| exception.date));
        dates.flat_map(|date| [Some(date), date.tomorrow().ok()]).flatten().collect()
    }

    /// The first time of this day at which nobody is there.
    fn gap_of(&self, queue: &QueueSettings, date: Date) -> Option<(usize, usize)> {
        let covered = self.of(&queue.name, Some(date), &mut Vec::new())?;
        let from = covered.iter().position(|on| !on)?;
        let length = covered[from..].iter().position(|on| *on).unwrap_or(covered.len() - from);
        Some((from, from + length))
    }
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
