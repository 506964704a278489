//! Closing the books of a journal that cannot be replayed, by the notes that any version reads.

use super::files::{self, Loaded};
use crate::base::{Now, Wall};
use crate::call::{EndedBy, Outcome};
use crate::core::journal::{self, Header, Kind, Note, Numbers, Over};
use crate::core::{AgentStateRow, CallRecord, JOURNAL_GAP, Kept, Row, Wanted};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Added to the number of the last fact that is known: what came after it had numbers too, and
/// none is given twice.
const FACTS_SKIPPED: u64 = 1_000_000;

/// What is left to do.
pub struct Salvaged {
    /// Rows for the outbox, in their order.
    pub rows: Vec<Row>,
    /// How many of them are calls that nobody can go on with.
    pub recovered: usize,
    /// Where the next switch counts on.
    pub numbers: Numbers,
    /// What it goes on with all the same.
    pub kept: Vec<Kept>,
}

/// What the notes say.
#[derive(Default)]
struct Books {
    live: BTreeMap<String, (CallRecord, bool)>,
    calls: BTreeMap<u64, CallRecord>,
    states: BTreeMap<u64, Row>,
    numbers: Numbers,
    /// By the number that each is about.
    blocks: BTreeMap<String, Kept>,
    /// The same, and which was noted first.
    wanted: BTreeMap<String, (usize, Wanted)>,
    noted: usize,
    /// Since the last whole snapshot something was written nowhere, or is not there any more, and
    /// no row has said so.
    gap: bool,
}

/// `known`: the newest rows of the outbox, and the last numbers in it; `now`: when this is done.
pub fn salvage(
    dir: &Path,
    (segments, snapshots): (&[u64], &[u64]),
    (known, last): (&[Row], (u64, u64)),
    now: Wall,
) -> Salvaged {
    let mut books = Books::default();
    // In the order in which things were written: a segment begins with its snapshot.
    let snapshot = |n: &u64| (*n, files::snapshot_or_leading(dir, *n));
    let mut files: Vec<_> = snapshots.iter().map(snapshot).collect();
    files.extend(segments.iter().map(|n| (*n, files::segment(dir, *n))));
    files.sort_by_key(|(number, path)| (*number, path.extension().is_some_and(|e| e == "events")));
    for (number, path) in files {
        match Loaded::open(&path) {
            Ok(loaded) if is_whole_snapshot(&loaded, number) => {
                // It has a note of everybody alive: who is not in it was gone by then, though that
                // may have been written nowhere, in a gap.
                books.live.clear();
                books.blocks.clear();
                books.wanted.clear();
                // Its segment was never begun, and what others hold is of after a gap.
                books.gap = !segments.contains(&number);
                books.read(&loaded, number);
            }
            Ok(loaded) => {
                let is_last = segments.last() == Some(&number);
                let has_gap = |header: Header| header.gap || header.followed && is_last;
                books.gap |= loaded.header.is_ok_and(has_gap);
                books.read(&loaded, number);
            }
            Err(error) => {
                books.gap = true;
                tracing::error!("{} cannot be read: {error}", path.display());
            }
        }
    }
    books.gap |= segments.last() < snapshots.last();
    books.close(known, last, now)
}

fn is_whole_snapshot(loaded: &Loaded, number: u64) -> bool {
    let mut entries = loaded.entries(number);
    let has_memory = entries.by_ref().fold(false, |has, (kind, _)| has | (kind == Kind::Memory));
    has_memory && !entries.is_cut_short()
}

impl Books {
    fn read(&mut self, loaded: &Loaded, number: u64) {
        let mut entries = loaded.entries(number);
        loop {
            for (kind, payload) in &mut entries {
                if kind == Kind::Note
                    && let Some(note) = journal::read_note(payload)
                {
                    self.note(note);
                }
            }
            if !entries.skip_damage() {
                return;
            }
            self.gap = true;
        }
    }

