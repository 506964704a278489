//! `pukar replay`: goes through a journal with the same core, and compares. Two switches handle
//! every event side by side and must command and tell the same, byte for byte; the rows must be
//! those that were written; and at the end of a segment the switch must be the one in the next
//! snapshot. What a live switch did is thereby proven to follow from what came in.

use super::files;
use super::recover::open;
use crate::base::Now;
use crate::core::journal::{self, Kind, Memory, Note};
use crate::core::{Command, Event, Out, Row, Switch};
use std::collections::VecDeque;
use std::fmt;
use std::path::Path;

/// What a replay came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    pub segments: u64,
    pub events: u64,
    pub commands: u64,
    pub facts: u64,
    pub calls: u64,
    /// Rows that were compared with what the live switch wrote, and snapshots likewise.
    pub rows: u64,
    pub snapshots: u64,
    /// What it ended with, if that was not the end of the journal.
    pub note: String,
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segments, events, commands, facts, calls, rows, snapshots, note } = self;
        write!(
            f,
            "{segments} segments, {events} events: {commands} commands and {facts} facts, the \
             same both times\n{calls} calls; {rows} rows and {snapshots} snapshots as the live \
             switch wrote them"
        )?;
        if note.is_empty() { Ok(()) } else { write!(f, "\n{note}") }
    }
}

/// Goes through the journal in `path`, a folder of segments or one of them. An error is the first
/// difference, or why nothing could be gone through.
pub fn audit(path: &Path) -> Result<Audit, String> {
    let (dir, only) = match path.is_file() {
        true => (path.parent().unwrap_or(Path::new(".")), Some(number_of(path)?)),
        false => (path, None),
    };
    let list = files::list(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let (segments, snapshots) = list;
    let begins = |number: &u64| only.is_none_or(|only| only == *number);
    let first = segments.iter().copied().filter(begins).find(|n| snapshots.contains(n));
    let first = first
        .ok_or_else(|| format!("{}: there is no segment here with its snapshot", dir.display()))?;
    let last = only.or(segments.last().copied()).unwrap_or(first);
    let mut pair = Pair::load(dir, first)?;
    for number in first..=last {
        if number > first && snapshots.contains(&number) {
            pair.compare_with(dir, number)?;
        }
        if !pair.through(dir, number, number == first)? {
            break;
        }
    }
    if only.is_some() && snapshots.contains(&(last + 1)) {
        pair.compare_with(dir, last + 1)?;
    }
    Ok(pair.audit)
}

fn number_of(path: &Path) -> Result<u64, String> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let number = stem.and_then(|stem| stem.parse().ok());
    number.ok_or_else(|| format!("{}: this is no segment of a journal", path.display()))
}

/// Two switches that must not differ.
struct Pair {
    switches: [Switch; 2],
    /// Rows that came out and are yet to be compared with what was noted.
    rows: VecDeque<Row>,
    audit: Audit,
}

impl Pair {
    fn load(dir: &Path, number: u64) -> Result<Self, String> {
        let switches =
            [Switch::remember(memory(dir, number)?), Switch::remember(memory(dir, number)?)];
        Ok(Self { switches, rows: VecDeque::new(), audit: Audit::default() })
    }

    /// False: the journal breaks off here, or has a gap.
    fn through(&mut self, dir: &Path, number: u64, is_first: bool) -> Result<bool, String> {
        let path = files::segment(dir, number);
        let loaded = open(&path).map_err(|broken| format!("segment {number} {broken}"))?;
        let follows = loaded.header.is_ok_and(|header| header.follows);
        if !is_first && !follows {
            self.audit.note = format!("something is missing before segment {number}");
            return Ok(false);
        }
        self.audit.segments += 1;
        let mut entries = loaded.entries(number);
        for (entry, (kind, payload)) in (&mut entries).enumerate() {
            let place = || format!("segment {number}, entry {entry}");
            match kind {
                Kind::Batch => {
                    let (now, batch) = journal::read_batch(payload)
                        .ok_or_else(|| format!("{}: no event", place()))?;
                    for event in batch {
                        self.handle(now, event).map_err(|what| format!("{}: {what}", place()))?;
                    }
                }
                Kind::Note => {
                    let note = journal::read_note(payload);
                    if let Some(Note::Row(row)) = note {
                        self.compare_row(*row).map_err(|what| format!("{}: {what}", place()))?;
                    }
                }
                Kind::Memory | Kind::Fold | Kind::Shape => {}
            }
        }
        if entries.is_cut_short() {
            let at = entries.at();
            self.audit.note = format!("segment {number} cannot be read beyond octet {at}");
            return Ok(false);
        }
        Ok(true)
    }

    fn handle(&mut self, now: Now, event: Event) -> Result<(), String> {
        let mut outs = [Out::default(), Out::default()];
        for (switch, out) in self.switches.iter_mut().zip(&mut outs) {
            switch.handle(now, event.clone(), out);
        }
        let [one, other] = outs;
        if one != other {
            return Err(first_difference(&event, &one, &other));
        }
        self.audit.events += 1;
        self.audit.commands += one.commands.len() as u64;
        self.audit.facts += one.facts.len() as u64;
        self.rows.extend(one.commands.into_iter().filter_map(|command| match command {
            Command::Store(row) => Some(*row),
            _ => None,
        }));
        Ok(())
    }

    fn compare_row(&mut self, written: Row) -> Result<(), String> {
        // A process that dies between an event and the note about it leaves out what came of it.
        let made = self.rows.iter().position(|row| name_of(row) == name_of(&written));
        let made = made.and_then(|at| self.rows.drain(..=at).next_back());
        self.audit.rows += 1;
        self.audit.calls += u64::from(matches!(written, Row::Call(_)));
        match made {
            Some(made) if made == written => Ok(()),
            made => Err(format!("the live switch wrote {written:?}, and this one {made:?}")),
        }
    }

    fn compare_with(&mut self, dir: &Path, number: u64) -> Result<(), String> {
        self.audit.snapshots += 1;
        match self.switches[0].state() == &memory(dir, number)?.state {
            true => Ok(()),
            false => Err(format!("before segment {number}: the switch is not the one it was")),
        }
    }
}

/// What kind of row it is, and its number.
fn name_of(row: &Row) -> (bool, u64) {
    match row {
        Row::Call(call) => (true, call.seq),
        Row::AgentState(state) => (false, state.seq),
    }
}

pub(super) fn memory(dir: &Path, number: u64) -> Result<Memory, String> {
    let loaded = open(&files::snapshot(dir, number));
    let loaded = loaded.map_err(|broken| format!("snapshot {number} {broken}"))?;
    let found = loaded.entries(number).find(|(kind, _)| *kind == Kind::Memory);
    let memory = found.and_then(|(_, payload)| journal::read(payload));
    memory.ok_or_else(|| format!("snapshot {number} is damaged"))
}

fn first_difference(event: &Event, one: &Out, other: &Out) -> String {
    let commands = one.commands.iter().zip(&other.commands).position(|(a, b)| a != b);
    let facts = one.facts.iter().zip(&other.facts).position(|(a, b)| a != b);
    let what = match (commands, facts) {
        (Some(n), _) => format!("{:?} and {:?}", one.commands[n], other.commands[n]),
        (None, Some(n)) => format!("{:?} and {:?}", one.facts[n], other.facts[n]),
        (None, None) => "one says more than the other".into(),
    };
    format!("the same event gives two things.\nthe event: {event:?}\nwhat it gives: {what}")
}
