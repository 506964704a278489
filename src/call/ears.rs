//! A supervisor's ears on a call in hand: their phone rings, and whoever answers it hears what is
//! said; whispers to the agent, unheard by the caller; speaks with all; or has the call from then
//! on. What they do is a fact, and the agent hears a tone, unless the settings say otherwise.
//!
//! In: a call, the supervisor's agent and phones. Out: legs that belong to the call and to no
//! conversation, and who hears whom. What the supervisor may do is not decided here.

use super::calls::{Calls, Io};
use super::conversation::Call;
use super::hearing::connect;
use super::leg::{Leg, Stage};
use super::waiting::answered_elsewhere;
use super::{Effect, Fact, Role, Way};
use crate::base::limits::ROOM_MAX;
use crate::base::{AgentId, CallId, LegId, PortId, Timer};
use crate::media::control::{Command, Seat};
use crate::sip::{Body, Cause, Dial, Party, Target};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a supervisor's phone rings.
const RING_FOR: Duration = Duration::from_secs(30);

/// How a supervisor is in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ears {
    /// Hears all, and is heard by nobody.
    Listen,
    /// Is heard by the agents, and by nobody else.
    Whisper,
    /// Is heard by all.
    Barge,
    /// Has the call: the agent goes.
    Take,
}

impl Ears {
    /// As the admin socket calls it.
    pub fn name(self) -> &'static str {
        match self {
            Ears::Listen => "listen",
            Ears::Whisper => "whisper",
            Ears::Barge => "barge",
            Ears::Take => "take",
        }
    }

    /// Whether one of ours, or else somebody, hears whoever is so in the call.
    pub(super) fn is_heard_by(self, ours: bool) -> bool {
        match self {
            Ears::Listen | Ears::Take => false,
            Ears::Whisper => ours,
            Ears::Barge => true,
        }
    }

    /// What a supervisor's phone may key in while it is in the call.
    fn keyed(key: char) -> Option<Self> {
        match key {
            '1' => Some(Ears::Listen),
            '2' => Some(Ears::Whisper),
            '3' => Some(Ears::Barge),
            '4' => Some(Ears::Take),
            _ => None,
        }
    }
}

/// A supervisor in a call, or on the way into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watcher {
    pub agent: AgentId,
    pub ears: Ears,
    /// Phones of theirs that ring, or the one that was answered.
    pub legs: Vec<Leg>,
}

impl Watcher {
    /// The phone that was answered.
    pub fn up(&self) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.stage == Stage::Up)
    }
}

impl Calls {
    /// Has the supervisor's phones ring for the call; one who is in it already hears, and is heard,
    /// in the new way from now on.
    pub fn watch(
        &mut self,
        io: &mut Io,
        id: CallId,
        (agent, ears): (AgentId, Ears),
        phones: Vec<Target>,
    ) -> Result<(), String> {
        if ears == Ears::Take {
            self.may_be_taken(io, id)?;
        }
        let call = self.table.get_mut(id).ok_or("the call is over")?;
        if let Some(known) = call.watchers.iter_mut().find(|known| known.agent == agent) {
            known.ears = ears;
            if known.up().is_some() {
                self.hears_so(io, id, agent);
            }
            return Ok(());
        }
        if call.talk.is_empty() {
            return Err("nobody has the caller in hand".into());
        }
        if call.agents().contains(&agent) {
            return Err("they are in the call themselves".into());
        }
        if call.talk.len() + call.watchers.len() >= ROOM_MAX {
            return Err("as many are in the call as there may be".into());
        }
        self.ring_watcher(io, id, (agent, ears), phones)
    }

