//! One conversation
//!
//! May import:  its legs, its media, its record.:sip, wire and base.

mod api;
mod settings;

pub use api::*;
pub use settings::*;
