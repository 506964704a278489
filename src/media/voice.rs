//! Our own stream to a far end: one for all that we have it hear, whoever it comes from, and the
//! numbers under which another's stream is passed on.
//!
//! In: 20 ms at a time, encoded; packets that are relayed. Out: packets. May import: base, wire.

use super::control::Far;
use super::effect::{Effect, Frame};
use super::playing::ROUND;
use super::port::PAYLOAD_MAX;
use super::reports::Ours;
use super::sound::{Encoder, halves};
use crate::base::{Instant, PortId};
use crate::wire::codec::Codec;
use crate::wire::opus::{self, Terms};
use crate::wire::rtp::{Header, Rtp};
use std::net::SocketAddr;
use std::sync::Arc;

/// Where a stream would be by now that had begun when the clock did, and had never paused. That of
/// longer packets is not asked for: those that are passed on may be shorter, and whoever is behind
/// the clock by less than half a round, after eleven minutes of pauses, is in time.
fn first_number(far: &Far, now: Instant) -> u16 {
    (now.0 / (u64::from(far.ptime.clamp(10, 20)) * 1_000)) as u16
}

/// How long a frame of Opus is that goes there.
fn frame_ticks(far: &Far) -> u32 {
    far.codec.clock() / if far.opus.tens { 100 } else { 50 }
}

/// A packet that comes later than so many after it is lost.
const LATE: u16 = 100;

#[derive(Debug)]
pub struct Voice {
    ssrc: u32,
    /// Whether anything went, and the number of what went last.
    begun: bool,
    sequence: u16,
    /// Of the last 20 ms.
    timestamp: u32,
    /// Of the last 20 ms that were sent.
    round: Option<u64>,
    packets: u32,
    octets: u32,
    /// Whom it passes on now, and by how much their numbers are shifted; since it does, both have
    /// begun the same rounds of their 16 bits anew.
    source: Option<(u32, u32)>,
    /// Before this number of theirs the shift was another one: this. And our own number as it was
    /// when that changed.
    before: Option<(u16, u16, u16)>,
    /// The timestamp of what was passed on last, and packets and octets of its source.
    passed: u32,
    relayed: (u32, u32),
    /// Where packets are not 20 ms long, what waits for its packet to be full.
    pack: Vec<u8>,
    /// In which codec that is, and whether in frames of 10 ms.
    packed: Option<(Codec, bool)>,
    /// The same of Opus, the timestamp of the last of them, and whether a talk spurt begins with
    /// the first.
    frames: Vec<(Arc<[u8]>, usize, usize)>,
    framed: u32,
    marked: bool,
    /// Of which codec, from which rate, as who wants it.
    encoder: Option<((Codec, u32, Terms), Box<Encoder>)>,
}

impl Voice {
    /// `dice`: for what a stranger should not guess (RFC 3550 section 5.1). Numbers and times are
    /// not drawn: they begin, with the first packet, where a stream would be by now that had begun
    /// when the clock did, so that whoever waits hears the next process, under another SSRC, go on
    /// counting where this one dies: see [`Voice::follow`].
    pub fn new(dice: u64) -> Self {
        Self {
            ssrc: dice as u32,
            begun: false,
            sequence: 0,
            timestamp: 0,
            round: None,
            packets: 0,
            octets: 0,
            source: None,
            before: None,
            passed: 0,
            relayed: (0, 0),
            pack: Vec::new(),
            packed: None,
            frames: Vec::new(),
            framed: 0,
            marked: false,
            encoder: None,
        }
    }

    /// The number under which a packet is passed on. A source that follows another one goes on
    /// counting where that one was, and the first one where the clock is: there are telephones
    /// (libre 1.x) that keep the last number in spite of a new SSRC, and drop whatever is below it
    /// for as long as ten minutes, and the last number may be of a process that has died.
    #[inline]
    pub fn follow(&mut self, now: Instant, far: &Far, rtp: &Rtp) -> u16 {
        let (ssrc, sequence) = (rtp.ssrc(), rtp.sequence());
        let (shift, known) = match self.source {
            Some((source, shift)) if source == ssrc => (shift, true),
            Some(_) | None => {
                self.begin(now, far);
                let next = self.sequence.wrapping_add(1);
                (u32::from(next).wrapping_sub(sequence.into()), false)
            }
        };
        self.source = Some((ssrc, shift));
        if !known {
            self.before = None;
        }
        self.passed = rtp.timestamp();
        let (packets, octets) = if known { self.relayed } else { (0, 0) };
        let length = rtp.payload().len() as u32;
        self.relayed = (packets.wrapping_add(1), octets.wrapping_add(length));
        let shifted = sequence.wrapping_add(self.shift_then(sequence, shift as u16));
        if !known || shifted.wrapping_sub(self.sequence) < 0x8000 {
            self.sequence = shifted;
        }
        shifted
    }

