//! What happened, numbered without a gap. Records, wallboard, metrics, audit and the simulator's
//! checks are folds over these; facts never drive behaviour.

use crate::base::{CallId, Now, TrunkId, Wall};
use crate::{acd, call};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Counts from 1 over the life of the switch.
    pub seq: u64,
    pub at: Now,
    pub what: What,
}

/// Who did what to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    pub by: String,
    /// As the admin socket calls it.
    pub verb: String,
    /// A call, an agent, a queue, with what was wanted of it.
    pub on: String,
    /// Why it was not done; empty where it was.
    pub refused: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum What {
    Call(call::Fact),
    Desk(acd::Fact),
    /// A phone registered, or did so no more; the contacts it has now.
    Phone {
        user: String,
        contacts: Vec<String>,
        why: String,
    },
    Trunk {
        trunk: TrunkId,
        up: bool,
    },
    /// The caller's queue cannot serve them: they went to another, or a district's centre rings.
    Overflowed {
        call: CallId,
        from: String,
        to: String,
        why: String,
    },
    Shift(acd::ShiftNews),
    /// An agent keyed in a feature code at this phone, or from home `pin` before it; `why` it was
    /// not done, or empty. `agent` is empty where nobody is there, or has yet proven who they are.
    Code {
        agent: String,
        phone: String,
        code: String,
        why: String,
    },
    /// A number may not call for a while: an agent's strikes, or a supervisor's word.
    Blocked {
        number: String,
        reason: String,
        by: String,
        until: Wall,
    },
    Unblocked {
        number: String,
        reason: String,
        by: String,
    },
    /// Too many wrong passwords, or pins.
    Locked {
        user: String,
        peer: SocketAddr,
    },
    /// The calendar was put forward by so many seconds, or back: times of day before and behind
    /// this do not follow from each other.
    ClockMoved {
        seconds: i64,
    },
    /// A place where rows are stored; why it is away, or empty.
    Store {
        name: String,
        up: bool,
        why: String,
    },
    /// Whether a restart would bring back what is going on; why not, or empty.
    Journal {
        whole: bool,
        why: String,
    },
    /// Whether recordings are written; why not, or empty.
    Recorder {
        up: bool,
        why: String,
    },
    /// Somebody acted, or looked at what is not for everybody.
    Audit(Box<Audit>),
    /// The settings were replaced.
    Reloaded,
    Draining,
    /// Another process has taken over, with so many calls alive.
    Restarted {
        calls: usize,
    },
}
