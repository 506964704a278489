//! The callee's side of the opening INVITE: RFC 3261 section 13.3.

use super::{Leg, Phase, Queued, Ringing, Unacked};
use crate::base::{Timer, TransactionId};
use crate::sip::desk::Desk;
use crate::sip::session::{self, Side};
use crate::sip::{Body, Cause, Ended, Notice, body, compose, tag};
use crate::wire::sip::{Message, Name, Refresher, Writer};
use std::time::Duration;

/// RFC 3261 section 13.3.1.1: "To prevent cancellation, the UAS MUST send a non-100 provisional
/// response at every minute".
const KEEP: Duration = Duration::from_secs(60);

impl Leg {
    pub(super) fn ringing(&mut self) -> Option<&mut Ringing> {
        match &mut self.phase {
            Phase::Ringing(ringing) => Some(ringing),
            Phase::Calling(_) | Phase::Talking | Phase::Leaving | Phase::Gone => None,
        }
    }

    pub fn ring(&mut self, desk: &mut Desk, status: u16, body: Option<Body>) {
        let Some(ringing) = self.ringing() else { return };
        let status = status.clamp(101, 199);
        if ringing.reliable {
            return self.ring_reliably(desk, status, body);
        }
        let transaction = ringing.transaction;
        self.respond_dialog(desk, transaction, status, body.as_ref(), |_| {});
        let at = desk.cx.now.instant + KEEP;
        desk.cx.timers.set(Timer::KeepRinging(desk.id), at);
    }

    pub fn keep_ringing(&mut self, desk: &mut Desk) {
        let Some(ringing) = self.ringing() else { return };
        desk.net.table.send(ringing.transaction, desk.out);
        let at = desk.cx.now.instant + KEEP;
        desk.cx.timers.set(Timer::KeepRinging(desk.id), at);
    }

    pub fn answer(&mut self, desk: &mut Desk, body: Body) {
        let offers = self.asked.is_some();
        let Some(ringing) = self.ringing() else { return };
        // RFC 3262 section 3: "If the UAS does send a 2xx ... and there are unacknowledged reliable
        // provisional responses with a session description, it MUST NOT send the final response
        // until those are acknowledged." Nor while an offer in a PRACK or UPDATE has no answer.
        let unpracked = ringing.unpracked();
        if unpracked.is_some() && ringing.described || offers {
            ringing.queued = Some(Queued::Answer { body });
            return;
        }
        let (transaction, asked) = (ringing.transaction, ringing.session);
        let (offered, described) = (ringing.offered, ringing.described);
        desk.cx.timers.cancel(Timer::KeepRinging(desk.id));
        desk.cx.timers.cancel(Timer::RepeatProvisional(desk.id));
        let cseq = ringing.cseq;
        self.unpracked = unpracked;
        self.describe(&body);
        self.phase = Phase::Talking;
        let body = (!described).then_some(body);
        self.accept(desk, transaction, (cseq, asked), body.as_ref(), (!offered, true));
    }

    /// 2xx to an INVITE or re-INVITE, and the wait for its ACK. `(offer, opening)`: whether our
    /// body is an offer, and whether it is the INVITE that opened the leg.
    pub(super) fn accept(
        &mut self,
        desk: &mut Desk,
        transaction: TransactionId,
        (cseq, asked): (u32, session::Asked),
        body: Option<&Body>,
        (offer, opening): (bool, bool),
    ) {
        self.agree_session(desk, asked);
        let session = self.session;
        let peer = self.peer;
        self.respond_dialog(desk, transaction, 200, body, |writer| {
            if let Some(session) = session {
                session_headers(writer, session, peer.timer);
            }
        });
        // RFC 3261 section 13.3.1.4: "The 2xx response is passed to the transport with an interval
        // that starts at T1 seconds and doubles for each retransmission until it reaches T2".
        let interval = desk.net.settings.t1;
        self.unacked = Some(Unacked { transaction, cseq, interval, offer, opening });
        let now = desk.cx.now.instant;
        desk.cx.timers.set(Timer::Repeat2xx(desk.id), now + interval);
        desk.cx.timers.set(Timer::NoAck(desk.id), now + desk.net.settings.t1 * 64);
    }

    /// RFC 4028 section 9: the UAS decides on interval and refresher.
    pub(super) fn agree_session(&mut self, desk: &mut Desk, asked: session::Asked) {
        self.peer.timer = asked.supported;
        let current = self.session.map(|s| s.refresher);
        if let Ok(session) = session::agree(asked, desk.net.wish(), current) {
            self.session_begins(desk, session);
        }
    }

