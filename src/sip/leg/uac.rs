//! The caller's side of the opening INVITE: RFC 3261 section 13.2.

use super::change::{accepted_session, offer_headers};
use super::{Calling, Leg, Phase, Way};
use crate::base::{Timer, TransactionId, limits};
use crate::sip::desk::{Desk, Wanted};
use crate::sip::dialog::Dialog;
use crate::sip::receive::Sent;
use crate::sip::resolve::{Place, Server};
use crate::sip::transaction::table::{Purpose, User};
use crate::sip::{Cause, Notice, compose, digest, route};
use crate::wire::sip::{Message, Method, Name, Uri, percent, quoted};
use std::net::IpAddr;

/// How long a server that is known to be down, or asked whether it is, is waited for, in T1, and a
/// phone of ours: the request goes out four times.
pub const BRIEFLY: u32 = 8;
/// RFC 6228: a branch of the INVITE is over, and says nothing more.
const EARLY_DIALOG_TERMINATED: u16 = 199;

impl Leg {
    pub(super) fn calling(&mut self) -> Option<&mut Calling> {
        match &mut self.phase {
            Phase::Calling(calling) => Some(calling),
            Phase::Ringing(_) | Phase::Talking | Phase::Leaving | Phase::Gone => None,
        }
    }

    /// The INVITE to which nothing has been heard so far.
    pub fn unheard(&self) -> Option<TransactionId> {
        match &self.phase {
            Phase::Calling(calling) if !calling.proceeding => calling.transaction,
            Phase::Calling(_)
            | Phase::Ringing(_)
            | Phase::Talking
            | Phase::Leaving
            | Phase::Gone => None,
        }
    }

    /// It was to be cancelled before it was answered.
    pub fn is_cancelled(&self) -> bool {
        match &self.phase {
            Phase::Calling(calling) => calling.cancelled,
            Phase::Ringing(_) | Phase::Talking | Phase::Leaving | Phase::Gone => false,
        }
    }

    /// Sets out on these ways.
    pub fn set_out(&mut self, desk: &mut Desk, ways: Vec<Way>) {
        if let Some(calling) = self.calling() {
            calling.next = ways;
        }
        self.go(desk, 503);
    }

    /// Sends the INVITE to the next server; without one left the call has failed.
    pub fn go(&mut self, desk: &mut Desk, otherwise: u16) {
        let Some(calling) = self.calling() else { return };
        calling.transaction = None;
        if calling.next.is_empty() || calling.cancelled {
            return self.refused(desk, otherwise, None);
        }
        let way = calling.next.remove(0);
        calling.way = Some(way.clone());
        if let Some(uri) = way.uri {
            self.dialog.target = uri.into();
        }
        (self.dialog.hop, self.dialog.free) = (way.hop, way.free);
        self.send_invite(desk);
    }

    fn send_invite(&mut self, desk: &mut Desk) {
        let seq = self.dialog.next_seq();
        let contact = self.dialog.contact(&desk.net.settings);
        let (expires, min_se) = (self.asked_for(desk), desk.net.wish().min_se.max(self.min_se));
        let trusted = self.trunk.is_some();
        let Phase::Calling(calling) = &self.phase else { return };
        let dial = &calling.dial;
        let body = Some(&dial.offer);
        let wanted = Wanted { method: Method::Invite, seq, purpose: Purpose::Open, body };
        let transaction = desk.request(&self.dialog, wanted, |writer| {
            writer.header(Name::Contact, &contact);
            offer_headers(writer, expires, None, min_se);
            if let Some(asserted) = dial.asserted.as_ref().filter(|_| trusted) {
                let value = compose::address(asserted, &asserted.host);
                writer.header(Name::PAssertedIdentity, value);
            }
            for (name, value) in &dial.headers {
                writer.header_named(name, value);
            }
            for (proxy, value) in &calling.credentials {
                writer.header(credentials_name(*proxy), value);
            }
        });
        let soon = desk.cx.now.instant + desk.net.settings.t1 * BRIEFLY;
        if let Some(calling) = self.calling() {
            // Whatever the INVITE before was answered with: nothing has been heard of this one.
            (calling.transaction, calling.proceeding) = (Some(transaction), false);
            // The last server of a phone of ours is given up for the caller and not for the phone,
            // which may hear of the call yet; any other, for the next (RFC 3263 section 4.3).
            let brief = calling.dial.brief || calling.way.as_ref().is_some_and(|way| way.brief);
            match calling.dial.brief && calling.next.is_empty() {
                true if calling.cancelled => {}
                true => desk.cx.timers.set(Timer::Unheard(desk.id), soon),
                false if brief => desk.cx.timers.set(Timer::GiveUp(transaction), soon),
                false => {}
            }
        }
    }

