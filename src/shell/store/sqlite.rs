//! Rows in an SQLite database: one transaction a batch, keys that make a repeat harmless.

use super::Store;
use super::columns::{self, AGENT_STATES, CALLS, LEGS, Table};
use crate::core::Row;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Transaction, params_from_iter};
use serde_json::Value;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

/// How long another program may hold the database before a write counts as failed.
const BUSY: Duration = Duration::from_secs(5);

pub struct Sqlite {
    connection: Connection,
}

impl Sqlite {
    pub fn open(path: &Path) -> Result<Self, String> {
        let sentence = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(|e| sentence(&e))?;
        }
        // Numbers of callers are in it: nobody else on this machine may read them.
        let mut private = OpenOptions::new();
        private.append(true).create(true).mode(0o600);
        private.open(path).map_err(|e| sentence(&e))?;
        let connection = Connection::open(path).map_err(|e| sentence(&e))?;
        prepare(&connection).map_err(|e| sentence(&e))?;
        Ok(Self { connection })
    }
}

impl Store for Sqlite {
    fn write(&mut self, rows: &[Row]) -> Result<(), String> {
        let [calls, legs, agent_states] = &*INSERTS;
        let mut all = || {
            let transaction = self.connection.transaction()?;
            for row in rows {
                match row {
                    Row::Call(call) => {
                        insert(&transaction, calls, columns::of_call(call))?;
                        for (n, leg) in call.legs.iter().enumerate() {
                            insert(&transaction, legs, columns::of_leg(&call.id, n + 1, leg))?;
                        }
                    }
                    Row::AgentState(state) => {
                        insert(&transaction, agent_states, columns::of_agent_state(state))?;
                    }
                }
            }
            transaction.commit()
        };
        all().map_err(|e: rusqlite::Error| e.to_string())
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What the cursor counts as stored must survive a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    for table in [&CALLS, &LEGS, &AGENT_STATES] {
        let columns: Vec<_> =
            table.columns.iter().map(|(name, kind)| format!("\"{name}\" {kind}")).collect();
        connection.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({}))",
            table.name,
            columns.join(", "),
            table.key
        ))?;
    }
    connection.execute_batch(
        "CREATE INDEX IF NOT EXISTS calls_arrived ON calls (arrived_at);
         CREATE INDEX IF NOT EXISTS agent_states_from ON agent_states (from_at);",
    )
}

/// Statements are made once; the connection keeps what it has compiled of them.
static INSERTS: LazyLock<[String; 3]> =
    LazyLock::new(|| [&CALLS, &LEGS, &AGENT_STATES].map(insert_into));

fn insert_into(table: &Table) -> String {
    let names: Vec<_> = table.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    format!(
        "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO NOTHING",
        table.name,
        names.join(", "),
        vec!["?"; names.len()].join(", "),
        table.key
    )
}

fn insert(transaction: &Transaction<'_>, sql: &str, values: Vec<Value>) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(sql)?;
    statement.execute(params_from_iter(values.into_iter().map(to_sql)))?;
    Ok(())
}

fn to_sql(value: Value) -> Sql {
    match value {
        Value::Null => Sql::Null,
        Value::Bool(yes) => Sql::Integer(i64::from(yes)),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Sql::Integer(whole),
            None => Sql::Real(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Sql::Text(text),
        Value::Array(_) | Value::Object(_) => Sql::Text(value.to_string()),
    }
}
