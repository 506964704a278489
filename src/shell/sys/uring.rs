//! Datagrams by io_uring: one request per socket receives until it is told to stop, into buffers
//! that the kernel picks from a ring; what is to be sent is handed over in the same system call
//! that waits (io_uring_register_buf_ring(3), io_uring_prep_recvmsg_multishot(3)).
//!
//! Needs Linux 6.1. A ring is the thread's that has made it: no other may use it.

use super::address::{empty, to_raw};
use super::epoll::Waker;
use super::pages::Pages;
use crate::shell::clock::Patience;
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
const ENTRIES: u32 = 512;
/// Room for what can be completed between two looks; the kernel keeps what is over, and gives it
/// later.
const COMPLETIONS: u32 = 1_024;
/// The kernel takes the pages of either ring in one piece, or not at all. So many octets in a piece
/// it has even where memory is full and in pieces; of more, one in many rings cannot be had.
const PIECE: usize = 8 << 12;
const _: () = assert!(ENTRIES as usize * 64 <= PIECE);
const _: () = assert!(COMPLETIONS as usize * 16 + ENTRIES as usize * 4 + 1_024 <= PIECE);
const GROUP: u16 = 0;
/// In front of what came: lengths and flags (`io_uring_recvmsg_out`), and who sent it.
const OUT: usize = 16;
const NAME: usize = mem::size_of::<libc::sockaddr_in6>();
const HEAD: usize = OUT + NAME;
/// Room behind the largest datagram, which the kernel leaves alone.
const BEHIND: usize = 64;
/// Buffers begin at cache lines.
const LINE: usize = 64;
/// How long requests that were cancelled may take to end, all of them, and how long the kernel may
/// be short of what a request needs. Both take no time at all.
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
    /// Which lot of those it is: of an earlier one the kernel may tell late.
    lot: u32,
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
    /// The so manyth of those sent since the last [`Uring::sent`]; `None`: one of those before.
    Unsent {
        at: Option<usize>,
        error: i32,
    },
    Woken {
        last: bool,
    },
}

impl Uring {
    /// For datagrams of up to `largest` octets.
    pub fn new(largest: usize) -> io::Result<Self> {
        let ring = kind().setup_cqsize(COMPLETIONS).build(ENTRIES)?;
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
            lot: 0,
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
        self.push(request.user_data(SEND | u64::from(self.lot) << 16 | number as u64))
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
        result.map(drop).or_else(|error| if passes(&error) { Ok(()) } else { Err(error) })
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
        self.lot = self.lot.wrapping_add(1);
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
            SEND => {
                let (lot, at) = ((token >> 16) as u32, usize::from(token as u16));
                let at = Some(at).filter(|_| lot == self.lot);
                return Some(Done::Unsent { at, error: -result });
            }
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
        let mut patience = None;
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            match self.ring.submitter().submit() {
                Ok(_) => {}
                Err(error) => {
                    let patience = patience.get_or_insert_with(|| Patience::of(GIVE_UP));
                    if !passes(&error) || patience.is_over() {
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Has every request end.
    pub fn cancel_all(&mut self) -> io::Result<()> {
        let all = opcode::AsyncCancel2::new(CancelBuilder::any()).build();
        self.push(all.flags(squeue::Flags::SKIP_SUCCESS).user_data(OTHER))
    }

    /// Whether every request has ended, and that was told.
    pub fn is_idle(&self) -> bool {
        self.armed == 0
    }

    /// Ends every request: nothing is written to the buffers any more.
    fn end(&mut self) -> io::Result<()> {
        self.cancel_all()?;
        let patience = Patience::of(GIVE_UP);
        while !patience.is_over() {
            self.enter(Wait::Until(Some(GIVE_UP / 10)))?;
            while self.next().is_some() {}
            if self.is_idle() {
                return Ok(());
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// Whether this kernel has, and allows, rings as they are needed here: one of the smallest is made.
/// Where it does, whatever else [`Uring::new`] fails by is no fault of the kernel's.
pub fn is_allowed() -> bool {
    kind().build(2).is_ok()
}

/// Linux 6.1 has all of these.
fn kind() -> io_uring::Builder {
    let mut kind = IoUring::builder();
    kind.setup_single_issuer().setup_defer_taskrun().setup_submit_all();
    kind
}

/// Whether the kernel is short of something for a moment, or has waited long enough.
fn passes(error: &io::Error) -> bool {
    let number = error.raw_os_error();
    matches!(number, Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN))
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
mod tests;
