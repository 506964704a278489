//! Calls that phones of ours place: to a colleague, to a number outside, to a line. Who is at the
//! phone is asked of the user of this layer first ([`Effect::Begin`]), who knows agents.
//!
//! In: an INVITE of a phone, who is at it, what may be dialled. Out: a call whose far end rings, or
//! a refusal with its status and words.

use super::calls::{Calls, Io};
use super::codes::Act as CodeAct;
use super::conversation::Call;
use super::home::Session;
use super::leg::{Leg, Stage};
use super::out::{Plan, Refusal, Way, Who};
use super::waiting::answered_elsewhere;
use super::{Arrival, Direction, Effect, EndedBy, Fact, Goal, Role, routing};
use crate::base::{AgentId, CallId, Instant, LegId, Timer};
use crate::sip::{Act, Cause, Dial, Invited, Party, Target};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// How long a colleague's phone rings.
const RING_COLLEAGUE: Duration = Duration::from_secs(30);

/// Who is at a phone that calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtPhone {
    /// Whose account it is on: the agent's id, or the phone's name where nobody sits at it.
    pub account: String,
    pub agent: Option<AgentId>,
    pub logged_in: bool,
    /// The phone rings for a caller just now.
    pub offered: bool,
    /// There is a call in hand: another one is a consultation, and keeps nobody anew from callers.
    pub in_call: bool,
}

/// A colleague who is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    pub agent: AgentId,
    pub free: bool,
    /// Has a call in hand, and may be told of a second one.
    pub waits: bool,
    pub phones: Vec<Target>,
}

/// What a call of this kind is besides a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// Agents whom it keeps from callers.
    pub agents: Vec<AgentId>,
    /// To whom it came as a second call, which keeps them when the first is over, or its notes.
    pub second_of: Option<AgentId>,
    /// On whose account it is.
    pub account: String,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// To a line of our own.
    Line,
    Colleague,
    /// To a number; and those that are tried after it, where it does not answer.
    Outside {
        way: Way,
        then: VecDeque<String>,
    },
    /// The same, turned round: whoever was reached is the caller.
    Reached(Way),
    /// To a feature code.
    Code(Keyed),
    /// To a line of codes, by an agent at home.
    Home(Session),
}

/// A code that is keyed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyed {
    pub phone: String,
    pub act: CodeAct,
    pub digits: String,
    /// What was keyed in is complete; a tone tells what came of it.
    pub done: bool,
}

/// An INVITE of a phone of ours, or of an agent at home, as it came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    pub leg: LegId,
    pub invited: Invited,
    pub arrival: Arrival,
    /// The agent whose number outside calls to key in codes.
    pub home: Option<String>,
}

impl AtPhone {
    /// Whom a call of this phone keeps from callers.
    pub(super) fn kept(&self) -> Vec<AgentId> {
        self.agent.filter(|_| !self.in_call && !self.offered).into_iter().collect()
    }

    pub(super) fn own(&self, kind: Kind) -> Option<Box<Own>> {
        let (agents, account) = (self.kept(), self.account.clone());
        Some(Box::new(Own { agents, second_of: None, account, kind }))
    }
}

impl Calls {
    /// A phone of ours calls, and this is who is at it. The call, where there is one, and the
    /// agents whom it keeps from callers.
    pub fn begin(
        &mut self,
        io: &mut Io,
        mut begun: Begun,
        at: &AtPhone,
        extension: Option<Extension>,
    ) -> Option<(CallId, Vec<AgentId>)> {
        begun.arrival.agent.clone_from(&at.account);
        if at.agent.is_none() {
            begun.arrival.agent.clear();
        }
        if routing::dialled(io.book(), &begun.invited).line.is_some() {
            return match at.offered {
                true => refuse(io, begun, Refusal::Engaged),
                false => self.call_line(io, begun, at),
            };
        }
        match extension {
            Some(extension) => self.call_colleague(io, begun, at, extension),
            None => self.call_outside(io, begun, at),
        }
    }

