//! `[in_call]`: what an agent keys in while they talk, and how long a parked call waits.

use super::mistake::{Log, Wrong};
use super::section::{At, Section, kind};
use super::settings::Settings;
use super::tree::{Table, Value};
use crate::call::InCall;
use std::collections::BTreeMap;

pub fn in_call(table: &Table, settings: &mut Settings, log: &mut Log) {
    let mut section = Section::new(table, "[in_call]", log);
    let mut codes = InCall::default();
    let mut seen: Vec<(String, &'static str)> = Vec::new();
    for (key, code) in [
        ("back", &mut codes.back),
        ("consult", &mut codes.consult),
        ("join", &mut codes.join),
        ("blind", &mut codes.blind),
        ("queue", &mut codes.queue),
        ("park", &mut codes.park),
        ("pick", &mut codes.pick),
    ] {
        let place = section.place_of(key);
        if let Some(At { it, .. }) = section.text(key, one_code) {
            *code = it;
        }
        let begins = |other: &&(String, &str)| {
            other.0.starts_with(code.as_str()) || code.starts_with(other.0.as_str())
        };
        if let Some((other, first)) = seen.iter().find(begins) {
            let what = format!("{key} \"{code}\" and {first} \"{other}\" begin alike");
            section.log.add(place, what, "give each a key of its own behind the *");
        }
        seen.push((code.clone(), key));
    }
    codes.pause = section.span("pause", 1_000..=60_000).unwrap_or(codes.pause);
    if let Some(short) = section.table("short", "{ 1 = \"queue:health\" }") {
        codes.short = shorts(short, section.log);
    }
    let call = &mut settings.call;
    call.park_for = section.span("park_for", 5_000..=86_400_000).unwrap_or(call.park_for);
    call.in_call = codes;
    section.done();
}

fn one_code(raw: &str) -> Result<String, Wrong> {
    let keys = raw.strip_prefix('*').filter(|keys| (1..=4).contains(&keys.len()));
    match keys.is_some_and(|keys| keys.bytes().all(|b| b.is_ascii_digit())) {
        true => Ok(raw.into()),
        false => Err(Wrong {
            what: "is no code".into(),
            instead: "write a * and one to four digits, such as \"*2\"".into(),
        }),
    }
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
