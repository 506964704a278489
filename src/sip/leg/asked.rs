//! The peer's offers and refreshes inside the dialog: RFC 3261 section 14.2, RFC 3311 section 5.2,
//! RFC 4028 section 9.

use super::{Asked, Leg, Phase};
use crate::base::TransactionId;
use crate::sip::desk::Desk;
use crate::sip::{Body, Notice, body, compose, session, tag};
use crate::wire::sip::{Message, Name};

impl Leg {
    pub(super) fn reinvited(
        &mut self,
        desk: &mut Desk,
        message: &Message,
        transaction: TransactionId,
    ) {
        match &self.phase {
            // "A UAS that receives a second INVITE before it sends the final response to a first
            // INVITE with a lower CSeq sequence number on the same dialog MUST return a 500 ... and
            // MUST include a Retry-After header field with a randomly chosen value of between 0 and
            // 10 seconds."
            Phase::Ringing(_) => return self.later(desk, transaction),
            Phase::Talking if self.asked.is_some() => return self.later(desk, transaction),
            Phase::Talking if !self.silent => {}
            Phase::Talking | Phase::Leaving | Phase::Gone => {
                return self.reply(desk, transaction, 481);
            }
            Phase::Calling(_) => return self.reply(desk, transaction, 491),
        }
        // "A UAS that receives an INVITE on a dialog while an INVITE it had sent on that dialog is
        // in progress MUST return a 491"; RFC 5407 section 3.1.5 for one whose ACK is still due.
        if self.change_in_progress() || self.unacked.is_some() {
            return self.reply(desk, transaction, 491);
        }
        self.take_offer(desk, message, transaction, true);
    }

    pub(super) fn updated(
        &mut self,
        desk: &mut Desk,
        message: &Message,
        transaction: TransactionId,
    ) {
        if self.silent || matches!(self.phase, Phase::Leaving | Phase::Gone) {
            return self.reply(desk, transaction, 481);
        }
        // RFC 3311 section 5.2: "If an UPDATE is received before a previous UPDATE has been
        // responded to ... 500"; "contains an offer, and the UAS has generated an offer ... to
        // which it has not yet received an answer ... 491"; "has received an offer ... to which it
        // has not yet generated an answer ... 500".
        if self.asked.is_some() {
            return self.later(desk, transaction);
        }
        let has_offer = !matches!(body::find(message), body::Found::None);
        if !has_offer {
            return self.refreshed(desk, message, transaction);
        }
        match &self.phase {
            Phase::Ringing(ringing) if !ringing.described => self.later(desk, transaction),
            Phase::Calling(calling) if !calling.is_settled(&self.dialog.remote_tag) => {
                self.reply(desk, transaction, 491)
            }
            _ if self.change_in_progress() || self.unacked.as_ref().is_some_and(|u| u.offer) => {
                self.reply(desk, transaction, 491);
            }
            _ => self.take_offer(desk, message, transaction, false),
        }
    }

    /// Whether neither side owes an answer, and somebody is there to give one.
    pub(super) fn may_be_offered(&self) -> bool {
        let ours = self.change_in_progress() || self.unacked.as_ref().is_some_and(|u| u.offer);
        !self.silent && !ours && self.asked.is_none()
    }

    fn change_in_progress(&self) -> bool {
        self.change.as_ref().is_some_and(|c| c.transaction.is_some())
    }

    /// Hands an offer, or the wish for one, to the user.
    pub(super) fn take_offer(
        &mut self,
        desk: &mut Desk,
        message: &Message,
        transaction: TransactionId,
        invite: bool,
    ) {
        if self.interval_too_small(desk, message, transaction) {
            return;
        }
        let offer = match body::find(message) {
            body::Found::None => None,
            body::Found::Description(offer) => Some(offer),
            body::Found::Unknown => return self.unsupported_body(desk, transaction),
            body::Found::TooLarge => return self.reply(desk, transaction, 513),
        };
        if invite {
            self.reply(desk, transaction, 100);
        }
        let cseq = message.cseq.number;
        self.note_abilities(message);
        let (offered, session) = (offer.is_some(), super::uas::asked_session(message));
        self.asked = Some(Asked { transaction, invite, offered, cseq, session });
        self.tell(desk, Notice::Offered { leg: desk.id, offer });
    }

