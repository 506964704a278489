//! The connection: bounded in every wait, over TLS where the configuration does not forbid it.

use crate::config::Remote;
use crate::shell::store::tls;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config, Error, NoTls, Socket};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Said to the server: a statement ends before we stop waiting for it, and so do its locks.
const OPTIONS: &str = "-c statement_timeout=15s -c lock_timeout=10s \
                       -c idle_in_transaction_session_timeout=30s";

/// A connection with a task of its own on this runtime.
pub async fn connect(at: &Remote) -> Result<Client, String> {
    let mut config = Config::new();
    config
        .host(&at.host)
        .port(at.port)
        .user(&at.user)
        .dbname(&at.path)
        .application_name("pukar")
        .options(OPTIONS)
        .connect_timeout(CONNECT_WITHIN)
        .tcp_user_timeout(Duration::from_secs(15))
        .ssl_mode(if at.tls { SslMode::Require } else { SslMode::Disable });
    if let Some(secret) = &at.secret {
        config.password(&secret.0);
    }
    if at.tls {
        let connector = TlsConnector::from(Arc::new(tls::client()?));
        open(&config, Secure(connector)).await
    } else {
        open(&config, NoTls).await
    }
}

async fn open<T>(config: &Config, tls: T) -> Result<Client, String>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await.map_err(|e| sentence(&e))?;
    // How it ends is seen by whoever asks next.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

/// What the server said, or what became of the connection. Details of the server quote rows, and
/// rows hold numbers of callers: they stay out of logs.
pub fn sentence(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("the database says {}: {}", said.code().code(), said.message());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(why) = cause {
        text.push_str(&format!(": {why}"));
        cause = why.source();
    }
    text
}

#[derive(Clone)]
struct Secure(TlsConnector);

impl MakeTlsConnect<Socket> for Secure {
    type Stream = Secured;
    type TlsConnect = Handshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<Handshake> {
        let name = ServerName::try_from(host.to_string()).map_err(io::Error::other)?;
        Ok(Handshake { connector: self.0.clone(), name })
    }
}

struct Handshake {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl TlsConnect<Socket> for Handshake {
    type Stream = Secured;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Secured>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move { Ok(Secured(self.connector.connect(self.name, socket).await?)) })
    }
}

struct Secured(tokio_rustls::client::TlsStream<Socket>);

impl TlsStream for Secured {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
