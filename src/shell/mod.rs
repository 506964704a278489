//! What touches the world: sockets, clocks, threads, files. It moves, it never decides.
//!
//! In: datagrams, connections, signals, the admin socket. Out: what the core commands. May import
//! everything below; nothing but `console` imports it.

mod accept;
mod admin;
mod begin;
mod board;
mod checks;
pub mod clock;
mod core_loop;
mod dns;
mod engine;
mod handover;
mod journal;
mod lane;
mod log;
pub mod media;
mod meters;
mod outlets;
mod reload;
mod run;
mod running;
mod stamp;
mod store;
mod supervise;
mod sys;
mod tcp;
mod tunes;
mod udp;
mod upgrade;

pub use admin::Reload;
pub use crate::core::journal::shape;
pub use core_loop::Over;
pub use journal::{Audit, audit as replay};
pub use run::run;
pub use running::{Options, Running};
pub use store::{Filter, query};
pub use supervise::supervise;
