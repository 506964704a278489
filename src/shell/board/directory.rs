//! The directory as the board shows it: who is listed, who would be called, whose number fails.

use super::fold::Board;
use crate::acd::Calendar;
use crate::base::Now;
use crate::call::Entry;
use serde_json::{Value, json};

impl Board {
    /// Everybody, or with an address such as `ALI/RRT/1` those who would be called, in order; of
    /// the districts that `sees` lets through.
    pub fn directory_list(
        &self,
        address: &str,
        now: Now,
        sees: &dyn Fn(&str) -> bool,
    ) -> Result<Value, String> {
        let (directory, today) = (&self.names.directory, Calendar::new(&self.names.roster));
        let today = today.date(now.wall).unwrap_or_default();
        let entries = match address {
            "" => directory.entries.iter().collect(),
            address => directory.hunt(address, &self.names.districts, today)?,
        };
        let entries = entries.into_iter().filter(|entry| sees(&entry.district));
        let entries: Vec<Value> =
            entries.map(|entry| self.entry(entry, entry.is_valid(today))).collect();
        Ok(json!({
            "entries": entries,
            "refused": directory.refused,
            "refused_count": directory.refused_count,
        }))
    }

    /// Those whose number was not reached three times in a row.
    pub fn directory_stale(&self, now: Now, sees: &dyn Fn(&str) -> bool) -> Value {
        let today = Calendar::new(&self.names.roster).date(now.wall).unwrap_or_default();
        let stale = |entry: &&Entry| self.failures.is_stale(&entry.number) && sees(&entry.district);
        let entries = self.names.directory.entries.iter().filter(stale);
        entries.map(|entry| self.entry(entry, entry.is_valid(today))).collect()
    }

    fn entry(&self, entry: &Entry, valid: bool) -> Value {
        let mut row = json!(entry);
        row["valid"] = valid.into();
        row["failures"] = self.failures.of(&entry.number).into();
        row
    }
}
