//! Rows posted to a web server: JSON lines, some hundred in a request. Only 2xx means that it has
//! them. Requests come again when an answer is lost, so every row bears its `key`, and every
//! request an `Idempotency-Key`; whoever receives must keep a row of a known key once.

use super::columns::{json_line, key_of};
use super::{Store, Trouble, tls};
use crate::config::Remote;
use crate::core::Row;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Error};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Octets of an answer that are read.
const ANSWER_MAX: u64 = 64 << 10;
/// Letters of a refusal that are worth a line in the log.
const SHOWN: usize = 200;

pub struct Webhook {
    server: Server,
    origin: String,
}

impl Webhook {
    pub fn open(at: &Remote, origin: &str) -> Result<Self, String> {
        Ok(Self { server: Server::of(at, ANSWER_WITHIN)?, origin: origin.into() })
    }
}

impl Store for Webhook {
    fn write(&mut self, rows: &[Row]) -> Result<(), Trouble> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
        let mut body = String::new();
        for row in rows {
            let mut object = json_line(row);
            object["key"] = json!(key_of(row));
            body.push_str(&format!("{object}\n"));
        }
        let key = format!("{}:{}:{}:{}", self.origin, key_of(first), key_of(last), rows.len());
        self.server.post("application/x-ndjson", &key, body).map(drop)
    }
}

/// A web server that something is posted to.
pub struct Server {
    agent: Agent,
    url: String,
    authorization: Option<String>,
}

impl Server {
    /// `within`: from the first octet of a request to the last of its answer.
    pub fn of(at: &Remote, within: Duration) -> Result<Self, String> {
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_global(Some(within))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("pukar/", env!("CARGO_PKG_VERSION")));
        let config = if at.tls { config.tls_config(tls_config()?) } else { config };
        let path = at.path.as_str();
        let slash = if path.starts_with('/') { "" } else { "/" };
        let url = format!("{}{slash}{path}", at.server());
        Ok(Self { agent: config.build().into(), url, authorization: authorization(at) })
    }

    /// What it answers with 2xx. `key`: the same where the request comes again.
    pub fn post(&self, kind: &str, key: &str, body: String) -> Result<String, Trouble> {
        let mut request =
            self.agent.post(&self.url).content_type(kind).header("Idempotency-Key", key);
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut response = request.send(body).map_err(|e| sentence(&e))?;
        let answer = response.body_mut().with_config().limit(ANSWER_MAX).read_to_string();
        let answer = answer.unwrap_or_default();
        match response.status() {
            status if status.is_success() => Ok(answer),
            status => {
                // RFC 9110, sections 15.5.14 and 15.5.21: too long, or understood and not wanted.
                let of_the_rows = matches!(status.as_u16(), 413 | 422);
                let why = format!("the server says {status}: {}", shown(&answer));
                Err(Trouble { why, of_the_rows })
            }
        }
    }
}

/// As much of an answer as is worth a line.
pub fn shown(answer: &str) -> String {
    answer.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect()
}

fn tls_config() -> Result<TlsConfig, String> {
    let found = tls::authorities()?;
    let roots = found.iter().map(|der| Certificate::from_der(der).to_owned());
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(tls::provider())
        .root_certs(RootCerts::Specific(Arc::new(roots.collect())))
        .build())
}

/// `Basic` (RFC 7617) with a user, `Bearer` (RFC 6750) with a token alone.
fn authorization(at: &Remote) -> Option<String> {
    let secret = at.secret.as_ref().map(|secret| secret.0.as_str());
    match (at.user.as_str(), secret) {
        ("", None) => None,
        ("", Some(token)) => Some(format!("Bearer {token}")),
        (user, secret) => {
            let pair = format!("{user}:{}", secret.unwrap_or_default());
            Some(format!("Basic {}", base64(pair.as_bytes())))
        }
    }
}

/// RFC 4648, section 4.
fn base64(octets: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in octets.chunks(3) {
        let octet = |n: usize| u32::from(chunk.get(n).copied().unwrap_or(0));
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        for n in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * n)) as usize & 63];
            text.push(if n <= chunk.len() { letter.into() } else { '=' });
        }
    }
    text
}

/// Without the URL, which may hold what nobody shall read in a log.
fn sentence(error: &Error) -> String {
    match error {
        Error::Timeout(what) => format!("the server took too long ({what})"),
        Error::Io(error) => format!("the server cannot be reached: {error}"),
        Error::HostNotFound => "the server's name is not known".into(),
        Error::ConnectionFailed => "the server cannot be reached".into(),
        Error::Tls(why) => format!("TLS with the server fails: {why}"),
        Error::Rustls(why) => format!("TLS with the server fails: {why}"),
        _ => "the server's answer is no HTTP".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_its_padding() {
        for (text, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(text.as_bytes()), coded);
        }
        assert_eq!(base64("Aladdin:open sesame".as_bytes()), "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }
}
