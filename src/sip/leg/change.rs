//! Our offers and refreshes inside the dialog: re-INVITE (RFC 3261 section 14.1), UPDATE
//! (RFC 3311), and when they collide with the peer's.

use super::{Change, Leg, Phase, Refresh};
use crate::base::{Timer, TransactionId, limits};
use crate::sip::desk::{Desk, Wanted};
use crate::sip::session::{self, Side};
use crate::sip::transaction::table::Purpose;
use crate::sip::{Body, Ended, Notice, compose};
use crate::wire::sip::{Message, Method, Name, Refresher, Writer};
use std::time::Duration;

/// After a 503 that does not say when to come again.
const OUT_OF_SERVICE: Duration = Duration::from_secs(4);

impl Leg {
    pub fn offer(&mut self, desk: &mut Desk, body: Body) {
        match &mut self.change {
            // One offer at a time; the newest waits (RFC 3264 section 4).
            Some(change) if change.transaction.is_some() => change.next = Some(body),
            _ => self.change = Some(Box::new(Change::of(body))),
        }
        self.try_change(desk);
    }

    /// `Timer::Refresh`
    pub fn refresh(&mut self, desk: &mut Desk) {
        if self.change.is_none() {
            let method = match self.peer.update {
                // RFC 4028 section 7.4: "if the Allow header field ... includes UPDATE, the UA
                // SHOULD use an UPDATE request".
                true => Refresh::Update,
                false => Refresh::Invite,
            };
            self.change = Some(Box::new(Change { method, ..Change::refresh() }));
        }
        self.try_change(desk);
    }

    /// Sends what waits, if nothing stands in its way.
    pub(super) fn try_change(&mut self, desk: &mut Desk) {
        let free = matches!(self.phase, Phase::Talking)
            && !self.silent
            && self.unacked.is_none()
            && self.asked.is_none();
        let Some(change) = self.change.as_deref().filter(|_| free) else { return };
        if change.transaction.is_some() || change.waiting {
            return;
        }
        let body = change.offer(self.description.as_ref());
        let method = match change.method {
            Refresh::Invite => Method::Invite,
            Refresh::Update => Method::Update,
        };
        let contact = self.dialog.contact(&desk.net.settings);
        let (session, min_se) = (self.asked_for(desk), self.min_se);
        let refresher = self.session.map(|s| s.refresher);
        let seq = self.dialog.next_seq();
        let wanted = Wanted { method, seq, purpose: Purpose::Change, body };
        let transaction = desk.request(&self.dialog, wanted, |writer| {
            writer.header(Name::Contact, &contact);
            offer_headers(writer, session, refresher, min_se);
        });
        if let Some(change) = &mut self.change {
            change.transaction = Some(transaction);
            change.seq = seq;
        }
    }

    /// The interval that our next request asks for.
    pub(super) fn asked_for(&self, desk: &Desk) -> u32 {
        let wish = desk.net.wish();
        self.session.map_or(wish.expires, |s| s.interval).max(self.min_se).max(wish.min_se)
    }

    /// A 2xx to our re-INVITE or UPDATE.
    pub fn changed(&mut self, desk: &mut Desk, message: &Message, transaction: TransactionId) {
        let invite = message.method() == Method::Invite;
        self.refresh_target(desk, message);
        if invite {
            self.acknowledge(desk, message, transaction);
        }
        let asked_for = self.asked_for(desk);
        let Some(change) = self.change.take_if(|c| c.transaction == Some(transaction)) else {
            return;
        };
        self.note_abilities(message);
        self.session_begins(desk, accepted_session(message, asked_for));
        let (leg, more) = (desk.id, change.next.is_some());
        let offered = change.offer(self.description.as_ref()).is_some();
        match Self::answer_in(message) {
            // Even where nothing of ours is new: the peer may move its media in any answer.
            Some(answer) if offered => {
                self.tell(desk, Notice::OfferAnswered { leg, answer, more });
            }
            None if change.body.is_some() => {
                self.tell(desk, Notice::OfferRefused { leg, status: 488, more });
            }
            Some(_) | None => {}
        }
        if let Some(offered) = &change.body {
            self.describe(offered);
        }
        self.next_change(desk, change.next);
    }

    fn next_change(&mut self, desk: &mut Desk, next: Option<Body>) {
        self.change = next.map(|body| Box::new(Change::of(body)));
        self.try_change(desk);
    }

