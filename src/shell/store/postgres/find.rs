//! Finished calls of one switch, found in PostgreSQL.

use super::read::Reader;
use super::schema::kind;
use crate::config::Remote;
use crate::shell::store::columns::{CALLS, LEGS, Table};
use crate::shell::store::query::Wanted;
use crate::shell::store::runtime;
use serde_json::{Value, json};

/// As `records.query` has them.
pub fn find(at: &Remote, wanted: &Wanted, limit: usize, with_legs: bool) -> Result<Value, String> {
    let work = async {
        let reader = Reader::open(at, true).await?;
        let tail = format!("{} ORDER BY id COLLATE \"C\" LIMIT {limit}", clause(wanted));
        let mut calls = objects(&reader, &CALLS, &tail, wanted.values()).await?;
        for call in calls.iter_mut().filter(|_| with_legs) {
            let id = call["id"].as_str().unwrap_or_default().to_string();
            let legs = objects(&reader, &LEGS, " AND call = $2 ORDER BY n", &[id]).await?;
            call["legs"] = json!(legs);
        }
        Ok(json!(calls))
    };
    runtime()?.block_on(work).map_err(|e: String| format!("{}: {e}", at.host))
}

/// Every call that is wanted, in the order of their ids, as a JSON object each.
pub fn each(at: &Remote, wanted: &Wanted, visit: &mut dyn FnMut(Value)) -> Result<(), String> {
    let work = async {
        let reader = Reader::open(at, true).await?;
        let tail = format!("{} ORDER BY id COLLATE \"C\"", clause(wanted));
        let mut one = |values| visit(CALLS.object(values));
        reader.values(&CALLS, &tail, wanted.values(), &mut one).await
    };
    runtime()?.block_on(work).map_err(|e| format!("{}: {e}", at.host))
}

async fn objects(
    reader: &Reader,
    table: &'static Table,
    tail: &str,
    values: &[String],
) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    let mut one = |values| found.push(table.object(values));
    reader.values(table, tail, values, &mut one).await?;
    Ok(found)
}

/// The first value is the switch's name.
fn clause(wanted: &Wanted) -> String {
    let mut given = 1;
    wanted.clause(&mut |column| {
        given += 1;
        let column = CALLS.columns.iter().find(|(name, _)| *name == column);
        match column.map(kind) {
            Some("timestamptz") => format!("${given}::text::timestamptz"),
            _ => format!("${given}"),
        }
    })
}
