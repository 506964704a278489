//! What happened to a leg or a port, brought to its call.

use super::calls::{Calls, Io};
use super::leg::{Leg, Stage};
use super::recording::NOTICE;
use super::{Effect, EndedBy, Fact, Missed, Role, stopping};
use crate::base::{CallId, LegId, PortId};
use crate::media::control::{Command, Event};
use crate::sip::{Act, Body, Cause, Ended, Notice};
use std::net::IpAddr;

impl Calls {
    /// A notice about a leg. One about a leg that is no longer known means nothing: its call has
    /// let go of it.
    /// `from` is the host that the leg's signalling comes from.
    pub fn notice(&mut self, io: &mut Io, notice: Notice, from: Option<IpAddr>) {
        if let Notice::Invited { leg, invited } = notice {
            return self.invited(io, leg, *invited);
        }
        let Some(leg) = notice.leg() else { return };
        let last = stopping::is_last(&notice);
        self.noticed(io, leg, notice, from);
        if last {
            self.last_word(io, leg);
        }
    }

    fn noticed(&mut self, io: &mut Io, leg: LegId, notice: Notice, from: Option<IpAddr>) {
        let Some(id) = self.call_of(leg) else { return };
        if let Some(leg) = self.table.get_mut(id).and_then(|call| call.leg_mut(leg)) {
            leg.side.signalled = from;
        }
        if !matches!(notice, Notice::Ended { .. }) {
            self.is_there(io, id, leg);
        }
        match notice {
            Notice::Progress { leg, status, body } => self.progress(io, id, leg, status, body),
            Notice::Answered { leg, body } => self.answered(io, id, leg, body),
            Notice::Refused { leg, status, cause, .. } => {
                self.refused(io, id, leg, status, cause);
            }
            // To whoever calls nobody has answered; of the phone it says no more than a refusal.
            Notice::LeftEarly { leg, cause } => {
                self.not_had(io, id, leg, (480, Some(Missed::Declined)), cause);
            }
            Notice::Unheard { leg } => {
                let ours = self.table.get(id).and_then(|call| call.leg(leg));
                ours.into_iter().for_each(|leg| self.stopping.note(leg));
                self.refused(io, id, leg, 408, Cause::default());
            }
            Notice::Confirmed { leg, answer: Some(answer) } => {
                self.accepted(io, id, leg, &answer, false);
            }
            Notice::OfferAnswered { leg, answer, more } => {
                self.accepted(io, id, leg, &answer, more);
            }
            Notice::Offered { leg, offer } => self.offered(io, id, leg, offer),
            Notice::Ended { leg, why, cause } => self.leg_ended(io, id, leg, why, cause),
            Notice::Confirmed { leg, answer: None } => self.unanswered(io, id, leg),
            Notice::Key { leg, key } => self.pressed_in_info(io, id, leg, key),
            // What waits behind it says what holds by now.
            Notice::OfferRefused { more: true, .. } => {}
            Notice::OfferRefused { leg, .. } => self.stays_astray(io, id, leg),
            Notice::Referred { .. }
            | Notice::Invited { .. }
            | Notice::Stopped { .. }
            | Notice::Bound { .. }
            | Notice::PhoneBack { .. }
            | Notice::PhoneGone { .. }
            | Notice::TrunkUp { .. }
            | Notice::Locked { .. } => {}
        }
    }

    fn progress(&mut self, io: &mut Io, id: CallId, leg: LegId, status: u16, body: Option<Body>) {
        let Some(call) = self.table.get_mut(id) else { return };
        let centre = call.rings_centre();
        let Some(other) = call.leg_mut(leg) else { return };
        let first = other.stage == Stage::Trying;
        if first {
            other.stage = Stage::Ringing;
        }
        if other.role == Role::Target {
            match centre {
                true => self.centre_rings(io, id, first),
                false => self.peer_rings(io, id),
            }
        }
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(other) = call.leg(leg) else { return };
        // An agent's ringing is not the caller's business: they hear music. A dialled party's is.
        if other.role != Role::Target || call.caller.stage == Stage::Up {
            return;
        }
        let early = body.filter(|body| other_accepts(call, io, leg, body));
        let answer = early.and_then(|_| {
            let (offer, like) = (call.offer.clone()?, call.leg(leg)?.side.spoken());
            call.caller.side.answer_early(&io.settings.media, &offer, like).ok()
        });
        let status = if answer.is_some() { 183 } else { status };
        io.out.push(call.caller.act(Act::Ring { status, body: answer.clone() }));
        if answer.is_some() {
            io.out.extend(call.caller.agree());
            let ports: Vec<PortId> = call.legs().map(|leg| leg.side.port).collect();
            if let [a, b] = ports[..] {
                io.media(Command::Bridge { a, b });
            }
        }
    }

