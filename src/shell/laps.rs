//! What a start is made of, part by part: the log says how long each took. In an upgrade in place
//! the first parts are those of the program before this one, since its sockets were let go of.
//!
//! In: the clock of the machine, which the next program reads as well. Out: one line.

use super::sys::boot;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Microseconds of each part, in their order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Laps {
    last: u64,
    parts: Vec<(String, u64)>,
}

impl Laps {
    pub fn start() -> Self {
        Self { last: now(), parts: Vec::new() }
    }

    /// A part is over.
    pub fn end_of(&mut self, part: &str) {
        let now = now();
        self.parts.push((part.into(), now.saturating_sub(self.last)));
        self.last = now;
    }
}

/// Without that clock no part has a length.
fn now() -> u64 {
    boot::micros().unwrap_or(0)
}

impl fmt::Display for Laps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |micros: u64| micros as f64 / 1_000.0;
        let all: u64 = self.parts.iter().map(|(_, micros)| micros).sum();
        write!(f, "{:.1} ms", millis(all))?;
        for (nth, (part, micros)) in self.parts.iter().enumerate() {
            write!(f, "{} {part} {:.1}", if nth == 0 { ":" } else { "," }, millis(*micros))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_make_the_whole() {
        let laps =
            Laps { last: 0, parts: vec![("exec".into(), 1_500), ("journal".into(), 12_000)] };
        assert_eq!(laps.to_string(), "13.5 ms: exec 1.5, journal 12.0");
        assert_eq!(Laps::start().to_string(), "0.0 ms");
    }
}
