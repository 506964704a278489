//! The fold itself: what each fact changes on the board.

use super::missed::MissedList;
use super::names::Names;
use super::ring::{Acts, Missed, Ring};
use super::story::Stories;
use super::tapes::Tapes;
use super::trunks::Trunk;
use super::wall::{Minutes, Short};
use crate::acd::{self, AgentState, Door, Hand, Ways};
use crate::base::{AgentId, CallId, Id, LegId, Now, QueueId, Wall, limits};
use crate::call::{self, Ailment, Arrival, Direction, Ears, Failures, MissedNews, Outcome, Role};
use crate::core::{Audit, Fact, Noted, What};
use crate::wire::sdp::Suite;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Answered within this long counts for the service level.
pub const SERVICE_LEVEL: Duration = Duration::from_secs(20);
/// Pairs of a queue and a district that calls are counted by.
const PLACES_MAX: usize = 10_000;
/// Ended calls whose ids are kept at least, for the facts that still come: missed offers, figures.
const ENDED_KEPT: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Board {
    pub(super) names: Names,
    pub(super) started: Now,
    /// When a process took over from another one, the last time.
    pub(super) restarted: Option<Now>,
    pub(super) draining: bool,
    /// Since when nothing is written down, and why.
    pub(super) journal_gap: Option<(Wall, String)>,
    pub(super) calls: BTreeMap<CallId, Call>,
    ended: BTreeMap<CallId, String>,
    /// In the order in which they ended, with the number of that fact.
    ended_order: VecDeque<(CallId, u64)>,
    pub(super) agents: BTreeMap<AgentId, Agent>,
    pub(super) queues: BTreeMap<QueueId, Queue>,
    /// In the order of their ids.
    pub(super) trunks: Vec<Trunk>,
    pub(super) counts: Counts,
    /// The same of the calls that ended in a queue and a district, by their names.
    pub(super) ended_in: BTreeMap<(String, String), Counts>,
    pub(super) failures: Failures,
    pub(super) missed: MissedList,
    /// Numbers that may not call.
    pub(super) blocks: BTreeMap<String, Block>,
    /// Shifts that are, or will be, short of people.
    pub(super) short: Vec<Short>,
    pub(super) tapes: Tapes,
    /// The last acts of people, and when each was.
    pub(super) audits: VecDeque<(Wall, Audit)>,
    pub(super) stories: Stories,
    phones: BTreeMap<String, Vec<String>>,
    last: u64,
    ring: Ring,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Call {
    pub id: String,
    pub direction: Direction,
    pub line: String,
    pub trunk: String,
    pub caller: String,
    pub dialled: String,
    pub district: String,
    pub stage: Stage,
    pub queue: Option<QueueId>,
    pub agent: Option<AgentId>,
    pub arrived: Now,
    pub queued: Option<Now>,
    pub connected: Option<Now>,
    pub held: bool,
    pub silent: bool,
    /// What is wrong with whose sound, though packets come.
    pub ails: BTreeSet<(Role, Ailment)>,
    /// Its legs, who each is, and what their sound is sealed by.
    pub legs: BTreeMap<LegId, (Role, Option<Suite>)>,
    /// Supervisors who are in the call.
    pub watched: BTreeMap<AgentId, Ears>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Block {
    pub reason: String,
    pub by: String,
    pub until: Wall,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    Arrived,
    Waiting,
    Offered,
    Talking,
    Parked { slot: u16 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Agent {
    pub state: AgentState,
    /// The public id of the state's call, which a wrap-up may outlive by far.
    pub call: Option<String>,
    pub since: Now,
    pub taken: u64,
    pub missed: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Queue {
    pub waiting: BTreeSet<CallId>,
    pub joined: u64,
    pub taken: u64,
    pub in_time: u64,
    pub left: u64,
    pub longest: Duration,
    pub door: Door,
    pub ways: Ways,
    pub minutes: Minutes,
    /// The weight that a supervisor gave it.
    pub weight: Option<u32>,
    /// What a supervisor has its callers told, and until when.
    pub message: Option<(String, Wall)>,
}

/// Since the switch started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub arrived: u64,
    pub answered: u64,
    pub abandoned: u64,
    pub overflowed: u64,
    pub callback: u64,
    pub refused: u64,
    pub failed: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: &Counts) {
        let Counts { arrived, answered, abandoned, overflowed, callback, refused, failed } = other;
        self.arrived += arrived;
        self.answered += answered;
        self.abandoned += abandoned;
        self.overflowed += overflowed;
        self.callback += callback;
        self.refused += refused;
        self.failed += failed;
    }

    fn of(&mut self, outcome: Outcome) -> &mut u64 {
        match outcome {
            Outcome::Answered => &mut self.answered,
            Outcome::Abandoned => &mut self.abandoned,
            Outcome::Overflowed => &mut self.overflowed,
            Outcome::Callback => &mut self.callback,
            Outcome::Refused => &mut self.refused,
            Outcome::Failed => &mut self.failed,
        }
    }
}

impl Board {
    pub fn new(names: Names, started: Now) -> Self {
        let mut board = Self {
            names: Names::default(),
            started,
            restarted: None,
            draining: false,
            journal_gap: None,
            calls: BTreeMap::new(),
            ended: BTreeMap::new(),
            ended_order: VecDeque::new(),
            agents: BTreeMap::new(),
            queues: BTreeMap::new(),
            trunks: Vec::new(),
            counts: Counts::default(),
            ended_in: BTreeMap::new(),
            failures: Failures::default(),
            missed: MissedList::default(),
            blocks: BTreeMap::new(),
            short: Vec::new(),
            tapes: Tapes::default(),
            audits: VecDeque::new(),
            stories: Stories::default(),
            phones: BTreeMap::new(),
            last: 0,
            ring: Ring::default(),
        };
        board.rename(names);
        board
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    pub fn live(&self) -> usize {
        self.calls.len()
    }

    pub fn call_ids(&self) -> Vec<String> {
        self.calls.values().map(|call| call.id.clone()).collect()
    }

    /// The number of the newest fact.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Facts from number `from` on, at most `limit` of them, each as a JSON object.
    pub fn facts(&self, from: u64, limit: usize) -> Result<Vec<Arc<str>>, Missed> {
        self.ring.from(from, limit, self)
    }

    /// New settings. Agents and queues keep their ids, and what is known of them; trunks are known
    /// by their place, so theirs goes with the name.
    pub fn rename(&mut self, names: Names) {
        if !names.say_the_same(&self.names) {
            let mut ring = std::mem::take(&mut self.ring);
            ring.settle(self);
            self.ring = ring;
        }
        let started = self.started;
        let (state, call) = (AgentState::Off, None);
        let fresh = Agent { state, call, since: started, taken: 0, missed: 0 };
        for (id, ..) in &names.agents {
            self.agents.entry(*id).or_insert_with(|| fresh.clone());
        }
        self.agents.retain(|id, _| names.agents.iter().any(|(kept, ..)| kept == id));
        for (id, _) in &names.queues {
            self.queues.entry(*id).or_default();
        }
        self.queues.retain(|id, _| names.queues.iter().any(|(kept, _)| kept == id));
        let mut trunks: BTreeMap<String, Trunk> =
            self.names.trunks.iter().cloned().zip(self.trunks.drain(..)).collect();
        self.trunks = names.trunks.iter().map(|t| trunks.remove(t).unwrap_or_default()).collect();
        self.names = names.after(&self.names);
    }

    pub fn take(&mut self, fact: Fact) {
        self.last = fact.seq;
        match &fact.what {
            What::Call(fact_of_call) => self.take_call(fact.at, fact_of_call),
            What::Desk(fact_of_desk) => self.take_desk(fact.at, fact_of_desk),
            What::Phone { user, contacts, .. } => {
                self.phones.remove(user);
                if !contacts.is_empty() {
                    self.phones.insert(user.clone(), contacts.clone());
                }
            }
            What::Trunk { trunk, up } => {
                if let Some(trunk) = self.trunks.get_mut(trunk.slot() as usize) {
                    trunk.told(fact.at, *up);
                }
            }
            What::Draining => self.draining = true,
            What::Journal { whole, why } => {
                self.journal_gap = (!whole).then(|| (fact.at.wall, why.clone()));
            }
            What::Recorder { up, why } => self.tapes.tell(fact.at.wall, *up, why),
            What::Restarted { .. } => {
                // Whoever goes on does so from a journal that is whole, and writes anew.
                self.journal_gap = None;
                self.tapes.tell(fact.at.wall, true, "");
                (self.restarted, self.draining) = (Some(fact.at), false);
            }
            // Whoever looks at a screen would crowd out what others did; the access log has both.
            What::Audit(act) if act.verb == Noted::Seen.name() => {}
            What::Audit(act) => {
                self.audits.push_back((fact.at.wall, Audit::clone(act)));
                if self.audits.len() > limits::AUDITS_KEPT {
                    self.audits.pop_front();
                }
            }
            What::Blocked { number, reason, by, until } => {
                let block = Block { reason: reason.clone(), by: by.clone(), until: *until };
                self.blocks.insert(number.clone(), block);
            }
            What::Unblocked { number, .. } => _ = self.blocks.remove(number),
            What::Shift(news) => self.note_shift(news),
            What::Reloaded
            | What::Code { .. }
            | What::Locked { .. }
            | What::ClockMoved { .. }
            | What::Store { .. }
            | What::Overflowed { .. } => {}
        }
        self.stories.take(&fact);
        self.ring.push(fact);
    }

    fn take_call(&mut self, at: Now, fact: &call::Fact) {
        match fact {
            call::Fact::Arrived { call, arrival } => {
                self.counts.arrived += 1;
                let trunk = arrival.trunk.map(|trunk| trunk.slot() as usize);
                if let Some(trunk) = trunk.and_then(|slot| self.trunks.get_mut(slot)) {
                    trunk.carried();
                }
                self.calls.insert(*call, Call::new(at, arrival, &self.names));
            }
            call::Fact::Connected { call, agent } => self.change(*call, |call| {
                // Whoever placed it is known already.
                let own = call.agent.filter(|_| call.stage == Stage::Arrived);
                call.stage = Stage::Talking;
                call.connected.get_or_insert(at);
                call.agent = agent.or(own);
            }),
            call::Fact::Held { call, held, .. } => self.change(*call, |call| call.held = *held),
            call::Fact::Silent { call, silent, .. } => {
                self.change(*call, |call| call.silent = *silent);
            }
            call::Fact::Ailing { call, role, what, on, .. } => {
                self.ails(*call, (*role, *what), *on)
            }
            call::Fact::Alone { call } => self.change(*call, Call::wait),
            call::Fact::Returned { call, talked, .. } => self.change(*call, |call| {
                call.wait();
                call.connected = call.connected.filter(|_| *talked);
            }),
            call::Fact::Parked { call, slot, .. } => {
                self.change(*call, |call| call.stage = Stage::Parked { slot: *slot });
            }
            call::Fact::Transferring { call, .. } => self.change(*call, |call| {
                if matches!(call.stage, Stage::Parked { .. }) {
                    call.stage = Stage::Waiting;
                }
            }),
            call::Fact::Ended { call, end } => self.ended(*call, end.outcome),
            call::Fact::Refused { .. } => {
                self.counts.arrived += 1;
                self.counts.refused += 1;
            }
            call::Fact::District { call, district } => {
                self.change(*call, |call| call.district.clone_from(district));
            }
            call::Fact::Rung { number, reached, .. } => {
                self.failures.note(number, *reached);
                self.missed.rung(number);
            }
            call::Fact::Missed { number, news } => self.take_missed(at, number, news),
            call::Fact::Watched { call, agent, ears } => {
                self.change(*call, |call| call.watch(*agent, *ears));
            }
            call::Fact::Recording { what, .. } => self.tapes.take(at.wall, what),
            call::Fact::LegOpened { call, leg, role } => self.leg_opened(*call, *leg, *role),
            call::Fact::Sealed { call, leg, role, suite } => self.seal(*call, *leg, *role, *suite),
            call::Fact::LegClosed { call, leg, .. } => self.leg_closed(*call, *leg),
            call::Fact::Category { .. }
            | call::Fact::SystemAnswered { .. }
            | call::Fact::Announced { .. }
            | call::Fact::Chose { .. }
            | call::Fact::Emergency { .. }
            | call::Fact::Farewell { .. }
            | call::Fact::NotPromised { .. }
            | call::Fact::LegAnswered { .. }
            | call::Fact::Joined { .. }
            | call::Fact::Transferred { .. }
            | call::Fact::NotTransferred { .. }
            | call::Fact::Measured { .. } => {}
        }
    }

    fn ended(&mut self, call: CallId, outcome: Outcome) {
        *self.counts.of(outcome) += 1;
        if let Some(known) = self.calls.get(&call) {
            let place = (self.queue_name(known), known.district.clone());
            if self.ended_in.len() < PLACES_MAX || self.ended_in.contains_key(&place) {
                let counts = self.ended_in.entry(place).or_default();
                counts.arrived += 1;
                *counts.of(outcome) += 1;
            }
        }
        self.forget(call);
        for queue in self.queues.values_mut() {
            queue.waiting.remove(&call);
        }
    }

    fn take_missed(&mut self, at: Now, number: &str, news: &MissedNews) {
        let place = match news {
            MissedNews::Abandoned { parent, .. } => self.place_of_call(parent),
            MissedNews::Claimed { .. }
            | MissedNews::Released { .. }
            | MissedNews::Calling
            | MissedNews::Unreached
            | MissedNews::Served
            | MissedNews::Closed { .. } => None,
        };
        self.missed.take(at, number, news, place.unwrap_or_default());
    }

    fn take_desk(&mut self, at: Now, fact: &acd::Fact) {
        match fact {
            acd::Fact::Queued { call, queue } => {
                self.change(*call, |call| {
                    call.queue = Some(*queue);
                    call.queued.get_or_insert(at);
                    call.stage = Stage::Waiting;
                });
                if let Some(queue) = self.queues.get_mut(queue) {
                    queue.joined += 1;
                    queue.waiting.insert(*call);
                }
            }
            acd::Fact::Unqueued { call, queue } => {
                let waited = self.waited(*call, at);
                if let Some(queue) = self.queues.get_mut(queue) {
                    queue.waiting.remove(call);
                    queue.left += 1;
                    queue.minutes.left(at);
                    queue.longest = queue.longest.max(waited);
                }
            }
            acd::Fact::TurnedAway { .. } | acd::Fact::Picked(_) | acd::Fact::Repaired { .. } => {}
            acd::Fact::Handled { queue, hand } => self.handled(*queue, *hand),
            acd::Fact::Message { queue, message, minutes } => {
                if let Some(queue) = self.queues.get_mut(queue) {
                    let until = Wall(at.wall.0 + *minutes as i64 * 60_000_000);
                    queue.message = (*minutes > 0).then(|| (message.clone(), until));
                }
            }
            acd::Fact::Offered { call, agent } => self.change(*call, |call| {
                (call.stage, call.agent) = (Stage::Offered, Some(*agent));
            }),
            acd::Fact::Missed { call, agent, .. } => {
                self.change(*call, |call| {
                    if call.stage == Stage::Offered && call.agent == Some(*agent) {
                        (call.stage, call.agent) = (Stage::Waiting, None);
                    }
                });
                if let Some(agent) = self.agents.get_mut(agent) {
                    agent.missed += 1;
                }
            }
            acd::Fact::Serving { agent, .. } => {
                if let Some(agent) = self.agents.get_mut(agent) {
                    agent.taken += 1;
                }
            }
            acd::Fact::Claimed { .. } => {}
            acd::Fact::Unclaimed { agent, .. } => {
                if let Some(agent) = self.agents.get_mut(agent) {
                    agent.missed += 1;
                }
            }
            acd::Fact::Taken { call, agent } => self.taken(*call, *agent, at),
            acd::Fact::Agent { agent, state } => {
                if let AgentState::OwnCall { call } = state {
                    self.change(*call, |call| _ = call.agent.get_or_insert(*agent));
                }
                let call = state.call().map(|call| self.public(call).to_string());
                if let Some(agent) = self.agents.get_mut(agent) {
                    (agent.state, agent.call, agent.since) = (state.clone(), call, at);
                }
            }
        }
    }

    fn handled(&mut self, id: QueueId, hand: Hand) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        match hand {
            Hand::Door(door) => queue.door = door,
            Hand::Ways(ways) => queue.ways = ways,
            Hand::Weight(weight) => queue.weight = Some(weight),
            Hand::Configured => queue.weight = None,
            Hand::Lend(agent) | Hand::TakeAway(agent) => {
                let (agent, queue) = (self.names.agent(agent), self.names.queue(id));
                let serves = self.names.serves.entry(agent).or_default();
                serves.retain(|other| *other != queue);
                if matches!(hand, Hand::Lend(_)) {
                    serves.push(queue);
                }
            }
        }
    }

    fn taken(&mut self, call: CallId, agent: AgentId, at: Now) {
        if let Some(agent) = self.agents.get_mut(&agent) {
            agent.taken += 1;
        }
        let waited = self.waited(call, at);
        let queue = self.calls.get(&call).and_then(|call| call.queue);
        if let Some(queue) = queue.and_then(|queue| self.queues.get_mut(&queue)) {
            queue.waiting.remove(&call);
            queue.note_answered(at, waited <= SERVICE_LEVEL);
            queue.longest = queue.longest.max(waited);
        }
        self.change(call, |call| call.agent = Some(agent));
    }

    /// The acts among the facts behind number `seen`.
    pub fn acts_after(&self, seen: u64) -> Acts {
        self.ring.acts_after(seen, self)
    }

    /// The number of the oldest fact that is still told.
    pub fn oldest_fact(&self) -> u64 {
        self.ring.oldest()
    }

    fn waited(&self, call: CallId, at: Now) -> Duration {
        let queued = self.calls.get(&call).and_then(|call| call.queued);
        queued.map_or(Duration::ZERO, |queued| at.instant.since(queued.instant))
    }

    fn ails(&mut self, call: CallId, what: (Role, Ailment), on: bool) {
        self.change(call, |call| call.ail(what, on));
    }

    pub(super) fn change(&mut self, call: CallId, change: impl FnOnce(&mut Call)) {
        if let Some(call) = self.calls.get_mut(&call) {
            change(call);
        }
    }

    /// An ended call leaves the board; its public id stays for the facts that still come.
    fn forget(&mut self, call: CallId) {
        let Some(gone) = self.calls.remove(&call) else { return };
        self.ended.insert(call, gone.id);
        self.ended_order.push_back((call, self.last));
        // Whoever reads a fact that is kept is told the ids in it.
        let told = self.ring.oldest();
        while self.ended_order.len() > ENDED_KEPT
            && let Some(&(oldest, at)) = self.ended_order.front()
            && at < told
        {
            self.ended_order.pop_front();
            self.ended.remove(&oldest);
        }
    }

    /// The id that records and people use for a call; empty where nobody remembers it.
    pub(super) fn public(&self, call: CallId) -> &str {
        let live = self.calls.get(&call).map(|call| &call.id);
        live.or_else(|| self.ended.get(&call)).map_or("", String::as_str)
    }

    pub(super) fn contacts(&self, user: &str) -> usize {
        self.phones.get(user).map_or(0, Vec::len)
    }
}

impl Call {
    fn ail(&mut self, what: (Role, Ailment), on: bool) {
        match on {
            true => self.ails.insert(what),
            false => self.ails.remove(&what),
        };
    }

    fn wait(&mut self) {
        (self.stage, self.agent) = (Stage::Waiting, None);
    }

    fn watch(&mut self, agent: AgentId, ears: Option<Ears>) {
        match ears {
            Some(ears) => _ = self.watched.insert(agent, ears),
            None => _ = self.watched.remove(&agent),
        }
    }

    fn new(at: Now, arrival: &Arrival, names: &Names) -> Self {
        Self {
            id: arrival.id.clone(),
            direction: arrival.direction,
            line: arrival.line.clone(),
            trunk: arrival.trunk.map(|trunk| names.trunk(trunk)).unwrap_or_default(),
            caller: match arrival.caller.as_str() {
                "" => arrival.caller_raw.clone(),
                e164 => e164.to_string(),
            },
            dialled: arrival.dialled.clone(),
            district: arrival.district.clone(),
            stage: Stage::Arrived,
            queue: None,
            agent: None,
            arrived: at,
            queued: None,
            connected: None,
            held: false,
            silent: false,
            ails: BTreeSet::new(),
            legs: BTreeMap::new(),
            watched: BTreeMap::new(),
        }
    }
}
