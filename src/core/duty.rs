//! Carries the roster: its time, its news, and what it wants of the desk.

use super::{Out, Switch, What};
use crate::base::{Cx, Now};

impl Switch {
    pub(super) fn look_at_roster(&mut self, now: Now, out: &mut Out) {
        let super::State { rng, timers, desk, roster, .. } = &mut self.state;
        let cx = &mut Cx { now, rng, timers };
        let mut effects = Vec::new();
        let news = roster.look(cx, &self.settings.roster, desk, &mut effects);
        for news in news {
            self.fact(now, What::Shift(news), out);
        }
        self.work.extend(effects.into_iter().map(super::carry::Work::Desk));
        self.tidy_seats(now);
        for name in self.state.roster.to_ask() {
            self.ask_whether_there(now, &name);
        }
    }

    /// A phone came: it may be one that its shift waits for.
    pub(super) fn look_for(&mut self, now: Now, agent: &str, out: &mut Out) {
        if self.state.roster.awaits(agent) {
            self.look_at_roster(now, out);
        }
    }
}
