//! The whole world in one thread: the switch, phones that misbehave, a network that loses, delays,
//! repeats and reorders, under virtual time. A seed decides everything, so a failing seed is a bug
//! report.
//!
//! In: a seed and a [`Plan`], or a story told step by step. Out: a [`Verdict`], or the law that was
//! broken. Knows everything but the shell.

mod agenda;
mod dialling;
mod diary;
mod endings;
mod fairness;
mod habits;
mod handing;
mod killed;
mod laws;
mod network;
mod people;
mod phone;
mod plan;
mod ports;
mod queues;
mod region;
mod rostered;
mod sealed;
mod seen;
mod session;
mod signup;
mod story;
mod streams;
mod strike;
mod tapes;
mod trace;
mod wires;
mod world;

pub use habits::{Habits, Step};
pub use network::{Loss, Network};
pub use plan::{
    CENTRE, Faults, Plan, Reach, agent_address, caller_address, centre_address, desk_address,
    exchange_address, number_of, switch_address,
};
pub use queues::Queues;
pub use region::{ALIRAJPUR, DESK, EMERGENCY, FIRST, Region, SHIVPURI, SURGUJIA};
pub use sealed::Sealing;
pub use seen::Seen;
pub use world::{Verdict, World};
