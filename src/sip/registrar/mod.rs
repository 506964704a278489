//! The registrar (RFC 3261 section 10, with instances and flows of RFC 5626): which contacts an
//! address of record has.
//!
//! In: an authenticated REGISTER taken apart, timers, closed flows. Out: header field values for
//! the response, and the change that it made. Path (RFC 3327) is not needed and so ignored: a
//! contact is reached through the hop that its REGISTER came by.
//! Knows no messages, no users' rights. May import: wire and base.

mod ask;

use super::{Contact, Hop, Rebound};
use crate::base::limits::BINDINGS_PER_AOR_MAX;
use crate::base::{BindingId, Cx, FlowId, Instant, Slab, Timer};
use crate::wire::sip::Uri;
pub use ask::{Asked, Contacts, Register};
use ask::{Refusal, Wish};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 200 with one Contact each. `outbound`: add `Require: outbound` (RFC 5626 section 6).
    Registered { contacts: Vec<String>, outbound: bool, change: Option<Change> },
    /// Nothing was changed. `min_expires` belongs to 423.
    Refused { status: u16, reason: &'static str, min_expires: Option<u32> },
}

/// What `Notice::Bound` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub user: String,
    pub contacts: Vec<Contact>,
    pub why: Rebound,
}

/// One contact of one address of record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Binding {
    user: String,
    contact: Contact,
    /// Parameters of the Contact header field that return with it, as text: `;q=0.5;methods="…"`.
    params: String,
    /// Which connection of which phone this is (RFC 5626), whatever its address.
    instance: Option<(String, u32)>,
    call_id: String,
    cseq: u32,
    expires: Instant,
    /// When it came to be where it is; a refresh from the same place leaves it. Newest is highest.
    since: u64,
}

/// Where a phone is reached that had another connection before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    pub hop: Hop,
    /// It is that phone by its contact, and not just one at its address, which may be a router's,
    /// or the only one that its user has now.
    pub is_sure: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Registrar {
    bindings: Slab<BindingId, Binding>,
    /// Newest last.
    users: BTreeMap<String, Vec<BindingId>>,
    /// Which bindings go when a connection closes.
    flows: BTreeSet<(FlowId, BindingId)>,
    serial: u64,
}

impl Registrar {
    /// `bounds`: shortest and longest registration granted (`Settings::register`).
    pub fn register(
        &mut self,
        cx: &mut Cx,
        bounds: (Duration, Duration),
        register: &Register,
    ) -> Outcome {
        // All is looked at before anything is changed: a request is done whole or not at all.
        let checked = ask::wishes(register, bounds)
            .and_then(|wishes| self.check_order(register, wishes.as_deref()).map(|()| wishes));
        let wishes = match checked {
            Ok(wishes) => wishes,
            Err(Refusal { status, reason, min_expires }) => {
                return Outcome::Refused { status, reason, min_expires };
            }
        };
        let before = self.contacts(register.user);
        let binds = wishes.iter().flatten().any(Wish::lasts);
        // Over UDP a flow is kept alive with STUN (RFC 5626 section 3.5.2), which we do not answer.
        let kept_alive = register.hop.transport.is_stream();
        let flows = wishes.iter().flatten().any(|w| w.instance.is_some() && w.lasts());
        let outbound = flows && kept_alive;
        match wishes {
            None => self.remove_all(cx, register.user),
            Some(wishes) => self.grant(cx, register, wishes),
        }
        let contacts = self.contacts(register.user);
        let why = if binds { Rebound::Registered } else { Rebound::Unregistered };
        let user = register.user.to_string();
        let change = (contacts != before).then_some(Change { user, contacts, why });
        let contacts = self.listed(cx.now.instant, register.user);
        Outcome::Registered { contacts, outbound, change }
    }

    /// `Timer::BindingExpires`.
    pub fn expired(&mut self, cx: &mut Cx, id: BindingId) -> Option<Change> {
        let user = self.remove(cx, id)?.user;
        Some(Change { contacts: self.contacts(&user), user, why: Rebound::Expired })
    }

