//! Who is offered what. The best caller for whom there is an agent is served first; eligibility
//! comes before weight, because a lane without a free agent of its own has no say.
//!
//! Which caller is the best does not depend on the agent, so serving callers in rank order passes
//! nobody over for whom there was somebody: a caller comes before another one only by a better
//! rank, or because no free agent may take the other.

use super::agent::Task;
use super::caller::Stage;
use super::desk::{Desk, Turn};
use super::queue::{LaneAt, Rank};
use super::{Effect, Fact, Strategy, strategy};
use crate::base::{CallId, QueueId, Timer};

impl Desk {
    /// Offers until no touched lane has both a caller and an agent. An offer only takes callers
    /// and agents away, so a lane without a pair gets none in this turn.
    pub(super) fn decide(&mut self, mut turn: Turn<'_, '_>) {
        let mut touched = std::mem::take(&mut turn.touched);
        touched.sort_unstable();
        touched.dedup();
        loop {
            let mut best: Option<(Rank, (QueueId, LaneAt))> = None;
            touched.retain(|&(queue, lane)| {
                let line = self.queues.get(queue);
                let rank = line.and_then(|line| line.next(lane, turn.now()));
                if let Some(rank) = rank
                    && best.is_none_or(|(first, _)| rank < first)
                {
                    best = Some((rank, (queue, lane)));
                }
                rank.is_some()
            });
            let Some((rank, (queue, lane))) = best else { return };
            self.serve(&mut turn, queue, lane, rank);
        }
    }

    /// Rings whom the strategy of the queue chooses.
    fn serve(&mut self, turn: &mut Turn<'_, '_>, queue: QueueId, at: LaneAt, rank: Rank) {
        let call = rank.call;
        let Some(line) = self.queues.get(queue) else { return };
        let (Some(caller), Some(lane)) = (self.callers.get_mut(&call), line.lane(at)) else {
            return;
        };
        let agents = strategy::choose(line, lane, caller, turn.cx.rng);
        let until = turn.now() + line.settings.ring_for;
        if let Some(caller) = self.callers.get(&call) {
            let pick = self.account(queue, caller, &agents, rank.claim);
            turn.fact(Fact::Picked(Box::new(pick)));
        }
        let Some(line) = self.queues.get_mut(queue) else { return };
        let Some(caller) = self.callers.get_mut(&call) else { return };
        if line.settings.strategy == Strategy::RoundRobin {
            line.last = agents.last().copied();
        }
        line.waiting.remove(&caller.place);
        if let Some(lane) = line.lane_mut(at) {
            lane.waiting.remove(&caller.place);
            lane.ringing.insert(caller.place);
        }
        match &mut caller.stage {
            Stage::Offered(rung) => rung.extend(&agents),
            Stage::Waiting | Stage::Talking { .. } => {
                caller.stage = Stage::Offered(agents.iter().copied().collect());
            }
        }
        for agent in agents {
            turn.cx.timers.set(Timer::RingTimeout(call, agent), until);
            self.set_task(turn, agent, Task::Offered(call));
            turn.fact(Fact::Offered { call, agent });
            turn.out.push(Effect::Offer { call, agent });
        }
    }

    /// Whether a caller may still ring at this agent.
    pub(super) fn may_take(&self, agent: crate::base::AgentId, call: CallId) -> bool {
        let Some(caller) = self.callers.get(&call) else { return false };
        let line = self.queues.get(caller.queue);
        let who = self.agents.get(agent);
        line.zip(who).is_some_and(|(line, who)| who.meets(&line.settings, &caller.need))
    }
}
