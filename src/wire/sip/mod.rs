//! SIP messages (RFC 3261 sections 7, 18.3, 19.1, 20 and 25): octets in, a checked view out, and
//! octets again.
//!
//! [`Message::parse`] makes one pass, copies nothing and refuses what is dangerous to guess about;
//! what the switch acts on is checked there, so that an accessor's `None` means "absent".
//! [`Writer`] builds requests and responses; nothing that it is given can add a line.
//! Knows nothing of transactions, dialogs or sockets. May import: base.

mod address;
mod auth;
mod escape;
mod fields;
mod frame;
mod host;
mod lex;
mod list;
mod message;
mod method;
mod name;
mod params;
mod uri;
mod values;
mod via;
mod write;

pub use address::{Contact, NameAddr};
pub use auth::Auth;
pub use escape::{percent, quoted, unpercent};
pub use fields::{Field, Fields};
pub use frame::{Frame, Framer, PONG};
pub use host::Host;
pub use lex::text;
pub use list::{List, Tokens};
pub use message::{Message, Rejected, Start};
pub use method::Method;
pub use name::Name;
pub use params::{Param, Params};
pub use uri::{Scheme, Uri};
pub use values::{CSeq, RAck, Reason, Refresher, Replaces, SessionExpires};
pub use via::Via;
pub use write::{TopVia, Writer, phrase};
