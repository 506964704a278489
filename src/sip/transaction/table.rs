//! The table of transactions: runs the machines, keeps the bytes to repeat and the way to the peer.
//!
//! In: requests to send, responses to give, and what came or ran out. Out: `Effect::Send`, timers
//! on the clock that is handed in, and [`Told`] to the user of the transaction. Knows no leg.
//! A client transaction is found by its id, which is part of our branch; a server transaction by a
//! keyed hash of what RFC 3261 section 17.2.3 compares, so a stranger's strings cost 16 bytes.

use super::{Alarm, ClientInput, ServerInput, Timing, Todo};
use super::{client, client_invite, server, server_invite};
use crate::base::{Cx, FlowId, LegId, PhoneId, Slab, Timer, TransactionId, TrunkId};
use crate::sip::{Effect, Hop, Settings, Transport};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Machine {
    ClientInvite(client_invite::State),
    Client(client::State),
    ServerInvite(server_invite::State),
    Server(server::State),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transaction {
    pub machine: Machine,
    pub hop: Hop,
    /// Where a response goes when the stream it should use has closed (RFC 3261 section 18.2.2).
    pub fallback: Option<SocketAddr>,
    /// Client: the request, or the ACK of its final response. Server: the last response.
    pub bytes: Bytes,
    /// Server: the request, while a response is still to be written from it.
    pub request: Bytes,
    /// Server: where the request came from, which its responses say in Via.
    pub source: Hop,
    pub user: User,
    /// The random part of our branch.
    pub secret: u64,
    /// The CANCEL that shares the branch of this INVITE.
    pub cancel: Option<TransactionId>,
    /// The keys under which requests find this server transaction, and requests that took
    /// another path (RFC 3261 section 8.2.2.2) find it.
    pub keys: Keys,
    /// Client: the same request may go here by UDP if TCP cannot be had (RFC 3261 section 18.1.1).
    pub datagram: Option<Hop>,
    /// Which 2xx of a forked INVITE were dealt with: the first is the one that was taken.
    pub forks: Vec<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    pub own: u128,
    pub merged: Option<u128>,
}

/// Who hears of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum User {
    Nobody,
    Leg(LegId, Purpose),
    Ping(TrunkId),
    Phone(PhoneId),
    Register(TrunkId),
    /// Whoever keeps last words until they were heard.
    Owed,
}

/// What a leg wants with a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// The INVITE that opens the dialog.
    Open,
    /// A re-INVITE or UPDATE with an offer, or one that refreshes the session.
    Change,
    Prack,
    Bye,
    Cancel,
    /// Word of how a REFER is going, or a key: whatever is said to it changes nothing.
    Notify,
    /// Whether the far end knows of the dialog.
    Probe,
}

/// What the user of a client transaction is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Nothing,
    Response,
    Timeout,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    slab: Slab<TransactionId, Transaction>,
    servers: BTreeMap<u128, TransactionId>,
    /// Client transactions by where they went, for transports that fail.
    by_peer: BTreeSet<(SocketAddr, TransactionId)>,
    /// Streams that a message came over and that are still open.
    flows: BTreeMap<FlowId, SocketAddr>,
}

impl Settings {
    pub fn timing(&self, transport: Transport) -> Timing {
        let reliable = transport.is_stream();
        Timing { t1: self.t1, t2: self.t2, t4: self.t4, reliable }
    }
}

impl Table {
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    pub fn get(&self, id: TransactionId) -> Option<&Transaction> {
        self.slab.get(id)
    }

    pub fn get_mut(&mut self, id: TransactionId) -> Option<&mut Transaction> {
        self.slab.get_mut(id)
    }

    /// Whether a client transaction of ours that still is has this branch.
    pub fn is_ours(&self, id: TransactionId, secret: u64) -> bool {
        self.get(id).is_some_and(|kept| kept.is_client() && kept.secret == secret)
    }