    fn answered(&mut self, io: &mut Io, id: CallId, leg: LegId, body: Option<Body>) {
        if let Some(agent) = self.watches_by(id, leg) {
            return self.watcher_answered(io, id, (agent, leg), body);
        }
        let Some(call) = self.table.get_mut(id) else { return };
        let named = call.handover.as_ref().is_some_and(|over| over.rings());
        let dialled_back = call.is_dialled_back();
        let awaited = named || dialled_back && call.caller.id == leg;
        let taken = !call.talk.is_empty() && !awaited;
        let waits = call.rings_centre();
        // A machine at an agent's number that answers too late is asked nothing any more.
        let asked = |leg: &Leg| leg.agent().is_some_and(|agent| call.confirms.contains(&agent));
        let late = call.leg(leg).is_some_and(|leg| leg.cancelled && asked(leg));
        let taken = taken || late;
        let Some(other) = call.leg_mut(leg) else { return };
        let usable = body.is_some_and(|body| other.side.accept(&io.settings.media, &body).is_ok());
        if !usable || taken {
            let cause = Cause { q850: Some(if taken { 16 } else { 65 }), ..Cause::default() };
            io.out.push(other.hang_up(cause.clone()));
            return self.refused(io, id, leg, 488, cause);
        }
        (other.stage, other.cancelled) = (Stage::Up, false);
        io.out.extend(other.agree());
        if std::mem::take(&mut other.moved) {
            io.out.push(other.offer_again(&io.settings.media));
        }
        match other.role {
            Role::Agent(agent) => {
                if !self.asks_to_accept(io, id, leg) {
                    io.out.push(Effect::Answered { call: id, agent });
                }
            }
            Role::Target if named => self.reached(io, id, leg),
            Role::Target if waits => self.centre_answered(io, id, leg),
            Role::Target => self.target_answered(io, id, leg),
            Role::Caller => self.back_reached(io, id),
            Role::Supervisor(_) => {}
        }
    }

    pub(super) fn refused(
        &mut self,
        io: &mut Io,
        id: CallId,
        leg: LegId,
        status: u16,
        cause: Cause,
    ) {
        self.not_had(io, id, leg, (status, None), cause);
    }

    /// `why` an agent's phone did not take the call, where the status does not say it.
    fn not_had(
        &mut self,
        io: &mut Io,
        id: CallId,
        leg: LegId,
        (status, why): (u16, Option<Missed>),
        cause: Cause,
    ) {
        if let Some(agent) = self.watches_by(id, leg) {
            return self.watcher_left(io, id, (agent, leg), (status, cause));
        }
        let Some(call) = self.table.get_mut(id) else { return };
        let waits = call.rings_centre();
        if call.caller.id == leg && call.is_dialled_back() {
            return self.not_reached(io, id, (status, cause), Some(leg));
        }
        let named = call.handover.as_ref().is_some_and(|over| over.rings());
        let Some(gone) = call.take_other(leg) else { return };
        self.bury(io, id, &gone, status, cause.clone());
        let Some(call) = self.table.get(id) else { return };
        match gone.role {
            Role::Agent(agent) if !gone.cancelled && !call.rings_at(agent) => {
                let why = why.unwrap_or(missed(status, gone.stage));
                io.out.push(Effect::Missed { call: id, agent, why });
                self.asked_missed(io, id, agent, (passed_on(status), why.name()));
            }
            Role::Target if named => {
                self.tell_rung(io, id, false);
                self.try_next(io, id, (passed_on(status), missed(status, gone.stage).name()));
            }
            Role::Target if waits => self.without_centre(io, id),
            Role::Target if call.rings_target() || self.hunts_on(io, id) => {}
            Role::Target => {
                let Some(call) = self.table.get(id) else { return };
                let end = call.end(EndedBy::Target, passed_on(status), cause.q850);
                self.tell_rung(io, id, false);
                self.finish(io, id, end, None);
            }
            Role::Agent(_) | Role::Caller | Role::Supervisor(_) => {}
        }
    }

    /// The answer to an offer of ours: in the ACK, or to a re-INVITE. `more`: to one that a later
    /// one waits behind.
    fn accepted(&mut self, io: &mut Io, id: CallId, leg: LegId, answer: &Body, more: bool) {
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(this) = call.leg_mut(leg) else { return };
        let accepted = match more {
            true => this.side.accept_meanwhile(&io.settings.media, answer),
            false => this.side.accept(&io.settings.media, answer),
        };
        match accepted {
            Ok(()) => self.agreed(io, id, leg),
            Err(_) if this.role == Role::Caller => {
                let end = call.end(EndedBy::Switch, 488, Some(65));
                self.finish(io, id, end, None);
            }
            Err(_) => {}
        }
    }

    /// An ACK without a description. Where our 2xx was the offer, the far end has agreed to nothing
    /// (RFC 3261 section 13.2.1), and nobody could be heard.
    fn unanswered(&mut self, io: &mut Io, id: CallId, leg: LegId) {
        let Some(call) = self.table.get(id) else { return };
        if call.caller.id == leg && call.caller.side.far.is_none() {
            let end = call.end(EndedBy::Switch, 488, Some(65));
            self.finish(io, id, end, None);
        }
    }