    /// A failure of our re-INVITE or UPDATE, or `None` when nothing came.
    pub fn change_failed(
        &mut self,
        desk: &mut Desk,
        transaction: TransactionId,
        status: u16,
        message: Option<&Message>,
    ) {
        let Some(change) = &mut self.change else { return };
        if change.transaction != Some(transaction) {
            return;
        }
        change.transaction = None;
        match status {
            // RFC 3261 section 12.2.1.2: "If the response for a request within a dialog is a 481
            // or a 408, the UAC SHOULD terminate the dialog"; and where nothing comes at all.
            408 | 481 => self.lost(desk, Ended::Lost),
            491 | 500 | 503 if change.tries < limits::OFFER_TRIES_MAX => {
                let hint = message.and_then(Message::retry_after);
                let pause = match (status, hint) {
                    (491, _) => glare_pause(self.dialog.caller, desk),
                    (_, Some(seconds)) => Duration::from_secs(u64::from(seconds.min(10))),
                    // Also a transport that failed (section 8.1.3.1): who talks goes on talking,
                    // and media will tell if the peer has gone.
                    (503, None) => OUT_OF_SERVICE,
                    (_, None) => return self.change_refused(desk, status),
                };
                self.change_later(desk, pause);
            }
            422 if change.tries < limits::OFFER_TRIES_MAX => {
                change.tries += 1;
                let least = message.and_then(Message::min_se).unwrap_or(0);
                self.min_se = self.min_se.max(least.min(86_400));
                self.try_change(desk);
            }
            405 | 501 if change.method == Refresh::Update => {
                self.peer.update = false;
                change.method = Refresh::Invite;
                self.try_change(desk);
            }
            _ => self.change_refused(desk, status),
        }
    }

    fn change_later(&mut self, desk: &mut Desk, pause: Duration) {
        let Some(change) = &mut self.change else { return };
        change.tries += 1;
        change.waiting = true;
        desk.cx.timers.set(Timer::RetryOffer(desk.id), desk.cx.now.instant + pause);
    }

    fn change_refused(&mut self, desk: &mut Desk, status: u16) {
        let Some(change) = self.change.take() else { return };
        if change.body.is_some() {
            let more = change.next.is_some();
            self.tell(desk, Notice::OfferRefused { leg: desk.id, status, more });
        }
        // A refresh was refused, or fell due while an offer was under way and left it to that. The
        // peer is alive; there is time for another try or two.
        let refresh = Timer::Refresh(desk.id);
        if let Some(session) = self.session
            && session.refresher == Side::Us
            && !desk.cx.timers.is_set(refresh)
        {
            let pause = Duration::from_secs(u64::from(session.interval / 8));
            desk.cx.timers.set(refresh, desk.cx.now.instant + pause);
        }
        self.next_change(desk, change.next);
    }

    /// `Timer::RetryOffer`
    pub fn retry_offer(&mut self, desk: &mut Desk) {
        if let Some(change) = &mut self.change {
            change.waiting = false;
        }
        self.try_change(desk);
    }
}

impl Change {
    fn of(body: Body) -> Self {
        Self { body: Some(body), ..Self::refresh() }
    }

    /// What it describes our side with. A re-INVITE that only refreshes repeats what stands:
    /// without a body it would ask the peer for an offer.
    fn offer<'a>(&'a self, standing: Option<&'a Body>) -> Option<&'a Body> {
        match (&self.body, self.method) {
            (Some(body), _) => Some(body),
            (None, Refresh::Invite) => standing,
            (None, Refresh::Update) => None,
        }
    }

    fn refresh() -> Self {
        Self {
            body: None,
            transaction: None,
            method: Refresh::Invite,
            waiting: false,
            tries: 0,
            challenged: false,
            seq: 0,
            next: None,
        }
    }
}

/// RFC 3261 section 14.1: "If the UAC is the owner of the Call-ID of the dialog ID ... T has a
/// randomly chosen value between 2.1 and 4 seconds in units of 10 ms. If the UAC is not the owner
/// ... T has a randomly chosen value of between 0 and 2 seconds in units of 10 ms."
fn glare_pause(caller: bool, desk: &mut Desk) -> Duration {
    let (least, most) = if caller { (210, 400) } else { (0, 200) };
    Duration::from_millis(10 * (least + desk.cx.rng.below(most - least + 1)))
}

/// What INVITE, re-INVITE and UPDATE of ours say about us and the session.
pub(super) fn offer_headers(
    writer: &mut Writer,
    expires: u32,
    refresher: Option<Side>,
    min_se: u32,
) {
    writer.header(Name::Allow, compose::ALLOW);
    writer.header(Name::Supported, compose::SUPPORTED_LINE);
    match refresher {
        None => writer.header(Name::SessionExpires, expires),
        Some(side) => {
            let who = match side {
                Side::Us => Refresher::Uac,
                Side::Peer => Refresher::Uas,
            };
            let value = format_args!("{expires};refresher={}", who.as_str());
            writer.header(Name::SessionExpires, value)
        }
    };
    if min_se > 0 {
        writer.header(Name::MinSe, min_se);
    }
}

/// What a 2xx of the peer says: its UAS is the peer.
pub(super) fn accepted_session(message: &Message, asked_for: u32) -> session::Session {
    let expires = message.session_expires();
    let refresher = expires.and_then(|e| e.refresher).map(|who| match who {
        Refresher::Uac => Side::Us,
        Refresher::Uas => Side::Peer,
    });
    session::accept(expires.map(|e| e.seconds), refresher, asked_for)
}
