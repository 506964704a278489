//! The UDP listeners: datagrams in, datagrams out, from the address that each came to.

use super::handover::Handover;
use super::sys::epoll::Poller;
use super::sys::sip_udp::{BATCH, Datagrams, Outgoing};
use super::sys::{mark, resources};
use crate::core::Event;
use crate::sip::{Hop, Transport};
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};

/// Octets of receive buffer asked for: about a second of a hard SIP load.
const RECEIVE_BUFFER: usize = 8 << 20;
/// Datagrams that wait for a socket that is full. SIP repeats what is dropped beyond it.
const WAITING_MAX: usize = 8_192;
/// Turns that one listener has in one batch.
const ROUNDS: usize = 4;
/// Tokens up to this one belong to others.
pub const FIRST_TOKEN: u64 = 1;

#[derive(Default)]
pub struct Udp {
    ends: Vec<End>,
    /// Hops that turned out to be unreachable, to be told to the core.
    unreachable: Vec<Hop>,
    pub dropped: u64,
    /// Datagrams that are no SIP.
    pub ignored: u64,
}

struct End {
    datagrams: Datagrams,
    waiting: VecDeque<(Hop, Bytes)>,
    /// The socket was full: no use before it is reported writable.
    blocked: bool,
}

impl Udp {
    /// Binds one more listener, or says why it cannot be had. One that the program before this one
    /// has had open is gone on with. The address, with the port that was chosen.
    pub fn bind(
        &mut self,
        at: SocketAddr,
        dscp: u8,
        open: &mut Handover,
    ) -> Result<SocketAddr, String> {
        let left = open.listener(Transport::Udp, at).map(UdpSocket::from);
        let bound = left.map_or_else(|| bind(at, dscp), Ok);
        let datagrams = bound.and_then(Datagrams::new);
        let datagrams = datagrams.map_err(|e| listen_sentence("udp", at, &e))?;
        match resources::receive_buffer(datagrams.as_fd(), RECEIVE_BUFFER) {
            Ok(granted) if granted < RECEIVE_BUFFER => tracing::warn!(
                "udp:{at}: the system grants {granted} octets of receive buffer where \
                 {RECEIVE_BUFFER} are wanted; a burst may be lost. As root: \
                 sysctl -w net.core.rmem_max={RECEIVE_BUFFER}"
            ),
            Ok(_) => {}
            Err(e) => tracing::warn!("udp:{at}: the receive buffer cannot be set: {e}"),
        }
        let local = datagrams.local();
        self.ends.push(End { datagrams, waiting: VecDeque::new(), blocked: false });
        Ok(local)
    }

    /// The sockets, by the address that they are bound to.
    pub fn into_fds(self) -> Vec<(SocketAddr, OwnedFd)> {
        let end = |end: End| (end.datagrams.local(), end.datagrams.into_fd());
        self.ends.into_iter().map(end).collect()
    }

    pub fn watch(&self, poller: &Poller) -> io::Result<()> {
        for (n, end) in self.ends.iter().enumerate() {
            poller.add(end.datagrams.as_fd(), FIRST_TOKEN + n as u64)?;
        }
        Ok(())
    }

    /// Takes what has come to the listener of this token: a bounded share of it, so that no flood
    /// keeps the loop from its other work. True where more was waiting than that.
    pub fn receive(&mut self, token: u64, batch: &mut Vec<Event>) -> bool {
        let mut ignored = 0;
        let Some(end) = self.end(token) else { return false };
        let mut more = true;
        for _ in 0..ROUNDS {
            let received = end.datagrams.receive(|local, peer, octets| {
                if is_sip(octets) && peer.port() != 0 {
                    let hop = Hop { transport: Transport::Udp, local, peer, flow: None };
                    batch.push(Event::Sip { hop, bytes: Bytes::copy_from_slice(octets) });
                } else {
                    ignored += 1;
                }
            });
            more = matches!(received, Ok(true));
            if !more {
                break;
            }
        }
        self.ignored += ignored;
        more
    }

