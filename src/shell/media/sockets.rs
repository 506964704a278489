//! The two sockets of a port (RFC 3550 section 11: RTP even, RTCP odd, one after the other).
//!
//! In: bytes and addresses. Out: the same, the other way. May import: base, media.

use crate::base::{Id, PortId};
use crate::media::{Channel, THIN};
use crate::shell::sys::mark;
use crate::shell::sys::unconnect::unconnect;
use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// Room for a second of packets while a worker is late; a flood at a port fills no more.
const RECEIVE_BUFFER: usize = 64 << 10;
/// More than the buffer of a thinned socket holds.
const DISCARDED_MAX: usize = 256;

#[derive(Debug)]
pub struct Pair {
    pub port: PortId,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    /// Where the RTP socket is connected to.
    peer: Option<SocketAddr>,
}

impl Pair {
    pub fn bind(port: PortId, address: IpAddr, dscp: u8) -> io::Result<Self> {
        let number = u16::try_from(port.slot()).ok().filter(|n| *n > 0 && *n < u16::MAX);
        let number = number.ok_or_else(|| io::Error::other("no such port number"))?;
        let rtp = bind(SocketAddr::new(address, number), dscp)?;
        let rtcp = bind(SocketAddr::new(address, number + 1), dscp)?;
        Ok(Self { port, rtp, rtcp, peer: None })
    }

    /// The sockets of a port that another program has had open: whatever it had asked of the
    /// kernel for them is undone.
    pub fn inherit(
        port: PortId,
        address: IpAddr,
        (rtp, rtcp): (OwnedFd, OwnedFd),
    ) -> io::Result<Self> {
        let mut pair = Self { port, rtp: rtp.into(), rtcp: rtcp.into(), peer: None };
        pair.connect(None)?;
        if pair.rtp.local_addr()?.ip() != address {
            return Err(io::Error::other("it is bound to an address that is not wanted any more"));
        }
        // Where there is no filter, there is none to take away.
        let _ = pair.thin(None);
        Ok(pair)
    }

    pub fn into_fds(self) -> (OwnedFd, OwnedFd) {
        (self.rtp.into(), self.rtcp.into())
    }

    pub fn fds(&self) -> [RawFd; 2] {
        [self.rtp.as_raw_fd(), self.rtcp.as_raw_fd()]
    }

    pub fn fd(&self, channel: Channel) -> BorrowedFd<'_> {
        self.socket(channel).as_fd()
    }

    fn socket(&self, channel: Channel) -> &UdpSocket {
        match channel {
            Channel::Rtp => &self.rtp,
            Channel::Rtcp => &self.rtcp,
        }
    }

    /// The sender is always asked for: before `connect` took effect, others may have been queued.
    pub fn receive(&self, channel: Channel, room: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket(channel).recv_from(room)
    }

    /// The address that a packet needs: none where the socket is connected there.
    pub fn route(&self, channel: Channel, to: SocketAddr) -> Option<SocketAddr> {
        (channel == Channel::Rtcp || self.peer != Some(to)).then_some(to)
    }

    pub fn send(&self, channel: Channel, to: SocketAddr, bytes: &[u8]) -> io::Result<usize> {
        let attempt = || match self.route(channel, to) {
            None => self.rtp.send(bytes),
            Some(to) => self.socket(channel).send_to(bytes, to),
        };
        match attempt() {
            // The far end's host said that nobody was listening for an earlier packet. That is told
            // once, in place of sending; by now somebody may be.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => attempt(),
            result => result,
        }
    }

    /// From now on the kernel drops what comes from anywhere else, and sending looks up no route.
    pub fn connect(&mut self, peer: Option<SocketAddr>) -> io::Result<()> {
        self.peer = None;
        match peer {
            Some(to) => self.rtp.connect(to)?,
            None => unconnect(self.rtp.as_fd())?,
        }
        self.peer = peer;
        Ok(())
    }

    /// Throws away the RTP that has come and was not received yet.
    pub fn discard(&self) {
        for _ in 0..DISCARDED_MAX {
            if self.receive(Channel::Rtp, &mut [0]).is_err() {
                return;
            }
        }
    }

    /// Has the kernel drop most RTP; see `media::Effect::Thin`.
    pub fn thin(&self, event: Option<u8>) -> io::Result<()> {
        let socket = SockRef::from(&self.rtp);
        match event {
            Some(event) => socket.attach_filter(&filter(event)),
            None => socket.detach_filter(),
        }
    }
}

