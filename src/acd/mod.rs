//! Who takes which call. It has never heard of SIP.
//!
//! In: callers who come and go, what phones did with offers, what agents want, timers. Out: offers
//! and withdrawals, expired callers, facts. Does not know what rings, or where. May import: base.

mod agent;
mod announcer;
mod api;
mod callbacks;
mod caller;
mod check;
mod claim;
#[cfg(test)]
mod cost;
mod desk;
mod hand;
mod line;
mod matcher;
mod memory;
mod moves;
mod outlook;
mod own;
mod pick;
mod queue;
mod relief;
mod reload;
mod roster;
mod settings;
mod sorted;
mod strategy;
mod views;

pub use announcer::{Announce, Announcement, Announcer, Offer, Told};
pub use api::*;
pub use callbacks::{CallbackPolicy, Callbacks, Next};
pub use caller::Stage;
pub use claim::Unfree;
pub use desk::Desk;
pub use hand::{Door, Hand, Ways};
pub use outlook::{Outlook, Wait};
pub use own::Standing;
pub use pick::{PassedOver, Pick, Verdict};
pub use queue::Claim;
pub use relief::{Elsewhere, Lead, Overflow, Relief, Scene, WaysOut, When};
pub use roster::*;
pub use settings::*;
