//! Whether the roster leaves a queue alone: at some time of an ordinary week, or on a day that
//! differs. One that somebody outside the roster serves, or that says what becomes of its callers
//! then, is not left alone; nor is one that overflows, while it is unstaffed, to where somebody is.
//! Of a day that differs only those are looked at who work less than otherwise then. Where rotas
//! are, no week is like the next: then each day is looked at, until all of them have come round.

use super::minutes::{DAY, Day, WEEK, counted, gaps};
use super::mistake::{Log, Place};
use super::settings::Settings;
use super::shifts::DAYS;
use super::tree::{Table, Value};
use crate::acd::{Elsewhere, Exception, QueueSettings, Shift, When, members_on, works};
use crate::base::{Id, limits};
use crate::call::Centre;
use jiff::ToSpan;
use jiff::civil::Date;
use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

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
    let mut sound: Vec<(usize, &BTreeSet<Crew>)> = Vec::new();
    for (at, queue) in settings.acd.queues.iter().enumerate() {
        let Some(crews) = cover.queues.get(at).and_then(Option::as_ref) else { continue };
        let all = gaps(&cover.week_of(crews));
        let who = format!("nobody who serves queue \"{}\" is on shift", queue.name);
        let Some(&(from, until)) = all.first() else {
            sound.push((at, crews));
            continue;
        };
        if cover.takes_turns(crews) {
            match cover.gap_of_rotas(crews) {
                None => sound.push((at, crews)),
                Some((date, (from, until))) => {
                    let (from, until) = (clock(from), clock(until));
                    let what = format!("{who} on {date} from {from} to {until}, by their rotas");
                    log.add(place, what, format!("close the gap, {INSTEAD}"));
                }
            }
            continue;
        }
        let more = match all.len() - 1 {
            0 => String::new(),
            1 => ", and once more a week".into(),
            n => format!(", and {n} times more a week"),
        };
        let (from, until) = (moment(from), moment(until));
        let what = format!("{who} from {from} to {until}{more}");
        log.add(place, what, format!("close the gap, {INSTEAD}"));
    }
    for date in cover.days_that_differ() {
        if sound.is_empty() {
            return;
        }
        let Some(other) = cover.on(date) else { continue };
        sound.retain(|&(at, crews)| {
            let Some((from, until)) = cover.gap_of(crews, date, &other) else { return true };
            let name = &settings.acd.queues[at].name;
            let who = format!("nobody who serves queue \"{name}\" is on shift");
            let what = format!("{who} on {date} from {} to {}", clock(from), clock(until));
            let place = holiday_at(written.holidays, date).unwrap_or(place);
            log.add(place, what, format!("name the shifts that work that day, {INSTEAD}"));
            false
        });
    }
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

/// A date on which somebody works less than otherwise then.
struct Other {
    /// When those work of whom it may differ, and whom of them that day has for less.
    crews: BTreeMap<Crew, Day>,
    fewer: BTreeSet<Crew>,
}

struct Cover<'a> {
    settings: &'a Settings,
    crew_of: BTreeMap<&'a str, Crew>,
    /// Of each crew: the ordinary week, less shifts that have a rota; those; and all on which some
    /// of them ever are.
    weeks: Vec<[Day; 7]>,
    turns: Vec<BTreeSet<usize>>,
    comes: Vec<BTreeSet<usize>>,
    /// Of each shift, by its place: the crews who are on it ordinarily, and its exceptions.
    crews: Vec<BTreeSet<Crew>>,
    exceptions: Vec<BTreeMap<Date, &'a Exception>>,
    /// On which dates which shifts have one.
    excepted: BTreeMap<Date, BTreeSet<usize>>,
    /// The shifts that work on each holiday.
    holidays: BTreeMap<Date, BTreeSet<usize>>,
    /// Who is there for callers of each queue; `None`: they are not simply left.
    queues: Vec<Option<BTreeSet<Crew>>>,
}

