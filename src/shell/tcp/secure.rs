//! SIP over TLS (RFC 3261 section 26.2): our certificate for whoever connects, and who may vouch
//! for those that we connect to. TLS 1.2 and 1.3. Keys are in no log.
//!
//! In: files in PEM. Out: connections that are secured, or one sentence why not.

use super::expiry::{Standing, not_after, standing};
use super::wire::Wire;
use crate::base::Wall;
use crate::config::Tls;
use crate::shell::clock::Clock;
use crate::shell::meters::ShellMeters;
use crate::shell::stamp::rfc3339;
use crate::shell::store::tls::{self, provider};
use crate::sip::access;
use crate::wire::sip::{Message, Name, Uri, text};
use dashmap::DashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    SignatureScheme,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// Handshakes of one source at a time, each of which costs as much as some hundred messages: who
/// has more of them under way waits for itself, and nobody for others.
const HANDSHAKES_MAX: usize = 16;
/// Addresses whose name is remembered; far more than there are trunks.
const NAMES_MAX: usize = 1_024;

/// What is in force, until a reload brings other files.
#[derive(Debug)]
pub struct Keys {
    current: Mutex<Arc<Current>>,
    handshakes: DashMap<IpAddr, Arc<Semaphore>>,
    /// What an address has proved to be called: within a call it is often named by its number.
    names: DashMap<SocketAddr, String>,
}

#[derive(Debug, Default)]
struct Current {
    server: Option<Arc<ServerConfig>>,
    /// Ours, for whoever we connect to and who asks for it.
    identity: Option<Identity>,
    ca: Option<Vec<CertificateDer<'static>>>,
    asked: Vec<String>,
    /// Who says whether a certificate proves them.
    judge: Option<Judge>,
    /// Made when it is needed first: most switches have no trunk over TLS.
    client: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Keys {
    /// Reads the files. An error is one sentence: which file, what is wrong, what to do.
    pub fn load(files: &Tls) -> Result<Self, String> {
        let current = Mutex::new(Arc::new(Current::load(files)?));
        Ok(Self { current, handshakes: DashMap::new(), names: DashMap::new() })
    }

    /// For connections from now on. Those that are open go on as they are. A certificate that is
    /// over is no better than the one before, which stays; what else there is to reload does not
    /// wait for another.
    pub fn renew(&self, files: &Tls) -> Result<(), String> {
        let fresh = Arc::new(Current::load(files)?);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match fresh.is_good() {
            Err(why) if current.is_good().is_ok() => {
                tracing::error!("{why}; the one before stays in force");
            }
            Ok(()) | Err(_) => *current = fresh,
        }
        Ok(())
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Somebody has connected. The caller bounds the time. The names of trunks that it has proved
    /// come with it, where it was asked for any.
    pub async fn accept(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> io::Result<(Wire, Option<Vec<String>>)> {
        let current = self.current();
        let config = current.server.clone();
        let config = config.ok_or_else(|| io::Error::other("there is no certificate"))?;
        let source = access::source(peer.ip());
        let _place = self.place(source).await?;
        let secured = TlsAcceptor::from(config).accept(stream).await?;
        let chain = secured.get_ref().1.peer_certificates().unwrap_or_default();
        let judge = current.judge.as_ref();
        let names = judge.map(|judge| proven(chain, judge, &current.asked));
        Ok((Wire::Secure(Box::new(TlsStream::Server(secured))), names))
    }

    /// A place among the handshakes of a source; whoever finds none waits.
    async fn place(&self, source: IpAddr) -> io::Result<Place<'_>> {
        let all = || Arc::new(Semaphore::new(HANDSHAKES_MAX));
        // The entry is let go of before anybody waits.
        let gate = Arc::clone(&*self.handshakes.entry(source).or_insert_with(all));
        let place = Place { keys: self, source, permit: None };
        let permit = gate.acquire_owned().await.map_err(io::Error::other)?;
        Ok(place.with(permit))
    }

    /// We have connected: whoever is there has to prove its name (RFC 5922 section 4).
    pub async fn connect(&self, stream: TcpStream, name: String) -> io::Result<Wire> {
        let peer = stream.peer_addr()?;
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
    pub fn name_of(&self, message: &[u8], peer: SocketAddr) -> String {
        let meant = next_hop(message).unwrap_or_else(|| peer.ip().to_string());
        if meant.parse::<IpAddr>().is_err() {
            return meant;
        }
        self.names.get(&peer).map_or(meant, |known| known.clone())
    }
}

/// Held as long as a handshake takes.
struct Place<'k> {
    keys: &'k Keys,
    source: IpAddr,
    permit: Option<OwnedSemaphorePermit>,
}

impl Place<'_> {
    fn with(mut self, permit: OwnedSemaphorePermit) -> Self {
        self.permit = Some(permit);
        self
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.permit = None;
        // The table has one, and whoever waits has others.
        self.keys.handshakes.remove_if(&self.source, |_, gate| Arc::strong_count(gate) == 1);
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
        let identity = files.certificate.as_ref().map(Identity::read).transpose()?;
        let ca = files.ca.as_deref().map(certificates).transpose()?;
        let asked = files.asked.clone();
        let judge = match asked.is_empty() {
            true => None,
            false => Some(judge(roots(ca.clone())?)?),
        };
        let server = identity.as_ref().map(|own| own.server(judge.clone())).transpose()?;
        let server = server.map(Arc::new);
        let current = Self { server, identity, ca, asked, judge, client: OnceLock::new() };
        if current.ca.is_some() {
            // What nobody could be believed by is no file of authorities.
            current.client()?;
        }
        Ok(current)
    }

    fn is_good(&self) -> Result<(), String> {
        let now = Clock::start().now().wall;
        let own = self.identity.as_ref();
        match own.and_then(|own| Some((own, own.ends()?))) {
            Some((own, until)) if standing(until, now) == Standing::Over => Err(over(own, until)),
            _ => Ok(()),
        }
    }

    fn client(&self) -> Result<Arc<ClientConfig>, String> {
        let make = || client(self.ca.clone(), self.identity.as_ref()).map(Arc::new);
        self.client.get_or_init(make).clone()
    }
}

/// A certificate with the chain below it, and its key.
#[derive(Debug)]
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// Both files, for people.
    from: String,
}

