//! Two parties who talk: the bridge, hold, silence, and the direct call to a fixed address.

use super::calls::{Calls, Io};
use super::conversation::Call;
use super::leg::{Leg, Stage};
use super::own::Ring;
use super::waiting::answered_elsewhere;
use super::{Effect, EndedBy, Fact, MissedNews, Role, routing};
use crate::base::{AgentId, CallId, LegId, PortId, Timer};
use crate::media::control::Command;
use crate::sip::{Act, Body, Cause, Party, Target};
use std::time::Duration;

/// How long a dialled party may ring: a landline rings for 60 s.
const RING_FOR: Duration = Duration::from_secs(60);

impl Calls {
    /// The agent has the call: caller and agent hear each other, every other phone stops.
    pub fn connect(&mut self, io: &mut Io, id: CallId, agent: AgentId) {
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(leg) = call.answered_by(agent).map(|leg| leg.id) else { return };
        call.talks_with = Some(leg);
        self.bridge(io, id);
        self.hang_up_phones(io, id, agent, answered_elsewhere());
        self.agent_was_first(io, id);
    }

    pub(super) fn bridge(&mut self, io: &mut Io, id: CallId) {
        let Some(call) = self.table.get_mut(id) else { return };
        call.was_connected = true;
        let number = call.number.clone();
        let (caller, agent) = (call.caller.side.port, call.agent());
        call.says.clear();
        call.later.clear();
        if std::mem::take(&mut call.caller.hears_tune) {
            io.media(Command::Stop { port: caller });
        }
        let Some(peer) = call.peer_of(call.caller.id).map(|leg| leg.side.port) else { return };
        io.media(Command::Bridge { a: caller, b: peer });
        io.fact(Fact::Connected { call: id, agent });
        self.missed.close(io, &number, MissedNews::Served);
        let Some(call) = self.table.get_mut(id) else { return };
        for leg in [call.caller.id, call.talks_with.unwrap_or(call.caller.id)] {
            watch(io, call, id, leg);
        }
    }

    /// Rings the fixed address of a direct line.
    pub(super) fn dial_target(&mut self, io: &mut Io, id: CallId, uri: String) {
        let Some(call) = self.table.get_mut(id) else { return };
        call.rung = routing::number_of(io.settings, &uri);
        let from = call.shown.clone();
        let to = Party { host: io.host.to_string(), ..Party::default() };
        let ring = Ring { target: Target::Uri(uri), from, to, asserted: None };
        self.ring_target(io, id, ring, RING_FOR);
    }

    /// The dialled party has let it ring for too long.
    pub fn dial_timeout(&mut self, io: &mut Io, id: CallId) {
        if let Some(call) = self.table.get(id) {
            if call.rings_centre() {
                return self.centre_timeout(io, id);
            }
            if call.is_dialled_back() {
                let cause = Cause { q850: Some(19), ..Cause::default() };
                return self.not_reached(io, id, (487, cause), None);
            }
            if self.hunts_on(io, id) {
                return;
            }
            let Some(call) = self.table.get(id) else { return };
            let end = call.end(EndedBy::Switch, 480, Some(19));
            self.tell_rung(io, id, false);
            self.finish(io, id, end, None);
        }
    }

    /// The dialled party answered: so do we.
    pub(super) fn target_answered(&mut self, io: &mut Io, id: CallId, leg: LegId) {
        io.cx.timers.cancel(Timer::DialTimeout(id));
        self.tell_rung(io, id, true);
        let Some(call) = self.table.get_mut(id) else { return };
        call.talks_with = Some(leg);
        self.target_was_first(io, id);
        let Some(call) = self.table.get_mut(id) else { return };
        let side = &mut call.caller.side;
        let description = match call.offer.take() {
            Some(offer) => side.answer(&io.settings.media, &offer),
            None => Ok(side.offer(&io.settings.media, None)),
        };
        let Ok(body) = description else {
            let end = call.end(EndedBy::Switch, 488, Some(65));
            return self.finish(io, id, end, None);
        };
        call.caller.stage = Stage::Up;
        io.out.push(call.caller.act(Act::Answer { body }));
        io.out.extend(call.caller.agree());
        self.bridge(io, id);
    }

    /// A re-INVITE or UPDATE from either party: agree to what can be, hold and resume included.
    pub(super) fn offered(&mut self, io: &mut Io, id: CallId, leg: LegId, offer: Option<Body>) {
        let Some(leg) = self.table.get_mut(id).and_then(|call| call.leg_mut(leg)) else { return };
        let law = leg.side.law();
        let answer = match &offer {
            Some(offer) => leg.side.answer(&io.settings.media, offer),
            None => Ok(leg.side.offer(&io.settings.media, law)),
        };
        let (leg_id, act) = match answer {
            Ok(body) => (leg.id, Act::AnswerOffer { body }),
            Err(status) => return io.out.push(leg.act(Act::RefuseOffer { status })),
        };
        io.out.push(leg.act(act));
        if offer.is_some() {
            self.agreed(io, id, leg_id);
        }
    }

