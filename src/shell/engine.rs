//! What the core loop drives, and where every batch would be written down before it takes effect.

use crate::base::{Instant, Now, Timer};
use crate::core::{Event, Names, Out, Switch};

/// The core, as the loop sees it.
pub trait Engine: Send {
    fn handle(&mut self, now: Now, event: Event, out: &mut Out);
    fn next_deadline(&self) -> Option<(Instant, Timer)>;
    /// What ids are called, asked after every change of the settings.
    fn names(&self) -> Names;
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
}

/// Where events are kept before anything is done about them. The loop calls it once a batch, after
/// the clock was read and before the first event is handled, so that a journal in its place sees
/// everything that the core is told, in order, with its time.
pub trait Journal: Send {
    fn append(&mut self, now: Now, batch: &[Event]);
}

/// Keeps nothing: a restart begins empty.
pub struct NoJournal;

impl Journal for NoJournal {
    fn append(&mut self, _: Now, _: &[Event]) {}
}
