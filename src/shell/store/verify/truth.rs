//! What is known of rows outside of the stores: the notes of the journal, and the outbox.

use super::{Cells, Ranges};
use crate::core::Row;
use crate::shell::journal;
use crate::shell::store::columns::{self, AGENT_STATES, CALLS, LEGS, TABLES, Table};
use crate::shell::store::outbox::{self, Position};
use crate::shell::store::places::file_name;
use crate::shell::store::purge;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rows of a table by their keys.
#[derive(Default)]
pub struct Rows {
    rows: BTreeMap<String, Cells>,
    /// The numbers of calls, for their legs.
    calls: BTreeMap<String, u64>,
    /// Those that were purged of the outbox, whether a store had them or not; legs by their calls.
    purged: Ranges,
    /// The same proof by proof: of these those that a store had not got yet, by the name of its
    /// cursor, and all.
    never_came: Vec<(BTreeMap<String, Ranges>, Ranges)>,
}

pub struct Truth {
    tables: [Rows; 3],
    outbox: PathBuf,
    /// Where the outbox ended when it was read, and the last numbers in it.
    end: Position,
    last: (u64, u64),
    /// What is wrong between the journal and the outbox, in words.
    pub flaws: Vec<String>,
    /// How far each store had come before anything was read.
    cursors: BTreeMap<String, Position>,
    /// The first numbers that each was to have.
    began: BTreeMap<String, (u64, u64)>,
}

impl Truth {
    /// `data`: the folder of the switch, which may be running.
    pub fn read(data: &Path) -> Result<Self, String> {
        let outbox = data.join("outbox");
        let sentence = |e: std::io::Error| format!("{}: {e}", outbox.display());
        let cursors = outbox::cursors(&outbox).map_err(sentence)?;
        let began = outbox::beginnings(&outbox).map_err(sentence)?;
        let end = outbox::extent(&outbox).map_err(sentence)?;
        let tables = [Rows::default(), Rows::default(), Rows::default()];
        let (outbox_at, last, flaws) = (outbox.clone(), (0, 0), Vec::new());
        let mut truth = Self { tables, outbox: outbox_at, end, last, flaws, cursors, began };
        let own = data.join("journal");
        for dir in journal::asides(&own).into_iter().chain([own]) {
            journal::rows(&dir, &mut |row| truth.add(&row))
                .map_err(|e| format!("{}: {e}", dir.display()))?;
        }
        let mut flaws = Vec::new();
        let tell = &mut |flaw| flaws.push(flaw);
        let (from, all) = (Position::default(), usize::MAX);
        let rows = outbox::read_and_tell(&outbox, from, end, all, tell).map_err(sentence)?.0;
        for proof in purge::blotted(data, &mut |flaw| flaws.push(flaw))? {
            let Some((table, seqs)) = purge::table_and_numbers(&proof) else { continue };
            let Some(ranges) = Ranges::read(&seqs) else {
                flaws.push(format!("a proof names no numbers: \"{seqs}\""));
                continue;
            };
            let last = if table == CALLS.name { &mut truth.last.0 } else { &mut truth.last.1 };
            *last = ranges.last().unwrap_or(0).max(*last);
            for (known, rows) in TABLES.iter().zip(&mut truth.tables) {
                if known.name == table || (known.name == LEGS.name && table == CALLS.name) {
                    rows.purged.join(ranges.clone());
                    rows.never_came.push((purge::never_came(&proof), ranges.clone()));
                }
            }
        }
        truth.flaws = flaws;
        truth.compare(&rows);
        for row in rows {
            match &row {
                Row::Call(call) => truth.last.0 = truth.last.0.max(call.seq),
                Row::AgentState(state) => truth.last.1 = truth.last.1.max(state.seq),
            }
            truth.add(&row);
        }
        Ok(truth)
    }

