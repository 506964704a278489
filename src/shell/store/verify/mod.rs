//! `pukar verify`: what the journal and the outbox know, against what a store has, row by row.
//! Every row that is missing, there twice, or other than it was written is named. It only reads, so
//! it may run beside the switch: what has not reached a store yet is on its way, not missing.

mod readers;
mod seqs;
mod truth;

pub use readers::object;
#[cfg(test)]
pub use readers::read;
pub use seqs::Ranges;
pub use truth::{Truth, cells_of};

use super::columns::{TABLES, Table};
use crate::config::{Settings, Store};
use crate::core::JOURNAL_GAP;
use std::collections::BTreeSet;
use std::fmt;

/// Findings that are named; the others are counted.
const NAMED: usize = 50;

/// What a row is in a store: its cells as text, in the order of the table's columns.
pub type Cells = Vec<String>;

/// What became of the comparison with one store.
#[derive(Debug, Default)]
pub struct Verdict {
    pub store: String,
    /// Nothing can be read back from there, and why.
    pub unread: Option<String>,
    pub tables: Vec<Counted>,
    /// Rows that the store has yet to get.
    pub on_their_way: usize,
    /// From when until when the journal was not written, as rows say: calls that came and went in
    /// it with the process are in no store, and nobody can miss them.
    pub gaps: Vec<String>,
    /// What is wrong, in words; at most [`NAMED`].
    pub named: Vec<String>,
    pub wrong: usize,
}

#[derive(Debug, Default)]
pub struct Counted {
    pub table: &'static str,
    pub rows: usize,
    /// Those that the journal or the outbox still has, and that were compared cell by cell.
    pub compared: usize,
    /// The first and the last number.
    pub seqs: Option<(u64, u64)>,
    /// Rows that were purged, with proof.
    pub purged: u64,
}

/// Compares every store of the configuration whose name holds `only`.
pub fn verify(settings: &Settings, only: &str) -> Result<Vec<Verdict>, String> {
    let chosen: Vec<&Store> =
        settings.stores.iter().filter(|store| store.place().contains(only)).collect();
    if chosen.is_empty() {
        let names: Vec<String> = settings.stores.iter().map(Store::place).collect();
        return Err(format!("no store \"{only}\": there are {}", names.join(", ")));
    }
    // What is known is read before any store: whatever a store gets meanwhile is no finding.
    let truth = Truth::read(&settings.data)?;
    let mut verdicts: Vec<Verdict> =
        chosen.into_iter().map(|store| compare(&truth, store)).collect();
    if !truth.flaws.is_empty() {
        let mut own = Verdict { store: "the outbox and the journal".into(), ..Verdict::default() };
        truth.flaws.iter().for_each(|flaw| own.say(flaw.clone()));
        verdicts.push(own);
    }
    Ok(verdicts)
}

fn compare(truth: &Truth, store: &Store) -> Verdict {
    let mut verdict = Verdict { store: store.place(), ..Verdict::default() };
    if let Store::Webhook(_) = store {
        let why = "a web server cannot be read back; its keys tell it what it has";
        verdict.unread = Some(why.into());
        return verdict;
    }
    let (pending, began) = (truth.pending(&verdict.store), truth.began(&verdict.store));
    let mut looks = TABLES.map(|table| Look::new(table, truth));
    let read = readers::read(store, &mut |table, cells| {
        let at = TABLES.iter().position(|known| known.name == table.name);
        looks[at.unwrap_or(0)].take(cells, &mut verdict);
    });
    let purged = read.and_then(|()| readers::purged(store, &mut |flaw| verdict.say(flaw)));
    match purged {
        Ok(purged) => {
            for ((look, purged), began) in looks.into_iter().zip(purged).zip(began) {
                let is_kept = readers::is_kept(store);
                look.finish(purged, (&pending, began, is_kept), &mut verdict);
            }
        }
        Err(why) => verdict.say(format!("cannot be read: {why}")),
    }
    verdict
}

/// One table of a store, as it is gone through.
struct Look<'t> {
    table: &'static Table,
    truth: &'t truth::Rows,
    seen: BTreeSet<String>,
    seqs: Vec<u64>,
    compared: usize,
}

impl<'t> Look<'t> {
    fn new(table: &'static Table, truth: &'t Truth) -> Self {
        let truth = truth.rows(table);
        Self { table, truth, seen: BTreeSet::new(), seqs: Vec::new(), compared: 0 }
    }

