//! When a caller goes elsewhere, because their queue cannot serve them: after a time, while nobody
//! is on shift, where the wait is too long, while a trunk is down. It decides, and never carries.
//!
//! In: a call in a queue, whenever something may have changed. Out: where to. Each way out is taken
//! once in a stay, so that a centre which does not answer is not rung for ever; one that is closed
//! just now is kept until it is open. Ways are followed on past queues where nobody works.

use super::caller::{Caller, Stage};
use super::desk::Desk;
use super::{QueueSettings, Ways};
use crate::base::{CallId, Cx, Instant, QueueId, Timer, TrunkId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often a queue is looked at again for what nobody tells: who is on shift, what is down.
const REVIEW: Duration = Duration::from_secs(5);
/// A phone rings for the caller just now: ask again when it may have been in vain.
const RINGS: Duration = Duration::from_secs(1);

/// The ways out of one queue, in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaysOut {
    pub queue: String,
    pub ways: Vec<Overflow>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overflow {
    pub when: When,
    pub to: Elsewhere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// The caller has waited for this long, counted from joining the queue.
    After(Duration),
    /// Nobody who serves the queue is logged in and can be reached.
    Unstaffed,
    /// The caller would wait for this long, as it looks when they come: so long has the first in
    /// line waited, or that is the estimate for their place. Who waits already has paid for the
    /// place and keeps it.
    WaitOver(Duration),
    TrunkDown(TrunkId),
}

impl When {
    pub fn name(self) -> &'static str {
        match self {
            When::After(_) => "after",
            When::Unstaffed => "unstaffed",
            When::WaitOver(_) => "wait-over",
            When::TrunkDown(_) => "trunk-down",
        }
    }
}

/// Names of the configuration, so that a reload changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Elsewhere {
    Queue(String),
    District(String),
}

/// Who is watched, and which ways out they have taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relief {
    watched: BTreeMap<CallId, Watch>,
    /// Where a supervisor has said something else than the configuration.
    said: BTreeMap<QueueId, Ways>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Watch {
    queue: QueueId,
    joined: Instant,
    /// The way itself, and not its place in the list: a reload may put another there.
    taken: Vec<Overflow>,
    /// How long the wait would be has been looked at: that counts at the door only.
    inside: bool,
}

impl Watch {
    fn is_left(&self, way: &Overflow) -> bool {
        let at_the_door = matches!(way.when, When::WaitOver(_));
        !(self.taken.contains(way) || self.inside && at_the_door)
    }
}

/// What a decision looks at.
pub struct Scene<'a> {
    pub ways: &'a [WaysOut],
    pub is_down: &'a dyn Fn(TrunkId) -> bool,
    /// What there is for the caller just now.
    pub leads: &'a dyn Fn(&Elsewhere) -> Lead,
}

/// What a way out comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// The caller may go there.
    Open,
    /// Not just now.
    Closed,
    /// Nobody works there: they go where its own ways for that lead.
    Onward(QueueId),
}

impl Relief {
    /// Something may have changed for this caller: the way out that is due, if one is.
    pub fn look(
        &mut self,
        cx: &mut Cx,
        desk: &Desk,
        scene: &Scene,
        call: CallId,
    ) -> Option<Overflow> {
        let caller = desk.callers.get(&call).filter(|c| !matches!(c.stage, Stage::Talking { .. }));
        let Some((caller, ways)) = caller.and_then(|c| Some((c, ways_of(desk, scene, c.queue)?)))
        else {
            self.forget(cx, call);
            return None;
        };
        let stay = (caller.queue, caller.joined);
        let known = self.watched.get(&call).is_some_and(|w| (w.queue, w.joined) == stay);
        if !known {
            let (queue, joined) = stay;
            let watch = Watch { queue, joined, taken: Vec::new(), inside: false };
            self.watched.insert(call, watch);
        }
        let watch = self.watched.get_mut(&call)?;
        let now = cx.now.instant;
        let said = self.said.get(&stay.0).copied().unwrap_or_default();
        let waits = caller.stage == Stage::Waiting;
        let lands = |way: &Overflow| lands(desk, scene, &self.said, way);
        let due = ways.iter().find_map(|way| {
            let is_due = || match said {
                Ways::Configured => is_due(way.when, desk, scene, call, now),
                Ways::Open => true,
                Ways::Shut => false,
            };
            let to = (waits && watch.is_left(way) && is_due()).then(|| lands(way)).flatten()?;
            Some((way, to))
        });
        watch.taken.extend(due.as_ref().map(|(way, _)| (*way).clone()));
        watch.inside |= waits;
        match next_look(ways, watch, &lands, (caller, now)) {
            Some(at) => cx.timers.set(Timer::Overflow(call), at),
            None => cx.timers.cancel(Timer::Overflow(call)),
        }
        due.map(|(way, to)| Overflow { when: way.when, to })
    }