impl<'a> Cover<'a> {
    fn new(written: &[&Table], settings: &'a Settings) -> Self {
        let shifts = &settings.roster.shifts;
        let everybody = shifts.iter().flat_map(Shift::everybody);
        let on_roster: BTreeSet<&str> = everybody.map(|member| member.agent.as_str()).collect();
        let mut known: BTreeMap<Vec<(&str, u8)>, Crew> = BTreeMap::new();
        let (mut crew_of, mut outside) = (BTreeMap::new(), BTreeSet::new());
        for agent in &settings.acd.agents {
            let skills = agent.skills.iter().map(|skill| (skill.name.as_str(), skill.level));
            let next = known.len();
            let crew = *known.entry(skills.collect()).or_insert(next);
            crew_of.insert(agent.id.as_str(), crew);
            if !on_roster.contains(agent.id.as_str()) {
                outside.insert(crew);
            }
        }
        let names: BTreeMap<&str, usize> =
            shifts.iter().enumerate().map(|(at, shift)| (shift.name.as_str(), at)).collect();
        let holidays = settings.roster.holidays.iter().map(|holiday| {
            let shifts = holiday.shifts.iter().filter_map(|name| names.get(name.as_str()).copied());
            (holiday.date, shifts.collect())
        });
        let exceptions = shifts.iter().map(|shift| {
            // Of two of one day the first counts.
            shift.exceptions.iter().rev().map(|day| (day.date, day)).collect()
        });
        let mut cover = Self {
            settings,
            excepted: BTreeMap::new(),
            weeks: vec![[Day::NONE; 7]; known.len()],
            turns: vec![BTreeSet::new(); known.len()],
            comes: vec![BTreeSet::new(); known.len()],
            crews: Vec::new(),
            exceptions: exceptions.collect(),
            holidays: holidays.collect(),
            queues: all_served(settings, written, &known, &outside),
            crew_of,
        };
        shifts.iter().enumerate().for_each(|(at, shift)| cover.take(at, shift));
        cover
    }

    fn take(&mut self, at: usize, shift: &'a Shift) {
        let crew = |name: &str| self.crew_of.get(name).copied();
        let crews: BTreeSet<Crew> =
            members_on(shift, None).filter_map(|m| crew(&m.agent)).collect();
        let ever = shift.everybody().filter_map(|member| crew(&member.agent));
        for crew in ever.collect::<BTreeSet<_>>() {
            self.comes[crew].insert(at);
        }
        for &crew in &crews {
            if shift.rota.is_some() {
                self.turns[crew].insert(at);
                continue;
            }
            for day in (0..7).filter(|day| shift.days[*day]) {
                self.weeks[crew][day].fill(shift.today());
                self.weeks[crew][(day + 1) % 7].fill(shift.day_after());
            }
        }
        for date in self.exceptions[at].keys() {
            self.excepted.entry(*date).or_default().insert(at);
        }
        self.crews.push(crews);
    }

    fn week_of(&self, crews: &BTreeSet<Crew>) -> [Day; 7] {
        std::array::from_fn(|day| together(crews.iter().map(|&crew| &self.weeks[crew][day])))
    }

    /// Whether some of them work by a rota.
    fn takes_turns(&self, crews: &BTreeSet<Crew>) -> bool {
        crews.iter().any(|crew| !self.turns[*crew].is_empty())
    }

    /// The first in which nobody is there, of all days that their rotas can make; or of a year,
    /// where it takes them longer to come round together.
    fn gap_of_rotas(&self, crews: &BTreeSet<Crew>) -> Option<(Date, (usize, usize))> {
        let turns: BTreeSet<usize> =
            crews.iter().flat_map(|crew| &self.turns[*crew]).copied().collect();
        let rotas = turns.iter().filter_map(|at| self.settings.roster.shifts[*at].rota.as_ref());
        let days = rotas.clone().fold(7, |days, rota| lcm(days, rota.on.len()));
        let first = rotas.map(|rota| rota.from).min()?;
        let mut dates = first.series(1.days()).take(days.min(limits::ROTA_DAYS_MAX as usize));
        dates.find_map(|date| Some((date, self.ordinary_of(crews, date).first_gap()?)))
    }

    /// The ordinary day of these crews, of whom some work by a rota.
    fn ordinary_of(&self, crews: &BTreeSet<Crew>, date: Date) -> Day {
        together(crews.iter().map(|&crew| self.ordinary(crew, date)))
    }

    /// When this crew works on that date where nothing differs.
    fn ordinary(&self, crew: Crew, date: Date) -> Day {
        let mut day = self.weeks[crew][weekday(date)].clone();
        let before = date.yesterday().ok();
        for &at in &self.turns[crew] {
            counted(1);
            let shift = &self.settings.roster.shifts[at];
            if works(shift, date, None, None) {
                day.fill(shift.today());
            }
            if before.is_some_and(|before| works(shift, before, None, None)) {
                day.fill(shift.day_after());
            }
        }
        day
    }

