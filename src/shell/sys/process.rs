//! Signals to a child process.

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
