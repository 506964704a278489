//! Pukar (पुकार, a call for help): a telephony switch and call-distribution engine for government
//! helplines. The README holds the map; `tests/tidy.rs` holds the walls.
#![deny(unsafe_code)]

pub mod acd;
pub mod base;
pub mod call;
pub mod config;
pub mod console;
pub mod core;
pub mod load;
pub mod media;
pub mod say;
pub mod shell;
pub mod sim;
pub mod sip;
pub mod wire;
