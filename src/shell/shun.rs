//! Messages that a process before this one died of. Over UDP whoever sent one sends the same octets
//! again and again, and each would end another process: for as long as that goes on they are lost,
//! as if the network had lost them.
//!
//! In: what the start left out. Out: batches without it.

use crate::base::Instant;
use crate::core::Event;
use bytes::Bytes;
use std::time::Duration;

/// RFC 3261, 17.1.1.2: a client gives up after 64*T1.
const GIVEN_UP: Duration = Duration::from_secs(32);

#[derive(Debug, Default)]
pub struct Shunned {
    messages: Vec<Bytes>,
    until: Instant,
}

impl Shunned {
    pub fn new(messages: Vec<Bytes>, now: Instant) -> Self {
        Self { messages, until: now + GIVEN_UP }
    }

    /// Leaves out of a batch what is not to be handled again.
    pub fn keep_out(&mut self, now: Instant, batch: &mut Vec<Event>) {
        if self.messages.is_empty() {
            return;
        }
        if now > self.until {
            self.messages.clear();
            return;
        }
        let is_shunned = |event: &Event| {
            let Event::Sip { bytes, .. } = event else { return false };
            self.messages.contains(bytes)
        };
        let before = batch.len();
        batch.retain(|event| !is_shunned(event));
        if batch.len() < before {
            tracing::warn!("a message that the switch died of came again, and is ignored");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Hop, Transport};

    #[test]
    fn the_same_octets_are_lost_for_as_long_as_they_are_sent_again_and_no_others() {
        let at = "127.0.0.1:5060".parse().unwrap();
        let hop = Hop { transport: Transport::Udp, local: at, peer: at, flow: None };
        let batch = || {
            let told = ["OPTIONS 1", "OPTIONS 2"].map(|text| Bytes::from_static(text.as_bytes()));
            told.map(|bytes| Event::Sip { hop, bytes }).to_vec()
        };
        let mut shunned = Shunned::new(vec![Bytes::from_static(b"OPTIONS 1")], Instant(5));
        let mut left = |at: u64| {
            let mut batch = batch();
            shunned.keep_out(Instant(at), &mut batch);
            batch
        };
        assert_eq!(left(6), batch()[1..]);
        assert_eq!(left(32_000_005), batch()[1..]);
        assert_eq!(left(32_000_006), batch());
        assert_eq!(left(7), batch(), "over is over");
    }
}
