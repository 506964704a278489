//! The laws of the switch, asked by the simulator after every event.

use super::Switch;
use crate::acd::{AgentState, When};
use crate::base::{AgentId, CallId, Instant, PortId, QueueId};
use crate::call::{Centre, Goal};
use std::collections::BTreeSet;

impl Switch {
    /// Conservation, and every layer's own laws. The error says which law is broken.
    pub fn check(&self) -> Result<(), String> {
        let state = &self.state;
        state.sip.check()?;
        state.desk.check()?;
        state.desk.check_timers(&state.timers)?;
        state.calls.check()?;
        state.callbacks.check(&state.desk, |timer| state.timers.is_set(timer))?;
        state.announcer.check(&state.desk, |timer| state.timers.is_set(timer))?;
        state.calls.check_recordings()?;
        self.check_phones()?;
        self.check_conservation()
    }

    /// A live queue call is waiting, offered or talking, exactly one of them, and known to the
    /// desk; the desk knows no other; no agent is on a call that has ended, or on two.
    fn check_conservation(&self) -> Result<(), String> {
        let (calls, desk) = (&self.state.calls, &self.state.desk);
        let queued = |(id, call): (CallId, &crate::call::Call)| {
            matches!(call.goal, Goal::Queue(_)).then_some(id)
        };
        let live: BTreeSet<CallId> = calls.iter().filter_map(queued).collect();
        let known: BTreeSet<CallId> = desk.calls().collect();
        if live != known {
            let lost: Vec<_> = live.difference(&known).collect();
            let ghosts: Vec<_> = known.difference(&live).collect();
            return Err(format!("calls the desk has lost: {lost:?}; ghosts it keeps: {ghosts:?}"));
        }
        if let Some(leg) = calls.stopping.legs().find(|leg| !self.state.sip.keeps(*leg)) {
            return Err(format!("{leg:?} is over and is still waited for"));
        }
        for (agent, agent_state) in desk.agents() {
            if desk.is_stopping(agent) && !calls.stopping.rings_at(agent) {
                return Err(format!("{agent:?} is kept from calls by a phone that is quiet"));
            }
            match agent_state {
                AgentState::Talking { call } => {
                    if !calls.get(*call).is_some_and(|call| call.has(agent)) {
                        return Err(format!("{agent:?} talks on {call:?}, where they are not"));
                    }
                }
                AgentState::OwnCall { call } => {
                    if !calls.get(*call).is_some_and(|call| call.keeps_from_callers(agent)) {
                        return Err(format!("{agent:?} is held to be in {call:?}, and is not"));
                    }
                }
                AgentState::Offered { call } => {
                    let rings = calls.get(*call).is_some_and(|call| call.rings_at(agent));
                    if !rings && !desk.is_stopping(agent) {
                        return Err(format!("{agent:?} is offered {call:?}, but no phone rings"));
                    }
                }
                AgentState::Off
                | AgentState::Ready
                | AgentState::Paused { .. }
                | AgentState::Unreachable
                | AgentState::WrapUp { .. }
                | AgentState::Resting => {}
            }
        }
        self.check_legs()
    }

    /// Callers who wait in a queue where nobody works, which has a way, for just that, to one where
    /// somebody does and which takes them, or to one more like itself that has such a way. They are
    /// to be on it within seconds.
    pub fn stranded(&self) -> Vec<CallId> {
        let desk = &self.state.desk;
        let queues = self.settings.overflows.iter().filter_map(|out| desk.queue_id(&out.queue));
        let deserted = queues.filter(|queue| desk.is_deserted(*queue));
        let left = deserted.filter(|queue| self.leads_out(*queue, &mut BTreeSet::new()));
        left.flat_map(|queue| desk.waiting(queue)).collect()
    }

    fn leads_out(&self, queue: QueueId, seen: &mut BTreeSet<QueueId>) -> bool {
        let desk = &self.state.desk;
        let name = desk.queue_settings(queue).map(|settings| settings.name.as_str());
        let out = self.settings.overflows.iter().find(|out| Some(out.queue.as_str()) == name);
        let ways = out.into_iter().flat_map(|out| &out.ways);
        seen.insert(queue);
        let mut ways = ways.filter(|way| way.when == When::Unstaffed);
        !self.state.relief.is_shut(queue)
            && ways.any(|way| match self.centre(&way.to) {
                Some(Centre::Queue(to)) if desk.is_deserted(to) => {
                    !seen.contains(&to) && self.leads_out(to, seen)
                }
                Some(Centre::Queue(to)) => desk.turns_away(to, false).is_none(),
                Some(Centre::Trunk(_)) | None => false,
            })
    }

