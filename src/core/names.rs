//! What the ids of the desk are called now. Names keep their ids over a reload and new ones get new
//! ids, so the order of the configuration says nothing after the first.

use super::Switch;
use crate::base::{AgentId, QueueId};

/// The agents and queues of the settings in force, in their order there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub agents: Vec<(AgentId, String)>,
    pub queues: Vec<(QueueId, String)>,
    /// The queues that each of the agents serves now, in the order of the agents.
    pub serves: Vec<Vec<QueueId>>,
}

impl Switch {
    pub fn names(&self) -> Names {
        let (acd, desk) = (&self.settings.acd, &self.state.desk);
        let agents = acd.agents.iter().filter_map(|a| Some((desk.agent_id(&a.id)?, a.id.clone())));
        let agents: Vec<(AgentId, String)> = agents.collect();
        let serves = agents.iter().map(|(agent, _)| desk.serves(*agent).to_vec()).collect();
        let queues =
            acd.queues.iter().filter_map(|q| Some((desk.queue_id(&q.name)?, q.name.clone())));
        Names { agents, queues: queues.collect(), serves }
    }
}
