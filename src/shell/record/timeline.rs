//! One recording as sound: both sides on the clock of the call, whatever the network did to them.
//!
//! In: packets as they came. Out: frames of A-law, left and right by turns, in order and without a
//! gap: what was lost is made up for a moment and then silence, what came twice or too late is
//! dropped, who spoke out of order is put back. May import: base, media, wire.

use crate::base::Instant;
use crate::media::sound::{Conceal, Decoder, LONGEST, NARROW, Noise, ticks};
use crate::media::{Heard, Side};
use crate::wire::codec::Codec;
use crate::wire::g711::Law;
use std::borrow::Cow;

/// Frames a second.
pub const RATE: u64 = 8_000;
/// Octets in a frame: one of each side.
pub const FRAME: usize = 2;
/// How far back a packet may come: 1 s. Then its place has been written.
pub const BEHIND: u64 = RATE;
/// Frames that are held.
const WINDOW: usize = 2 * RATE as usize;
/// A stream that comes sooner than its timestamps say, or steadily later, by more than 10 ms is put
/// right: clocks of telephones drift.
const DRIFT: i64 = 80;
/// Packets that a steady lateness is looked for in: 2 s.
const STEADY: u32 = 100;
/// A timestamp this far off says nothing: the stream has begun anew.
const LOST_TRACK: i64 = BEHIND as i64 - 800;
/// Streams of one recording: parties who come and go.
const STREAMS_MAX: usize = 8;
/// Another stream of the same side that was heard within this time is talking at the same time.
const TOGETHER: i64 = RATE as i64 / 4;
/// A party that tells no more may have gone, or be on hold: then there is silence. In frames.
const NOISE_FOR: i64 = 10 * RATE as i64;
const SILENCE: u8 = Law::A.silence();

pub struct Timeline {
    began: Instant,
    /// Frames that have left.
    done: u64,
    /// By their number modulo [`WINDOW`].
    window: Box<[u8]>,
    streams: Vec<Stream>,
}

/// The longest loss that is made up, in frames.
const MADE_UP: i64 = (LONGEST * RATE as usize / 1_000) as i64;

/// Octets of a law that are kept to make up from: more than is looked at.
const PAST: usize = 50 * RATE as usize / 1_000;

/// One source of one side.
struct Stream {
    side: Side,
    /// Of a codec that has a memory.
    decoder: Option<(Codec, Decoder)>,
    conceal: Conceal,
    /// What has come of a law since, and is looked at only where something is lost behind it.
    past: Vec<u8>,
    law: Law,
    ssrc: u32,
    /// Where the timestamp `zero` is.
    base: i64,
    zero: u32,
    /// The least lateness of so many packets.
    late: (i64, u32),
    highest: u16,
    /// Numbers up to 63 below the highest that have come.
    seen: u64,
    /// The end of the last packet, and whether there was one.
    last: i64,
    spoke: bool,
    /// In a pause that was told of, and when that ends at the latest.
    noise: Option<(Noise, i64)>,
}

impl Timeline {
    /// `done`: frames that an earlier process has written.
    pub fn new(began: Instant, done: u64) -> Self {
        let window = vec![SILENCE; WINDOW * FRAME].into();
        Self { began, done, window, streams: Vec::new() }
    }

    /// The frame that a moment falls into.
    pub fn frame(&self, at: Instant) -> u64 {
        at.since(self.began).as_micros() as u64 * RATE / 1_000_000
    }

    pub fn done(&self) -> u64 {
        self.done
    }

