//! What befalls the switch between two events: it is killed, somebody acts, loads other settings,
//! sets the calendar, trips over a cable.

use super::plan::agent_name;
use super::world::World;
use crate::core::{Event, Verb};

/// Microseconds of a day.
const DAY: u64 = 86_400_000_000;

impl World {
    /// At most one blow after each event.
    pub(super) fn strike(&mut self) -> Result<(), String> {
        let faults = self.plan.faults.clone();
        let mut dice = self.rng.below(1_000);
        let mut falls = |chance: u64| {
            let falls = dice < chance;
            dice = dice.wrapping_sub(chance);
            falls
        };
        if falls(faults.kill) {
            self.doom();
            Ok(())
        } else if falls(faults.hands) {
            self.meddle()
        } else if falls(faults.handovers) {
            self.hand_on()
        } else if falls(faults.reloads) {
            let settings = self.plan.other_settings(&mut self.rng);
            self.settings = settings.clone();
            self.feed(Event::Reload(Box::new(settings)))
        } else if falls(faults.clock_steps) {
            self.stepped += self.rng.below(2 * DAY) as i64 - DAY as i64;
            Ok(())
        } else if falls(faults.stream_cuts) {
            self.cut_stream()
        } else {
            Ok(())
        }
    }

    /// A supervisor opens and closes doors, or moves somebody to another queue and back.
    fn hand_on_a_queue(&mut self) -> Verb {
        let queues = &self.settings.acd.queues;
        let queue = queues[self.rng.below(queues.len() as u64) as usize].name.clone();
        let agent = agent_name(self.rng.below(self.plan.agents.len() as u64) as u16);
        let to = ["open", "close", "open", "overflow off", "overflow auto", "weight 7"];
        match self.rng.below(10) as usize {
            lent @ 0..2 => Verb::Lend { queue, agent, lent: lent == 0 },
            n => Verb::SetQueue { queue, to: to[n % to.len()].into() },
        }
    }

    /// A supervisor flips somebody's state, ends a call, or has a hand on a queue.
    fn meddle(&mut self) -> Result<(), String> {
        let calls: Vec<&String> = self.laws.live.values().collect();
        let verb = if !calls.is_empty() && self.rng.chance(10) {
            let call = calls[self.rng.below(calls.len() as u64) as usize].clone();
            Verb::Hangup { call }
        } else if self.rng.chance(25) {
            self.hand_on_a_queue()
        } else {
            let agent = agent_name(self.rng.below(self.plan.agents.len() as u64) as u16);
            let states = ["ready", "pause", "logout", "ready", "end-wrap-up", "force-logout"];
            let state = states[self.rng.below(6) as usize].to_string();
            Verb::SetAgent { agent, state, reason: "tea".into() }
        };
        self.feed(Event::Admin { request: self.steps, by: "supervisor".into(), verb })
    }
}
