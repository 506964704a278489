//! The data plane as its users and its enemies see it.

mod ails;
mod codecs;
mod comfort;
mod far_end;
mod keys;
mod playing;
mod recording;
mod relaying;
mod reports;
mod rooms;
mod sealed;
mod sealed_rooms;
mod thieves;

use super::control::{Command, Event, Far, Figures, Music};
use super::{Channel, Effect, Engine, Frame, PAYLOAD_MAX, Relay, Tune, Tunes, control};
use crate::base::{Id, Instant, PortId, TuneId};
use crate::wire::codec::Codec;
use crate::wire::g711::Law;
use crate::wire::rtp::Header;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub const MUSIC: TuneId = TuneId(0);
/// Five frames.
pub const PROMPT: TuneId = TuneId(1);

/// The number of what is passed on first, in the first 20 ms of a world: streams are numbered by
/// the clock.
pub const FIRST: u16 = 50;

pub fn number(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[2], packet[3]])
}

/// The same packet under another number.
pub fn numbered(number: u16, mut packet: Vec<u8>) -> Vec<u8> {
    packet[2..4].copy_from_slice(&number.to_be_bytes());
    packet
}

/// An engine, a clock, and what came out.
pub struct World {
    pub engine: Engine,
    pub now: Instant,
    pub out: Vec<Effect>,
}

pub fn port(number: u32) -> PortId {
    PortId::new(number, 1)
}

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A far end that speaks and hears A-law at `rtp`, RTCP at the next port.
pub fn far(rtp: &str) -> Far {
    Far::at(address(rtp), Codec::Pcma)
}

pub fn mu(far: Far) -> Far {
    Far { codec: Codec::Pcmu, payload: 0, ..far }
}

pub fn packet(payload_type: u8, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let timestamp = u32::from(sequence) * 160;
    let header = Header { marker: false, payload_type, sequence, timestamp, ssrc: 77 };
    [&header.bytes()[..], payload].concat()
}

pub fn voice(sequence: u16) -> Vec<u8> {
    packet(8, sequence, &[0xd5; 160])
}

impl World {
    pub fn new() -> Self {
        Self::begun(1, Instant(1_000_000))
    }

    /// One whose dice fall otherwise, at another time.
    pub fn begun(seed: u64, now: Instant) -> Self {
        let mut tunes = Tunes::default();
        tunes.insert(MUSIC, Tune::new(&vec![1_000; 160 * 50]));
        tunes.insert(PROMPT, Tune::new(&[2_000; 160 * 4 + 1]));
        Self { engine: Engine::new(seed, Arc::new(tunes)), now, out: Vec::new() }
    }

    /// A world with these ports open and agreed.
    pub fn with(ports: &[(PortId, Far)]) -> Self {
        let mut world = Self::new();
        for &(port, far) in ports {
            world.open(port);
            world.command(Command::Agree { port, far });
        }
        world.out.clear();
        world
    }

    pub fn command(&mut self, command: Command) {
        self.engine.command(self.now, command, &mut self.out);
    }

    pub fn open(&mut self, port: PortId) {
        let address = "192.0.2.1".parse().unwrap();
        self.command(Command::Open { port, address });
    }

    pub fn bridge(&mut self, a: PortId, b: PortId) {
        self.command(Command::Bridge { a, b });
    }

    pub fn rtp(&mut self, port: PortId, from: &str, bytes: &mut [u8]) -> Option<Relay> {
        let from = address(from);
        self.engine.packet(self.now, port, Channel::Rtp, from, bytes, &mut self.out)
    }

    /// Where what it says goes on to.
    pub fn rtcp(&mut self, port: PortId, from: &str, bytes: &mut [u8]) -> Option<Relay> {
        self.rtcp_in_our_words(port, from, bytes).map(|(relay, _)| relay)
    }

    pub fn rtcp_in_our_words(
        &mut self,
        port: PortId,
        from: &str,
        bytes: &mut [u8],
    ) -> Option<(Relay, Vec<u8>)> {
        let from = address(from);
        let before = self.out.len();
        let verdict = self.engine.packet(self.now, port, Channel::Rtcp, from, bytes, &mut self.out);
        assert_eq!(verdict, None, "what a far end says is never passed on as it is");
        let at = self.out[before..].iter().position(|e| matches!(e, Effect::Report { .. }))?;
        match self.out.remove(before + at) {
            Effect::Report { port, to, bytes, .. } => Some((Relay { port, to }, bytes)),
            other => panic!("{other:?}"),
        }
    }

    /// A stream of `count` packets, 20 ms apart, from the sequence number `first` on; how many of
    /// them were relayed.
    pub fn stream(&mut self, port: PortId, from: &str, first: u16, count: u16) -> usize {
        (0..count).filter(|n| self.hears(port, from, &mut voice(first + n))).count()
    }

    /// The same of another source.
    pub fn stream_of(&mut self, ssrc: u32, port: PortId, from: &str, count: u16) -> usize {
        let mut packet = |n| {
            let mut packet = voice(n);
            packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
            self.hears(port, from, &mut packet)
        };
        (1..=count).filter(|n| packet(*n)).count()
    }

    fn hears(&mut self, port: PortId, from: &str, packet: &mut [u8]) -> bool {
        self.pass(20);
        self.rtp(port, from, packet).is_some()
    }

    /// Lets time go by, a millisecond at a time.
    pub fn pass(&mut self, millis: u64) {
        for _ in 0..millis {
            self.now = self.now + Duration::from_millis(1);
            self.engine.tick(self.now, &mut self.out);
        }
    }

    pub fn events(&mut self) -> Vec<Event> {
        let told = self.out.drain(..).filter_map(|effect| match effect {
            Effect::Tell(event) => Some(event),
            _ => None,
        });
        told.collect()
    }

    pub fn frames(&mut self) -> Vec<Frame> {
        let sent = self.out.drain(..).filter_map(|effect| match effect {
            Effect::Send(frame) => Some(frame),
            _ => None,
        });
        sent.collect()
    }

    pub fn figures(&self, port: PortId) -> Figures {
        self.engine.figures(port).unwrap()
    }
}
