//! The user agent: legs, transactions, registrar and trunks behind one door.
//!
//! In: datagrams and framed stream messages, the DNS's answers, timers, what the user of the layer
//! wants. Out: [`Effect`]s, and timers on the clock that is handed in. It carries; the machines
//! beside it decide. May import: wire and base.

use super::access::{Access, Rules};
use super::desk::Desk;
use super::leg::{Leg, Phase};
use super::net::Net;
use super::owed::Owed;
use super::registrar::{Change, Registrar};
use super::resolve::{Answer, Found, Resolver, Server, TrunkHost, Trunks};
use super::silent::Silent;
use super::tag::HashKey;
use super::transaction::table::{Purpose, Table, Told, User};
use super::transaction::{ClientInput, ServerInput};
use super::trunk::Watch;
use super::{Act, Effect, Hop, Notice, Settings, Transport, route};
use crate::base::{Cx, FlowId, LegId, PhoneId, QueryId, Slab, Timer, TransactionId, TrunkId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct UserAgent {
    pub(super) net: Net,
    pub(super) legs: Slab<LegId, Leg>,
    pub(super) access: Access,
    pub(super) rules: Rules,
    pub(super) registrar: Registrar,
    pub(super) resolver: Resolver<Seeker>,
    pub(super) trunks: Trunks,
    pub(super) watches: Vec<Watch>,
    pub(super) silent: Slab<PhoneId, Silent>,
    /// The names that the far ends of streams have proved (RFC 5922 section 4).
    pub(super) proven: BTreeMap<FlowId, Vec<String>>,
    /// What phones have yet to hear that have lost their connection.
    pub(super) owed: Vec<Owed>,
    /// The switch is to end: no carrier shall send calls here.
    pub(super) leaving: bool,
}

/// Who waits for the DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Seeker {
    Leg(LegId),
    /// The way of a dialog, and which search it is.
    Dialog(LegId, u64),
    Trunk(TrunkHost),
    /// A phone that fell silent, and which of its contacts.
    Phone(PhoneId, u32),
}

/// How much is alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub legs: usize,
    pub transactions: usize,
    pub bindings: usize,
}

impl UserAgent {
    pub fn new(settings: Settings, cx: &mut Cx) -> Self {
        let mut agent = Self {
            access: Access::new(cx.rng),
            rules: Rules::new(&settings),
            registrar: Registrar::default(),
            resolver: Resolver::default(),
            trunks: Trunks::new(&settings),
            watches: Vec::new(),
            silent: Slab::default(),
            proven: BTreeMap::new(),
            owed: Vec::new(),
            leaving: false,
            legs: Slab::default(),
            net: Net {
                key: HashKey(cx.rng.bits(), cx.rng.bits()),
                table: Table::default(),
                settings,
            },
        };
        agent.watch_trunks(cx);
        agent
    }

    /// Live calls go on; what is new holds for what comes.
    pub fn reload(&mut self, cx: &mut Cx, settings: Settings) {
        self.rules = Rules::new(&settings);
        self.trunks = self.trunks.renewed(&settings);
        let before = std::mem::replace(&mut self.net.settings, settings);
        self.move_trunks(cx, &before.trunks);
        self.watch_trunks(cx);
        self.believe_phones(cx);
    }

    pub fn settings(&self) -> &Settings {
        &self.net.settings
    }

    pub fn counts(&self) -> Counts {
        Counts {
            legs: self.legs.len(),
            transactions: self.net.table.len(),
            bindings: self.registrar.len(),
        }
    }

    /// Neither a leg nor a transaction is alive.
    pub fn is_quiet(&self) -> bool {
        self.legs.is_empty() && self.net.table.is_empty()
    }

    /// Whether a notice about this leg may still come.
    pub fn is_live(&self, leg: LegId) -> bool {
        self.legs.get(leg).is_some_and(|leg| !leg.silent)
    }

    /// Whether the layer still keeps this leg, heard by nobody or not.
    pub fn keeps(&self, leg: LegId) -> bool {
        self.legs.contains(leg)
    }

