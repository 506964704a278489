//! `[in_call]`: what digits stand for behind the codes that an agent keys in while they talk, and
//! how long a parked call waits. The codes themselves are under `[codes]`.

use super::mistake::Log;
use super::section::{Section, kind};
use super::settings::Settings;
use super::tree::{Table, Value};
use std::collections::BTreeMap;

pub fn in_call(table: &Table, settings: &mut Settings, log: &mut Log) {
    let mut section = Section::new(table, "[in_call]", log);
    let own = &mut settings.call.in_call;
    own.pause = section.span("pause", 1_000..=60_000).unwrap_or(own.pause);
    own.park_for = section.span("park_for", 5_000..=86_400_000).unwrap_or(own.park_for);
    own.watch_tone = section.flag("watch_tone").unwrap_or(own.watch_tone);
    if let Some(short) = section.table("short", "{ 1 = \"queue:health\" }") {
        own.short = shorts(short, section.log);
    }
    section.done();
}

fn shorts(table: &Table, log: &mut Log) -> BTreeMap<String, String> {
    let mut shorts = BTreeMap::new();
    for (keys, (_, node)) in &table.entries {
        if keys.is_empty() || !keys.bytes().all(|b| b.is_ascii_digit()) {
            let what = format!("\"{keys}\" cannot be keyed in");
            log.add(node.place, what, "write digits, such as 1 = \"queue:health\"");
        }
        match &node.value {
            Value::Text(whom) if !whom.trim().is_empty() => {
                shorts.insert(keys.clone(), whom.clone());
            }
            value => {
                let what = format!("{keys} must say whom it stands for, not {}", kind(value));
                log.add(node.place, what, "write a name, such as \"queue:health\"");
            }
        }
    }
    shorts
}
