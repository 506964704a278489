//! What the user of the queue engine sees: callers join and leave, agents come and go, and the
//! engine says who should ring for whom.

use crate::base::{AgentId, CallId, QueueId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Everything the engine asks for. It never asks twice, and never for one agent on two calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Ring this agent's phone for this call.
    Offer {
        call: CallId,
        agent: AgentId,
    },
    /// Stop ringing; the agent is already free, resting or off as far as the engine is concerned.
    Withdraw {
        call: CallId,
        agent: AgentId,
        why: Withdrawn,
    },
    /// The caller has waited as long as the queue allows; the engine has let go of the call.
    Expired {
        call: CallId,
        queue: QueueId,
    },
    Fact(Fact),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Withdrawn {
    /// Rang for as long as the queue lets it.
    RingTimeout,
    /// Somebody else answered.
    AnsweredElsewhere,
    /// The caller left.
    CallerGone,
    /// The agent paused, logged out or became unreachable while it rang.
    AgentGone,
}

/// How an offer failed on the phone's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Miss {
    /// 480, 487 or 408 after ringing; also the phone's own ring timeout.
    NoAnswer,
    /// 486, 600, 603: the agent, or the phone, said no.
    Declined,
    /// 404, 503, a network error, silence: the phone could not be reached.
    Unreachable,
}

/// What an agent, a supervisor or the roster wants an agent to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    Ready,
    Pause {
        reason: String,
    },
    LogOut,
    /// End the wrap-up now.
    EndWrapUp,
}

/// Why a wish was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    /// No such agent, or no longer.
    UnknownAgent,
    /// There is no wrap-up to end.
    NotInWrapUp,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::UnknownAgent => "there is no such agent",
            Self::NotInWrapUp => "the agent is not in wrap-up",
        })
    }
}

impl std::error::Error for Refused {}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentState {
    /// Logged out.
    Off,
    /// May be offered a call.
    Ready,
    /// Logged in, not taking calls.
    Paused {
        reason: String,
    },
    /// Logged in, but no phone is registered or answering.
    Unreachable,
    /// The phone rings for this call.
    Offered {
        call: CallId,
    },
    Talking {
        call: CallId,
    },
    /// After-call work.
    WrapUp {
        call: CallId,
    },
    /// Missed a call a moment ago; is not offered the next one at once.
    Resting,
}

impl AgentState {
    /// As records and wallboards call it.
    pub fn name(&self) -> &'static str {
        match self {
            AgentState::Off => "off",
            AgentState::Ready => "ready",
            AgentState::Paused { .. } => "paused",
            AgentState::Unreachable => "unreachable",
            AgentState::Offered { .. } => "offered",
            AgentState::Talking { .. } => "talking",
            AgentState::WrapUp { .. } => "wrap-up",
            AgentState::Resting => "resting",
        }
    }

    /// Why, where a reason was given.
    pub fn reason(&self) -> &str {
        match self {
            AgentState::Paused { reason } => reason,
            AgentState::Off
            | AgentState::Ready
            | AgentState::Unreachable
            | AgentState::Offered { .. }
            | AgentState::Talking { .. }
            | AgentState::WrapUp { .. }
            | AgentState::Resting => "",
        }
    }

    /// The call that it is about.
    pub fn call(&self) -> Option<CallId> {
        match self {
            AgentState::Offered { call }
            | AgentState::Talking { call }
            | AgentState::WrapUp { call } => Some(*call),
            AgentState::Off
            | AgentState::Ready
            | AgentState::Paused { .. }
            | AgentState::Unreachable
            | AgentState::Resting => None,
        }
    }
}

/// What the queue engine saw happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    Queued {
        call: CallId,
        queue: QueueId,
    },
    /// The caller left the queue without having been answered.
    Unqueued {
        call: CallId,
        queue: QueueId,
    },
    Offered {
        call: CallId,
        agent: AgentId,
    },
    /// The offer ended without an answer. After `Taken`: the answer came to nothing, and the
    /// caller is back in the line, at the old place.
    Missed {
        call: CallId,
        agent: AgentId,
        why: MissedBecause,
    },
    Taken {
        call: CallId,
        agent: AgentId,
    },
    Agent {
        agent: AgentId,
        state: AgentState,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MissedBecause {
    Phone(Miss),
    Withdrawn(Withdrawn),
}

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
    pub strategy: Strategy,
    /// Among the queues that an agent serves, callers of the heavier go first. Default 0.
    pub weight: u32,
    pub ring_for: Duration,
    /// Zero: without end.
    pub max_wait: Duration,
    pub wrap_up: Duration,
    /// Missed offers in a row after which an agent is paused. Zero: never.
    pub pause_after: u32,
    /// How long an agent who missed a call rests before the next offer. At least 100 ms.
    pub rest: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    #[default]
    LongestIdle,
    RingAll,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSettings {
    /// `op1`; unique.
    pub id: String,
    pub skills: Vec<String>,
    /// Ready from the start, without a log-in.
    pub ready: bool,
    /// Has an address of its own and needs no registration to be reachable.
    pub fixed: bool,
}
