//! Our branches and tags: each carries the id of what it names, so a message finds its transaction
//! or leg in one step, and 64 random bits, so that a stranger cannot name what is not theirs
//! (RFC 3261 section 19.3: "globally unique and cryptographically random").
//!
//! In: ids and randomness. Out: text, and back. Knows neither transactions nor legs.

use crate::base::{Id, LegId, TransactionId};
use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

/// RFC 3261 section 8.1.1.7: branches "MUST always begin with the characters z9hG4bK".
pub const COOKIE: &str = "z9hG4bK";

pub fn branch(id: TransactionId, secret: u64) -> String {
    format!("{COOKIE}{:x}.{:x}.{secret:x}", id.slot(), id.generation())
}

pub fn parse_branch(text: &str) -> Option<(TransactionId, u64)> {
    let (slot, generation, secret) = parse(text.strip_prefix(COOKIE)?)?;
    Some((TransactionId::new(slot, generation), secret))
}

pub fn tag(id: LegId, secret: u64) -> String {
    format!("{:x}.{:x}.{secret:x}", id.slot(), id.generation())
}

pub fn parse_tag(text: &str) -> Option<(LegId, u64)> {
    let (slot, generation, secret) = parse(text)?;
    Some((LegId::new(slot, generation), secret))
}

fn parse(text: &str) -> Option<(u32, u32, u64)> {
    let mut parts = text.split('.');
    let slot = u32::from_str_radix(parts.next()?, 16).ok()?;
    let generation = u32::from_str_radix(parts.next()?, 16).ok()?;
    let secret = u64::from_str_radix(parts.next()?, 16).ok()?;
    parts.next().is_none().then_some((slot, generation, secret))
}

/// The key under which strangers' strings are hashed. With it unknown to them, no two of their
/// strings can be made to meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashKey(pub u64, pub u64);

impl HashKey {
    pub fn hash<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        for part in parts {
            hasher.write(part);
            // No string holds it, so ("ab", "c") and ("a", "bc") differ.
            hasher.write(&[0xff, 0xfe]);
        }
        hasher.finish128().as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_and_tags_name_what_they_were_made_for() {
        let id = TransactionId::new(70_000, 3);
        let text = branch(id, u64::MAX);
        assert_eq!(parse_branch(&text), Some((id, u64::MAX)));
        assert_eq!(parse_tag(&tag(LegId::new(1, 2), 0)), Some((LegId::new(1, 2), 0)));
        for foreign in ["", "z9hG4bK", "z9hG4bKkdjuw", "z9hG4bK1.2", "z9hG4bK1.2.3.4", "1.2.3"] {
            assert_eq!(parse_branch(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn hashed_parts_do_not_run_together() {
        let key = HashKey(1, 2);
        assert_ne!(key.hash([&b"ab"[..], b"c"]), key.hash([&b"a"[..], b"bc"]));
        assert_ne!(key.hash([&b"ab"[..]]), HashKey(1, 3).hash([&b"ab"[..]]));
    }
}
