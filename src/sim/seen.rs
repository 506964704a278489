//! What a day has held, so that it can be said of some of them that they hold everything.

use super::region::BLOCK_QUEUE;
use crate::call::{self, Role};
use crate::core::{Out, What};

/// Behind the district's, and that behind the block's.
const LAST_QUEUE: &str = "queue:general";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Pins that agents at home keyed in.
    pub pins: u64,
    pub wrong_pins: u64,
    /// Callers whom a centre gave back after it had answered.
    pub given_back: u64,
    /// Callers who left a queue for one behind another, in which nobody worked either.
    pub led_on: u64,
    /// Callers, and others, whose sound was sealed.
    pub sealed: [u64; 2],
    /// Phones that were offered keys, and have none.
    pub keyless: u64,
}

impl Seen {
    pub fn note(&mut self, out: &Out) {
        let (mut back, mut waits) = (false, false);
        for fact in &out.facts {
            match &fact.what {
                What::Code { code, why, .. } if code == "pin" => {
                    self.pins += u64::from(why.is_empty());
                    self.wrong_pins += u64::from(!why.is_empty());
                }
                What::Overflowed { from, to, .. } => {
                    self.led_on += u64::from(from == BLOCK_QUEUE && to == LAST_QUEUE);
                }
                What::Call(call::Fact::LegClosed { role: Role::Target, cause, .. }) => {
                    back |= (cause.sip, cause.q850) == (Some(480), Some(31));
                }
                What::Call(call::Fact::Returned { agent: None, .. }) => waits = true,
                What::Call(call::Fact::Sealed { role, suite: Some(_), .. }) => {
                    self.sealed[usize::from(*role != Role::Caller)] += 1;
                }
                What::Call(call::Fact::LegClosed { status: 488, .. }) => self.keyless += 1,
                _ => {}
            }
        }
        self.given_back += u64::from(back && waits);
    }
}
