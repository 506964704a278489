//! A caller who waits: answered first and queued second, since carriers cut a ringing call after
//! 30 to 90 s; then welcome, music, and the phones that ring for them.

use super::calls::{Calls, Io};
use super::leg::{Leg, Stage};
use super::side::Side;
use super::{Call, Effect, Fact, Goal, Missed, Role, Settings, Stop};
use crate::base::limits::TALK_MIN;
use crate::base::text::clean;
use crate::base::{AgentId, CallId, Instant, LegId};
use crate::media::control::Command;
use crate::sip::{Act, Body, Cause, Dial, Party, Target};

impl Calls {
    /// Answers the caller, and plays the welcome and the music.
    pub(super) fn greet(&mut self, io: &mut Io, id: CallId, body: Body) {
        let Some(call) = self.table.get_mut(id) else { return };
        call.caller.stage = Stage::Up;
        call.offer = None;
        io.out.push(call.caller.act(Act::Answer { body }));
        io.out.extend(call.caller.agree());
        let silence = call.caller.awaits_nobody(io);
        io.media(Command::Watch { port: call.caller.side.port, silence });
        io.fact(Fact::SystemAnswered { call: id });
        let welcome = std::mem::take(&mut call.says);
        self.tell(io, id, welcome);
    }

    /// Rings the agent's phones, all of them at once.
    /// `known` is the agent's place in the settings' phones.
    pub fn offer(
        &mut self,
        io: &mut Io,
        id: CallId,
        agent: AgentId,
        known: Option<usize>,
        phones: Vec<Target>,
    ) {
        let Some(call) = self.table.get(id) else { return };
        let user = known.and_then(|at| io.settings.phones.get(at));
        let to = Party {
            user: user.map_or(String::new(), |phone| phone.user.clone()),
            host: io.host.to_string(),
            display: user.map_or(String::new(), |phone| phone.name.clone()),
        };
        let there = call.caller.stage != Stage::Absent;
        let (beside, like) = (call.caller.side.port, call.caller.side.spoken());
        let mut why = Some(Missed::Unreachable);
        for target in phones {
            let (target, identity) = match self.way_home(io, user, &target) {
                None => (target, None),
                Some(Ok(way)) => {
                    let host = io.host.to_string();
                    (way.target(), Some(Party { user: way.identity, host, ..Party::default() }))
                }
                Some(Err(refusal)) => {
                    if refusal.passes() {
                        why = why.and(Some(Missed::NoWay));
                    }
                    continue;
                }
            };
            let port = if there { self.ports.take_beside(beside) } else { self.ports.take() };
            let Some(port) = port else {
                why = why.and(Some(Missed::NoPort));
                break;
            };
            let mut side = io.side_towards(port, &target);
            let offer = side.offer(&io.settings.media, like);
            let Some(call) = self.table.get_mut(id) else { return };
            if identity.is_some() {
                call.confirms.insert(agent);
            }
            // A carrier lets nobody call under somebody else's number.
            let from = identity.clone().unwrap_or_else(|| call.shown.clone());
            let headers = match &identity {
                Some(_) => Vec::new(),
                None => {
                    let by = call.last_agent.map(|by| io.people.name_of(by)).unwrap_or_default();
                    call.told_to_agents(io.settings, io.cx.now.instant, &by)
                }
            };
            let (to, asserted, forwards) = (to.clone(), identity, call.forwards);
            let brief = !matches!(target, Target::Trunk { .. });
            let dial = Dial { target, from, to, asserted, headers, forwards, brief, offer };
            let role = Role::Agent(agent);
            io.out.push(Effect::Dial { call: id, role, side, dial: Box::new(dial) });
            why = None;
        }
        if let Some(why) = why {
            io.out.push(Effect::Missed { call: id, agent, why });
            self.asked_missed(io, id, agent, (480, "no phone of the agent is there"));
        }
    }

