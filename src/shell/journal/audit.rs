//! `pukar replay`: goes through a journal with the same core, and compares. Two switches handle
//! every event side by side and must command and tell the same, byte for byte, and what the live
//! switch did, of which a digest is noted with every batch; the rows must be those that were
//! written; and at the end of a segment the switch must be the one in the next snapshot. What a
//! live switch did is thereby proven to follow from what came in.

use super::files;
use super::poison::{self, Broken, Poison, Position, leaving_out};
use super::recover::open;
use super::walk::{follows, memory};
use crate::base::Now;
use crate::core::journal::{self, Kind, Made, Maker, Note};
use crate::core::{Command, Event, Out, Row, Switch};
use crate::shell::stamp::rfc3339;
use crate::wire::sdp::without_keys;
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
    /// Batches of which the live switch has noted what came of them, and it is the same.
    pub batches: u64,
    /// Rows that were compared with what the live switch wrote, and snapshots likewise.
    pub rows: u64,
    pub snapshots: u64,
    /// What was not gone through, and why; a line each.
    pub notes: Vec<String>,
    /// Something that this core wrote is missing.
    pub incomplete: bool,
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segments, events, commands, facts, calls, .. } = self;
        let Self { batches, rows, snapshots, notes, .. } = self;
        write!(
            f,
            "{segments} segments, {events} events: {commands} commands and {facts} facts, the \
             same both times\n{calls} calls; what the live switch commanded and told in {batches} \
             batches, {rows} rows and {snapshots} snapshots are the same"
        )?;
        notes.iter().try_for_each(|note| write!(f, "\n{note}"))
    }
}

/// Goes through the journal in `path`, a folder of segments or one of them. An error is the first
/// difference, or why nothing could be gone through.
pub fn audit(path: &Path) -> Result<Audit, String> {
    let (dir, only) = match path.is_file() {
        true => (path.parent().unwrap_or(Path::new(".")), Some(number_of(path)?)),
        false => (path, None),
    };
    let list = files::list_whole(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let (segments, snapshots) = list;
    let begins = |number: &u64| only.is_none_or(|only| only == *number);
    let numbers: Vec<u64> = segments.into_iter().filter(begins).collect();
    let done = leaving_out(|poisoned| through_all(dir, &numbers, &snapshots, poisoned));
    let (mut audit, poisoned) = done?;
    let left_out = |poison| format!("{poison}: the core breaks its own rules, left out");
    audit.notes.extend(poisoned.iter().map(left_out));
    Ok(audit)
}

/// From the first segment that this core can begin with to the last, and behind a gap anew.
fn through_all(
    dir: &Path,
    numbers: &[u64],
    snapshots: &[u64],
    poisoned: &[Poison],
) -> Result<Audit, Broken> {
    let mut why = format!("{}: there is no segment here with its snapshot", dir.display());
    let mut audit = Audit::default();
    let mut pair: Option<Pair> = None;
    let mut headless = Vec::new();
    for (at, &number) in numbers.iter().enumerate() {
        let has_snapshot = snapshots.contains(&number);
        if let Some(known) = &mut pair
            && has_snapshot
            && known.goes_on
            && follows(dir, number)
        {
            known.compare_with(dir, number)?;
        } else if let Some(broken_off) =
            pair.take_if(|known| !known.goes_on || !follows(dir, number))
        {
            audit = broken_off.audit;
            audit.incomplete = true;
            audit.notes.push(format!("something is missing before segment {number}"));
        }
        if pair.is_none() && has_snapshot {
            match Pair::load(dir, number, poisoned, std::mem::take(&mut audit)) {
                Ok(begun) => pair = Some(begun),
                Err((kept, broken)) => (audit, why) = (kept, broken),
            }
        }
        match &mut pair {
            Some(pair) => pair.through(dir, number, at + 1 == numbers.len())?,
            None if !has_snapshot && open(&files::segment(dir, number)).is_ok() => {
                headless.push(number);
            }
            None if audit.segments > 0 => audit.notes.push(format!("segment {number}: {why}")),
            None => {}
        }
    }
    let next = numbers.last().map_or(0, |last| last + 1);
    if let Some(pair) = pair {
        let mut pair = pair;
        if pair.goes_on && snapshots.contains(&next) {
            pair.compare_with(dir, next)?;
        }
        audit = pair.audit;
    }
    if audit.segments == 0 {
        return Err(why.into());
    }
    if let Some((first, last)) = headless.first().zip(headless.last()) {
        audit.incomplete = true;
        let what = match first == last {
            true => format!("segment {first} has"),
            false => format!("{} of segments {first} to {last} have", headless.len()),
        };
        audit.notes.push(format!("{what} no snapshot to begin with, and nothing leads there"));
    }
    Ok(audit)
}

fn number_of(path: &Path) -> Result<u64, String> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let number = stem.and_then(|stem| stem.parse().ok());
    number.ok_or_else(|| format!("{}: this is no segment of a journal", path.display()))
}

