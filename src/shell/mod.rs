//! What touches the world: sockets, clocks, threads, files. It moves, it never decides.
//!
//! In: datagrams, connections, signals, the admin socket. Out: what the core commands. May import
//! everything below; nothing but `console` imports it.

mod accept;
mod access_log;
pub mod admin;
mod before;
mod begin;
mod board;
mod checks;
pub mod clock;
mod core_loop;
mod dns;
mod engine;
mod ground;
mod handover;
mod http;
mod journal;
mod lane;
mod laps;
mod lock;
mod log;
mod manager;
pub mod media;
pub mod meters;
mod moved;
mod outlets;
pub mod prompts;
pub mod record;
mod reload;
mod report;
mod run;
mod running;
mod shun;
mod stamp;
pub mod store;
mod supervise;
mod sys;
mod tcp;
pub mod tunes;
mod udp;
mod upgrade;

pub use crate::core::journal::shape;
pub use access_log::{note_look, note_look_in};
pub use admin::Reload;
pub use core_loop::Over;
pub use journal::{Audit, Journaled, audit as replay, explain, identity};
pub use journal::{is_begun as has_journal, tell as facts_of};
pub use run::run;
pub use running::{Options, Running};
pub use store::{Filter, Place, Purge, Source, Store, csv_field, places, purge, query, verify};
pub use supervise::supervise;
pub use sys::process;
pub use sys::resources::raise_open_files;
pub use tcp::check_keys;
