//! The laws that the switch alone cannot be asked about: facts are gapless, a call begins and ends
//! once, has one record, and the record says who talked; and the day's digest.

use super::endings::Endings;
use super::fairness::Fairness;
use super::plan::{Plan, Reach, agent_number};
use super::ports::Ports;
use super::region::{BLOCK_QUEUE, CODES_LINE, DISTRICT_QUEUE};
use super::rostered::Rostered;
use super::sealed::Sealing;
use super::seen::Seen;
use super::world::{Verdict, World};
use crate::base::{AgentId, CallId, Instant, Now, Wall};
use crate::call::{self, Direction, Outcome};
use crate::config::Settings;
use crate::core::{
    AgentStateRow, CallRecord, Command, Done, Event, Fact, LegRow, Out, Row, State, What,
};
use crate::sip::Hop;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

#[derive(Debug, Default)]
pub struct Laws {
    facts: u64,
    pub arrived: u64,
    pub records: Vec<CallRecord>,
    /// Calls that have arrived and not ended, and what records call them.
    pub live: BTreeMap<CallId, String>,
    /// Who talked last, by the call's name, and who before that.
    talked: BTreeMap<String, String>,
    talked_before: BTreeMap<String, String>,
    fairness: Fairness,
    rostered: Rostered,
    endings: Endings,
    seen: Seen,
    /// Who has waited where nobody works, with a way to where somebody does, and since when.
    stranded: BTreeMap<CallId, Instant>,
    /// Calls in which codes are keyed in.
    coded: BTreeSet<CallId>,
    /// Agents who were connected by the last event.
    connected: Vec<String>,
    sealing: Sealing,
    names: BTreeMap<String, ()>,
    /// Rows of agents' states, and until when those of each agent tell.
    states: u64,
    until: BTreeMap<String, Wall>,
    reloaded: bool,
    /// All that was said and happened, where a story wants to look at it.
    pub story: Option<Story>,
    log: DefaultHasher,
}

/// A queue is looked at every five seconds for what nobody tells.
const STRANDED_MAX: Duration = Duration::from_secs(6);

/// What a story may ask for afterwards.
#[derive(Debug, Default)]
pub struct Story {
    pub facts: Vec<Fact>,
    /// Messages that came to the switch, and that it sent.
    pub heard: Vec<(Hop, Bytes)>,
    pub said: Vec<(Hop, Bytes)>,
    /// What was answered to a supervisor's hand.
    pub replies: Vec<Result<String, String>>,
}

impl Laws {
    pub fn of(plan: &Plan) -> Self {
        let has_peers = plan.region.peers && plan.region.districts;
        let endings = Endings::of(&plan.faults, has_peers);
        Self { endings, sealing: plan.sealing, ..Self::default() }
    }

    /// See [`Endings::excuse`].
    pub fn excuse(&mut self, number: String) {
        self.endings.excuse(number);
    }

    /// See [`Endings::loses`].
    pub fn loses(&mut self) {
        self.endings.loses();
    }

    pub fn begin(&mut self, out: &Out) {
        self.facts = out.facts.len() as u64;
    }

    pub fn note_event(&mut self, event: &Event, now: Now) {
        self.endings.told(event);
        (now.instant, now.wall.0).hash(&mut self.log);
        match event {
            Event::Sip { hop, bytes } => {
                (hop, &bytes[..]).hash(&mut self.log);
                if let Some(story) = &mut self.story {
                    story.heard.push((*hop, bytes.clone()));
                }
            }
            Event::Tick => {}
            Event::Reload(_) => self.reloaded = true,
            other => format!("{other:?}").hash(&mut self.log),
        }
    }

