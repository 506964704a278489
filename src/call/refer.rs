//! REFER from an agent's phone (RFC 3515, RFC 5589): a blind transfer; or, with Replaces, the end
//! of a consultation that the phone held with a second call of its own.

use super::calls::{Calls, Io};
use super::conversation::Call;
use super::handover::{Handover, RING_AGENT, Way};
use super::hearing::start_music;
use super::leg::{Leg, Stage};
use super::own::lasts_until;
use super::transfer::{Ask, normal};
use super::{Effect, EndedBy, Fact, Role};
use crate::base::{AgentId, CallId, LegId, Timer};
use crate::media::control::Figures;
use crate::sip::{Act, Refer};
use std::collections::VecDeque;
use std::time::Duration;

impl Calls {
    /// `meant`: the leg that Replaces names, or the status that says why it is none.
    pub fn referred(
        &mut self,
        io: &mut Io,
        leg: LegId,
        refer: Refer,
        meant: Option<Result<LegId, u16>>,
    ) {
        let answer = |status| Effect::Act { leg, act: Act::AnswerRefer { status } };
        let Some(id) = self.call_of(leg) else { return io.out.push(answer(481)) };
        if self.table.get(id).is_some_and(|call| call.has_reached(leg)) {
            // Where it cannot be turned round, the agent may not send it away.
            let _ = self.turn_round(io, id);
        }
        let call = self.table.get(id);
        let own = call.is_some_and(|call| call.is_talking(leg) && call.agent_of(leg).is_some());
        // Whoever else could send a call away at our expense: a stranger, or the caller.
        if !own {
            return io.out.push(answer(403));
        }
        let before = io.out.len();
        let done = match meant {
            None => self.send_away(io, id, leg, &refer.to.user),
            Some(Ok(second)) => self.bring_in(io, id, leg, second),
            Some(Err(status)) => Err(status),
        };
        match done {
            Ok(()) => {
                let trying = Effect::Act { leg, act: Act::Report { status: 100 } };
                io.out.splice(before..before, [answer(202), trying]);
            }
            Err(status) => {
                // A 481 to the REFER itself would end the call that it came in.
                io.out.push(answer(if status == 481 { 404 } else { status }));
            }
        }
    }

    fn send_away(&mut self, io: &mut Io, id: CallId, leg: LegId, to: &str) -> Result<(), u16> {
        let ask = Ask { to, way: Way::Blind, by: Some(leg), reports: true };
        self.transfer(io, id, ask).map_err(|_| 404)
    }

    /// Whoever talks with the second leg comes to this call's caller.
    fn bring_in(&mut self, io: &mut Io, id: CallId, leg: LegId, second: LegId) -> Result<(), u16> {
        let other = self.call_of(second).filter(|other| *other != id).ok_or(404_u16)?;
        let from = self.table.get(other).ok_or(404_u16)?;
        let call = self.table.get(id).filter(|call| call.handover.is_none()).ok_or(491_u16)?;
        if from.caller.id != second || !call.is_caller_up() {
            return Err(403);
        }
        match from.peer_of(second).map(|peer| peer.id) {
            Some(peer) => self.merge(io, (id, leg), (other, peer)),
            None if from.is_served() => return Err(480),
            None => match from.queue() {
                // Nobody has answered it: the caller takes the place in the line.
                Some(queue) => {
                    let dialled = from.dialled.clone();
                    let end = from.end(EndedBy::Caller, 487, Some(16));
                    self.send_to(io, id, leg, (queue, &dialled));
                    self.finish(io, other, end, None);
                }
                // Whom callers may not be sent to is not sent this one.
                None if from.colleague().is_some_and(|who| io.people.is_withheld(who)) => {
                    return Err(480);
                }
                None if from.rings_target() => self.ring_on(io, (id, leg), other),
                None => return Err(480),
            },
        }
        Ok(())
    }