    fn take(&mut self, cells: Cells, verdict: &mut Verdict) {
        let key = self.table.key_of(&cells);
        if !self.seen.insert(key.clone()) {
            return verdict.say(format!("{} {key} is there twice", self.table.name));
        }
        self.seqs.extend(self.table.seq_of(&cells));
        if self.table.cell(&cells, "state") == JOURNAL_GAP {
            let [from, until, why] =
                ["from_at", "until_at", "reason"].map(|name| self.table.cell(&cells, name));
            verdict.gaps.push(format!("{from} to {until}: {why}"));
        }
        let Some(known) = self.truth.get(&key) else { return };
        self.compared += 1;
        let differs = self.table.columns.iter().zip(known.iter().zip(&cells));
        let differs: Vec<String> = differs
            .filter(|(_, (known, found))| known != found)
            .map(|((name, _), (known, found))| format!("{name} is \"{found}\", not \"{known}\""))
            .collect();
        if !differs.is_empty() {
            verdict.say(format!("{} {key} differs: {}", self.table.name, differs.join(", ")));
        }
    }

    /// `began`: the first number that the store was to have; `is_kept`: it has them for ever, or a
    /// purge has left proof.
    fn finish(
        mut self,
        mut purged: Ranges,
        (pending, began, is_kept): (&BTreeSet<String>, Option<u64>, bool),
        verdict: &mut Verdict,
    ) {
        let own = purged.count();
        // What was too old before the store had it is not missing either.
        purged.join(self.truth.never_came_to(&verdict.store));
        let mut missing = BTreeSet::new();
        for (key, cells) in self.truth.iter().filter(|(key, _)| !self.seen.contains(*key)) {
            let seq = self.table.seq_of(cells);
            if seq.or_else(|| self.truth.call_of(key)) < began {
                continue;
            }
            missing.extend(seq);
            if pending.contains(key) {
                verdict.on_their_way += usize::from(self.table.has_seq());
            } else if !self.is_purged(key, seq, &purged) {
                let name = self.table.name;
                let number = seq.map_or(String::new(), |seq| format!(", number {seq},"));
                verdict.say(format!("{name} {key}{number} is missing"));
            }
        }
        self.seqs.sort_unstable();
        if let Some(began) = began.filter(|_| is_kept)
            && let Some(until) = self.seqs.iter().chain(&missing).min()
            && let Some(first) = (began..*until).find(|n| !purged.holds(*n))
        {
            let (name, last) = (self.table.name, until - 1);
            verdict.say(format!(
                "{name}: it began with number {began}, and {first} to {last} are gone"
            ));
        }
        for pair in self.seqs.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            if before == after {
                verdict.say(format!("{}: number {after} is there twice", self.table.name));
            }
            let gap = (before + 1..after).find(|n| !purged.holds(*n) && !missing.contains(n));
            if let Some(first) = gap {
                let last = after - 1;
                let name = self.table.name;
                verdict.say(format!("{name}: nobody knows of numbers {first} to {last}"));
            }
        }
        verdict.tables.push(Counted {
            table: self.table.name,
            rows: self.seen.len(),
            compared: self.compared,
            seqs: self.seqs.first().copied().zip(self.seqs.last().copied()),
            purged: own,
        });
    }

    /// Legs go with their call, whose number is not theirs: without it nobody expects them.
    fn is_purged(&self, key: &str, seq: Option<u64>, purged: &Ranges) -> bool {
        match seq {
            Some(seq) => purged.holds(seq),
            None => self.truth.call_of(key).is_some_and(|seq| purged.holds(seq)),
        }
    }
}

impl Verdict {
    fn say(&mut self, what: String) {
        self.wrong += 1;
        if self.named.len() < NAMED {
            self.named.push(what);
        }
    }

    pub fn is_good(&self) -> bool {
        self.wrong == 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.store)?;
        if let Some(why) = &self.unread {
            return writeln!(f, "  {why}");
        }
        for Counted { table, rows, compared, seqs, purged } in &self.tables {
            write!(f, "  {table}: {rows} rows")?;
            if let Some((first, last)) = seqs {
                write!(f, ", numbers {first} to {last}")?;
            }
            write!(f, ", {compared} compared with the journal")?;
            if *purged > 0 {
                write!(f, ", {purged} purged")?;
            }
            writeln!(f)?;
        }
        if self.on_their_way > 0 {
            writeln!(f, "  {} more are on their way", self.on_their_way)?;
        }
        for gap in &self.gaps {
            writeln!(
                f,
                "  GAP: {gap}; of calls that came and went meanwhile there may be no record"
            )?;
        }
        for what in &self.named {
            writeln!(f, "  WRONG: {what}")?;
        }
        if self.wrong > self.named.len() {
            writeln!(f, "  and {} more", self.wrong - self.named.len())?;
        }
        if self.is_good() {
            writeln!(f, "  nothing missing, nothing twice, nothing different")
        } else {
            Ok(())
        }
    }
}
