//! What the ids of the core are called in the configuration.

use crate::acd::RosterSettings;
use crate::base::number::{Plan, dialled};
use crate::base::{AgentId, Id, QueueId, TrunkId};
use crate::call::{Directory, District};
use crate::config::{Reports, Settings, User};
use crate::core;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names of agents that have left are kept up to this many, for the facts that still name them.
const FORMER_MAX: usize = 10_000;

/// Whom a call goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party<'a> {
    Agent(&'a str),
    Queue(String),
    District(&'a str),
    /// Somebody in the directory of this district.
    Listed(&'a str),
    /// A number that is nobody's here, or nothing.
    Outside,
}

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
    /// What is dialled within: whose extension it is, or where callers of that number wait.
    extensions: BTreeMap<String, String>,
    lines: BTreeMap<String, QueueId>,
    plan: Plan,
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
        let phones = settings.call.phones.iter().filter(|phone| !phone.extension.is_empty());
        let extensions = phones.map(|phone| (phone.extension.clone(), phone.user.clone()));
        let lines = settings.call.lines.iter().flat_map(|line| {
            let queue = line.goal.queue();
            line.numbers.iter().filter_map(move |number| Some((number.clone(), queue?)))
        });
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
            extensions: extensions.collect(),
            lines: lines.collect(),
            plan: settings.call.plan.clone(),
        }
    }

    /// Whom a call that is sent to `to` goes to, as calls read it.
    pub fn party<'a>(&'a self, to: &'a str) -> Party<'a> {
        match to.split_once(':') {
            Some(("agent", name)) => Party::Agent(name),
            Some(("queue", name)) => Party::Queue(name.into()),
            Some(("district", name)) => Party::District(name),
            Some(("dir", address)) => Party::Listed(address.split('/').next().unwrap_or_default()),
            Some(_) => Party::Outside,
            None if self.serves.contains_key(to) => Party::Agent(to),
            None if self.queues.iter().any(|(_, name)| name == to) => Party::Queue(to.into()),
            None if self.districts.iter().any(|district| district.name == to) => {
                Party::District(to)
            }
            None => match (self.extensions.get(to), self.lines.get(&dialled(to, &self.plan))) {
                (_, Some(queue)) => Party::Queue(self.queue(*queue)),
                (Some(agent), None) => Party::Agent(agent),
                (None, None) => Party::Outside,
            },
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
