//! A switch goes on where another process stopped, and what the shell asks of it to make that
//! possible.

use super::journal::{Memory, NoteRef, Numbers};
use super::{Out, State, Switch, What};
use crate::base::{CallId, FlowId, Now};
use crate::config::Settings;
use std::collections::BTreeSet;

impl Switch {
    /// Media ports are opened again, what was heard is heard again, streams that are not there any
    /// more are forgotten. What was sent and never arrived is sent again by its own timer, as if
    /// the network had lost it.
    pub(super) fn restarted(&mut self, now: Now, flows: &BTreeSet<FlowId>, out: &mut Out) {
        (self.state.draining, self.state.drained) = (false, false);
        self.state.ledger.go_on(now, &mut self.spare.rows);
        let calls = self.state.calls.len();
        self.fact(now, What::Restarted { calls }, out);
        self.calls(now, |calls, io| calls.restarted(io));
        self.sip(now, |ua, cx, out| ua.restarted(cx, flows, out));
        self.reconcile(now);
        // Shifts may have changed meanwhile: nobody is rung who has gone home.
        self.look_at_roster(now, out);
    }

    /// The settings in force, which a snapshot needs beside it.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether anybody is on the phone.
    pub fn is_live(&self) -> bool {
        let calls = self.state.calls.len();
        self.state.sip.counts().legs > 0 || calls > self.state.calls.promises()
    }

    /// It was told to end, and has.
    pub fn has_ended(&self) -> bool {
        self.state.draining && self.is_idle()
    }

    /// All that is needed to go on from here.
    pub fn memory(&self, now: Now) -> Memory {
        Memory { now, settings: self.settings.clone(), state: self.snapshot() }
    }

    pub fn remember(memory: Memory) -> Self {
        Self::with(memory.settings, memory.state)
    }

    /// The record of a call as it stands, while it is not written.
    pub fn draft(&self, call: CallId) -> Option<NoteRef<'_>> {
        self.state.ledger.draft(call)
    }

    pub fn numbers(&self, now: Now) -> Numbers {
        let (calls, states) = self.state.ledger.written();
        Numbers { facts: self.state.facts, calls, states, at: now }
    }
}

impl State {
    /// How many rows there have been: of calls, and of agents' states.
    pub fn rows_written(&self) -> (u64, u64) {
        self.ledger.written()
    }

    /// What a version that cannot read it needs to close its books.
    pub fn notes(&self, now: Now) -> Vec<NoteRef<'_>> {
        let (calls, states) = self.ledger.written();
        let numbers = Numbers { facts: self.facts, calls, states, at: now };
        let drafts = self.ledger.calls().filter_map(|call| self.ledger.draft(call));
        drafts.chain([NoteRef::Numbers(numbers)]).collect()
    }
}
