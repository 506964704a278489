//! Who hears whom: has the data plane do what [`Call::talk`] says, and plays music to whoever is
//! kept waiting meanwhile.

use super::calls::{Calls, Io};
use super::conversation::Call;
use super::leg::{Leg, Stage};
use super::{Effect, Fact, MissedNews, Role};
use crate::base::{CallId, LegId, PortId, Timer, TuneId};
use crate::media::control::Command;
use crate::sip::Act;
use std::time::Duration;

/// Whoever waits and sends nothing for so long is asked whether they are there.
const ABSENT_AFTER: Duration = Duration::from_secs(10);

impl Calls {
    /// From now on these legs hear one another, and nobody else does.
    pub(super) fn set_talk(&mut self, io: &mut Io, id: CallId, talk: Vec<LegId>) {
        let Some(call) = self.table.get_mut(id) else { return };
        if talk.contains(&call.caller.id) {
            // What was being said is said once; whoever returns hears music.
            call.says.clear();
            call.later.clear();
        }
        let before = std::mem::replace(&mut call.talk, talk);
        for leg in before {
            if call.is_heard(leg) {
                continue;
            }
            let Some(leg) = call.leg_mut(leg) else { continue };
            // Whoever is not heard is not listened to: nothing could ever end a silence that is
            // counted on.
            leg.silent = false;
            io.cx.timers.cancel(Timer::Silence(leg.id));
            io.media(Command::Unbridge { port: leg.side.port });
            let silence = leg.awaits_nobody(io);
            io.media(Command::Watch { port: leg.side.port, silence });
        }
        stop_music(io, call);
        connect(io, call);
        align(io, call);
        for leg in call.talk.clone() {
            watch(io, call, id, leg);
        }
        start_music(io, call);
        tell_hold(io, call, id);
    }

    /// The caller and this leg hear each other, as a fact.
    pub(super) fn connected(&mut self, io: &mut Io, id: CallId, leg: LegId) {
        let Some(call) = self.table.get_mut(id) else { return };
        call.was_connected_before = call.was_connected;
        (call.was_connected, call.connected) = (true, io.cx.now.instant);
        let agent = call.leg(leg).and_then(Leg::agent);
        call.last_agent = agent.or(call.last_agent);
        let reached = call.way_out().map(|way| way.number.clone());
        let number = reached.clone().unwrap_or_else(|| call.number.clone());
        io.fact(Fact::Connected { call: id, agent });
        self.missed.close(io, &number, MissedNews::Served);
        let Some(call) = self.table.get(id) else { return };
        if reached.is_some() {
            io.out.push(Effect::TalkedWith { number, line: None });
        } else if call.back.is_none() && call.own.is_none() && !number.is_empty() {
            let line = Some(call.line.clone());
            io.out.push(Effect::TalkedWith { number, line });
        }
    }

    /// What a leg agreed to has changed: tell the data plane; whoever is on hold hears music.
    pub(super) fn agreed(&mut self, io: &mut Io, id: CallId, leg: LegId) {
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(this) = call.leg(leg) else { return };
        io.out.extend(this.agree());
        if call.is_heard(leg) {
            watch(io, call, id, leg);
            stop_music(io, call);
            start_music(io, call);
            tell_hold(io, call, id);
        }
    }

    /// The leg has a new port: whatever it heard goes on there.
    pub(super) fn resume_media(&mut self, io: &mut Io, id: CallId, leg: LegId) {
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(this) = call.leg_mut(leg) else { return };
        // A new port counts from its beginning.
        forget_silence(io, id, this);
        forget_ails(io, id, this);
        if std::mem::take(&mut this.hears_tune) {
            start_music(io, call);
        }
        if call.is_heard(leg) {
            connect(io, call);
            return watch(io, call, id, leg);
        }
        if call.watchers_up().any(|own| own.id == leg) {
            return connect(io, call);
        }
        let Some(this) = call.leg_mut(leg) else { return };
        if std::mem::take(&mut this.absent) && !this.unheard {
            io.cx.timers.cancel(Timer::Recheck(leg));
        }
        if let Some(silence) = this.awaits_nobody(io) {
            io.media(Command::Watch { port: this.side.port, silence: Some(silence) });
        }
    }

    /// A short sound for one party, in the midst of whatever it hears.
    pub(super) fn beep(&mut self, io: &mut Io, id: CallId, leg: LegId, tune: Option<TuneId>) {
        let Some(call) = self.table.get(id).filter(|call| !call.is_told_slot(leg)) else { return };
        if let Some((leg, tune)) = call.leg(leg).zip(tune) {
            let then = call.behind(leg.id).filter(|_| call.hears_music(leg));
            io.media(Command::Play { port: leg.side.port, piece: 0, tunes: vec![tune], then });
        }
    }
}

impl Leg {
    /// How long a caller who waits may send nothing before somebody asks whether they are there.
    pub(super) fn awaits_nobody(&self, io: &Io) -> Option<Duration> {
        let alarm = io.settings.media.silence_alarm;
        let waits = self.role == Role::Caller && self.stage == Stage::Up;
        // Never the span that holds in a talk: a port counts anew only when it is told another.
        (waits && !alarm.is_zero()).then(|| alarm.max(ABSENT_AFTER) + Duration::from_millis(1))
    }
}

