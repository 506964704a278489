//! All calls, and the way from a leg or a port to its call.
//!
//! In: notices of the SIP layer, events of the data plane, the queue engine's decisions (brought by
//! the core). Out: [`Effect`]s. Knows no agent's state and no queue's order.

use super::blocks::Blocks;
use super::conversation::Call;
use super::figures::Earlier;
use super::gate::Gate;
use super::leg::{Leg, Stage};
use super::out::{Plan, Refusal, Tally, Usage, Who};
use super::ports::Ports;
use super::routing::{self, Book};
use super::seats::Seats;
use super::side::Side;
use super::stopping::Stopping;
use super::tries::Tries;
use super::{Arrival, Choices, Direction, Effect, End, EndedBy, Fact, Goal, MissedDesk, Numbers};
use super::{Outcome, People, Recordings, Role, Settings};
use crate::base::{CallId, Cx, Instant, LegId, PortId, Slab, Timer, TrunkId};
use crate::media::control::Command;
use crate::sip::{Act, Cause, Invited, Target, UserAgent};
use crate::wire::sdp::Family;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    pub(super) table: Slab<CallId, Call>,
    pub(super) by_leg: BTreeMap<LegId, CallId>,
    /// Ports in use, and those whose figures are still to come.
    pub(super) by_port: BTreeMap<PortId, (CallId, LegId)>,
    /// What legs saw at ports that they have left.
    pub(super) earlier: Earlier,
    pub(super) ports: Ports,
    pub(super) gate: Gate,
    pub(super) choices: Choices,
    pub(super) missed: MissedDesk,
    pub(super) recordings: Recordings,
    /// Calls back among the calls.
    pub(super) backs: usize,
    /// Trunks that do not answer.
    pub(super) down: BTreeSet<TrunkId>,
    /// What was dialled outside.
    pub(super) tally: Tally,
    /// Agents at home who key in codes just now, and in which call.
    pub(super) at_home: BTreeMap<String, CallId>,
    pub seats: Seats,
    pub tries: Tries,
    pub blocks: Blocks,
    pub stopping: Stopping,
}

/// What every call needs to act: time and dice, settings, and a place for what it decides.
pub struct Io<'a, 'c> {
    pub cx: &'a mut Cx<'c>,
    pub settings: &'a Settings,
    /// What the dialled numbers of the settings lead to.
    pub numbers: &'a Numbers,
    /// Our domain: the host part of the numbers that we show.
    pub host: &'a str,
    /// Whom a transfer may be for.
    pub people: &'a dyn People,
    /// Which way a target lies.
    pub ua: &'a UserAgent,
    pub out: &'a mut Vec<Effect>,
}

impl<'a> Io<'a, '_> {
    pub(super) fn book(&self) -> Book<'a> {
        Book { settings: self.settings, numbers: self.numbers }
    }

    pub(super) fn fact(&mut self, fact: Fact) {
        self.out.push(Effect::Fact(fact));
    }

    pub(super) fn media(&mut self, command: Command) {
        self.out.push(Effect::Media(command));
    }

    pub(super) fn open(&mut self, (port, family): (PortId, Family)) {
        let address = self.settings.media.homes.of(family).bind;
        self.media(Command::Open { port, address });
    }

    /// The side of whoever calls: of the family that their offer has, or their signalling.
    pub(super) fn side(&mut self, port: PortId, invited: &Invited) -> Side {
        let media = &self.settings.media;
        let signalled = Some(invited.hop.peer.ip());
        let mut side = Side::new(port, media.homes.towards(signalled), self.cx.rng);
        side.signalled = signalled;
        side.inband = self.settings.hears_keys(&invited.source);
        side.media_from = self.settings.media_from(routing::trunk(invited));
        side.strict = self.settings.media.strict;
        side.srtp = self.settings.srtp(routing::trunk(invited));
        if let Some(offer) = &invited.offer {
            side.follow(media, offer);
        }
        side
    }

    /// The side of a leg that is to be called.
    pub(super) fn side_towards(&mut self, port: PortId, target: &Target) -> Box<Side> {
        let family = self.settings.media.homes.towards(self.ua.reach(target));
        let mut side = Side::new(port, family, self.cx.rng);
        side.inband = self.settings.sounds_keys(target);
        side.media_from = self.settings.media_from(target.trunk());
        side.strict = self.settings.media.strict;
        side.srtp = self.settings.srtp(target.trunk());
        Box::new(side)
    }
}