    /// The host that a leg's signalling goes to and comes from.
    pub fn heard_from(&self, leg: LegId) -> Option<IpAddr> {
        Some(self.legs.get(leg)?.dialog.hop.peer.ip())
    }

    /// The contacts of an address of record, newest first.
    pub fn contacts(&self, user: &str) -> Vec<super::Contact> {
        self.registrar.contacts(user)
    }

    /// What the user of the layer wants of a leg.
    pub fn act(&mut self, cx: &mut Cx, leg: LegId, act: Act, out: &mut Vec<Effect>) {
        self.with_leg(cx, leg, out, |leg, desk| leg.act(desk, act));
    }

    pub fn expire(&mut self, cx: &mut Cx, timer: Timer, out: &mut Vec<Effect>) {
        let repeat = (ClientInput::Repeat, ServerInput::Repeat);
        let give_up = (ClientInput::GiveUp, ServerInput::GiveUp);
        let forget = (ClientInput::Forget, ServerInput::Forget);
        match timer {
            Timer::Retransmit(id) => self.expire_transaction(cx, id, repeat, out),
            Timer::GiveUp(id) => self.expire_transaction(cx, id, give_up, out),
            Timer::Forget(id) => self.expire_transaction(cx, id, forget, out),
            Timer::Repeat2xx(leg)
            | Timer::NoAck(leg)
            | Timer::RepeatProvisional(leg)
            | Timer::KeepRinging(leg)
            | Timer::Unheard(leg)
            | Timer::Refresh(leg)
            | Timer::SessionExpired(leg)
            | Timer::RetryOffer(leg)
            | Timer::Bury(leg) => {
                self.with_leg(cx, leg, out, |leg, desk| leg.expire(desk, timer));
            }
            Timer::BindingExpires(binding) => {
                let change = self.registrar.expired(cx, binding);
                bound(change, out);
            }
            Timer::DnsSilent(query) => {
                let found = self.resolver.silent(cx, query, out);
                self.found(cx, found, out);
            }
            Timer::TrunkPing(trunk) => self.ping_trunk(cx, trunk, out),
            Timer::PhoneAsk(phone) => self.ask_phone(cx, phone, out),
            Timer::TrunkRegister(trunk) => self.register_with_trunk(cx, trunk, out),
            Timer::RingTimeout(..)
            | Timer::WrapUp(_)
            | Timer::Rest(_)
            | Timer::MaxWait(_)
            | Timer::QueueReview(_)
            | Timer::DialTimeout(_)
            | Timer::Keys(_)
            | Timer::Parked(_)
            | Timer::Watch(..)
            | Timer::Silence(_)
            | Timer::Recheck(_)
            | Timer::CallGuard(_)
            | Timer::TapeGuard(_)
            | Timer::CallOver(_)
            | Timer::Code(_)
            | Timer::Announce(_)
            | Timer::Menu(_)
            | Timer::CallBack(_)
            | Timer::Unblock
            | Timer::Reconcile
            | Timer::Overflow(_)
            | Timer::Roster => {}
        }
    }

    fn expire_transaction(
        &mut self,
        cx: &mut Cx,
        id: TransactionId,
        inputs: (ClientInput, ServerInput),
        out: &mut Vec<Effect>,
    ) {
        let asked = self.net.table.get(id).map(|kept| (kept.user, kept.hop));
        let told = self.net.table.expire(cx, &self.net.settings, id, inputs, out);
        if let (Told::Timeout, Some(asked)) = (told, asked) {
            // RFC 3261 section 8.1.3.1: "When a timeout error is received from the transaction
            // layer, it MUST be treated as if a 408 (Request Timeout) status code has been
            // received."
            self.no_answer(cx, id, asked, 408, out);
        }
    }

