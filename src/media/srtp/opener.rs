//! What comes sealed, and whose it is: a packet counts only once it is proved.
//!
//! In: packets. Out: the same, open, each at most once. Nothing that is not proved leaves a trace,
//! so that no stranger fills any table. May import: wire.

use super::cipher::Cipher;
use super::window::Window;
use crate::wire::rtp;
use crate::wire::sdp::Master;

/// Sources that one far end has at a time; one more takes the place of the longest unheard.
const STREAMS: usize = 16;
/// Rounds of sequence numbers that are tried for a packet that is not proved in the likely one, of
/// a source that was not heard before, ...
const GUESSES: u32 = 4;
/// ... or of one that was, and may have been away for long, ...
const GUESSES_KNOWN: u32 = 1;
/// ... out of so many, in turn: a day of packets of 20 ms has 66.
const ROUNDS: u32 = 128;

pub struct Opener {
    cipher: Cipher,
    streams: Vec<Stream>,
    /// The round that is tried next.
    guess: u32,
    /// Packets that were opened.
    opened: u64,
}

struct Stream {
    source: u32,
    /// Of which kind, and which numbers.
    reports: bool,
    window: Window,
    /// When it was heard last, counted in packets.
    heard: u64,
}

impl Opener {
    pub fn new(master: &Master) -> Self {
        Self { cipher: Cipher::new(master), streams: Vec::new(), guess: 0, opened: 0 }
    }

    /// Opens RTP in place: how long it is then. `None`: it is not proved, or was there before.
    ///
    /// How often its numbers have begun anew nobody tells (RFC 3711 section 3.3.1), and a switch
    /// that comes to a call in its midst, after a crash or an upgrade, cannot know: the proof, with
    /// that in it, does. Each packet tries a few rounds, so that the right one is found within
    /// a second, and whoever sends rubbish costs little. One that was there already costs nothing.
    pub fn open(&mut self, packet: &mut [u8]) -> Option<usize> {
        let start = rtp::payload_at(packet)?;
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let source = u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]);
        let window = self.window(source, false);
        let guesses = if window.is_some() { GUESSES_KNOWN } else { GUESSES };
        let likely = window.map_or(Some(u64::from(sequence)), |window| window.whole(sequence));
        if let (Some(window), Some(likely)) = (window, likely)
            && !window.lacks(likely)
        {
            return None;
        }
        let round = likely.map_or(0, |likely| 1 + (likely >> 16));
        let first = likely.and_then(|index| self.open_as(index, source, packet, start));
        if first.is_some() {
            return first;
        }
        for _ in 0..guesses {
            let index = (round + u64::from(self.guess)) << 16 | u64::from(sequence);
            self.guess = (self.guess + 1) % ROUNDS;
            if let Some(length) = self.open_as(index, source, packet, start) {
                self.guess = 0;
                return Some(length);
            }
        }
        None
    }

    /// As a telephone does that has no idea of rounds.
    #[cfg(test)]
    pub fn guesses_nothing(&mut self) {
        self.guess = ROUNDS / 2;
    }

    fn open_as(
        &mut self,
        index: u64,
        source: u32,
        packet: &mut [u8],
        start: usize,
    ) -> Option<usize> {
        let length = self.cipher.open(packet, start, index)?;
        self.put(source, false, index);
        Some(length)
    }

    /// Whether RTP of this number was opened already, as far as can be told.
    pub fn had(&self, packet: &[u8]) -> bool {
        let word = |at: usize| {
            let octets = packet.get(at..at + 4)?;
            Some(u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]))
        };
        let window = word(8).and_then(|source| self.window(source, false));
        let whole = window.zip(word(0)).and_then(|(window, head)| window.whole(head as u16));
        window.zip(whole).is_some_and(|(window, whole)| !window.lacks(whole))
    }

    /// Opens RTCP in place: how long it is then. Its number is told.
    pub fn open_report(&mut self, packet: &mut [u8]) -> Option<usize> {
        let source = packet.get(4..8)?;
        let source = u32::from_be_bytes([source[0], source[1], source[2], source[3]]);
        let (length, number) = self.cipher.open_report(packet)?;
        let number = u64::from(number);
        if self.window(source, true).is_some_and(|window| !window.lacks(number)) {
            return None;
        }
        self.put(source, true, number);
        Some(length)
    }

    fn window(&self, source: u32, reports: bool) -> Option<&Window> {
        let mut streams = self.streams.iter();
        let stream = streams.find(|stream| (stream.source, stream.reports) == (source, reports));
        stream.map(|stream| &stream.window)
    }

    fn put(&mut self, source: u32, reports: bool, number: u64) {
        self.opened += 1;
        let heard = self.opened;
        let mut streams = self.streams.iter_mut();
        if let Some(stream) = streams.find(|s| (s.source, s.reports) == (source, reports)) {
            stream.window.put(number);
            stream.heard = heard;
            return;
        }
        let fresh = Stream { source, reports, window: Window::new(number), heard };
        if self.streams.len() < STREAMS {
            return self.streams.push(fresh);
        }
        // Whoever has so many has the key, and may only hurt itself.
        if let Some(longest) = self.streams.iter_mut().min_by_key(|stream| stream.heard) {
            *longest = fresh;
        }
    }
}
