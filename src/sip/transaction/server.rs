//! Non-INVITE server transaction, RFC 3261 section 17.2.2.

use super::{ServerInput, Timing, Todo};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// No answer yet: repeats are dropped. RFC 4320 forbids a provisional answer before T2.
    Trying,
    Completed,
}

pub fn step(state: State, input: ServerInput, timing: &Timing) -> (State, Todo) {
    let send = Todo { send: true, ..Todo::default() };
    match (state, input) {
        // Timer J: 64*T1, or nothing where the transport is reliable.
        (State::Trying, ServerInput::Success | ServerInput::Failure) => {
            (State::Completed, send.linger(timing.long(), timing))
        }
        // "While in the Completed state, the server transaction MUST pass the final response to
        // the transport layer for retransmission whenever a retransmission of the request is
        // received."
        (State::Completed, ServerInput::Request) => (state, send),
        (State::Completed, ServerInput::Forget) => (state, Todo::over()),
        (State::Trying | State::Completed, _) => (state, Todo::default()),
    }
}
