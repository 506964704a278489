//! Which trunk an address belongs to.
//!
//! In: the settings, and what the resolver finds. Out: the trunk of a peer, the servers of a trunk.

use super::place::{Place, Server};
use crate::base::{Id, TrunkId};
use crate::sip::{Settings, Transport, Trunk};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// One entry of `Trunk::hosts`, by the order of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TrunkHost {
    pub trunk: TrunkId,
    pub host: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trunks {
    /// In the order of the settings.
    sites: Vec<Site>,
    /// Places in `sites` by the addresses of their servers, in the same order: any stranger can ask
    /// for each of them as often as datagrams come.
    by_ip: BTreeMap<IpAddr, Vec<usize>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Site {
    host: TrunkHost,
    place: Place,
    servers: Vec<Server>,
}

impl Trunks {
    /// Numeric hosts are known at once; what cannot be read is left to the settings' own check.
    pub fn new(settings: &Settings) -> Self {
        let mut sites = Vec::new();
        for (slot, trunk) in (0..).zip(&settings.trunks) {
            for (host, text) in (0..).zip(&trunk.hosts) {
                let Some(place) = Place::parse(text) else { continue };
                let host = TrunkHost { trunk: TrunkId::new(slot, 0), host };
                let servers = place.server().into_iter().collect();
                sites.push(Site { host, place, servers });
            }
        }
        let mut trunks = Self { sites, by_ip: BTreeMap::new() };
        trunks.index();
        trunks
    }

    /// Under new settings, what the DNS has said of hosts that they name too: until it says more, a
    /// reload must not lock a carrier out.
    pub fn renewed(&self, settings: &Settings) -> Self {
        let mut new = Self::new(settings);
        for site in new.sites.iter_mut().filter(|site| site.servers.is_empty()) {
            let same = self.sites.iter().find(|old| old.place == site.place);
            site.servers = same.map(|old| old.servers.clone()).unwrap_or_default();
        }
        new.index();
        new
    }

    fn index(&mut self) {
        self.by_ip.clear();
        for (at, site) in self.sites.iter().enumerate() {
            for server in &site.servers {
                let known = self.by_ip.entry(server.addr.ip().to_canonical()).or_default();
                if known.last() != Some(&at) {
                    known.push(at);
                }
            }
        }
    }

    /// Hosts to find: give each to [`super::Resolver::watch`], and what it finds to `learned`.
    pub fn names(&self) -> Vec<(TrunkHost, Place)> {
        let named = self.sites.iter().filter(|site| site.place.numeric().is_none());
        named.map(|site| (site.host, site.place.clone())).collect()
    }

    /// Nothing found keeps what is known: a dead DNS must not lock a carrier out.
    pub fn learned(&mut self, host: TrunkHost, servers: Vec<Server>) {
        let site = self.sites.iter_mut().find(|site| site.host == host);
        if let Some(site) = site.filter(|_| !servers.is_empty()) {
            site.servers = servers;
            self.index();
        }
    }

    /// The trunk that a request from this address belongs to. A port in the settings counts, so
    /// that phones and a gateway may share a host; but a stream comes from any port of its host.
    pub fn whose(&self, transport: Transport, peer: SocketAddr) -> Option<TrunkId> {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let here = self.by_ip.get(&peer.ip())?.iter().filter_map(|&at| self.sites.get(at));
        let ranked = here.filter_map(|site| Some((site.fits(transport, peer)?, site)));
        ranked.min_by_key(|&(rank, _)| rank).map(|(_, site)| site.host.trunk)
    }

    /// All known servers of a trunk, in the order of its hosts.
    pub fn servers(&self, trunk: TrunkId) -> Vec<Server> {
        let sites = self.sites.iter().filter(|site| site.host.trunk == trunk);
        sites.flat_map(|site| site.servers.iter().copied()).collect()
    }
}

impl Trunks {
    /// The name that a server of a trunk was found by, where that is one: over TLS it has to prove
    /// that, and no other (RFC 5922 section 4).
    pub fn name_of(&self, trunk: TrunkId, server: Server) -> Option<String> {
        let mut sites = self.sites.iter().filter(|site| site.host.trunk == trunk);
        let site = sites.find(|site| site.servers.contains(&server))?;
        site.place.numeric().is_none().then(|| site.place.host.clone())
    }
}

/// The name that a trunk is known by, where it is not known by an address.
pub fn domain(trunk: &Trunk) -> Option<String> {
    let place = trunk.hosts.first().and_then(|host| Place::parse(host))?;
    place.numeric().is_none().then_some(place.host)
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Exact,
    Host,
}

impl Site {
    fn fits(&self, transport: Transport, peer: SocketAddr) -> Option<Fit> {
        // RFC 3263 section 4.1: a port without a transport means UDP.
        let only = match (self.place.transport, self.place.port) {
            (Some(transport), _) => Some(transport),
            (None, Some(_)) => Some(Transport::Udp),
            (None, None) => None,
        };
        if only.is_some_and(|only| only != transport) {
            return None;
        }
        let same_ip = |server: &&Server| server.addr.ip().to_canonical() == peer.ip();
        let mut here = self.servers.iter().filter(same_ip).peekable();
        here.peek()?;
        if here.any(|server| server.addr.port() == peer.port()) {
            return Some(Fit::Exact);
        }
        (self.place.port.is_none() || transport.is_stream()).then_some(Fit::Host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunks(hosts: &[&[&str]]) -> Trunks {
        let trunk = |hosts: &&[&str]| Trunk {
            hosts: hosts.iter().map(|host| host.to_string()).collect(),
            ..Trunk::default()
        };
        let trunks = hosts.iter().map(trunk).collect();
        Trunks::new(&Settings { trunks, ..Settings::default() })
    }

    fn udp(trunks: &Trunks, peer: &str) -> Option<u64> {
        trunks.whose(Transport::Udp, peer.parse().unwrap()).map(|trunk| trunk.0)
    }

    fn tcp(trunks: &Trunks, peer: &str) -> Option<u64> {
        trunks.whose(Transport::Tcp, peer.parse().unwrap()).map(|trunk| trunk.0)
    }

    #[test]
    fn an_address_without_a_port_is_the_trunk_whatever_the_port() {
        let trunks = trunks(&[&["192.0.2.1"], &["2001:db8::1"]]);
        assert_eq!(udp(&trunks, "192.0.2.1:9999"), Some(0));
        assert_eq!(tcp(&trunks, "[::ffff:192.0.2.1]:5060"), Some(0));
        assert_eq!(tcp(&trunks, "[2001:db8::1]:40000"), Some(1));
        assert_eq!(udp(&trunks, "192.0.2.2:5060"), None);
    }

    #[test]
    fn a_port_tells_trunks_and_phones_on_one_host_apart() {
        let trunks = trunks(&[&["127.0.0.1:5070"], &["127.0.0.1:5080", "tcp:192.0.2.1:5070"]]);
        assert_eq!(udp(&trunks, "127.0.0.1:5070"), Some(0));
        assert_eq!(udp(&trunks, "127.0.0.1:5080"), Some(1));
        assert_eq!(udp(&trunks, "127.0.0.1:6001"), None);
        assert_eq!(tcp(&trunks, "127.0.0.1:5070"), None);
        assert_eq!(tcp(&trunks, "192.0.2.1:33333"), Some(1));
        assert_eq!(udp(&trunks, "192.0.2.1:5070"), None);
    }

    #[test]
    fn of_many_trunks_each_is_known_by_its_address_and_no_longer_by_an_old_one() {
        let hosts: Vec<String> =
            (0..1_000u32).map(|n| format!("10.1.{}.{}", n / 250, n % 250)).collect();
        let hosts: Vec<Vec<&str>> = hosts.iter().map(|host| vec![host.as_str()]).collect();
        let mut hosts: Vec<&[&str]> = hosts.iter().map(Vec::as_slice).collect();
        hosts.push(&["sbc.carrier.in"]);
        let mut trunks = trunks(&hosts);
        for n in 0..1_000 {
            assert_eq!(udp(&trunks, &format!("10.1.{}.{}:5060", n / 250, n % 250)), Some(n));
        }
        assert_eq!(trunks.by_ip.values().map(Vec::len).max(), Some(1), "nobody looks through all");
        let (host, _) = trunks.names().remove(0);
        for (now, before) in
            [("192.0.2.7:5060", "192.0.2.8:5060"), ("192.0.2.8:5060", "192.0.2.7:5060")]
        {
            let addr = now.parse().unwrap();
            trunks.learned(host, vec![Server { transport: Transport::Udp, addr }]);
            assert_eq!((udp(&trunks, now), udp(&trunks, before)), (Some(1_000), None));
        }
    }

    #[test]
    fn q35_what_was_found_outlives_a_reload_wherever_its_trunk_stands_then() {
        let mut before = trunks(&[&["192.0.2.1", "sbc.carrier.in"], &["gone.carrier.in"]]);
        let addr = "192.0.2.9:5060".parse().unwrap();
        for (host, _) in before.names() {
            before.learned(host, vec![Server { transport: Transport::Udp, addr }]);
        }
        let named = |hosts: &[&str]| Trunk {
            hosts: hosts.iter().map(|host| host.to_string()).collect(),
            ..Trunk::default()
        };
        let moved = vec![named(&["new.carrier.in"]), named(&["sbc.carrier.in"])];
        let after = before.renewed(&Settings { trunks: moved, ..Settings::default() });
        assert_eq!(udp(&after, "192.0.2.9:5060"), Some(1));
        assert!(after.servers(TrunkId(0)).is_empty());
        assert_eq!(udp(&after, "192.0.2.1:5060"), None);
    }

    #[test]
    fn a_name_is_the_trunk_once_it_is_found_and_stays_when_the_dns_dies() {
        let mut trunks = trunks(&[&["192.0.2.1", "sbc.carrier.in"]]);
        let (host, place) = trunks.names().remove(0);
        assert_eq!((host.host, place.host.as_str()), (1, "sbc.carrier.in"));
        assert_eq!(udp(&trunks, "192.0.2.9:5060"), None);
        let addr = "192.0.2.9:5060".parse().unwrap();
        let server = Server { transport: Transport::Udp, addr };
        trunks.learned(host, vec![server]);
        trunks.learned(host, vec![]);
        assert_eq!(udp(&trunks, "192.0.2.9:1024"), Some(0));
        assert_eq!(trunks.servers(TrunkId(0)).len(), 2);
        assert_eq!(trunks.servers(TrunkId(0))[1], server);
        assert_eq!(trunks.name_of(TrunkId(0), server).as_deref(), Some("sbc.carrier.in"));
        let by_number = trunks.servers(TrunkId(0))[0];
        assert_eq!(trunks.name_of(TrunkId(0), by_number), None);
    }
}
