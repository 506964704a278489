//! Into the line and out of it: in which lane a caller stands, and when that is looked at again.

use super::agent::Presence;
use super::caller::{Caller, Need, Place, Stage};
use super::desk::{Desk, Turn};
use super::queue::{Lane, LaneAt, Queue};
use super::strategy;
use super::{Away, Door, Effect, Fact, Instead};
use crate::base::{AgentId, CallId, QueueId, Timer, limits};

impl Desk {
    /// Puts a caller whom nobody has answered into the line, with the need of this moment.
    pub(super) fn enlist(&mut self, turn: &mut Turn<'_, '_>, call: CallId) {
        let Some(caller) = self.callers.get(&call) else { return };
        let Some(queue) = self.queues.get(caller.queue) else { return };
        let (id, now) = (caller.queue, turn.now());
        let (need, next) = caller.need_at(now, &queue.settings);
        let until = caller.joined + queue.settings.sticky;
        let held = caller.held.filter(|&agent| {
            caller.place.ordinary && now < until && self.may_be_waited_for(agent, queue, &need)
        });
        let review = next.into_iter().chain(held.map(|_| until)).min();
        let lane = match held {
            Some(agent) => self.held_lane(id, agent),
            None => self.shared_lane(id, &need),
        };
        let Some(caller) = self.callers.get_mut(&call) else { return };
        let Some(queue) = self.queues.get_mut(id) else { return };
        (caller.held, caller.need, caller.lane, caller.review) = (held, need, lane, review);
        queue.line.insert(caller.place);
        if caller.stage == Stage::Waiting {
            queue.waiting.insert(caller.place);
        }
        if let Some(at) = review {
            queue.agenda.insert((at, call));
            arm_review(turn, id, queue);
        }
        if let Some(lane) = queue.lane_mut(caller.lane) {
            match caller.stage {
                Stage::Waiting => lane.waiting.insert(caller.place),
                Stage::Offered(_) | Stage::Talking { .. } => lane.ringing.insert(caller.place),
            };
        }
        turn.touched.push((id, caller.lane));
    }

    /// Takes a caller out of the line.
    pub(super) fn unlist(&mut self, turn: &mut Turn<'_, '_>, caller: &mut Caller) {
        let Some(queue) = self.queues.get_mut(caller.queue) else { return };
        if !queue.line.remove(&caller.place) {
            return;
        }
        queue.waiting.remove(&caller.place);
        if let Some(at) = caller.review.take() {
            queue.agenda.remove(&(at, caller.place.call));
            arm_review(turn, caller.queue, queue);
        }
        let Some(lane) = queue.lane_mut(caller.lane) else { return };
        let _ = lane.waiting.remove(&caller.place) || lane.ringing.remove(&caller.place);
        if let LaneAt::Held(agent) = caller.lane
            && lane.is_empty()
        {
            queue.held.remove(&agent);
        }
    }

    /// Looks at a caller's need again, in the line as it is.
    pub(super) fn reconsider(&mut self, turn: &mut Turn<'_, '_>, call: CallId) {
        if let Some(mut caller) = self.callers.remove(&call) {
            self.unlist(turn, &mut caller);
            self.callers.insert(call, caller);
            self.enlist(turn, call);
        }
    }

    /// What only time changes in this queue.
    pub(super) fn review(&mut self, turn: &mut Turn<'_, '_>, id: QueueId) {
        let Some(queue) = self.queues.get_mut(id) else { return };
        let due = queue.agenda.iter().take_while(|(at, _)| *at <= turn.now());
        let due: Vec<CallId> = due.map(|&(_, call)| call).collect();
        arm_review(turn, id, queue);
        for call in due {
            self.reconsider(turn, call);
        }
    }

    /// Callers who wait for this agent alone wait no more, for the agent is not to be had.
    pub(super) fn let_go(&mut self, turn: &mut Turn<'_, '_>, agent: AgentId) {
        let Some(who) = self.agents.get(agent) else { return };
        let waits = |&queue: &QueueId| {
            let lane = self.queues.get(queue)?.held.get(&agent)?;
            Some(lane.callers().map(|place| place.call).collect::<Vec<_>>())
        };
        let calls: Vec<CallId> = who.serves.iter().filter_map(waits).flatten().collect();
        for call in calls {
            self.reconsider(turn, call);
        }
    }

    /// Whether a caller of this queue, with this need, may wait for this agent alone.
    fn may_be_waited_for(&self, agent: AgentId, queue: &Queue, need: &Need) -> bool {
        self.agents.get(agent).is_some_and(|who| {
            who.present() == Presence::OnDuty && who.meets(&queue.settings, need)
        })
    }