    /// The id that the next transaction will have: its branch is written before it exists.
    pub fn next_id(&self) -> TransactionId {
        self.slab.next_key()
    }

    pub fn server(&self, key: u128) -> Option<TransactionId> {
        self.servers.get(&key).copied()
    }

    pub fn open_client(
        &mut self,
        cx: &mut Cx,
        settings: &Settings,
        transaction: Transaction,
        out: &mut Vec<Effect>,
    ) -> TransactionId {
        let peer = transaction.hop.peer;
        let id = self.slab.insert(transaction);
        self.by_peer.insert((peer, id));
        self.client(cx, settings, id, ClientInput::Start, out);
        id
    }

    pub fn open_server(&mut self, transaction: Transaction) -> TransactionId {
        let keys = transaction.keys;
        let id = self.slab.insert(transaction);
        self.servers.insert(keys.own, id);
        if let Some(merged) = keys.merged {
            self.servers.insert(merged, id);
        }
        id
    }

    /// Trunks have other ids, or none.
    pub fn move_trunks(&mut self, moved: impl Fn(TrunkId) -> Option<TrunkId>) {
        let ids: Vec<TransactionId> = self.slab.keys().collect();
        for id in ids {
            let Some(transaction) = self.slab.get_mut(id) else { continue };
            transaction.user = match transaction.user {
                User::Ping(trunk) => moved(trunk).map_or(User::Nobody, User::Ping),
                User::Register(trunk) => moved(trunk).map_or(User::Nobody, User::Register),
                user @ (User::Nobody | User::Leg(..) | User::Phone(_) | User::Owed) => user,
            };
        }
    }

    /// From now on the transaction keeps this message for this way: the ACK of a 2xx.
    pub fn replace(&mut self, id: TransactionId, hop: Hop, bytes: Bytes) {
        if let Some(transaction) = self.slab.get_mut(id) {
            self.by_peer.remove(&(transaction.hop.peer, id));
            self.by_peer.insert((hop.peer, id));
            (transaction.hop, transaction.bytes) = (hop, bytes);
        }
    }

    /// One step of a client transaction.
    pub fn client(
        &mut self,
        cx: &mut Cx,
        settings: &Settings,
        id: TransactionId,
        input: ClientInput,
        out: &mut Vec<Effect>,
    ) -> Told {
        let Some(transaction) = self.slab.get_mut(id) else { return Told::Nothing };
        let timing = settings.timing(transaction.hop.transport);
        let todo = match transaction.machine {
            Machine::ClientInvite(state) => {
                let (state, todo) = client_invite::step(state, input, &timing);
                transaction.machine = Machine::ClientInvite(state);
                todo
            }
            Machine::Client(state) => {
                let (state, todo) = client::step(state, input, &timing);
                transaction.machine = Machine::Client(state);
                todo
            }
            Machine::ServerInvite(_) | Machine::Server(_) => return Told::Nothing,
        };
        self.carry_out(cx, id, todo, out)
    }

    /// One step of a server transaction.
    pub fn serve(
        &mut self,
        cx: &mut Cx,
        settings: &Settings,
        id: TransactionId,
        input: ServerInput,
        out: &mut Vec<Effect>,
    ) -> Told {
        let Some(transaction) = self.slab.get_mut(id) else { return Told::Nothing };
        let timing = settings.timing(transaction.hop.transport);
        let todo = match transaction.machine {
            Machine::ServerInvite(state) => {
                let (state, todo) = server_invite::step(state, input, &timing);
                transaction.machine = Machine::ServerInvite(state);
                todo
            }
            Machine::Server(state) => {
                let (state, todo) = server::step(state, input, &timing);
                transaction.machine = Machine::Server(state);
                todo
            }
            Machine::ClientInvite(_) | Machine::Client(_) => return Told::Nothing,
        };
        self.carry_out(cx, id, todo, out)
    }

