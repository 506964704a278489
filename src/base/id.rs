//! Dense ids. Each is a slot number with a generation, so that the id of something that has ended
//! never names its successor: late events of dead legs find nobody.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An id that a [`crate::base::Slab`] hands out.
pub trait Id: Copy {
    fn new(slot: u32, generation: u32) -> Self;
    fn slot(self) -> u32;
    fn generation(self) -> u32;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $letter:literal;)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(pub u64);

        impl Id for $name {
            fn new(slot: u32, generation: u32) -> Self {
                Self(u64::from(generation) << 32 | u64::from(slot))
            }
            fn slot(self) -> u32 {
                (self.0 & 0xffff_ffff) as u32
            }
            fn generation(self) -> u32 {
                (self.0 >> 32) as u32
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}.{}", $letter, self.slot(), self.generation())
            }
        }
    )*};
}

ids! {
    /// One conversation: a caller, and whoever serves them.
    CallId "call";
    /// One INVITE session with one phone or trunk (RFC 3261 calls the two ends of it a dialog).
    LegId "leg";
    /// A SIP transaction, client or server (RFC 3261 section 17).
    TransactionId "tx";
    /// A contact bound to an address of record (RFC 3261 section 10).
    BindingId "binding";
    /// A stream connection (TCP and what runs over it). UDP has none.
    FlowId "flow";
    /// One DNS question under way.
    QueryId "query";
    /// A phone of ours that has fallen silent.
    PhoneId "phone";
    /// A media port pair, RTP even and RTCP odd. The slot is the RTP port number.
    PortId "port";
    /// Whoever takes calls. Slots follow the order of the configuration.
    AgentId "agent";
    /// Where callers wait. Slots follow the order of the configuration.
    QueueId "queue";
    /// A carrier or gateway. Slots follow the order of the configuration.
    TrunkId "trunk";
    /// A prompt or a piece of music, encoded once.
    TuneId "tune";
}
