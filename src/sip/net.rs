//! What all legs share: settings, transactions, and the ways that messages take.
//!
//! In: requests to send and responses to give. Out: effects. Knows no leg.

use super::session::Wish;
use super::tag::{self, HashKey};
use super::transaction::table::{Machine, Table, Transaction, User};
use super::transaction::{client, client_invite};
use super::{Body, Effect, Hop, Login, Settings, Transport, Trunk};
use super::{compose, derive};
use crate::base::{Cx, Id, TransactionId, TrunkId};
use crate::wire::sip::{Message, Method, Name, Via, Writer};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Net {
    pub settings: Settings,
    pub key: HashKey,
    pub table: Table,
}

/// A response to be given.
pub struct Give<'a> {
    pub status: u16,
    pub tag: &'a str,
    pub body: Option<&'a Body>,
}

impl Net {
    pub fn open_client(
        &mut self,
        cx: &mut Cx,
        transaction: Transaction,
        out: &mut Vec<Effect>,
    ) -> TransactionId {
        self.table.open_client(cx, &self.settings, transaction, out)
    }

    /// Responds to a request that a transaction keeps.
    pub fn respond(
        &mut self,
        cx: &mut Cx,
        id: TransactionId,
        give: &Give,
        fill: impl FnOnce(&mut Writer),
        out: &mut Vec<Effect>,
    ) {
        let Some(kept) = self.table.get(id) else { return };
        let request = kept.request.clone();
        if let Ok(message) = Message::parse(&request) {
            self.give(cx, id, &message, give, fill, out);
        }
    }

    /// Responds to a request that is at hand.
    pub fn give(
        &mut self,
        cx: &mut Cx,
        id: TransactionId,
        message: &Message,
        give: &Give,
        fill: impl FnOnce(&mut Writer),
        out: &mut Vec<Effect>,
    ) {
        let Some(kept) = self.table.get_mut(id) else { return };
        let (hop, status) = (kept.source, give.status);
        if status >= 200 {
            kept.request = Bytes::new();
        }
        let (via, line) = (Some(&message.via), (status, None));
        let mut writer =
            compose::response(&self.settings, &message.fields, via, &hop, line, give.tag);
        // RFC 3261 section 12.1.1: "The UAS MUST copy all Record-Route header field values from the
        // request into the response".
        if (101..=299).contains(&status) && message.method() == Method::Invite {
            writer.copy(&message.fields, Name::RecordRoute);
        }
        fill(&mut writer);
        let bytes = compose::finish(writer, give.body);
        self.table.respond(cx, &self.settings, id, status, bytes, out);
    }

    /// Sends a request that was sent before once more.
    #[expect(clippy::too_many_arguments, reason = "what is new in it, and who wants it")]
    pub fn again(
        &mut self,
        cx: &mut Cx,
        request: &[u8],
        user: User,
        hop: Hop,
        seq: Option<u32>,
        credentials: Option<(Name, &str)>,
        out: &mut Vec<Effect>,
    ) -> Option<TransactionId> {
        let secret = cx.rng.bits();
        let branch = tag::branch(self.table.next_id(), secret);
        let (settings, branch) = (&self.settings, branch.as_str());
        let new = derive::Again { settings, hop: &hop, branch, seq, credentials };
        let bytes = derive::again(request, &new)?;
        let machine = match bytes.starts_with(b"INVITE ") {
            true => Machine::ClientInvite(client_invite::State::new()),
            false => Machine::Client(client::State::new()),
        };
        let transaction = Transaction::client(machine, hop, bytes, user, secret);
        Some(self.open_client(cx, transaction, out))
    }

    /// Session-Expires and Min-SE of the settings.
    pub fn wish(&self) -> Wish {
        let seconds = |span: std::time::Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
        // RFC 4028 section 5: "The absolute minimum for the Session-Expires header field is 90".
        let min_se = seconds(self.settings.min_se).max(90);
        Wish { expires: seconds(self.settings.session_expires).max(min_se), min_se }
    }

    pub fn trunk(&self, id: TrunkId) -> Option<&Trunk> {
        self.settings.trunks.get(id.slot() as usize)
    }