    /// A connection has closed, and with it the way to the contacts registered over it (RFC 5626
    /// section 7).
    pub fn flow_closed(&mut self, cx: &mut Cx, flow: FlowId) -> Vec<Change> {
        let range = (flow, BindingId(0))..=(flow, BindingId(u64::MAX));
        let lost: Vec<_> = self.flows.range(range).map(|&(_, id)| id).collect();
        let users: BTreeSet<_> =
            lost.into_iter().filter_map(|id| self.remove(cx, id)).map(|b| b.user).collect();
        let change =
            |user: String| Change { contacts: self.contacts(&user), user, why: Rebound::FlowLost };
        users.into_iter().map(change).collect()
    }

    /// Streams that contacts are registered over.
    pub fn streams(&self) -> BTreeSet<FlowId> {
        self.flows.iter().map(|&(flow, _)| flow).collect()
    }

    /// Where the user is reached, newest first. RFC 5626 section 7: "The proxy MUST NOT populate
    /// the target set with more than one contact with the same AOR and instance-id at a time." A
    /// phone with several flows is rung over the newest, and over the next when that one is gone.
    pub fn contacts(&self, user: &str) -> Vec<Contact> {
        let mut phones = BTreeSet::new();
        let mut is_new = |binding: &Binding| {
            // Over UDP there are no flows that could be told to fail.
            binding.contact.hop.flow.is_none()
                || binding.instance.as_ref().is_none_or(|(phone, _)| phones.insert(phone.clone()))
        };
        let bound = self.of(user).map(|(_, binding)| binding);
        bound.filter(|binding| is_new(binding)).map(|binding| binding.contact.clone()).collect()
    }

    /// Whose contact this is, where it came over a connection that is still open.
    pub fn owner(&self, contact: &Contact) -> Option<&str> {
        let flow = contact.hop.flow?;
        let range = (flow, BindingId(0))..=(flow, BindingId(u64::MAX));
        let mut bound = self.flows.range(range).filter_map(|&(_, id)| self.bindings.get(id));
        bound.find(|binding| binding.contact == *contact).map(|binding| binding.user.as_str())
    }

    /// Further flows to the same phone, newest first.
    pub fn other_flows(&self, contact: &Contact) -> Vec<Contact> {
        let Some(user) = self.owner(contact) else { return Vec::new() };
        let bound = || self.of(user).map(|(_, binding)| binding);
        let phone = |binding: &Binding| binding.instance.as_ref().map(|(phone, _)| phone.clone());
        let Some(own) = bound().find(|b| b.contact == *contact).and_then(phone) else {
            return Vec::new();
        };
        let others = bound().filter(|b| b.contact != *contact && phone(b).as_ref() == Some(&own));
        others.map(|binding| binding.contact.clone()).collect()
    }

    /// The way to a user's phone that was at this URI and address before its connection closed,
    /// among those that may be gone. Where that leaves it open which of several phones it was,
    /// none: another would say that it knows no such call.
    pub fn way_back(
        &self,
        user: &str,
        uri: &str,
        ip: IpAddr,
        may: &dyn Fn(&Hop) -> bool,
    ) -> Option<Way> {
        let bound = || self.of(user).map(|(_, binding)| &binding.contact);
        let contacts = || bound().filter(|contact| may(&contact.hop));
        let mut named = contacts().filter(|contact| same(&contact.uri, uri));
        let mut near = contacts().filter(|contact| contact.hop.peer.ip() == ip);
        let only = || self.contacts(user).pop().filter(|_| self.contacts(user).len() == 1);
        let named = named.next().map(|contact| Way { hop: contact.hop, is_sure: true });
        let other = near.next().map(|contact| contact.hop);
        let other = other.or_else(|| only().map(|contact| contact.hop).filter(may));
        named.or_else(|| other.map(|hop| Way { hop, is_sure: false }))
    }

    /// Bindings alive, of all users.
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Newest first.
    fn of(&self, user: &str) -> impl Iterator<Item = (BindingId, &Binding)> {
        let ids = self.users.get(user).map_or(&[][..], Vec::as_slice);
        ids.iter().rev().filter_map(|&id| Some((id, self.bindings.get(id)?)))
    }

    /// The binding that a wish means.
    fn meant(&self, user: &str, wish: &Wish) -> Option<(BindingId, &Binding)> {
        self.of(user).find(|(_, binding)| binding.is_meant_by(wish))
    }

