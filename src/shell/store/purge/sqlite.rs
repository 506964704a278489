//! Purging SQLite: what is deleted is overwritten in the file.

use super::{Books, Proof};
use crate::shell::store::columns::{CALLS, Table, text_of};
use crate::shell::store::verify::Cells;
use crate::shell::store::{Sqlite, query};
use rusqlite::{Connection, params};
use std::path::Path;
use std::time::Duration;

pub struct Database {
    connection: Connection,
}

impl Database {
    pub fn open(path: &Path) -> Result<Self, String> {
        if !path.exists() {
            return Err("there is no such file".into());
        }
        // It has its tables after this, whatever version wrote it.
        drop(Sqlite::open(path)?);
        let open = || {
            let connection = Connection::open(path)?;
            connection.busy_timeout(Duration::from_secs(30))?;
            connection.pragma_update(None, "secure_delete", "ON")?;
            Ok(Self { connection })
        };
        open().map_err(|e: rusqlite::Error| e.to_string())
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
        let time = table.time;
        let tail = format!("WHERE \"{time}\" < ?1 AND seq > {after} ORDER BY seq LIMIT {limit}");
        let rows = query::values(&self.connection, table, &tail, &[&before.to_string()]);
        let rows = rows.map_err(|e| e.to_string())?;
        Ok(rows.iter().map(|values| text_of(values)).collect())
    }

    fn remove(
        &mut self,
        table: &'static Table,
        rows: &[Cells],
        proof: &Proof,
    ) -> Result<(), String> {
        let mut all = || {
            let transaction = self.connection.transaction()?;
            for row in rows {
                if table.name == CALLS.name {
                    let id = table.cell(row, "id");
                    let mut legs = transaction.prepare_cached("DELETE FROM legs WHERE call = ?")?;
                    legs.execute([id])?;
                    let mut calls = transaction.prepare_cached("DELETE FROM calls WHERE id = ?")?;
                    calls.execute([id])?;
                } else {
                    let sql =
                        "DELETE FROM agent_states WHERE agent = ? AND from_at = ? AND seq = ?";
                    let cells = ["agent", "from_at", "seq"].map(|name| table.cell(row, name));
                    transaction.prepare_cached(sql)?.execute(cells)?;
                }
            }
            transaction.execute(
                "INSERT INTO purges (purged_at, purged_by, table_name, what, count, seqs, digest) \
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
                params![
                    proof.at,
                    proof.by,
                    table.name,
                    proof.what,
                    proof.count as i64,
                    proof.seqs,
                    proof.digest
                ],
            )?;
            transaction.commit()
        };
        all().map_err(|e: rusqlite::Error| e.to_string())
    }
}
