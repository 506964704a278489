//! Parties who talk: how they come together, offers, silence, who hangs up; and the direct call to
//! a fixed address.

use super::calls::{Calls, Io};
use super::conversation::Call;
use super::hearing::tell_hold;
use super::leg::Stage;
use super::own::Ring;
use super::waiting::answered_elsewhere;
use super::{EndedBy, Fact, Goal, Role, Way, routing};
use crate::base::{AgentId, CallId, LegId, PortId, Timer};
use crate::sip::{Act, Body, Cause, Party, Target};
use std::time::Duration;

/// How long a dialled party may ring: a landline rings for 60 s.
const RING_FOR: Duration = Duration::from_secs(60);

impl Calls {
    /// The agent has the call: caller and agent hear each other, every other phone stops. Where the
    /// agent was asked for by name, that is what follows from it.
    pub fn connect(&mut self, io: &mut Io, id: CallId, agent: AgentId) {
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(leg) = call.answered_by(agent).map(|leg| leg.id) else { return };
        let over = call.handover.as_deref();
        if over.is_some_and(|over| over.rings() && over.asked == Some(agent)) {
            self.reached(io, id, leg);
            return self.hang_up_phones(io, id, agent, answered_elsewhere());
        }
        call.found = Some(agent);
        let talk = vec![call.caller.id, leg];
        if !self.answer_caller(io, id, leg) {
            return;
        }
        self.set_talk(io, id, talk);
        self.hang_up_phones(io, id, agent, answered_elsewhere());
        self.connected(io, id, leg);
        self.agent_was_first(io, id);
    }

    /// Rings the fixed address of a direct line.
    pub(super) fn dial_target(&mut self, io: &mut Io, id: CallId, uri: String) {
        let Some(call) = self.table.get_mut(id) else { return };
        call.rung = routing::number_of(io.settings, &uri);
        let from = call.shown.clone();
        let to = Party { host: io.host.to_string(), ..Party::default() };
        let ring = Ring { target: Target::Uri(uri), from, to, asserted: None };
        self.ring_target(io, id, ring, RING_FOR);
    }

    /// The dialled party has let it ring for too long.
    pub fn dial_timeout(&mut self, io: &mut Io, id: CallId) {
        if let Some(call) = self.table.get(id) {
            if call.handover.is_some() {
                return self.handover_timeout(io, id);
            }
            if call.rings_centre() {
                return self.centre_timeout(io, id);
            }
            if call.is_dialled_back() {
                let cause = Cause { q850: Some(19), ..Cause::default() };
                return self.not_reached(io, id, (487, cause), None);
            }
            if self.hunts_on(io, id) {
                return;
            }
            let Some(call) = self.table.get(id) else { return };
            let end = call.end(EndedBy::Switch, 480, Some(19));
            self.tell_rung(io, id, false);
            self.finish(io, id, end, None);
        }
    }

    /// The dialled party answered: so do we.
    pub(super) fn target_answered(&mut self, io: &mut Io, id: CallId, leg: LegId) {
        io.cx.timers.cancel(Timer::DialTimeout(id));
        self.tell_rung(io, id, true);
        let Some(call) = self.table.get_mut(id) else { return };
        let talk = vec![call.caller.id, leg];
        self.target_was_first(io, id, leg);
        if self.answer_caller(io, id, leg) {
            self.set_talk(io, id, talk);
            self.connected(io, id, leg);
        }
    }

    /// Answers a caller who has heard it ring so far, with the codec of this leg where that can be.
    /// False: we have no language in common, and the call is over.
    fn answer_caller(&mut self, io: &mut Io, id: CallId, leg: LegId) -> bool {
        let Some(call) = self.table.get_mut(id) else { return false };
        if call.caller.stage == Stage::Up {
            return true;
        }
        let like = call.leg(leg).and_then(|leg| leg.side.spoken());
        let side = &mut call.caller.side;
        let (description, said) = match call.offer.take() {
            Some(offer) => side.answer_at_last(&io.settings.media, &offer, like),
            None => (Ok(side.offer(&io.settings.media, like)), false),
        };
        let Ok(body) = description else {
            let end = call.end(EndedBy::Switch, 488, Some(65));
            self.finish(io, id, end, None);
            return false;
        };
        call.caller.stage = Stage::Up;
        io.out.push(call.caller.act(Act::Answer { body }));
        io.out.extend(call.caller.agree());
        if std::mem::take(&mut call.caller.moved) && said {
            io.out.push(call.caller.offer_again(&io.settings.media));
        }
        true
    }

