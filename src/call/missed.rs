//! The missed-call desk: callers with whom nobody talked, because they hung up, were turned away or
//! lost, or could not be called back; once each by number, until somebody has talked with them, or
//! for three months after they were missed last. Whoever wants to call one claims it first, so that
//! no two do.

use super::Outcome;
use super::conversation::Call;
use super::{Arrival, Calls, Direction, Effect, End, EndedBy, Fact, Io, Line, MissedNews, Origin};
use crate::base::{CallId, Instant, limits};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    people: BTreeMap<String, Person>,
    /// The same by the time at which they were first missed.
    by_age: BTreeSet<(Instant, String)>,
    /// And by that at which they were missed last.
    by_news: BTreeSet<(Instant, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Of their last call; the arrival is that of the first.
    pub origin: Origin,
    since: Instant,
    last: Instant,
    /// Calls in which they were not answered.
    pub times: u32,
    /// Who has taken it on, ever since when; empty: nobody.
    pub claimed_by: String,
    claimed_at: Instant,
    /// Who has said so, for themselves or for somebody else.
    said_by: String,
    /// The call that calls them back just now, or will.
    pub calling: Option<CallId>,
}

impl Person {
    fn is_claimed(&self, now: Instant) -> bool {
        !self.claimed_by.is_empty() && now.since(self.claimed_at) < limits::CLAIM_KEPT
    }

    fn is_called(&self, now: Instant) -> bool {
        self.calling.is_some() || self.is_claimed(now)
    }
}

impl Missed {
    pub fn of(&self, number: &str) -> Option<&Person> {
        self.people.get(number)
    }

    /// Whom to call, the longest missed first.
    pub fn iter(&self) -> impl Iterator<Item = &Origin> {
        self.by_age.iter().filter_map(|(_, number)| Some(&self.people.get(number)?.origin))
    }

    pub fn len(&self) -> usize {
        self.people.len()
    }

    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// Nobody talked with a caller. Beyond the limit one is let go of who has not called
    /// again for the longest, and whom nobody calls.
    pub fn note(&mut self, io: &mut Io, origin: Origin, why: EndedBy) {
        let (number, parent) = (origin.number.clone(), origin.parent.clone());
        let now = io.cx.now.instant;
        match self.people.get_mut(&number) {
            Some(person) => {
                let arrived = person.origin.arrived.min(origin.arrived);
                person.origin = Origin { arrived, ..origin };
                person.times += 1;
                self.is_news(&number, now);
            }
            None => {
                let (claimed_by, said_by) = (String::new(), String::new());
                let person = Person {
                    origin,
                    since: now,
                    last: now,
                    times: 1,
                    claimed_by,
                    claimed_at: now,
                    said_by,
                    calling: None,
                };
                self.people.insert(number.clone(), person);
                self.by_age.insert((now, number.clone()));
                self.by_news.insert((now, number.clone()));
            }
        }
        tell(io, &number, MissedNews::Abandoned { parent, why });
        if self.people.len() > limits::MISSED_MAX
            && let Some((_, oldest)) =
                self.by_news.iter().find(|(_, number)| !self.is_called(number, now)).cloned()
        {
            self.close(io, &oldest, MissedNews::Closed { by: String::new() });
        }
    }

    /// Lets go of those who were missed too long ago, but for whom somebody calls just now, or has
    /// said that they will.
    pub fn expire(&mut self, io: &mut Io) {
        let now = io.cx.now.instant;
        let is_over = |(last, _): &&(Instant, String)| now.since(*last) >= limits::MISSED_KEPT;
        let over: Vec<String> = self
            .by_news
            .iter()
            .take_while(is_over)
            .filter(|(_, number)| !self.is_called(number, now))
            .map(|(_, number)| number.clone())
            .collect();
        for number in over {
            self.close(io, &number, MissedNews::Closed { by: String::new() });
        }
    }

    fn is_called(&self, number: &str, now: Instant) -> bool {
        self.people.get(number).is_some_and(|person| person.is_called(now))
    }

    fn is_news(&mut self, number: &str, now: Instant) {
        if let Some(person) = self.people.get_mut(number) {
            self.by_news.remove(&(person.last, number.into()));
            person.last = now;
            self.by_news.insert((now, number.into()));
        }
    }

    /// Whether this is nobody else's, in whose name it is to be done, and whether that may be said
    /// by whoever asks: the owner, or who has claimed it for them. The error says whose it is.
    /// Whoever has had it for a while has let go of it.
    pub fn may_be_done(
        &self,
        now: Instant,
        number: &str,
        (by, asker): (&str, &str),
    ) -> Result<(), String> {
        let person = self.people.get(number).ok_or_else(|| unknown(number))?;
        let is_own = person.claimed_by == by && (asker == by || asker == person.said_by);
        if person.is_claimed(now) && !is_own {
            return Err(format!("{number} is claimed by {}", person.claimed_by));
        }
        Ok(())
    }

    /// Somebody takes it on, as `asker` says.
    pub fn claim(
        &mut self,
        io: &mut Io,
        number: &str,
        (by, asker): (&str, &str),
    ) -> Result<(), String> {
        let now = io.cx.now.instant;
        self.may_be_done(now, number, (by, asker))?;
        if let Some(person) = self.people.get_mut(number) {
            (person.claimed_by, person.claimed_at) = (by.into(), now);
            person.said_by = asker.into();
        }
        tell(io, number, MissedNews::Claimed { by: by.into() });
        Ok(())
    }

