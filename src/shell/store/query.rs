//! Reading finished calls back, from SQLite or else from PostgreSQL, through a connection that can
//! only read: the writer is not disturbed, and a question cannot change anything.

use super::columns::{CALLS, LEGS, Table};
use super::postgres;
use crate::config::{Remote, Store};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, params_from_iter};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Rows in one answer.
const LIMIT_MAX: usize = 10_000;

/// Which calls. Everything left out restricts nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    pub id: Option<String>,
    /// Arrived at or after; RFC 3339.
    pub since: Option<String>,
    /// Arrived before.
    pub until: Option<String>,
    pub line: Option<String>,
    pub queue: Option<String>,
    pub agent: Option<String>,
    pub caller: Option<String>,
    pub outcome: Option<String>,
    /// Calls after this id, in the order of ids: the way to the next page.
    pub after: Option<String>,
    /// Default 1000, at most 10000.
    pub limit: Option<usize>,
    /// With the legs of each call.
    pub legs: bool,
    /// Only calls of one of these queues or districts: what of the switch is somebody's.
    #[serde(skip)]
    pub within: Option<super::Within>,
}

/// A database that can be asked.
#[derive(Clone, Debug)]
pub enum Source {
    Sqlite(PathBuf),
    Postgres(Remote),
}

impl Source {
    /// The first that there is: one that lies here rather than one elsewhere.
    pub fn of(stores: &[Store]) -> Option<Self> {
        let sqlite = stores.iter().find_map(|store| match store {
            Store::Sqlite { path } => Some(Self::Sqlite(path.clone())),
            _ => None,
        });
        let postgres = || {
            stores.iter().find_map(|store| match store {
                Store::Postgres(at) => Some(Self::Postgres(at.clone())),
                _ => None,
            })
        };
        sqlite.or_else(postgres)
    }

    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }
}

/// Finished calls as JSON objects, oldest first. It waits for the database: not for a thread that
/// others wait for.
pub fn query(source: &Source, filter: &Filter) -> Result<Value, String> {
    let limit = filter.limit.unwrap_or(1_000).clamp(1, LIMIT_MAX);
    let (since, until) = (moment(filter.since.as_ref())?, moment(filter.until.as_ref())?);
    let conditions = [
        ("id", "=", filter.id.as_ref()),
        ("arrived_at", ">=", since.as_ref()),
        ("arrived_at", "<", until.as_ref()),
        ("line", "=", filter.line.as_ref()),
        ("queue", "=", filter.queue.as_ref()),
        ("agent", "=", filter.agent.as_ref()),
        ("caller", "=", filter.caller.as_ref()),
        ("outcome", "=", filter.outcome.as_ref()),
        ("id", ">", filter.after.as_ref()),
    ];
    let mut wanted = Wanted::default();
    for (column, is, value) in conditions {
        if let Some(value) = value {
            wanted.that(column, is, value);
        }
    }
    if let Some(within) = &filter.within {
        wanted.within(within);
    }
    match source {
        Source::Sqlite(path) => of_sqlite(path, &wanted, limit, filter.legs),
        Source::Postgres(at) => postgres::find(at, &wanted, limit, filter.legs),
    }
}

/// Conditions on the rows of a table, in the words of either database.
#[derive(Default)]
pub struct Wanted {
    /// A column, how it compares, and with how many of the values.
    conditions: Vec<Condition>,
    values: Vec<String>,
}

enum Condition {
    Is(&'static str, &'static str),
    /// One of the first so many queues, or of so many districts after them.
    Within(usize, usize),
}

impl Wanted {
    pub fn that(&mut self, column: &'static str, is: &'static str, value: &str) {
        self.conditions.push(Condition::Is(column, is));
        self.values.push(value.into());
    }

    pub fn within(&mut self, (queues, districts): &super::Within) {
        self.conditions.push(Condition::Within(queues.len(), districts.len()));
        self.values.extend(queues.iter().chain(districts).cloned());
    }

    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// ` AND …`; `place` says how the next value is written that is for a column.
    pub fn clause(&self, place: &mut dyn FnMut(&str) -> String) -> String {
        let mut clause = String::new();
        for condition in &self.conditions {
            match condition {
                Condition::Is(column, is) => {
                    let value = place(column);
                    clause.push_str(&format!(" AND {column} {is} {value}"));
                }
                Condition::Within(queues, districts) => {
                    let mut many = |column: &str, count: usize| {
                        let places: Vec<String> = (0..count).map(|_| place(column)).collect();
                        match places.is_empty() {
                            true => "1 = 0".into(),
                            false => format!("{column} IN ({})", places.join(", ")),
                        }
                    };
                    let (of_queues, of_districts) =
                        (many("queue", *queues), many("district", *districts));
                    clause.push_str(&format!(" AND ({of_queues} OR {of_districts})"));
                }
            }
        }
        clause
    }
}

