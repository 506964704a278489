//! REFER from an agent's phone (RFC 3515, RFC 5589): a blind transfer; or, with Replaces, the end
//! of a consultation that the phone held with a second call of its own.

use super::calls::{Calls, Io};
use super::conversation::Call;
use super::handover::Way;
use super::own::lasts_until;
use super::transfer::{Ask, normal};
use super::{Effect, EndedBy, Fact, Goal, Role};
use crate::base::{CallId, LegId};
use crate::media::control::Figures;
use crate::sip::{Act, Refer};
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
            None => {
                // Nobody has answered it: the caller takes the place in the line.
                let Goal::Queue(queue) = from.goal else { return Err(480) };
                let dialled = from.dialled.clone();
                let end = from.end(EndedBy::Caller, 487, Some(16));
                self.send_to(io, id, leg, (queue, &dialled));
                self.finish(io, other, end, None);
            }
        }
        Ok(())
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
        let (port, role, number) = (moved.side.port, moved.role, from.dialled.clone());
        let end = from.end(EndedBy::Agent, 200, Some(16));
        let outside = from.way_out().map(|way| (from.connected, way.longest));
        if let Some((since, longest)) = outside {
            self.tally.moves(other, id);
            lasts_until(io, id, since, longest);
        }
        // The row in the record of the second call ends here; its sound is counted where it goes.
        let (call, leg_role, cause) = (other, was, normal());
        let closed = Fact::LegClosed { call, leg: peer, role: leg_role, status: 200, cause };
        io.fact(closed);
        io.fact(Fact::Measured { call: other, leg: peer, figures: Figures::default() });
        if let Role::Agent(agent) = role {
            let queue = self.table.get(id).and_then(Call::queue);
            io.out.push(Effect::CarryOver {
                from: other,
                to: id,
                agent,
                queue,
                wrap_up: Duration::ZERO,
            });
        }
        self.finish(io, other, end, None);
        let Some(call) = self.table.get_mut(id) else { return };
        call.others.push(moved);
        let caller = call.caller.id;
        let by = call.agent_of(leg);
        self.by_leg.insert(peer, id);
        self.by_port.insert(port, (id, peer));
        io.fact(Fact::LegOpened { call: id, leg: peer, role });
        io.fact(Fact::LegAnswered { call: id, leg: peer });
        io.fact(Fact::Transferring { call: id, by, to: number.clone(), way: Way::Consult });
        self.set_talk(io, id, vec![caller, peer]);
        io.out.push(Effect::Act { leg, act: Act::Report { status: 200 } });
        self.dismiss(io, id, leg, normal());
        io.fact(Fact::Transferred { call: id, by, to: number });
        self.connected(io, id, peer);
    }
}
