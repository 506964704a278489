//! Trunks that are watched: OPTIONS pings, and registration where a carrier wants it
//! (RFC 3261 sections 10.2 and 11).
//!
//! In: timers and answers. Out: requests, and [`Notice::TrunkUp`]. May import: wire and base.

use super::agent::{Seeker, UserAgent};
use super::compose::{self, Head};
use super::leg::uac::{BRIEFLY, credentials_name};
use super::receive::Sent;
use super::resolve::{Server, trunks};
use super::transaction::client;
use super::transaction::table::{Machine, Transaction, User};
use super::{Effect, Hop, Notice, Transport, Trunk, digest, tag};
use crate::base::{Cx, Id, LegId, Timer, TransactionId, TrunkId};
use crate::wire::sip::{Message, Method, Name, text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// What is known of a trunk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Not asked yet: unknown.
    pub up: Option<bool>,
    /// The resolver looks after the names of its hosts.
    named: bool,
    /// Servers that did not answer when they were last asked.
    down: BTreeSet<Server>,
    /// Call-ID and CSeq of its REGISTER requests, which stay the same and go up.
    call_id: u64,
    seq: u32,
    /// It has granted a registration, or may have, and sends its calls here.
    registered: bool,
    /// The least interval that it has insisted on, and whether it did so just now (423).
    least: u32,
    too_brief: bool,
}

/// After a registration that failed.
const REGISTER_AGAIN: Duration = Duration::from_secs(60);
const REGISTER_EXPIRES: u32 = 3_600;

impl Watch {
    fn new(cx: &mut Cx) -> Self {
        Self { call_id: cx.rng.bits(), ..Self::default() }
    }
}

/// Where the trunks of old settings are in new ones.
pub struct Places(Vec<Option<usize>>);

/// A trunk is the same where its name is.
pub fn places(before: &[Trunk], now: &[Trunk]) -> Places {
    let place = |old: &Trunk| now.iter().position(|trunk| trunk.name == old.name);
    Places(before.iter().map(place).collect())
}

impl Places {
    /// `None`: the trunk is gone.
    pub fn of(&self, trunk: TrunkId) -> Option<TrunkId> {
        let slot = self.0.get(trunk.slot() as usize).copied().flatten()?;
        Some(TrunkId::new(slot as u32, 0))
    }
}

impl UserAgent {
    /// An id is a place in the settings, and the settings are new: whatever is about a trunk stays
    /// with the trunk of that name. A leg whose trunk is gone has no login any more.
    pub(super) fn move_trunks(&mut self, cx: &mut Cx, before: &[Trunk]) {
        let now = &self.net.settings.trunks;
        let places = places(before, now);
        let moved = |id: TrunkId| places.of(id);
        let legs: Vec<LegId> = self.legs.keys().collect();
        for id in legs {
            if let Some(leg) = self.legs.get_mut(id) {
                leg.trunk = leg.trunk.and_then(moved);
            }
        }
        self.net.table.move_trunks(moved);
        let mut watches = vec![None; now.len()];
        for (slot, watch) in (0..).zip(self.watches.drain(..)) {
            let id = TrunkId::new(slot, 0);
            cx.timers.cancel(Timer::TrunkPing(id));
            cx.timers.cancel(Timer::TrunkRegister(id));
            if let Some(to) = moved(id) {
                watches[to.slot() as usize] = Some(watch);
            }
        }
        let new = |watch: Option<Watch>| watch.unwrap_or_else(|| Watch::new(cx));
        self.watches = watches.into_iter().map(new).collect();
    }

    /// Looks at every trunk as soon as timers run.
    pub(super) fn watch_trunks(&mut self, cx: &mut Cx) {
        while self.watches.len() < self.net.settings.trunks.len() {
            self.watches.push(Watch::new(cx));
        }
        self.resolver.unwatch(cx);
        let now = cx.now.instant;
        self.watches.iter_mut().for_each(|watch| watch.named = false);
        for (slot, trunk) in self.net.settings.trunks.iter().enumerate() {
            let id = TrunkId::new(slot as u32, 0);
            cx.timers.set(Timer::TrunkPing(id), now);
            match trunk.register && trunk.login.is_some() && !self.leaving {
                true => cx.timers.set(Timer::TrunkRegister(id), now),
                false => cx.timers.cancel(Timer::TrunkRegister(id)),
            }
        }
    }

