//! Descriptors that outlive the program: the next one in the same process finds them open
//! (execve(2): "By default, file descriptors remain open across an execve()").

use super::checked;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Keeps a descriptor open when the program is replaced; its number there is what it is here.
pub fn keep(fd: BorrowedFd<'_>) -> io::Result<RawFd> {
    close_on_exec(fd.as_raw_fd(), false)?;
    Ok(fd.as_raw_fd())
}

/// Takes over a descriptor that the program before this one has kept open.
///
/// Each number may be taken once, and only by whoever was told of it.
pub fn take(fd: RawFd) -> io::Result<OwnedFd> {
    close_on_exec(fd, true)?;
    // SAFETY: it is open, as the call above has found, and nobody else here knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A file without a name, in memory only.
pub fn memory_file() -> io::Result<File> {
    let name = c"pukar-handover";
    // SAFETY: `name` ends with a zero and outlives the call; the descriptor returned is ours alone.
    unsafe {
        let fd = checked(i64::from(libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC)))?;
        Ok(File::from_raw_fd(fd as RawFd))
    }
}

fn close_on_exec(fd: RawFd, close: bool) -> io::Result<()> {
    let flags = if close { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: reads no memory; a number that is no open descriptor is an error.
    checked(i64::from(unsafe { libc::fcntl(fd, libc::F_SETFD, flags) })).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::{AsFd, IntoRawFd};

    #[test]
    fn what_is_kept_can_be_taken_and_what_is_closed_cannot() {
        let file = memory_file().unwrap();
        let number = keep(file.as_fd()).unwrap();
        assert_eq!(file.into_raw_fd(), number);
        drop(take(number).unwrap());
        assert!(take(1_000_000).is_err());
    }
}
