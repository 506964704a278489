//! Which media ports are free. Ports are chosen here, in the core, so that a restarted switch knows
//! them; whether the system grants one is the shell's word, and comes back as an event.
//!
//! A port is a pair, RTP on an even number and RTCP on the next (RFC 3550 section 11). Pairs are
//! dealt to media workers by number; the two legs of a call live on one worker. One that another
//! program holds is left aside for a while.

use crate::base::limits::PORT_ASIDE;
use crate::base::{Id, Instant, PortId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    first: u16,
    /// For each worker the free pairs, the longest unused first: a late packet for the last user
    /// of a port should find nobody.
    free: Vec<VecDeque<u16>>,
    /// How often each pair was used, by `(number - first) / 2`.
    uses: Vec<u32>,
    taken: usize,
    /// Pairs that other programs hold, and when they are tried again; that time goes up.
    aside: VecDeque<(Instant, u16)>,
}

impl Ports {
    /// All pairs from `first` to `last`, both included; an odd first number is skipped.
    pub fn new((first, last): (u16, u16), workers: u8) -> Self {
        let first = first + first % 2;
        let pairs = (usize::from(last) + 1).saturating_sub(usize::from(first)) / 2;
        let mut ports = Self {
            first,
            free: vec![VecDeque::new(); usize::from(workers.max(1))],
            uses: vec![0; pairs],
            taken: 0,
            aside: VecDeque::new(),
        };
        for pair in 0..pairs {
            let number = first + 2 * pair as u16;
            let worker = ports.worker(number);
            ports.free[worker].push_back(number);
        }
        ports
    }

    /// A pair on whichever worker has most of them free. `None`: all are taken.
    pub fn take(&mut self) -> Option<PortId> {
        self.take_from(self.roomiest())
    }

    /// The worker that has most pairs free.
    fn roomiest(&self) -> usize {
        let workers = 0..self.free.len();
        workers.max_by_key(|&w| (self.free[w].len(), usize::MAX - w)).unwrap_or_default()
    }

    /// A pair on the same worker as `sibling`, so that the two can be bridged.
    pub fn take_beside(&mut self, sibling: PortId) -> Option<PortId> {
        self.take_from(self.worker(sibling.slot() as u16))
    }

    pub fn give_back(&mut self, port: PortId) {
        let number = port.slot() as u16;
        let worker = self.worker(number);
        self.free[worker].push_back(number);
        self.taken -= 1;
    }

    /// The same of one that could not be opened.
    pub fn give_up(&mut self, now: Instant, port: PortId) {
        self.taken -= 1;
        self.aside.push_back((now + PORT_ASIDE, port.slot() as u16));
    }

    /// Other programs hold these, even or odd: whoever has one has it still, and nobody else is
    /// given it for now.
    pub fn set_aside(&mut self, now: Instant, held: &[u16]) {
        let held: BTreeSet<u16> = held.iter().map(|number| number & !1).collect();
        for free in &mut self.free {
            free.retain(|number| {
                let is_held = held.contains(number);
                if is_held {
                    self.aside.push_back((now + PORT_ASIDE, *number));
                }
                !is_held
            });
        }
    }

    /// Those that were set aside long ago may be had again.
    pub fn look_again(&mut self, now: Instant) {
        while let Some(&(_, number)) = self.aside.front().filter(|(until, _)| *until <= now) {
            self.aside.pop_front();
            let worker = self.worker(number);
            self.free[worker].push_back(number);
        }
    }

    /// A pair for a caller, where that leaves `reserve` of them for the phones that are to ring:
    /// callers who wait must not take what their own answer needs. That is kept on each worker, for
    /// a phone needs a pair on its caller's. What was set aside counts as well: whatever was in the
    /// way, too few open files perhaps, may be over, and a caller is worth the try.
    pub fn take_for_caller(&mut self, reserve: usize) -> Option<PortId> {
        let half = self.uses.len() / self.free.len() / 2;
        let room = |worker: usize| {
            let aside = self.aside.iter().filter(|(_, number)| self.worker(*number) == worker);
            self.free[worker].len() + aside.count()
        };
        let worker = match self.roomiest() {
            free if self.free[free].len() > reserve.min(half) => free,
            _ => (0..self.free.len()).max_by_key(|w| (room(*w), usize::MAX - w))?,
        };
        if room(worker) > reserve.min(half) { self.take_from(worker) } else { None }
    }

