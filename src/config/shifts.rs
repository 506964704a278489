//! `[[shift]]` and `[[holiday]]`: who works when.

use super::agents;
use super::mistake::{Log, Place, Wrong, choose, wrong};
use super::rota;
use super::section::{At, Section, kind};
use super::settings::Settings;
use super::tree::{Table, Value};
use super::value;
use crate::acd::{AgentSettings, DAY_MINUTES, Exception, Holiday, Member, Minimum, Role, Shift};
use crate::base::limits;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// `unsure`: some agent could not be read, and may be the one that a shift names.
pub fn shifts(tables: &[&Table], unsure: bool, settings: &mut Settings, log: &mut Log) {
    settings.roster.zone = settings.timezone.clone();
    let mut names = BTreeMap::new();
    let Settings { acd, roster, .. } = settings;
    let skills = |agent: &'_ AgentSettings| agent.skills.iter().map(|s| s.name.clone()).collect();
    let agents = acd.agents.iter().map(|agent| (agent.id.as_str(), skills(agent))).collect();
    let known = Known { agents, unsure };
    for table in tables {
        let mut section = Section::new(table, "[[shift]]", log);
        let shift = shift(&mut section, &known);
        let place = section.place_of("name");
        section.done();
        let Some(shift) = shift else { continue };
        if let Some(first) = names.insert(shift.name.clone(), place) {
            let what = format!("shift \"{}\" is already at {}", shift.name, log.name(first));
            log.add(place, what, "give it another name");
        }
        roster.shifts.push(shift);
    }
    if let Some(table) = tables.get(limits::SHIFTS_MAX) {
        let what = format!("{} shifts are too many", tables.len());
        log.add(table.place, what, format!("keep to {}", limits::SHIFTS_MAX));
    }
}

struct Known<'a> {
    /// With their skills.
    agents: BTreeMap<&'a str, BTreeSet<String>>,
    unsure: bool,
}

fn shift(section: &mut Section, known: &Known) -> Option<Shift> {
    section.missing("name", "\"morning\"");
    section.missing("hours", "\"06:00-14:00\"");
    let name = section.text("name", value::name);
    let hours = section.text("hours", hours);
    let days = days(section);
    let rota = rota::rota(section);
    let roles = [
        ("supervisors", Role::Supervisor),
        ("agents", Role::Operator),
        ("counsellors", Role::Counsellor),
    ];
    let mut members = Vec::new();
    for (key, role) in roles {
        for agent in listed(section, key, known) {
            if members.iter().any(|member: &Member| member.agent == agent.it) {
                let what = format!("\"{}\" is on this shift twice", agent.it);
                section.log.add(agent.place, what, "take one out");
                continue;
            }
            members.push(Member { agent: agent.it, role });
        }
    }
    if roles.iter().all(|(key, _)| !section.has(key)) {
        section.lacking("[[shift]] has no agents".into(), "write agents = [\"op1\"]".into());
    }
    let minima = minima(section, &members, known);
    let auto = section.flag("auto").unwrap_or(false);
    let exceptions = exceptions(section, &members, known);
    let (from, until) = hours?.it;
    Some(Shift { name: name?.it, from, until, days, rota, members, minima, auto, exceptions })
}

