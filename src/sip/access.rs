//! Who may register and call: digest with a count of wrong passwords and a price on noise.
//!
//! In: a request's method, Request-URI, Authorization values and source. Out: a [`Verdict`].
//! ACK and CANCEL cannot be challenged (RFC 3261 section 22.1): do not ask about them.
//! Knows no transactions. May import: base, and digest beside it.

use super::digest::Verifier;
use super::{Secret, Settings};
use crate::base::{Cx, Rng};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The part of the settings that decides, indexed. Not state: build it anew from the settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    realm: String,
    lock_after: u32,
    secrets: BTreeMap<String, Secret>,
}

impl Rules {
    pub fn new(settings: &Settings) -> Self {
        Self {
            realm: settings.domains.first().cloned().unwrap_or_default(),
            lock_after: settings.lock_after,
            secrets: settings.users.iter().map(|u| (u.name.clone(), u.secret.clone())).collect(),
        }
    }
}

/// A request that wants in.
#[derive(Clone, Copy, Debug)]
pub struct Knock<'a> {
    pub method: &'a str,
    /// Request-URI as it was sent.
    pub uri: &'a str,
    /// The values of all Authorization header fields (or Proxy-Authorization), as text.
    pub answers: &'a [&'a str],
    pub peer: SocketAddr,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request is this user's. Whether they may do *that* (register another's address of
    /// record) is the caller's question.
    Accept(String),
    /// 401 with one WWW-Authenticate each (or 407 and Proxy-Authenticate).
    Challenge { stale: bool, values: Vec<String> },
    /// 403. With `retry_after` seconds while the user is locked from this source; `locked` names
    /// the user when this very request was the last straw (`Notice::Locked`).
    Forbid { retry_after: Option<u32>, locked: Option<String> },
    /// 400: the credentials belong to another request or cannot be understood.
    Unfit,
    /// 503 with Retry-After: this source makes too much noise.
    Busy { retry_after: u32 },
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Access {
    verifier: Verifier,
}

impl Access {
    pub fn new(rng: &mut Rng) -> Self {
        Self { verifier: Verifier::new(rng) }
    }

    pub fn judge(&mut self, _cx: &mut Cx, _rules: &Rules, _knock: Knock) -> Verdict {
        Verdict::Unfit
    }
}
