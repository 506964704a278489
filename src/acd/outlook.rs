//! What a waiting caller may be told: the number in the line, and how long it will take.

use super::caller::Place;
use super::desk::Desk;
use super::queue::{Claim, Queue};
use crate::base::{CallId, Instant, QueueId, limits};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A caller's prospects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// From 1: the next in line.
    pub position: usize,
    /// `None` where it cannot be told: too few conversations yet, or nobody on duty, or
    /// conversations that have become much longer or shorter.
    pub wait: Option<Wait>,
}

/// An estimated wait as it is announced: never less than the estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Wait {
    UnderOneMinute,
    OneToTwo,
    TwoToThree,
    ThreeToFive,
    FiveToTen,
    OverTen,
}

impl Wait {
    /// The bucket of an estimate. An exact boundary belongs to the longer one.
    pub fn of(estimate: Duration) -> Self {
        match estimate.as_secs() / 60 {
            0 => Self::UnderOneMinute,
            1 => Self::OneToTwo,
            2 => Self::TwoToThree,
            3..5 => Self::ThreeToFive,
            5..10 => Self::FiveToTen,
            10.. => Self::OverTen,
        }
    }
}

impl Wait {
    /// The shortest and the longest wait of this bucket; `None`: there is no longest.
    pub fn bounds(self) -> (Duration, Option<Duration>) {
        let (least, most) = match self {
            Self::UnderOneMinute => (0, Some(1)),
            Self::OneToTwo => (1, Some(2)),
            Self::TwoToThree => (2, Some(3)),
            Self::ThreeToFive => (3, Some(5)),
            Self::FiveToTen => (5, Some(10)),
            Self::OverTen => (10, None),
        };
        let minutes = |n: u64| Duration::from_secs(60 * n);
        (minutes(least), most.map(minutes))
    }
}

impl Desk {
    /// What may be told to a caller now; `None` once somebody has answered.
    pub fn outlook(&self, now: Instant, call: CallId) -> Option<Outlook> {
        let position = self.position(now, call)?;
        let queue = self.queue_of(call)?;
        let estimate = self.estimate(queue, position).filter(|_| self.is_steady(queue));
        Some(Outlook { position, wait: estimate.map(Wait::of) })
    }

    /// Whether conversations take about as long as they did: the newer half of those that the
    /// estimate is made from lasted in sum between half and twice of the older half. What is made
    /// of anything less steady is told to nobody.
    fn is_steady(&self, queue: QueueId) -> bool {
        let Some(queue) = self.queues.get(queue) else { return false };
        let half = queue.handled.len() / 2;
        let sum = |handled: &mut dyn Iterator<Item = &Duration>| -> u128 {
            handled.take(half).map(Duration::as_micros).sum()
        };
        let older = sum(&mut queue.handled.iter());
        let newer = sum(&mut queue.handled.iter().rev());
        newer <= 2 * older && older <= 2 * newer
    }

    /// How long whoever has this number in the line will wait:
    ///
    /// `position * mean / agents`, where `mean` is that of the last 16 conversations with their
    /// wrap-ups, and `agents` are those on duty who serve the queue; one who serves k queues
    /// counts as 1/k of an agent here. So it errs towards the longer wait while the other queues
    /// are quiet. In whole microseconds, rounded up; `None` before 4 conversations or without
    /// agents.
    pub fn estimate(&self, queue: QueueId, position: usize) -> Option<Duration> {
        let queue = self.queues.get(queue)?;
        let samples = queue.handled.len();
        if samples < limits::ESTIMATE_FROM.0 || queue.capacity == 0 {
            return None;
        }
        let sum: u128 = queue.handled.iter().map(Duration::as_micros).sum();
        let share = samples as u128 * u128::from(queue.capacity);
        let micros = (position as u128 * sum * 1_000).div_ceil(share);
        Some(Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)))
    }

    /// The caller's number in the queue, from 1, in the order in which the line would be served
    /// now by agents who may take everybody. `None` once somebody has answered.
    pub fn position(&self, now: Instant, call: CallId) -> Option<usize> {
        let caller = self.callers.get(&call).filter(|caller| caller.unanswered())?;
        let queue = self.queues.get(caller.queue)?;
        Some(1 + queue.ahead_of(caller.place, now))
    }
}

impl Queue {
    /// How many are served before this place: group by group of one priority, by rank.
    fn ahead_of(&self, own: Place, now: Instant) -> usize {
        let claim = self.claim(own, now);
        let first_fresh = Instant((now - self.settings.aging).0 + 1);
        let any_aged = now >= Instant(0) + self.settings.aging;
        let (mut ahead, mut next) = (0, self.line.first().copied());
        while let Some(group) = next {
            let start = self.line.rank(&group.start_of_group());
            let up_to = |place: Place| self.line.rank(&place) - start;
            let all = up_to(group.end_of_group());
            let same = (group.ordinary, group.priority) == (own.ordinary, own.priority);
            let before_own = || up_to(Place { arrived: own.arrived, call: own.call, ..group });
            let aged = || match any_aged {
                true => up_to(Place { arrived: first_fresh, ..group.start_of_group() }),
                false => 0,
            };
            ahead += match claim {
                _ if same => before_own(),
                Claim::Emergency => 0,
                Claim::Aged | Claim::Weighed(..) | Claim::Asked if !group.ordinary => all,
                Claim::Aged => before_own(),
                Claim::Weighed(..) | Claim::Asked if group.priority < own.priority => all,
                Claim::Weighed(..) | Claim::Asked => aged(),
            };
            next = self.line.after(&group.end_of_group()).copied();
        }
        ahead
    }
}
