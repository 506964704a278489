//! `[[district]]`: its STD codes, and the queue here or the trunk to the centre that serves it.

use super::menus;
use super::mistake::{Log, Wrong, choose};
use super::section::{At, Section};
use super::settings::Settings;
use super::tree::Table;
use super::value;
use crate::base::{Id, QueueId, TrunkId, limits};
use crate::call::{Centre, District, RINGS_WITHIN};
use std::collections::BTreeMap;

/// Some queue, some trunk could not be read, and may be the one that a district names.
#[derive(Clone, Copy)]
pub struct Unsure {
    pub queues: bool,
    pub trunks: bool,
}

pub fn districts(tables: &[&Table], unsure: Unsure, settings: &mut Settings, log: &mut Log) {
    let (mut names, mut codes) = (BTreeMap::new(), BTreeMap::new());
    for table in tables {
        let mut section = Section::new(table, "[[district]]", log);
        section.missing("name", "\"alirajpur\"");
        let name = section.text("name", value::name);
        let title = section.text("title", value::words);
        let code = section.text("code", value::name);
        let std = section.texts_or_none("std", std_code).unwrap_or_default();
        let centre = centre(&mut section, unsure, settings);
        let languages = menus::languages(&mut section, "languages");
        let rings_within = section.span("rings_within", 2_000..=28_000).unwrap_or(RINGS_WITHIN);
        section.done();
        let mut once = |at: &At<String>, kind: &str, instead: &str| {
            if let Some(first) = names.insert((kind == "code", at.it.to_lowercase()), at.place) {
                let what = format!("{kind} \"{}\" is already at {}", at.it, log.name(first));
                log.add(at.place, what, instead);
            }
        };
        name.iter().for_each(|at| once(at, "district", "give it another name"));
        code.iter().for_each(|at| once(at, "code", "give every district a code of its own"));
        for at in &std {
            if let Some(first) = codes.insert(at.it.clone(), at.place) {
                let what = format!("std \"0{}\" is already at {}", at.it, log.name(first));
                log.add(at.place, what, "keep it in one district, or nobody knows which is meant");
            }
        }
        let Some((name, centre)) = name.zip(centre) else { continue };
        settings.call.districts.push(District {
            title: title.map_or_else(|| name.it.clone(), |at| at.it),
            name: name.it,
            code: code.map_or(String::new(), |at| at.it),
            std: std.into_iter().map(|at| at.it).collect(),
            centre,
            languages,
            rings_within,
        });
    }
    if let Some(table) = tables.get(limits::DISTRICTS_MAX) {
        let what = format!("{} districts are too many", tables.len());
        log.add(table.place, what, format!("keep to {}", limits::DISTRICTS_MAX));
    }
}

/// `07394`, with its 0 or without.
fn std_code(raw: &str) -> Result<String, Wrong> {
    let bare = raw.strip_prefix('0').unwrap_or(raw);
    let wrong = || Wrong {
        what: "is no STD code".into(),
        instead: "write its two to four digits after the 0, such as \"07394\"".into(),
    };
    value::digits(bare, 2, 4).ok().filter(|d| !d.starts_with('0')).ok_or_else(wrong)
}

fn centre(section: &mut Section, unsure: Unsure, settings: &Settings) -> Option<Centre> {
    let queue = section.text("queue", |raw| Ok(raw.to_string()));
    let trunk = section.text("trunk", |raw| Ok(raw.to_string()));
    match (section.has("queue"), section.has("trunk")) {
        (false, false) => {
            let instead = "write queue = \"general\", or trunk = \"alirajpur-edaksh\"";
            let what = "[[district]] has neither a queue nor a trunk".into();
            section.lacking(what, instead.into());
        }
        (true, true) => {
            let place = section.place_of("trunk");
            let what = "[[district]] has both a queue and a trunk";
            section.log.add(place, what, "keep one; [[queue.overflow]] leads to the other");
        }
        (true, false) | (false, true) => {}
    }
    let queues: Vec<&str> = settings.acd.queues.iter().map(|q| q.name.as_str()).collect();
    let trunks: Vec<&str> = settings.sip.trunks.iter().map(|t| t.name.as_str()).collect();
    let known = |at: &At<String>, names: &[&str], kind: &str, unsure: bool, log: &mut Log| {
        let found = names.iter().position(|name| *name == at.it);
        if found.is_none() && !unsure {
            let what = format!("{kind} \"{}\" does not exist", at.it);
            log.add(at.place, what, choose(&at.it, names, &format!("{kind}s")));
        }
        found
    };
    if let Some(at) = queue {
        let found = known(&at, &queues, "queue", unsure.queues, section.log)?;
        return Some(Centre::Queue(QueueId(found as u64)));
    }
    let at = trunk?;
    let found = known(&at, &trunks, "trunk", unsure.trunks, section.log)?;
    Some(Centre::Trunk(TrunkId::new(found as u32, 0)))
}
