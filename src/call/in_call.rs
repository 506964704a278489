//! What an agent keys in while they talk: `*2health#` asks the counsellors, `*0` goes back to the
//! caller. A code begins with `*`; until it is over its keys do not reach the other party, and all
//! other keys do.

use super::calls::{Calls, Io};
use super::codes::{self, Act, Code, SoFar};
use super::handover::Way;
use super::transfer::Ask;
use super::{Effect, Settings};
use crate::base::limits::CODE_MAX;
use crate::base::{CallId, LegId, Timer};
use crate::media::control::Command;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InCall {
    /// What digits stand for, beside extensions and numbers: `1` for `queue:health`.
    pub short: BTreeMap<String, String>,
    /// Between two keys of a code. After it, what was keyed in holds, or is forgotten.
    pub pause: Duration,
    /// A parked call goes back after this long. Default 2 minutes.
    pub park_for: Duration,
    /// Agents hear a tone when a supervisor begins to hear them. Default: they do.
    pub watch_tone: bool,
}

impl Default for InCall {
    fn default() -> Self {
        let (short, pause) = (BTreeMap::new(), Duration::from_secs(4));
        Self { short, pause, park_for: Duration::from_secs(120), watch_tone: true }
    }
}

impl Calls {
    /// A key of an agent who has the call in hand.
    pub(super) fn pressed_in_call(&mut self, io: &mut Io, id: CallId, leg: LegId, key: char) {
        let call = self.table.get_mut(id).filter(|call| !call.is_told_slot(leg));
        let Some(this) = call.and_then(|call| call.leg_mut(leg)) else { return };
        if this.keys.is_empty() && key != '*' || this.keys.len() >= CODE_MAX {
            return;
        }
        this.keys.push(key);
        let keys = this.keys.clone();
        self.read_keys(io, id, leg, (&keys, false));
    }

    /// `Timer::Keys`: nothing more is keyed in.
    pub fn keys_over(&mut self, io: &mut Io, leg: LegId) {
        let Some(&id) = self.by_leg.get(&leg) else { return };
        let keys = self.table.get(id).and_then(|call| call.leg(leg)).map(|leg| leg.keys.clone());
        if let Some(keys) = keys.filter(|keys| !keys.is_empty()) {
            self.read_keys(io, id, leg, (&keys, true));
        }
    }

    fn read_keys(&mut self, io: &mut Io, id: CallId, leg: LegId, (keys, over): (&str, bool)) {
        let done = match io.settings.codes.keyed(keys, over) {
            SoFar::More => {
                let at = io.cx.now.instant + io.settings.in_call.pause;
                return io.cx.timers.set(Timer::Keys(leg), at);
            }
            SoFar::Code(code) => {
                self.forget_keys(io, id, leg);
                let agent = self.table.get(id).and_then(|call| call.agent_of(leg));
                let done = self.obey(io, id, leg, &code);
                if let Some(agent) = agent {
                    let refused = done.clone().err().unwrap_or_default();
                    io.out.push(Effect::CodeKeyed { call: id, agent, code, refused });
                }
                done
            }
            SoFar::Nothing => {
                self.forget_keys(io, id, leg);
                Err("no such code".into())
            }
        };
        let beeps = io.settings.signals;
        self.beep(io, id, leg, if done.is_ok() { beeps.done } else { beeps.refused });
    }

    fn forget_keys(&mut self, io: &mut Io, id: CallId, leg: LegId) {
        io.cx.timers.cancel(Timer::Keys(leg));
        if let Some(leg) = self.table.get_mut(id).and_then(|call| call.leg_mut(leg)) {
            leg.keys.clear();
            io.media(Command::Codes { port: leg.side.port });
        }
    }

    fn obey(&mut self, io: &mut Io, id: CallId, leg: LegId, code: &Code) -> Result<(), String> {
        self.turn_round(io, id)?;
        match code.act {
            Act::Back => self.back_to_caller(io, id),
            Act::Join => self.join_all(io, id),
            Act::ToQueue => self.return_call(io, id),
            Act::Park => self.park_aloud(io, id),
            Act::Private => self.keep_private(io, id),
            Act::Consult => self.send(io, id, leg, (&code.rest, Way::Consult)),
            Act::Blind => self.send(io, id, leg, (&code.rest, Way::Blind)),
            Act::Category => self.categorise(io, id, leg, &code.rest),
            Act::LogIn
            | Act::LogOut
            | Act::Ready
            | Act::Pause
            | Act::EndWrapUp
            | Act::Directory
            | Act::PickUp => Err("it is not done so".into()),
        }
    }

    /// What the call is about, for whoever has it next.
    pub fn is_about(&mut self, id: CallId, category: &str) {
        if let Some(call) = self.table.get_mut(id) {
            call.category = category.into();
        }
    }

    /// What the call is about.
    fn categorise(&self, io: &mut Io, id: CallId, leg: LegId, digit: &str) -> Result<(), String> {
        let agent = self.table.get(id).and_then(|call| call.agent_of(leg));
        let category = codes::chosen(&io.settings.codes.categories, digit);
        let (agent, category) = agent.zip(category).ok_or("no such category")?;
        let category = category.name.clone();
        io.out.push(Effect::Categorised { call: id, agent, category });
        Ok(())
    }

    fn send(
        &mut self,
        io: &mut Io,
        id: CallId,
        leg: LegId,
        (whom, way): (&str, Way),
    ) -> Result<(), String> {
        let settings: &Settings = io.settings;
        let to = settings.in_call.short.get(whom).map_or(whom, String::as_str);
        self.transfer(io, id, Ask { to, way, by: Some(leg), reports: false })
    }
}