    fn call_line(
        &mut self,
        io: &mut Io,
        begun: Begun,
        at: &AtPhone,
    ) -> Option<(CallId, Vec<AgentId>)> {
        let Begun { leg, invited, arrival, .. } = begun;
        let call = self.admitted(io, leg, invited, arrival, at.own(Kind::Line))?;
        Some((call, at.kept()))
    }

    fn call_colleague(
        &mut self,
        io: &mut Io,
        begun: Begun,
        at: &AtPhone,
        extension: Extension,
    ) -> Option<(CallId, Vec<AgentId>)> {
        let Extension { agent, free, waits, phones } = extension;
        let refusal = match () {
            () if at.offered || at.agent == Some(agent) => Some(Refusal::Engaged),
            () if !free && !waits => Some(Refusal::AgentEngaged),
            () if phones.is_empty() => Some(Refusal::AgentAway),
            () => None,
        };
        if let Some(refusal) = refusal {
            return refuse(io, begun, refusal);
        }
        let (mut own, kept) = (at.own(Kind::Colleague), at.kept());
        own.iter_mut().for_each(|own| match free {
            true => own.agents.push(agent),
            false => own.second_of = Some(agent),
        });
        let id = self.place(io, begun, own)?;
        let shown = self.table.get(id).map(|call| call.shown.clone()).unwrap_or_default();
        let to = Party { host: io.host.to_string(), ..Party::default() };
        for target in phones {
            let (from, to) = (shown.clone(), to.clone());
            self.ring_target(io, id, Ring { target, from, to, asserted: None }, RING_COLLEAGUE);
        }
        Some((id, kept.into_iter().chain(free.then_some(agent)).collect()))
    }

    fn call_outside(
        &mut self,
        io: &mut Io,
        mut begun: Begun,
        at: &AtPhone,
    ) -> Option<(CallId, Vec<AgentId>)> {
        begun.arrival.direction = Direction::Out;
        let mut numbers = match routing::numbers(io, &begun.invited) {
            Ok(numbers) => numbers,
            Err(refusal) => return refuse(io, begun, refusal),
        };
        let way = match self.first_way(io, &at.account, &mut numbers) {
            Ok(way) => way,
            Err(refusal) => return refuse(io, begun, refusal),
        };
        let refusal = match () {
            () if way.emergency => None,
            () if !at.logged_in => Some(Refusal::NotLoggedIn),
            () if at.offered => Some(Refusal::Engaged),
            () => None,
        };
        if let Some(refusal) = refusal {
            return refuse(io, begun, refusal);
        }
        let arrival = &mut begun.arrival;
        (arrival.trunk, arrival.caller) = (Some(way.trunk), way.identity.clone());
        arrival.dialled.clone_from(&way.number);
        let own = at.own(Kind::Outside { way: way.clone(), then: numbers });
        let id = self.place(io, begun, own)?;
        self.ring_outside(io, id, &way);
        Some((id, at.kept()))
    }

    /// The way to the first of these numbers that may be dialled; the refusal of the first one
    /// where none may.
    fn first_way(
        &self,
        io: &Io,
        account: &str,
        numbers: &mut VecDeque<String>,
    ) -> Result<Way, Refusal> {
        let mut why = None;
        while let Some(number) = numbers.pop_front() {
            let now = io.cx.now.instant;
            match self.plan_out(io.settings, Who::Agent(account), &number, now) {
                Ok(Plan::Outside(way)) => return Ok(way),
                Ok(Plan::Agent(_)) => _ = why.get_or_insert(Refusal::NoNumber),
                Err(refusal) => _ = why.get_or_insert(refusal),
            }
        }
        Err(why.unwrap_or(Refusal::NoNumber))
    }

