//! How the call of a caller ends who waits for an agent. They hang up, are lost, or a supervisor
//! ends it; the switch itself does only where a queue has let go of them and said why, where they
//! are called back, where another switch has them back, where they have no sound at all, or where
//! it was told to hang up on everybody.

use crate::acd::{self, Away};
use crate::base::CallId;
use crate::call::{self, Direction, End, EndedBy, Outcome};
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
            // A call back is promised, and goodbye is said.
            What::Call(call::Fact::Farewell { call } | call::Fact::Connected { call, .. }) => {
                self.change(*call, |caller| caller.waits = false);
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
                // Answered here or not, and nobody is left who could go on with them.
                let is_lent = end.q850 == Some(31);
                // No codec, or no port, whether they were answered by then or not.
                let deaf =
                    end.q850 == Some(65) || end.q850 == Some(42) && matches!(end.status, 200 | 503);
                end.outcome == Outcome::Callback || is_lent || deaf || away.is_some()
            }
        }
    }
}
