//! A copy of this process, which does one thing and ends.

use super::checked;
use std::io;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work` in a copy of this process: its number. The copy ends with the work, and after
/// `seconds` whatever it does.
///
/// Of all threads the copy has only the one that called. A lock that another thread held is held
/// there for ever, so `work` has to keep to memory, the clock and what is its own: no log, no
/// channel that others use.
pub fn in_a_copy(seconds: u32, work: impl FnOnce()) -> io::Result<u32> {
    // SAFETY: fork(2) reads no memory, and the C library sees to it that memory can be had in the
    // copy. The set of signals is plain memory, and outlives the calls. `_exit` ends the copy
    // before anything that the other threads left half done is used.
    unsafe {
        let id = checked(i64::from(libc::fork()))?;
        if id == 0 {
            // Whoever started this process may have had it ignore that.
            libc::signal(libc::SIGALRM, libc::SIG_DFL);
            let mut blocked = std::mem::zeroed();
            libc::sigemptyset(&mut blocked);
            libc::sigaddset(&mut blocked, libc::SIGALRM);
            libc::sigprocmask(libc::SIG_UNBLOCK, &blocked, std::ptr::null_mut());
            libc::alarm(seconds);
            let _ = catch_unwind(AssertUnwindSafe(work));
            libc::_exit(0);
        }
        Ok(id as u32)
    }
}

/// Closes everything that the copy has open, but for these descriptors and the standard ones: what
/// the others belong to is for the process that it is a copy of.
pub fn keep_only(mut kept: Vec<RawFd>) -> io::Result<()> {
    kept.sort_unstable();
    let mut from = 3;
    for fd in kept.into_iter().filter(|fd| *fd >= 3).chain([RawFd::MAX]) {
        if from < fd && !close_range(from, fd - 1)? {
            for one in from..fd.min(limit()?) {
                // SAFETY: nothing of the copy uses it again; one that is not open is an error.
                unsafe { libc::close(one) };
            }
        }
        from = fd.saturating_add(1);
    }
    Ok(())
}

/// False: this kernel does not know how, as all before 5.9.
fn close_range(from: RawFd, to: RawFd) -> io::Result<bool> {
    // SAFETY: reads no memory. Nothing of the copy uses any of these again.
    match checked(unsafe { libc::syscall(libc::SYS_close_range, from, to, 0) }) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Ok(false),
        Err(error) => Err(error),
    }
}

/// No descriptor has this number, or a higher one.
fn limit() -> io::Result<RawFd> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives the call, which copies to it.
    checked(i64::from(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) }))?;
    Ok(RawFd::try_from(limit.rlim_cur).unwrap_or(RawFd::MAX))
}

/// Ends a copy that does not end by itself.
pub fn kill(id: u32) {
    // SAFETY: reads no memory; a copy that was not buried keeps its number.
    unsafe { libc::kill(id as libc::pid_t, libc::SIGKILL) };
}

/// Waits for the end of a copy, each once.
pub fn bury(id: u32) {
    // SAFETY: its state is asked for nowhere.
    unsafe { libc::waitpid(id as libc::pid_t, std::ptr::null_mut(), 0) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_copy_keeps_what_it_is_told_and_nothing_else() {
        let (mut kept, there) = UnixStream::pair().unwrap();
        let (mut closed, elsewhere) = UnixStream::pair().unwrap();
        let id = in_a_copy(60, || {
            let _ = keep_only(vec![there.as_raw_fd()]);
            let _ = (&elsewhere).write_all(b"x");
            let _ = (&there).write_all(b"x");
        });
        drop((there, elsewhere));
        let heard = [&mut kept, &mut closed].map(|end| end.read(&mut [0]).unwrap());
        assert_eq!(heard, [1, 0]);
        bury(id.unwrap());
    }

    #[test]
    fn a_copy_has_its_own_memory_and_ends_with_its_work_or_when_told() {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        let mut count = 1;
        let id = in_a_copy(60, || {
            count += 1;
            let _ = there.write_all(&[count]);
            // What stays open there keeps nobody waiting: it is closed by the end.
        });
        drop(there);
        let mut told = Vec::new();
        here.read_to_end(&mut told).unwrap();
        bury(id.unwrap());
        assert_eq!((told, count), (vec![2], 1));
        let (mut here, there) = UnixStream::pair().unwrap();
        let id = in_a_copy(60, || {
            loop {
                std::thread::park();
            }
        });
        drop(there);
        let id = id.unwrap();
        kill(id);
        bury(id);
        assert_eq!(here.read(&mut [0]).unwrap(), 0, "the copy had it open");
    }
}
