//! Looking at the desk. Nothing here changes anything.

use super::desk::Desk;
use super::queue::Stage;
use super::{AgentState, QueueSettings};
use crate::base::{AgentId, CallId, Instant, QueueId};

impl Desk {
    pub fn agent_id(&self, name: &str) -> Option<AgentId> {
        self.agent_names.get(name).copied()
    }

    pub fn queue_id(&self, name: &str) -> Option<QueueId> {
        self.queue_names.get(name).copied()
    }

    pub fn agent_name(&self, agent: AgentId) -> Option<&str> {
        self.agents.get(agent).map(|who| who.name.as_str())
    }

    pub fn queue_settings(&self, queue: QueueId) -> Option<&QueueSettings> {
        self.queues.get(queue).map(|line| &line.settings)
    }

    /// Everybody, in the order of their slots; also who was removed but still has a call.
    pub fn agents(&self) -> impl Iterator<Item = (AgentId, &AgentState)> {
        self.agents.iter().map(|(id, who)| (id, &who.shown))
    }

    pub fn queues(&self) -> impl Iterator<Item = QueueId> {
        self.queues.keys()
    }

    /// `None`: no such agent, or no longer.
    pub fn state(&self, agent: AgentId) -> Option<&AgentState> {
        self.agents.get(agent).map(|who| &who.shown)
    }

    /// Whether a phone of the agent is known to be registered.
    pub fn is_registered(&self, agent: AgentId) -> bool {
        self.agents.get(agent).is_some_and(|who| who.registered)
    }

    /// When the agent last became ready.
    pub fn idle_since(&self, agent: AgentId) -> Option<Instant> {
        self.agents.get(agent).map(|who| who.idle_since)
    }

    /// The queues that the agent may be offered callers from.
    pub fn serves(&self, agent: AgentId) -> &[QueueId] {
        self.agents.get(agent).map_or(&[], |who| &who.serves)
    }

    /// Callers of this queue for whom no phone rings, in the order in which they will be served.
    pub fn waiting(&self, queue: QueueId) -> impl Iterator<Item = CallId> {
        let line = self.queues.get(queue).into_iter();
        line.flat_map(|line| line.waiting.iter().map(|&(_, call)| call))
    }

    /// All callers of this queue whom nobody has answered yet, in order.
    pub fn line(&self, queue: QueueId) -> impl Iterator<Item = CallId> {
        let line = self.queues.get(queue).into_iter();
        line.flat_map(|line| line.waiting.union(&line.ringing).map(|&(_, call)| call))
    }

    /// How many callers of this queue nobody has answered yet.
    pub fn length(&self, queue: QueueId) -> usize {
        self.queues.get(queue).map_or(0, |line| line.waiting.len() + line.ringing.len())
    }

    /// Agents who could be offered a caller of this queue at once.
    pub fn free(&self, queue: QueueId) -> usize {
        self.queues.get(queue).map_or(0, |line| line.free.len())
    }

    /// The caller's number in the queue, from 1. `None` once somebody has answered. Costs as much
    /// as there are callers ahead.
    pub fn position(&self, call: CallId) -> Option<usize> {
        let caller = self.callers.get(&call)?;
        let line = self.queues.get(caller.queue)?;
        let place = (caller.arrived, call);
        if !line.waiting.contains(&place) && !line.ringing.contains(&place) {
            return None;
        }
        Some(1 + line.waiting.range(..place).count() + line.ringing.range(..place).count())
    }

    /// Where a call is; `None` when it is not in the desk.
    pub fn stage(&self, call: CallId) -> Option<&Stage> {
        self.callers.get(&call).map(|caller| &caller.stage)
    }

    pub fn queue_of(&self, call: CallId) -> Option<QueueId> {
        self.callers.get(&call).map(|caller| caller.queue)
    }

    pub fn arrived(&self, call: CallId) -> Option<Instant> {
        self.callers.get(&call).map(|caller| caller.arrived)
    }

    /// Every call in the desk: waiting, offered or talking.
    pub fn calls(&self) -> impl Iterator<Item = CallId> {
        self.callers.keys().copied()
    }
}
