//! Feature codes: what an agent keys in at the phone to say what they do.
//!
//! In: what was dialled. Out: the [`Code`], and what was keyed in behind it. Does nothing itself.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeSettings {
    /// Each act's code. None begins with another.
    pub codes: Vec<(Act, String)>,
    pub reasons: Vec<Choice>,
    pub categories: Vec<Choice>,
}

/// What a code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// `<id>*<pin>`, or the pin alone at one's own phone.
    LogIn,
    LogOut,
    Ready,
    /// The digit of a reason.
    Pause,
    EndWrapUp,
    /// The digit of a category: of the call in hand, or of the one that is wrapped up.
    Category,
    /// The short code of somebody in the directory.
    Directory,
}

/// One of a few that are told apart by a digit: a reason to pause, a category of calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub digit: char,
    /// As records have it: `food`.
    pub name: String,
    /// As people read it, in Hindi and in English.
    pub title: String,
    pub english: String,
    /// A caller whose calls are of it time and again is a nuisance.
    pub strike: bool,
}

/// A code that was dialled, and what stood behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    pub act: Act,
    pub rest: String,
}

impl Act {
    pub const ALL: [(Act, &'static str, &'static str); 7] = [
        (Act::LogIn, "login", "*11"),
        (Act::LogOut, "logout", "*12"),
        (Act::Ready, "ready", "*13"),
        (Act::Pause, "pause", "*14"),
        (Act::EndWrapUp, "end_wrap_up", "*15"),
        (Act::Category, "category", "*16"),
        (Act::Directory, "directory", "*7"),
    ];

    /// As the configuration calls it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(act, ..)| *act == self).map_or("", |(_, name, _)| name)
    }

    /// Whether something has to be keyed in behind it.
    pub fn asks(self) -> bool {
        match self {
            Act::LogIn | Act::Pause | Act::Category | Act::Directory => true,
            Act::LogOut | Act::Ready | Act::EndWrapUp => false,
        }
    }

    /// What is keyed in is complete, without a `#`.
    pub fn is_complete(self, keyed: &str) -> bool {
        match self {
            Act::Pause | Act::Category => keyed.len() == 1,
            Act::LogIn | Act::Directory => false,
            Act::LogOut | Act::Ready | Act::EndWrapUp => true,
        }
    }
}

impl Default for CodeSettings {
    fn default() -> Self {
        let choice = |(digit, name, title, english): (char, &str, &str, &str), strike| Choice {
            digit,
            name: name.into(),
            title: title.into(),
            english: english.into(),
            strike,
        };
        let reasons = [
            ('1', "tea", "चाय", "Tea"),
            ('2', "meal", "भोजन", "Meal"),
            ('3', "meeting", "बैठक", "Meeting"),
            ('4', "training", "प्रशिक्षण", "Training"),
            ('5', "other", "अन्य", "Other"),
        ];
        let categories = [
            ('1', "stranded", "फँसे हुए", "Stranded"),
            ('2', "food", "खाद्यान्न", "Food"),
            ('3', "health", "स्वास्थ्य", "Health"),
            ('4', "movement", "आवागमन", "Movement"),
            ('5', "other", "अन्य", "Other"),
            ('6', "info", "जानकारी", "Information"),
            ('7', "complaint", "शिकायत", "Complaint"),
            ('8', "blank", "मौन कॉल", "Blank"),
            ('9', "prank", "शरारत", "Prank"),
            ('0', "wrong", "गलत नंबर", "Wrong number"),
        ];
        let strikes = |name: &str| matches!(name, "blank" | "prank");
        Self {
            codes: Act::ALL.iter().map(|(act, _, code)| (*act, code.to_string())).collect(),
            reasons: reasons.map(|it| choice(it, false)).into(),
            categories: categories.map(|it| choice(it, strikes(it.1))).into(),
        }
    }
}

impl CodeSettings {
    /// The code that was dialled; a `#` at the end only says that it is the end.
    pub fn read(&self, dialled: &str) -> Option<Code> {
        let found = self.codes.iter().find_map(|(act, code)| {
            let rest = dialled.strip_prefix(code.as_str())?;
            Some((*act, rest))
        });
        let (act, rest) = found?;
        Some(Code { act, rest: rest.trim_end_matches('#').into() })
    }

    /// The code alone: what is keyed in behind it may be a pin, and is nobody's business.
    pub fn public(&self, act: Act) -> &str {
        self.codes.iter().find(|(own, _)| *own == act).map_or("", |(_, code)| code)
    }

    pub fn category(&self, name: &str) -> Option<&Choice> {
        self.categories.iter().find(|category| category.name == name)
    }
}

/// The choice with this digit.
pub fn chosen<'c>(choices: &'c [Choice], digit: &str) -> Option<&'c Choice> {
    let mut digits = digit.chars();
    let (Some(digit), None) = (digits.next(), digits.next()) else { return None };
    choices.iter().find(|choice| choice.digit == digit)
}

/// An agent's id, where one was keyed in, and the pin: `101*7401`, `*7401` and `7401`.
pub fn login(keyed: &str) -> (Option<&str>, &str) {
    match keyed.rsplit_once('*') {
        Some(("", pin)) => (None, pin),
        Some((id, pin)) => (Some(id), pin),
        None => (None, keyed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_known_by_their_beginning() {
        let codes = CodeSettings::default();
        let read = |dialled| codes.read(dialled).map(|code| (code.act, code.rest));
        assert_eq!(read("*11101*7401#"), Some((Act::LogIn, "101*7401".into())));
        assert_eq!(read("*12"), Some((Act::LogOut, String::new())));
        assert_eq!(read("*168"), Some((Act::Category, "8".into())));
        assert_eq!(read("*79"), Some((Act::Directory, "9".into())));
        assert_eq!((read("*19"), read("181"), read("")), (None, None, None));
    }

    #[test]
    fn a_pin_is_told_from_an_id() {
        assert_eq!(login("op1*1101"), (Some("op1"), "1101"));
        assert_eq!(login("*1101"), (None, "1101"));
        assert_eq!(login("1101"), (None, "1101"));
    }

    #[test]
    fn one_digit_is_one_choice() {
        let codes = CodeSettings::default();
        let name = |digit| chosen(&codes.categories, digit).map(|choice| choice.name.as_str());
        assert_eq!((name("2"), name("22"), name("")), (Some("food"), None, None));
    }
}
