//! Agents asked for by name, agents' own calls, and conversations that become others', naively.

use super::{AgentState, Busy, Model};
use pukar::acd::{Away, Claim, Effect, Fact, Instead, Join, MissedBecause, Unfree, Withdrawn};
use pukar::base::{AgentId, CallId, Instant, QueueId};
use std::time::Duration;

impl Model {
    pub fn claim(
        &mut self,
        now: Instant,
        call: CallId,
        agent: AgentId,
        queue: Option<QueueId>,
    ) -> Result<(), Unfree> {
        let i = self.agents.iter().position(|a| a.id == agent && !a.gone);
        let i = i.ok_or(Unfree::UnknownAgent)?;
        let who = &self.agents[i];
        match (who.busy, &who.duty) {
            (Some(Busy::WrapsUp(_)), _) if who.beside.is_some() => return Err(Unfree::Engaged),
            (Some(Busy::WrapsUp(own)), _) if own != call || who.stopping.is_some() => {
                return Err(Unfree::WrapsUp);
            }
            (Some(busy), _) if busy != Busy::WrapsUp(call) => return Err(Unfree::Engaged),
            (_, _) if who.stopping.is_some() => return Err(Unfree::Engaged),
            (_, AgentState::Off) => return Err(Unfree::LoggedOut),
            (_, AgentState::Paused { reason }) => {
                return Err(Unfree::Paused { reason: reason.clone() });
            }
            (_, _) if !who.has_phone() => return Err(Unfree::Unreachable),
            (_, _) => {}
        }
        self.begin_claim(i, call, queue);
        self.finish(now);
        Ok(())
    }

    fn begin_claim(&mut self, i: usize, call: CallId, queue: Option<QueueId>) {
        let queue = queue.and_then(|queue| self.queue(queue));
        let wrap_up = queue.map_or(Duration::ZERO, |queue| queue.wrap_up);
        let writes = self.agents[i].busy == Some(Busy::WrapsUp(call));
        self.agents[i].notes = writes.then_some(self.agents[i].until);
        self.agents[i].busy = Some(Busy::Asked(call, wrap_up));
        self.agents[i].asked_by = None;
        let agent = self.agents[i].id;
        self.out.push(Effect::Fact(Fact::Claimed { call, agent }));
    }

    /// As if the caller waited for so long as nobody is free, in no time.
    pub fn claim_any(
        &mut self,
        now: Instant,
        (id, queue): (CallId, QueueId),
        join: Join,
    ) -> Result<AgentId, Unfree> {
        let mut call = self.caller(now, id, queue, join);
        let settings = self.queue(queue).ok_or(Unfree::Nobody)?;
        let sticky = !settings.sticky.is_zero();
        let last = self.last_agent(&call).filter(|_| sticky);
        let (free, chosen) = loop {
            call.held = None;
            let free = self.free(&call);
            if let Some(&same) = free.iter().find(|&&i| Some(self.agents[i].id) == last) {
                call.held = last;
                break (vec![same], same);
            }
            if let Some(&i) = self.choose(&mut call, &free).first() {
                break (free, i);
            }
            call.looked = self.next_look(&call).ok_or(Unfree::Nobody)?;
        };
        let agent = self.agents[chosen].id;
        let mut pick = self.account(&call, Claim::Asked, &free, &[chosen]);
        pick.callers.clear();
        self.out.push(Effect::Fact(Fact::Picked(Box::new(pick))));
        self.went_round(queue, agent);
        self.begin_claim(chosen, id, Some(queue));
        self.finish(now);
        Ok(agent)
    }

    pub fn asked_for(&mut self, call: CallId, agent: AgentId, caller: &str) {
        for who in self.agents.iter_mut().filter(|a| a.id == agent) {
            if let Some(Busy::Asked(own, _) | Busy::Serves(own, ..)) = who.busy
                && own == call
            {
                who.asked_by = (!caller.is_empty()).then(|| caller.to_string());
            }
        }
    }

    pub fn carry_over(
        &mut self,
        now: Instant,
        (from, to): (CallId, CallId),
        agent: AgentId,
        (queue, otherwise): (Option<QueueId>, Duration),
    ) {
        let Some(i) = self.agents.iter().position(|a| a.id == agent) else { return };
        let (wrap_up, since) = match self.agents[i].busy {
            Some(Busy::Talks(call)) if call == from => {
                let c = self.calls.iter().position(|c| c.id == from).unwrap();
                let (_, wrap_up, since) = self.calls.remove(c).talks.unwrap();
                (wrap_up, since)
            }
            Some(Busy::Serves(call, wrap_up, since)) if call == from => (wrap_up, since),
            Some(Busy::Own(call)) if call == from => {
                let queue = queue.and_then(|queue| self.queue(queue));
                (queue.map_or(otherwise, |queue| queue.wrap_up), now)
            }
            _ => return,
        };
        self.agents[i].busy = Some(Busy::Serves(to, wrap_up, since));
        self.finish(now);
    }

