//! `rota` of a `[[shift]]`: days on and days off that come round again.

use super::mistake::{Wrong, wrong};
use super::section::{At, Section};
use super::shifts::date;
use super::value;
use crate::acd::Rota;
use crate::base::limits;
use std::ops::RangeInclusive;

const EXAMPLE: &str = "{ from = \"2026-11-23\", round = 21, on = \"1-7\" }";

pub fn rota(section: &mut Section) -> Option<Rota> {
    let table = section.table("rota", EXAMPLE)?;
    let mut inner = Section::new(table, "rota", section.log);
    inner.missing("from", "\"2026-11-23\", a day with which a round begins");
    inner.missing("round", "21, its days");
    inner.missing("on", "\"1-7\", those of them that are on");
    let from = inner.text("from", date);
    let round = inner.number("round", 2..=limits::ROTA_DAYS_MAX);
    let spans = inner.texts("on", span);
    let mut on = vec![false; round.unwrap_or(limits::ROTA_DAYS_MAX) as usize];
    for At { it: days, place } in spans.into_iter().flatten() {
        match on.get_mut(*days.start() - 1..*days.end()) {
            Some(days) => days.fill(true),
            None => {
                let what = format!("on ends at day {}, after the end of the round", days.end());
                inner.log.add(place, what, format!("write days from 1 to {}", on.len()));
            }
        }
    }
    inner.done();
    round?;
    Some(Rota { from: from?.it, on })
}

/// `1-7`, or `3`: days of a round, the first of which is 1.
fn span(raw: &str) -> Result<RangeInclusive<usize>, Wrong> {
    let day = |text: &str| value::digits(text.trim(), 1, 3).ok()?.parse::<usize>().ok();
    let (first, last) = raw.split_once('-').unwrap_or((raw, raw));
    match (day(first), day(last)) {
        (Some(first @ 1..), Some(last)) if first <= last => Ok(first..=last),
        _ => wrong("are no days of a round", "write \"1-7\", or a list such as [\"1-5\", \"8\"]"),
    }
}
