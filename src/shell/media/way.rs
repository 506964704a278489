//! What moves a worker's datagrams: the one trait that the worker knows, and the table of its
//! sockets. `polled` does it by epoll and a system call a datagram, `ringed` by io_uring.
//!
//! Every datagram passes `Worker::came` on its way from a socket to the engine, and leaves by
//! [`Io::send`] or with the verdict of `came`, where it lies. What is longer or shorter than it
//! came (SRTP) is another packet, and leaves by [`Io::send`].
//!
//! May import: base, media.

use super::sockets::Pair;
use crate::base::{Id, PortId};
use crate::media::{Channel, Relay};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Datagrams handed in before tunes and orders have their turn again.
pub const BURST: usize = 256;

/// One datagram that came, where it lies.
pub struct Datagram<'a> {
    pub port: PortId,
    pub channel: Channel,
    pub from: SocketAddr,
    /// Its octets, and room behind them.
    room: &'a mut [u8],
    len: &'a mut usize,
}

impl<'a> Datagram<'a> {
    pub fn new(
        (port, channel, from): (PortId, Channel, SocketAddr),
        room: &'a mut [u8],
        len: &'a mut usize,
    ) -> Self {
        Self { port, channel, from, room, len }
    }

    pub fn octets(&mut self) -> &mut [u8] {
        &mut self.room[..*self.len]
    }
}

/// Packets since they were last asked for.
#[derive(Debug, Default)]
pub struct Tally {
    pub received: u64,
    pub sent: u64,
    pub unsent: u64,
    /// Of some of the packets that were not sent, whose they were.
    pub failed: Vec<PortId>,
}

/// Ports that are named between two tallies.
const FAILED: usize = 16;

impl Tally {
    pub fn sent(&mut self, port: PortId, ok: bool) {
        self.sent += u64::from(ok);
        if !ok {
            self.unsent(port);
        }
    }

    pub fn unsent(&mut self, port: PortId) {
        self.unsent += 1;
        if self.failed.len() < FAILED && !self.failed.contains(&port) {
            self.failed.push(port);
        }
    }
}

pub trait Io {
    /// The sockets that are listened at.
    fn pairs(&mut self) -> &mut Pairs;

    /// Listens at these sockets as well. Where that fails, nothing of them is kept.
    fn keep(&mut self, pair: Box<Pair>) -> io::Result<()>;

    /// Stops listening at the sockets of a port, and has the kernel let go of them. What has come
    /// by then is still handed in, for as long as they are among the pairs. An error is of these
    /// sockets alone: they are of no more use.
    fn leave(&mut self, port: PortId) -> io::Result<()>;

    /// Stops listening at all sockets. What has come by then is still handed in, and what comes
    /// later waits in the sockets.
    fn end(&mut self) -> io::Result<()>;

    /// Whether something has come that was not handed in, for this port or for any, and waits in no
    /// socket.
    fn holds(&self, port: Option<PortId>) -> bool;

    /// Throws away the RTP that has come for a port and was not handed in.
    fn discard(&mut self, port: PortId) -> io::Result<()>;

    /// What was given to be sent is on its way.
    fn flush(&mut self) -> io::Result<()>;

    /// Flushes, and sleeps until something has come, the waker of this worker is used, or the time
    /// is over. `None` has no end.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// Hands in what has come, at most [`BURST`] datagrams, and sends on what the verdict says,
    /// from the socket of the same channel.
    fn receive(&mut self, came: impl FnMut(Datagram<'_>) -> Option<Relay>) -> io::Result<()>;

    /// Sends what `write` puts into the room that it is given; it says how many octets that is.
    fn send(
        &mut self,
        from: (PortId, Channel),
        to: SocketAddr,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> io::Result<()>;

    fn tally(&mut self) -> Tally;

    /// Lets go of everything.
    fn into_pairs(self) -> Vec<Pair>;
}

/// The sockets of open ports, by half the number of the first, as in the engine.
#[derive(Debug, Default)]
pub struct Pairs(Vec<Option<Box<Pair>>>);

impl Pairs {
    pub fn at(&self, place: usize) -> Option<&Pair> {
        self.0.get(place)?.as_deref()
    }

    pub fn get(&self, port: PortId) -> Option<&Pair> {
        self.at(place(port)).filter(|pair| pair.port == port)
    }

    pub fn get_mut(&mut self, port: PortId) -> Option<&mut Pair> {
        self.0.get_mut(place(port))?.as_deref_mut().filter(|pair| pair.port == port)
    }

    pub fn insert(&mut self, pair: Box<Pair>) {
        let at = place(pair.port);
        if self.0.len() <= at {
            self.0.resize_with(at + 1, || None);
        }
        self.0[at] = Some(pair);
    }

    pub fn remove(&mut self, port: PortId) -> Option<Box<Pair>> {
        self.get(port)?;
        self.0[place(port)].take()
    }

    pub fn into_all(self) -> Vec<Pair> {
        self.0.into_iter().flatten().map(|pair| *pair).collect()
    }
}

pub fn place(port: PortId) -> usize {
    port.slot() as usize / 2
}
