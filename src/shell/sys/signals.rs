//! Signals that wait: while they are held nobody is ended by them, and none is lost. Threads and
//! programs that are started meanwhile hold them as well (sigprocmask(2), execve(2)).

use super::checked;
use std::io;
use std::mem::MaybeUninit;

/// Keeps these from this thread until they are released.
pub fn hold(signals: &[i32]) -> io::Result<()> {
    mask(libc::SIG_BLOCK, signals)
}

/// Lets this thread have them; what came meanwhile comes now.
pub fn release(signals: &[i32]) -> io::Result<()> {
    mask(libc::SIG_UNBLOCK, signals)
}

/// Sends one to this thread: it waits where it is held, for the next program too.
pub fn send_to_self(signal: i32) -> io::Result<()> {
    // SAFETY: raise(3) reads no memory.
    checked(i64::from(-unsafe { libc::raise(signal) }.abs())).map(drop)
}

/// Is deaf to one from now on, as is every program that is started (signal(7)).
pub fn ignore(signal: i32) -> io::Result<()> {
    // SAFETY: signal(2) with SIG_IGN installs no handler and reads no memory.
    match unsafe { libc::signal(signal, libc::SIG_IGN) } {
        libc::SIG_ERR => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn mask(how: i32, signals: &[i32]) -> io::Result<()> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset(3) initialises `set`, which lives through the calls; the old mask is not
    // asked for.
    let failed = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        libc::pthread_sigmask(how, set.as_ptr(), std::ptr::null_mut())
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(failed)) }
}
