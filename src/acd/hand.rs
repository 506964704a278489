//! A supervisor's hand on a queue: its door, its weight, who serves it.
//!
//! A hand stays where it was laid, over reloads too, until a configuration says something else of
//! that very weight, or of whether that agent has the queue's skills; a loan ends with the agent's
//! shift as well. Nobody who waits is ever turned away by it.

use super::desk::{Desk, Turn};
use super::{Effect, Fact};
use crate::base::{AgentId, CallId, Cx, QueueId};
use serde::{Deserialize, Serialize};

/// What is done to a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hand {
    Door(Door),
    /// Among the queues that an agent serves, callers of the heavier go first.
    Weight(u32),
    /// Its weight is that of the configuration, which has become another, and no supervisor's.
    Configured,
    /// The agent serves the queue, whatever their skills are.
    Lend(AgentId),
    /// The agent does not serve the queue, whatever their skills are.
    TakeAway(AgentId),
    /// When its ways out are taken.
    Ways(Ways),
}

/// Whether new callers are let in. Whoever waits is served all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Door {
    #[default]
    Open,
    /// Callers are let in and take the way out that is there for a queue without staff.
    Onward,
    /// New callers are turned away, but for emergencies.
    Shut,
}

/// Ways out of a queue: as the configuration says, at once, or not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ways {
    #[default]
    Configured,
    Open,
    Shut,
}

impl Desk {
    /// Lays a hand on a queue; false: there is no such queue or agent, or nothing changed.
    /// [`Hand::Ways`] is not the desk's but [`super::Relief`]'s, and only becomes a fact here.
    pub fn lay_hand(
        &mut self,
        cx: &mut Cx<'_>,
        queue: QueueId,
        hand: Hand,
        out: &mut Vec<Effect>,
    ) -> bool {
        let mut turn = Turn::new(cx, out);
        let Some(line) = self.queues.get_mut(queue) else { return false };
        let changed = match hand {
            Hand::Door(door) => std::mem::replace(&mut line.door, door) != door,
            Hand::Weight(weight) => std::mem::replace(&mut line.settings.weight, weight) != weight,
            Hand::Configured => {
                let weight = line.configured_weight;
                std::mem::replace(&mut line.settings.weight, weight) != weight
            }
            Hand::Lend(agent) | Hand::TakeAway(agent) => {
                let name = line.settings.name.clone();
                let Some(who) = self.agents.get_mut(agent) else { return false };
                let lent = matches!(hand, Hand::Lend(_));
                who.moved.insert(name, lent) != Some(lent)
            }
            Hand::Ways(_) => true,
        };
        if changed {
            turn.fact(Fact::Handled { queue, hand });
            self.deserted.insert(queue);
            match hand {
                Hand::Lend(_) | Hand::TakeAway(_) => self.regroup(&mut turn),
                Hand::Weight(_) | Hand::Configured => self.look_everywhere(&mut turn),
                Hand::Door(_) | Hand::Ways(_) => {}
            }
        }
        self.decide(turn);
        changed
    }

    pub fn door(&self, queue: QueueId) -> Door {
        self.queues.get(queue).map_or(Door::Open, |line| line.door)
    }

    /// A loan is for a shift.
    pub(super) fn end_loans(&mut self, turn: &mut Turn<'_, '_>, agent: AgentId) {
        let Some(who) = self.agents.get_mut(agent).filter(|who| !who.moved.is_empty()) else {
            return;
        };
        let moved = std::mem::take(&mut who.moved);
        for (name, lent) in moved {
            let Some(&queue) = self.queue_names.get(&name) else { continue };
            let hand = if lent { Hand::TakeAway(agent) } else { Hand::Lend(agent) };
            turn.fact(Fact::Handled { queue, hand });
        }
        self.regroup(turn);
    }

    /// Who serves what has changed: everybody stands in line anew, at the old place.
    pub(super) fn regroup(&mut self, turn: &mut Turn<'_, '_>) {
        let unanswered = self.clear_lines(turn);
        self.find_who_serves_what();
        self.stand_anew(turn, unanswered);
    }

    pub(super) fn stand_anew(&mut self, turn: &mut Turn<'_, '_>, unanswered: Vec<CallId>) {
        let now = turn.now();
        for call in unanswered {
            self.enlist(turn, call);
            self.arm_max_wait(turn, call, now);
        }
        for agent in self.agents.keys().collect::<Vec<AgentId>>() {
            self.interrupt(turn, agent);
            self.settle(turn, agent);
        }
        self.look_everywhere(turn);
    }

    fn look_everywhere(&self, turn: &mut Turn<'_, '_>) {
        for (id, queue) in self.queues.iter() {
            turn.touched.extend(queue.every_lane().map(|(lane, _)| (id, lane)));
        }
    }
}
