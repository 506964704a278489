//! The transaction machines of RFC 3261 section 17 with the corrections of RFC 6026.
//!
//! Each machine is one pure function from (state, input) to (state, what to do). In: what came or
//! ran out. Out: a [`Todo`]. They know neither messages nor addresses; the table of transactions,
//! with the bytes to repeat and the way to the peer, is in [`table`].

pub mod client;
pub mod client_invite;
pub mod server;
pub mod server_invite;
pub mod table;

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The intervals that a machine works with.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    pub t1: Duration,
    pub t2: Duration,
    pub t4: Duration,
    /// TCP and what runs over it: nothing is repeated.
    pub reliable: bool,
}

impl Timing {
    /// 64*T1: how long a transaction is tried, and how long its repeats may still arrive.
    pub fn long(&self) -> Duration {
        self.t1 * 64
    }
}

/// What a step asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Todo {
    /// Send the kept message: the request, or the last response.
    pub send: bool,
    /// Send the ACK of a failed INVITE.
    pub ack: bool,
    /// Hand what came to the user of the transaction.
    pub tell: bool,
    /// Tell the user that no answer will come.
    pub timeout: bool,
    /// Timers A, E, G.
    pub repeat: Alarm,
    /// Timers B, F, H.
    pub give_up: Alarm,
    /// Timers D, I, J, K, L, M.
    pub forget: Alarm,
    /// The transaction is over: remove it.
    pub over: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alarm {
    #[default]
    Keep,
    Stop,
    In(Duration),
}

impl Todo {
    fn over() -> Self {
        Self { repeat: Alarm::Stop, give_up: Alarm::Stop, over: true, ..Self::default() }
    }

    /// Absorbs late repeats for `linger`, or not at all on a reliable transport.
    fn linger(self, linger: Duration, timing: &Timing) -> Self {
        if timing.reliable {
            Self { over: true, ..self }
        } else {
            Self { forget: Alarm::In(linger), ..self }
        }
    }
}

/// What a client transaction receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientInput {
    Start,
    Provisional,
    Success,
    Failure,
    /// The user has cancelled, or asks nobody: a final response must come soon now.
    Cancelled,
    Repeat,
    GiveUp,
    Forget,
}

/// What a server transaction receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerInput {
    /// The request once more.
    Request,
    Ack,
    /// The user answers.
    Provisional,
    Success,
    Failure,
    Repeat,
    GiveUp,
    Forget,
}

#[cfg(test)]
mod tests;
