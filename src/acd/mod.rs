//! Who takes which call. It has never heard of SIP.
//!
//! May import: base.

mod api;

pub use api::*;
