//! One agent, naively: everything is kept as it was told, and looked at anew each time.

use super::{lowest_level, missed};
use pukar::acd::{AgentSettings, AgentState, QueueSettings};
use pukar::base::{AgentId, CallId, Instant};
use std::time::Duration;

pub struct Agent {
    pub id: AgentId,
    pub settings: AgentSettings,
    pub gone: bool,
    pub registered: bool,
    pub silent: bool,
    pub elsewhere: bool,
    /// Lent to these queues (true), or taken from them.
    pub moved: Vec<(String, bool)>,
    /// `Ready`, `Off` or `Paused`.
    pub duty: AgentState,
    pub busy: Option<Busy>,
    /// A second call beside the one in hand.
    pub beside: Option<CallId>,
    /// Who asked for them by name.
    pub asked_by: Option<String>,
    /// When ringing or wrap-up ends.
    pub until: Instant,
    /// The wrap-up of the call that asks for them, which it broke into.
    pub notes: Option<Instant>,
    pub rest: Option<Instant>,
    /// The phone has been told to stop ringing for this call, and has not.
    pub stopping: Option<CallId>,
    pub idle: Instant,
    pub misses: u32,
    pub last: AgentState,
    pub order: usize,
    pub calls: u64,
    pub talked: Duration,
}

/// What an agent does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Busy {
    Rings(CallId),
    Talks(CallId),
    /// Rings for somebody who asked for them by name, with the wrap-up to come.
    Asked(CallId, Duration),
    /// Talks in it, since then.
    Serves(CallId, Duration, Instant),
    WrapsUp(CallId),
    Own(CallId),
}

impl Busy {
    pub fn call(self) -> CallId {
        match self {
            Busy::Rings(call)
            | Busy::Talks(call)
            | Busy::Asked(call, _)
            | Busy::Serves(call, ..)
            | Busy::WrapsUp(call)
            | Busy::Own(call) => call,
        }
    }

    pub fn state(self) -> AgentState {
        match self {
            Busy::Rings(call) | Busy::Asked(call, _) => AgentState::Offered { call },
            Busy::Talks(call) | Busy::Serves(call, ..) => AgentState::Talking { call },
            Busy::WrapsUp(call) => AgentState::WrapUp { call },
            Busy::Own(call) => AgentState::OwnCall { call },
        }
    }
}

impl Agent {
    pub fn state(&self) -> AgentState {
        if let Some(busy) = self.busy {
            busy.state()
        } else if self.gone {
            AgentState::Off
        } else if self.duty != AgentState::Ready {
            self.duty.clone()
        } else if !self.has_phone() {
            AgentState::Unreachable
        } else if self.rest.is_some() {
            AgentState::Resting
        } else if let Some(call) = self.stopping {
            AgentState::Offered { call }
        } else {
            AgentState::Ready
        }
    }

    pub fn rings_for(&self, call: CallId) -> bool {
        self.busy == Some(Busy::Rings(call))
    }

    pub fn has_phone(&self) -> bool {
        !self.silent && (self.settings.fixed && !self.elsewhere || self.registered)
    }

    pub fn is_there(&self) -> bool {
        let missed_out = AgentState::Paused { reason: missed(self.misses) };
        let is_away = self.duty == AgentState::Off || self.misses > 0 && self.duty == missed_out;
        !self.gone && self.has_phone() && !is_away
    }

    pub fn on_duty(&self) -> bool {
        self.is_there() && self.duty == AgentState::Ready
    }

    pub fn has(&self, skill: &str, level: u8) -> bool {
        self.settings.skills.iter().any(|own| own.name == skill && own.level >= level)
    }

    pub fn is_able(&self, queue: &QueueSettings, level: u8) -> bool {
        let moved = self.moved.iter().find(|(name, _)| *name == queue.name);
        !self.gone && moved.map_or_else(|| self.is_skilled(queue, level), |(_, lent)| *lent)
    }

    pub fn is_skilled(&self, queue: &QueueSettings, level: u8) -> bool {
        queue.skills.iter().all(|skill| self.has(skill, level))
    }

    pub fn speaks(&self, languages: &[String]) -> bool {
        languages.is_empty() || languages.iter().any(|one| self.has(one, 1))
    }

    pub fn serves(&self, queue: &QueueSettings) -> bool {
        self.is_able(queue, lowest_level(queue))
    }
}
