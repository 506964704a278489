//! What the ids of the core are called in the configuration.

use crate::base::{AgentId, Id, QueueId, TrunkId};
use crate::config::Settings;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub switch: String,
    /// Id and display name.
    pub agents: Vec<(String, String)>,
    pub queues: Vec<String>,
    pub trunks: Vec<String>,
}

impl Names {
    pub fn of(settings: &Settings) -> Self {
        let display = |id: &str| {
            let phone = settings.call.phones.iter().find(|phone| phone.user == id);
            phone.map(|phone| phone.name.clone()).unwrap_or_default()
        };
        Self {
            switch: settings.name.clone(),
            agents: settings.acd.agents.iter().map(|a| (a.id.clone(), display(&a.id))).collect(),
            queues: settings.acd.queues.iter().map(|q| q.name.clone()).collect(),
            trunks: settings.sip.trunks.iter().map(|t| t.name.clone()).collect(),
        }
    }

    pub fn agent(&self, id: AgentId) -> String {
        self.agents.get(id.slot() as usize).map_or_else(|| format!("{id:?}"), |a| a.0.clone())
    }

    pub fn queue(&self, id: QueueId) -> String {
        self.queues.get(id.slot() as usize).cloned().unwrap_or_else(|| format!("{id:?}"))
    }

    pub fn trunk(&self, id: TrunkId) -> String {
        self.trunks.get(id.slot() as usize).cloned().unwrap_or_else(|| format!("{id:?}"))
    }
}
