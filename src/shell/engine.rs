//! What the core loop drives, and where every batch would be written down before it takes effect.

use super::board::Board;
use crate::base::{CallId, Instant, Now, Timer};
use crate::core::journal::{Memory, NoteRef, Numbers};
use crate::core::{Command, Event, Fact, Kept, Names, Out, Switch};
use crossbeam_channel::Receiver;

/// The core, as the loop sees it.
pub trait Engine: Send {
    fn handle(&mut self, now: Now, event: Event, out: &mut Out);
    fn next_deadline(&self) -> Option<(Instant, Timer)>;
    /// What ids are called, asked after every change of the settings.
    fn names(&self) -> Names;
    /// The record of a call as it stands, while it is not written.
    fn draft(&self, call: CallId) -> Option<NoteRef<'_>>;
    /// Whoever has this number, where somebody is to call them.
    fn wanted(&self, number: &str) -> Option<Kept>;
    fn numbers(&self, now: Now) -> Numbers;
    fn memory(&self, now: Now) -> Memory;
}

impl Engine for Switch {
    fn handle(&mut self, now: Now, event: Event, out: &mut Out) {
        #[cfg(test)]
        super::journal::break_at(&event);
        Switch::handle(self, now, event, out);
    }

    fn next_deadline(&self) -> Option<(Instant, Timer)> {
        Switch::next_deadline(self)
    }

    fn names(&self) -> Names {
        Switch::names(self)
    }

    fn draft(&self, call: CallId) -> Option<NoteRef<'_>> {
        Switch::draft(self, call)
    }

    fn wanted(&self, number: &str) -> Option<Kept> {
        self.state().wants(number)
    }

    fn numbers(&self, now: Now) -> Numbers {
        Switch::numbers(self, now)
    }

    fn memory(&self, now: Now) -> Memory {
        Switch::memory(self, now)
    }
}

/// Where events are kept before anything is done about them. For every batch the loop calls, in
/// this order: `append` before the first event is handled, so that a journal sees everything that
/// the core is told, with its time; `follow` after each; `commit` before anything of it is done.
pub trait Journal: Send {
    fn append(&mut self, now: Now, batch: &[Event]);
    /// What came of one event.
    fn follow(&mut self, commands: &[Command], facts: &[Fact], engine: &dyn Engine);
    /// The core broke at an event of the batch: that is written as far as it is known, for the next
    /// start to leave that event out.
    fn break_off(&mut self, now: Now);
    /// When this returns, what was told has been written.
    fn commit(&mut self, now: Now, engine: &dyn Engine);
    /// The batch is done. True: a snapshot is wanted now.
    fn rest(&mut self, now: Now) -> bool;
    /// Whether it has everything. Where not it wants to rest soon, whatever comes or does not.
    fn is_whole(&self) -> bool;
    /// What the core is to be told about it, once.
    fn news(&mut self) -> Option<Event>;
    /// All that the core knows, and where the board will come that knows the same facts.
    fn snapshot(&mut self, memory: Memory, board: Receiver<Board>);
    /// The last snapshot, after which nothing comes; false where it is not safe.
    fn leave(self: Box<Self>, memory: Memory, board: Receiver<Board>) -> bool;
}
