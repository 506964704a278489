//! What an agent keys in while they talk: `*2health#` asks the counsellors, `*1` goes back to the
//! caller. A code begins with `*`; until it is over its keys do not reach the other party, and all
//! other keys do.

use super::calls::{Calls, Io};
use super::handover::Way;
use super::transfer::Ask;
use super::{Role, Settings};
use crate::base::limits::CODE_MAX;
use crate::base::{CallId, LegId, Timer};
use crate::media::control::Command;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Each code begins with `*`. Those that need to know whom are followed by digits and `#`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InCall {
    /// Back to the caller; whoever was asked goes.
    pub back: String,
    /// Asks somebody first. Hanging up hands the call over.
    pub consult: String,
    /// All three hear one another.
    pub join: String,
    /// Sends the caller away.
    pub blind: String,
    /// The caller waits again, at the old place.
    pub queue: String,
    pub park: String,
    /// Dialled, not keyed in: with the number of a slot it picks up what is parked there.
    pub pick: String,
    /// What digits stand for, beside extensions and numbers: `1` for `queue:health`.
    pub short: BTreeMap<String, String>,
    /// Between two keys of a code. After it, what was keyed in holds, or is forgotten.
    pub pause: Duration,
}

impl Default for InCall {
    fn default() -> Self {
        let [back, consult, join, blind, queue, park, pick] =
            ["*1", "*2", "*3", "*4", "*5", "*6", "*17"].map(String::from);
        let (short, pause) = (BTreeMap::new(), Duration::from_secs(4));
        Self { back, consult, join, blind, queue, park, pick, short, pause }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Code {
    Back,
    Consult(String),
    Join,
    Blind(String),
    Queue,
    Park,
}

/// What keys come to so far.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Read {
    Code(Code),
    More,
    Nothing,
}

impl InCall {
    fn read(&self, keys: &str, over: bool) -> Read {
        let plain = [
            (&self.back, Code::Back),
            (&self.join, Code::Join),
            (&self.queue, Code::Queue),
            (&self.park, Code::Park),
        ];
        if let Some((_, code)) = plain.into_iter().find(|(code, _)| **code == keys) {
            return Read::Code(code);
        }
        for code in [&self.consult, &self.blind] {
            let Some(rest) = keys.strip_prefix(code.as_str()) else { continue };
            let whom = rest.strip_suffix('#').or(over.then_some(rest));
            return match whom {
                Some("") => Read::Nothing,
                Some(whom) if code == &self.consult => Read::Code(Code::Consult(whom.into())),
                Some(whom) => Read::Code(Code::Blind(whom.into())),
                None => Read::More,
            };
        }
        let all = [&self.back, &self.join, &self.queue, &self.park, &self.consult, &self.blind];
        match !over && all.iter().any(|code| code.starts_with(keys)) {
            true => Read::More,
            false => Read::Nothing,
        }
    }

    /// The slot that this number picks up from.
    pub fn slot(&self, dialled: &str) -> Option<u16> {
        dialled.strip_prefix(self.pick.as_str())?.parse().ok()
    }
}

impl Calls {
    /// A key of a party. Only agents have codes.
    pub(super) fn key(&mut self, io: &mut Io, id: CallId, leg: LegId, key: char) {
        let Some(call) = self.table.get_mut(id) else { return };
        if !call.needs(leg) {
            return;
        }
        let Some(this) = call.leg_mut(leg) else { return };
        let Role::Agent(_) = this.role else { return };
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
        let done = match io.settings.in_call.read(keys, over) {
            Read::More => {
                let at = io.cx.now.instant + io.settings.in_call.pause;
                return io.cx.timers.set(Timer::Keys(leg), at);
            }
            Read::Code(code) => {
                self.forget_keys(io, id, leg);
                self.obey(io, id, leg, code)
            }
            Read::Nothing => {
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

    fn obey(&mut self, io: &mut Io, id: CallId, leg: LegId, code: Code) -> Result<(), String> {
        match code {
            Code::Back => self.back_to_caller(io, id),
            Code::Join => self.join_all(io, id),
            Code::Queue => self.return_call(io, id),
            Code::Park => self.park(io, id).map(|_| ()),
            Code::Consult(whom) => self.send(io, id, leg, (&whom, Way::Consult)),
            Code::Blind(whom) => self.send(io, id, leg, (&whom, Way::Blind)),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_one_by_one() {
        let codes = InCall::default();
        let read = |keys: &str| codes.read(keys, false);
        assert_eq!(read("*"), Read::More);
        assert_eq!(read("*1"), Read::Code(Code::Back));
        assert_eq!([read("*2"), read("*211")], [Read::More, Read::More]);
        assert_eq!(read("*211#"), Read::Code(Code::Consult("11".into())));
        assert_eq!(read("*4104#"), Read::Code(Code::Blind("104".into())));
        assert_eq!(
            [read("*9"), read("*2#"), read("**")],
            [Read::Nothing, Read::Nothing, Read::Nothing]
        );
        assert_eq!(codes.read("*211", true), Read::Code(Code::Consult("11".into())));
        assert_eq!([codes.read("*", true), codes.read("*2", true)], [Read::Nothing, Read::Nothing]);
    }

    #[test]
    fn a_slot_is_dialled_behind_its_code() {
        let codes = InCall::default();
        assert_eq!([codes.slot("*171"), codes.slot("*1712")], [Some(1), Some(12)]);
        assert_eq!([codes.slot("*17"), codes.slot("171"), codes.slot("*17x")], [None; 3]);
    }
}
