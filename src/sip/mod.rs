//! The SIP user agent, RFC 3261 and its family
//!
//! May import:  transactions, dialogs, registrar, digest.:wire and base.

mod api;
mod settings;

pub use api::*;
pub use settings::*;
