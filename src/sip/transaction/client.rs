//! Non-INVITE client transaction, RFC 3261 section 17.1.2.

use super::{Alarm, ClientInput, Timing, Todo};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Trying { interval: Duration },
    Proceeding,
    Completed,
}

pub fn step(state: State, input: ClientInput, timing: &Timing) -> (State, Todo) {
    match (state, input) {
        (State::Trying { .. }, ClientInput::Start) => (
            State::Trying { interval: timing.t1 },
            Todo {
                send: true,
                repeat: if timing.reliable { Alarm::Keep } else { Alarm::In(timing.t1) },
                give_up: Alarm::In(timing.long()),
                ..Todo::default()
            },
        ),
        // "When timer E fires ... the timer is reset, but this time with a value of MIN(2*T1,T2)."
        (State::Trying { interval }, ClientInput::Repeat) => {
            let interval = (interval * 2).min(timing.t2);
            (
                State::Trying { interval },
                Todo { send: true, repeat: Alarm::In(interval), ..Todo::default() },
            )
        }
        // "If Timer E fires while in the Proceeding state, the request MUST be passed to the
        // transport layer for retransmission, and Timer E MUST be reset with a value of T2".
        (State::Proceeding, ClientInput::Repeat) => (
            State::Proceeding,
            Todo { send: true, repeat: Alarm::In(timing.t2), ..Todo::default() },
        ),
        (State::Trying { .. } | State::Proceeding, ClientInput::Provisional) => {
            (State::Proceeding, Todo { tell: true, ..Todo::default() })
        }
        (State::Trying { .. } | State::Proceeding, ClientInput::Success | ClientInput::Failure) => {
            let todo =
                Todo { tell: true, repeat: Alarm::Stop, give_up: Alarm::Stop, ..Todo::default() };
            // Timer K.
            (State::Completed, todo.linger(timing.t4, timing))
        }
        (State::Trying { .. } | State::Proceeding, ClientInput::GiveUp) => {
            (state, Todo { timeout: true, ..Todo::over() })
        }
        (State::Completed, ClientInput::Forget) => (state, Todo::over()),
        (State::Trying { .. } | State::Proceeding | State::Completed, _) => {
            (state, Todo::default())
        }
    }
}

impl State {
    pub fn new() -> Self {
        State::Trying { interval: Duration::ZERO }
    }
}
