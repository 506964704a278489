//! How a leg ends: RFC 3261 sections 9.1 and 15.

use super::{Leg, Phase};
use crate::base::{Timer, TransactionId};
use crate::sip::desk::{Desk, Wanted};
use crate::sip::transaction::ClientInput;
use crate::sip::transaction::client;
use crate::sip::transaction::table::{Machine, Purpose, Transaction, User};
use crate::sip::{Body, Cause, Ended, Notice, compose, derive, tag};
use crate::wire::sip::Method;

impl Leg {
    /// The user is done with it, in whatever state it is.
    pub fn hangup(&mut self, desk: &mut Desk, cause: Cause) {
        match &mut self.phase {
            Phase::Calling(_) => {
                self.silent = true;
                self.abandon(desk, cause);
            }
            Phase::Ringing(_) => self.refuse(desk, 480, Some(cause), None),
            Phase::Talking => {
                self.silent = true;
                self.settle_asked(desk);
                // RFC 3261 section 15: "The callee's UA ... MUST NOT send a BYE on a confirmed
                // dialog until it has received an ACK for its 2xx response or until the server
                // transaction times out."
                match self.unacked {
                    Some(_) => self.cause = Some(Box::new(cause)),
                    None => self.bye(desk, &cause),
                }
            }
            Phase::Leaving | Phase::Gone => {}
        }
    }

    /// `Timer::Unheard`. The INVITE goes on as one that is hung up on: whatever is heard of it, it
    /// is cancelled, so that no phone rings for nobody.
    pub(super) fn unheard_for_long(&mut self, desk: &mut Desk) {
        let Phase::Calling(calling) = &self.phase else { return };
        if calling.cancelled {
            return;
        }
        self.tell(desk, Notice::Unheard { leg: desk.id });
        self.silent = true;
        self.abandon(desk, Cause::default());
    }

    /// The callee has left what to us is an early dialog: no fault of theirs, for it may be that a
    /// process of ours died when they had answered. The INVITE ends as it may.
    pub(super) fn gone_early(&mut self, desk: &mut Desk, cause: Cause) {
        desk.cx.timers.cancel(Timer::Unheard(desk.id));
        if self.silent {
            return desk.notice(Notice::Stopped { leg: desk.id });
        }
        self.tell(desk, Notice::LeftEarly { leg: desk.id, cause });
        self.silent = true;
        self.abandon(desk, Cause::default());
    }

    /// Gives up an INVITE that has no answer; where there is one, it has been told.
    pub(super) fn abandon(&mut self, desk: &mut Desk, cause: Cause) {
        let Phase::Calling(calling) = &mut self.phase else { return };
        calling.cancelled = true;
        let Some(transaction) = calling.transaction else {
            return self.refused(desk, 487, None);
        };
        // RFC 3261 section 9.1: "If no provisional response has been received, the CANCEL request
        // MUST NOT be sent; rather, the client MUST wait for the arrival of a provisional response
        // before sending the request."
        match calling.proceeding {
            true => self.send_cancel(desk, transaction, &cause),
            false => self.cause = Some(Box::new(cause)),
        }
    }

    pub(super) fn send_cancel(&mut self, desk: &mut Desk, invite: TransactionId, cause: &Cause) {
        let Some(kept) = desk.net.table.get(invite).filter(|t| t.cancel.is_none()) else { return };
        let (hop, secret) = (kept.hop, kept.secret);
        let Some(bytes) = derive::cancel(&kept.bytes, cause) else { return };
        let machine = Machine::Client(client::State::new());
        let user = User::Leg(desk.id, Purpose::Cancel);
        let cancel = Transaction::client(machine, hop, bytes, user, secret);
        let cancel = desk.net.open_client(desk.cx, cancel, desk.out);
        if let Some(kept) = desk.net.table.get_mut(invite) {
            kept.cancel = Some(cancel);
        }
        let input = ClientInput::Cancelled;
        desk.net.table.client(desk.cx, &desk.net.settings, invite, input, desk.out);
    }

