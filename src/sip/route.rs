//! The way of requests inside a dialog, RFC 3261 section 12.2.1.1 and RFC 3263 section 4. Until a
//! name is found, requests go to where the peer's message came from: it was there.
//!
//! In: a dialog and the hop its peer was last heard on. Out: a hop. May import: wire and base.

use super::Hop;
use super::agent::Seeker;
use super::desk::Desk;
use super::dialog::Dialog;
use super::net::Net;
use super::resolve::{Place, Server};
use crate::wire::sip::Uri;

/// Sends the requests of `dialog` where its nearest URI points from now on, or as soon as the DNS
/// has said where that is. `fixed`: the peer is a phone behind the hop it was seen on, whatever
/// address it believes to have (NAT).
pub fn aim(desk: &mut Desk, dialog: &mut Dialog, fixed: bool) {
    dialog.search = None;
    if fixed && dialog.routes.is_empty() {
        return;
    }
    let Some(place) = named(dialog) else {
        dialog.hop = way(desk.net, dialog);
        return;
    };
    let search = desk.cx.rng.bits();
    dialog.search = Some(search);
    let seeker = Seeker::Dialog(desk.id, search);
    if let Some(servers) = desk.resolver.find(desk.cx, &place, seeker, desk.out) {
        found(desk.net, dialog, search, &servers);
    }
}

/// The DNS has answered. Nothing found leaves the way as it is.
pub fn found(net: &Net, dialog: &mut Dialog, search: u64, servers: &[Server]) {
    if dialog.search != Some(search) {
        return;
    }
    dialog.search = None;
    let seen = dialog.hop;
    // A stream is heard from any port of its host.
    let is_seen = |server: &Server| {
        server.transport == seen.transport
            && (server.addr == seen.peer
                || seen.flow.is_some() && server.addr.ip() == seen.peer.ip())
    };
    if !servers.iter().any(is_seen) {
        let mut ways = servers.iter().filter_map(|s| net.way(s.transport, s.addr));
        dialog.hop = ways.next().unwrap_or(seen);
    }
}

/// The way without asking anybody: numeric addresses only.
pub fn way(net: &Net, dialog: &Dialog) -> Hop {
    dialog.nearest().and_then(|uri| towards(net, &uri, dialog.hop)).unwrap_or(dialog.hop)
}

/// The place that the nearest URI names, where it names one that we could reach.
fn named(dialog: &Dialog) -> Option<Place> {
    let place = Place::of(&dialog.nearest()?)?;
    place.server().is_none().then_some(place)
}

fn towards(net: &Net, uri: &Uri, seen: Hop) -> Option<Hop> {
    let place = Place::of(uri)?;
    let Server { transport, addr: peer } = place.server()?;
    let same = peer.ip() == seen.peer.ip();
    // Nothing is said against the transport that we know of this host.
    if transport == seen.transport || same && place.transport.is_none() {
        return Some(Hop { peer, flow: seen.flow.filter(|_| same), ..seen });
    }
    net.way(transport, peer)
}

/// Whether the transport to the nearest URI was left to us.
pub fn is_free(dialog: &Dialog) -> bool {
    dialog.nearest().is_some_and(|uri| uri.transport().is_none())
}
