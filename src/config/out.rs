//! `[out]` and `[[route]]`: what agents may dial, through which trunk and under which number.

use super::agents;
use super::mistake::{Log, Place, Wrong, choose, wrong};
use super::section::{At, Section};
use super::settings::Settings;
use super::tree::Table;
use super::value;
use crate::base::{Id, Instant, TrunkId, limits, number};
use crate::call::out::{Caps, OutSettings, Route, Tally, Usage, Who, plan_by};
use crate::call::{BlockSettings, Numbers};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub fn out(table: &Table, settings: &mut Settings, log: &mut Log) {
    let mut section = Section::new(table, "[out]", log);
    let default = OutSettings::default();
    let (premium, emergency) =
        (section.texts_or_none("premium", prefix), section.texts_or_none("emergency", prefix));
    let listed = |list: Option<Vec<At<String>>>, default: Vec<String>| match list {
        Some(list) => list.into_iter().map(|at| at.it).collect(),
        None => default,
    };
    let mut count = |key, default| section.number(key, 0..=1_000_000).unwrap_or(default);
    let caps = Caps {
        at_once: count("at_once", default.caps.at_once),
        hour: count("per_hour", default.caps.hour),
        day: count("per_day", default.caps.day),
        agent_at_once: count("agent_at_once", default.caps.agent_at_once),
        agent_hour: count("agent_per_hour", default.caps.agent_hour),
        agent_day: count("agent_per_day", default.caps.agent_day),
    };
    settings.call.out = OutSettings {
        routes: Vec::new(),
        international: section.flag("international").unwrap_or(default.international),
        premium: listed(premium, default.premium),
        emergency: listed(emergency, default.emergency),
        caps,
        longest: section.span("longest", 0..=86_400_000).unwrap_or(default.longest),
        wrap_up: section.span("wrap_up", 0..=3_600_000).unwrap_or(default.wrap_up),
        ring_mobile: ring(&mut section, "ring_mobile", default.ring_mobile),
        ring_landline: ring(&mut section, "ring_landline", default.ring_landline),
    };
    section.done();
}

/// `[nuisance]`: numbers that are kept out for a while.
pub fn nuisance(table: &Table, settings: &mut Settings, log: &mut Log) {
    const YEAR: u64 = 366 * 86_400_000;
    let mut section = Section::new(table, "[nuisance]", log);
    let default = BlockSettings::default();
    settings.call.blocks = BlockSettings {
        strikes: section.number("strikes", 0..=1_000).unwrap_or(default.strikes),
        within: section.span("within", 60_000..=YEAR).unwrap_or(default.within),
        block_for: section.span("block_for", 60_000..=YEAR).unwrap_or(default.block_for),
        burst: section.number("burst", 0..=1_000).unwrap_or(default.burst),
        burst_within: (section.span("burst_within", 1_000..=86_400_000))
            .unwrap_or(default.burst_within),
        refuse_burst: section.flag("refuse_burst").unwrap_or(default.refuse_burst),
    };
    section.done();
}

/// The network cuts an unanswered call after 90 s at the latest.
fn ring(section: &mut Section, key: &'static str, default: Duration) -> Duration {
    section.span(key, 5_000..=90_000).unwrap_or(default)
}

/// What could not be read, and may be what a route names.
#[derive(Clone, Copy)]
pub struct Unsure {
    pub trunks: bool,
    pub agents: bool,
}

pub fn routes(tables: &[&Table], unsure: Unsure, settings: &mut Settings, log: &mut Log) {
    let mut seen = BTreeMap::new();
    for table in tables {
        let mut section = Section::new(table, "[[route]]", log);
        let prefixes = section.texts("prefixes", prefix).unwrap_or_default();
        section.missing("prefixes", "[\"+91\"]");
        section.missing("trunk", "\"bsnl\"");
        let trunk = trunk(&mut section, unsure.trunks, settings);
        let identity = identity(&mut section, trunk, settings);
        let strip = section.number("strip", 0..=15).unwrap_or(0) as usize;
        let add = section.text_or_none("add", digits).flatten().map_or(String::new(), |at| at.it);
        let agents = members(&mut section, unsure.agents, settings);
        section.done();
        check_prefixes(&prefixes, settings, log);
        let (Some(trunk), Some(identity), Some(agents)) = (trunk, identity, agents) else {
            continue;
        };
        for at in &prefixes {
            let key = (at.it.clone(), trunk, agents.clone());
            if let Some(first) = seen.insert(key, at.place) {
                let what =
                    format!("prefix \"{}\" has this trunk already, at {}", at.it, log.name(first));
                log.add(at.place, what, "take one out");
            }
        }
        let prefixes = prefixes.into_iter().map(|at| at.it).collect();
        settings.call.out.routes.push(Route { prefixes, trunk, identity, strip, add, agents });
    }
    if let Some(table) = tables.get(limits::ROUTES_MAX) {
        let what = format!("{} routes are too many", tables.len());
        log.add(table.place, what, format!("keep to {}", limits::ROUTES_MAX));
    }
}

/// Whoever is called back is dialled by a route that is everybody's: without one, `what` promises
/// calls that never come.
pub fn needed_for(what: &str, place: Place, settings: &Settings, log: &mut Log) {
    if !settings.call.out.routes.iter().any(|route| route.agents.is_empty()) {
        let what = format!("{what} calls people back, and no [[route]] is there for it");
        log.add(place, what, "write a [[route]] without agents and skills");
    }
}