    /// Sends BYE; the leg waits for its answer and does nothing else.
    pub(super) fn bye(&mut self, desk: &mut Desk, cause: &Cause) {
        self.settle_asked(desk);
        self.quiet(desk);
        self.phase = Phase::Leaving;
        self.silent = true;
        (self.change, self.unacked) = (None, None);
        let seq = self.dialog.next_seq();
        let wanted = Wanted { method: Method::Bye, seq, purpose: Purpose::Bye, body: None };
        desk.request(&self.dialog, wanted, |writer| compose::reason(writer, cause));
    }

    pub(super) fn probe(&mut self, desk: &mut Desk) {
        if self.phase != Phase::Talking || self.unacked.is_some() {
            return;
        }
        let seq = self.dialog.next_seq();
        let (method, purpose) = (Method::Options, Purpose::Probe);
        desk.request(&self.dialog, Wanted { method, seq, purpose, body: None }, |_| {});
    }

    /// A key as INFO. Whoever takes none refuses it, and nothing comes of it.
    pub(super) fn press(&mut self, desk: &mut Desk, key: char) {
        if self.phase != Phase::Talking || self.unacked.is_some() {
            return;
        }
        let text = format!("Signal={key}\r\nDuration=100\r\n");
        let body = Body { kind: "application/dtmf-relay".into(), bytes: text.into_bytes().into() };
        let seq = self.dialog.next_seq();
        let (method, purpose) = (Method::Info, Purpose::Notify);
        desk.request(&self.dialog, Wanted { method, seq, purpose, body: Some(&body) }, |_| {});
    }

    /// RFC 3261 section 12.2.1.2: "If the response for a request within a dialog is a 481 ... or a
    /// 408 ..., the UAC SHOULD terminate the dialog." Whatever else is said, somebody is there.
    pub fn probed(&mut self, desk: &mut Desk, status: u16) {
        if matches!(status, 408 | 481) && self.phase == Phase::Talking && !self.silent {
            self.lost(desk, Ended::Lost);
        }
    }

    /// The answer to our BYE, or none: either way the dialog is over (RFC 3261 section 15.1.1).
    pub fn left(&mut self) {
        self.phase = Phase::Gone;
    }

    /// The far end ended it.
    pub(super) fn over(&mut self, desk: &mut Desk, why: Ended, cause: Cause) {
        self.tell(desk, Notice::Ended { leg: desk.id, why, cause });
        self.silent = true;
        self.settle_asked(desk);
        self.phase = Phase::Gone;
    }

    /// It cannot go on: the user is told, the far end gets a BYE.
    pub(super) fn lost(&mut self, desk: &mut Desk, why: Ended) {
        self.tell(desk, Notice::Ended { leg: desk.id, why, cause: Cause::default() });
        self.silent = true;
        // A BYE before the ACK of our own 2xx is not allowed even now.
        match self.unacked {
            Some(_) => {}
            None => self.bye(desk, &Cause::default()),
        }
    }

    /// RFC 3261 section 15.1.2: "The UAS MUST still respond to any pending requests received for
    /// that dialog. It is RECOMMENDED that a 487 (Request Terminated) response be generated".
    pub fn settle_asked(&mut self, desk: &mut Desk) {
        if let Some(asked) = self.asked.take() {
            let own_tag = tag::tag(desk.id, self.secret);
            desk.respond(asked.transaction, 487, &own_tag, |_| {}, None);
        }
        if let Some(refer) = self.referral.as_mut().and_then(|refer| refer.transaction.take()) {
            let own_tag = tag::tag(desk.id, self.secret);
            desk.respond(refer, 487, &own_tag, |_| {}, None);
        }
    }

    /// RFC 4028 section 10: nobody refreshed the session.
    pub fn session_expired(&mut self, desk: &mut Desk) {
        match self.phase {
            Phase::Talking if !self.silent => self.lost(desk, Ended::Expired),
            Phase::Talking
            | Phase::Calling(_)
            | Phase::Ringing(_)
            | Phase::Leaving
            | Phase::Gone => {}
        }
    }

    /// Stops every timer of this leg.
    pub fn quiet(&self, desk: &mut Desk) {
        let id = desk.id;
        for timer in [
            Timer::Repeat2xx(id),
            Timer::NoAck(id),
            Timer::RepeatProvisional(id),
            Timer::KeepRinging(id),
            Timer::Unheard(id),
            Timer::Refresh(id),
            Timer::SessionExpired(id),
            Timer::RetryOffer(id),
        ] {
            desk.cx.timers.cancel(timer);
        }
    }
}
