//! Packets of one stream on their way to a decoder, in the order of their timestamps, and just so
//! late that most of those which are late are still in time. How late that is follows the network:
//! whoever runs dry becomes later by what was made up, whoever has more than enough for a while is
//! made shorter by whoever decodes.
//!
//! In: packets as they come. Out: the next, or how much of the stream is missing. Lengths are ticks
//! of the codec's clock. May import: wire.

use super::sound::ticks;
use crate::wire::codec::Codec;
use std::collections::VecDeque;

/// Packets that are kept; the oldest gives way.
const PACKETS_MAX: usize = 64;
/// Octets of a payload that is looked at: 187 ms of G.711.
const PAYLOAD_MAX: usize = 1_500;
/// Milliseconds that the first packet of a talk waits, at least and at most.
const PATIENCE: (u32, u32) = (20, 100);
/// Made up for so long, a stream has paused: what comes next is the beginning of another talk.
const PAUSE: u32 = 60;
/// What is further off than this is no delay: the stream begins elsewhere.
const FAR: u32 = 1_000;
/// So many late packets one after the other: it is we who are wrong about the time.
const LATE_MAX: u8 = 10;
/// More than this, in milliseconds, was here at every one of so many turns: too late by it.
const AMPLE: (u32, u32) = (50, 100);
/// The same, for what a long stall has left behind.
const FLOOD: (u32, u32) = (120, 10);

#[derive(Debug)]
pub struct Jitter {
    /// Ticks in a millisecond.
    ms: u32,
    ssrc: Option<u32>,
    packets: VecDeque<Packet>,
    spare: Vec<Vec<u8>>,
    /// The timestamp whose turn is next; `None` before the first packet.
    next: Option<u32>,
    /// Silence before it.
    hold: u32,
    patience: u32,
    /// What was made up since nothing has been here.
    starved: u32,
    late: u8,
    /// The least that was here, of so many turns.
    least: (u32, u32),
}

#[derive(Debug)]
pub struct Packet {
    timestamp: u32,
    ticks: u32,
    pub codec: Codec,
    pub payload: Vec<u8>,
}

/// What comes next of a stream.
#[derive(Debug)]
pub enum Next {
    Packet(Packet),
    /// So much of it was lost.
    Lost(u32),
    /// So much silence, until it is time.
    Early(u32),
    /// Nothing is here.
    Nothing,
}

impl Default for Jitter {
    fn default() -> Self {
        Self {
            ms: 8,
            ssrc: None,
            packets: VecDeque::new(),
            spare: Vec::new(),
            next: None,
            hold: 0,
            patience: PATIENCE.0,
            starved: 0,
            late: 0,
            least: (u32::MAX, 0),
        }
    }
}

impl Jitter {
    pub fn put(&mut self, (ssrc, timestamp): (u32, u32), codec: Codec, payload: &[u8]) {
        let Some(ticks) = ticks(codec, payload).filter(|_| payload.len() <= PAYLOAD_MAX) else {
            return;
        };
        let ms = codec.clock() / 1_000;
        let next = self.next.filter(|_| self.ssrc == Some(ssrc) && self.ms == ms);
        (self.ssrc, self.ms) = (Some(ssrc), ms);
        let ahead = next.map(|next| timestamp.wrapping_sub(next) as i32);
        let far = (FAR * ms) as i32;
        match ahead {
            Some(ahead) if (-far..0).contains(&ahead) && self.late < LATE_MAX => {
                self.late += 1;
                return;
            }
            Some(ahead) if (0..far).contains(&ahead) => {
                if self.packets.is_empty() && self.starved >= PAUSE * ms {
                    self.begin(timestamp);
                }
            }
            Some(_) | None => self.begin(timestamp),
        }
        self.late = 0;
        self.insert(timestamp, ticks, codec, payload);
    }

    fn begin(&mut self, timestamp: u32) {
        let gone = self.packets.drain(..).map(|packet| packet.payload);
        self.spare.extend(gone);
        self.spare.truncate(PACKETS_MAX);
        self.next = Some(timestamp);
        self.hold = self.patience * self.ms;
        self.starved = 0;
        self.least = (u32::MAX, 0);
    }

    fn insert(&mut self, timestamp: u32, ticks: u32, codec: Codec, payload: &[u8]) {
        let after = |packet: &Packet| packet.timestamp.wrapping_sub(timestamp) as i32;
        let behind = self.packets.iter().rev().take_while(|packet| after(packet) > 0).count();
        let at = self.packets.len() - behind;
        if at > 0 && after(&self.packets[at - 1]) == 0 {
            return;
        }
        let mut octets = self.spare.pop().unwrap_or_default();
        octets.clear();
        octets.extend_from_slice(payload);
        self.packets.insert(at, Packet { timestamp, ticks, codec, payload: octets });
        if self.packets.len() > PACKETS_MAX
            && let Some(oldest) = self.packets.pop_front()
        {
            self.next = self.packets.front().map(|packet| packet.timestamp);
            self.give_back(oldest.payload);
        }
    }

