//! Who waits, as the facts tell it, and whether a pick passes anybody over without saying why, or
//! says what is not so. Counted apart from the queue engine, which says what it looked at.

use crate::acd::{self, MissedBecause, PassedOver, Pick, Verdict};
use crate::base::{AgentId, CallId, Instant, QueueId};
use crate::call;
use crate::config::Settings;
use crate::core::{Fact, State, What};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub struct Fairness {
    calls: BTreeMap<CallId, Caller>,
    /// Calls that are emergencies, as records name them: a call back is what its parent was.
    emergencies: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Caller {
    name: String,
    wish: Wish,
    queue: Option<QueueId>,
    rings: usize,
    talks: bool,
}

#[derive(Debug, Default)]
struct Wish {
    priority: u8,
    emergency: bool,
    languages: Vec<String>,
}

type Place = (bool, Reverse<u8>, Instant, CallId);

impl Fairness {
    pub fn note(&mut self, fact: &Fact, settings: &Settings, state: &State) -> Result<(), String> {
        match &fact.what {
            What::Call(call::Fact::Arrived { call, arrival }) => {
                let mut wish = wish_of(&arrival.line, settings);
                wish.emergency |= self.emergencies.contains(&arrival.parent);
                if wish.emergency {
                    self.emergencies.insert(arrival.id.clone());
                }
                let caller = Caller { name: arrival.id.clone(), wish, ..Caller::default() };
                self.calls.insert(*call, caller);
                Ok(())
            }
            What::Call(call::Fact::Emergency { call }) => {
                if let Some(caller) = self.calls.get_mut(call) {
                    caller.wish.emergency = true;
                    self.emergencies.insert(caller.name.clone());
                }
                Ok(())
            }
            What::Call(call::Fact::Ended { call, .. }) => {
                self.calls.remove(call);
                Ok(())
            }
            What::Desk(acd::Fact::Picked(pick)) => {
                let now = fact.at.instant;
                self.judge(pick, now, settings, state).map_err(|why| format!("{why}: {pick:?}"))
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
            acd::Fact::Picked(_)
            | acd::Fact::Agent { .. }
            | acd::Fact::Repaired { .. }
            | acd::Fact::Claimed { .. }
            | acd::Fact::Serving { .. }
            | acd::Fact::Unclaimed { .. }
            | acd::Fact::Message { .. }
            | acd::Fact::Handled { .. } => return,
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
            acd::Fact::Picked(_)
            | acd::Fact::Agent { .. }
            | acd::Fact::Repaired { .. }
            | acd::Fact::Claimed { .. }
            | acd::Fact::Serving { .. }
            | acd::Fact::Unclaimed { .. }
            | acd::Fact::Message { .. }
            | acd::Fact::Handled { .. } => {}
        }
    }

    fn judge(
        &self,
        pick: &Pick,
        now: Instant,
        settings: &Settings,
        state: &State,
    ) -> Result<(), String> {
        let chosen = pick.agents.iter().find(|(_, verdict)| *verdict == Verdict::Chosen);
        let (agent, _) = chosen.ok_or("a pick of nobody")?;
        // Past every line: there is no order to hold it to.
        let in_line = pick.claim != acd::Claim::Asked;
        let own = self.calls.get(&pick.call).filter(|own| own.rings == 0 && in_line);
        let Some(own) = own else {
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
                Some(why) => {
                    self.check(why, (call, caller), (*agent, place, now), settings, state)?
                }
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
        settings: &Settings,
        state: &State,
    ) -> Result<(), String> {
        let name = state.agent_name(agent).unwrap_or_default();
        let agents = &settings.acd.agents;
        let skills = agents.iter().find(|agent| agent.id == name).map_or(&[][..], |a| &a.skills);
        let first = caller.wish.languages.first();
        let speaks = |language: &String| {
            skills.iter().any(|skill| skill.name.strip_prefix(acd::LANGUAGE) == Some(language))
        };
        let is_so = match why {
            PassedOver::Language => first.is_some_and(|first| !speaks(first)),
            PassedOver::Aged => {
                let aging = settings.acd.queues.iter().map(|queue| queue.aging).min();
                aging.is_some_and(|aging| now.since(served.2) >= aging)
            }
            PassedOver::Level => {
                let most = settings.acd.queues.iter().map(|queue| queue.level).max();
                skills.iter().any(|skill| most.is_some_and(|most| skill.level < most))
            }
            PassedOver::HeldFor(other) => {
                other != agent && settings.acd.queues.iter().any(|queue| !queue.sticky.is_zero())
            }
        };
        is_so.then_some(()).ok_or_else(|| format!("{call:?} was not passed over for {why:?}"))
    }
}

/// What the callers of a line want of their queue.
fn wish_of(line: &str, settings: &Settings) -> Wish {
    let line = settings.call.lines.iter().find(|known| known.name == line);
    line.map_or_else(Wish::default, |line| Wish {
        priority: line.priority,
        emergency: line.emergency,
        languages: line.languages.clone(),
    })
}

/// Emergencies, the higher priority, the earlier arrival.
fn place_of(call: CallId, caller: &Caller, state: &State) -> Option<Place> {
    let Wish { emergency, priority, .. } = caller.wish;
    let priority = if emergency { 0 } else { priority };
    Some((!emergency, Reverse(priority), state.arrived(call)?, call))
}
