//! One conversation
//!
//! May import:  its legs, its media, its record.:sip, wire and base.

mod settings;

pub use settings::*;
