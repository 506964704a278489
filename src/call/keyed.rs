//! A call to a feature code: the switch answers, hears what is keyed in, says by a tone what came
//! of it, and hangs up. What the code does is the business of whoever knows agents.

use super::calls::{Calls, Io};
use super::codes::Act as CodeAct;
use super::conversation::Call;
use super::leg::{Leg, Stage};
use super::own::{AtPhone, Begun, Keyed, Kind};
use super::{Effect, End, EndedBy, Fact, Goal, Outcome, Role};
use crate::base::{AgentId, CallId, PortId, Timer, TuneId};
use crate::media::control::Command;
use crate::sip::Act;
use std::time::Duration;

/// Keys follow one another within this time.
const BETWEEN_KEYS: Duration = Duration::from_secs(10);
/// A tone lasts for less than this; whatever becomes of its end, the call is over then.
const TONE: Duration = Duration::from_secs(3);
const KEYS_MAX: usize = 40;

impl Calls {
    /// Answers a call to a code. What it asks for may have been dialled with it.
    pub fn answer_code(
        &mut self,
        io: &mut Io,
        mut begun: Begun,
        at: &AtPhone,
        (phone, act): (&str, CodeAct),
    ) -> Option<CallId> {
        if at.agent.is_some() {
            begun.arrival.agent.clone_from(&at.account);
        }
        let keyed = Keyed { phone: phone.into(), act, digits: String::new(), done: false };
        let port = self.ports.take();
        self.answer_own(io, (begun, port), at, Kind::Code(keyed))
    }

    /// The switch itself answers whoever keys in codes.
    pub(super) fn answer_own(
        &mut self,
        io: &mut Io,
        (begun, port): (Begun, Option<PortId>),
        at: &AtPhone,
        kind: Kind,
    ) -> Option<CallId> {
        let Some(port) = port else {
            return super::own::refuse(io, begun, super::out::Refusal::NoPort);
        };
        let Begun { leg, invited, arrival, .. } = begun;
        let mut side = io.side(port, &invited);
        let body = match &invited.offer {
            Some(offer) => side.answer(&io.settings.media, offer),
            None => Ok(side.offer(&io.settings.media, None)),
        };
        let body = match body {
            Ok(body) => body,
            Err(status) => {
                self.ports.give_back(port);
                super::door::not_served(io, leg, arrival, (status, &side), &invited);
                return None;
            }
        };
        let caller = Leg::new(leg, Role::Caller, side, Stage::Up);
        let mut own = at.own(kind);
        own.iter_mut().for_each(|own| own.agents.clear());
        let mut call = Call::new(io, Goal::Placed, caller, (&invited, &arrival), own);
        call.offer = None;
        let answer = call.caller.act(Act::Answer { body });
        let agree = call.caller.agree();
        let id = self.enter(io, call, arrival);
        io.out.push(answer);
        io.out.extend(agree);
        io.fact(Fact::SystemAnswered { call: id });
        Some(id)
    }

    /// This agent is kept from callers by the call.
    pub fn keep(&mut self, id: CallId, agent: AgentId) {
        if let Some(own) = self.table.get_mut(id).and_then(|call| call.own.as_mut())
            && !own.agents.contains(&agent)
        {
            own.agents.push(agent);
        }
    }

    /// The same, when what this agent has in hand is over, or its notes.
    pub fn keep_next(&mut self, id: CallId, agent: AgentId) {
        if let Some(own) = self.table.get_mut(id).and_then(|call| call.own.as_mut())
            && !own.agents.contains(&agent)
        {
            own.second_of = Some(agent);
        }
    }

    /// The code asks for something that was not dialled with it.
    pub fn ask_keys(&mut self, io: &mut Io, id: CallId) {
        io.cx.timers.set(Timer::Code(id), io.cx.now.instant + BETWEEN_KEYS);
        let tune = io.settings.signals.go_on;
        self.play_signal(io, id, tune);
    }