    pub fn note_out(
        &mut self,
        out: &Out,
        settings: &Settings,
        state: &State,
    ) -> Result<(), String> {
        for command in &out.commands {
            match command {
                Command::Send { hop, bytes } => (hop, &bytes[..]).hash(&mut self.log),
                other => format!("{other:?}").hash(&mut self.log),
            }
        }
        self.connected.clear();
        self.seen.note(out);
        for fact in &out.facts {
            self.facts += 1;
            if fact.seq != self.facts {
                return Err(format!("fact {} after {}", fact.seq, self.facts - 1));
            }
            format!("{:?}", fact.what).hash(&mut self.log);
            self.fairness.note(fact, settings, state)?;
            self.rostered.note(fact, settings, state)?;
            self.endings.note(fact, settings)?;
            if let What::Call(what) = &fact.what {
                self.note_call(what, state)?;
            }
        }
        if let Some(story) = &mut self.story {
            story.facts.extend(out.facts.iter().cloned());
            story.said.extend(out.commands.iter().filter_map(|command| match command {
                Command::Send { hop, bytes } => Some((*hop, bytes.clone())),
                _ => None,
            }));
            story.replies.extend(out.commands.iter().filter_map(|command| match command {
                Command::Reply { result, .. } => Some(result.clone().map(Done::words)),
                _ => None,
            }));
        }
        Ok(())
    }

    fn note_call(&mut self, what: &call::Fact, state: &State) -> Result<(), String> {
        match what {
            call::Fact::Arrived { call, arrival } => {
                self.arrived += 1;
                if let Some(twin) = self.live.insert(*call, arrival.id.clone()) {
                    return Err(format!("{call:?} arrived again; it was {twin}"));
                }
                if arrival.line == CODES_LINE {
                    self.coded.insert(*call);
                }
            }
            call::Fact::Refused { .. } => self.arrived += 1,
            // An agent who has proven who they are has the switch alone at the other end.
            call::Fact::Connected { call, .. } if self.coded.contains(call) => {}
            call::Fact::Connected { call, agent } => {
                let name = self.live.get(call).ok_or_else(|| format!("{call:?} is not live"))?;
                let agent = agent.and_then(|agent: AgentId| state.agent_name(agent));
                if let Some(agent) = agent {
                    match self.talked.insert(name.clone(), agent.to_string()) {
                        Some(before) => self.talked_before.insert(name.clone(), before),
                        None => self.talked_before.remove(name),
                    };
                    self.connected.push(agent.to_string());
                }
            }
            call::Fact::Returned { call, talked: false, .. } => {
                let name = self.live.get(call).ok_or_else(|| format!("{call:?} is not live"))?;
                self.talked.remove(name);
                self.talked.extend(self.talked_before.remove_entry(name));
            }
            call::Fact::Ended { call, .. } => {
                self.live.remove(call).ok_or_else(|| format!("{call:?} ended twice"))?;
                self.coded.remove(call);
            }
            _ => {}
        }
        Ok(())
    }

    /// Rows that a process had not stored when it died come from its journal, and no others.
    pub fn store_missing(&mut self, rows: Vec<Row>) -> Result<(), String> {
        for row in rows {
            let is_known = match &row {
                Row::Call(record) => record.seq <= self.records.len() as u64,
                Row::AgentState(state) => state.seq <= self.states,
            };
            if !is_known {
                self.store(row)?;
            }
        }
        Ok(())
    }

    /// What was said to be connected is not looked at: the process died before it could be.
    pub fn forget_connected(&mut self) {
        self.connected.clear();
    }

    /// Nobody is left where nobody works while the way to somebody is open.
    pub fn check_stranded(&mut self, now: Instant, stranded: &[CallId]) -> Result<(), String> {
        self.stranded.retain(|call, _| stranded.contains(call));
        for call in stranded {
            let since = *self.stranded.entry(*call).or_insert(now);
            if now.since(since) > STRANDED_MAX {
                return Err(format!("{call:?} waits where nobody works, since {since:?}"));
            }
        }
        Ok(())
    }

    /// Whoever is said to be connected has a bridged port.
    pub fn check_bridges(&mut self, ports: &Ports, agents: &[Reach]) -> Result<(), String> {
        for agent in self.connected.drain(..) {
            let number = agent_number(&agent).ok_or("an odd agent")?;
            let reach = agents.get(usize::from(number)).ok_or("an odd agent")?;
            if !ports.is_bridged(reach.address(number).ip()) {
                return Err(format!("{agent} was connected and hears nobody"));
            }
        }
        Ok(())
    }

