//! Looking back: a switch and its board go through a journal, segment by segment, for whoever wants
//! to know what was told then.
//!
//! In: a folder of segments. Out: the facts of batch after batch, and the board behind each.

use super::files::{self, Loaded};
use super::poison::{self, Broken, Poison, leaving_out};
use super::recover::open;
use crate::base::Now;
use crate::core::journal::{self, Kind, Memory};
use crate::core::{Event, Fact, Out, Switch};
use crate::shell::board::{Board, Names};
use std::path::Path;

pub struct Walk<'a> {
    dir: &'a Path,
    poisoned: &'a [Poison],
    switch: Switch,
    pub board: Board,
    pub now: Now,
    /// The segment that was gone through last is whole.
    goes_on: bool,
}

/// What becomes of a walk at a point of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    On,
    /// There is nothing more to know.
    Enough,
}

/// Where a walk is.
pub enum At<'w, 'a> {
    /// It begins with a snapshot.
    Begun(&'w Walk<'a>),
    /// A batch was handled, and this was told.
    Batch(&'w Walk<'a>, &'w [Fact]),
    /// What comes next in the journal does not follow: it breaks off here.
    BrokenOff(&'w Walk<'a>),
    /// There is nothing more.
    End(&'w Walk<'a>),
}

/// Goes through all segments in `dir`, behind a gap anew from the next snapshot. What the core
/// breaks in is left out, and then all is gone through, and told, once more.
pub fn walk(
    dir: &Path,
    seen: &mut dyn FnMut(At<'_, '_>) -> Result<Next, String>,
) -> Result<(), String> {
    let list = files::list_whole(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let done = leaving_out(|poisoned| once(dir, &list, poisoned, seen));
    Ok(done.map(drop)?)
}

fn once(
    dir: &Path,
    (segments, snapshots): &(Vec<u64>, Vec<u64>),
    poisoned: &[Poison],
    seen: &mut dyn FnMut(At<'_, '_>) -> Result<Next, String>,
) -> Result<(), Broken> {
    let mut why = format!("{}: there is no segment here with its snapshot", dir.display());
    let (mut walk, mut begun): (Option<Walk>, _) = (None, false);
    for &number in segments {
        if let Some(known) = walk.take_if(|known| !known.goes_on_with(number))
            && seen(At::BrokenOff(&known))? == Next::Enough
        {
            return Ok(());
        }
        if walk.is_none() && snapshots.contains(&number) {
            match Walk::load(dir, number, poisoned) {
                Ok(at_work) => {
                    begun = true;
                    if seen(At::Begun(walk.insert(at_work)))? == Next::Enough {
                        return Ok(());
                    }
                }
                Err(broken) => why = broken,
            }
        }
        if let Some(known) = &mut walk
            && known.through(number, seen)? == Next::Enough
        {
            return Ok(());
        }
    }
    if let Some(known) = &walk {
        seen(At::End(known))?;
    }
    if begun { Ok(()) } else { Err(why.into()) }
}

impl<'a> Walk<'a> {
    fn load(dir: &'a Path, number: u64, poisoned: &'a [Poison]) -> Result<Self, String> {
        let memory = memory(dir, number)?;
        let now = memory.now;
        let switch = Switch::remember(memory);
        let names = Names::of(switch.settings(), switch.names());
        let mut board = board(dir, number).unwrap_or_else(|| Board::new(names.clone(), now));
        board.rename(names);
        Ok(Self { dir, poisoned, switch, board, now, goes_on: true })
    }

    fn goes_on_with(&self, number: u64) -> bool {
        self.goes_on && follows(self.dir, number)
    }

    fn through(
        &mut self,
        number: u64,
        seen: &mut dyn FnMut(At<'_, '_>) -> Result<Next, String>,
    ) -> Result<Next, Broken> {
        let loaded = open(&files::segment(self.dir, number));
        let loaded =
            loaded.map_err(|broken| format!("segment {number} {}", String::from(broken)))?;
        let mut entries = loaded.entries(number);
        for (entry, (kind, payload)) in (&mut entries).enumerate() {
            if kind != Kind::Batch {
                continue;
            }
            let (now, batch) = journal::read_batch(payload)
                .ok_or_else(|| format!("segment {number}: an entry that is no event"))?;
            self.now = now;
            let mut facts = Vec::new();
            for (nth, event) in batch.into_iter().enumerate() {
                facts.extend(self.handle(now, event, (number, entry, nth))?);
            }
            if seen(At::Batch(self, &facts))? == Next::Enough {
                return Ok(Next::Enough);
            }
        }
        let has_gap = loaded.header.is_ok_and(|header| header.gap);
        self.goes_on = !has_gap && !entries.is_cut_short();
        Ok(Next::On)
    }

    fn handle(
        &mut self,
        now: Now,
        event: Event,
        at: poison::Position,
    ) -> Result<Vec<Fact>, Broken> {
        let renames = matches!(event, Event::Reload(_));
        let mut out = Out::default();
        poison::handle(&mut self.switch, now, event, (at, self.poisoned), &mut out)?;
        if renames {
            self.board.rename(Names::of(self.switch.settings(), self.switch.names()));
        }
        out.facts.iter().for_each(|fact| self.board.take(fact.clone()));
        Ok(out.facts)
    }
}

/// Whether a segment goes on where the one before it ended.
pub fn follows(dir: &Path, number: u64) -> bool {
    open(&files::segment(dir, number))
        .is_ok_and(|loaded| loaded.header.is_ok_and(|header| header.follows))
}

/// What the switch knew at a snapshot.
pub fn memory(dir: &Path, number: u64) -> Result<Memory, String> {
    let loaded = open(&files::snapshot(dir, number));
    let loaded = loaded.map_err(|broken| format!("snapshot {number} {}", String::from(broken)))?;
    let found = loaded.entries(number).find(|(kind, _)| *kind == Kind::Memory);
    let memory = found.and_then(|(_, payload)| journal::read(payload));
    memory.ok_or_else(|| format!("snapshot {number} is damaged"))
}

/// What the board knew there.
fn board(dir: &Path, number: u64) -> Option<Board> {
    let loaded = Loaded::open(&files::snapshot(dir, number)).ok()?;
    let found = loaded.entries(number).find(|(kind, _)| *kind == Kind::Fold);
    found.and_then(|(_, payload)| journal::read(payload))
}
