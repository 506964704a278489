//! The tables, made and brought up to date by whichever switch comes first. The version of what is
//! there stands in `pukar_schema`; a newer one is left alone, and so are tables that are not ours.

use super::sentence;
use crate::shell::store::columns::{SCHEMA, TABLES, Table};
use std::collections::BTreeSet;
use tokio_postgres::{Client, Error, Transaction};

/// Two switches never change the tables at the same time.
const LOCK: i64 = 0x0070_756b_6172;

/// What stands beside the rows.
const PURGES: &str = "CREATE TABLE IF NOT EXISTS purges (
    switch text NOT NULL, purged_at timestamptz NOT NULL, purged_by text NOT NULL,
    table_name text NOT NULL, what text NOT NULL, count bigint NOT NULL, seqs text NOT NULL,
    digest text NOT NULL)";

pub async fn bring_up(client: &mut Client) -> Result<(), String> {
    let transaction = client.transaction().await.map_err(|e| sentence(&e))?;
    let known = version(&transaction).await.map_err(|e| sentence(&e))?;
    if known == Some(SCHEMA) {
        return Ok(());
    }
    if let Some(newer) = known.filter(|known| *known > SCHEMA) {
        return Err(format!(
            "its tables have form {newer}, and this version of pukar knows forms up to {SCHEMA}: \
             run the newer version, or name another database"
        ));
    }
    if known.is_none() {
        for table in TABLES {
            let there = columns_of(&transaction, table).await.map_err(|e| sentence(&e))?;
            if !there.is_empty() {
                return Err(format!(
                    "it has a table \"{}\" that is not pukar's: name another database",
                    table.name
                ));
            }
        }
    }
    for table in TABLES {
        bring_up_table(&transaction, table).await.map_err(|e| sentence(&e))?;
    }
    let last = format!("{PURGES}; INSERT INTO pukar_schema (version) VALUES ({SCHEMA})");
    transaction.batch_execute(&last).await.map_err(|e| sentence(&e))?;
    transaction.commit().await.map_err(|e| sentence(&e))
}

/// The version that is there, if any. Waits for whoever is at it.
async fn version(transaction: &Transaction<'_>) -> Result<Option<i32>, Error> {
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    let make = "CREATE TABLE IF NOT EXISTS pukar_schema \
                (version integer PRIMARY KEY, since timestamptz NOT NULL DEFAULT now())";
    transaction.batch_execute(make).await?;
    let row = transaction.query_one("SELECT max(version) FROM pukar_schema", &[]).await?;
    row.try_get(0)
}

async fn columns_of(
    transaction: &Transaction<'_>,
    table: &Table,
) -> Result<BTreeSet<String>, Error> {
    let sql = "SELECT column_name::text FROM information_schema.columns \
               WHERE table_schema = current_schema() AND table_name = $1";
    let rows = transaction.query(sql, &[&table.name]).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

async fn bring_up_table(transaction: &Transaction<'_>, table: &Table) -> Result<(), Error> {
    let there = columns_of(transaction, table).await?;
    let mut sql = String::new();
    if there.is_empty() {
        let columns = table.columns.iter().map(definition).collect::<Vec<_>>().join(", ");
        sql.push_str(&format!(
            "CREATE TABLE {} (switch text NOT NULL, {columns}, PRIMARY KEY (switch, {}));",
            table.name, table.key
        ));
    }
    for column in table.columns.iter().filter(|(name, _)| !there.contains(*name)) {
        if !there.is_empty() {
            let definition = definition(column);
            sql.push_str(&format!("ALTER TABLE {} ADD COLUMN {definition};", table.name));
        }
    }
    for (name, on) in table.indices {
        let table = table.name;
        sql.push_str(&format!("CREATE INDEX IF NOT EXISTS {name} ON {table} (switch, {on});"));
    }
    transaction.batch_execute(&sql).await
}

/// Rows of before get what stands for nothing.
fn definition(column: &(&str, &str)) -> String {
    let kind = kind(column);
    let needed = match kind {
        _ if !column.1.contains("NOT NULL") => "",
        "text" => " NOT NULL DEFAULT ''",
        "timestamptz" => " NOT NULL DEFAULT 'epoch'",
        _ => " NOT NULL DEFAULT 0",
    };
    format!("{} {kind}{needed}", quoted(column.0))
}

/// PostgreSQL's type for a column of ours.
pub fn kind((name, kind): &(&str, &str)) -> &'static str {
    match kind {
        _ if name.ends_with("_at") => "timestamptz",
        kind if kind.starts_with("INTEGER") => "bigint",
        kind if kind.starts_with("REAL") => "double precision",
        _ => "text",
    }
}

pub fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
