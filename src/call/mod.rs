//! One conversation
//!
//! May import:  its legs, its media, its record.:sip, wire and base.

mod api;
mod settings;

pub use crate::wire::g711::Law;
pub use api::*;
pub use settings::*;
