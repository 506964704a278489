//! Feature codes: what an agent dials, or keys in while they talk, to say what they do.
//!
//! In: what was dialled or keyed in. Out: the [`Code`], and what stood behind it. Does nothing
//! itself.

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
    /// Back to the caller; whoever was asked goes.
    Back,
    /// Whom to ask first. Hanging up hands the call over.
    Consult,
    /// All three hear one another.
    Join,
    /// To whom the caller is sent.
    Blind,
    /// The caller waits again, at the old place.
    ToQueue,
    Park,
    /// What follows is left out of the recording, until it is keyed in again.
    Private,
    /// The number of a slot: whoever is parked there.
    PickUp,
}

/// Where a code means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// The switch answers a call to it.
    Answered,
    /// Whoever dials it talks to somebody.
    Dialled,
    /// It is keyed in while a call is in hand.
    InCall,
    /// Answered, and keyed in too.
    Both,
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

/// A code that was dialled or keyed in, and what stood behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    pub act: Act,
    pub rest: String,
}

/// What the keys come to that were pressed so far while a call is in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SoFar {
    Code(Code),
    More,
    Nothing,
}

impl Act {
    pub const ALL: [(Act, &'static str, &'static str); 15] = [
        (Act::LogIn, "login", "*11"),
        (Act::LogOut, "logout", "*12"),
        (Act::Ready, "ready", "*13"),
        (Act::Pause, "pause", "*14"),
        (Act::EndWrapUp, "end_wrap_up", "*15"),
        (Act::Category, "category", "*16"),
        (Act::Directory, "directory", "*7"),
        (Act::Back, "back", "*0"),
        (Act::Consult, "consult", "*2"),
        (Act::Join, "join", "*3"),
        (Act::Blind, "blind", "*4"),
        (Act::ToQueue, "queue", "*5"),
        (Act::Park, "park", "*6"),
        (Act::Private, "private", "*8"),
        (Act::PickUp, "pick", "*17"),
    ];

    fn at(self) -> At {
        match self {
            Act::LogIn | Act::LogOut | Act::Ready | Act::Pause | Act::EndWrapUp => At::Answered,
            Act::Directory | Act::PickUp => At::Dialled,
            Act::Category => At::Both,
            Act::Back | Act::Consult | Act::Join | Act::Blind => At::InCall,
            Act::ToQueue | Act::Park | Act::Private => At::InCall,
        }
    }

    /// Whether the switch answers a call to it, and tells by a tone what came of it.
    pub fn is_answered(self) -> bool {
        matches!(self.at(), At::Answered | At::Both)
    }

    /// Whether it is keyed in while a call is in hand.
    pub fn is_in_call(self) -> bool {
        matches!(self.at(), At::InCall | At::Both)
    }

    /// As the admin socket calls what it does to a call in hand, where others may ask for it there.
    pub fn verb(self) -> &'static str {
        match self {
            Act::Consult | Act::Join | Act::Blind => "calls.transfer",
            Act::ToQueue => "calls.return",
            Act::Park => "calls.park",
            Act::Private => "calls.private",
            Act::PickUp => "calls.pick",
            Act::Back | Act::Category | Act::Directory => self.name(),
            Act::LogIn | Act::LogOut | Act::Ready | Act::Pause | Act::EndWrapUp => "agents.set",
        }
    }

    /// As the configuration calls it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(act, ..)| *act == self).map_or("", |(_, name, _)| name)
    }

    /// Whether something has to be keyed in behind it.
    pub fn asks(self) -> bool {
        match self {
            Act::LogIn | Act::Pause | Act::Category | Act::Directory => true,
            Act::Consult | Act::Blind | Act::PickUp => true,
            Act::LogOut | Act::Ready | Act::EndWrapUp => false,
            Act::Back | Act::Join | Act::ToQueue | Act::Park | Act::Private => false,
        }
    }

    /// What is keyed in is complete, without a `#`.
    pub fn is_complete(self, keyed: &str) -> bool {
        match self {
            Act::Pause | Act::Category => keyed.len() == 1,
            Act::LogIn | Act::Directory | Act::Consult | Act::Blind | Act::PickUp => false,
            Act::LogOut | Act::Ready | Act::EndWrapUp => true,
            Act::Back | Act::Join | Act::ToQueue | Act::Park | Act::Private => true,
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
        // Whoever says nothing may be in need, and unable to speak: silence is no strike.
        let strikes = |name: &str| name == "prank";
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

    /// What an agent has keyed in while a call is in hand. `over`: nothing more follows.
    pub fn keyed(&self, keys: &str, over: bool) -> SoFar {
        self.so_far(keys, over, Act::is_in_call, Act::asks)
    }

    /// The same of one who has called to key in codes, and has logged in by that.
    pub fn called(&self, keys: &str, over: bool) -> SoFar {
        self.so_far(keys, over, Act::is_answered, |act| act != Act::LogIn && act.asks())
    }

    fn so_far(
        &self,
        keys: &str,
        over: bool,
        is_own: fn(Act) -> bool,
        asks: impl Fn(Act) -> bool,
    ) -> SoFar {
        let own = || self.codes.iter().filter(|(act, _)| is_own(*act));
        let found = own().find_map(|(act, code)| Some((*act, keys.strip_prefix(code.as_str())?)));
        let Some((act, rest)) = found else {
            return match !over && own().any(|(_, code)| code.starts_with(keys)) {
                true => SoFar::More,
                false => SoFar::Nothing,
            };
        };
        let whole = act.is_complete(rest) || over || rest.ends_with('#') || !asks(act);
        let rest = rest.trim_end_matches('#');
        match whole {
            false => SoFar::More,
            true if asks(act) && rest.is_empty() => SoFar::Nothing,
            true => SoFar::Code(Code { act, rest: rest.into() }),
        }
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
    fn codes_are_keyed_in_one_by_one() {
        let codes = CodeSettings::default();
        let keyed = |keys: &str| codes.keyed(keys, false);
        let code = |act, rest: &str| SoFar::Code(Code { act, rest: rest.into() });
        assert_eq!(
            [keyed("*"), keyed("*1"), keyed("*16")],
            [SoFar::More, SoFar::More, SoFar::More]
        );
        assert_eq!([keyed("*0"), keyed("*168")], [code(Act::Back, ""), code(Act::Category, "8")]);
        assert_eq!([keyed("*2"), keyed("*211")], [SoFar::More, SoFar::More]);
        assert_eq!(keyed("*211#"), code(Act::Consult, "11"));
        assert_eq!(keyed("*4104#"), code(Act::Blind, "104"));
        for nothing in ["*9", "*2#", "**", "*16#", "*11", "*17"] {
            assert_eq!(keyed(nothing), SoFar::Nothing, "{nothing}");
        }
        assert_eq!(codes.keyed("*211", true), code(Act::Consult, "11"));
        for nothing in ["*", "*2"] {
            assert_eq!(codes.keyed(nothing, true), SoFar::Nothing, "{nothing}");
        }
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