    /// A response that opens or refreshes the dialog (RFC 3261 section 12.1.1).
    pub(super) fn respond_dialog(
        &self,
        desk: &mut Desk,
        transaction: TransactionId,
        status: u16,
        body: Option<&Body>,
        fill: impl FnOnce(&mut Writer),
    ) {
        let own_tag = tag::tag(desk.id, self.secret);
        let contact = self.dialog.contact(&desk.net.settings);
        desk.respond(
            transaction,
            status,
            &own_tag,
            |writer| {
                writer.header(Name::Contact, contact);
                writer.header(Name::Allow, compose::ALLOW);
                writer.header(Name::Supported, compose::SUPPORTED_LINE);
                fill(writer);
            },
            body,
        );
    }

    pub fn refuse(
        &mut self,
        desk: &mut Desk,
        status: u16,
        cause: Option<Cause>,
        retry_after: Option<u32>,
    ) {
        let Some(ringing) = self.ringing() else { return };
        let transaction = ringing.transaction;
        let own_tag = tag::tag(desk.id, self.secret);
        let warning = compose::warning(&desk.net.settings, &self.dialog.hop, status);
        desk.respond(
            transaction,
            status.clamp(300, 699),
            &own_tag,
            |writer| {
                if let Some(warning) = warning {
                    writer.header(Name::Warning, warning);
                }
                if let Some(cause) = &cause {
                    compose::reason(writer, cause);
                }
                if let Some(seconds) = retry_after {
                    writer.header(Name::RetryAfter, seconds);
                }
            },
            None,
        );
        self.silent = true;
        self.phase = Phase::Gone;
    }

    /// CANCEL came. RFC 3261 section 9.2: "If the UAS has not issued a final response for the
    /// original request ... it SHOULD immediately respond to the original request with a 487".
    pub fn cancelled(&mut self, desk: &mut Desk, cause: Cause) {
        if self.ringing().is_some() {
            self.tell(desk, Notice::Ended { leg: desk.id, why: Ended::Cancelled, cause });
            self.refuse(desk, 487, None, None);
        }
    }

    pub fn repeat_2xx(&mut self, desk: &mut Desk) {
        let most = desk.net.settings.t2;
        let Some(unacked) = &mut self.unacked else { return };
        unacked.interval = (unacked.interval * 2).min(most);
        desk.net.table.send(unacked.transaction, desk.out);
        let at = desk.cx.now.instant + unacked.interval;
        desk.cx.timers.set(Timer::Repeat2xx(desk.id), at);
    }

    /// An ACK came that no transaction absorbed.
    pub fn acked(&mut self, desk: &mut Desk, message: &Message) {
        if self.unacked.as_ref().is_none_or(|u| u.cseq != message.cseq.number) {
            return;
        }
        let Some(unacked) = self.unacked.take() else { return };
        desk.cx.timers.cancel(Timer::Repeat2xx(desk.id));
        desk.cx.timers.cancel(Timer::NoAck(desk.id));
        if self.silent {
            let cause = self.cause.take().map(|c| *c).unwrap_or_default();
            return self.bye(desk, &cause);
        }
        if unacked.opening || unacked.offer {
            let answer = match body::find(message) {
                body::Found::Description(answer) if unacked.offer => Some(answer),
                _ => None,
            };
            self.tell(desk, Notice::Confirmed { leg: desk.id, answer });
        }
        self.try_change(desk);
    }

    /// RFC 3261 section 13.3.1.4: "If the server retransmits the 2xx response for 64*T1 seconds
    /// without receiving an ACK, the dialog is confirmed, but the session SHOULD be terminated.
    /// This is accomplished with a BYE".
    pub fn no_ack(&mut self, desk: &mut Desk) {
        if self.unacked.take().is_none() {
            return;
        }
        desk.cx.timers.cancel(Timer::Repeat2xx(desk.id));
        self.tell(desk, Notice::Ended { leg: desk.id, why: Ended::NoAck, cause: Cause::default() });
        self.silent = true;
        let cause = self.cause.take().map(|c| *c).unwrap_or_default();
        self.bye(desk, &cause);
    }
}

/// Session-Expires of a 2xx: `uac` is the peer, who must then know what it means.
pub(super) fn session_headers(writer: &mut Writer, session: session::Session, able: bool) {
    let refresher = match session.refresher {
        Side::Us => Refresher::Uas,
        Side::Peer => Refresher::Uac,
    };
    let value = format_args!("{};refresher={}", session.interval, refresher.as_str());
    writer.header(Name::SessionExpires, value);
    // RFC 4028 section 9: "If the refresher parameter in the Session-Expires header field in the
    // 2xx response has a value of 'uac', the UAS MUST place a Require header field into the
    // response with the value 'timer'."
    if able && session.refresher == Side::Peer {
        writer.header(Name::Require, "timer");
    }
}

/// What a request of the peer says about the session: its UAC is the peer.
pub fn asked_session(message: &Message) -> session::Asked {
    let expires = message.session_expires();
    session::Asked {
        expires: expires.map(|e| e.seconds),
        refresher: expires.and_then(|e| e.refresher).map(|who| match who {
            Refresher::Uac => Side::Peer,
            Refresher::Uas => Side::Us,
        }),
        min_se: message.min_se(),
        supported: message.supports("timer"),
    }
}
