//! Events that the core cannot handle: one must not cost everybody's calls, nor keep anybody from
//! looking back. It is left out, as if the network had lost it, and all else is gone through again.

use crate::base::Now;
use crate::core::{Event, Out, Switch};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An event: its segment, its entry, its place in that.
pub type Position = (u64, usize, usize);

/// How many are left out at most.
const POISONED_MAX: usize = 8;

/// Why it cannot be gone on with.
pub enum Broken {
    /// A sentence.
    Said(String),
    /// The core breaks one of its own rules at this event: the one that the process died of.
    At(Position),
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
    mut attempt: impl FnMut(&[Position]) -> Result<T, Broken>,
) -> Result<(T, Vec<Position>), String> {
    let mut poisoned = Vec::new();
    loop {
        match attempt(&poisoned) {
            Ok(done) => return Ok((done, poisoned)),
            Err(Broken::At(position)) if poisoned.len() < POISONED_MAX => {
                let (segment, entry, _) = position;
                tracing::error!(
                    "the core broke one of its own rules at entry {entry} of segment {segment}: \
                     that event is left out"
                );
                poisoned.push(position);
            }
            Err(Broken::At(_)) => return Err("the core breaks its own rules in it".into()),
            Err(Broken::Said(why)) => return Err(why),
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

/// Has the switch handle an event that may break it. Where it does, the switch is good for nothing.
pub fn handle(
    switch: &mut Switch,
    now: Now,
    event: Event,
    position: Position,
    out: &mut Out,
) -> Result<(), Broken> {
    let handle = || {
        #[cfg(test)]
        break_at(&event);
        switch.handle(now, event, out);
    };
    catch_unwind(AssertUnwindSafe(handle)).map_err(|_| Broken::At(position))
}
