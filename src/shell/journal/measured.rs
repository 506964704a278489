//! The journal's end as the loop has it, for whoever measures it: on a disk, synced beside, with
//! snapshots at the turn of a segment.

use super::{Limits, Writer};
use crate::base::Now;
use crate::core::{Event, Out, Switch};
use crate::shell::board::{Board, Names};
use crate::shell::engine::Journal;
use crate::shell::meters::Metrics;
use crate::shell::store::Stored;
use crossbeam_channel as channel;
use std::path::Path;
use std::sync::Arc;

pub struct Journaled {
    pub switch: Switch,
    writer: Writer,
    board: Board,
    stored: Arc<Stored>,
}

impl Journaled {
    /// A switch whose journal begins in this folder.
    pub fn begin(dir: &Path, switch: Switch, now: Now) -> Result<Self, String> {
        super::files::prepare(dir).map_err(|e| e.to_string())?;
        let board = Board::new(Names::of(switch.settings(), switch.names()), now);
        let (stored, meters) = (Arc::<Stored>::default(), Metrics::new().for_shell());
        let first = (&switch.memory(now), &board);
        let (limits, known) = (Limits::default(), Arc::clone(&stored));
        let writer = Writer::begin(dir, limits, first, None, known, meters)?;
        Ok(Self { switch, writer, board, stored })
    }

    /// What comes in at one moment: written down, handled, and what came of it written down, before
    /// anything would be done about it. `handle` has the switch handle an event, and may time that.
    pub fn step(
        &mut self,
        now: Now,
        batch: Vec<Event>,
        out: &mut Out,
        mut handle: impl FnMut(&mut Switch, Event, &mut Out),
    ) {
        self.writer.append(now, &batch);
        for event in batch {
            let (commands, facts) = (out.commands.len(), out.facts.len());
            handle(&mut self.switch, event, out);
            self.writer.follow(&out.commands[commands..], &out.facts[facts..], &self.switch);
        }
        self.writer.commit(now, &self.switch);
    }

    /// Between two batches: whether a segment turned over.
    pub fn rest(&mut self, now: Now) -> bool {
        self.stored.add(self.switch.state().rows_written());
        let turns = self.writer.rest(now);
        if turns {
            let (sender, receiver) = channel::bounded(1);
            let _ = sender.send(self.board.clone());
            self.writer.snapshot(self.switch.memory(now), receiver);
        }
        turns
    }
}