    pub fn login(&self, id: TrunkId) -> Option<&Login> {
        self.trunk(id)?.login.as_ref()
    }

    /// Our end for requests to `peer`: of several listeners the nearest, of equally near ones the
    /// first.
    pub fn local(&self, transport: Transport, peer: SocketAddr) -> Option<SocketAddr> {
        let fitting = self.settings.listen.iter().filter(|l| l.transport == transport);
        let fitting = fitting.map(|l| l.bind).filter(|bind| bind.is_ipv4() == peer.is_ipv4());
        // Of equal ones `max_by_key` takes the last.
        fitting.rev().max_by_key(|bind| nearness(bind.ip(), peer.ip()))
    }

    pub fn way(&self, transport: Transport, peer: SocketAddr) -> Option<Hop> {
        Some(Hop { transport, local: self.local(transport, peer)?, peer, flow: None })
    }
}

/// How near an address of ours is to one of the same family: the leading bits that they share,
/// where these are enough to mean one network. From the loopback nobody else is reached.
fn nearness(ours: IpAddr, peer: IpAddr) -> u32 {
    if ours.is_loopback() != peer.is_loopback() && !ours.is_unspecified() {
        return 0;
    }
    let (shared, network) = match (ours, peer) {
        (IpAddr::V4(a), IpAddr::V4(b)) => ((a.to_bits() ^ b.to_bits()).leading_zeros(), 8),
        (IpAddr::V6(a), IpAddr::V6(b)) => ((a.to_bits() ^ b.to_bits()).leading_zeros(), 32),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return 0,
    };
    if shared >= network && !ours.is_unspecified() { shared } else { 1 }
}

/// Where a response goes, RFC 3261 section 18.2.2 and RFC 3581 section 4, and where a new stream
/// would have to be opened to.
pub fn back(via: &Via, hop: &Hop) -> (Hop, SocketAddr) {
    let sent_by = SocketAddr::new(hop.peer.ip(), via.port.unwrap_or(hop.transport.default_port()));
    let to = match (hop.transport, via.rport()) {
        // "If the sent-protocol is a reliable transport protocol ... the response MUST be sent
        // using the existing connection".
        (Transport::Tcp | Transport::Tls, _) | (Transport::Udp, Some(_)) => hop.peer,
        // "Otherwise ... if the top Via has a received parameter, the response MUST be sent to the
        // address in the received parameter, using the port indicated in the sent-by value".
        (Transport::Udp, None) => sent_by,
    };
    (Hop { peer: to, ..*hop }, sent_by)
}

pub fn stateless(
    settings: &Settings,
    message: &Message,
    hop: &Hop,
    status: (u16, Option<&str>),
    tag: &str,
    fill: impl FnOnce(&mut Writer),
) -> Effect {
    let via = Some(&message.via);
    let mut writer = compose::response(settings, &message.fields, via, hop, status, tag);
    fill(&mut writer);
    let bytes: Bytes = compose::finish(writer, None);
    Effect::Send { hop: back(&message.via, hop).0, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Listener;

    #[test]
    fn of_several_listeners_the_one_in_the_peers_network_is_taken() {
        let listen = |text: &str| {
            let (transport, bind) = (Transport::Udp, text.parse().unwrap());
            Listener { transport, bind, advertise: None }
        };
        let all = ["127.0.0.1:5060", "203.0.113.5:5060", "192.168.1.1:5060", "[::1]:5060"];
        let settings = Settings { listen: all.map(listen).into(), ..Settings::default() };
        let net = Net { settings, key: HashKey(1, 2), table: Table::default() };
        for (peer, ours) in [
            ("127.0.0.9:5070", all[0]),
            ("192.168.1.77:5060", all[2]),
            ("198.51.100.1:5060", all[1]),
            ("[::1]:5070", all[3]),
        ] {
            let found = net.local(Transport::Udp, peer.parse().unwrap());
            assert_eq!(found, Some(ours.parse().unwrap()), "{peer}");
        }
        assert_eq!(net.local(Transport::Tcp, "127.0.0.9:5070".parse().unwrap()), None);
    }
}
