//! A call on its way to somebody who was named: transferred to them, or asking them first, or being
//! picked up, or coming back to whoever sent it away. One try after the other rings, the caller
//! hears music, and whatever fails, the caller is somewhere afterwards.

use super::calls::{Calls, Io};
use super::centre::SAYS_SO_WITHIN;
use super::conversation::Call;
use super::out::{self, Who};
use super::own::lasts_until;
use super::target::Try;
use super::waiting::answered_elsewhere;
use super::{Effect, EndedBy, Fact, Goal, Missed, Role, routing};
use crate::base::{AgentId, CallId, LegId, Timer, TrunkId};
use crate::media::control::Music;
use crate::sip::{Act, Cause, Dial, Party, Target};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// How long an agent who was asked for by name is rung.
pub(super) const RING_AGENT: Duration = Duration::from_secs(20);

/// Somebody was named who is to have the call, or to be asked about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// Whom the call is to go to, as it was asked for.
    pub to: String,
    pub way: Way,
    /// The leg of whoever hands it over, while it is there.
    pub by: Option<LegId>,
    /// The agent who hands it over. To them it comes back if all fails.
    pub agent: Option<AgentId>,
    /// They are told how it goes (RFC 3515).
    pub reports: bool,
    /// Whom to try next.
    pub next: VecDeque<Try>,
    /// The agent who rings, where it is one.
    pub asked: Option<AgentId>,
    /// The switch of ours that is rung, where it is one: it has the caller on loan until somebody
    /// there answers.
    pub peer: Option<TrunkId>,
    /// Who was asked first, and answered.
    pub consulted: Option<LegId>,
    /// What whoever asks hears until then, and from when on.
    pub tone: Option<Music>,
    /// The call ends so long after the number outside that rings has answered. Zero: never.
    pub longest: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// The caller is sent there, and whoever sent them is done with it.
    Blind,
    /// Whoever has the call asks first; the caller hears music meanwhile.
    Consult,
    /// Somebody comes in, and nobody leaves.
    Join,
    /// Back to the agent who sent the caller away.
    Recall,
}

impl Way {
    /// As the admin socket calls it.
    pub fn name(self) -> &'static str {
        match self {
            Way::Blind => "blind",
            Way::Consult => "consult",
            Way::Join => "join",
            Way::Recall => "recall",
        }
    }
}

impl Handover {
    pub fn new(to: String, way: Way, next: VecDeque<Try>) -> Self {
        Self {
            to,
            way,
            by: None,
            agent: None,
            reports: false,
            next,
            asked: None,
            peer: None,
            consulted: None,
            tone: None,
            longest: Duration::ZERO,
        }
    }

    /// Whether somebody rings, or is about to.
    pub fn rings(&self) -> bool {
        self.consulted.is_none()
    }
}

impl Calls {
    /// Tries the next of those who were named. `why`: what became of the last one.
    pub(super) fn try_next(&mut self, io: &mut Io, id: CallId, (status, why): (u16, &str)) {
        io.cx.timers.cancel(Timer::DialTimeout(id));
        let Some(call) = self.table.get_mut(id) else { return };
        let queue = call.queue();
        let Some(over) = call.handover.as_mut().filter(|over| over.rings()) else { return };
        (over.asked, over.peer, over.longest) = (None, None, Duration::ZERO);
        match over.next.pop_front() {
            Some(Try::Agent(agent)) => io.out.push(Effect::Claim { call: id, agent, queue }),
            Some(Try::AnyOf(queue)) => io.out.push(Effect::ClaimAny { call: id, queue }),
            Some(Try::Ring(target)) => self.ring_named(io, id, (target, None)),
            Some(Try::Outside(way)) => self.ring_named(io, id, (way.target(), Some(way))),
            None => self.handover_failed(io, id, status, why),
        }
    }

    /// The desk lets this agent ring.
    pub fn claimed(&mut self, io: &mut Io, id: CallId, agent: AgentId) {
        let Some(call) = self.table.get_mut(id) else { return };
        if let Some(over) = call.handover.as_mut().filter(|over| over.rings()) {
            over.asked = Some(agent);
            io.cx.timers.set(Timer::DialTimeout(id), io.cx.now.instant + RING_AGENT);
        }
    }