    fn gap_of(&self, crews: &BTreeSet<Crew>, date: Date, other: &Other) -> Option<(usize, usize)> {
        if crews.is_disjoint(&other.fewer) {
            return None;
        }
        let day = |crew: &Crew| match other.crews.get(crew) {
            Some(day) => day.clone(),
            None => self.ordinary(*crew, date),
        };
        together(crews.iter().map(day)).first_gap()
    }

    /// What differs on that date, where somebody works less.
    fn on(&self, date: Date) -> Option<Other> {
        let before = date.yesterday().ok();
        let days = [Some(date), before].into_iter().flatten();
        let suspects: BTreeSet<Crew> = days.flat_map(|day| self.differing(day)).collect();
        let is_fewer = |crew: &&Crew| {
            let ordinary = self.ordinary(**crew, date);
            !self.day_of(**crew, date, Some(&ordinary)).covers(&ordinary)
        };
        let fewer: BTreeSet<Crew> = suspects.iter().filter(is_fewer).copied().collect();
        if fewer.is_empty() {
            return None;
        }
        let crews = suspects.into_iter().map(|crew| (crew, self.day_of(crew, date, None)));
        Some(Other { crews: crews.collect(), fewer })
    }

    /// The crews of each shift that on this date is not as it is otherwise.
    fn differing(&self, date: Date) -> BTreeSet<Crew> {
        let shifts = &self.settings.roster.shifts;
        let on_holiday = self.holidays.get(&date).into_iter().flat_map(|named| {
            counted(shifts.len());
            let on = |shift: &Shift, named| works(shift, date, None, named);
            let differs = move |(at, shift): &(usize, &Shift)| {
                on(shift, None) != on(shift, Some(named.contains(at)))
            };
            shifts.iter().enumerate().filter(differs).map(|(at, _)| at)
        });
        let own = on_holiday.flat_map(|at| self.crews[at].iter().copied());
        let excepted = self.excepted.get(&date).into_iter().flatten();
        let theirs = excepted.flat_map(|&at| {
            let instead = self.exceptions[at].get(&date).into_iter().flat_map(|day| &day.instead);
            let instead = instead.filter_map(|member| self.crew_of.get(member.agent.as_str()));
            self.crews[at].iter().chain(instead).copied()
        });
        own.chain(theirs).collect()
    }

    /// When this crew works on that date, or as much of it as covers `enough`.
    fn day_of(&self, crew: Crew, date: Date, enough: Option<&Day>) -> Day {
        let mut day = Day::NONE;
        let before = date.yesterday().ok();
        for &at in &self.comes[crew] {
            let shift = &self.settings.roster.shifts[at];
            if self.is_on(crew, at, date) {
                day.fill(shift.today());
            }
            if !shift.day_after().is_empty() && before.is_some_and(|day| self.is_on(crew, at, day))
            {
                day.fill(shift.day_after());
            }
            if enough.is_some_and(|enough| day.covers(enough)) {
                break;
            }
        }
        day
    }

    fn is_on(&self, crew: Crew, at: usize, date: Date) -> bool {
        counted(1);
        let shift = &self.settings.roster.shifts[at];
        let exception = self.exceptions[at].get(&date).copied();
        let named = self.holidays.get(&date).map(|named| named.contains(&at));
        works(shift, date, exception, named)
            && match exception {
                None => self.crews[at].contains(&crew),
                Some(_) => members_on(shift, exception)
                    .any(|member| self.crew_of.get(member.agent.as_str()) == Some(&crew)),
            }
    }

    /// Holidays and exceptions, and the days after them, into which their nights last.
    fn days_that_differ(&self) -> BTreeSet<Date> {
        let dates = self.holidays.keys().chain(self.excepted.keys());
        dates.flat_map(|date| [Some(*date), date.tomorrow().ok()]).flatten().collect()
    }
}

fn together(days: impl Iterator<Item = impl Borrow<Day>>) -> Day {
    let mut all = Day::NONE;
    for day in days {
        all.add(day.borrow());
        if all.is_full() {
            break;
        }
    }
    all
}

