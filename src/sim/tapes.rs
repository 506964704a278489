//! Whoever writes recordings, as the simulator has them: they begin and end once, and now and then
//! the disk is full.

use super::agenda::Work;
use super::world::World;
use crate::base::{CallId, Id};
use crate::call::{Tape, TapeEvent};
use crate::core::Event;
use std::time::Duration;

impl World {
    pub(super) fn command_tape(&mut self, tape: Tape) -> Result<(), String> {
        match tape {
            Tape::Begin { call, .. } if is_full(call) => {
                let why = "no space left on device".into();
                self.taped(30, TapeEvent::Failed { call, why });
            }
            Tape::Begin { call, file, .. } => {
                if !self.tapes.insert(call) {
                    return Err(format!("{file} was begun twice"));
                }
            }
            // It has failed, and the news of that is on its way.
            Tape::End { call, .. } if is_full(call) => {}
            Tape::End { call, .. } => {
                if !self.tapes.remove(&call) {
                    return Err(format!("the recording of {call:?} ends and had not begun"));
                }
                self.taped(500, TapeEvent::Finished { call, millis: 1 });
            }
            Tape::Close { call, .. } => {
                self.taped(50, TapeEvent::Gaps { call });
                self.taped(500, TapeEvent::Finished { call, millis: 1 });
            }
        }
        Ok(())
    }

    fn taped(&mut self, after: u64, event: TapeEvent) {
        let at = self.now + Duration::from_millis(after);
        self.at(at, Work::Tell(Event::Recording(event)));
    }
}

/// By the call, so that a day goes as it went without recordings.
fn is_full(call: CallId) -> bool {
    call.slot() % 8 == 3
}
