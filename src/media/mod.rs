//! The data plane, pure: ports, their far ends, the relay between two of them, and what is played.
//!
//! In: commands, packets, the time. Out: where a packet goes (rewritten in place), and a few
//! effects. Holds no socket and reads no clock. May import: wire and base.

pub mod control;
mod effect;
mod engine;
mod hearing;
mod jitter;
mod keys;
mod latch;
mod playing;
mod port;
mod reports;
mod room;
mod tape;
mod tune;
mod wheel;

pub use effect::{Channel, Effect, Frame, Relay};
pub use engine::{Engine, PACKET_MAX};
pub use hearing::THIN;
pub use port::Port;
pub use tape::{Batch, Heard, Side, Track};
pub use tune::{FRAME, Tune, Tunes};

#[cfg(test)]
mod tests;
