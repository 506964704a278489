//! The journal on disk: every event before its effect, in segments, each with a snapshot where it
//! begins. What is written survives the process at once, and a loss of power after the next group
//! commit. It holds what the configuration holds, passwords included, so only its owner may read.
//!
//! In: events with their time, the switch's memory now and then. Out: files, and at a start the
//! switch as it was. The core thread writes; syncing and snapshots have threads of their own.

mod audit;
mod explain;
mod files;
mod keeper;
mod measured;
mod noted;
mod patience;
mod poison;
mod program;
mod recover;
mod retire;
mod rows;
mod salvage;
mod stale;
mod tell;
#[cfg(test)]
mod tests;
mod walk;
mod writer;

pub use audit::{Audit, audit};
pub use explain::explain;
pub use files::{asides, is_begun};
pub use measured::Journaled;
#[cfg(test)]
pub use poison::break_at;
pub use program::{identity, keep as keep_program, keep_a_copy};
pub use program::{stands, that_can_go_on, try_once};
#[cfg(test)]
use recover::to_outbox;
pub use recover::{Begin, Found, recover};
pub use rows::rows;
pub use stale::Stale;
pub use tell::tell;
pub use writer::Writer;

use std::time::Duration;

/// How much is kept, and when it is brought to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A segment is followed by another when it is longer than this: what a restart may have to
    /// go through. Each begins with a snapshot, which costs as much however short the segment is:
    /// 24 MiB are some 2,500 calls, and gone through in a fifth of a second.
    pub segment: u64,
    /// The next snapshot waits until the rows before it are in the outbox; but only until the
    /// segment is as long as this. From then on such rows are in memory and in the old segments,
    /// as far as those are kept: the journal may not fill the disk because the outbox is stuck.
    pub stuck: u64,
    /// Old segments and their snapshots are kept up to this many octets, for whoever wants to look
    /// back.
    pub keep: u64,
    /// And for this long at most, where that is said: a segment is over after a day then.
    pub keep_for: Option<Duration>,
    /// What comes within this time is brought to the disk together: the most that a loss of power
    /// can cost.
    pub together: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment: 24 << 20,
            stuck: 256 << 20,
            keep: 256 << 20,
            keep_for: None,
            together: Duration::from_millis(50),
        }
    }
}
