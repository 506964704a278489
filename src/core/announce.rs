//! Carries what waiting callers are told from the desk, which says what and when, to the call,
//! which puts it into words; and what they press the other way.

use super::{Out, Switch, What};
use crate::acd::{Announcement, Fact, Offer, Told, Wait};
use crate::base::limits::{MESSAGE_MINUTES_MAX, MESSAGE_PARTS_MAX};
use crate::base::{CallId, Now};
use crate::call::Call;
use crate::say::{self, Phrase, words};
use std::time::Duration;

impl Switch {
    /// A caller has begun to wait, or waits no more.
    pub(super) fn listen(&mut self, now: Now, call: CallId) {
        let state = &mut self.state;
        let cx = cx!(state, now);
        state.announcer.look(cx, &state.desk, call);
    }

    /// It is time to tell a caller something.
    pub(super) fn announce(&mut self, now: Now, call: CallId) {
        let state = &mut self.state;
        let cx = cx!(state, now);
        let offers = state.calls.get(call).map_or(Vec::new(), offers);
        let said = state.announcer.due(cx, &state.desk, call, &offers);
        if let Some(said) = said {
            self.calls(now, |calls, io| calls.announce(io, call, phrases(said)));
        }
    }

    /// A supervisor has those who wait in a queue told something, at once and for so many minutes
    /// with whatever else they are told.
    pub(super) fn put_message(
        &mut self,
        now: Now,
        (queue, message): (String, String),
        minutes: u64,
        out: &mut Out,
    ) -> Result<String, String> {
        let id = self.queue(&queue)?;
        self.can_be_said(&message)?;
        if minutes > MESSAGE_MINUTES_MAX {
            return Err(format!("a message is said for {MESSAGE_MINUTES_MAX} minutes at most"));
        }
        match minutes {
            0 => self.state.announcer.take_away(id),
            _ => {
                let until = now.instant + Duration::from_secs(60 * minutes);
                self.state.announcer.put(id, &message, until);
            }
        }
        let waiting: Vec<CallId> = self.state.desk.line(id).collect();
        for call in &waiting {
            let told = vec![Phrase::Message(message.clone())];
            self.calls(now, |calls, io| calls.announce(io, *call, told));
            let state = &mut self.state;
            let cx = cx!(state, now);
            state.announcer.has_heard(cx, &state.desk, *call);
        }
        let told = format!("{queue}: {message}, to {} who wait", waiting.len());
        self.fact(now, What::Desk(Fact::Message { queue: id, message, minutes }), out);
        Ok(match minutes {
            0 => told,
            _ => format!("{told} and whoever waits in the next {minutes} min"),
        })
    }

    /// Every word of the message is one that the configuration names, or one of the switch's own.
    fn can_be_said(&self, message: &str) -> Result<(), String> {
        let settings = &self.settings.call;
        let name = |word: &str| format!("{}/{word}", settings.language);
        let own = |word: &str| settings.prompts.contains_key(&name(word));
        let named = |word: &str| settings.messages.iter().flat_map(|m| words(m)).any(|w| w == word);
        let unknown = words(message).find(|word| !own(word) && !named(word));
        let parts = message.split_whitespace().count();
        match unknown {
            Some(word) if settings.messages.is_empty() => {
                Err(format!("no message \"{word}\"; [media] messages names those of your own"))
            }
            Some(word) => {
                Err(format!("no message \"{word}\"; there are {}", settings.messages.join(", ")))
            }
            None if (1..=MESSAGE_PARTS_MAX).contains(&parts) => Ok(()),
            None => Err(format!("a message has 1 to {MESSAGE_PARTS_MAX} words")),
        }
    }

    pub(super) fn hush(&mut self, now: Now, queue: &str, out: &mut Out) -> Result<String, String> {
        let id = self.queue(queue)?;
        self.state.announcer.take_away(id);
        let message = String::new();
        self.fact(now, What::Desk(Fact::Message { queue: id, message, minutes: 0 }), out);
        Ok(format!("{queue}: no message is said any more"))
    }

    /// The caller has said more: the desk is to know it.
    pub(super) fn amend(&mut self, now: Now, call: CallId) {
        let Some(known) = self.state.calls.get(call) else { return };
        let (emergency, languages) = (known.emergency, known.languages.clone());
        self.desk(now, |desk, cx, out| desk.amend(cx, call, (emergency, &languages), out));
    }

    /// New settings: who waits may have begun to be told something, or be told nothing any more.
    pub(super) fn listen_to_everybody(&mut self, now: Now) {
        let calls: Vec<CallId> = self.state.desk.calls().collect();
        for call in calls {
            self.listen(now, call);
        }
    }
}

/// Who is an emergency already is not told how to become one; whoever has no number cannot be
/// called back.
fn offers(call: &Call) -> Vec<Offer> {
    let emergency = call.keys.emergency.filter(|_| !call.emergency).map(Offer::Emergency);
    let callback = call.keys.callback.filter(|_| !call.number.is_empty()).map(Offer::Callback);
    emergency.into_iter().chain(callback).collect()
}

fn phrases(said: Announcement) -> Vec<Phrase> {
    let place = said.place.map(|told| match told {
        Told::Next => Phrase::Next,
        Told::Position(n) => Phrase::Position(n as u64),
        Told::Over(n) => Phrase::PositionOver(n as u64),
    });
    let wait = said.wait.map(|wait| {
        Phrase::Wait(match wait {
            Wait::UnderOneMinute => say::Wait::Under(1),
            Wait::OneToTwo => say::Wait::Between(1, 2),
            Wait::TwoToThree => say::Wait::Between(2, 3),
            Wait::ThreeToFive => say::Wait::Between(3, 5),
            Wait::FiveToTen => say::Wait::Between(5, 10),
            Wait::OverTen => say::Wait::Over(10),
        })
    });
    let offer = said.offer.map(|offer| match offer {
        Offer::Emergency(key) => Phrase::EmergencyKey(key),
        Offer::Callback(key) => Phrase::CallbackKey(key),
    });
    let message = said.message.map(Phrase::Message);
    let busy = said.busy.then_some(Phrase::Busy);
    message.into_iter().chain(busy).chain(place).chain(wait).chain(offer).collect()
}