    pub fn carry_claim(
        &mut self,
        now: Instant,
        (from, to): (CallId, CallId),
        agent: AgentId,
        queue: Option<QueueId>,
    ) {
        let own = Some(Busy::Own(from));
        let is_it = |a: &super::Agent| a.id == agent && a.busy == own && a.on_duty();
        if let Some(i) = self.agents.iter().position(is_it) {
            self.begin_claim(i, to, queue);
            self.finish(now);
        }
    }

    /// The call needs an agent no more who was asked by name.
    pub fn unserve(&mut self, now: Instant, call: CallId, agent: AgentId) {
        let Some(i) = self.agents.iter().position(|a| a.id == agent) else { return };
        match self.agents[i].busy {
            Some(Busy::Asked(own, _)) if own == call => {
                self.unclaim(now, i, MissedBecause::Withdrawn(Withdrawn::CallerGone));
            }
            Some(Busy::Serves(own, wrap_up, since)) if own == call => {
                let by = self.agents[i].asked_by.take();
                self.served(now, by, agent);
                self.end_talk(now, i, (call, wrap_up, since));
                self.finish(now);
            }
            _ => {}
        }
    }

    pub fn unclaim(&mut self, now: Instant, i: usize, why: MissedBecause) {
        self.end_claim(now, i, why);
        self.finish(now);
    }

    pub fn end_claim(&mut self, now: Instant, i: usize, why: MissedBecause) {
        let busy = self.agents[i].busy.take().unwrap();
        let call = busy.call();
        let notes = self.agents[i].notes.take().filter(|&until| until > now);
        if let (Busy::Asked(..), Some(until)) = (busy, notes) {
            (self.agents[i].busy, self.agents[i].until) = (Some(Busy::WrapsUp(call)), until);
        }
        if let MissedBecause::Withdrawn(_) = why {
            self.agents[i].stopping = Some(call);
        }
        let agent = self.agents[i].id;
        self.out.push(Effect::Fact(Fact::Unclaimed { call, agent, why }));
    }

    pub fn occupy(&mut self, now: Instant, agent: AgentId, call: CallId) {
        for a in self.agents.iter_mut().filter(|a| a.id == agent) {
            if matches!(a.busy, None | Some(Busy::WrapsUp(_))) {
                a.beside.take_if(|beside| *beside == call);
                a.busy = Some(Busy::Own(call));
            }
        }
        self.finish(now);
    }

    /// `lives`: whether the call that is there already does.
    pub fn wait_beside(&mut self, agent: AgentId, call: CallId, lives: bool) {
        for a in self.agents.iter_mut().filter(|a| a.id == agent && a.busy.is_some()) {
            a.beside = a.beside.filter(|_| lives).or(Some(call));
        }
    }

    pub fn own_over(&mut self, now: Instant, agent: AgentId, call: CallId, span: Duration) {
        for a in self.agents.iter_mut().filter(|a| a.id == agent && a.beside == Some(call)) {
            a.beside = None;
        }
        let own = Some(Busy::Own(call));
        if let Some(i) = self.agents.iter().position(|a| a.id == agent && a.busy == own) {
            self.wrap_up(now, i, call, span);
        }
        self.finish(now);
    }

    pub fn spared(&mut self, now: Instant, call: CallId, agent: AgentId) {
        let talks = Some(Busy::Talks(call));
        if let Some(i) = self.agents.iter().position(|a| a.id == agent && a.busy == talks) {
            self.agents[i].busy = None;
            let c = self.calls.iter().position(|c| c.id == call).unwrap();
            let queue = self.calls.remove(c).queue;
            self.out.push(Effect::Fact(Fact::Unqueued { call, queue }));
        }
        self.finish(now);
    }

    /// The agent is not in this call at all, which lives, or does not.
    pub fn repair(&mut self, now: Instant, agent: AgentId, (call, lives): (CallId, bool)) {
        let Some(i) = self.agents.iter().position(|a| a.id == agent) else { return };
        let repaired = Effect::Fact(Fact::Repaired { agent, call });
        if self.agents[i].stopping == Some(call) {
            self.agents[i].stopping = None;
            self.out.push(repaired.clone());
        }
        let busy = self.agents[i].busy.filter(|busy| !matches!(busy, Busy::WrapsUp(_)));
        if let Some(busy) = busy.filter(|busy| busy.call() == call) {
            self.out.push(repaired);
            if !lives {
                self.take_out(now, call);
            }
            self.agents[i].busy = None;
            let known = self.calls.iter().position(|c| c.id == call);
            let rings = |a: &super::Agent| a.rings_for(call);
            let (talked, rang) = (busy == Busy::Talks(call), busy == Busy::Rings(call));
            if let Some(c) = known.filter(|_| talked || rang && !self.agents.iter().any(rings)) {
                let queue = self.calls[c].queue;
                self.calls[c].talks = None;
                if self.queue(queue).is_none() {
                    self.calls.remove(c);
                    self.out.push(Effect::Fact(Fact::Unqueued { call, queue }));
                    self.turn_away(call, queue, Away::NoQueue, Instead::Refuse);
                } else {
                    self.bound_wait(call, now);
                    self.look(now, call);
                }
            }
        }
        self.finish(now);
    }
}
