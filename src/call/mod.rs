//! One conversation: its legs, offer and answer, what a dialled number means.
//!
//! In: notices about legs, events of media ports, the queue engine's decisions. Out: [`Effect`]s.
//! Knows no agent's state, no queue, no socket. May import: sip, media (its commands), wire, base.

mod api;
mod back;
mod calls;
mod centre;
pub mod codes;
mod conversation;
mod directory;
mod district;
mod gate;
mod keyed;
mod keys;
mod leg;
mod missed;
mod notices;
mod numbers;
pub mod out;
mod own;
mod ports;
mod restart;
mod routing;
mod seats;
mod settings;
mod side;
mod talking;
mod telling;
mod tries;
mod waiting;

pub use crate::wire::g711::Law;
pub use api::*;
pub use back::Origin;
pub use calls::{Calls, Io};
pub use conversation::Call;
pub use directory::{Directory, Entry, Failures, Refused};
pub use district::{Centre, Choices, District};
pub use leg::{Leg, Stage};
pub use missed::{Missed as MissedDesk, Person};
pub use numbers::Numbers;
pub use own::{AtPhone, Begun, Extension, Keyed, Kind, Own};
pub use routing::code as code_of;
pub use seats::Seats;
pub use settings::*;
pub use side::Side;