fn of_sqlite(
    database: &Path,
    wanted: &Wanted,
    limit: usize,
    with_legs: bool,
) -> Result<Value, String> {
    let clause = wanted.clause(&mut |_| "?".into());
    let values: Vec<&String> = wanted.values.iter().collect();
    let read = || {
        let connection = open(database)?;
        let tail = format!("WHERE 1{clause} ORDER BY id LIMIT {limit}");
        let mut calls = select(&connection, &CALLS, &tail, &values)?;
        for call in calls.iter_mut().filter(|_| with_legs) {
            let id = call["id"].as_str().unwrap_or_default().to_string();
            let tail = "WHERE call = ? ORDER BY n";
            call["legs"] = json!(select(&connection, &LEGS, tail, &[&id])?);
        }
        Ok(json!(calls))
    };
    read().map_err(|e: rusqlite::Error| format!("{}: {e}", database.display()))
}

/// How many finished calls the database holds.
pub fn count(database: &Path) -> Result<u64, String> {
    let read = || {
        let connection = open(database)?;
        connection.query_row("SELECT count(*) FROM calls", [], |row| row.get::<_, i64>(0))
    };
    let sentence = |e: rusqlite::Error| format!("{}: {e}", database.display());
    read().map(|count| count as u64).map_err(sentence)
}

/// Every row of a table, in no order, as values in the order of its columns.
pub fn read_all(
    database: &Path,
    table: &Table,
    visit: &mut dyn FnMut(Vec<Value>),
) -> Result<(), String> {
    let mut read = || {
        let connection = open(database)?;
        let sql = format!("SELECT {} FROM {}", names_of(table), table.name);
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let values = (0..table.columns.len()).map(|n| Ok(to_json(row.get_ref(n)?)));
            visit(values.collect::<rusqlite::Result<_>>()?);
        }
        Ok(())
    };
    read().map_err(|e: rusqlite::Error| format!("{}: {e}", database.display()))
}

/// What was taken out: the table, and the numbers of its rows.
pub fn purged(database: &Path) -> Result<Vec<(String, String)>, String> {
    let read = || {
        let connection = open(database)?;
        let mut statement = connection.prepare("SELECT table_name, seqs FROM purges")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    read().map_err(|e: rusqlite::Error| format!("{}: {e}", database.display()))
}

fn names_of(table: &Table) -> String {
    let names: Vec<_> = table.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    names.join(", ")
}

pub(super) fn open(database: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    Ok(connection)
}

fn select(
    connection: &Connection,
    table: &Table,
    tail: &str,
    values: &[&String],
) -> rusqlite::Result<Vec<Value>> {
    let rows = self::values(connection, table, tail, values)?;
    Ok(rows.into_iter().map(|values| table.object(values)).collect())
}

/// Rows as values in the order of the table's columns.
pub fn values(
    connection: &Connection,
    table: &Table,
    tail: &str,
    values: &[&String],
) -> rusqlite::Result<Vec<Vec<Value>>> {
    let sql = format!("SELECT {} FROM {} {tail}", names_of(table), table.name);
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| {
        (0..table.columns.len()).map(|n| Ok(to_json(row.get_ref(n)?))).collect()
    })?;
    rows.collect()
}

fn to_json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(whole) => json!(whole),
        ValueRef::Real(number) => json!(number),
        ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
        ValueRef::Blob(_) => Value::Null,
    }
}

/// Text compares like time only where it has the one form that is stored.
fn moment(text: Option<&String>) -> Result<Option<String>, String> {
    let Some(text) = text else { return Ok(None) };
    let stamp: jiff::Timestamp = text.parse().map_err(|_| {
        format!("`{text}` is no time; write it like 2026-11-22T06:00:00+05:30 or ...T00:30:00Z")
    })?;
    Ok(Some(crate::shell::stamp::rfc3339(crate::base::Wall(stamp.as_microsecond()))))
}
