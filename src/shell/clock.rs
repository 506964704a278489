//! The only place that reads the clocks of the machine.
//!
//! In: nothing. Out: [`Now`]. Everything below the shell is handed time and never takes it.

use crate::base::{Instant, Now, Wall};
use std::time::{Duration, SystemTime};

/// Counts microseconds from its start; copies of it agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
    /// What it said at its start.
    base: Instant,
}

/// No downtime counts for more: whoever was on the phone has gone, and the calendar may be wrong.
const DOWN_MAX: Duration = Duration::from_secs(86_400);

impl Clock {
    pub fn start() -> Self {
        Self::from(Instant(0))
    }

    /// Goes on from the last that another process knew, with the calendar's word for how long ago
    /// that was. It never goes back, whatever the calendar says.
    pub fn after(last: Now) -> Self {
        let wall = Self::start().now().wall;
        let passed = u64::try_from(wall.0.saturating_sub(last.wall.0));
        if passed.is_err() {
            tracing::warn!("the calendar has gone back since the switch last ran: no time counts");
        }
        let passed = Duration::from_micros(passed.unwrap_or(0));
        if passed > DOWN_MAX {
            tracing::warn!("the switch last ran {} h ago; a day of it counts", hours(passed));
        }
        Self::from(last.instant + passed.min(DOWN_MAX))
    }

    #[allow(clippy::disallowed_methods)]
    fn from(base: Instant) -> Self {
        Self { origin: std::time::Instant::now(), base }
    }

    #[allow(clippy::disallowed_methods)]
    pub fn now(&self) -> Now {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let wall = match since {
            Ok(after) => after.as_micros() as i64,
            Err(before) => -(before.duration().as_micros() as i64),
        };
        Now { instant: self.instant(), wall: Wall(wall) }
    }

    pub fn instant(&self) -> Instant {
        self.base + self.origin.elapsed()
    }
}

fn hours(span: Duration) -> u64 {
    span.as_secs() / 3_600
}
