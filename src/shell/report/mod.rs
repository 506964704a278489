//! The reconciled summary: a fold over the records of a window, which gives the same numbers
//! whenever it is run again. Every call that was offered is in exactly one outcome, in the total
//! and in each of the breakdowns.
//!
//! In: records, a roster, a window. Out: JSON, with the formula of the service level in it.

mod tally;
mod window;

pub use window::{Window, last_cut_off, shift_to_hand_over};

use crate::acd::{Calendar, OnDay, RosterSettings};
use crate::base::Wall;
use crate::config::Reports;
use crate::shell::stamp::rfc3339;
use crate::shell::store::{Brief, Source, Within, briefs};
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tally::Tally;

/// What the breakdowns are by.
pub const BY: [&str; 7] = ["queue", "line", "district", "trunk", "hour", "shift", "category"];
/// Where a record says nothing of what it is broken down by.
const NONE: &str = "-";
/// Keys of one breakdown; what is over it is counted together.
const KEYS_MAX: usize = 10_000;
const REST: &str = "(others)";

/// What a report is made with.
pub struct Wanted<'a> {
    pub database: &'a Source,
    pub roster: &'a RosterSettings,
    pub reports: &'a Reports,
    pub window: Window,
    /// What of the switch is whoever asks: queues and districts.
    pub within: Option<Within>,
}

/// The summary of the window, and the total of its day up to its end.
pub fn report(wanted: &Wanted) -> Result<Value, String> {
    let Wanted { database, roster, reports, window, within } = wanted;
    let books = Books::read(database, roster, reports, *window, within.as_ref())?;
    let zone = zone(&roster.zone);
    let day = Window { since: window::midnight(window.until, &zone), until: window.until };
    let whole = Books::read(database, roster, reports, day, within.as_ref())?;
    let by: Map<String, Value> =
        BY.iter().zip(&books.by).map(|(name, rows)| (name.to_string(), table(rows))).collect();
    Ok(json!({
        "since": rfc3339(window.since),
        "until": rfc3339(window.until),
        "timezone": roster.zone,
        "short_abandon_ms": reports.short.as_millis() as u64,
        "formula": format!(
            "service level in t = answered within t / (answered + abandoned - abandoned within {} \
             s); waits count from joining the queue",
            reports.short.as_secs_f64()
        ),
        "total": books.total.show(),
        "by": by,
        "other_directions": books.others,
        "day": {"since": rfc3339(day.since), "total": whole.total.show()},
        "reconciled": books.reconciles(),
    }))
}

fn table(rows: &BTreeMap<String, Tally>) -> Value {
    let row = |(key, tally): (&String, &Tally)| (key.clone(), tally.show());
    Value::Object(rows.iter().map(row).collect())
}

struct Books {
    total: Tally,
    by: Vec<BTreeMap<String, Tally>>,
    /// Calls that nobody offered to the helpline: its own, by direction.
    others: BTreeMap<String, u64>,
}

impl Books {
    fn read(
        database: &Source,
        roster: &RosterSettings,
        reports: &Reports,
        window: Window,
        within: Option<&Within>,
    ) -> Result<Self, String> {
        let zone = zone(&roster.zone);
        let turns = Calendar::new(roster).between(window.since, window.until);
        let mut books = Self {
            total: Tally::default(),
            by: vec![BTreeMap::new(); BY.len()],
            others: BTreeMap::new(),
        };
        let short = reports.short.as_millis() as u64;
        let bounds = (rfc3339(window.since), rfc3339(window.until));
        briefs(database, (&bounds.0, &bounds.1), within, |call| {
            if call.direction != "in" {
                *books.others.entry(call.direction.clone()).or_default() += 1;
                return;
            }
            let arrived: Timestamp = call.arrived_at.parse().unwrap_or_default();
            let hour = arrived.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:00").to_string();
            let shift = shift_at(Wall(arrived.as_microsecond()), &turns, roster);
            let keys = [
                &call.queue,
                &call.line,
                &call.district,
                &call.trunk,
                &hour,
                shift,
                &call.category,
            ];
            books.total.count(&call, short);
            for (rows, key) in books.by.iter_mut().zip(keys) {
                let key = if key.is_empty() { NONE } else { key };
                let key = match rows.len() >= KEYS_MAX && !rows.contains_key(key) {
                    true => REST,
                    false => key,
                };
                rows.entry(key.to_string()).or_default().count(&call, short);
            }
        })?;
        Ok(books)
    }

    /// Every call is in one outcome, and in one row of each breakdown.
    fn reconciles(&self) -> bool {
        let whole = |rows: &BTreeMap<String, Tally>| rows.values().map(|t| t.offered).sum::<u64>();
        self.total.adds_up() && self.by.iter().all(|rows| whole(rows) == self.total.offered)
    }
}

/// The shift in which a call came; where two overlap, the one that began first.
fn shift_at<'a>(at: Wall, turns: &[OnDay], roster: &'a RosterSettings) -> &'a str {
    static NOBODY: &str = "";
    let turn = turns.iter().find(|turn| turn.starts <= at && at < turn.ends);
    turn.and_then(|turn| roster.shifts.get(turn.shift)).map_or(NOBODY, |shift| &shift.name)
}

fn zone(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).unwrap_or(TimeZone::UTC)
}

impl Brief {
    fn is(&self, outcome: &str) -> bool {
        self.outcome == outcome
    }
}

#[cfg(test)]
mod tests;
