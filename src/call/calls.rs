//! All calls: the door where they come in, and the way from a leg or a port to its call.
//!
//! In: notices of the SIP layer, events of the data plane, the queue engine's decisions (brought by
//! the core). Out: [`Effect`]s. Knows no agent's state and no queue's order.

use super::blocks::Blocks;
use super::conversation::Call;
use super::gate::Gate;
use super::leg::{Leg, Stage};
use super::out::{Plan, Refusal, Tally, Usage, Who};
use super::own::{Begun, Own};
use super::ports::Ports;
use super::routing::{self, Book};
use super::seats::Seats;
use super::side::Side;
use super::stopping::Stopping;
use super::tries::Tries;
use super::{Arrival, Centre, Choices, Effect, End, EndedBy, Fact, Flag, Goal, Line, MissedDesk};
use super::{Direction, Numbers, Outcome, People, Recordings, Role, Settings};
use crate::base::{CallId, Cx, Instant, LegId, PortId, Slab, Timer, TrunkId};
use crate::media::control::Command;
use crate::sip::{Act, Body, Cause, Invited, Source};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    pub(super) table: Slab<CallId, Call>,
    pub(super) by_leg: BTreeMap<LegId, CallId>,
    /// Ports in use, and those whose figures are still to come.
    pub(super) by_port: BTreeMap<PortId, (CallId, LegId)>,
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
}