    /// 1xx.
    pub fn progressed(&mut self, desk: &mut Desk, message: &Message, id: TransactionId) {
        let Some(status) = message.status() else { return };
        let Some(calling) = self.calling().filter(|c| c.transaction == Some(id)) else { return };
        calling.proceeding = true;
        desk.cx.timers.cancel(Timer::Unheard(desk.id));
        let Some(calling) = self.calling() else { return };
        if calling.cancelled {
            let cause = self.cause.take().map(|c| *c).unwrap_or_default();
            self.send_cancel(desk, id, &cause);
        }
        if status == 100 {
            return;
        }
        let now = desk.cx.now.instant;
        if let (Some(calling), Some(tag)) = (self.calling(), message.to.tag()) {
            match status {
                EARLY_DIALOG_TERMINATED => calling.rings_no_more(tag),
                _ => calling.rings(tag, now),
            }
        }
        self.note_abilities(message);
        if !self.prack(desk, message) || status == EARLY_DIALOG_TERMINATED {
            return;
        }
        let body = Self::answer_in(message);
        self.tell(desk, Notice::Progress { leg: desk.id, status, body });
    }

    /// The first 2xx.
    pub fn answered(&mut self, desk: &mut Desk, message: &Message, transaction: TransactionId) {
        let Some(calling) = self.calling().filter(|c| c.transaction == Some(transaction)) else {
            return;
        };
        let offer = calling.dial.offer.clone();
        let tag = message.to.tag().unwrap_or_default();
        let has_left = calling.left.iter().any(|left| **left == *tag);
        let early = calling.fork(tag).and_then(|fork| fork.answer.take());
        if *self.dialog.remote_tag != *tag {
            self.leave_early_dialog();
        }
        self.dialog.answered_by(message);
        route::aim(desk, &mut self.dialog, self.fixed);
        self.dialog.free = !self.fixed && route::is_free(&self.dialog);
        self.note_abilities(message);
        let asked_for = self.asked_for(desk);
        self.acknowledge(desk, message, transaction);
        self.phase = Phase::Talking;
        desk.cx.timers.cancel(Timer::Unheard(desk.id));
        if has_left {
            // It comes after its own BYE; and who forked the INVITE has cancelled all others by now
            // (RFC 3261 section 16.7).
            self.tell(desk, Notice::LeftEarly { leg: desk.id, cause: Cause::default() });
            self.silent = true;
        }
        if self.silent {
            // The answer crossed our CANCEL, and nobody wants it: RFC 3261 section 9.1, section 15.
            let cause = self.cause.take().map(|c| *c).unwrap_or_default();
            desk.notice(Notice::Stopped { leg: desk.id });
            return self.bye(desk, &cause);
        }
        if self.description.is_none() {
            // Unless something else was agreed to since, by an UPDATE before the answer.
            self.describe(&offer);
        }
        self.session_begins(desk, accepted_session(message, asked_for));
        // RFC 3261 section 13.2.1: "If the initial offer is in an INVITE, the answer MUST be in a
        // reliable non-failure message", which with RFC 3262 may have been a provisional one.
        let body = Self::answer_in(message).or(early);
        self.tell(desk, Notice::Answered { leg: desk.id, body });
    }

    /// ACK of a 2xx, kept by the transaction for repeats of it. RFC 3261 section 13.2.2.4: "The
    /// sequence number of the CSeq header field MUST be the same as the INVITE being acknowledged,
    /// but the CSeq method MUST be ACK."
    pub(super) fn acknowledge(
        &mut self,
        desk: &mut Desk,
        message: &Message,
        transaction: TransactionId,
    ) {
        let invite = desk.net.table.get(transaction).map(|kept| kept.bytes.clone());
        let invite = invite.as_deref().and_then(|bytes| Message::parse(bytes).ok());
        let (hop, bytes) = desk.ack(&self.dialog, message.cseq.number, |writer| {
            // "If the UAC had credentials in the INVITE, the ACK MUST contain the same."
            if let Some(invite) = &invite {
                writer.copy(&invite.fields, Name::Authorization);
                writer.copy(&invite.fields, Name::ProxyAuthorization);
            }
        });
        desk.net.table.replace(transaction, hop, bytes);
        desk.net.table.send(transaction, desk.out);
    }

