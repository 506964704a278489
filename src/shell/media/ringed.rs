//! Datagrams by io_uring: what came lies in the kernel's order, and everything that goes is handed
//! over in the call that waits for more. Needs Linux 6.1. May import: base, media.

use super::sockets::Pair;
use super::way::{BURST, Datagram, Io, Pairs, Tally};
use crate::base::{Id, PortId};
use crate::media::{Channel, PACKET_MAX, Relay};
use crate::shell::sys::epoll::Waker;
use crate::shell::sys::uring::{Buffer, Done, Uring, Wait};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a request that was cancelled may take to end, and how often that is waited for.
const ENDING: (Duration, usize) = (Duration::from_millis(100), 50);

pub struct Ringed {
    uring: Uring,
    waker: Arc<Waker>,
    pairs: Pairs,
    came: VecDeque<(u64, SocketAddr, Buffer)>,
    /// Requests to receive that have ended before their time, and are made anew.
    ended: Vec<u64>,
    /// Whom each datagram that is going was for.
    going: Vec<Going>,
    /// How many of them did not go.
    lost: u64,
    tally: Tally,
}

struct Going {
    port: PortId,
    channel: Channel,
    to: SocketAddr,
}

impl Ringed {
    /// For the thread that calls it alone.
    pub fn new(waker: &Arc<Waker>) -> io::Result<Self> {
        let mut uring = Uring::new(PACKET_MAX + 1)?;
        uring.watch(waker)?;
        Ok(Self {
            uring,
            waker: Arc::clone(waker),
            pairs: Pairs::default(),
            came: VecDeque::new(),
            ended: Vec::new(),
            going: Vec::new(),
            lost: 0,
            tally: Tally::default(),
        })
    }

    /// One call to the kernel, and what it has to tell.
    fn enter(&mut self, mut wait: Wait) -> io::Result<()> {
        loop {
            self.uring.enter(wait)?;
            while let Some(done) = self.uring.next() {
                self.note(done)?;
            }
            if self.uring.is_submitted() {
                break;
            }
            // It was short of something, and has taken a part.
            wait = Wait::No;
        }
        self.tally.sent += self.going.len() as u64 - std::mem::take(&mut self.lost);
        self.going.clear();
        self.uring.sent();
        Ok(())
    }

    fn note(&mut self, done: Done) -> io::Result<()> {
        match done {
            Done::Came { token, from, buffer, last } => {
                self.came.push_back((token, from, buffer));
                self.ended.extend(last.then_some(token));
            }
            Done::Ended { token } => self.ended.push(token),
            Done::Unsent { at, error } => self.unsent(at, error),
            Done::Woken { last: false } => {}
            Done::Woken { last: true } => self.uring.watch(&self.waker)?,
        }
        Ok(())
    }

    /// What [`Pair::send`] does for whoever sends one by one: of an error that is about an earlier
    /// packet, the next one is not the victim.
    fn unsent(&mut self, at: usize, error: i32) {
        let Some(Going { port, channel, to }) = self.going.get(at) else { return };
        let again = error == libc::ECONNREFUSED
            && self
                .uring
                .going(at)
                .zip(self.pairs.get(*port))
                .is_some_and(|(octets, pair)| pair.send(*channel, *to, octets).is_ok());
        self.lost += u64::from(!again);
        self.tally.unsent += u64::from(!again);
    }

    fn listen(&mut self, port: PortId, channel: Channel) -> io::Result<()> {
        let Some(pair) = self.pairs.get(port) else { return Ok(()) };
        self.uring.receive(pair.fd(channel), token(port, channel))
    }

    /// Requests that have ended, most often for want of a buffer, while their sockets are open.
    fn resume(&mut self) -> io::Result<()> {
        for token in std::mem::take(&mut self.ended) {
            let (port, channel) = whose(token);
            self.listen(port, channel)?;
        }
        Ok(())
    }

    fn make_room(&mut self) -> io::Result<()> {
        if self.uring.is_full() { self.flush() } else { Ok(()) }
    }
}