    /// Whether they are the same ports, however they were used.
    pub fn is_same_range(&self, other: &Self) -> bool {
        let range = |ports: &Self| (ports.first, ports.uses.len(), ports.free.len());
        range(self) == range(other)
    }

    pub fn taken(&self) -> usize {
        self.taken
    }

    fn take_from(&mut self, worker: usize) -> Option<PortId> {
        let number = self.free[worker].pop_front().or_else(|| self.take_aside(worker))?;
        let uses = &mut self.uses[usize::from((number - self.first) / 2)];
        *uses = uses.wrapping_add(1);
        self.taken += 1;
        Some(PortId::new(u32::from(number), *uses))
    }

    /// Rather one that somebody holds, or has held, than none.
    fn take_aside(&mut self, worker: usize) -> Option<u16> {
        let at = self.aside.iter().position(|(_, number)| self.worker(*number) == worker)?;
        self.aside.remove(at).map(|(_, number)| number)
    }

    fn worker(&self, number: u16) -> usize {
        usize::from(number / 2) % self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_trouble_that_took_every_pair_turns_no_caller_away_when_it_is_over() {
        let mut ports = Ports::new((20_000, 20_007), 2);
        let all: Vec<PortId> = std::iter::from_fn(|| ports.take_for_caller(0)).collect();
        all.into_iter().for_each(|port| ports.give_up(Instant(5), port));
        let had = std::iter::from_fn(|| ports.take_for_caller(1)).count();
        assert_eq!(had, 2, "one of each worker's two is for a phone");
    }

    #[test]
    fn pairs_are_even_distinct_and_run_out_cleanly() {
        let mut ports = Ports::new((20_001, 20_009), 2);
        let taken: Vec<PortId> = std::iter::from_fn(|| ports.take_for_caller(0)).collect();
        let mut numbers: Vec<u32> = taken.iter().map(|p| p.slot()).collect();
        numbers.sort();
        assert_eq!(numbers, [20_002, 20_004, 20_006, 20_008]);
        assert_eq!((ports.take_for_caller(0), ports.taken()), (None, 4));
        ports.give_back(taken[0]);
        let again = ports.take_for_caller(0).unwrap();
        assert_eq!(again.slot(), taken[0].slot());
        assert_ne!(again, taken[0], "a new use is a new id");
    }

    #[test]
    fn a_port_that_somebody_holds_is_given_to_nobody_for_a_while_unless_there_is_no_other() {
        let mut ports = Ports::new((20_000, 20_007), 1);
        let slot = |port: Option<PortId>| port.map(|port| port.slot());
        ports.set_aside(Instant(0), &[20_003, 20_000, 30_000]);
        let port = ports.take().unwrap();
        assert_eq!(port.slot(), 20_004);
        ports.give_up(Instant(0), port);
        assert_eq!((slot(ports.take()), ports.taken()), (Some(20_006), 1));
        // Nothing else is left.
        assert_eq!(slot(ports.take_beside(port)), Some(20_000));
        ports.look_again(Instant(0) + PORT_ASIDE);
        let rest: Vec<u32> = std::iter::from_fn(|| slot(ports.take())).collect();
        assert_eq!((rest, ports.taken()), (vec![20_002, 20_004], 4));
    }

    #[test]
    fn callers_leave_ports_for_the_phones_on_every_worker() {
        // Six pairs, three on each of two workers.
        let mut ports = Ports::new((20_000, 20_011), 2);
        let callers: Vec<PortId> = std::iter::from_fn(|| ports.take_for_caller(100)).collect();
        assert_eq!(callers.len(), 4);
        for caller in [callers[0], callers[1]] {
            assert!(ports.take_beside(caller).is_some(), "{caller:?} cannot be answered");
        }
        assert_eq!((ports.take_for_caller(0), ports.take_for_caller(1)), (None, None));
        ports.give_back(callers[2]);
        assert!(ports.take_for_caller(1).is_none(), "it is for a phone now");
        assert!(ports.take_for_caller(0).is_some());
    }

    #[test]
    fn both_legs_of_a_call_live_on_one_worker() {
        let mut ports = Ports::new((20_000, 20_099), 4);
        for _ in 0..12 {
            let caller = ports.take_for_caller(0).unwrap();
            let agent = ports.take_beside(caller).unwrap();
            assert_eq!((caller.slot() / 2) % 4, (agent.slot() / 2) % 4);
        }
    }
}