    /// A re-INVITE or UPDATE from either party: agree to what can be, hold and resume included.
    pub(super) fn offered(&mut self, io: &mut Io, id: CallId, leg: LegId, offer: Option<Body>) {
        let moved = offer.as_ref().map_or(Ok(false), |offer| self.goes_over(io, id, leg, offer));
        let Some(leg) = self.table.get_mut(id).and_then(|call| call.leg_mut(leg)) else { return };
        let like = leg.side.spoken();
        let answer = moved.and_then(|_| match &offer {
            Some(offer) => leg.side.answer(&io.settings.media, offer),
            None => Ok(leg.side.offer(&io.settings.media, like)),
        });
        let (leg_id, act) = match answer {
            Ok(body) => (leg.id, Act::AnswerOffer { body }),
            Err(status) => return io.out.push(leg.act(Act::RefuseOffer { status })),
        };
        io.out.push(leg.act(act));
        // One of ours that waits for theirs to be over is made anew.
        if offer.is_some() && leg.stage == Stage::Up && leg.side.is_outrun() {
            io.out.push(leg.offer_again(&io.settings.media));
        }
        if offer.is_some() {
            self.agreed(io, id, leg_id);
        }
        if moved == Ok(true) {
            self.resume_media(io, id, leg_id);
        }
    }

    /// A talking party is not heard, or is heard again.
    pub(super) fn silence(&mut self, io: &mut Io, port: PortId, silent: bool) {
        let Some(&(id, leg)) = self.by_port.get(&port) else { return };
        let Some(call) = self.table.get_mut(id) else { return };
        if !call.is_heard(leg) {
            return self.absent(io, leg, silent);
        }
        let Some(leg) = call.leg_mut(leg) else { return };
        if std::mem::replace(&mut leg.silent, silent) == silent {
            return;
        }
        io.fact(Fact::Silent { call: id, role: leg.role, silent });
        let (alarm, hangup) = (io.settings.media.silence_alarm, io.settings.media.silence_hangup);
        if silent && !hangup.is_zero() {
            let at = io.cx.now.instant + hangup.saturating_sub(alarm);
            io.cx.timers.set(Timer::Silence(leg.id), at);
        } else {
            io.cx.timers.cancel(Timer::Silence(leg.id));
        }
    }

    /// A party has been silent for so long that it must have gone.
    pub fn silence_over(&mut self, io: &mut Io, leg: LegId) {
        let Some(&id) = self.by_leg.get(&leg) else { return };
        let Some(call) = self.table.get(id) else { return };
        let Some(gone) = call.leg(leg) else { return };
        let cause = Cause { q850: Some(27), ..Cause::default() };
        let by = gone.lost_as(EndedBy::Silence);
        match gone.role {
            Role::Caller if call.partners().count() > 1 => {
                io.out.push(gone.hang_up(cause.clone()));
                self.caller_left(io, id, by, cause);
            }
            Role::Caller => {
                let end = call.end(by, 200, Some(27));
                self.finish(io, id, end, None);
            }
            // Nobody waits to hear them.
            Role::Supervisor(_) => {}
            Role::Agent(_) | Role::Target => {
                io.out.push(gone.hang_up(cause.clone()));
                self.partner_gone(io, id, leg, (true, by), cause);
            }
        }
    }

