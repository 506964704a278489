//! A caller whom the centre of a district is rung for, over its trunk, while they hear music: at
//! once, since their district is known, or later, out of the queue that cannot serve them. The
//! centre is a hope and never a gate: where it does not answer, they wait as everybody does. One
//! that is a switch of ours rings while it has them in its line, and refuses to give them back.

use super::calls::{Calls, Io};
use super::conversation::Call;
use super::leg::{Leg, Stage};
use super::peer;
use super::waiting::answered_elsewhere;
use super::{Centre, Effect, EndedBy, Fact, Goal, Role, Settings};
use crate::base::{CallId, Instant, LegId, QueueId, Timer, TrunkId};
use crate::sip::{Act, Cause, Dial, Party, Target};
use std::time::Duration;

/// A centre that keeps somebody in its line says so every minute (RFC 3261 section 13.3.1.1).
pub(super) const SAYS_SO_WITHIN: Duration = Duration::from_secs(150);

impl Calls {
    /// A trunk answers, or has stopped answering.
    pub fn trunk(&mut self, io: &mut Io, trunk: TrunkId, up: bool) {
        match up {
            true => self.down.remove(&trunk),
            false => self.down.insert(trunk),
        };
        if !up {
            self.line_is_cut(io, trunk);
        }
    }

    /// Whoever is in the line at the other end of it is there no more, as far as anybody here can
    /// know; and whoever was lent from there has their place there.
    fn line_is_cut(&mut self, io: &mut Io, trunk: TrunkId) {
        let settings = io.settings;
        let waits = |call: &Call| call.centre == Some(trunk) && call.waits_at_peer(settings);
        let named = |call: &Call| call.handover.as_ref().is_some_and(|o| o.peer == Some(trunk));
        let named = self.table.iter().filter(|(_, call)| named(call)).map(|(id, _)| id);
        for id in named.collect::<Vec<CallId>>() {
            self.handover_timeout(io, id);
        }
        let lent = |call: &Call| call.is_lent() && call.came_by() == Some(trunk);
        let cut = self.table.iter().filter(|(_, call)| waits(call) || lent(call));
        for id in cut.map(|(id, _)| id).collect::<Vec<CallId>>() {
            match self.table.get(id).filter(|call| call.is_lent()) {
                Some(call) => {
                    let end = call.end(EndedBy::Lost, 480, Some(38));
                    self.finish(io, id, end, None);
                }
                None => {
                    self.stop_centre(io, id, Cause { q850: Some(38), ..Cause::default() });
                    self.without_centre(io, id);
                }
            }
        }
    }

    /// An id of a trunk is a place in the settings, and the settings are new: whatever is about a
    /// trunk stays with the trunk that `moved` says. Who came by one that is gone came by none.
    pub fn move_trunks(&mut self, moved: &dyn Fn(TrunkId) -> Option<TrunkId>) {
        self.down = self.down.iter().copied().filter_map(moved).collect();
        for id in self.table.keys().collect::<Vec<CallId>>() {
            let Some(call) = self.table.get_mut(id) else { continue };
            call.trunk = call.trunk.and_then(moved);
            call.centre = call.centre.and_then(moved);
            if let Some(over) = &mut call.handover {
                over.peer = over.peer.and_then(moved);
                over.next.retain_mut(|next| next.move_trunk(moved));
            }
        }
    }

    pub fn is_down(&self, trunk: TrunkId) -> bool {
        self.down.contains(&trunk)
    }

    /// Rings a centre for a caller who waits, unless one rings for them already or they talk.
    /// Whoever was lent from there is given back.
    pub fn ring_centre(&mut self, io: &mut Io, id: CallId, trunk: TrunkId) {
        let Some(call) = self.table.get_mut(id) else { return };
        if call.is_lent() && call.came_by() == Some(trunk) {
            let end = call.given_back();
            return self.finish(io, id, end, None);
        }
        if !call.is_caller_up() || call.is_served() || call.rings_centre() {
            return;
        }
        if call.came_by() == Some(trunk) {
            return self.without_centre(io, id);
        }
        let Some(port) = self.ports.take_beside(call.caller.side.port) else {
            return self.without_centre(io, id);
        };
        let number = call.dialled.clone();
        let target = Target::Trunk { trunk, number: number.clone() };
        let mut side = io.side_towards(port, &target);
        let offer = side.offer(&io.settings.media, call.caller.side.spoken());
        call.rung = Some(number.clone());
        (call.centre, call.centre_since) = (Some(trunk), io.cx.now.instant);
        let host = io.host.to_string();
        let headers = call.lent_to_centre(io.settings, &target, io.cx.now.instant);
        let dial = Dial {
            target,
            from: call.shown.clone(),
            to: Party { user: number, host, ..Party::default() },
            asserted: Some(call.shown.clone()).filter(|shown| shown.user != "anonymous"),
            headers,
            forwards: call.forwards,
            brief: false,
            offer,
        };
        // Until somebody's phone rings there nobody knows of the caller.
        let span = io.settings.rings_within(trunk).min(io.settings.out.ring_mobile);
        io.cx.timers.set(Timer::DialTimeout(id), io.cx.now.instant + span);
        io.out.push(Effect::Dial { call: id, role: Role::Target, side, dial: Box::new(dial) });
    }