/// Two switches that must not differ.
struct Pair<'a> {
    switches: [Switch; 2],
    /// Rows that came out and are yet to be compared with what was noted.
    rows: VecDeque<Row>,
    poisoned: &'a [Poison],
    batch: Batch,
    /// There was an event. Rows noted before it were taken over from another journal.
    begun: bool,
    /// False: the journal breaks off here, or has a gap.
    goes_on: bool,
    audit: Audit,
}

/// What is compared when the live switch's note about it comes.
#[derive(Default)]
struct Batch {
    now: Now,
    maker: Maker,
    /// Each event, and what came of it.
    done: Vec<(Event, Out)>,
    /// Some of it was left out.
    partial: bool,
}

impl<'a> Pair<'a> {
    /// Gives `audit` back where the snapshot cannot be begun with.
    fn load(
        dir: &Path,
        number: u64,
        poisoned: &'a [Poison],
        audit: Audit,
    ) -> Result<Self, (Audit, String)> {
        let both = memory(dir, number).and_then(|one| Ok([one, memory(dir, number)?]));
        match both {
            Ok(both) => {
                let switches = both.map(Switch::remember);
                let (rows, batch) = (VecDeque::new(), Batch::default());
                let (begun, goes_on) = (false, true);
                Ok(Self { switches, rows, poisoned, batch, begun, goes_on, audit })
            }
            Err(why) => Err((audit, why)),
        }
    }

    fn through(&mut self, dir: &Path, number: u64, is_last: bool) -> Result<(), Broken> {
        let path = files::segment(dir, number);
        let loaded =
            open(&path).map_err(|broken| format!("segment {number} {}", String::from(broken)))?;
        self.audit.segments += 1;
        self.goes_on = loaded.header.is_ok_and(|header| !header.gap);
        let mut entries = loaded.entries(number);
        for (entry, (kind, payload)) in (&mut entries).enumerate() {
            let place = || format!("segment {number}, entry {entry}");
            match kind {
                Kind::Batch => {
                    let (now, batch) = journal::read_batch(payload)
                        .ok_or_else(|| format!("{}: no event", place()))?;
                    self.batch = Batch { now, ..Batch::default() };
                    self.begun = true;
                    for (nth, event) in batch.into_iter().enumerate() {
                        let position = (number, entry, nth);
                        self.handle(now, event, position).map_err(|broken| match broken {
                            Broken::Said(what) => Broken::Said(format!("{}: {what}", place())),
                            broken => broken,
                        })?;
                    }
                }
                Kind::Note => {
                    let compared = match journal::read_note(payload) {
                        Some(Note::Row(row)) if self.begun => self.compare_row(*row),
                        Some(Note::Made(made)) => self.compare_made(made),
                        _ => Ok(()),
                    };
                    compared.map_err(|what| format!("{}: {what}", place()))?;
                }
                Kind::Memory | Kind::Fold | Kind::Shape => {}
            }
        }
        if entries.is_cut_short() {
            let at = entries.at();
            self.goes_on = false;
            // The end of the last one may be under way, or was when the process died.
            self.audit.incomplete |= !is_last || entries.is_damaged();
            self.audit.notes.push(format!("segment {number} cannot be read beyond octet {at}"));
        }
        if is_last && !self.goes_on && !entries.is_cut_short() {
            self.audit.incomplete = true;
            self.audit.notes.push(format!("something is missing after segment {number}"));
        }
        Ok(())
    }

