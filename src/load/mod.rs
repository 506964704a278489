//! The load tester
//!
//! May import:  callers and agents over real sockets.:wire and base.
