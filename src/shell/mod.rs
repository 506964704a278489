//! What touches the world: sockets, clocks, threads, files. It moves, it never decides.
//!
//! In: datagrams, connections, signals, the admin socket. Out: what the core commands. May import
//! everything below; nothing but `console` imports it.

mod board;
mod clock;
mod core_loop;
mod dns;
mod engine;
mod lane;
mod media;
mod meters;
mod outlets;
mod stamp;
mod sys;
mod tcp;
mod udp;
