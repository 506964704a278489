//! Words that every layer uses: time, timers, ids, tables, randomness, limits, telephone numbers.
//!
//! In: nothing. Out: plain values. Knows nothing of SIP, calls, queues or media. Imports nothing.

mod id;
pub mod limits;
mod network;
pub mod number;
mod rng;
mod slab;
pub(crate) mod steps;
pub mod text;
mod time;
mod timer;

pub use id::*;
pub use network::Network;
pub use rng::{Rng, Secret};
pub use slab::Slab;
pub use time::{Instant, Now, Wall};
pub use timer::{Timer, Timers};

/// A hash map whose hasher is fixed, so that two runs are equal. Never iterate it: order is not
/// part of its contract. Its keys must not be chosen by a stranger; those go into a `BTreeMap`.
pub type FixedMap<K, V> =
    std::collections::HashMap<K, V, std::hash::BuildHasherDefault<siphasher::sip::SipHasher13>>;

/// What every layer is handed with each input: the time, the dice and the alarm clock.
pub struct Cx<'a> {
    pub now: Now,
    pub rng: &'a mut Rng,
    pub timers: &'a mut Timers,
}
