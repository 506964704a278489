//! An agent at home, who has no phone of ours, says what they do all the same: they call a line of
//! codes from their number, prove who they are where they have a pin, and key in one code after the
//! other. A tone tells what came of each. A number can be forged: without a pin it proves little.
//!
//! In: calls and keys. Out: pins and codes, for whoever knows agents. May import: base, sip, media.

use super::calls::{Calls, Io};
use super::codes::{Code, CodeSettings, SoFar};
use super::conversation::Call;
use super::own::{AtPhone, Begun, Kind};
use super::{Effect, Fact, Phone, Settings};
use crate::base::{AgentId, CallId, Timer, limits};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Keys follow one another within this time, and so do codes.
const BETWEEN_KEYS: Duration = Duration::from_secs(15);
/// Wrong pins in one call.
const WRONG_MAX: u8 = 3;

/// What is keyed in from home, so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Whose number it is.
    agent: String,
    digits: String,
    /// Nothing is done before the right pin.
    asks_pin: bool,
    wrong: u8,
    /// Keys of the whole call.
    keys: u16,
    /// A last tone is heard.
    over: bool,
}

/// What a key comes to.
enum Pressed {
    More,
    Nonsense,
    Pin(String),
    Code(Code),
}

impl Settings {
    /// The agent who is at home at this number, in E.164.
    pub fn at_home(&self, number: &str) -> Option<&Phone> {
        let is = |phone: &&Phone| {
            let contact = phone.contact.as_deref();
            contact.and_then(|contact| contact.strip_prefix("tel:")) == Some(number)
        };
        self.phones.iter().find(is).filter(|_| !number.is_empty())
    }
}

impl Session {
    pub fn new(agent: String, asks_pin: bool) -> Self {
        Self { agent, digits: String::new(), asks_pin, wrong: 0, keys: 0, over: false }
    }

    fn press(&mut self, codes: &CodeSettings, key: char) -> Pressed {
        // A code may begin with a #, which else is the end of one.
        let ends = key == '#' && !self.digits.is_empty();
        if !ends {
            self.digits.push(key);
        }
        match self.asks_pin {
            true if ends => Pressed::Pin(std::mem::take(&mut self.digits)),
            true => {
                self.digits.retain(|key| key.is_ascii_digit());
                Pressed::More
            }
            false => self.code(codes, ends),
        }
    }

    fn code(&mut self, codes: &CodeSettings, ends: bool) -> Pressed {
        if !self.digits.starts_with(['*', '#']) {
            // The rest of something that is done.
            self.digits.clear();
            return Pressed::More;
        }
        match codes.called(&self.digits, ends) {
            SoFar::More => Pressed::More,
            SoFar::Nothing => match std::mem::take(&mut self.digits).as_str() {
                // The end of what was complete before it.
                "#" => Pressed::More,
                _ => Pressed::Nonsense,
            },
            SoFar::Code(code) => {
                self.digits.clear();
                Pressed::Code(code)
            }
        }
    }
}

impl Calls {
    /// Answers an agent who calls from home.
    pub fn answer_home(
        &mut self,
        io: &mut Io,
        mut begun: Begun,
        at: &AtPhone,
        (agent, asks_pin): (&str, bool),
    ) -> Option<CallId> {
        // Whoever is to prove who they are is nobody yet.
        if !asks_pin {
            begun.arrival.agent = agent.into();
        }
        let session = Session::new(agent.into(), asks_pin);
        let port = self.port_from_outside(io);
        let id = self.answer_own(io, (begun, port), at, Kind::Home(session))?;
        // A number can be forged as often as one likes: whose it is has one call at a time.
        if let Some(before) = self.at_home.insert(agent.into(), id) {
            self.end_code(io, before);
        }
        self.play_signal(io, id, io.settings.signals.go_on);
        io.cx.timers.set(Timer::Code(id), io.cx.now.instant + BETWEEN_KEYS);
        Some(id)
    }

    /// That call of an agent is over.
    pub(super) fn has_left(&mut self, id: CallId, session: &Session) {
        if self.at_home.get(&session.agent) == Some(&id) {
            self.at_home.remove(&session.agent);
        }
    }

    /// Whose codes are keyed in there, and whether they have proven who they are.
    pub fn home_of(&self, id: CallId) -> Option<(&str, bool)> {
        let session = self.table.get(id).and_then(Call::session)?;
        Some((&session.agent, !session.asks_pin))
    }

