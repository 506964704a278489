//! What a leg works with: the clock and dice, the transactions, the settings, the way out.
//!
//! In: requests and responses to send for one leg. Out: effects. Knows no leg's state.

use super::agent::Seeker;
use super::compose::{self, Head};
use super::dialog::Dialog;
use super::net::{Give, Net};
use super::resolve::Resolver;
use super::transaction::table::{Machine, Purpose, Transaction, User};
use super::transaction::{client, client_invite};
use super::{Body, Effect, Hop, Notice, Transport, tag};
use crate::base::{Cx, LegId, TransactionId, limits};
use crate::wire::sip::{Message, Method, Name, Writer};
use bytes::Bytes;

pub struct Desk<'a, 'c> {
    pub id: LegId,
    pub cx: &'a mut Cx<'c>,
    pub net: &'a mut Net,
    pub resolver: &'a mut Resolver<Seeker>,
    pub out: &'a mut Vec<Effect>,
}

/// A request of a leg.
pub struct Wanted<'a> {
    pub method: Method<'static>,
    pub seq: u32,
    pub purpose: Purpose,
    pub body: Option<&'a Body>,
}

impl Desk<'_, '_> {
    pub fn notice(&mut self, notice: Notice) {
        self.out.push(Effect::Notice(notice));
    }

    /// Sends a request inside (or to open) `dialog`.
    pub fn request(
        &mut self,
        dialog: &Dialog,
        wanted: Wanted,
        fill: impl Fn(&mut Writer),
    ) -> TransactionId {
        let secret = self.cx.rng.bits();
        let branch = tag::branch(self.net.table.next_id(), secret);
        let mut hop = self.net.table.usable(dialog.hop);
        let mut bytes = self.write(dialog, &wanted, &branch, &hop, &fill);
        // RFC 3261 section 18.1.1: "If a request is within 200 bytes of the path MTU, or if it is
        // larger than 1300 bytes and the path MTU is unknown, the request MUST be sent using an
        // RFC 2914 congestion controlled transport protocol, such as TCP."
        if dialog.free
            && hop.transport == Transport::Udp
            && bytes.len() > limits::SIP_UDP_REQUEST_MAX
            && let Some(local) = self.net.local(Transport::Tcp, hop.peer)
        {
            hop = Hop { transport: Transport::Tcp, local, ..hop };
            bytes = self.write(dialog, &wanted, &branch, &hop, &fill);
        }
        let machine = match wanted.method {
            Method::Invite => Machine::ClientInvite(client_invite::State::new()),
            _ => Machine::Client(client::State::new()),
        };
        let user = User::Leg(self.id, wanted.purpose);
        let mut transaction = Transaction::client(machine, hop, bytes, user, secret);
        transaction.datagram = (hop.transport != dialog.hop.transport).then_some(dialog.hop);
        self.net.open_client(self.cx, transaction, self.out)
    }

    /// The ACK of a 2xx, and where it goes.
    pub fn ack(&mut self, dialog: &Dialog, seq: u32, fill: impl Fn(&mut Writer)) -> (Hop, Bytes) {
        let branch = format!("{}{:x}", tag::COOKIE, self.cx.rng.bits());
        let hop = self.net.table.usable(dialog.hop);
        let (method, purpose) = (Method::Ack, Purpose::Open);
        let wanted = Wanted { method, seq, purpose, body: None };
        (hop, self.write(dialog, &wanted, &branch, &hop, &fill))
    }

    /// Sends a request that was sent before once more.
    pub fn again(
        &mut self,
        request: &[u8],
        user: User,
        hop: Hop,
        seq: u32,
        credentials: Option<(Name, &str)>,
    ) -> Option<TransactionId> {
        self.net.again(self.cx, request, user, hop, Some(seq), credentials, self.out)
    }

    fn write(
        &self,
        dialog: &Dialog,
        wanted: &Wanted,
        branch: &str,
        hop: &Hop,
        fill: &impl Fn(&mut Writer),
    ) -> Bytes {
        let aim = dialog.aim();
        let forwards = match wanted.purpose {
            Purpose::Open => dialog.forwards,
            Purpose::Change
            | Purpose::Prack
            | Purpose::Bye
            | Purpose::Cancel
            | Purpose::Notify
            | Purpose::Probe => compose::FORWARDS,
        };
        let mut writer = compose::request(&Head {
            method: wanted.method,
            uri: aim.uri,
            branch,
            hop,
            settings: &self.net.settings,
            from: &dialog.local,
            to: &dialog.remote,
            call_id: &dialog.call_id,
            seq: wanted.seq,
            forwards,
        });
        for route in &aim.routes {
            compose::route(&mut writer, *route);
        }
        fill(&mut writer);
        compose::finish(writer, wanted.body)
    }

    /// Responds to a request that a transaction keeps.
    pub fn respond(
        &mut self,
        transaction: TransactionId,
        status: u16,
        tag: &str,
        fill: impl FnOnce(&mut Writer),
        body: Option<&Body>,
    ) {
        self.net.respond(self.cx, transaction, &Give { status, tag, body }, fill, self.out);
    }

    /// The same, to a request that is at hand.
    pub fn give(
        &mut self,
        message: &Message,
        transaction: TransactionId,
        (status, tag): (u16, &str),
        fill: impl FnOnce(&mut Writer),
    ) {
        let give = Give { status, tag, body: None };
        self.net.give(self.cx, transaction, message, &give, fill, self.out);
    }
}
