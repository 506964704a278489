//! The account of one decision: who was considered for a caller, and why each was not chosen.
//!
//! It is written at the decision, from what the decision looked at, and is bounded: the first
//! candidates are named, and the rest are counted by what keeps each from the call. The counts are
//! kept as agents change, so that an account of thousands costs no more than one of a few.

use super::caller::{Caller, Need, Place};
use super::desk::Desk;
use super::queue::{Claim, LaneAt, Queue};
use super::{AgentState, Strategy, strategy};
use crate::base::{AgentId, CallId, Instant, QueueId, limits::CANDIDATES_MAX};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pick {
    pub call: CallId,
    pub queue: QueueId,
    pub strategy: Strategy,
    /// Why this caller was the one to be served.
    pub claim: Claim,
    /// What was asked of an agent besides the queue's skills: the level, and one of the languages.
    pub level: u8,
    pub languages: Vec<String>,
    /// Agents who serve the queue: the chosen, then the other free ones in the order of the
    /// strategy, then the others by id.
    pub agents: Vec<(AgentId, Verdict)>,
    /// How many more of them there are, by what was found about each; nobody is left out.
    pub others: Vec<(Verdict, u32)>,
    /// Callers who stood before this one and are still waiting, in order.
    pub callers: Vec<(CallId, PassedOver)>,
    pub more_callers: u32,
}

/// What was found about one agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    Chosen,
    /// Could have taken the call; the strategy puts somebody else first.
    Behind,
    /// Could have taken the call, but missed it before.
    Tried,
    /// Ready, but of a lower level than this caller's need.
    Level,
    /// Ready, but without a language that this caller wants.
    Language,
    /// One of the two: of those who are only counted.
    Unsuited,
    /// Ready, but the caller still waits for the agent of last time.
    NotTheSame,
    Off,
    Paused,
    Unreachable,
    Resting,
    Offered,
    Talking,
    WrapUp,
    OwnCall,
}

impl Pick {
    /// All who serve the queue.
    pub fn total(&self) -> usize {
        self.agents.len() + self.others.iter().map(|(_, count)| *count as usize).sum::<usize>()
    }
}

/// Agents of a queue who are not ready, by what keeps them from a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally([u32; Verdict::ALL.len()]);

impl Tally {
    pub fn add(&mut self, state: &AgentState) {
        if let Some(verdict) = Verdict::of(state) {
            self.0[verdict as usize] += 1;
        }
    }

    pub fn take(&mut self, state: &AgentState) {
        if let Some(verdict) = Verdict::of(state) {
            self.0[verdict as usize] -= 1;
        }
    }
}

impl Verdict {
    /// In the order of their numbers.
    const ALL: [Self; 15] = [
        Self::Chosen,
        Self::Behind,
        Self::Tried,
        Self::Level,
        Self::Language,
        Self::Unsuited,
        Self::NotTheSame,
        Self::Off,
        Self::Paused,
        Self::Unreachable,
        Self::Resting,
        Self::Offered,
        Self::Talking,
        Self::WrapUp,
        Self::OwnCall,
    ];

    /// What keeps an agent in this state from any call; `None`: nothing.
    fn of(state: &AgentState) -> Option<Self> {
        Some(match state {
            AgentState::Off => Verdict::Off,
            AgentState::Ready => return None,
            AgentState::Paused { .. } => Verdict::Paused,
            AgentState::Unreachable => Verdict::Unreachable,
            AgentState::Offered { .. } => Verdict::Offered,
            AgentState::Talking { .. } => Verdict::Talking,
            AgentState::WrapUp { .. } => Verdict::WrapUp,
            AgentState::OwnCall { .. } => Verdict::OwnCall,
            AgentState::Resting => Verdict::Resting,
        })
    }

    /// In words, of an agent of a queue with this strategy.
    pub fn words(self, strategy: Strategy) -> &'static str {
        match self {
            Verdict::Chosen => "chosen",
            Verdict::Behind => match strategy {
                Strategy::LongestIdle => "free, but idle for less long",
                Strategy::FewestCalls => "free, but with more calls",
                Strategy::LeastTalkTime => "free, but talked more",
                Strategy::RingAll | Strategy::RoundRobin | Strategy::Ordered | Strategy::Random => {
                    "free, but not in turn"
                }
            },
            Verdict::Tried => "free, but missed this caller before",
            Verdict::Level => "free, but of too low a level",
            Verdict::Language => "free, but without the language",
            Verdict::Unsuited => "free, but of too low a level or without the language",
            Verdict::NotTheSame => "free, but not the agent of last time",
            Verdict::Off => "off",
            Verdict::Paused => "paused",
            Verdict::Unreachable => "no phone",
            Verdict::Resting => "resting after a missed call",
            Verdict::Offered => "rings for a caller",
            Verdict::Talking => "talking",
            Verdict::WrapUp => "in wrap-up",
            Verdict::OwnCall => "in a call of their own",
        }
    }
}

