//! What is done in the place of a timer in which the core has broken one of its own rules: the
//! process died of that, and whoever waits for the timer would wait for ever. Notes and rings end,
//! a call that only this timer could end is closed as recovered, and the rest comes once more.

use super::{Out, Switch};
use crate::acd::Wish;
use crate::base::{AgentId, CallId, Now, Timer};
use crate::call;
use std::time::Duration;

/// When a timer is tried again that nothing else sets: should it break the core once more, nobody
/// is without a switch for long.
const AGAIN_IN: Duration = Duration::from_secs(300);

impl Switch {
    pub(super) fn fall_back(&mut self, now: Now, timer: Timer, out: &mut Out) {
        match timer {
            Timer::WrapUp(agent) => self.end_notes(now, agent),
            Timer::RingTimeout(call, agent) => self.end_ring(now, call, agent, out),
            Timer::MaxWait(call)
            | Timer::DialTimeout(call)
            | Timer::Parked(call)
            | Timer::CallOver(call)
            | Timer::Code(call) => self.recovered(now, call),
            Timer::NoAck(leg) | Timer::SessionExpired(leg) | Timer::Silence(leg) => {
                self.calls(now, |calls, io| calls.leg_recovered(io, leg));
            }
            // Whoever is there no more is found by the silence.
            Timer::Recheck(_) => {}
            // What it would have said once more, its transaction or its leg gives up by itself.
            Timer::Retransmit(_)
            | Timer::Repeat2xx(_)
            | Timer::RepeatProvisional(_)
            | Timer::KeepRinging(_) => {}
            // The next key, or the end of the ring, sets all right.
            Timer::Keys(_) | Timer::Unheard(_) => {}
            Timer::GiveUp(_)
            | Timer::Forget(_)
            | Timer::Bury(_)
            | Timer::Refresh(_)
            | Timer::RetryOffer(_)
            | Timer::BindingExpires(_)
            | Timer::DnsSilent(_)
            | Timer::TrunkPing(_)
            | Timer::PhoneAsk(_)
            | Timer::TrunkRegister(_)
            | Timer::Rest(_)
            | Timer::Watch(..)
            | Timer::CallGuard(_)
            | Timer::TapeGuard(_)
            | Timer::Announce(_)
            | Timer::Menu(_)
            | Timer::CallBack(_)
            | Timer::Overflow(_)
            | Timer::Unblock
            | Timer::Reconcile
            | Timer::Roster
            | Timer::QueueReview(_) => self.state.timers.set(timer, now.instant + AGAIN_IN),
        }
    }

    fn end_notes(&mut self, now: Now, agent: AgentId) {
        // An agent whose notes are over already has nothing to end.
        let _ = self.desk(now, |desk, cx, out| desk.wish(cx, agent, Wish::EndWrapUp, out));
    }

    /// The fault is ours, so it is no miss of the agent's that counts.
    fn end_ring(&mut self, now: Now, call: CallId, agent: AgentId, out: &mut Out) {
        self.calls(now, |calls, io| calls.withdraw(io, call, agent, call::Stop::RangOut));
        self.missed(now, call, (agent, call::Missed::Declined), out);
    }

    fn recovered(&mut self, now: Now, call: CallId) {
        self.calls(now, |calls, io| calls.recovered(io, call));
    }
}
