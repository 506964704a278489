//! What a waiting caller is told: words of a language as tunes, one announcement after the other,
//! and then the music goes on. What to say and when is not decided here.

use super::calls::{Calls, Io};
use super::conversation::Call;
use super::leg::Stage;
use super::{Fact, Settings};
use crate::base::{CallId, LegId, TuneId};
use crate::media::control::Command;
use crate::say::{self, Phrase};

/// Messages that wait to be said to one caller.
const MESSAGES_MAX: usize = 4;

impl Calls {
    /// Says this to a waiting caller: at once, or after what is being said.
    pub fn announce(&mut self, io: &mut Io, id: CallId, phrases: Vec<Phrase>) {
        let Some(call) = self.table.get_mut(id) else { return };
        if call.caller.stage != Stage::Up || call.is_served() {
            return;
        }
        if !call.says.is_empty() {
            return call.say_later(phrases);
        }
        let names = call.say(io.settings, &phrases);
        let tunes = io.settings.tunes_of(&names);
        io.fact(Fact::Announced { call: id, names });
        match tunes.is_empty() {
            true => self.said(io, id),
            false => self.tell(io, id, tunes),
        }
    }

    /// Plays to whoever waits, once, and lets the music go on after it.
    pub(super) fn tell(&mut self, io: &mut Io, id: CallId, tunes: Vec<TuneId>) {
        let Some(call) = self.table.get_mut(id) else { return };
        call.piece += u32::from(!tunes.is_empty());
        call.says = tunes;
        let listener = call.listener();
        let play = call.leg(listener).and_then(|leg| call.hears(leg));
        let Some(leg) = call.leg_mut(listener) else { return };
        let heard = std::mem::replace(&mut leg.hears_tune, play.is_some());
        match play {
            Some(play) => io.media(play),
            None if heard => io.media(Command::Stop { port: leg.side.port }),
            None => {}
        }
    }

    /// What this leg was told is over.
    pub(super) fn played(&mut self, io: &mut Io, id: CallId, leg: LegId, piece: u32) {
        let Some(call) = self.table.get_mut(id).filter(|call| call.piece == piece) else { return };
        if call.is_told_slot(leg) {
            return self.slot_is_told(io, id);
        }
        if call.says.is_empty() || call.listener() != leg {
            return;
        }
        let notice = io.settings.recording.notice;
        call.told |= notice.is_some_and(|notice| call.says.contains(&notice));
        call.says.clear();
        let music = call.music.is_some();
        if let Some(leg) = call.leg_mut(leg) {
            leg.hears_tune &= music;
        }
        let later = std::mem::take(&mut call.later);
        if later.is_empty() {
            self.said(io, id);
        } else {
            self.announce(io, id, later);
        }
    }
}

impl Call {
    /// After what is being said. A place in the line is said as it is when it was found last; of
    /// messages none is lost, and each is said once.
    fn say_later(&mut self, phrases: Vec<Phrase>) {
        let is_message = |phrase: &Phrase| matches!(phrase, Phrase::Message(_));
        if !phrases.iter().all(is_message) {
            self.later.retain(is_message);
        }
        self.later.retain(|phrase| !phrases.contains(phrase));
        let (mut messages, others): (Vec<Phrase>, Vec<Phrase>) =
            std::mem::take(&mut self.later).into_iter().chain(phrases).partition(is_message);
        messages.truncate(MESSAGES_MAX);
        self.later = messages.into_iter().chain(others).collect();
    }

    /// The names of the prompts that say this in the caller's language, or in the one that all
    /// understand where nothing of the caller's was recorded.
    pub(super) fn say(&self, settings: &Settings, phrases: &[Phrase]) -> Vec<String> {
        let spoken = |language: &&String| settings.prompts.contains_key(&format!("{language}/pos"));
        let language = self.languages.iter().find(spoken).unwrap_or(&settings.language);
        say::say(language, phrases)
    }
}

impl Settings {
    /// Those of these prompts that are known.
    pub(super) fn tunes_of(&self, names: &[String]) -> Vec<TuneId> {
        names.iter().filter_map(|name| self.prompts.get(name).copied()).collect()
    }
}
