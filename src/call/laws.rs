//! What always holds between two events: every leg and port leads to its call and back, and every
//! call is waiting, served, or about to be. The simulator asks after each event.

use super::Goal;
use super::calls::Calls;
use super::conversation::Call;
use super::leg::{Leg, Stage};
use crate::base::{LegId, PortId};

impl Calls {
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

impl Calls {
    /// Supervisors hear what they want to, and are heard by whom they want to be. `hears` asks the
    /// data plane whether what comes in at the second port goes out at the first; `None`: they are
    /// not both open.
    pub fn check_ears(&self, hears: &dyn Fn(PortId, PortId) -> Option<bool>) -> Result<(), String> {
        let watched = self.table.iter().filter(|(_, call)| !call.watchers.is_empty());
        for (id, call) in watched {
            call.check_ears(hears).map_err(|law| format!("{id:?}: {law}"))?;
        }
        Ok(())
    }
}

impl Call {
    fn check_ears(&self, hears: &dyn Fn(PortId, PortId) -> Option<bool>) -> Result<(), String> {
        let talk = self.talk.len() > 1;
        let up = self.watchers.iter().filter_map(|own| Some((own.ears, own.up()?)));
        for (ears, boss) in up {
            for leg in self.legs().filter(|leg| self.is_talking(leg.id)) {
                let speaks = talk && ears.is_heard_by(self.is_ours(leg.id));
                let (boss, party) = (boss.side.port, leg.side.port);
                if hears(boss, party).is_some_and(|hears| hears != talk) {
                    return Err(format!("{ears:?}, and {boss:?} hears {party:?}: {}", !talk));
                }
                if hears(party, boss).is_some_and(|hears| hears != speaks) {
                    return Err(format!("{ears:?}, and {party:?} hears {boss:?}: {}", !speaks));
                }
            }
        }
        Ok(())
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
        if let Some(watcher) = self.watchers.iter().find(|watcher| watcher.legs.is_empty()) {
            return Err(format!("is watched without a phone: {watcher:?}"));
        }
        if self.parked.and_then(|parked| parked.told).is_some_and(|leg| !up(&leg)) {
            return Err(format!("tells a slot to somebody who is gone: {:?}", self.parked));
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
