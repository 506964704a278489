//! Requests of the peer inside the dialog: RFC 3261 section 12.2.2.

use super::{Leg, Phase};
use crate::base::TransactionId;
use crate::sip::desk::Desk;
use crate::sip::{Ended, Hop, Notice, body, compose, route, tag};
use crate::wire::sip::{Message, Method, Name, Writer};

impl Leg {
    /// A request that a new transaction keeps, and that is known to be of this dialog.
    pub fn within(
        &mut self,
        desk: &mut Desk,
        message: &Message,
        transaction: TransactionId,
        hop: Hop,
    ) {
        // Branches of an INVITE that is not answered count each for themselves.
        let is_branch =
            matches!(self.phase, Phase::Calling(_)) && self.dialog.remote_tag.is_empty();
        if !is_branch && !self.dialog.take_seq(message.cseq.number) {
            return self.reply(desk, transaction, 500);
        }
        let unknown = compose::unknown_options(message);
        if !unknown.is_empty() && message.method() != Method::Bye {
            let own_tag = tag::tag(desk.id, self.secret);
            let fill = |w: &mut Writer| {
                w.header(Name::Unsupported, unknown);
            };
            return desk.respond(transaction, 420, &own_tag, fill, None);
        }
        if self.fixed && self.dialog.routes.is_empty() {
            // The phone's NAT, or its connection, has changed since.
            self.dialog.hop = hop;
        }
        match message.method() {
            Method::Bye => self.hung_up(desk, message, transaction),
            Method::Invite => self.reinvited(desk, message, transaction),
            Method::Update => self.updated(desk, message, transaction),
            Method::Prack => self.pracked(desk, message, transaction),
            Method::Info if message.body.is_empty() => self.reply(desk, transaction, 200),
            Method::Info => self.informed(desk, message, transaction),
            Method::Refer => self.referred(desk, message, transaction),
            // RFC 6665 section 4.1.3: nobody here has subscribed to anything.
            Method::Notify => self.reply(desk, transaction, 481),
            Method::Options => self.reply(desk, transaction, 200),
            Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Subscribe
            | Method::Message
            | Method::Publish => self.not_served(desk, transaction, 405),
            Method::Other(_) => self.not_served(desk, transaction, 501),
        }
    }

    /// What phones send as INFO in place of RFC 4733.
    fn informed(&mut self, desk: &mut Desk, message: &Message, transaction: TransactionId) {
        match body::key(message) {
            Some(key) => {
                self.reply(desk, transaction, 200);
                self.tell(desk, Notice::Key { leg: desk.id, key });
            }
            None => self.unsupported_body(desk, transaction),
        }
    }

    fn not_served(&self, desk: &mut Desk, transaction: TransactionId, status: u16) {
        let own_tag = tag::tag(desk.id, self.secret);
        let fill = |w: &mut Writer| {
            w.header(Name::Allow, compose::ALLOW);
        };
        desk.respond(transaction, status, &own_tag, fill, None);
    }

    fn hung_up(&mut self, desk: &mut Desk, message: &Message, transaction: TransactionId) {
        if let Phase::Calling(calling) = &mut self.phase {
            let tag = message.from.tag().unwrap_or_default();
            let others_ring = calling.goes_on_without(tag);
            // RFC 3261 section 15: "The callee's UA MAY send a BYE on a confirmed dialog, but MUST
            // NOT send a BYE on an early dialog." To the phone it was confirmed: its 2xx was lost,
            // with a process that died perhaps. It rings no more, and nobody is kept for it.
            self.reply(desk, transaction, 481);
            // The INVITE was forked on its way, and may be answered by another. (Once one has rung
            // reliably the dialog is with it, and the BYE of another is of none.)
            return match others_ring {
                true => {}
                false => self.gone_early(desk, compose::cause_of(message)),
            };
        }
        let own_tag = tag::tag(desk.id, self.secret);
        desk.give(message, transaction, (200, &own_tag), |_| {});
        if let Phase::Ringing(ringing) = &self.phase {
            let invite = ringing.transaction;
            self.reply(desk, invite, 487);
        }
        self.over(desk, Ended::Bye, compose::cause_of(message));
    }

    /// Target refresh, RFC 3261 section 12.2.1.2 and 12.2.2.
    pub(super) fn refresh_target(&mut self, desk: &mut Desk, message: &Message) {
        let hop = self.dialog.hop;
        let Some(contact) = message.contact().filter(|c| hop.leads_to(&c.uri)) else { return };
        if *contact.uri.raw != *self.dialog.target {
            self.dialog.target = contact.uri.raw.into();
            route::aim(desk, &mut self.dialog, self.fixed);
        }
    }

    /// What the peer says it can do.
    pub fn note_abilities(&mut self, message: &Message) {
        if message.header(Name::Allow).is_some() {
            self.peer.update = message.tokens(Name::Allow).any(|method| method == "UPDATE");
        }
        self.peer.timer |= message.supports("timer");
    }

    /// Whether the message's description may be read as an answer.
    pub(super) fn answer_in(message: &Message) -> Option<crate::sip::Body> {
        match body::find(message) {
            body::Found::Description(body) => Some(body),
            body::Found::None | body::Found::Unknown | body::Found::TooLarge => None,
        }
    }
}