    /// Takes the errors that the network sent back to the listener of this token.
    pub fn take_errors(&mut self, token: u64) {
        let Some(end) = self.end(token) else { return };
        let mut found = Vec::new();
        for _ in 0..BATCH {
            match end.datagrams.take_error() {
                Ok(Some((local, peer))) => {
                    let hop = Hop { transport: Transport::Udp, local, peer, flow: None };
                    if found.last() != Some(&hop) {
                        found.push(hop);
                    }
                }
                Ok(None) => {}
                Err(_) => break,
            }
        }
        self.unreachable.extend(found);
    }

    pub fn writable(&mut self, token: u64, poller: &Poller) {
        if let Some(end) = self.end(token) {
            end.blocked = false;
            let _ = poller.want_writable(end.datagrams.as_fd(), token, false);
        }
    }

    /// Whether so much waits that it should be sent before more comes.
    pub fn is_crowded(&self) -> bool {
        self.ends.iter().any(|end| end.waiting.len() >= BATCH && !end.blocked)
    }

    /// Queues a datagram; [`Udp::flush`] sends it.
    pub fn put(&mut self, hop: Hop, bytes: Bytes) {
        let Some(n) = self.listener_for(hop) else {
            tracing::warn!(local = %hop.local, peer = %hop.peer, "no UDP listener can send there");
            self.unreachable.push(hop);
            return;
        };
        let end = &mut self.ends[n];
        if end.waiting.len() < WAITING_MAX {
            end.waiting.push_back((hop, bytes));
        } else {
            self.dropped += 1;
        }
    }

    /// Sends what waits, as far as the sockets take it.
    pub fn flush(&mut self, poller: &Poller) {
        for (n, end) in self.ends.iter_mut().enumerate() {
            if end.flush(&mut self.unreachable) {
                end.blocked = true;
                let token = FIRST_TOKEN + n as u64;
                let _ = poller.want_writable(end.datagrams.as_fd(), token, true);
            }
        }
    }

    pub fn take_unreachable(&mut self, batch: &mut Vec<Event>) {
        batch.extend(self.unreachable.drain(..).map(|hop| Event::Unreachable { hop }));
    }

    pub fn has_unreachable(&self) -> bool {
        !self.unreachable.is_empty()
    }

    fn end(&mut self, token: u64) -> Option<&mut End> {
        self.ends.get_mut(usize::try_from(token.checked_sub(FIRST_TOKEN)?).ok()?)
    }

    /// The listener bound to exactly this address, else the one bound to all of its kind at this
    /// port, else any that can reach the peer.
    fn listener_for(&self, hop: Hop) -> Option<usize> {
        let at = |n: &usize| self.ends[*n].datagrams.local();
        let all = || 0..self.ends.len();
        let same_kind = |n: &usize| at(n).is_ipv4() == hop.peer.is_ipv4();
        all()
            .find(|n| at(n) == hop.local)
            .or_else(|| {
                all().find(|n| {
                    let bound = at(n);
                    same_kind(n) && bound.ip().is_unspecified() && bound.port() == hop.local.port()
                })
            })
            .or_else(|| all().find(same_kind))
    }
}

