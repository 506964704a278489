//! An authority of the test's own, and a server's certificate from it (package openssl). A switch
//! on the same street trusts it.

use super::program::text_of;
use super::street::Street;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

pub struct Certs {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Where a switch looks for an authority to trust.
pub fn authority(street: &Street) -> PathBuf {
    street.dir().join("authority.pem")
}

/// A certificate for these houses.
pub fn issue(street: &Street, houses: &[u8]) -> Certs {
    let dir = street.dir();
    let openssl = |words: &str| {
        text_of(Command::new("openssl").current_dir(dir).args(words.split_whitespace()));
    };
    const NEW: &str = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -batch";
    openssl(&format!("{NEW} -x509 -days 2 -subj /CN=A -keyout a.key -out authority.pem"));
    openssl(&format!("{NEW} -subj /CN=server -keyout server.key -out server.csr"));
    let names: Vec<String> =
        houses.iter().map(|house| format!("IP:{}", street.ip(*house))).collect();
    fs::write(dir.join("names"), format!("subjectAltName={}\n", names.join(","))).unwrap();
    openssl(
        "x509 -req -days 2 -in server.csr -CA authority.pem -CAkey a.key -CAcreateserial \
         -extfile names -out server.pem",
    );
    Certs { cert: dir.join("server.pem"), key: dir.join("server.key") }
}
