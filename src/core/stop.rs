//! How a switch ends in order: no new calls, then nobody on the line, then no record open.

use super::{Out, Switch, What};
use crate::base::{CallId, Now, Timer};

impl Switch {
    pub(super) fn drain(&mut self, now: Now, out: &mut Out) {
        if !self.state.draining {
            self.state.draining = true;
            self.state.calls.drain();
            self.sip(now, |ua, cx, out| ua.sign_off(cx, out));
            self.fact(now, What::Draining, out);
        }
    }

    /// The time to drain is over: whoever is left is hung up on, and no record waits for the end of
    /// a wrap-up, which goes on for the agent and is not seen by this process any more.
    pub(super) fn close(&mut self, now: Now, out: &mut Out) {
        self.drain(now, out);
        let calls: Vec<CallId> = self.state.calls.iter().map(|(call, _)| call).collect();
        for call in calls {
            self.calls(now, |calls, io| calls.shut_down(io, call));
        }
        self.settle(now, out);
        self.state.ledger.close(now, &mut self.spare.rows);
        // The process ends soon after: what is known of recordings by then is in the records.
        let open: Vec<CallId> = self.state.ledger.calls().collect();
        for call in open {
            self.state.timers.set(Timer::TapeGuard(call), now.instant + super::LAST_WAIT);
        }
    }
}