    /// Whoever still rings in the second call rings on for the caller of this one, who hears music
    /// (RFC 5589 section 7.6, semi-attended transfer). Where they do not answer, whoever called
    /// them has the caller again.
    fn ring_on(&mut self, io: &mut Io, (id, leg): (CallId, LegId), other: CallId) {
        let by = self.table.get(id).and_then(|call| call.agent_of(leg));
        let Some(from) = self.table.get_mut(other) else { return };
        let rings = |leg: &Leg| leg.role == Role::Target && !leg.cancelled;
        let (moved, kept) = std::mem::take(&mut from.others).into_iter().partition(rings);
        from.others = kept;
        let moved: Vec<Leg> = moved;
        let (asked, to, rung) = (from.colleague(), from.dialled.clone(), from.rung.take());
        let way = from.way_out().map(|way| (way.ring_for, way.longest));
        let end = from.end(EndedBy::Caller, 487, Some(16));
        if way.is_some() {
            self.tally.moves(other, id);
        }
        io.fact(Fact::Transferring { call: id, by, to: to.clone(), way: Way::Blind });
        self.leave_alone(io, id, Some(leg));
        if let Some(agent) = asked {
            self.carry_over(io, (other, id), agent, false);
        }
        let role = asked.map_or(Role::Target, Role::Agent);
        for leg in moved {
            self.take_in(io, (other, id), (leg.role, Leg { role, ..leg }));
        }
        self.finish(io, other, end, None);
        let Some(call) = self.table.get_mut(id) else { return };
        let (ring_for, longest) = way.unwrap_or((RING_AGENT, Duration::ZERO));
        let over = Handover::new(to, Way::Blind, VecDeque::new());
        let over = Handover { by: Some(leg), agent: by, reports: true, asked, longest, ..over };
        (call.handover, call.rung) = (Some(Box::new(over)), rung);
        io.cx.timers.set(Timer::DialTimeout(id), io.cx.now.instant + ring_for);
        start_music(io, call);
    }

    /// A leg of one call is one of another from now on, and `was` something else there. Its row in
    /// the record of the first ends here; its sound is counted where it goes.
    pub(super) fn take_in(
        &mut self,
        io: &mut Io,
        (from, to): (CallId, CallId),
        (was, leg): (Role, Leg),
    ) {
        let status = if leg.stage == Stage::Up { 200 } else { 487 };
        let (id, port, role, cause) = (leg.id, leg.side.port, leg.role, normal());
        let suite = leg.sealed;
        io.fact(Fact::LegClosed { call: from, leg: id, role: was, status, cause });
        io.fact(Fact::Measured { call: from, leg: id, figures: Figures::default() });
        let Some(call) = self.table.get_mut(to) else { return };
        call.others.push(leg);
        self.by_leg.insert(id, to);
        self.by_port.insert(port, (to, id));
        io.fact(Fact::LegOpened { call: to, leg: id, role });
        if suite.is_some() {
            io.fact(Fact::Sealed { call: to, leg: id, role, suite });
        }
    }

    /// The agent of one call is one of another; the desk is told so before the first ends.
    pub(super) fn carry_over(
        &self,
        io: &mut Io,
        (from, to): (CallId, CallId),
        agent: AgentId,
        answered: bool,
    ) {
        let queue = self.table.get(to).and_then(Call::queue);
        let wrap_up = Duration::ZERO;
        io.out.push(Effect::CarryOver { from, to, agent, queue, wrap_up, answered });
    }

    fn merge(&mut self, io: &mut Io, (id, leg): (CallId, LegId), (other, peer): (CallId, LegId)) {
        let Some(from) = self.table.get_mut(other) else { return };
        let Some(mut moved) = from.take_other(peer) else { return };
        from.talk.clear();
        (from.found, from.held) = (None, None);
        let was = moved.role;
        // A colleague whom the phone called by itself is an agent of this call from now on.
        if let Some(agent) = from.colleague() {
            moved.role = Role::Agent(agent);
        }
        let number = from.dialled.clone();
        let end = from.end(EndedBy::Agent, 200, Some(16));
        let outside = from.way_out().map(|way| (from.connected, way.longest));
        if let Some((since, longest)) = outside {
            self.tally.moves(other, id);
            lasts_until(io, id, since, longest);
        }
        if let Role::Agent(agent) = moved.role {
            self.carry_over(io, (other, id), agent, true);
        }
        self.take_in(io, (other, id), (was, moved));
        self.finish(io, other, end, None);
        let Some(call) = self.table.get(id) else { return };
        let (caller, by) = (call.caller.id, call.agent_of(leg));
        io.fact(Fact::LegAnswered { call: id, leg: peer });
        io.fact(Fact::Transferring { call: id, by, to: number.clone(), way: Way::Consult });
        self.set_talk(io, id, vec![caller, peer]);
        io.out.push(Effect::Act { leg, act: Act::Report { status: 200 } });
        self.dismiss(io, id, leg, normal());
        io.fact(Fact::Transferred { call: id, by, to: number });
        self.connected(io, id, peer);
    }
}
