//! TLS by hand, as a phone of a few messages has it.

use super::PATIENCE;
use super::certs::{self, Certs};
use super::raw::header;
use super::street::{SWITCH, Street};
use super::switch::Switch;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

pub fn authority(street: &Street) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let all = CertificateDer::pem_file_iter(certs::authority(street)).unwrap();
    roots.add_parsable_certificates(all.map(Result::unwrap));
    roots
}

pub fn connect(switch: &Switch) -> StreamOwned<ClientConnection, TcpStream> {
    let at = SocketAddr::from((switch.street.ip(SWITCH), 5061));
    secured(switch, TcpStream::connect(at).unwrap())
}

pub fn secured(switch: &Switch, stream: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
    secured_as(switch, stream, None)
}

pub fn secured_as(
    switch: &Switch,
    stream: TcpStream,
    own: Option<&Certs>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authority(&switch.street));
    let config = match own {
        None => config.with_no_client_auth(),
        Some(Certs { cert, key }) => {
            let chain = CertificateDer::pem_file_iter(cert).unwrap().map(Result::unwrap).collect();
            let key = PrivateKeyDer::from_pem_file(key).unwrap();
            config.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let name = ServerName::from(std::net::IpAddr::from(switch.street.ip(SWITCH)));
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(client, stream)
}

/// The next message, with its body.
pub fn message(stream: &mut impl Read) -> String {
    let mut text = head(stream);
    let length = header(&text, "Content-Length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    text.push_str(&String::from_utf8(body).unwrap());
    text
}

/// Up to the empty line.
pub fn head(stream: &mut impl Read) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).expect("a message");
        text.push(octet[0]);
    }
    String::from_utf8(text).unwrap()
}