    /// Gives a response to a server transaction.
    pub fn respond(
        &mut self,
        cx: &mut Cx,
        settings: &Settings,
        id: TransactionId,
        status: u16,
        bytes: Bytes,
        out: &mut Vec<Effect>,
    ) {
        if let Some(transaction) = self.slab.get_mut(id) {
            transaction.bytes = bytes;
            let input = match status {
                100..=199 => ServerInput::Provisional,
                200..=299 => ServerInput::Success,
                _ => ServerInput::Failure,
            };
            self.serve(cx, settings, id, input, out);
        }
    }

    /// A timer of a transaction fired.
    pub fn expire(
        &mut self,
        cx: &mut Cx,
        settings: &Settings,
        id: TransactionId,
        (client, server): (ClientInput, ServerInput),
        out: &mut Vec<Effect>,
    ) -> Told {
        match self.slab.get(id).map(Transaction::is_client) {
            Some(true) => self.client(cx, settings, id, client, out),
            Some(false) => self.serve(cx, settings, id, server, out),
            None => Told::Nothing,
        }
    }

    fn carry_out(
        &mut self,
        cx: &mut Cx,
        id: TransactionId,
        todo: Todo,
        out: &mut Vec<Effect>,
    ) -> Told {
        if todo.send || todo.ack {
            self.send(id, out);
        }
        let alarms = [
            (todo.repeat, Timer::Retransmit(id)),
            (todo.give_up, Timer::GiveUp(id)),
            (todo.forget, Timer::Forget(id)),
        ];
        for (alarm, timer) in alarms {
            match alarm {
                Alarm::Keep => {}
                Alarm::Stop => cx.timers.cancel(timer),
                Alarm::In(span) => cx.timers.set(timer, cx.now.instant + span),
            }
        }
        if todo.over {
            self.remove(cx, id);
        }
        match (todo.tell, todo.timeout) {
            (true, _) => Told::Response,
            (_, true) => Told::Timeout,
            (false, false) => Told::Nothing,
        }
    }

    /// Sends the kept message of a transaction, past a stream that has closed meanwhile.
    pub fn send(&self, id: TransactionId, out: &mut Vec<Effect>) {
        let Some(transaction) = self.slab.get(id).filter(|t| !t.bytes.is_empty()) else { return };
        let mut hop = self.usable(transaction.hop);
        if hop.flow != transaction.hop.flow
            && let Some(peer) = transaction.fallback
        {
            // RFC 3261 section 18.2.2: "If that connection is no longer open, the server SHOULD
            // open a connection to the IP address in the received parameter ... using the port in
            // the sent-by value".
            hop.peer = peer;
        }
        out.push(Effect::Send { hop, bytes: transaction.bytes.clone() });
    }

    /// `hop`, without a stream that is known to be closed.
    pub fn usable(&self, hop: Hop) -> Hop {
        Hop { flow: hop.flow.filter(|flow| self.flows.contains_key(flow)), ..hop }
    }

    /// Whether it was a stream that is closed.
    pub fn is_closed(&self, hop: Hop) -> bool {
        hop.flow.is_some_and(|flow| !self.flows.contains_key(&flow))
    }

    /// Whether nothing had come over it before.
    pub fn flow_opened(&mut self, flow: FlowId, peer: SocketAddr) -> bool {
        self.flows.insert(flow, peer).is_none()
    }

    /// The client transactions that can have no answer any more because their stream has closed.
    pub fn flow_closed(&mut self, flow: FlowId) -> Vec<TransactionId> {
        let Some(peer) = self.flows.remove(&flow) else { return Vec::new() };
        self.clients_to(peer, |hop| hop.flow.is_none_or(|own| own == flow))
            .filter(|&id| self.slab.get(id).is_some_and(|t| t.hop.transport.is_stream()))
            .collect()
    }

