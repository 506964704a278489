//! What carries the phones' SIP: one UDP socket for the callers and one for the agents, or TCP
//! connections; never blocking.
//!
//! In: octets to send. Out: whole messages, with where they came from. Knows nothing of calls.
//! May import: base.

use super::plan::{Plan, Transport};
use crate::base::Rng;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read, Write};
use std::net::SocketAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// 0: the callers' socket, 1: the agents'.
    Udp(usize),
    Tcp(usize),
}

/// Where a message goes to, or came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    pub link: Link,
    pub to: SocketAddr,
}

struct Stream {
    socket: TcpStream,
    agent: bool,
    peer: SocketAddr,
    unread: Vec<u8>,
    unsent: Vec<u8>,
}

const LISTENERS: usize = 2;
const STREAMS: usize = 4;
const MESSAGE_MAX: usize = 65_535;

pub struct Links {
    registry: Registry,
    transport: Transport,
    udp: [UdpSocket; 2],
    listeners: Vec<TcpListener>,
    streams: Vec<Option<Stream>>,
    locals: [SocketAddr; 2],
    /// What becomes of datagrams on their way: how many of a hundred are lost, and come twice.
    rude: (u8, u8),
    rng: Rng,
}

/// A bound UDP socket with a big receive buffer, so that the tester's kernel loses nothing.
pub fn udp(at: SocketAddr, buffer: usize) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(buffer)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    Ok(socket.into())
}

impl Links {
    pub fn new(registry: Registry, plan: &Plan) -> io::Result<Self> {
        let udp_at = |at: SocketAddr, token: usize| {
            let mut socket = UdpSocket::from_std(udp(at, 4 << 20)?);
            registry.register(&mut socket, Token(token), Interest::READABLE)?;
            io::Result::Ok(socket)
        };
        let udp = [udp_at(plan.callers_at, 0)?, udp_at(plan.agents_at, 1)?];
        let locals = [udp[0].local_addr()?, udp[1].local_addr()?];
        let mut listeners = Vec::new();
        if plan.transport == Transport::Tcp {
            for (side, local) in locals.iter().enumerate() {
                let mut listener = TcpListener::bind(*local)?;
                let token = Token(LISTENERS + side);
                registry.register(&mut listener, token, Interest::READABLE)?;
                listeners.push(listener);
            }
        }
        let (transport, streams) = (plan.transport, Vec::new());
        let rude = (plan.drop_percent, plan.repeat_percent);
        let rng = Rng::new(plan.seed ^ 0x4c69_6e6b);
        Ok(Self { registry, transport, udp, listeners, streams, locals, rude, rng })
    }

    pub fn local(&self, agent: bool) -> SocketAddr {
        self.locals[usize::from(agent)]
    }

    /// Whether what came over `hop` was meant for an agent.
    pub fn is_agents(&self, hop: &Hop) -> bool {
        match hop.link {
            Link::Udp(side) => side == 1,
            Link::Tcp(id) => self.streams[id].as_ref().is_some_and(|s| s.agent),
        }
    }

