//! The pace of what is played: 20 ms divided into slots, each listener in one of them, so that a
//! thousand listeners are served in small groups and not in one burst.
//!
//! In: who listens, and the time. Out: whose turn it is. May import: base.

use crate::base::Instant;

/// Microseconds from one slot to the next.
const SLOT: u64 = 2_000;
/// Slots in the 20 ms of a frame.
const SLOTS: usize = 10;

/// Listeners are named by whatever index their owner gives them.
#[derive(Clone, Debug, Default)]
pub struct Wheel {
    slots: [Vec<u32>; SLOTS],
    /// The next turn, counted in slots since time began.
    next: u64,
    listeners: usize,
}

/// One slot's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    pub slot: usize,
    /// Counts the frames since time began. It leaps where turns were missed.
    pub round: u64,
}

impl Wheel {
    /// Puts a listener where the fewest are; returns its slot.
    pub fn add(&mut self, now: Instant, listener: u32) -> usize {
        if self.listeners == 0 {
            self.next = self.next.max(now.0 / SLOT + 1);
        }
        self.listeners += 1;
        // Among equals the slot whose turn comes first: the first listener hears at once.
        let first = self.next as usize % SLOTS;
        let slots = (0..SLOTS).map(|n| (first + n) % SLOTS);
        let slot = slots.min_by_key(|slot| self.slots[*slot].len()).unwrap_or(first);
        self.slots[slot].push(listener);
        slot
    }

    pub fn remove(&mut self, slot: usize, listener: u32) {
        if let Some(at) = self.slots[slot].iter().position(|other| *other == listener) {
            self.slots[slot].swap_remove(at);
            self.listeners -= 1;
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        (self.listeners > 0).then_some(Instant(self.next * SLOT))
    }

    /// The next turn that is due. After a stall every listener gets one turn, not all it missed.
    pub fn turn(&mut self, now: Instant) -> Option<Turn> {
        let current = now.0 / SLOT;
        if self.listeners == 0 || self.next > current {
            return None;
        }
        self.next = self.next.max((current + 1).saturating_sub(SLOTS as u64));
        let turn = Turn { slot: self.next as usize % SLOTS, round: self.next / SLOTS as u64 };
        self.next += 1;
        Some(turn)
    }

    pub fn listeners(&self, slot: usize) -> &[u32] {
        &self.slots[slot]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_spread_over_the_slots() {
        let mut wheel = Wheel::default();
        (0..500).for_each(|n| {
            wheel.add(Instant(0), n);
        });
        assert!((0..SLOTS).all(|slot| wheel.listeners(slot).len() == 50));
    }

    #[test]
    fn every_listener_has_one_turn_in_each_20_ms() {
        let mut wheel = Wheel::default();
        let slot = wheel.add(Instant(5_000), 1);
        let mut rounds = Vec::new();
        for now in (0..1_000).map(|ms| Instant(5_000 + ms * 1_000)) {
            while let Some(turn) = wheel.turn(now) {
                rounds.extend((turn.slot == slot).then_some(turn.round));
            }
        }
        assert_eq!(rounds.len(), 50);
        assert!(rounds.windows(2).all(|pair| pair[1] == pair[0] + 1));
    }

    #[test]
    fn a_stall_is_not_followed_by_a_burst() {
        let mut wheel = Wheel::default();
        wheel.add(Instant(0), 1);
        let turns: Vec<Turn> = std::iter::from_fn(|| wheel.turn(Instant(1_000_000))).collect();
        assert_eq!(turns.len(), SLOTS);
        assert_eq!(wheel.deadline(), Some(Instant(1_002_000)));
    }
}