impl Calls {
    pub fn new(settings: &Settings, cx: &Cx) -> Self {
        Self {
            table: Slab::default(),
            by_leg: BTreeMap::new(),
            by_port: BTreeMap::new(),
            earlier: Earlier::default(),
            ports: Ports::new(settings.media.ports, settings.media.workers),
            gate: Gate::new(settings, cx.now.instant),
            choices: Choices::default(),
            missed: MissedDesk::default(),
            recordings: Recordings::default(),
            backs: 0,
            down: BTreeSet::new(),
            tally: Tally::default(),
            at_home: BTreeMap::new(),
            seats: Seats::default(),
            tries: Tries::default(),
            blocks: Blocks::default(),
            stopping: Stopping::default(),
        }
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub fn get(&self, call: CallId) -> Option<&Call> {
        self.table.get(call)
    }

    pub fn iter(&self) -> impl Iterator<Item = (CallId, &Call)> {
        self.table.iter()
    }

    pub fn call_of(&self, leg: LegId) -> Option<CallId> {
        self.by_leg.get(&leg).copied()
    }

    /// The call that records and lists show under this id.
    pub fn named(&self, name: &str) -> Option<CallId> {
        self.table.iter().find(|(_, call)| call.name == name).map(|(id, _)| id)
    }

    pub fn ports_taken(&self) -> usize {
        self.ports.taken()
    }

    /// Ports whose figures are still to come.
    pub fn ports_open(&self) -> usize {
        self.by_port.len() + self.earlier.len()
    }

    /// No new calls from now on.
    pub fn drain(&mut self) {
        self.gate.draining = true;
    }

    /// More comes in than can be handled: calls that have begun go before new ones.
    pub fn swamped(&mut self, swamped: bool) {
        self.gate.swamped = swamped;
    }

    /// Whether `who` may dial this number, and how.
    pub fn plan_out(
        &self,
        settings: &Settings,
        who: Who,
        number: &str,
        now: Instant,
    ) -> Result<Plan, Refusal> {
        super::out::plan(settings, who, number, self.usage(now))
    }

    pub(super) fn usage(&self, now: Instant) -> Usage<'_> {
        Usage { tally: &self.tally, down: &self.down, now }
    }

    /// A number outside is dialled in this call: it counts.
    pub fn note_out(&mut self, who: Who, call: CallId, now: Instant) {
        self.tally.placed(who, call, now);
    }

    /// A new call, with its caller's leg and port.
    pub(super) fn enter(&mut self, io: &mut Io, call: Call, arrival: Arrival) -> CallId {
        let (leg, door) = (call.caller.id, call.caller.side.door());
        let number = call.number.clone();
        let is_in = arrival.direction == Direction::In;
        let call = self.table.insert(call);
        if is_in {
            self.blocks.remember(call, &number);
        }
        self.by_leg.insert(leg, call);
        self.by_port.insert(door.0, (call, leg));
        io.fact(Fact::Arrived { call, arrival: Box::new(arrival) });
        io.fact(Fact::LegOpened { call, leg, role: Role::Caller });
        io.open(door);
        call
    }

    /// Forgets a leg of this call that is over, with its port.
    pub(super) fn bury(&mut self, io: &mut Io, call: CallId, leg: &Leg, status: u16, cause: Cause) {
        self.by_leg.remove(&leg.id);
        self.ports.give_back(leg.side.port);
        let parked = self.table.get_mut(call).and_then(|call| call.parked.as_mut());
        if let Some(parked) = parked.filter(|parked| parked.told == Some(leg.id)) {
            parked.told = None;
        }
        io.cx.timers.cancel(Timer::Silence(leg.id));
        io.cx.timers.cancel(Timer::Recheck(leg.id));
        io.cx.timers.cancel(Timer::Keys(leg.id));
        io.out.push(leg.close());
        let (leg, role) = (leg.id, leg.role);
        match role {
            Role::Target => {
                self.came_home(io, call);
                self.centre_is_left(call);
            }
            Role::Agent(agent) => self.asks_no_more(call, agent),
            Role::Caller | Role::Supervisor(_) => {}
        }
        io.fact(Fact::LegClosed { call, leg, role, status, cause });
    }

    /// Ends the call: every leg but `gone`, which has ended already, is hung up.
    pub(super) fn finish(&mut self, io: &mut Io, id: CallId, end: End, gone: Option<LegId>) {
        let cause = Cause { q850: end.q850.or(Some(16)), ..Cause::default() };
        self.finish_with(io, id, end, gone, cause);
    }

