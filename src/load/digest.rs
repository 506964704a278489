//! Digest answers of registering phones (RFC 3261 section 22, RFC 8760: MD5 and SHA-256).
//!
//! In: challenges as `rsip` read them, name and secret. Out: the Authorization value. Pure.
//! May import: nothing of ours.

use md5::Md5;
use sha2::{Digest, Sha256};

/// Who answers, and what about.
pub struct Question<'a> {
    pub user: &'a str,
    pub secret: &'a str,
    pub method: &'a str,
    pub uri: &'a str,
    pub cnonce: &'a str,
}

/// The answer to the strongest of `challenges` that we know; none if there is none such.
pub fn answer(challenges: &[String], question: &Question<'_>) -> Option<String> {
    let algorithm = |c: &str| field(c, "algorithm").unwrap_or_else(|| "MD5".into());
    let known = |name: &'static str| {
        challenges.iter().find(move |c| algorithm(c).eq_ignore_ascii_case(name))
    };
    let (challenge, name, hash): (_, _, fn(&str) -> String) = match known("SHA-256") {
        Some(challenge) => (challenge, "SHA-256", sha256),
        None => (known("MD5")?, "MD5", md5),
    };
    let (realm, nonce) = (field(challenge, "realm")?, field(challenge, "nonce")?);
    let Question { user, secret, method, uri, cnonce } = question;
    let ha1 = hash(&format!("{user}:{realm}:{secret}"));
    let ha2 = hash(&format!("{method}:{uri}"));
    let mut value = format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         algorithm={name}"
    );
    let with_qop = field(challenge, "qop")
        .is_some_and(|q| q.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")));
    let response = if with_qop {
        value.push_str(&format!(", qop=auth, nc=00000001, cnonce=\"{cnonce}\""));
        hash(&format!("{ha1}:{nonce}:00000001:{cnonce}:auth:{ha2}"))
    } else {
        hash(&format!("{ha1}:{nonce}:{ha2}"))
    };
    value.push_str(&format!(", response=\"{response}\""));
    if let Some(opaque) = field(challenge, "opaque") {
        value.push_str(&format!(", opaque=\"{opaque}\""));
    }
    Some(value)
}

/// One parameter of a challenge, unquoted.
fn field(challenge: &str, name: &str) -> Option<String> {
    let mut rest = challenge.trim().strip_prefix("Digest")?;
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.trim_matches([' ', ',', '\t']);
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.eq_ignore_ascii_case(name) {
            return Some(value.trim().to_string());
        }
        rest = left;
    }
    None
}

fn md5(text: &str) -> String {
    hex(&Md5::digest(text))
}

fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 section 3.9.1.
    #[test]
    fn the_answers_of_rfc_7616() {
        let challenge = |algorithm: &str| {
            format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
                 algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                 opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            )
        };
        let question = Question {
            user: "Mufasa",
            secret: "Circle of Life",
            method: "GET",
            uri: "/dir/index.html",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        };
        let md5 = answer(&[challenge("MD5")], &question).unwrap();
        assert!(md5.contains("response=\"8ca523f5e9506fed4657c9700eebdbec\""), "{md5}");
        let both = answer(&[challenge("MD5"), challenge("SHA-256")], &question).unwrap();
        let sha256 = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert!(both.contains(sha256) && both.contains("algorithm=SHA-256"), "{both}");
        assert_eq!(answer(&["Basic realm=\"x\"".into()], &question), None);
    }
}
