//! Phones of ours that did not answer a call: asked with OPTIONS until one of their contacts does
//! (RFC 3261 section 11), so that nobody is offered to a dead phone and nobody has to repair it.
//!
//! In: a phone that said nothing. Out: requests, and [`Notice::PhoneBack`]. May import: wire, base.

use super::agent::{Seeker, UserAgent};
use super::leg::uac::BRIEFLY;
use super::resolve::{Place, Server};
use super::transaction::table::User;
use super::{Effect, Hop, Notice, Target, compose};
use crate::base::{Cx, PhoneId, Timer, limits};
use crate::wire::sip::{Method, Uri};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silent {
    user: Box<str>,
    /// Where its contacts are, and how they are asked for.
    contacts: Vec<(Hop, String)>,
    /// Its contacts at host names, which are looked up for each question (RFC 3263).
    named: Vec<String>,
    /// It did not answer this question either.
    proven: bool,
    /// It has missed nothing: it is asked beforehand.
    precaution: bool,
}

impl UserAgent {
    /// From now on the user's phone is asked whether it is there; [`Notice::PhoneBack`] tells when
    /// it is. False: there is nowhere to ask.
    pub fn ask_after(
        &mut self,
        cx: &mut Cx,
        user: &str,
        targets: &[Target],
        out: &mut Vec<Effect>,
    ) -> bool {
        self.ask_at(cx, user, (targets, false), out)
    }

    /// The same of one that has missed nothing so far, and has nobody to tell so: there is a notice
    /// only if it does not answer, [`Notice::PhoneGone`].
    pub fn ask_whether_there(
        &mut self,
        cx: &mut Cx,
        user: &str,
        targets: &[Target],
        out: &mut Vec<Effect>,
    ) {
        if self.asked_for(user).is_none() {
            self.ask_at(cx, user, (targets, true), out);
        }
    }

    fn ask_at(
        &mut self,
        cx: &mut Cx,
        user: &str,
        (targets, precaution): (&[Target], bool),
        out: &mut Vec<Effect>,
    ) -> bool {
        let contacts: Vec<_> = targets.iter().filter_map(|target| self.asked_at(target)).collect();
        let named = targets.iter().filter_map(|target| match target {
            Target::Uri(text) => Some(text.clone()).filter(|text| is_named(text)),
            Target::Contact(_) | Target::Trunk { .. } => None,
        });
        let named: Vec<String> = named.collect();
        if contacts.is_empty() && named.is_empty() {
            return false;
        }
        let silent = Silent { user: user.into(), contacts, named, proven: false, precaution };
        let id = match self.asked_for(user).and_then(|id| Some((id, self.silent.get_mut(id)?))) {
            // It may be elsewhere by now.
            Some((id, known)) => {
                *known = silent;
                id
            }
            None => self.silent.insert(silent),
        };
        self.ask_phone(cx, id, out);
        true
    }

    fn asked_for(&self, user: &str) -> Option<PhoneId> {
        self.silent.iter().find(|(_, silent)| &*silent.user == user).map(|(id, _)| id)
    }

    /// The user's phone has said something by itself.
    pub(super) fn phone_heard(&mut self, cx: &mut Cx, user: &str, out: &mut Vec<Effect>) {
        if let Some(id) = self.asked_for(user) {
            self.phone_answered(cx, id, true, out);
        }
    }

    fn asked_at(&self, target: &Target) -> Option<(Hop, String)> {
        match target {
            Target::Contact(contact) => Some((contact.hop, contact.uri.clone())),
            Target::Trunk { .. } => None,
            Target::Uri(text) => {
                let Server { transport, addr } = Place::of(&Uri::parse(text)?)?.server()?;
                Some((self.net.way(transport, addr)?, text.clone()))
            }
        }
    }

    /// `Timer::PhoneAsk`.
    pub(super) fn ask_phone(&mut self, cx: &mut Cx, id: PhoneId, out: &mut Vec<Effect>) {
        let Some(silent) = self.silent.get(id) else { return };
        cx.timers.set(Timer::PhoneAsk(id), cx.now.instant + limits::PHONE_ASK);
        let (contacts, named) = (silent.contacts.clone(), silent.named.clone());
        for (hop, uri) in contacts {
            self.ask_phone_at(cx, id, (hop, &uri), out);
        }
        for (nth, uri) in (0..).zip(named) {
            let Some(place) = Uri::parse(&uri).and_then(|uri| Place::of(&uri)) else { continue };
            if let Some(servers) = self.resolver.find(cx, &place, Seeker::Phone(id, nth), out) {
                self.phone_found(cx, (id, nth), &servers, out);
            }
        }
    }

    /// Where the host of a phone's contact is. Nowhere: there is nothing to ask until next time.
    pub(super) fn phone_found(
        &mut self,
        cx: &mut Cx,
        (id, nth): (PhoneId, u32),
        servers: &[Server],
        out: &mut Vec<Effect>,
    ) {
        let silent = self.silent.get(id);
        let uri = silent.and_then(|silent| silent.named.get(nth as usize)).cloned();
        let hop = servers.iter().find_map(|server| self.net.way(server.transport, server.addr));
        if let Some((hop, uri)) = hop.zip(uri) {
            self.ask_phone_at(cx, id, (hop, &uri), out);
        }
    }

    fn ask_phone_at(
        &mut self,
        cx: &mut Cx,
        id: PhoneId,
        (hop, uri): (Hop, &str),
        out: &mut Vec<Effect>,
    ) {
        let own = format!("<sip:{}>", compose::advertised(&self.net.settings, &hop));
        let call_id = format!("{:x}{:x}", cx.rng.bits(), cx.rng.bits());
        let what = (Method::Options, uri, own.as_str(), call_id.as_str(), 1);
        let asked = self.send_outside(cx, what, hop, User::Phone(id), None, out);
        let at = cx.now.instant + self.net.settings.t1 * BRIEFLY;
        cx.timers.set(Timer::GiveUp(asked), at);
    }

    /// Any answer is a sign of life.
    pub(super) fn phone_answered(
        &mut self,
        cx: &mut Cx,
        id: PhoneId,
        alive: bool,
        out: &mut Vec<Effect>,
    ) {
        if !alive {
            let Some(silent) = self.silent.get_mut(id) else { return };
            silent.proven = true;
            if std::mem::take(&mut silent.precaution) {
                let user = silent.user.to_string();
                out.push(Effect::Notice(Notice::PhoneGone { user }));
            }
        } else if let Some(Silent { user, proven, precaution, .. }) = self.silent.remove(id) {
            cx.timers.cancel(Timer::PhoneAsk(id));
            if !precaution {
                out.push(Effect::Notice(Notice::PhoneBack { user: user.into(), proven }));
            }
        }
    }

    /// Phones may be elsewhere in new settings: the next call to each finds out anew.
    pub(super) fn believe_phones(&mut self, cx: &mut Cx) {
        let ids: Vec<PhoneId> = self.silent.keys().collect();
        for id in ids {
            self.silent.remove(id);
            cx.timers.cancel(Timer::PhoneAsk(id));
        }
    }
}

fn is_named(text: &str) -> bool {
    let place = Uri::parse(text).and_then(|uri| Place::of(&uri));
    place.is_some_and(|place| place.server().is_none())
}
