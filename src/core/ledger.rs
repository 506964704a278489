//! The books: facts in, finished rows out. A record is a fold over the facts of its call and is
//! closed when the call has ended, its media figures have come, its wrap-up is over and its
//! recording finished.

use super::fact::{Fact, What};
use super::journal::NoteRef;
use super::open::Open;
use super::record::{AgentStateRow, JOURNAL_GAP, Row};
use crate::acd::{self, AgentState};
use crate::base::{AgentId, CallId, Now, QueueId, TrunkId, Wall};
use crate::call;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    open: BTreeMap<CallId, Open>,
    /// What agents are and since when. The name too: who was removed from the configuration is
    /// forgotten by the desk before the row of the last state is written.
    agents: BTreeMap<AgentId, (Now, AgentState, String)>,
    calls_written: u64,
    states_written: u64,
    /// The switch ends: no record waits for the end of a wrap-up.
    closing: bool,
    /// Events are written nowhere, since when and why: a process that dies now forgets them, and
    /// whoever reads the records has to know.
    gap: Option<(Wall, String)>,
}

/// What ids are called outside.
pub trait Names {
    fn agent(&self, agent: AgentId) -> String;
    fn queue(&self, queue: QueueId) -> String;
    fn trunk(&self, trunk: TrunkId) -> String;
}

impl Ledger {
    /// Calls whose record is not written yet.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Takes in a fact; finished rows go to `rows`.
    pub fn fold(&mut self, fact: &Fact, names: &dyn Names, rows: &mut Vec<Row>) {
        match &fact.what {
            What::Call(what) => self.fold_call(fact.at, what, names, rows),
            What::Desk(what) => self.fold_desk(fact.at, what, names, rows),
            What::Phone { .. }
            | What::Trunk { .. }
            | What::Overflowed { .. }
            | What::Shift(_)
            | What::Code { .. }
            | What::Blocked { .. }
            | What::Unblocked { .. }
            | What::Locked { .. }
            | What::ClockMoved { .. }
            | What::Store { .. }
            | What::Journal { .. }
            | What::Recorder { .. }
            | What::Audit(_)
            | What::Reloaded
            | What::Draining
            | What::Restarted { .. } => {}
        }
    }

    /// The figures of an ended call are late: close its record without them. True: it waits for its
    /// recording still.
    pub fn give_up(&mut self, call: CallId, rows: &mut Vec<Row>) -> bool {
        let Some(open) = self.open.get_mut(&call) else { return false };
        open.stop_waiting();
        let taping = open.is_taping();
        self.close_if_done(call, rows);
        taping
    }

    /// Whether the record of a call waits for its recording.
    pub fn is_taping(&self, call: CallId) -> bool {
        self.open.get(&call).is_some_and(Open::is_taping)
    }

    /// Wrap-ups count as far as they have come.
    pub fn close(&mut self, at: Now, rows: &mut Vec<Row>) {
        self.closing = true;
        self.gap_is_over(at, rows);
        self.open.values_mut().for_each(|open| open.wrap_ups_end(at));
        let calls: Vec<CallId> = self.calls().collect();
        calls.into_iter().for_each(|call| self.close_if_done(call, rows));
    }

    /// Another process goes on, whose journal is whole.
    pub fn go_on(&mut self, at: Now, rows: &mut Vec<Row>) {
        self.closing = false;
        self.gap_is_over(at, rows);
    }

    /// From now on events are written nowhere.
    pub fn gap_begins(&mut self, at: Now, why: &str) {
        self.gap.get_or_insert_with(|| (at.wall, why.into()));
        self.open.values_mut().for_each(|open| open.flag(JOURNAL_GAP));
    }

    /// And now they are again.
    pub fn gap_is_over(&mut self, at: Now, rows: &mut Vec<Row>) {
        if let Some((since, why)) = self.gap.take() {
            self.states_written += 1;
            let row = AgentStateRow::gap(self.states_written, &why, (since, at.wall));
            rows.push(Row::AgentState(row));
        }
    }

