//! `[[queue.overflow]]`: the ways out of a queue, and whether they lead round in a circle. State
//! and district may help one another: a caller comes to each queue once. A longer way round is a
//! mistake.

use super::mistake::{Log, Place, Wrong, choose};
use super::section::{At, Section, kind};
use super::settings::Settings;
use super::tree::{Node, Table, Value};
use crate::acd::{Elsewhere, Overflow, WaysOut, When};
use crate::base::{Id, TrunkId, limits};
use crate::call::Centre;
use std::collections::BTreeMap;
use std::time::Duration;

/// Ways out of one queue as they are written: checked once queues, trunks and districts are known.
pub struct Written {
    pub queue: String,
    ways: Vec<Way>,
}

struct Way {
    when: Asked,
    to: At<Elsewhere>,
}

enum Asked {
    After(Duration),
    Unstaffed,
    WaitOver(Duration),
    TrunkDown(At<String>),
}

const WHENS: [&str; 4] = ["after", "unstaffed", "wait_over", "trunk_down"];

/// The overflow tables inside one `[[queue]]`.
pub fn written(section: &mut Section, queue: &str) -> Written {
    let mut ways = Vec::new();
    if let Some(node) = section.node("overflow") {
        for table in tables(node, section.log) {
            ways.extend(way(table, section.log));
        }
        if ways.len() > limits::OVERFLOWS_MAX {
            let what = format!("{} ways out of one queue are too many", ways.len());
            section.log.add(node.place, what, format!("keep to {}", limits::OVERFLOWS_MAX));
        }
    }
    Written { queue: queue.into(), ways }
}

fn tables<'a>(node: &'a Node, log: &mut Log) -> Vec<&'a Table> {
    let Value::List(items) = &node.value else {
        let what = format!("overflow must be a list of sections, not {}", kind(&node.value));
        log.add(node.place, what, "write [[queue.overflow]], once for each");
        return Vec::new();
    };
    let table = |item: &'a Node| match &item.value {
        Value::Table(table) => Some(table),
        _ => None,
    };
    items.iter().filter_map(table).collect()
}

fn way(table: &Table, log: &mut Log) -> Option<Way> {
    let mut section = Section::new(table, "[[queue.overflow]]", log);
    section.missing("to", "\"queue:general\", or \"district:alirajpur\"");
    let to = section.text("to", elsewhere);
    let after = section.span("after", 1_000..=86_400_000).map(Asked::After);
    let unstaffed = section.flag("unstaffed").filter(|yes| *yes).map(|_| Asked::Unstaffed);
    let wait_over = section.span("wait_over", 1_000..=86_400_000).map(Asked::WaitOver);
    let trunk_down = section.text("trunk_down", |raw| Ok(raw.to_string())).map(Asked::TrunkDown);
    let asked: Vec<&str> = WHENS.into_iter().filter(|key| section.has(key)).collect();
    match asked[..] {
        [] => {
            let instead = "write after = \"60s\", unstaffed = true, wait_over = \"5m\" or \
                           trunk_down = \"bsnl\"";
            section.lacking("[[queue.overflow]] says not when".into(), instead.into());
        }
        [_] => {}
        [_, second, ..] => {
            let place = section.place_of(second);
            let what = format!("one overflow asks for {}", asked.join(" and "));
            section.log.add(place, what, "write one [[queue.overflow]] for each");
        }
    }
    section.done();
    let when = after.or(unstaffed).or(wait_over).or(trunk_down)?;
    Some(Way { when, to: to? })
}

/// `queue:NAME` or `district:NAME`.
fn elsewhere(raw: &str) -> Result<Elsewhere, Wrong> {
    match raw.split_once(':') {
        Some(("queue", name)) if !name.is_empty() => Ok(Elsewhere::Queue(name.into())),
        Some(("district", name)) if !name.is_empty() => Ok(Elsewhere::District(name.into())),
        Some(_) | None => Err(Wrong {
            what: "is nowhere".into(),
            instead: format!("write \"queue:{raw}\" or \"district:{raw}\""),
        }),
    }
}

/// What could not be read, and may be what an overflow names.
#[derive(Clone, Copy)]
pub struct Unsure {
    pub queues: bool,
    pub trunks: bool,
    pub districts: bool,
}