/// `minimum = 5` of anybody, or `{ supervisor = 1, operator = 4, counsellor = 1 }`: of those who
/// are on the shift as that, and else of those who have that skill.
fn minima(section: &mut Section, members: &[Member], known: &Known) -> Vec<Minimum> {
    let table = match section.node("minimum").map(|node| &node.value) {
        Some(Value::Table(table)) => table,
        Some(_) => {
            let number = section.number("minimum", 0..=10_000).unwrap_or(0);
            let place = section.place_of("minimum");
            let minimum = Minimum { of: String::new(), number };
            enough(&minimum, "minimum", place, members, known, section.log);
            return vec![minimum];
        }
        None => return Vec::new(),
    };
    let mut minima = Vec::new();
    for (of, (place, node)) in &table.entries {
        let number = match node.value {
            Value::Number(Some(number)) => u32::try_from(number).ok().filter(|n| *n <= 10_000),
            _ => None,
        };
        let is_known = Role::named(of).is_some() || known.agents.values().any(|s| s.contains(of));
        if !is_known && !known.unsure {
            let what = format!("minimum of \"{of}\" is of no role and of no skill of anybody");
            let skills: BTreeSet<&str> =
                known.agents.values().flatten().map(String::as_str).collect();
            let names: Vec<&str> = Role::ALL.map(Role::name).into_iter().chain(skills).collect();
            section.log.add(*place, what, choose(of, &names, "roles and skills"));
        } else if let Some(number) = number {
            let minimum = Minimum { of: of.clone(), number };
            enough(&minimum, of, *place, members, known, section.log);
            minima.push(minimum);
        } else {
            let what = format!("minimum of \"{of}\" must be a whole number up to 10000");
            section.log.add(*place, what, format!("write {of} = 1"));
        }
    }
    minima
}

/// A shift that has all who are on it is to have enough.
fn enough(
    minimum: &Minimum,
    name: &str,
    place: Place,
    members: &[Member],
    known: &Known,
    log: &mut Log,
) {
    let skilled = |agent: &str, skill: &str| {
        known.agents.get(agent).is_some_and(|skills| skills.contains(skill))
    };
    let counts = |member: &&Member| minimum.counts(member, |skill| skilled(&member.agent, skill));
    let on_shift = members.iter().filter(counts).count();
    if minimum.number as usize > on_shift && !known.unsure {
        let what = format!("{name} = {} is more than the {on_shift} on the shift", minimum.number);
        log.add(place, what, "put more on it, or ask for fewer");
    }
}

/// Agents by their ids; `desk{01-04}` is four of them.
fn listed(section: &mut Section, key: &'static str, known: &Known) -> Vec<At<String>> {
    let found = section.texts_or_none(key, agents::expand).unwrap_or_default();
    let each = found.into_iter().flat_map(|At { it, place }| {
        it.into_iter().map(move |agent| At { it: agent, place }).collect::<Vec<_>>()
    });
    let (there, gone): (Vec<_>, Vec<_>) =
        each.partition(|agent| known.agents.contains_key(agent.it.as_str()));
    for agent in gone.iter().filter(|_| !known.unsure) {
        let what = format!("agent \"{}\" does not exist", agent.it);
        let agents: Vec<&str> = known.agents.keys().copied().collect();
        section.log.add(agent.place, what, choose(&agent.it, &agents, "agents"));
    }
    there
}

/// `06:00-14:00`, `22:00-06:00`, `16:00-24:00`: minutes after midnight.
fn hours(raw: &str) -> Result<(u16, u16), Wrong> {
    let example = "write it as \"06:00-14:00\"";
    let Some((from, until)) = raw.split_once('-') else {
        return wrong("are no hours", example);
    };
    let (Some(from), Some(until)) = (clock(from.trim()), clock(until.trim())) else {
        return wrong("are no hours", example);
    };
    if from == DAY_MINUTES {
        return wrong("begin at the end of a day", "write 00:00, on the day after");
    }
    if from == until {
        return wrong("are empty", "write \"00:00-24:00\" for a whole day");
    }
    Ok((from, until))
}

fn clock(raw: &str) -> Option<u16> {
    let (hour, minute) = raw.split_once(':')?;
    let number = |text: &str| value::digits(text, 1, 2).ok()?.parse::<u16>().ok();
    let (hour, minute) = (number(hour)?, number(minute)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY_MINUTES).then_some(total)
}

/// All days, unless it says `"mon-fri"` or `["mon", "wed"]`.
fn days(section: &mut Section) -> [bool; 7] {
    let Some(found) = section.texts("days", span_of_days) else { return [true; 7] };
    let mut days = [false; 7];
    for At { it: (first, last), .. } in found {
        let mut day = first;
        loop {
            days[day] = true;
            if day == last {
                break;
            }
            day = (day + 1) % 7;
        }
    }
    days
}

