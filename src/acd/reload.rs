//! The configuration comes, and comes again. Names keep their ids, their states, their clocks and
//! their counts; what only the configuration says is taken anew.

use super::agent::{Agent, Presence, Task};
use super::desk::{Desk, Turn};
use super::pick::Tally;
use super::queue::{LaneAt, Queue};
use super::{AgentSettings, Away, Effect, Fact, Hand, QueueSettings, Settings, strategy};
use crate::base::{AgentId, CallId, Cx, QueueId, Timer};
use std::collections::{BTreeMap, BTreeSet};

/// What follows from a set of skills: the queues that they serve, and the lanes.
type Service = (Vec<QueueId>, Vec<(QueueId, u32)>);
/// An agent who was lent to a queue or taken from it, and whether their skills would do there.
type Loan = (AgentId, String, bool);
type Skills = BTreeMap<String, u8>;
type Moves = BTreeMap<String, bool>;

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
        self.remove_queues(&mut turn, &settings.queues);
        let unanswered = self.clear_lines(&mut turn);
        let loans = self.loans();
        self.reload_queues(&mut turn, &settings.queues);
        self.reload_agents(&settings.agents);
        self.keep_loans(&mut turn, loans);
        self.find_who_serves_what();
        self.stand_anew(&mut turn, unanswered);
        self.decide(turn);
    }

    fn remove_queues(&mut self, turn: &mut Turn<'_, '_>, settings: &[QueueSettings]) {
        let kept: BTreeSet<&str> = settings.iter().map(|queue| queue.name.as_str()).collect();
        let gone = |(name, &id): (&String, &QueueId)| {
            (!kept.contains(name.as_str())).then(|| (name.clone(), id))
        };
        let gone: Vec<(String, QueueId)> = self.queue_names.iter().filter_map(gone).collect();
        for (name, id) in gone {
            for call in self.line(id).collect::<Vec<CallId>>() {
                self.give_up(turn, call, Away::NoQueue);
            }
            turn.cx.timers.cancel(Timer::QueueReview(id));
            self.queue_names.remove(&name);
            self.queues.remove(id);
        }
    }

    /// Takes all callers out of the lines, to be put back as the new settings have it.
    pub(super) fn clear_lines(&mut self, turn: &mut Turn<'_, '_>) -> Vec<CallId> {
        let unanswered = self.callers.iter().filter(|(_, caller)| caller.unanswered());
        let unanswered: Vec<CallId> = unanswered.map(|(&call, _)| call).collect();
        for call in &unanswered {
            if let Some(mut caller) = self.callers.remove(call) {
                self.unlist(turn, &mut caller);
                self.callers.insert(*call, caller);
            }
        }
        unanswered
    }

    fn reload_queues(&mut self, turn: &mut Turn<'_, '_>, settings: &[QueueSettings]) {
        for settings in settings {
            let known = self.queue_names.get(&settings.name).copied();
            match known.and_then(|id| Some((id, self.queues.get_mut(id)?))) {
                Some((id, queue)) => {
                    let said = queue.settings.weight;
                    let by_hand = said != queue.configured_weight;
                    let same = settings.weight == queue.configured_weight;
                    queue.settings = settings.clone();
                    queue.configured_weight = settings.weight;
                    if by_hand && same {
                        queue.settings.weight = said;
                    } else if by_hand {
                        turn.fact(Fact::Handled { queue: id, hand: Hand::Configured });
                    }
                }
                None => {
                    let id = self.queues.insert(Queue::new(settings.clone()));
                    self.queue_names.insert(settings.name.clone(), id);
                }
            }
        }
    }

    /// Who is lent or taken away, where, and whether their skills would do there.
    fn loans(&self) -> Vec<Loan> {
        let of_agent = |(id, agent): (AgentId, &Agent)| {
            let loan = |name: &String| {
                let queue = &self.queues.get(*self.queue_names.get(name)?)?.settings;
                Some((id, name.clone(), agent.is_skilled(queue, queue.lowest_level())))
            };
            agent.moved.keys().filter_map(loan).collect::<Vec<Loan>>()
        };
        self.agents.iter().flat_map(of_agent).collect()
    }

    /// A loan outlives the reload, unless the configuration has changed its mind about it.
    fn keep_loans(&mut self, turn: &mut Turn<'_, '_>, loans: Vec<Loan>) {
        let names = &self.queue_names;
        for id in self.agents.keys().collect::<Vec<AgentId>>() {
            if let Some(agent) = self.agents.get_mut(id) {
                agent.moved.retain(|name, _| names.contains_key(name));
            }
        }
        for (agent, name, before) in loans {
            let Some(&queue) = self.queue_names.get(&name) else { continue };
            let Some(line) = self.queues.get(queue) else { continue };
            let Some(who) = self.agents.get_mut(agent) else { continue };
            let skilled = who.is_skilled(&line.settings, line.settings.lowest_level());
            if skilled != before && who.moved.remove(&name).is_some() {
                let hand = if skilled { Hand::Lend(agent) } else { Hand::TakeAway(agent) };
                turn.fact(Fact::Handled { queue, hand });
            }
        }
    }

    fn reload_agents(&mut self, settings: &[AgentSettings]) {
        for &id in self.agent_names.values() {
            if let Some(agent) = self.agents.get_mut(id) {
                agent.retired = true;
            }
        }
        for (order, settings) in (0..).zip(settings) {
            let known = self.agent_names.get(&settings.id).copied();
            let id = known.filter(|&id| self.agents.contains(id)).unwrap_or_else(|| {
                let id = self.agents.insert(Agent::new(settings));
                self.agent_names.insert(settings.id.clone(), id);
                self.fresh.insert(id);
                id
            });
            let Some(agent) = self.agents.get_mut(id) else { continue };
            agent.retired = false;
            agent.fixed = settings.fixed;
            agent.order = order;
            let skills = settings.skills.iter();
            agent.skills = skills.map(|skill| (skill.name.clone(), skill.level)).collect();
        }
    }

    /// Matches skills with queues and with what their callers need, once for each set of skills
    /// that occurs, and fills the sets of free agents.
    pub(super) fn find_who_serves_what(&mut self) {
        for id in self.queues.keys().collect::<Vec<QueueId>>() {
            let Some(queue) = self.queues.get_mut(id) else { continue };
            queue.lanes.iter_mut().for_each(|lane| lane.free.clear());
            queue.staff.clear();
            (queue.ready, queue.present, queue.capacity) = (0, 0, 0);
            queue.tally = Tally::default();
        }
        let mut known: BTreeMap<(Skills, Moves), Service> = BTreeMap::new();
        for id in self.agents.keys().collect::<Vec<AgentId>>() {
            let Some(agent) = self.agents.get(id) else { continue };
            let (serves, lanes) = if agent.retired {
                Service::default()
            } else {
                let key = (agent.skills.clone(), agent.moved.clone());
                let service = known.entry(key).or_insert_with(|| self.service_of(agent));
                service.clone()
            };
            let Some(agent) = self.agents.get_mut(id) else { continue };
            (agent.serves, agent.lanes) = (serves, lanes);
            self.enrol(id);
        }
        for id in self.queues.keys().collect::<Vec<QueueId>>() {
            if let Some(queue) = self.queues.get_mut(id) {
                queue.staff.sort_unstable();
                if queue.present == 0 {
                    self.deserted.insert(id);
                }
            }
        }
    }

    /// Counts anew who of each queue is kept from calls, and by what: a state that was kept may
    /// come from whoever counted otherwise, and a wrong count would never be right again.
    pub fn recount(&mut self) {
        for id in self.queues.keys().collect::<Vec<QueueId>>() {
            let Some(queue) = self.queues.get_mut(id) else { continue };
            queue.tally = Tally::default();
            for agent in queue.staff.iter().filter_map(|&agent| self.agents.get(agent)) {
                queue.tally.add(&agent.shown);
            }
        }
    }

    /// Enters an agent, as last known, into the books of the queues and lanes.
    fn enrol(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get(id) else { return };
        for &queue in &agent.serves {
            let Some(queue) = self.queues.get_mut(queue) else { continue };
            queue.staff.push(id);
            queue.ready += usize::from(agent.is_shown_ready());
            queue.tally.add(&agent.shown);
            queue.present += usize::from(queue.counts(agent.presence));
            let on_duty = agent.presence == Presence::OnDuty;
            queue.capacity += if on_duty { agent.share() } else { 0 };
        }
        for &(queue, number) in agent.lanes.iter().filter(|_| agent.is_shown_ready()) {
            let Some(queue) = self.queues.get_mut(queue) else { continue };
            let turn = strategy::turn(queue.settings.strategy, id, agent);
            if let Some(lane) = queue.lane_mut(LaneAt::Shared(number)) {
                lane.free.insert(turn);
            }
        }
    }

    /// The queues whose every skill the agent has at their lowest level, and the lanes of these
    /// whose need they meet, in the order of their ids.
    pub(super) fn service_of(&self, agent: &Agent) -> Service {
        let (mut serves, mut lanes) = Service::default();
        for (id, queue) in self.queues.iter() {
            let settings = &queue.settings;
            if !agent.is_able(settings, settings.lowest_level()) {
                continue;
            }
            serves.push(id);
            let meets = (0..).zip(&queue.lanes).filter(|(_, l)| agent.meets(settings, &l.need));
            lanes.extend(meets.map(|(number, _)| (id, number)));
        }
        serves.sort_unstable();
        lanes.sort_unstable();
        (serves, lanes)
    }

    /// Whether a retired agent has no reason to be here any more. While their phone rings for a
    /// call that was withdrawn they are known: somebody may put them back in.
    pub(super) fn overstays(agent: &Agent) -> bool {
        let idle = matches!(agent.task, Task::Nothing | Task::Offered(_) | Task::Claimed { .. });
        agent.retired && idle && agent.stopping.is_none()
    }
}
