//! Phones of ours that did not answer a call: asked with OPTIONS until one of their contacts does
//! (RFC 3261 section 11), so that nobody is offered to a dead phone and nobody has to repair it.
//!
//! In: a phone that said nothing. Out: requests, and [`Notice::PhoneBack`]. May import: wire, base.

use super::agent::UserAgent;
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
    /// It did not answer this question either.
    proven: bool,
}

impl UserAgent {
    /// From now on the user's phone is asked whether it is there; [`Notice::PhoneBack`] tells when
    /// it is. False: it is at no numeric address, and cannot be asked.
    pub fn ask_after(
        &mut self,
        cx: &mut Cx,
        user: &str,
        targets: &[Target],
        out: &mut Vec<Effect>,
    ) -> bool {
        let contacts: Vec<_> = targets.iter().filter_map(|target| self.asked_at(target)).collect();
        if contacts.is_empty() {
            return false;
        }
        let silent = Silent { user: user.into(), contacts, proven: false };
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
        for (hop, uri) in silent.contacts.clone() {
            let own = format!("<sip:{}>", compose::advertised(&self.net.settings, &hop));
            let call_id = format!("{:x}{:x}", cx.rng.bits(), cx.rng.bits());
            let what = (Method::Options, uri.as_str(), own.as_str(), call_id.as_str(), 1);
            let asked = self.send_outside(cx, what, hop, User::Phone(id), None, out);
            let at = cx.now.instant + self.net.settings.t1 * BRIEFLY;
            cx.timers.set(Timer::GiveUp(asked), at);
        }
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
            self.silent.get_mut(id).into_iter().for_each(|silent| silent.proven = true);
        } else if let Some(Silent { user, proven, .. }) = self.silent.remove(id) {
            cx.timers.cancel(Timer::PhoneAsk(id));
            out.push(Effect::Notice(Notice::PhoneBack { user: user.into(), proven }));
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