fn span_of_days(raw: &str) -> Result<(usize, usize), Wrong> {
    let day = |text: &str| {
        let text = text.trim().to_lowercase();
        DAYS.iter().position(|day| text == *day)
    };
    let (first, last) = raw.split_once('-').unwrap_or((raw, raw));
    match (day(first), day(last)) {
        (Some(first), Some(last)) => Ok((first, last)),
        _ => wrong(
            "are no days",
            "write \"mon-fri\", or a list of mon, tue, wed, thu, fri, sat, sun",
        ),
    }
}

fn exceptions(section: &mut Section, members: &[Member], known: &Known) -> Vec<Exception> {
    let Some(node) = section.node("exception") else { return Vec::new() };
    let Value::List(items) = &node.value else {
        let what = format!("exception must be a list of sections, not {}", kind(&node.value));
        section.log.add(node.place, what, "write [[shift.exception]], once for each day");
        return Vec::new();
    };
    let mut found = Vec::new();
    for item in items {
        let Value::Table(table) = &item.value else { continue };
        let mut inner = Section::new(table, "[[shift.exception]]", section.log);
        inner.missing("date", "\"2026-11-25\"");
        let date = inner.text("date", date);
        let off = inner.flag("off").unwrap_or(false);
        let absent = listed(&mut inner, "absent", known);
        let instead = listed(&mut inner, "instead", known);
        inner.done();
        // Who stands in for a counsellor is one: the first for the first who is absent.
        let role_of = |agent: &At<String>| members.iter().find(|m| m.agent == agent.it);
        let mut roles = absent.iter().filter_map(role_of).map(|member| member.role);
        let instead = instead
            .into_iter()
            .map(|at| Member { agent: at.it, role: roles.next().unwrap_or(Role::Operator) });
        let instead = instead.collect();
        let absent = absent.iter().map(|at| at.it.clone()).collect();
        found.extend(date.map(|date| Exception { date: date.it, off, absent, instead }));
    }
    found
}

pub fn date(raw: &str) -> Result<Date, Wrong> {
    raw.parse().or_else(|_| wrong("is no date", "write it as \"2026-11-25\""))
}

pub fn holidays(tables: &[&Table], unsure: bool, settings: &mut Settings, log: &mut Log) {
    let shifts: Vec<String> = settings.roster.shifts.iter().map(|s| s.name.clone()).collect();
    let shifts: Vec<&str> = shifts.iter().map(String::as_str).collect();
    let mut seen = BTreeMap::new();
    for table in tables {
        let mut section = Section::new(table, "[[holiday]]", log);
        section.missing("date", "\"2027-01-26\"");
        let date = section.text("date", date);
        let name = section.text("name", value::words).map_or(String::new(), |at| at.it);
        let working = section.texts_or_none("shifts", value::name).unwrap_or_default();
        section.done();
        for at in working.iter().filter(|at| !shifts.contains(&at.it.as_str()) && !unsure) {
            let what = format!("shift \"{}\" does not exist", at.it);
            log.add(at.place, what, choose(&at.it, &shifts, "shifts"));
        }
        let Some(date) = date else { continue };
        if let Some(first) = seen.insert(date.it, date.place) {
            let what = format!("{} is already a holiday, at {}", date.it, log.name(first));
            log.add(date.place, what, "keep one of them");
        }
        let shifts = working.into_iter().map(|at| at.it).collect();
        settings.roster.holidays.push(Holiday { date: date.it, name, shifts });
    }
    if let Some(table) = tables.get(limits::HOLIDAYS_MAX) {
        let what = format!("{} holidays are too many", tables.len());
        log.add(table.place, what, format!("keep to {}", limits::HOLIDAYS_MAX));
    }
}
