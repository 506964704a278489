//! The data plane, pure: ports, their far ends, the relay between two of them, rooms of those who
//! must be decoded, and what is played. Sound may be sealed on its way to and from a far end.
//!
//! In: commands, packets, the time. Out: where a packet goes (rewritten in place), and a few
//! effects. Holds no socket and reads no clock. May import: wire and base.

pub mod control;
mod ear;
mod effect;
mod engine;
mod hearing;
mod jitter;
mod joining;
mod keys;
mod latch;
mod playing;
mod port;
mod press;
mod reports;
mod room;
mod sealing;
pub mod sound;
pub mod srtp;
mod tape;
mod tones;
mod tune;
mod voice;
mod wheel;

pub use effect::{Channel, Effect, Frame, Relay};
pub use engine::{Engine, PACKET_MAX};
pub use hearing::THIN;
pub use keys::Keys;
pub use port::{PAYLOAD_MAX, Port};
pub use tape::{Batch, Heard, Side, Track};
pub use tune::{FRAME, Tune, Tunes};

#[cfg(test)]
mod tests;