    /// The same, with these words to whoever is hung up on.
    pub(super) fn finish_with(
        &mut self,
        io: &mut Io,
        id: CallId,
        end: End,
        gone: Option<LegId>,
        cause: Cause,
    ) {
        let Some(call) = self.table.remove(id) else { return };
        self.tally.over(id);
        match &call.back {
            Some(origin) => {
                self.backs -= 1;
                // Whoever called by themselves meanwhile has been told nothing that is not kept.
                if !call.was_connected && end.by != EndedBy::Caller {
                    self.missed.not_kept(io, origin, id, end.by);
                }
                self.missed.given_up(io, &call.number, id);
                io.out.push(Effect::BackOver { call: id });
            }
            None => self.not_answered(io, &call, &end),
        }
        let asked = call.handover.as_ref().and_then(|over| over.asked);
        for agent in call.agents().into_iter().chain(asked) {
            io.out.push(match call.is_dialled_back() && call.found == Some(agent) {
                true => Effect::Spared { call: id, agent },
                false => Effect::Released { call: id, agent },
            });
        }
        match call.goal {
            Goal::Queue(_) => io.out.push(Effect::Leave { call: id, hung_up: true }),
            Goal::Menu { .. } | Goal::Goodbye => io.cx.timers.cancel(Timer::Menu(id)),
            Goal::Dial(_) | Goal::Served { .. } | Goal::Later { .. } => {}
            Goal::Placed | Goal::Codes => {}
        }
        self.own_over(io, id, &call);
        self.nobody_watches(io, id, &call);
        self.cut_off(io, &call, end.by);
        io.cx.timers.cancel(Timer::DialTimeout(id));
        io.cx.timers.cancel(Timer::Parked(id));
        for leg in call.legs() {
            if Some(leg.id) != gone {
                let invited_us = leg.role == Role::Caller && call.back.is_none();
                let refuse = invited_us && leg.stage != Stage::Up;
                io.out.push(match refuse {
                    true => leg.act(Act::Refuse {
                        status: end.status,
                        cause: Some(cause.clone()),
                        retry_after: None,
                    }),
                    false => leg.hang_up(cause.clone()),
                });
                self.stopping.note(leg);
            }
            let dialled = leg.role != Role::Caller || call.back.is_some();
            let cancelled = dialled && Some(leg.id) != gone;
            let status = match (leg.stage == Stage::Up, cancelled) {
                (true, _) => 200,
                // RFC 3261 section 9.1: whatever the caller has got, its INVITE is answered so.
                (false, true) => 487,
                (false, false) => end.status,
            };
            self.bury(io, id, leg, status, cause.clone());
        }
        io.fact(Fact::Ended { call: id, end });
    }

    /// The missed-call desk.
    pub fn missed(&self) -> &MissedDesk {
        &self.missed
    }

    pub fn missed_mut(&mut self) -> &mut MissedDesk {
        &mut self.missed
    }

    /// Ends the call by a supervisor's hand.
    pub fn hang_up(&mut self, io: &mut Io, id: CallId) {
        if let Some(call) = self.table.get(id) {
            let end = call.end(EndedBy::Admin, 480, Some(16));
            self.finish(io, id, end, None);
        }
    }

    /// Ends a call that the switch can do nothing more about by its own fault.
    pub fn recovered(&mut self, io: &mut Io, id: CallId) {
        if let Some(call) = self.table.get(id) {
            let end = call.end(EndedBy::Recovered, 503, Some(41));
            self.finish(io, id, end, None);
        }
    }

    /// The same of one leg: whoever is left goes the way of those whose other party has vanished.
    pub fn leg_recovered(&mut self, io: &mut Io, leg: LegId) {
        let Some(id) = self.call_of(leg) else { return };
        let Some(gone) = self.table.get(id).and_then(|call| call.leg(leg)) else { return };
        match gone.role {
            Role::Caller => self.recovered(io, id),
            // Nobody waits to hear them.
            Role::Supervisor(_) => {}
            Role::Agent(_) | Role::Target => {
                let cause = Cause { q850: Some(41), ..Cause::default() };
                io.out.push(gone.hang_up(cause.clone()));
                self.partner_gone(io, id, leg, (true, EndedBy::Recovered), cause);
            }
        }
    }

    /// The switch ends: whoever is on the line is hung up on. A promise of a call back is kept by
    /// the next process, and an attempt under way is one in vain.
    pub fn shut_down(&mut self, io: &mut Io, id: CallId) {
        let Some(call) = self.table.get(id) else { return };
        if call.is_dialled_back() {
            return self.not_reached(io, id, (487, Cause::default()), None);
        }
        if call.legs().next().is_some() {
            let end = call.end(EndedBy::Switch, 480, Some(41));
            self.finish(io, id, end, None);
        }
    }
}

impl Call {
    /// How a call ends now, given who ended it.
    pub(super) fn end(&self, by: EndedBy, status: u16, q850: Option<u8>) -> End {
        let outcome = match (self.was_connected, by) {
            (true, _) => Outcome::Answered,
            (false, _) if self.goal == Goal::Goodbye => {
                self.away.as_ref().map_or(Outcome::Callback, |(_, away)| away.outcome)
            }
            (false, EndedBy::Caller) => Outcome::Abandoned,
            (false, _) => Outcome::Failed,
        };
        let answered = self.caller.stage == Stage::Up;
        // Who has long left has not been cut off by those who went on talking.
        let away = self.away.as_ref().map(|(_, end)| end);
        let by = self.left.or(away.map(|away| away.by)).unwrap_or(by);
        let q850 = away.map_or(q850, |away| away.q850);
        let status = away.map_or(status, |away| away.status);
        End { outcome, by, status: if answered { 200 } else { status }, q850 }
    }
}
