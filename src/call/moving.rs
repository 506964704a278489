//! A leg moves to another port: the system did not grant its own or took it away, or the far end
//! has gone over to the other family of addresses. Whatever it heard goes on there.

use super::calls::{Calls, Io};
use super::leg::Stage;
use super::{Effect, EndedBy, Missed, Role};
use crate::base::limits::PORTS_PER_LEG_MAX;
use crate::base::{CallId, LegId, PortId};
use crate::media::control::{Command, Figures};
use crate::sip::{Body, Cause};

impl Calls {
    /// The system did not grant a port, or took it away: the leg moves to another.
    pub(super) fn port_failed(&mut self, io: &mut Io, port: PortId) {
        self.earlier.forget(port);
        let Some((id, leg)) = self.by_port.remove(&port) else { return };
        let known = self.table.get(id).and_then(|call| call.leg(leg)).map(|leg| leg.side.port);
        if known != Some(port) {
            // Closed already: there will be no figures.
            return self.measured(io, (id, leg), &Figures::default());
        }
        let moves = self.table.get(id).and_then(|call| call.leg(leg)).map_or(0, |leg| leg.moves);
        let next = (moves < PORTS_PER_LEG_MAX).then(|| self.ports.take_beside(port)).flatten();
        let Some(next) = next else {
            // Known until the leg is buried, which gives the port back.
            self.by_port.insert(port, (id, leg));
            self.no_port(io, id, leg);
            if self.by_port.remove(&port).is_some() {
                self.measured(io, (id, leg), &Figures::default());
            }
            return;
        };
        self.by_port.insert(next, (id, leg));
        let Some(call) = self.table.get_mut(id) else { return };
        self.ports.give_up(io.cx.now.instant, port);
        let Some(this) = call.leg_mut(leg) else { return };
        this.moves += 1;
        this.side.move_to(next);
        io.open(this.side.door());
        io.out.extend(this.agree());
        if this.stage == Stage::Up {
            io.out.push(this.offer_again(&io.settings.media));
        } else {
            this.moved = true;
        }
        self.resume_media(io, id, leg);
    }

    /// A far end has refused our offer. Where it still sends to a port that we do not have, it will
    /// never be heard.
    pub(super) fn stays_astray(&mut self, io: &mut Io, id: CallId, leg: LegId) {
        let this = self.table.get_mut(id).and_then(|call| call.leg_mut(leg));
        let Some(this) = this else { return };
        this.side.unanswered();
        if this.side.is_astray() {
            self.no_port(io, id, leg);
        }
    }

    /// A later offer at an address of the other family is answered from a port there: whether it
    /// is one. The error is the status that refuses it.
    pub(super) fn goes_over(
        &mut self,
        io: &mut Io,
        id: CallId,
        leg: LegId,
        offer: &Body,
    ) -> Result<bool, u16> {
        let call = self.table.get_mut(id);
        let Some(this) = call.and_then(|call| call.leg_mut(leg)) else { return Ok(false) };
        let mut look = this.side.clone();
        if !look.follow(&io.settings.media, offer) {
            return Ok(false);
        }
        // RFC 3261 section 14.1: where it is refused, all is as before.
        look.answer(&io.settings.media, offer)?;
        let old = this.side.port;
        let next = self.ports.take_beside(old).ok_or(488_u16)?;
        this.side.follow(&io.settings.media, offer);
        this.side.move_to(next);
        self.by_port.remove(&old);
        self.by_port.insert(next, (id, leg));
        self.earlier.leaves(leg, old);
        self.ports.give_back(old);
        io.media(Command::Close { port: old });
        io.open(this.side.door());
        Ok(true)
    }

    /// A leg cannot have a port. One that only rings is let go, and the caller keeps the place; one
    /// that talks has left the caller as if it had vanished; a caller cannot be talked to, and the
    /// call is over.
    fn no_port(&mut self, io: &mut Io, id: CallId, leg: LegId) {
        let Some(call) = self.table.get_mut(id) else { return };
        if call.is_dialled_back() && (call.caller.id == leg || call.is_talking(leg)) {
            let cause = Cause { q850: Some(42), ..Cause::default() };
            return self.not_reached(io, id, (503, cause), None);
        }
        if let Some(Role::Supervisor(agent)) = call.leg(leg).map(|leg| leg.role) {
            let cause = Cause { q850: Some(42), ..Cause::default() };
            let gone = call.leg(leg).map(|leg| leg.hang_up(cause.clone()));
            io.out.extend(gone);
            return self.watcher_left(io, id, (agent, leg), (503, cause));
        }
        let ringing = !call.needs(leg) && call.caller.id != leg;
        if !ringing && call.caller.id != leg {
            let cause = Cause { q850: Some(42), ..Cause::default() };
            let gone = call.leg(leg).map(|leg| leg.hang_up(cause.clone()));
            io.out.extend(gone);
            return self.partner_gone(io, id, leg, (true, EndedBy::Switch), cause);
        }
        let named = call.handover.is_some();
        let role = call.leg(leg).map(|leg| leg.role).filter(|_| ringing);
        if role == Some(Role::Target) && named {
            let cause = Cause { q850: Some(42), ..Cause::default() };
            let gone = call.leg(leg).map(|leg| leg.hang_up(cause.clone()));
            io.out.extend(gone);
            return self.refused(io, id, leg, 503, cause);
        }
        let Some(Role::Agent(agent)) = role else {
            let end = call.end(EndedBy::Switch, 503, Some(42));
            return self.finish(io, id, end, None);
        };
        let Some(gone) = call.take_other(leg) else { return };
        let alone = !gone.cancelled && !call.rings_at(agent);
        let cause = Cause { q850: Some(42), ..Cause::default() };
        io.out.push(gone.hang_up(cause.clone()));
        self.stopping.note(&gone);
        self.bury(io, id, &gone, 487, cause);
        if alone {
            io.out.push(Effect::Missed { call: id, agent, why: Missed::NoPort });
            self.asked_missed(io, id, agent, (503, "no media port is free"));
        }
    }
}