    /// Every stream has closed but these: the client transactions that can have no answer any more.
    pub fn streams_closed(&mut self, kept: &BTreeSet<FlowId>) -> Vec<TransactionId> {
        self.flows.retain(|flow, _| kept.contains(flow));
        // A request on a connection that it found by its peer knows not which one that was.
        let has_closed = |flow: Option<FlowId>| match flow {
            Some(flow) => !kept.contains(&flow),
            None => kept.is_empty(),
        };
        let over_streams = |t: &Transaction| {
            t.hop.transport.is_stream() && t.is_waiting() && has_closed(t.hop.flow)
        };
        let clients = self.by_peer.iter().map(|&(_, id)| id);
        clients.filter(|&id| self.slab.get(id).is_some_and(over_streams)).collect()
    }

    /// The client transactions that went to `hop`.
    pub fn unreachable(&self, hop: Hop) -> Vec<TransactionId> {
        self.clients_to(hop.peer, |own| own.transport == hop.transport).collect()
    }

    fn clients_to(
        &self,
        peer: SocketAddr,
        matches: impl Fn(&Hop) -> bool,
    ) -> impl Iterator<Item = TransactionId> {
        let least = (peer, TransactionId(0));
        let most = (peer, TransactionId(u64::MAX));
        let found = self.by_peer.range(least..=most).map(|&(_, id)| id);
        found
            .filter(move |&id| self.slab.get(id).is_some_and(|t| t.is_waiting() && matches(&t.hop)))
    }

    /// What must always hold between two events.
    pub fn check(&self) -> Result<(), String> {
        for (&key, &id) in &self.servers {
            let keys = self.slab.get(id).map(|t| t.keys);
            if keys.is_none_or(|k| k.own != key && k.merged != Some(key)) {
                return Err(format!("a request finds {id:?}, which is not its transaction"));
            }
        }
        for &(peer, id) in &self.by_peer {
            if self.slab.get(id).is_none_or(|t| t.hop.peer != peer) {
                return Err(format!("{id:?} is not at {peer}"));
            }
        }
        let clients = self.slab.iter().filter(|(_, t)| t.is_client()).count();
        match clients == self.by_peer.len() {
            true => Ok(()),
            false => Err(format!("{clients} clients, {} on their way", self.by_peer.len())),
        }
    }

    /// Removes a transaction and whatever points to it.
    pub fn remove(&mut self, cx: &mut Cx, id: TransactionId) -> Option<Transaction> {
        let transaction = self.slab.remove(id)?;
        for timer in [Timer::Retransmit(id), Timer::GiveUp(id), Timer::Forget(id)] {
            cx.timers.cancel(timer);
        }
        if transaction.is_client() {
            self.by_peer.remove(&(transaction.hop.peer, id));
        } else {
            self.servers.remove(&transaction.keys.own);
            if let Some(merged) =
                transaction.keys.merged.filter(|m| self.servers.get(m) == Some(&id))
            {
                self.servers.remove(&merged);
            }
        }
        Some(transaction)
    }
}

impl Transaction {
    pub fn client(machine: Machine, hop: Hop, bytes: Bytes, user: User, secret: u64) -> Self {
        Self {
            machine,
            hop,
            fallback: None,
            bytes,
            request: Bytes::new(),
            source: hop,
            user,
            secret,
            cancel: None,
            keys: Keys::default(),
            datagram: None,
            forks: Vec::new(),
        }
    }

    pub fn is_client(&self) -> bool {
        matches!(self.machine, Machine::ClientInvite(_) | Machine::Client(_))
    }

    /// Whether a final answer is still to come.
    pub fn is_waiting(&self) -> bool {
        match self.machine {
            Machine::ClientInvite(state) => {
                !matches!(state, client_invite::State::Completed | client_invite::State::Accepted)
            }
            Machine::Client(state) => state != client::State::Completed,
            Machine::ServerInvite(state) => state == server_invite::State::Proceeding,
            Machine::Server(state) => state == server::State::Trying,
        }
    }
}