/// Why a caller who stood before another one was not served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PassedOver {
    /// The chosen agent is of a lower level than this caller's need.
    Level,
    /// The chosen agent does not speak what this caller wants.
    Language,
    /// Still waits for the agent of last time.
    HeldFor(AgentId),
    /// The priority counts for less than the long wait of the one who was served.
    Aged,
}

impl Desk {
    /// Before anything of the decision is carried out.
    pub(super) fn account(
        &self,
        queue: QueueId,
        caller: &Caller,
        chosen: &[AgentId],
        claim: Claim,
    ) -> Pick {
        let line = self.queues.get(queue);
        let (agents, others) = line.map_or_else(Default::default, |line| {
            let named = self.candidates(line, caller, chosen);
            let tried = self.tried_among(line, caller, chosen);
            let others = others(line, caller, (chosen, tried), &named);
            (named, others)
        });
        // Whoever is asked for goes past the line, and over nobody in it.
        let (callers, before) =
            line.filter(|_| claim != Claim::Asked).map_or_else(Default::default, |line| {
                self.passed_over(line, caller, chosen.first().copied())
            });
        Pick {
            call: caller.place.call,
            queue,
            strategy: line.map_or(Strategy::default(), |line| line.settings.strategy),
            claim,
            level: caller.need.level,
            languages: caller.need.languages.clone(),
            agents,
            others,
            more_callers: (before - callers.len()) as u32,
            callers,
        }
    }

    fn candidates(
        &self,
        line: &Queue,
        caller: &Caller,
        chosen: &[AgentId],
    ) -> Vec<(AgentId, Verdict)> {
        let mut named: Vec<(AgentId, Verdict)> = Vec::with_capacity(CANDIDATES_MAX);
        let first = chosen.iter().take(CANDIDATES_MAX);
        named.extend(first.map(|&agent| (agent, Verdict::Chosen)));
        let free = line.lane(caller.lane).into_iter().flat_map(|lane| lane.free.iter());
        let is_chosen = |agent: &AgentId| chosen.contains(agent);
        for &(_, _, agent) in free {
            if named.len() == CANDIDATES_MAX || chosen.len() > 1 {
                break;
            }
            if !is_chosen(&agent) {
                let tried = caller.tried.contains(&agent);
                named.push((agent, if tried { Verdict::Tried } else { Verdict::Behind }));
            }
        }
        for &agent in &line.staff {
            if named.len() == CANDIDATES_MAX {
                break;
            }
            if let Some(verdict) = self.verdict(line, caller, agent) {
                named.push((agent, verdict));
            }
        }
        named
    }

    /// How many of the free have missed this caller, and are not chosen all the same. Both may be
    /// thousands, and the fewer are gone through; where all ring together there are none.
    fn tried_among(&self, line: &Queue, caller: &Caller, chosen: &[AgentId]) -> u32 {
        let Some(lane) = line.lane(caller.lane) else { return 0 };
        if chosen.len() >= lane.free.len() {
            return 0;
        }
        let strategy = line.settings.strategy;
        let is_free = |&&agent: &&AgentId| {
            let who = self.agents.get(agent);
            who.is_some_and(|who| lane.free.contains(&strategy::turn(strategy, agent, who)))
        };
        let is_left = |agent: &AgentId| !chosen.contains(agent);
        let count = if caller.tried.len() <= lane.free.len() {
            caller.tried.iter().filter(|agent| is_left(agent)).filter(is_free).count()
        } else {
            let free = lane.free.iter().map(|turn| turn.2);
            free.filter(|agent| is_left(agent) && caller.tried.contains(agent)).count()
        };
        count as u32
    }

