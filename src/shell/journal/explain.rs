//! `pukar why --journal`: the story of a call that is no longer in memory, told by going through
//! the journal with the same core.

use super::audit::memory;
use super::files;
use super::poison::{self, Broken, Position, leaving_out};
use super::recover::open;
use crate::base::Now;
use crate::call;
use crate::core::journal::{self, Kind};
use crate::core::{Event, Fact, Out, Switch, What};
use crate::shell::board::{Board, Names};
use serde_json::Value;
use std::path::Path;

/// The story of the call with this id, or with an id that ends so.
pub fn explain(dir: &Path, id: &str) -> Result<Value, String> {
    let list = files::list_whole(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let (segments, snapshots) = list;
    let told = leaving_out(|poisoned| {
        let mut why = format!("{}: there is no segment here with its snapshot", dir.display());
        let mut teller: Option<Teller> = None;
        for &number in &segments {
            if let Some(known) = teller.take_if(|known| !known.goes_on_with(dir, number))
                && known.call.is_some()
            {
                // What came of it is in no journal.
                return Ok(known);
            }
            if teller.is_none() && snapshots.contains(&number) {
                match Teller::load(dir, number, id, poisoned) {
                    Ok(begun) => teller = Some(begun),
                    Err(broken) => why = broken,
                }
            }
            if let Some(known) = &mut teller
                && known.through(dir, number)?
            {
                break;
            }
        }
        teller.ok_or(Broken::Said(why))
    });
    let (teller, _) = told?;
    let (board, now) = (&teller.board, teller.now);
    board.why(id, now).map_err(|_| {
        format!("no call {id} arrives in {}; `ls` says how far back it goes", dir.display())
    })
}

struct Teller {
    poisoned: Vec<Position>,
    /// The segment that was gone through last is whole.
    goes_on: bool,
    switch: Switch,
    board: Board,
    now: Now,
    id: String,
    /// The call, once it has arrived, and whether it is over.
    call: Option<crate::base::CallId>,
    over: bool,
}

impl Teller {
    fn load(dir: &Path, number: u64, id: &str, poisoned: &[Position]) -> Result<Self, String> {
        let memory = memory(dir, number)?;
        let now = memory.now;
        let switch = Switch::remember(memory);
        let board = Board::new(Names::of(switch.settings(), switch.names()), now);
        let (id, call, over, goes_on) = (id.into(), None, false, true);
        let poisoned = poisoned.into();
        Ok(Self { poisoned, goes_on, switch, board, now, id, call, over })
    }

    fn goes_on_with(&self, dir: &Path, number: u64) -> bool {
        let loaded = open(&files::segment(dir, number));
        self.goes_on && loaded.is_ok_and(|l| l.header.is_ok_and(|header| header.follows))
    }

    /// True: the call is over, and there is nothing more to know.
    fn through(&mut self, dir: &Path, number: u64) -> Result<bool, Broken> {
        let loaded = open(&files::segment(dir, number));
        let loaded = loaded.map_err(|broken| format!("segment {number} {broken}"))?;
        let mut entries = loaded.entries(number);
        for (entry, (kind, payload)) in (&mut entries).enumerate() {
            if kind != Kind::Batch {
                continue;
            }
            let (now, batch) = journal::read_batch(payload)
                .ok_or_else(|| format!("segment {number}: an entry that is no event"))?;
            self.now = now;
            for (nth, event) in batch.into_iter().enumerate() {
                let position = (number, entry, nth);
                if self.poisoned.contains(&position) {
                    continue;
                }
                let renames = matches!(event, Event::Reload(_));
                let mut out = Out::default();
                poison::handle(&mut self.switch, now, event, position, &mut out)?;
                if renames {
                    self.board.rename(Names::of(self.switch.settings(), self.switch.names()));
                }
                out.facts.into_iter().for_each(|fact| self.take(fact));
            }
            if self.over {
                return Ok(true);
            }
        }
        let has_gap = loaded.header.is_ok_and(|header| header.gap);
        self.goes_on = !has_gap && !entries.is_cut_short();
        Ok(false)
    }

    fn take(&mut self, fact: Fact) {
        match &fact.what {
            What::Call(call::Fact::Arrived { call, arrival }) if arrival.id.ends_with(&self.id) => {
                self.call = Some(*call);
            }
            What::Call(call::Fact::Ended { call, .. }) if self.call == Some(*call) => {
                self.over = true;
            }
            _ => {}
        }
        self.board.take(fact);
    }
}
