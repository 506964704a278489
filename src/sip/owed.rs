//! Last words that were lost with a stream, or with the process that had it: a BYE or a CANCEL on
//! its way to a phone. Over UDP its own timer says it again; here nobody would, and the phone would
//! stay in a dead call, or ring for nobody. A registered phone hears it as soon as it has
//! registered anew, anybody else over a new connection.
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Owed {
    user: Box<str>,
    /// Its contact, and where it was, to tell it from other phones of the user.
    target: Box<str>,
    ip: IpAddr,
    last: Last,
    until: Instant,
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
                self.owed.push(Owed { user, target, ip, last, until });
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
        let now = cx.now.instant;
        let is_theirs = |owed: &mut Owed| &*owed.user == user;
        let owed: Vec<Owed> = self.owed.extract_if(.., is_theirs).collect();
        for owed in owed.into_iter().filter(|owed| owed.until > now) {
            match self.registrar.way_back(user, &owed.target, owed.ip) {
                Some(hop) => self.say(cx, hop, LastWords(owed.last), out),
                None => self.owed.push(owed),
            }
        }
    }

    pub(super) fn say(
        &mut self,
        cx: &mut Cx,
        hop: Hop,
        LastWords(last): LastWords,
        out: &mut Vec<Effect>,
    ) {
        match last {
            Last::Bye(bytes) => {
                self.net.again(cx, &bytes, User::Nobody, hop, None, None, out);
            }
            // It has to be as it was, and nothing comes of its answer.
            Last::Cancel(bytes) => out.push(Effect::Send { hop, bytes }),
        }
    }
}

/// What is left to be said to somebody.
pub(super) struct LastWords(Last);