    fn ring_watcher(
        &mut self,
        io: &mut Io,
        id: CallId,
        (agent, ears): (AgentId, Ears),
        phones: Vec<Target>,
    ) -> Result<(), String> {
        let Some(call) = self.table.get_mut(id) else { return Ok(()) };
        let (beside, like) = (call.caller.side.port, call.caller.side.spoken());
        let (from, forwards, name) = (call.shown.clone(), call.forwards, call.name.clone());
        let to = Party { user: io.people.name_of(agent), ..Party::default() };
        let to = Party { host: io.host.to_string(), ..to };
        let mut dials = Vec::new();
        for target in phones {
            // Nobody listens at a number outside: a machine might.
            if matches!(&target, Target::Uri(uri) if uri.starts_with("tel:")) {
                continue;
            }
            let port = self.ports.take_beside(beside).ok_or("no media port is free")?;
            let mut side = io.side_towards(port, &target);
            let offer = side.offer(&io.settings.media, like);
            let headers = vec![
                ("Subject".to_string(), format!("{} {name}", ears.name())),
                ("X-Pukar-Call".to_string(), name.clone()),
                ("X-Pukar-Kind".to_string(), ears.name().to_string()),
            ];
            let (from, to) = (from.clone(), to.clone());
            let asserted = None;
            let dial = Dial { target, from, to, asserted, headers, forwards, brief: true, offer };
            let role = Role::Supervisor(agent);
            dials.push(Effect::Dial { call: id, role, side, dial: Box::new(dial) });
        }
        if dials.is_empty() {
            return Err("no phone of theirs is there".into());
        }
        if let Some(call) = self.table.get_mut(id) {
            call.watchers.push(Watcher { agent, ears, legs: Vec::new() });
        }
        io.cx.timers.set(Timer::Watch(id, agent), io.cx.now.instant + RING_FOR);
        io.out.extend(dials);
        Ok(())
    }

    /// The supervisor has answered.
    pub(super) fn watcher_answered(
        &mut self,
        io: &mut Io,
        id: CallId,
        (agent, leg): (AgentId, LegId),
        body: Option<Body>,
    ) {
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(watcher) = call.watcher_mut(agent) else { return };
        let taken = watcher.up().is_some();
        let Some(this) = watcher.legs.iter_mut().find(|own| own.id == leg) else { return };
        let usable = body.is_some_and(|body| this.side.accept(&io.settings.media, &body).is_ok());
        if !usable || taken {
            let cause = Cause { q850: Some(if taken { 16 } else { 65 }), ..Cause::default() };
            io.out.push(this.hang_up(cause.clone()));
            return self.watcher_left(io, id, (agent, leg), (488, cause));
        }
        this.stage = Stage::Up;
        io.out.extend(this.agree());
        if std::mem::take(&mut this.moved) {
            io.out.push(this.offer_again(&io.settings.media));
        }
        io.fact(Fact::LegAnswered { call: id, leg });
        self.stop_watcher(io, id, agent, Some(leg));
        self.hears_so(io, id, agent);
    }

    /// The supervisor who is in the call hears, and is heard, as they want to.
    fn hears_so(&mut self, io: &mut Io, id: CallId, agent: AgentId) {
        let Some(call) = self.table.get(id) else { return };
        let Some(watcher) = call.watchers.iter().find(|own| own.agent == agent) else { return };
        let ears = watcher.ears;
        if ears == Ears::Take && self.may_be_taken(io, id).is_ok() {
            io.fact(Fact::Watched { call: id, agent, ears: Some(ears) });
            return self.take_over_call(io, id, agent);
        }
        let Some(call) = self.table.get_mut(id) else { return };
        if let Some(watcher) = call.watcher_mut(agent).filter(|_| ears == Ears::Take) {
            watcher.ears = Ears::Listen;
        }
        let ears = Some(call.ears_of(agent));
        io.fact(Fact::Watched { call: id, agent, ears });
        connect(io, call);
        self.tell_agents(io, id);
    }

    /// Whoever is listened to hears that they are.
    fn tell_agents(&mut self, io: &mut Io, id: CallId) {
        let Some(call) = self.table.get(id).filter(|_| io.settings.in_call.watch_tone) else {
            return;
        };
        let ours: Vec<LegId> = call.talk.iter().copied().filter(|leg| call.is_ours(*leg)).collect();
        for leg in ours {
            self.beep(io, id, leg, io.settings.signals.go_on);
        }
    }

