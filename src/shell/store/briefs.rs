//! Records one by one, as much of each as a report needs.

use super::postgres;
use super::query::{Source, Wanted, open};
use rusqlite::params_from_iter;
use serde_json::Value;
use std::path::Path;

/// Queues and districts: what of the switch is somebody's.
pub type Within = (Vec<String>, Vec<String>);

/// A call, as a report sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brief {
    pub direction: String,
    /// RFC 3339.
    pub arrived_at: String,
    pub line: String,
    pub trunk: String,
    pub district: String,
    pub queue: String,
    pub category: String,
    pub outcome: String,
    pub wait_ms: u64,
    pub talk_ms: u64,
    pub hold_ms: u64,
    pub wrap_ms: u64,
    pub transfers: u64,
}

/// Hands every call that arrived from `since` until before `until` to `each`, in their order.
pub fn briefs(
    source: &Source,
    (since, until): (&str, &str),
    within: Option<&Within>,
    mut each: impl FnMut(Brief),
) -> Result<(), String> {
    let mut wanted = Wanted::default();
    wanted.that("arrived_at", ">=", since);
    wanted.that("arrived_at", "<", until);
    within.into_iter().for_each(|within| wanted.within(within));
    match source {
        Source::Sqlite(database) => of_sqlite(database, &wanted, &mut each),
        Source::Postgres(at) => postgres::each(at, &wanted, &mut |call| each(of_object(&call))),
    }
}

fn of_object(call: &Value) -> Brief {
    let text = |key: &str| call[key].as_str().unwrap_or_default().to_string();
    let count = |key: &str| call[key].as_i64().unwrap_or_default().max(0) as u64;
    Brief {
        direction: text("direction"),
        arrived_at: text("arrived_at"),
        line: text("line"),
        trunk: text("trunk"),
        district: text("district"),
        queue: text("queue"),
        category: text("category"),
        outcome: text("outcome"),
        wait_ms: count("wait_ms"),
        talk_ms: count("talk_ms"),
        hold_ms: count("hold_ms"),
        wrap_ms: count("wrap_ms"),
        transfers: count("transfers"),
    }
}

fn of_sqlite(database: &Path, wanted: &Wanted, each: &mut dyn FnMut(Brief)) -> Result<(), String> {
    let clause = wanted.clause(&mut |_| "?".into());
    let sql = format!(
        "SELECT direction, arrived_at, line, trunk, district, queue, category, outcome, wait_ms, \
         talk_ms, hold_ms, wrap_ms, transfers FROM calls WHERE 1{clause} ORDER BY id"
    );
    let mut read = || -> rusqlite::Result<()> {
        let connection = open(database)?;
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query(params_from_iter(wanted.values()))?;
        while let Some(row) = rows.next()? {
            let count = |at| Ok::<u64, rusqlite::Error>(row.get::<_, i64>(at)?.max(0) as u64);
            each(Brief {
                direction: row.get(0)?,
                arrived_at: row.get(1)?,
                line: row.get(2)?,
                trunk: row.get(3)?,
                district: row.get(4)?,
                queue: row.get(5)?,
                category: row.get(6)?,
                outcome: row.get(7)?,
                wait_ms: count(8)?,
                talk_ms: count(9)?,
                hold_ms: count(10)?,
                wrap_ms: count(11)?,
                transfers: count(12)?,
            });
        }
        Ok(())
    };
    read().map_err(|e| format!("{}: {e}", database.display()))
}
