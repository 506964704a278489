//! What is done to a child process from outside.

use std::io;
use std::process::Child;

/// Sends a signal to a child that has not been waited for.
pub fn signal(child: &Child, signal: i32) -> io::Result<()> {
    // SAFETY: kill(2) reads no memory; the child is not reaped, so its id is its own.
    match unsafe { libc::kill(child.id() as libc::pid_t, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Bounds how long a file may be that a child writes, in octets: whatever would make one longer
/// fails, as on a disk that is full (setrlimit(2), `RLIMIT_FSIZE`). `None`: no bound.
pub fn limit_files(child: &Child, octets: Option<u64>) -> io::Result<()> {
    let bound = octets.unwrap_or(libc::RLIM_INFINITY);
    let limit = libc::rlimit { rlim_cur: bound, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: prlimit(2) reads `limit`, which lives through the call; no old limit is asked for,
    // and the child is not reaped, so its id is its own.
    let done = unsafe {
        let pid = child.id() as libc::pid_t;
        libc::prlimit(pid, libc::RLIMIT_FSIZE, &limit, std::ptr::null_mut())
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
