//! The configuration comes, and comes again. Names keep their ids, their states, their clocks and
//! their counts; what only the configuration says is taken anew.

use super::agent::{Agent, Task};
use super::desk::{Desk, Turn};
use super::queue::{Queue, Stage};
use super::{AgentSettings, AgentState, Effect, QueueSettings, Settings};
use crate::base::{AgentId, CallId, Cx, QueueId};
use std::collections::{BTreeMap, BTreeSet};

impl Desk {
    pub fn new(cx: &mut Cx<'_>, settings: &Settings, out: &mut Vec<Effect>) -> Self {
        let mut desk = Self::default();
        desk.reload(cx, settings, out);
        desk
    }

    /// Takes over changed settings. A queue that is gone lets go of its callers (`Expired`); an
    /// agent who is gone finishes the call in hand and its wrap-up first. New names get new ids.
    pub fn reload(&mut self, cx: &mut Cx<'_>, settings: &Settings, out: &mut Vec<Effect>) {
        let mut turn = Turn::new(cx, out);
        self.reload_queues(&mut turn, &settings.queues);
        self.reload_agents(&settings.agents);
        self.find_who_serves_what();
        let agents: Vec<AgentId> = self.agents.keys().collect();
        for agent in agents {
            self.interrupt(&mut turn, agent);
            self.settle(&mut turn, agent);
        }
        turn.touched.extend(self.queues.keys());
        self.decide(turn);
    }

    fn reload_queues(&mut self, turn: &mut Turn<'_, '_>, settings: &[QueueSettings]) {
        let kept: BTreeSet<&str> = settings.iter().map(|queue| queue.name.as_str()).collect();
        let gone = |(name, &id): (&String, &QueueId)| {
            (!kept.contains(name.as_str())).then(|| (name.clone(), id))
        };
        let gone: Vec<(String, QueueId)> = self.queue_names.iter().filter_map(gone).collect();
        for (name, id) in gone {
            for call in self.line(id).collect::<Vec<CallId>>() {
                self.give_up(turn, call);
            }
            self.queue_names.remove(&name);
            self.queues.remove(id);
        }
        for settings in settings {
            match self.queue_names.get(&settings.name).and_then(|&id| self.queues.get_mut(id)) {
                Some(queue) => queue.settings = settings.clone(),
                None => {
                    let id = self.queues.insert(Queue::new(settings.clone()));
                    self.queue_names.insert(settings.name.clone(), id);
                }
            }
        }
        let unanswered = self.callers.iter();
        let unanswered = unanswered.filter(|(_, c)| !matches!(c.stage, Stage::Talking { .. }));
        for call in unanswered.map(|(&call, _)| call).collect::<Vec<_>>() {
            let now = turn.now();
            self.arm_max_wait(turn, call, now);
        }
    }

    fn reload_agents(&mut self, settings: &[AgentSettings]) {
        for &id in self.agent_names.values() {
            if let Some(agent) = self.agents.get_mut(id) {
                agent.retired = true;
            }
        }
        for settings in settings {
            match self.agent_names.get(&settings.id).and_then(|&id| self.agents.get_mut(id)) {
                Some(agent) => {
                    agent.retired = false;
                    agent.fixed = settings.fixed;
                    agent.skills = settings.skills.iter().cloned().collect();
                }
                None => {
                    let id = self.agents.insert(Agent::new(settings));
                    self.agent_names.insert(settings.id.clone(), id);
                }
            }
        }
    }

    /// Matches skills with queues, once for each set of skills that occurs, and fills the sets of
    /// free agents.
    fn find_who_serves_what(&mut self) {
        let queues: Vec<QueueId> = self.queues.keys().collect();
        for &queue in &queues {
            if let Some(queue) = self.queues.get_mut(queue) {
                queue.free.clear();
            }
        }
        let mut known: BTreeMap<BTreeSet<String>, Vec<QueueId>> = BTreeMap::new();
        for id in self.agents.keys().collect::<Vec<AgentId>>() {
            let Some(agent) = self.agents.get(id) else { continue };
            let serves = if agent.retired {
                Vec::new()
            } else if let Some(serves) = known.get(&agent.skills) {
                serves.clone()
            } else {
                let serves = self.served_with(&agent.skills);
                known.insert(agent.skills.clone(), serves.clone());
                serves
            };
            let Some(agent) = self.agents.get_mut(id) else { continue };
            agent.serves = serves;
            if agent.shown == AgentState::Ready {
                for &queue in &agent.serves {
                    if let Some(queue) = self.queues.get_mut(queue) {
                        queue.free.insert((agent.idle_since, id));
                    }
                }
            }
        }
    }

    /// The queues whose every skill is among these, in the order of their ids.
    pub(super) fn served_with(&self, skills: &BTreeSet<String>) -> Vec<QueueId> {
        let eligible = |queue: &Queue| queue.settings.skills.iter().all(|s| skills.contains(s));
        let mut serves: Vec<QueueId> =
            self.queues.iter().filter(|(_, queue)| eligible(queue)).map(|(id, _)| id).collect();
        serves.sort_unstable();
        serves
    }

    /// Whether a retired agent still has a reason to be here.
    pub(super) fn overstays(agent: &Agent) -> bool {
        agent.retired && !matches!(agent.task, Task::Talking(_) | Task::WrapUp { .. })
    }
}
