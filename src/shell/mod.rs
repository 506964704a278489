//! What touches the world
//!
//! May import:  sockets, clocks, threads, files.:everything below.
