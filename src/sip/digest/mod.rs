//! Digest authentication (RFC 7616, RFC 8760, RFC 3261 section 22): both ends of it.
//!
//! In: header field values as text, a secret, the time. Out: verdicts and header field values.
//! Knows no users, no messages, no sockets. May import: base.

mod client;
mod server;

pub use client::Session;
pub use server::{Checked, Credentials, Verifier};