    pub(super) fn ping_trunk(&mut self, cx: &mut Cx, id: TrunkId, out: &mut Vec<Effect>) {
        self.name_hosts(cx, id, out);
        let servers = self.trunks.servers(id);
        let every = self.net.trunk(id).map_or(Duration::ZERO, |trunk| trunk.ping);
        if let Some(watch) = self.watches.get_mut(id.slot() as usize) {
            watch.down.retain(|server| servers.contains(server) && !every.is_zero());
        }
        if every.is_zero() {
            return self.believe_in(id, out);
        }
        cx.timers.set(Timer::TrunkPing(id), cx.now.instant + every);
        for server in servers {
            if let Some(hop) = self.net.way(server.transport, server.addr) {
                self.ask_trunk(cx, id, hop, out);
            }
        }
    }

    /// A trunk that is asked no more is believed in, whatever it was before.
    fn believe_in(&mut self, trunk: TrunkId, out: &mut Vec<Effect>) {
        let watch = self.watches.get_mut(trunk.slot() as usize);
        if let Some(watch) = watch.filter(|watch| watch.up == Some(false)) {
            watch.up = None;
            out.push(Effect::Notice(Notice::TrunkUp { trunk, up: true }));
        }
    }

    /// Has the names of a trunk's hosts looked up, and looked up again when they run out.
    fn name_hosts(&mut self, cx: &mut Cx, id: TrunkId, out: &mut Vec<Effect>) {
        let Some(watch) = self.watches.get_mut(id.slot() as usize).filter(|w| !w.named) else {
            return;
        };
        watch.named = true;
        for (host, place) in self.trunks.names() {
            if host.trunk == id
                && let Some(servers) = self.resolver.watch(cx, &place, Seeker::Trunk(host), out)
            {
                self.trunks.learned(host, servers);
            }
        }
    }

    /// The server of a trunk to register with.
    fn server_hop(&self, id: TrunkId) -> Option<Hop> {
        let (servers, _) = self.worth_trying(self.trunks.servers(id));
        let server = servers.first()?;
        self.net.way(server.transport, server.addr)
    }

    /// Those of the servers that are not known to be down, in their order. Where all are, all of
    /// them, and true: what is known may be old, but nobody shall wait long for them.
    pub(super) fn worth_trying(&self, servers: Vec<Server>) -> (Vec<Server>, bool) {
        let is_down = |server: &Server| self.watches.iter().any(|w| w.down.contains(server));
        let up: Vec<Server> = servers.iter().copied().filter(|s| !is_down(s)).collect();
        match up.is_empty() {
            true => (servers, true),
            false => (up, false),
        }
    }

    /// Over TLS a trunk has to prove its name, so it is called by that.
    fn trunk_uri(&self, id: TrunkId, hop: &Hop) -> String {
        let server = Server { transport: hop.transport, addr: hop.peer };
        let name = self.trunks.name_of(id, server);
        match name.filter(|_| hop.transport == Transport::Tls) {
            Some(name) => format!("sip:{name}:{};transport=tls", hop.peer.port()),
            None => format!("sip:{}", hop.peer),
        }
    }

    fn ask_trunk(&mut self, cx: &mut Cx, id: TrunkId, hop: Hop, out: &mut Vec<Effect>) {
        let uri = self.trunk_uri(id, &hop);
        let from = format!("<sip:{}>", compose::advertised(&self.net.settings, &hop));
        let call_id = format!("{:x}{:x}", cx.rng.bits(), cx.rng.bits());
        let to = (Method::Options, uri.as_str(), from.as_str(), call_id.as_str(), 1);
        let asked = self.send_outside(cx, to, hop, User::Ping(id), None, out);
        // Nobody shall be sent to a dead centre for the 32 s of timer F.
        let at = cx.now.instant + self.net.settings.t1 * BRIEFLY;
        cx.timers.set(Timer::GiveUp(asked), at);
    }

    /// A request outside a dialog whose From and To are the same.
    pub(super) fn send_outside(
        &mut self,
        cx: &mut Cx,
        (method, uri, own, call_id, seq): (Method, &str, &str, &str, u32),
        hop: Hop,
        user: User,
        contact: Option<(&str, u32)>,
        out: &mut Vec<Effect>,
    ) -> TransactionId {
        let secret = cx.rng.bits();
        let branch = tag::branch(self.net.table.next_id(), secret);
        let from = format!("{own};tag={:x}", cx.rng.bits());
        let to = match method {
            Method::Register => own.to_string(),
            _ => format!("<{uri}>"),
        };
        let mut writer = compose::request(&Head {
            method,
            uri,
            branch: &branch,
            hop: &hop,
            settings: &self.net.settings,
            from: &from,
            to: &to,
            call_id,
            seq,
            forwards: compose::FORWARDS,
        });
        if let Some((contact, expires)) = contact {
            writer.header(Name::Contact, contact).header(Name::Expires, expires);
        }
        let bytes = compose::finish(writer, None);
        let machine = Machine::Client(client::State::new());
        let transaction = Transaction::client(machine, hop, bytes, user, secret);
        self.net.open_client(cx, transaction, out)
    }