    fn leg_ended(&mut self, io: &mut Io, id: CallId, leg: LegId, why: Ended, cause: Cause) {
        let Some(call) = self.table.get(id) else { return };
        let Some(gone) = call.leg(leg) else { return };
        let silent = match why {
            Ended::Bye | Ended::Cancelled => false,
            Ended::NoAck | Ended::Expired | Ended::Lost => true,
        };
        let q850 = cause.q850;
        if call.is_dialled_back() && (call.caller.id == leg || call.is_talking(leg)) {
            return self.not_reached(io, id, (487, cause), Some(leg));
        }
        match gone.role {
            Role::Caller => {
                let lost = silent || q850.is_some_and(is_failure);
                let by = if lost { gone.lost_as(EndedBy::Lost) } else { EndedBy::Caller };
                if call.partners().count() > 1 {
                    return self.caller_left(io, id, by, cause);
                }
                let end = match call.was_answered_there(&cause) {
                    true => call.given_back(),
                    false => call.end(by, 487, q850),
                };
                self.finish(io, id, end, Some(leg));
            }
            Role::Supervisor(agent) => self.watcher_left(io, id, (agent, leg), (200, cause)),
            Role::Agent(_) if !call.needs(leg) => self.refused(io, id, leg, 480, cause),
            Role::Agent(agent) if !silent && call.has_hardly_talked(io, agent) => {
                self.came_to_nothing(io, id, (agent, leg), cause);
            }
            Role::Agent(_) => {
                let by = if silent { gone.lost_as(EndedBy::Lost) } else { EndedBy::Agent };
                self.partner_gone(io, id, leg, (silent, by), cause);
            }
            Role::Target if call.needs(leg) => {
                let stays = silent || gone.is_given_back(&cause);
                let by = if silent { gone.lost_as(EndedBy::Lost) } else { EndedBy::Target };
                self.partner_gone(io, id, leg, (stays, by), cause);
            }
            Role::Target if call.rings_centre() || call.handover.is_some() => {
                self.refused(io, id, leg, 480, cause);
            }
            Role::Target => {
                let by = if silent { gone.lost_as(EndedBy::Lost) } else { EndedBy::Target };
                let end = call.end(by, 480, q850);
                self.finish(io, id, end, Some(leg));
            }
        }
    }

    /// What the data plane tells.
    pub fn media(&mut self, io: &mut Io, event: Event) {
        match event {
            Event::Held { ports } => self.ports.set_aside(io.cx.now.instant, &ports),
            Event::Failed { port, .. } => self.port_failed(io, port),
            Event::Silent { port } => self.silence(io, port, true),
            Event::Heard { port } => {
                self.is_heard(io, port);
                self.silence(io, port, false);
            }
            Event::Played { port, piece: NOTICE } => {
                if let Some(&(id, _)) = self.by_port.get(&port) {
                    self.notice_is_over(io, id, port);
                }
            }
            Event::Played { port, piece } => {
                if let Some(&(id, leg)) = self.by_port.get(&port)
                    && !self.signalled(io, id)
                {
                    self.played(io, id, leg, piece);
                }
            }
            Event::Closed { port, figures } => self.port_closed(io, port, &figures),
            Event::Ailing { port, what, on, from } => {
                if let Some(&(call, leg)) = self.by_port.get(&port)
                    && let Some(leg) = self.table.get_mut(call).and_then(|call| call.leg_mut(leg))
                {
                    match on {
                        true => leg.ails.insert(what),
                        false => leg.ails.remove(&what),
                    };
                    io.fact(Fact::Ailing { call, role: leg.role, what, on, from });
                }
            }
            Event::Latched { port, .. } => self.is_heard(io, port),
            Event::Key { port, key } => {
                if let Some(&(id, leg)) = self.by_port.get(&port) {
                    self.pressed_in_audio(io, id, leg, key);
                }
            }
        }
    }
}

fn other_accepts(
    call: &mut super::conversation::Call,
    io: &mut Io,
    leg: LegId,
    body: &Body,
) -> bool {
    let Some(other) = call.leg_mut(leg) else { return false };
    let accepted = other.side.accept(&io.settings.media, body).is_ok();
    io.out.extend(other.agree().filter(|_| accepted));
    accepted
}

/// What the caller is told where the dialled party gave this final answer.
fn passed_on(status: u16) -> u16 {
    match status {
        // A challenge is for us, and would be empty; a redirection was followed as far as it led.
        0..=399 | 401 | 407 => 480,
        // RFC 3261 section 16.7: a 503 would say that this switch can take no calls at all.
        503 => 500,
        other => other,
    }
}

/// What a final answer says of the phone that gave it.
fn missed(status: u16, stage: Stage) -> Missed {
    match status {
        486 | 600 | 603 | 300..=399 => Missed::Declined,
        480 | 487 => Missed::NoAnswer,
        408 if stage != Stage::Trying => Missed::NoAnswer,
        _ => Missed::Unreachable,
    }
}

/// Whether a network that hangs up for somebody says that it has lost them (ITU-T Q.850): out of
/// order, out of order for now or for longer, congestion, a timer that ran out, a protocol error.
fn is_failure(cause: u8) -> bool {
    matches!(cause, 27 | 38 | 41 | 42 | 102 | 111)
}
