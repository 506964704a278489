//! Last words that were lost with a stream, or with the process that had it: a BYE or a CANCEL on
//! its way to a phone. Over UDP its own timer says it again; here nobody would, and the phone would
//! stay in a dead call, or ring for nobody. A registered phone hears it as soon as it has
//! registered anew, anybody else over a new connection. It is owed until a phone has answered that
//! knows the call: another one of the user's may be all that there is for a while.
//!
//! In: requests that are lost, registrations. Out: the requests. May import: wire and base.

use super::agent::UserAgent;
use super::leg::Leg;
use super::resolve::Server;
use super::transaction::table::{Machine, Purpose, User};
use super::{Cause, Effect, Hop, derive};
use crate::base::{Cx, Instant, TransactionId, limits};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// How long a phone may take to come back: longer than most let pass between two registrations.
const OWED_FOR: Duration = Duration::from_secs(3_600);
/// How often it is said to whom gives no answer: they may be dying of it.
const TRIES: u8 = 3;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Owed {
    user: Box<str>,
    /// Its contact, and where it was, to tell it from other phones of the user.
    target: Box<str>,
    ip: IpAddr,
    last: Last,
    until: Instant,
    /// It is being said; and whether to the one that it is meant for, for sure.
    said: Option<TransactionId>,
    is_sure: bool,
    /// How often nobody has answered.
    unheard: u8,
    /// Who was asked and is another phone, the latest last: they know of no such call.
    strangers: Vec<Hop>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Last {
    Bye(Bytes),
    Cancel(Bytes),
}

impl UserAgent {
    /// What these transactions were to say to registered phones, before they are forgotten; to
    /// whom.
    pub(super) fn owe(&mut self, cx: &Cx, lost: &[TransactionId]) -> Vec<Box<str>> {
        let mut users = Vec::new();
        let until = cx.now.instant + OWED_FOR;
        self.owed.retain(|owed| owed.until > cx.now.instant);
        for &id in lost {
            let Some((last, leg)) = self.last_words(id) else { continue };
            let Some(user) = leg.user.clone() else { continue };
            let (target, ip) = (leg.dialog.target.clone(), leg.dialog.hop.peer.ip());
            if self.owed.len() < limits::OWED_MAX {
                users.push(user.clone());
                let (said, is_sure, unheard, strangers) = (None, false, 0, Vec::new());
                let owed =
                    Owed { user, target, ip, last, until, said, is_sure, unheard, strangers };
                self.owed.push(owed);
            }
        }
        users
    }

    /// The same of what could not be brought to them: a phone that was not heard of an INVITE has
    /// nothing to stop. One that has registered meanwhile hears it at once.
    pub(super) fn not_brought(&mut self, cx: &Cx, lost: &[TransactionId]) -> Vec<Box<str>> {
        let is_bye = |id: &TransactionId| {
            let user = self.net.table.get(*id).map(|lost| lost.user);
            matches!(user, Some(User::Leg(_, Purpose::Bye)))
        };
        let byes: Vec<TransactionId> = lost.iter().copied().filter(is_bye).collect();
        self.owe(cx, &byes)
    }

    /// The same for whoever does not register, and where to say it: a carrier that has connected to
    /// us is called where it listens.
    pub(super) fn last_words_to_others(&self, lost: &[TransactionId]) -> Vec<(Hop, LastWords)> {
        let words = lost.iter().filter_map(|&id| {
            let (last, leg) = self.last_words(id).filter(|(_, leg)| leg.user.is_none())?;
            let hop = self.net.table.get(id)?.hop;
            let servers = leg.trunk.map_or_else(Vec::new, |trunk| self.trunks.servers(trunk));
            let same = |server: &&Server| {
                server.transport == hop.transport && server.addr.ip() == hop.peer.ip()
            };
            let peer = servers.iter().find(same).map_or(hop.peer, |server| server.addr);
            Some((Hop { peer, flow: None, ..hop }, LastWords(last)))
        });
        words.collect()
    }

    /// The request that ends what the lost one began. RFC 3261 section 9.1: a CANCEL matches its
    /// INVITE by the branch, whatever it comes over.
    fn last_words(&self, id: TransactionId) -> Option<(Last, &Leg)> {
        let lost = self.net.table.get(id)?;
        let User::Leg(leg, purpose) = lost.user else { return None };
        let last = match (purpose, lost.machine) {
            (Purpose::Bye, _) => Last::Bye(lost.bytes.clone()),
            (Purpose::Open, Machine::ClientInvite(_)) => {
                Last::Cancel(derive::cancel(&lost.bytes, &Cause::default())?)
            }
            (Purpose::Open, _) => return None,
            (Purpose::Change | Purpose::Prack | Purpose::Cancel, _) => return None,
            (Purpose::Notify | Purpose::Probe, _) => return None,
        };
        Some((last, self.legs.get(leg)?))
    }

    /// A phone of the user has registered.
    pub(super) fn pay(&mut self, cx: &mut Cx, user: &str, out: &mut Vec<Effect>) {
        self.pay_but(cx, user, None, out);
    }

    /// The same, but nothing to whom nothing can be brought just now.
    pub(super) fn pay_but(
        &mut self,
        cx: &mut Cx,
        user: &str,
        away: Option<Hop>,
        out: &mut Vec<Effect>,
    ) {
        let now = cx.now.instant;
        self.owed.retain(|owed| owed.until > now);
        for nth in 0..self.owed.len() {
            let owed = &self.owed[nth];
            if *owed.user != *user || owed.said.is_some() {
                continue;
            }
            let may = |hop: &Hop| away != Some(*hop) && !owed.strangers.contains(hop);
            let Some(way) = self.registrar.way_back(user, &owed.target, owed.ip, &may) else {
                continue;
            };
            let last = LastWords(owed.last.clone());
            let said = self.say(cx, way.hop, (last, User::Owed), out);
            let owed = &mut self.owed[nth];
            (owed.said, owed.is_sure) = (said, way.is_sure);
            if said.is_none() {
                // Nothing will be heard of it: a phone that is sure to be the one has it by now.
                owed.is_none_of(way.hop);
                owed.until = if way.is_sure { now } else { owed.until };
            }
        }
        self.owed.retain(|owed| owed.until > now);
    }

    /// What was owed has been answered, or not: `None`.
    pub(super) fn owed_answered(&mut self, id: TransactionId, answer: Option<(u16, Hop)>) {
        let Some(at) = self.owed.iter().position(|owed| owed.said == Some(id)) else { return };
        let owed = &mut self.owed[at];
        // RFC 3261 section 15.1.2: 481 is of a dialog that it does not know. It may be another
        // phone; and where that is open, it may say so with any other refusal.
        let knows = |status: u16| status < 300 || status != 481 && owed.is_sure;
        match answer {
            Some((..200, _)) => {}
            Some((status, hop)) if !knows(status) => {
                owed.said = None;
                owed.is_none_of(hop);
            }
            None if owed.unheard + 1 < TRIES => {
                (owed.said, owed.unheard) = (None, owed.unheard + 1);
            }
            Some(_) | None => drop(self.owed.swap_remove(at)),
        }
    }

    /// It is said by another transaction.
    pub(super) fn owed_moved(&mut self, old: TransactionId, new: TransactionId) {
        if let Some(owed) = self.owed.iter_mut().find(|owed| owed.said == Some(old)) {
            owed.said = Some(new);
        }
    }

    /// To the transaction of what is answered.
    pub(super) fn say(
        &mut self,
        cx: &mut Cx,
        hop: Hop,
        (LastWords(last), user): (LastWords, User),
        out: &mut Vec<Effect>,
    ) -> Option<TransactionId> {
        match last {
            Last::Bye(bytes) => self.net.again(cx, &bytes, user, hop, None, None, out),
            // It has to be as it was, and nothing comes of its answer.
            Last::Cancel(bytes) => {
                out.push(Effect::Send { hop, bytes });
                None
            }
        }
    }
}

impl Owed {
    /// As many as the user may have phones: all that there are at a time.
    fn is_none_of(&mut self, hop: Hop) {
        if self.strangers.len() >= limits::BINDINGS_PER_AOR_MAX {
            self.strangers.remove(0);
        }
        self.strangers.push(hop);
    }
}

/// What is left to be said to somebody.
pub(super) struct LastWords(Last);
