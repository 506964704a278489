//! INVITE client transaction, RFC 3261 section 17.1.1 with the Accepted state of RFC 6026.

use super::{Alarm, ClientInput, Timing, Todo};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Calling { interval: Duration },
    Proceeding,
    Completed,
    Accepted,
}

/// RFC 3261: "Timer D ... at least 32 seconds for unreliable transports".
const D: Duration = Duration::from_secs(32);

pub fn step(state: State, input: ClientInput, timing: &Timing) -> (State, Todo) {
    match state {
        State::Calling { interval } => calling(interval, input, timing),
        State::Proceeding => proceeding(input, timing),
        State::Completed => completed(input),
        State::Accepted => accepted(input),
    }
}

fn calling(interval: Duration, input: ClientInput, timing: &Timing) -> (State, Todo) {
    match input {
        ClientInput::Start => (
            State::Calling { interval: timing.t1 },
            Todo {
                send: true,
                repeat: if timing.reliable { Alarm::Keep } else { Alarm::In(timing.t1) },
                give_up: Alarm::In(timing.long()),
                ..Todo::default()
            },
        ),
        // "When timer A fires, the client transaction MUST retransmit the request ... and MUST
        // reset the timer with a value of 2*T1."
        ClientInput::Repeat => (
            State::Calling { interval: interval * 2 },
            Todo { send: true, repeat: Alarm::In(interval * 2), ..Todo::default() },
        ),
        ClientInput::Cancelled => (State::Calling { interval }, Todo::default()),
        // Timer B has done its work (section 17.1.1.2: it is of this state alone): a phone may
        // ring for as long as someone waits.
        ClientInput::Provisional => {
            let (state, todo) = proceeding(input, timing);
            (state, Todo { give_up: Alarm::Stop, ..todo })
        }
        ClientInput::Success | ClientInput::Failure | ClientInput::GiveUp | ClientInput::Forget => {
            proceeding(input, timing)
        }
    }
}

fn proceeding(input: ClientInput, timing: &Timing) -> (State, Todo) {
    let quiet = Todo { repeat: Alarm::Stop, tell: true, ..Todo::default() };
    match input {
        // "If the client transaction receives a provisional response while in the Calling state,
        // it transitions to the Proceeding state" and sends no more. After a CANCEL the wait goes
        // on for the final response.
        ClientInput::Provisional => (State::Proceeding, Todo { give_up: Alarm::Keep, ..quiet }),
        // RFC 6026 section 8.4: "MUST transition to the Accepted state, and Timer M MUST be set".
        ClientInput::Success => (
            State::Accepted,
            Todo { give_up: Alarm::Stop, forget: Alarm::In(timing.long()), ..quiet },
        ),
        // "the client transaction MUST ... generate an ACK request, even if the transport is
        // reliable".
        ClientInput::Failure => {
            let todo = Todo { ack: true, give_up: Alarm::Stop, ..quiet };
            (State::Completed, todo.linger(D, timing))
        }
        // RFC 3261 section 9.1: "If there is no final response for the original request in 64*T1
        // seconds, the client SHOULD then consider the original transaction cancelled".
        ClientInput::Cancelled => {
            (State::Proceeding, Todo { give_up: Alarm::In(timing.long()), ..Todo::default() })
        }
        ClientInput::GiveUp => (State::Proceeding, Todo { timeout: true, ..Todo::over() }),
        ClientInput::Start | ClientInput::Repeat | ClientInput::Forget => {
            (State::Proceeding, Todo::default())
        }
    }
}

fn completed(input: ClientInput) -> (State, Todo) {
    let todo = match input {
        // "Any retransmissions of the final response that are received while in the Completed
        // state MUST cause the ACK to be re-passed to the transport layer".
        ClientInput::Failure => Todo { ack: true, ..Todo::default() },
        ClientInput::Forget => Todo::over(),
        ClientInput::Start
        | ClientInput::Provisional
        | ClientInput::Success
        | ClientInput::Cancelled
        | ClientInput::Repeat
        | ClientInput::GiveUp => Todo::default(),
    };
    (State::Completed, todo)
}

fn accepted(input: ClientInput) -> (State, Todo) {
    let todo = match input {
        // RFC 6026: "any 2xx ... MUST be passed up to the TU": a repeat, or another fork.
        ClientInput::Success => Todo { tell: true, ..Todo::default() },
        ClientInput::Forget => Todo::over(),
        ClientInput::Start
        | ClientInput::Provisional
        | ClientInput::Failure
        | ClientInput::Cancelled
        | ClientInput::Repeat
        | ClientInput::GiveUp => Todo::default(),
    };
    (State::Accepted, todo)
}

impl State {
    pub fn new() -> Self {
        State::Calling { interval: Duration::ZERO }
    }
}
