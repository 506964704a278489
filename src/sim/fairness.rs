//! Who waits, as the facts tell it, and whether a pick passes anybody over without saying why, or
//! says what is not so. Counted apart from the queue engine, which says what it looked at.

use super::plan::{Plan, agent_number};
use crate::acd::{self, MissedBecause, PassedOver, Pick, Verdict};
use crate::base::{AgentId, CallId, Instant, QueueId};
use crate::call::{self, Wish};
use crate::core::{Fact, State, What};
use std::cmp::Reverse;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Fairness {
    calls: BTreeMap<CallId, Caller>,
}

#[derive(Debug, Default)]
struct Caller {
    wish: Wish,
    queue: Option<QueueId>,
    rings: usize,
    talks: bool,
}

type Place = (bool, Reverse<u8>, Instant, CallId);

impl Fairness {
    pub fn note(&mut self, fact: &Fact, plan: &Plan, state: &State) -> Result<(), String> {
        match &fact.what {
            What::Call(call::Fact::Arrived { call, arrival }) => {
                let wish = plan.region.wish(&arrival.line);
                let caller = Caller { wish, ..Caller::default() };
                self.calls.insert(*call, caller);
                Ok(())
            }
            What::Call(call::Fact::Ended { call, .. }) => {
                self.calls.remove(call);
                Ok(())
            }
            What::Desk(acd::Fact::Picked(pick)) => {
                let now = fact.at.instant;
                self.judge(pick, now, plan, state).map_err(|why| format!("{why}: {pick:?}"))
            }
            What::Desk(desk) => {
                self.note_desk(desk);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn note_desk(&mut self, fact: &acd::Fact) {
        let call = match fact {
            acd::Fact::Queued { call, .. }
            | acd::Fact::Unqueued { call, .. }
            | acd::Fact::TurnedAway { call, .. }
            | acd::Fact::Offered { call, .. }
            | acd::Fact::Missed { call, .. }
            | acd::Fact::Taken { call, .. } => call,
            acd::Fact::Picked(_) | acd::Fact::Agent { .. } | acd::Fact::Repaired { .. } => return,
        };
        let Some(caller) = self.calls.get_mut(call) else { return };
        match fact {
            acd::Fact::Queued { queue, .. } => {
                (caller.queue, caller.rings, caller.talks) = (Some(*queue), 0, false);
            }
            acd::Fact::Unqueued { .. } | acd::Fact::TurnedAway { .. } => caller.queue = None,
            acd::Fact::Offered { .. } => caller.rings += 1,
            // An answer that came to nothing: the caller is back in the line.
            acd::Fact::Missed { why: MissedBecause::Phone(_), .. } if caller.talks => {
                caller.talks = false;
            }
            acd::Fact::Missed { .. } => caller.rings = caller.rings.saturating_sub(1),
            acd::Fact::Taken { .. } => (caller.rings, caller.talks) = (0, true),
            acd::Fact::Picked(_) | acd::Fact::Agent { .. } | acd::Fact::Repaired { .. } => {}
        }
    }

    fn judge(&self, pick: &Pick, now: Instant, plan: &Plan, state: &State) -> Result<(), String> {
        let chosen = pick.agents.iter().find(|(_, verdict)| *verdict == Verdict::Chosen);
        let (agent, _) = chosen.ok_or("a pick of nobody")?;
        let Some(own) = self.calls.get(&pick.call).filter(|own| own.rings == 0) else {
            return Ok(());
        };
        let Some(place) = place_of(pick.call, own, state) else { return Ok(()) };
        for (&call, caller) in &self.calls {
            let waits = caller.queue == Some(pick.queue) && !caller.talks && caller.rings == 0;
            let before = place_of(call, caller, state).is_some_and(|other| other < place);
            if !waits || !before {
                continue;
            }
            let why = pick.callers.iter().find(|(other, _)| *other == call).map(|(_, why)| *why);
            match why {
                Some(why) => self.check(why, (call, caller), (*agent, place, now), plan, state)?,
                None if pick.more_callers > 0 => {}
                None => return Err(format!("{call:?} was passed over without a word")),
            }
        }
        Ok(())
    }

    /// Whether it is so.
    fn check(
        &self,
        why: PassedOver,
        (call, caller): (CallId, &Caller),
        (agent, served, now): (AgentId, Place, Instant),
        plan: &Plan,
        state: &State,
    ) -> Result<(), String> {
        let name = state.agent_name(agent).unwrap_or_default();
        let skills = agent_number(name).map(|n| plan.region.skills(n)).unwrap_or_default();
        let first = caller.wish.languages.first();
        let speaks = |language: &String| {
            skills.iter().any(|skill| skill.name.strip_prefix(acd::LANGUAGE) == Some(language))
        };
        let is_so = match why {
            PassedOver::Language => first.is_some_and(|first| !speaks(first)),
            PassedOver::Aged => now.since(served.2) >= plan.aging(),
            // No queue of these days asks for levels or waits for the agent of last time.
            PassedOver::Level | PassedOver::HeldFor(_) => false,
        };
        is_so.then_some(()).ok_or_else(|| format!("{call:?} was not passed over for {why:?}"))
    }
}

/// Emergencies, the higher priority, the earlier arrival.
fn place_of(call: CallId, caller: &Caller, state: &State) -> Option<Place> {
    let Wish { emergency, priority, .. } = caller.wish;
    let priority = if emergency { 0 } else { priority };
    Some((!emergency, Reverse(priority), state.arrived(call)?, call))
}
