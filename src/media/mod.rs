//! The data plane, pure
//!
//! May import:  ports, relay, player.:wire and base.

pub mod control;
