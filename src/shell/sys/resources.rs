//! What the machine grants this process: open files, and room in the buffers of its sockets.

use super::checked;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Raises the limit on open files as far as it may be raised, and says where it is now.
pub fn raise_open_files() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives both calls, which copy to and from it.
    unsafe {
        checked(i64::from(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit)))?;
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max;
            checked(i64::from(libc::setrlimit(libc::RLIMIT_NOFILE, &limit)))?;
        }
    }
    Ok(limit.rlim_cur)
}

/// Steps behind everybody else (nice(2)) that a thread of [`yield_to_others`] stands: it gets a
/// third of what one of the others gets where both have work, and all that is left over. Further
/// back, one that is held up with a lock would hold up who waits for that.
const BEHIND: i32 = 5;

/// From now on, the calling thread works when others have nothing to do. Where the system refuses
/// that, it works as before.
pub fn yield_to_others() {
    // SAFETY: nice(2) reads no memory. On Linux it is the calling thread's alone.
    let _ = unsafe { libc::nice(BEHIND) };
}

/// Asks for `octets` of receive buffer, over the limit of the system where we may, and says how
/// much there is now.
pub fn receive_buffer(fd: BorrowedFd<'_>, octets: usize) -> io::Result<usize> {
    let wanted = i32::try_from(octets).unwrap_or(i32::MAX);
    if set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, wanted).is_err() {
        set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, wanted)?;
    }
    let mut granted = 0i32;
    let mut len = mem::size_of::<i32>() as libc::socklen_t;
    let at = (&raw mut granted).cast();
    // SAFETY: `granted` is as large as `len` says and outlives the call.
    let result = unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, at, &mut len)
    };
    checked(i64::from(result))?;
    // socket(7): the kernel doubles the value for its own books.
    Ok(granted as usize / 2)
}

pub(super) fn set_option(fd: BorrowedFd<'_>, level: i32, name: i32, value: i32) -> io::Result<()> {
    let len = mem::size_of::<i32>() as libc::socklen_t;
    let at = (&raw const value).cast();
    // SAFETY: `value` is as large as `len` says and outlives the call.
    let result = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, at, len) };
    checked(i64::from(result)).map(drop)
}
