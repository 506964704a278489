//! The configuration and the supervisors, naively.

use super::{Agent, Model, Queue, lowest_level};
use pukar::acd::{
    AgentSettings, AgentState, Away, Desk, Door, Effect, Fact, Hand, Instead, QueueSettings,
    Settings,
};
use pukar::base::{CallId, Instant, QueueId};
use std::time::Duration;

impl Model {
    /// The ids of new names are taken from the desk.
    pub fn reload(&mut self, now: Instant, settings: &Settings, desk: &Desk) {
        let kept = |name: &str| settings.queues.iter().any(|q| q.name == name);
        let queues = self.queues.iter().filter(|queue| !kept(&queue.settings.name));
        for queue in queues.map(|queue| queue.id).collect::<Vec<_>>() {
            for call in self.line(queue).collect::<Vec<_>>() {
                self.take_out(now, call);
                self.turn_away(call, queue, Away::NoQueue, Instead::Refuse);
            }
        }
        self.refresh(now);
        let skilled = self.skilled();
        self.reload_queues(&settings.queues, desk);
        self.reload_agents(now, &settings.agents, desk);
        self.keep_loans(skilled);
        self.stand_anew(now);
        self.finish(now);
    }

    fn reload_queues(&mut self, settings: &[QueueSettings], desk: &Desk) {
        let mut before = std::mem::take(&mut self.queues);
        for new in settings {
            let known = before.iter().position(|q| q.settings.name == new.name);
            let Some(known) = known.map(|q| before.swap_remove(q)) else {
                let id = desk.queue_id(&new.name).unwrap();
                let (settings, weight) = (new.clone(), new.weight);
                let handled = Vec::new();
                self.queues.push(Queue {
                    id,
                    settings,
                    last: None,
                    handled,
                    door: Door::Open,
                    weight,
                });
                continue;
            };
            let mut settings = new.clone();
            if known.settings.weight != known.weight {
                if new.weight == known.weight {
                    settings.weight = known.settings.weight;
                } else {
                    self.handled(known.id, Hand::Configured);
                }
            }
            self.queues.push(Queue { settings, weight: new.weight, ..known });
        }
    }

    fn reload_agents(&mut self, now: Instant, settings: &[AgentSettings], desk: &Desk) {
        self.agents.iter_mut().for_each(|agent| agent.gone = true);
        for (order, new) in settings.iter().enumerate() {
            if let Some(agent) = self.agents.iter_mut().find(|a| a.settings.id == new.id) {
                agent.gone = false;
                agent.order = order;
                agent.settings = new.clone();
                continue;
            }
            self.agents.push(Agent {
                id: desk.agent_id(&new.id).unwrap(),
                settings: new.clone(),
                gone: false,
                registered: false,
                silent: false,
                elsewhere: false,
                moved: Vec::new(),
                duty: if new.ready { AgentState::Ready } else { AgentState::Off },
                busy: None,
                beside: None,
                notes: None,
                asked_by: None,
                until: now,
                rest: None,
                stopping: None,
                idle: now,
                misses: 0,
                last: AgentState::Off,
                order,
                calls: 0,
                talked: Duration::ZERO,
            });
        }
    }

    /// Whether the skills of each who is lent or taken away would do there.
    fn skilled(&self) -> Vec<(usize, String, bool)> {
        let mut skilled = Vec::new();
        for (i, agent) in self.agents.iter().enumerate() {
            for (name, _) in &agent.moved {
                if let Some(queue) = self.queues.iter().find(|q| q.settings.name == *name) {
                    let queue = &queue.settings;
                    let able = agent.is_skilled(queue, lowest_level(queue));
                    skilled.push((i, name.clone(), able));
                }
            }
        }
        skilled
    }

    /// A loan ends with its queue, and where the configuration has changed its mind about it.
    fn keep_loans(&mut self, before: Vec<(usize, String, bool)>) {
        let queues = &self.queues;
        for agent in &mut self.agents {
            agent.moved.retain(|(name, _)| queues.iter().any(|q| q.settings.name == *name));
        }
        let skilled = self.skilled();
        for (i, name, before) in before {
            let Some((.., after)) = skilled.iter().find(|s| (s.0, &s.1) == (i, &name)) else {
                continue;
            };
            let after = *after;
            if before != after {
                let agent = &mut self.agents[i];
                agent.moved.retain(|(moved, _)| *moved != name);
                let agent = agent.id;
                let queue = self.queues.iter().find(|q| q.settings.name == name).unwrap().id;
                self.handled(queue, if after { Hand::Lend(agent) } else { Hand::TakeAway(agent) });
            }
        }
    }

    pub fn lay_hand(&mut self, now: Instant, queue: QueueId, hand: Hand) -> bool {
        let Some(q) = self.queues.iter().position(|q| q.id == queue) else { return false };
        let line = &mut self.queues[q];
        let name = line.settings.name.clone();
        let mut regroup = false;
        match hand {
            Hand::Door(door) if line.door == door => return false,
            Hand::Door(door) => line.door = door,
            Hand::Weight(weight) if line.settings.weight == weight => return false,
            Hand::Weight(weight) => line.settings.weight = weight,
            Hand::Configured if line.settings.weight == line.weight => return false,
            Hand::Configured => line.settings.weight = line.weight,
            Hand::Lend(agent) | Hand::TakeAway(agent) => {
                let moved = (name, matches!(hand, Hand::Lend(_)));
                let Some(who) = self.agents.iter_mut().find(|a| a.id == agent) else {
                    return false;
                };
                if who.moved.contains(&moved) {
                    return false;
                }
                who.moved.retain(|(name, _)| *name != moved.0);
                who.moved.push(moved);
                regroup = true;
            }
            Hand::Ways(_) => {}
        }
        self.handled(queue, hand);
        if regroup {
            self.stand_anew(now);
        }
        self.finish(now);
        true
    }

    /// A loan is for a shift.
    pub fn end_loans(&mut self, now: Instant, i: usize) {
        let agent = self.agents[i].id;
        let moved = std::mem::take(&mut self.agents[i].moved);
        for (name, lent) in &moved {
            let queue = self.queues.iter().find(|q| q.settings.name == *name).unwrap().id;
            self.handled(queue, if *lent { Hand::TakeAway(agent) } else { Hand::Lend(agent) });
        }
        if !moved.is_empty() {
            self.stand_anew(now);
        }
    }

    /// Who serves what may be different: every caller is looked at again.
    fn stand_anew(&mut self, now: Instant) {
        let waits = self.calls.iter().filter(|c| c.talks.is_none());
        for call in waits.map(|c| c.id).collect::<Vec<CallId>>() {
            self.bound_wait(call, now);
            self.look(now, call);
        }
    }

    fn handled(&mut self, queue: QueueId, hand: Hand) {
        self.out.push(Effect::Fact(Fact::Handled { queue, hand }));
    }
}
