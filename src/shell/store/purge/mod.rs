//! `pukar purge`: takes out what is older than it has to be kept, but nothing that is held, and
//! leaves proof of it (`proof.rs`): of the stores, and of what else in the data folder has callers'
//! numbers.

mod audit;
mod beside;
mod gone;
mod lines;
mod outbox;
mod postgres;
mod sheets;
mod sqlite;
mod stream;
mod web;

pub use gone::{noted, table_and_numbers};
pub use lines::proofs as proofs_of_lines;
pub use outbox::{blotted, name_never_came, never_came};
pub use sheets::proofs as proofs_of_sheets;

use super::columns::{AGENT_STATES, CALLS, Table};
use super::proof::Proof;
use super::verify::Cells;
use crate::config::{Hold, Settings, Store};
use gone::Gone;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use std::fmt;

/// Rows that go in one transaction, with one row of proof.
const BATCH: usize = 5_000;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Only stores whose name holds this.
    pub store: String,
    /// RFC 3339, UTC, milliseconds: only what is older, however short it has to be kept.
    pub before: Option<String>,
    /// Only count.
    pub dry_run: bool,
    pub by: String,
    pub now: Zoned,
}

/// What became of one store.
#[derive(Clone, Debug)]
pub struct Purged {
    pub store: String,
    pub calls: u64,
    pub states: u64,
    /// Of the access log, which has no rows.
    pub acts: Option<u64>,
    /// Old enough, and held.
    pub held: u64,
    pub dry_run: bool,
    /// It was left as it is, or was only as far as is counted; and why.
    pub left: Option<String>,
    /// It should have been.
    pub failed: bool,
}

/// A store that rows can be taken out of.
pub trait Books {
    /// Rows before this time with numbers after that one, in the order of their numbers.
    fn older(
        &mut self,
        table: &'static Table,
        before: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Cells>, String>;

    /// Takes them out, calls with their legs, and notes the proof: all of it or nothing.
    fn remove(
        &mut self,
        table: &'static Table,
        rows: &[Cells],
        proof: &Proof,
    ) -> Result<(), String>;
}

/// Purges every store of the configuration, and what else holds callers' numbers. A switch may be
/// at work.
pub fn purge(settings: &Settings, wish: &Wish) -> Result<Vec<Purged>, String> {
    let rules = Rules::new(settings, wish)?;
    let mut done = Vec::new();
    for store in settings.stores.iter().filter(|store| rules.wants(&store.place())) {
        let mut purged = rules.none(store.place());
        // What one store refuses, or has not, keeps no other from being purged.
        if let Err(why) = rules.purge_store(store, &mut purged) {
            purged = purged.failed(&why);
        }
        done.push(purged);
    }
    let known = !done.is_empty();
    done.extend(beside::purge(&rules));
    match known || !done.is_empty() {
        true => Ok(done),
        false => Err("there is no such store".into()),
    }
}

impl Purged {
    fn add(&mut self, [calls, states]: &[Gone; 2]) {
        self.calls += calls.count();
        self.states += states.count();
        self.held += calls.held + states.held;
    }

    /// It is not for a purge to take anything out of it.
    fn left(self, why: &str) -> Self {
        Self { left: Some(why.into()), ..self }
    }

    fn failed(self, why: &str) -> Self {
        Self { failed: true, ..self.left(why) }
    }
}

/// Which rows go.
struct Rules<'s> {
    settings: &'s Settings,
    wish: &'s Wish,
    zone: TimeZone,
    now: Timestamp,
}

impl<'s> Rules<'s> {
    fn new(settings: &'s Settings, wish: &'s Wish) -> Result<Self, String> {
        let retention = &settings.retention;
        let limited = retention.is_limited() || retention.audit.is_some();
        if !limited && wish.before.is_none() {
            return Err("nothing says how long records are kept: write keep = \"2y\" into \
                        [records], or say --before"
                .into());
        }
        let zone = TimeZone::get(&settings.timezone).map_err(|e| e.to_string())?;
        Ok(Self { settings, wish, zone, now: wish.now.timestamp() })
    }

    /// Whether it is among what was asked for.
    fn wants(&self, name: &str) -> bool {
        name.contains(&self.wish.store)
    }

    /// Nothing has gone of it yet.
    fn none(&self, store: String) -> Purged {
        let (calls, states, acts, held, left) = (0, 0, None, 0, None);
        let (dry_run, failed) = (self.wish.dry_run, false);
        Purged { store, calls, states, acts, held, dry_run, left, failed }
    }

    /// What is about to go, as its proof has it.
    fn proof(&self, what: String, count: u64) -> Proof {
        let (at, by) = (format!("{:.3}", self.now), self.wish.by.clone());
        Proof { at, by, what, count, ..Proof::default() }
    }

    /// Before this time some row may go.
    fn newest(&self) -> Option<String> {
        let lines = self.settings.retention.lines.keys().map(String::as_str);
        lines.chain([""]).filter_map(|line| self.before(line)).max()
    }

    fn purge_store(&self, store: &Store, purged: &mut Purged) -> Result<(), String> {
        let mut books: Box<dyn Books> = match store {
            Store::Sqlite { path } => Box::new(sqlite::Database::open(path)?),
            Store::Postgres(at) => Box::new(postgres::Database::open(at)?),
            Store::JsonLines { path } => return lines::purge(path, self, purged),
            Store::Csv { folder } => return sheets::purge(folder, self, purged),
            Store::Nats(at) => return stream::purge(at, self, purged),
            Store::Webhook(at) => return web::purge(at, &store.place(), self, purged),
        };
        let Purged { calls, states, held, .. } = purged;
        self.purge(&mut *books, &CALLS, (calls, held))?;
        self.purge(&mut *books, &AGENT_STATES, (states, held))
    }