    /// The call, its far end still to be rung.
    fn place(&mut self, io: &mut Io, begun: Begun, own: Option<Box<Own>>) -> Option<CallId> {
        let Some(port) = self.ports.take() else { return refuse(io, begun, Refusal::NoPort) };
        let Begun { leg, invited, arrival, .. } = begun;
        let side = io.side(port, &invited);
        // Only a look: the answer is made when the far end has answered.
        let fits = |offer| side.clone().answer(&io.settings.media, offer).map(drop);
        if let Some(Err(status)) = invited.offer.as_ref().map(fits) {
            self.ports.give_back(port);
            super::door::not_served(io, leg, arrival, (status, &side), &invited);
            return None;
        }
        let caller = Leg::new(leg, Role::Caller, side, Stage::Trying);
        let call = Call::new(io, Goal::Placed, caller, (&invited, &arrival), own);
        Some(self.enter(io, call, arrival))
    }

    pub(super) fn ring_outside(&mut self, io: &mut Io, id: CallId, way: &Way) {
        let account = match self.table.get_mut(id) {
            Some(call) => {
                call.rung = Some(way.number.clone());
                call.own.as_ref().map_or(String::new(), |own| own.account.clone())
            }
            None => return,
        };
        if !way.emergency {
            self.note_out(Who::Agent(&account), id, io.cx.now.instant);
        }
        let host = io.host.to_string();
        let from = Party { user: way.identity.clone(), host: host.clone(), ..Party::default() };
        let to = Party { user: way.sent.clone(), host, ..Party::default() };
        let ring = Ring { target: way.target(), to, asserted: Some(from.clone()), from };
        self.ring_target(io, id, ring, way.ring_for);
    }

    /// Rings the far end of a call whose caller is answered when it is.
    pub(super) fn ring_target(&mut self, io: &mut Io, id: CallId, ring: Ring, span: Duration) {
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(port) = self.ports.take_beside(call.caller.side.port) else {
            let end = call.end(EndedBy::Switch, 503, Some(42));
            return self.finish(io, id, end, None);
        };
        let mut side = io.side_towards(port, &ring.target);
        let mut look = call.caller.side.clone();
        if let Some(offer) = &call.offer {
            let _ = look.answer(&io.settings.media, offer);
        }
        let offer = side.offer(&io.settings.media, look.spoken());
        let Ring { target, from, to, asserted } = ring;
        let (headers, forwards) = (Vec::new(), call.forwards);
        let brief = !matches!(target, Target::Trunk { .. });
        let dial = Dial { target, from, to, asserted, headers, forwards, brief, offer };
        io.cx.timers.set(Timer::DialTimeout(id), io.cx.now.instant + span);
        let role = Role::Target;
        io.out.push(Effect::Dial { call: id, role, side, dial: Box::new(dial) });
    }

    /// The far end does not answer, or said no: the next number is tried, where there is one.
    pub(super) fn hunts_on(&mut self, io: &mut Io, id: CallId) -> bool {
        let Some(call) = self.table.get_mut(id) else { return false };
        let Some(own) = call.own.as_mut().filter(|_| call.caller.stage != Stage::Up) else {
            return false;
        };
        let account = own.account.clone();
        let Kind::Outside { then, .. } = &mut own.kind else { return false };
        let mut numbers = std::mem::take(then);
        let Ok(next) = self.first_way(io, &account, &mut numbers) else { return false };
        self.tell_rung(io, id, false);
        if let Some(own) = self.table.get_mut(id).and_then(|call| call.own.as_mut()) {
            own.kind = Kind::Outside { way: next.clone(), then: numbers };
        }
        self.hang_up_targets(io, id, (None, &Cause { q850: Some(19), ..Cause::default() }));
        self.ring_outside(io, id, &next);
        true
    }

    /// One of the phones that rang answered: the others stop.
    pub(super) fn target_was_first(&mut self, io: &mut Io, id: CallId, leg: LegId) {
        self.hang_up_targets(io, id, (Some(leg), &answered_elsewhere()));
        let Some(own) = self.table.get(id).and_then(|call| call.own.as_ref()) else { return };
        if let Kind::Outside { way, .. } = &own.kind {
            lasts_until(io, id, io.cx.now.instant, way.longest);
        }
    }

