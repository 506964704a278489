//! The settings of the call layer: what a dialled number means, where an agent's phone is, and
//! what media looks like.

use super::blocks::BlockSettings;
use super::codes::CodeSettings;
use super::directory::Directory;
use super::district::District;
use super::homes::{Home, Homes};
use super::in_call::InCall;
use super::numbers::Numbers;
use super::out::OutSettings;
use super::recording::Rules;
use crate::base::number::Plan;
use crate::base::{QueueId, TrunkId, TuneId};
use crate::media::control::Networks;
use crate::wire::codec::Codec;
use crate::wire::sdp::Srtp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub lines: Vec<Line>,
    /// The line, by its place, of numbers from a trunk that no line has. `None`: they get 404.
    pub default_line: Option<usize>,
    pub districts: Vec<District>,
    pub directory: Arc<Directory>,
    /// What may be dialled outside.
    pub out: OutSettings,
    pub codes: CodeSettings,
    pub blocks: BlockSettings,
    pub signals: Signals,
    /// The time zone that days are counted in.
    pub zone: String,
    /// Where each trunk puts its numbers, in the order of the trunks' ids.
    pub trunks: Vec<Numbering>,
    /// In the order of the agents' ids; after them, those that are nobody's.
    pub phones: Vec<Phone>,
    pub media: MediaSettings,
    /// Where each prompt that may be said is in the settings' tunes.
    pub prompts: Arc<BTreeMap<String, TuneId>>,
    /// What a supervisor may have the callers of a queue told: words of every language.
    pub messages: Vec<String>,
    /// What is spoken to callers who want no language, or one of which no prompt is known.
    pub language: String,
    pub in_call: InCall,
    pub recording: Rules,
    pub plan: Plan,
    pub back: BackSettings,
    /// Calls alive at a time; beyond it new ones get 503 with Retry-After. Default 10,000.
    pub max_calls: usize,
    /// New calls per second that are accepted; beyond it 503 with Retry-After. Default 2,000.
    pub max_rate: u32,
}

impl Settings {
    /// The line of whoever came by none: that of unknown numbers, or else the first.
    pub fn anybodys_line(&self) -> Option<&Line> {
        let default = self.default_line.and_then(|at| self.lines.get(at));
        default.or(self.lines.first())
    }

    /// The queue of whoever came by no line: that of the default one, or else of the first that has
    /// one.
    pub fn anybodys_queue(&self) -> Option<QueueId> {
        let default = self.default_line.and_then(|at| self.lines.get(at));
        default.into_iter().chain(&self.lines).find_map(|line| line.goal.queue())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lines: Vec::new(),
            default_line: None,
            districts: Vec::new(),
            directory: Arc::default(),
            out: OutSettings::default(),
            codes: CodeSettings::default(),
            blocks: BlockSettings::default(),
            signals: Signals::default(),
            zone: "Asia/Kolkata".into(),
            trunks: Vec::new(),
            phones: Vec::new(),
            media: MediaSettings::default(),
            recording: Rules::default(),
            prompts: Arc::default(),
            messages: Vec::new(),
            language: "hi".into(),
            in_call: InCall::default(),
            plan: Plan::default(),
            back: BackSettings::default(),
            max_calls: 10_000,
            max_rate: 2_000,
        }
    }
}

impl Settings {
    /// The phone that colleagues reach by this extension, or by the name of its agent.
    pub fn extension(&self, dialled: &str) -> Option<&Phone> {
        let is = |phone: &&Phone| phone.user == dialled || phone.extension == dialled;
        self.phones.iter().find(is).filter(|_| !dialled.is_empty())
    }

    /// Whether any call may be recorded by rule.
    pub fn records(&self) -> bool {
        let rules = &self.recording;
        let some = rules.all || !rules.queues.is_empty() || !rules.agents.is_empty();
        some || self.lines.iter().any(|line| line.record)
    }

    /// Where callers of this number wait: in the queue of its line, or of the default line, or of
    /// any line that has one.
    pub fn queue_of_number(&self, numbers: &Numbers, dialled: &str) -> Option<QueueId> {
        let own = numbers.line(self, dialled).and_then(|at| self.lines.get(at));
        let default = self.default_line.and_then(|at| self.lines.get(at));
        let lines = own.into_iter().chain(default).chain(&self.lines);
        lines.map(|line| &line.goal).find_map(|goal| match goal {
            Goal::Queue(queue)
            | Goal::Served { queue }
            | Goal::Menu { queue }
            | Goal::Later { queue } => Some(*queue),
            Goal::Dial(_) | Goal::Goodbye | Goal::Placed | Goal::Codes => None,
        })
    }
}

