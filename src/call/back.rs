//! A call back: it stands in the line like a caller, but nobody is on the line. The agent answers
//! first and hears whom it is for; then the number is dialled through a trunk, and rings for a
//! while. Whoever is not reached is tried again; when, and how often, is not decided here.

use super::calls::{Calls, Io};
use super::conversation::Call;
use super::leg::{Leg, Stage};
use super::out::{Plan, Refusal, Tally, Usage, Way, Who};
use super::own::lasts_until;
use super::waiting::answered_elsewhere;
use super::{Arrival, Direction, Effect, End, EndedBy, Fact, Goal, Line, Role, Settings, routing};
use crate::base::{AgentId, CallId, Instant, LegId, PortId, QueueId, Timer, TuneId};
use crate::say::Phrase;
use crate::sip::{Cause, Dial, FORWARDS, Party};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long saying goodbye may take, whatever the data plane tells.
const GOODBYE_MAX: Duration = Duration::from_secs(20);

/// Whom to call back, and on whose behalf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The id of the call that asked for it.
    pub parent: String,
    /// E.164.
    pub number: String,
    pub line: String,
    /// The number that they had dialled.
    pub dialled: String,
    pub district: String,
    pub languages: Vec<String>,
    pub priority: u8,
    pub emergency: bool,
    pub queue: QueueId,
    /// The first arrival. No move changes it.
    pub arrived: Instant,
    pub music: Option<TuneId>,
}

impl Calls {
    /// What is needed to call this caller back; `None` where they have no number, or are lent.
    pub fn origin(&self, id: CallId, arrived: Instant) -> Option<Origin> {
        self.table.get(id).and_then(|call| call.origin(arrived))
    }

    /// How this number is called back, as far as nothing is in the way just now. It is what the
    /// caller claims to have, and anybody can claim any: it is judged like one that is keyed in.
    pub fn way_back(settings: &Settings, number: &str, now: Instant) -> Result<Way, Refusal> {
        let usage = Usage { tally: &Tally::default(), down: &BTreeSet::new(), now };
        outside(super::out::plan(settings, Who::Switch, number, usage)?)
    }

    /// How many calls back there are, whatever they wait for.
    pub fn backs(&self) -> usize {
        self.backs
    }

    /// Calls back that wait for an agent or for the next attempt: nobody is on the line.
    pub fn promises(&self) -> usize {
        let alone = |call: &Call| call.back.is_some() && call.legs().next().is_none();
        self.table.iter().filter(|(_, call)| alone(call)).count()
    }

    /// Whom they are owed to.
    pub fn owed(&self) -> impl Iterator<Item = &Origin> {
        self.table.iter().filter_map(|(_, call)| call.back.as_deref())
    }

    /// Somebody whom a switch before this one owed a call.
    pub fn missed_anew(&mut self, io: &mut Io, origin: Origin) {
        self.missed.note(io, origin, EndedBy::Recovered);
    }

    /// A caller who wants a call back has a number that is not dialled.
    pub fn not_promised(&mut self, io: &mut Io, id: CallId, refusal: Refusal) {
        if self.table.contains(id) {
            io.fact(Fact::NotPromised { call: id, why: refusal.name().into() });
        }
    }

    /// A call back takes its place; the core lets it join the queue.
    pub fn call_back(&mut self, io: &mut Io, origin: Origin, way: Way) -> CallId {
        let name = routing::ulid(io.cx.now, io.cx.rng);
        let host = io.host.to_string();
        let arrival = Arrival {
            id: name.clone(),
            direction: Direction::Out,
            line: origin.line.clone(),
            trunk: Some(way.trunk),
            user: None,
            agent: String::new(),
            caller: way.identity,
            caller_raw: String::new(),
            dialled: origin.number.clone(),
            dialled_raw: origin.number.clone(),
            forwarded_by: String::new(),
            district: origin.district.clone(),
            parent: origin.parent.clone(),
            flags: Vec::new(),
        };
        let shown = Party { user: origin.number.clone(), host, display: String::new() };
        let recorded = |line: &Line| line.record && line.name == origin.line;
        let recorded = io.settings.lines.iter().any(recorded);
        self.backs += 1;
        let call = self.table.insert(Call {
            name,
            goal: Goal::Queue(origin.queue),
            number: origin.number.clone(),
            dialled: origin.dialled.clone(),
            district: origin.district.clone(),
            trunk: Some(way.trunk),
            line: origin.line.clone(),
            languages: origin.languages.clone(),
            priority: origin.priority,
            emergency: origin.emergency,
            music: origin.music,
            arrived: origin.arrived,
            shown,
            recorded,
            back: Some(Box::new(origin)),
            ..Call::blank(Leg::absent(), io.cx.now.instant)
        });
        io.fact(Fact::Arrived { call, arrival: Box::new(arrival) });
        call
    }