    /// Every phone of an agent that rings or talks does so for the call that the agent is on, and
    /// the desk knows whom it found.
    fn check_legs(&self) -> Result<(), String> {
        let desk = &self.state.desk;
        for (id, call) in self.state.calls.iter() {
            for &agent in call.own.iter().flat_map(|own| &own.agents) {
                if desk.state(agent) != Some(&AgentState::OwnCall { call: id }) {
                    return Err(format!("{agent:?} of {id:?} is {:?}", desk.state(agent)));
                }
            }
            for agent in call.agents() {
                let on = match desk.state(agent) {
                    Some(AgentState::Talking { call } | AgentState::Offered { call }) => *call,
                    other => return Err(format!("{id:?} has {agent:?}, who is {other:?}")),
                };
                if on != id {
                    return Err(format!("{agent:?} has legs in {on:?} and {id:?}"));
                }
                if call.has(agent) && desk.state(agent) != Some(&AgentState::Talking { call: id }) {
                    return Err(format!("{id:?} has {agent:?}, who is {:?}", desk.state(agent)));
                }
            }
            if desk.found(id) != call.found {
                let (at_desk, here) = (desk.found(id), call.found);
                return Err(format!("the desk found {at_desk:?} for {id:?}, which has {here:?}"));
            }
        }
        Ok(())
    }

    /// The desk believes of a registered phone what the registrar knows of it.
    fn check_phones(&self) -> Result<(), String> {
        let desk = &self.state.desk;
        for (agent, _) in desk.agents() {
            let name = desk.agent_name(agent).unwrap_or_default();
            let bound = self.is_bound(name);
            if desk.is_registered(agent) != bound {
                return Err(format!("{name} is registered: {bound}; the desk believes otherwise"));
            }
        }
        Ok(())
    }
}

impl super::State {
    /// See [`crate::call::Calls::check_ears`].
    pub fn check_ears(&self, hears: &dyn Fn(PortId, PortId) -> Option<bool>) -> Result<(), String> {
        self.calls.check_ears(hears)
    }

    pub fn agent_name(&self, agent: AgentId) -> Option<&str> {
        self.desk.agent_name(agent)
    }

    /// When a caller of the desk arrived first.
    pub fn arrived(&self, call: CallId) -> Option<Instant> {
        self.desk.arrived(call)
    }

    pub fn agent_state(&self, name: &str) -> Option<&AgentState> {
        self.desk.state(self.desk.agent_id(name)?)
    }

    /// Whether the agent is in a conversation: not apart from one, while somebody else is asked.
    pub fn is_heard(&self, name: &str) -> bool {
        let Some(agent) = self.desk.agent_id(name) else { return false };
        let hears = |call: &crate::call::Call| {
            call.answered_by(agent).is_some_and(|leg| call.is_heard(leg.id))
        };
        self.calls.iter().any(|(_, call)| hears(call))
    }

    /// Calls that wait, ring or talk at the desk, and legs that the SIP layer keeps.
    pub fn counts(&self) -> (usize, usize) {
        (self.desk.calls().count(), self.sip.counts().legs)
    }

    /// Nothing is under way: no call, no transaction, no record in the making.
    pub fn is_quiet(&self) -> bool {
        self.has_no_calls()
            && self.calls.ports_open() == 0
            && self.ledger.open() == 0
            && self.sip.is_quiet()
            && self.desk.agents().all(|(_, agent)| is_rested(agent))
    }

    pub fn has_no_calls(&self) -> bool {
        self.calls.is_empty()
    }

    /// What must hold when everyone has gone home.
    pub fn at_rest(&self) -> Result<(), String> {
        if let Some((id, state)) = self.desk.agents().find(|(_, state)| !is_rested(state)) {
            return Err(format!("{id:?} is still {state:?}"));
        }
        if self.calls.ports_taken() > 0 {
            return Err(format!("{} ports are still taken", self.calls.ports_taken()));
        }
        Ok(())
    }

    /// Calls whose record is not written yet.
    pub fn open_records(&self) -> impl Iterator<Item = CallId> {
        self.ledger.calls()
    }
}

fn is_rested(state: &AgentState) -> bool {
    match state {
        AgentState::Off
        | AgentState::Ready
        | AgentState::Paused { .. }
        | AgentState::Unreachable => true,
        AgentState::Offered { .. }
        | AgentState::Talking { .. }
        | AgentState::WrapUp { .. }
        | AgentState::OwnCall { .. }
        | AgentState::Resting => false,
    }
}
