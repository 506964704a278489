//! Whole phrases of the switch, and every word that they may need.

use super::message;
use super::number;
use super::sentence::{Grammar, Sentence};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phrase {
    /// What a supervisor has to say: words of ours or theirs, and what is composed of them.
    Message(String),
    /// All operators are on other calls.
    Busy,
    /// You are next.
    Next,
    Position(u64),
    /// Farther back in the line than anybody can keep in mind.
    PositionOver(u64),
    Wait(Wait),
    EmergencyKey(char),
    CallbackKey(char),
    /// We will call you back at this number.
    CallbackPromised,
    /// Nobody is there to answer; we will call back.
    Closed,
    /// Very many are calling.
    Full,
    /// Nobody can be reached; we will call back.
    Failed,
    /// Press this key for that.
    Choice(Thing, char),
    /// To an agent: this number is being called back.
    CallingBack(String),
    /// To an agent: the number of the slot that their caller is parked in.
    Parked(u64),
}

/// What a menu leads to, by its name in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Thing {
    /// Offered in itself: whoever wants it understands it.
    Language(String),
    District(String),
    Queue(String),
}

/// An estimated wait, in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wait {
    Under(u64),
    Between(u64, u64),
    Over(u64),
}

/// The names of the prompts that say this, in the order of the language.
pub fn say(language: &str, phrases: &[Phrase]) -> Vec<String> {
    let phrase = |phrase: &Phrase| {
        let language = match phrase {
            Phrase::Choice(Thing::Language(own), _) => own,
            _ => language,
        };
        let mut sentence = Sentence::new(language);
        one(&mut sentence, phrase);
        sentence.into_names()
    };
    phrases.iter().flat_map(phrase).collect()
}

fn one(say: &mut Sentence, phrase: &Phrase) {
    match phrase {
        Phrase::Message(text) => message::compose(say, text),
        Phrase::Busy => say.word("busy"),
        Phrase::Next => say.word("next"),
        Phrase::Position(n) => say.word("pos").number(*n).is(),
        Phrase::PositionOver(n) => say.word("pos").over(*n).is(),
        Phrase::Wait(wait) => say.word("wait").wait(*wait).is(),
        Phrase::EmergencyKey(key) => say.word("emerg").press(*key),
        Phrase::CallbackKey(key) => say.word("cb_offer").press(*key),
        Phrase::CallbackPromised => say.word("cb_ok"),
        Phrase::Closed => say.word("closed"),
        Phrase::Full => say.word("full"),
        Phrase::Failed => say.word("fail"),
        Phrase::Choice(thing, key) => match say.grammar {
            Grammar::Hindi => say.word(&thing.name()).word("for").press(*key),
            Grammar::English => say.word("for").word(&thing.name()).press(*key),
        },
        Phrase::CallingBack(number) => say.word("cb_agent").digits(number),
        Phrase::Parked(slot) => say.word("parked").number(*slot),
    };
}

impl Sentence {
    /// The verb, which Hindi puts last and English has said before.
    fn is(&mut self) -> &mut Self {
        match self.grammar {
            Grammar::Hindi => self.word("is"),
            Grammar::English => self,
        }
    }

    /// शून्य दबाएँ; press zero.
    fn press(&mut self, key: char) -> &mut Self {
        match self.grammar {
            Grammar::Hindi => self.key(key).word("press"),
            Grammar::English => self.word("press").key(key),
        }
    }

    /// बीस से अधिक; more than twenty.
    fn over(&mut self, n: u64) -> &mut Self {
        match self.grammar {
            Grammar::Hindi => self.number(n).word("over"),
            Grammar::English => self.word("over").number(n),
        }
    }

    fn wait(&mut self, wait: Wait) -> &mut Self {
        match (wait, self.grammar) {
            (Wait::Under(n), Grammar::Hindi) => self.count(n, "minute", "minutes").word("under"),
            (Wait::Under(n), Grammar::English) => self.word("under").count(n, "minute", "minutes"),
            (Wait::Between(from, to), _) => {
                self.number(from).word("to").count(to, "minute", "minutes")
            }
            // "दस मिनट से अधिक": the unit stands before the word that compares.
            (Wait::Over(n), Grammar::Hindi) => self.count(n, "minute", "minutes").word("over"),
            (Wait::Over(n), Grammar::English) => self.over(n).unit(n, "minute", "minutes"),
        }
    }
}

impl Thing {
    fn name(&self) -> String {
        match self {
            Thing::Language(name) => format!("language/{name}"),
            Thing::District(name) => format!("district/{name}"),
            Thing::Queue(name) => format!("queue/{name}"),
        }
    }
}

/// What a message may have besides words of its own: times and spans of every form, days, and what
/// goes before a number.
const COMPOSED: &str = "101 0:00 5:05 9:30 13:30 14:30 17:15 1s 2s 1m 2m 1h 2h 1h30m 2h30m 3h30m \
                        today tomorrow monday tuesday wednesday thursday friday saturday sunday \
                        ticket transfer transfer_end closed thanks";

/// Every prompt that [`say`] may name in this language, with these choices in its menus.
pub fn vocabulary(language: &str, choices: &[Thing]) -> Vec<String> {
    let waits = [Wait::Under(1), Wait::Between(1, 2), Wait::Over(10)].map(Phrase::Wait);
    let fixed = [
        Phrase::Busy,
        Phrase::Next,
        Phrase::PositionOver(20),
        Phrase::EmergencyKey('0'),
        Phrase::CallbackKey('1'),
        Phrase::CallbackPromised,
        Phrase::Closed,
        Phrase::Full,
        Phrase::Failed,
        Phrase::Message(COMPOSED.into()),
        Phrase::CallingBack("9999999999".into()),
        Phrase::Parked(99),
    ];
    let choices = choices.iter().map(|thing| Phrase::Choice(thing.clone(), '1'));
    let phrases: Vec<Phrase> = fixed.into_iter().chain(waits).chain(choices).collect();
    let own = format!("{language}/");
    let words = number::words().into_iter().map(|word| format!("{own}{word}"));
    let said = say(language, &phrases).into_iter().filter(|name| name.starts_with(&own));
    let all: BTreeSet<String> = words.chain(said).collect();
    all.into_iter().collect()
}
