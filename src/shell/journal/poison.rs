//! What the core cannot handle: an event, or one of the timers that were due at one. It must not
//! cost everybody's calls, nor keep anybody from looking back. It is left out, as if the network
//! had lost it or the clock had never been set, and all else is gone through again.

use crate::base::{Now, Timer};
use crate::core::{Event, Out, Switch};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An event: its segment, its entry, its place in that.
pub type Position = (u64, usize, usize);

/// How many are left out at most.
const POISONED_MAX: usize = 8;

/// What is left out: the event, or a timer that was due there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poison {
    pub at: Position,
    pub timer: Option<Timer>,
}

impl fmt::Display for Poison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (segment, entry, _) = self.at;
        match self.timer {
            None => write!(f, "segment {segment}, entry {entry}"),
            Some(timer) => write!(f, "segment {segment}, entry {entry} ({timer:?} was due)"),
        }
    }
}

/// Why it cannot be gone on with.
pub enum Broken {
    /// A sentence.
    Said(String),
    /// The core breaks one of its own rules in this: what the process died of.
    At(Poison),
    /// The machine has no file or no memory for it just now: what is in the journal may be whole.
    /// A sentence.
    World(String),
    /// The same of a file that is not ours to read.
    Shut(String),
}

impl From<String> for Broken {
    fn from(sentence: String) -> Self {
        Self::Said(sentence)
    }
}

impl From<&str> for Broken {
    fn from(sentence: &str) -> Self {
        Self::Said(sentence.into())
    }
}

/// Tries with more and more left out; what came of it, and what was left out.
pub fn leaving_out<T>(
    mut attempt: impl FnMut(&[Poison]) -> Result<T, Broken>,
) -> Result<(T, Vec<Poison>), Broken> {
    let mut poisoned = Vec::new();
    loop {
        match attempt(&poisoned) {
            Ok(done) => return Ok((done, poisoned)),
            Err(Broken::At(poison)) if poisoned.len() < POISONED_MAX => {
                tracing::error!(
                    "{poison}: the core broke one of its own rules, {}",
                    instead(&poison)
                );
                poisoned.push(poison);
            }
            Err(Broken::At(_)) => return Err("the core breaks its own rules in it".into()),
            Err(other) => return Err(other),
        }
    }
}

fn instead(poison: &Poison) -> &'static str {
    match poison.timer {
        None => "that is left out",
        Some(_) => "that is left out: what it was for is ended in another way",
    }
}

/// The sentence, for whoever only looks back.
impl From<Broken> for String {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Said(why) | Broken::World(why) | Broken::Shut(why) => why,
            Broken::At(poison) => format!("{poison}: the core breaks its own rules"),
        }
    }
}

/// Planted bugs: the core cannot handle these events.
#[cfg(test)]
pub fn break_at(event: &Event) {
    let planted = match event {
        Event::Sip { bytes, .. } => bytes.windows(11).any(|octets| octets == b"planted-bug"),
        event => matches!(event, Event::Admin { request: u64::MAX, .. }),
    };
    assert!(!planted, "a planted bug");
}

/// Has the switch handle an event that may break it; whether all of it was handled. Where it
/// breaks, the switch is good for nothing.
pub fn handle(
    switch: &mut Switch,
    now: Now,
    event: Event,
    (at, poisoned): (Position, &[Poison]),
    out: &mut Out,
) -> Result<bool, Broken> {
    let here = || poisoned.iter().filter(|poison| poison.at == at);
    if here().any(|poison| poison.timer.is_none()) {
        return Ok(false);
    }
    let timers: Vec<Timer> = here().filter_map(|poison| poison.timer).collect();
    let whole = timers.is_empty();
    switch.leave_out(timers);
    let handle = || {
        #[cfg(test)]
        break_at(&event);
        switch.handle(now, event, out);
    };
    match catch_unwind(AssertUnwindSafe(handle)) {
        Ok(()) => Ok(whole),
        Err(_) => Err(Broken::At(Poison { at, timer: switch.expiring() })),
    }
}