    /// Where a queue that does not keep a caller sends them: the first of its ways that is open.
    pub fn way_out(&self, desk: &Desk, scene: &Scene, queue: QueueId) -> Option<Overflow> {
        let lands = |way: &Overflow| {
            let to = lands(desk, scene, &self.said, way)?;
            Some(Overflow { when: way.when, to })
        };
        ways_of(desk, scene, queue)?.iter().find_map(lands)
    }

    /// The caller waits no more.
    pub fn forget(&mut self, cx: &mut Cx, call: CallId) {
        self.watched.remove(&call);
        cx.timers.cancel(Timer::Overflow(call));
    }

    /// A supervisor says when the ways out of a queue are taken. False: it was said before.
    pub fn say(&mut self, queue: QueueId, ways: Ways) -> bool {
        let before = match ways {
            Ways::Configured => self.said.remove(&queue),
            Ways::Open | Ways::Shut => self.said.insert(queue, ways),
        };
        before.unwrap_or_default() != ways
    }

    /// Whether a supervisor has shut the ways out of this queue.
    pub fn is_shut(&self, queue: QueueId) -> bool {
        self.said.get(&queue) == Some(&Ways::Shut)
    }

    /// Trunks are places in the settings, which are new: a way stays with the trunk that it is of.
    pub fn move_trunks(&mut self, moved: &dyn Fn(TrunkId) -> Option<TrunkId>) {
        for watch in self.watched.values_mut() {
            watch.taken.retain_mut(|way| match &mut way.when {
                When::TrunkDown(trunk) => moved(*trunk).map(|new| *trunk = new).is_some(),
                When::After(_) | When::Unstaffed | When::WaitOver(_) => true,
            });
        }
    }

    /// A queue that is gone.
    pub fn keep_only(&mut self, desk: &Desk) {
        self.said.retain(|queue, _| desk.queues.contains(*queue));
    }

    pub fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }
}

fn ways_of<'a>(desk: &Desk, scene: &Scene<'a>, queue: QueueId) -> Option<&'a [Overflow]> {
    let name = desk.queue_settings(queue).map(|QueueSettings { name, .. }| name)?;
    let out = scene.ways.iter().find(|out| out.queue == *name)?;
    (!out.ways.is_empty()).then_some(&out.ways)
}

/// Where a way ends: past queues where nobody works, at the first place that takes the caller.
fn lands(
    desk: &Desk,
    scene: &Scene,
    said: &BTreeMap<QueueId, Ways>,
    way: &Overflow,
) -> Option<Elsewhere> {
    let (mut left, mut seen) = (vec![&way.to], BTreeSet::new());
    while let Some(to) = left.pop() {
        match (scene.leads)(to) {
            Lead::Open => return Some(to.clone()),
            Lead::Closed => {}
            Lead::Onward(queue) => {
                if seen.insert(queue) && said.get(&queue) != Some(&Ways::Shut) {
                    let ways = ways_of(desk, scene, queue).unwrap_or_default().iter();
                    let onward = ways.filter(|way| way.when == When::Unstaffed);
                    // The first of them is tried first.
                    left.extend(onward.map(|way| &way.to).rev());
                }
            }
        }
    }
    None
}

fn is_due(when: When, desk: &Desk, scene: &Scene, call: CallId, now: Instant) -> bool {
    let Some(caller) = desk.callers.get(&call) else { return false };
    match when {
        When::After(span) => now.since(caller.joined) >= span,
        When::Unstaffed => desk.is_deserted(caller.queue),
        When::WaitOver(span) => {
            let first = desk.line(caller.queue).find_map(|call| desk.callers.get(&call));
            let position = desk.position(now, call);
            let estimate = position.and_then(|place| desk.estimate(caller.queue, place));
            first.is_some_and(|first| now.since(first.joined) >= span)
                || estimate.is_some_and(|estimate| estimate >= span)
        }
        When::TrunkDown(trunk) => (scene.is_down)(trunk),
    }
}

/// When the first of the ways that are left may have come due.
fn next_look(
    ways: &[Overflow],
    watch: &Watch,
    lands: &dyn Fn(&Overflow) -> Option<Elsewhere>,
    (caller, now): (&Caller, Instant),
) -> Option<Instant> {
    let left = ways.iter().filter(|way| watch.is_left(way));
    let at = |way: &Overflow| match way.when {
        When::After(span) if caller.joined + span > now => caller.joined + span,
        When::After(_) if lands(way).is_none() => now + REVIEW,
        When::After(_) => now + RINGS,
        When::Unstaffed | When::TrunkDown(_) => now + REVIEW,
        When::WaitOver(_) => now + RINGS,
    };
    left.map(at).min()
}
