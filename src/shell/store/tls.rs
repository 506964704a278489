//! TLS for stores that are far away: rustls, with the authorities that this machine trusts
//! (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others).

use std::sync::Arc;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Who may vouch for a server.
pub fn authorities() -> Result<Vec<CertificateDer<'static>>, String> {
    let found = rustls_native_certs::load_native_certs();
    match (found.certs.is_empty(), found.errors.first()) {
        (false, _) => Ok(found.certs),
        (true, Some(error)) => Err(format!("no certificate authority can be read: {error}")),
        (true, None) => {
            Err("this machine trusts no certificate authority: install ca-certificates, or name a \
                 file with SSL_CERT_FILE"
                .into())
        }
    }
}

pub fn client() -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities()?);
    let versions =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let config = versions.map_err(|e| e.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
