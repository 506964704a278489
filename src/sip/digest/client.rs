//! The client's half of digest: the answer to a challenge.
//!
//! In: the values of WWW-Authenticate or Proxy-Authenticate, a login. Out: the value to send.

use super::text::digest_params;
use super::{Algorithm, Question};
use crate::base::Rng;
use crate::sip::Login;
use crate::wire::sip::quoted;
use serde::{Deserialize, Serialize};

/// A challenge that was accepted, and how often it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// The server knows `qop=auth`. Without it answers are not counted (RFC 2069).
    auth: bool,
    stale: bool,
    cnonce: String,
    /// Answers given with this nonce.
    count: u32,
}

impl Session {
    /// Chooses the strongest challenge that we can answer, from the values of all
    /// WWW-Authenticate or Proxy-Authenticate header fields of a 401 or 407; among equals the
    /// first, as RFC 8760 section 2.4 has it.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>, rng: &mut Rng) -> Option<Self> {
        let mut best: Option<Self> = None;
        for challenge in values.into_iter().filter_map(Self::read) {
            if best.as_ref().is_none_or(|b| challenge.algorithm.hash > b.algorithm.hash) {
                best = Some(challenge);
            }
        }
        let mut best = best?;
        best.cnonce = format!("{:016x}", rng.bits());
        Some(best)
    }

    fn read(value: &str) -> Option<Self> {
        let params = digest_params(value)?;
        let get = |name: &str| params.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        // A list; `auth-int` is not spoken here, and a server that insists on it is not answered.
        let auth = match get("qop") {
            None => false,
            Some(list) if list.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return None,
        };
        let algorithm = Algorithm::parse(get("algorithm"))?;
        // RFC 7616 section 3.4.2: a session needs a cnonce, which without qop cannot be sent.
        if algorithm.session && !auth {
            return None;
        }
        Some(Self {
            realm: get("realm")?.to_string(),
            nonce: get("nonce")?.to_string(),
            opaque: get("opaque").map(str::to_string),
            algorithm,
            auth,
            stale: get("stale").is_some_and(|s| s.eq_ignore_ascii_case("true")),
            cnonce: String::new(),
            count: 0,
        })
    }

    /// Whether the server says that only the nonce was too old. If not, and we had answered, then
    /// the password is wrong: do not try again.
    pub fn stale(&self) -> bool {
        self.stale
    }

    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The value of Authorization or Proxy-Authorization; each call counts `nc` up. `uri` is the
    /// Request-URI.
    pub fn answer(&mut self, login: &Login, method: &str, uri: &str) -> String {
        self.count = self.count.wrapping_add(1);
        let nc = format!("{:08x}", self.count);
        let response = Question {
            algorithm: self.algorithm,
            username: &login.user,
            realm: &self.realm,
            nonce: &self.nonce,
            counted: self.auth.then_some((nc.as_str(), self.cnonce.as_str())),
            method,
            uri,
        }
        .response(&login.secret.0);
        let mut value = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\", \
             algorithm={}",
            quoted(&login.user),
            quoted(&self.realm),
            quoted(&self.nonce),
            quoted(uri),
            self.algorithm.name(),
        );
        if self.auth {
            value.push_str(&format!(", qop=auth, nc={nc}, cnonce=\"{}\"", self.cnonce));
        }
        // RFC 7616 section 3.3: opaque "SHOULD be returned by the client unchanged".
        if let Some(opaque) = &self.opaque {
            value.push_str(&format!(", opaque={}", quoted(opaque)));
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Secret;

    const SHA: &str = "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth,auth-int\"";
    const MD5: &str = "Digest realm=\"r\", nonce=\"m\", opaque=\"o\", qop=\"auth\", stale=TRUE";

    fn login() -> Login {
        Login { user: "gw".into(), secret: Secret("pw".into()) }
    }

    fn chosen(values: &[&str]) -> Option<Session> {
        Session::new(values.iter().copied(), &mut Rng::new(1))
    }

    #[test]
    fn the_strongest_challenge_is_answered() {
        for values in [[SHA, MD5], [MD5, SHA]] {
            let mut session = chosen(&values).unwrap();
            let value = session.answer(&login(), "REGISTER", "sip:carrier");
            assert!(value.contains("algorithm=SHA-256"), "{value}");
            assert!(value.contains("qop=auth, nc=00000001"), "{value}");
            assert!(!value.contains("pw"), "{value}");
        }
    }

    #[test]
    fn what_cannot_be_answered_is_passed_over() {
        let unknown = "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256, qop=\"auth\"";
        let whole_body = "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"";
        assert_eq!(chosen(&[unknown, whole_body, "Basic realm=\"r\""]), None);
        let session = chosen(&[unknown, MD5]).unwrap();
        assert!(session.stale() && session.realm() == "r");
    }

    #[test]
    fn each_answer_counts_and_returns_the_opaque() {
        let mut session = chosen(&[MD5]).unwrap();
        let first = session.answer(&login(), "INVITE", "sip:1@carrier");
        let second = session.answer(&login(), "INVITE", "sip:1@carrier");
        assert!(first.contains("nc=00000001") && second.contains("nc=00000002"));
        assert!(first.contains("opaque=\"o\"") && first != second);
    }

    #[test]
    fn a_server_without_qop_gets_an_answer_without_count() {
        let mut session = chosen(&["Digest realm=\"r\", nonce=\"n\""]).unwrap();
        let value = session.answer(&login(), "INVITE", "sip:1@carrier");
        assert!(!value.contains("nc=") && !value.contains("qop") && value.contains("=MD5"));
    }
}