    fn purge(
        &self,
        books: &mut dyn Books,
        table: &'static Table,
        (count, held): (&mut u64, &mut u64),
    ) -> Result<(), String> {
        let Some(newest) = self.newest() else { return Ok(()) };
        let mut after = 0;
        loop {
            let found = books.older(table, &newest, after, BATCH)?;
            let Some(last) = found.last() else { return Ok(()) };
            after = table.seq_of(last).ok_or("a row has no number")?;
            let mut gone = Gone::of(table);
            let goes = |row: &Cells| gone.judge(self, row);
            let rows: Vec<Cells> = found.into_iter().filter(goes).collect();
            *held += gone.held;
            if !rows.is_empty() && !self.wish.dry_run {
                books.remove(table, &rows, &gone.proof(self))?;
            }
            *count += gone.count();
        }
    }

    /// The first moment whose rows of this line stay; `None` where all of them do.
    fn before(&self, line: &str) -> Option<String> {
        let retention = &self.settings.retention;
        let days = match retention.lines.get(line) {
            Some(days) => (*days)?,
            // What is wished for is enough where nothing is said about keeping.
            None => match (retention.days, &self.wish.before) {
                (Some(days), _) => days,
                (None, before) => return before.clone(),
            },
        };
        self.days_ago(days)
    }

    /// So long ago, or what was wished for, where that is earlier.
    fn days_ago(&self, days: u32) -> Option<String> {
        let last = self.now.checked_sub((i64::from(days) * 24).hours()).ok()?;
        let last = format!("{last:.3}");
        Some(self.wish.before.clone().map_or(last.clone(), |before| before.min(last)))
    }

    fn is_old(&self, table: &Table, row: &Cells) -> bool {
        let (line, at) = (table.cell(row, "line"), table.cell(row, table.time));
        self.before(line).is_some_and(|before| at < before.as_str())
    }

    /// Agents' states are no service's: a hold on a line, a call or a caller is none on them.
    fn is_held(&self, table: &Table, row: &Cells) -> bool {
        let at: Option<Timestamp> = table.cell(row, table.time).parse().ok();
        let day = at.map_or_else(String::new, |at| self.day_of(at));
        let is = |wanted: &Option<String>, column: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == table.cell(row, column))
        };
        self.settings.retention.holds.iter().any(|hold: &Hold| {
            is(&hold.line, "line")
                && is(&hold.call, if table.name == CALLS.name { "id" } else { "call" })
                && is(&hold.caller, "caller")
                && hold.covers(&day)
        })
    }

    /// In the switch's time zone.
    fn day_of(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).date().to_string()
    }
}

impl fmt::Display for Purged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, calls, states, acts, held, dry_run, left, failed: _ } = self;
        let what = match acts {
            Some(acts) => format!("{acts} acts"),
            None => format!("{calls} calls and {states} states of agents"),
        };
        let done = if *dry_run { "would be purged" } else { "purged" };
        match left {
            None => writeln!(f, "{store}: {what} {done}; {held} are held"),
            Some(why) if !dry_run && calls + states + acts.unwrap_or(0) > 0 => {
                writeln!(f, "{store}: NOT purged whole, {what} have gone: {why}")
            }
            Some(why) => writeln!(f, "{store}: NOT purged: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::store::tests::state;
    use crate::shell::store::verify::cells_of;

    /// A database that goes away behind the first rows.
    struct Brief(Vec<Cells>);

    impl Books for Brief {
        fn older(
            &mut self,
            _: &'static Table,
            _: &str,
            _: u64,
            _: usize,
        ) -> Result<Vec<Cells>, String> {
            let rows = std::mem::take(&mut self.0);
            if rows.is_empty() { Err("the connection is lost".into()) } else { Ok(rows) }
        }

        fn remove(&mut self, _: &'static Table, _: &[Cells], _: &Proof) -> Result<(), String> {
            Ok(())
        }
    }

    #[test]
    fn what_a_database_has_let_go_of_before_it_went_away_is_counted_and_a_trial_says_of_nothing_so()
    {
        for dry_run in [false, true] {
            let mut settings = Settings::default();
            settings.retention.days = Some(366);
            let now = "2026-11-22T12:00:00+05:30[Asia/Kolkata]".parse().unwrap();
            let wish = Wish { store: String::new(), before: None, dry_run, by: "x".into(), now };
            let rules = Rules::new(&settings, &wish).unwrap();
            let mut purged = rules.none("db".into());
            let rows = (1..=3).flat_map(|n| cells_of(&state(n))).map(|(_, cells)| cells);
            let Purged { states, held, .. } = &mut purged;
            let broken = rules.purge(&mut Brief(rows.collect()), &AGENT_STATES, (states, held));
            let said = purged.failed(&broken.unwrap_err()).to_string();
            let told = match dry_run {
                false => {
                    "NOT purged whole, 0 calls and 3 states of agents have gone: the connection"
                }
                true => "db: NOT purged: the connection is lost",
            };
            assert!(said.contains(told), "{said}");
        }
    }
}
