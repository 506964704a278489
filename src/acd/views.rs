//! Looking at the desk. Nothing here changes anything.

use super::agent::Duty;
use super::desk::Desk;
use super::{AgentState, QueueSettings, Stage};
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

    /// Logged in, ready or not.
    pub fn is_logged_in(&self, agent: AgentId) -> bool {
        self.agents.get(agent).is_some_and(|who| who.duty != Duty::Off && !who.retired)
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

    /// Callers of this queue for whom no phone rings: emergencies, then by priority, then by
    /// arrival. Whoever has aged, or has an agent where others have none, is served sooner.
    pub fn waiting(&self, queue: QueueId) -> impl Iterator<Item = CallId> {
        let waits = |call: &CallId| self.stage(*call) == Some(&Stage::Waiting);
        self.line(queue).filter(waits)
    }

    /// All callers of this queue whom nobody has answered yet, in the same order.
    pub fn line(&self, queue: QueueId) -> impl Iterator<Item = CallId> {
        let line = self.queues.get(queue).into_iter();
        line.flat_map(|line| line.line.iter().map(|place| place.call))
    }

    /// How many callers of this queue nobody has answered yet.
    pub fn length(&self, queue: QueueId) -> usize {
        self.queues.get(queue).map_or(0, |line| line.line.len())
    }

    /// Agents who serve this queue and are ready.
    pub fn free(&self, queue: QueueId) -> usize {
        self.queues.get(queue).map_or(0, |line| line.ready)
    }

    /// Whether a phone of the agent has been told to stop ringing and may ring still.
    pub fn is_stopping(&self, agent: AgentId) -> bool {
        self.agents.get(agent).is_some_and(|who| who.stopping.is_some())
    }

    /// Whether the agent's phone has fallen silent.
    pub fn is_silent(&self, agent: AgentId) -> bool {
        self.agents.get(agent).is_some_and(|who| who.silent)
    }

    /// Agents who serve this queue and are there: logged in with a phone, and not on a pause where
    /// that does not count.
    pub fn present(&self, queue: QueueId) -> usize {
        self.queues.get(queue).map_or(0, |line| line.present)
    }

    /// How many callers who have left are remembered.
    pub fn remembered(&self) -> usize {
        self.memory.len()
    }

    /// Where a call is; `None` when it is not in the desk.
    pub fn stage(&self, call: CallId) -> Option<&Stage> {
        self.callers.get(&call).map(|caller| &caller.stage)
    }

    /// The agent whom the desk found for this call, while they talk.
    pub fn found(&self, call: CallId) -> Option<AgentId> {
        match self.callers.get(&call)?.stage {
            Stage::Talking { agent, .. } => Some(agent),
            Stage::Waiting | Stage::Offered(_) => None,
        }
    }

    pub fn queue_of(&self, call: CallId) -> Option<QueueId> {
        self.callers.get(&call).map(|caller| caller.queue)
    }

    pub fn arrived(&self, call: CallId) -> Option<Instant> {
        self.callers.get(&call).map(|caller| caller.place.arrived)
    }

    /// Every call in the desk: waiting, offered or talking.
    pub fn calls(&self) -> impl Iterator<Item = CallId> {
        self.callers.keys().copied()
    }
}