    /// Somebody else than the caller has left the conversation, or a call that is being handed
    /// over. `stays`: without a goodbye, or to give the caller back.
    pub(super) fn partner_gone(
        &mut self,
        io: &mut Io,
        id: CallId,
        leg: LegId,
        (stays, by): (bool, EndedBy),
        cause: Cause,
    ) {
        let heir = self.heir(id);
        let Some(call) = self.table.get_mut(id) else { return };
        let talk = call.talk_without(leg);
        let is_alone = talk.len() < call.talk.len() && talk.len() < 2;
        let (q850, caller) = (cause.q850, call.caller.id);
        let Some(gone) = call.take_other(leg) else { return };
        let was = (call.handover.as_deref()).map(|over| (over.way, over.by, over.consulted));
        let heir = heir.filter(|_| was.is_none() && talk == [caller]);
        let lost = stays && !gone.is_given_back(&cause);
        let (status, agent) = (if lost { 408 } else { 200 }, gone.role);
        match was {
            Some((_, Some(own), consulted)) if own == leg => {
                if let Some(over) = &mut call.handover {
                    over.by = None;
                }
                self.bury(io, id, &gone, status, cause);
                self.let_go(io, id, agent);
                self.hander_gone(io, id, talk, consulted)
            }
            Some((Way::Consult, Some(by), Some(own))) if own == leg => {
                let over = call.handover.take();
                self.bury(io, id, &gone, status, cause);
                self.let_go(io, id, agent);
                self.asked_went(io, id, over.map_or(String::new(), |over| over.to), by);
            }
            _ if !is_alone => {
                self.set_talk(io, id, talk);
                self.bury(io, id, &gone, status, cause);
                self.let_go(io, id, agent);
            }
            _ if let Some(heir) = heir => {
                self.bury(io, id, &gone, status, cause);
                self.let_go(io, id, agent);
                self.take_over_call(io, id, heir);
            }
            _ => {
                self.bury(io, id, &gone, status, cause);
                // On hold they are in the call as well.
                let is_in_it = |call: &Call| call.is_talking(caller) || call.held.is_some();
                let call_is_whole = self.table.get(id).is_some_and(is_in_it);
                let has_place = match agent {
                    Role::Agent(_) => self.has_queue(id),
                    Role::Target => self.is_handed_on(id),
                    Role::Caller | Role::Supervisor(_) => false,
                };
                match stays && call_is_whole && has_place {
                    // Somebody else is rung to join them, and comes to the caller.
                    true if was.is_some() => {
                        self.let_go(io, id, agent);
                        self.hander_gone(io, id, talk, None);
                    }
                    true => self.return_to_queue(io, id, agent),
                    false => {
                        self.let_go(io, id, agent);
                        self.close(io, id, by, q850);
                    }
                }
            }
        }
    }

    /// Whoever was handing the call over has hung up: whoever they talked with has it, or whoever
    /// is being rung will.
    fn hander_gone(&mut self, io: &mut Io, id: CallId, talk: Vec<LegId>, asked: Option<LegId>) {
        if let Some(asked) = asked {
            return self.hand_over(io, id, asked);
        }
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(over) = &mut call.handover else { return };
        match over.way {
            // Who was to come into a conversation that is over comes to the caller.
            Way::Join | Way::Consult => {
                over.way = Way::Blind;
                let caller = call.caller.id;
                let others = talk.len() > 1 && talk.contains(&caller);
                if others {
                    over.way = Way::Join;
                    return self.set_talk(io, id, talk);
                }
                self.set_talk(io, id, Vec::new());
                io.fact(Fact::Alone { call: id });
            }
            Way::Blind | Way::Recall => {}
        }
    }

    /// Whoever was asked first has hung up: the one who asked is with the caller again.
    fn asked_went(&mut self, io: &mut Io, id: CallId, to: String, by: LegId) {
        let Some(call) = self.table.get(id) else { return };
        if !call.is_caller_up() {
            return self.close(io, id, EndedBy::Agent, Some(16));
        }
        let talk = vec![call.caller.id, by];
        self.set_talk(io, id, talk);
        io.fact(Fact::NotTransferred { call: id, to, why: "hung up".into() });
    }

    /// The caller has left those who talk on without them.
    pub(super) fn caller_left(&mut self, io: &mut Io, id: CallId, by: EndedBy, cause: Cause) {
        let Some(call) = self.table.get_mut(id) else { return };
        let gone = call.caller.clone();
        let talk = call.talk_without(gone.id);
        self.set_talk(io, id, talk);
        self.bury(io, id, &gone, 200, cause);
        if let Some(call) = self.table.get_mut(id) {
            call.left = Some(by);
            tell_hold(io, call, id);
        }
    }

    fn has_queue(&self, id: CallId) -> bool {
        self.table.get(id).is_some_and(|call| call.queue().is_some())
    }

    /// Whether the caller talks with a centre that was rung for them while they waited, or with
    /// somebody outside whom an agent has handed them to.
    fn is_handed_on(&self, id: CallId) -> bool {
        let served = |call: &Call| matches!(call.goal, Goal::Served { .. }) && call.own.is_none();
        self.table.get(id).is_some_and(|call| served(call) || call.was_called())
    }

    /// The call is over by the hand of one whose leg is gone already.
    fn close(&mut self, io: &mut Io, id: CallId, by: EndedBy, q850: Option<u8>) {
        if let Some(call) = self.table.get(id) {
            let end = call.end(by, 200, q850);
            self.finish(io, id, end, None);
        }
    }
}
