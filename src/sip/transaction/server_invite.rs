//! INVITE server transaction, RFC 3261 section 17.2.1 with the Accepted state of RFC 6026.

use super::{Alarm, ServerInput, Timing, Todo};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Proceeding,
    Completed { interval: Duration },
    Confirmed,
    Accepted,
}

pub fn step(state: State, input: ServerInput, timing: &Timing) -> (State, Todo) {
    let send = Todo { send: true, ..Todo::default() };
    match (state, input) {
        // "If a request retransmission is received while in the Proceeding state, the most recent
        // provisional response ... MUST be passed to the transport layer".
        (State::Proceeding, ServerInput::Request | ServerInput::Provisional) => (state, send),
        // RFC 6026 section 8.7: Timer L.
        (State::Proceeding, ServerInput::Success) => {
            (State::Accepted, Todo { forget: Alarm::In(timing.long()), ..send })
        }
        // "for unreliable transports, timer G is set to fire in T1 seconds"; timer H always.
        (State::Proceeding, ServerInput::Failure) => (
            State::Completed { interval: timing.t1 },
            Todo {
                repeat: if timing.reliable { Alarm::Keep } else { Alarm::In(timing.t1) },
                give_up: Alarm::In(timing.long()),
                ..send
            },
        ),
        (State::Completed { .. }, ServerInput::Request) => (state, send),
        (State::Completed { interval }, ServerInput::Repeat) => {
            let interval = (interval * 2).min(timing.t2);
            (State::Completed { interval }, Todo { repeat: Alarm::In(interval), ..send })
        }
        // "If an ACK is received while the server transaction is in the Completed state, the
        // server transaction MUST transition to the Confirmed state." Timer I.
        (State::Completed { .. }, ServerInput::Ack) => {
            let todo = Todo { repeat: Alarm::Stop, give_up: Alarm::Stop, ..Todo::default() };
            (State::Confirmed, todo.linger(timing.t4, timing))
        }
        (State::Completed { .. }, ServerInput::GiveUp) => {
            (state, Todo { timeout: true, ..Todo::over() })
        }
        // RFC 6026: an ACK that still matches here belongs to the 2xx (RFC 2543 peers).
        (State::Accepted, ServerInput::Ack) => (state, Todo { tell: true, ..Todo::default() }),
        (State::Confirmed | State::Accepted, ServerInput::Forget) => (state, Todo::over()),
        (State::Proceeding | State::Completed { .. } | State::Confirmed | State::Accepted, _) => {
            (state, Todo::default())
        }
    }
}