    /// The rows of the outbox against those of the journal, as far as both go back: in both each
    /// row is the same, and none is missing in the outbox between those that it has.
    fn compare(&mut self, rows: &[Row]) {
        let mut seen: [BTreeSet<u64>; 3] = Default::default();
        for (table, cells) in rows.iter().flat_map(cells_of) {
            let at = TABLES.iter().position(|known| known.name == table.name).unwrap_or(0);
            let key = table.key_of(&cells);
            seen[at].extend(table.seq_of(&cells));
            if self.tables[at].rows.get(&key).is_some_and(|noted| *noted != cells) {
                self.flaws.push(format!("{} {key}: the outbox has it otherwise", table.name));
            }
        }
        for (table, (seen, known)) in TABLES.iter().zip(seen.iter().zip(&self.tables)) {
            let (Some(first), Some(last)) = (seen.first(), seen.last()) else { continue };
            let noted = known.rows.values().filter_map(|cells| table.seq_of(cells));
            let missing = noted.filter(|n| {
                (first..=last).contains(&n) && !seen.contains(n) && !known.purged.holds(*n)
            });
            let missing =
                missing.map(|n| format!("{} number {n} is not in the outbox", table.name));
            self.flaws.extend(missing);
        }
    }

    pub fn rows(&self, table: &Table) -> &Rows {
        let at = TABLES.iter().position(|known| known.name == table.name);
        &self.tables[at.unwrap_or(0)]
    }

    /// The first number that a store was to have of each table, legs by their calls; `None` where
    /// nobody has noted it.
    pub fn began(&self, store: &str) -> [Option<u64>; 3] {
        let began = self.began.get(&file_name(store));
        let (calls, states) = began.copied().unzip();
        [calls, calls, states]
    }

    fn add(&mut self, row: &Row) {
        for (table, cells) in cells_of(row) {
            let at = TABLES.iter().position(|known| known.name == table.name).unwrap_or(0);
            if let Row::Call(call) = row {
                self.tables[at].calls.insert(call.id.clone(), call.seq);
            }
            self.tables[at].rows.insert(table.key_of(&cells), cells);
        }
    }

    /// The keys of the rows that a store is not to be blamed for: they have not been brought to it,
    /// or not even to the outbox.
    pub fn pending(&self, store: &str) -> BTreeSet<String> {
        let from = self.cursors.get(&file_name(store)).copied().unwrap_or_default();
        let waiting = outbox::read(&self.outbox, from, self.end, usize::MAX);
        let mut keys: BTreeSet<String> = waiting
            .map(|(rows, _)| rows)
            .unwrap_or_default()
            .iter()
            .flat_map(cells_of)
            .map(|(table, cells)| table.key_of(&cells))
            .collect();
        for (at, last) in [(0, self.last.0), (2, self.last.1)] {
            let later = |cells: &Cells| TABLES[at].seq_of(cells).is_some_and(|seq| seq > last);
            let rows = self.tables[at].rows.iter().filter(|(_, cells)| later(cells));
            keys.extend(rows.map(|(key, _)| key.clone()));
        }
        let legs = self.tables[1].rows.keys();
        keys.extend(legs.filter(|key| self.tables[1].call_of(key) > Some(self.last.0)).cloned());
        keys
    }
}

impl Rows {
    pub fn get(&self, key: &str) -> Option<&Cells> {
        self.rows.get(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&String, &Cells)> {
        self.rows.iter()
    }

    /// What was purged on its way to a store; for one that was not there yet, all that was.
    pub fn never_came_to(&self, store: &str) -> Ranges {
        let name = file_name(store);
        Ranges::all_of(self.never_came.iter().map(|(named, all)| named.get(&name).unwrap_or(all)))
    }

    /// The number of the call that a leg is of.
    pub fn call_of(&self, key: &str) -> Option<u64> {
        self.calls.get(key.split('/').next()?).copied()
    }
}

/// A row as the tables have it.
pub fn cells_of(row: &Row) -> Vec<(&'static Table, Cells)> {
    match row {
        Row::Call(call) => {
            let own = (&CALLS, columns::text_of(&columns::of_call(call)));
            let legs = call.legs.iter().enumerate();
            let legs = legs.map(|(n, leg)| columns::of_leg(&call.id, n + 1, leg));
            let legs = legs.map(|values| (&LEGS, columns::text_of(&values)));
            std::iter::once(own).chain(legs).collect()
        }
        Row::AgentState(state) => {
            vec![(&AGENT_STATES, columns::text_of(&columns::of_agent_state(state)))]
        }
    }
}
