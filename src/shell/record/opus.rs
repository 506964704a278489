//! A recording as Ogg Opus (RFC 7845): two channels, packets of 20 ms, pages of half a second or
//! more: what is written, is whole.
//!
//! In: frames of A-law. Out: pages. Whoever goes on with a stream begins with a new coder, where
//! the last page ends. May import: wire.

use super::growing::RATE;
use super::timeline::FRAME;
use crate::wire::g711::Law;
use crate::wire::ogg::{self, CLOCK, Page, Pager};
use opus as lib;
use std::io;

/// Ticks of 48,000 Hz in a packet, in a page at least, and in a frame.
const PACKET: u64 = 960;
const PAGE: u64 = 24_000;
const TICKS: u64 = (CLOCK / RATE) as u64;
/// Samples of a packet, both sides.
const SAMPLES: usize = (PACKET / TICKS) as usize * FRAME;
/// Octets of a packet at most: what 20 ms can need.
const ROOM: usize = 1_275;
/// A packet of 20 ms of both sides in which nothing is (RFC 6716 section 3.1).
const NOTHING: u8 = 19 << 3 | 1 << 2;
/// Bits a second for both sides: A-law's quality at less than a third of its octets.
const BITS: i32 = 40_000;
/// How hard it tries, of 10. It is the transform half of Opus, in which more is hardly heard.
const COMPLEXITY: i32 = 1;
const VENDOR: &str = concat!("pukar ", env!("CARGO_PKG_VERSION"));

pub struct Coder {
    encoder: lib::Encoder,
    pager: Pager,
    /// Where the page before ended.
    paged: u64,
    /// Less than a packet, both sides by turns.
    rest: Vec<i16>,
    /// That all packets so far decode to.
    ticks: u64,
    /// Of the sound, from which the end is told.
    heard: u64,
    /// Ticks that come out before what went in.
    skip: u64,
    begun: bool,
}

impl Coder {
    /// A stream that begins.
    pub fn new(serial: u32) -> io::Result<(Self, u64)> {
        Self::with(Pager::new(serial), 0)
    }

    /// Goes on behind this page, and the frames that have been written: what the dead process had
    /// put into its coder, and had not got out of it, is lost.
    pub fn after(last: &Page) -> io::Result<(Self, u64)> {
        Self::with(Pager::after(last), last.granule)
    }

    fn with(pager: Pager, ticks: u64) -> io::Result<(Self, u64)> {
        let encoder = encoder().map_err(io::Error::other)?;
        let rest = Vec::with_capacity(SAMPLES);
        let mut coder = Self {
            encoder,
            pager,
            paged: ticks,
            rest,
            ticks,
            heard: ticks,
            skip: 0,
            begun: ticks > 0,
        };
        let ahead = coder.encoder.get_lookahead().map_err(io::Error::other)?;
        coder.skip = u64::from(ahead.unsigned_abs()) * TICKS;
        Ok((coder, ticks / TICKS))
    }

    /// Frames, of which whole packets leave as a page.
    pub fn put(&mut self, sound: &[u8], out: &mut Vec<u8>) {
        self.begin(out);
        self.heard += (sound.len() / FRAME) as u64 * TICKS;
        for part in sound.chunks(SAMPLES) {
            let room = SAMPLES - self.rest.len();
            let (now, later) = part.split_at(room.min(part.len()));
            self.rest.extend(now.iter().map(|octet| Law::A.decode(*octet)));
            if self.rest.len() == SAMPLES {
                self.encode(out);
            }
            self.rest.extend(later.iter().map(|octet| Law::A.decode(*octet)));
        }
        if self.ticks - self.paged >= PAGE {
            self.flush(out);
        }
    }

    /// The last page. It ends where the sound does (RFC 7845 section 4.4).
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.empty(out);
        self.pager.end(self.skip + self.heard, out);
    }

    /// All of the sound is out, and the stream goes on some other time, a little later than it is.
    pub fn leave(&mut self, out: &mut Vec<u8>) {
        if self.heard > 0 {
            self.empty(out);
            self.flush(out);
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        self.pager.flush(out);
        self.paged = self.ticks;
    }

    /// The headers, before anything else.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        // RFC 7845 section 3: each header is the last, or the only, packet of a page of its own.
        for header in [ogg::opus_head(FRAME as u8, self.skip as u16, RATE), ogg::opus_tags(VENDOR)]
        {
            self.pager.put(&header, 0, out);
            self.pager.flush(out);
        }
    }

    /// What is still in the coder comes out with silence behind it.
    fn empty(&mut self, out: &mut Vec<u8>) {
        while self.ticks < self.skip + self.heard {
            self.rest.resize(SAMPLES, 0);
            self.encode(out);
        }
    }

    fn encode(&mut self, out: &mut Vec<u8>) {
        let mut packet = [0; ROOM];
        packet[0] = NOTHING;
        let length = self.encoder.encode(&self.rest, &mut packet).unwrap_or(0).max(1);
        self.rest.clear();
        self.ticks += PACKET;
        self.pager.put(&packet[..length], self.ticks, out);
    }
}

fn encoder() -> lib::Result<lib::Encoder> {
    let mode = lib::Application::LowDelay;
    let mut encoder = lib::Encoder::new(RATE, lib::Channels::Stereo, mode)?;
    encoder.set_bitrate(lib::Bitrate::Bits(BITS))?;
    encoder.set_complexity(COMPLEXITY)?;
    Ok(encoder)
}