    /// A key was pressed in some call. False: nobody is at home there.
    pub(super) fn key_from_home(&mut self, io: &mut Io, id: CallId, key: char) -> bool {
        let Some(session) = self.table.get_mut(id).and_then(Call::session_mut) else {
            return false;
        };
        if session.over {
            return true;
        }
        session.keys += 1;
        if session.keys > limits::HOME_KEYS_MAX {
            self.end_code(io, id);
            return true;
        }
        io.cx.timers.set(Timer::Code(id), io.cx.now.instant + BETWEEN_KEYS);
        let pressed = session.press(&io.settings.codes, key);
        self.keyed_at_home(io, id, pressed);
        true
    }

    fn keyed_at_home(&mut self, io: &mut Io, id: CallId, pressed: Pressed) {
        let Some(session) = self.table.get(id).and_then(Call::session) else { return };
        let phone = session.agent.clone();
        match pressed {
            Pressed::More => {}
            Pressed::Nonsense => self.signal(io, id, false),
            Pressed::Pin(pin) => io.out.push(Effect::Proves { call: id, agent: phone, pin }),
            Pressed::Code(Code { act, rest }) => {
                io.out.push(Effect::Keyed { call: id, phone, act, digits: rest });
            }
        }
    }

    /// Whose pin it was, if the right one. `locked`: no other will be looked at for a while.
    pub fn proven(&mut self, io: &mut Io, id: CallId, who: Option<AgentId>, locked: bool) {
        let Some(call) = self.table.get_mut(id) else { return };
        let right = who.is_some();
        // From here on it is their call.
        if right && call.session().is_some() && !std::mem::replace(&mut call.was_connected, true) {
            io.fact(Fact::Connected { call: id, agent: who });
        }
        let Some(session) = call.session_mut() else { return };
        session.asks_pin &= !right;
        session.wrong += u8::from(!right);
        session.over = locked || session.wrong >= WRONG_MAX;
        self.signal(io, id, right);
    }

    /// What came of a code, or of a pin; the next may follow. False: nobody is at home there.
    pub(super) fn signal_home(&mut self, io: &mut Io, id: CallId, done: bool) -> bool {
        let Some(call) = self.table.get_mut(id).filter(|call| call.session().is_some()) else {
            return false;
        };
        if done && !std::mem::replace(&mut call.was_connected, true) {
            io.fact(Fact::Connected { call: id, agent: None });
        }
        io.cx.timers.set(Timer::Code(id), io.cx.now.instant + BETWEEN_KEYS);
        true
    }

    /// A tone has ended, or no key came for long (`waited`). False: nobody is at home there.
    pub(super) fn home_is_over(&mut self, io: &mut Io, id: CallId, waited: bool) -> bool {
        let Some(session) = self.table.get_mut(id).and_then(Call::session_mut) else {
            return false;
        };
        // Whoever says no more says that it is the end.
        match waited && !session.over && !session.digits.is_empty() {
            true => _ = self.key_from_home(io, id, '#'),
            false if waited || session.over => self.end_code(io, id),
            false => {}
        }
        true
    }
}

impl Call {
    pub(super) fn session(&self) -> Option<&Session> {
        match &self.own.as_ref()?.kind {
            Kind::Home(session) => Some(session),
            Kind::Line
            | Kind::Colleague
            | Kind::Outside { .. }
            | Kind::Reached(_)
            | Kind::Code(_) => None,
        }
    }

    fn session_mut(&mut self) -> Option<&mut Session> {
        match &mut self.own.as_mut()?.kind {
            Kind::Home(session) => Some(session),
            Kind::Line
            | Kind::Colleague
            | Kind::Outside { .. }
            | Kind::Reached(_)
            | Kind::Code(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::codes::Act;

    #[test]
    fn codes_are_keyed_in_one_after_the_other_and_the_pin_before_all() {
        let codes = CodeSettings::default();
        let mut session = Session::new("op1".into(), true);
        let key_in = |session: &mut Session, keys: &str| {
            let mut told = Vec::new();
            for key in keys.chars() {
                match session.press(&codes, key) {
                    Pressed::More => {}
                    Pressed::Nonsense => told.push("nonsense".to_string()),
                    Pressed::Pin(pin) => told.push(format!("pin {pin}")),
                    Pressed::Code(Code { act, rest }) => {
                        told.push(format!("{} {rest}", act.name()));
                    }
                }
            }
            told
        };
        assert_eq!(key_in(&mut session, "*13"), [""; 0], "who is it?");
        session.digits.clear();
        assert_eq!(key_in(&mut session, "7401#"), ["pin 7401"]);
        session.asks_pin = false;
        let done = ["login ", "pause 2", "category 3", "ready "];
        assert_eq!(key_in(&mut session, "*117401#*142*163#*13"), done);
        assert_eq!(key_in(&mut session, "*99*14#*15"), ["nonsense", "nonsense", "end_wrap_up "]);
        assert!(codes.codes.iter().any(|(act, _)| *act == Act::LogIn));
    }
}
