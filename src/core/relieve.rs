//! Carries an overflow: the caller goes to another queue, or the centre of a district rings while
//! they keep their place. The desk decides when ([`crate::acd::Relief`]), and says whether the
//! other queue takes them: until one does, they stay where they are.

use super::{State, Switch, What};
use crate::acd::{Desk, Elsewhere, Lead, Overflow, Scene};
use crate::base::{CallId, Cx, Now, QueueId, TrunkId};
use crate::call::Centre;
use crate::config::Settings;

impl Switch {
    /// Something may have changed for a caller in a queue.
    pub(super) fn relieve(&mut self, now: Now, call: CallId, out: &mut super::Out) {
        let sure = self.is_sure(call);
        let State { rng, timers, relief, calls, desk, .. } = &mut self.state;
        let (desk, calls, settings) = (&*desk, &*calls, &self.settings);
        let is_down = |trunk: TrunkId| calls.is_down(trunk);
        let own = desk.queue_of(call);
        let leads = |to: &Elsewhere| {
            let to = centre(desk, settings, to).filter(|to| own.map(Centre::Queue) != Some(*to));
            let Some(to) = to else { return Lead::Closed };
            let may = calls.may_overflow(call, to, is_better(desk, own, to));
            lead(desk, to, (may, sure, false))
        };
        let scene = Scene { ways: &settings.overflows, is_down: &is_down, leads: &leads };
        let cx = &mut Cx { now, rng, timers };
        let Some(way) = relief.look(cx, desk, &scene, call) else { return };
        let from = desk.queue_of(call).and_then(|queue| desk.queue_settings(queue));
        let from = from.map_or(String::new(), |queue| queue.name.clone());
        self.overflow(now, call, from, way, out);
    }

    /// The first way out of a queue, which does not keep the caller, that is open to them: where
    /// somebody works, or else where they may wait. An emergency may wait where it is.
    pub(super) fn way_out(&self, call: CallId, queue: QueueId) -> Option<Overflow> {
        let urgent = self.state.calls.get(call).is_some_and(|known| known.emergency);
        let anywhere = || self.way_from(call, queue, true).filter(|_| !urgent);
        self.way_from(call, queue, false).or_else(anywhere)
    }

    fn way_from(&self, call: CallId, queue: QueueId, anywhere: bool) -> Option<Overflow> {
        let State { calls, desk, relief, .. } = &self.state;
        let (sure, may_ring) = (self.is_sure(call), calls.may_be_sent_out(call));
        let is_down = |trunk: TrunkId| calls.is_down(trunk);
        let leads = |to: &Elsewhere| match centre(desk, &self.settings, to) {
            Some(Centre::Trunk(_)) if !may_ring => Lead::Closed,
            // It is this queue that does not keep them.
            Some(Centre::Queue(own)) if own == queue => Lead::Closed,
            Some(to) => lead(desk, to, (calls.may_overflow(call, to, false), sure, anywhere)),
            None => Lead::Closed,
        };
        let ways = &self.settings.overflows;
        let scene = Scene { ways, is_down: &is_down, leads: &leads };
        relief.way_out(desk, &scene, queue)
    }

    /// Whether every queue takes this caller: an emergency, or a promise of a call.
    fn is_sure(&self, call: CallId) -> bool {
        let known = self.state.calls.get(call);
        known.is_some_and(|call| call.emergency) || self.state.callbacks.knows(call)
    }

    fn overflow(
        &mut self,
        now: Now,
        call: CallId,
        from: String,
        way: Overflow,
        out: &mut super::Out,
    ) {
        let why = way.when.name().to_string();
        let (to, centre) = (name(&way.to), self.centre(&way.to));
        match centre {
            Some(Centre::Queue(queue)) => {
                self.fact(now, What::Overflowed { call, from, to, why }, out);
                self.move_to(now, call, queue, out);
            }
            Some(Centre::Trunk(trunk)) => {
                self.fact(now, What::Overflowed { call, from, to, why }, out);
                self.calls(now, |calls, io| calls.ring_centre(io, call, trunk));
            }
            // Nobody is sent where nobody is.
            None => {}
        }
    }

