//! What dialled numbers, STD codes and districts' names lead to, found without going through all of
//! them: a state has thousands of numbers, and every call asks.
//!
//! In: the settings. Out: places in them. It is no state: it is built anew with the settings.

use super::{District, Settings};
use crate::base::number;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Numbers {
    /// The first line that has the number.
    lines: BTreeMap<String, usize>,
    /// The district of an STD code.
    areas: BTreeMap<String, usize>,
    districts: BTreeMap<String, usize>,
    /// Octets of the longest STD code.
    longest: usize,
}

impl Numbers {
    pub fn new(settings: &Settings) -> Self {
        let mut numbers = Self::default();
        for (at, line) in settings.lines.iter().enumerate() {
            for number in &line.numbers {
                numbers.lines.entry(number.clone()).or_insert(at);
            }
        }
        for (at, district) in settings.districts.iter().enumerate() {
            numbers.districts.entry(district.name.clone()).or_insert(at);
            for std in &district.std {
                numbers.longest = numbers.longest.max(std.len());
                numbers.areas.insert(std.clone(), at);
            }
        }
        numbers
    }

    /// The place of the line that a number is for, in its one form or as the short code of any
    /// district: `07394181` is for the line of 181.
    pub fn line(&self, settings: &Settings, dialled: &str) -> Option<usize> {
        let code = self.district_dialled(settings, dialled).map(|(_, code)| code);
        let short = code.filter(|code| number::is_short(code));
        let own = self.lines.get(dialled).copied();
        let by_code = short.and_then(|code| self.lines.get(code).copied());
        own.into_iter().chain(by_code).min()
    }

    pub fn district<'s>(&self, settings: &'s Settings, name: &str) -> Option<&'s District> {
        settings.districts.get(*self.districts.get(name)?)
    }

    /// The district whose STD code the dialled number begins with, and what was dialled after it:
    /// `07394181` is `181` for Alirajpur. Carriers leave the 0 out, or put the country code first.
    pub fn district_dialled<'s, 'n>(
        &self,
        settings: &'s Settings,
        dialled: &'n str,
    ) -> Option<(&'s District, &'n str)> {
        let own = match dialled.strip_prefix('+') {
            Some(rest) => rest.strip_prefix(settings.plan.country.as_str())?,
            None => dialled.strip_prefix('0').unwrap_or(dialled),
        };
        let (at, std) = self.longest(own, |std| std.len() < own.len())?;
        Some((settings.districts.get(at)?, &own[std.len()..]))
    }

    /// The district that a caller's fixed line is in.
    pub fn district_of_caller<'s>(
        &self,
        settings: &'s Settings,
        caller: &str,
    ) -> Option<&'s District> {
        let plan = &settings.plan;
        let own = caller.strip_prefix('+')?.strip_prefix(plan.country.as_str())?;
        let (at, _) = self.longest(own, |std| number::is_of_area(caller, std, plan))?;
        settings.districts.get(at)
    }

    /// The longest STD code that `own` begins with and that fits.
    fn longest<'n>(&self, own: &'n str, fits: impl Fn(&str) -> bool) -> Option<(usize, &'n str)> {
        let heads = (1..=self.longest.min(own.len())).rev().filter_map(|len| own.get(..len));
        heads.filter(|std| fits(std)).find_map(|std| Some((*self.areas.get(std)?, std)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::QueueId;
    use crate::call::{Centre, Goal, Line};

    fn settings() -> Settings {
        let district = |name: &str, std: &[&str]| District {
            name: name.into(),
            title: name.into(),
            code: String::new(),
            std: std.iter().map(ToString::to_string).collect(),
            centre: Centre::Queue(QueueId(0)),
            languages: Vec::new(),
            rings_within: crate::call::RINGS_WITHIN,
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
        let numbers = Numbers::new(&settings);
        for (dialled, name, rest) in [
            ("07394181", "alirajpur", "181"),
            ("7394181", "alirajpur", "181"),
            ("+917394233445", "alirajpur", "233445"),
            ("0739181", "a", "181"),
            ("0755104", "b", "104"),
        ] {
            let (district, left) = numbers.district_dialled(&settings, dialled).expect(dialled);
            assert_eq!((district.name.as_str(), left), (name, rest), "{dialled}");
        }
        for dialled in ["181", "0755", "+14155550100", "", "helpline", "7३९४१८१"] {
            assert_eq!(numbers.district_dialled(&settings, dialled), None, "{dialled}");
        }
    }

    #[test]
    fn the_callers_own_area_tells_it_too() {
        let settings = settings();
        let numbers = Numbers::new(&settings);
        let of = |caller| numbers.district_of_caller(&settings, caller).map(|d| d.name.as_str());
        assert_eq!(of("+917394233445"), Some("alirajpur"));
        assert_eq!(of("+917552551234"), Some("b"));
        assert_eq!(of("+919826012345"), None);
        assert_eq!(of(""), None);
    }

    fn line(numbers: &[&str]) -> Line {
        Line {
            name: numbers.first().copied().unwrap_or_default().into(),
            numbers: numbers.iter().map(ToString::to_string).collect(),
            goal: Goal::Queue(QueueId(0)),
            ..Line::default()
        }
    }

    #[test]
    fn the_first_line_counts_whether_it_has_the_number_or_its_short_code() {
        let mut settings = settings();
        settings.lines = vec![line(&["181"]), line(&["0755181", "104"]), line(&["104"])];
        let numbers = Numbers::new(&settings);
        let found = ["181", "0755181", "07394104", "104", "0755", "999"]
            .map(|dialled| numbers.line(&settings, dialled));
        assert_eq!(found, [Some(0), Some(0), Some(1), Some(1), None, None]);
    }
}