    fn note(&mut self, note: Note) {
        match note {
            Note::Live(record) => {
                self.live.insert(record.id.clone(), (*record, false));
            }
            Note::Ended(record) => {
                self.live.insert(record.id.clone(), (*record, true));
            }
            Note::Row(row) => match *row {
                Row::Call(record) => {
                    self.live.remove(&record.id);
                    self.calls.insert(record.seq, record);
                }
                Row::AgentState(state) => {
                    self.gap &= state.state != JOURNAL_GAP;
                    self.states.insert(state.seq, Row::AgentState(state));
                }
            },
            Note::Numbers(numbers) => self.numbers = numbers,
            Note::Kept(kept) => match *kept {
                Kept::Block { ref number, .. } => {
                    self.blocks.insert(number.clone(), *kept);
                }
                Kept::Wanted(wanted) => {
                    self.noted += 1;
                    let known = self.wanted.get(&wanted.number);
                    let since = known.map_or(self.noted, |(since, _)| *since);
                    self.wanted.insert(wanted.number.clone(), (since, wanted));
                }
            },
            Note::Over(Over::Block(number)) => drop(self.blocks.remove(&number)),
            Note::Over(Over::Wanted(number)) => drop(self.wanted.remove(&number)),
            Note::Made(_) => {}
        }
    }

    fn close(mut self, known: &[Row], (calls, states): (u64, u64), now: Wall) -> Salvaged {
        self.gap |= self.numbers.calls < calls || self.numbers.states < states;
        let written = known.iter().filter_map(|row| match row {
            Row::Call(record) => Some(record.id.clone()),
            Row::AgentState(_) => None,
        });
        let mut written: BTreeSet<String> = written.collect();
        let missing = self.calls.split_off(&(calls + 1));
        written.extend(missing.values().map(|record| record.id.clone()));
        // A number that was given is not given again, though its row is nowhere any more.
        let seq = missing.keys().next_back().copied().unwrap_or(calls);
        let mut seq = seq.max(self.numbers.calls);
        let states_missing = self.states.split_off(&(states + 1));
        let states = states_missing.keys().next_back().copied().unwrap_or(states);
        let mut rows: Vec<Row> = missing.into_values().map(Row::Call).collect();
        rows.extend(states_missing.into_values());
        let mut recovered = 0;
        self.live.retain(|id, _| !written.contains(id));
        for (record, ended) in self.live.into_values() {
            seq += 1;
            recovered += usize::from(!ended);
            let mut record = if ended { record } else { close(record, self.numbers.at) };
            if self.gap {
                record.flag(JOURNAL_GAP);
            }
            rows.push(Row::Call(CallRecord { seq, ..record }));
        }
        let facts = self.numbers.facts + FACTS_SKIPPED;
        let mut states = states.max(self.numbers.states);
        if self.gap {
            states += 1;
            let from = self.numbers.at.wall;
            let why = "something is missing in the journal";
            rows.push(Row::AgentState(AgentStateRow::gap(states, why, (from, now))));
        }
        let numbers = Numbers { facts, calls: seq, states, at: self.numbers.at };
        let mut wanted: Vec<_> = self.wanted.into_values().collect();
        wanted.sort_by_key(|(noted, _)| *noted);
        let wanted = wanted.into_iter().map(|(_, wanted)| Kept::Wanted(wanted));
        let kept = self.blocks.into_values().chain(wanted).collect();
        Salvaged { rows, recovered, numbers, kept }
    }
}

/// The end of a call that nobody saw: the last that was heard of anything.
fn close(record: CallRecord, last: Now) -> CallRecord {
    let ended_at = last.wall.max(record.arrived_at);
    let since = |at: crate::base::Wall| (ended_at.millis() - at.millis()).max(0) as u64;
    let talked = record.connected_at.map_or(0, since);
    let waited = since(record.arrived_at).saturating_sub(talked);
    let mut legs = record.legs.clone();
    legs.iter_mut().for_each(|leg| leg.closed_at = leg.closed_at.or(Some(ended_at)));
    CallRecord {
        outcome: match record.connected_at {
            Some(_) => Outcome::Answered,
            None => Outcome::Failed,
        },
        ended_by: EndedBy::Recovered,
        ended_at,
        talk_ms: talked,
        wait_ms: if record.wait_ms > 0 { record.wait_ms } else { waited },
        legs,
        ..record
    }
}