    fn held_lane(&mut self, queue: QueueId, agent: AgentId) -> LaneAt {
        let at = LaneAt::Held(agent);
        let Some(queue) = self.queues.get_mut(queue) else { return at };
        queue.held.entry(agent).or_insert_with(|| {
            let mut lane = Lane::default();
            if let Some(who) = self.agents.get(agent).filter(|who| who.is_shown_ready()) {
                lane.free.insert(strategy::turn(queue.settings.strategy, agent, who));
            }
            lane
        });
        at
    }

    /// The lane of a need. The first caller with a need that is new pays for the search through
    /// the staff; those who follow find it done.
    pub(super) fn shared_lane(&mut self, id: QueueId, need: &Need) -> LaneAt {
        let Some(queue) = self.queues.get_mut(id) else { return LaneAt::Shared(0) };
        if let Some(known) = queue.lanes.iter().position(|lane| lane.need == *need) {
            return LaneAt::Shared(known as u32);
        }
        let unused = match queue.lanes.len() >= limits::LANES_MAX {
            true => queue.lanes.iter().position(Lane::is_empty),
            false => None,
        };
        let number = unused.unwrap_or(queue.lanes.len());
        let at = (id, number as u32);
        let mut lane = Lane { need: need.clone(), ..Lane::default() };
        for &agent in &queue.staff {
            let Some(who) = self.agents.get_mut(agent) else { continue };
            if unused.is_some() {
                who.lanes.retain(|&other| other != at);
            }
            if who.meets(&queue.settings, need) {
                let place = who.lanes.partition_point(|&other| other < at);
                who.lanes.insert(place, at);
                if who.is_shown_ready() {
                    lane.free.insert(strategy::turn(queue.settings.strategy, agent, who));
                }
            }
        }
        match queue.lanes.get_mut(number) {
            Some(old) => *old = lane,
            None => queue.lanes.push(lane),
        }
        LaneAt::Shared(number as u32)
    }

    /// Why this queue would turn somebody away who comes now; `None`: it would not. `sure`: an
    /// emergency, or whoever was promised a call and has been taken already.
    pub fn turns_away(&self, queue: QueueId, sure: bool) -> Option<Away> {
        self.obstacle(queue, sure).map(|(why, _)| why)
    }

    /// What stands in the way of joining the queue.
    pub(super) fn obstacle(&self, queue: QueueId, sure: bool) -> Option<(Away, Instead)> {
        let Some(queue) = self.queues.get(queue) else {
            return Some((Away::NoQueue, Instead::Refuse));
        };
        let settings = &queue.settings;
        let full = settings.max_callers > 0 && queue.line.len() >= settings.max_callers as usize;
        match settings.when_unstaffed {
            _ if sure => None,
            instead if queue.door == Door::Shut => Some((Away::Shut, instead.unwrap_or_default())),
            Some(instead) if queue.present == 0 => Some((Away::Unstaffed, instead)),
            _ if full => Some((Away::Full, settings.when_full)),
            _ => None,
        }
    }

    /// Why nobody would serve whoever joins the queue now, however urgent.
    pub(super) fn desertion(&self, queue: QueueId) -> Option<(Away, Instead)> {
        let queue = self.queues.get(queue)?;
        let why = match queue.door {
            Door::Shut | Door::Onward => Some(Away::Shut),
            Door::Open => queue.is_deserted().then_some(Away::Unstaffed),
        };
        why.map(|why| (why, Instead::Refuse))
    }

    /// Whether nobody serves those who wait there: no agent is logged in with a phone, or they are
    /// to take the way out.
    pub fn is_deserted(&self, queue: QueueId) -> bool {
        self.queues.get(queue).is_none_or(Queue::is_deserted)
    }

    /// Tells the world that the desk has let go of a call.
    pub(super) fn turn_away(
        &self,
        turn: &mut Turn<'_, '_>,
        (call, queue): (CallId, QueueId),
        (why, instead): (Away, Instead),
    ) {
        turn.fact(Fact::TurnedAway { call, queue, why, instead });
        turn.out.push(Effect::TurnedAway { call, queue, why, instead });
    }
}

fn arm_review(turn: &mut Turn<'_, '_>, id: QueueId, queue: &Queue) {
    match queue.agenda.first() {
        Some(&(at, _)) => turn.cx.timers.set(Timer::QueueReview(id), at),
        None => turn.cx.timers.cancel(Timer::QueueReview(id)),
    }
}

impl Lane {
    pub fn callers(&self) -> impl Iterator<Item = &Place> {
        self.waiting.iter().chain(self.ringing.iter())
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.ringing.is_empty()
    }
}
