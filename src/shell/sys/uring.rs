//! Datagrams by io_uring: one request per socket receives until it is told to stop, into buffers
//! that the kernel picks from a ring; what is to be sent is handed over in the same system call
//! that waits (io_uring_register_buf_ring(3), io_uring_prep_recvmsg_multishot(3)).
//!
//! Needs Linux 6.1. A ring is the thread's that has made it: no other may use it.

use super::address::{empty, to_raw};
use super::epoll::Waker;
use super::pages::Pages;
use io_uring::types::{BufRingEntry, CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// Buffers that the kernel may fill before it has to wait for one: a power of two.
const BUFFERS: u16 = 512;
/// What is sent at most in one system call.
pub const SENDS: usize = 256;
const ENTRIES: u32 = 1_024;
/// Room for a completion of everything that there can be at a time.
const COMPLETIONS: u32 = 4_096;
const GROUP: u16 = 0;
/// In front of what came: lengths and flags (`io_uring_recvmsg_out`), and who sent it.
const OUT: usize = 16;
const NAME: usize = mem::size_of::<libc::sockaddr_in6>();
const HEAD: usize = OUT + NAME;
/// Room behind the largest datagram, which the kernel leaves alone.
const BEHIND: usize = 64;
/// Buffers begin at cache lines.
const LINE: usize = 64;
/// How long a cancelled request may take to end. It takes no time at all.
const GIVE_UP: Duration = Duration::from_secs(1);

/// The upper two bits of what a completion is told by.
const KIND: u64 = 0b11 << 62;
const RECEIVE: u64 = 0;
const SEND: u64 = 0b01 << 62;
const WAKE: u64 = 0b10 << 62;
const OTHER: u64 = 0b11 << 62;

pub struct Uring {
    ring: IoUring,
    /// Octets of a buffer, its head included.
    stride: usize,
    buffers: Pages,
    offers: Pages,
    /// Buffers offered so far, and how many of that the kernel knows.
    tail: u16,
    /// What every request to receive looks like: no more than room for the sender's name.
    shape: Box<libc::msghdr>,
    going: Vec<Going>,
    names: Box<[libc::sockaddr_storage]>,
    slots: Pages,
    /// Requests that the kernel has not ended.
    armed: usize,
}

/// What a call to the kernel waits for.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    No,
    /// Something, for so long at most; `None`: for ever.
    Until(Option<Duration>),
}

/// A buffer with a datagram in it, which the kernel has let go of.
#[derive(Debug)]
pub struct Buffer {
    id: u16,
    /// Octets that came; whoever changes them may change how many they are.
    pub len: usize,
}

#[derive(Debug)]
enum Going {
    Buffer(Buffer),
    Slot { len: usize },
}

#[derive(Debug)]
pub enum Done {
    Came {
        token: u64,
        from: SocketAddr,
        buffer: Buffer,
        last: bool,
    },
    /// Nothing more comes for this request.
    Ended {
        token: u64,
    },
    /// The so manyth of those sent since the last [`Uring::sent`].
    Unsent {
        at: usize,
        error: i32,
    },
    Woken {
        last: bool,
    },
}

