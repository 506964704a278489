//! A caller who waits: answered first and queued second, since carriers cut a ringing call after
//! 30 to 90 s; then welcome, music, and the phones that ring for them.

use super::calls::{Calls, Io};
use super::leg::{Leg, Stage};
use super::side::Side;
use super::{Effect, EndedBy, Fact, Missed, Role, Stop};
use crate::base::{AgentId, CallId, LegId, Timer, TuneId};
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
        io.fact(Fact::SystemAnswered { call: id });
        let welcome = std::mem::take(&mut call.says);
        self.tell(io, id, welcome);
    }

    /// Tells a waiting caller something, once, and lets the music go on after it.
    pub(super) fn tell(&mut self, io: &mut Io, id: CallId, tunes: Vec<TuneId>) {
        let Some(call) = self.table.get_mut(id) else { return };
        let (port, then) = (call.caller.side.port, call.music());
        call.caller.hears_tune = then.is_some() || !tunes.is_empty();
        call.piece += u32::from(!tunes.is_empty());
        call.says.clone_from(&tunes);
        if call.caller.hears_tune {
            io.media(Command::Play { port, piece: call.piece, tunes, then });
        }
    }

    /// What the caller was told is over.
    pub(super) fn played(&mut self, id: CallId, piece: u32) {
        if let Some(call) = self.table.get_mut(id).filter(|call| call.piece == piece) {
            call.says.clear();
            call.caller.hears_tune &= call.music.is_some();
        }
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
        let (beside, law) = (call.caller.side.port, call.caller.side.law());
        let mut why = Some(Missed::Unreachable);
        for target in phones {
            let Some(port) = self.ports.take_beside(beside) else {
                why = why.and(Some(Missed::NoPort));
                break;
            };
            let mut side = Box::new(Side::new(port, io.cx.rng));
            let offer = side.offer(&io.settings.media, law);
            let Some(call) = self.table.get(id) else { return };
            let (from, to) = (call.shown.clone(), to.clone());
            let (asserted, headers, forwards) = (None, Vec::new(), call.forwards);
            let dial = Dial { target, from, to, asserted, headers, forwards, offer };
            let role = Role::Agent(agent);
            io.out.push(Effect::Dial { call: id, role, side, dial: Box::new(dial) });
            why = None;
        }
        if let Some(why) = why {
            io.out.push(Effect::Missed { call: id, agent, why });
        }
    }

    /// The leg of an [`Effect::Dial`] has this id.
    pub fn placed(&mut self, io: &mut Io, id: CallId, role: Role, side: Side, leg: LegId) {
        let port = side.port;
        let new = Leg::new(leg, role, side, Stage::Trying);
        let Some(call) = self.table.get_mut(id) else {
            self.ports.give_back(port);
            return io.out.push(new.hang_up(Cause::default()));
        };
        call.others.push(new);
        self.by_leg.insert(leg, id);
        self.by_port.insert(port, (id, leg));
        io.media(Command::Open { port, address: io.settings.media.bind });
        io.fact(Fact::LegOpened { call: id, leg, role });
    }

    /// Stops the agent's phones, unless one of them is the one that the caller talks with.
    pub fn withdraw(&mut self, io: &mut Io, id: CallId, agent: AgentId, why: Stop) {
        match why {
            Stop::RangOut => self.cancel_phones(io, id, agent),
            Stop::AnsweredElsewhere => self.hang_up_phones(io, id, agent, answered_elsewhere()),
            Stop::Gone => self.hang_up_phones(io, id, agent, Cause::default()),
        }
    }

    /// RFC 3261 section 9.1: "a CANCEL request has no effect on a request to which a UAS has
    /// already given a final response". So the phones are kept until they have said what it was.
    fn cancel_phones(&mut self, io: &mut Io, id: CallId, agent: AgentId) {
        let Some(call) = self.table.get_mut(id) else { return };
        let rings = |leg: &&mut Leg| leg.role == Role::Agent(agent) && leg.stage != Stage::Up;
        for leg in call.others.iter_mut().filter(rings).filter(|leg| !leg.cancelled) {
            leg.cancelled = true;
            io.out.push(leg.act(Act::Cancel { cause: Cause::default() }));
        }
    }

    /// The agent's phone answered, but the call is no longer theirs.
    pub fn too_late(&mut self, io: &mut Io, id: CallId, agent: AgentId) {
        let late = |leg: &Leg| leg.role == Role::Agent(agent) && leg.stage == Stage::Up;
        self.stop_phones(io, id, answered_elsewhere(), late);
    }

    /// The caller has waited as long as the queue allows, or the queue is gone.
    pub fn expired(&mut self, io: &mut Io, id: CallId) {
        if let Some(call) = self.table.get(id) {
            let end = call.end(EndedBy::MaxWait, 480, Some(16));
            self.finish(io, id, end, None);
        }
    }

    pub(super) fn hang_up_phones(&mut self, io: &mut Io, id: CallId, agent: AgentId, cause: Cause) {
        self.stop_phones(io, id, cause, |leg| leg.role == Role::Agent(agent));
    }

    /// Hangs up those of these legs that the caller does not talk with.
    fn stop_phones(&mut self, io: &mut Io, id: CallId, cause: Cause, which: impl Fn(&Leg) -> bool) {
        let Some(call) = self.table.get_mut(id) else { return };
        let with = call.talks_with;
        let stops = |leg: &Leg| which(leg) && Some(leg.id) != with;
        let (stopped, kept) = std::mem::take(&mut call.others).into_iter().partition(stops);
        call.others = kept;
        let stopped: Vec<Leg> = stopped;
        for leg in stopped {
            io.out.push(leg.hang_up(cause.clone()));
            let status = if leg.stage == Stage::Up { 200 } else { 487 };
            self.bury(io, id, &leg, status, cause.clone());
        }
    }

    /// The agent's phone vanished in mid-call: the caller waits again, at the old place.
    pub(super) fn return_to_queue(&mut self, io: &mut Io, id: CallId, agent: AgentId) {
        let Some(call) = self.table.get(id) else { return };
        let (arrived, goal) = (call.arrived, call.goal.clone());
        let super::Goal::Queue(queue) = goal else { return };
        io.out.push(Effect::Released { call: id, agent });
        self.hear_music_again(io, id, agent, true);
        io.out.push(Effect::Join { call: id, queue, arrived });
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
        self.bury(io, id, &gone, 200, cause);
        self.hear_music_again(io, id, agent, false);
        io.out.push(Effect::Missed { call: id, agent, why: Missed::Declined });
    }

    /// Nobody talks with the caller any more.
    fn hear_music_again(&mut self, io: &mut Io, id: CallId, agent: AgentId, talked: bool) {
        let Some(call) = self.table.get_mut(id) else { return };
        call.talks_with = None;
        // Whoever waits is not listened to: nothing could ever end a silence that is counted on.
        call.caller.silent = false;
        io.cx.timers.cancel(Timer::Silence(call.caller.id));
        let port = call.caller.side.port;
        io.media(Command::Unbridge { port });
        io.media(Command::Watch { port, silence: None });
        io.fact(Fact::Returned { call: id, agent, talked });
        self.tell(io, id, Vec::new());
    }
}

/// RFC 3326: phones do not list such a call as missed.
pub(super) fn answered_elsewhere() -> Cause {
    Cause { q850: None, sip: Some(200), text: "Call completed elsewhere".into() }
}