    /// The caller was promised a call: they hear so, and the call ends.
    pub fn promised(&mut self, io: &mut Io, id: CallId) {
        let Some(call) = self.table.get_mut(id) else { return };
        if let Goal::Queue(_) = std::mem::replace(&mut call.goal, Goal::Goodbye) {
            io.out.push(Effect::Leave { call: id, hung_up: false });
        }
        self.farewell(io, id, Phrase::CallbackPromised);
    }

    /// A queue does not take or keep the caller, and nobody else does: they are told so, and the
    /// call ends as `end` says. Of a promise nobody has to be told.
    pub fn turned_away(&mut self, io: &mut Io, id: CallId, queue: QueueId, end: End) {
        let Some(call) = self.table.get_mut(id) else { return };
        call.goal = Goal::Goodbye;
        let phrase = match end.by {
            EndedBy::Unstaffed | EndedBy::Shut => Phrase::Closed,
            EndedBy::Full => Phrase::Full,
            EndedBy::Caller
            | EndedBy::Agent
            | EndedBy::Target
            | EndedBy::Admin
            | EndedBy::MaxWait
            | EndedBy::Silence
            | EndedBy::Lost
            | EndedBy::Switch
            | EndedBy::Recovered => Phrase::Failed,
        };
        call.away = Some((queue, end));
        match call.is_caller_up() {
            true => self.farewell(io, id, phrase),
            false => self.goodbye(io, id),
        }
    }

    fn farewell(&mut self, io: &mut Io, id: CallId, phrase: Phrase) {
        let Some(call) = self.table.get_mut(id) else { return };
        call.later.clear();
        call.says.clear();
        for agent in call.agents() {
            self.hang_up_phones(io, id, agent, Cause::default());
        }
        self.stop_centre(io, id, answered_elsewhere());
        io.fact(Fact::Farewell { call: id });
        self.announce(io, id, vec![phrase]);
        if self.table.contains(id) {
            io.cx.timers.set(Timer::Menu(id), io.cx.now.instant + GOODBYE_MAX);
        }
    }

    /// The agent has answered, and hears whom it is for while the number is dialled.
    pub fn dial_back(&mut self, io: &mut Io, id: CallId, agent: AgentId) {
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(leg) = call.answered_by(agent).map(|leg| (leg.id, leg.side.port)) else { return };
        let Some(origin) = call.back.as_deref().cloned() else { return };
        let names = call.say(io.settings, &[Phrase::CallingBack(origin.number.clone())]);
        call.says = io.settings.tunes_of(&names);
        call.piece += 1;
        call.found = Some(agent);
        self.set_talk(io, id, vec![leg.0]);
        self.hang_up_phones(io, id, agent, answered_elsewhere());
        let way = self.way_now(io.settings, &origin.number, io.cx.now.instant);
        match way.and_then(|way| self.port_beside(leg.1, way)) {
            Ok((way, port)) => self.ring_back(io, id, way, port),
            Err(refusal) => {
                self.not_reached(io, id, (refusal.status(), refusal.cause()), None);
            }
        }
    }

    /// The way that is open at this moment.
    pub fn way_now(&self, settings: &Settings, number: &str, now: Instant) -> Result<Way, Refusal> {
        outside(self.plan_out(settings, Who::Switch, number, now)?)
    }

    fn port_beside(&mut self, port: PortId, way: Way) -> Result<(Way, PortId), Refusal> {
        self.ports.take_beside(port).map(|port| (way, port)).ok_or(Refusal::NoPort)
    }

    fn ring_back(&mut self, io: &mut Io, id: CallId, way: Way, port: PortId) {
        let Some(call) = self.table.get_mut(id) else { return };
        let agent = call.talk.first().and_then(|agent| call.leg(*agent));
        let like = agent.and_then(|leg| leg.side.spoken());
        let mut side = io.side_towards(port, &way.target());
        let offer = side.offer(&io.settings.media, like);
        let host = io.host.to_string();
        let from = Party { user: way.identity.clone(), host: host.clone(), ..Party::default() };
        let dial = Dial {
            target: way.target(),
            from: from.clone(),
            to: Party { user: way.sent.clone(), host, ..Party::default() },
            asserted: Some(from),
            headers: Vec::new(),
            forwards: FORWARDS,
            brief: false,
            offer,
        };
        call.rung = Some(way.number);
        call.trunk = Some(way.trunk);
        io.cx.timers.set(Timer::DialTimeout(id), io.cx.now.instant + way.ring_for);
        io.out.push(Effect::Dial { call: id, role: Role::Caller, side, dial: Box::new(dial) });
        self.note_out(Who::Switch, id, io.cx.now.instant);
    }

