//! What a simulated phone does with a call: well or badly brought up.

use super::plan::Plan;
use crate::base::Rng;
use std::time::Duration;

/// What a phone does with the next call. Times run from the INVITE, or from the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Habits {
    /// 180 after this time. `None`: not even that.
    pub ring_after: Option<Duration>,
    /// The final answer after this time. `None`: never.
    pub answer_after: Option<Duration>,
    pub status: u16,
    /// Hang up so long after the answer. `None`: the other end has to.
    pub talk: Option<Duration>,
    /// Does not acknowledge a 2xx.
    pub never_acks: bool,
    /// Answers 200 to the INVITE although a CANCEL has come.
    pub answers_cancelled: bool,
    /// Hangs up an answered call without waiting for the ACK.
    pub impatient: bool,
    /// Why it hangs up, as it says itself: header lines of its BYE.
    pub why: &'static str,
    /// Puts the other end on hold and comes back, so long after the answer.
    pub holds_after: Option<Duration>,
    /// Another phone behind the same contact answers too, so long after this one.
    pub twin: Option<Duration>,
    /// Rings with reliable responses; as a caller, requires them (RFC 3262).
    pub reliable: bool,
    /// Calls for somebody who has a place at another switch as well.
    pub lent: bool,
    /// Calls without an offer, and answers the other end's in the ACK.
    pub delayed: bool,
    /// Answers every re-INVITE with 491, as if it had one of its own on the way.
    pub glares: bool,
    /// Loses its power at this step, and is never heard of again.
    pub dies: Option<Step>,
}

/// What networks say at the end of any call, and districts too.
const CAUSES: [&str; 2] = ["Reason: Q.850;cause=16\r\n", "Reason: Q.850;cause=31\r\n"];
/// A switch of ours gives the caller back, of whom it has nobody to take care any more.
pub const GIVEN_BACK: &str = concat!(
    "Reason: SIP;cause=480;text=\"Given back to the place that is kept\"\r\n",
    "Reason: Q.850;cause=31\r\n"
);

/// The steps of a call at which a phone may die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The INVITE came.
    Invited,
    /// 180 was sent.
    Ringing,
    /// 200 was sent; the ACK does not find anybody.
    Answered,
    /// The ACK came.
    Confirmed,
    /// BYE would be next.
    Leaving,
}

impl Habits {
    /// Rings at once, answers after `ring`, talks for `talk`.
    pub fn polite(ring: Duration, talk: Duration) -> Self {
        Self {
            ring_after: Some(Duration::from_millis(20)),
            answer_after: Some(ring),
            status: 200,
            talk: Some(talk),
            never_acks: false,
            answers_cancelled: false,
            impatient: false,
            why: "",
            holds_after: None,
            twin: None,
            reliable: false,
            lent: false,
            delayed: false,
            glares: false,
            dies: None,
        }
    }

    pub fn refuses(status: u16) -> Self {
        let short = Duration::from_millis(50);
        Self { status, ring_after: None, ..Self::polite(short, short) }
    }

    pub fn dies_at(step: Step) -> Self {
        Self {
            dies: Some(step),
            ..Self::polite(Duration::from_millis(500), Duration::from_secs(5))
        }
    }

    pub fn caller(plan: &Plan, rng: &mut Rng) -> Self {
        let rude = rng.chance(plan.faults.rude_callers);
        Self {
            talk: None,
            never_acks: rude && rng.chance(20),
            glares: rude && rng.chance(20),
            reliable: rng.chance(plan.faults.reliable),
            delayed: rng.chance(plan.faults.delayed),
            lent: plan.region.peers && rng.chance(30),
            ..Self::polite(Duration::ZERO, Duration::ZERO)
        }
    }

    /// What an agent's phone does with its next call.
    pub fn agent(plan: &Plan, rng: &mut Rng) -> Self {
        let mut habits = Self {
            ring_after: Some(Duration::from_millis(20 + rng.below(300))),
            reliable: rng.chance(plan.faults.reliable),
            twin: rng.chance(plan.faults.forks).then(|| Duration::from_millis(rng.below(2_000))),
            ..Self::polite(seconds(rng, 1, 5), seconds(rng, 3, 40))
        };
        if rng.chance(20) {
            habits.why = CAUSES[rng.below(2) as usize];
        }
        if !rng.chance(plan.faults.rude_agents) {
            return habits;
        }
        match rng.below(13) {
            0 => habits.status = 486,
            1 => habits.status = 603,
            2 => habits.status = 302,
            3 => habits.answer_after = None,
            4 => (habits.ring_after, habits.answer_after) = (None, None),
            5 => habits.answers_cancelled = true,
            // As the queue gives up ringing.
            6 => {
                let late = 11_900_000 + rng.below(200_000);
                habits.answer_after = Some(Duration::from_micros(late));
            }
            7 => (habits.ring_after, habits.answer_after) = (None, Some(Duration::ZERO)),
            8 => habits.impatient = true,
            9 => habits.status = 500,
            10 => habits.glares = true,
            11 => habits.talk = Some(Duration::from_millis(rng.below(100))),
            _ => habits.holds_after = Some(Duration::from_secs(1)),
        }
        if rng.chance(plan.faults.deaths) {
            let steps =
                [Step::Invited, Step::Ringing, Step::Answered, Step::Confirmed, Step::Leaving];
            habits.dies = Some(steps[rng.below(5) as usize]);
        }
        habits
    }
}

pub fn seconds(rng: &mut Rng, from: u64, to: u64) -> Duration {
    Duration::from_micros(from * 1_000_000 + rng.below((to - from) * 1_000_000))
}
