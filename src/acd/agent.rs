//! One agent, and the one function that says what state an agent is in.
//!
//! The state is never stored as such and edited: it follows from what the agent wants (`Duty`),
//! what the agent does (`Task`), whether a phone is there and whether a rest is due. No order of
//! events can therefore leave anybody in a state that nothing accounts for.

use super::{AgentSettings, AgentState, QueueSettings, caller::Need};
use crate::base::{CallId, Instant, QueueId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Agent {
    pub name: String,
    /// With the level of each.
    pub skills: BTreeMap<String, u8>,
    /// Queues that a supervisor lent the agent to (true) or took the agent from, by name.
    pub moved: BTreeMap<String, bool>,
    /// The place in the configuration.
    pub order: u32,
    pub fixed: bool,
    /// Sits at a phone of somebody else's, so that the fixed address says nothing.
    pub elsewhere: bool,
    /// A phone is registered. A fixed agent needs none.
    pub registered: bool,
    /// The phone said nothing to a call, and is asked whether it is there.
    pub silent: bool,
    pub duty: Duty,
    pub task: Task,
    /// A second call of their own, beside the one in hand or its notes: call waiting, or codes that
    /// are keyed in.
    pub beside: Option<CallId>,
    /// Who it is, as the desk remembers callers, for whom they were asked by name.
    pub asked_by: Option<String>,
    /// Their phone was told to stop ringing for this call, and has not said that it did.
    pub stopping: Option<CallId>,
    /// No offer before this. Set by every offer that failed on the agent's side, and kept over
    /// pauses and log-ins: whoever flips the status is offered one call a rest, not one a flip.
    pub rest_until: Option<Instant>,
    /// The idle clock: when the agent last became ready. An offer that ended through nobody's
    /// fault of this side (answered elsewhere, caller gone) leaves it alone; a call, a pause, a
    /// rest, a lost phone start it again. So a missed call sends its agent to the end of the line,
    /// and nobody gains a place by being away.
    pub idle_since: Instant,
    /// Conversations, and microseconds of conversation, since the last log-in.
    pub calls: u64,
    pub talked: u64,
    /// Missed offers in a row.
    pub misses: u32,
    /// No longer configured; goes when the call in hand and its wrap-up are over.
    pub retired: bool,
    /// The queues whose every skill the agent has at their lowest level, in order.
    pub serves: Vec<QueueId>,
    /// The shared lanes of these queues whose callers the agent may take.
    pub lanes: Vec<(QueueId, u32)>,
    /// As the queues count it.
    pub presence: Presence,
    /// The state as last made known.
    pub shown: AgentState,
}

/// Whether an agent is there for callers, whatever the task of the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Presence {
    Away,
    Paused,
    OnDuty,
}

