//! Whom among the free a strategy rings: a sort key for each agent, and a choice from the sorted.

use super::agent::Agent;
use super::caller::Caller;
use super::queue::{Lane, Queue, Turn};
use super::{Strategy, sorted::Sorted};
use crate::base::{AgentId, Instant, Rng};
use std::collections::BTreeSet;

/// The agent's turn among the free. Nothing that it is made of changes while an agent is free.
pub(super) fn turn(strategy: Strategy, id: AgentId, agent: &Agent) -> Turn {
    match strategy {
        Strategy::LongestIdle | Strategy::RingAll => (0, agent.idle_since, id),
        Strategy::FewestCalls => (agent.calls, agent.idle_since, id),
        Strategy::LeastTalkTime => (agent.talked, agent.idle_since, id),
        Strategy::Ordered => (u64::from(agent.order), Instant(0), id),
        Strategy::RoundRobin | Strategy::Random => (0, Instant(0), id),
    }
}

/// Who rings for this caller of the lane: one agent, or all who are free. Not none, where anybody
/// is free.
///
/// A missed call sends its agent to the end of the line by the idle clock, and round-robin goes on
/// by itself. The other orders would ring the same agent again after the rest, and those behind
/// never: they ring whoever has not yet missed this caller first, and then begin anew.
pub(super) fn choose(
    queue: &Queue,
    lane: &Lane,
    caller: &mut Caller,
    rng: &mut Rng,
) -> Vec<AgentId> {
    let untried = |tried: &BTreeSet<AgentId>| lane.free.iter().find(|t| !tried.contains(&t.2));
    let one = match queue.settings.strategy {
        Strategy::RingAll => return lane.free.iter().map(|turn| turn.2).collect(),
        Strategy::LongestIdle => lane.free.first(),
        Strategy::RoundRobin => {
            let after = queue.last.and_then(|last| lane.free.after(&(0, Instant(0), last)));
            after.or(lane.free.first())
        }
        Strategy::FewestCalls | Strategy::LeastTalkTime | Strategy::Ordered => {
            untried(&caller.tried).or_else(|| {
                caller.tried.clear();
                lane.free.first()
            })
        }
        Strategy::Random => {
            let mut tried = ranks(&lane.free, &caller.tried);
            if tried.len() == lane.free.len() {
                caller.tried.clear();
                tried.clear();
            }
            draw(&lane.free, &tried, rng)
        }
    };
    one.map(|turn| turn.2).into_iter().collect()
}

/// Where the tried stand among the free, in order.
fn ranks(free: &Sorted<Turn>, tried: &BTreeSet<AgentId>) -> Vec<usize> {
    let turns = tried.iter().map(|&agent| (0, Instant(0), agent));
    turns.filter(|turn| free.contains(turn)).map(|turn| free.rank(&turn)).collect()
}

/// Any of the free but those at these ranks.
fn draw<'a>(free: &'a Sorted<Turn>, tried: &[usize], rng: &mut Rng) -> Option<&'a Turn> {
    let left = free.len().checked_sub(tried.len()).filter(|&left| left > 0)?;
    let mut nth = rng.below(left as u64) as usize;
    for &rank in tried {
        if rank <= nth {
            nth += 1;
        }
    }
    free.nth(nth)
}