impl Calls {
    pub fn new(settings: &Settings, cx: &Cx) -> Self {
        Self {
            table: Slab::default(),
            by_leg: BTreeMap::new(),
            by_port: BTreeMap::new(),
            ports: Ports::new(settings.media.ports, settings.media.workers),
            gate: Gate::new(settings, cx.now.instant),
            choices: Choices::default(),
            missed: MissedDesk::default(),
            recordings: Recordings::default(),
            backs: 0,
            down: BTreeSet::new(),
            tally: Tally::default(),
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
        self.by_port.len()
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

    /// A call is at the door.
    pub fn invited(&mut self, io: &mut Io, leg: LegId, invited: Invited) {
        if let Some(wanted) = self.wanted(io, &invited) {
            return self.seize(io, leg, &invited, wanted);
        }
        let dialled = routing::dialled(io.book(), &invited);
        let known = &self.choices;
        let (book, now) = (io.book(), io.cx.now);
        let mut arrival = routing::arrival(book, &invited, &dialled, known, now, io.cx.rng);
        let now = io.cx.now.instant;
        // Of whoever is to be called back nobody is on the line.
        let alive = self.table.len() - self.backs;
        if let Err(seconds) = self.gate.admit(io.settings, alive, now, io.cx.rng) {
            return refuse(io, leg, arrival, 503, Some(seconds));
        }
        if let Source::Trunk(_) = invited.source
            && let Some(why) = self.nuisance(io, dialled.line, &mut arrival)
        {
            return turn_away(io, leg, arrival, why);
        }
        if let Source::User(_) = invited.source {
            return io.out.push(Effect::Begin(Box::new(Begun { leg, invited, arrival })));
        }
        self.admitted(io, leg, invited, arrival, None);
    }

    /// Why a caller may not come in, on a line that keeps nuisances out.
    fn nuisance(&mut self, io: &Io, line: Option<&Line>, arrival: &mut Arrival) -> Option<String> {
        let (settings, now) = (&io.settings.blocks, io.cx.now.instant);
        let burst = self.blocks.arrives(settings, &arrival.caller, now);
        if burst {
            arrival.flags.push(Flag::Burst);
        }
        let block = self.blocks.of(&arrival.caller, now);
        match (line.is_some_and(|line| line.block), block) {
            (true, Some(block)) => Some(format!("blocked: {}", block.reason)),
            (true, None) if burst && settings.refuse_burst => Some("too many calls".into()),
            (true, None) | (false, _) => None,
        }
    }

    /// A call that may come in goes where its line leads.
    pub(super) fn admitted(
        &mut self,
        io: &mut Io,
        leg: LegId,
        invited: Invited,
        arrival: Arrival,
        own: Option<Box<Own>>,
    ) -> Option<CallId> {
        let Some(line) = routing::dialled(io.book(), &invited).line else {
            refuse(io, leg, arrival, 404, None);
            return None;
        };
        // Phones that ring or talk have a port already.
        let busy = self.by_leg.len().saturating_sub(self.table.len());
        let idle = io.settings.phones.len().saturating_sub(busy);
        let Some(port) = self.ports.take_for_caller(idle) else {
            refuse(io, leg, arrival, 503, Some(10));
            return None;
        };
        let mut side = Side::new(port, io.cx.rng);
        side.signalled = Some(invited.hop.peer.ip());
        match first_description(&mut side, line, &invited, io.settings) {
            Ok(first) => {
                let caller = Leg::new(leg, Role::Caller, side, Stage::Trying);
                Some(self.accept(io, (line, caller), (invited, arrival, own), first))
            }
            Err(status) => {
                self.ports.give_back(port);
                refuse(io, leg, arrival, status, None);
                None
            }
        }
    }

    /// `first` is what the caller is sent first.
    fn accept(
        &mut self,
        io: &mut Io,
        (line, caller): (&Line, Leg),
        (invited, arrival, own): (Invited, Arrival, Option<Box<Own>>),
        first: Option<Body>,
    ) -> CallId {
        let (goal, centre) = match (&line.goal, line.menu.is_empty()) {
            (&Goal::Queue(queue), false) => (Goal::Menu { queue }, None),
            _ => self.goal(io.book(), line, &arrival.district, arrival.trunk),
        };
        if routing::names_district(io.book(), &arrival) {
            self.choices.remember(&arrival.caller, &arrival.district, io.cx.now.instant);
        }
        let notice = io.settings.recording.notice(line, &goal);
        let call = Call::new(io, goal.clone(), caller, (&invited, &arrival), own);
        let call = Call {
            languages: languages(io.book(), line, &arrival.district),
            priority: line.priority,
            emergency: line.emergency || call.emergency,
            keys: line.keys,
            says: line.welcome.into_iter().chain(notice).collect(),
            music: line.music,
            recorded: line.record,
            told: notice.is_some(),
            ..call
        };
        let (arrived, emergency) = (call.arrived, call.emergency);
        let call = self.enter(io, call, arrival);
        if emergency {
            io.fact(Fact::Emergency { call });
        }
        if let Some(body) = first {
            self.greet(io, call, body);
        }
        match goal {
            Goal::Queue(queue) => {
                io.out.push(Effect::Join { call, queue, arrived });
            }
            Goal::Served { .. } => match centre {
                Some(trunk) => self.ring_centre(io, call, trunk),
                None => self.without_centre(io, call),
            },
            Goal::Menu { .. } => self.ask(io, call, line),
            Goal::Dial(uri) => self.dial_target(io, call, uri),
            // No line has one of these.
            Goal::Goodbye | Goal::Later { .. } | Goal::Placed => {}
        }
        call
    }

    /// A new call, with its caller's leg and port.
    pub(super) fn enter(&mut self, io: &mut Io, call: Call, arrival: Arrival) -> CallId {
        let (leg, port) = (call.caller.id, call.caller.side.port);
        let number = call.number.clone();
        let is_in = arrival.direction == Direction::In;
        let call = self.table.insert(call);
        if is_in {
            self.blocks.remember(call, &number);
        }
        self.by_leg.insert(leg, call);
        self.by_port.insert(port, (call, leg));
        io.fact(Fact::Arrived { call, arrival: Box::new(arrival) });
        io.fact(Fact::LegOpened { call, leg, role: Role::Caller });
        io.media(Command::Open { port, address: io.settings.media.bind });
        call
    }

    /// Where the call goes: to the centre of its district, where that is known and can be had, or
    /// else where its line leads. A centre is not handed its own calls back.
    pub(super) fn goal(
        &self,
        book: Book,
        line: &Line,
        district: &str,
        from: Option<TrunkId>,
    ) -> (Goal, Option<TrunkId>) {
        if let (&Goal::Queue(queue), true) = (&line.goal, line.by_district)
            && let Some(district) = book.numbers.district(book.settings, district)
        {
            match district.centre {
                Centre::Queue(own) => return (Goal::Queue(own), None),
                Centre::Trunk(trunk) if from != Some(trunk) && !self.is_down(trunk) => {
                    return (Goal::Served { queue }, Some(trunk));
                }
                Centre::Trunk(_) => {}
            }
        }
        (line.goal.clone(), None)
    }

    /// Forgets a leg of this call that is over, with its port.
    pub(super) fn bury(&mut self, io: &mut Io, call: CallId, leg: &Leg, status: u16, cause: Cause) {
        self.by_leg.remove(&leg.id);
        self.ports.give_back(leg.side.port);
        io.cx.timers.cancel(Timer::Silence(leg.id));
        io.cx.timers.cancel(Timer::Recheck(leg.id));
        io.cx.timers.cancel(Timer::Keys(leg.id));
        io.out.push(leg.close());
        let (leg, role) = (leg.id, leg.role);
        match role {
            Role::Target => self.came_home(io, call),
            Role::Agent(agent) => self.asks_no_more(call, agent),
            Role::Caller => {}
        }
        io.fact(Fact::LegClosed { call, leg, role, status, cause });
    }

    /// Ends the call: every leg but `gone`, which has ended already, is hung up.
    pub(super) fn finish(&mut self, io: &mut Io, id: CallId, end: End, gone: Option<LegId>) {
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
            Goal::Queue(_) => io.out.push(Effect::Leave { call: id }),
            Goal::Menu { .. } | Goal::Goodbye => io.cx.timers.cancel(Timer::Menu(id)),
            Goal::Dial(_) | Goal::Served { .. } | Goal::Later { .. } | Goal::Placed => {}
        }
        self.own_over(io, id, &call);
        self.cut_off(io, &call, end.by);
        io.cx.timers.cancel(Timer::DialTimeout(id));
        io.cx.timers.cancel(Timer::Parked(id));
        let cause = Cause { q850: end.q850.or(Some(16)), ..Cause::default() };
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

    /// Every internal law; the simulator asks after each event.
    pub fn check(&self) -> Result<(), String> {
        for (id, call) in self.table.iter() {
            for leg in call.legs() {
                if self.by_leg.get(&leg.id) != Some(&id) {
                    return Err(format!("{id:?}: {:?} does not lead back to it", leg.id));
                }
                if self.by_port.get(&leg.side.port) != Some(&(id, leg.id)) {
                    return Err(format!("{id:?}: {:?} is not its own", leg.side.port));
                }
            }
            call.check().map_err(|law| format!("{id:?} {law}"))?;
        }
        self.seats.check()?;
        if self.backs != self.table.iter().filter(|(_, call)| call.back.is_some()).count() {
            return Err(format!("there are not {} calls back", self.backs));
        }
        let live = self.tally.live().all(|call| self.table.contains(call));
        if !live {
            return Err("a call that is over is counted as one that lives".into());
        }
        let legs: usize = self.table.iter().map(|(_, call)| call.legs().count()).sum();
        if legs != self.by_leg.len() || legs != self.ports.taken() {
            let (known, ports) = (self.by_leg.len(), self.ports.taken());
            return Err(format!("{legs} legs, {known} known by id, {ports} ports taken"));
        }
        Ok(())
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

    /// The laws of one call.
    fn check(&self) -> Result<(), String> {
        let up = |id: &LegId| self.leg(*id).is_some_and(|leg| leg.stage == Stage::Up);
        if !self.talk.iter().all(up) {
            return Err(format!("talks with a leg that is gone: {:?}", self.talk));
        }
        if self.talk.iter().any(|one| self.talk.iter().filter(|id| *id == one).count() > 1) {
            return Err(format!("hears itself: {:?}", self.talk));
        }
        if let Some(over) = &self.handover
            && !over.by.iter().chain(&over.consulted).all(up)
        {
            return Err(format!("is handed over by somebody who is gone: {over:?}"));
        }
        let asked = |leg: &Leg| leg.agent().is_some_and(|agent| self.confirms.contains(&agent));
        let idle = |leg: &&Leg| leg.stage == Stage::Up && !self.needs(leg.id) && !asked(leg);
        if let Some(leg) = self.others.iter().find(idle) {
            return Err(format!("keeps {:?}, whom nobody hears", leg.id));
        }
        if self.parked.is_some() && (self.handover.is_some() || !self.talk.is_empty()) {
            return Err("is parked and served".into());
        }
        let waits = matches!(self.goal, Goal::Queue(_)) && self.found.is_none();
        let rings = !self.others.is_empty() || self.is_coded();
        // Something is said or asked, or is to be done later: that has a timer.
        let later = matches!(self.goal, Goal::Menu { .. } | Goal::Later { .. } | Goal::Goodbye);
        match (waits || later, self.is_served(), rings) {
            (true, true, _) => Err("waits and is served".into()),
            (false, false, false) => Err("is lost: nobody serves it, and nobody will".into()),
            _ => Ok(()),
        }
    }
}

/// What the caller is sent first: the answer to their offer, our offer where they sent none, or
/// nothing yet where the far end is to speak first. The error is the status that refuses them.
fn first_description(
    side: &mut Side,
    line: &Line,
    invited: &Invited,
    settings: &Settings,
) -> Result<Option<Body>, u16> {
    match (&line.goal, &invited.offer) {
        // Only a look: the answer is made when the far end has answered.
        (Goal::Dial(_) | Goal::Placed, Some(offer)) => {
            side.clone().answer(&settings.media, offer).map(|_| None)
        }
        (Goal::Dial(_) | Goal::Placed, None) => Ok(None),
        (
            Goal::Queue(_)
            | Goal::Served { .. }
            | Goal::Menu { .. }
            | Goal::Later { .. }
            | Goal::Goodbye,
            offer,
        ) => match offer {
            Some(offer) => side.answer(&settings.media, offer).map(Some),
            None => Ok(Some(side.offer(&settings.media, None))),
        },
    }
}

/// The dialect of the district tells more than the line; what both say goes in this order.
fn languages(book: Book, line: &Line, district: &str) -> Vec<String> {
    let district = book.numbers.district(book.settings, district);
    let own = district.map_or(&[][..], |district| &district.languages);
    let mut languages: Vec<String> = Vec::new();
    for language in own.iter().chain(&line.languages) {
        if !languages.contains(language) {
            languages.push(language.clone());
        }
    }
    languages
}

/// A nuisance is told to stay away, and by a word that no network tries again after.
fn turn_away(io: &mut Io, leg: LegId, arrival: Arrival, why: String) {
    let text = "Calls from this number are not accepted for now".into();
    let cause = Some(Cause { q850: Some(21), sip: Some(603), text });
    io.out.push(Effect::Act { leg, act: Act::Refuse { status: 603, cause, retry_after: None } });
    io.fact(Fact::Refused { arrival: Box::new(arrival), status: 603, why });
}

pub(super) fn refuse(
    io: &mut Io,
    leg: LegId,
    arrival: Arrival,
    status: u16,
    retry_after: Option<u32>,
) {
    let q850 = match status {
        404 => Some(1),
        488 => Some(65),
        _ => Some(42),
    };
    let cause = Some(Cause { q850, ..Cause::default() });
    io.out.push(Effect::Act { leg, act: Act::Refuse { status, cause, retry_after } });
    io.fact(Fact::Refused { arrival: Box::new(arrival), status, why: String::new() });
}
