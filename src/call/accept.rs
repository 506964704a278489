//! An agent who works from home, at a number of the public network. Whatever answers there has to
//! press 1 before it gets the caller: a machine that takes messages never does.

use super::calls::{Calls, Io};
use super::leg::Stage;
use super::out::{Plan, Refusal, Way, Who, plan_by};
use super::{Effect, Phone, Role};
use crate::base::{AgentId, CallId, LegId};
use crate::media::control::{Command, Music};
use crate::sip::{Cause, Target};

const ACCEPT: char = '1';
const TEL: &str = "tel:";

impl Phone {
    /// The number of an agent who is reached through a trunk.
    pub fn outside(&self) -> Option<&str> {
        self.contact.as_deref()?.strip_prefix(TEL)
    }
}

impl Calls {
    /// The way to an agent at a number. `None`: the phone is one of ours.
    pub(super) fn way_home(
        &self,
        io: &Io,
        phone: Option<&Phone>,
        target: &Target,
    ) -> Option<Result<Way, Refusal>> {
        let Target::Uri(uri) = target else { return None };
        let number = uri.strip_prefix(TEL)?;
        let usage = self.usage(io.cx.now.instant);
        let only = phone.and_then(|phone| phone.trunk);
        Some(match plan_by(io.settings, (Who::Switch, only), number, usage) {
            Ok(Plan::Outside(way)) => Ok(way),
            Ok(Plan::Agent(_)) => Err(Refusal::NoNumber),
            Err(refusal) => Err(refusal),
        })
    }

    /// Something answered at an agent's number: it is asked for a key. False: the agent's phone is
    /// one of ours, and its answer is an answer.
    pub(super) fn asks_to_accept(&mut self, io: &mut Io, id: CallId, leg: LegId) -> bool {
        let Some(call) = self.table.get(id) else { return false };
        let Some(this) = call.leg(leg) else { return false };
        let Role::Agent(agent) = this.role else { return false };
        if !call.confirms.contains(&agent) {
            return false;
        }
        let port = this.side.port;
        if let Some(tune) = io.settings.signals.accept {
            let then = Some(Music { tune, since: io.cx.now.instant });
            io.media(Command::Play { port, piece: 0, tunes: Vec::new(), then });
        }
        true
    }

    /// A phone of the agent is over. With the last of them goes the question.
    pub(super) fn asks_no_more(&mut self, id: CallId, agent: AgentId) {
        if let Some(call) = self.table.get_mut(id)
            && !call.others.iter().any(|leg| leg.agent() == Some(agent))
        {
            call.confirms.remove(&agent);
        }
    }

    /// A key was pressed. False: nobody was asked for one there.
    pub(super) fn key_to_accept(&mut self, io: &mut Io, id: CallId, leg: LegId, key: char) -> bool {
        let Some(call) = self.table.get_mut(id) else { return false };
        let Some(this) = call.leg(leg).filter(|leg| leg.stage == Stage::Up) else { return false };
        let (Role::Agent(agent), port) = (this.role, this.side.port) else { return false };
        if !call.confirms.remove(&agent) {
            return false;
        }
        io.media(Command::Stop { port });
        if key == ACCEPT {
            io.out.push(Effect::Answered { call: id, agent });
            return true;
        }
        let cause = Cause { q850: Some(21), ..Cause::default() };
        if let Some(this) = self.table.get(id).and_then(|call| call.leg(leg)) {
            io.out.push(this.hang_up(cause.clone()));
        }
        self.refused(io, id, leg, 603, cause);
        true
    }
}
