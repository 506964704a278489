//! Who was promised a call, and the one attempt that may be under way: a virtual caller who stands
//! in the line at the place of the first arrival, is offered to an agent like anybody, and is
//! dialled only when that agent has answered.
//!
//! In: promises, attempts that begin and fail, the time. Out: whether to try, and whether again.
//! Knows no trunk and no phone. May import: base.

use super::Stage;
use super::desk::Desk;
use crate::base::{CallId, Cx, Timer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackPolicy {
    /// How often a number is tried.
    pub attempts: u32,
    /// How long after an attempt in vain comes the next one.
    pub apart: Duration,
    /// How long a promise waits in the line for an agent, each time.
    pub keep: Duration,
}

impl Default for CallbackPolicy {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Self { attempts: 3, apart: minutes(5), keep: minutes(240) }
    }
}

/// Promises by the call that is to keep them, one for each number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callbacks {
    book: BTreeMap<CallId, Promise>,
    by_number: BTreeMap<String, CallId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Promise {
    number: String,
    tries: u32,
    step: Step,
}

/// Exactly one of these, so that no two attempts for one promise are ever alive, and no death of
/// the process makes a second one of the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Step {
    /// In the line, or ringing at agents.
    InLine,
    /// An agent has answered, and the number is being dialled.
    Live,
    /// Was not reached; waits for the next attempt.
    Resting,
}

/// What follows an attempt in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Again,
    GiveUp,
}

impl Callbacks {
    /// The call that is to keep the promise made to this number.
    pub fn of(&self, number: &str) -> Option<CallId> {
        self.by_number.get(number).copied()
    }

    pub fn knows(&self, call: CallId) -> bool {
        self.book.contains_key(&call)
    }

    /// How often this promise was tried.
    pub fn tries(&self, call: CallId) -> u32 {
        self.book.get(&call).map_or(0, |promise| promise.tries)
    }

    /// False: the number has a promise already, which keeps the earlier place.
    pub fn promise(&mut self, call: CallId, number: &str) -> bool {
        if self.by_number.contains_key(number) {
            return false;
        }
        let promise = Promise { number: number.into(), tries: 0, step: Step::InLine };
        self.book.insert(call, promise);
        self.by_number.insert(number.into(), call);
        true
    }

    /// An agent has answered: true, once, where the number is to be dialled now.
    pub fn begin(&mut self, call: CallId) -> bool {
        let Some(promise) = self.book.get_mut(&call) else { return false };
        let may = promise.step == Step::InLine;
        if may {
            promise.tries += 1;
            promise.step = Step::Live;
        }
        may
    }

    /// The attempt was in vain.
    pub fn failed(&mut self, cx: &mut Cx, call: CallId, policy: &CallbackPolicy) -> Next {
        let Some(promise) = self.book.get_mut(&call) else { return Next::GiveUp };
        if promise.tries >= policy.attempts {
            return Next::GiveUp;
        }
        promise.step = Step::Resting;
        self.rest(cx, call, policy);
        Next::Again
    }

    /// The next attempt is not yet: because one was in vain, or none can be made just now.
    pub fn rest(&self, cx: &mut Cx, call: CallId, policy: &CallbackPolicy) {
        if self.book.get(&call).is_some_and(|promise| promise.step == Step::Resting) {
            cx.timers.set(Timer::CallBack(call), cx.now.instant + policy.apart);
        }
    }

    /// `Timer::CallBack`: true where the call is to stand in the line again.
    pub fn again(&mut self, call: CallId) -> bool {
        let Some(promise) = self.book.get_mut(&call) else { return false };
        let rests = promise.step == Step::Resting;
        promise.step = if rests { Step::InLine } else { promise.step };
        rests
    }

    /// The promise was kept, or is void.
    pub fn over(&mut self, cx: &mut Cx, call: CallId) {
        if let Some(promise) = self.book.remove(&call) {
            self.by_number.remove(&promise.number);
            cx.timers.cancel(Timer::CallBack(call));
        }
    }

    /// Every promise is where its step says.
    pub fn check(&self, desk: &Desk, is_set: impl Fn(Timer) -> bool) -> Result<(), String> {
        for (&call, promise) in &self.book {
            let stage = desk.stage(call);
            let fits = match promise.step {
                Step::InLine => matches!(stage, Some(Stage::Waiting | Stage::Offered(_))),
                Step::Live => matches!(stage, Some(Stage::Talking { .. })),
                Step::Resting => stage.is_none() && is_set(Timer::CallBack(call)),
            };
            if !fits || self.of(&promise.number) != Some(call) {
                return Err(format!("{call:?}: {promise:?}, and the desk says {stage:?}"));
            }
        }
        match self.by_number.len() == self.book.len() {
            true => Ok(()),
            false => Err("a number has a promise that nobody keeps".into()),
        }
    }
}