    /// A client transaction ended without a response.
    fn no_answer(
        &mut self,
        cx: &mut Cx,
        id: TransactionId,
        (user, hop): (User, Hop),
        status: u16,
        out: &mut Vec<Effect>,
    ) {
        match user {
            User::Nobody => {}
            User::Leg(leg, purpose) => {
                self.with_leg(cx, leg, out, |leg, desk| match purpose {
                    Purpose::Open => leg.failed(desk, id, status, None),
                    Purpose::Change => leg.change_failed(desk, id, status, None),
                    Purpose::Bye => leg.left(),
                    Purpose::Probe => leg.probed(desk, status),
                    Purpose::Prack | Purpose::Cancel | Purpose::Notify => {}
                });
            }
            User::Ping(trunk) => self.ping_answered(cx, (trunk, hop), false, out),
            User::Phone(phone) => self.phone_answered(cx, phone, false, out),
            User::Register(trunk) => self.registration_failed(cx, trunk),
            User::Owed => self.owed_answered(id, None),
        }
    }

    /// Whoever is at the other end of a stream is called so; none: they were asked, and have
    /// proved nothing.
    pub fn proven(&mut self, flow: FlowId, names: Vec<String>) {
        self.proven.insert(flow, names);
    }

    /// The trunk that a message came from: by its address, and where it wants that, by proof.
    pub(super) fn trunk_at(&self, hop: &Hop) -> Option<TrunkId> {
        let id = self.trunks.whose(hop.transport, hop.peer)?;
        let trunk = self.net.trunk(id)?;
        let names = || hop.flow.and_then(|flow| self.proven.get(&flow));
        let has_proved = || {
            let known = trunk.secure_names();
            // RFC 3261 section 19.1.4: host names are compared without case.
            let is_one = |name: &String| known.iter().any(|known| known.eq_ignore_ascii_case(name));
            names().is_some_and(|names| names.iter().any(is_one))
        };
        (!trunk.prove || has_proved()).then_some(id)
    }

    /// A stream of a trunk that has to prove its name, and was never asked: it was there before
    /// that was wanted of it.
    pub(super) fn unasked(&self, hop: &Hop) -> Option<FlowId> {
        let trunk = self.trunks.whose(hop.transport, hop.peer);
        let prove = trunk.and_then(|id| self.net.trunk(id)).is_some_and(|trunk| trunk.prove);
        let flow = hop.flow.filter(|_| prove && hop.transport == Transport::Tls)?;
        (!self.proven.contains_key(&flow)).then_some(flow)
    }

    /// A stream has closed.
    pub fn flow_closed(&mut self, cx: &mut Cx, flow: FlowId, out: &mut Vec<Effect>) {
        self.proven.remove(&flow);
        let lost = self.net.table.flow_closed(flow);
        self.owe(cx, &lost);
        self.transport_failed(cx, lost, out);
        for change in self.registrar.flow_closed(cx, flow) {
            bound(Some(change), out);
        }
    }

    /// Another process has taken over: every stream has closed but these.
    pub fn restarted(&mut self, cx: &mut Cx, kept: &BTreeSet<FlowId>, out: &mut Vec<Effect>) {
        self.sign_on(cx);
        self.proven.retain(|flow, _| kept.contains(flow));
        let lost = self.net.table.streams_closed(kept);
        self.owe(cx, &lost);
        let others = self.last_words_to_others(&lost);
        self.transport_failed(cx, lost, out);
        let streams = self.registrar.streams().into_iter();
        for flow in streams.filter(|flow| !kept.contains(flow)) {
            self.registrar.flow_closed(cx, flow).into_iter().for_each(|it| bound(Some(it), out));
        }
        for (hop, last) in others {
            self.say(cx, hop, (last, User::Nobody), out);
        }
    }

    /// Nothing can be sent this way: the connection was refused, or ICMP said so.
    pub fn unreachable(&mut self, cx: &mut Cx, hop: Hop, out: &mut Vec<Effect>) {
        let lost = self.net.table.unreachable(hop);
        let users = self.not_brought(cx, &lost);
        self.transport_failed(cx, lost, out);
        users.iter().for_each(|user| self.pay_but(cx, user, Some(hop), out));
    }

