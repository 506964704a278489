//! A place to find, and a server found there.

use crate::sip::Transport;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What a URI or a setting says about where: of a URI, `maddr` goes before the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Name or numeric address, IPv6 with or without brackets.
    pub host: String,
    pub port: Option<u16>,
    pub transport: Option<Transport>,
}

impl Place {
    /// `host`, `host:port`, `udp:host:port`, `tcp:[2001:db8::1]:port` and so on.
    pub fn parse(_text: &str) -> Option<Self> {
        None
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Server {
    pub transport: Transport,
    pub addr: SocketAddr,
}
