//! Recordings that broke off or have gaps: an alarm for an hour after the last of them, since the
//! disk that did it is somebody's to look after; and for as long as it takes nothing at all. In:
//! what is told of recordings. Out: a sentence.

use crate::base::Wall;
use crate::call::Recorded;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

const HOUR_MICROS: i64 = 3_600_000_000;
/// More of them in an hour are as bad as so many.
const COUNTED_MAX: usize = 10_000;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tapes {
    spoilt: VecDeque<Wall>,
    why: String,
    /// Since when nothing is written, and why.
    hangs: Option<(Wall, String)>,
}

impl Tapes {
    pub fn take(&mut self, at: Wall, what: &Recorded) {
        let why = match what {
            Recorded::Failed { why } => why.as_str(),
            Recorded::Gaps | Recorded::Unfinished => "the disk was too slow",
            Recorded::Started { .. }
            | Recorded::Paused
            | Recorded::Resumed
            | Recorded::Finished { .. } => return,
        };
        self.why = why.into();
        self.spoilt.push_back(at);
        let old = |first: &Wall| at.0 - first.0 >= HOUR_MICROS;
        while self.spoilt.len() > COUNTED_MAX || self.spoilt.front().is_some_and(old) {
            self.spoilt.pop_front();
        }
    }

    /// Nothing is written, or it is again.
    pub fn tell(&mut self, at: Wall, up: bool, why: &str) {
        self.hangs = (!up).then(|| (at, why.into()));
    }

    pub fn hangs(&self) -> Option<&(Wall, String)> {
        self.hangs.as_ref()
    }

    /// How many of the last hour, and why the last one.
    pub fn spoilt(&self, now: Wall) -> Option<(usize, &str)> {
        let count = self.spoilt.iter().filter(|at| now.0 - at.0 < HOUR_MICROS).count();
        (count > 0).then_some((count, self.why.as_str()))
    }
}