/// Agents at numbers outside are reached by a route, as anybody is.
///
/// `unsure`: some route or trunk could not be read.
pub fn check_homes(tables: &[&Table], unsure: bool, settings: &Settings, log: &mut Log) {
    let Some(place) = tables.first().map(|table| table.place).filter(|_| !unsure) else { return };
    let (tally, down) = (Tally::default(), BTreeSet::new());
    let usage = Usage { tally: &tally, down: &down, now: Instant::default() };
    for phone in &settings.call.phones {
        let Some(number) = phone.outside() else { continue };
        if let Err(why) = plan_by(&settings.call, (Who::Switch, phone.trunk), number, usage) {
            let what =
                format!("agent \"{}\" at {number} cannot be rung: {}", phone.user, why.name());
            log.add(place, what, "add a [[route]] with a prefix of the number and this trunk");
        }
    }
}

/// A prefix that can never be dialled is a slip, or a hole that somebody believes to be open.
fn check_prefixes(prefixes: &[At<String>], settings: &Settings, log: &mut Log) {
    let (out, plan) = (&settings.call.out, &settings.call.plan);
    let numbers = Numbers::new(&settings.call);
    for at in prefixes {
        let abroad = at.it.strip_prefix('+').filter(|d| !d.starts_with(plan.country.as_str()));
        if abroad.is_some() && !out.international {
            let what = format!("prefix \"{}\" is of another country, which [out] forbids", at.it);
            log.add(at.place, what, "take it out, or write international = true under [out]");
        }
        if let Some(premium) = out.premium.iter().find(|premium| at.it.starts_with(*premium)) {
            let what = format!("prefix \"{}\" is premium by \"{premium}\" of [out]", at.it);
            log.add(at.place, what, "take it out, or change premium under [out]");
        }
        let bare = at.it.strip_prefix('0').filter(|bare| bare.len() >= 2);
        if let Some(bare) = bare
            && numbers.district_dialled(&settings.call, &format!("0{bare}1")).is_none()
        {
            let country = &plan.country;
            let what = format!("prefix \"{}\" fits no whole number: they begin with +", at.it);
            log.warn(at.place, what, format!("write \"+{country}{bare}\""));
        }
    }
}

fn trunk(section: &mut Section, unsure: bool, settings: &Settings) -> Option<TrunkId> {
    let at = section.text("trunk", |raw| Ok(raw.to_string()))?;
    let trunks: Vec<&str> = settings.sip.trunks.iter().map(|t| t.name.as_str()).collect();
    let found = trunks.iter().position(|name| *name == at.it);
    if found.is_none() && !unsure {
        let what = format!("trunk \"{}\" does not exist", at.it);
        section.log.add(at.place, what, choose(&at.it, &trunks, "trunks"));
    }
    found.map(|slot| TrunkId::new(slot as u32, 0))
}

/// The number that the called party sees: the route's own, or else its trunk's.
fn identity(section: &mut Section, trunk: Option<TrunkId>, settings: &Settings) -> Option<String> {
    let own = section.text("identity", |raw| {
        let unfit = || Wrong {
            what: "is no telephone number".into(),
            instead: "write the centre's number, such as \"+917552551181\"".into(),
        };
        number::e164(raw, &settings.call.plan).ok_or_else(unfit)
    });
    if section.has("identity") {
        return own.map(|at| at.it);
    }
    let trunk = settings.sip.trunks.get(trunk?.slot() as usize)?;
    if trunk.identity.is_none() {
        let what = format!("calls by trunk \"{}\" would show no number", trunk.name);
        let instead = "write identity = \"+917552551181\", the number to be called back at";
        section.lacking(what, instead.into());
    }
    trunk.identity.clone()
}

/// The agents whose route it is: named, or by a skill. Empty: everybody. `None`: a mistake.
fn members(section: &mut Section, unsure: bool, settings: &Settings) -> Option<BTreeSet<String>> {
    let named = section.texts("agents", agents::expand).unwrap_or_default();
    let skills = section.texts("skills", value::name).unwrap_or_default();
    let limited = section.has("agents") || section.has("skills");
    let all = &settings.acd.agents;
    let mut members = BTreeSet::new();
    for at in &named {
        for id in &at.it {
            if !unsure && !all.iter().any(|agent| agent.id == *id) {
                let ids: Vec<&str> = all.iter().map(|agent| agent.id.as_str()).collect();
                let what = format!("agent \"{id}\" does not exist");
                section.log.add(at.place, what, choose(id, &ids, "agents"));
                break;
            }
            members.insert(id.clone());
        }
    }
    for at in &skills {
        let able = all.iter().filter(|agent| agent.skills.iter().any(|own| own.name == at.it));
        let able: Vec<String> = able.map(|agent| agent.id.clone()).collect();
        if able.is_empty() && !unsure {
            let known: BTreeSet<&str> =
                all.iter().flat_map(|a| a.skills.iter().map(|skill| skill.name.as_str())).collect();
            let known: Vec<&str> = known.into_iter().collect();
            let what = format!("no agent has the skill \"{}\"", at.it);
            section.log.add(at.place, what, choose(&at.it, &known, "skills of agents"));
        }
        members.extend(able);
    }
    // Nobody is not everybody.
    (!limited || !members.is_empty()).then_some(members)
}

/// Digits, with a + before those of a whole number.
fn prefix(raw: &str) -> Result<String, Wrong> {
    let digits = raw.strip_prefix('+').unwrap_or(raw);
    match !digits.is_empty() && digits.len() <= 15 && digits.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(raw.into()),
        false => {
            wrong("is no prefix of a number", "write one such as \"+91\", \"+91755\" or \"108\"")
        }
    }
}

fn digits(raw: &str) -> Result<String, Wrong> {
    let rest = raw.strip_prefix('+').unwrap_or(raw);
    match !raw.is_empty() && raw.len() <= 16 && rest.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(raw.into()),
        false => wrong("cannot be dialled", "write digits, such as \"0\""),
    }
}