    /// The desk does not, or no longer.
    pub fn unclaimed(&mut self, io: &mut Io, id: CallId, agent: Option<AgentId>, why: &str) {
        if let Some(agent) = agent {
            self.hang_up_phones(io, id, agent, Cause::default());
            let over = self.table.get(id).and_then(|call| call.handover.as_deref());
            if over.is_some_and(|over| over.asked != Some(agent)) {
                // Somebody else has been asked since.
                return;
            }
        }
        self.try_next(io, id, (480, why));
    }

    fn ring_named(
        &mut self,
        io: &mut Io,
        id: CallId,
        (target, outside): (Target, Option<out::Way>),
    ) {
        let Some(call) = self.table.get_mut(id) else { return };
        let beside = call.caller.side.port;
        let number = match &target {
            _ if outside.is_some() => outside.as_ref().map(|way| way.number.clone()),
            Target::Trunk { number, .. } => Some(number.clone()),
            Target::Uri(uri) => routing::number_of(io.settings, uri),
            Target::Contact(_) => None,
        };
        call.rung.clone_from(&number);
        let Some(port) = self.ports.take_beside(beside) else {
            return self.try_next(io, id, (503, "no media port is free"));
        };
        if let Some(way) = &outside {
            self.goes_out(io, id, way);
        }
        let Some(call) = self.table.get(id) else { return };
        let mut side = io.side_towards(port, &target);
        let offer = side.offer(&io.settings.media, call.caller.side.spoken());
        let host = io.host.to_string();
        // A carrier lets nobody call under the number of a stranger.
        let own = outside.as_ref().map(|way| way.identity.clone()).filter(|own| !own.is_empty());
        let from = match own {
            Some(user) => Party { user, ..call.shown.clone() },
            None => call.shown.clone(),
        };
        // Another switch of ours answers when an agent there does, and gives back whom it cannot
        // serve: as it does with whoever comes to it out of a queue.
        let peer = match &target {
            // A number outside is no agent's, whoever carries the call there.
            Target::Trunk { trunk, .. } if outside.is_none() && io.settings.is_peer(*trunk) => {
                Some(*trunk)
            }
            Target::Trunk { .. } | Target::Uri(_) | Target::Contact(_) => None,
        };
        let ring_for = match peer {
            Some(trunk) => io.settings.rings_within(trunk),
            None => outside.map_or(io.settings.out.ring_mobile, |way| way.ring_for),
        };
        let now = io.cx.now.instant;
        let headers = match peer {
            Some(_) => call.told_to_centre(io.settings, &target, now),
            None => call.told_to_peer(io.settings, &target, now),
        };
        let dial = Dial {
            target,
            from,
            to: Party { user: number.unwrap_or_default(), host, ..Party::default() },
            asserted: Some(call.shown.clone()).filter(|shown| shown.user != "anonymous"),
            headers,
            forwards: call.forwards,
            brief: false,
            offer,
        };
        if let Some(over) = self.table.get_mut(id).and_then(|call| call.handover.as_mut()) {
            over.peer = peer;
        }
        io.cx.timers.set(Timer::DialTimeout(id), now + ring_for);
        io.out.push(Effect::Dial { call: id, role: Role::Target, side, dial: Box::new(dial) });
    }

    /// They are in the line of another switch, which says so every minute.
    pub(super) fn peer_rings(&mut self, io: &mut Io, id: CallId) {
        let over = self.table.get(id).and_then(|call| call.handover.as_deref());
        if over.is_some_and(|over| over.peer.is_some() && over.rings()) {
            io.cx.timers.set(Timer::DialTimeout(id), io.cx.now.instant + SAYS_SO_WITHIN);
        }
    }

    /// A number outside rings for the handover: on the account of whoever sends the caller there.
    fn goes_out(&mut self, io: &mut Io, id: CallId, way: &out::Way) {
        let over = self.table.get_mut(id).and_then(|call| call.handover.as_mut());
        let Some(over) = over else { return };
        over.longest = way.longest;
        if !way.emergency {
            let name = over.agent.map(|agent| io.people.name_of(agent));
            let who = name.as_deref().map_or(Who::Switch, Who::Agent);
            self.note_out(who, id, io.cx.now.instant);
        }
    }

