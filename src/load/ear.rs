//! What one phone hears: whose voice, which packets of it, how late; music and prompts apart.
//!
//! In: each RTP packet with its arrival time, read with `rtp-rs`. Out: figures per speaker. Pure.
//! Knows nothing of sockets or SIP. May import: base, wire.

use super::clock::MILLISECOND;
use super::payload::{self, Content, Stamp};
use crate::wire::g711::Law;
use rtp_rs::RtpReader;

/// One speaker as heard by one phone.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    pub agent: bool,
    pub who: u32,
    pub leg: u32,
    pub first: u32,
    pub last: u32,
    /// Different packets that arrived.
    pub received: u64,
    pub duplicates: u64,
    pub reordered: u64,
    pub recoded: u64,
    pub first_at: u64,
    pub last_at: u64,
    /// Longest pause between two packets.
    pub pause_max: u64,
    pub delay_sum: u64,
    pub delay_max: u64,
    /// RFC 3550 section 6.4.1, in nanoseconds.
    pub jitter: f64,
    transit: u64,
    /// Bit n: packet `last - n` has arrived.
    window: u128,
}

impl Stream {
    fn new(stamp: &Stamp, at: u64) -> Self {
        let transit = at.saturating_sub(stamp.sent);
        Self {
            agent: stamp.agent,
            who: stamp.who,
            leg: stamp.leg,
            first: stamp.seq,
            last: stamp.seq,
            received: 0,
            duplicates: 0,
            reordered: 0,
            recoded: 0,
            first_at: at,
            last_at: at,
            pause_max: 0,
            delay_sum: 0,
            delay_max: 0,
            jitter: 0.0,
            transit,
            window: 0,
        }
    }

    /// Packets missing between the first heard and the last.
    pub fn lost(&self) -> u64 {
        (u64::from(self.last - self.first) + 1).saturating_sub(self.received)
    }

    /// Counts one packet; returns by how much the number of lost packets changed.
    fn hear(&mut self, stamp: &Stamp, at: u64) -> i64 {
        let before = self.lost() as i64;
        if !self.count(stamp.seq) {
            self.duplicates += 1;
            return 0;
        }
        let transit = at.saturating_sub(stamp.sent);
        self.jitter += (transit.abs_diff(self.transit) as f64 - self.jitter) / 16.0;
        self.transit = transit;
        self.delay_sum += transit;
        self.delay_max = self.delay_max.max(transit);
        self.pause_max = self.pause_max.max(at.saturating_sub(self.last_at));
        self.last_at = at;
        if self.received == 1 { 0 } else { self.lost() as i64 - before }
    }

    /// Whether packet `seq` had not arrived before.
    fn count(&mut self, seq: u32) -> bool {
        if self.received > 0 && seq <= self.last {
            let back = self.last - seq;
            if back > 127 || self.window >> back & 1 == 1 {
                return false;
            }
            self.window |= 1 << back;
            self.reordered += 1;
            self.first = self.first.min(seq);
        } else {
            let step = seq - self.last;
            self.window = if step > 127 { 0 } else { self.window << step } | 1;
            self.last = seq;
        }
        self.received += 1;
        true
    }
}

/// What is not a phone of ours: music, prompts, silence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Music {
    pub packets: u64,
    pub first_at: u64,
    pub last_at: u64,
    /// Longest pause between two packets.
    pub gap_max: u64,
    /// Pauses over 60 ms: two packets or more were missing.
    pub gaps: u64,
}

impl Music {
    fn hear(&mut self, at: u64) {
        if self.packets == 0 {
            self.first_at = at;
        } else {
            let gap = at.saturating_sub(self.last_at);
            self.gap_max = self.gap_max.max(gap);
            self.gaps += u64::from(gap > 60 * MILLISECOND);
        }
        self.packets += 1;
        self.last_at = at;
    }
}

/// What a packet told the ear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A speaker not heard before.
    NewVoice { delay: u64 },
    /// One more packet of a known speaker.
    Voice { delay: u64, lost: i64 },
    /// No voice of ours, or nothing new.
    Other,
}

/// One phone's hearing, from its answer to its goodbye.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ear {
    pub streams: Vec<Stream>,
    pub music: Music,
    /// Voice whose content was damaged on the way.
    pub damaged: u64,
    /// Packets that are no RTP, or of a payload type that nobody offered.
    pub odd: u64,
    /// RTP sequence numbers that did not follow the one before, within one SSRC.
    pub breaks: u64,
    /// Times the SSRC changed.
    pub sources: u64,
    /// The prints of music and prompts, as they came, where they are kept.
    pub kept: Option<Vec<u32>>,
    order: Option<(u32, u16)>,
}

impl Ear {
    pub fn new(keep: bool) -> Self {
        Self { kept: keep.then(Vec::new), ..Self::default() }
    }

    /// One packet off the wire, at `at`.
    pub fn hear(&mut self, packet: &[u8], at: u64) -> Notice {
        let Ok(rtp) = RtpReader::new(packet) else {
            self.odd += 1;
            return Notice::Other;
        };
        let law = match rtp.payload_type() {
            0 => Law::Mu,
            8 => Law::A,
            13 | 101 => return Notice::Other,
            _ => {
                self.odd += 1;
                return Notice::Other;
            }
        };
        self.follow(rtp.ssrc(), u16::from(rtp.sequence_number()));
        match payload::read(rtp.payload(), law) {
            Content::Voice(stamp) => self.voice(&stamp, at, false),
            Content::Recoded(stamp) => self.voice(&stamp, at, true),
            Content::Damaged => {
                self.damaged += 1;
                Notice::Other
            }
            Content::Foreign => {
                self.music.hear(at);
                if let Some(kept) = &mut self.kept {
                    kept.push(payload::print(rtp.payload()));
                }
                Notice::Other
            }
        }
    }

