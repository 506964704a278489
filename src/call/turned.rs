//! A call that an agent placed to a number outside, turned round: whoever was reached is its caller
//! from here on, and the agent is one who talks with them. So it can be transferred, parked, held
//! and joined as every other, and nobody hangs up on the citizen to queue the agent.

use super::calls::{Calls, Io};
use super::conversation::Call;
use super::own::Kind;
use super::{Effect, Role};
use crate::base::{CallId, LegId};
use crate::sip::Party;

impl Calls {
    /// Turns such a call round, where it is not yet; of every other call nothing is changed. The
    /// error says why it cannot be done.
    pub(super) fn turn_round(&mut self, io: &mut Io, id: CallId) -> Result<(), String> {
        let call = self.table.get_mut(id).ok_or("the call is over")?;
        let Some(own) = call.own.as_mut() else { return Ok(()) };
        let Kind::Outside { way, .. } = &own.kind else { return Ok(()) };
        let far = match call.talk[..] {
            [placed, far] if placed == call.caller.id => far,
            _ => return Err("whoever is called has not answered".into()),
        };
        // Where it is a consultation, the call that it is about can be handed over.
        let [agent] = own.agents[..] else {
            return Err("the agent has another call in hand".into());
        };
        let way = way.clone();
        let (number, dialled) = (way.number.clone(), way.identity.clone());
        own.agents.clear();
        own.kind = Kind::Reached(way);
        let reached = call.take_other(far).ok_or("whoever is called has gone")?;
        let mut placed = std::mem::replace(&mut call.caller, reached);
        call.caller.role = Role::Caller;
        placed.role = Role::Agent(agent);
        call.talk = vec![far, placed.id];
        call.others.push(placed);
        let host = io.host.to_string();
        call.shown = Party { user: number.clone(), host, display: String::new() };
        (call.number, call.dialled) = (number, dialled);
        // They wait as whoever calls the helpline does.
        if let Some(line) = io.settings.anybodys_line() {
            call.music = line.music;
            call.languages.clone_from(&line.languages);
        }
        let wrap_up = io.settings.out.wrap_up;
        io.out.push(Effect::CarryOver {
            from: id,
            to: id,
            agent,
            queue: None,
            wrap_up,
            answered: true,
        });
        Ok(())
    }
}

impl Call {
    /// Whether the caller is somebody whom an agent has called, and who can be handed over.
    pub(super) fn was_called(&self) -> bool {
        self.own.as_ref().is_some_and(|own| matches!(own.kind, Kind::Reached(_)))
    }

    /// Whether this is the phone of an agent who has reached a number outside.
    pub(super) fn has_reached(&self, leg: LegId) -> bool {
        // Not a consultation beside another call, nor a phone at which nobody sits.
        let outside =
            |own: &super::Own| matches!(own.kind, Kind::Outside { .. }) && own.agents.len() == 1;
        let own = self.own.as_deref().is_some_and(outside);
        own && self.caller.id == leg && self.talk.len() == 2
    }
}
