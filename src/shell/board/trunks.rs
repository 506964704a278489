//! Trunks as the board shows them: whether each answers, since when, when it failed last, and the
//! calls that came and went through it.

use super::fold::Board;
use crate::base::Now;
use crate::shell::stamp::{optional, rfc3339};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trunk {
    /// `None`: nothing is known; it is not asked.
    pub up: Option<bool>,
    since: Option<Now>,
    failed: Option<Now>,
    failures: u64,
    calls: u64,
}

impl Trunk {
    pub fn told(&mut self, at: Now, up: bool) {
        if self.up == Some(up) {
            return;
        }
        (self.up, self.since) = (Some(up), Some(at));
        if !up {
            self.failed = Some(at);
            self.failures += 1;
        }
    }

    pub fn carried(&mut self) {
        self.calls += 1;
    }
}

impl Board {
    /// `up`, `since` and `for_ms` are null while nothing is known, `last_failure` before the first.
    pub fn trunks_list(&self, now: Now) -> Value {
        let all = self.names.trunks.iter().zip(&self.trunks);
        all.map(|(name, trunk)| {
            let calls = self.calls.values().filter(|call| call.trunk == *name).count();
            let spent = trunk.since.map(|since| now.instant.since(since.instant));
            json!({
                "name": name,
                "up": trunk.up,
                "since": optional(trunk.since.map(|at| at.wall)),
                "for_ms": spent.map(|spent| spent.as_millis() as u64),
                "calls": calls,
                "total": trunk.calls,
                "failures": trunk.failures,
                "last_failure": trunk.failed.map(|at| rfc3339(at.wall)),
            })
        })
        .collect()
    }
}
