//! `[callback]`: how callers who asked for it, or were not served, are called back.

use super::mistake::Log;
use super::section::Section;
use super::settings::Settings;
use super::tree::Table;

pub fn callback(table: &Table, settings: &mut Settings, log: &mut Log) {
    let mut section = Section::new(table, "[callback]", log);
    let back = &mut settings.call.back;
    back.short = section.span("short", 0..=600_000).unwrap_or(back.short);
    let policy = &mut settings.callbacks;
    policy.attempts = section.number("attempts", 1..=10).unwrap_or(policy.attempts);
    policy.apart = section.span("apart", 1_000..=86_400_000).unwrap_or(policy.apart);
    policy.keep = section.span("keep", 60_000..=86_400_000).unwrap_or(policy.keep);
    section.done();
}
