//! The stream connections of simulated phones: in order and without loss, until one breaks.

use super::plan::switch_address;
use crate::base::{FlowId, Id, Instant, Rng};
use crate::sip::{Hop, Transport};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Debug, Default)]
pub struct Streams {
    open: BTreeMap<FlowId, Stream>,
    opened: u32,
}

#[derive(Debug)]
struct Stream {
    phone: SocketAddr,
    peer: SocketAddr,
    /// When the last message arrives that is on its way, to the switch and to the phone.
    last: [Instant; 2],
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Up,
    Down,
}

impl Streams {
    /// The connection of this phone, made now if there is none.
    pub fn of(&mut self, phone: SocketAddr) -> FlowId {
        let known = self.open.iter().find(|(_, stream)| stream.phone == phone);
        if let Some((&flow, _)) = known {
            return flow;
        }
        self.opened += 1;
        let flow = FlowId::new(self.opened, 0);
        let peer = SocketAddr::new(phone.ip(), 40_000 + self.opened as u16);
        self.open.insert(flow, Stream { phone, peer, last: [Instant(0); 2] });
        flow
    }

    pub fn is_open(&self, flow: FlowId) -> bool {
        self.open.contains_key(&flow)
    }

    /// What the switch sees of a message that came this way.
    pub fn hop(&self, flow: FlowId) -> Option<Hop> {
        let peer = self.open.get(&flow)?.peer;
        let (transport, local) = (Transport::Tcp, switch_address());
        Some(Hop { transport, local, peer, flow: Some(flow) })
    }

    /// The open connection that the switch means, and whose it is.
    pub fn meant(&self, hop: &Hop) -> Option<(FlowId, SocketAddr)> {
        let own = hop.flow.and_then(|flow| self.open.get_key_value(&flow));
        let any = || self.open.iter().find(|(_, stream)| stream.peer == hop.peer);
        own.or_else(any).map(|(&flow, stream)| (flow, stream.phone))
    }

    /// When a message that would arrive `at` does arrive, after those that left before it.
    pub fn in_order(&mut self, flow: FlowId, way: Way, at: Instant) -> Instant {
        let Some(stream) = self.open.get_mut(&flow) else { return at };
        let last = &mut stream.last[usize::from(way == Way::Down)];
        *last = at.max(*last + Duration::from_micros(1));
        *last
    }

    /// All of them break; whose they were.
    pub fn cut_all(&mut self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.open).into_values().map(|stream| stream.phone).collect()
    }

    /// One of them breaks.
    pub fn cut_any(&mut self, rng: &mut Rng) -> Option<(FlowId, SocketAddr)> {
        let flows: Vec<FlowId> = self.open.keys().copied().collect();
        if flows.is_empty() {
            return None;
        }
        let flow = flows[rng.below(flows.len() as u64) as usize];
        self.open.remove(&flow).map(|stream| (flow, stream.phone))
    }
}
