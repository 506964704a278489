//! Prompts and music, encoded once for each codec and shared by all who listen. The laws are ready
//! from the start; what costs more is encoded frame by frame as the first listener comes by.
//! May import: base, wire.

use super::sound::{Encoder, NARROW};
use crate::base::{Id, TuneId};
use crate::wire::codec::Codec;
use crate::wire::g711::Law;
use crate::wire::opus::Terms;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Octets in 20 ms of G.711.
pub const FRAME: usize = 160;
/// Encoders that one tune has at a time: as many places in it may be encoded side by side. Of more
/// the oldest gives way, and where it was is a seam.
const HEADS_MAX: usize = 8;

/// Bits a second of Opus that a tune is encoded with, for whoever takes as many. Every packet is as
/// long as the others, which is right for all, and none repairs another.
const BITS: [u32; 3] = [24_000, 12_000, 6_000];

/// A piece of audio in every codec, in whole frames.
#[derive(Clone, Debug)]
pub struct Tune {
    a: Arc<[u8]>,
    mu: Arc<[u8]>,
    g722: Arc<OnceLock<Lazy>>,
    /// By bits, in frames of 20 ms and of 10.
    opus: Arc<[[OnceLock<Lazy>; 2]; BITS.len()]>,
}

impl PartialEq for Tune {
    fn eq(&self, other: &Self) -> bool {
        self.a == other.a
    }
}

impl Eq for Tune {}

/// A frame of a tune: where it begins in an encoding, and how long it is.
pub type Piece = (Arc<[u8]>, usize, usize);

impl Tune {
    /// From samples at 8,000 Hz; the last frame is filled up with silence.
    pub fn new(samples: &[i16]) -> Self {
        let (a, mu) = (encode(Law::A, samples), encode(Law::Mu, samples));
        Self { a, mu, g722: Arc::default(), opus: Arc::default() }
    }

    /// One that was encoded before: what [`Tune::laws`] gave. `None`: it cannot be that.
    pub fn of(a: &[u8], mu: &[u8]) -> Option<Self> {
        let is_whole = a.len() == mu.len() && a.len().is_multiple_of(FRAME);
        let (a, mu) = (a.into(), mu.into());
        is_whole.then(|| Self { a, mu, g722: Arc::default(), opus: Arc::default() })
    }

    /// The octets in the two laws.
    pub fn laws(&self) -> (&[u8], &[u8]) {
        (&self.a, &self.mu)
    }

    /// The nth frame; there must be one.
    pub fn frame(&self, codec: Codec, terms: &Terms, n: usize) -> Piece {
        match codec {
            Codec::Pcma => (Arc::clone(&self.a), n * FRAME, FRAME),
            Codec::Pcmu => (Arc::clone(&self.mu), n * FRAME, FRAME),
            Codec::G722 => self.encoded(&self.g722, (codec, Terms::default()), n),
            Codec::Opus => {
                let most = BITS.iter().position(|bits| *bits <= terms.bits);
                let at = most.unwrap_or(BITS.len() - 1);
                let tens = terms.tens;
                let own = Terms { bits: BITS[at], cbr: true, tens, ..Terms::default() };
                self.encoded(&self.opus[at][usize::from(tens)], (codec, own), n)
            }
        }
    }

    fn encoded(&self, lazy: &OnceLock<Lazy>, how: (Codec, Terms), n: usize) -> Piece {
        let lazy = lazy.get_or_init(|| Lazy::new(self.frames()));
        let audio = lazy.frame(n, how, &self.a[n * FRAME..(n + 1) * FRAME]);
        let length = audio.len();
        (audio, 0, length)
    }

    pub fn frames(&self) -> usize {
        self.a.len() / FRAME
    }
}

/// Frames of a codec with a memory.
#[derive(Debug)]
struct Lazy {
    frames: Box<[OnceLock<Arc<[u8]>>]>,
    /// The frame that comes next, and what encodes it; the oldest first.
    heads: Mutex<Vec<(usize, Encoder)>>,
}

impl Lazy {
    fn new(frames: usize) -> Self {
        let frames = (0..frames).map(|_| OnceLock::new()).collect();
        Self { frames, heads: Mutex::default() }
    }

    fn frame(&self, n: usize, (codec, terms): (Codec, Terms), octets: &[u8]) -> Arc<[u8]> {
        if let Some(known) = self.frames[n].get() {
            return Arc::clone(known);
        }
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        let mut encoder = match heads.iter().position(|(next, _)| *next == n) {
            Some(at) => heads.remove(at).1,
            None => Encoder::with(codec, NARROW, &terms),
        };
        let samples: Vec<i16> = octets.iter().map(|octet| Law::A.decode(*octet)).collect();
        let mut audio = Vec::new();
        encoder.encode(&samples, &mut audio);
        let audio = Arc::clone(self.frames[n].get_or_init(|| audio.into()));
        if heads.len() == HEADS_MAX {
            heads.remove(0);
        }
        heads.push(((n + 1) % self.frames.len(), encoder));
        if self.frames.iter().all(|frame| frame.get().is_some()) {
            heads.clear();
        }
        audio
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::sound::Decoder;

    #[test]
    fn a_frame_is_encoded_once_whoever_listens_first() {
        let tune =
            Tune::new(&(0..160 * 20).map(|n| (n % 40 * 400 - 7_800) as i16).collect::<Vec<i16>>());
        for codec in [Codec::G722, Codec::Opus] {
            let any = Terms::default();
            let once: Vec<Arc<[u8]>> = (0..20).map(|n| tune.frame(codec, &any, n).0).collect();
            let again = tune.clone();
            let same = |n: usize| Arc::ptr_eq(&once[n], &again.frame(codec, &any, n).0);
            assert!((0..20).all(same));
            let (mut decoder, mut heard) = (Decoder::new(codec, NARROW), Vec::new());
            once.iter().for_each(|frame| decoder.decode(frame, &mut heard));
            assert_eq!(heard.len(), 20 * FRAME);
            let power: f64 = heard[800..].iter().map(|s| f64::from(*s).powi(2)).sum();
            let loudness = (power / 2_400.0).sqrt();
            assert!((4_000.0..5_000.0).contains(&loudness), "{codec:?}: {loudness}");
        }
    }

    #[test]
    fn whoever_takes_few_bits_is_sent_no_more() {
        let tune =
            Tune::new(&(0..160 * 20).map(|n| (n % 40 * 400 - 7_800) as i16).collect::<Vec<_>>());
        for (bits, octets) in [(510_000, 60), (24_000, 60), (23_999, 30), (8_000, 15), (6_000, 15)]
        {
            let terms = Terms { bits, ..Terms::default() };
            let longest = (0..20).map(|n| tune.frame(Codec::Opus, &terms, n).2).max();
            assert_eq!(longest, Some(octets), "{bits}");
        }
    }

    #[test]
    fn listeners_at_many_places_have_few_encoders_and_every_frame() {
        let tune = Tune::new(&[1_000; 160 * 60]);
        for step in 0..60 {
            for listener in 0..20 {
                let at = (step + 3 * listener) % 60;
                assert_eq!(tune.frame(Codec::G722, &Terms::default(), at).2, FRAME);
                let heads = tune.g722.get().unwrap().heads.lock().unwrap().len();
                assert!(heads <= HEADS_MAX);
            }
        }
        assert!(tune.g722.get().unwrap().heads.lock().unwrap().is_empty(), "all is encoded");
    }
}
