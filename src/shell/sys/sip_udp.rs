//! Datagrams in batches, each with the address of ours that it came to or leaves from, and the
//! ICMP errors that came back (ip(7): `IP_PKTINFO`, `IP_RECVERR`; recvmmsg(2), sendmmsg(2)).

use super::address::{empty, from_raw, to_raw};
use super::checked;
use super::resources::set_option;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Messages that one system call moves.
pub const BATCH: usize = 32;
/// Where there are no more than this, less has to be prepared: most often it is one.
const FEW: usize = 4;
const DATAGRAM_MAX: usize = 65_536;
/// ICMP (RFC 792): a packet that went in circles.
const TIME_EXCEEDED: u8 = 11;

/// Room for the control messages of one datagram, aligned as the kernel wants them.
type Control = [u64; 20];

pub struct Datagrams {
    socket: UdpSocket,
    local: SocketAddr,
    buffers: Vec<u8>,
}

/// A datagram to be sent, from the address `source` where it is not left to the kernel.
pub struct Outgoing<'a> {
    pub source: Option<IpAddr>,
    pub peer: SocketAddr,
    pub octets: &'a [u8],
}

impl Datagrams {
    /// Takes a bound socket over.
    pub fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        let fd = socket.as_fd();
        match local {
            SocketAddr::V4(_) => {
                set_option(fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
                set_option(fd, libc::IPPROTO_IP, libc::IP_RECVERR, 1)?;
            }
            SocketAddr::V6(_) => {
                set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
                set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1)?;
            }
        }
        Ok(Self { socket, local, buffers: vec![0; BATCH * DATAGRAM_MAX] })
    }

    pub fn into_fd(self) -> OwnedFd {
        self.socket.into()
    }

    /// Where it is bound; the address may be the unspecified one.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Takes what has come, at most [`BATCH`] datagrams: local address, peer, octets. True: there
    /// may be more.
    pub fn receive(
        &mut self,
        mut each: impl FnMut(SocketAddr, SocketAddr, &[u8]),
    ) -> io::Result<bool> {
        match self.receive_up_to::<FEW>(&mut each)? {
            FEW => Ok(self.receive_up_to::<BATCH>(&mut each)? == BATCH),
            _ => Ok(false),
        }
    }

    fn receive_up_to<const N: usize>(
        &mut self,
        each: &mut impl FnMut(SocketAddr, SocketAddr, &[u8]),
    ) -> io::Result<usize> {
        let mut names = [empty(); N];
        let mut controls: [Control; N] = [[0; 20]; N];
        // SAFETY: plain C structures; all zero is their empty value.
        let mut slices: [libc::iovec; N] = unsafe { mem::zeroed() };
        // SAFETY: as above.
        let mut headers: [libc::mmsghdr; N] = unsafe { mem::zeroed() };
        for (n, buffer) in self.buffers.chunks_exact_mut(DATAGRAM_MAX).take(N).enumerate() {
            slices[n] = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            let header = &mut headers[n].msg_hdr;
            describe(header, &mut names[n], &mut slices[n]);
            header.msg_control = controls[n].as_mut_ptr().cast();
            header.msg_controllen = mem::size_of::<Control>();
        }
        let fd = self.socket.as_raw_fd();
        // SAFETY: every pointer in `headers` is to memory that lives until the end of this call.
        let count = checked(i64::from(unsafe {
            libc::recvmmsg(fd, headers.as_mut_ptr(), N as u32, 0, std::ptr::null_mut())
        }))?;
        for n in 0..count {
            let Some(peer) = from_raw(&names[n]) else { continue };
            if headers[n].msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
                continue;
            }
            let local = destination(&headers[n].msg_hdr).unwrap_or(self.local.ip());
            let start = n * DATAGRAM_MAX;
            let octets = &self.buffers[start..start + headers[n].msg_len as usize];
            each(SocketAddr::new(local, self.local.port()), peer, octets);
        }
        Ok(count)
    }

    /// Sends from the front of `batch`, at most [`BATCH`] datagrams, and says how many went. An
    /// error is about the first one.
    pub fn send(&self, batch: &[Outgoing<'_>]) -> io::Result<usize> {
        if batch.len() <= FEW {
            self.send_up_to::<FEW>(batch)
        } else {
            self.send_up_to::<BATCH>(&batch[..batch.len().min(BATCH)])
        }
    }

    fn send_up_to<const N: usize>(&self, batch: &[Outgoing<'_>]) -> io::Result<usize> {
        let mut names = [empty(); N];
        let mut controls: [Control; N] = [[0; 20]; N];
        // SAFETY: plain C structures; all zero is their empty value.
        let mut slices: [libc::iovec; N] = unsafe { mem::zeroed() };
        // SAFETY: as above.
        let mut headers: [libc::mmsghdr; N] = unsafe { mem::zeroed() };
        for (n, outgoing) in batch.iter().enumerate() {
            let (name, len) = to_raw(outgoing.peer);
            names[n] = name;
            // The kernel only reads what it sends.
            let base = outgoing.octets.as_ptr().cast_mut().cast();
            slices[n] = libc::iovec { iov_base: base, iov_len: outgoing.octets.len() };
            let header = &mut headers[n].msg_hdr;
            describe(header, &mut names[n], &mut slices[n]);
            header.msg_namelen = len;
            if let Some(source) = outgoing.source.filter(|s| !s.is_unspecified()) {
                leave_from(header, &mut controls[n], source);
            }
        }
        let fd = self.socket.as_raw_fd();
        // SAFETY: every pointer in `headers` is to memory that lives until the end of this call.
        checked(i64::from(unsafe {
            libc::sendmmsg(fd, headers.as_mut_ptr(), batch.len() as u32, libc::MSG_NOSIGNAL)
        }))
    }

    /// Takes one error that the network sent back: our address, and the one that was not reached.
    /// `Ok(None)` where it was about something else.
    pub fn take_error(&self) -> io::Result<Option<(SocketAddr, SocketAddr)>> {
        let mut name = empty();
        let mut control: Control = [0; 20];
        let mut start = [0u8; 64];
        let mut slice = libc::iovec { iov_base: start.as_mut_ptr().cast(), iov_len: start.len() };
        // SAFETY: a plain C structure; all zero is its empty value.
        let mut header: libc::msghdr = unsafe { mem::zeroed() };
        describe(&mut header, &mut name, &mut slice);
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = mem::size_of::<Control>();
        let fd = self.socket.as_raw_fd();
        // SAFETY: every pointer in `header` is to memory that lives until the end of this call.
        let result = unsafe { libc::recvmsg(fd, &mut header, libc::MSG_ERRQUEUE) };
        checked(result as i64)?;
        let local = destination(&header).unwrap_or(self.local.ip());
        let Some(peer) = from_raw(&name).filter(|_| is_final(&header)) else { return Ok(None) };
        Ok(Some((SocketAddr::new(local, self.local.port()), peer)))
    }
}

impl AsFd for Datagrams {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn describe(header: &mut libc::msghdr, name: &mut libc::sockaddr_storage, slice: &mut libc::iovec) {
    header.msg_name = (&raw mut *name).cast();
    header.msg_namelen = mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    header.msg_iov = slice;
    header.msg_iovlen = 1;
}

/// Whether an error that came back means that the peer cannot be reached. RFC 3261 section 18.4:
/// "Host, network, port or protocol unreachable errors, or parameter problem errors SHOULD cause
/// the transport layer to inform the transport user of a failure in sending. Source quench and TTL
/// exceeded ICMP errors SHOULD be ignored." A packet that was too long is cut for the next one.
fn is_final(header: &libc::msghdr) -> bool {
    // SAFETY: the kernel has filled the control buffer that `header` points to, and the CMSG
    // macros stay inside of it; data is read unaligned.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(header);
        while !at.is_null() {
            let kind = ((*at).cmsg_level, (*at).cmsg_type);
            let v4 = kind == (libc::IPPROTO_IP, libc::IP_RECVERR);
            if v4 || kind == (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) {
                let error = libc::CMSG_DATA(at).cast::<libc::sock_extended_err>().read_unaligned();
                let errno = error.ee_errno as i32;
                return errno != libc::EMSGSIZE && !(v4 && error.ee_type == TIME_EXCEEDED);
            }
            at = libc::CMSG_NXTHDR(header, at);
        }
    }
    true
}

/// The address of ours that a received datagram was sent to.
fn destination(header: &libc::msghdr) -> Option<IpAddr> {
    // SAFETY: the kernel has filled the control buffer that `header` points to, and the CMSG
    // macros stay inside of it; data is read unaligned.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(header);
        while let Some(message) = at.as_ref() {
            match (message.cmsg_level, message.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = libc::CMSG_DATA(at).cast::<libc::in_pktinfo>().read_unaligned();
                    return Some(IpAddr::from(info.ipi_addr.s_addr.to_ne_bytes()));
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info = libc::CMSG_DATA(at).cast::<libc::in6_pktinfo>().read_unaligned();
                    return Some(IpAddr::from(info.ipi6_addr.s6_addr));
                }
                _ => at = libc::CMSG_NXTHDR(header, at),
            }
        }
    }
    None
}

