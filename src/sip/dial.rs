//! Calls that we place: from a [`Dial`] to the ways to its target.
//!
//! In: whom to call. Out: a leg that calls, or waits for the DNS. May import: wire and base.

use super::agent::{Seeker, UserAgent};
use super::dialog::Dialog;
use super::leg::{Calling, Leg, Phase, Way, uac};
use super::resolve::{Place, trunks};
use super::{Contact, Dial, Effect, Hop, Target, Transport};
use super::{compose, tag};
use crate::base::{Cx, LegId, TrunkId, limits};
use crate::wire::sip::{Uri, percent};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Where a call can go, or what has to be found first.
enum Aim {
    Ways(Vec<Way>),
    Find(Place),
    Nowhere,
}

impl UserAgent {
    /// Places a call. What becomes of it is told by notices, even that it could not be placed.
    pub fn invite(&mut self, cx: &mut Cx, dial: Dial, out: &mut Vec<Effect>) -> LegId {
        let id = self.legs.next_key();
        let secret = cx.rng.bits();
        let full = self.legs.len() >= limits::LEGS_MAX;
        let (uri, aim) = if full { (String::new(), Aim::Nowhere) } else { self.aim(&dial) };
        let (trunk, user) = match &dial.target {
            Target::Trunk { trunk, .. } => (Some(*trunk), None),
            Target::Contact(contact) => (None, self.registrar.owner(contact).map(Box::from)),
            Target::Uri(_) => (None, None),
        };
        let fixed = matches!(dial.target, Target::Contact(_));
        let dialog = self.new_dialog(cx, &dial, uri, trunk, &tag::tag(id, secret));
        let calling = Calling::new(dial, !fixed);
        let leg = Leg {
            phase: Phase::Calling(Box::new(calling)),
            trunk,
            user,
            fixed,
            ..Leg::new(secret, dialog)
        };
        self.legs.insert(leg);
        match aim {
            Aim::Ways(ways) => self.set_out(cx, id, ways, out),
            Aim::Nowhere => self.set_out(cx, id, Vec::new(), out),
            Aim::Find(place) => {
                let seeker = Seeker::Leg(id);
                if let Some(servers) = self.resolver.find(cx, &place, seeker, out) {
                    self.leg_found(cx, id, &servers, out);
                }
            }
        }
        id
    }

    /// The address that a call to this target would be sent to first, as far as it is known without
    /// asking the DNS.
    pub fn reach(&self, target: &Target) -> Option<IpAddr> {
        match target {
            Target::Contact(contact) => Some(contact.hop.peer.ip()),
            Target::Uri(text) => {
                let place = Uri::parse(text).and_then(|uri| Place::of(&uri))?;
                place.numeric()
            }
            Target::Trunk { trunk, .. } => {
                let (servers, _) = self.worth_trying(self.trunks.servers(*trunk));
                let mut ways = servers.iter();
                ways.find_map(|at| self.net.local(at.transport, at.addr).map(|_| at.addr.ip()))
            }
        }
    }

    fn set_out(&mut self, cx: &mut Cx, id: LegId, ways: Vec<Way>, out: &mut Vec<Effect>) {
        self.with_leg(cx, id, out, |leg, desk| leg.set_out(desk, ways));
    }

    fn new_dialog(
        &self,
        cx: &mut Cx,
        dial: &Dial,
        uri: String,
        trunk: Option<TrunkId>,
        own_tag: &str,
    ) -> Dialog {
        let identity = trunk.and_then(|t| self.net.trunk(t)).and_then(|t| t.identity.clone());
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let hop = Hop { transport: Transport::Udp, local: nowhere, peer: nowhere, flow: None };
        let domain = self.net.settings.domains.first().map_or("anonymous.invalid", |d| d);
        let to_host = Uri::parse(&uri).map_or(domain.to_string(), |uri| uri.host.to_string());
        let to_host = if dial.to.host.is_empty() { &to_host } else { &dial.to.host };
        Dialog {
            call_id: format!("{:x}{:x}", cx.rng.bits(), cx.rng.bits()).into(),
            local: uac::from_text(dial, identity.as_deref(), domain, own_tag).into(),
            remote: compose::address(&dial.to, to_host).into(),
            remote_tag: "".into(),
            local_seq: 0,
            remote_seq: None,
            target: uri.into(),
            routes: Box::default(),
            hop,
            search: None,
            free: false,
            forwards: dial.forwards,
            caller: true,
        }
    }

    /// The Request-URI, and the ways to it.
    fn aim(&self, dial: &Dial) -> (String, Aim) {
        match &dial.target {
            Target::Contact(contact) => {
                // RFC 5626 section 7: where a flow has failed, another of the same instance is
                // tried.
                let flows = [vec![contact.clone()], self.registrar.other_flows(contact)].concat();
                let brief = flows.len() > 1;
                let way = |contact: Contact| {
                    let uri = Some(contact.uri);
                    Way { hop: contact.hop, free: false, brief, uri }
                };
                (contact.uri.clone(), Aim::Ways(flows.into_iter().map(way).collect()))
            }
            Target::Uri(text) => {
                let place = Uri::parse(text).and_then(|uri| Place::of(&uri));
                (text.clone(), place.map_or(Aim::Nowhere, |place| self.aim_at(place)))
            }
            Target::Trunk { trunk, number } => self.aim_at_trunk(*trunk, number),
        }
    }

    fn aim_at(&self, place: Place) -> Aim {
        let Some(server) = place.server() else { return Aim::Find(place) };
        let (_, brief) = self.worth_trying(vec![server]);
        let hop = self.net.way(server.transport, server.addr);
        let free = place.transport.is_none();
        Aim::Ways(hop.map(|hop| Way { hop, free, brief, uri: None }).into_iter().collect())
    }

    /// All servers of a trunk that are worth trying, each under its own name, unless the trunk is
    /// known by one.
    fn aim_at_trunk(&self, trunk: TrunkId, number: &str) -> (String, Aim) {
        let Some(settings) = self.net.trunk(trunk) else { return (String::new(), Aim::Nowhere) };
        let first = settings.hosts.first().map(String::as_str);
        let name = trunks::domain(settings);
        let fixed = first.is_some_and(|host| {
            ["udp:", "tcp:", "tls:"].iter().any(|named| host.starts_with(named))
        });
        let number = percent(number);
        let (servers, brief) = self.worth_trying(self.trunks.servers(trunk));
        let ways = servers.into_iter().filter_map(|server| {
            let hop = self.net.way(server.transport, server.addr)?;
            let name = match server.transport {
                // Each server has to prove the name that it was found by.
                Transport::Tls => self.trunks.name_of(trunk, server),
                Transport::Udp | Transport::Tcp => name.clone(),
            };
            let host = name.unwrap_or_else(|| server.addr.to_string());
            let uri = Some(format!("sip:{number}@{host}"));
            Some(Way { hop, free: !fixed && server.transport == Transport::Udp, brief, uri })
        });
        let ways: Vec<Way> = ways.collect();
        let uri = ways.first().and_then(|way| way.uri.clone()).unwrap_or_default();
        (uri, Aim::Ways(ways))
    }
}
