//! Seeded randomness. The same seed gives the same tags, branches and choices; a seed taken from
//! the operating system makes them unpredictable to a stranger (ChaCha, 8 rounds). What is to be a
//! secret for years, as keys are, needs a seed of its whole width ([`Rng::of`]).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rng(ChaCha8Rng);

/// What nobody outside can know. It is written down, and shown nowhere.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(pub [u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }
}

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub fn of(secret: Secret) -> Self {
        Self(ChaCha8Rng::from_seed(secret.0))
    }

    /// What this one gives from now on follows from the secret as well, and from neither alone.
    pub fn stir(&mut self, secret: Secret) {
        let mut own = [0; 32];
        self.0.fill_bytes(&mut own);
        own.iter_mut().zip(secret.0).for_each(|(own, octet)| *own ^= octet);
        *self = Self::of(Secret(own));
    }

    /// Another one, of which nothing can be told by what this one gives, nor the other way round.
    pub fn fork(&mut self) -> Self {
        let mut secret = Secret::default();
        self.0.fill_bytes(&mut secret.0);
        Self::of(secret)
    }

    /// What this one gives in its `n`th stream, whatever it has given so far. No two streams have
    /// anything in common.
    pub fn stream<const LENGTH: usize>(&self, n: u64) -> [u8; LENGTH] {
        let mut stream = self.0.clone();
        stream.set_stream(n);
        stream.set_word_pos(0);
        let mut octets = [0; LENGTH];
        stream.fill_bytes(&mut octets);
        octets
    }

    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, which must not be zero. The bias is below `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "nothing is below zero");
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