    fn handle(&mut self, now: Now, event: Event, position: Position) -> Result<(), Broken> {
        let mut outs = [Out::default(), Out::default()];
        for (switch, out) in self.switches.iter_mut().zip(&mut outs) {
            let whole = (position, self.poisoned);
            let whole = poison::handle(switch, now, event.clone(), whole, out)?;
            self.batch.partial |= !whole;
        }
        let [one, other] = outs;
        if one != other {
            return Err(first_difference(&event, &one, &other).into());
        }
        self.audit.events += u64::from(!self.batch.partial);
        self.audit.commands += one.commands.len() as u64;
        self.audit.facts += one.facts.len() as u64;
        self.rows.extend(one.commands.iter().filter_map(|command| match command {
            Command::Store(row) => Some((**row).clone()),
            _ => None,
        }));
        self.batch.maker.follow(&one.commands, &one.facts);
        self.batch.done.push((event, one));
        Ok(())
    }

    /// The first difference is the one that counts: from there on they are two switches.
    fn compare_made(&mut self, live: Made) -> Result<(), String> {
        let batch = std::mem::take(&mut self.batch);
        let Batch { now, mut maker, done, partial } = batch;
        let made = maker.take();
        if partial {
            return Ok(());
        }
        self.audit.batches += 1;
        if made == live {
            return Ok(());
        }
        let mut what = format!(
            "at {} the live switch did something else ({live}) than follows from what came in \
             ({made})",
            rfc3339(now.wall)
        );
        for (event, out) in done {
            let both = format!("\nthe event: {event:?}\nwhat it gives now: {out:?}");
            what.push_str(&without_keys(&both));
        }
        Err(what)
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

fn first_difference(event: &Event, one: &Out, other: &Out) -> String {
    let commands = one.commands.iter().zip(&other.commands).position(|(a, b)| a != b);
    let facts = one.facts.iter().zip(&other.facts).position(|(a, b)| a != b);
    let what = match (commands, facts) {
        (Some(n), _) => format!("{:?} and {:?}", one.commands[n], other.commands[n]),
        (None, Some(n)) => format!("{:?} and {:?}", one.facts[n], other.facts[n]),
        (None, None) => "one says more than the other".into(),
    };
    let all =
        format!("the same event gives two things.\nthe event: {event:?}\nwhat it gives: {what}");
    // It is meant to be shown to others.
    without_keys(&all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Hop, Transport};

    /// What it says is pasted into reports.
    #[test]
    fn no_difference_shows_a_key() {
        let peer = "192.0.2.9:5060".parse().unwrap();
        let hop = Hop { transport: Transport::Udp, local: peer, peer, flow: None };
        let bytes = b"v=0\r\na=crypto:1 X inline:WVNfX19zZW1jdGwgKCkgewkyMjA7\r\n";
        let event = Event::Sip { hop, bytes: bytes.to_vec().into() };
        let sent = Command::Send { hop, bytes: bytes.to_vec().into() };
        let one = Out { commands: vec![sent], ..Out::default() };
        let other = Out { commands: vec![Command::Drained], ..Out::default() };
        let text = first_difference(&event, &one, &other);
        assert_eq!(text.matches("inline:\u{2026}").count(), 2, "{text}");
        assert!(!text.contains("WVNf"), "{text}");
    }
}
