//! What a switch makes of what comes in, as a number: noted with every batch, so that whoever goes
//! through a journal again can hold what comes of it against what the live switch did.
//!
//! In: commands and facts, in their order. Out: how many, and a digest of every octet of them.

use crate::core::{Command, Fact};
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;
use std::fmt;
use std::hash::Hasher;

/// What came of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    pub commands: u64,
    pub facts: u64,
    pub digest: u64,
}

/// Gathers what comes of the events of a batch.
#[derive(Default)]
pub struct Maker {
    made: Made,
    hasher: SipHasher13,
    /// Reused from event to event.
    spare: Vec<u8>,
}

impl Maker {
    /// What came of one event.
    pub fn follow(&mut self, commands: &[Command], facts: &[Fact]) {
        self.made.commands += commands.len() as u64;
        self.made.facts += facts.len() as u64;
        let mut spare = std::mem::take(&mut self.spare);
        spare.clear();
        // What cannot be written down is counted all the same.
        self.spare = postcard::to_extend(&(commands, facts), spare).unwrap_or_default();
        self.hasher.write(&self.spare);
    }

    /// What came of all of them; the next batch begins.
    pub fn take(&mut self) -> Made {
        let digest = std::mem::take(&mut self.hasher).finish();
        Made { digest, ..std::mem::take(&mut self.made) }
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commands, facts, digest } = self;
        write!(f, "{commands} commands and {facts} facts, digest {digest:016x}")
    }
}
