//! Datagrams by epoll: one system call to learn who has something, one for each that comes, one
//! for each that goes. Works on every kernel. May import: base, media.

use super::sockets::Pair;
use super::way::{BURST, Datagram, Io, Pairs, Tally, place};
use crate::base::PortId;
use crate::media::{Channel, PACKET_MAX, Relay};
use crate::shell::sys::epoll::{Poller, Waker};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Names the waker among the sockets; they are named by twice their place and the channel.
const WAKER: u64 = u64::MAX;
/// Behind the largest datagram.
const BEHIND: usize = 64;

pub struct Polled {
    poller: Poller,
    pairs: Pairs,
    ready: Vec<u64>,
    room: Box<[u8]>,
    tally: Tally,
}

impl Polled {
    pub fn new(waker: &Waker) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add_waker(waker, WAKER)?;
        let room = vec![0; PACKET_MAX + 1 + BEHIND].into();
        let (pairs, tally) = (Pairs::default(), Tally::default());
        Ok(Self { poller, pairs, ready: Vec::new(), room, tally })
    }
}

impl Io for Polled {
    fn pairs(&mut self) -> &mut Pairs {
        &mut self.pairs
    }

    fn keep(&mut self, pair: Box<Pair>) -> io::Result<()> {
        for (channel, bit) in [(Channel::Rtp, 0), (Channel::Rtcp, 1)] {
            self.poller.add(pair.fd(channel), (place(pair.port) as u64) << 1 | bit)?;
        }
        self.pairs.insert(pair);
        Ok(())
    }

    fn leave(&mut self, port: PortId) -> io::Result<()> {
        let Some(pair) = self.pairs.get(port) else { return Ok(()) };
        self.poller.remove(pair.fd(Channel::Rtp))?;
        self.poller.remove(pair.fd(Channel::Rtcp))
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn holds(&self, _: Option<PortId>) -> bool {
        false
    }

    fn discard(&mut self, port: PortId) -> io::Result<()> {
        self.pairs.get(port).into_iter().for_each(Pair::discard);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        // Who was not asked yet is reported again.
        self.ready.clear();
        self.ready.extend(self.poller.wait(timeout)?.map(|ready| ready.token));
        Ok(())
    }

    /// One datagram of a socket; where more are waiting, it is reported again.
    fn receive(&mut self, mut came: impl FnMut(Datagram<'_>) -> Option<Relay>) -> io::Result<()> {
        const { assert!(Poller::READY_MAX <= BURST) };
        let (room, limit) = (&mut self.room, PACKET_MAX + 1);
        for token in self.ready.drain(..).filter(|token| *token != WAKER) {
            let channel = if token & 1 == 0 { Channel::Rtp } else { Channel::Rtcp };
            let Some(pair) = self.pairs.at((token >> 1) as usize) else { continue };
            // Errors are ICMP's: the far end is not listening. Silence will say so.
            let Ok((mut len, from)) = pair.receive(channel, &mut room[..limit]) else { continue };
            self.tally.received += 1;
            let relay = came(Datagram::new((pair.port, channel, from), room, &mut len));
            if let Some(relay) = relay
                && let Some(pair) = self.pairs.get(relay.port)
            {
                let ok = pair.send(channel, relay.to, &room[..len]).is_ok();
                self.tally.sent(relay.port, ok);
            }
        }
        Ok(())
    }

    fn send(
        &mut self,
        (port, channel): (PortId, Channel),
        to: SocketAddr,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> io::Result<()> {
        let Some(pair) = self.pairs.get(port) else { return Ok(()) };
        let len = write(&mut self.room);
        let ok = pair.send(channel, to, &self.room[..len]).is_ok();
        self.tally.sent(port, ok);
        Ok(())
    }

    fn tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    fn into_pairs(self) -> Vec<Pair> {
        self.pairs.into_all()
    }
}