/// How callers are called back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackSettings {
    /// Whoever hung up sooner than this is not listed as missed.
    pub short: Duration,
}

impl Default for BackSettings {
    fn default() -> Self {
        Self { short: Duration::from_secs(5) }
    }
}

/// What a dialled number means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub name: String,
    /// In the form of [`crate::base::number::dialled`]: `181`, `0755181`, `+917552551234`,
    /// `helpline`.
    pub numbers: Vec<String>,
    pub goal: Goal,
    /// Callers of a queue line go to the centre of their district first, where it is known.
    pub by_district: bool,
    /// Numbers that are a nuisance are kept out.
    pub block: bool,
    /// The district that its numbers are in; empty where the call has to tell.
    pub district: String,
    /// Played once before the music; callers may be offered to an agent meanwhile.
    pub welcome: Option<TuneId>,
    pub music: Option<TuneId>,
    /// Its calls are recorded.
    pub record: bool,
    /// Of its callers, from 0 to 9; the higher goes first.
    pub priority: u8,
    /// Its callers go before all others.
    pub emergency: bool,
    /// What its callers want to be spoken to in, the best first, where nothing tells more.
    pub languages: Vec<String>,
    /// Keys that waiting callers may press.
    pub keys: Keys,
    /// Asked once, after the welcome; empty: nothing is asked.
    pub menu: Vec<Choice>,
    /// Said in place of the choices one by one.
    pub menu_prompt: Option<TuneId>,
    /// How long a caller has for choosing, once all has been said.
    pub menu_wait: Duration,
}

impl Line {
    /// Whether its menu is put to a caller of this district: not where it asks for that alone, and
    /// it is known. It is a hint for all that: the queue of the line stands behind it.
    pub(super) fn asks(&self, district: &str) -> bool {
        let told = |choice: &Choice| match choice.means {
            Means::District(_) => !district.is_empty(),
            Means::Language(_) | Means::Queue(..) => false,
        };
        !self.menu.iter().all(told)
    }
}

impl Default for Line {
    fn default() -> Self {
        Self {
            name: String::new(),
            numbers: Vec::new(),
            goal: Goal::Queue(QueueId::default()),
            by_district: true,
            block: true,
            district: String::new(),
            welcome: None,
            music: None,
            record: false,
            priority: 0,
            emergency: false,
            languages: Vec::new(),
            keys: Keys::default(),
            menu: Vec::new(),
            menu_prompt: None,
            menu_wait: Duration::from_secs(5),
        }
    }
}

/// What waiting callers may press, where the line offers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// It is an emergency: ahead of all.
    pub emergency: Option<char>,
    /// Call me back, at my place in the line.
    pub callback: Option<char>,
}