    /// The record of a call as it stands, while it is not written.
    pub fn draft(&self, call: CallId) -> Option<NoteRef<'_>> {
        self.open.get(&call).map(Open::draft)
    }

    /// How many rows there have been: of calls, and of agents' states.
    pub fn written(&self) -> (u64, u64) {
        (self.calls_written, self.states_written)
    }

    /// Goes on counting behind an earlier switch.
    pub fn count_from(&mut self, (calls, states): (u64, u64)) {
        (self.calls_written, self.states_written) = (calls, states);
    }

    /// When the first of the records was opened that are still open; for tests.
    pub fn calls(&self) -> impl Iterator<Item = CallId> {
        self.open.keys().copied()
    }

    fn fold_call(&mut self, at: Now, what: &call::Fact, names: &dyn Names, rows: &mut Vec<Row>) {
        use call::Fact;
        let call = match what {
            Fact::Arrived { call, arrival } => {
                let mut open = Open::new(at, arrival, names);
                if self.gap.is_some() {
                    open.flag(JOURNAL_GAP);
                }
                self.open.insert(*call, open);
                return;
            }
            Fact::Refused { arrival, status, why } => {
                let mut open = Open::refused(at, arrival, (*status, why), names);
                if self.gap.is_some() {
                    open.flag(JOURNAL_GAP);
                }
                return self.write(open, rows);
            }
            Fact::Missed { .. } => return,
            Fact::SystemAnswered { call }
            | Fact::LegOpened { call, .. }
            | Fact::Connected { call, .. }
            | Fact::Held { call, .. }
            | Fact::Silent { call, .. }
            | Fact::Ailing { call, .. }
            | Fact::Returned { call, .. }
            | Fact::LegAnswered { call, .. }
            | Fact::Joined { call, .. }
            | Fact::Alone { call }
            | Fact::Transferring { call, .. }
            | Fact::Transferred { call, .. }
            | Fact::NotTransferred { call, .. }
            | Fact::Parked { call, .. }
            | Fact::Recording { call, .. }
            | Fact::Watched { call, .. }
            | Fact::District { call, .. }
            | Fact::Announced { call, .. }
            | Fact::Farewell { call }
            | Fact::Chose { call, .. }
            | Fact::Emergency { call }
            | Fact::NotPromised { call, .. }
            | Fact::Rung { call, .. }
            | Fact::Category { call, .. }
            | Fact::LegClosed { call, .. }
            | Fact::Sealed { call, .. }
            | Fact::Measured { call, .. }
            | Fact::Ended { call, .. } => *call,
        };
        if let Some(open) = self.open.get_mut(&call) {
            open.fold_call(at, what, names);
            self.close_if_done(call, rows);
        }
    }

    fn fold_desk(&mut self, at: Now, what: &acd::Fact, names: &dyn Names, rows: &mut Vec<Row>) {
        use acd::Fact;
        match what {
            Fact::Queued { call, queue } => {
                if let Some(open) = self.open.get_mut(call) {
                    open.queued(at, names.queue(*queue));
                }
            }
            Fact::Offered { call, .. } | Fact::Claimed { call, .. } => {
                if let Some(open) = self.open.get_mut(call) {
                    open.offered(at);
                }
            }
            Fact::Agent { agent, state } => self.agent(at, *agent, state, names, rows),
            Fact::Unqueued { .. }
            | Fact::TurnedAway { .. }
            | Fact::Picked(_)
            | Fact::Missed { .. }
            | Fact::Handled { .. }
            | Fact::Message { .. }
            | Fact::Serving { .. }
            | Fact::Unclaimed { .. }
            | Fact::Taken { .. }
            | Fact::Repaired { .. } => {}
        }
    }

    /// An agent's state is written when it ends; the end of a wrap-up closes the call's record.
    fn agent(
        &mut self,
        at: Now,
        agent: AgentId,
        state: &AgentState,
        names: &dyn Names,
        rows: &mut Vec<Row>,
    ) {
        if let AgentState::WrapUp { call } = state
            && let Some(open) = self.open.get_mut(call).filter(|_| !self.closing)
        {
            open.wrap_up_began(at, agent);
        }
        let known = self.agents.remove(&agent);
        let name = known.as_ref().map_or_else(|| names.agent(agent), |(_, _, name)| name.clone());
        self.agents.insert(agent, (at, state.clone(), name));
        let Some((since, before, name)) = known else { return };
        self.states_written += 1;
        let call = before.call();
        rows.push(Row::AgentState(AgentStateRow {
            seq: self.states_written,
            agent: name,
            state: before.name().into(),
            reason: before.reason().into(),
            call: call.and_then(|c| self.open.get(&c)).map_or(String::new(), |o| o.id().into()),
            from: since.wall,
            until: at.wall,
        }));
        if let AgentState::WrapUp { call } = before
            && let Some(open) = self.open.get_mut(&call)
        {
            open.wrap_up_ended(at, agent);
            self.close_if_done(call, rows);
        }
    }

    fn close_if_done(&mut self, call: CallId, rows: &mut Vec<Row>) {
        if self.open.get(&call).is_some_and(Open::is_done)
            && let Some(open) = self.open.remove(&call)
        {
            self.write(open, rows);
        }
    }

    fn write(&mut self, open: Open, rows: &mut Vec<Row>) {
        self.calls_written += 1;
        rows.push(Row::Call(open.into_record(self.calls_written)));
    }
}