    /// Who rings has let it ring for too long.
    pub(super) fn handover_timeout(&mut self, io: &mut Io, id: CallId) {
        self.stop_ringing(io, id, Some(Missed::NoAnswer));
        self.try_next(io, id, (480, "no answer"));
    }

    /// Whoever rings for the handover stops.
    pub(super) fn stop_ringing(&mut self, io: &mut Io, id: CallId, missed: Option<Missed>) {
        io.cx.timers.cancel(Timer::DialTimeout(id));
        let Some(call) = self.table.get(id) else { return };
        let Some(over) = call.handover.as_ref().filter(|over| over.rings()) else { return };
        let (asked, at_peer) = (over.asked, over.peer.is_some());
        let rings = |leg: &&super::Leg| !call.needs(leg.id);
        let ringing: Vec<LegId> = call.others.iter().filter(rings).map(|leg| leg.id).collect();
        for leg in ringing {
            let cause = match missed {
                None if at_peer => answered_elsewhere(),
                Some(_) | None => Cause { q850: missed.map(|_| 19), ..Cause::default() },
            };
            let gone = self.table.get_mut(id).and_then(|call| call.take_other(leg));
            let Some(gone) = gone else { continue };
            io.out.push(gone.hang_up(cause.clone()));
            self.stopping.note(&gone);
            self.bury(io, id, &gone, 487, cause);
        }
        self.tell_rung(io, id, false);
        match (asked, missed) {
            (Some(agent), Some(why)) => io.out.push(Effect::Missed { call: id, agent, why }),
            (Some(agent), None) => io.out.push(Effect::Released { call: id, agent }),
            (None, _) => {}
        }
    }

    /// Who was named answered.
    pub(super) fn reached(&mut self, io: &mut Io, id: CallId, leg: LegId) {
        io.cx.timers.cancel(Timer::DialTimeout(id));
        self.tell_rung(io, id, true);
        let Some(call) = self.table.get_mut(id) else { return };
        let at_peer = call.handover.as_ref().is_some_and(|over| over.peer.is_some());
        let reached = call.leg_mut(leg).filter(|leg| leg.role == Role::Target);
        let is_outside = reached.map(|leg| leg.gives_back = at_peer).is_some();
        let Some(over) = call.handover.as_mut() else { return };
        if is_outside {
            lasts_until(io, id, io.cx.now.instant, over.longest);
        }
        io.fact(Fact::LegAnswered { call: id, leg });
        match (over.way, over.by) {
            (Way::Consult, Some(by)) => {
                over.consulted = Some(leg);
                self.set_talk(io, id, vec![by, leg]);
            }
            (Way::Join, _) => {
                call.handover = None;
                let talk = call.talk.iter().copied().chain([leg]).collect();
                self.come_together(io, id, talk, leg);
            }
            (Way::Consult | Way::Blind | Way::Recall, _) => self.hand_over(io, id, leg),
        }
    }

    /// All of these hear one another; `newest` came last.
    pub(super) fn come_together(
        &mut self,
        io: &mut Io,
        id: CallId,
        talk: Vec<LegId>,
        newest: LegId,
    ) {
        self.set_talk(io, id, talk);
        let role = self.table.get(id).and_then(|call| call.leg(newest)).map(|leg| leg.role);
        if let Some(role) = role {
            io.fact(Fact::Joined { call: id, role });
        }
        self.connected(io, id, newest);
    }

    /// The caller talks with this leg now; whoever handed the call over is done with it.
    pub(super) fn hand_over(&mut self, io: &mut Io, id: CallId, leg: LegId) {
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(over) = call.handover.take() else { return };
        let (caller, is_there) = (call.caller.id, call.is_caller_up());
        if !is_there {
            let end = call.end(call.left.unwrap_or(EndedBy::Caller), 200, Some(16));
            return self.finish(io, id, end, None);
        }
        call.centre = over.peer;
        self.set_talk(io, id, vec![caller, leg]);
        if let Some(by) = over.by {
            self.report(io, id, &over, 200);
            self.dismiss(io, id, by, Cause { q850: Some(16), ..Cause::default() });
        }
        if over.way != Way::Recall {
            io.fact(Fact::Transferred { call: id, by: over.agent, to: over.to });
        }
        self.connected(io, id, leg);
    }