    /// What a leg agreed to has changed: tell the data plane; the other party hears music while on
    /// hold.
    pub(super) fn agreed(&mut self, io: &mut Io, id: CallId, leg: LegId) {
        let Some(call) = self.table.get_mut(id) else { return };
        let music = call.music();
        let Some(this) = call.leg_mut(leg) else { return };
        io.out.extend(this.agree());
        let (held, role) = (this.side.held(), this.role);
        if call.talks_with.is_none() || call.peer_of(leg).is_none() {
            return;
        }
        let changed = call.leg_mut(leg).is_some_and(|this| {
            let changed = this.holds != held;
            this.holds = held;
            changed
        });
        watch(io, call, id, leg);
        if !changed {
            return;
        }
        io.fact(Fact::Held { call: id, by: role, held });
        let Some(peer) = call.peer_of_mut(leg) else { return };
        let port = peer.side.port;
        match music.filter(|_| held) {
            Some(music) => {
                peer.hears_tune = true;
                io.media(Command::music(port, music.tune, music.since));
            }
            None if std::mem::take(&mut peer.hears_tune) => io.media(Command::Stop { port }),
            None => {}
        }
    }

    /// The leg has a new port: whatever it heard goes on there.
    pub(super) fn resume_media(&mut self, io: &mut Io, id: CallId, leg: LegId) {
        let Some(call) = self.table.get_mut(id) else { return };
        let Some(this) = call.leg(leg) else { return };
        let port = this.side.port;
        io.out.extend(call.hears(this).filter(|_| this.hears_tune).map(Effect::Media));
        if let Some(peer) = call.peer_of(leg).filter(|_| call.was_connected) {
            io.media(Command::Bridge { a: port, b: peer.side.port });
            watch(io, call, id, leg);
        }
    }

    /// A talking party is not heard, or is heard again.
    pub(super) fn silence(&mut self, io: &mut Io, port: PortId, silent: bool) {
        let Some(&(id, leg)) = self.by_port.get(&port) else { return };
        let Some(call) = self.table.get_mut(id) else { return };
        if call.talks_with.is_none() || call.peer_of(leg).is_none() {
            return;
        }
        let Some(leg) = call.leg_mut(leg) else { return };
        if std::mem::replace(&mut leg.silent, silent) == silent {
            return;
        }
        io.fact(Fact::Silent { call: id, role: leg.role, silent });
        let (alarm, hangup) = (io.settings.media.silence_alarm, io.settings.media.silence_hangup);
        if silent && !hangup.is_zero() {
            let at = io.cx.now.instant + hangup.saturating_sub(alarm);
            io.cx.timers.set(Timer::Silence(leg.id), at);
        } else {
            io.cx.timers.cancel(Timer::Silence(leg.id));
        }
    }

    /// A party has been silent for so long that it must have gone.
    pub fn silence_over(&mut self, io: &mut Io, leg: LegId) {
        let Some(&id) = self.by_leg.get(&leg) else { return };
        let Some(call) = self.table.get(id) else { return };
        let Some(gone) = call.leg(leg) else { return };
        if let (Role::Agent(_), Some(_)) = (gone.role, call.peer_of(leg)) {
            let cause = Cause { q850: Some(27), ..Cause::default() };
            io.out.push(gone.hang_up(cause.clone()));
            return self.lost(io, id, leg, cause);
        }
        let end = call.end(gone.lost_as(EndedBy::Silence), 200, Some(27));
        self.finish(io, id, end, None);
    }

    /// A talking agent's leg is gone without a goodbye.
    pub(super) fn lost(&mut self, io: &mut Io, id: CallId, leg: LegId, cause: Cause) {
        let Some(call) = self.table.get_mut(id) else { return };
        if call.is_dialled_back() {
            return self.not_reached(io, id, (487, cause), Some(leg));
        }
        let agent = call.agent();
        let Some(leg) = call.take_other(leg) else { return };
        self.bury(io, id, &leg, 408, cause);
        if let Some(agent) = agent {
            self.return_to_queue(io, id, agent);
        }
    }
}

/// Asks to be told of silence, where the party should be heard. The data plane counts from now on,
/// so what it told before is void here too: it would never say that the party is heard again.
pub(super) fn watch(io: &mut Io, call: &mut Call, id: CallId, leg: LegId) {
    let alarm = io.settings.media.silence_alarm;
    let Some(leg) = call.leg_mut(leg) else { return };
    let Leg { side, holds, .. } = leg;
    let speaks = side.far.is_some_and(|far| far.speaks) && !*holds;
    io.cx.timers.cancel(Timer::Silence(leg.id));
    if std::mem::take(&mut leg.silent) {
        io.fact(Fact::Silent { call: id, role: leg.role, silent: false });
    }
    let silence = (speaks && !alarm.is_zero()).then_some(alarm);
    io.media(Command::Watch { port: leg.side.port, silence });
}
