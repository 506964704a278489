//! Who is offered what. The best caller for whom there is an agent is served first; eligibility
//! comes before weight, because a queue without a free agent of its own has no say.
//!
//! All callers rank all agents alike, and all agents all callers, so there is exactly one matching
//! in which nobody is passed over; serving callers in rank order finds it.

use super::agent::Task;
use super::desk::{Desk, Turn};
use super::queue::Stage;
use super::{Effect, Fact};
use crate::base::{AgentId, CallId, QueueId, Timer};

impl Desk {
    /// Offers until no touched queue has both a caller and an agent. An offer only takes callers
    /// and agents away, so a queue without a pair gets none in this turn.
    pub(super) fn decide(&mut self, mut turn: Turn<'_, '_>) {
        let mut touched = std::mem::take(&mut turn.touched);
        touched.sort_unstable();
        touched.dedup();
        loop {
            let mut best = None;
            touched.retain(|&queue| {
                let rank = self.queues.get(queue).and_then(|line| line.next());
                if let Some(rank) = rank
                    && best.is_none_or(|(first, _)| rank < first)
                {
                    best = Some((rank, queue));
                }
                rank.is_some()
            });
            let Some((rank, queue)) = best else { return };
            self.serve(&mut turn, queue, rank.call);
        }
    }

    /// Rings the longest idle agent of the queue, or all of its free agents at once.
    fn serve(&mut self, turn: &mut Turn<'_, '_>, queue: QueueId, call: CallId) {
        let Some(line) = self.queues.get_mut(queue) else { return };
        let Some(caller) = self.callers.get_mut(&call) else { return };
        line.waiting.remove(&(caller.arrived, call));
        line.ringing.insert((caller.arrived, call));
        let limit = if line.rings_all() { usize::MAX } else { 1 };
        let agents: Vec<AgentId> = line.free.iter().take(limit).map(|&(_, agent)| agent).collect();
        let until = turn.now() + line.settings.ring_for;
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
}
