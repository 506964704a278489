//! Datagrams by io_uring: what came lies in the kernel's order, and everything that goes is handed
//! over in the call that waits for more. Needs Linux 6.1. May import: base, media.

use super::sockets::Pair;
use super::way::{BURST, Datagram, Io, Pairs, Tally};
use crate::base::{Id, PortId};
use crate::media::{Channel, PACKET_MAX, Relay};
use crate::shell::clock::Patience;
use crate::shell::sys::epoll::Waker;
use crate::shell::sys::uring::{Buffer, Done, Uring, Wait};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long requests that were cancelled may take to end, by the clock: with many sockets a call
/// returns many times before it tells of them. Longer than that nobody's sound can wait.
const ENDING: Duration = Duration::from_secs(1);

pub struct Ringed {
    uring: Uring,
    waker: Arc<Waker>,
    pairs: Pairs,
    came: VecDeque<(u64, SocketAddr, Buffer)>,
    /// Requests to receive that have ended before their time, and are made anew.
    ended: Vec<u64>,
    /// Whom each datagram that is going was for.
    going: Vec<Going>,
    /// How many of them, or of those before, did not go and are not taken off yet.
    lost: u64,
    /// Nothing is listened at any more.
    ending: bool,
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
            ending: false,
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
        let gone = self.going.len() as u64;
        let lost = self.lost.min(gone);
        self.lost -= lost;
        self.tally.sent += gone - lost;
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
            Done::Woken { last: true } if !self.ending => self.uring.watch(&self.waker)?,
            Done::Woken { .. } => {}
        }
        Ok(())
    }

    /// What [`Pair::send`] does for whoever sends one by one: of an error that is about an earlier
    /// packet, the next one is not the victim.
    fn unsent(&mut self, at: Option<usize>, error: i32) {
        let again = at.filter(|_| error == libc::ECONNREFUSED).is_some_and(|at| self.again(at));
        if again {
            return;
        }
        self.lost += 1;
        match at.and_then(|at| self.going.get(at)).map(|going| going.port) {
            Some(port) => self.tally.unsent(port),
            None => self.tally.unsent += 1,
        }
    }

    fn again(&self, at: usize) -> bool {
        let Some(Going { port, channel, to }) = self.going.get(at) else { return false };
        let what = self.uring.going(at).zip(self.pairs.get(*port));
        what.is_some_and(|(octets, pair)| pair.send(*channel, *to, octets).is_ok())
    }

    /// Goes on until this is so; false where the kernel takes too long for it.
    fn enter_until(&mut self, so: impl Fn(&Self) -> bool) -> io::Result<bool> {
        let patience = Patience::of(ENDING);
        while !so(self) {
            if patience.is_over() {
                return Ok(false);
            }
            self.enter(Wait::Until(Some(ENDING / 10)))?;
        }
        Ok(true)
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
        let both = [Channel::Rtp, Channel::Rtcp].map(|channel| token(pair.port, channel));
        let kept = self
            .uring
            .receive(pair.fd(Channel::Rtp), both[0])
            .and_then(|()| self.uring.receive(pair.fd(Channel::Rtcp), both[1]));
        match kept {
            Ok(()) => self.pairs.insert(pair),
            // A request that nobody knows would hold its socket open for ever.
            Err(_) => self.uring.cancel(both[0])?,
        }
        kept
    }

    /// A request holds its socket open whoever closes it, and so has to end first.
    fn leave(&mut self, port: PortId) -> io::Result<()> {
        if self.pairs.get(port).is_none() {
            return Ok(());
        }
        let both = [Channel::Rtp, Channel::Rtcp].map(|channel| token(port, channel));
        // Those that are to be made anew are not there.
        for token in both.iter().filter(|token| !self.ended.contains(token)) {
            self.uring.cancel(*token)?;
        }
        let left = self.enter_until(|io| both.iter().all(|token| io.ended.contains(token)))?;
        self.ended.retain(|token| !both.contains(token));
        if left { self.flush() } else { Err(io::ErrorKind::TimedOut.into()) }
    }

    fn end(&mut self) -> io::Result<()> {
        self.ending = true;
        self.uring.cancel_all()?;
        let idle = self.enter_until(|io| io.uring.is_idle())?;
        if idle { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
    }

    fn holds(&self, port: Option<PortId>) -> bool {
        self.came.iter().any(|(token, ..)| port.is_none_or(|port| whose(*token).0 == port))
    }

    fn discard(&mut self, port: PortId) -> io::Result<()> {
        let Some(pair) = self.pairs.get(port) else { return Ok(()) };
        pair.discard();
        // The kernel has taken some from the socket, and has not told yet.
        let mut before = usize::MAX;
        while before != self.came.len() {
            before = self.came.len();
            self.enter(Wait::Until(Some(Duration::ZERO)))?;
        }
        let old = token(port, Channel::Rtp);
        for (token, from, buffer) in std::mem::take(&mut self.came) {
            match token == old {
                true => self.uring.give_back(buffer),
                false => self.came.push_back((token, from, buffer)),
            }
        }
        Ok(())
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
    use crate::shell::sys::uring;
    use std::net::{IpAddr, Ipv4Addr};

    #[test]
    fn what_did_not_go_is_taken_off_even_when_it_is_told_after_its_lot() {
        if !uring::is_allowed() {
            return;
        }
        let mut io = Ringed::new(&Arc::new(Waker::new().unwrap())).unwrap();
        let here = IpAddr::V4(Ipv4Addr::new(127, 61, 0, 8));
        let port = PortId::new(30_000, 1);
        io.keep(Box::new(Pair::bind(port, here, 0).unwrap())).unwrap();
        io.note(Done::Unsent { at: None, error: libc::ENOBUFS }).unwrap();
        io.flush().unwrap();
        let to = SocketAddr::new(here, 30_000);
        io.send((port, Channel::Rtcp), to, |_| 9).unwrap();
        io.send((port, Channel::Rtcp), to, |_| 9).unwrap();
        io.flush().unwrap();
        let Tally { sent, unsent, .. } = io.tally();
        assert_eq!((sent, unsent), (1, 1));
    }

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