    /// A key was pressed in some call. False: it was not for a code.
    pub(super) fn key_for_code(&mut self, io: &mut Io, id: CallId, key: char) -> bool {
        if self.key_from_home(io, id, key) {
            return true;
        }
        let Some(keyed) = self.table.get_mut(id).and_then(Call::keyed_mut) else { return false };
        if keyed.done {
            return true;
        }
        if key != '#' && keyed.digits.len() < KEYS_MAX {
            keyed.digits.push(key);
        }
        if key == '#' || keyed.act.is_complete(&keyed.digits) {
            self.keyed_in(io, id);
        } else {
            io.cx.timers.set(Timer::Code(id), io.cx.now.instant + BETWEEN_KEYS);
        }
        true
    }

    fn keyed_in(&mut self, io: &mut Io, id: CallId) {
        let Some(keyed) = self.table.get_mut(id).and_then(Call::keyed_mut) else { return };
        keyed.done = true;
        let (act, phone) = (keyed.act, keyed.phone.clone());
        let digits = std::mem::take(&mut keyed.digits);
        io.out.push(Effect::Keyed { call: id, phone, act, digits });
    }

    /// What came of the code is told by a tone, and the call is over after it.
    pub fn signal(&mut self, io: &mut Io, id: CallId, done: bool) {
        let signals = io.settings.signals;
        let tune = if done { signals.done } else { signals.refused };
        if self.signal_home(io, id, done) {
            return self.play_signal(io, id, tune);
        }
        let Some(call) = self.table.get_mut(id) else { return };
        if let Some(keyed) = call.keyed_mut() {
            keyed.done = true;
        }
        call.was_connected = done;
        if done {
            io.fact(Fact::Connected { call: id, agent: None });
        }
        io.cx.timers.set(Timer::Code(id), io.cx.now.instant + TONE);
        self.play_signal(io, id, tune);
    }

    pub(super) fn play_signal(&mut self, io: &mut Io, id: CallId, tune: Option<TuneId>) {
        let Some(call) = self.table.get(id) else { return };
        let port = call.caller.side.port;
        if let Some(tune) = tune {
            io.media(Command::Play { port, piece: 0, tunes: vec![tune], then: None });
        }
    }

    /// A tune has ended. False: it was none of these tones.
    pub(super) fn signalled(&mut self, io: &mut Io, id: CallId) -> bool {
        if self.home_is_over(io, id, false) {
            return true;
        }
        let Some(keyed) = self.table.get_mut(id).and_then(Call::keyed_mut) else { return false };
        if keyed.done {
            self.end_code(io, id);
        }
        true
    }

    /// `Timer::Code`.
    pub fn code_over(&mut self, io: &mut Io, id: CallId) {
        self.slot_is_told(io, id);
        if self.home_is_over(io, id, true) {
            return;
        }
        let Some(keyed) = self.table.get_mut(id).and_then(Call::keyed_mut) else { return };
        match (keyed.done, keyed.digits.is_empty()) {
            (true, _) => self.end_code(io, id),
            (false, false) => self.keyed_in(io, id),
            (false, true) => self.signal(io, id, false),
        }
    }

    pub(super) fn end_code(&mut self, io: &mut Io, id: CallId) {
        let Some(call) = self.table.get(id) else { return };
        let outcome = if call.was_connected { Outcome::Answered } else { Outcome::Refused };
        let end = End { outcome, by: EndedBy::Switch, status: 200, q850: Some(16) };
        self.finish(io, id, end, None);
    }
}

impl Call {
    fn keyed_mut(&mut self) -> Option<&mut Keyed> {
        match &mut self.own.as_mut()?.kind {
            Kind::Code(keyed) => Some(keyed),
            Kind::Line
            | Kind::Colleague
            | Kind::Outside { .. }
            | Kind::Reached(_)
            | Kind::Home(_) => None,
        }
    }
}
