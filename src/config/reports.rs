//! `[reports]`: when the day's figures are cut off, and which callers never waited.

use super::mistake::{Log, Wrong};
use super::section::Section;
use super::settings::Settings;
use super::tree::Table;

pub fn reports(table: &Table, settings: &mut Settings, log: &mut Log) {
    let mut section = Section::new(table, "[reports]", log);
    let cuts = section.texts("cut_offs", minute);
    let reports = &mut settings.reports;
    if let Some(cuts) = cuts {
        reports.cut_offs = cuts.into_iter().map(|at| at.it).collect();
        reports.cut_offs.sort_unstable();
        reports.cut_offs.dedup();
    }
    reports.short = section.span("short_abandon", 0..=60_000).unwrap_or(reports.short);
    section.done();
}

/// `08:00`.
fn minute(raw: &str) -> Result<u16, Wrong> {
    let parts = raw.split_once(':').and_then(|(h, m)| Some((h.parse().ok()?, m.parse().ok()?)));
    match parts {
        Some((hour @ 0..24, minute @ 0..60)) => Ok(hour * 60 + minute),
        Some(_) | None => Err(Wrong {
            what: "is no time of day".into(),
            instead: "write it from \"00:00\" to \"23:59\"".into(),
        }),
    }
}
