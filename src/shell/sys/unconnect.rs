//! Undoes connect(2) of a datagram socket: it hears everyone again, on the port that it was bound
//! to.

use super::address::empty;
use super::checked;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

/// connect(2): "Connecting to an address of AF_UNSPEC dissolves the association."
pub fn unconnect(fd: BorrowedFd<'_>) -> io::Result<()> {
    let nobody = empty();
    let len = mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    let at: *const libc::sockaddr_storage = &nobody;
    // SAFETY: an address of family 0, AF_UNSPEC, as long as `len` says; it outlives the call.
    let result = unsafe { libc::connect(fd.as_raw_fd(), at.cast(), len) };
    checked(i64::from(result)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn an_unconnected_socket_hears_strangers_on_its_old_port() {
        let bind = || UdpSocket::bind("127.0.0.1:0").unwrap();
        let (friend, stranger) = (bind(), bind());
        // A port that the kernel chose is given back to it; one that was asked for stays.
        let address = bind().local_addr().unwrap();
        let socket = UdpSocket::bind(address).unwrap();
        socket.connect(friend.local_addr().unwrap()).unwrap();
        unconnect(socket.as_fd()).unwrap();
        assert_eq!(socket.local_addr().unwrap(), address);
        stranger.send_to(b"hello", address).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(socket.recv_from(&mut buffer).unwrap().1, stranger.local_addr().unwrap());
    }
}
