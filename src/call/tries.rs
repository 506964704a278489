//! Wrong pins: counted by phone and by agent, and locked like passwords, each lock twice as long as
//! the last. A phone that tries many agents and an agent who is tried from many phones are both
//! found.

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

impl Tries {
    /// Whether this phone or this agent has to wait before another try.
    pub fn is_locked(&self, phone: &str, agent: &str, now: Instant) -> bool {
        keys(phone, agent)
            .iter()
            .any(|key| self.known.get(key).is_some_and(|offender| offender.locked_until > now))
    }

    /// A wrong pin. True: this was the last straw.
    pub fn wrong(&mut self, phone: &str, agent: &str, lock_after: u32, now: Instant) -> bool {
        let mut locked = false;
        for key in keys(phone, agent) {
            if !self.known.contains_key(&key) && self.known.len() >= limits::TRIES_MAX {
                self.forget_old(now);
            }
            let offender = self.known.entry(key).or_default();
            locked |= offender.note(lock_after.max(1) as usize, now);
        }
        locked
    }

    /// The right pin, from this phone: what came before was slips.
    pub fn right(&mut self, phone: &str, agent: &str) {
        for key in keys(phone, agent) {
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

fn keys(phone: &str, agent: &str) -> [String; 2] {
    [format!("phone {phone}"), format!("agent {agent}")]
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

    #[test]
    fn wrong_pins_lock_the_phone_and_the_agent_and_each_lock_is_longer() {
        let mut tries = Tries::default();
        let mut now = Instant(1);
        assert!(!tries.wrong("p1", "op1", 3, now) && !tries.wrong("p1", "op2", 3, now));
        assert!(tries.wrong("p1", "op3", 3, now), "one phone, many agents");
        assert!(tries.is_locked("p1", "op9", now) && !tries.is_locked("p2", "op1", now));
        now = now + MINUTE;
        assert!(!tries.is_locked("p1", "op9", now));
        tries.wrong("p2", "op1", 3, now);
        assert!(tries.wrong("p3", "op1", 3, now), "one agent, many phones");
        assert!(tries.is_locked("p4", "op1", now));
        for _ in 0..3 {
            tries.wrong("p1", "op8", 3, now);
        }
        now = now + MINUTE;
        assert!(tries.is_locked("p1", "op7", now), "the second lock is of two minutes");
        now = now + MINUTE;
        assert!(!tries.is_locked("p1", "op7", now));
    }

    #[test]
    fn a_right_pin_forgives_and_old_slips_are_forgotten() {
        let mut tries = Tries::default();
        tries.wrong("p", "a", 2, Instant(1));
        tries.right("p", "a");
        assert!(!tries.wrong("p", "a", 2, Instant(2)));
        assert!(!tries.wrong("p", "a", 2, Instant(2) + COUNTED_FOR));
    }
}
