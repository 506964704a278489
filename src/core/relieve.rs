//! Carries an overflow: the caller goes to another queue, or the centre of a district rings while
//! they keep their place. The desk decides when ([`crate::acd::Relief`]).

use super::{Switch, What};
use crate::acd::{Desk, Elsewhere, Overflow, Scene};
use crate::base::{CallId, Now, QueueId};
use crate::call::Centre;
use crate::config::Settings;

impl Switch {
    /// Something may have changed for a caller in a queue.
    pub(super) fn relieve(&mut self, now: Now, call: CallId, out: &mut super::Out) {
        let state = &mut self.state;
        let cx = cx!(state, now);
        let calls = &state.calls;
        let is_down = |trunk| calls.is_down(trunk);
        let is_open = |to: &Elsewhere| match centre(&state.desk, &self.settings, to) {
            Some(Centre::Queue(_)) => true,
            Some(Centre::Trunk(trunk)) => !is_down(trunk),
            None => false,
        };
        let ways = &self.settings.overflows;
        let scene = Scene { ways, is_down: &is_down, is_open: &is_open };
        let from = state.desk.queue_of(call);
        let Some(way) = state.relief.look(cx, &state.desk, &scene, call) else { return };
        let from = from.and_then(|queue| state.desk.queue_settings(queue));
        let from = from.map_or(String::new(), |queue| queue.name.clone());
        self.overflow(now, call, from, way, out);
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
    /// arrival. False: no line leads to a queue any more.
    pub(super) fn rehouse(&mut self, now: Now, call: CallId, out: &mut super::Out) -> bool {
        let known = self.state.calls.get(call).map(|call| (call.arrived, call.dialled.clone()));
        let Some((arrived, dialled)) = known else { return false };
        let queue = self.settings.call.queue_of_number(&dialled);
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

pub(super) fn name(to: &Elsewhere) -> String {
    match to {
        Elsewhere::Queue(name) => format!("queue:{name}"),
        Elsewhere::District(name) => format!("district:{name}"),
    }
}