    /// A leg that a handover had dialled is over, and the call may live on: without one outside it
    /// neither counts nor has to end.
    pub(super) fn came_home(&mut self, io: &mut Io, id: CallId) {
        let Some(call) = self.table.get(id) else { return };
        let stays = call.back.is_some()
            || call.way_out().is_some()
            || call.others.iter().any(|leg| leg.role == Role::Target);
        if !stays {
            self.tally.over(id);
            io.cx.timers.cancel(Timer::CallOver(id));
        }
    }

    fn hang_up_targets(&mut self, io: &mut Io, id: CallId, (but, cause): (Option<LegId>, &Cause)) {
        let Some(call) = self.table.get_mut(id) else { return };
        let rings = |leg: &Leg| leg.role == Role::Target && Some(leg.id) != but;
        let (stopped, kept) = std::mem::take(&mut call.others).into_iter().partition(rings);
        call.others = kept;
        let stopped: Vec<Leg> = stopped;
        for leg in stopped {
            io.out.push(leg.hang_up(cause.clone()));
            self.bury(io, id, &leg, 487, cause.clone());
        }
    }

    /// `Timer::CallOver`: as long as a call may be.
    pub fn lasts_too_long(&mut self, io: &mut Io, id: CallId) {
        if let Some(call) = self.table.get(id) {
            let end = call.end(EndedBy::Switch, 200, Some(31));
            self.finish(io, id, end, None);
        }
    }

    /// What a call that is over leaves to its agents.
    pub(super) fn own_over(&mut self, io: &mut Io, id: CallId, call: &Call) {
        io.cx.timers.cancel(Timer::CallOver(id));
        io.cx.timers.cancel(Timer::Code(id));
        let Some(own) = &call.own else { return };
        if let Kind::Home(session) = &own.kind {
            self.has_left(id, session);
        }
        let agents: Vec<AgentId> = own.agents.iter().copied().chain(own.second_of).collect();
        if !agents.is_empty() {
            let noted = matches!(own.kind, Kind::Outside { .. }) && call.was_connected;
            io.out.push(Effect::OwnOver { call: id, agents, noted });
        }
    }
}

/// Whom to ring, and what their phone shows.
pub(super) struct Ring {
    pub target: Target,
    pub from: Party,
    pub to: Party,
    pub asserted: Option<Party>,
}

impl Call {
    /// The agent whom a phone of ours called, and whom nothing but this call keeps.
    pub(super) fn colleague(&self) -> Option<AgentId> {
        let own = self.own.as_ref().filter(|own| own.kind == Kind::Colleague)?;
        own.agents.last().copied().filter(|_| own.second_of.is_none())
    }

    /// How the number outside was reached that a phone of ours called.
    pub(super) fn way_out(&self) -> Option<&Way> {
        match &self.own.as_ref()?.kind {
            Kind::Outside { way, .. } | Kind::Reached(way) => Some(way),
            Kind::Line | Kind::Colleague | Kind::Code(_) | Kind::Home(_) => None,
        }
    }

    /// A phone that is still to answer.
    pub(super) fn rings_target(&self) -> bool {
        self.others.iter().any(|leg| leg.role == Role::Target && !self.is_talking(leg.id))
    }
}

/// A number outside was reached at `since`: the call ends so long after it. Zero: never.
pub(super) fn lasts_until(io: &mut Io, id: CallId, since: Instant, longest: Duration) {
    if !longest.is_zero() {
        io.cx.timers.set(Timer::CallOver(id), since + longest);
    }
}

/// The status and the words of a refusal go to the phone.
pub(super) fn refuse<T>(io: &mut Io, begun: Begun, refusal: Refusal) -> Option<T> {
    let Begun { leg, arrival, .. } = begun;
    let act =
        Act::Refuse { status: refusal.status(), cause: Some(refusal.cause()), retry_after: None };
    io.out.push(Effect::Act { leg, act });
    let (arrival, status) = (Box::new(arrival), refusal.status());
    io.fact(Fact::Refused { arrival, status, why: refusal.name().into() });
    None
}