    /// A phone rings at the centre, or they are in its line: whoever is there has time to answer.
    pub(super) fn centre_rings(&mut self, io: &mut Io, id: CallId, first: bool) {
        let Some(call) = self.table.get_mut(id) else { return };
        if first {
            // What rings there may be a mobile. After so long a caller whom a centre keeps in its
            // line waits in ours as well.
            let ring_for = io.settings.out.ring_mobile;
            io.cx.timers.set(Timer::DialTimeout(id), call.centre_since + ring_for);
        }
        if call.waits_at_peer(io.settings) {
            call.centre_since = io.cx.now.instant;
        }
    }

    /// The centre answered a caller who hears music: they talk, and wait no more.
    pub(super) fn centre_answered(&mut self, io: &mut Io, id: CallId, leg: LegId) {
        io.cx.timers.cancel(Timer::DialTimeout(id));
        self.tell_rung(io, id, true);
        let Some(call) = self.table.get_mut(id) else { return };
        let is_peer = call.centre.is_some_and(|trunk| io.settings.is_peer(trunk));
        if let Some(leg) = call.leg_mut(leg) {
            leg.gives_back = is_peer;
        }
        if let Goal::Queue(queue) = call.goal {
            call.goal = Goal::Served { queue };
            io.out.push(Effect::Leave { call: id, hung_up: false });
        }
        let talk = vec![call.caller.id, leg];
        self.set_talk(io, id, talk);
        self.connected(io, id, leg);
    }

    /// The centre did not answer: whoever waits for nobody else joins the queue, at the place of
    /// the arrival.
    pub(super) fn without_centre(&mut self, io: &mut Io, id: CallId) {
        io.cx.timers.cancel(Timer::DialTimeout(id));
        self.tell_rung(io, id, false);
        let Some(call) = self.table.get_mut(id) else { return };
        if let Goal::Served { queue } = call.goal {
            call.goal = Goal::Queue(queue);
            io.out.push(Effect::Join { call: id, queue, arrived: call.arrived });
        }
    }

    /// The centre rings for a caller who needs it no more, or for too long.
    pub(super) fn stop_centre(&mut self, io: &mut Io, id: CallId, cause: Cause) {
        io.cx.timers.cancel(Timer::DialTimeout(id));
        let Some(call) = self.table.get_mut(id) else { return };
        let rings = |leg: &Leg| leg.role == Role::Target && !call.is_talking(leg.id);
        let Some(at) = call.others.iter().position(rings) else { return };
        let leg = call.others.remove(at);
        io.out.push(leg.hang_up(cause.clone()));
        self.bury(io, id, &leg, 487, cause);
    }

    /// The centre has let it ring for too long. One that keeps them in its line goes on, and they
    /// wait here as well: whoever is first has the call.
    pub(super) fn centre_timeout(&mut self, io: &mut Io, id: CallId) {
        let now = io.cx.now.instant;
        let Some(call) = self.table.get_mut(id) else { return };
        if call.waits_at_peer(io.settings) && now.since(call.centre_since) < SAYS_SO_WITHIN {
            io.cx.timers.set(Timer::DialTimeout(id), now + io.settings.out.ring_mobile);
            if let Goal::Served { queue } = call.goal {
                call.goal = Goal::Queue(queue);
                io.out.push(Effect::Join { call: id, queue, arrived: call.arrived });
            }
            return;
        }
        self.stop_centre(io, id, Cause { q850: Some(19), ..Cause::default() });
        self.without_centre(io, id);
    }

    /// A leg that was dialled for the caller is over: was it the last, nobody is at a centre.
    pub(super) fn centre_is_left(&mut self, id: CallId) {
        let Some(call) = self.table.get_mut(id) else { return };
        if !call.others.iter().any(|leg| leg.role == Role::Target) {
            call.centre = None;
        }
    }

    pub(super) fn agent_was_first(&mut self, io: &mut Io, id: CallId) {
        if self.table.get(id).is_some_and(Call::rings_centre) {
            self.stop_centre(io, id, answered_elsewhere());
        }
    }

    /// A queue does not take a caller whom a centre has in its line: they wait there alone, and the
    /// queue is asked again after a while. False: they wait nowhere else.
    pub fn waits_elsewhere(&mut self, io: &Io, id: CallId, queue: QueueId) -> bool {
        let Some(call) = self.table.get_mut(id) else { return false };
        let waits = call.waits_at_peer(io.settings);
        if waits {
            call.goal = Goal::Served { queue };
        }
        waits
    }