    /// Puts a packet in its place. What has no room any more leaves through `out`.
    pub fn put(&mut self, heard: &Heard, out: &mut Vec<u8>) {
        if heard.comfort {
            return self.pause(heard);
        }
        let ticks = ticks(heard.codec, heard.audio).unwrap_or_default();
        let length = i64::from(ticks / (heard.codec.clock() / NARROW));
        // What comes now was said before.
        let came = self.frame(heard.at) as i64 - length;
        let at = self.stream(heard, came);
        let Some(place) = self.streams[at].place(heard, came) else { return };
        let (from, octets) = self.streams[at].octets(*heard, place);
        let end = from + octets.len() as i64;
        self.hiss(at, from);
        self.streams[at].noise = None;
        let together = self.streams.iter().enumerate().any(|(other, stream)| {
            other != at && stream.side == heard.track.side && (stream.last - end).abs() < TOGETHER
        });
        self.streams[at].last = self.streams[at].last.max(end);
        if end > self.done as i64 + WINDOW as i64 {
            self.write_to((end - WINDOW as i64) as u64, out);
        }
        let lane = usize::from(heard.track.side == Side::Right);
        // What is before the beginning, or written already, is left out.
        let late = (self.done as i64 - from).clamp(0, octets.len() as i64);
        let mut rest = &octets[late as usize..];
        let mut at = (from + late) as usize % WINDOW;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(WINDOW - at));
            let frames = self.window[at * FRAME..(at + now.len()) * FRAME].chunks_exact_mut(FRAME);
            match together {
                // By far the most.
                false => frames.zip(now).for_each(|(frame, octet)| frame[lane] = *octet),
                true => frames.zip(now).for_each(|(frame, octet)| {
                    let kept = &mut frame[lane];
                    *kept = if *kept == SILENCE { *octet } else { mixed(*kept, *octet) };
                }),
            }
            (rest, at) = (later, 0);
        }
    }

    /// A party will say nothing for a while, and tells what that sounds like.
    fn pause(&mut self, heard: &Heard) {
        let came = self.frame(heard.at) as i64;
        let at = self.stream(heard, came);
        let noise = Noise::told(heard.audio);
        self.streams[at].noise = noise.map(|noise| (noise, came + NOISE_FOR));
    }

    /// Fills what is left of a pause before this frame.
    fn hiss(&mut self, at: usize, end: i64) {
        let (done, stream) = (self.done as i64, &mut self.streams[at]);
        let Some((noise, over)) = &mut stream.noise else { return };
        let lane = usize::from(stream.side == Side::Right);
        for frame in stream.last.max(done)..end.min(*over).min(done + WINDOW as i64) {
            let kept = &mut self.window[frame as usize % WINDOW * FRAME + lane];
            if *kept == SILENCE {
                *kept = Law::A.encode(noise.sample());
            }
        }
    }

    /// Lets everything before this frame leave.
    pub fn write_to(&mut self, end: u64, out: &mut Vec<u8>) {
        (0..self.streams.len()).for_each(|at| self.hiss(at, end as i64));
        while self.done < end {
            let at = self.done as usize % WINDOW;
            let count = (end - self.done).min((WINDOW - at) as u64) as usize;
            let part = &mut self.window[at * FRAME..(at + count) * FRAME];
            out.extend_from_slice(part);
            part.fill(SILENCE);
            self.done += count as u64;
        }
    }

    fn stream(&mut self, heard: &Heard, came: i64) -> usize {
        let same = |s: &Stream| s.ssrc == heard.ssrc && s.side == heard.track.side;
        if let Some(at) = self.streams.iter().position(same) {
            return at;
        }
        if self.streams.len() == STREAMS_MAX {
            let oldest = (0..STREAMS_MAX).min_by_key(|at| self.streams[*at].last).unwrap_or(0);
            self.streams.swap_remove(oldest);
        }
        self.streams.push(Stream {
            side: heard.track.side,
            decoder: None,
            conceal: Conceal::new(NARROW),
            past: Vec::new(),
            law: Law::A,
            ssrc: heard.ssrc,
            base: came,
            zero: heard.timestamp,
            late: (i64::MAX, 0),
            highest: heard.sequence.wrapping_sub(1),
            seen: 0,
            last: came,
            spoke: false,
            noise: None,
        });
        self.streams.len() - 1
    }
}