impl End {
    /// True where the socket is full.
    fn flush(&mut self, unreachable: &mut Vec<Hop>) -> bool {
        let wildcard = self.datagrams.local().ip().is_unspecified();
        let mut second_try = false;
        while !self.waiting.is_empty() && !self.blocked {
            let batch: Vec<_> = (self.waiting.iter().take(BATCH))
                .map(|(hop, bytes)| Outgoing {
                    source: wildcard.then_some(hop.local.ip()),
                    peer: hop.peer,
                    octets: bytes,
                })
                .collect();
            match self.datagrams.send(&batch) {
                Ok(sent) => {
                    self.waiting.drain(..sent.max(1));
                    second_try = false;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return true,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // An error that came back for an earlier datagram is reported here once, too.
                Err(_) if !second_try => second_try = true,
                Err(e) => {
                    let (hop, _) = self.waiting.pop_front().expect("not empty");
                    tracing::debug!(peer = %hop.peer, "not sent: {e}");
                    unreachable.push(hop);
                    second_try = false;
                }
            }
        }
        false
    }
}

fn bind(at: SocketAddr, dscp: u8) -> io::Result<UdpSocket> {
    use socket2::{Domain, Protocol, SockRef, Socket, Type};
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    mark(&SockRef::from(&socket), at.is_ipv4(), dscp)?;
    socket.bind(&at.into())?;
    Ok(socket.into())
}

/// A start line says "SIP/2.0" (RFC 3261 sections 7.1 and 7.2), or at least whom it is for:
/// whatever says nothing like it is no message, gets no answer, and is neither written down nor
/// looked at any further. Phones keep their NAT open with empty lines or zeros (RFC 5626 section
/// 3.5.1 and habit).
fn is_sip(octets: &[u8]) -> bool {
    let start = octets.trim_ascii_start();
    let end = memchr::memchr(b'\n', start).unwrap_or(start.len());
    let says = |four: &[u8]| four.eq_ignore_ascii_case(b"SIP/") || four == b"sip:";
    start[..end].windows(4).any(says)
}

/// What cannot be listened on, why, and what to do.
pub fn listen_sentence(transport: &str, at: SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        ErrorKind::AddrInUse => format!(
            "address already in use: another program listens there. Find it with \
             `ss -lnp 'sport = :{}'`, or choose another port under [sip] listen",
            at.port()
        ),
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address. See `ip address`, or use 0.0.0.0".into()
        }
        ErrorKind::PermissionDenied => format!(
            "no permission: ports below 1024 belong to root. Give the program \
             CAP_NET_BIND_SERVICE, or choose a port above 1023 ({} now)",
            at.port()
        ),
        _ => error.to_string(),
    };
    format!("{transport}:{at}: {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn bound(at: SocketAddr) -> Result<(Udp, SocketAddr), String> {
        let mut udp = Udp::default();
        let at = udp.bind(at, 24, &mut Handover::default())?;
        Ok((udp, at))
    }

    #[test]
    fn a_taken_port_is_refused_with_a_sentence_that_names_it() {
        let first = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = first.local_addr().unwrap();
        let error = bound(at).err().expect("bound twice");
        assert!(error.starts_with(&format!("udp:{at}: address already in use")), "{error}");
    }

    #[test]
    fn what_is_no_sip_goes_no_further_and_is_counted() {
        let (mut udp, local) = bound("127.0.0.1:0".parse().unwrap()).unwrap();
        let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
        let empty =
            [b"\r\n\r\n".to_vec(), vec![0; 4], vec![0xff; 1_200], b"GET / HTTP/1.1".to_vec()];
        let sip = [
            b"\r\nOPTIONS sip:x sip/2.0\n".to_vec(),
            b"SIP/2.0 200 OK\r\n".to_vec(),
            // Somebody waits for a 400.
            b"OPTIONS sip:x\r\n".to_vec(),
        ];
        for datagram in empty.iter().chain(&sip) {
            phone.send_to(datagram, local).unwrap();
        }
        let mut batch = Vec::new();
        while batch.len() < sip.len() {
            udp.receive(FIRST_TOKEN, &mut batch);
        }
        let read = batch.iter().map(|event| match event {
            Event::Sip { bytes, .. } => bytes.to_vec(),
            other => panic!("{other:?}"),
        });
        assert!(read.eq(sip));
        assert_eq!(udp.ignored, empty.len() as u64);
    }

    #[test]
    fn datagrams_leave_in_order_and_what_cannot_leave_is_reported() {
        let poller = Poller::new().unwrap();
        let (mut udp, local) = bound("127.0.0.1:0".parse().unwrap()).unwrap();
        udp.watch(&poller).unwrap();
        let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
        phone.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let hop = |peer| Hop { transport: Transport::Udp, local, peer, flow: None };
        let (good, bad) = (hop(phone.local_addr().unwrap()), hop("192.0.2.1:0".parse().unwrap()));
        for n in 0..40u8 {
            if n == 20 {
                udp.put(bad, Bytes::from_static(b"x"));
            }
            udp.put(good, Bytes::copy_from_slice(&[n]));
        }
        udp.flush(&poller);
        let mut batch = Vec::new();
        udp.take_unreachable(&mut batch);
        assert_eq!(batch, [Event::Unreachable { hop: bad }]);
        let mut octet = [0];
        for n in 0..40 {
            phone.recv(&mut octet).unwrap();
            assert_eq!(octet, [n]);
        }
    }
}