    /// Before the first packet of all.
    #[inline]
    fn begin(&mut self, now: Instant, far: &Far) {
        if !self.begun {
            self.begun = true;
            self.sequence = first_number(far, now).wrapping_sub(1);
        }
    }

    /// One that was overtaken by a change of the shift still has the number that it was to have.
    #[inline]
    fn shift_then(&mut self, sequence: u16, shift: u16) -> u16 {
        let Some((first, before, _)) = self.before else { return shift };
        if (1..=LATE).contains(&first.wrapping_sub(sequence)) {
            return before;
        }
        if (LATE..0x8000).contains(&sequence.wrapping_sub(first)) {
            self.before = None;
        }
        shift
    }

    /// Theirs have another shift from this number on. One change after the other, with nothing
    /// between them, is one.
    fn reshift(&mut self, first: u16, (before, by): (u32, i32), ours: (u16, u16)) {
        let (ssrc, _) = self.source.unwrap_or_default();
        self.source = Some((ssrc, before.wrapping_add_signed(by)));
        let before = before as u16;
        let goes_on = self.before.filter(|(.., at)| *at == ours.0);
        self.before = Some(match goes_on {
            Some((first, before, _)) => (first, before, ours.1),
            None => (first, before, ours.1),
        });
    }

    /// One that is not passed on: what comes behind it closes up.
    pub fn keep_back(&mut self, rtp: &Rtp) {
        let Some((_, shift)) = self.source.filter(|(ssrc, _)| *ssrc == rtp.ssrc()) else { return };
        let before = rtp.sequence().wrapping_add(shift as u16).wrapping_sub(1);
        if before.wrapping_sub(self.sequence) < 0x8000 {
            self.sequence = before;
            self.reshift(rtp.sequence(), (shift, -1), (before, before));
        }
    }

    /// Whom it passes on now, and by how much their numbers are shifted.
    pub fn source(&self) -> Option<(u32, u32)> {
        self.source
    }

    /// 20 ms of `samples` for a far end; what it becomes depends on what went before.
    pub fn encode(&mut self, far: &Far, rate: u32, samples: &[i16]) -> Arc<[u8]> {
        let wanted = (far.codec, rate, far.opus);
        let known = self.encoder.take().filter(|(known, _)| *known == wanted);
        let (_, encoder) = self.encoder.insert(
            known.unwrap_or_else(|| (wanted, Box::new(Encoder::with(far.codec, rate, &far.opus)))),
        );
        let mut audio = Vec::with_capacity(samples.len());
        encoder.encode(samples, &mut audio);
        audio.into()
    }

    /// 20 ms of our own, in packets of the length that the far end wants.
    pub fn frame(
        &mut self,
        at: (PortId, SocketAddr),
        far: &Far,
        round: u64,
        (audio, from, length): (&Arc<[u8]>, usize, usize),
        out: &mut Vec<Effect>,
    ) {
        let ticks = far.codec.clock() / 50;
        // Two in one round, as a tune ends and a room begins: no two packets have one timestamp.
        let rounds = self.round.map_or(1, |before| round.saturating_sub(before)).max(1);
        let marker = self.round.is_none() || rounds != 1;
        if self.round.is_none() {
            self.timestamp = (round as u32).wrapping_mul(ticks);
            self.begin(Instant(round * ROUND), far);
        }
        // Whoever speaks after it follows it.
        self.source = None;
        self.timestamp = self.timestamp.wrapping_add((rounds as u32).wrapping_mul(ticks));
        self.round = Some(round);
        let is_new = marker || self.packed != Some((far.codec, far.opus.tens));
        self.packed = Some((far.codec, far.opus.tens));
        if far.codec == Codec::Opus && (far.opus.tens || far.ptime >= 40) {
            return self.gather(at, far, (marker, is_new), (audio, from, length), out);
        }
        if far.ptime == 20 || far.codec == Codec::Opus {
            // Of packets that were longer before.
            self.pack.clear();
            self.frames.clear();
            let header = self.header(far.payload, self.timestamp, marker);
            return out.push(self.packet(at, header, (Arc::clone(audio), from, length)));
        }
        if is_new {
            self.pack.clear();
        }
        // An octet is a tick: the first in the pack is so much older.
        let mut stamp = self.timestamp.wrapping_sub(self.pack.len() as u32);
        let full = usize::from(far.ptime.clamp(10, 60)) * 8;
        self.pack.extend_from_slice(&audio[from..from + length]);
        let mut first = marker;
        while self.pack.len() >= full {
            let payload: Arc<[u8]> = self.pack.drain(..full).collect();
            let header = self.header(far.payload, stamp, first);
            out.push(self.packet(at, header, (payload, 0, full)));
            (stamp, first) = (stamp.wrapping_add(full as u32), false);
        }
    }

