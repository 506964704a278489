//! The server's half of digest: challenges, and what an answer to one is worth.
//!
//! A nonce carries its own time under a keyed hash, so that challenging costs no memory. Memory is
//! spent only on nonces that a right password has used, and there to count their uses. The hash
//! covers the source that was challenged: who only writes another's address on his datagrams never
//! sees a nonce that is good from there.
//!
//! In: credentials, a secret, the source, the time. Out: [`Checked`]. Knows no users.

use super::text::digest_params;
use super::{Algorithm, Hash, Question};
use crate::base::{Instant, Now, Rng, limits};
use crate::sip::Secret;
use crate::wire::sip::{Uri, quoted};
use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::net::IpAddr;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How long a nonce may be answered. A phone that registers every half hour is challenged anew
/// each time, which costs one round trip and no work.
const NONCE_LIFE: Duration = Duration::from_secs(300);
/// How far behind the highest count a late request may be (requests overtake each other on UDP).
const COUNT_WINDOW: u32 = 64;

/// What a client sent in Authorization or Proxy-Authorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub realm: String,
    nonce: String,
    uri: String,
    response: String,
    algorithm: Algorithm,
    /// `nc` as sent, its value, and `cnonce`.
    counted: Option<(String, u32, String)>,
}

impl Credentials {
    /// From the text of one header field value. `None`: another scheme, not well-formed, or of a
    /// kind that we never asked for.
    pub fn parse(value: &str) -> Option<Self> {
        let mut params = digest_params(value)?;
        let mut take = |name: &str| {
            let at = params.iter().position(|(n, _)| n == name)?;
            Some(params.swap_remove(at).1)
        };
        let algorithm = Algorithm::parse(take("algorithm").as_deref())?;
        let counted = match take("qop") {
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let nc = take("nc").filter(|nc| nc.len() == 8)?;
                let count = u32::from_str_radix(&nc, 16).ok().filter(|&count| count > 0)?;
                Some((nc, count, take("cnonce")?))
            }
            Some(_) => return None,
            // RFC 3261 section 22.4 keeps RFC 2069 clients in; they know MD5 only.
            None if algorithm.hash == Hash::Md5 && !algorithm.session => None,
            None => return None,
        };
        Some(Self {
            username: take("username")?,
            realm: take("realm")?,
            nonce: take("nonce")?,
            uri: take("uri")?,
            response: take("response")?,
            algorithm,
            counted,
        })
    }

    /// The response is compared without telling by its time how much of it was right.
    fn answers(&self, method: &str, password: &str) -> bool {
        let right = Question {
            algorithm: self.algorithm,
            username: &self.username,
            realm: &self.realm,
            nonce: &self.nonce,
            counted: self.counted.as_ref().map(|(nc, _, cnonce)| (nc.as_str(), cnonce.as_str())),
            method,
            uri: &self.uri,
        }
        .response(password);
        let given = self.response.to_ascii_lowercase();
        right.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    Right,
    Wrong,
    /// The nonce is too old, not ours, or used before: challenge again with `stale=true`. Nothing
    /// is said about the password, so that an old nonce is no way to try one.
    Stale,
    /// It belongs to another request than it came in: 400.
    Unfit,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Verifier {
    key: (u64, u64),
    /// The time in the last nonce. Each gets a time of its own, which is its name here.
    issued: Instant,
    /// Oldest first.
    used: BTreeMap<Instant, Uses>,
    /// Nonces up to this one are too old: their uses are counted no more.
    forgotten: Option<Instant>,
}

/// The counts seen with one nonce: the highest, and which of those just below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Uses {
    highest: u32,
    below: u64,
    /// Answered without `qop`: good for one request.
    spent: bool,
}

impl Verifier {
    pub fn new(rng: &mut Rng) -> Self {
        let key = (rng.bits(), rng.bits());
        Self { key, issued: Instant(0), used: BTreeMap::new(), forgotten: None }
    }

    /// Values of the WWW-Authenticate (or Proxy-Authenticate) header fields. RFC 8760 section 2.4:
    /// the topmost is the one that we prefer.
    pub fn challenge(
        &mut self,
        now: Now,
        (realm, source): (&str, IpAddr),
        stale: bool,
    ) -> Vec<String> {
        self.issued = now.instant.max(Instant(self.issued.0 + 1));
        let nonce = self.nonce(realm, source, self.issued);
        let realm = quoted(realm);
        let stale = if stale { ", stale=true" } else { "" };
        ["SHA-256", "MD5"]
            .map(|name| {
                format!(
                    "Digest realm={realm}, nonce=\"{nonce}\", algorithm={name}, \
                     qop=\"auth\"{stale}"
                )
            })
            .to_vec()
    }

