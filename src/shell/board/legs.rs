//! The legs of a live call: who each is, and what their sound is sealed by.
//!
//! In: facts about legs. Out: what `calls.list` says of them. May import: base, call, wire.

use super::fold::{Board, Call};
use crate::base::{CallId, LegId};
use crate::call::Role;
use crate::wire::sdp::Suite;
use serde_json::{Value, json};

impl Board {
    /// One that is somebody else's now goes on as it was.
    pub(super) fn leg_opened(&mut self, call: CallId, leg: LegId, role: Role) {
        self.change(call, |call| call.legs.entry(leg).or_insert((role, None)).0 = role);
    }

    pub(super) fn seal(&mut self, call: CallId, leg: LegId, role: Role, suite: Option<Suite>) {
        self.change(call, |call| _ = call.legs.insert(leg, (role, suite)));
    }

    pub(super) fn leg_closed(&mut self, call: CallId, leg: LegId) {
        self.change(call, |call| _ = call.legs.remove(&leg));
    }

    pub(super) fn legs(&self, call: &Call) -> Value {
        let leg = |(role, suite): &(Role, Option<Suite>)| {
            let (role, agent) = match role {
                Role::Caller => ("caller", None),
                Role::Target => ("target", None),
                Role::Agent(agent) => ("agent", Some(agent)),
                Role::Supervisor(agent) => ("supervisor", Some(agent)),
            };
            json!({"role": role, "agent": agent.map(|agent| self.names.agent(*agent)),
                   "srtp": suite.map(Suite::name)})
        };
        call.legs.values().map(leg).collect()
    }
}

impl Call {
    /// Whether what all of its parties say is sealed; `None`: nobody's is.
    pub(super) fn sealed(&self) -> Option<&'static str> {
        match self.legs.values().filter(|(_, suite)| suite.is_some()).count() {
            0 => None,
            sealed if sealed == self.legs.len() => Some("all"),
            _ => Some("some"),
        }
    }
}
