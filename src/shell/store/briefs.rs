//! Records one by one, as much of each as a report needs.

use super::query::open;
use rusqlite::params_from_iter;
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
    database: &Path,
    (since, until): (&str, &str),
    within: Option<&Within>,
    mut each: impl FnMut(Brief),
) -> Result<(), String> {
    let mut values = vec![since.to_string(), until.to_string()];
    let mut clause = String::new();
    if let Some((queues, districts)) = within {
        let marks = |names: &[String]| vec!["?"; names.len()].join(", ");
        let (queue, district) = (marks(queues), marks(districts));
        clause = format!(" AND (queue IN ({queue}) OR district IN ({district}))");
        values.extend(queues.iter().chain(districts).cloned());
    }
    let sql = format!(
        "SELECT direction, arrived_at, line, trunk, district, queue, category, outcome, wait_ms, \
         talk_ms, hold_ms, wrap_ms, transfers FROM calls WHERE arrived_at >= ? AND arrived_at < \
         ?{clause} ORDER BY id"
    );
    let mut read = || -> rusqlite::Result<()> {
        let connection = open(database)?;
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query(params_from_iter(&values))?;
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
