//! The SIP user agent, RFC 3261 and its family
//!
//! May import:  transactions, dialogs, registrar, digest.:wire and base.

mod api;

pub use api::*;