/// One entry of a line's menu.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub key: char,
    pub means: Means,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Means {
    Language(String),
    District(String),
    /// Its name as well, which is what is said.
    Queue(QueueId, String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goal {
    /// Answer at once, then wait for an agent.
    Queue(QueueId),
    /// Answer at once; somebody who was named serves the caller: the centre of their district,
    /// behind its trunk, or whoever the call was transferred to. Who is not answered there waits in
    /// this queue. Lines have no such goal; calls take it on.
    Served { queue: QueueId },
    /// Answer at once; the caller is asked something, and waits in this queue if they say nothing.
    /// Calls take it on.
    Menu { queue: QueueId },
    /// Nobody is on the line; whoever was to be called back was not reached, and is tried again.
    /// Calls take it on.
    Later { queue: QueueId },
    /// The caller waits for nobody any more, is told so, and hung up. Calls take it on.
    Goodbye,
    /// Ring this SIP URI and answer when it answers.
    Dial(String),
    /// What a phone of ours dialled. Lines have no such goal.
    Placed,
    /// Agents at home key in codes. Calls have no such goal.
    Codes,
}

impl Goal {
    /// The queue in which the caller waits, or to which they return.
    pub fn queue(&self) -> Option<QueueId> {
        match *self {
            Goal::Queue(queue)
            | Goal::Served { queue }
            | Goal::Menu { queue }
            | Goal::Later { queue } => Some(queue),
            Goal::Dial(_) | Goal::Goodbye | Goal::Placed | Goal::Codes => None,
        }
    }
}

/// What is played to whoever keys in a code. `None`: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signals {
    pub done: Option<TuneId>,
    pub refused: Option<TuneId>,
    /// Whoever was dialled is busy, cannot be reached just now, or is nobody.
    pub busy: Option<TuneId>,
    pub congested: Option<TuneId>,
    pub unobtainable: Option<TuneId>,
    /// Key in the rest.
    pub go_on: Option<TuneId>,
    /// Somebody who is to be asked about a call is rung.
    pub ring: Option<TuneId>,
    /// Press 1 to have the caller.
    pub accept: Option<TuneId>,
}

impl Signals {
    /// What says why a party could not be reached: the tone that any exchange would have given.
    pub fn of_status(&self, status: u16) -> Option<TuneId> {
        match status {
            486 | 600 => self.busy,
            404 | 410 | 484 | 485 | 604 => self.unobtainable,
            408 | 430 | 500..=599 => self.congested,
            _ => self.refused,
        }
    }
}

/// In which header fields a trunk's numbers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbering {
    pub dialled: DialledIn,
    pub caller: CallerIn,
    /// A switch of ours is behind it: what it says of a call is believed, and it is told the same.
    pub peer: bool,
    /// It has no telephone-event: keys are tones in the sound.
    pub inband: bool,
    /// Where its sound may come from, whatever its calls say.
    pub media_from: Networks,
    /// Whether its sound is sealed; `None`: as that of telephones is.
    pub srtp: Option<Srtp>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DialledIn {
    /// The first of the three that some line has.
    #[default]
    Any,
    RequestUri,
    To,
    PCalledPartyId,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallerIn {
    /// P-Asserted-Identity, or what stands in for it; From where there is none.
    #[default]
    Asserted,
    From,
}

/// How an agent is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// The agent's id, which is the SIP user name too.
    pub user: String,
    /// Shown on other phones. UTF-8.
    pub name: String,
    /// A fixed address, for a phone that does not register; `tel:` and a number in E.164 for an
    /// agent who works from home.
    pub contact: Option<String>,
    /// The digits by which colleagues dial it; the user where there are none.
    pub extension: String,
    /// A colleague's call rings while they talk, as the second one; nobody out of a queue does.
    pub call_waiting: bool,
    /// The one trunk by which an agent at a number outside is reached; `None`: as routes have it.
    pub trunk: Option<TrunkId>,
}

impl Phone {
    /// An agent at home has it.
    pub fn is_home(&self) -> bool {
        self.contact.as_ref().is_some_and(|contact| contact.starts_with("tel:"))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaSettings {
    /// Where media ports are bound, and the addresses that session descriptions carry.
    pub homes: Homes,
    /// First and last port number, RTP and RTCP.
    pub ports: (u16, u16),
    /// In order of preference: a caller is answered with the first that they offer, until it is
    /// known what the other party speaks.
    pub codecs: Vec<Codec>,
    /// Worker threads; ports are dealt to them by number.
    pub workers: u8,
    /// A talking party not heard for this long is reported. Default 3 s.
    pub silence_alarm: Duration,
    /// A talking party not heard for this long has gone: the call ends. Default 60 s. Zero: never.
    pub silence_hangup: Duration,
    /// The differentiated services code point of what is sent (RFC 2474). Default 46, expedited.
    pub dscp: u8,
    /// Whoever is not where they said has to prove that they hear us before they are heard.
    pub strict: bool,
    pub io: MediaIo,
    /// Whether the sound of telephones is sealed, and of trunks that do not say so themselves.
    pub srtp: Srtp,
}

/// How media workers move their packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MediaIo {
    /// By io_uring where the kernel allows it, by epoll elsewhere.
    Auto,
    #[default]
    Epoll,
    /// By io_uring, or not at all.
    Uring,
}

impl Default for MediaSettings {
    fn default() -> Self {
        Self {
            homes: Homes::new(Home::at(IpAddr::from([127, 0, 0, 1])), None),
            ports: (20_000, 29_999),
            codecs: Codec::ALL.to_vec(),
            workers: 2,
            silence_alarm: Duration::from_secs(3),
            silence_hangup: Duration::from_secs(60),
            dscp: 46,
            strict: false,
            io: MediaIo::default(),
            srtp: Srtp::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_says_why_nobody_was_reached() {
        let tune = |n| Some(TuneId(n));
        let signals = Signals {
            refused: tune(1),
            busy: tune(2),
            congested: tune(3),
            unobtainable: tune(4),
            ..Signals::default()
        };
        let tones =
            [486, 600, 404, 484, 503, 408, 480, 603].map(|status| signals.of_status(status));
        assert_eq!(tones, [2, 2, 4, 4, 3, 3, 1, 1].map(tune));
    }
}