    /// Why this agent was no choice at all; `None`: the agent is among the free of the lane.
    fn verdict(&self, line: &Queue, caller: &Caller, agent: AgentId) -> Option<Verdict> {
        let who = self.agents.get(agent)?;
        let lacks = || match shortcoming(line, &caller.need, who) {
            Some(Lacks::Level) => Some(Verdict::Level),
            Some(Lacks::Language) => Some(Verdict::Language),
            None => match caller.lane {
                LaneAt::Held(held) if held != agent => Some(Verdict::NotTheSame),
                LaneAt::Held(_) | LaneAt::Shared(_) => None,
            },
        };
        Verdict::of(&who.shown).or_else(lacks)
    }

    /// The waiting callers of the queue with better places, and how many there are.
    fn passed_over(
        &self,
        line: &Queue,
        caller: &Caller,
        chosen: Option<AgentId>,
    ) -> (Vec<(CallId, PassedOver)>, usize) {
        let ahead = line.waiting.rank(&caller.place);
        let places = line.waiting.iter().take(ahead.min(CANDIDATES_MAX));
        let who = chosen.and_then(|agent| self.agents.get(agent));
        let why = |place: &Place| {
            let at = self.callers.get(&place.call).map_or(LaneAt::Shared(0), |caller| caller.lane);
            let need = line.lane(at).map(|lane| &lane.need);
            let lacks = need.zip(who).and_then(|(need, who)| shortcoming(line, need, who));
            let why = match (at, lacks) {
                (LaneAt::Held(agent), _) if chosen != Some(agent) => PassedOver::HeldFor(agent),
                // The agent whom they wait for was given to whoever has waited too long.
                (LaneAt::Held(_), _) => PassedOver::Aged,
                (LaneAt::Shared(_), Some(Lacks::Level)) => PassedOver::Level,
                (LaneAt::Shared(_), Some(Lacks::Language)) => PassedOver::Language,
                (LaneAt::Shared(_), None) => PassedOver::Aged,
            };
            (place.call, why)
        };
        (places.map(why).collect(), ahead)
    }

    /// Why a caller still waits, as of this moment: everybody who serves the queue, with what
    /// keeps each from this call. `None` where nobody waits by this name.
    pub fn explain(&self, now: Instant, call: CallId) -> Option<Pick> {
        let caller = self.callers.get(&call).filter(|caller| caller.unanswered())?;
        let claim = self.queues.get(caller.queue)?.claim(caller.place, now);
        Some(self.account(caller.queue, caller, &[], claim))
    }
}

/// Whoever serves the queue and is not among those who are named, by verdict.
fn others(
    line: &Queue,
    caller: &Caller,
    (chosen, tried): (&[AgentId], u32),
    named: &[(AgentId, Verdict)],
) -> Vec<(Verdict, u32)> {
    if named.len() == line.staff.len() {
        return Vec::new();
    }
    let free = line.lane(caller.lane).map(|lane| &lane.free);
    let able = free.map_or(0, |free| free.len()).max(chosen.len()) as u32;
    let left = able - chosen.len() as u32;
    let unsuited = unsuited(line, caller);
    let mut counts = line.tally.0;
    counts[Verdict::Chosen as usize] = chosen.len() as u32;
    counts[Verdict::Tried as usize] = tried;
    counts[Verdict::Behind as usize] = left - tried;
    counts[unsuited as usize] = line.ready as u32 - able;
    for (_, verdict) in named {
        let counted = match verdict {
            Verdict::Level | Verdict::Language | Verdict::NotTheSame => unsuited,
            other => *other,
        };
        counts[counted as usize] -= 1;
    }
    Verdict::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect()
}

/// What those lack who are ready and not for this caller: nobody looks at each.
fn unsuited(line: &Queue, caller: &Caller) -> Verdict {
    let asks_level = caller.need.level > line.settings.lowest_level();
    match (caller.lane, asks_level, caller.need.languages.is_empty()) {
        (LaneAt::Held(_), _, _) => Verdict::NotTheSame,
        (LaneAt::Shared(_), _, true) => Verdict::Level,
        (LaneAt::Shared(_), false, false) => Verdict::Language,
        (LaneAt::Shared(_), true, false) => Verdict::Unsuited,
    }
}

enum Lacks {
    Level,
    Language,
}

fn shortcoming(line: &Queue, need: &Need, who: &super::agent::Agent) -> Option<Lacks> {
    if !who.is_able(&line.settings, need.level) {
        Some(Lacks::Level)
    } else if !who.speaks(&need.languages) {
        Some(Lacks::Language)
    } else {
        None
    }
}
