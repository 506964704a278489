//! Rows in an SQLite database: one transaction a batch, keys that make a repeat harmless.

use super::columns::{self, SCHEMA, TABLES, Table};
use super::{Store, Trouble};
use crate::core::Row;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Transaction, TransactionBehavior, params_from_iter};
use serde_json::Value;
use std::collections::BTreeSet;
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
        let mut connection = Connection::open(path).map_err(|e| sentence(&e))?;
        prepare(&connection).map_err(|e| sentence(&e))?;
        bring_up(&mut connection).map_err(|e| sentence(&e))?;
        Ok(Self { connection })
    }
}

impl Store for Sqlite {
    fn write(&mut self, rows: &[Row]) -> Result<(), Trouble> {
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
        all().map_err(|e: rusqlite::Error| Trouble {
            why: e.to_string(),
            of_the_rows: of_the_rows(&e),
        })
    }
}

/// Nothing that waiting or room would mend.
fn of_the_rows(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
    let code = error.sqlite_error_code();
    code.is_some_and(|code| matches!(code, ConstraintViolation | TooBig | TypeMismatch))
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What the cursor counts as stored must survive a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(())
}

/// Makes the tables, or brings those of an older version up to date.
fn bring_up(connection: &mut Connection) -> Result<(), String> {
    let said = |e: rusqlite::Error| e.to_string();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = transaction.map_err(said)?;
    let version = transaction.query_row("PRAGMA user_version", [], |row| row.get::<_, i32>(0));
    let version = version.map_err(said)?;
    if version > SCHEMA {
        return Err(format!(
            "its tables have form {version}, and this version of pukar knows forms up to {SCHEMA}: \
             run the newer version, or name another file"
        ));
    }
    if version == SCHEMA {
        return Ok(());
    }
    for table in TABLES {
        let there = columns_of(&transaction, table).map_err(said)?;
        let key = table.key.split(", ");
        if !there.is_empty() && key.into_iter().any(|column| !there.contains(column)) {
            let name = table.name;
            return Err(format!(
                "it has a table \"{name}\" that is not pukar's: name another file"
            ));
        }
        transaction.execute_batch(&definition(table, &there)).map_err(said)?;
    }
    transaction.execute_batch(PURGES).map_err(said)?;
    transaction.pragma_update(None, "user_version", SCHEMA).map_err(said)?;
    transaction.commit().map_err(said)
}

fn columns_of(transaction: &Transaction<'_>, table: &Table) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement = transaction.prepare("SELECT name FROM pragma_table_info(?)")?;
    let names = statement.query_map([table.name], |row| row.get(0))?;
    names.collect()
}

/// What makes the table, or gives it the columns that it does not have.
fn definition(table: &Table, there: &BTreeSet<String>) -> String {
    let mut sql = String::new();
    let columns = table.columns.iter().map(|(name, kind)| (*name, format!("\"{name}\" {kind}")));
    if there.is_empty() {
        let columns: Vec<String> = columns.map(|(_, column)| column).collect();
        let (columns, key) = (columns.join(", "), table.key);
        sql.push_str(&format!("CREATE TABLE {} ({columns}, PRIMARY KEY ({key}));", table.name));
    } else {
        for (name, column) in columns.filter(|(name, _)| !there.contains(*name)) {
            let nothing = match () {
                () if !column.ends_with("NOT NULL") => "",
                () if column.contains("TEXT") => " DEFAULT ''",
                () => " DEFAULT 0",
            };
            tracing::info!("table {} of the records gets a column {name}", table.name);
            sql.push_str(&format!("ALTER TABLE {} ADD COLUMN {column}{nothing};", table.name));
        }
    }
    for (name, on) in table.indices {
        sql.push_str(&format!("CREATE INDEX IF NOT EXISTS {name} ON {} ({on});", table.name));
    }
    sql
}

/// What stands beside the rows.
const PURGES: &str = "CREATE TABLE IF NOT EXISTS purges (
    purged_at TEXT NOT NULL, purged_by TEXT NOT NULL, table_name TEXT NOT NULL, what TEXT NOT NULL,
    count INTEGER NOT NULL, seqs TEXT NOT NULL, digest TEXT NOT NULL)";

/// Statements are made once; the connection keeps what it has compiled of them.
static INSERTS: LazyLock<[String; 3]> = LazyLock::new(|| TABLES.map(insert_into));

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
