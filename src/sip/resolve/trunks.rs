//! Which trunk an address belongs to.

use super::{Place, Server};
use crate::base::TrunkId;
use crate::sip::{Settings, Transport};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// One entry of `Trunk::hosts`, by the order of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TrunkHost {
    pub trunk: TrunkId,
    pub host: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trunks {
    sites: Vec<(TrunkHost, Place)>,
}

impl Trunks {
    /// Numeric hosts are known at once.
    pub fn new(_settings: &Settings) -> Self {
        Self::default()
    }

    /// Hosts to find: give each to [`super::Resolver::watch`], and what it finds to `learned`.
    pub fn names(&self) -> Vec<(TrunkHost, Place)> {
        self.sites.clone()
    }

    /// Nothing found keeps what is known: a dead DNS must not lock a carrier out.
    pub fn learned(&mut self, _host: TrunkHost, _servers: Vec<Server>) {}

    /// The trunk that a request from this address belongs to.
    pub fn whose(&self, _transport: Transport, _peer: SocketAddr) -> Option<TrunkId> {
        None
    }

    /// All known servers of a trunk, in the order of its hosts.
    pub fn servers(&self, _trunk: TrunkId) -> Vec<Server> {
        Vec::new()
    }
}