    /// Whether a queue may send the caller there: to another queue once, so that nobody goes round
    /// in circles, but once more (`returns`) where everybody has left the one that they are in; to
    /// a centre that can be had, one at a time, and not back to the one that they came from; but
    /// whoever is lent goes there alone. A centre is rung for who is on the line.
    pub fn may_overflow(&self, id: CallId, to: Centre, returns: bool) -> bool {
        let Some(call) = self.table.get(id) else { return false };
        match to {
            Centre::Queue(queue) => returns || !call.been.contains(&queue),
            Centre::Trunk(trunk) if call.is_lent() => {
                call.came_by() == Some(trunk) && !self.is_down(trunk)
            }
            Centre::Trunk(trunk) => {
                let is_back = call.came_by() == Some(trunk);
                let rings = call.rings_centre() || !call.is_caller_up();
                !is_back && !rings && !self.is_down(trunk)
            }
        }
    }

    /// A queue has let the caller in. The switch that lent them hears so by the ringing.
    pub fn waits_in(&mut self, io: &mut Io, id: CallId, queue: QueueId) {
        let Some(call) = self.table.get_mut(id) else { return };
        if call.been.is_empty() && call.is_lent() {
            io.out.push(call.caller.act(Act::Ring { status: 180, body: None }));
        }
        call.been.insert(queue);
    }

    /// Whether a queue that does not keep the caller may send them to a centre.
    pub fn may_be_sent_out(&self, id: CallId) -> bool {
        self.table.get(id).is_some_and(|call| !call.sent_out)
    }

    /// A queue that did not keep the caller sends them to a centre; where that does not answer,
    /// they ask the queue once more.
    pub fn send_out(&mut self, io: &mut Io, id: CallId, queue: QueueId, trunk: TrunkId) {
        if let Some(call) = self.table.get_mut(id) {
            call.goal = Goal::Served { queue };
            call.sent_out = true;
            self.ring_centre(io, id, trunk);
        }
    }

    /// Everybody has left the queue in which a caller waits: whoever is lent is given back at once,
    /// and so is whoever was, and has been answered here meanwhile.
    pub fn give_back(&mut self, io: &mut Io, id: CallId) {
        let Some(call) = self.table.get(id) else { return };
        let at_home = call.came_by().is_some_and(|trunk| !self.is_down(trunk));
        if call.is_lent() {
            let end = call.given_back();
            self.finish(io, id, end, None);
        } else if at_home && call.has_a_home() {
            let cause = peer::gives_back();
            let end = call.end(EndedBy::Switch, 200, cause.q850);
            self.finish_with(io, id, end, None, cause);
        }
    }

    /// A queue that did not keep the caller sends them to another.
    pub fn wait_in(&mut self, io: &mut Io, id: CallId, queue: QueueId) {
        if let Some(call) = self.table.get_mut(id) {
            call.goal = Goal::Queue(queue);
            io.out.push(Effect::Join { call: id, queue, arrived: call.arrived });
        }
    }

    /// The caller had arrived before, in another call whose place is theirs now.
    pub fn arrived_earlier(&mut self, id: CallId, arrived: Instant) {
        if let Some(call) = self.table.get_mut(id) {
            call.arrived = call.arrived.min(arrived);
        }
    }

    /// The caller waits in another queue now.
    pub fn moved(&mut self, id: CallId, queue: QueueId) {
        if let Some(call) = self.table.get_mut(id)
            && let Goal::Queue(at) = &mut call.goal
        {
            *at = queue;
        }
    }

    /// The district of a call, chosen by the caller or by who talks with them; it is remembered for
    /// their next call.
    pub fn choose_district(&mut self, io: &mut Io, id: CallId, district: &str) {
        let Some(call) = self.table.get_mut(id) else { return };
        self.choices.remember(&call.number, district, io.cx.now.instant);
        if call.district != district {
            call.district = district.into();
            io.fact(Fact::District { call: id, district: district.into() });
        }
    }

    pub(super) fn tell_rung(&mut self, io: &mut Io, id: CallId, reached: bool) {
        if let Some(number) = self.table.get_mut(id).and_then(|call| call.rung.take()) {
            io.fact(Fact::Rung { call: id, number, reached });
        }
    }
}

impl Call {
    /// The trunk by which whoever is on the line called us: down it the call is never handed back.
    pub fn came_by(&self) -> Option<TrunkId> {
        self.trunk.filter(|_| self.back.is_none() && self.own.is_none())
    }

    /// A centre that is a switch of ours has them in its line.
    fn waits_at_peer(&self, settings: &Settings) -> bool {
        let rings = |leg: &Leg| leg.role == Role::Target && leg.stage == Stage::Ringing;
        let is_peer = self.centre.is_some_and(|trunk| settings.is_peer(trunk));
        is_peer && self.rings_centre() && self.others.iter().any(rings)
    }

    /// A centre rings for a caller who hears music.
    pub fn rings_centre(&self) -> bool {
        let rings = |leg: &Leg| leg.role == Role::Target && !self.is_talking(leg.id);
        self.is_caller_up() && self.handover.is_none() && self.others.iter().any(rings)
    }
}
