//! The SIP user agent, RFC 3261 and its family: transactions, dialogs, registrar, digest.
//!
//! May import: wire and base.

mod agent;
mod api;
mod body;
mod compose;
mod derive;
mod desk;
mod dial;
mod dialog;
mod leg;
mod net;
mod owed;
mod receive;
mod request;
mod route;
mod session;
mod settings;
mod silent;
mod stray;
mod tag;
mod transaction;
mod trunk;

pub mod access;
pub mod digest;
pub mod registrar;
pub mod resolve;

pub use agent::{Counts, UserAgent};
pub use api::*;
pub use compose::FORWARDS;
pub use settings::*;
pub use trunk::{Places, places};

#[cfg(test)]
mod tests;
