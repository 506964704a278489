//! Where the layers meet: events in, commands and facts out. It carries, it never decides.
//!
//! In: [`Event`]s with their time. Out: [`Command`]s and [`Fact`]s. Knows no socket, clock, thread
//! or file. May import: call, acd, sip, media, config, wire and base.

/// The halves of the state that a layer needs beside itself: time, dice and timers.
macro_rules! cx {
    ($state:expr, $now:expr) => {
        &mut crate::base::Cx { now: $now, rng: &mut $state.rng, timers: &mut $state.timers }
    };
}

mod act;
mod announce;
mod back;
mod carry;
mod check;
mod command;
mod duty;
mod event;
mod explain;
mod fact;
mod fallback;
mod heal;
mod home;
pub mod journal;
mod kept;
mod ledger;
mod names;
mod nuisance;
mod open;
mod own;
mod people;
mod record;
mod relieve;
mod restart;
mod stop;
mod switch;

pub use act::Done;
pub use command::Command;
pub use event::{Event, MissedAct, Noted, Verb};
pub use fact::{Audit, Fact, What};
pub use kept::{Homeless, Kept, Wanted};
pub use names::Names;
pub use record::{AgentStateRow, CallRecord, JOURNAL_GAP, LegRow, Row};
#[cfg(test)]
pub use switch::BREAKS_IN;
pub use switch::{Snapshot, State, Switch};

use std::time::Duration;

/// How long the record of an ended call waits for the figures of its media ports.
const FIGURES_WAIT: Duration = Duration::from_secs(5);
/// How long it waits for its recording besides, of which the end is written last: on a disk that is
/// slow, with all that waits for it.
const RECORDING_WAIT: Duration = Duration::from_secs(55);
/// The same where everybody was hung up on, since the process ends.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Where `Switch::handle` puts what it decided. Cleared and reused by the caller.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Out {
    pub commands: Vec<Command>,
    pub facts: Vec<Fact>,
}
