//! A supervisor's hands: what the admin socket asks of the switch, brought to the layer that does
//! it.

use super::{Out, Switch, Verb};
use crate::acd::{Calendar, Desk, RosterSettings, Wish};
use crate::base::{AgentId, CallId, Now, QueueId, Wall};
use crate::call::{Ask, People};
use jiff::civil::Date;

/// What only the core knows all of, for the call layer.
pub(super) struct Known<'a> {
    pub desk: &'a Desk,
    pub roster: &'a RosterSettings,
}

impl People for Known<'_> {
    fn agent(&self, name: &str) -> Option<AgentId> {
        self.desk.agent_id(name)
    }

    fn name_of(&self, agent: AgentId) -> String {
        self.desk.agent_name(agent).unwrap_or_default().to_string()
    }

    fn queue(&self, name: &str) -> Option<QueueId> {
        self.desk.queue_id(name)
    }

    fn today(&self, now: Wall) -> Date {
        Calendar::new(self.roster).date(now).unwrap_or_default()
    }
}

impl Switch {
    /// A supervisor's act: done, or why not.
    pub(super) fn act(&mut self, now: Now, verb: Verb, out: &mut Out) -> Result<String, String> {
        match verb {
            Verb::SetAgent { agent, state, reason } if state == "category" => {
                let id = self.agent(&agent)?;
                self.categorise(now, id, &reason, out)?;
                Ok(format!("{agent}: {reason}"))
            }
            Verb::SetAgent { agent, state, reason } => {
                let id = self.agent(&agent)?;
                let wish = match state.as_str() {
                    "ready" => Wish::Ready,
                    "pause" => Wish::Pause { reason },
                    "logout" => Wish::LogOut,
                    "end-wrap-up" => Wish::EndWrapUp,
                    _ => {
                        return Err(format!(
                            "\"{state}\" is no state: say ready, pause, logout, end-wrap-up or \
                             category"
                        ));
                    }
                };
                let mut done = Ok(());
                self.desk(now, |desk, cx, out| done = desk.wish(cx, id, wish, out));
                self.tidy_seats(now);
                done.map(|()| format!("{agent}: {state}")).map_err(|why| why.to_string())
            }
            Verb::Hangup { call } => {
                let id = self.call(&call)?;
                self.calls(now, |calls, io| calls.hang_up(io, id));
                Ok(format!("{call}: hung up"))
            }
            Verb::Transfer { call, to, way } => {
                let id = self.call(&call)?;
                let ask = Ask { to: &to, way, by: None, reports: false };
                self.calls(now, |calls, io| calls.transfer(io, id, ask))?;
                Ok(format!("{call}: on its way to {to}"))
            }
            Verb::Pick { call, agent } => {
                let id = self.call(&call)?;
                self.agent(&agent)?;
                self.calls(now, |calls, io| calls.pick(io, id, &agent))?;
                Ok(format!("{call}: on its way to {agent}"))
            }
            Verb::Park { call } => {
                let id = self.call(&call)?;
                let slot = self.calls(now, |calls, io| calls.park(io, id))?;
                Ok(format!("{call}: parked in {slot}"))
            }
            Verb::Return { call } => {
                let id = self.call(&call)?;
                self.calls(now, |calls, io| calls.return_call(io, id))?;
                Ok(format!("{call}: waits again"))
            }
            Verb::Hold { call, hold } => {
                let id = self.call(&call)?;
                self.calls(now, |calls, io| calls.hold(io, id, hold))?;
                Ok(format!("{call}: {}", if hold { "on hold" } else { "talks again" }))
            }
            Verb::ChooseDistrict { call, district } => {
                let id = self.call(&call)?;
                if self.settings.call.district(&district).is_none() {
                    return Err(format!("no district \"{district}\" in the configuration"));
                }
                self.calls(now, |calls, io| calls.choose_district(io, id, &district));
                Ok(format!("{call}: {district}"))
            }
        }
    }

    fn agent(&self, name: &str) -> Result<AgentId, String> {
        let id = self.state.desk.agent_id(name);
        id.ok_or_else(|| format!("no agent \"{name}\": see `pukar agents`"))
    }

    fn call(&self, name: &str) -> Result<CallId, String> {
        let id = self.state.calls.named(name);
        id.ok_or_else(|| format!("no live call {name}: see `pukar calls`"))
    }
}