/// After how many days both have come round.
fn lcm(a: usize, b: usize) -> usize {
    let (mut gcd, mut rest) = (a, b);
    while rest > 0 {
        (gcd, rest) = (rest, gcd % rest);
    }
    (a / gcd.max(1)).saturating_mul(b)
}

fn weekday(date: Date) -> usize {
    date.weekday().to_monday_zero_offset() as usize
}

fn all_served(
    settings: &Settings,
    written: &[&Table],
    known: &BTreeMap<Vec<(&str, u8)>, Crew>,
    outside: &BTreeSet<Crew>,
) -> Vec<Option<BTreeSet<Crew>>> {
    let mut able: BTreeMap<&str, BTreeMap<Crew, u8>> = BTreeMap::new();
    for (skills, crew) in known {
        for (skill, level) in skills {
            able.entry(skill).or_default().insert(*crew, *level);
        }
    }
    let queues = settings.acd.queues.iter();
    let names = queues.clone().enumerate().map(|(at, queue)| (queue.name.as_str(), at)).collect();
    let served = queues.zip(written).map(|(queue, table)| Served {
        planned: table.entries.contains_key("when_unstaffed"),
        crews: crews_of(queue, &able, known.len()),
        ways: ways_of(queue, settings, &names),
    });
    let served: Vec<Served> = served.collect();
    (0..served.len()).map(|at| reached(&served, at, outside)).collect()
}

/// Who may take somebody of this queue at some time of the wait.
fn crews_of(
    queue: &QueueSettings,
    able: &BTreeMap<&str, BTreeMap<Crew, u8>>,
    all: usize,
) -> BTreeSet<Crew> {
    let level = queue.lowest_level();
    let have = |skill: &String| able.get(skill.as_str());
    let can = |crew: &Crew, skill: &String| {
        have(skill).and_then(|crews| crews.get(crew)).is_some_and(|own| *own >= level)
    };
    match queue.skills.first() {
        None => (0..all).collect(),
        Some(first) => {
            let some = have(first).into_iter().flat_map(BTreeMap::keys);
            let able = some.filter(|crew| queue.skills.iter().all(|skill| can(crew, skill)));
            able.copied().collect()
        }
    }
}

fn ways_of(
    queue: &QueueSettings,
    settings: &Settings,
    names: &BTreeMap<&str, usize>,
) -> Vec<Option<usize>> {
    let local = |district: &str| match settings.call.district(district)?.centre {
        Centre::Queue(queue) => Some(queue.slot() as usize),
        Centre::Trunk(_) => None,
    };
    let ways = settings.overflows.iter().filter(|out| out.queue == queue.name);
    let ways = ways.flat_map(|out| &out.ways).filter(|way| way.when == When::Unstaffed);
    let ways = ways.map(|way| match &way.to {
        Elsewhere::Queue(name) => names.get(name.as_str()).copied(),
        Elsewhere::District(name) => local(name),
    });
    ways.collect()
}

/// The crews of a queue and of all that its ways lead to; `None`: somebody always is there, or its
/// callers are not simply left.
fn reached(queues: &[Served], first: usize, outside: &BTreeSet<Crew>) -> Option<BTreeSet<Crew>> {
    // Whatever a queue does with its own callers while it is unstaffed, from another it takes
    // nobody then: they go on along its ways.
    if queues[first].planned || queues[first].crews.is_empty() {
        return None;
    }
    let (mut crews, mut seen, mut next) = (BTreeSet::new(), BTreeSet::from([first]), vec![first]);
    while let Some(queue) = next.pop().and_then(|at| queues.get(at)) {
        if !queue.crews.is_disjoint(outside) {
            return None;
        }
        crews.extend(&queue.crews);
        for way in &queue.ways {
            let to = (*way)?;
            if seen.insert(to) {
                next.push(to);
            }
        }
    }
    Some(crews)
}

fn holiday_at(tables: &[&Table], date: Date) -> Option<Place> {
    let date = date.to_string();
    let of_date = |table: &&&Table| {
        let written = table.entries.get("date").map(|(_, node)| &node.value);
        matches!(written, Some(Value::Text(text)) if *text == date)
    };
    tables.iter().find(of_date).map(|table| table.place)
}

fn moment(minute: usize) -> String {
    let minute = minute % WEEK;
    format!("{} {}", DAYS[minute / DAY], clock(minute % DAY))
}

fn clock(minute: usize) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests;
