//! System calls that the standard library does not offer. The only folder where `unsafe` may stand;
//! every block says why it is sound.
#![allow(unsafe_code)]

mod address;
pub mod boot;
pub mod epoll;
pub mod flock;
pub mod fork;
pub mod inherit;
mod pages;
pub mod process;
pub mod resources;
pub mod signals;
pub mod sip_udp;
pub mod unconnect;
pub mod uring;

use socket2::SockRef;
use std::io;

/// Marks what a socket sends: the code point is the upper six bits of the octet (RFC 2474).
pub fn mark(socket: &SockRef, is_v4: bool, dscp: u8) -> io::Result<()> {
    let octet = u32::from(dscp) << 2;
    if is_v4 { socket.set_tos_v4(octet) } else { socket.set_tclass_v6(octet) }
}

/// The result of a system call that answers -1 on failure.
fn checked(result: i64) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