    /// The number that was dialled back has answered.
    pub(super) fn back_reached(&mut self, io: &mut Io, id: CallId) {
        io.cx.timers.cancel(Timer::DialTimeout(id));
        self.tell_rung(io, id, true);
        let Some(call) = self.table.get(id) else { return };
        let Some(&agent) = call.talk.first() else { return };
        let talk = vec![call.caller.id, agent];
        self.set_talk(io, id, talk);
        self.connected(io, id, agent);
        // No number of an emergency service is called back: each of them ends.
        lasts_until(io, id, io.cx.now.instant, io.settings.out.longest);
        io.out.push(Effect::Reached { call: id });
    }

    /// The attempt was in vain: the number did not answer, or the agent did not wait for it. `gone`
    /// is the leg that has ended by itself.
    pub(super) fn not_reached(
        &mut self,
        io: &mut Io,
        id: CallId,
        (status, cause): (u16, Cause),
        gone: Option<LegId>,
    ) {
        io.cx.timers.cancel(Timer::DialTimeout(id));
        self.tell_rung(io, id, false);
        self.tally.over(id);
        let Some(call) = self.table.get_mut(id) else { return };
        let agent = call.found.take();
        let caller = std::mem::replace(&mut call.caller, Leg::absent());
        let with = call.talk.pop().and_then(|with| call.take_other(with));
        call.says.clear();
        if let Goal::Queue(queue) = call.goal {
            call.goal = Goal::Later { queue };
        }
        let legs = [(caller, status), (with.unwrap_or_else(Leg::absent), 200)];
        for (leg, status) in legs.into_iter().filter(|(leg, _)| leg.stage != Stage::Absent) {
            if Some(leg.id) != gone {
                io.out.push(leg.hang_up(cause.clone()));
            }
            self.bury(io, id, &leg, status, cause.clone());
        }
        if let Some(agent) = agent {
            io.out.push(Effect::NotReached { call: id, agent });
        }
    }

    /// It is time for the next attempt.
    pub fn call_again(&mut self, io: &mut Io, id: CallId) {
        let Some(call) = self.table.get_mut(id) else { return };
        if let Goal::Later { queue } = call.goal {
            call.goal = Goal::Queue(queue);
            io.out.push(Effect::Join { call: id, queue, arrived: call.arrived });
        }
    }

    /// There will be no further attempt.
    pub fn give_up_on(&mut self, io: &mut Io, id: CallId) {
        if let Some(call) = self.table.get(id) {
            let end = call.end(EndedBy::Target, 480, Some(19));
            self.finish(io, id, end, None);
        }
    }

    /// Whoever was to be called back calls by themselves, on the same line or for this queue, or
    /// was called by an agent: nobody is to be called any more. The place of the first arrival is
    /// theirs; `None` where they wait for somebody else, or talk.
    pub fn came_back(
        &mut self,
        io: &mut Io,
        id: CallId,
        (queue, line): (Option<QueueId>, Option<&str>),
    ) -> Option<Instant> {
        let call = self.table.get(id).filter(|call| call.back.is_some() && !call.was_connected)?;
        let same_line = line.is_some_and(|line| !line.is_empty() && call.line == line);
        let any = queue.is_none() && line.is_none();
        let is_for = |own: QueueId| any || same_line || queue == Some(own);
        let waits = match call.goal {
            Goal::Queue(own) | Goal::Later { queue: own } => is_for(own),
            Goal::Served { .. }
            | Goal::Menu { .. }
            | Goal::Goodbye
            | Goal::Placed
            | Goal::Codes
            | Goal::Dial(_) => false,
        };
        let arrived = waits.then_some(call.arrived)?;
        let end = call.end(EndedBy::Caller, 487, Some(16));
        self.finish(io, id, end, None);
        Some(arrived)
    }
}

impl Call {
    /// Whoever is lent is called back, if need be, by the switch that keeps their place.
    pub(super) fn origin(&self, arrived: Instant) -> Option<Origin> {
        let queue = self.queue().or(self.away.as_ref().map(|(queue, _)| *queue))?;
        (!self.number.is_empty() && !self.is_lent()).then(|| Origin {
            parent: self.name.clone(),
            number: self.number.clone(),
            line: self.line.clone(),
            dialled: self.dialled.clone(),
            district: self.district.clone(),
            languages: self.languages.clone(),
            priority: self.priority,
            emergency: self.emergency,
            queue,
            arrived,
            music: self.music,
        })
    }
}

/// Agents are not called back at their extensions, and nobody makes us call an emergency service by
/// claiming its number.
fn outside(plan: Plan) -> Result<Way, Refusal> {
    match plan {
        Plan::Agent(_) => Err(Refusal::NoNumber),
        Plan::Outside(way) if way.emergency => Err(Refusal::Emergency),
        Plan::Outside(way) => Ok(way),
    }
}
