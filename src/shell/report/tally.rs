//! One row of a report: calls counted by outcome, and waits by bucket.

use crate::shell::store::Brief;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Buckets of the service level, in seconds.
pub const BUCKETS: [u64; 6] = [10, 15, 20, 30, 60, 90];
/// In every report, also where there is none of it.
const OUTCOMES: [&str; 7] =
    ["answered", "abandoned", "overflowed", "callback", "refused", "failed", "recovered"];

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    pub offered: u64,
    outcomes: BTreeMap<String, u64>,
    /// Abandoned so early that the caller never waited.
    short: u64,
    /// Answered within each of the buckets.
    within: [u64; BUCKETS.len()],
    waited_ms: u64,
    longest_ms: u64,
    talked_ms: u64,
    held_ms: u64,
    wrapped_ms: u64,
    transfers: u64,
}

impl Tally {
    pub fn count(&mut self, call: &Brief, short_ms: u64) {
        self.offered += 1;
        match self.outcomes.get_mut(&call.outcome) {
            Some(count) => *count += 1,
            None => drop(self.outcomes.insert(call.outcome.clone(), 1)),
        }
        self.longest_ms = self.longest_ms.max(call.wait_ms);
        self.transfers += call.transfers;
        if call.is("abandoned") && call.wait_ms <= short_ms {
            self.short += 1;
        }
        if call.is("answered") {
            for (bucket, count) in BUCKETS.iter().zip(&mut self.within) {
                *count += u64::from(call.wait_ms <= bucket * 1_000);
            }
            self.waited_ms += call.wait_ms;
            self.talked_ms += call.talk_ms;
            self.held_ms += call.hold_ms;
            self.wrapped_ms += call.wrap_ms;
        }
    }

    pub fn adds_up(&self) -> bool {
        self.outcomes.values().sum::<u64>() == self.offered
    }

    /// Shares are null where there is nothing to divide by.
    pub fn show(&self) -> Value {
        let of = |outcome: &str| self.outcomes.get(outcome).copied().unwrap_or_default();
        let mut row = json!({"offered": self.offered});
        for outcome in OUTCOMES {
            row[outcome] = of(outcome).into();
        }
        // An outcome that this table does not know is shown all the same: nothing is lost.
        for (outcome, count) in &self.outcomes {
            row[outcome.as_str()] = (*count).into();
        }
        let answered = of("answered");
        let counted = (answered + of("abandoned")).saturating_sub(self.short);
        let share = |part: u64, of: u64| (of > 0).then(|| rounded(part as f64 / of as f64));
        let mean = |sum: u64| (answered > 0).then(|| sum / answered);
        row["short_abandoned"] = self.short.into();
        row["abandon_rate"] = json!(share(of("abandoned").saturating_sub(self.short), counted));
        row["service_level"] = (BUCKETS.iter().zip(self.within))
            .map(|(bucket, count)| (bucket.to_string(), json!(share(count, counted))))
            .collect::<serde_json::Map<_, _>>()
            .into();
        row["mean_wait_ms"] = json!(mean(self.waited_ms));
        row["longest_wait_ms"] = self.longest_ms.into();
        row["mean_talk_ms"] = json!(mean(self.talked_ms));
        row["mean_hold_ms"] = json!(mean(self.held_ms));
        row["mean_wrap_ms"] = json!(mean(self.wrapped_ms));
        row["transfers"] = self.transfers.into();
        row
    }
}

/// To a hundredth of a percent, so that the same numbers are the same text.
fn rounded(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}
