//! What is heard at recorded ports, on its way to whoever writes it down: raw packets one after the
//! other in one buffer, handed on when it is full or has waited long enough.
//!
//! In: a packet, when it came, whose it is. Out: a [`Batch`]. A packet costs one copy and no
//! allocation; a buffer comes back when it has been read. May import: base, wire.

use super::sound::ticks;
use crate::base::{CallId, Instant};
use crate::wire::codec::Codec;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Octets in one buffer.
const ROOM: usize = 64 << 10;
/// How long the first packet in a buffer waits at most.
const WAIT: Duration = Duration::from_millis(200);
/// Buffers kept for the next time.
const SPARE_MAX: usize = 4;
/// Octets before the audio of a packet.
const HEAD: usize = 29;

/// Where what a port hears goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Track {
    pub call: CallId,
    pub side: Side,
}

/// The caller is on the left, whoever talks with them on the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Side {
    Left,
    Right,
}

/// Packets in the order they came.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Batch(Vec<u8>);

/// One packet of a recorded port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard<'a> {
    pub track: Track,
    /// When it came.
    pub at: Instant,
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    pub codec: Codec,
    /// It is no sound but tells of a pause (RFC 3389), and `audio` of the noise in it.
    pub comfort: bool,
    pub audio: &'a [u8],
}

impl Heard<'_> {
    /// How long it is heard; nothing where that cannot be told.
    #[inline]
    pub fn length(&self) -> Duration {
        let ticks = ticks(self.codec, self.audio).unwrap_or_default();
        Duration::from_millis(u64::from(ticks / (self.codec.clock() / 1_000)))
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch({} octets)", self.0.len())
    }
}

impl Batch {
    pub fn iter(&self) -> impl Iterator<Item = Heard<'_>> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (heard, behind) = read(rest)?;
            rest = behind;
            Some(heard)
        })
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub fn push(&mut self, heard: &Heard) {
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(&heard.track.call.0.to_le_bytes());
        head[8..16].copy_from_slice(&heard.at.0.to_le_bytes());
        head[16..20].copy_from_slice(&heard.ssrc.to_le_bytes());
        head[20..24].copy_from_slice(&heard.timestamp.to_le_bytes());
        head[24..26].copy_from_slice(&heard.sequence.to_le_bytes());
        head[26..28].copy_from_slice(&(heard.audio.len() as u16).to_le_bytes());
        let side = u8::from(heard.track.side == Side::Right);
        head[28] = side | (heard.codec as u8) << 1 | u8::from(heard.comfort) << 3;
        self.0.extend_from_slice(&head);
        self.0.extend_from_slice(heard.audio);
    }
}

fn read(bytes: &[u8]) -> Option<(Heard<'_>, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let long = |at: usize| u64::from(word(head, at)) | u64::from(word(head, at + 4)) << 32;
    let short = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let (audio, rest) = rest.split_at_checked(usize::from(short(26)))?;
    let side = if head[28] & 1 == 0 { Side::Left } else { Side::Right };
    let heard = Heard {
        track: Track { call: CallId(long(0)), side },
        at: Instant(long(8)),
        ssrc: word(head, 16),
        timestamp: word(head, 20),
        sequence: short(24),
        codec: Codec::ALL[usize::from(head[28] >> 1 & 3)],
        comfort: head[28] >> 3 & 1 != 0,
        audio,
    };
    Some((heard, rest))
}

fn word(head: &[u8; HEAD], at: usize) -> u32 {
    u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

/// What one port may put on tape, above twice what is said and in packets of more than 5 ms: what a
/// link that stalled delivers at once. There is one writer for all, and who sends more than any
/// telephone is not to keep it busy.
const BURST: Duration = Duration::from_secs(2);
const PACKET: Duration = Duration::from_millis(5);
/// Losses are told this often at most, however many they are.
const TELL: Duration = Duration::from_secs(1);

/// What is left of it to a port: so much time's worth.
#[derive(Debug, Default)]
pub struct Quota {
    at: Instant,
    packets: Duration,
    sound: Duration,
    /// Packets that were over it and have not been told of, and when that was done last.
    over: u64,
    told: Instant,
}

/// Whether a packet goes on tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    Yes,
    /// It does not; so many are to be told of now.
    No(u64),
}

