//! Answers to challenges (RFC 7616), written apart from the switch's own.

use md5::Md5;
use sha2::{Digest, Sha256};

/// Who logs in, and with what.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    pub user: &'a str,
    pub secret: &'a str,
}

/// The algorithms that a 401 offers, in its order.
pub fn offered(refusal: &str) -> Vec<&str> {
    let lines = refusal.lines().filter(|line| line.starts_with("WWW-Authenticate"));
    lines.map(|line| part(line, "algorithm").unwrap_or("MD5")).collect()
}

/// The Authorization line, with its end, that answers what a 401 offers with this algorithm.
pub fn authorization(
    refusal: &str,
    algorithm: &str,
    Login { user, secret }: Login,
    (method, uri): (&str, &str),
) -> String {
    let mut lines = refusal.lines().filter(|line| line.starts_with("WWW-Authenticate"));
    let line = lines.find(|line| part(line, "algorithm") == Some(algorithm));
    let line = line.unwrap_or_else(|| panic!("{algorithm} is not offered: {refusal}"));
    let hash = |text: String| match algorithm {
        "SHA-256" => hex(&Sha256::digest(text)),
        _ => hex(&Md5::digest(text)),
    };
    let (realm, nonce) = (part(line, "realm").unwrap(), part(line, "nonce").unwrap());
    let ours = hash(format!("{user}:{realm}:{secret}"));
    let asked = hash(format!("{method}:{uri}"));
    let response = hash(format!("{ours}:{nonce}:00000001:c:auth:{asked}"));
    let opaque = part(line, "opaque").map(|o| format!(", opaque=\"{o}\"")).unwrap_or_default();
    format!(
        "Authorization: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", \
         uri=\"{uri}\", algorithm={algorithm}, qop=auth, nc=00000001, cnonce=\"c\", \
         response=\"{response}\"{opaque}\r\n"
    )
}

/// The value of a parameter, quoted or not.
fn part<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("{name}="))?;
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split([',', ' ']).next(),
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
