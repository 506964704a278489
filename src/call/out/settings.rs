//! What may be dialled, through which trunk, under which number, and how often.

use super::Who;
use crate::base::TrunkId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutSettings {
    /// An allow-list: what none of them has a prefix of is not dialled.
    pub routes: Vec<Route>,
    /// Numbers of other countries, as far as routes have them. Default false.
    pub international: bool,
    /// Never dialled, whatever the routes say: prefixes of numbers as they are compared.
    pub premium: Vec<String>,
    /// Always dialled: by the first trunk that answers where no route has them, and never counted.
    pub emergency: Vec<String>,
    pub caps: Caps,
    /// Longest call. Zero: without end. Default 1 h.
    pub longest: Duration,
    /// Time for notes after a call that was answered. Default 10 s.
    pub wrap_up: Duration,
    pub ring_mobile: Duration,
    pub ring_landline: Duration,
}

/// How many calls may be placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caps {
    /// By everybody together, at once.
    pub at_once: u32,
    pub hour: u32,
    pub day: u32,
    /// By one agent. One who handed a caller on to a number outside may dial again.
    pub agent_at_once: u32,
    pub agent_hour: u32,
    pub agent_day: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Of numbers as they are compared: `+91755`, `108`, `07394`.
    pub prefixes: Vec<String>,
    pub trunk: TrunkId,
    /// Shown to the called party.
    pub identity: String,
    /// So many characters are taken from the front of the number, its `+` among them, ...
    pub strip: usize,
    /// ... and this is put there.
    pub add: String,
    /// Ids of the agents whose route it is; empty: everybody's.
    pub agents: BTreeSet<String>,
}

impl Default for OutSettings {
    fn default() -> Self {
        let words = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Self {
            routes: Vec::new(),
            international: false,
            premium: words(&["1900", "+911900", "+911909"]),
            emergency: words(&["100", "101", "102", "108", "112"]),
            caps: Caps {
                at_once: 30,
                hour: 500,
                day: 5_000,
                agent_at_once: 3,
                agent_hour: 60,
                agent_day: 300,
            },
            longest: Duration::from_secs(3_600),
            wrap_up: Duration::from_secs(10),
            ring_mobile: Duration::from_secs(28),
            ring_landline: Duration::from_secs(60),
        }
    }
}

impl Route {
    /// Length of the longest of its prefixes that the number has.
    pub fn fit(&self, number: &str) -> Option<usize> {
        let fitting = self.prefixes.iter().filter(|prefix| number.starts_with(prefix.as_str()));
        fitting.map(String::len).max()
    }

    pub fn fits(&self, number: &str) -> bool {
        self.fit(number).is_some()
    }

    pub fn is_open_to(&self, who: Who) -> bool {
        match who {
            Who::Agent(agent) => self.agents.is_empty() || self.agents.contains(agent),
            Who::Switch => self.agents.is_empty(),
        }
    }

    pub fn sent(&self, number: &str) -> String {
        // Numbers are of ASCII digits, so a character is an octet.
        format!("{}{}", self.add, number.get(self.strip..).unwrap_or_default())
    }
}