    /// A frame of Opus of 20 ms, or two of 10, of which some are to be a packet.
    fn gather(
        &mut self,
        at: (PortId, SocketAddr),
        far: &Far,
        (marker, is_new): (bool, bool),
        (audio, from, length): (&Arc<[u8]>, usize, usize),
        out: &mut Vec<Effect>,
    ) {
        if is_new {
            self.frames.clear();
        }
        self.marked |= marker;
        let two = halves(&audio[from..from + length]);
        let (frames, each) = match far.opus.tens {
            true => (&two[..], far.ptime / 10),
            false => (&[(0, length)][..], far.ptime / 20),
        };
        for (n, (place, length)) in (0..).zip(frames) {
            self.framed = self.timestamp.wrapping_add(n * frame_ticks(far));
            self.frames.push((Arc::clone(audio), from + place, *length));
            if self.frames.len() >= usize::from(each.clamp(1, 6)) {
                self.give(at, far, out);
            }
        }
    }

    /// The frames that wait, in one packet where they go together.
    fn give(&mut self, at: (PortId, SocketAddr), far: &Far, out: &mut Vec<Effect>) {
        let frames = std::mem::take(&mut self.frames);
        let mut marker = std::mem::take(&mut self.marked);
        let ticks = frame_ticks(far);
        let first = self.framed.wrapping_sub((frames.len() as u32 - 1) * ticks);
        let parts: Vec<&[u8]> = frames.iter().map(|(all, at, n)| &all[*at..at + n]).collect();
        let whole = opus::join(&parts, far.opus.cbr);
        let whole = whole.filter(|whole| whole.len() <= PAYLOAD_MAX);
        if let Some(whole) = whole {
            let (header, length) = (self.header(far.payload, first, marker), whole.len());
            return out.push(self.packet(at, header, (whole.into(), 0, length)));
        }
        for (n, frame) in (0..).zip(frames) {
            let header = self.header(far.payload, first.wrapping_add(n * ticks), marker);
            out.push(self.packet(at, header, frame));
            marker = false;
        }
    }

    /// What waits for its packet to be full goes as it is: nothing more comes.
    pub fn flush(&mut self, at: (PortId, SocketAddr), far: &Far, out: &mut Vec<Effect>) {
        if far.codec == Codec::Opus && !self.frames.is_empty() {
            return self.give(at, far, out);
        }
        let length = self.pack.len();
        if length > 0 && self.packed.is_some_and(|(codec, _)| codec == far.codec) {
            let end = self.timestamp.wrapping_add(far.codec.clock() / 50);
            let stamp = end.wrapping_sub(length as u32);
            let payload: Arc<[u8]> = self.pack.drain(..).collect();
            let header = self.header(far.payload, stamp, false);
            out.push(self.packet(at, header, (payload, 0, length)));
        }
    }

    /// A packet of telephone-event amid the stream, ours or another's.
    pub fn event(
        &mut self,
        at: (PortId, SocketAddr),
        (far, round): (&Far, u64),
        (event, timestamp, first): (u8, u32, bool),
        payload: &[u8],
    ) -> Effect {
        self.begin(Instant(round * ROUND), far);
        let mut header = self.header(event, timestamp, first);
        if let Some((ssrc, shift)) = self.source {
            header.ssrc = ssrc;
            let (first, ours) = (self.sequence.wrapping_sub(shift as u16), self.sequence);
            self.reshift(first, (shift, 1), (ours.wrapping_sub(1), ours));
        }
        self.packet(at, header, (payload.into(), 0, payload.len()))
    }

    /// The timestamp of what the far end hears now.
    pub fn now(&self) -> u32 {
        if self.source.is_some() { self.passed } else { self.timestamp }
    }

    pub fn speaks(&self) -> bool {
        self.round.is_some()
    }

    /// What is passed on, as a report tells of it.
    pub fn others(&self) -> Option<Ours> {
        let (timestamp, (packets, octets)) = (self.passed, self.relayed);
        self.source.map(|(ssrc, _)| Ours { ssrc, timestamp, packets, octets })
    }

    pub fn ours(&self) -> Ours {
        let Self { ssrc, timestamp, packets, octets, .. } = *self;
        Ours { ssrc, timestamp, packets, octets }
    }

    fn header(&mut self, payload_type: u8, timestamp: u32, marker: bool) -> Header {
        self.sequence = self.sequence.wrapping_add(1);
        Header { marker, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc }
    }

    fn packet(
        &mut self,
        (port, to): (PortId, SocketAddr),
        header: Header,
        (audio, at, length): (Arc<[u8]>, usize, usize),
    ) -> Effect {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(length as u32);
        Effect::Send(Frame { port, to, header: header.bytes(), audio, at, length })
    }
}