/// Makes a datagram leave from `source`, which must be an address of this machine.
fn leave_from(header: &mut libc::msghdr, control: &mut Control, source: IpAddr) {
    match source {
        IpAddr::V4(v4) => {
            let address = libc::in_addr { s_addr: u32::from_ne_bytes(v4.octets()) };
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: address,
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            attach(header, control, (libc::IPPROTO_IP, libc::IP_PKTINFO), info);
        }
        IpAddr::V6(v6) => {
            let ipi6_addr = libc::in6_addr { s6_addr: v6.octets() };
            let info = libc::in6_pktinfo { ipi6_addr, ipi6_ifindex: 0 };
            attach(header, control, (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO), info);
        }
    }
}

fn attach<T>(header: &mut libc::msghdr, control: &mut Control, kind: (i32, i32), data: T) {
    let len = mem::size_of::<T>() as u32;
    header.msg_control = control.as_mut_ptr().cast();
    // SAFETY: `control` has room for one control message of each kind that is attached here.
    unsafe {
        header.msg_controllen = libc::CMSG_SPACE(len) as _;
        let at = libc::CMSG_FIRSTHDR(header);
        (*at).cmsg_level = kind.0;
        (*at).cmsg_type = kind.1;
        (*at).cmsg_len = libc::CMSG_LEN(len) as _;
        libc::CMSG_DATA(at).cast::<T>().write_unaligned(data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::sys::epoll::Poller;
    use std::time::Duration;

    fn wait_for(datagrams: &Datagrams) -> crate::shell::sys::epoll::Ready {
        let mut poller = Poller::new().unwrap();
        poller.add(datagrams.as_fd(), 0).unwrap();
        poller.wait(Some(Duration::from_secs(5))).unwrap().next().expect("nothing came")
    }

    #[test]
    fn a_wildcard_listener_knows_its_address_and_answers_from_it() {
        let mut ours = Datagrams::new(UdpSocket::bind("0.0.0.0:0").unwrap()).unwrap();
        let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to: SocketAddr = format!("127.0.0.2:{}", ours.local().port()).parse().unwrap();
        phone.send_to(b"hello", to).unwrap();
        wait_for(&ours);
        let mut got = Vec::new();
        ours.receive(|local, peer, octets| got.push((local, peer, octets.to_vec()))).unwrap();
        let peer = phone.local_addr().unwrap();
        assert_eq!(got, [(to, peer, b"hello".to_vec())]);
        let answer = Outgoing { source: Some(to.ip()), peer, octets: b"and to you" };
        assert_eq!(ours.send(&[answer]).unwrap(), 1);
        let mut buffer = [0; 64];
        phone.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let (len, from) = phone.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..len], from), (&b"and to you"[..], to));
    }

    #[test]
    fn a_closed_port_is_reported_as_unreachable() {
        let ours = Datagrams::new(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        ours.send(&[Outgoing { source: None, peer: gone, octets: b"anyone?" }]).unwrap();
        assert!(wait_for(&ours).error);
        assert_eq!(ours.take_error().unwrap(), Some((ours.local(), gone)));
        assert!(ours.take_error().is_err(), "reported once");
    }
}
