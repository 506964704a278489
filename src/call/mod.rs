//! One conversation: its legs, offer and answer, what a dialled number means.
//!
//! In: notices about legs, events of media ports, the queue engine's decisions. Out: [`Effect`]s.
//! Knows no agent's state, no queue, no socket. May import: sip, media (its commands), wire, base.

mod accept;
mod api;
mod back;
mod blocks;
mod calls;
mod centre;
pub mod codes;
mod conversation;
mod directory;
mod district;
mod gate;
mod handover;
mod hearing;
mod in_call;
mod keyed;
mod keys;
mod leg;
mod missed;
mod notices;
mod numbers;
pub mod out;
mod own;
mod park;
mod peer;
mod people;
mod ports;
mod recording;
mod refer;
mod restart;
mod routing;
mod seats;
mod seize;
mod settings;
mod side;
mod talking;
mod target;
mod telling;
mod transfer;
mod tries;
mod waiting;

pub use crate::wire::g711::Law;
pub use api::*;
pub use back::Origin;
pub use blocks::{Block, BlockSettings, Blocks};
pub use calls::{Calls, Io};
pub use conversation::Call;
pub use directory::{Directory, Entry, Failures, Refused};
pub use district::{Centre, Choices, District};
pub use handover::{Handover, Way};
pub use in_call::InCall;
pub use leg::{Leg, Stage};
pub use missed::{Missed as MissedDesk, Person};
pub use numbers::Numbers;
pub use own::{AtPhone, Begun, Extension, Keyed, Kind, Own};
pub use park::Parked;
pub use people::People;
pub use recording::{Recorded, Recordings, Rules, Tape, TapeEvent, day};
pub use routing::code as code_of;
pub use seats::Seats;
pub use settings::*;
pub use side::Side;
pub use target::Try;
pub use transfer::Ask;
