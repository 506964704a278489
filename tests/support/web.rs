//! A web server over TLS that takes JSON lines, keeps the rows of a known key once, and refuses
//! whenever it is told to.

use super::certs::Certs;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

#[derive(Clone)]
pub struct Web {
    at: SocketAddr,
    refuses: Arc<AtomicBool>,
    rows: Arc<Mutex<BTreeMap<String, Value>>>,
}

impl Web {
    pub fn start(ip: Ipv4Addr, certs: &Certs) -> Self {
        let chain = CertificateDer::pem_file_iter(&certs.cert).unwrap().map(Result::unwrap);
        let key = PrivateKeyDer::from_pem_file(&certs.key).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(chain.collect(), key).unwrap());
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let at = listener.local_addr().unwrap();
        let web = Self { at, refuses: Arc::default(), rows: Arc::default() };
        let server = web.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (server, config) = (server.clone(), Arc::clone(&config));
                std::thread::spawn(move || server.serve(stream, config));
            }
        });
        web
    }

    /// As a store of the configuration.
    pub fn store(&self, token: &str) -> String {
        format!("https://:{token}@{}/records", self.at)
    }

    pub fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::SeqCst);
    }

    /// How many rows of this table it has.
    pub fn count(&self, table: &str) -> usize {
        let rows = self.rows.lock().unwrap();
        rows.values().filter(|row| row["table"] == table).count()
    }

    fn serve(&self, stream: TcpStream, config: Arc<ServerConfig>) -> Option<()> {
        let session = ServerConnection::new(config).ok()?;
        let mut stream = BufReader::new(StreamOwned::new(session, stream));
        loop {
            let mut len = 0;
            loop {
                let mut line = String::new();
                match stream.read_line(&mut line).ok()? {
                    0 => return None,
                    1..=2 => break,
                    _ => {}
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    len = value.trim().parse().ok()?;
                }
            }
            let mut body = String::new();
            (&mut stream).take(len).read_to_string(&mut body).ok()?;
            let refused = self.refuses.load(Ordering::SeqCst);
            if !refused {
                let mut rows = self.rows.lock().unwrap();
                for line in body.lines() {
                    let row: Value = serde_json::from_str(line).expect("a line of JSON");
                    rows.insert(row["key"].as_str().unwrap().into(), row);
                }
            }
            let status = if refused { "503 Not now" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            stream.get_mut().write_all(answer.as_bytes()).ok()?;
            stream.get_mut().flush().ok()?;
        }
    }
}
