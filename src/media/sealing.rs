//! Where sealed sound is opened and sealed: at the edge of the engine, all of it. What is inside is
//! plain, and nothing leaves a sealed port as it is.
//!
//! In: packets as they came, effects as they are to go. Out: the same, opened and sealed. While no
//! port is sealed this costs one look at a counter. May import: base, wire.

use super::control::Seals;
use super::effect::{Channel, Effect, Frame, Relay};
use super::engine::{Engine, PACKET_MAX};
use super::port::Port;
use super::srtp::Seal;
use crate::base::{Instant, PortId};
use crate::wire::rtp::{self, looks_like_rtcp};
use std::net::SocketAddr;

/// Of the times of a port that has agreed to nothing.
const CLOCK: u32 = 8_000;

impl Engine {
    pub(super) fn agree_keys(&mut self, port: PortId, keys: Option<Seals>) {
        let source = self.rng.bits() as u32;
        let Some(near) = self.table.get_mut(port) else { return };
        self.sealed -= usize::from(near.seal.is_some());
        match (&mut near.seal, keys) {
            (Some(seal), Some(keys)) => seal.agree(keys, source),
            (seal, keys) => *seal = keys.map(|keys| Box::new(Seal::new(keys, source))),
        }
        self.sealed += usize::from(near.seal.is_some());
    }

    /// Another far end may hear what the port seals from now on.
    pub(super) fn seal_for_another(&mut self, port: PortId) {
        let source = self.rng.bits() as u32;
        if let Some(seal) = self.table.get_mut(port).and_then(|near| near.seal.as_mut()) {
            seal.may_be_another(source);
        }
    }

    /// A packet, where some port is sealed: perhaps this one, or the one that it goes on from.
    #[inline(never)]
    pub(super) fn packet_amid_seals(
        &mut self,
        now: Instant,
        (port, channel): (PortId, Channel),
        from: SocketAddr,
        mut bytes: &mut [u8],
        out: &mut Vec<Effect>,
    ) -> Option<Relay> {
        let before = out.len();
        let near = self.table.get_mut(port)?;
        // RFC 5761 section 4 holds of sealed ones too: the second octet is in the clear.
        let is_report = channel == Channel::Rtcp || near.is_muxed() && looks_like_rtcp(bytes);
        let opened = near.seal.is_some();
        if opened {
            let length = unseal(near, is_report, from, bytes, out)?;
            bytes = &mut bytes[..length];
        }
        let verdict = self.open_packet(now, (port, channel), from, bytes, out);
        let sealed = |engine: &Self, relay: Relay| {
            engine.table.get(relay.port).is_some_and(|port| port.seal.is_some())
        };
        // Its length is another now, or will be.
        let verdict = match verdict {
            Some(relay) if opened || sealed(self, relay) => {
                out.push(Effect::Send(Frame::whole(relay, bytes)));
                None
            }
            verdict => verdict,
        };
        self.seal(now, before, out);
        verdict
    }

    /// Seals what goes from sealed ports, of all that there is to do from `before` on. What cannot
    /// be sealed does not go.
    #[inline]
    pub(super) fn seal(&mut self, now: Instant, before: usize, out: &mut Vec<Effect>) {
        if self.sealed == 0 || out.len() == before {
            return;
        }
        let mut kept = before;
        for at in before..out.len() {
            if self.seal_one(now, &mut out[at]) {
                out.swap(kept, at);
                kept += 1;
            }
        }
        out.truncate(kept);
    }

    fn seal_one(&mut self, now: Instant, effect: &mut Effect) -> bool {
        match effect {
            Effect::Send(frame) => {
                let Some(near) = self.table.get_mut(frame.port) else { return false };
                let clock = near.far.map_or(CLOCK, |far| far.codec.clock());
                let Some(seal) = &mut near.seal else { return true };
                let mut packet = [&frame.header, frame.payload()].concat();
                let sealed = seal.seal(now, clock, &mut packet) && packet.len() <= PACKET_MAX;
                if sealed {
                    *frame = Frame::whole(Relay { port: frame.port, to: frame.to }, &packet);
                }
                sealed
            }
            Effect::Report { port, bytes, .. } => {
                let Some(near) = self.table.get_mut(*port) else { return false };
                let Some(seal) = &mut near.seal else { return true };
                seal.seal_report(bytes).map(|sealed| *bytes = sealed).is_some()
            }
            Effect::Bind { .. }
            | Effect::Unbind { .. }
            | Effect::Tell(_)
            | Effect::Untaped { .. }
            | Effect::Recorded(_)
            | Effect::Connect { .. }
            | Effect::Thin { .. } => true,
        }
    }
}

/// Opens what came to a sealed port in place: how long it is then.
fn unseal(
    near: &mut Port,
    is_report: bool,
    from: SocketAddr,
    bytes: &mut [u8],
    out: &mut Vec<Effect>,
) -> Option<usize> {
    if bytes.len() > PACKET_MAX {
        near.refuse();
        return None;
    }
    if !is_report && !near.expects(from, bytes, out) {
        return None;
    }
    let seal = near.seal.as_mut()?;
    let opened = seal.open(is_report, bytes);
    if opened.is_none() {
        match is_report || seal.had(bytes) {
            true => near.refuse(),
            false => near.unopened(from, out),
        }
    }
    opened
}

impl Frame {
    /// A packet that there is already. Its header may be longer; the rest of that goes with the
    /// payload.
    fn whole(Relay { port, to }: Relay, packet: &[u8]) -> Self {
        let mut header = [0; rtp::HEADER];
        let (head, rest) = packet.split_at(rtp::HEADER.min(packet.len()));
        header[..head.len()].copy_from_slice(head);
        Self { port, to, header, audio: rest.into(), at: 0, length: rest.len() }
    }
}
