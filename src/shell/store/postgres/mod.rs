//! Rows in a PostgreSQL database: one transaction a batch, unique keys that make a repeat harmless.
//! Tables and columns are those of SQLite, with times as `timestamptz` and the switch's name in
//! front, so that several switches share a database.

mod connect;
mod find;
mod read;
mod schema;

use connect::connect;
pub use connect::sentence;
pub use find::{each, find};
pub use read::{Reader, purged, read_all};
use schema::{kind, quoted};

use super::columns::{self, AGENT_STATES, CALLS, LEGS, TABLES, Table};
use super::nats::within;
use super::{Store, Trouble, runtime};
use crate::config::Remote;
use crate::core::Row;
use serde_json::Value;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Error, Statement};

/// A whole batch, or a whole look at the schema.
const WITHIN: Duration = Duration::from_secs(20);

pub struct Postgres {
    runtime: Runtime,
    client: Client,
    /// In the order of [`TABLES`].
    inserts: Vec<Statement>,
    switch: String,
}

impl Postgres {
    pub fn open(at: &Remote) -> Result<Self, String> {
        let runtime = runtime()?;
        let (client, inserts) = runtime.block_on(within(WITHIN, async {
            let mut client = connect(at).await?;
            schema::bring_up(&mut client).await?;
            let mut inserts = Vec::new();
            for table in TABLES {
                let statement = client.prepare(&insert_into(table)).await;
                inserts.push(statement.map_err(|e| sentence(&e))?);
            }
            Ok((client, inserts))
        }))?;
        Ok(Self { runtime, client, inserts, switch: at.switch.clone() })
    }
}

impl Store for Postgres {
    fn write(&mut self, rows: &[Row]) -> Result<(), Trouble> {
        let texts = [objects(rows, &CALLS), objects(rows, &LEGS), objects(rows, &AGENT_STATES)];
        let Self { runtime, client, inserts, switch } = self;
        let write = async {
            let transaction = client.transaction().await?;
            for (insert, objects) in inserts.iter().zip(&texts) {
                if !objects.is_empty() {
                    let text = Value::Array(objects.clone()).to_string();
                    transaction.execute(insert, &[&*switch, &text]).await?;
                }
            }
            transaction.commit().await
        };
        let written = runtime.block_on(within(WITHIN, async { Ok(write.await) }))?;
        written.map_err(|e| Trouble { why: sentence(&e), of_the_rows: of_the_rows(&e) })
    }
}

/// Data that it cannot take, a rule of the table, a limit, a trigger's own words: nothing that
/// waiting or room would mend.
fn of_the_rows(error: &Error) -> bool {
    let code = error.as_db_error().map_or("", |said| said.code().code());
    ["22", "23", "54", "P0001"].iter().any(|class| code.starts_with(class))
}

/// The rows of one table in a batch.
fn objects(rows: &[Row], table: &'static Table) -> Vec<Value> {
    let mut objects = Vec::new();
    let mut put = |values: Vec<Value>| {
        let values = values.into_iter().map(storable).collect();
        objects.push(table.object(values));
    };
    for row in rows {
        match row {
            Row::Call(call) if table.name == CALLS.name => put(columns::of_call(call)),
            Row::Call(call) if table.name == LEGS.name => {
                let legs = call.legs.iter().enumerate();
                legs.for_each(|(n, leg)| put(columns::of_leg(&call.id, n + 1, leg)));
            }
            Row::AgentState(state) if table.name == AGENT_STATES.name => {
                put(columns::of_agent_state(state));
            }
            Row::Call(_) | Row::AgentState(_) => {}
        }
    }
    objects
}

/// PostgreSQL's text has no octet zero; a caller's display name may.
fn storable(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\0') => text.replace('\0', "\u{fffd}").into(),
        other => other,
    }
}

/// All rows of a table in one statement, as JSON: the names of columns are in it once, and no value
/// can be taken for SQL.
fn insert_into(table: &Table) -> String {
    let names: Vec<_> = table.columns.iter().map(|(name, _)| quoted(name)).collect();
    let typed = table.columns.iter().map(|column| format!("{} {}", quoted(column.0), kind(column)));
    format!(
        "INSERT INTO {} (switch, {}) SELECT $1, {} FROM json_to_recordset($2::text::json) AS r({}) \
         ON CONFLICT DO NOTHING",
        table.name,
        names.join(", "),
        names.iter().map(|name| format!("r.{name}")).collect::<Vec<_>>().join(", "),
        typed.collect::<Vec<_>>().join(", "),
    )
}