    /// No phone of the agent took the call. Where it had come by name, the next is tried.
    pub(super) fn asked_missed(
        &mut self,
        io: &mut Io,
        id: CallId,
        agent: AgentId,
        why: (u16, &str),
    ) {
        let over = self.table.get(id).and_then(|call| call.handover.as_deref());
        if over.is_some_and(|over| over.rings() && over.asked == Some(agent)) {
            self.try_next(io, id, why);
        }
    }

    /// The leg of an [`Effect::Dial`] has this id.
    pub fn placed(&mut self, io: &mut Io, id: CallId, role: Role, side: Side, leg: LegId) {
        let (port, door) = (side.port, side.door());
        let new = Leg::new(leg, role, side, Stage::Trying);
        let Some(call) = self.table.get_mut(id) else {
            self.ports.give_back(port);
            self.stopping.note(&new);
            return io.out.push(new.hang_up(Cause::default()));
        };
        match role {
            Role::Caller => call.caller = new,
            Role::Agent(_) | Role::Target => call.others.push(new),
            Role::Supervisor(agent) => match call.watchers.iter_mut().find(|w| w.agent == agent) {
                Some(watcher) => watcher.legs.push(new),
                None => {
                    self.ports.give_back(port);
                    return io.out.push(new.hang_up(Cause::default()));
                }
            },
        }
        self.by_leg.insert(leg, id);
        self.by_port.insert(port, (id, leg));
        io.open(door);
        io.fact(Fact::LegOpened { call: id, leg, role });
    }

    /// Stops the agent's phones, unless one of them is the one that the caller talks with.
    pub fn withdraw(&mut self, io: &mut Io, id: CallId, agent: AgentId, why: Stop) {
        match why {
            Stop::RangOut => {
                self.cancel_phones(io, id, agent);
                // What answered at the agent's number, and pressed no key.
                let silent = |leg: &Leg| leg.role == Role::Agent(agent) && leg.stage == Stage::Up;
                self.stop_phones(io, id, Cause::default(), silent);
            }
            Stop::AnsweredElsewhere => self.hang_up_phones(io, id, agent, answered_elsewhere()),
            Stop::Gone => self.hang_up_phones(io, id, agent, Cause::default()),
        }
        self.hush(io, agent);
    }

    /// RFC 3261 section 9.1: "a CANCEL request has no effect on a request to which a UAS has
    /// already given a final response". So the phones are kept until they have said what it was.
    fn cancel_phones(&mut self, io: &mut Io, id: CallId, agent: AgentId) {
        let Some(call) = self.table.get_mut(id) else { return };
        let rings = |leg: &&mut Leg| leg.role == Role::Agent(agent) && leg.stage != Stage::Up;
        for leg in call.others.iter_mut().filter(rings).filter(|leg| !leg.cancelled) {
            leg.cancelled = true;
            self.stopping.note(leg);
            io.out.push(leg.act(Act::Cancel { cause: Cause::default() }));
        }
    }

    /// The agent's phone answered, but the call is no longer theirs.
    pub fn too_late(&mut self, io: &mut Io, id: CallId, agent: AgentId) {
        let late = |leg: &Leg| leg.role == Role::Agent(agent) && leg.stage == Stage::Up;
        self.stop_phones(io, id, answered_elsewhere(), late);
    }

    pub(super) fn hang_up_phones(&mut self, io: &mut Io, id: CallId, agent: AgentId, cause: Cause) {
        self.stop_phones(io, id, cause, |leg| leg.role == Role::Agent(agent));
    }

    /// Hangs up those of these legs that the caller does not talk with.
    fn stop_phones(&mut self, io: &mut Io, id: CallId, cause: Cause, which: impl Fn(&Leg) -> bool) {
        let Some(call) = self.table.get_mut(id) else { return };
        let stops = |leg: &Leg| which(leg) && !call.needs(leg.id);
        let ids: Vec<LegId> = call.others.iter().filter(|l| stops(l)).map(|l| l.id).collect();
        let stopped: Vec<Leg> = ids.into_iter().filter_map(|leg| call.take_other(leg)).collect();
        for leg in stopped {
            io.out.push(leg.hang_up(cause.clone()));
            self.stopping.note(&leg);
            let status = if leg.stage == Stage::Up { 200 } else { 487 };
            self.bury(io, id, &leg, status, cause.clone());
        }
    }