    /// A server of a trunk answered our OPTIONS, or did not. Any answer is a sign of life. The
    /// trunk is down when all of its servers are.
    pub(super) fn ping_answered(
        &mut self,
        cx: &mut Cx,
        (trunk, hop): (TrunkId, Hop),
        alive: bool,
        out: &mut Vec<Effect>,
    ) {
        let servers = self.trunks.servers(trunk);
        let Some(watch) = self.watches.get_mut(trunk.slot() as usize) else { return };
        let server = Server { transport: hop.transport, addr: hop.peer };
        match alive {
            true => watch.down.remove(&server),
            false => watch.down.insert(server),
        };
        let all_down = servers.iter().all(|server| watch.down.contains(server));
        if (alive || all_down) && watch.up != Some(alive) {
            watch.up = Some(alive);
            if !alive {
                self.give_up_on(cx, trunk);
            }
            out.push(Effect::Notice(Notice::TrunkUp { trunk, up: alive }));
        }
    }

    /// Whoever calls through a trunk that is down, and has heard nothing of it, need not wait.
    fn give_up_on(&self, cx: &mut Cx, trunk: TrunkId) {
        let through = self.legs.iter().filter(|(_, leg)| leg.trunk == Some(trunk));
        for unheard in through.filter_map(|(_, leg)| leg.unheard()) {
            cx.timers.set(Timer::GiveUp(unheard), cx.now.instant);
        }
    }

    pub(super) fn register_with_trunk(&mut self, cx: &mut Cx, id: TrunkId, out: &mut Vec<Effect>) {
        cx.timers.set(Timer::TrunkRegister(id), cx.now.instant + REGISTER_AGAIN);
        let least = self.watches.get(id.slot() as usize).map_or(0, |watch| watch.least);
        if self.send_register(cx, id, REGISTER_EXPIRES.max(least), out).is_some()
            && let Some(watch) = self.watches.get_mut(id.slot() as usize)
        {
            watch.registered = true;
        }
    }

    /// RFC 3261 section 10.2: "The Request-URI names the domain of the location service for which
    /// the registration is meant", whatever host of it the request goes to.
    fn send_register(
        &mut self,
        cx: &mut Cx,
        id: TrunkId,
        expires: u32,
        out: &mut Vec<Effect>,
    ) -> Option<TransactionId> {
        let login = self.net.login(id).cloned()?;
        let hop = self.server_hop(id)?;
        let domain = self.net.trunk(id).and_then(trunks::domain);
        let domain = domain.unwrap_or_else(|| hop.peer.to_string());
        let watch = self.watches.get_mut(id.slot() as usize)?;
        watch.seq += 1;
        let (call_id, seq) = (format!("{:x}", watch.call_id), watch.seq);
        let uri = format!("sip:{domain}");
        let own = format!("<sip:{}@{domain}>", crate::wire::sip::percent(&login.user));
        let contact = compose::contact(&self.net.settings, &hop, false);
        let to = (Method::Register, uri.as_str(), own.as_str(), call_id.as_str(), seq);
        let contact = Some((contact.as_str(), expires));
        Some(self.send_outside(cx, to, hop, User::Register(id), contact, out))
    }

    /// The switch ends in order: carriers are told to send no more calls here (RFC 3261 section
    /// 10.2.2), and are waited for as long as for an answer to a ping.
    pub fn sign_off(&mut self, cx: &mut Cx, out: &mut Vec<Effect>) {
        self.leaving = true;
        for slot in 0..self.watches.len() {
            let id = TrunkId::new(slot as u32, 0);
            cx.timers.cancel(Timer::TrunkRegister(id));
            if self.watches[slot].registered {
                let sent = self.send_register(cx, id, 0, out);
                self.signs_off(cx, id, sent);
            }
        }
    }