    /// Who serves there; `None`: a reload took it away.
    pub(super) fn centre(&self, to: &Elsewhere) -> Option<Centre> {
        centre(&self.state.desk, &self.settings, to)
    }

    /// The place in the new line is that of the arrival, as it was in the old one.
    fn move_to(&mut self, now: Now, call: CallId, queue: QueueId, out: &mut super::Out) {
        let Some(arrived) = self.state.desk.arrived(call) else { return };
        self.state.calls.moved(call, queue);
        self.join(now, call, queue, arrived);
        self.relieve(now, call, out);
    }

    /// A reload took their queue away: they wait where their line leads now, at the place of their
    /// arrival, however many wait there. False: no line leads to a queue any more.
    pub(super) fn rehouse(&mut self, now: Now, call: CallId, out: &mut super::Out) -> bool {
        let known = self.state.calls.get(call).map(|call| (call.arrived, call.dialled.clone()));
        let Some((arrived, dialled)) = known else { return false };
        let queue = self.settings.call.queue_of_number(&self.numbers, &dialled);
        let known = queue.and_then(|queue| Some((queue, self.state.desk.queue_settings(queue)?)));
        let Some((queue, settings)) = known else { return false };
        let (from, to) = (String::new(), format!("queue:{}", settings.name));
        self.fact(now, What::Overflowed { call, from, to, why: "queue-removed".into() }, out);
        self.state.calls.moved(call, queue);
        self.join(now, call, queue, arrived);
        self.relieve(now, call, out);
        true
    }

    pub(super) fn relieve_everybody(&mut self, now: Now, out: &mut super::Out) {
        if self.settings.overflows.is_empty() && self.state.relief.is_empty() {
            return;
        }
        let calls: Vec<CallId> = self.state.desk.calls().collect();
        for call in calls {
            self.relieve(now, call, out);
        }
    }

    /// Somebody has left: whoever waits where nobody is any more, and has a place at another
    /// switch, goes back to it.
    pub(super) fn give_back_lent(&mut self, now: Now) {
        for call in self.state.desk.left_alone() {
            self.calls(now, |calls, io| calls.give_back(io, call));
        }
    }

    pub(super) fn relieved(&mut self, now: Now, call: CallId) {
        let state = &mut self.state;
        let cx = cx!(state, now);
        state.relief.forget(cx, call);
        state.announcer.forget(cx, call);
    }
}

fn centre(desk: &Desk, settings: &Settings, to: &Elsewhere) -> Option<Centre> {
    match to {
        Elsewhere::Queue(name) => desk.queue_id(name).map(Centre::Queue),
        Elsewhere::District(name) => settings.call.district(name).map(|district| district.centre),
    }
}

/// Whether they go there, where they may. Nobody is sent where nobody works, but on from there,
/// unless there is no place for them where they are (`anywhere`).
fn lead(desk: &Desk, to: Centre, (may, sure, anywhere): (bool, bool, bool)) -> Lead {
    let Centre::Queue(queue) = to else { return if may { Lead::Open } else { Lead::Closed } };
    let takes = may && desk.turns_away(queue, sure).is_none();
    match desk.is_deserted(queue) {
        true if takes && anywhere => Lead::Open,
        true => Lead::Onward(queue),
        false if takes => Lead::Open,
        false => Lead::Closed,
    }
}

/// Whether somebody works there, and nobody where they wait.
fn is_better(desk: &Desk, own: Option<QueueId>, to: Centre) -> bool {
    let Centre::Queue(queue) = to else { return false };
    !desk.is_deserted(queue) && own.is_some_and(|own| desk.is_deserted(own))
}

pub(super) fn name(to: &Elsewhere) -> String {
    match to {
        Elsewhere::Queue(name) => format!("queue:{name}"),
        Elsewhere::District(name) => format!("district:{name}"),
    }
}
