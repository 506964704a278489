//! `pukar why --journal`: the story of a call that is no longer in memory, told by going through
//! the journal with the same core.

use super::audit::memory;
use super::files;
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
    let list = files::list(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let (segments, snapshots) = list;
    let first = segments.iter().copied().find(|number| snapshots.contains(number));
    let first = first
        .ok_or_else(|| format!("{}: there is no segment here with its snapshot", dir.display()))?;
    let mut teller = Teller::load(dir, first, id)?;
    for number in segments.into_iter().filter(|number| *number >= first) {
        if teller.through(dir, number)? {
            break;
        }
    }
    let (board, now) = (&teller.board, teller.now);
    board.why(id, now).map_err(|_| {
        format!("no call {id} arrives in {}; `ls` says how far back it goes", dir.display())
    })
}

struct Teller {
    switch: Switch,
    board: Board,
    now: Now,
    id: String,
    /// The call, once it has arrived, and whether it is over.
    call: Option<crate::base::CallId>,
    over: bool,
}

impl Teller {
    fn load(dir: &Path, number: u64, id: &str) -> Result<Self, String> {
        let memory = memory(dir, number)?;
        let now = memory.now;
        let switch = Switch::remember(memory);
        let board = Board::new(Names::of(switch.settings(), switch.names()), now);
        Ok(Self { switch, board, now, id: id.into(), call: None, over: false })
    }

    /// True: the call is over, and there is nothing more to know.
    fn through(&mut self, dir: &Path, number: u64) -> Result<bool, String> {
        let loaded = open(&files::segment(dir, number));
        let loaded = loaded.map_err(|broken| format!("segment {number} {broken}"))?;
        for (kind, payload) in loaded.entries(number) {
            if kind != Kind::Batch {
                continue;
            }
            let (now, batch) = journal::read_batch(payload)
                .ok_or_else(|| format!("segment {number}: an entry that is no event"))?;
            self.now = now;
            for event in batch {
                let renames = matches!(event, Event::Reload(_));
                let mut out = Out::default();
                self.switch.handle(now, event, &mut out);
                if renames {
                    self.board.rename(Names::of(self.switch.settings(), self.switch.names()));
                }
                out.facts.into_iter().for_each(|fact| self.take(fact));
            }
            if self.over {
                return Ok(true);
            }
        }
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
