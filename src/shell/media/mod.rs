//! The media workers: threads that carry the sound, each with a `media::Engine` of its own.
//!
//! In: media commands, from one thread, through [`Handle`]. Out: media events, through the sink
//! that was given; datagrams. The core never waits for a worker, nor a worker for the core. May
//! import: base, media.

mod sockets;
mod worker;

use super::clock::Clock;
use super::sys::epoll::Waker;
use crate::base::{Id, PortId};
use crate::media::Tunes;
use crate::media::control::{Command, Event};
use crossbeam_channel::{self as channel, Receiver, Sender};
use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use worker::{Parcel, Worker, port_of};

/// Orders that one worker has yet to obey, at most.
const ORDERS_QUEUED: usize = 16_384;

/// Takes an event without waiting, or gives it back. Called from every worker's thread.
pub type Sink = Arc<dyn Fn(Event) -> Result<(), Event> + Send + Sync>;

/// What the workers begin with.
#[derive(Clone)]
pub struct Setup {
    /// How many; at least one.
    pub count: usize,
    pub tunes: Arc<Tunes>,
    /// For SSRCs and the like, which strangers should not guess.
    pub seed: u64,
    pub clock: Clock,
    pub sink: Sink,
}

/// What the workers have done since they began, all together.
#[derive(Debug, Default)]
pub struct Counters {
    /// Packets that came in, refused ones too.
    pub received: AtomicU64,
    /// Packets that went out, relayed or played.
    pub sent: AtomicU64,
    /// Packets that the kernel would not send.
    pub unsent: AtomicU64,
    /// Events lost because the core did not come for them.
    pub lost_events: AtomicU64,
}

impl Counters {
    fn sent(&self, ok: bool) {
        let counter = if ok { &self.sent } else { &self.unsent };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

enum Order {
    Command(Command),
    /// The port goes to another worker, ...
    Give {
        port: PortId,
        to: Sender<Parcel>,
    },
    /// ... and comes from there.
    Take {
        from: Receiver<Parcel>,
    },
    Stop,
}

/// The running threads. Dropping it stops them and closes their sockets.
pub struct Workers {
    threads: Vec<JoinHandle<()>>,
    lines: Vec<Line>,
    counters: Arc<Counters>,
}

/// Gives commands to the workers, in order; for the core's thread.
pub struct Handle {
    lines: Vec<Line>,
    /// Which worker has a port, by half its slot. A port is dealt by its number, and moves when it
    /// is bridged to one that another worker has.
    owners: RefCell<Vec<u8>>,
}

#[derive(Clone)]
struct Line {
    orders: Sender<Order>,
    waker: Arc<Waker>,
}

impl Workers {
    pub fn start(setup: &Setup) -> io::Result<(Self, Handle)> {
        let counters = Arc::new(Counters::default());
        let mut workers = Self { threads: Vec::new(), lines: Vec::new(), counters };
        for n in 0..setup.count.clamp(1, usize::from(u8::MAX)) {
            let (orders, end) = channel::bounded(ORDERS_QUEUED);
            let waker = Arc::new(Waker::new()?);
            let seed = setup.seed.wrapping_add(n as u64);
            let counters = Arc::clone(&workers.counters);
            let worker = Worker::new(setup, seed, end, Arc::clone(&waker), counters)?;
            let name = format!("media-{n}");
            workers.lines.push(Line { orders, waker });
            workers.threads.push(thread::Builder::new().name(name).spawn(|| worker.run())?);
        }
        let lines = workers.lines.clone();
        Ok((workers, Handle { lines, owners: RefCell::default() }))
    }

    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for line in &self.lines {
            // A worker that has died has hung up.
            let _ = line.orders.send(Order::Stop);
            line.waker.wake();
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Handle {
    /// Gives it back where a worker's queue is full.
    pub fn put(&self, command: Command) -> Result<(), Command> {
        let worker = self.owner(port_of(&command));
        if let Command::Bridge { b, .. } = command
            && self.owner(b) != worker
            && !self.bring(b, worker)
        {
            return Err(command);
        }
        self.lines[worker].put(Order::Command(command)).map_err(|order| match order {
            Order::Command(command) => command,
            Order::Give { .. } | Order::Take { .. } | Order::Stop => {
                unreachable!("what comes back is what was put")
            }
        })
    }

    /// Moves a port to another worker. False: no room for the orders, and nothing has happened.
    fn bring(&self, port: PortId, worker: usize) -> bool {
        let (from, to) = (&self.lines[self.owner(port)], &self.lines[worker]);
        // Only this thread fills the queues, so what is free now stays free.
        if from.orders.len() + 1 > ORDERS_QUEUED || to.orders.len() + 2 > ORDERS_QUEUED {
            return false;
        }
        let (parcel, end) = channel::bounded(1);
        let given = from.put(Order::Give { port, to: parcel }).is_ok();
        let taken = given && to.put(Order::Take { from: end }).is_ok();
        self.set_owner(port, worker);
        taken
    }

    fn owner(&self, port: PortId) -> usize {
        let at = port.slot() as usize / 2;
        let owner = self.owners.borrow().get(at).copied().unwrap_or(u8::MAX);
        if owner == u8::MAX { at % self.lines.len() } else { usize::from(owner) }
    }

    fn set_owner(&self, port: PortId, worker: usize) {
        let at = port.slot() as usize / 2;
        let mut owners = self.owners.borrow_mut();
        if owners.len() <= at {
            owners.resize(at + 1, u8::MAX);
        }
        owners[at] = worker as u8;
    }
}

impl Line {
    fn put(&self, order: Order) -> Result<(), Order> {
        self.orders.try_send(order).map_err(channel::TrySendError::into_inner)?;
        self.waker.wake();
        Ok(())
    }
}
