//! The settings of the SIP layer. Settings, state and statistics are three types.

use super::Transport;
use super::resolve::Place;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// `User-Agent` and `Server`.
    pub product: String,
    /// Our domain and its other names; the realm of every challenge is the first.
    pub domains: Vec<String>,
    pub listen: Vec<Listener>,
    pub users: Vec<User>,
    /// Phones at numeric addresses that have no password: believed by their address.
    pub fixed: Vec<FixedPhone>,
    /// In the order of their ids.
    pub trunks: Vec<Trunk>,
    /// Session-Expires that we ask for (RFC 4028). Default 1800 s, never below `min_se`.
    pub session_expires: Duration,
    /// Shortest session interval accepted. Default and least 90 s.
    pub min_se: Duration,
    /// Shortest and longest registration granted.
    pub register: (Duration, Duration),
    /// Wrong passwords in ten minutes after which a user is refused from that address. Default 10.
    pub lock_after: u32,
    /// The differentiated services code point of what is sent (RFC 2474). Default 24, CS3.
    pub dscp: u8,
    /// T1, T2 and T4 of RFC 3261: 500 ms, 4 s, 5 s.
    pub t1: Duration,
    pub t2: Duration,
    pub t4: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            product: "Pukar".into(),
            domains: Vec::new(),
            listen: Vec::new(),
            users: Vec::new(),
            fixed: Vec::new(),
            trunks: Vec::new(),
            session_expires: Duration::from_secs(1_800),
            min_se: Duration::from_secs(90),
            register: crate::base::limits::REGISTER_EXPIRES,
            lock_after: 10,
            dscp: 24,
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
        }
    }
}

/// A socket that the shell listens on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    pub transport: Transport,
    pub bind: SocketAddr,
    /// The address put into Via and Contact. `None`: the one that the message came in on.
    pub advertise: Option<IpAddr>,
}

/// Someone who may register and call: an agent's phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub name: String,
    pub secret: Secret,
    pub digest: Algorithms,
}

/// A phone that calls without a password, from its own address alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedPhone {
    pub name: String,
    /// Its SIP URI. One with a host name is believed from nowhere: the DNS is no proof.
    pub contact: String,
}

/// What a user's phone is offered to prove its password with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithms {
    /// SHA-256 and MD5, as RFC 8760 section 2.4 has it.
    #[default]
    Both,
    /// Phones built before RFC 8760, libre 1.x among them, give up at the first algorithm that they
    /// do not know.
    Md5,
}

/// A carrier, a gateway or another switch, believed by its address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trunk {
    pub name: String,
    /// `host`, `host:port`, `udp:host:port`, `tcp:host:port`; names are resolved by RFC 3263.
    pub hosts: Vec<String>,
    /// Ask with OPTIONS this often whether it is alive. Zero: never ask, always believe.
    pub ping: Duration,
    /// Credentials for its challenges, where the carrier wants them.
    pub login: Option<Login>,
    /// Send REGISTER to it with the login.
    pub register: bool,
    /// The number put into From and P-Asserted-Identity of calls to it, where it insists on one.
    pub identity: Option<String>,
    /// Its calls are believed over TLS alone, with a certificate for the name of one of its hosts.
    pub prove: bool,
}

impl Trunk {
    /// What its hosts over TLS are called.
    pub fn secure_names(&self) -> Vec<String> {
        let places = self.hosts.iter().filter_map(|host| Place::parse(host));
        let secure = places.filter(|place| place.transport == Some(Transport::Tls));
        secure.map(|place| place.host).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    pub user: String,
    pub secret: Secret,
}

/// A password. Never printed, never logged.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}