impl Identity {
    fn read((certificate, key): &(PathBuf, PathBuf)) -> Result<Self, String> {
        let from = format!("{} and {}", certificate.display(), key.display());
        let chain = certificates(certificate)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|e| unreadable(key, "key", &e))?;
        Ok(Self { chain, key, from })
    }

    /// The first of its chain that runs out.
    fn good_until(&self) -> Option<Wall> {
        self.chain.iter().filter_map(|one| not_after(one)).min()
    }

    /// Its own end: whoever connects may know another way to an authority than the chain's.
    fn ends(&self) -> Option<Wall> {
        not_after(self.chain.first()?)
    }

    /// `judge`: where whoever connects is asked who vouches for them.
    fn server(&self, judge: Option<Judge>) -> Result<ServerConfig, String> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?;
        let config = match judge {
            None => config.with_no_client_auth(),
            Some(judge) => config.with_client_cert_verifier(Arc::new(Lenient(judge))),
        };
        config.with_single_cert(self.chain.clone(), self.key.clone_key()).map_err(|e| {
            format!(
                "[sip.tls] {} do not go together: {e}. Name the certificate and the key that it \
                 was issued for",
                self.from
            )
        })
    }
}

type Judge = Arc<dyn ClientCertVerifier>;

fn judge(roots: RootCertStore) -> Result<Judge, String> {
    let judge = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    judge.allow_unauthenticated().build().map_err(|e| e.to_string())
}

/// Lets everybody in, whatever they show: phones have certificates of their makers, and carriers
/// others. Whoever shows one has its key; what it proves is asked afterwards.
#[derive(Debug)]
struct Lenient(Judge);

