//! The whole world in one thread, under virtual time.
//!
//! May import: everything but shell.
