//! The network: loss, delay, reordering, repeats minutes late, addresses that fall silent.

use crate::base::{Instant, Rng};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Of a hundred datagrams so many are lost.
    pub loss: u64,
    /// Of a hundred datagrams so many arrive twice, the second up to minutes later.
    pub repeats: u64,
    /// Longest delay on the way, on top of a millisecond.
    pub delay: Duration,
    /// Addresses that nothing reaches and nothing leaves until then.
    cut: BTreeMap<SocketAddr, Instant>,
}

impl Network {
    pub fn new(loss: u64, repeats: u64, delay: Duration) -> Self {
        Self { loss, repeats, delay, cut: BTreeMap::new() }
    }

    pub fn cut_off(&mut self, address: SocketAddr, until: Instant) {
        self.cut.insert(address, until);
    }

    pub fn is_cut(&self, address: SocketAddr, now: Instant) -> bool {
        self.cut.get(&address).is_some_and(|&until| now < until)
    }

    /// When a datagram that leaves now arrives: never, once, or twice.
    pub fn arrivals(
        &self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        rng: &mut Rng,
    ) -> Vec<Instant> {
        if self.is_cut(from, now) || self.is_cut(to, now) || rng.chance(self.loss) {
            return Vec::new();
        }
        let spread = self.delay.as_micros() as u64 + 1;
        let first = now + Duration::from_micros(1_000 + rng.below(spread));
        let mut arrivals = vec![first];
        if rng.chance(self.repeats) {
            let late = if rng.chance(20) { 300_000_000 } else { 200_000 };
            arrivals.push(first + Duration::from_micros(rng.below(late)));
        }
        arrivals
    }
}
