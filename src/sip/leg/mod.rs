//! Legs: one INVITE session each, from the first INVITE to the end of its dialog.
//!
//! In: what the user of the layer wants ([`Act`]), what comes for the leg, what runs out. Out:
//! requests, responses, notices. Each file here is one part of a leg's life; none knows another
//! leg. A leg that is over says so with [`Phase::Gone`] and is removed by its keeper.

pub mod asked;
pub mod change;
pub mod check;
pub mod end;
pub mod refer;
pub mod reliable;
pub mod state;
pub mod uac;
pub mod uas;
pub mod within;

use super::desk::Desk;
use super::session::Session;
use super::{Act, Body, Notice};
use crate::base::Timer;
pub use state::*;

impl Leg {
    /// Tells the user, unless the user has hung up or was told the end.
    pub fn tell(&self, desk: &mut Desk, notice: Notice) {
        if !self.silent {
            desk.notice(notice);
        }
    }

    pub fn act(&mut self, desk: &mut Desk, act: Act) {
        if self.silent {
            return;
        }
        match act {
            Act::Ring { status, body } => self.ring(desk, status, body),
            Act::Answer { body } => self.answer(desk, body),
            Act::Refuse { status, cause, retry_after } => {
                self.refuse(desk, status, cause, retry_after);
            }
            Act::Cancel { cause } => self.abandon(desk, cause),
            Act::Hangup { cause } => self.hangup(desk, cause),
            Act::Offer { body } => self.offer(desk, body),
            Act::AnswerOffer { body } => self.answer_offer(desk, body),
            Act::RefuseOffer { status } => self.refuse_offer(desk, status),
            Act::AnswerRefer { status } => self.answer_refer(desk, status),
            Act::Report { status } => self.report(desk, status),
            Act::Probe => self.probe(desk),
            Act::Press { key } => self.press(desk, key),
        }
    }

    /// A timer of this leg fired.
    pub fn expire(&mut self, desk: &mut Desk, timer: Timer) {
        match timer {
            Timer::Repeat2xx(_) => self.repeat_2xx(desk),
            Timer::NoAck(_) => self.no_ack(desk),
            Timer::RepeatProvisional(_) => self.repeat_provisional(desk),
            Timer::KeepRinging(_) => self.keep_ringing(desk),
            Timer::Unheard(_) => self.unheard_for_long(desk),
            Timer::Refresh(_) => self.refresh(desk),
            Timer::SessionExpired(_) => self.session_expired(desk),
            Timer::RetryOffer(_) => self.retry_offer(desk),
            // Nothing else is ever set for a leg.
            _ => {}
        }
    }

    /// The session is as new: RFC 4028 section 7.2 and 9, "the session interval starts anew".
    pub fn session_begins(&mut self, desk: &mut Desk, session: Session) {
        self.session = Some(session);
        let (id, now) = (desk.id, desk.cx.now.instant);
        match session.refresh_after() {
            Some(span) => desk.cx.timers.set(Timer::Refresh(id), now + span),
            None => desk.cx.timers.cancel(Timer::Refresh(id)),
        }
        desk.cx.timers.set(Timer::SessionExpired(id), now + session.dead_after());
    }

    /// Keeps what we describe our side with, for refreshes.
    pub fn describe(&mut self, body: &Body) {
        self.description = Some(body.clone());
    }
}
