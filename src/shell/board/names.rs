//! What the ids of the core are called in the configuration.

use crate::acd::RosterSettings;
use crate::base::{AgentId, Id, QueueId, TrunkId};
use crate::call::{Directory, District};
use crate::config::{Reports, Settings, User};
use crate::core;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names of agents that have left are kept up to this many, for the facts that still name them.
const FORMER_MAX: usize = 10_000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    pub switch: String,
    /// In the order of the configuration: id, name, display name.
    pub agents: Vec<(AgentId, String, String)>,
    pub queues: Vec<(QueueId, String)>,
    /// In the order of their ids.
    pub trunks: Vec<String>,
    pub roster: RosterSettings,
    pub directory: Arc<Directory>,
    pub districts: Vec<District>,
    pub users: Vec<User>,
    pub reports: Reports,
    /// The queues that agents may be offered callers from, by the names of both.
    pub serves: BTreeMap<String, Vec<String>>,
    agent_names: BTreeMap<AgentId, String>,
    queue_names: BTreeMap<QueueId, String>,
}

impl Names {
    pub fn of(settings: &Settings, named: core::Names) -> Self {
        let displays: BTreeMap<&str, &str> =
            settings.call.phones.iter().map(|p| (p.user.as_str(), p.name.as_str())).collect();
        let display = |name: &str| displays.get(name).map(ToString::to_string).unwrap_or_default();
        let agents = named.agents.iter();
        let queues: BTreeMap<QueueId, &String> =
            named.queues.iter().map(|(id, name)| (*id, name)).collect();
        let of_queues = |ids: &Vec<QueueId>| {
            ids.iter().filter_map(|id| queues.get(id).map(ToString::to_string)).collect()
        };
        let serves = named.agents.iter().zip(&named.serves);
        let serves = serves.map(|((_, name), queues)| (name.clone(), of_queues(queues))).collect();
        Self {
            switch: settings.name.clone(),
            agents: agents.map(|(id, name)| (*id, name.clone(), display(name))).collect(),
            agent_names: named.agents.into_iter().collect(),
            queue_names: named.queues.iter().cloned().collect(),
            queues: named.queues,
            trunks: settings.sip.trunks.iter().map(|t| t.name.clone()).collect(),
            roster: settings.roster.clone(),
            directory: Arc::clone(&settings.call.directory),
            districts: settings.call.districts.clone(),
            users: settings.admin.users.clone(),
            reports: settings.reports.clone(),
            serves,
        }
    }

    /// The new names, with the old ones of those who finish a call before they go.
    pub fn after(mut self, old: &Self) -> Self {
        for (id, name) in old.agent_names.iter().take(FORMER_MAX) {
            self.agent_names.entry(*id).or_insert_with(|| name.clone());
        }
        for (id, name) in old.queue_names.iter().take(FORMER_MAX) {
            self.queue_names.entry(*id).or_insert_with(|| name.clone());
        }
        self
    }

    /// Whether every id that `old` can name has the same name here.
    pub fn say_the_same(&self, old: &Self) -> bool {
        old.trunks == self.trunks
            && old.agent_names.iter().all(|(id, name)| self.agent_names.get(id) == Some(name))
            && old.queue_names.iter().all(|(id, name)| self.queue_names.get(id) == Some(name))
    }

    pub fn agent(&self, id: AgentId) -> String {
        self.agent_names.get(&id).cloned().unwrap_or_else(|| format!("{id:?}"))
    }

    pub fn queue(&self, id: QueueId) -> String {
        self.queue_names.get(&id).cloned().unwrap_or_else(|| format!("{id:?}"))
    }

    pub fn trunk(&self, id: TrunkId) -> String {
        self.trunks.get(id.slot() as usize).cloned().unwrap_or_else(|| format!("{id:?}"))
    }
}
