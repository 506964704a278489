//! `pukar events --journal`: facts that the switch has no longer in memory, told by going through
//! the journal with the same core.
//!
//! In: a folder, and the number of the first fact wanted. Out: facts as text, none left out unsaid.

use super::audit::memory;
use super::files::{self, Loaded};
use super::poison::{self, Broken, Position, leaving_out};
use super::recover::open;
use crate::core::journal::{self, Kind};
use crate::core::{Event, Out, Switch};
use crate::shell::board::{Board, Missed, Names};
use std::path::Path;

/// Facts asked of the board at once.
const FACTS: usize = 1_024;

type Visit<'a> = &'a mut dyn FnMut(&str) -> Result<(), String>;

/// Tells every fact from number `from` on that the journal in `dir` leads to; without a number,
/// from the oldest. An error: what is missing in it, or what `visit` says.
pub fn tell(dir: &Path, from: Option<u64>, visit: Visit<'_>) -> Result<(), String> {
    let (segments, snapshots) =
        files::list_whole(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut next = from;
    let told = leaving_out(|poisoned| {
        let mut why = format!("{}: there is no segment here with its snapshot", dir.display());
        let mut teller: Option<Teller> = None;
        for &number in &segments {
            if teller.as_ref().is_none_or(|known| !known.goes_on_with(dir, number)) {
                let loaded = snapshots.contains(&number).then(|| Teller::load(dir, number));
                match loaded {
                    Some(Ok(begun)) => teller = Some(begun),
                    Some(Err(broken)) => why = broken,
                    None => {}
                }
            }
            let Some(known) = &mut teller else { continue };
            known.hand_on(&mut next, visit)?;
            known.through(dir, number, poisoned, (&mut next, visit))?;
        }
        teller.map(drop).ok_or(Broken::Said(why))
    });
    told.map(drop)
}

struct Teller {
    switch: Switch,
    board: Board,
    /// The segment that was gone through last is whole.
    goes_on: bool,
}

impl Teller {
    fn load(dir: &Path, number: u64) -> Result<Self, String> {
        let memory = memory(dir, number)?;
        let now = memory.now;
        let switch = Switch::remember(memory);
        let names = Names::of(switch.settings(), switch.names());
        let mut board = board(dir, number).unwrap_or_else(|| Board::new(names.clone(), now));
        board.rename(names);
        Ok(Self { switch, board, goes_on: true })
    }

    fn goes_on_with(&self, dir: &Path, number: u64) -> bool {
        let loaded = open(&files::segment(dir, number));
        self.goes_on && loaded.is_ok_and(|l| l.header.is_ok_and(|header| header.follows))
    }

    fn through(
        &mut self,
        dir: &Path,
        number: u64,
        poisoned: &[Position],
        (next, visit): (&mut Option<u64>, Visit<'_>),
    ) -> Result<(), Broken> {
        let loaded = open(&files::segment(dir, number));
        let loaded = loaded.map_err(|broken| format!("segment {number} {broken}"))?;
        let mut entries = loaded.entries(number);
        for (entry, (kind, payload)) in (&mut entries).enumerate() {
            if kind != Kind::Batch {
                continue;
            }
            let (now, batch) = journal::read_batch(payload)
                .ok_or_else(|| format!("segment {number}: an entry that is no event"))?;
            for (nth, event) in batch.into_iter().enumerate() {
                let position = (number, entry, nth);
                if poisoned.contains(&position) {
                    continue;
                }
                let renames = matches!(event, Event::Reload(_));
                let mut out = Out::default();
                poison::handle(&mut self.switch, now, event, position, &mut out)?;
                if renames {
                    self.board.rename(Names::of(self.switch.settings(), self.switch.names()));
                }
                out.facts.into_iter().for_each(|fact| self.board.take(fact));
            }
            self.hand_on(next, visit)?;
        }
        let has_gap = loaded.header.is_ok_and(|header| header.gap);
        self.goes_on = !has_gap && !entries.is_cut_short();
        Ok(())
    }

    /// What the board knows from `next` on.
    fn hand_on(&self, next: &mut Option<u64>, visit: Visit<'_>) -> Result<(), String> {
        loop {
            let from = next.unwrap_or_else(|| self.board.oldest_fact());
            let facts = match self.board.facts(from, FACTS) {
                Ok(facts) => facts,
                // It comes later, or has been told while an event was not left out yet.
                Err(Missed::Ahead { .. }) => return Ok(()),
                Err(Missed::TooOld { oldest }) => {
                    return Err(format!(
                        "facts {from} to {} are not in this journal: go on with --from {oldest}",
                        oldest - 1
                    ));
                }
            };
            if facts.is_empty() {
                return Ok(());
            }
            for (seq, fact) in (from..).zip(facts) {
                visit(&fact)?;
                *next = Some(seq + 1);
            }
        }
    }
}

/// What the board knew at a snapshot.
fn board(dir: &Path, number: u64) -> Option<Board> {
    let loaded = Loaded::open(&files::snapshot(dir, number)).ok()?;
    let found = loaded.entries(number).find(|(kind, _)| *kind == Kind::Fold);
    found.and_then(|(_, payload)| journal::read(payload))
}