    /// A key on a supervisor's phone.
    pub(super) fn pressed_by_watcher(
        &mut self,
        io: &mut Io,
        id: CallId,
        agent: AgentId,
        key: char,
    ) {
        let Some(to) = Ears::keyed(key) else { return };
        let refused = match to {
            Ears::Take => self.may_be_taken(io, id).err().unwrap_or_default(),
            Ears::Listen | Ears::Whisper | Ears::Barge => String::new(),
        };
        if let Some(watcher) = self.table.get_mut(id).and_then(|call| call.watcher_mut(agent)) {
            let (from, does) = (watcher.ears, refused.is_empty());
            io.out.push(Effect::EarsKeyed { call: id, agent, from, to, refused });
            if does {
                watcher.ears = to;
                self.hears_so(io, id, agent);
            }
        }
    }

    /// `Timer::Watch`: the supervisor's phones have rung for long enough.
    pub fn watch_over(&mut self, io: &mut Io, id: CallId, agent: AgentId) {
        self.stop_watcher(io, id, agent, None);
    }

    /// Phones of the supervisor ring no more, but for this one.
    fn stop_watcher(&mut self, io: &mut Io, id: CallId, agent: AgentId, but: Option<LegId>) {
        io.cx.timers.cancel(Timer::Watch(id, agent));
        let watcher = self.table.get(id).and_then(|call| call.watcher(agent));
        let legs = watcher.map(|own| own.legs.clone()).unwrap_or_default();
        for leg in legs.into_iter().filter(|leg| Some(leg.id) != but) {
            io.out.push(leg.hang_up(answered_elsewhere()));
            self.watcher_left(io, id, (agent, leg.id), (487, answered_elsewhere()));
        }
    }

    /// A phone of a supervisor is over. With the last of them they are out of the call.
    pub(super) fn watcher_left(
        &mut self,
        io: &mut Io,
        id: CallId,
        (agent, leg): (AgentId, LegId),
        (status, cause): (u16, Cause),
    ) {
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(at) = call.watchers.iter().position(|own| own.agent == agent) else { return };
        let legs = &mut call.watchers[at].legs;
        let Some(place) = legs.iter().position(|own| own.id == leg) else { return };
        let gone = legs.remove(place);
        if legs.is_empty() {
            call.watchers.remove(at);
        }
        let out_of_it = !call.watchers.iter().any(|own| own.agent == agent);
        if gone.stage == Stage::Up {
            io.media(Command::Unbridge { port: gone.side.port });
            connect(io, call);
        }
        self.bury(io, id, &gone, status, cause);
        if out_of_it {
            io.cx.timers.cancel(Timer::Watch(id, agent));
            io.fact(Fact::Watched { call: id, agent, ears: None });
            io.out.push(Effect::OwnOver { call: id, agents: vec![agent], noted: false });
        }
    }

    /// The supervisor whose phone this is.
    pub(super) fn watches_by(&self, id: CallId, leg: LegId) -> Option<AgentId> {
        let watchers = &self.table.get(id)?.watchers;
        let of = |watcher: &&Watcher| watcher.legs.iter().any(|own| own.id == leg);
        watchers.iter().find(of).map(|watcher| watcher.agent)
    }

    fn may_be_taken(&mut self, io: &mut Io, id: CallId) -> Result<(), String> {
        self.turn_round(io, id)?;
        let call = self.table.get(id).ok_or("the call is over")?;
        if !call.is_caller_up() || call.own.as_ref().is_some_and(|own| !own.agents.is_empty()) {
            return Err("there is no caller in the call who could be taken over".into());
        }
        Ok(())
    }

    /// The supervisor has the call, and whoever had it has done with it.
    pub(super) fn take_over_call(&mut self, io: &mut Io, id: CallId, agent: AgentId) {
        self.call_off(io, id);
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(at) = call.watchers.iter().position(|own| own.agent == agent) else { return };
        let Some(leg) = call.watchers[at].up().cloned() else { return };
        call.watchers.remove(at);
        let by = call.only_partner().and_then(|leg| call.agent_of(leg));
        let (caller, new, to) = (call.caller.id, leg.id, io.people.name_of(agent));
        self.carry_over(io, (id, id), agent, true);
        let was = leg.role;
        self.take_in(io, (id, id), (was, Leg { role: Role::Agent(agent), ..leg }));
        io.fact(Fact::Watched { call: id, agent, ears: None });
        io.fact(Fact::Transferring { call: id, by, to: to.clone(), way: Way::Blind });
        io.fact(Fact::LegAnswered { call: id, leg: new });
        self.leave_alone(io, id, None);
        self.set_talk(io, id, vec![caller, new]);
        io.fact(Fact::Transferred { call: id, by, to });
        self.connected(io, id, new);
    }