impl Uring {
    /// For datagrams of up to `largest` octets.
    pub fn new(largest: usize) -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_cqsize(COMPLETIONS)
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .build(ENTRIES)?;
        let stride = (HEAD + largest + BEHIND).next_multiple_of(LINE);
        let offers = Pages::new(usize::from(BUFFERS) * mem::size_of::<BufRingEntry>())?;
        // SAFETY: `offers` is as long as so many entries, on a page of its own, and is unmapped
        // after the ring is gone (the order of the fields, and `drop`).
        unsafe {
            let at = offers.at() as u64;
            ring.submitter().register_buf_ring_with_flags(at, BUFFERS, GROUP, 0)?;
        }
        // SAFETY: a plain C structure; all zero is its empty value.
        let mut shape: Box<libc::msghdr> = Box::new(unsafe { mem::zeroed() });
        shape.msg_namelen = NAME as libc::socklen_t;
        let mut uring = Self {
            ring,
            stride,
            buffers: Pages::new(stride * usize::from(BUFFERS))?,
            offers,
            tail: 0,
            shape,
            going: Vec::with_capacity(SENDS),
            names: vec![empty(); SENDS].into(),
            slots: Pages::new(stride * SENDS)?,
            armed: 0,
        };
        (0..BUFFERS).for_each(|id| uring.give_back(Buffer { id, len: 0 }));
        uring.publish();
        Ok(uring)
    }

    /// Receives until it is cancelled or ends by itself, each time as [`Done::Came`] with `token`.
    pub fn receive(&mut self, socket: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let shape: *const libc::msghdr = &*self.shape;
        let request = opcode::RecvMsgMulti::new(Fd(socket.as_raw_fd()), shape, GROUP).build();
        self.push(request.user_data(token & !KIND | RECEIVE))?;
        self.armed += 1;
        Ok(())
    }

    /// Reports wakings until it ends by itself.
    pub fn watch(&mut self, waker: &Waker) -> io::Result<()> {
        let fd = Fd(waker.as_fd().as_raw_fd());
        let request = opcode::PollAdd::new(fd, libc::POLLIN as u32).multi(true).build();
        self.push(request.user_data(WAKE))?;
        self.armed += 1;
        Ok(())
    }

    /// Has a request end; [`Done::Ended`] says when it has.
    pub fn cancel(&mut self, token: u64) -> io::Result<()> {
        let request = opcode::AsyncCancel::new(token & !KIND | RECEIVE).build();
        self.push(request.flags(squeue::Flags::SKIP_SUCCESS).user_data(OTHER))
    }

    /// Whether no more can be sent before the next [`Uring::enter`].
    pub fn is_full(&self) -> bool {
        self.going.len() == SENDS
    }

    /// Sends what came, from where it lies. `to` is `None` where the socket is connected there.
    pub fn forward(
        &mut self,
        socket: BorrowedFd<'_>,
        to: Option<SocketAddr>,
        buffer: Buffer,
    ) -> io::Result<()> {
        assert!(buffer.len <= self.stride - HEAD, "it is no longer than its room");
        let from = self.payload(&buffer);
        self.queue(socket, to, from, Going::Buffer(buffer))
    }

    /// Sends what `write` puts into the room that it is given; it says how much that is.
    pub fn send(
        &mut self,
        socket: BorrowedFd<'_>,
        to: Option<SocketAddr>,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> io::Result<()> {
        let from = self.slot(self.going.len());
        // SAFETY: the slot is inside `slots`, is nobody else's, and the kernel is through with it.
        let room = unsafe { std::slice::from_raw_parts_mut(from, self.stride) };
        let len = write(room).min(room.len());
        self.queue(socket, to, from, Going::Slot { len })
    }

    fn queue(
        &mut self,
        socket: BorrowedFd<'_>,
        to: Option<SocketAddr>,
        at: *mut u8,
        what: Going,
    ) -> io::Result<()> {
        assert!(!self.is_full(), "whoever sends looks for room first");
        let len = match &what {
            Going::Buffer(buffer) => buffer.len,
            Going::Slot { len } => *len,
        };
        let number = self.going.len();
        // Without waiting it is done, well or badly, when the call returns: nothing stays behind.
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let fd = Fd(socket.as_raw_fd());
        let mut request = opcode::Send::new(fd, at, len as u32).flags(flags);
        if let Some(to) = to {
            let (name, len) = to_raw(to);
            self.names[number] = name;
            let name: *const libc::sockaddr_storage = &self.names[number];
            request = request.dest_addr(name.cast()).dest_addr_len(len);
        }
        let request = request.build().flags(squeue::Flags::SKIP_SUCCESS);
        self.going.push(what);
        self.push(request.user_data(SEND | number as u64))
    }

    /// The octets of a datagram, and room behind them.
    pub fn room(&mut self, buffer: &Buffer) -> &mut [u8] {
        // SAFETY: the kernel has let go of this buffer, whose token there is once.
        unsafe { std::slice::from_raw_parts_mut(self.payload(buffer), self.stride - HEAD) }
    }

    /// What was to be sent.
    pub fn going(&self, at: usize) -> Option<&[u8]> {
        let (from, len) = match self.going.get(at)? {
            Going::Buffer(buffer) => (self.payload(buffer).cast_const(), buffer.len),
            Going::Slot { len } => (self.slot(at).cast_const(), *len),
        };
        // SAFETY: as above; nobody writes there until `sent`.
        Some(unsafe { std::slice::from_raw_parts(from, len) })
    }

    /// Submits everything, and waits.
    pub fn enter(&mut self, wait: Wait) -> io::Result<()> {
        self.publish();
        let submitter = self.ring.submitter();
        let result = match wait {
            Wait::No => submitter.submit_and_wait(0),
            Wait::Until(None) => submitter.submit_and_wait(1),
            Wait::Until(Some(timeout)) => {
                let span = Timespec::from(timeout);
                submitter.submit_with_args(1, &SubmitArgs::new().timespec(&span))
            }
        };
        match result.map_err(|error| (error.raw_os_error(), error)) {
            Ok(_) | Err((Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN), _)) => {}
            Err((_, error)) => return Err(error),
        }
        Ok(())
    }

    /// Whether everything has been submitted.
    pub fn is_submitted(&mut self) -> bool {
        self.ring.submission().is_empty()
    }

    /// What is done, oldest first.
    pub fn next(&mut self) -> Option<Done> {
        loop {
            let entry = self.ring.completion().next()?;
            if let Some(done) = self.read(&entry) {
                return Some(done);
            }
        }
    }

    /// Everything that was to be sent has gone, well or badly.
    pub fn sent(&mut self) {
        while let Some(what) = self.going.pop() {
            if let Going::Buffer(buffer) = what {
                self.give_back(buffer);
            }
        }
    }

    /// The kernel may fill it again, from the next call on.
    pub fn give_back(&mut self, buffer: Buffer) {
        let at = usize::from(self.tail & (BUFFERS - 1));
        let offers: *mut BufRingEntry = self.offers.at().cast();
        // SAFETY: `at` is below the number of entries. The kernel reads an entry only once the tail
        // that it is told is behind it. Its last field is the tail itself where `at` is 0, and is
        // left alone.
        unsafe {
            let entry = &mut *offers.add(at);
            entry.set_addr(self.buffers.at().add(usize::from(buffer.id) * self.stride) as u64);
            entry.set_len((self.stride - BEHIND) as u32);
            entry.set_bid(buffer.id);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&mut self) {
        // SAFETY: the tail lies inside the first entry, and kernel and this thread use it as an
        // atomic number only.
        let tail = unsafe {
            let at = BufRingEntry::tail(self.offers.at().cast());
            AtomicU16::from_ptr(at.cast_mut())
        };
        tail.store(self.tail, Ordering::Release);
    }

    fn read(&mut self, entry: &cqueue::Entry) -> Option<Done> {
        let (token, result) = (entry.user_data(), entry.result());
        let last = !cqueue::more(entry.flags());
        match token & KIND {
            SEND => return Some(Done::Unsent { at: (token & !KIND) as usize, error: -result }),
            OTHER => return None,
            _ => self.armed -= usize::from(last),
        }
        if token & KIND == WAKE {
            return Some(Done::Woken { last });
        }
        let Some(id) = cqueue::buffer_select(entry.flags()) else {
            return last.then_some(Done::Ended { token });
        };
        let mut buffer = Buffer { id, len: 0 };
        let size = usize::try_from(result).unwrap_or(0);
        match self.head(&buffer).filter(|_| size >= HEAD) {
            Some((from, len)) => {
                buffer.len = len.min(size - HEAD);
                Some(Done::Came { token, from, buffer, last })
            }
            None => {
                self.give_back(buffer);
                last.then_some(Done::Ended { token })
            }
        }
    }

    /// Who sent it, and how long it is.
    fn head(&self, buffer: &Buffer) -> Option<(SocketAddr, usize)> {
        // SAFETY: the kernel has let go of this buffer, and has begun it with so many octets.
        let head: &[u8; HEAD] = unsafe { &*self.start(buffer).cast() };
        let word = |at: usize| u32::from_ne_bytes([0, 1, 2, 3].map(|n| head[at + n]));
        let name = &head[OUT..];
        let family = u16::from_ne_bytes([name[0], name[1]]);
        let port = u16::from_be_bytes([name[2], name[3]]);
        let from = match i32::from(family) {
            libc::AF_INET => {
                SocketAddrV4::new(Ipv4Addr::new(name[4], name[5], name[6], name[7]), port).into()
            }
            libc::AF_INET6 => {
                let octets: [u8; 16] = name[8..24].try_into().ok()?;
                SocketAddrV6::new(Ipv6Addr::from(octets), port, 0, word(OUT + 24)).into()
            }
            _ => return None,
        };
        Some((from, word(8) as usize))
    }

    fn start(&self, buffer: &Buffer) -> *mut u8 {
        assert!(buffer.id < BUFFERS, "the kernel knows no other buffers");
        // SAFETY: `buffers` holds so many of `stride` octets.
        unsafe { self.buffers.at().add(usize::from(buffer.id) * self.stride) }
    }

    fn payload(&self, buffer: &Buffer) -> *mut u8 {
        // SAFETY: a buffer is longer than its head.
        unsafe { self.start(buffer).add(HEAD) }
    }

    fn slot(&self, number: usize) -> *mut u8 {
        assert!(number < SENDS, "whoever sends looks for room first");
        // SAFETY: `slots` holds so many of `stride` octets.
        unsafe { self.slots.at().add(number * self.stride) }
    }

    fn push(&mut self, entry: squeue::Entry) -> io::Result<()> {
        // SAFETY: what requests point to - the shape, names, buffers, slots - is this value's own.
        // It is not moved, and not used by others, before the kernel is through with it.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            self.ring.submitter().submit()?;
        }
        Ok(())
    }

    /// Ends every request: nothing is written to the buffers any more.
    fn end(&mut self) -> io::Result<()> {
        let all = opcode::AsyncCancel2::new(CancelBuilder::any()).build();
        self.push(all.flags(squeue::Flags::SKIP_SUCCESS).user_data(OTHER))?;
        for _ in 0..=COMPLETIONS {
            self.enter(Wait::Until(Some(GIVE_UP)))?;
            while self.next().is_some() {}
            if self.armed == 0 {
                return Ok(());
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        if self.armed > 0 && self.end().is_err() {
            // Better lost than written to by the kernel in somebody else's hands.
            mem::take(&mut self.buffers).leak();
            mem::take(&mut self.offers).leak();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    const LONG: Wait = Wait::Until(Some(Duration::from_secs(5)));

    /// `None` where the kernel does not allow it: then there is nothing to be tested.
    fn uring() -> Option<Uring> {
        Uring::new(1_500).ok()
    }

    fn socket() -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    fn done(uring: &mut Uring) -> Done {
        loop {
            if let Some(done) = uring.next() {
                return done;
            }
            uring.enter(LONG).unwrap();
        }
    }

    #[test]
    fn what_comes_is_sent_on_from_where_it_lies_more_often_than_there_are_buffers() {
        let Some(mut uring) = uring() else { return };
        let (near, far, phone) = (socket(), socket(), socket());
        phone.connect(near.local_addr().unwrap()).unwrap();
        uring.receive(near.as_fd(), 7).unwrap();
        far.set_nonblocking(false).unwrap();
        far.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        for n in 0..3 * BUFFERS {
            phone.send(&n.to_be_bytes()).unwrap();
            let Done::Came { token: 7, from, buffer, .. } = done(&mut uring) else { panic!() };
            assert_eq!(from, phone.local_addr().unwrap());
            uring.room(&buffer)[0] ^= 0x80;
            uring.forward(near.as_fd(), far.local_addr().ok(), buffer).unwrap();
            uring.enter(Wait::No).unwrap();
            uring.sent();
            let mut room = [0; 10];
            let (size, from) = far.recv_from(&mut room).unwrap();
            assert_eq!(from, near.local_addr().unwrap());
            assert_eq!(&room[..size], (n ^ 0x8000).to_be_bytes());
        }
    }

    #[test]
    fn a_request_that_is_cancelled_lets_go_of_its_socket() {
        let Some(mut uring) = uring() else { return };
        let near = socket();
        let at = near.local_addr().unwrap();
        uring.receive(near.as_fd(), 1).unwrap();
        uring.enter(Wait::No).unwrap();
        uring.cancel(1).unwrap();
        assert!(matches!(done(&mut uring), Done::Ended { token: 1 }));
        drop(near);
        UdpSocket::bind(at).unwrap();
    }

    #[test]
    fn a_ring_that_is_dropped_lets_go_of_all_its_sockets() {
        let Some(mut uring) = uring() else { return };
        let near = socket();
        let at = near.local_addr().unwrap();
        uring.receive(near.as_fd(), 1).unwrap();
        uring.enter(Wait::No).unwrap();
        drop((uring, near));
        UdpSocket::bind(at).unwrap();
    }

    #[test]
    fn more_than_all_buffers_hold_ends_the_request_and_loses_nothing() {
        let Some(mut uring) = uring() else { return };
        let (near, phone) = (socket(), socket());
        socket2::SockRef::from(&near).set_recv_buffer_size(8 << 20).unwrap();
        phone.connect(near.local_addr().unwrap()).unwrap();
        uring.receive(near.as_fd(), 1).unwrap();
        let (mut heard, mut ended) = (Vec::new(), 0);
        let mut held = Vec::new();
        for n in 0..2 * BUFFERS {
            phone.send(&n.to_be_bytes()).unwrap();
            if n % 100 == 99 {
                uring.enter(Wait::No).unwrap();
            }
        }
        while heard.len() < usize::from(2 * BUFFERS) {
            match done(&mut uring) {
                Done::Came { buffer, .. } => {
                    heard
                        .push(u16::from_be_bytes([uring.room(&buffer)[0], uring.room(&buffer)[1]]));
                    held.push(buffer);
                }
                Done::Ended { token: 1 } => {
                    ended += 1;
                    held.drain(..).for_each(|buffer| uring.give_back(buffer));
                    uring.receive(near.as_fd(), 1).unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(heard, (0..2 * BUFFERS).collect::<Vec<_>>());
        assert!(ended >= 1);
    }

    #[test]
    fn what_could_not_be_sent_is_told_and_can_be_looked_at() {
        let Some(mut uring) = uring() else { return };
        let near = socket();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        for n in 0..3u8 {
            let write = |room: &mut [u8]| {
                room[0] = n;
                1
            };
            uring.send(near.as_fd(), Some(nowhere), write).unwrap();
        }
        uring.enter(Wait::No).unwrap();
        for n in 0..3u8 {
            let Done::Unsent { at, error } = done(&mut uring) else { panic!() };
            assert_eq!((at, error), (usize::from(n), libc::EINVAL));
            assert_eq!(uring.going(at), Some(&[n][..]));
        }
    }

    #[test]
    fn a_sleeper_is_woken_by_another_thread_again_and_again() {
        let Some(mut uring) = uring() else { return };
        let waker = Waker::new().unwrap();
        uring.watch(&waker).unwrap();
        for _ in 0..3 {
            waker.about_to_sleep();
            std::thread::scope(|scope| {
                scope.spawn(|| waker.wake());
                assert!(matches!(done(&mut uring), Done::Woken { last: false }));
            });
        }
    }
}
