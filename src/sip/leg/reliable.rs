//! Reliable provisional responses, RFC 3262: sent where the caller requires them, acknowledged
//! where the callee sends them.

use super::{Calling, Fork, Leg, Phase, Provisional, Queued, Rung};
use crate::base::{Timer, TransactionId, limits};
use crate::sip::desk::{Desk, Wanted};
use crate::sip::transaction::table::Purpose;
use crate::sip::{Body, Cause, Ended, Notice, body, route};
use crate::wire::sip::{Message, Method, Name};

impl Leg {
    /// RFC 3262 section 3.
    pub(super) fn ring_reliably(&mut self, desk: &mut Desk, status: u16, body: Option<Body>) {
        let Some(ringing) = self.ringing() else { return };
        // The first reliable response to an INVITE without an offer would have to make one (section
        // 5); ours is made by the 2xx, and ringing can be left out.
        if !ringing.offered {
            return;
        }
        // "the UAS MUST NOT send a second reliable provisional response until the first is
        // acknowledged".
        if ringing.pending.is_some() {
            ringing.queued = Some(Queued::Ring { status, body });
            return;
        }
        // "The value of the header field for the first reliable provisional response in a
        // transaction MUST be between 1 and 2**31 - 1."
        ringing.rseq = match ringing.rseq {
            0 => 1 + desk.cx.rng.below(1 << 30) as u32,
            last => last + 1,
        };
        let body = body.filter(|_| !ringing.described);
        ringing.described |= body.is_some();
        let interval = desk.net.settings.t1;
        ringing.pending = Some(Provisional { interval, sent: desk.cx.now.instant });
        let (transaction, rseq) = (ringing.transaction, ringing.rseq);
        self.respond_dialog(desk, transaction, status, body.as_ref(), |writer| {
            writer.header(Name::Require, "100rel").header(Name::RSeq, rseq);
        });
        let at = desk.cx.now.instant + interval;
        desk.cx.timers.set(Timer::RepeatProvisional(desk.id), at);
    }

    pub fn repeat_provisional(&mut self, desk: &mut Desk) {
        let (now, t1) = (desk.cx.now.instant, desk.net.settings.t1);
        let Some(ringing) = self.ringing() else { return };
        let transaction = ringing.transaction;
        let Some(pending) = &mut ringing.pending else { return };
        // "If a reliable provisional response is retransmitted for 64*T1 seconds without reception
        // of a corresponding PRACK, the UAS SHOULD reject the original request with a 5xx".
        if now.since(pending.sent) >= t1 * 64 {
            let (leg, cause) = (desk.id, Cause::default());
            self.tell(desk, Notice::Ended { leg, why: Ended::Lost, cause });
            return self.refuse(desk, 504, None, None);
        }
        // "retransmissions ... doubles for each", without the cap of T2.
        pending.interval *= 2;
        let at = now + pending.interval;
        desk.net.table.send(transaction, desk.out);
        desk.cx.timers.set(Timer::RepeatProvisional(desk.id), at);
    }

    /// PRACK came.
    pub(super) fn pracked(
        &mut self,
        desk: &mut Desk,
        message: &Message,
        transaction: TransactionId,
    ) {
        let named = message.rack().filter(|rack| rack.cseq.method == Method::Invite);
        let named = named.map(|rack| Rung { rseq: rack.rseq, cseq: rack.cseq.number });
        // "If a PRACK request is received by the UA core that does not match any unacknowledged
        // reliable provisional response, the UAS MUST respond to the PRACK with a 481".
        if named.is_none() || named != self.unpracked() {
            return self.reply(desk, transaction, 481);
        }
        desk.cx.timers.cancel(Timer::RepeatProvisional(desk.id));
        self.unpracked = None;
        let described = self.ringing().is_none_or(|ringing| {
            ringing.pending = None;
            ringing.described
        });
        match body::find(message) {
            body::Found::None => self.reply(desk, transaction, 200),
            // Section 5: "If the UAC receives a reliable provisional response with an answer, it
            // MAY generate an additional offer in the PRACK. If the UAS receives a PRACK with an
            // offer, it MUST place the answer in the 2xx to the PRACK."
            _ if described && self.may_be_offered() => {
                self.take_offer(desk, message, transaction, false);
            }
            _ => self.reply(desk, transaction, 488),
        }
        self.go_on_ringing(desk);
    }

    /// The reliable provisional response that a PRACK may still acknowledge. Section 3 of a
    /// UAS that has sent its final response: "it MUST be prepared to process PRACK requests for
    /// those outstanding responses."
    fn unpracked(&self) -> Option<Rung> {
        match &self.phase {
            Phase::Ringing(ringing) => ringing.unpracked(),
            Phase::Talking => self.unpracked,
            Phase::Calling(_) | Phase::Leaving | Phase::Gone => None,
        }
    }

    /// What waited for a PRACK, or for the answer to an offer in it.
    pub(super) fn go_on_ringing(&mut self, desk: &mut Desk) {
        if self.asked.is_some() {
            return;
        }
        let Some(ringing) = self.ringing().filter(|ringing| ringing.pending.is_none()) else {
            return;
        };
        match ringing.queued.take() {
            Some(Queued::Ring { status, body }) => self.ring(desk, status, body),
            Some(Queued::Answer { body }) => self.answer(desk, body),
            None => {}
        }
    }

    /// Acknowledges a reliable provisional response of the callee. False: it is none, or a repeat,
    /// or out of order, and not to be told again.
    pub(super) fn prack(&mut self, desk: &mut Desk, message: &Message) -> bool {
        let Some(rseq) = message.rseq() else { return true };
        if !message.require().any(|option| option.eq_ignore_ascii_case("100rel")) {
            return true;
        }
        let Some(tag) = message.to.tag() else { return false };
        let Phase::Calling(calling) = &mut self.phase else { return false };
        if !fresh(calling, tag, rseq) {
            return false;
        }
        // Section 5: "If the INVITE contained an offer, the UAS MAY generate an answer in a
        // reliable provisional response", and its 2xx need not repeat it.
        if let Some(fork) = calling.fork(tag).filter(|fork| fork.answer.is_none()) {
            fork.answer = Self::answer_in(message);
        }
        let mut early = self.dialog.clone();
        if let Some(plain) = calling.plain.as_deref().filter(|_| *early.remote_tag != *tag) {
            early = plain.clone();
        }
        early.answered_by(message);
        route::aim(desk, &mut early, self.fixed);
        if self.dialog.remote_tag.is_empty()
            && let Phase::Calling(calling) = &mut self.phase
        {
            calling.plain = Some(Box::new(std::mem::replace(&mut self.dialog, early.clone())));
        }
        let seq = self.dialog.next_seq();
        let invite = message.cseq.number;
        let wanted = Wanted { method: Method::Prack, seq, purpose: Purpose::Prack, body: None };
        desk.request(&early, wanted, |writer| {
            writer.header(Name::RAck, format_args!("{rseq} {invite} INVITE"));
        });
        true
    }
}

/// RFC 3262 section 4: "the UAC ... MUST maintain a sequence number that indicates the most
/// recently received in-order reliable provisional response", for each fork.
fn fresh(calling: &mut Calling, tag: &str, rseq: u32) -> bool {
    let room = calling.forks.len() < limits::FORKS_MAX;
    match calling.fork(tag) {
        Some(fork) => {
            let next = rseq == fork.rseq.wrapping_add(1);
            fork.rseq = if next { rseq } else { fork.rseq };
            next
        }
        None if room => {
            calling.forks.push(Fork { tag: tag.into(), rseq, answer: None });
            true
        }
        None => false,
    }
}