    /// A final failure of the INVITE, or of sending it.
    pub fn failed(
        &mut self,
        desk: &mut Desk,
        transaction: TransactionId,
        status: u16,
        message: Option<&Message>,
    ) {
        let Some(calling) = self.calling().filter(|c| c.transaction == Some(transaction)) else {
            return;
        };
        calling.transaction = None;
        if calling.cancelled {
            return self.refused(desk, status, message);
        }
        // Section 13.2.2.3: "All early dialogs are considered terminated upon reception of the
        // non-2xx final response."
        calling.forks.clear();
        calling.rings.clear();
        calling.left.clear();
        self.leave_early_dialog();
        self.settle_asked(desk);
        let Some(calling) = self.calling() else { return };
        match (status, message) {
            (401 | 407, Some(message)) => self.challenged(desk, status, message),
            (422, Some(message)) => self.too_small(desk, message),
            (300..=399, Some(message)) => self.redirected(desk, status, message),
            // RFC 3263 section 4.3: "if the response was a 503 ... or a transport layer failure, or
            // no response at all, the next server is tried".
            // 430 is "Flow Failed" (RFC 5626 section 11.4).
            (430 | 503 | 408, _) if message.is_none() || status != 408 => {
                let next = calling.next.is_empty();
                match next {
                    true => self.refused(desk, status, message),
                    false => self.go(desk, status),
                }
            }
            _ => self.refused(desk, status, message),
        }
    }

    /// The dialog is again what it was before any response; sequence numbers go on.
    fn leave_early_dialog(&mut self) {
        if let Some(plain) = self.calling().and_then(|calling| calling.plain.take()) {
            self.description = None;
            self.dialog = Dialog { local_seq: self.dialog.local_seq, ..*plain };
        }
    }

    pub(super) fn refused(&mut self, desk: &mut Desk, status: u16, message: Option<&Message>) {
        let cause = message.map(compose::cause_of).unwrap_or_default();
        let retry_after = message.and_then(Message::retry_after);
        desk.notice(match self.silent {
            true => Notice::Stopped { leg: desk.id },
            false => Notice::Refused { leg: desk.id, status, cause, retry_after },
        });
        self.silent = true;
        self.phase = Phase::Gone;
    }

    fn challenged(&mut self, desk: &mut Desk, status: u16, message: &Message) {
        let proxy = status == 407;
        let login = self.trunk.and_then(|trunk| desk.net.login(trunk)).cloned();
        let session = digest_session(message, proxy, desk);
        let target = self.dialog.target.clone();
        let Some(calling) = self.calling() else { return };
        let answered = calling.credentials.iter().any(|(p, _)| *p == proxy);
        match (login, session) {
            (Some(login), Some(mut session))
                if calling.challenges < limits::CHALLENGES_MAX
                    && (!answered || session.stale()) =>
            {
                calling.challenges += 1;
                let value = session.answer(&login, "INVITE", &target);
                calling.credentials.retain(|(p, _)| *p != proxy);
                calling.credentials.push((proxy, value));
                self.send_invite(desk);
            }
            _ => self.refused(desk, status, Some(message)),
        }
    }

    /// RFC 4028 section 7.3: "the UAC MAY retry with a Session-Expires at least the Min-SE".
    fn too_small(&mut self, desk: &mut Desk, message: &Message) {
        let least = message.min_se().unwrap_or(0).min(86_400);
        if least <= self.min_se {
            return self.refused(desk, 422, Some(message));
        }
        self.min_se = least;
        self.send_invite(desk);
    }

