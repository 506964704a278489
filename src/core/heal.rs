//! What agents are held to be in, against the calls that live. The laws of the switch say that the
//! two never differ; should a fault make them, an agent must not be lost for the day: the agent is
//! freed, and a fact tells of it. And phones that fall silent, and come back.

use super::{Out, Switch, What};
use crate::acd::AgentState;
use crate::base::{AgentId, CallId, Now, Timer};
use crate::call::Goal;
use std::time::Duration;

/// How often, while anybody is in a call.
const EVERY: Duration = Duration::from_secs(60);

impl Switch {
    /// Somebody is in a call: look after a while whether that is still so.
    pub(super) fn will_reconcile(&mut self, now: Now) {
        if !self.state.timers.is_set(Timer::Reconcile) {
            self.state.timers.set(Timer::Reconcile, now.instant + EVERY);
        }
    }

    /// `Timer::Reconcile`.
    pub(super) fn reconcile(&mut self, now: Now) {
        let busy: Vec<(AgentId, AgentState)> = (self.state.desk.agents())
            .filter(|(_, state)| is_busy(state))
            .map(|(agent, state)| (agent, state.clone()))
            .collect();
        for (agent, state) in &busy {
            if let Some(call) = self.ghost(*agent, state) {
                let known = self.state.calls.get(call);
                let lives = known.is_some_and(|call| matches!(call.goal, Goal::Queue(_)));
                self.desk(now, |desk, cx, out| desk.repair(cx, *agent, (call, lives), out));
            }
        }
        if !busy.is_empty() {
            self.will_reconcile(now);
        }
    }

    /// No phone of the agent said a word to a call: nobody is offered to it until it is heard.
    pub(super) fn fell_silent(&mut self, now: Now, agent: AgentId, out: &mut Out) {
        let name = self.state.desk.agent_name(agent).unwrap_or_default();
        let Some(phone) = self.state.calls.seats.phone_of(name).map(str::to_string) else { return };
        let (targets, _) = self.phones_of(agent);
        if self.sip(now, |ua, cx, out| ua.ask_after(cx, &phone, &targets, out)) {
            self.desk(now, |desk, cx, out| desk.silent(cx, agent, (true, false), out));
            self.tell_phone(now, phone, "silent", out);
        }
    }

    /// Whether the phone of somebody who is to come is there: nobody else finds out in time.
    pub(super) fn ask_whether_there(&mut self, now: Now, name: &str) {
        let Some(agent) = self.state.desk.agent_id(name) else { return };
        let Some(phone) = self.state.calls.seats.phone_of(name).map(str::to_string) else { return };
        let (targets, _) = self.phones_of(agent);
        self.sip(now, |ua, cx, out| ua.ask_whether_there(cx, &phone, &targets, out));
    }

    /// It is not: as if it had said nothing to a call.
    pub(super) fn phone_gone(&mut self, now: Now, phone: String, out: &mut Out) {
        let seated = self.state.calls.seats.agent_at(&phone).map(str::to_string);
        if let Some(agent) = seated.and_then(|name| self.state.desk.agent_id(&name)) {
            self.desk(now, |desk, cx, out| desk.silent(cx, agent, (true, false), out));
        }
        self.tell_phone(now, phone, "silent", out);
        self.look_at_roster(now, out);
    }

    /// A phone that had fallen silent is there again; so is whoever sits at it.
    pub(super) fn phone_back(&mut self, now: Now, phone: String, proven: bool, out: &mut Out) {
        let seated = self.state.calls.seats.agent_at(&phone).map(str::to_string);
        if let Some(agent) = seated.and_then(|name| self.state.desk.agent_id(&name)) {
            self.desk(now, |desk, cx, out| desk.silent(cx, agent, (false, proven), out));
        }
        self.tell_phone(now, phone, "heard again", out);
        self.look_at_roster(now, out);
    }

    fn tell_phone(&mut self, now: Now, user: String, why: &str, out: &mut Out) {
        let contacts = self.state.sip.contacts(&user).into_iter().map(|c| c.uri).collect();
        self.fact(now, What::Phone { user, contacts, why: why.into() }, out);
    }

    /// After a reload a phone that had fallen silent may be elsewhere: it is asked there, and is
    /// back as soon as it answers. One that cannot be asked is believed in.
    pub(super) fn ask_phones_anew(&mut self, now: Now) {
        let desk = &self.state.desk;
        let agents = desk.agents().map(|(agent, _)| agent);
        let silent: Vec<AgentId> = agents.filter(|agent| desk.is_silent(*agent)).collect();
        for agent in silent {
            let name = self.state.desk.agent_name(agent).unwrap_or_default();
            let phone = self.state.calls.seats.phone_of(name).map(str::to_string);
            let (targets, _) = self.phones_of(agent);
            let asked = phone.is_some_and(|phone| {
                self.sip(now, |ua, cx, out| ua.ask_after(cx, &phone, &targets, out))
            });
            if !asked {
                self.desk(now, |desk, cx, out| desk.silent(cx, agent, (false, false), out));
            }
        }
    }

    /// The call that this agent is held to be in, and is not.
    fn ghost(&self, agent: AgentId, state: &AgentState) -> Option<CallId> {
        let call = state.call()?;
        let live = self.state.calls.get(call);
        let is_in = match state {
            AgentState::Offered { .. } => {
                live.is_some_and(|call| call.rings_at(agent))
                    || self.state.calls.stopping.rings_at(agent)
            }
            AgentState::Talking { .. } => {
                live.is_some_and(|call| call.answered_by(agent).is_some())
            }
            AgentState::OwnCall { .. } => live.is_some_and(|call| call.keeps_from_callers(agent)),
            _ => true,
        };
        (!is_in).then_some(call)
    }
}

fn is_busy(state: &AgentState) -> bool {
    matches!(
        state,
        AgentState::Offered { .. } | AgentState::Talking { .. } | AgentState::OwnCall { .. }
    )
}
