//! System calls that the standard library does not offer. The only folder where `unsafe` may stand;
//! every block says why it is sound.
#![allow(unsafe_code)]

mod address;
pub mod epoll;
pub mod inherit;
pub mod process;
pub mod resources;
pub mod sip_udp;
pub mod unconnect;

use std::io;

/// The result of a system call that answers -1 on failure.
fn checked(result: i64) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