    /// RFC 3261 section 10.3: where the Call-ID agrees, the update is done only if the CSeq is
    /// higher; "if not, the update MUST be aborted and the request fails." No wishes: all bindings.
    fn check_order(&self, register: &Register, wishes: Option<&[Wish]>) -> Result<(), Refusal> {
        let late = |(_, binding): (BindingId, &Binding)| {
            binding.call_id == register.call_id && register.cseq <= binding.cseq
        };
        let refused = match wishes {
            None => self.of(register.user).any(late),
            Some(wishes) => {
                wishes.iter().any(|wish| self.meant(register.user, wish).is_some_and(late))
            }
        };
        if refused { Err(Refusal::new(500, "CSeq Out Of Order")) } else { Ok(()) }
    }

    fn grant(&mut self, cx: &mut Cx, register: &Register, wishes: Vec<Wish>) {
        self.serial += wishes.len() as u64;
        // Of the contacts in one request the first counts as the newest.
        let newest = self.serial;
        for (wish, nth) in wishes.into_iter().zip(0..) {
            self.bind(cx, register, wish, newest - nth);
        }
        self.cut_to_limit(cx, register.user);
    }

    fn bind(&mut self, cx: &mut Cx, register: &Register, wish: Wish, since: u64) {
        let old = self.meant(register.user, &wish).map(|(id, _)| id);
        let old = old.and_then(|id| self.remove(cx, id));
        if !wish.lasts() {
            return;
        }
        let contact = Contact { uri: wish.uri.to_string(), hop: register.hop };
        let unmoved = old.filter(|binding| binding.contact == contact);
        let expires = cx.now.instant + wish.expires;
        let id = self.bindings.insert(Binding {
            user: register.user.to_string(),
            contact,
            params: wish.params,
            instance: wish.instance,
            call_id: register.call_id.to_string(),
            cseq: register.cseq,
            expires,
            since: unmoved.map_or(since, |binding| binding.since),
        });
        cx.timers.set(Timer::BindingExpires(id), expires);
        if let Some(flow) = register.hop.flow {
            self.flows.insert((flow, id));
        }
        let bindings = &self.bindings;
        let ids = self.users.entry(register.user.to_string()).or_default();
        ids.push(id);
        ids.sort_by_key(|&id| bindings.get(id).map(|binding| binding.since));
    }

    fn remove_all(&mut self, cx: &mut Cx, user: &str) {
        for id in self.users.get(user).cloned().unwrap_or_default() {
            self.remove(cx, id);
        }
    }

    fn remove(&mut self, cx: &mut Cx, id: BindingId) -> Option<Binding> {
        let binding = self.bindings.remove(id)?;
        cx.timers.cancel(Timer::BindingExpires(id));
        if let Some(flow) = binding.contact.hop.flow {
            self.flows.remove(&(flow, id));
        }
        if let Some(ids) = self.users.get_mut(&binding.user) {
            ids.retain(|&other| other != id);
            if ids.is_empty() {
                self.users.remove(&binding.user);
            }
        }
        Some(binding)
    }

    /// The oldest gives way: a phone that comes back from every power cut on a new port must not
    /// lock its own user out.
    fn cut_to_limit(&mut self, cx: &mut Cx, user: &str) {
        while let Some(ids) = self.users.get(user)
            && ids.len() > BINDINGS_PER_AOR_MAX
        {
            self.remove(cx, ids[0]);
        }
    }

    /// RFC 3261 section 10.3, step 8: all current bindings, each with its own remaining time.
    fn listed(&self, now: Instant, user: &str) -> Vec<String> {
        let value = |(_, binding): (BindingId, &Binding)| {
            let left = binding.expires.since(now).as_micros().div_ceil(1_000_000);
            format!("<{}>{};expires={left}", binding.contact.uri, binding.params)
        };
        self.of(user).map(value).collect()
    }
}

impl Binding {
    /// RFC 5626 section 6: instance and `reg-id` together name a binding; without them the URI
    /// does.
    fn is_meant_by(&self, wish: &Wish) -> bool {
        match (&self.instance, &wish.instance) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => same(&self.contact.uri, wish.uri),
        }
    }
}

/// What is no URI to us is the same contact when it is written the same.
fn same(a: &str, b: &str) -> bool {
    a == b || Uri::parse(a).zip(Uri::parse(b)).is_some_and(|(a, b)| a.same(&b))
}

#[cfg(test)]
mod tests;