    /// What comes next; it is over by that.
    pub fn next(&mut self) -> Next {
        let Some(next) = self.next else { return Next::Nothing };
        let frame = 20 * self.ms;
        if self.hold > 0 {
            let early = self.hold.min(frame);
            self.hold -= early;
            return Next::Early(early);
        }
        let Some(first) = self.packets.front() else { return Next::Nothing };
        // One that begins before the one before it has ended misses nothing.
        let missing = (first.timestamp.wrapping_sub(next) as i32).max(0) as u32;
        // What was made up while nothing was here stands for what has not come.
        let lost = missing - missing.min(self.starved);
        self.starved = 0;
        if lost > 0 {
            let part = lost.min(frame);
            self.next = Some(first.timestamp.wrapping_sub(lost - part));
            return Next::Lost(part);
        }
        match self.packets.pop_front() {
            Some(packet) => {
                self.next = Some(packet.timestamp.wrapping_add(packet.ticks));
                Next::Packet(packet)
            }
            None => Next::Nothing,
        }
    }

    /// The payload right after what was last said to be lost, where it is here.
    pub fn following(&self) -> Option<(Codec, &[u8])> {
        let first = self.packets.front()?;
        (Some(first.timestamp) == self.next).then_some((first.codec, &first.payload))
    }

    /// A payload that has been decoded.
    pub fn give_back(&mut self, payload: Vec<u8>) {
        if self.spare.len() < PACKETS_MAX {
            self.spare.push(payload);
        }
    }

    /// So much was made up, since nothing was here.
    pub fn starve(&mut self, ticks: u32) {
        if self.starved == 0 {
            self.patience = (self.patience + 10).min(PATIENCE.1);
        }
        self.starved = self.starved.saturating_add(ticks);
        self.least = (u32::MAX, 0);
    }

    /// The sender has said that it pauses: nothing is late.
    pub fn rest(&mut self) {
        self.starved = self.starved.max(PAUSE * self.ms);
        self.least = (u32::MAX, 0);
    }

    /// Nothing has come for so long that it is no lost packet.
    pub fn pauses(&self) -> bool {
        self.next.is_none() || self.starved >= PAUSE * self.ms
    }

    /// Milliseconds that were made up.
    pub fn starved(&self) -> u32 {
        self.starved / self.ms
    }

    /// Ticks in a millisecond.
    pub fn ms(&self) -> u32 {
        self.ms
    }

