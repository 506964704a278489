//! What the tests with real sockets share: a street of loopback addresses for each test, the real
//! `pukar` on it, and the telephones and SIP tools of other houses that call it.
#![allow(dead_code)] // Every test file uses a part of it.

pub mod agents;
pub mod baresip;
pub mod builds;
pub mod certs;
pub mod digest;
pub mod duet;
pub mod facts;
pub mod linphone;
pub mod net;
pub mod one;
pub mod phone;
pub mod program;
pub mod raw;
pub mod score;
pub mod servers;
pub mod sipp;
pub mod street;
pub mod switch;
pub mod talk;
pub mod tape;
pub mod tls;
pub mod tone;
pub mod voice;
pub mod web;

use std::time::{Duration, Instant};

/// The longest that anything in these tests may take, on a machine that is busy with others.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A moment after which a test gives up.
#[derive(Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    #[allow(clippy::disallowed_methods)] // Tests of the real world live in real time.
    pub fn after(span: Duration) -> Self {
        Self(Instant::now() + span)
    }

    /// What is left; `None` when it is over.
    #[allow(clippy::disallowed_methods)]
    pub fn left(self) -> Option<Duration> {
        self.0.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}
