//! The whole world in one thread: the switch, phones that misbehave, a network that loses, delays,
//! repeats and reorders, under virtual time. A seed decides everything, so a failing seed is a bug
//! report.
//!
//! In: a seed and a [`Plan`]. Out: a [`Verdict`], or the law that was broken. Knows everything but
//! the shell.

mod network;
mod phone;
mod plan;
mod ports;
mod session;
mod trace;
mod world;

pub use network::Network;
pub use phone::{Habits, Phone};
pub use plan::{Faults, Plan};
pub use world::{Verdict, World};
