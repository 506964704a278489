//! One queue: who waits in it, who is free to take from it, and which pair is next.
//!
//! Three ordered sets, so that a decision costs the logarithm of their sizes.

use super::{QueueSettings, Strategy};
use crate::base::{AgentId, CallId, Instant};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Queue {
    pub settings: QueueSettings,
    /// Callers for whom no phone rings, earliest arrival first.
    pub waiting: BTreeSet<(Instant, CallId)>,
    /// Callers for whom at least one phone rings. They keep their place among the others.
    pub ringing: BTreeSet<(Instant, CallId)>,
    /// Agents who serve this queue and are ready, longest idle first.
    pub free: BTreeSet<(Instant, AgentId)>,
}

/// A caller in the queue, or in conversation with an agent who was found here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Caller {
    pub queue: crate::base::QueueId,
    /// The first arrival at the switch. It is the caller's place, and no move changes it.
    pub arrived: Instant,
    /// When the caller came to this queue; `max_wait` counts from here, so that a caller who
    /// overflowed is not at once thrown out of the next queue as well.
    pub joined: Instant,
    pub stage: Stage,
}

/// Where a call is. Exactly one of these, always.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    Waiting,
    /// Rings at these agents; never empty.
    Offered(BTreeSet<AgentId>),
    /// In conversation. The wrap-up is fixed here, so that it outlives a reload of the queue.
    Talking {
        agent: AgentId,
        wrap_up: Duration,
    },
}

/// The order in which callers are served: those for whom nothing rings yet, then the heavier
/// queue, then the earlier arrival, then the lower id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub rings_already: bool,
    pub weight: Reverse<u32>,
    pub arrived: Instant,
    pub call: CallId,
}

impl Queue {
    pub fn new(settings: QueueSettings) -> Self {
        Self { settings, waiting: BTreeSet::new(), ringing: BTreeSet::new(), free: BTreeSet::new() }
    }

    /// The caller whom this queue would serve next, if there is an agent for anybody.
    pub fn next(&self) -> Option<Rank> {
        self.free.first()?;
        let rank = |rings_already, &(arrived, call): &(Instant, CallId)| Rank {
            rings_already,
            weight: Reverse(self.settings.weight),
            arrived,
            call,
        };
        match self.waiting.first() {
            Some(caller) => Some(rank(false, caller)),
            None if self.rings_all() => self.ringing.first().map(|caller| rank(true, caller)),
            None => None,
        }
    }

    pub fn rings_all(&self) -> bool {
        self.settings.strategy == Strategy::RingAll
    }
}
