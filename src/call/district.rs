//! Which district a call belongs to. A hint, never a gate: without one the call goes where its line
//! leads.
//!
//! In: the dialled number, the caller's number, what the caller chose before. Out: a district.
//! Knows no queue's order and no trunk's state. May import: base.

use super::Settings;
use crate::base::{Instant, QueueId, TrunkId, limits};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct District {
    /// As configuration, records and commands name it: `alirajpur`.
    pub name: String,
    /// As people read it: `अलीराजपुर`.
    pub title: String,
    /// As directories abbreviate it: `ALI`; empty where there is none.
    pub code: String,
    /// Without their 0: `7394`.
    pub std: Vec<String>,
    pub centre: Centre,
    /// What its people speak, the best first: `surgujia`, `hi`.
    pub languages: Vec<String>,
    /// A centre behind a trunk in which no phone rings after so long is not waited for.
    pub rings_within: Duration,
}

/// Who serves a district.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Centre {
    Queue(QueueId),
    /// Its own switch, behind this trunk.
    Trunk(TrunkId),
}

/// How long that is where the district does not say.
pub const RINGS_WITHIN: Duration = Duration::from_secs(8);

impl Settings {
    /// How long the centre behind this trunk has until somebody's phone rings there.
    pub(super) fn rings_within(&self, trunk: TrunkId) -> Duration {
        let behind = |district: &&District| district.centre == Centre::Trunk(trunk);
        let spans = self.districts.iter().filter(behind).map(|district| district.rings_within);
        spans.min().unwrap_or(RINGS_WITHIN)
    }

    pub fn district(&self, name: &str) -> Option<&District> {
        self.districts.iter().find(|district| district.name == name)
    }
}

/// The districts that callers chose, the newest kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    chosen: BTreeMap<String, (Instant, String)>,
    order: BTreeSet<(Instant, String)>,
}

impl Choices {
    /// `caller` is in E.164: who withholds the number is not remembered.
    pub fn remember(&mut self, caller: &str, district: &str, now: Instant) {
        if caller.is_empty() {
            return;
        }
        let before = self.chosen.insert(caller.into(), (now, district.into()));
        if let Some((at, _)) = before {
            self.order.remove(&(at, caller.into()));
        }
        self.order.insert((now, caller.into()));
        if self.chosen.len() > limits::CHOICES_MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.chosen.remove(&oldest);
        }
    }

    pub fn of(&self, caller: &str) -> Option<&str> {
        self.chosen.get(caller).map(|(_, district)| district.as_str())
    }

    pub fn len(&self) -> usize {
        self.chosen.len()
    }

    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_bounded_and_the_oldest_is_forgotten() {
        let mut choices = Choices::default();
        for n in 0..limits::CHOICES_MAX as u64 + 5 {
            choices.remember(&format!("+91{n}"), "a", Instant(n));
            choices.remember("+910", "b", Instant(n));
        }
        assert_eq!(choices.len(), limits::CHOICES_MAX);
        assert_eq!((choices.of("+910"), choices.of("+911")), (Some("b"), None));
        choices.remember("", "a", Instant(0));
        assert_eq!(choices.of(""), None);
    }
}