    /// A claim is none any more: that of whoever asks, or of anybody (`breaks`).
    pub fn release(
        &mut self,
        io: &mut Io,
        number: &str,
        (by, asker, breaks): (&str, &str, bool),
    ) -> Result<(), String> {
        if !breaks {
            self.may_be_done(io.cx.now.instant, number, (by, asker))?;
        }
        let person = self.people.get_mut(number).ok_or_else(|| unknown(number))?;
        if person.claimed_by.is_empty() {
            return Err(format!("{number} is claimed by nobody"));
        }
        person.claimed_by.clear();
        tell(io, number, MissedNews::Released { by: by.into() });
        Ok(())
    }

    /// Whom to call, where nobody calls them already.
    pub fn wanted(&self, number: &str) -> Result<Origin, String> {
        let person = self.people.get(number).ok_or_else(|| unknown(number))?;
        match person.calling {
            Some(_) => Err(format!("{number} is being called already")),
            None => Ok(person.origin.clone()),
        }
    }

    pub fn calling(&mut self, io: &mut Io, number: &str, call: CallId) {
        if let Some(person) = self.people.get_mut(number) {
            person.calling = Some(call);
            tell(io, number, MissedNews::Calling);
        }
    }

    /// A promise to call them back was not kept.
    pub fn not_kept(&mut self, io: &mut Io, origin: &Origin, call: CallId, why: EndedBy) {
        if !self.people.contains_key(&origin.number) {
            self.note(io, origin.clone(), why);
            if let Some(person) = self.people.get_mut(&origin.number) {
                person.calling = Some(call);
            }
        }
    }

    /// The call that called them is over, and they were not reached: somebody else may try.
    pub fn given_up(&mut self, io: &mut Io, number: &str, call: CallId) {
        if let Some(person) = self.people.get_mut(number).filter(|p| p.calling == Some(call)) {
            person.calling = None;
            person.claimed_by.clear();
            tell(io, number, MissedNews::Unreached);
        }
    }

    pub fn close(&mut self, io: &mut Io, number: &str, news: MissedNews) -> bool {
        let Some(person) = self.people.remove(number) else { return false };
        self.by_age.remove(&(person.since, number.into()));
        self.by_news.remove(&(person.last, number.into()));
        tell(io, number, news);
        true
    }
}

impl Calls {
    /// Whoever hung up unanswered, and not at once, or was turned away, or lost, is listed:
    /// somebody should call them. Whom a supervisor hung up on is nobody's to call.
    pub(super) fn not_answered(&mut self, io: &mut Io, call: &Call, end: &End) {
        let waited = io.cx.now.instant.since(call.arrived);
        let is_missed = match end.outcome {
            Outcome::Answered | Outcome::Callback => false,
            Outcome::Abandoned => waited >= io.settings.back.short,
            Outcome::Overflowed | Outcome::Refused | Outcome::Failed => end.by != EndedBy::Admin,
        };
        if let Some(origin) = call.origin(call.arrived).filter(|_| is_missed && call.own.is_none())
        {
            self.missed.note(io, origin.clone(), end.by);
            io.out.push(Effect::Abandoned { origin: Box::new(origin) });
        }
    }

    /// Whoever the switch has no room for is somebody to call, where the number is known and the
    /// line leads to people. There may be very many of them: they take no more than half of the
    /// list, and nobody's place in it who has waited.
    pub(super) fn not_let_in(&mut self, io: &mut Io, line: Option<&Line>, arrival: &Arrival) {
        let (number, now) = (&arrival.caller, io.cx.now.instant);
        let Some((line, queue)) = line.and_then(|line| Some((line, line.goal.queue()?))) else {
            return;
        };
        let comes_in = arrival.direction == Direction::In && !number.is_empty();
        let full = self.missed.len() >= limits::MISSED_MAX / 2;
        let known = self.missed.of(number).is_some();
        if !comes_in || full && !known || self.blocks.of(number, now).is_some() {
            return;
        }
        let origin = Origin {
            parent: arrival.id.clone(),
            number: number.clone(),
            line: line.name.clone(),
            dialled: arrival.dialled.clone(),
            district: arrival.district.clone(),
            languages: line.languages.clone(),
            priority: line.priority,
            emergency: line.emergency,
            queue,
            arrived: now,
            music: line.music,
        };
        self.missed.note(io, origin, EndedBy::Switch);
    }

    /// Whoever talked with somebody and was lost comes back to their place.
    pub(super) fn cut_off(&self, io: &mut Io, call: &Call, by: EndedBy) {
        let lost = matches!(by, EndedBy::Lost | EndedBy::Silence | EndedBy::Recovered);
        let talked = lost && call.was_connected && call.own.is_none();
        if let Some(origin) = call.origin(call.arrived).filter(|_| talked) {
            io.out.push(Effect::CutOff { origin: Box::new(origin) });
        }
    }
}

fn unknown(number: &str) -> String {
    format!("no missed caller {number}: see `pukar missed`")
}

fn tell(io: &mut Io, number: &str, news: MissedNews) {
    io.fact(Fact::Missed { number: number.into(), news });
}
