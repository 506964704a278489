//! `[[queue]]`: where callers wait, and whether anybody can serve them.

use super::mistake::{Log, Wrong, choose, wrong};
use super::out;
use super::overflow;
use super::section::{At, Section};
use super::settings::Settings;
use super::tree::Table;
use super::value;
use crate::acd::{self, Announce, Instead, QueueSettings, Relax, Strategy};
use crate::base::{Id, QueueId, limits};
use std::collections::{BTreeMap, BTreeSet};

/// The skill of a queue that nobody serves on purpose. No agent can have it: it is no name.
const NOBODY: &str = "(nobody)";

/// What a queue asks of agents: checked once all the agents are known.
pub struct Staffing {
    queue: String,
    skills: Vec<At<String>>,
    /// The lowest that is ever asked for.
    level: u8,
}

pub fn queues(
    tables: &[&Table],
    settings: &mut Settings,
    log: &mut Log,
) -> (Vec<Staffing>, Vec<overflow::Written>) {
    let mut seen = BTreeMap::new();
    let (mut staffing, mut overflows) = (Vec::new(), Vec::new());
    for table in tables {
        let mut section = Section::new(table, "[[queue]]", log);
        let (queue, skills) = queue(&mut section);
        if section.flag("record") == Some(true) {
            let id = QueueId::new(settings.acd.queues.len() as u32, 0);
            settings.call.recording.queues.push(id);
        }
        overflows.push(overflow::written(&mut section, &queue.name));
        let place = section.place_of("name");
        section.done();
        if let Some(first) = seen.insert(queue.name.clone(), place)
            && !queue.name.is_empty()
        {
            let what = format!("queue \"{}\" is already at {}", queue.name, log.name(first));
            log.add(place, what, "give it another name");
        }
        let level = queue.lowest_level();
        staffing.extend(skills.map(|skills| Staffing { queue: queue.name.clone(), skills, level }));
        settings.acd.queues.push(queue);
    }
    if let Some(table) = tables.get(limits::QUEUES_MAX) {
        let what = format!("{} queues are too many", tables.len());
        log.add(table.place, what, format!("keep to {}", limits::QUEUES_MAX));
    }
    (staffing, overflows)
}

/// The queue, and the skills to check: none where nobody is meant to serve it.
fn queue(section: &mut Section) -> (QueueSettings, Option<Vec<At<String>>>) {
    section.missing("name", "\"general\"");
    let name = section.text("name", value::name).map_or(String::new(), |at| at.it);
    let skills = section.texts_or_none("skills", value::name).unwrap_or_default();
    let staffed = section.flag("staffed").unwrap_or(true);
    let strategy = section.text("strategy", strategy);
    let required = match staffed {
        true => skills.iter().map(|at| at.it.clone()).collect(),
        false => vec![NOBODY.to_string()],
    };
    let default = QueueSettings::default();
    let queue = QueueSettings {
        name,
        skills: required,
        level: level(section, "level").unwrap_or(default.level),
        relax: relax(section),
        language_after: (section.span("language_after", 0..=3_600_000))
            .unwrap_or(default.language_after),
        strategy: strategy.map_or(default.strategy, |at| at.it),
        weight: section.number("weight", 0..=1_000).unwrap_or(default.weight),
        aging: section.span("aging", 1_000..=86_400_000).unwrap_or(default.aging),
        ring_for: section.span("ring_for", 1_000..=600_000).unwrap_or(default.ring_for),
        max_wait: section.span("max_wait", 0..=86_400_000).unwrap_or(default.max_wait),
        wrap_up: section.span("wrap_up", 0..=3_600_000).unwrap_or(default.wrap_up),
        pause_after: section.number("pause_after", 0..=1_000).unwrap_or(default.pause_after),
        rest: section.span("rest", 100..=600_000).unwrap_or(default.rest),
        sticky: section.span("sticky", 0..=600_000).unwrap_or(default.sticky),
        return_within: (section.span("return_within", 0..=86_400_000))
            .unwrap_or(default.return_within),
        max_callers: section.number("max_callers", 0..=100_000).unwrap_or(default.max_callers),
        when_full: section.text("when_full", instead).map_or(default.when_full, |at| at.it),
        when_unstaffed: section.text("when_unstaffed", unstaffed).and_then(|at| at.it),
        paused_is_staff: section.flag("paused_is_staff").unwrap_or(default.paused_is_staff),
        when_expired: section
            .text("when_expired", instead)
            .map_or(default.when_expired, |at| at.it),
        announce: announce(section),
        call_back_abandoned: section.flag("call_back_abandoned").unwrap_or(false),
    };
    (queue, staffed.then_some(skills))
}

fn strategy(raw: &str) -> Result<Strategy, Wrong> {
    let names = Strategy::ALL.map(|(name, _)| name);
    let known = Strategy::ALL.iter().find(|(name, _)| *name == raw);
    known.map(|(_, strategy)| *strategy).ok_or_else(|| Wrong {
        what: "is no strategy".into(),
        instead: choose(raw, &names, "strategies"),
    })
}

const INSTEAD: [(&str, Instead); 3] =
    [("refuse", Instead::Refuse), ("overflow", Instead::Overflow), ("callback", Instead::Callback)];

