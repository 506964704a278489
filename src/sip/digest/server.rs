//! The server's half of digest: challenges, and what an answer to one is worth.

use crate::base::{Now, Rng};
use crate::sip::Secret;
use serde::{Deserialize, Serialize};

/// What a client sent in Authorization or Proxy-Authorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub realm: String,
}

impl Credentials {
    /// From the text of one header field value. `None`: another scheme, or not well-formed.
    pub fn parse(_value: &str) -> Option<Self> {
        None
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    Right,
    Wrong,
    /// The nonce is too old, not ours, or used before: challenge again with `stale=true`.
    Stale,
    /// It is no answer to a challenge of ours, or belongs to another request: 400.
    Unfit,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Verifier {
    key: (u64, u64),
}

impl Verifier {
    pub fn new(rng: &mut Rng) -> Self {
        Self { key: (rng.bits(), rng.bits()) }
    }

    /// Values of the WWW-Authenticate (or Proxy-Authenticate) header fields, strongest first.
    pub fn challenge(&mut self, _now: Now, _realm: &str, _stale: bool) -> Vec<String> {
        Vec::new()
    }

    /// `secret` is `None` for a user that does not exist; that takes as long.
    pub fn check(
        &mut self,
        _now: Now,
        _given: &Credentials,
        _secret: Option<&Secret>,
        _request: (&str, &str),
    ) -> Checked {
        Checked::Wrong
    }
}