impl ClientCertVerifier for Lenient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Which of these names a chain of certificates is for, where the judge believes it.
fn proven(chain: &[CertificateDer<'_>], judge: &Judge, asked: &[String]) -> Vec<String> {
    let Some((own, others)) = chain.split_first() else { return Vec::new() };
    if judge.verify_client_cert(own, others, UnixTime::now()).is_err() {
        return Vec::new();
    }
    let Ok(own) = ParsedCertificate::try_from(own) else { return Vec::new() };
    let is_for = |name: &&String| {
        ServerName::try_from(name.as_str())
            .is_ok_and(|name| verify_server_name(&own, &name).is_ok())
    };
    asked.iter().filter(is_for).cloned().collect()
}

fn roots(ca: Option<Vec<CertificateDer<'static>>>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(ca.map_or_else(tls::authorities, Ok)?);
    match usable {
        0 => {
            Err("[sip.tls] ca: no certificate in it can be used; name those of authorities".into())
        }
        _ => Ok(roots),
    }
}

fn over(own: &Identity, until: Wall) -> String {
    format!(
        "[sip.tls] {}: the certificate was good until {}, and phones refuse it since; renew it",
        own.from,
        rfc3339(until)
    )
}

/// Says how long the certificate is good: to whoever measures, and where that is not long, in the
/// log.
pub fn tell_expiry(keys: &Keys, meters: &ShellMeters) {
    let current = keys.current();
    let own = current.identity.as_ref().and_then(|own| Some((own, own.good_until()?)));
    let seconds = own.map_or(0, |(_, until)| until.0 / 1_000_000);
    meters.certificate_until.set(seconds as f64);
    let Some((own, until)) = own else { return };
    match standing(until, Clock::start().now().wall) {
        Standing::Good => {}
        Standing::Soon(days) => tracing::warn!(
            "[sip.tls] {}: the certificate is good for {days} days more, until {}; renew it, and \
             `pukar reload`",
            own.from,
            rfc3339(until)
        ),
        Standing::Over => tracing::error!("{}", over(own, until)),
    }
}

/// The same, time and again: nobody starts or reloads a switch in a month that is well.
pub async fn keep_telling_expiry(keys: Arc<Keys>, meters: ShellMeters, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        tell_expiry(&keys, &meters);
    }
}

/// Shows our certificate to whoever wants to see it, as carriers do.
fn client(
    ca: Option<Vec<CertificateDer<'static>>>,
    identity: Option<&Identity>,
) -> Result<ClientConfig, String> {
    let roots = roots(ca)?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots);
    match identity {
        None => Ok(config.with_no_client_auth()),
        Some(own) => config
            .with_client_auth_cert(own.chain.clone(), own.key.clone_key())
            .map_err(|e| format!("[sip.tls] {}: {e}", own.from)),
    }
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

/// For `pukar check`: whether the files will do. A warning is of a certificate that is over: calls
/// and everything else go on without it.
pub fn check(files: &Tls) -> Result<Option<String>, String> {
    Ok(Current::load(files)?.is_good().err())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::meters::Metrics;

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

    #[test]
    fn how_long_a_certificate_is_good_is_told_again_and_again() {
        let metrics = Metrics::new();
        let meters = metrics.for_shell();
        let keys = Arc::new(Keys::load(&Tls::default()).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let every = Duration::from_millis(1);
        runtime.block_on(async {
            tokio::spawn(keep_telling_expiry(keys, meters.clone(), every));
            for _ in 0..2 {
                // Somebody else's value stands until it is told once more: there is none.
                meters.certificate_until.set(7.0);
                let name = "pukar_certificate_expires_timestamp_seconds";
                let told = async {
                    while metrics.render().contains(&format!("\n{name} 7")) {
                        tokio::task::yield_now().await;
                    }
                };
                let long = Duration::from_secs(60);
                tokio::time::timeout(long, told).await.expect("it is told again");
                assert!(metrics.render().contains(&format!("\n{name} 0")));
            }
        });
    }
}