pub fn overflows(all: Vec<Written>, unsure: Unsure, settings: &mut Settings, log: &mut Log) {
    let mut leads: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Written { queue, ways } in all {
        let mut sound = Vec::new();
        for way in ways {
            let Some(to) = resolve(&way.to, unsure, settings, log) else { continue };
            if let Some(next) = to
                && leads_round(&queue, &next, way.to.place, &mut leads, log)
            {
                continue;
            }
            let when = match way.when {
                Asked::After(span) => When::After(span),
                Asked::Unstaffed => When::Unstaffed,
                Asked::WaitOver(span) => When::WaitOver(span),
                Asked::TrunkDown(at) => match trunk(&at, unsure, settings, log) {
                    Some(trunk) => When::TrunkDown(trunk),
                    None => continue,
                },
            };
            sound.push(Overflow { when, to: way.to.it });
        }
        if !sound.is_empty() {
            settings.overflows.push(WaysOut { queue, ways: sound });
        }
    }
}

/// The queue that it leads to; `Some(None)` where it leaves this switch.
fn resolve(
    to: &At<Elsewhere>,
    unsure: Unsure,
    settings: &Settings,
    log: &mut Log,
) -> Option<Option<String>> {
    let queues: Vec<&str> = settings.acd.queues.iter().map(|q| q.name.as_str()).collect();
    let districts: Vec<&str> = settings.call.districts.iter().map(|d| d.name.as_str()).collect();
    let (name, known, kind, unsure) = match &to.it {
        Elsewhere::Queue(name) => (name, queues, "queue", unsure.queues),
        Elsewhere::District(name) => (name, districts, "district", unsure.districts),
    };
    if !known.contains(&name.as_str()) {
        if !unsure {
            let what = format!("{kind} \"{name}\" does not exist");
            log.add(to.place, what, choose(name, &known, &format!("{kind}s")));
        }
        return None;
    }
    match &to.it {
        Elsewhere::Queue(name) => Some(Some(name.clone())),
        Elsewhere::District(name) => match settings.call.district(name)?.centre {
            Centre::Trunk(_) => Some(None),
            Centre::Queue(queue) => {
                Some(settings.acd.queues.get(queue.slot() as usize).map(|q| q.name.clone()))
            }
        },
    }
}

fn trunk(at: &At<String>, unsure: Unsure, settings: &Settings, log: &mut Log) -> Option<TrunkId> {
    let trunks: Vec<&str> = settings.sip.trunks.iter().map(|t| t.name.as_str()).collect();
    let found = trunks.iter().position(|name| *name == at.it);
    if found.is_none() && !unsure.trunks {
        let what = format!("trunk \"{}\" does not exist", at.it);
        log.add(at.place, what, choose(&at.it, &trunks, "trunks"));
    }
    found.map(|slot| TrunkId::new(slot as u32, 0))
}

/// Notes the way from `queue` to `next`, unless it leads nowhere else.
fn leads_round(
    queue: &str,
    next: &str,
    place: Place,
    leads: &mut BTreeMap<String, Vec<String>>,
    log: &mut Log,
) -> bool {
    if queue == next {
        let what = format!("queue \"{queue}\" overflows to itself");
        log.add(place, what, "name another queue or a district, or take it out");
        return true;
    }
    // Two that help one another are meant so; nobody means a longer way round.
    if let Some(path) = longer_path(next, queue, leads) {
        let what = format!("callers would go round: {queue} -> {}", path.join(" -> "));
        let instead = "take one of these overflows out; only two queues may help one another, \
                       such as those of the state and a district";
        log.add(place, what, instead);
        return true;
    }
    leads.entry(queue.into()).or_default().push(next.into());
    false
}

/// From one queue to another by the ways noted and over at least one more, the first and the last
/// included.
fn longer_path(from: &str, to: &str, leads: &BTreeMap<String, Vec<String>>) -> Option<Vec<String>> {
    let mut came: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            let mut path = vec![at.to_string()];
            let mut at = at;
            while at != from {
                at = came.get(at)?;
                path.insert(0, at.to_string());
            }
            return Some(path);
        }
        for next in leads.get(at).into_iter().flatten() {
            let is_short = at == from && next == to;
            if next != from && !is_short && !came.contains_key(next.as_str()) {
                came.insert(next, at);
                open.push(next);
            }
        }
    }
    None
}
