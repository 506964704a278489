//! An agent's phone takes a call that is under way: by INVITE with Replaces (RFC 3891), in the
//! place of a phone that talks or rings; or by dialling the number of a parking slot.

use super::calls::{Calls, Io};
use super::codes::Act as CodeAct;
use super::leg::{Leg, Stage};
use super::transfer::normal;
use super::{Effect, Fact, Role, routing};
use crate::base::{AgentId, CallId, LegId};
use crate::sip::{Act, Body, Cause, Invited, Source};

/// What a phone wants: a call, and whose place in it.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub call: CallId,
    /// `None`: the caller waits or is parked.
    pub place: Option<LegId>,
}

impl Calls {
    /// The call that this INVITE wants to take, or the status that refuses it; `None` where it
    /// wants a call of its own.
    pub(super) fn wanted(&self, io: &Io, invited: &Invited) -> Option<Result<Wanted, u16>> {
        if let Some(place) = invited.replaces {
            let found = self
                .call_of(place)
                .filter(|call| self.table.get(*call).is_some_and(|call| call.caller.id != place));
            return Some(found.map(|call| Wanted { call, place: Some(place) }).ok_or(481));
        }
        let Source::User(_) = invited.source else { return None };
        let code =
            routing::code(io.settings, invited).filter(|code| code.act == CodeAct::PickUp)?;
        let parked = code.rest.parse().ok().and_then(|slot| self.parked_in(slot));
        Some(parked.map(|call| Wanted { call, place: None }).ok_or(404))
    }

    pub(super) fn seize(
        &mut self,
        io: &mut Io,
        leg: LegId,
        invited: &Invited,
        wanted: Result<Wanted, u16>,
    ) {
        let done = wanted.and_then(|wanted| self.let_in(io, leg, invited, wanted));
        if let Err(status) = done {
            let act = Act::Refuse { status, cause: None, retry_after: None };
            io.out.push(Effect::Act { leg, act });
        }
    }

    fn let_in(
        &mut self,
        io: &mut Io,
        leg: LegId,
        invited: &Invited,
        wanted: Wanted,
    ) -> Result<(), u16> {
        let Source::User(user) = &invited.source else { return Err(403) };
        let seated = self.seats.agent_at(user).ok_or(403_u16)?;
        let agent = io.people.agent(seated).ok_or(403_u16)?;
        let call = self.table.get(wanted.call).filter(|call| call.is_caller_up()).ok_or(481_u16)?;
        let queue = call.queue();
        let port = self.ports.take_beside(call.caller.side.port).ok_or(503_u16)?;
        let mut side = io.side(port, invited);
        let body = match &invited.offer {
            Some(offer) => side.answer(&io.settings.media, offer),
            None => Ok(side.offer(&io.settings.media, None)),
        };
        let body = body.inspect_err(|_| self.ports.give_back(port))?;
        let role = Role::Agent(agent);
        let Some(call) = self.table.get_mut(wanted.call) else { return Err(481) };
        let door = side.door();
        call.others.push(Leg::new(leg, role, side, Stage::Ringing));
        self.by_leg.insert(leg, wanted.call);
        self.by_port.insert(port, (wanted.call, leg));
        io.open(door);
        io.fact(Fact::LegOpened { call: wanted.call, leg, role });
        let Wanted { call, place } = wanted;
        io.out.push(Effect::Seize { call, agent, queue, leg, place, body });
        Ok(())
    }

    /// The desk has given the agent the call.
    pub fn seized(
        &mut self,
        io: &mut Io,
        (id, agent): (CallId, AgentId),
        (leg, place): (LegId, Option<LegId>),
        body: Body,
    ) {
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(this) = call.leg_mut(leg) else { return };
        this.stage = Stage::Up;
        io.out.push(this.act(Act::Answer { body }));
        io.out.extend(this.agree());
        io.fact(Fact::LegAnswered { call: id, leg });
        match place {
            Some(place) if call.needs(place) => self.step_in(io, id, (place, leg)),
            Some(_) if call.handover.is_some() => {
                // Not the one who was asked, but one who came instead.
                self.take_over(io, id, agent, leg);
            }
            Some(_) | None => {
                let talk = vec![call.caller.id, leg];
                self.leave_alone(io, id, None);
                self.set_talk(io, id, talk);
                self.connected(io, id, leg);
            }
        }
    }

    fn take_over(&mut self, io: &mut Io, id: CallId, agent: AgentId, leg: LegId) {
        let Some(over) = self.table.get_mut(id).and_then(|call| call.handover.as_mut()) else {
            return;
        };
        let before = over.asked.replace(agent).filter(|before| *before != agent);
        if let Some(before) = before {
            self.hang_up_phones(io, id, before, super::waiting::answered_elsewhere());
            io.out.push(Effect::Released { call: id, agent: before });
        }
        self.stop_targets(io, id);
        self.reached(io, id, leg);
    }

    fn stop_targets(&mut self, io: &mut Io, id: CallId) {
        let Some(call) = self.table.get_mut(id) else { return };
        let rings = |leg: &&Leg| leg.role == Role::Target && leg.stage != Stage::Up;
        let Some(leg) = call.others.iter().find(rings).map(|leg| leg.id) else { return };
        let Some(gone) = call.take_other(leg) else { return };
        io.out.push(gone.hang_up(normal()));
        self.bury(io, id, &gone, 487, normal());
    }

    /// One leg in the place of another.
    fn step_in(&mut self, io: &mut Io, id: CallId, (old, new): (LegId, LegId)) {
        let Some(call) = self.table.get_mut(id) else { return };
        let swap = |leg: LegId| if leg == old { new } else { leg };
        let talk: Vec<LegId> = call.talk.iter().map(|leg| swap(*leg)).collect();
        if let Some(over) = &mut call.handover {
            (over.by, over.consulted) = (over.by.map(swap), over.consulted.map(swap));
        }
        let hears_caller = talk.contains(&call.caller.id) && talk.contains(&new);
        self.set_talk(io, id, talk);
        self.dismiss(io, id, old, normal());
        if hears_caller {
            self.connected(io, id, new);
        }
    }

    /// The desk has not: the agent is engaged, or not to be had.
    pub fn not_seized(&mut self, io: &mut Io, id: CallId, leg: LegId, why: String) {
        let gone = self.table.get_mut(id).and_then(|call| call.take_other(leg));
        let Some(gone) = gone else { return };
        let cause = Cause { q850: Some(17), sip: Some(486), text: why };
        let act = Act::Refuse { status: 486, cause: Some(cause.clone()), retry_after: None };
        io.out.push(gone.act(act));
        self.bury(io, id, &gone, 486, cause);
    }
}
