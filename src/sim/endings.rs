//! How the call of a caller ends who waits for an agent. They hang up, are lost, or a supervisor
//! ends it; the switch itself does only where a queue has let go of them and said why, where they
//! are called back, where another switch has them back, where they have no sound at all, or where
//! it was told to hang up on everybody.

use crate::acd::{self, Away};
use crate::base::CallId;
use crate::call::{self, Direction, End, EndedBy, Outcome, Role};
use crate::core::{Event, Fact, What};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Endings {
    callers: BTreeMap<CallId, Caller>,
    /// The switch was told to hang up on everybody.
    closing: bool,
}

#[derive(Debug, Default)]
struct Caller {
    waits: bool,
    /// The last word of a queue.
    turned_away: Option<Away>,
    /// They were told that nobody is waited for any more: they are called back.
    farewell: bool,
    /// The cause says in words that the switch which lent them has them back.
    given_back: bool,
}

impl Endings {
    /// What comes to the switch.
    pub fn told(&mut self, event: &Event) {
        match event {
            Event::Close => self.closing = true,
            Event::Restarted { .. } => self.closing = false,
            _ => {}
        }
    }

    pub fn note(&mut self, fact: &Fact) -> Result<(), String> {
        match &fact.what {
            What::Call(call::Fact::Arrived { call, arrival })
                if arrival.direction == Direction::In =>
            {
                self.callers.insert(*call, Caller::default());
            }
            What::Desk(acd::Fact::Queued { call, .. })
            | What::Call(call::Fact::Returned { call, talked: false, .. }) => {
                self.change(*call, |caller| (caller.waits, caller.turned_away) = (true, None));
            }
            What::Desk(acd::Fact::TurnedAway { call, why, .. }) => {
                self.change(*call, |caller| {
                    (caller.waits, caller.turned_away) = (true, Some(*why));
                });
            }
            What::Call(call::Fact::Connected { call, .. }) => {
                self.change(*call, |caller| caller.waits = false);
            }
            What::Call(call::Fact::Farewell { call }) => {
                self.change(*call, |caller| caller.farewell = true);
            }
            What::Call(call::Fact::LegClosed { call, role: Role::Caller, cause, .. }) => {
                let given_back = (cause.q850, cause.sip) == (Some(31), Some(480));
                self.change(*call, |caller| caller.given_back = given_back);
            }
            What::Call(call::Fact::Ended { call, end }) => {
                let caller = self.callers.remove(call).unwrap_or_default();
                let told_to = self.closing && end.by == EndedBy::Switch;
                if caller.waits && !told_to && !caller.may_end(end) {
                    return Err(format!("{call:?} waited, and was ended so: {end:?}, {caller:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn change(&mut self, call: CallId, change: impl FnOnce(&mut Caller)) {
        if let Some(caller) = self.callers.get_mut(&call) {
            change(caller);
        }
    }
}

impl Caller {
    /// Whether it is the end that a queue's word leads to: there is no such queue, or no way to
    /// where it sends its callers.
    fn is_let_go(&self, end: &End) -> bool {
        let leads = match (self.turned_away, end.outcome) {
            (Some(Away::NoQueue), Outcome::Failed) | (Some(_), Outcome::Overflowed) => true,
            (Some(_) | None, _) => false,
        };
        leads && end.q850 == Some(42)
    }

    fn may_end(&self, end: &End) -> bool {
        let away = self.turned_away;
        match end.by {
            EndedBy::Caller | EndedBy::Lost | EndedBy::Silence | EndedBy::Recovered => true,
            EndedBy::Admin => true,
            EndedBy::MaxWait => away == Some(Away::Expired),
            EndedBy::Full => away == Some(Away::Full),
            EndedBy::Unstaffed => away == Some(Away::Unstaffed),
            EndedBy::Shut => away == Some(Away::Shut),
            // Nobody with whom they do not talk ends their call.
            EndedBy::Agent | EndedBy::Target => false,
            EndedBy::Switch => {
                // The switch that lent them has them back: no other end by this cause is one.
                let never_served = end.outcome == Outcome::Overflowed;
                let is_lent = end.q850 == Some(31) && (never_served || self.given_back);
                let called_back = end.outcome == Outcome::Callback
                    || end.outcome == Outcome::Answered && self.farewell;
                // They cannot be talked to, and were answered or not.
                let no_port = matches!((end.status, end.q850), (200 | 503, Some(42)));
                let deaf = end.q850 == Some(65) || no_port && end.outcome == Outcome::Failed;
                called_back || is_lent || deaf || self.is_let_go(end)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_switch(outcome: Outcome, status: u16, q850: u8) -> End {
        End { outcome, by: EndedBy::Switch, status, q850: Some(q850) }
    }

    fn waits(turned_away: Option<Away>) -> Caller {
        Caller { waits: true, turned_away, ..Caller::default() }
    }

    #[test]
    fn a_waiting_caller_is_not_hung_up_on_because_a_clock_ran_on_from_another_call() {
        // As `Timer::CallOver` ends what an agent has placed.
        let too_long = by_switch(Outcome::Answered, 200, 31);
        assert!(!waits(None).may_end(&too_long));
        assert!(!waits(Some(Away::Full)).may_end(&too_long));
        assert!(!waits(None).may_end(&End { outcome: Outcome::Abandoned, ..too_long }));
        assert!(waits(None).may_end(&by_switch(Outcome::Overflowed, 480, 31)), "lent, given back");
        let given_back = Caller { given_back: true, ..waits(None) };
        assert!(given_back.may_end(&by_switch(Outcome::Answered, 200, 31)), "after a talk as well");
    }

    #[test]
    fn a_queue_that_has_once_refused_a_caller_is_no_leave_to_drop_them() {
        let dropped = by_switch(Outcome::Failed, 480, 20);
        for away in [Away::Full, Away::Unstaffed, Away::Expired, Away::Shut, Away::NoQueue] {
            assert!(!waits(Some(away)).may_end(&dropped), "{away:?}");
            assert!(waits(Some(away)).may_end(&by_switch(Outcome::Overflowed, 480, 42)));
            let failed = by_switch(Outcome::Failed, 480, 42);
            assert_eq!(waits(Some(away)).may_end(&failed), away == Away::NoQueue);
        }
        assert!(!waits(None).may_end(&by_switch(Outcome::Overflowed, 480, 42)));
        let full = End { by: EndedBy::Full, ..by_switch(Outcome::Refused, 480, 42) };
        assert!(waits(Some(Away::Full)).may_end(&full) && !waits(None).may_end(&full));
    }

    #[test]
    fn who_talked_last_with_somebody_may_be_hung_up_on_by_anybody() {
        let (call, mut endings) = (CallId(1), Endings::default());
        endings.callers.insert(call, waits(None));
        let end = End { by: EndedBy::Agent, ..by_switch(Outcome::Answered, 200, 16) };
        let fact = |what| Fact { seq: 1, at: crate::base::Now::default(), what: What::Call(what) };
        endings.note(&fact(super::call::Fact::Connected { call, agent: None })).unwrap();
        endings.note(&fact(super::call::Fact::Ended { call, end: end.clone() })).unwrap();
        endings.callers.insert(call, waits(None));
        endings.note(&fact(super::call::Fact::Ended { call, end })).unwrap_err();
    }
}
