//! How many calls come in at the door: a cap on calls alive and a token bucket on new ones. What
//! is over gets 503 with Retry-After, never silence.

use super::Settings;
use crate::base::{Instant, Rng};
use serde::{Deserialize, Serialize};

const MICROS: u64 = 1_000_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Millionths of a call that may come in now.
    tokens: u64,
    at: Instant,
    pub draining: bool,
    /// The switch cannot keep up with what comes in.
    pub swamped: bool,
}

impl Gate {
    pub fn new(settings: &Settings, now: Instant) -> Self {
        Self {
            tokens: u64::from(settings.max_rate) * MICROS,
            at: now,
            draining: false,
            swamped: false,
        }
    }

    /// Lets a call in, or says in how many seconds to try again.
    pub fn admit(
        &mut self,
        settings: &Settings,
        alive: usize,
        now: Instant,
        rng: &mut Rng,
    ) -> Result<(), u32> {
        let rate = u64::from(settings.max_rate);
        let passed = now.since(self.at).as_micros().min(u128::from(MICROS)) as u64;
        self.tokens = (self.tokens + passed * rate).min(rate * MICROS);
        self.at = now;
        if self.draining || self.swamped || alive >= settings.max_calls || self.tokens < MICROS {
            // Spread, so that those turned away do not come back all at once.
            return Err(1 + rng.below(9) as u32);
        }
        self.tokens -= MICROS;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn over_the_rate_callers_are_told_when_to_come_back() {
        let settings = Settings { max_rate: 10, max_calls: 100, ..Settings::default() };
        let mut gate = Gate::new(&settings, Instant(0));
        let mut rng = Rng::new(1);
        let mut admitted = |now, alive| gate.admit(&settings, alive, now, &mut rng);
        assert!((0..10).all(|_| admitted(Instant(0), 0).is_ok()));
        assert!(matches!(admitted(Instant(0), 0), Err(1..=9)));
        let later = Instant(0) + Duration::from_millis(100);
        assert!(admitted(later, 0).is_ok());
        assert!(admitted(later, 0).is_err());
        let much_later = later + Duration::from_secs(60);
        assert!(admitted(much_later, 100).is_err(), "as many calls as allowed are alive");
        assert!(admitted(much_later, 99).is_ok());
        gate.swamped = true;
        assert!(gate.admit(&settings, 0, much_later, &mut rng).is_err());
    }
}
