//! One queue: who waits in it, who is free to take from it, and which pair is next.
//!
//! Callers of whom the same is asked stand in one lane, and with them everybody who may take them
//! and is free. So a match is the first of one sorted set with the first of another, and costs
//! the logarithm of their sizes.

use super::agent::Presence;
use super::caller::{Need, Place};
use super::pick::Tally;
use super::sorted::Sorted;
use super::{Door, QueueSettings, Strategy};
use crate::base::{AgentId, CallId, Instant, limits};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Queue {
    pub settings: QueueSettings,
    pub door: Door,
    /// The weight that the configuration says; a supervisor may have said another.
    pub configured_weight: u32,
    /// Everybody whom nobody has answered yet.
    pub line: Sorted<Place>,
    /// Those of them for whom no phone rings.
    pub waiting: Sorted<Place>,
    /// One for each need that has come up.
    pub lanes: Vec<Lane>,
    /// Callers who wait for one agent. A lane without callers goes.
    pub held: BTreeMap<AgentId, Lane>,
    /// When the needs of callers change next.
    pub agenda: BTreeSet<(Instant, CallId)>,
    /// Agents who serve this queue: every skill, at the lowest level that is ever asked
    /// for. In the order of their ids.
    pub staff: Vec<AgentId>,
    /// How many of them are ready, and what the others are.
    pub ready: usize,
    pub tally: Tally,
    /// How many of them are there: logged in with a phone, and as [`Queue::counts`] has it.
    pub present: usize,
    /// How many of them take calls, in thousandths; an agent counts in equal parts for each of
    /// the queues that they serve.
    pub capacity: u64,
    /// Whom round-robin rang last.
    pub last: Option<AgentId>,
    /// How long the last conversations and their wrap-ups took.
    pub handled: VecDeque<Duration>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Lane {
    pub need: Need,
    /// Callers for whom no phone rings.
    pub waiting: Sorted<Place>,
    /// Callers for whom at least one phone rings. They keep their place among the others.
    pub ringing: Sorted<Place>,
    /// Agents who may take these callers and are ready, in the order of the queue's strategy.
    pub free: Sorted<Turn>,
}

/// A lane of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum LaneAt {
    Shared(u32),
    Held(AgentId),
}

/// An agent's turn among the free: what the strategy counts, the idle clock, the id.
pub(super) type Turn = (u64, Instant, AgentId);

/// The order in which callers are served: those for whom nothing rings yet, then the better claim,
/// then the earlier arrival, then the lower id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub rings_already: bool,
    pub claim: Claim,
    pub arrived: Instant,
    pub call: CallId,
}

/// Why one caller goes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Claim {
    Emergency,
    /// Has waited for so long that neither weight nor priority counts any more.
    Aged,
    /// The weight of the queue, then the priority of the caller.
    Weighed(Reverse<u32>, Reverse<u8>),
    /// Somebody asked for one of the queue's agents, past every line.
    Asked,
}

impl Queue {
    pub fn new(settings: QueueSettings) -> Self {
        Self {
            configured_weight: settings.weight,
            settings,
            door: Door::Open,
            line: Sorted::default(),
            waiting: Sorted::default(),
            lanes: Vec::new(),
            held: BTreeMap::new(),
            agenda: BTreeSet::new(),
            staff: Vec::new(),
            ready: 0,
            tally: Tally::default(),
            present: 0,
            capacity: 0,
            last: None,
            handled: VecDeque::new(),
        }
    }

    pub fn lane(&self, at: LaneAt) -> Option<&Lane> {
        match at {
            LaneAt::Shared(number) => self.lanes.get(number as usize),
            LaneAt::Held(agent) => self.held.get(&agent),
        }
    }

    pub fn lane_mut(&mut self, at: LaneAt) -> Option<&mut Lane> {
        match at {
            LaneAt::Shared(number) => self.lanes.get_mut(number as usize),
            LaneAt::Held(agent) => self.held.get_mut(&agent),
        }
    }

    pub fn every_lane(&self) -> impl Iterator<Item = (LaneAt, &Lane)> {
        let shared = (0..).zip(&self.lanes).map(|(number, lane)| (LaneAt::Shared(number), lane));
        shared.chain(self.held.iter().map(|(&agent, lane)| (LaneAt::Held(agent), lane)))
    }

    /// The caller whom this lane would serve next, if there is an agent for anybody.
    pub fn next(&self, at: LaneAt, now: Instant) -> Option<Rank> {
        let lane = self.lane(at)?;
        lane.free.first()?;
        let (callers, rings_already) = match lane.waiting.is_empty() {
            false => (&lane.waiting, false),
            true if self.rings_all() => (&lane.ringing, true),
            true => return None,
        };
        let (claim, place) = self.first_claim(callers, now)?;
        Some(Rank { rings_already, claim, arrived: place.arrived, call: place.call })
    }

    /// The best claim among these. Each group of one priority is sorted by arrival, so that the
    /// longest waiting one is the first of some group, and the groups are few.
    fn first_claim(&self, callers: &Sorted<Place>, now: Instant) -> Option<(Claim, Place)> {
        let first = *callers.first()?;
        let (mut oldest, mut group) = (first, first);
        if first.ordinary {
            while let Some(&next) = callers.after(&group.end_of_group()) {
                if (next.arrived, next.call) < (oldest.arrived, oldest.call) {
                    oldest = next;
                }
                group = next;
            }
        }
        match self.claim(oldest, now) {
            claim @ (Claim::Emergency | Claim::Aged) => Some((claim, oldest)),
            Claim::Weighed(..) | Claim::Asked => Some((self.claim(first, now), first)),
        }
    }

    pub fn claim(&self, place: Place, now: Instant) -> Claim {
        if !place.ordinary {
            Claim::Emergency
        } else if place.arrived + self.settings.aging <= now {
            Claim::Aged
        } else {
            Claim::Weighed(Reverse(self.settings.weight), place.priority)
        }
    }

    /// A conversation and its wrap-up took this long.
    pub fn note(&mut self, handling: Duration) {
        if self.handled.len() == limits::ESTIMATE_FROM.1 {
            self.handled.pop_front();
        }
        self.handled.push_back(handling);
    }

    /// Whether an agent is somebody who is there for its callers.
    pub fn counts(&self, presence: Presence) -> bool {
        match presence {
            Presence::Away => false,
            Presence::Paused => self.settings.paused_is_staff,
            Presence::OnDuty => true,
        }
    }

    pub fn is_deserted(&self) -> bool {
        self.door == Door::Onward || self.present == 0
    }

    pub fn rings_all(&self) -> bool {
        self.settings.strategy == Strategy::RingAll
    }
}