    /// Nobody waits for long before the end; where nothing could be sent, not at all.
    fn signs_off(&mut self, cx: &mut Cx, id: TrunkId, sent: Option<TransactionId>) {
        match sent {
            Some(sent) => {
                let at = cx.now.instant + self.net.settings.t1 * BRIEFLY;
                cx.timers.set(Timer::GiveUp(sent), at);
            }
            None => self.registration_failed(cx, id),
        }
    }

    /// Whether a carrier has still to take leave of us.
    pub fn is_signing_off(&self) -> bool {
        self.leaving && self.watches.iter().any(|watch| watch.registered)
    }

    /// Another process goes on after an end that was meant to be one.
    pub(super) fn sign_on(&mut self, cx: &mut Cx) {
        if std::mem::take(&mut self.leaving) {
            self.watch_trunks(cx);
        }
    }

    /// The carrier answered our REGISTER.
    pub(super) fn registered(
        &mut self,
        cx: &mut Cx,
        id: TrunkId,
        sent: Sent,
        message: &Message,
        out: &mut Vec<Effect>,
    ) {
        if self.leaving && !takes_leave(&sent.request) {
            // What was asked before the end was: what follows it on the way undoes it.
            return;
        }
        let Some(watch) = self.watches.get_mut(id.slot() as usize) else { return };
        match message.status() {
            Some(200..=299) if self.leaving => watch.registered = false,
            Some(200..=299) => {
                watch.too_brief = false;
                let granted = message.contacts().filter_map(|c| c.address()).find_map(|contact| {
                    contact.params.get("expires").and_then(|e| e.parse::<u32>().ok())
                });
                let granted = granted.or(message.expires()).unwrap_or(REGISTER_EXPIRES);
                // Early enough to try twice more before it runs out.
                let pause = Duration::from_secs(u64::from(granted.clamp(30, 86_400) / 2));
                cx.timers.set(Timer::TrunkRegister(id), cx.now.instant + pause);
            }
            Some(status @ (401 | 407)) => {
                if self.register_again(cx, id, sent, message, status == 407, out).is_none() {
                    self.registration_failed(cx, id);
                }
            }
            // RFC 3261 section 10.2.8: "If a UA receives a 423 (Interval Too Brief) response, it
            // MAY retry the registration after making the expiration interval of all contact
            // addresses in the REGISTER request equal to or greater than" Min-Expires.
            Some(423) if !watch.too_brief && !self.leaving => {
                watch.too_brief = true;
                watch.least = min_expires(message);
                self.register_with_trunk(cx, id, out);
            }
            Some(200..) => self.registration_failed(cx, id),
            Some(_) | None => {}
        }
    }

    fn register_again(
        &mut self,
        cx: &mut Cx,
        id: TrunkId,
        sent: Sent,
        message: &Message,
        proxy: bool,
        out: &mut Vec<Effect>,
    ) -> Option<()> {
        let login = self.net.login(id).cloned()?;
        let challenge = if proxy { Name::ProxyAuthenticate } else { Name::WwwAuthenticate };
        let values: Vec<_> = message.headers(challenge).map(text).collect();
        let mut session = digest::Session::new(values.iter().map(|v| &**v), cx.rng)?;
        let request = Message::parse(&sent.request).ok()?;
        let name = credentials_name(proxy);
        if request.header(name).is_some() && !session.stale() {
            return None;
        }
        let value = session.answer(&login, "REGISTER", request.request_uri()?.raw);
        let watch = self.watches.get_mut(id.slot() as usize)?;
        watch.seq += 1;
        let (seq, user) = (Some(watch.seq), User::Register(id));
        let credentials = Some((name, value.as_str()));
        let again = self.net.again(cx, &sent.request, user, sent.hop, seq, credentials, out)?;
        if self.leaving {
            self.signs_off(cx, id, Some(again));
        }
        Some(())
    }

    pub(super) fn registration_failed(&mut self, cx: &mut Cx, id: TrunkId) {
        let Some(watch) = self.watches.get_mut(id.slot() as usize) else { return };
        watch.too_brief = false;
        match self.leaving {
            // Whatever it has granted will run out by itself.
            true => watch.registered = false,
            false => {
                cx.timers.set(Timer::TrunkRegister(id), cx.now.instant + REGISTER_AGAIN);
            }
        }
    }
}

fn takes_leave(request: &[u8]) -> bool {
    Message::parse(request).is_ok_and(|request| request.expires() == Some(0))
}

/// A day is the most that a carrier can have meant.
fn min_expires(message: &Message) -> u32 {
    let value = message.header(Name::MinExpires).map(text);
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0).min(86_400)
}
