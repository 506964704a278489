//! What is wrong with the sound of a port though packets come: silence in all of them, or ours that
//! cannot be sent. May import: base, wire.

use super::super::control::Ailment;
use super::super::sound::widening;
use crate::base::Instant;
use crate::wire::codec::Codec;
use std::time::Duration;

/// So long nothing but silence is more than a pause: also of a line that has no noise of its own.
const MUTE_AFTER: Duration = Duration::from_secs(30);
/// One packet in so many is looked at; people who talk are heard in several of them a second.
const LOOKED_AT: u16 = 16;
/// Reviews in a row, four a second, each of which has had a packet that could not be sent.
const UNSENDABLE_AFTER: u8 = 8;
/// What libopus makes of silence: a frame with its flag for that (RFC 6716 section 4.3), and
/// nothing else. One or two octets are a pause of discontinuous transmission, which is none.
const OPUS_SILENCE: [u8; 2] = [0xff, 0xfe];

/// By how much a packet of G.722 that holds nothing at all widens its steps at most: coders go
/// round in circles there. In a quiet room some of those that are looked at have more.
const STILL: i32 = 24;

#[derive(Clone, Debug, Default)]
pub(super) struct Ails {
    /// What was told, as bits.
    told: u8,
    /// Since when nothing but silence has come.
    mute: Option<Instant>,
    /// A packet could not be sent since the last review, and in how many before it.
    unsent: bool,
    reviews: u8,
}

impl Ails {
    pub fn has(&self, what: Ailment) -> bool {
        self.told & bit(what) != 0
    }

    /// Whether that is news.
    pub fn change(&mut self, what: Ailment, on: bool) -> bool {
        let news = self.has(what) != on;
        self.told ^= if news { bit(what) } else { 0 };
        news
    }

    /// Somebody begins to listen.
    pub fn begin(&mut self) {
        self.mute = None;
    }

    /// A packet of sound, of which one in some is looked at.
    #[inline]
    pub fn listen(&mut self, now: Instant, codec: Codec, sequence: u16, payload: &[u8]) {
        if sequence.is_multiple_of(LOOKED_AT) {
            self.mute = is_silence(codec, payload).then(|| self.mute.unwrap_or(now));
        }
    }

    pub fn is_mute(&self, now: Instant) -> bool {
        self.mute.is_some_and(|since| now.since(since) >= MUTE_AFTER)
    }

    pub fn unsendable(&mut self) {
        self.unsent = true;
    }

    /// Asked once in each review.
    pub fn cannot_send(&mut self) -> bool {
        let unsent = std::mem::take(&mut self.unsent);
        self.reviews = if unsent { self.reviews.saturating_add(1) } else { 0 };
        self.reviews >= UNSENDABLE_AFTER
    }
}

fn bit(what: Ailment) -> u8 {
    1 << what as u8
}

/// Whether a packet holds nothing at all, as no microphone that is on ever sends.
fn is_silence(codec: Codec, payload: &[u8]) -> bool {
    let all = |silent: fn(u8) -> bool| payload.iter().fold(true, |so_far, at| so_far & silent(*at));
    match codec {
        // The two smallest steps, of either sign.
        Codec::Pcma => all(|octet| octet | 0x80 == 0xd5),
        Codec::Pcmu => all(|octet| octet | 0x80 >= 0xfe),
        // What somebody fills in who has nothing at all, or what a coder makes of that.
        Codec::G722 => {
            payload.iter().all(|at| Some(at) == payload.first()) || widening(payload) <= STILL
        }
        Codec::Opus => payload.len() == 3 && payload.ends_with(&OPUS_SILENCE),
    }
}
