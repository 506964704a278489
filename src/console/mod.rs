//! The command line.
//!
//! May import: the admin protocol only.
