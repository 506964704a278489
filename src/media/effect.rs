//! What the data plane asks of the world. May import: base.

use super::control::Event;
use super::tape::Batch;
use crate::base::{CallId, PortId};
use crate::wire::rtp;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Which of a port's two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// The id's slot number.
    Rtp,
    /// The next.
    Rtcp,
}

/// Where the packet just handed in goes: out of this port's socket of the same channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relay {
    pub port: PortId,
    pub to: SocketAddr,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Bind both sockets. Whoever cannot says so with `Engine::broken`.
    Bind { port: PortId, address: IpAddr },
    /// Close both sockets.
    Unbind { port: PortId },
    /// Tell the core.
    Tell(Event),
    /// So many packets of a recorded call were more than one port may have written.
    Untaped { call: CallId, packets: u64 },
    /// Write down what was heard at recorded ports, and give the buffer back to
    /// [`super::Engine::reuse`].
    Recorded(Batch),
    /// Send a report, ours or another far end's in our words.
    Report { port: PortId, channel: Channel, to: SocketAddr, bytes: Vec<u8> },
    /// Send a packet of ours.
    Send(Frame),
    /// `Some`: the RTP socket need take nothing that is not from there. `None`: from anywhere.
    Connect { port: PortId, peer: Option<SocketAddr> },
    /// `Some`: of RTP, hand in only this payload type, and of the rest every [`super::THIN`]th
    /// sequence number; skip the others as cheaply as can be. `None`: hand in all.
    Thin { port: PortId, event: Option<u8> },
}

/// One packet of ours: a header of its own before audio that all listeners share.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub port: PortId,
    pub to: SocketAddr,
    pub header: [u8; rtp::HEADER],
    pub audio: Arc<[u8]>,
    /// Where in `audio` the payload begins, and how long it is: at most [`super::PAYLOAD_MAX`] of
    /// our own; what is passed on sealed, or comes from who seals, is no longer than a packet.
    pub at: usize,
    pub length: usize,
}

impl Frame {
    pub fn payload(&self) -> &[u8] {
        &self.audio[self.at..self.at + self.length]
    }
}
