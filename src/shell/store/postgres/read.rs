//! The rows of one switch, read back.

use super::connect::{connect, sentence};
use super::schema::{kind, quoted};
use crate::config::Remote;
use crate::shell::store::columns::{TABLES, Table, text_of};
use futures_util::TryStreamExt;
use serde_json::Value;
use std::pin::pin;
use tokio_postgres::Client;

/// A connection for work that takes as long as it takes: a table may be large.
pub struct Reader {
    pub client: Client,
    pub switch: String,
}

impl Reader {
    pub async fn open(at: &Remote, only_reads: bool) -> Result<Self, String> {
        let client = connect(at).await?;
        let reads = if only_reads { "; SET default_transaction_read_only = on" } else { "" };
        let patience = format!("SET statement_timeout = 0{reads}");
        client.batch_execute(&patience).await.map_err(|e| sentence(&e))?;
        Ok(Self { client, switch: at.switch.clone() })
    }

    /// Rows as text in the order of the table's columns. `tail`: more conditions, and the order.
    pub async fn read(
        &self,
        table: &'static Table,
        tail: &str,
        visit: &mut dyn FnMut(&'static Table, Vec<String>),
    ) -> Result<(), String> {
        self.values(table, tail, &[], &mut |values| visit(table, text_of(&values))).await
    }

    /// The same as values. `more`: what stands for $2, $3 and so on in `tail`, all of them text.
    pub async fn values(
        &self,
        table: &'static Table,
        tail: &str,
        more: &[String],
        visit: &mut dyn FnMut(Vec<Value>),
    ) -> Result<(), String> {
        let sql = format!("{} {tail}", select(table));
        let given = std::iter::once(&self.switch).chain(more).collect::<Vec<_>>();
        let rows = self.client.query_raw(&sql, given).await;
        let mut rows = pin!(rows.map_err(|e| sentence(&e))?);
        while let Some(row) = rows.try_next().await.map_err(|e| sentence(&e))? {
            let text: String = row.try_get(0).map_err(|e| sentence(&e))?;
            visit(serde_json::from_str(&text).map_err(|e| e.to_string())?);
        }
        Ok(())
    }
}

/// Every row of this switch.
pub async fn read_all(
    at: &Remote,
    visit: &mut dyn FnMut(&'static Table, Vec<String>),
) -> Result<(), String> {
    let reader = Reader::open(at, true).await?;
    for table in TABLES {
        reader.read(table, "", visit).await?;
    }
    Ok(())
}

/// What was taken out: the table, and the numbers of its rows.
pub async fn purged(at: &Remote) -> Result<Vec<(String, String)>, String> {
    let Reader { client, switch } = Reader::open(at, true).await?;
    let sql = "SELECT table_name, seqs FROM purges WHERE switch = $1";
    let rows = client.query(sql, &[&switch]).await.map_err(|e| sentence(&e))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Times in the one form that all stores share.
fn select(table: &Table) -> String {
    let columns = table.columns.iter().map(|column| match kind(column) {
        "timestamptz" => format!(
            "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')",
            quoted(column.0)
        ),
        _ => quoted(column.0),
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    format!("SELECT json_build_array({columns})::text FROM {} WHERE switch = $1", table.name)
}