    /// A turn: `ready` ticks are decoded already. True where there has been more than enough for so
    /// long that the stream should be made shorter.
    pub fn is_ample(&mut self, ready: u32) -> bool {
        let end = self.packets.back().map(|last| last.timestamp.wrapping_add(last.ticks));
        let Some((next, end)) = self.next.zip(end).filter(|_| self.hold == 0) else {
            self.least = (u32::MAX, 0);
            return false;
        };
        let ahead = (end.wrapping_sub(next) as i32).max(0) as u32;
        let here = ahead.saturating_add(ready) / self.ms;
        let (least, turns) = (self.least.0.min(here), self.least.1 + 1);
        self.least = (least, turns);
        let more = |(than, of): (u32, u32)| turns >= of && least > than;
        let ample = more(AMPLE) || more(FLOOD);
        if ample || turns >= AMPLE.1 {
            self.patience = self.patience.saturating_sub(5).max(PATIENCE.0);
            self.least = (u32::MAX, 0);
        }
        ample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(jitter: &mut Jitter, n: u32) {
        jitter.put((7, n.wrapping_mul(160)), Codec::Pcma, &[n as u8; 160]);
    }

    /// What the next turns bring: a packet as its number.
    fn turns(jitter: &mut Jitter, count: usize) -> String {
        let turn = |_| match jitter.next() {
            Next::Packet(packet) => char::from(b'0' + packet.payload[0] % 10),
            Next::Lost(ticks) => {
                if ticks == 160 {
                    'l'
                } else {
                    '?'
                }
            }
            Next::Early(_) => 'e',
            Next::Nothing => {
                jitter.starve(160);
                'n'
            }
        };
        (0..count).map(turn).collect()
    }

    /// There are senders that stamp by a clock of their own, and a little too early.
    #[test]
    fn packets_that_overlap_are_all_heard() {
        let mut jitter = Jitter::default();
        let mut heard = String::new();
        for n in 0..100 {
            jitter.put((7, n * 158), Codec::Pcma, &[n as u8; 160]);
            heard += &turns(&mut jitter, 1);
            jitter.is_ample(0);
        }
        assert!(heard.matches(|c: char| c.is_ascii_digit()).count() > 90, "{heard}");
        assert!(!heard.contains('l'), "{heard}");
    }

    #[test]
    fn packets_come_out_in_order_after_a_little_patience() {
        let mut jitter = Jitter::default();
        for n in [1, 3, 2, 2, 5] {
            put(&mut jitter, n);
        }
        assert_eq!(turns(&mut jitter, 7), "e123l5n");
    }

    #[test]
    fn timestamps_may_begin_again() {
        let mut jitter = Jitter::default();
        let start = u32::MAX - 200;
        for n in [0, 2, 1] {
            jitter.put((1, start.wrapping_add(n * 160)), Codec::G722, &[n as u8; 160]);
        }
        assert_eq!(turns(&mut jitter, 4), "e012");
    }

    #[test]
    fn a_packet_that_is_late_makes_the_stream_later_and_a_lost_one_does_not() {
        let mut jitter = Jitter::default();
        put(&mut jitter, 1);
        assert_eq!(turns(&mut jitter, 3), "e1n");
        put(&mut jitter, 2);
        assert_eq!(turns(&mut jitter, 2), "2n", "it was late, and nothing of it is left out");
        put(&mut jitter, 4);
        assert_eq!(turns(&mut jitter, 1), "4", "what was made up stood for the third");
        put(&mut jitter, 3);
        assert_eq!(turns(&mut jitter, 1), "n", "and it has no place any more");
    }

    #[test]
    fn after_a_pause_a_talk_begins_anew() {
        let mut jitter = Jitter::default();
        put(&mut jitter, 1);
        assert_eq!(turns(&mut jitter, 5), "e1nnn");
        assert!(jitter.pauses());
        put(&mut jitter, 40);
        assert!(!jitter.pauses());
        assert!(turns(&mut jitter, 3).ends_with('0'), "no 39 packets were lost");
    }

    #[test]
    fn a_pause_that_was_told_of_makes_nothing_later() {
        let mut jitter = Jitter::default();
        for talk in 0..12 {
            let first = talk * 20;
            (first..first + 3).for_each(|n| put(&mut jitter, n));
            assert_eq!(turns(&mut jitter, 4), "e012", "talk {talk}");
            jitter.rest();
        }
    }

    #[test]
    fn a_stream_that_leaps_or_changes_is_heard_from_there() {
        let mut jitter = Jitter::default();
        for (ssrc, timestamp) in [(1, 0), (1, 900_000), (1, 5), (2, 77)] {
            jitter.put((ssrc, timestamp), Codec::Pcmu, &[4; 160]);
            assert_eq!(turns(&mut jitter, 2), "e4", "{ssrc} {timestamp}");
        }
        let mut back = Jitter::default();
        put(&mut back, 40);
        assert_eq!(turns(&mut back, 2), "e0");
        (10..=20).for_each(|n| put(&mut back, n));
        assert_eq!(turns(&mut back, 2), "e0", "whoever stays behind is not late but elsewhere");
    }

    #[test]
    fn whoever_has_more_than_enough_for_two_seconds_is_made_shorter() {
        let mut jitter = Jitter::default();
        (0..4).for_each(|n| put(&mut jitter, n));
        let mut ample = 0;
        for n in 4..404 {
            put(&mut jitter, n);
            ample += u32::from(jitter.is_ample(0));
            while !matches!(jitter.next(), Next::Packet(_)) {}
        }
        assert!((3..=4).contains(&ample), "{ample}");
        let mut regular = Jitter::default();
        for n in 0..400 {
            put(&mut regular, n);
            assert!(!regular.is_ample(0));
            regular.next();
        }
    }

    #[test]
    fn no_flood_makes_it_grow_and_nothing_is_in_a_payload_without_length() {
        let mut jitter = Jitter::default();
        (0..1_000).for_each(|n| jitter.put((1, n * 8), Codec::Pcma, &[1; 8]));
        assert!(jitter.packets.len() <= PACKETS_MAX);
        let mut empty = Jitter::default();
        empty.put((1, 1), Codec::Pcma, &[]);
        empty.put((1, 1), Codec::Opus, &[0xff]);
        empty.put((1, 1), Codec::Pcma, &[0; PAYLOAD_MAX + 1]);
        assert!(matches!(empty.next(), Next::Nothing));
    }
}
