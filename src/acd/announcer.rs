//! When a waiting caller is told something, and what: the place in the line, the wait, what keys
//! do. A number in the line that comes too often drives callers away, and silence too.
//!
//! In: callers who come and go, the time. Out: an [`Announcement`], which names no word of any
//! language. A caller costs a timer here, and one look at the line each time. May import: base.

use super::desk::Desk;
use super::{Stage, Wait};
use crate::base::{CallId, Cx, Instant, QueueId, Timer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

/// Positions beyond this one are not told: nobody keeps them in mind, and many sound alike.
const POSITION_MAX: usize = 20;

/// What a queue tells those who wait in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announce {
    /// After joining. Silence for longer than 10 s is taken for a dead line.
    pub first: Duration,
    /// Zero: nothing is told at all.
    pub every: Duration,
    pub position: bool,
    pub wait: bool,
}

impl Default for Announce {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { first: seconds(10), every: seconds(35), position: true, wait: true }
    }
}

/// What is said at one time, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// What a supervisor has put into the queue, by its name in the configuration.
    pub message: Option<String>,
    /// All operators are on other calls.
    pub busy: bool,
    pub place: Option<Told>,
    pub wait: Option<Wait>,
    pub offer: Option<Offer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    Next,
    Position(usize),
    Over(usize),
}

/// A key that the caller may press.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Offer {
    Emergency(char),
    Callback(char),
}

/// Who is told something next, and what they have been told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcer {
    listeners: BTreeMap<CallId, Listener>,
    messages: BTreeMap<QueueId, Message>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Message {
    name: String,
    until: Instant,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Listener {
    times: u32,
    /// By when the caller was promised an agent.
    promised: Option<Instant>,
}

impl Announcer {
    /// Something may have changed for this caller: they have begun to wait, or wait no more.
    pub fn look(&mut self, cx: &mut Cx, desk: &Desk, call: CallId) {
        // Where nothing else is told, a message is told to whoever comes.
        let message = self.message(cx.now.instant, desk, call).map(|_| Duration::ZERO);
        let first = announce(desk, call).map(|announce| announce.first).or(message);
        let Some(first) = first else { return self.forget(cx, call) };
        if let Entry::Vacant(place) = self.listeners.entry(call) {
            place.insert(Listener::default());
            cx.timers.set(Timer::Announce(call), cx.now.instant + first);
        }
    }

    /// The message was told to this caller already. Where more is told, it comes again with that.
    pub fn has_heard(&mut self, cx: &mut Cx, desk: &Desk, call: CallId) {
        let message = self.message(cx.now.instant, desk, call).map(|message| message.until);
        if let (None, Some(until)) = (announce(desk, call), message) {
            self.listeners.entry(call).or_default();
            cx.timers.set(Timer::Announce(call), until);
        }
    }

    /// What a supervisor has put into the queue that the caller waits in.
    fn message(&self, now: Instant, desk: &Desk, call: CallId) -> Option<&Message> {
        let queue = queue_of_waiting(desk, call)?;
        self.messages.get(&queue).filter(|message| now < message.until)
    }

    /// Whoever waits in the queue hears this with all that they are told, until then.
    pub fn put(&mut self, queue: QueueId, name: &str, until: Instant) {
        self.messages.insert(queue, Message { name: name.into(), until });
    }

    pub fn take_away(&mut self, queue: QueueId) {
        self.messages.remove(&queue);
    }

    /// Messages of queues that are gone are.
    pub fn keep_only(&mut self, desk: &Desk) {
        self.messages.retain(|queue, _| desk.queues.contains(*queue));
    }

    /// The caller waits no more.
    pub fn forget(&mut self, cx: &mut Cx, call: CallId) {
        if self.listeners.remove(&call).is_some() {
            cx.timers.cancel(Timer::Announce(call));
        }
    }

    /// It is time to say something to this caller; `offers` are the keys that mean something.
    pub fn due(
        &mut self,
        cx: &mut Cx,
        desk: &Desk,
        call: CallId,
        offers: &[Offer],
    ) -> Option<Announcement> {
        let now = cx.now.instant;
        let message = self.message(now, desk, call).cloned();
        let announce = announce(desk, call);
        if let (None, Some(message), true) =
            (announce, &message, self.listeners.contains_key(&call))
        {
            cx.timers.set(Timer::Announce(call), message.until);
            let message = Some(message.name.clone());
            return Some(Announcement { message, ..Announcement::default() });
        }
        let Some((announce, listener)) = announce.zip(self.listeners.get_mut(&call)) else {
            self.forget(cx, call);
            return None;
        };
        cx.timers.set(Timer::Announce(call), now + announce.every);
        let outlook = desk.outlook(now, call)?;
        let told = match outlook.position {
            1 => Told::Next,
            n if n > POSITION_MAX => Told::Over(POSITION_MAX),
            n => Told::Position(n),
        };
        let wait = outlook.wait.filter(|_| announce.wait);
        let said = Announcement {
            message: message.map(|message| message.name),
            busy: listener.times == 0,
            place: Some(told).filter(|_| announce.position),
            wait: wait.filter(|wait| listener.promise(now, *wait)),
            offer: offers.get(listener.times as usize % offers.len().max(1)).copied(),
        };
        listener.times = listener.times.wrapping_add(1);
        (said != Announcement::default()).then_some(said)
    }

    /// Exactly those who wait where something is told have a timer.
    pub fn check(&self, desk: &Desk, is_set: impl Fn(Timer) -> bool) -> Result<(), String> {
        for call in desk.calls() {
            let (told, known) =
                (announce(desk, call).is_some(), self.listeners.contains_key(&call));
            if told && !known {
                return Err(format!("{call:?} waits and is told nothing"));
            }
        }
        for call in self.listeners.keys() {
            if !is_set(Timer::Announce(*call)) {
                return Err(format!("{call:?} is to be told something, and never will be"));
            }
        }
        Ok(())
    }
}

impl Listener {
    /// Whether this wait may be said. One that cannot be true together with what was promised
    /// before is not: an estimate that grows while the caller waits is worth nothing to them.
    fn promise(&mut self, now: Instant, wait: Wait) -> bool {
        let (least, most) = wait.bounds();
        if self.promised.is_some_and(|by| now + least > by) {
            return false;
        }
        let by = most.map(|most| now + most);
        self.promised = self.promised.into_iter().chain(by).min();
        true
    }
}

fn announce(desk: &Desk, call: CallId) -> Option<Announce> {
    let announce = desk.queue_settings(queue_of_waiting(desk, call)?)?.announce;
    (!announce.every.is_zero()).then_some(announce)
}

fn queue_of_waiting(desk: &Desk, call: CallId) -> Option<QueueId> {
    let waits = desk.stage(call).filter(|stage| !matches!(stage, Stage::Talking { .. }));
    let queue = waits.and_then(|_| desk.queue_of(call))?;
    // Nobody hears it who is still to be called.
    let is_there = desk.callers.get(&call)?.keep.is_none();
    is_there.then_some(queue)
}
