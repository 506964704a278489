//! Digest authentication (RFC 7616, RFC 8760, RFC 3261 section 22): both ends of it.
//!
//! In: header field values as text, a secret, the time. Out: verdicts and header field values.
//! Knows no users, no messages, no sockets. May import: wire and base.

mod client;
mod server;
mod text;

pub use client::Session;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
pub use server::{Checked, Credentials, Verifier};
use sha2::Sha256;
use std::fmt::Write;

/// The hash functions that we speak, weakest first: the order is that of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Hash {
    Md5,
    Sha256,
}

impl Hash {
    /// Of the parts with a colon between each two, in lower-case hexadecimal.
    fn of(self, parts: &[&str]) -> String {
        match self {
            Hash::Md5 => hex_of::<Md5>(parts),
            Hash::Sha256 => hex_of::<Sha256>(parts),
        }
    }
}

fn hex_of<D: Digest>(parts: &[&str]) -> String {
    let mut digest = D::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            digest.update(b":");
        }
        digest.update(part.as_bytes());
    }
    let mut hex = String::with_capacity(64);
    for octet in digest.finalize() {
        let _ = write!(hex, "{octet:02x}");
    }
    hex
}

/// The `algorithm` parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Algorithm {
    hash: Hash,
    /// `-sess`: the password's hash is mixed with nonce and cnonce.
    session: bool,
}

impl Algorithm {
    /// RFC 7616 section 3.3: "If this is not present, it is assumed to be "MD5"."
    fn parse(given: Option<&str>) -> Option<Self> {
        let given = given.unwrap_or("MD5").to_ascii_lowercase();
        let (name, session) = match given.strip_suffix("-sess") {
            Some(name) => (name, true),
            None => (given.as_str(), false),
        };
        let hash = match name {
            "md5" => Hash::Md5,
            "sha-256" => Hash::Sha256,
            _ => return None,
        };
        Some(Self { hash, session })
    }

    fn name(self) -> &'static str {
        match (self.hash, self.session) {
            (Hash::Md5, false) => "MD5",
            (Hash::Md5, true) => "MD5-sess",
            (Hash::Sha256, false) => "SHA-256",
            (Hash::Sha256, true) => "SHA-256-sess",
        }
    }
}

/// Everything but the password that goes into a response.
struct Question<'a> {
    algorithm: Algorithm,
    username: &'a str,
    realm: &'a str,
    nonce: &'a str,
    /// `nc` and `cnonce` as they are sent; `None` is the way of RFC 2069, without `qop`.
    counted: Option<(&'a str, &'a str)>,
    method: &'a str,
    uri: &'a str,
}

impl Question<'_> {
    /// RFC 7616 section 3.4.1.
    fn response(&self, password: &str) -> String {
        let hash = self.algorithm.hash;
        let mut a1 = hash.of(&[self.username, self.realm, password]);
        if self.algorithm.session {
            a1 = hash.of(&[&a1, self.nonce, self.counted.map_or("", |(_, cnonce)| cnonce)]);
        }
        let a2 = hash.of(&[self.method, self.uri]);
        match self.counted {
            Some((nc, cnonce)) => hash.of(&[&a1, self.nonce, nc, cnonce, "auth", &a2]),
            None => hash.of(&[&a1, self.nonce, &a2]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question<'a>(algorithm: &str, counted: Option<(&'a str, &'a str)>) -> Question<'a> {
        Question {
            algorithm: Algorithm::parse(Some(algorithm)).unwrap(),
            username: "Mufasa",
            realm: "http-auth@example.org",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            counted,
            method: "GET",
            uri: "/dir/index.html",
        }
    }

    #[test]
    fn the_examples_of_rfc_7616_section_3_9_1() {
        let counted = Some(("00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"));
        assert_eq!(
            question("MD5", counted).response("Circle of Life"),
            "8ca523f5e9506fed4657c9700eebdbec"
        );
        assert_eq!(
            question("SHA-256", counted).response("Circle of Life"),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    #[test]
    fn the_example_of_rfc_2617_section_3_5_and_its_form_without_qop() {
        let mut asked = question("md5", Some(("00000001", "0a4f113b")));
        asked.realm = "testrealm@host.com";
        asked.nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
        assert_eq!(asked.response("Circle Of Life"), "6629fae49393a05397450978507c4ef1");
        asked.counted = None;
        assert_eq!(asked.response("Circle Of Life"), "670fd8c2df070c60b045671b8b24ff02");
    }

    #[test]
    fn a_session_algorithm_mixes_the_nonces_into_the_password() {
        let mut asked = question("MD5-sess", Some(("00000001", "c")));
        let inner = Hash::Md5.of(&["Mufasa", asked.realm, "x"]);
        let a1 = Hash::Md5.of(&[&inner, asked.nonce, "c"]);
        let a2 = Hash::Md5.of(&["GET", "/dir/index.html"]);
        let whole = Hash::Md5.of(&[&a1, asked.nonce, "00000001", "c", "auth", &a2]);
        assert_eq!(asked.response("x"), whole);
        asked.algorithm = Algorithm::parse(Some("sha-256-SESS")).unwrap();
        assert_eq!(asked.algorithm.name(), "SHA-256-sess");
        assert_eq!(asked.response("x").len(), 64);
    }

    #[test]
    fn algorithms_are_known_by_name_and_md5_is_assumed() {
        assert_eq!(Algorithm::parse(None).unwrap().name(), "MD5");
        assert_eq!(Algorithm::parse(Some("SHA-512-256")), None);
        assert!(Algorithm::parse(Some("SHA-256")) > Algorithm::parse(Some("MD5-sess")));
    }
}
