//! `[[queue]]`: where callers wait, and whether anybody can serve them.

use super::mistake::{Log, choose};
use super::overflow;
use super::section::{At, Section};
use super::settings::Settings;
use super::tree::Table;
use super::value;
use crate::acd::{self, QueueSettings, Strategy};
use crate::base::limits;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const STRATEGIES: [(&str, Strategy); 2] =
    [("longest-idle", Strategy::LongestIdle), ("ring-all", Strategy::RingAll)];
/// The skill of a queue that nobody serves on purpose. No agent can have it: it is no name.
const NOBODY: &str = "(nobody)";

/// What a queue asks of agents: checked once all the agents are known.
pub struct Staffing {
    queue: String,
    skills: Vec<At<String>>,
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
        overflows.push(overflow::written(&mut section, &queue.name));
        let place = section.place_of("name");
        section.done();
        if let Some(first) = seen.insert(queue.name.clone(), place)
            && !queue.name.is_empty()
        {
            let what = format!("queue \"{}\" is already at {}", queue.name, log.name(first));
            log.add(place, what, "give it another name");
        }
        staffing.extend(skills.map(|skills| Staffing { queue: queue.name.clone(), skills }));
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
    let strategy = section.text("strategy", |raw| {
        let names: Vec<&str> = STRATEGIES.iter().map(|(name, _)| *name).collect();
        STRATEGIES.iter().find(|(name, _)| *name == raw).map(|(_, strategy)| *strategy).ok_or_else(
            || super::mistake::Wrong {
                what: "is no strategy".into(),
                instead: choose(raw, &names, "strategies"),
            },
        )
    });
    let required = match staffed {
        true => skills.iter().map(|at| at.it.clone()).collect(),
        false => vec![NOBODY.to_string()],
    };
    let seconds = Duration::from_secs;
    let queue = QueueSettings {
        name,
        skills: required,
        strategy: strategy.map_or(Strategy::default(), |at| at.it),
        weight: section.number("weight", 0..=1_000).unwrap_or(0),
        ring_for: section.span("ring_for", 1_000..=600_000).unwrap_or(seconds(20)),
        max_wait: section.span("max_wait", 0..=86_400_000).unwrap_or(seconds(1_800)),
        wrap_up: section.span("wrap_up", 0..=3_600_000).unwrap_or(seconds(10)),
        pause_after: section.number("pause_after", 0..=1_000).unwrap_or(3),
        rest: section.span("rest", 100..=600_000).unwrap_or(seconds(5)),
    };
    (queue, staffed.then_some(skills))
}

/// A queue whose skills no agent has is a queue that nobody ever answers.
///
/// `unsure`: some agent could not be read, and may have had them.
pub fn check_skills(staffing: &[Staffing], acd: &acd::Settings, unsure: bool, log: &mut Log) {
    if unsure {
        return;
    }
    let all: BTreeSet<&str> =
        acd.agents.iter().flat_map(|agent| agent.skills.iter().map(String::as_str)).collect();
    let all: Vec<&str> = all.into_iter().collect();
    for Staffing { queue, skills } in staffing {
        let unknown = skills.iter().filter(|skill| !all.contains(&skill.it.as_str()));
        let mut known = true;
        for skill in unknown {
            known = false;
            let what = format!("no agent has the skill \"{}\"", skill.it);
            let instead = choose(&skill.it, &all, "skills of agents");
            let instead = format!("{instead} (staffed = false if nobody is to serve it)");
            log.add(skill.place, what, instead);
        }
        let served = acd
            .agents
            .iter()
            .any(|agent| skills.iter().all(|skill| agent.skills.contains(&skill.it)));
        if let (true, false, Some(first)) = (known, served, skills.first()) {
            let what = format!("no agent has all the skills of queue \"{queue}\"");
            log.add(first.place, what, "give one agent all of them, or ask for fewer");
        }
    }
}
