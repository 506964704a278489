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
pub use cipher::Cipher;
use opener::Opener;
use sealer::Sealer;

/// Of one port: both directions, each with its key.
pub struct Seal {
    keys: Seals,
    opener: Opener,
    /// Of the key before: whoever comes with another one may still say something with the first,
    /// until the other is heard.
    before: Option<Opener>,
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
        if keys.theirs != self.keys.theirs {
            let before = std::mem::replace(&mut self.opener, Opener::new(&keys.theirs));
            self.before = Some(before);
        }
        if keys.ours != self.keys.ours {
            self.sealer = Sealer::new(&keys.ours, source);
        }
        self.keys = keys;
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
        self.before.as_mut().and_then(|before| open(before, packet))
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
