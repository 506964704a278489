//! A file that one process at a time may have (flock(2)). The lock is of the open file, so it goes
//! on in another program of the same process, and ends when nobody has the file open any more.

use super::checked;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;

/// Takes the lock, or says that somebody else has it. Never waits.
pub fn try_lock(file: &File) -> io::Result<bool> {
    // SAFETY: reads no memory; the descriptor is open as long as `file` is borrowed.
    let locked = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    match checked(i64::from(locked)) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}
