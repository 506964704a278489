//! `[callback]`: how callers who asked for it, or were not served, are called back.

use super::mistake::{Log, choose};
use super::section::Section;
use super::settings::Settings;
use super::tree::Table;
use super::value;
use crate::base::{Id, TrunkId, number};

/// `unsure`: some trunk could not be read, and may be the one that is named.
pub fn callback(table: &Table, unsure: bool, settings: &mut Settings, log: &mut Log) {
    let mut section = Section::new(table, "[callback]", log);
    let names: Vec<&str> = settings.sip.trunks.iter().map(|trunk| trunk.name.as_str()).collect();
    let back = &mut settings.call.back;
    if let Some(at) = section.text("trunk", |raw| Ok(raw.to_string())) {
        let found = names.iter().position(|name| *name == at.it);
        if found.is_none() && !unsure {
            let what = format!("trunk \"{}\" does not exist", at.it);
            section.log.add(at.place, what, choose(&at.it, &names, "trunks"));
        }
        back.trunk = found.map(|place| TrunkId::new(place as u32, 0));
    }
    if let Some(at) = section.text("number", value::number) {
        back.number = number::dialled(&at.it, &settings.call.plan);
    }
    back.ring_for = section.span("ring_for", 5_000..=120_000).unwrap_or(back.ring_for);
    back.short = section.span("short", 0..=600_000).unwrap_or(back.short);
    let policy = &mut settings.callbacks;
    policy.attempts = section.number("attempts", 1..=10).unwrap_or(policy.attempts);
    policy.apart = section.span("apart", 1_000..=86_400_000).unwrap_or(policy.apart);
    policy.keep = section.span("keep", 60_000..=86_400_000).unwrap_or(policy.keep);
    section.done();
}
