//! Which district a call belongs to. A hint, never a gate: without one the call goes where its line
//! leads.
//!
//! In: the dialled number, the caller's number, what the caller chose before. Out: a district.
//! Knows no queue's order and no trunk's state. May import: base.

use super::Settings;
use crate::base::number::{self, Plan};
use crate::base::{Instant, QueueId, TrunkId, limits};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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
}

/// Who serves a district.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Centre {
    Queue(QueueId),
    /// Its own switch, behind this trunk.
    Trunk(TrunkId),
}

impl Settings {
    pub fn district(&self, name: &str) -> Option<&District> {
        self.districts.iter().find(|district| district.name == name)
    }

    /// The district whose STD code the dialled number begins with, and what was dialled after it:
    /// `07394181` is `181` for Alirajpur. Carriers leave the 0 out, or put the country code first.
    pub fn district_dialled<'n>(&self, dialled: &'n str) -> Option<(&District, &'n str)> {
        let country = self.plan.country.as_str();
        let own = match dialled.strip_prefix('+') {
            Some(rest) => rest.strip_prefix(country)?,
            None => dialled.strip_prefix('0').unwrap_or(dialled),
        };
        longest(&self.districts, |std| own.strip_prefix(std).filter(|rest| !rest.is_empty()))
    }

    /// The district that a caller's fixed line is in.
    pub fn district_of_caller(&self, caller: &str) -> Option<&District> {
        let plan: &Plan = &self.plan;
        let of = |std: &str| number::is_of_area(caller, std, plan).then_some(());
        longest(&self.districts, of).map(|(district, ())| district)
    }
}

/// The district with the longest STD code that fits.
fn longest<T>(districts: &[District], fits: impl Fn(&str) -> Option<T>) -> Option<(&District, T)> {
    let all = districts.iter().flat_map(|district| district.std.iter().map(move |s| (district, s)));
    let found = all.filter_map(|(district, std)| Some((std.len(), district, fits(std)?)));
    found.max_by_key(|(len, ..)| *len).map(|(_, district, rest)| (district, rest))
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

    fn settings() -> Settings {
        let district = |name: &str, std: &[&str]| District {
            name: name.into(),
            title: name.into(),
            code: String::new(),
            std: std.iter().map(ToString::to_string).collect(),
            centre: Centre::Queue(QueueId(0)),
        };
        let districts = vec![
            district("alirajpur", &["7394"]),
            district("a", &["739"]),
            district("b", &["755"]),
        ];
        Settings { districts, ..Settings::default() }
    }

    #[test]
    fn the_std_code_that_was_dialled_tells_the_district() {
        let settings = settings();
        for (dialled, name, rest) in [
            ("07394181", "alirajpur", "181"),
            ("7394181", "alirajpur", "181"),
            ("+917394233445", "alirajpur", "233445"),
            ("0739181", "a", "181"),
            ("0755104", "b", "104"),
        ] {
            let (district, left) = settings.district_dialled(dialled).expect(dialled);
            assert_eq!((district.name.as_str(), left), (name, rest), "{dialled}");
        }
        for dialled in ["181", "0755", "+14155550100", "", "helpline"] {
            assert_eq!(settings.district_dialled(dialled), None, "{dialled}");
        }
    }

    #[test]
    fn the_callers_own_area_tells_it_too() {
        let settings = settings();
        let of = |caller| settings.district_of_caller(caller).map(|d| d.name.as_str());
        assert_eq!(of("+917394233445"), Some("alirajpur"));
        assert_eq!(of("+917552551234"), Some("b"));
        assert_eq!(of("+919826012345"), None);
        assert_eq!(of(""), None);
    }

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
