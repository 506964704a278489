//! Purging the rows of one switch from PostgreSQL.

use super::{Books, Proof};
use crate::config::Remote;
use crate::shell::store::columns::{CALLS, Table};
use crate::shell::store::postgres::{Postgres, Reader, sentence};
use crate::shell::store::runtime;
use crate::shell::store::verify::Cells;
use tokio::runtime::Runtime;

pub struct Database {
    runtime: Runtime,
    reader: Reader,
}

impl Database {
    pub fn open(at: &Remote) -> Result<Self, String> {
        // It has its tables after this, whatever version wrote them.
        drop(Postgres::open(at)?);
        let runtime = runtime()?;
        let reader = runtime.block_on(Reader::open(at, false))?;
        Ok(Self { runtime, reader })
    }
}

impl Books for Database {
    fn older(
        &mut self,
        table: &'static Table,
        before: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Cells>, String> {
        let (reader, mut rows) = (&self.reader, Vec::new());
        let tail =
            format!("AND {} < '{before}' AND seq > {after} ORDER BY seq LIMIT {limit}", table.time);
        self.runtime.block_on(reader.read(table, &tail, &mut |_, cells| rows.push(cells)))?;
        Ok(rows)
    }

    fn remove(
        &mut self,
        table: &'static Table,
        rows: &[Cells],
        proof: &Proof,
    ) -> Result<(), String> {
        let Reader { client, switch } = &mut self.reader;
        let key = if table.name == CALLS.name { "id" } else { "seq" };
        let keys: Vec<&str> = rows.iter().map(|row| table.cell(row, key)).collect();
        let count = proof.count as i64;
        let work = async {
            let transaction = client.transaction().await?;
            let own: &(dyn tokio_postgres::types::ToSql + Sync) = switch;
            if table.name == CALLS.name {
                for sql in [
                    "DELETE FROM legs WHERE switch = $1 AND call = ANY($2)",
                    "DELETE FROM calls WHERE switch = $1 AND id = ANY($2)",
                ] {
                    transaction.execute(sql, &[own, &keys]).await?;
                }
            } else {
                let sql = "DELETE FROM agent_states WHERE switch = $1 AND seq::text = ANY($2)";
                transaction.execute(sql, &[own, &keys]).await?;
            }
            let sql = "INSERT INTO purges (switch, purged_at, purged_by, table_name, what, count, \
                       seqs, digest) VALUES ($1, $2::text::timestamptz, $3, $4, $5, $6, $7, $8)";
            let Proof { at, by, what, seqs, digest, .. } = proof;
            let values: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
                [own, at, by, &table.name, what, &count, seqs, digest];
            transaction.execute(sql, &values).await?;
            transaction.commit().await
        };
        self.runtime.block_on(work).map_err(|e| sentence(&e))
    }
}
