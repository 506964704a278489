//! The client's half of digest: the answer to a challenge.

use crate::base::Rng;
use crate::sip::Login;
use serde::{Deserialize, Serialize};

/// A challenge that was accepted, and how often it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    realm: String,
    stale: bool,
}

impl Session {
    /// Chooses the strongest challenge that we can answer, from the values of all
    /// WWW-Authenticate or Proxy-Authenticate header fields of a 401 or 407.
    pub fn new<'a>(_values: impl IntoIterator<Item = &'a str>, _rng: &mut Rng) -> Option<Self> {
        None
    }

    /// Whether the server says that only the nonce was too old. If not, and we had answered, then
    /// the password is wrong: do not try again.
    pub fn stale(&self) -> bool {
        self.stale
    }

    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The value of Authorization or Proxy-Authorization; each call counts `nc` up.
    pub fn answer(&mut self, _login: &Login, _method: &str, _uri: &str) -> String {
        String::new()
    }
}