/// What the agent wants, or was told, to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Duty {
    Off,
    On,
    Paused(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Task {
    Nothing,
    Offered(CallId),
    Talking(CallId),
    /// Rings for a call that asked for this agent by name. `notes`: the wrap-up of that very call,
    /// which it has broken into, ends then.
    Claimed {
        call: CallId,
        wrap_up: Duration,
        notes: Option<Instant>,
    },
    /// Talks in it.
    Serving {
        call: CallId,
        wrap_up: Duration,
        since: Instant,
    },
    WrapUp {
        call: CallId,
        until: Instant,
    },
    /// In a call that the phone placed or took by itself.
    Own(CallId),
}

impl Task {
    /// The call that it is about.
    pub fn call(self) -> Option<CallId> {
        match self {
            Task::Nothing => None,
            Task::Offered(call) | Task::Talking(call) | Task::Own(call) => Some(call),
            Task::Claimed { call, .. } | Task::Serving { call, .. } | Task::WrapUp { call, .. } => {
                Some(call)
            }
        }
    }
}

impl Agent {
    pub fn new(settings: &AgentSettings) -> Self {
        Self {
            name: settings.id.clone(),
            skills: BTreeMap::new(),
            moved: BTreeMap::new(),
            order: 0,
            fixed: settings.fixed,
            elsewhere: false,
            registered: false,
            silent: false,
            duty: if settings.ready { Duty::On } else { Duty::Off },
            task: Task::Nothing,
            beside: None,
            asked_by: None,
            stopping: None,
            rest_until: None,
            idle_since: Instant::default(),
            calls: 0,
            talked: 0,
            misses: 0,
            retired: false,
            serves: Vec::new(),
            lanes: Vec::new(),
            presence: Presence::Away,
            shown: AgentState::Off,
        }
    }

    pub fn reachable(&self) -> bool {
        !self.silent && (self.fixed && !self.elsewhere || self.registered)
    }

    /// Nobody has seen of late whether their phone is there: it has a fixed address, and they are
    /// logged out.
    pub fn is_believed_in(&self) -> bool {
        self.fixed && !self.elsewhere && !self.silent && self.duty == Duty::Off
    }

    /// May not be rung just now, whatever the task.
    pub fn withheld(&self) -> bool {
        self.retired || self.duty != Duty::On || !self.reachable()
    }

    pub fn present(&self) -> Presence {
        match self.duty {
            _ if self.retired || !self.reachable() => Presence::Away,
            Duty::Off => Presence::Away,
            // Whoever has left the desk without a word is no reason to keep anybody waiting.
            Duty::Paused(_) if self.is_missed_out() => Presence::Away,
            Duty::Paused(_) => Presence::Paused,
            Duty::On => Presence::OnDuty,
        }
    }

    pub fn is_shown_ready(&self) -> bool {
        self.shown == AgentState::Ready
    }

    /// What one of the queues that the agent serves may count on, in thousandths.
    pub fn share(&self) -> u64 {
        1_000 / self.serves.len().max(1) as u64
    }

    /// Whether the agent has every skill of the queue at this level, or was lent to it.
    pub fn is_able(&self, queue: &QueueSettings, level: u8) -> bool {
        let able = match self.moved.get(&queue.name) {
            Some(lent) => *lent,
            None => self.is_skilled(queue, level),
        };
        able && !self.retired
    }

    pub fn is_skilled(&self, queue: &QueueSettings, level: u8) -> bool {
        let has = |skill: &String| self.skills.get(skill).is_some_and(|&own| own >= level);
        queue.skills.iter().all(has)
    }

    pub fn speaks(&self, languages: &[String]) -> bool {
        languages.is_empty() || languages.iter().any(|one| self.skills.contains_key(one))
    }

    /// Whether the agent may take callers of this queue of whom this is asked.
    pub fn meets(&self, queue: &QueueSettings, need: &Need) -> bool {
        self.is_able(queue, need.level) && self.speaks(&need.languages)
    }

    /// Paused by the switch, since nobody is at the phone.
    pub fn is_missed_out(&self) -> bool {
        self.misses > 0 && self.duty == Duty::Paused(self.reason_of_misses())
    }

    /// Why an agent is paused by the switch.
    pub fn reason_of_misses(&self) -> String {
        let calls = if self.misses == 1 { "call" } else { "calls" };
        format!("missed {} {calls}", self.misses)
    }

    pub fn state(&self) -> AgentState {
        match self.task {
            Task::Offered(call) | Task::Claimed { call, .. } => {
                return AgentState::Offered { call };
            }
            Task::Talking(call) | Task::Serving { call, .. } => {
                return AgentState::Talking { call };
            }
            Task::WrapUp { call, .. } => return AgentState::WrapUp { call },
            Task::Own(call) => return AgentState::OwnCall { call },
            Task::Nothing => {}
        }
        match &self.duty {
            _ if self.retired => AgentState::Off,
            Duty::Off => AgentState::Off,
            Duty::Paused(reason) => AgentState::Paused { reason: reason.clone() },
            Duty::On if !self.reachable() => AgentState::Unreachable,
            Duty::On if self.rest_until.is_some() => AgentState::Resting,
            Duty::On => match self.stopping {
                Some(call) => AgentState::Offered { call },
                None => AgentState::Ready,
            },
        }
    }
}
