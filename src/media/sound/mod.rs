//! Sound as samples: decoded, encoded, brought to another rate, made up where it was lost.
//!
//! In: payloads or samples. Out: the other. Each stream has a coder of its own. May import: wire.

mod conceal;
mod g722;
mod noise;
mod opus;
mod resample;

pub use conceal::{Conceal, LONGEST, shorten};
pub use g722::widening;
pub use noise::Noise;
pub use opus::{duration, halves};

use crate::wire::codec::Codec;
use crate::wire::g711::Law;
use crate::wire::opus::Terms;
use resample::{Down, Up};

/// Samples a second in a room: the telephone's, or twice as many where more than one party could
/// tell the difference. More is heard by nobody who is on the telephone, and costs every filter.
pub const NARROW: u32 = 8_000;
pub const WIDE: u32 = 16_000;

/// From payloads to samples of one rate.
#[derive(Debug)]
pub struct Decoder {
    rate: u32,
    way: Inward,
    scratch: Vec<i16>,
}

#[derive(Debug)]
enum Inward {
    Law(Law, Option<Up>),
    G722(Box<g722::Decoder>, Option<Down>),
    Opus(opus::Decoder),
    /// There is no memory for a coder.
    Nothing,
}

impl Decoder {
    /// `rate`: [`NARROW`] or [`WIDE`].
    pub fn new(codec: Codec, rate: u32) -> Self {
        let wide = rate > NARROW;
        let way = match codec {
            Codec::Pcma => Inward::Law(Law::A, wide.then(Up::default)),
            Codec::Pcmu => Inward::Law(Law::Mu, wide.then(Up::default)),
            Codec::G722 => Inward::G722(Box::default(), (!wide).then(Down::default)),
            Codec::Opus => opus::Decoder::new(rate).map_or(Inward::Nothing, Inward::Opus),
        };
        Self { rate, way, scratch: Vec::new() }
    }

    pub fn rate(&self) -> u32 {
        self.rate
    }

    pub fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) {
        self.scratch.clear();
        match &mut self.way {
            Inward::Law(law, None) => out.extend(payload.iter().map(|octet| law.decode(*octet))),
            Inward::Law(law, Some(up)) => {
                self.scratch.extend(payload.iter().map(|octet| law.decode(*octet)));
                up.run(&self.scratch, out);
            }
            Inward::G722(decoder, None) => decoder.decode(payload, out),
            Inward::G722(decoder, Some(down)) => {
                decoder.decode(payload, &mut self.scratch);
                down.run(&self.scratch, out);
            }
            Inward::Opus(decoder) => decoder.decode(payload, out),
            Inward::Nothing => {}
        }
    }

    /// The codec's own way to make up `samples` that were lost, with the help of the payload after
    /// them where that is here. False: it has none.
    pub fn conceal(&mut self, next: Option<&[u8]>, samples: usize, out: &mut Vec<i16>) -> bool {
        let Inward::Opus(decoder) = &mut self.way else { return false };
        let before = out.len();
        match next {
            Some(next) => decoder.repair(next, samples, out),
            None => decoder.conceal(samples, out),
        }
        out.resize(before + samples, 0);
        true
    }
}

/// From samples of one rate to payloads.
#[derive(Debug)]
pub struct Encoder(Outward);

#[derive(Debug)]
enum Outward {
    Law(Law, Option<Down>, Vec<i16>),
    G722(Box<g722::Encoder>, Option<Up>, Vec<i16>),
    Opus(opus::Encoder),
    Nothing,
}

impl Encoder {
    /// `rate`: [`NARROW`] or [`WIDE`].
    pub fn new(codec: Codec, rate: u32) -> Self {
        Self::with(codec, rate, &Terms::default())
    }

    /// The same as a far end wants it, where that is Opus.
    pub fn with(codec: Codec, rate: u32, terms: &Terms) -> Self {
        let (wide, scratch) = (rate > NARROW, Vec::new());
        Self(match codec {
            Codec::Pcma => Outward::Law(Law::A, wide.then(Down::default), scratch),
            Codec::Pcmu => Outward::Law(Law::Mu, wide.then(Down::default), scratch),
            Codec::G722 => Outward::G722(Box::default(), (!wide).then(Up::default), scratch),
            Codec::Opus => opus::Encoder::new(rate, terms).map_or(Outward::Nothing, Outward::Opus),
        })
    }

    /// 20 ms; of Opus in frames of 10 ms, see [`halves`].
    pub fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        match &mut self.0 {
            Outward::Law(law, None, _) => out.extend(samples.iter().map(|s| law.encode(*s))),
            Outward::Law(law, Some(down), scratch) => {
                scratch.clear();
                down.run(samples, scratch);
                out.extend(scratch.iter().map(|s| law.encode(*s)));
            }
            Outward::G722(encoder, None, _) => encoder.encode(samples, out),
            Outward::G722(encoder, Some(up), scratch) => {
                scratch.clear();
                up.run(samples, scratch);
                encoder.encode(scratch, out);
            }
            Outward::Opus(encoder) => encoder.encode(samples, out),
            Outward::Nothing => {}
        }
    }
}

/// How long a payload lasts, in ticks of its codec's clock. `None`: that cannot be told.
pub fn ticks(codec: Codec, payload: &[u8]) -> Option<u32> {
    match codec {
        // RFC 3551 section 4.5: an octet of any of them is a tick of 8,000 Hz.
        Codec::Pcma | Codec::Pcmu | Codec::G722 => {
            Some(payload.len() as u32).filter(|ticks| *ticks > 0)
        }
        Codec::Opus => duration(payload),
    }
}

#[cfg(test)]
mod tests;
