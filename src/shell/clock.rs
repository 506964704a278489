//! The only place that reads the clocks of the machine.
//!
//! In: nothing. Out: [`Now`]. Everything below the shell is handed time and never takes it.

use crate::base::{Instant, Now, Wall};
use std::time::SystemTime;

/// Counts microseconds from its start; copies of it agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
}

impl Clock {
    #[allow(clippy::disallowed_methods)]
    pub fn start() -> Self {
        Self { origin: std::time::Instant::now() }
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
        Instant(self.origin.elapsed().as_micros() as u64)
    }
}