    /// 3xx is followed only to where the call was meant to go, the same host or another one of the
    /// same trunk: a stranger's Contact must not make us call anybody at the trunk's expense. And
    /// an agent who has forwarded their phone is not at it: the queue has somebody who is.
    fn redirected(&mut self, desk: &mut Desk, status: u16, message: &Message) {
        let meant: Option<String> = Uri::parse(&self.dialog.target).map(|u| u.host.to_string());
        let trunk = self.trunk.and_then(|trunk| desk.net.trunk(trunk));
        let hosts = trunk.map_or(&[][..], |trunk| &trunk.hosts);
        let way = self.calling().and_then(|calling| calling.way.clone());
        let family = way.as_ref().map(|way| way.hop.peer.is_ipv4());
        let own = |host: IpAddr| {
            let mut known = hosts.iter().filter_map(|h| Place::parse(h)?.numeric());
            Some(host.is_ipv4()) == family && known.any(|known| known == host)
        };
        let contact = message.contacts().filter_map(|c| c.address()).find(|contact| {
            let host = contact.uri.host.to_string();
            contact.uri.is_clear()
                && contact.uri.raw != &*self.dialog.target
                && (meant.as_ref().is_some_and(|meant| meant.eq_ignore_ascii_case(&host))
                    || contact.uri.host.ip().is_some_and(own))
        });
        let uri = contact.map(|c| c.uri);
        let Some(calling) = self.calling() else { return };
        match (uri, way) {
            (Some(uri), Some(mut way)) if calling.redirects < limits::REDIRECTS_MAX => {
                calling.redirects += 1;
                // RFC 3261 section 19.1.5: header components and the method parameter of a contact
                // are not for us.
                way.uri = Some(uri.raw.split('?').next().unwrap_or_default().into());
                if let Some(ip) = uri.host.ip().filter(|ip| own(*ip)) {
                    way.hop.peer.set_ip(ip);
                }
                if let (Some(port), false) = (uri.port, self.fixed) {
                    way.hop.peer.set_port(port);
                }
                self.calling().into_iter().for_each(|c| c.next.insert(0, way.clone()));
                self.go(desk, status);
            }
            _ => self.refused(desk, status, Some(message)),
        }
    }
}

pub fn credentials_name(proxy: bool) -> Name {
    if proxy { Name::ProxyAuthorization } else { Name::Authorization }
}

/// A session with the strongest challenge in a 401 or 407 that we can answer.
pub fn digest_session(message: &Message, proxy: bool, desk: &mut Desk) -> Option<digest::Session> {
    let name = if proxy { Name::ProxyAuthenticate } else { Name::WwwAuthenticate };
    let values: Vec<_> = message.headers(name).map(crate::wire::sip::text).collect();
    digest::Session::new(values.iter().map(|v| &**v), desk.cx.rng)
}

impl Leg {
    /// RFC 3261 section 22.2 for requests inside the dialog: once more, with credentials. `None`:
    /// we have none that were not refused already.
    pub fn repeat_with_credentials(
        &mut self,
        desk: &mut Desk,
        sent: &Sent,
        user: User,
        message: &Message,
    ) -> Option<TransactionId> {
        let proxy = message.status() == Some(407);
        let login = self.trunk.and_then(|trunk| desk.net.login(trunk)).cloned()?;
        let mut session = digest_session(message, proxy, desk)?;
        let request = Message::parse(&sent.request).ok()?;
        let name = credentials_name(proxy);
        if request.header(name).is_some() && !session.stale() {
            return None;
        }
        let method = request.method();
        let value = session.answer(&login, method.as_str(), request.request_uri()?.raw);
        let seq = self.dialog.next_seq();
        desk.again(&sent.request, user, sent.hop, seq, Some((name, &value)))
    }

    /// A request of this leg goes on in another transaction.
    pub fn moved(&mut self, old: TransactionId, new: TransactionId) {
        if let Some(calling) = self.calling().filter(|c| c.transaction == Some(old)) {
            (calling.transaction, calling.proceeding) = (Some(new), false);
        }
        if let Some(change) = self.change.as_mut().filter(|c| c.transaction == Some(old)) {
            change.transaction = Some(new);
        }
    }

    /// The servers of the host that is called, found or not (RFC 3263).
    pub fn located(&mut self, desk: &mut Desk, servers: &[Server], brief: bool) {
        let Some(calling) = self.calling().filter(|c| c.transaction.is_none()) else { return };
        let free = calling.free;
        let ways = servers.iter().filter_map(|server| {
            let hop = desk.net.way(server.transport, server.addr)?;
            Some(Way { hop, free, brief, uri: None })
        });
        calling.next = ways.collect();
        self.go(desk, 503);
    }
}

/// From of our INVITE.
pub fn from_text(dial: &crate::sip::Dial, identity: Option<&str>, host: &str, tag: &str) -> String {
    let user = identity.unwrap_or(&dial.from.user);
    let host = if dial.from.host.is_empty() { host } else { &dial.from.host };
    let display = match dial.from.display.is_empty() {
        true => String::new(),
        false => format!("{} ", quoted(&dial.from.display)),
    };
    match user.is_empty() {
        true => format!("{display}<sip:{host}>;tag={tag}"),
        false => format!("{display}<sip:{}@{host}>;tag={tag}", percent(user)),
    }
}