    /// UPDATE without a body: it only refreshes.
    fn refreshed(&mut self, desk: &mut Desk, message: &Message, transaction: TransactionId) {
        if self.interval_too_small(desk, message, transaction) {
            return;
        }
        self.note_abilities(message);
        self.refresh_target(desk, message);
        let asked = super::uas::asked_session(message);
        self.accept_update(desk, transaction, asked, None);
    }

    fn interval_too_small(
        &self,
        desk: &mut Desk,
        message: &Message,
        transaction: TransactionId,
    ) -> bool {
        let asked = super::uas::asked_session(message);
        let current = self.session.map(|s| s.refresher);
        let Err(session::TooSmall(least)) = session::agree(asked, desk.net.wish(), current) else {
            return false;
        };
        let own_tag = tag::tag(desk.id, self.secret);
        let fill = |w: &mut crate::wire::sip::Writer| {
            w.header(Name::MinSe, least);
        };
        desk.respond(transaction, 422, &own_tag, fill, None);
        true
    }

    fn accept_update(
        &mut self,
        desk: &mut Desk,
        transaction: TransactionId,
        asked: session::Asked,
        body: Option<&Body>,
    ) {
        if matches!(self.phase, Phase::Talking) {
            self.agree_session(desk, asked);
        }
        let (session, able) = (self.session, self.peer.timer);
        self.respond_dialog(desk, transaction, 200, body, |writer| {
            if let Some(session) = session {
                super::uas::session_headers(writer, session, able);
            }
        });
    }

    pub fn answer_offer(&mut self, desk: &mut Desk, body: Body) {
        let Some(asked) = self.asked.take() else { return };
        self.describe(&body);
        if let Some(kept) = desk.net.table.get(asked.transaction) {
            let request = kept.request.clone();
            if let Ok(message) = Message::parse(&request) {
                self.refresh_target(desk, &message);
                self.note_early_offer(&message);
            }
        }
        match asked.invite {
            true => {
                let way = (!asked.offered, false);
                let request = (asked.cseq, asked.session);
                self.accept(desk, asked.transaction, request, Some(&body), way);
            }
            false => {
                self.accept_update(desk, asked.transaction, asked.session, Some(&body));
                self.go_on_ringing(desk);
                self.try_change(desk);
            }
        }
    }

    /// What the peer describes its side with before its 2xx holds for a 2xx that says nothing.
    fn note_early_offer(&mut self, message: &Message) {
        if let Phase::Calling(calling) = &mut self.phase
            && let Some(fork) = calling.fork(message.from.tag().unwrap_or_default())
        {
            fork.answer = Self::answer_in(message).or(fork.answer.take());
        }
    }

    pub fn refuse_offer(&mut self, desk: &mut Desk, status: u16) {
        let Some(asked) = self.asked.take() else { return };
        self.reply(desk, asked.transaction, status.clamp(400, 699));
        self.go_on_ringing(desk);
        self.try_change(desk);
    }

    /// CANCEL of a re-INVITE: the session stays as it was.
    pub fn asked_cancelled(&mut self, desk: &mut Desk, transaction: TransactionId) {
        if self.asked.take_if(|asked| asked.transaction == transaction).is_some() {
            self.reply(desk, transaction, 487);
            self.try_change(desk);
        }
    }

    /// A response without anything of its own, but for what a 488 has to say.
    pub(super) fn reply(&self, desk: &mut Desk, transaction: TransactionId, status: u16) {
        let own_tag = tag::tag(desk.id, self.secret);
        let warning = compose::warning(&desk.net.settings, &self.dialog.hop, status);
        let fill = |writer: &mut crate::wire::sip::Writer| {
            if let Some(warning) = warning {
                writer.header(Name::Warning, warning);
            }
        };
        desk.respond(transaction, status, &own_tag, fill, None);
    }

    /// 500 with a Retry-After of 0 to 10 seconds.
    fn later(&self, desk: &mut Desk, transaction: TransactionId) {
        let seconds = desk.cx.rng.below(11);
        let own_tag = tag::tag(desk.id, self.secret);
        let fill = |w: &mut crate::wire::sip::Writer| {
            w.header(Name::RetryAfter, seconds);
        };
        desk.respond(transaction, 500, &own_tag, fill, None);
    }

    pub(super) fn unsupported_body(&self, desk: &mut Desk, transaction: TransactionId) {
        let own_tag = tag::tag(desk.id, self.secret);
        let fill = |w: &mut crate::wire::sip::Writer| {
            w.header(Name::Accept, compose::ACCEPT);
        };
        desk.respond(transaction, 415, &own_tag, fill, None);
    }
}
