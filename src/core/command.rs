//! What goes out: everything the switch asks of the world.

use super::record::Row;
use crate::base::{FlowId, QueryId};
use crate::call::Tape;
use crate::media::control::Command as MediaCommand;
use crate::sip::{Hop, RecordKind};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// By UDP from the listener at `hop.local`; by stream on `hop.flow` while it is open, else on
    /// any connection to `hop.peer`, else on a new one.
    Send {
        hop: Hop,
        bytes: Bytes,
    },
    Close {
        flow: FlowId,
    },
    /// This stream is a trunk's, or of a phone that has registered or is in a call: strangers have
    /// less time, and less room.
    Keep {
        flow: FlowId,
    },
    Ask {
        query: QueryId,
        name: String,
        kind: RecordKind,
    },
    /// To the worker that the port's number is dealt to: `(slot / 2) % workers`.
    Media(MediaCommand),
    /// For whoever writes recordings; what became of it comes back as
    /// [`super::Event::Recording`].
    Tape(Tape),
    /// A finished row for every store, once.
    Store(Box<Row>),
    Reply {
        request: u64,
        result: Result<super::Done, String>,
    },
    /// The last call is over after [`super::Event::Drain`].
    Drained,
}