    fn follow(&mut self, ssrc: u32, seq: u16) {
        if let Some((known, last)) = self.order {
            if known != ssrc {
                self.sources += 1;
            } else if seq != last.wrapping_add(1) {
                self.breaks += 1;
            }
        }
        self.order = Some((ssrc, seq));
    }

    fn voice(&mut self, stamp: &Stamp, at: u64, recoded: bool) -> Notice {
        let known = self.streams.iter().rposition(|s| s.leg == stamp.leg);
        let place = known.unwrap_or_else(|| {
            self.streams.push(Stream::new(stamp, at));
            self.streams.len() - 1
        });
        let stream = &mut self.streams[place];
        stream.recoded += u64::from(recoded);
        let duplicates = stream.duplicates;
        let lost = stream.hear(stamp, at);
        let delay = at.saturating_sub(stamp.sent);
        if known.is_none() {
            return Notice::NewVoice { delay };
        }
        if stream.duplicates > duplicates {
            return Notice::Other;
        }
        Notice::Voice { delay, lost }
    }
}

/// One-way delays in bins of 10 microseconds up to 200 ms.
#[derive(Clone, Debug, PartialEq)]
pub struct Delays {
    bins: Vec<u64>,
    count: u64,
    sum: u64,
    max: u64,
}

const BIN: u64 = 10_000;
const BINS: usize = 20_001;

impl Default for Delays {
    fn default() -> Self {
        Self { bins: vec![0; BINS], count: 0, sum: 0, max: 0 }
    }
}

impl Delays {
    pub fn add(&mut self, delay: u64) {
        self.bins[((delay / BIN) as usize).min(BINS - 1)] += 1;
        self.count += 1;
        self.sum += delay;
        self.max = self.max.max(delay);
    }

    pub fn merge(&mut self, other: &Delays) {
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            *bin += more;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    pub fn max(&self) -> u64 {
        self.max
    }

    /// The delay that `share` of the packets stayed within, rounded up to a bin.
    pub fn percentile(&self, share: f64) -> u64 {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bin, count) in self.bins.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return ((bin as u64 + 1) * BIN).min(self.max);
            }
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::payload::FRAME;
    use rtp_rs::RtpPacketBuilder;

    fn packet(leg: u32, seq: u32, sent: u64) -> Vec<u8> {
        let mut frame = [0; FRAME];
        let stamp = Stamp { agent: true, law: Law::A, who: leg, leg, seq, sent };
        payload::write(&stamp, &mut frame);
        let builder = RtpPacketBuilder::new().payload_type(8).ssrc(9).payload(&frame);
        builder.sequence((seq as u16).into()).build().unwrap()
    }

    fn hear(order: &[u32]) -> Ear {
        let mut ear = Ear::default();
        for (at, &seq) in order.iter().enumerate() {
            let sent = u64::from(seq) * 20 * MILLISECOND;
            ear.hear(&packet(7, seq, sent), 1_000 + at as u64 * 20 * MILLISECOND);
        }
        ear
    }

    fn counts(order: &[u32]) -> (u64, u64, u64, u64) {
        let ear = hear(order);
        let s = &ear.streams[0];
        (s.received, s.lost(), s.duplicates, s.reordered)
    }

    #[test]
    fn a_whole_stream_has_no_loss() {
        assert_eq!(counts(&[5, 6, 7, 8]), (4, 0, 0, 0));
    }

    #[test]
    fn a_dropped_packet_is_lost_and_a_late_one_is_not() {
        assert_eq!(counts(&[0, 1, 3, 4]), (4, 1, 0, 0));
        assert_eq!(counts(&[0, 1, 3, 2, 4]), (5, 0, 0, 1));
        assert_eq!(counts(&[1, 0, 2]), (3, 0, 0, 1));
        assert_eq!(counts(&[0, 500, 501]), (3, 499, 0, 0));
    }

    #[test]
    fn a_packet_that_comes_twice_is_a_duplicate() {
        assert_eq!(counts(&[0, 1, 1, 2, 0]), (3, 0, 2, 0));
    }

    #[test]
    fn each_speaker_is_counted_apart_and_music_is_no_voice() {
        let mut ear = Ear::default();
        assert_eq!(ear.hear(&packet(1, 0, 0), 10), Notice::NewVoice { delay: 10 });
        assert_eq!(ear.hear(&packet(2, 0, 0), 20), Notice::NewVoice { delay: 20 });
        assert_eq!(ear.hear(&packet(1, 1, 25), 30), Notice::Voice { delay: 5, lost: 0 });
        let silence = RtpPacketBuilder::new().payload_type(0).payload(&[0xff; FRAME]);
        ear.hear(&silence.build().unwrap(), 40);
        ear.hear(b"not rtp", 50);
        assert_eq!((ear.streams.len(), ear.music.packets, ear.odd), (2, 1, 1));
    }

    #[test]
    fn percentiles_come_from_bins() {
        let mut delays = Delays::default();
        (1..=100).for_each(|i| delays.add(i * 100_000));
        assert_eq!(delays.percentile(0.5), 5_010_000);
        assert_eq!(delays.percentile(1.0), 10_000_000);
        assert_eq!(delays.max(), 10_000_000);
    }
}