fn unstaffed(raw: &str) -> Result<Option<Instead>, Wrong> {
    match INSTEAD.iter().find(|(name, _)| *name == raw) {
        Some((_, instead)) => Ok(Some(*instead)),
        None if raw == "wait" => Ok(None),
        None => {
            let names = ["wait", "refuse", "overflow", "callback"];
            wrong("is not what can be done", choose(raw, &names, "choices"))
        }
    }
}

fn instead(raw: &str) -> Result<Instead, Wrong> {
    let names = INSTEAD.map(|(name, _)| name);
    let found = INSTEAD.iter().find(|(name, _)| *name == raw).map(|(_, instead)| *instead);
    found.ok_or_else(|| Wrong {
        what: "is not what can be done".into(),
        instead: choose(raw, &names, "choices"),
    })
}

fn announce(section: &mut Section) -> Announce {
    let default = Announce::default();
    let every = section.span("announce_every", 0..=3_600_000).unwrap_or(default.every);
    if (1..10_000).contains(&every.as_millis()) {
        let place = section.place_of("announce_every");
        let instead = "write \"10s\" or more, or \"0s\" for never";
        section.log.add(place, "announce_every is too often", instead);
    }
    Announce {
        first: section.span("announce_first", 0..=600_000).unwrap_or(default.first),
        every,
        position: section.flag("announce_position").unwrap_or(default.position),
        wait: section.flag("announce_wait").unwrap_or(default.wait),
    }
}

/// Whoever is to go elsewhere needs a way out, and whoever is to be called back a route.
///
/// `unsure`: some route could not be read.
pub fn check_instead(tables: &[&Table], settings: &Settings, unsure: bool, log: &mut Log) {
    for (table, queue) in tables.iter().zip(&settings.acd.queues) {
        let leads_on =
            settings.overflows.iter().any(|o| o.queue == queue.name && !o.ways.is_empty());
        let place = |key: &str| table.entries.get(key).map_or(table.place, |(_, node)| node.place);
        let asked = [
            ("when_full", Some(queue.when_full)),
            ("when_unstaffed", queue.when_unstaffed),
            ("when_expired", Some(queue.when_expired)),
        ];
        for (key, instead) in asked {
            if instead == Some(Instead::Overflow)
                && !leads_on
                && !table.entries.contains_key("overflow")
            {
                let what =
                    format!("{key} is \"overflow\", and queue \"{}\" has no way out", queue.name);
                log.add(place(key), what, "write a [[queue.overflow]] below it");
            }
            if instead == Some(Instead::Callback) && !unsure {
                out::needed_for(&format!("{key} = \"callback\""), place(key), settings, log);
            }
        }
        if queue.call_back_abandoned && !unsure {
            let key = "call_back_abandoned";
            out::needed_for(key, place(key), settings, log);
        }
    }
}

fn level(section: &mut Section, key: &'static str) -> Option<u8> {
    let level = section.number(key, 1..=u32::from(limits::LEVEL_MAX))?;
    u8::try_from(level).ok()
}

/// `relax = [{ after = "30s", level = 2 }]`, in the order of time.
fn relax(section: &mut Section) -> Vec<Relax> {
    let steps = section.tables("relax", "[{ after = \"30s\", level = 1 }]");
    let mut read = Vec::new();
    for table in steps {
        let mut step = Section::new(table, "a step of relax", section.log);
        step.missing("after", "\"30s\"");
        step.missing("level", "1");
        let after = step.span("after", 0..=86_400_000);
        let level = level(&mut step, "level");
        step.done();
        if let (Some(after), Some(level)) = (after, level) {
            read.push(Relax { after, level });
        }
    }
    read.sort_by_key(|step| step.after);
    read
}

/// A queue whose skills no agent has is a queue that nobody ever answers.
///
/// `unsure`: some agent could not be read, and may have had them.
pub fn check_skills(staffing: &[Staffing], acd: &acd::Settings, unsure: bool, log: &mut Log) {
    if unsure {
        return;
    }
    let all: BTreeSet<&str> =
        acd.agents.iter().flat_map(|a| a.skills.iter().map(|skill| skill.name.as_str())).collect();
    let all: Vec<&str> = all.into_iter().collect();
    for Staffing { queue, skills, level } in staffing {
        let unknown = skills.iter().filter(|skill| !all.contains(&skill.it.as_str()));
        let mut known = true;
        for skill in unknown {
            known = false;
            let what = format!("no agent has the skill \"{}\"", skill.it);
            let instead = choose(&skill.it, &all, "skills of agents");
            let instead = format!("{instead} (staffed = false if nobody is to serve it)");
            log.add(skill.place, what, instead);
        }
        let has = |agent: &acd::AgentSettings, skill: &At<String>| {
            agent.skills.iter().any(|own| own.name == skill.it && own.level >= *level)
        };
        let served = acd.agents.iter().any(|agent| skills.iter().all(|skill| has(agent, skill)));
        if let (true, false, Some(first)) = (known, served, skills.first()) {
            let at_level = if *level > 1 { format!(" at level {level}") } else { String::new() };
            let what = format!("no agent has all the skills of queue \"{queue}\"{at_level}");
            log.add(first.place, what, "give one agent all of them, or ask for fewer");
        }
    }
}
