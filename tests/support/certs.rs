//! An authority of the test's own, and a server's certificate from it (package openssl). A switch
//! on the same street trusts it.

use super::program::text_of;
use super::street::Street;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const NEW: &str = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -batch";

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
    let authority = "-x509 -days 2 -subj /CN=A -keyout a.key -out authority.pem";
    openssl(street, &format!("{NEW} {authority}"));
    openssl(street, &format!("{NEW} -subj /CN=server -keyout server.key -out server.csr"));
    sign(street, "server", houses, 2)
}

/// Another one from the same authority, for whoever is called `name`.
pub fn issue_to(street: &Street, name: &str, houses: &[u8]) -> Certs {
    let words = format!("{NEW} -subj /CN={name} -keyout {name}.key -out {name}.csr");
    openssl(street, &words);
    sign(street, name, houses, 2)
}

/// Of the request that lies there: a certificate for so many days, less than none if need be.
pub fn sign(street: &Street, name: &str, houses: &[u8], days: i32) -> Certs {
    let dir = street.dir();
    let names: Vec<String> =
        houses.iter().map(|house| format!("IP:{}", street.ip(*house))).collect();
    fs::write(dir.join("names"), format!("subjectAltName={}\n", names.join(","))).unwrap();
    let words = format!(
        "x509 -req -days {days} -in {name}.csr -CA authority.pem -CAkey a.key -CAcreateserial \
         -extfile names -out {name}.pem"
    );
    openssl(street, &words);
    Certs { cert: dir.join(format!("{name}.pem")), key: dir.join(format!("{name}.key")) }
}

fn openssl(street: &Street, words: &str) {
    let words = words.split_whitespace();
    text_of(Command::new("openssl").current_dir(street.dir()).args(words));
}