    pub fn via_word(&self) -> &'static str {
        if self.transport == Transport::Tcp { "TCP" } else { "UDP" }
    }

    /// The way from a side of ours to an address: the one connection there is, or a new one.
    pub fn dial(&mut self, agent: bool, to: SocketAddr) -> io::Result<Hop> {
        if self.transport == Transport::Udp {
            return Ok(Hop { link: Link::Udp(usize::from(agent)), to });
        }
        let known = self
            .streams
            .iter()
            .position(|s| s.as_ref().is_some_and(|s| s.agent == agent && s.peer == to));
        if let Some(id) = known {
            return Ok(Hop { link: Link::Tcp(id), to });
        }
        let socket = TcpStream::connect(to)?;
        let id = self.add(socket, agent, to)?;
        Ok(Hop { link: Link::Tcp(id), to })
    }

    fn add(&mut self, mut socket: TcpStream, agent: bool, peer: SocketAddr) -> io::Result<usize> {
        let id = self.streams.len();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut socket, Token(STREAMS + id), interest)?;
        let (unread, unsent) = (Vec::new(), Vec::new());
        self.streams.push(Some(Stream { socket, agent, peer, unread, unsent }));
        Ok(id)
    }

    pub fn send(&mut self, hop: &Hop, bytes: &[u8]) -> io::Result<()> {
        match hop.link {
            Link::Udp(side) => {
                for _ in 0..self.copies() {
                    self.udp[side].send_to(bytes, hop.to)?;
                }
                Ok(())
            }
            Link::Tcp(id) => {
                let gone = || io::Error::new(io::ErrorKind::NotConnected, "connection is gone");
                let stream = self.streams[id].as_mut().ok_or_else(gone)?;
                stream.unsent.extend_from_slice(bytes);
                stream.flush();
                Ok(())
            }
        }
    }

    /// How often a datagram arrives.
    fn copies(&mut self) -> usize {
        let (dropped, repeated) = self.rude;
        if (dropped, repeated) == (0, 0) {
            return 1;
        }
        match self.rng.below(100) {
            n if n < u64::from(dropped) => 0,
            n if n < u64::from(dropped) + u64::from(repeated) => 2,
            _ => 1,
        }
    }

    /// Takes everything off the socket behind `token`.
    pub fn ready(&mut self, token: usize, inbox: &mut Vec<(Hop, Vec<u8>)>) {
        match token {
            0 | 1 => {
                let mut buffer = [0u8; MESSAGE_MAX];
                while let Ok((length, to)) = self.udp[token].recv_from(&mut buffer) {
                    let hop = Hop { link: Link::Udp(token), to };
                    for _ in 0..self.copies() {
                        inbox.push((hop, buffer[..length].to_vec()));
                    }
                }
            }
            2 | 3 => {
                while let Some(Ok((socket, peer))) =
                    self.listeners.get(token - LISTENERS).map(TcpListener::accept)
                {
                    let _ = self.add(socket, token == LISTENERS + 1, peer);
                }
            }
            _ => self.stream_ready(token - STREAMS, inbox),
        }
    }

    fn stream_ready(&mut self, id: usize, inbox: &mut Vec<(Hop, Vec<u8>)>) {
        let Some(stream) = self.streams.get_mut(id).and_then(Option::as_mut) else { return };
        stream.flush();
        let open = stream.fill();
        let hop = Hop { link: Link::Tcp(id), to: stream.peer };
        while let Some(length) = message_length(&stream.unread) {
            let rest = stream.unread.split_off(length);
            inbox.push((hop, std::mem::replace(&mut stream.unread, rest)));
        }
        if !open {
            self.streams[id] = None;
        }
    }
}

impl Stream {
    fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(sent) if sent > 0 => drop(self.unsent.drain(..sent)),
                _ => return,
            }
        }
    }

    /// Reads what there is; false once the other side has closed.
    fn fill(&mut self) -> bool {
        let mut buffer = [0u8; 16_384];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return false,
                Ok(length) => self.unread.extend_from_slice(&buffer[..length]),
                Err(error) => {
                    let waits = [io::ErrorKind::WouldBlock, io::ErrorKind::NotConnected];
                    return waits.contains(&error.kind());
                }
            }
        }
    }
}

/// Where the first message of a stream ends (RFC 3261 section 18.3); none while it is not whole.
/// The framing is ours, as `rsip` takes what follows for the body.
fn message_length(bytes: &[u8]) -> Option<usize> {
    let skipped = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let end = memchr::memmem::find(&bytes[skipped..], b"\r\n\r\n")? + skipped + 4;
    let head = String::from_utf8_lossy(&bytes[skipped..end]);
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let name = name.trim();
        let is_length = name.eq_ignore_ascii_case("Content-Length") || name == "l";
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    let whole = end + length.unwrap_or(0).min(MESSAGE_MAX);
    (bytes.len() >= whole).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_cut_into_messages() {
        let one = b"BYE sip:a SIP/2.0\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(message_length(one), Some(one.len()));
        assert_eq!(message_length(&one[..one.len() - 1]), None);
        let two = [b"\r\n\r\n".as_slice(), one, one].concat();
        assert_eq!(message_length(&two), Some(one.len() + 4));
    }
}