    /// The agent's phone vanished in mid-call, or the line to the centre was cut: the caller waits
    /// again, at the old place.
    pub(super) fn return_to_queue(&mut self, io: &mut Io, id: CallId, lost: Role) {
        self.set_talk(io, id, Vec::new());
        self.let_go(io, id, lost);
        let agent = match lost {
            Role::Agent(agent) => Some(agent),
            Role::Caller | Role::Target | Role::Supervisor(_) => None,
        };
        io.fact(Fact::Returned { call: id, agent, talked: true });
        self.back_to_queue(io, id);
    }

    /// The agent hung up in the moment in which they answered: nobody has talked, and the caller
    /// goes on waiting as if the phone had declined. All that rang before ring again.
    pub(super) fn came_to_nothing(
        &mut self,
        io: &mut Io,
        id: CallId,
        (agent, leg): (AgentId, LegId),
        cause: Cause,
    ) {
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(gone) = call.take_other(leg) else { return };
        call.was_connected = call.was_connected_before;
        call.found = None;
        self.bury(io, id, &gone, 200, cause);
        self.set_talk(io, id, Vec::new());
        io.fact(Fact::Returned { call: id, agent: Some(agent), talked: false });
        io.out.push(Effect::Missed { call: id, agent, why: Missed::Declined });
    }
}

impl Call {
    /// Whether this agent, whom the queue found, answered just now, and has done nothing since.
    pub(super) fn has_hardly_talked(&self, io: &Io, agent: AgentId) -> bool {
        let of_queue = matches!(self.goal, Goal::Queue(_)) && self.back.is_none();
        let simple = self.handover.is_none() && self.parked.is_none() && self.talk.len() == 2;
        let just_now = io.cx.now.instant.since(self.connected) < TALK_MIN;
        of_queue && simple && just_now && self.found == Some(agent)
    }

    /// What the agent's phone can show before anybody answers: the line and the district, how long
    /// the caller has waited, and why they are special; who talked with them `before`, and what the
    /// call is about. Once for people, once for programs.
    fn told_to_agents(
        &self,
        settings: &Settings,
        now: Instant,
        before: &str,
    ) -> Vec<(String, String)> {
        let waited = now.since(self.arrived).as_secs();
        let district = settings.district(&self.district).map_or("", |d| d.title.as_str());
        let kind = match &self.back {
            Some(_) => "callback",
            None if self.emergency => "emergency",
            None => "",
        };
        let category = settings.codes.category(&self.category);
        let category = category.map_or("", |category| category.title.as_str());
        let by = if before.is_empty() { String::new() } else { format!("({before})") };
        let words = [self.line.as_str(), district, kind, category, &by];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let subject = format!("{} {}:{:02}", words.join(" "), waited / 60, waited % 60);
        let parent = self.back.as_ref().map_or("", |back| back.parent.as_str());
        let fields = [
            ("Subject", subject.as_str()),
            ("X-Pukar-Call", &self.name),
            ("X-Pukar-Line", &self.line),
            ("X-Pukar-District", &self.district),
            ("X-Pukar-Wait", &waited.to_string()),
            ("X-Pukar-Kind", kind),
            ("X-Pukar-Parent", parent),
            ("X-Pukar-Category", &self.category),
            ("X-Pukar-By", before),
        ];
        let told = fields.into_iter().filter(|(_, value)| !value.is_empty());
        told.map(|(name, value)| (name.to_string(), clean(value, 64))).collect()
    }
}

/// RFC 3326: phones do not list such a call as missed.
pub(super) fn answered_elsewhere() -> Cause {
    Cause { q850: None, sip: Some(200), text: "Call completed elsewhere".into() }
}
