//! One caller: the place, what is asked of an agent for them, and how that falls with waiting.

use super::queue::LaneAt;
use super::{Join, LANGUAGE, QueueSettings};
use crate::base::{AgentId, CallId, Instant, QueueId, limits};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

/// A caller in the queue, or in conversation with an agent who was found here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Caller {
    pub queue: QueueId,
    pub place: Place,
    /// When the caller came to this queue; `max_wait` counts from here, so that a caller who
    /// overflowed is not at once thrown out of the next queue as well.
    pub joined: Instant,
    /// In place of the queue's `max_wait`.
    pub keep: Option<Duration>,
    /// Has a place elsewhere, and goes back to it.
    pub lent: bool,
    pub stage: Stage,
    /// When the conversation began.
    pub answered: Instant,
    /// Wanted languages as skills, the best first.
    pub languages: Vec<String>,
    /// The one agent for whom this caller waits, for as long as the queue's `sticky` says.
    pub held: Option<AgentId>,
    /// Agents who missed this caller. Strategies that would ring the same one again and again
    /// ring the others first.
    pub tried: BTreeSet<AgentId>,
    /// Who it is, as the desk remembers callers.
    pub key: Option<String>,
    /// What they called.
    pub line: String,
    /// What is asked of an agent, as last looked at.
    pub need: Need,
    /// Where in the queue the caller stands, while unanswered.
    pub lane: LaneAt,
    /// When the need changes next, while unanswered.
    pub review: Option<Instant>,
}

/// The place in the line: emergencies, then the higher priority, then the earlier arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Place {
    pub ordinary: bool,
    pub priority: Reverse<u8>,
    /// The first arrival at the switch. No move changes it.
    pub arrived: Instant,
    pub call: CallId,
}

/// What an agent who serves the queue must have on top of its skills.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Need {
    pub level: u8,
    /// One of these, in the order of the alphabet. None: any will do.
    pub languages: Vec<String>,
}

/// Where a call is. Exactly one of these, always.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    Waiting,
    /// Rings at these agents; never empty.
    Offered(BTreeSet<AgentId>),
    /// In conversation. The wrap-up is fixed here, so that it outlives a reload of the queue.
    Talking {
        agent: AgentId,
        wrap_up: Duration,
    },
}

impl Caller {
    /// `before`: what the desk knew of this call so far.
    pub fn new(
        now: Instant,
        call: CallId,
        queue: QueueId,
        join: Join,
        before: Option<Caller>,
    ) -> Self {
        let mut languages = as_skills(&join.languages);
        let mut place = Place {
            ordinary: !join.emergency,
            priority: Reverse(join.priority.min(limits::PRIORITY_MAX)),
            arrived: join.arrived.unwrap_or(now).min(now),
            call,
        };
        let mut key = join.caller.as_deref().map(key_of);
        let mut line = join.line;
        if let Some(before) = before {
            place.arrived = before.place.arrived;
            place.ordinary &= before.place.ordinary;
            place.priority = place.priority.min(before.place.priority);
            if languages.is_empty() {
                languages = before.languages;
            }
            key = key.or(before.key);
            if line.is_empty() {
                line = before.line;
            }
        }
        if !place.ordinary {
            place.priority = Reverse(limits::PRIORITY_MAX);
        }
        Self {
            queue,
            place,
            joined: now,
            keep: join.keep,
            lent: join.lent,
            stage: Stage::Waiting,
            answered: now,
            languages,
            held: join.agent,
            tried: BTreeSet::new(),
            key,
            line,
            need: Need::default(),
            lane: LaneAt::Shared(0),
            review: None,
        }
    }

    pub fn unanswered(&self) -> bool {
        !matches!(self.stage, Stage::Talking { .. })
    }

    /// Languages are for those who are still to be found an agent: whoever rings stays eligible.
    pub fn amend(&mut self, emergency: bool, languages: &[String]) {
        if emergency {
            (self.place.ordinary, self.place.priority) = (false, Reverse(limits::PRIORITY_MAX));
        }
        if self.stage == Stage::Waiting && !languages.is_empty() {
            self.languages = as_skills(languages);
        }
    }

    /// The after-call work of the conversation that it is in.
    pub fn wrap_up(&self) -> Duration {
        match self.stage {
            Stage::Talking { wrap_up, .. } => wrap_up,
            Stage::Waiting | Stage::Offered(_) => Duration::ZERO,
        }
    }

    /// An offer to this agent failed, or an answer came to nothing.
    pub fn missed_by(&mut self, agent: AgentId) {
        self.tried.insert(agent);
        self.held = self.held.filter(|&held| held != agent);
    }

    /// What is asked of an agent at this time, and when that changes next.
    ///
    /// An emergency asks for nothing that could keep anybody away who serves the queue at all.
    pub fn need_at(&self, now: Instant, queue: &QueueSettings) -> (Need, Option<Instant>) {
        if !self.place.ordinary {
            return (Need { level: queue.lowest_level(), languages: Vec::new() }, None);
        }
        let waited = now.since(self.joined);
        let (level, next_level) = queue.level_after(waited);
        let (languages, next_language) = self.languages_after(waited, queue.language_after);
        let next = next_level.into_iter().chain(next_language).min();
        (Need { level, languages }, next.map(|span| self.joined + span))
    }

    /// The first languages of the list, one more after each `span`, and in the end any.
    fn languages_after(&self, waited: Duration, span: Duration) -> (Vec<String>, Option<Duration>) {
        if self.languages.is_empty() || span.is_zero() {
            return (Vec::new(), None);
        }
        let steps = usize::try_from(waited.as_micros() / span.as_micros()).unwrap_or(usize::MAX);
        if steps >= self.languages.len() {
            return (Vec::new(), None);
        }
        let mut languages = self.languages[..=steps].to_vec();
        languages.sort_unstable();
        languages.dedup();
        (languages, Some(span * (steps as u32 + 1)))
    }
}

/// As callers are known again.
pub(super) fn key_of(name: &str) -> String {
    name.chars().take(limits::CALLER_KEY_MAX).collect()
}

fn as_skills(languages: &[String]) -> Vec<String> {
    let wanted = languages.iter().take(limits::CALLER_LANGUAGES_MAX);
    wanted.map(|language| format!("{LANGUAGE}{language}")).collect()
}

impl Place {
    /// After every place with the same claim to be served.
    pub fn end_of_group(self) -> Self {
        Self { arrived: Instant(u64::MAX), call: CallId(u64::MAX), ..self }
    }

    pub fn start_of_group(self) -> Self {
        Self { arrived: Instant(0), call: CallId(0), ..self }
    }
}
