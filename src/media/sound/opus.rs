//! Opus (RFC 6716), one channel, by its reference code.
//!
//! In: samples or packets. Out: the other. The coder resamples by itself, so that a stream at 8,000
//! or 16,000 Hz costs no filter of ours. May import: wire.

use crate::wire::opus::Terms;
use opus as lib;

/// Octets of a packet of one frame at most (RFC 6716 section 3.2.1).
const PACKET_MAX: usize = 1_275;
/// Samples of the longest packet, 120 ms (RFC 6716 section 3.2.5), at 48,000 Hz.
const SAMPLES_MAX: usize = 5_760;
/// How hard the encoder tries, of 10: enough for speech, at half the price of all.
const COMPLEXITY: i32 = 5;
/// Bits a second: speech is transparent at 24,000 in 8 kHz and at 32,000 in 16 kHz.
const NARROW_BITS: i32 = 24_000;
const WIDE_BITS: i32 = 32_000;
/// Packets of a hundred that the encoder expects to be lost where the far end can repair them: what
/// is told twice takes its bits from what is told once.
const LOST: i32 = 10;

/// How long a packet is, in ticks of 48,000 Hz (RFC 6716 sections 3.1 and 3.2). `None`: it is none.
pub fn duration(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let one = match toc >> 3 {
        0..12 => [480, 960, 1_920, 2_880][usize::from(toc >> 3 & 3)],
        12..16 => [480, 960][usize::from(toc >> 3 & 1)],
        _ => [120, 240, 480, 960][usize::from(toc >> 3 & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    Some(frames * one).filter(|ticks| (1..=SAMPLES_MAX as u32).contains(ticks))
}

#[derive(Debug)]
pub struct Encoder {
    coder: lib::Encoder,
    /// In frames of 10 ms.
    tens: bool,
}

/// Where the two packets of 10 ms are in what an encoder made of 20 ms.
pub fn halves(both: &[u8]) -> [(usize, usize); 2] {
    let room = both.len().saturating_sub(2);
    let first = both.first_chunk().map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
    let first = first.min(room);
    [(2, first), (2 + first, room - first)]
}

impl Encoder {
    /// `rate`: 8,000 or 16,000 samples a second. `None`: there is no memory for it.
    pub fn new(rate: u32, terms: &Terms) -> Option<Self> {
        let made = lib::Encoder::new(rate, lib::Channels::Mono, lib::Application::Voip);
        let mut encoder = made.ok()?;
        let bits = if rate.min(terms.rate) > 8_000 { WIDE_BITS } else { NARROW_BITS };
        encoder.set_bitrate(lib::Bitrate::Bits(bits.min(terms.bits as i32))).ok()?;
        encoder.set_complexity(COMPLEXITY).ok()?;
        encoder.set_vbr(!terms.cbr).ok()?;
        encoder.set_inband_fec(terms.fec).ok()?;
        encoder.set_packet_loss_perc(if terms.fec { LOST } else { 0 }).ok()?;
        let widest = match terms.rate {
            0..12_000 => lib::Bandwidth::Narrowband,
            12_000..16_000 => lib::Bandwidth::Mediumband,
            _ => lib::Bandwidth::Wideband,
        };
        encoder.set_max_bandwidth(widest).ok()?;
        Some(Self { coder: encoder, tens: terms.tens })
    }

    /// One packet of 10, 20, 40 or 60 ms; in frames of 10 ms, the two packets of 20 ms, behind the
    /// length of the first: see [`halves`].
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        let mut packet = [0; PACKET_MAX];
        let (first, second) = samples.split_at(if self.tens { samples.len() / 2 } else { 0 });
        if self.tens {
            let length = self.coder.encode(first, &mut packet).unwrap_or_default();
            out.extend_from_slice(&(length as u16).to_be_bytes());
            out.extend_from_slice(&packet[..length]);
        }
        let length = self.coder.encode(second, &mut packet).unwrap_or_default();
        out.extend_from_slice(&packet[..length]);
    }
}

#[derive(Debug)]
pub struct Decoder(lib::Decoder);

impl Decoder {
    /// `rate`: 8,000 or 16,000 samples a second. `None`: there is no memory for it.
    pub fn new(rate: u32) -> Option<Self> {
        lib::Decoder::new(rate, lib::Channels::Mono).ok().map(Self)
    }

    /// A packet; of one that is damaged, nothing.
    pub fn decode(&mut self, packet: &[u8], out: &mut Vec<i16>) {
        if duration(packet).is_some() {
            self.run(packet, SAMPLES_MAX, false, out);
        }
    }

    /// So many samples for a packet that was lost.
    pub fn conceal(&mut self, samples: usize, out: &mut Vec<i16>) {
        self.run(&[], samples, false, out);
    }

    /// The same where the packet after it has come: it may hold what repairs the loss (RFC 6716
    /// section 2.1.7).
    pub fn repair(&mut self, next: &[u8], samples: usize, out: &mut Vec<i16>) {
        self.run(next, samples, true, out);
    }

    fn run(&mut self, packet: &[u8], samples: usize, repair: bool, out: &mut Vec<i16>) {
        let mut room = [0; SAMPLES_MAX];
        let room = &mut room[..samples.min(SAMPLES_MAX)];
        let count = self.0.decode(packet, room, repair).unwrap_or_default();
        out.extend_from_slice(&room[..count]);
    }
}
