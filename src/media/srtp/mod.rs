//! Sealed sound (SRTP, RFC 3711): what stands between a port and its sockets where its far end has
//! agreed to keys (RFC 4568). Pure, like all of the data plane.
//!
//! In: what came, what is to go. Out: the same, opened or sealed, or nothing. May import: base,
//! wire.

mod cipher;
mod opener;
mod sealer;
#[cfg(test)]
mod tests;
mod window;

use super::control::Seals;
use super::reports::Told;
use crate::base::Instant;
use crate::wire::sdp::Master;
pub use cipher::Cipher;
use opener::Opener;
use sealer::Sealer;

/// Of one port: both directions, each with its key.
pub struct Seal {
    keys: Seals,
    opener: Opener,
    /// Of the key before: whoever comes with another one may still say something with the first,
    /// until the other is heard; and where they go back to it, it knows what was there already.
    before: Option<(Master, Opener)>,
    sealer: Sealer,
}

impl Seal {
    /// `source`: what is said is said in its name; drawn for this once.
    pub fn new(keys: Seals, source: u32) -> Self {
        let (opener, sealer) = (Opener::new(&keys.theirs), Sealer::new(&keys.ours, source));
        Self { keys, opener, before: None, sealer }
    }

    /// What is agreed now. A direction whose key is the same goes on as it was.
    pub fn agree(&mut self, keys: Seals, source: u32) {
        let before = std::mem::replace(&mut self.keys, keys);
        if keys.theirs != before.theirs {
            let known = self.before.take().filter(|(key, _)| *key == keys.theirs);
            let next = known.map_or_else(|| Opener::new(&keys.theirs), |(_, opener)| opener);
            self.before = Some((before.theirs, std::mem::replace(&mut self.opener, next)));
            self.may_be_another(source);
        }
        if keys.ours != before.ours {
            self.sealer = Sealer::new(&keys.ours, source);
        }
    }

    /// Whoever hears us may be another machine from now on, or begin anew: it has another key or
    /// another address. How often our numbers have begun anew nobody can tell it (RFC 4568 section
    /// 7.1.4), so where they have, another source begins, `source`, which is new to everybody.
    pub fn may_be_another(&mut self, source: u32) {
        if self.sealer.is_beyond_first_round() {
            self.sealer = Sealer::new(&self.keys.ours, source);
        }
    }

    /// Opens a packet in place: how long it is then, if it is proved and was not there before.
    pub fn open(&mut self, is_report: bool, packet: &mut [u8]) -> Option<usize> {
        let open = |opener: &mut Opener, packet: &mut [u8]| match is_report {
            true => opener.open_report(packet),
            false => opener.open(packet),
        };
        let opened = open(&mut self.opener, packet);
        if opened.is_some() {
            self.before = None;
            return opened;
        }
        self.before.as_mut().and_then(|(_, before)| open(before, packet))
    }

    /// Whether RTP that was not opened is only a packet that was there before.
    pub fn had(&self, packet: &[u8]) -> bool {
        self.opener.had(packet)
            || self.before.as_ref().is_some_and(|(_, before)| before.had(packet))
    }

    /// Seals RTP; false where it cannot go. `clock`: ticks a second of its times.
    pub fn seal(&mut self, now: Instant, clock: u32, packet: &mut Vec<u8>) -> bool {
        self.sealer.seal(now, clock, packet)
    }

    pub fn seal_report(&mut self, report: &[u8]) -> Option<Vec<u8>> {
        self.sealer.seal_report(report)
    }

    /// What the far end tells of what it hears, in the names that the engine has for it.
    pub fn named(&self, told: Told) -> Told {
        self.sealer.named(told)
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a seal with {:?}", self.keys)
    }
}
