//! What the configuration says about queues and agents. Never changed by what happens.

use super::Announce;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A skill whose name begins so is a language: `lang:hi`.
pub const LANGUAGE: &str = "lang:";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// In the order of their ids.
    pub queues: Vec<QueueSettings>,
    /// In the order of their ids.
    pub agents: Vec<AgentSettings>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueSettings {
    pub name: String,
    /// Every one of these an agent must have to be offered a call from here.
    pub skills: Vec<String>,
    /// The level that an agent must have in each of the skills, for a caller who just came.
    pub level: u8,
    /// How the level falls while a caller waits here: the lowest whose time has come counts.
    pub relax: Vec<Relax>,
    /// A caller's next language is let in after each such span, and any after the last one. Zero:
    /// languages do not matter here.
    pub language_after: Duration,
    pub strategy: Strategy,
    /// Among the queues that an agent serves, callers of the heavier go first. Default 0.
    pub weight: u32,
    /// Whoever has waited this long since the first arrival goes before heavier queues and higher
    /// priorities, and only the earlier arrival and emergencies before them.
    pub aging: Duration,
    pub ring_for: Duration,
    /// Zero: without end.
    pub max_wait: Duration,
    pub wrap_up: Duration,
    /// Missed offers in a row after which an agent is paused. Zero: never.
    pub pause_after: u32,
    /// How long an agent who missed a call rests before the next offer. At least 100 ms.
    pub rest: Duration,
    /// How long a caller waits for the agent of last time, should that one be busy. Zero: callers
    /// are not taken to the agent of last time.
    pub sticky: Duration,
    /// Whoever hung up unanswered and is back within this span has the old place. Zero: nobody.
    pub return_within: Duration,
    /// Callers whom nobody has answered yet; one more is turned away. Zero: no limit.
    pub max_callers: u32,
    pub when_full: Instead,
    /// When nobody who serves the queue is logged in with a phone. `None`: callers wait all the
    /// same.
    pub when_unstaffed: Option<Instead>,
    /// Whether somebody is there while all who are logged in pause. Default true.
    pub paused_is_staff: bool,
    /// When `max_wait` is over.
    pub when_expired: Instead,
    /// What is told to those who wait.
    pub announce: Announce,
    /// Whoever hung up unanswered is called back without being asked.
    pub call_back_abandoned: bool,
}

/// After this long in the queue, this level will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relax {
    pub after: Duration,
    pub level: u8,
}

/// What becomes of a caller whom a queue does not take or keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Instead {
    #[default]
    Refuse,
    Overflow,
    Callback,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Strategy {
    /// The agent who has been ready for the longest.
    #[default]
    LongestIdle,
    /// All free agents at once; the first to answer has the call.
    RingAll,
    /// The agent with the fewest conversations since log-in.
    FewestCalls,
    /// The agent who has talked least since log-in.
    LeastTalkTime,
    /// The next after the one rung last, in the order of ids.
    RoundRobin,
    /// The first in the order of the configuration.
    Ordered,
    /// Any, with equal chances.
    Random,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSettings {
    /// `op1`; unique.
    pub id: String,
    /// Also the languages, as `lang:hi`.
    pub skills: Vec<Skill>,
    /// Ready from the start, without a log-in.
    pub ready: bool,
    /// Has an address of its own and needs no registration to be reachable.
    pub fixed: bool,
}

/// What an agent can do, and how well: from 1, the least.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skill {
    pub name: String,
    pub level: u8,
}

/// At the least level.
impl From<&str> for Skill {
    fn from(name: &str) -> Self {
        Self { name: name.into(), level: 1 }
    }
}

impl Default for QueueSettings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            name: String::new(),
            skills: Vec::new(),
            level: 1,
            relax: Vec::new(),
            language_after: seconds(30),
            strategy: Strategy::default(),
            weight: 0,
            aging: seconds(600),
            ring_for: seconds(20),
            max_wait: seconds(1_800),
            wrap_up: seconds(10),
            pause_after: 3,
            rest: seconds(5),
            sticky: Duration::ZERO,
            return_within: seconds(600),
            max_callers: 0,
            when_full: Instead::Refuse,
            when_unstaffed: None,
            paused_is_staff: true,
            when_expired: Instead::Refuse,
            announce: Announce::default(),
            call_back_abandoned: false,
        }
    }
}

impl QueueSettings {
    /// The least level that is ever asked for.
    pub fn lowest_level(&self) -> u8 {
        self.relax.iter().map(|step| step.level).fold(self.level, u8::min)
    }

    /// The level asked for of a caller who has waited here for so long, and when it changes next.
    pub(super) fn level_after(&self, waited: Duration) -> (u8, Option<Duration>) {
        let past = self.relax.iter().filter(|step| step.after <= waited);
        let level = past.map(|step| step.level).fold(self.level, u8::min);
        let ahead = self.relax.iter().map(|step| step.after).filter(|&after| after > waited);
        (level, ahead.min())
    }
}

impl Strategy {
    pub const ALL: [(&str, Strategy); 7] = [
        ("longest-idle", Strategy::LongestIdle),
        ("ring-all", Strategy::RingAll),
        ("fewest-calls", Strategy::FewestCalls),
        ("least-talk-time", Strategy::LeastTalkTime),
        ("round-robin", Strategy::RoundRobin),
        ("ordered", Strategy::Ordered),
        ("random", Strategy::Random),
    ];

    /// As the configuration calls it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, strategy)| *strategy == self).map_or("", |(name, _)| name)
    }
}
