//! Who takes which call. It has never heard of SIP.
//!
//! In: callers who come and go, what phones did with offers, what agents want, timers. Out: offers
//! and withdrawals, expired callers, facts. Does not know what rings, or where. May import: base.

mod agent;
mod api;
mod check;
mod desk;
mod matcher;
mod moves;
mod queue;
mod relief;
mod reload;
mod roster;
mod views;

pub use api::*;
pub use desk::Desk;
pub use queue::Stage;
pub use relief::{Elsewhere, Overflow, Relief, Scene, WaysOut, When};
pub use roster::*;
