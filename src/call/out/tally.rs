//! How often numbers outside have been dialled, by whom, and which of these calls live.
//!
//! Counted in quarters of an hour, so that a day of anybody is at most 97 small numbers.

use super::{Caps, Refusal, Who};
use crate::base::{CallId, Instant};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

const QUARTER: Duration = Duration::from_secs(900);
const HOUR_QUARTERS: u64 = 4;
const DAY_QUARTERS: u64 = 96;
/// The account on which every call is.
const ALL: &str = "";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Calls with a leg outside, by the account that it is on.
    live: BTreeSet<(CallId, String)>,
    placed: BTreeMap<String, Account>,
}

/// How many calls each quarter of the last day has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Account(VecDeque<(u64, u32)>);

impl Tally {
    /// A number outside is dialled in this call.
    pub fn placed(&mut self, who: Who, call: CallId, now: Instant) {
        let own = match who {
            Who::Agent(agent) => agent,
            Who::Switch => ALL,
        };
        self.live.insert((call, own.into()));
        let accounts: BTreeSet<&str> = [ALL, own].into();
        for name in accounts {
            self.placed.entry(name.into()).or_default().note(quarter(now));
        }
    }

    /// The leg outside of one call is one of another from now on.
    pub fn moves(&mut self, from: CallId, to: CallId) {
        let all = std::mem::take(&mut self.live);
        let moved = |(call, who)| (if call == from { to } else { call }, who);
        self.live = all.into_iter().map(moved).collect();
    }

    /// The call is over, or has no leg outside any more.
    pub fn over(&mut self, call: CallId) {
        let of_call = |entry: &&(CallId, String)| entry.0 == call;
        let from = (call, String::new());
        let own: Vec<(CallId, String)> =
            self.live.range(from..).take_while(of_call).cloned().collect();
        for entry in own {
            self.live.remove(&entry);
        }
    }

    /// Whether one more may be placed.
    pub fn allows(&self, caps: &Caps, who: Who, now: Instant) -> Result<(), Refusal> {
        if self.live.len() >= caps.at_once as usize {
            return Err(Refusal::TooMany);
        }
        self.within(ALL, (caps.hour, caps.day), now)?;
        match who {
            Who::Agent(agent) => {
                let own = self.live.iter().filter(|(_, account)| account == agent).count();
                if own >= caps.agent_at_once as usize {
                    return Err(Refusal::TooMany);
                }
                self.within(agent, (caps.agent_hour, caps.agent_day), now)
            }
            Who::Switch => Ok(()),
        }
    }

    pub fn live(&self) -> impl Iterator<Item = CallId> {
        self.live.iter().map(|(call, _)| *call)
    }

    fn within(&self, name: &str, (hour, day): (u32, u32), now: Instant) -> Result<(), Refusal> {
        let Some(account) = self.placed.get(name) else { return Ok(()) };
        let now = quarter(now);
        match () {
            () if account.since(now.saturating_sub(HOUR_QUARTERS)) >= hour => Err(Refusal::PerHour),
            () if account.since(now.saturating_sub(DAY_QUARTERS)) >= day => Err(Refusal::PerDay),
            () => Ok(()),
        }
    }
}

impl Account {
    fn note(&mut self, quarter: u64) {
        let old = quarter.saturating_sub(DAY_QUARTERS);
        while self.0.front().is_some_and(|&(at, _)| at < old) {
            self.0.pop_front();
        }
        match self.0.back_mut() {
            Some((at, count)) if *at == quarter => *count += 1,
            Some(_) | None => self.0.push_back((quarter, 1)),
        }
    }

    /// Calls in this quarter and those after it.
    fn since(&self, quarter: u64) -> u32 {
        let counted = self.0.iter().rev().take_while(|&&(at, _)| at >= quarter);
        counted.map(|&(_, count)| count).sum()
    }
}

fn quarter(now: Instant) -> u64 {
    now.0 / QUARTER.as_micros() as u64
}
