//! What goes sealed: everything that a port says is one stream of one source, whoever speaks.
//!
//! In: packets as the engine makes and relays them. Out: the same under one source, with numbers
//! and times that go on, sealed. May import: wire.
//!
//! RFC 3711 section 9.1: one key, one source and one number seal one packet, or two that are sealed
//! alike give both away. What is relayed has the numbers of somebody else, who may repeat them, and
//! comes after others and before them. So each port draws a source of its own, counts for itself
//! and never seals a number twice. A key that outlives the process, or a second key, is used under
//! another source, whose numbers begin anew: nobody has to remember how far the first had come.
//! And there are telephones (libre) that hear eight sources in a call, and no more.

use super::cipher::Cipher;
use super::window::Window;
use crate::base::Instant;
use crate::media::playing::ROUND;
use crate::media::reports::Told;
use crate::wire::rtp;
use crate::wire::sdp::Master;

/// Numbers at the end of a round that no stream begins with: whoever misses its first packets, as
/// many do who are called, would take the next round for this one (RFC 3711 section 3.3.1).
const END_OF_ROUND: u16 = 500;
/// One that is so late or later is not of the stream that goes on, ...
const LATE: i16 = 100;
/// ... nor is one that is so far ahead: whoever hears us has to count the rounds of our numbers,
/// and may miss the packet after which it would have to.
const EARLY: i16 = 1_000;

pub struct Sealer {
    cipher: Cipher,
    source: u32,
    /// The number that whoever speaks next begins with.
    next: u64,
    window: Option<Window>,
    /// Whose stream goes on, and what its numbers and times become.
    from: Option<Followed>,
    /// The number that would follow the last packet that was far from all others of its source.
    astray: Option<u16>,
    /// When the last packet went, and the time that it told.
    last: Option<(Instant, u32)>,
    packets: u32,
    octets: u32,
    /// Reports that were sealed.
    reports: u32,
}

#[derive(Clone, Copy)]
struct Followed {
    source: u32,
    numbers: u32,
    times: u32,
}

impl Sealer {
    /// `source`: nobody has had the same before under this key.
    pub fn new(master: &Master, source: u32) -> Self {
        Self {
            cipher: Cipher::new(master),
            source,
            next: 0,
            window: None,
            from: None,
            astray: None,
            last: None,
            packets: 0,
            octets: 0,
            reports: 0,
        }
    }

    /// Seals RTP. `clock`: ticks a second of its times. False: it cannot go.
    pub fn seal(&mut self, now: Instant, clock: u32, packet: &mut Vec<u8>) -> bool {
        let Some(start) = rtp::payload_at(packet) else { return false };
        let Some((index, time)) = self.place(now, clock, packet) else { return false };
        packet[2..4].copy_from_slice(&(index as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&time.to_be_bytes());
        packet[8..12].copy_from_slice(&self.source.to_be_bytes());
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add((packet.len() - start) as u32);
        self.cipher.seal(packet, start, index);
        true
    }

    /// The number and the time of a packet; `None` where its number has been used.
    fn place(&mut self, now: Instant, clock: u32, packet: &[u8]) -> Option<(u64, u32)> {
        if self.window.is_none() {
            self.next = first_number(now);
            self.window = Some(Window::new(self.next - 1));
        }
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let [time, source] = [4, 8].map(|at| {
            u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]])
        });
        // RFC 3550 appendix A.1: "two sequential packets -- assume that the other side restarted
        // without telling us"; one alone is only late, or bad.
        let own = self.from.filter(|from| from.source == source);
        let is_astray =
            own.is_some_and(|from| self.is_astray(sequence.wrapping_add(from.numbers as u16)));
        let expected = self.astray.take_if(|_| own.is_some());
        if is_astray && expected != Some(sequence) {
            self.astray = Some(sequence.wrapping_add(1));
            return None;
        }
        let from = own.filter(|_| !is_astray);
        let from = from.unwrap_or_else(|| {
            let ticks = |micros: u128| (micros * u128::from(clock) / 1_000_000) as u32;
            let told = match self.last {
                Some((went, told)) => {
                    told.wrapping_add(ticks(now.since(went).as_micros()).max(clock / 50))
                }
                None => ticks(now.0.into()),
            };
            let numbers = (self.next as u32).wrapping_sub(sequence.into());
            Followed { source, numbers, times: told.wrapping_sub(time) }
        });
        self.from = Some(from);
        let number = sequence.wrapping_add(from.numbers as u16);
        let window = self.window.as_mut()?;
        let index = window.whole(number)?;
        if !window.lacks(index) {
            return None;
        }
        window.put(index);
        if index >= self.next {
            self.next = index + 1;
            self.last = Some((now, time.wrapping_add(from.times)));
        }
        Some((index, time.wrapping_add(from.times)))
    }

    /// Whether this number cannot be of the stream that goes on.
    fn is_astray(&self, number: u16) -> bool {
        let ahead = number.wrapping_sub(self.next as u16) as i16;
        !(-LATE..=EARLY).contains(&ahead)
    }

    /// Whether only who has counted can tell the whole numbers.
    pub fn is_beyond_first_round(&self) -> bool {
        self.next >> 16 > 0
    }

    /// Seals RTCP, in the name of the one source.
    pub fn seal_report(&mut self, report: &[u8]) -> Option<Vec<u8>> {
        let mut told = Told::read(report)?;
        let times = self.from.filter(|from| from.source == told.ssrc).map(|from| from.times);
        told.sent = told.sent.zip(times).map(|(mut sent, times)| {
            sent.timestamp = sent.timestamp.wrapping_add(times);
            (sent.packets, sent.octets) = (self.packets, self.octets);
            sent
        });
        told.ssrc = self.source;
        let mut packet = told.bytes();
        // RFC 3711 section 3.4: "set to zero before the first SRTCP packet is sent, and incremented
        // by one, modulo 2^31, after each". At five seconds each that is three hundred years.
        self.cipher.seal_report(&mut packet, self.reports);
        self.reports = (self.reports + 1) & 0x7fff_ffff;
        Some(packet)
    }

    /// What the far end tells of the one source is of whoever speaks now.
    pub fn named(&self, mut told: Told) -> Told {
        let Some(Followed { source, numbers, .. }) = self.from else { return told };
        for report in told.about.iter_mut().filter(|report| report.ssrc == self.source) {
            report.highest = report.highest.wrapping_sub(numbers);
            report.ssrc = source;
        }
        told
    }
}

/// Numbers and times begin with those that a stream would have by now which began when the clock
/// did: there are telephones (libre 1.x) that keep the last of both in spite of a new source, and
/// drop whatever is before it.
fn first_number(now: Instant) -> u64 {
    let number = (now.0 / ROUND) as u16;
    let skip = if number > u16::MAX - END_OF_ROUND { END_OF_ROUND } else { 0 };
    number.wrapping_add(skip).max(1).into()
}
