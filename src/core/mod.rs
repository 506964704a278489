//! Where the layers meet: events in, commands and facts out. It carries, it never decides.
//!
//! In: [`Event`]s with their time. Out: [`Command`]s and [`Fact`]s. Knows no socket, clock, thread
//! or file. May import: call, acd, sip, media, config, wire and base.

mod command;
mod event;
mod fact;
mod record;

pub use command::Command;
pub use event::{Event, Verb};
pub use fact::{Fact, What};
pub use record::{AgentStateRow, CallRecord, LegRow, Row};

/// Where `Switch::handle` puts what it decided. Cleared and reused by the caller.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Out {
    pub commands: Vec<Command>,
    pub facts: Vec<Fact>,
}
