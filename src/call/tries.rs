//! Wrong pins: counted by phone and by agent, and locked like passwords, each lock twice as long as
//! the last. A phone that tries many agents and an agent who is tried from many phones are both
//! found. A number outside can be forged: whoever does so locks it, and no agent at a desk.

use crate::base::{Instant, limits};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The span in which wrong pins are counted together.
const COUNTED_FOR: Duration = Duration::from_secs(600);
const LOCK_FIRST: Duration = Duration::from_secs(60);
const LOCK_LAST: Duration = Duration::from_secs(3_600);
/// How long after a lock the next one is a further one.
const LOCK_REMEMBERED: Duration = Duration::from_secs(3_600);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    known: BTreeMap<String, Offender>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Offender {
    wrong: VecDeque<Instant>,
    locks: u32,
    locked_until: Instant,
}

/// Where a pin is tried, and for whom.
#[derive(Clone, Copy, Debug)]
pub enum Trial<'a> {
    /// At a phone of ours, for any agent.
    Desk { phone: &'a str, agent: &'a str },
    /// From a number outside, which is an agent's own.
    Home { number: &'a str },
}

impl Trial<'_> {
    /// What its slips are counted under.
    fn keys(self) -> Vec<String> {
        match self {
            Trial::Desk { phone, agent } => {
                vec![format!("phone {phone}"), format!("agent {agent}")]
            }
            Trial::Home { number } => vec![format!("number {number}")],
        }
    }
}

impl Tries {
    /// Whether whoever tries there has to wait before another try.
    pub fn is_locked(&self, trial: Trial, now: Instant) -> bool {
        let locked = |key| self.known.get(key).is_some_and(|own| own.locked_until > now);
        trial.keys().iter().any(locked)
    }

    /// A wrong pin. True: this was the last straw.
    pub fn wrong(&mut self, trial: Trial, lock_after: u32, now: Instant) -> bool {
        let mut locked = false;
        for key in trial.keys() {
            if !self.known.contains_key(&key) && self.known.len() >= limits::TRIES_MAX {
                self.forget_old(now);
            }
            let offender = self.known.entry(key).or_default();
            locked |= offender.note(lock_after.max(1) as usize, now);
        }
        locked
    }

    /// The right pin: what came before was slips.
    pub fn right(&mut self, trial: Trial) {
        for key in trial.keys() {
            self.known.remove(&key);
        }
    }

    /// Phones and agents are those of the configuration, so that this is never long.
    fn forget_old(&mut self, now: Instant) {
        self.known.retain(|_, offender| now.since(offender.last()) < LOCK_REMEMBERED);
        if self.known.len() >= limits::TRIES_MAX {
            self.known.clear();
        }
    }
}

impl Offender {
    fn note(&mut self, lock_after: usize, now: Instant) -> bool {
        self.wrong.retain(|&at| now.since(at) < COUNTED_FOR);
        if now.since(self.locked_until) >= LOCK_REMEMBERED {
            self.locks = 0;
        }
        self.wrong.push_back(now);
        if self.wrong.len() < lock_after {
            return false;
        }
        let period = (LOCK_FIRST * 2_u32.pow(self.locks.min(10))).min(LOCK_LAST);
        self.wrong.clear();
        self.locks += 1;
        self.locked_until = now + period;
        true
    }

    fn last(&self) -> Instant {
        self.wrong.back().copied().unwrap_or_default().max(self.locked_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at<'a>(phone: &'a str, agent: &'a str) -> Trial<'a> {
        Trial::Desk { phone, agent }
    }

    #[test]
    fn wrong_pins_lock_the_phone_and_the_agent_and_each_lock_is_longer() {
        let mut tries = Tries::default();
        let mut now = Instant(1);
        assert!(!tries.wrong(at("p1", "op1"), 3, now) && !tries.wrong(at("p1", "op2"), 3, now));
        assert!(tries.wrong(at("p1", "op3"), 3, now), "one phone, many agents");
        assert!(tries.is_locked(at("p1", "op9"), now) && !tries.is_locked(at("p2", "op1"), now));
        now = now + MINUTE;
        assert!(!tries.is_locked(at("p1", "op9"), now));
        tries.wrong(at("p2", "op1"), 3, now);
        assert!(tries.wrong(at("p3", "op1"), 3, now), "one agent, many phones");
        assert!(tries.is_locked(at("p4", "op1"), now));
        for _ in 0..3 {
            tries.wrong(at("p1", "op8"), 3, now);
        }
        now = now + MINUTE;
        assert!(tries.is_locked(at("p1", "op7"), now), "the second lock is of two minutes");
        now = now + MINUTE;
        assert!(!tries.is_locked(at("p1", "op7"), now));
    }

    #[test]
    fn a_right_pin_forgives_and_old_slips_are_forgotten() {
        let mut tries = Tries::default();
        tries.wrong(at("p", "a"), 2, Instant(1));
        tries.right(at("p", "a"));
        assert!(!tries.wrong(at("p", "a"), 2, Instant(2)));
        assert!(!tries.wrong(at("p", "a"), 2, Instant(2) + COUNTED_FOR));
    }
}
