//! What touches the world: sockets, clocks, threads, files. It moves, it never decides.
//!
//! In: datagrams, connections, signals, the admin socket. Out: what the core commands. May import
//! everything below; nothing but `console` imports it.

pub mod clock;
pub mod media;
pub mod sys;
