//! Prompts and music, encoded once for each law and shared by all who listen. May import: base,
//! wire.

use crate::base::{Id, TuneId};
use crate::wire::g711::Law;
use std::sync::Arc;

/// Octets in 20 ms of G.711.
pub const FRAME: usize = 160;

/// A piece of audio in both laws, in whole frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tune {
    a: Arc<[u8]>,
    mu: Arc<[u8]>,
}

impl Tune {
    /// From samples at 8,000 Hz; the last frame is filled up with silence.
    pub fn new(samples: &[i16]) -> Self {
        Self { a: encode(Law::A, samples), mu: encode(Law::Mu, samples) }
    }

    pub fn audio(&self, law: Law) -> &Arc<[u8]> {
        match law {
            Law::A => &self.a,
            Law::Mu => &self.mu,
        }
    }

    pub fn frames(&self) -> usize {
        self.a.len() / FRAME
    }
}

fn encode(law: Law, samples: &[i16]) -> Arc<[u8]> {
    let mut octets: Vec<u8> = samples.iter().map(|sample| law.encode(*sample)).collect();
    octets.resize(octets.len().next_multiple_of(FRAME), law.silence());
    octets.into()
}

/// All tunes there are, by the slots of their ids.
#[derive(Clone, Debug, Default)]
pub struct Tunes(Vec<Option<Tune>>);

impl Tunes {
    pub fn insert(&mut self, id: TuneId, tune: Tune) {
        let slot = id.slot() as usize;
        if self.0.len() <= slot {
            self.0.resize(slot + 1, None);
        }
        self.0[slot] = Some(tune);
    }

    pub fn find(&self, id: TuneId) -> Option<&Tune> {
        self.0.get(id.slot() as usize)?.as_ref()
    }
}