impl Quota {
    /// `length`: how long the packet is heard.
    #[inline]
    pub fn admit(&mut self, now: Instant, length: Duration) -> Admitted {
        let gone = now.since(self.at);
        self.at = now;
        self.packets = (self.packets + gone).min(BURST);
        self.sound = (self.sound + gone).min(BURST);
        let half = length / 2;
        if self.packets >= PACKET && self.sound >= half {
            self.packets -= PACKET;
            self.sound -= half;
            return Admitted::Yes;
        }
        self.over += 1;
        if now.since(self.told) < TELL {
            return Admitted::No(0);
        }
        self.told = now;
        Admitted::No(self.rest())
    }

    /// Packets that nobody was told of.
    pub fn rest(&mut self) -> u64 {
        std::mem::take(&mut self.over)
    }
}

/// The buffer of one engine.
#[derive(Debug, Default)]
pub struct Tape {
    batch: Batch,
    due: Option<Instant>,
    spare: Vec<Batch>,
}

impl Tape {
    /// `Some`: the buffer is full.
    #[inline]
    pub fn push(&mut self, heard: &Heard) -> Option<Batch> {
        let full = self.batch.0.len() + HEAD + heard.audio.len() > ROOM;
        let done = if full { self.take() } else { None };
        if self.due.is_none() {
            self.due = Some(heard.at + WAIT);
            if self.batch.0.capacity() == 0 {
                self.batch = self.spare.pop().unwrap_or_default();
                self.batch.0.reserve(ROOM);
            }
        }
        self.batch.push(heard);
        done
    }

    /// Whatever there is.
    pub fn take(&mut self) -> Option<Batch> {
        self.due = None;
        (!self.batch.is_empty()).then(|| std::mem::take(&mut self.batch))
    }

    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// A buffer that has been read.
    pub fn reuse(&mut self, mut batch: Batch) {
        if self.spare.len() < SPARE_MAX {
            batch.0.clear();
            self.spare.push(batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(sequence: u16, audio: &[u8]) -> Heard<'_> {
        let side = if sequence.is_multiple_of(2) { Side::Left } else { Side::Right };
        let codec = Codec::ALL[usize::from(sequence % 4)];
        Heard {
            track: Track { call: CallId(7 << 32 | 9), side },
            at: Instant(u64::from(sequence) * 20_000),
            ssrc: 0xdead_beef,
            sequence,
            timestamp: u32::from(sequence) * 160,
            codec,
            comfort: false,
            audio,
        }
    }

    #[test]
    fn packets_come_out_as_they_went_in_and_in_order() {
        let audio: Vec<u8> = (0..160).collect();
        let mut tape = Tape::default();
        let mut batches = Vec::new();
        for n in 0..1_000 {
            batches.extend(tape.push(&heard(n, &audio[..usize::from(n % 160)])));
        }
        batches.extend(tape.take());
        assert!(batches.len() > 1 && tape.take().is_none());
        let all: Vec<Heard> = batches.iter().flat_map(Batch::iter).collect();
        assert_eq!(all.len(), 1_000);
        for (n, got) in (0..).zip(all) {
            assert_eq!(got, heard(n, &audio[..usize::from(n % 160)]));
        }
    }

    #[test]
    fn a_buffer_that_was_read_is_filled_again() {
        let mut tape = Tape::default();
        tape.push(&heard(1, &[1; 160]));
        assert_eq!(tape.due(), Some(Instant(220_000)));
        let batch = tape.take().unwrap();
        let at = batch.0.as_ptr();
        assert_eq!(tape.due(), None);
        tape.reuse(batch);
        tape.push(&heard(2, &[2; 160]));
        let again = tape.take().unwrap();
        assert_eq!((again.0.as_ptr(), again.iter().count()), (at, 1));
    }
}