impl Stream {
    /// The sound of a packet as A-law, with what was lost before it made up, and where it begins.
    fn octets<'a>(&mut self, heard: Heard<'a>, place: i64) -> (i64, Cow<'a, [u8]>) {
        let lost = place - self.last;
        let lost = if (1..=MADE_UP).contains(&lost) && self.spoke { lost } else { 0 };
        if let (Some(law), 0) = (heard.codec.law(), lost) {
            self.spoke = true;
            return (place, self.unharmed(law, heard.audio));
        }
        self.recall();
        let mut samples = Vec::new();
        let known = self.decoder.take().filter(|(codec, _)| *codec == heard.codec);
        let (_, decoder) = self
            .decoder
            .insert(known.unwrap_or_else(|| (heard.codec, Decoder::new(heard.codec, NARROW))));
        let count = lost as usize;
        // Opus makes up whole quarters of 10 ms, and its next packet may hold what was lost.
        let whole = count.next_multiple_of(20);
        if count > 0 && !decoder.conceal(Some(heard.audio), whole, &mut samples) {
            self.conceal.lost(count, &mut samples);
        }
        samples.truncate(count);
        let mut own = Vec::new();
        decoder.decode(heard.audio, &mut own);
        samples.extend_from_slice(&own);
        // What came is kept as it came: the way back from what was made up is not.
        self.conceal.came(&mut own);
        self.spoke = true;
        let octets: Vec<u8> = samples.into_iter().map(|sample| Law::A.encode(sample)).collect();
        (place - lost, octets.into())
    }

    /// What follows what has come needs no decoding.
    fn unharmed<'a>(&mut self, law: Law, audio: &'a [u8]) -> Cow<'a, [u8]> {
        if law != self.law {
            self.recall();
            self.law = law;
        }
        if self.past.len() + audio.len() > 2 * PAST {
            self.past.drain(..self.past.len().saturating_sub(PAST));
        }
        self.past.extend_from_slice(&audio[audio.len().saturating_sub(PAST)..]);
        let mut octets = Cow::Borrowed(audio);
        if law == Law::Mu {
            law.convert(octets.to_mut());
        }
        octets
    }

    fn recall(&mut self) {
        let law = self.law;
        let mut samples: Vec<i16> = self.past.drain(..).map(|octet| law.decode(octet)).collect();
        self.conceal.came(&mut samples);
    }

    /// Where a packet belongs. `None`: it has come before.
    fn place(&mut self, heard: &Heard, came: i64) -> Option<i64> {
        if !self.is_new(heard.sequence) {
            return None;
        }
        let since = i64::from(heard.timestamp.wrapping_sub(self.zero) as i32)
            / i64::from(heard.codec.clock() / NARROW);
        (self.base, self.zero) = (self.base + since, heard.timestamp);
        let late = came - self.base;
        if !(-DRIFT..=LOST_TRACK).contains(&late) {
            self.base = came;
            self.late = (i64::MAX, 0);
        }
        let (least, count) = (self.late.0.min(came - self.base), self.late.1 + 1);
        self.late = (least, count);
        if count == STEADY {
            self.late = (i64::MAX, 0);
            if least > DRIFT {
                self.base += least;
            }
        }
        Some(self.base)
    }

    fn is_new(&mut self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.highest);
        if ahead == 0 {
            let twice = self.seen & 1 != 0;
            self.seen |= 1;
            return !twice;
        }
        if ahead < 0x8000 {
            self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            self.highest = sequence;
            return true;
        }
        let back = self.highest.wrapping_sub(sequence);
        if back >= 64 {
            // Far behind: another count has begun.
            (self.highest, self.seen) = (sequence, 1);
            return true;
        }
        let bit = 1 << back;
        let twice = self.seen & bit != 0;
        self.seen |= bit;
        !twice
    }
}

fn mixed(a: u8, b: u8) -> u8 {
    Law::A.encode(Law::A.decode(a).saturating_add(Law::A.decode(b)))
}

#[cfg(test)]
mod tests;
