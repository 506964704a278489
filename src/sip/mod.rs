//! The SIP user agent, RFC 3261 and its family: transactions, dialogs, registrar, digest.
//!
//! May import: wire and base.

pub mod access;
mod api;
pub mod digest;
pub mod registrar;
pub mod resolve;
mod settings;

pub use api::*;
pub use settings::*;
