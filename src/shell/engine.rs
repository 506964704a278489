//! What the core loop drives, and where every batch would be written down before it takes effect.

use super::board::Board;
use crate::base::{CallId, Instant, Now, Timer};
use crate::core::journal::{Memory, Note, Numbers};
use crate::core::{Event, Names, Out, Switch};
use crossbeam_channel::Receiver;

/// The core, as the loop sees it.
pub trait Engine: Send {
    fn handle(&mut self, now: Now, event: Event, out: &mut Out);
    fn next_deadline(&self) -> Option<(Instant, Timer)>;
    /// What ids are called, asked after every change of the settings.
    fn names(&self) -> Names;
    /// The record of a call as it stands, while it is not written.
    fn draft(&self, call: CallId) -> Option<Note>;
    fn numbers(&self, now: Now) -> Numbers;
    fn memory(&self, now: Now) -> Memory;
}

impl Engine for Switch {
    fn handle(&mut self, now: Now, event: Event, out: &mut Out) {
        Switch::handle(self, now, event, out);
    }

    fn next_deadline(&self) -> Option<(Instant, Timer)> {
        Switch::next_deadline(self)
    }

    fn names(&self) -> Names {
        Switch::names(self)
    }

    fn draft(&self, call: CallId) -> Option<Note> {
        Switch::draft(self, call)
    }

    fn numbers(&self, now: Now) -> Numbers {
        Switch::numbers(self, now)
    }

    fn memory(&self, now: Now) -> Memory {
        Switch::memory(self, now)
    }
}

/// Where events are kept before anything is done about them. The loop calls it once a batch, after
/// the clock was read and before the first event is handled, so that a journal in its place sees
/// everything that the core is told, in order, with its time.
pub trait Journal: Send {
    fn append(&mut self, now: Now, batch: &[Event]);
    /// What came of one event, before it is done.
    fn follow(&mut self, out: &Out, engine: &dyn Engine);
    /// The batch is done. True: a snapshot is wanted now.
    fn rest(&mut self, now: Now, engine: &dyn Engine) -> bool;
    /// All that the core knows, and where the board will come that knows the same facts.
    fn snapshot(&mut self, memory: Memory, board: Receiver<Board>);
    /// The last snapshot, after which nothing comes; false where it is not safe.
    fn leave(self: Box<Self>, memory: Memory, board: Receiver<Board>) -> bool;
}
