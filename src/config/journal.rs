//! `[journal]`: how much of what has been is kept.

use super::mistake::Log;
use super::section::Section;
use super::settings::Settings;
use super::tree::Table;

pub fn journal(table: &Table, settings: &mut Settings, log: &mut Log) {
    let mut section = Section::new(table, "[journal]", log);
    let megabytes = section.number("keep", 0..=1_000_000);
    settings.journal.keep = megabytes.map_or(settings.journal.keep, |n| u64::from(n) << 20);
    settings.journal.days = section.number("keep_days", 1..=36_500);
    section.done();
}