impl Io for Ringed {
    fn pairs(&mut self) -> &mut Pairs {
        &mut self.pairs
    }

    fn keep(&mut self, pair: Box<Pair>) -> io::Result<()> {
        let port = pair.port;
        self.pairs.insert(pair);
        self.listen(port, Channel::Rtp)?;
        self.listen(port, Channel::Rtcp)
    }

    /// A request holds its socket open whoever closes it, and so has to end first.
    fn leave(&mut self, port: PortId) -> io::Result<()> {
        if self.pairs.get(port).is_none() {
            return Ok(());
        }
        let both = [Channel::Rtp, Channel::Rtcp].map(|channel| token(port, channel));
        // Those that are to be made anew are not there.
        let mut open: Vec<u64> = both.iter().copied().filter(|t| !self.ended.contains(t)).collect();
        open.iter().try_for_each(|token| self.uring.cancel(*token))?;
        for _ in 0..ENDING.1 {
            open.retain(|token| !self.ended.contains(token));
            if open.is_empty() {
                self.ended.retain(|token| !both.contains(token));
                return self.flush();
            }
            self.enter(Wait::Until(Some(ENDING.0)))?;
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.enter(Wait::No)
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.resume()?;
        let timeout = if self.came.is_empty() { timeout } else { Some(Duration::ZERO) };
        // No finer than a poller's: frames of tunes keep to the same beat.
        let timeout =
            timeout.map(|span| Duration::from_millis(span.as_micros().div_ceil(1_000) as u64));
        self.enter(Wait::Until(timeout))
    }

    fn receive(&mut self, mut came: impl FnMut(Datagram<'_>) -> Option<Relay>) -> io::Result<()> {
        for _ in 0..BURST {
            let Some((token, from, mut buffer)) = self.came.pop_front() else { break };
            let (port, channel) = whose(token);
            if self.pairs.get(port).is_none() {
                self.uring.give_back(buffer);
                continue;
            }
            self.tally.received += 1;
            let mut len = buffer.len;
            let room = self.uring.room(&buffer);
            let relay = came(Datagram::new((port, channel, from), room, &mut len));
            buffer.len = len;
            let Some(Relay { port, to }) =
                relay.filter(|relay| self.pairs.get(relay.port).is_some())
            else {
                self.uring.give_back(buffer);
                continue;
            };
            self.make_room()?;
            let Some(pair) = self.pairs.get(port) else { continue };
            self.going.push(Going { port, channel, to });
            self.uring.forward(pair.fd(channel), pair.route(channel, to), buffer)?;
        }
        Ok(())
    }

    fn send(
        &mut self,
        (port, channel): (PortId, Channel),
        to: SocketAddr,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> io::Result<()> {
        self.make_room()?;
        let Some(pair) = self.pairs.get(port) else { return Ok(()) };
        self.going.push(Going { port, channel, to });
        self.uring.send(pair.fd(channel), pair.route(channel, to), write)
    }

    fn tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    fn into_pairs(self) -> Vec<Pair> {
        let Self { uring, pairs, .. } = self;
        drop(uring);
        pairs.into_all()
    }
}

/// A request is told by its port: one that is opened later under the same number is another one.
fn token(port: PortId, channel: Channel) -> u64 {
    let number = u64::from(port.slot() & 0xffff) << 1 | u64::from(channel == Channel::Rtcp);
    u64::from(port.generation()) << 17 | number
}

fn whose(token: u64) -> (PortId, Channel) {
    let channel = if token & 1 == 0 { Channel::Rtp } else { Channel::Rtcp };
    (PortId::new((token >> 1 & 0xffff) as u32, (token >> 17) as u32), channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_tells_whose_it_is() {
        for (port, channel) in [
            (PortId::new(2, 0), Channel::Rtp),
            (PortId::new(65_534, u32::MAX), Channel::Rtcp),
            (PortId::new(20_000, 7), Channel::Rtcp),
        ] {
            let token = token(port, channel);
            assert_eq!((whose(token), token >> 62), ((port, channel), 0));
        }
    }
}