    /// Whether the nonce was given to this source, however long ago.
    pub fn has_challenged(&self, given: &Credentials, source: IpAddr) -> bool {
        self.ours(given, source).is_some()
    }

    /// `secret` is `None` for a user that does not exist; that takes as long. `request` is method
    /// and Request-URI.
    pub fn check(
        &mut self,
        now: Now,
        (given, source): (&Credentials, IpAddr),
        secret: Option<&Secret>,
        (method, uri): (&str, &str),
    ) -> Checked {
        // RFC 7616 section 3.4.6: "If they are not equivalent, the server SHOULD return 400".
        if !same(&given.uri, uri) {
            return Checked::Unfit;
        }
        let issued = self.ours(given, source).filter(|&issued| self.may_be_answered(now, issued));
        let Some(issued) = issued else { return Checked::Stale };
        let nobody = format!("{:016x}", self.key.0);
        let right = given.answers(method, secret.map_or(nobody.as_str(), |s| s.0.as_str()));
        if !right || secret.is_none() {
            return Checked::Wrong;
        }
        let count = given.counted.as_ref().map(|&(_, count, _)| count);
        if self.count(now, issued, count) { Checked::Right } else { Checked::Stale }
    }

    /// Its time and a keyed hash over that, the source and the realm, in hexadecimal.
    fn nonce(&self, realm: &str, source: IpAddr, at: Instant) -> String {
        let mut mac = SipHasher24::new_with_keys(self.key.0, self.key.1);
        mac.write_u64(at.0);
        match source {
            IpAddr::V4(v4) => mac.write(&v4.octets()),
            IpAddr::V6(v6) => mac.write(&v6.octets()),
        }
        mac.write(realm.as_bytes());
        let mac = mac.finish128();
        format!("{:016x}{:016x}{:016x}", at.0, mac.h1, mac.h2)
    }

    /// The time in a nonce that we made for this source.
    fn ours(&self, given: &Credentials, source: IpAddr) -> Option<Instant> {
        let at = Instant(u64::from_str_radix(given.nonce.get(..16)?, 16).ok()?);
        let genuine = self.nonce(&given.realm, source, at);
        let genuine: bool = genuine.as_bytes().ct_eq(given.nonce.as_bytes()).into();
        genuine.then_some(at)
    }

    fn may_be_answered(&self, now: Now, issued: Instant) -> bool {
        let young = now.instant.since(issued) < NONCE_LIFE;
        young && self.forgotten.is_none_or(|last| last < issued)
    }

    /// Notes one use of a nonce by a right password. False: it was used like this before.
    fn count(&mut self, now: Now, issued: Instant, count: Option<u32>) -> bool {
        let fresh = match (self.used.get_mut(&issued), count) {
            (Some(uses), Some(count)) => uses.note(count),
            (Some(_), None) => false,
            (None, count) => {
                let uses = Uses { highest: count.unwrap_or(0), below: 0, spent: count.is_none() };
                self.used.insert(issued, uses);
                true
            }
        };
        self.forget_old(now);
        fresh
    }

    /// What is evicted can never be answered again: a full table costs a challenge, not safety.
    fn forget_old(&mut self, now: Now) {
        while let Some((&oldest, _)) = self.used.first_key_value() {
            if self.used.len() <= limits::NONCES_MAX && now.instant.since(oldest) < NONCE_LIFE {
                return;
            }
            self.used.pop_first();
            self.forgotten = self.forgotten.max(Some(oldest));
        }
    }
}

impl Uses {
    fn note(&mut self, count: u32) -> bool {
        if self.spent {
            return false;
        }
        if count > self.highest {
            let step = count - self.highest;
            // The old highest becomes one of those below.
            self.below = match step {
                1..COUNT_WINDOW => (self.below << step) | (1 << (step - 1)),
                COUNT_WINDOW => 1 << (COUNT_WINDOW - 1),
                _ => 0,
            };
            self.highest = count;
            return true;
        }
        let behind = self.highest - count;
        if behind == 0 || behind > COUNT_WINDOW {
            return false;
        }
        let bit = 1 << (behind - 1);
        let fresh = self.below & bit == 0;
        self.below |= bit;
        fresh
    }
}

/// Clients leave the transport out of `uri`, or add it.
fn same(a: &str, b: &str) -> bool {
    let parsed = || Uri::parse(a).zip(Uri::parse(b));
    a == b || parsed().is_some_and(|(a, b)| a.same_but_transport(&b))
}

#[cfg(test)]
mod tests;
