//! The network: loss, delay, reordering, repeats minutes late, addresses that fall silent, and
//! messages that a story loses on purpose.

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
    losses: Vec<Loss>,
}

/// A message that is lost on purpose.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// Of this address, whichever end it is.
    pub of: SocketAddr,
    /// It begins like this: `BYE`, `SIP/2.0 200`.
    pub start: &'static str,
    /// The method of its CSeq.
    pub method: &'static str,
    /// So many of them; the next one arrives.
    pub times: u32,
}

impl Network {
    pub fn new(loss: u64, repeats: u64, delay: Duration) -> Self {
        Self { loss, repeats, delay, ..Self::default() }
    }

    pub fn cut_off(&mut self, address: SocketAddr, until: Instant) {
        self.cut.insert(address, until);
    }

    pub fn is_cut(&self, address: SocketAddr, now: Instant) -> bool {
        self.cut.get(&address).is_some_and(|&until| now < until)
    }

    /// When the address will be reached again, if it is cut off.
    pub fn mended(&self, address: SocketAddr, now: Instant) -> Option<Instant> {
        self.cut.get(&address).copied().filter(|&until| now < until)
    }

    pub fn lose(&mut self, loss: Loss) {
        self.losses.push(loss);
    }

    /// When a datagram that leaves now arrives: never, once, or twice.
    pub fn arrivals(
        &mut self,
        now: Instant,
        (from, to): (SocketAddr, SocketAddr),
        bytes: &[u8],
        rng: &mut Rng,
    ) -> Vec<Instant> {
        let cut = self.is_cut(from, now) || self.is_cut(to, now);
        if cut || self.is_lost(from, to, bytes) || rng.chance(self.loss) {
            return Vec::new();
        }
        let first = now + self.pause(rng);
        let mut arrivals = vec![first];
        if rng.chance(self.repeats) {
            let late = if rng.chance(20) { 300_000_000 } else { 200_000 };
            arrivals.push(first + Duration::from_micros(rng.below(late)));
        }
        arrivals
    }

    /// How long anything is on its way.
    pub fn pause(&self, rng: &mut Rng) -> Duration {
        let spread = self.delay.as_micros() as u64 + 1;
        Duration::from_micros(1_000 + rng.below(spread))
    }

    fn is_lost(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> bool {
        let found = self.losses.iter_mut().find(|loss| {
            loss.times > 0
                && (loss.of == from || loss.of == to)
                && bytes.starts_with(loss.start.as_bytes())
                && is_about(bytes, loss.method)
        });
        found.map(|loss| loss.times -= 1).is_some()
    }
}

fn is_about(bytes: &[u8], method: &str) -> bool {
    let head = String::from_utf8_lossy(bytes);
    head.lines().any(|line| line.starts_with("CSeq:") && line.ends_with(method))
}
