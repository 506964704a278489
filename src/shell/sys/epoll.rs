//! Waiting for many sockets at once, and being woken by another thread.

use super::checked;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub struct Poller {
    epoll: OwnedFd,
    ready: Vec<libc::epoll_event>,
}

/// A socket has something for us: which one, by its token, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    pub token: u64,
    pub readable: bool,
    pub writable: bool,
    pub error: bool,
}

impl Poller {
    /// Sockets that are reported at a time.
    pub const READY_MAX: usize = 64;

    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer; the descriptor returned is ours alone.
        let epoll = unsafe {
            let fd = checked(i64::from(libc::epoll_create1(libc::EPOLL_CLOEXEC)))?;
            OwnedFd::from_raw_fd(fd as i32)
        };
        Ok(Self { epoll, ready: Vec::with_capacity(Self::READY_MAX) })
    }

    pub fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, libc::EPOLLIN)
    }

    /// A wake is reported once, so nobody needs to take its mark away.
    pub fn add_waker(&self, waker: &Waker, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, waker.event.as_fd(), token, libc::EPOLLIN | libc::EPOLLET)
    }

    /// Says whether the socket should be reported too when it can be written.
    pub fn want_writable(&self, fd: BorrowedFd<'_>, token: u64, wanted: bool) -> io::Result<()> {
        let events = if wanted { libc::EPOLLIN | libc::EPOLLOUT } else { libc::EPOLLIN };
        self.control(libc::EPOLL_CTL_MOD, fd, token, events)
    }

    /// A socket that is closed leaves by itself; this is for one that somebody else will watch.
    pub fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    fn control(&self, op: i32, fd: BorrowedFd<'_>, token: u64, events: i32) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: token };
        let (epoll, fd) = (self.epoll.as_raw_fd(), fd.as_raw_fd());
        // SAFETY: both descriptors are open, and `event` outlives the call, which copies it.
        checked(i64::from(unsafe { libc::epoll_ctl(epoll, op, fd, &mut event) })).map(drop)
    }

    /// Sleeps until something is ready or `timeout` has passed; `None` sleeps without end.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<impl Iterator<Item = Ready>> {
        let millis = timeout
            .map_or(-1, |span| i32::try_from(span.as_micros().div_ceil(1_000)).unwrap_or(i32::MAX));
        self.ready.clear();
        let at = self.ready.as_mut_ptr();
        // SAFETY: the vector has room for READY_MAX events, and the kernel fills `count` of them.
        unsafe {
            let fd = self.epoll.as_raw_fd();
            let count = libc::epoll_wait(fd, at, Self::READY_MAX as i32, millis);
            match checked(i64::from(count)) {
                Ok(count) => self.ready.set_len(count),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(self.ready.iter().map(|event| {
            let (events, token) = (event.events as i32, event.u64);
            Ready {
                token,
                readable: events & libc::EPOLLIN != 0,
                writable: events & libc::EPOLLOUT != 0,
                error: events & libc::EPOLLERR != 0,
            }
        }))
    }
}

/// Ends the sleep of the thread that waits for it. Waking a thread that is awake costs no system
/// call.
pub struct Waker {
    event: OwnedFd,
    asleep: AtomicBool,
}

impl Waker {
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer; the descriptor returned is ours alone.
        let event = unsafe {
            let fd = libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK);
            OwnedFd::from_raw_fd(checked(i64::from(fd))? as i32)
        };
        Ok(Self { event, asleep: AtomicBool::new(false) })
    }

    /// Called after something was put into a queue of the sleeper.
    pub fn wake(&self) {
        if self.asleep.swap(false, Ordering::SeqCst) {
            let one = 1u64;
            let at = (&raw const one).cast();
            // SAFETY: eight octets of `one`, as eventfd wants. A full counter wakes just as well.
            unsafe { libc::write(self.event.as_raw_fd(), at, 8) };
        }
    }

    /// Called by the sleeper before it looks at its queues for the last time.
    pub fn about_to_sleep(&self) {
        // Not a store: reading the waker's last write makes what it had queued before visible.
        self.asleep.swap(true, Ordering::SeqCst);
    }

    /// Called by the sleeper when it is awake.
    pub fn awake(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_sleeper_is_woken_by_another_thread_and_only_then() {
        let mut poller = Poller::new().unwrap();
        let waker = Arc::new(Waker::new().unwrap());
        poller.add_waker(&waker, 7).unwrap();
        waker.wake();
        assert_eq!(poller.wait(Some(Duration::ZERO)).unwrap().count(), 0, "nobody slept");
        waker.about_to_sleep();
        let other = Arc::clone(&waker);
        std::thread::spawn(move || other.wake());
        let ready: Vec<_> = poller.wait(Some(Duration::from_secs(5))).unwrap().collect();
        assert_eq!(ready.iter().map(|r| r.token).collect::<Vec<_>>(), [7]);
        assert_eq!(poller.wait(Some(Duration::ZERO)).unwrap().count(), 0, "reported once");
        waker.about_to_sleep();
        waker.wake();
        assert_eq!(poller.wait(Some(Duration::from_secs(5))).unwrap().count(), 1, "and again");
    }
}