    /// The call is over, for whoever watches it too.
    pub(super) fn nobody_watches(&self, io: &mut Io, id: CallId, call: &Call) {
        for watcher in &call.watchers {
            io.cx.timers.cancel(Timer::Watch(id, watcher.agent));
            let agents = vec![watcher.agent];
            io.out.push(Effect::OwnOver { call: id, agents, noted: false });
        }
    }

    /// The supervisor who speaks with the caller, and has them where everybody else goes.
    pub(super) fn heir(&self, id: CallId) -> Option<AgentId> {
        let call = self.table.get(id).filter(|call| call.is_caller_up() && call.own.is_none())?;
        let barges = |own: &&Watcher| own.ears == Ears::Barge && own.up().is_some();
        call.watchers.iter().find(barges).map(|own| own.agent)
    }
}

impl Call {
    pub fn watcher(&self, agent: AgentId) -> Option<&Watcher> {
        self.watchers.iter().find(|own| own.agent == agent)
    }

    /// Whether this agent is in the call beside the queues: their own phone placed it, was called
    /// by it, or hears it.
    pub fn keeps_from_callers(&self, agent: AgentId) -> bool {
        let own = self
            .own
            .as_ref()
            .is_some_and(|own| own.agents.contains(&agent) || own.second_of == Some(agent));
        own || self.watcher(agent).is_some()
    }

    fn watcher_mut(&mut self, agent: AgentId) -> Option<&mut Watcher> {
        self.watchers.iter_mut().find(|own| own.agent == agent)
    }

    /// The phones of supervisors who have answered.
    pub(super) fn watchers_up(&self) -> impl Iterator<Item = &Leg> {
        self.watchers.iter().filter_map(Watcher::up)
    }

    fn ears_of(&self, agent: AgentId) -> Ears {
        self.watcher(agent).map_or(Ears::Listen, |own| own.ears)
    }

    /// One of ours, to whom a supervisor may whisper: an agent, wherever the call began.
    pub(super) fn is_ours(&self, leg: LegId) -> bool {
        match self.leg(leg).map(|leg| leg.role) {
            Some(Role::Agent(_)) => true,
            Some(Role::Caller) => self.own.as_ref().is_some_and(|own| !own.agents.is_empty()),
            Some(Role::Target) => self.colleague().is_some(),
            Some(Role::Supervisor(_)) | None => false,
        }
    }

    /// Whether a supervisor in the call is heard by whoever is not an agent.
    pub fn is_heard_by_all(&self, watcher: &Watcher) -> bool {
        watcher.ears == Ears::Barge && self.talk.len() > 1
    }

    /// Who is in the room, and whom each hears. Talkers come first.
    pub(super) fn seats(&self) -> Vec<Seat> {
        let talkers: Vec<&Leg> = self.talk.iter().filter_map(|leg| self.leg(*leg)).collect();
        let watchers = self.watchers.iter().filter_map(|own| Some((own.ears, own.up()?)));
        let watchers: Vec<(Ears, &Leg)> = watchers.collect();
        let all = (1_u16 << talkers.len()) - 1;
        let heard_by = |ours: bool| {
            let heard = watchers.iter().enumerate().filter(|(_, (ears, _))| ears.is_heard_by(ours));
            heard.fold(all, |mask, (n, _)| mask | 1 << (talkers.len() + n))
        };
        let seat = |port: PortId, hears: u16, keys: bool| Seat { port, hears, keys };
        let of_talkers =
            talkers.iter().map(|leg| seat(leg.side.port, heard_by(self.is_ours(leg.id)), true));
        // Of two supervisors each hears the one who speaks with all. Their keys are for us.
        let of_watchers =
            watchers.iter().map(|(_, leg)| seat(leg.side.port, heard_by(false), false));
        of_talkers.chain(of_watchers).collect()
    }
}