    /// Nobody of those who were named could be had.
    fn handover_failed(&mut self, io: &mut Io, id: CallId, status: u16, why: &str) {
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(over) = call.handover.take() else { return };
        let caller = call.caller.id;
        let back = match over.way {
            Way::Blind | Way::Consult if over.by.is_none() => over.agent.map(Try::Agent),
            Way::Blind | Way::Consult | Way::Join | Way::Recall => None,
        };
        if let Some(agent) = back.clone() {
            let next = [agent].into();
            call.handover = Some(Box::new(Handover::new(String::new(), Way::Recall, next)));
        }
        let (to, why) = (over.to.clone(), why.to_string());
        io.fact(Fact::NotTransferred { call: id, to, why });
        self.report(io, id, &over, status);
        match (over.way, over.by) {
            (Way::Join, by) => {
                if let Some(by) = by {
                    self.beep(io, id, by, io.settings.signals.of_status(status));
                }
            }
            (Way::Consult, Some(by)) => {
                self.set_talk(io, id, vec![caller, by]);
                self.beep(io, id, by, io.settings.signals.of_status(status));
            }
            (Way::Blind | Way::Recall, Some(by)) => {
                self.set_talk(io, id, vec![caller, by]);
                self.connected(io, id, by);
            }
            (Way::Blind | Way::Consult | Way::Recall, None) => match back {
                Some(_) => self.try_next(io, id, (480, "")),
                None => self.back_to_queue(io, id),
            },
        }
    }

    /// The caller waits again, at the old place. Somebody whom an agent has called has none: they
    /// wait as whoever calls the helpline does. Where there is no queue at all, that is the end.
    pub(super) fn back_to_queue(&mut self, io: &mut Io, id: CallId) {
        let Some(call) = self.table.get_mut(id) else { return };
        let of_all = || io.settings.anybodys_queue();
        match call.queue().or_else(|| of_all().filter(|_| call.was_connected)) {
            Some(queue) => {
                call.goal = Goal::Queue(queue);
                io.out.push(Effect::Join { call: id, queue, arrived: call.arrived });
            }
            None => {
                let end = call.end(EndedBy::Switch, 480, Some(20));
                self.finish(io, id, end, None);
            }
        }
    }

    /// Tells whoever asked by REFER how it went.
    fn report(&mut self, io: &mut Io, id: CallId, over: &Handover, status: u16) {
        let leg = over.by.filter(|_| over.reports);
        if let Some(leg) = leg.and_then(|by| self.table.get(id)?.leg(by)) {
            io.out.push(leg.act(Act::Report { status }));
        }
    }

    /// This leg is needed no more: it is hung up, and its agent is free of the call.
    pub(super) fn dismiss(&mut self, io: &mut Io, id: CallId, leg: LegId, cause: Cause) {
        let Some(gone) = self.table.get_mut(id).and_then(|call| call.take_other(leg)) else {
            return;
        };
        io.out.push(gone.hang_up(cause.clone()));
        self.stopping.note(&gone);
        self.bury(io, id, &gone, 200, cause);
        self.let_go(io, id, gone.role);
    }

    /// An agent has left the call. The one whom the desk had found takes the call away from the
    /// desk: whoever serves the caller from now on was named.
    pub(super) fn let_go(&mut self, io: &mut Io, id: CallId, role: Role) {
        let Role::Agent(agent) = role else { return };
        if let Some(call) = self.table.get_mut(id).filter(|call| call.found == Some(agent)) {
            call.leave_desk();
        }
        io.out.push(Effect::Released { call: id, agent });
    }
}

impl Call {
    /// The desk lets go of the call, or has: it is served by whoever was named.
    pub(super) fn leave_desk(&mut self) {
        self.found = None;
        if let Goal::Queue(queue) | Goal::Menu { queue } = self.goal {
            self.goal = Goal::Served { queue };
        }
    }
}
