//! What a party of a room is heard to say: its packets in time, decoded, with what was lost made up
//! and noise in its pauses where it told of some.
//!
//! In: packets as they come. Out: 20 ms at a time, at the rate of the room. May import: wire.

use super::jitter::{Jitter, Next};
use super::sound::{Conceal, Decoder, Noise, shorten};
use crate::wire::codec::Codec;

/// Opus makes up its own pauses for so long, in milliseconds: its senders tell of them every 400.
const OPUS_PAUSE: u32 = 500;

#[derive(Debug)]
pub struct Ear {
    rate: u32,
    jitter: Jitter,
    decoder: Option<(Codec, Decoder)>,
    conceal: Conceal,
    /// Decoded, and not taken yet.
    ready: Vec<i16>,
    scratch: Vec<i16>,
    /// In a pause that was told of.
    noise: Option<Noise>,
}

impl Ear {
    /// `rate`: samples a second of the room.
    pub fn new(rate: u32) -> Self {
        Self {
            rate,
            jitter: Jitter::default(),
            decoder: None,
            conceal: Conceal::new(rate),
            ready: Vec::new(),
            scratch: Vec::new(),
            noise: None,
        }
    }

    pub fn rate(&self) -> u32 {
        self.rate
    }

    pub fn put(&mut self, stream: (u32, u32), codec: Codec, payload: &[u8]) {
        self.noise = None;
        self.jitter.put(stream, codec, payload);
    }

    pub fn put_noise(&mut self, payload: &[u8]) {
        self.noise = Noise::told(payload);
    }

    /// The next 20 ms; false where there is nothing to be heard.
    pub fn take(&mut self, frame: &mut [i16]) -> bool {
        self.catch_up(frame.len());
        self.pull(frame.len());
        let missing = frame.len().saturating_sub(self.ready.len());
        if missing > 0 && !self.make_up(missing) {
            return false;
        }
        frame.copy_from_slice(&self.ready[..frame.len()]);
        self.ready.drain(..frame.len());
        true
    }

    /// Leaves out a part of the voice where there is too much of it.
    fn catch_up(&mut self, frame: usize) {
        let ready = self.ticks(self.ready.len());
        if self.jitter.is_ample(ready) {
            self.pull(2 * frame);
            shorten(&mut self.ready, self.rate);
        }
    }

    /// Decodes until so many samples are ready, or nothing is here.
    fn pull(&mut self, samples: usize) {
        while self.ready.len() < samples {
            match self.jitter.next() {
                Next::Packet(packet) => {
                    self.hear(packet.codec, &packet.payload);
                    self.jitter.give_back(packet.payload);
                }
                Next::Lost(ticks) => self.fill(self.samples(ticks)),
                Next::Early(ticks) => {
                    let samples = self.samples(ticks);
                    self.scratch.clear();
                    self.scratch.resize(samples, 0);
                    self.came();
                }
                Next::Nothing => return,
            }
        }
    }

    fn hear(&mut self, codec: Codec, payload: &[u8]) {
        self.scratch.clear();
        let rate = self.rate;
        let known = self.decoder.take().filter(|(known, _)| *known == codec);
        let (_, decoder) =
            self.decoder.insert(known.unwrap_or_else(|| (codec, Decoder::new(codec, rate))));
        decoder.decode(payload, &mut self.scratch);
        self.came();
    }

    fn came(&mut self) {
        self.conceal.came(&mut self.scratch);
        self.ready.extend_from_slice(&self.scratch);
    }

    /// Samples in the place of lost ones.
    fn fill(&mut self, samples: usize) {
        let next = self.jitter.following();
        if let Some((codec, decoder)) = &mut self.decoder {
            let next = next.filter(|(other, _)| other == codec).map(|(_, payload)| payload);
            self.scratch.clear();
            // Opus makes up whole quarters of 10 ms.
            let quarter = self.rate as usize / 400;
            if decoder.conceal(next, samples.next_multiple_of(quarter), &mut self.scratch) {
                self.scratch.truncate(samples);
                return self.came();
            }
        }
        self.conceal.lost(samples, &mut self.ready);
    }

    /// Samples while nothing is here; false in a pause.
    fn make_up(&mut self, missing: usize) -> bool {
        if let Some(noise) = &mut self.noise {
            self.jitter.rest();
            self.ready.extend((0..missing).map(|_| noise.sample()));
            return true;
        }
        let opus = matches!(self.decoder, Some((Codec::Opus, _)));
        let dozes = opus && (1..OPUS_PAUSE).contains(&self.jitter.starved());
        if dozes || !self.jitter.pauses() {
            self.fill(missing);
            self.jitter.starve(self.ticks(missing));
            return true;
        }
        let rest = !self.ready.is_empty();
        self.ready.resize(self.ready.len() + if rest { missing } else { 0 }, 0);
        rest
    }

    /// Samples of the room for ticks of the codec's clock, and the other way round.
    fn samples(&self, ticks: u32) -> usize {
        (ticks as usize * (self.rate as usize / 1_000)) / self.jitter.ms() as usize
    }

    fn ticks(&self, samples: usize) -> u32 {
        samples as u32 * self.jitter.ms() / (self.rate / 1_000)
    }
}