    fn transport_failed(&mut self, cx: &mut Cx, lost: Vec<TransactionId>, out: &mut Vec<Effect>) {
        for id in lost {
            let Some(gone) = self.net.table.remove(cx, id) else { continue };
            // RFC 3261 section 18.1.1: "If this causes ... attempts to establish the connection
            // [to] result in ... ICMP Protocol Not Supported, or ... a TCP reset, the element
            // SHOULD retry the request, using UDP."
            let again = gone
                .datagram
                .filter(|_| !self.is_given_up(gone.user))
                .and_then(|hop| self.net.again(cx, &gone.bytes, gone.user, hop, None, None, out));
            match (again, gone.user) {
                (Some(new), User::Leg(leg, _)) => {
                    self.with_leg(cx, leg, out, |leg, _| leg.moved(id, new));
                }
                (Some(new), User::Owed) => self.owed_moved(id, new),
                (Some(_), _) => {}
                // Section 8.1.3.1: "If a fatal transport error is reported by the transport layer
                // ... the condition MUST be treated as a 503 (Service Unavailable) status code."
                (None, user) => self.no_answer(cx, id, (user, gone.hop), 503, out),
            }
        }
    }

    /// Nobody waits for the answer of the INVITE any more.
    fn is_given_up(&self, user: User) -> bool {
        let User::Leg(leg, Purpose::Open) = user else { return false };
        self.legs.get(leg).is_some_and(Leg::is_cancelled)
    }

    /// What the DNS said.
    pub fn answered(&mut self, cx: &mut Cx, query: QueryId, answer: Answer, out: &mut Vec<Effect>) {
        let found = self.resolver.answered(cx, query, answer, out);
        self.found(cx, found, out);
    }

    fn found(&mut self, cx: &mut Cx, found: Vec<Found<Seeker>>, out: &mut Vec<Effect>) {
        for Found { token, servers } in found {
            match token {
                Seeker::Leg(leg) => self.leg_found(cx, leg, &servers, out),
                Seeker::Dialog(leg, search) => {
                    let (servers, _) = self.worth_trying(servers);
                    self.with_leg(cx, leg, out, |leg, desk| {
                        route::found(desk.net, &mut leg.dialog, search, &servers);
                    });
                }
                Seeker::Trunk(host) => self.trunks.learned(host, servers),
                Seeker::Phone(id, nth) => self.phone_found(cx, (id, nth), &servers, out),
            }
        }
    }

    pub(super) fn leg_found(
        &mut self,
        cx: &mut Cx,
        leg: LegId,
        servers: &[Server],
        out: &mut Vec<Effect>,
    ) {
        let (servers, brief) = self.worth_trying(servers.to_vec());
        self.with_leg(cx, leg, out, |leg, desk| leg.located(desk, &servers, brief));
    }

    /// Runs `work` on a leg, and removes it if that was its end.
    pub(super) fn with_leg<R>(
        &mut self,
        cx: &mut Cx,
        id: LegId,
        out: &mut Vec<Effect>,
        work: impl FnOnce(&mut Leg, &mut Desk) -> R,
    ) -> Option<R> {
        let leg = self.legs.get_mut(id)?;
        if let Some(user) = &leg.user
            && self.net.table.is_closed(leg.dialog.hop)
            && leg.dialog.routes.is_empty()
        {
            // The phone has connected and registered anew since; its old port is dead.
            let (dialog, seen) = (&leg.dialog, leg.dialog.hop);
            let way = self.registrar.way_back(user, &dialog.target, seen.peer.ip(), &|_| true);
            leg.dialog.hop = way.map_or(seen, |way| way.hop);
        }
        let (net, resolver) = (&mut self.net, &mut self.resolver);
        let mut desk = Desk { id, cx, net, resolver, out };
        let result = work(leg, &mut desk);
        if leg.phase == Phase::Gone {
            leg.settle_asked(&mut desk);
            leg.quiet(&mut desk);
            self.legs.remove(id);
        }
        Some(result)
    }

    /// What must always hold between two events.
    pub fn check(&self) -> Result<(), String> {
        for (id, leg) in self.legs.iter() {
            leg.check(&self.net).map_err(|what| format!("{id:?}: {what}"))?;
        }
        self.net.table.check()
    }
}

pub(super) fn bound(change: Option<Change>, out: &mut Vec<Effect>) {
    if let Some(Change { user, contacts, why }) = change {
        out.push(Effect::Notice(Notice::Bound { user, contacts, why }));
    }
}
