//! The way of requests inside a dialog, RFC 3261 section 12.2.1.1 and RFC 3263 section 4, as far as
//! addresses are numeric. A name leads back to where the peer's message came from: it was there.
//!
//! In: a dialog and the hop its peer was last heard on. Out: a hop. May import: wire and base.

use super::dialog::Dialog;
use super::net::Net;
use super::{Hop, Transport};
use crate::wire::sip::Uri;
use std::net::SocketAddr;

/// Where requests of `dialog` go. `fixed`: the peer is a phone behind `seen`, whatever address it
/// believes to have (NAT).
pub fn way(net: &Net, dialog: &Dialog, seen: Hop, fixed: bool) -> Hop {
    if fixed && dialog.routes.is_empty() {
        return seen;
    }
    dialog.nearest().and_then(|uri| towards(net, &uri, seen)).unwrap_or(seen)
}

fn towards(net: &Net, uri: &Uri, seen: Hop) -> Option<Hop> {
    let ip = uri.maddr().unwrap_or(uri.host).ip()?;
    let peer = SocketAddr::new(ip, uri.port.unwrap_or(5060));
    let transport = match uri.transport() {
        Some(name) if name.eq_ignore_ascii_case("udp") => Transport::Udp,
        Some(name) if name.eq_ignore_ascii_case("tcp") => Transport::Tcp,
        Some(_) => return None,
        None if ip == seen.peer.ip() => seen.transport,
        None => Transport::Udp,
    };
    if transport == seen.transport {
        let same = ip == seen.peer.ip();
        return Some(Hop { peer, flow: seen.flow.filter(|_| same), ..seen });
    }
    net.way(transport, peer)
}

/// Whether the transport to the nearest URI was left to us.
pub fn is_free(dialog: &Dialog) -> bool {
    dialog.nearest().is_some_and(|uri| uri.transport().is_none())
}