/// Bridges a pair, gathers a room; whoever watches sits in it too.
pub(super) fn connect(io: &mut Io, call: &Call) {
    let ports = call.talk.iter().filter_map(|leg| call.leg(*leg)).map(|leg| leg.side.port);
    let ports: Vec<PortId> = ports.collect();
    let watched: Vec<PortId> = call.watchers_up().map(|leg| leg.side.port).collect();
    match ports[..] {
        [] | [_] => {
            watched.into_iter().for_each(|port| io.media(Command::Unbridge { port }));
        }
        [a, b] if watched.is_empty() => io.media(Command::Bridge { a, b }),
        _ if watched.is_empty() => io.media(Command::gather(&ports)),
        _ => io.media(Command::Gather { seats: call.seats() }),
    }
}

/// Of two who speak unlike codecs, one who knows the other's is asked to speak that: then nothing
/// has to be converted. The wider one is tried first.
fn align(io: &mut Io, call: &mut Call) {
    let [one, other] = call.talk[..] else { return };
    let spoken = |leg: LegId| call.leg(leg).and_then(|leg| leg.side.spoken());
    let Some((a, b)) = spoken(one).zip(spoken(other)) else { return };
    let mut ways = [(one, b), (other, a)];
    ways.sort_by_key(|(_, like)| std::cmp::Reverse(like.codec.rate()));
    for (leg, like) in ways {
        let Some(leg) = call.leg_mut(leg).filter(|leg| leg.stage == Stage::Up) else { continue };
        if leg.side.could_speak(&io.settings.media, like) {
            let body = leg.side.offer(&io.settings.media, Some(like));
            return io.out.push(leg.act(Act::Offer { body }));
        }
    }
}

pub(super) fn stop_music(io: &mut Io, call: &mut Call) {
    let done = |call: &Call, leg: &Leg| leg.hears_tune && !call.hears_music(leg);
    let done: Vec<LegId> = call.legs().filter(|leg| done(call, leg)).map(|leg| leg.id).collect();
    for leg in done {
        let Some(leg) = call.leg_mut(leg) else { continue };
        leg.hears_tune = false;
        io.media(Command::Stop { port: leg.side.port });
    }
}

pub(super) fn start_music(io: &mut Io, call: &mut Call) {
    let due = |call: &Call, leg: &Leg| !leg.hears_tune && call.hears_music(leg);
    let due: Vec<LegId> = call.legs().filter(|leg| due(call, leg)).map(|leg| leg.id).collect();
    for leg in due {
        let Some(play) = call.leg(leg).and_then(|leg| call.hears(leg)) else { continue };
        if let Some(leg) = call.leg_mut(leg) {
            leg.hears_tune = true;
            io.media(play);
        }
    }
}

pub(super) fn tell_hold(io: &mut Io, call: &mut Call, id: CallId) {
    let held = call.keeps_waiting();
    let before = std::mem::replace(&mut call.held, held);
    match (before, held) {
        (before, held) if before == held => {}
        (Some(by), None) => io.fact(Fact::Held { call: id, by, held: false }),
        (_, Some(by)) => io.fact(Fact::Held { call: id, by, held: true }),
        (None, None) => {}
    }
}

/// Asks to be told of silence, where the party should be heard. Who was silent before is so still:
/// only the data plane says that somebody is heard. Where nobody waits to hear them any more, they
/// are not silent, and the data plane counts anew when somebody does.
pub(super) fn watch(io: &mut Io, call: &mut Call, id: CallId, leg: LegId) {
    if !call.is_heard(leg) {
        return;
    }
    let alarm = io.settings.media.silence_alarm;
    let placed = call.has_reached(leg);
    let Some(leg) = call.leg_mut(leg) else { return };
    if std::mem::take(&mut leg.absent) && !leg.unheard {
        io.cx.timers.cancel(Timer::Recheck(leg.id));
    }
    let speaks = leg.side.far.is_some_and(|far| far.speaks) && !leg.side.held();
    let silence = (speaks && !alarm.is_zero()).then_some(alarm);
    if silence.is_none() {
        forget_silence(io, id, leg);
    }
    io.media(Command::Watch { port: leg.side.port, silence });
    if placed || matches!(leg.role, Role::Agent(_)) {
        io.media(Command::Codes { port: leg.side.port });
    }
}

/// The port is another, and tells anew.
pub(super) fn forget_ails(io: &mut Io, call: CallId, leg: &mut Leg) {
    for what in std::mem::take(&mut leg.ails) {
        io.fact(Fact::Ailing { call, role: leg.role, what, on: false, from: None });
    }
}

fn forget_silence(io: &mut Io, id: CallId, leg: &mut Leg) {
    io.cx.timers.cancel(Timer::Silence(leg.id));
    if std::mem::take(&mut leg.silent) {
        io.fact(Fact::Silent { call: id, role: leg.role, silent: false });
    }
}
