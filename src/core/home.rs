//! Carries what agents at home key in: who they are is their number, and their pin where they have
//! one. What a code then does is the same as at a desk.

use super::own::Denied;
use super::{Out, Switch, What};
use crate::acd::Standing;
use crate::base::{AgentId, CallId, Now};
use crate::call::Begun;
use crate::call::tries::Trial;

/// What a pin from home is called among the codes that are told.
const PIN: &str = "pin";

impl Switch {
    /// An agent at home calls a line of codes.
    pub(super) fn begin_home(&mut self, now: Now, agent: &str, begun: Begun) {
        let at = self.at_phone(agent);
        let asks_pin = self.pin_of(agent).is_some();
        let mut answered = None;
        self.calls(now, |calls, io| {
            answered = calls.answer_home(io, begun, &at, (agent, asks_pin));
        });
        // Their phone is taken; but whoever only claims the number takes nobody from callers.
        if let Some(call) = answered.filter(|_| !asks_pin) {
            self.keep_at_home(now, at.agent, call);
        }
    }

    /// They have keyed in their pin.
    pub(super) fn proves(
        &mut self,
        now: Now,
        (call, agent): (CallId, &str),
        pin: &str,
        out: &mut Out,
    ) {
        let peer = self.peer_of(call);
        let number = self.state.calls.get(call).map(|call| call.number.clone());
        let number = number.unwrap_or_default();
        let trial = Trial::Home { number: &number };
        let proven = self.prove(now, (trial, peer), (agent, pin), out);
        let locked = self.state.calls.tries.is_locked(trial, now.instant);
        if proven.is_ok() {
            let at = self.at_phone(agent);
            self.keep_at_home(now, at.agent, call);
        }
        // Who has not proven who they are is not said to be anybody: the number is, and it is kept.
        let who = if proven.is_ok() { agent } else { "" }.to_string();
        let why = proven.err().unwrap_or_default().to_string();
        let (phone, code) = (agent.to_string(), PIN.to_string());
        self.fact(now, What::Code { agent: who, phone, code, why }, out);
        self.calls(now, |calls, io| calls.proven(io, call, proven.ok(), locked));
    }

    /// Nobody is offered to a telephone that is taken. Notes go on: what is keyed in may be of
    /// them; but they end in this call, and so does all else that the agent has in hand.
    fn keep_at_home(&mut self, now: Now, agent: Option<AgentId>, call: CallId) {
        let Some(agent) = agent else { return };
        match self.state.desk.standing(agent) {
            Standing::Off | Standing::Free => self.keep(now, Some(agent), call),
            Standing::WrapUp | Standing::Offered | Standing::InCall => self.keep_next(agent, call),
        }
    }

    /// They are there, wherever else they sat before.
    pub(super) fn is_home(&mut self, now: Now, agent: &str) -> Result<AgentId, Denied> {
        let id = self.state.desk.agent_id(agent).ok_or("there is no such agent")?;
        self.sit_down(now, (agent, agent));
        Ok(id)
    }
}