    pub fn store(&mut self, row: Row) -> Result<(), String> {
        let record = match row {
            Row::Call(record) => record,
            Row::AgentState(row) => return self.store_state(row),
        };
        if record.seq != self.records.len() as u64 + 1 {
            return Err(format!("record {} after {}", record.seq, self.records.len()));
        }
        if self.names.insert(record.id.clone(), ()).is_some() {
            return Err(format!("two records for call {}", record.id));
        }
        let talked = record.connected_at.is_some();
        if talked != (record.outcome == Outcome::Answered) {
            return Err(format!("outcome and connection disagree: {record:?}"));
        }
        if !matches!(
            record.queue.as_str(),
            "general" | "health" | DISTRICT_QUEUE | BLOCK_QUEUE | ""
        ) {
            return Err(format!("a call in a queue that no line leads to: {record:?}"));
        }
        self.talked_before.remove(&record.id);
        let agent = self.talked.remove(&record.id).unwrap_or_default();
        // Who placed a call, or took it from a colleague, or keyed in codes, talked with nobody's
        // queue.
        let queued = record.direction == Direction::In || !record.parent.is_empty();
        let queued = queued && record.line != CODES_LINE;
        if queued && agent != record.agent {
            return Err(format!("{agent:?} talked, and the record says {record:?}"));
        }
        if record.legs.iter().any(|leg| leg.closed_at.is_none()) {
            return Err(format!("a leg that never closed: {record:?}"));
        }
        self.check_seals(&record)?;
        self.records.push(record);
        Ok(())
    }

    /// Where sound has to be sealed that of every agent who answered is, and where nobody has a key
    /// nobody's.
    fn check_seals(&self, record: &CallRecord) -> Result<(), String> {
        let is_odd = |leg: &LegRow| match leg.srtp {
            Some(_) => self.sealing == Sealing::default(),
            None => self.sealing.required && leg.role == "agent" && leg.answered_at.is_some(),
        };
        match record.legs.iter().find(|leg| is_odd(leg)) {
            Some(leg) => Err(format!("a leg that is not sealed as it should be: {leg:?}")),
            None => Ok(()),
        }
    }

    /// The states of an agent follow one another without a gap, in rows without a gap.
    fn store_state(&mut self, row: AgentStateRow) -> Result<(), String> {
        self.states += 1;
        if row.seq != self.states {
            return Err(format!("agent state {} after {}", row.seq, self.states - 1));
        }
        if row.agent.is_empty() {
            return Err(format!("nobody's state: {row:?}"));
        }
        let until = self.until.insert(row.agent.clone(), row.until);
        // Whoever is taken out of the configuration and put back in has two lives.
        match self.reloaded || until.is_none_or(|until| until == row.from) {
            true => Ok(()),
            false => Err(format!("{until:?} is not when this begins: {row:?}")),
        }
    }

    fn count(&self, outcome: Outcome) -> u64 {
        self.records.iter().filter(|record| record.outcome == outcome).count() as u64
    }
}

impl World {
    /// What must hold when the day is over.
    pub(super) fn judge(&mut self) -> Result<Verdict, String> {
        let (arrived, records) = (self.laws.arrived, self.laws.records.len() as u64);
        if records != arrived {
            let open: Vec<_> = self.switch.state().open_records().collect();
            return Err(format!("{arrived} calls, {records} records; open: {open:?}"));
        }
        if self.ports.open() > 0 {
            return Err(format!("{} media ports are still open", self.ports.open()));
        }
        if !self.tapes.is_empty() {
            return Err(format!("recordings that nobody ended: {:?}", self.tapes));
        }
        if !self.switch.state().is_quiet() {
            return Err(format!("not at rest; next: {:?}", self.switch.next_deadline()));
        }
        self.switch.state().at_rest()?;
        if let Some(phone) = self.phones.values().find(|phone| !phone.dead && !phone.is_idle()) {
            return Err(format!("{} still believes to be in a call: {phone:?}", phone.address));
        }
        Ok(Verdict {
            arrived,
            answered: self.laws.count(Outcome::Answered),
            abandoned: self.laws.count(Outcome::Abandoned),
            refused: self.laws.count(Outcome::Refused),
            called_back: self.laws.count(Outcome::Callback),
            kills: self.life.kills(),
            seen: self.laws.seen,
            events: self.steps,
            ports: self.ports.opened,
            digest: self.laws.log.finish() ^ self.seed,
        })
    }
}