fn bind(address: SocketAddr, dscp: u8) -> io::Result<UdpSocket> {
    let kind = Type::DGRAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    mark(&SockRef::from(&socket), address.is_ipv4(), dscp)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// A classic BPF program (socket(7), SO_ATTACH_FILTER). A UDP socket's filter sees the datagram
/// from its UDP header on, so RTP begins at 8. A load behind the end of a packet drops it.
fn filter(event: u8) -> [SockFilter; 11] {
    const LOAD_OCTET: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
    const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const JUMP_FROM: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
    const JUMP_MORE: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    const { assert!(THIN.is_power_of_two() && THIN <= 256) };
    [
        SockFilter::new(LOAD_OCTET, 0, 0, 8 + 1),
        // RTCP beside RTP (RFC 5761 section 4) has an octet from 192 to 223 there.
        SockFilter::new(JUMP_FROM, 0, 2, 192),
        SockFilter::new(JUMP_MORE, 1, 0, 223),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(AND, 0, 0, 0x7f),
        SockFilter::new(JUMP_EQUAL, 3, 0, u32::from(event)),
        SockFilter::new(LOAD_OCTET, 0, 0, 8 + 3),
        SockFilter::new(AND, 0, 0, u32::from(THIN - 1)),
        SockFilter::new(JUMP_EQUAL, 0, 1, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::rtcp;
    use crate::wire::rtp::Header;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn pair() -> Pair {
        let free = |n: &u32| Pair::bind(PortId::new(*n, 0), HERE, 46).ok();
        (41_000..42_000).step_by(2).find_map(|n| free(&n)).unwrap()
    }

    #[test]
    fn a_port_that_is_taken_cannot_be_bound() {
        let taken = pair();
        assert!(Pair::bind(taken.port, HERE, 46).is_err());
        assert!(Pair::bind(PortId::new(70_000, 0), HERE, 46).is_err());
        let marked = |socket| SockRef::from(socket).tos_v4().unwrap();
        assert_eq!((marked(&taken.rtp), marked(&taken.rtcp)), (46 << 2, 46 << 2));
        let six = Pair::bind(taken.port, IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 46).unwrap();
        let marked = |socket| SockRef::from(socket).tclass_v6().unwrap();
        assert_eq!((marked(&six.rtp), marked(&six.rtcp)), (46 << 2, 46 << 2));
    }

    #[test]
    fn a_thinned_socket_passes_keys_and_every_32nd_number_and_no_more() {
        let pair = pair();
        let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
        let number = pair.port.slot() as u16;
        phone.connect((HERE, number)).unwrap();
        let send = |payload_type: u8, sequence: u16| {
            let (marker, timestamp, ssrc) = (true, 1, 2);
            let header = Header { marker, payload_type, sequence, timestamp, ssrc };
            phone.send(&header.bytes()).unwrap();
        };
        let heard = || {
            let mut room = [0; 64];
            std::iter::from_fn(|| pair.receive(Channel::Rtp, &mut room).ok()).count()
        };
        pair.thin(Some(101)).unwrap();
        (1..=320).for_each(|n| send(8, n));
        phone.send(b"x").unwrap();
        assert_eq!(heard(), 10);
        (1..=31).for_each(|n| send(101, n));
        assert_eq!(heard(), 31);
        let rtcp = rtcp::build(2, None, &[], "x");
        (1..=31).for_each(|_| assert_eq!(phone.send(&rtcp).unwrap(), rtcp.len()));
        assert_eq!(heard(), 31);
        pair.thin(None).unwrap();
        (1..=31).for_each(|n| send(8, n));
        assert_eq!(heard(), 31);
        (1..=31).for_each(|n| send(8, n));
        pair.discard();
        assert_eq!(heard(), 0);
    }
}
