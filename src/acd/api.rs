//! What the user of the queue engine sees: callers join and leave, agents come and go, and the
//! engine says who should ring for whom.

use super::hand::Hand;
use super::pick::Pick;
use super::settings::Instead;
use crate::base::{AgentId, CallId, Instant, QueueId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a caller comes to a queue. Of a caller whom the desk knows already it says what changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// The first arrival at the switch, or at whatever kept the place; `None`: now. A caller whom
    /// the desk knows already keeps the one it knows.
    pub arrived: Option<Instant>,
    /// The higher goes first, from 0 to 9.
    pub priority: u8,
    /// Goes before all others, is never turned away, and may be taken by all who serve the queue.
    pub emergency: bool,
    /// Wanted languages, the best first: `["surgujia", "hi"]`. None: any.
    pub languages: Vec<String>,
    /// Who it is, in whatever form never changes (E.164): callers who come back are known by it.
    pub caller: Option<String>,
    /// What they called: a place that they left is kept for whoever comes back to the same.
    pub line: String,
    /// The agent to prefer, where that is known better than the desk does.
    pub agent: Option<AgentId>,
    /// How long the caller may wait in place of the queue's `max_wait`: for one who is not on the
    /// line.
    pub keep: Option<Duration>,
    /// Was let in before, or was talked to: nobody is turned away on coming back, or because a
    /// queue of theirs is no more.
    pub again: bool,
    /// Has a place elsewhere too, and goes back to it where nobody could serve them here.
    pub lent: bool,
}

impl Join {
    pub fn from(arrived: Instant) -> Self {
        Self { arrived: Some(arrived), ..Self::default() }
    }
}

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
    /// Who was asked for by name may not ring any more: stop it.
    Unclaimed {
        call: CallId,
        agent: AgentId,
    },
    /// The queue does not take the caller, or not for any longer; the engine has let go of the
    /// call.
    TurnedAway {
        call: CallId,
        queue: QueueId,
        why: Away,
        instead: Instead,
    },
    Fact(Fact),
}

/// Why a queue turns a caller away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Away {
    /// As many wait as may.
    Full,
    /// Nobody who could answer is logged in.
    Unstaffed,
    /// The caller has waited as long as the queue allows.
    Expired,
    /// There is no such queue, or no longer.
    NoQueue,
    /// A supervisor has shut the door.
    Shut,
}

impl Away {
    /// As facts, records and refusals say it.
    pub fn name(self) -> &'static str {
        match self {
            Away::Full => "full",
            Away::Unstaffed => "unstaffed",
            Away::Expired => "expired",
            Away::NoQueue => "no-queue",
            Away::Shut => "shut",
        }
    }
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
    /// In a call of their own: placed from the phone, or taken from a colleague.
    OwnCall {
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
            AgentState::OwnCall { .. } => "own-call",
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
            | AgentState::OwnCall { .. }
            | AgentState::Resting => "",
        }
    }

    /// The call that it is about.
    pub fn call(&self) -> Option<CallId> {
        match self {
            AgentState::Offered { call }
            | AgentState::Talking { call }
            | AgentState::WrapUp { call }
            | AgentState::OwnCall { call } => Some(*call),
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
    /// The queue turned the caller away; after `Unqueued`, where the caller had been let in.
    TurnedAway {
        call: CallId,
        queue: QueueId,
        why: Away,
        instead: Instead,
    },
    /// A decision, with everybody who was considered; the offers follow.
    Picked(Box<Pick>),
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
    /// The agent was asked for by name, and rings.
    Claimed {
        call: CallId,
        agent: AgentId,
    },
    /// Who was asked for by name answered.
    Serving {
        call: CallId,
        agent: AgentId,
    },
    /// Who was asked for by name did not answer.
    Unclaimed {
        call: CallId,
        agent: AgentId,
        why: MissedBecause,
    },
    Agent {
        agent: AgentId,
        state: AgentState,
    },
    /// The agent was held to be in a call that is over, and is free again.
    Repaired {
        agent: AgentId,
        call: CallId,
    },
    /// A supervisor put a message into a queue: for so long, or, where that is nothing, once.
    /// Empty: it is said no more.
    Message {
        queue: QueueId,
        message: String,
        minutes: u64,
    },
    /// A supervisor laid a hand on a queue, or a loan ended.
    Handled {
        queue: QueueId,
        hand: Hand,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MissedBecause {
    Phone(Miss),
    Withdrawn(Withdrawn),
}
