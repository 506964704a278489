//! SIP over TLS (RFC 3261 section 26.2): our certificate for whoever connects, and who may vouch
//! for those that we connect to. TLS 1.2 and 1.3. Keys are in no log.
//!
//! In: files in PEM. Out: connections that are secured, or one sentence why not.

use super::wire::Wire;
use crate::config::Tls;
use crate::shell::store::tls::{self, provider};
use crate::wire::sip::{Message, Name, Uri, text};
use dashmap::DashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// Handshakes at a time: each costs as much as some hundred messages.
const HANDSHAKES_MAX: usize = 64;
/// Addresses whose name is remembered; far more than there are trunks.
const NAMES_MAX: usize = 1_024;

/// What is in force, until a reload brings other files.
#[derive(Debug)]
pub struct Keys {
    current: Mutex<Arc<Current>>,
    handshakes: Semaphore,
    /// What an address has proved to be called: within a call it is often named by its number.
    names: DashMap<SocketAddr, String>,
}

#[derive(Debug, Default)]
struct Current {
    server: Option<Arc<ServerConfig>>,
    ca: Option<Vec<CertificateDer<'static>>>,
    /// Made when it is needed first: most switches have no trunk over TLS.
    client: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Keys {
    /// Reads the files. An error is one sentence: which file, what is wrong, what to do.
    pub fn load(files: &Tls) -> Result<Self, String> {
        let current = Mutex::new(Arc::new(Current::load(files)?));
        Ok(Self { current, handshakes: Semaphore::new(HANDSHAKES_MAX), names: DashMap::new() })
    }

    /// For connections from now on. Those that are open go on as they are.
    pub fn renew(&self, files: &Tls) -> Result<(), String> {
        let fresh = Arc::new(Current::load(files)?);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Somebody has connected. The caller bounds the time.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<Wire> {
        let config = self.current().server.clone();
        let config = config.ok_or_else(|| io::Error::other("there is no certificate"))?;
        // Whoever finds no place waits, within the same time.
        let _place = self.handshakes.acquire().await.map_err(io::Error::other)?;
        let secured = TlsAcceptor::from(config).accept(stream).await?;
        Ok(Wire::Secure(Box::new(TlsStream::Server(secured))))
    }

    /// We have connected, to send `message`: whoever is there has to prove the name that it is
    /// meant for (RFC 5922 section 4).
    pub async fn connect(&self, stream: TcpStream, message: &[u8]) -> io::Result<Wire> {
        let peer = stream.peer_addr()?;
        let name = self.name_of(message, peer);
        let config = self.current().client().map_err(io::Error::other)?;
        let server = ServerName::try_from(name.clone()).map_err(io::Error::other)?;
        let secured = TlsConnector::from(config).connect(server, stream).await;
        let secured = secured.map_err(|e| io::Error::new(e.kind(), format!("as {name}: {e}")))?;
        if self.names.len() < NAMES_MAX || self.names.contains_key(&peer) {
            self.names.insert(peer, name);
        }
        Ok(Wire::Secure(Box::new(TlsStream::Client(secured))))
    }

    /// The domain that a message is for; where it names an address alone, what that has proved to
    /// be called before.
    fn name_of(&self, message: &[u8], peer: SocketAddr) -> String {
        let meant = next_hop(message).unwrap_or_else(|| peer.ip().to_string());
        if meant.parse::<IpAddr>().is_err() {
            return meant;
        }
        self.names.get(&peer).map_or(meant, |known| known.clone())
    }
}

/// The host of the nearest route, or of the Request-URI.
fn next_hop(message: &[u8]) -> Option<String> {
    let message = Message::parse(message).ok()?;
    let route = message.header(Name::Route).map(text);
    let route = route.as_deref().and_then(|route| {
        let inside = route.split_once('<')?.1.split_once('>')?.0;
        Uri::parse(inside)
    });
    let host = route.or_else(|| message.request_uri()).map(|uri| uri.host)?;
    Some(host.ip().map_or_else(|| host.to_string(), |ip| ip.to_string()))
}

impl Current {
    fn load(files: &Tls) -> Result<Self, String> {
        let server = match &files.certificate {
            Some((certificate, key)) => Some(Arc::new(server(certificate, key)?)),
            None => None,
        };
        let ca = files.ca.as_deref().map(certificates).transpose()?;
        Ok(Self { server, ca, client: OnceLock::new() })
    }

    fn client(&self) -> Result<Arc<ClientConfig>, String> {
        self.client.get_or_init(|| client(self.ca.clone()).map(Arc::new)).clone()
    }
}

fn server(certificate: &Path, key: &Path) -> Result<ServerConfig, String> {
    let chain = certificates(certificate)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| unreadable(key, "key", &e))?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    config.with_no_client_auth().with_single_cert(chain, secret).map_err(|e| {
        format!(
            "[sip.tls] {} and {} do not go together: {e}. Name the certificate and the key that \
             it was issued for",
            certificate.display(),
            key.display()
        )
    })
}

fn client(ca: Option<Vec<CertificateDer<'static>>>) -> Result<ClientConfig, String> {
    let Some(ca) = ca else { return tls::client() };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(ca);
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let all = read.map_err(|e| unreadable(path, "certificate", &e))?;
    match all.is_empty() {
        true => Err(format!(
            "[sip.tls] {}: there is no certificate in it; name a file in PEM, with the chain below \
             the certificate",
            path.display()
        )),
        false => Ok(all),
    }
}

/// In words of our own: those of the library may repeat what is in the file.
fn unreadable(path: &Path, what: &str, error: &pem::Error) -> String {
    let why = match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => format!("there is no {what} in it"),
        _ => "it is not in PEM".into(),
    };
    format!(
        "[sip.tls] {}: the {what} cannot be read: {why}. Name a file in PEM that this user may \
         read",
        path.display()
    )
}

/// For `pukar check`: whether the files will do.
pub fn check(files: &Tls) -> Result<(), String> {
    Keys::load(files).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(uri: &str, route: &str) -> Vec<u8> {
        format!(
            "OPTIONS {uri} SIP/2.0\r\nVia: SIP/2.0/TLS a;branch=z9hG4bK1\r\n{route}\
             From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        .into_bytes()
    }

    #[test]
    fn whoever_is_connected_to_has_to_prove_the_name_of_the_next_hop_or_what_it_proved_before() {
        for (uri, route, name) in [
            ("sip:181@sbc.carrier.in", "", "sbc.carrier.in"),
            ("sip:181@sbc.carrier.in:5061;transport=tls", "", "sbc.carrier.in"),
            ("sip:181@home.in", "Route: <sip:edge.in;lr>, <sip:far.in;lr>\r\n", "edge.in"),
            ("sip:181@[2001:db8::1]:5061", "", "2001:db8::1"),
        ] {
            assert_eq!(next_hop(&message(uri, route)).as_deref(), Some(name), "{uri}");
        }
        let keys = Keys::load(&Tls::default()).unwrap();
        let (peer, by_number) = ("192.0.2.9:5061".parse().unwrap(), message("sip:192.0.2.9", ""));
        assert_eq!(keys.name_of(&by_number, peer), "192.0.2.9");
        keys.names.insert(peer, "sbc.carrier.in".into());
        assert_eq!(keys.name_of(&by_number, peer), "sbc.carrier.in");
        let other = message("sip:181@other.in", "");
        assert_eq!(keys.name_of(&other, peer), "other.in", "a name is never taken for another");
    }
}
