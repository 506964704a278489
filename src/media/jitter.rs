//! What a party of a room was heard to say and has not been mixed yet: its samples in the order of
//! their timestamps, a little late, so that a packet which is a little late is still in time.
//! May import: wire.

use super::tune::FRAME;
use crate::wire::g711::Law;

/// Samples that are kept, 256 ms: a power of two, so that timestamps may go round.
const KEPT: usize = 2_048;
/// How long before its turn a packet should be here.
const EARLY: u32 = 2 * FRAME as u32;
/// What is further behind than this, one second, is not late: the stream begins elsewhere.
const LATE: u32 = 8_000;

#[derive(Debug)]
pub struct Jitter {
    samples: Box<[i16; KEPT]>,
    ssrc: Option<u32>,
    /// The timestamp whose turn is next; none while nothing is here.
    next: Option<u32>,
    /// The timestamp after the newest sample.
    end: u32,
}

impl Default for Jitter {
    fn default() -> Self {
        Self { samples: Box::new([0; KEPT]), ssrc: None, next: None, end: 0 }
    }
}

impl Jitter {
    pub fn put(&mut self, (ssrc, timestamp): (u32, u32), law: Law, payload: &[u8]) {
        let payload = &payload[..payload.len().min(KEPT - 2 * FRAME)];
        let length = payload.len() as u32;
        let same = self.ssrc == Some(ssrc);
        // Its turn is over, or it has been heard: a repeat that the network made must not wipe out
        // what is here. The sender's clock may be slow: what is after the end is in time again.
        let turn = self.next.unwrap_or(self.end);
        if same && (1..=LATE).contains(&turn.wrapping_sub(timestamp)) {
            return;
        }
        let next = match self.next.filter(|_| same) {
            Some(next) if fits(timestamp.wrapping_sub(next), length) => next,
            // Another stream, or one that has moved in time: from here on it is as late as this.
            Some(_) | None => {
                self.samples.fill(0);
                self.end = timestamp;
                timestamp.wrapping_sub(EARLY)
            }
        };
        (self.ssrc, self.next) = (Some(ssrc), Some(next));
        for (n, octet) in payload.iter().enumerate() {
            self.samples[at(timestamp.wrapping_add(n as u32))] = law.decode(*octet);
        }
        let end = timestamp.wrapping_add(length);
        if end.wrapping_sub(self.end) < u32::MAX / 2 {
            self.end = end;
        }
    }

    /// The next 20 ms; false where nothing is there to be heard.
    pub fn take(&mut self, frame: &mut [i16; FRAME]) -> bool {
        let Some(next) = self.next else { return false };
        if self.end.wrapping_sub(next).wrapping_sub(1) >= KEPT as u32 {
            self.next = None;
            return false;
        }
        for (n, sample) in frame.iter_mut().enumerate() {
            *sample = std::mem::take(&mut self.samples[at(next.wrapping_add(n as u32))]);
        }
        self.next = Some(next.wrapping_add(FRAME as u32));
        true
    }
}

/// Neither too late nor too early.
fn fits(ahead: u32, length: u32) -> bool {
    ahead.wrapping_add(length) <= KEPT as u32 && ahead < KEPT as u32
}

fn at(timestamp: u32) -> usize {
    timestamp as usize % KEPT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(jitter: &mut Jitter) -> Option<i16> {
        let mut frame = [0; FRAME];
        jitter.take(&mut frame).then(|| frame[FRAME / 2])
    }

    fn packet(n: u32) -> Vec<u8> {
        vec![Law::A.encode(1_000 * n as i16); FRAME]
    }

    fn near(level: Option<i16>, n: u32) -> bool {
        level.is_some_and(|level| (level - 1_000 * n as i16).abs() < 100)
    }

    #[test]
    fn packets_out_of_order_are_heard_in_order() {
        let mut jitter = Jitter::default();
        let start = u32::MAX - 200;
        for n in [1, 3, 2] {
            let at = start.wrapping_add(n * FRAME as u32);
            jitter.put((7, at), Law::A, &packet(n));
        }
        let quiet = [level(&mut jitter), level(&mut jitter)];
        assert_eq!(quiet, [Some(0); 2], "40 ms of patience");
        for n in 1..=3 {
            let heard = level(&mut jitter);
            assert!(near(heard, n), "{n}: {heard:?}");
        }
        assert_eq!(level(&mut jitter), None);
    }

    #[test]
    fn a_late_repeat_costs_nothing_of_what_is_still_to_be_heard() {
        let mut jitter = Jitter::default();
        let at = |n: u32| (7, 100_000 + n * FRAME as u32);
        (1..=8).for_each(|n| jitter.put(at(n), Law::A, &packet(n)));
        for _ in 0..2 + 3 {
            level(&mut jitter);
        }
        jitter.put(at(2), Law::A, &packet(2));
        for n in 4..=8 {
            let heard = level(&mut jitter);
            assert!(near(heard, n), "{n}: {heard:?}");
        }
        assert_eq!(level(&mut jitter), None);
        jitter.put(at(8), Law::A, &packet(8));
        assert_eq!(level(&mut jitter), None, "nor is it said once more when all is over");
        jitter.put(at(9), Law::A, &packet(9));
        let heard = (0..3).map(|_| level(&mut jitter)).last().unwrap();
        assert!(near(heard, 9), "{heard:?}");
    }

    #[test]
    fn a_stream_that_leaps_or_changes_is_heard_from_there() {
        let mut jitter = Jitter::default();
        for (ssrc, timestamp) in [(1, 0), (1, 900_000), (1, 5), (2, 77)] {
            jitter.put((ssrc, timestamp), Law::A, &packet(4));
            let heard = (0..3).map(|_| level(&mut jitter)).last().unwrap();
            assert!(near(heard, 4), "{ssrc} {timestamp}: {heard:?}");
        }
    }
}
