//! Whose sound is sealed (RFC 3711), as facts: a leg's is plain until one says otherwise. May
//! import: base, media, wire.

use super::calls::{Calls, Io};
use super::{Effect, Fact};
use crate::base::PortId;
use crate::media::control::Command;
use crate::wire::sdp::Suite;

impl Calls {
    /// Tells of each leg whose sound `effects`, those since `from`, seal, or seal otherwise than
    /// before. A key is in no fact.
    pub fn tell_of_seals(&mut self, io: &mut Io, from: usize) {
        let sealed = io.out[from..].iter().filter_map(|effect| match effect {
            Effect::Media(Command::Seal { port, keys }) => {
                Some((*port, keys.map(|keys| keys.ours.suite)))
            }
            _ => None,
        });
        for (port, suite) in sealed.collect::<Vec<(PortId, Option<Suite>)>>() {
            let Some(&(call, leg)) = self.by_port.get(&port) else { continue };
            let this = self.table.get_mut(call).and_then(|call| call.leg_mut(leg));
            let Some(this) = this.filter(|this| this.sealed != suite) else { continue };
            this.sealed = suite;
            let role = this.role;
            io.fact(Fact::Sealed { call, leg, role, suite });
        }
    }
}
