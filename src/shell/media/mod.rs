//! The media workers: threads that carry the sound, each with a `media::Engine` of its own.
//!
//! In: media commands, from one thread, through [`Handle`]. Out: media events, through the sink
//! that was given; datagrams. The core never waits for a worker, nor a worker for the core. May
//! import: base, media.

mod caretaker;
pub mod held;
mod polled;
mod ringed;
mod sockets;
#[cfg(test)]
mod tests;
mod way;
mod worker;

pub use caretaker::{Caretaker, Estate, Word, relieve};

use super::clock::Clock;
use super::ground::no_thread;
use super::record;
use super::sys::epoll::Waker;
use super::sys::uring;
use crate::base::{Id, PortId};
use crate::call::MediaIo;
use crate::media::control::{Command, Event, Seat};
use crate::media::{Keys, Tunes};
use caretaker::Left;
use crossbeam_channel::{self as channel, Receiver, Sender};
use polled::Polled;
use ringed::Ringed;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use way::Io;
use worker::{Parcel, Worker};

/// Orders that one worker has yet to obey, at most.
const ORDERS_QUEUED: usize = 16_384;

/// Takes an event without waiting, or gives it back. Called from every worker's thread.
pub type Sink = Arc<dyn Fn(Event) -> Result<(), Event> + Send + Sync>;

/// Called on the thread of a worker that could not go on.
pub type Died = Arc<dyn Fn() + Send + Sync>;

/// What the workers begin with.
#[derive(Clone)]
pub struct Setup {
    /// How many; at least one.
    pub count: usize,
    /// How they move datagrams.
    pub io: MediaIo,
    pub tunes: Arc<Tunes>,
    /// For SSRCs and the like, which strangers should not guess.
    pub seed: u64,
    pub clock: Clock,
    pub sink: Sink,
    /// Where recorded sound goes.
    pub recorder: record::Inlet,
    /// The code point that packets are marked with.
    pub dscp: u8,
    pub died: Died,
    /// What the program before this one has had open.
    pub inherited: Arc<Inherited>,
}

/// Sockets of ports by the number of the first, until somebody opens that port.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Mutex<OpenPorts>,
    /// Presses that were told there already: a key may be down while sound changes hands.
    told: Mutex<BTreeMap<u32, Keys>>,
}

impl Inherited {
    pub fn put(&self, sockets: OpenPorts) {
        *self.sockets.lock().unwrap_or_else(PoisonError::into_inner) = sockets;
    }

    /// Before the workers hear of these ports; of several words on one, the last counts.
    pub fn tell(&self, told: Vec<(PortId, Keys)>) {
        let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(told.into_iter().map(|(port, keys)| (port.slot(), keys)));
    }

    fn take(&self, port: PortId) -> Option<(OwnedFd, OwnedFd)> {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.remove(&port.slot())
    }

    fn told(&self, port: PortId) -> Option<Keys> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.remove(&port.slot())
    }
}

/// RTP and RTCP sockets, by the number of the first.
pub type OpenPorts = BTreeMap<u32, (OwnedFd, OwnedFd)>;

/// What the workers have done since they began, all together.
#[derive(Debug, Default)]
pub struct Counters {
    /// Packets that came in, refused ones too.
    pub received: AtomicU64,
    /// Packets that went out, relayed or played.
    pub sent: AtomicU64,
    /// Packets that the kernel would not send.
    pub unsent: AtomicU64,
    /// Keys and silences lost because the core did not come for them.
    pub lost_events: AtomicU64,
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
    /// What is played from now on, under the ids that there are and new ones.
    Tunes(Arc<Tunes>),
    Stop,
}

/// Tells all workers what there is to play; for any thread.
#[derive(Clone)]
pub struct Jukebox(Vec<Line>);

impl Jukebox {
    /// Whoever is played something hears it to its end as it was. What is ordered after this is
    /// played from here.
    pub fn play_from(&self, tunes: &Arc<Tunes>) {
        for line in &self.0 {
            // A worker that has died has hung up.
            let _ = line.orders.send(Order::Tunes(Arc::clone(tunes)));
            line.waker.wake();
        }
    }
}

/// The running threads. Dropping it stops them and closes their sockets.
pub struct Workers {
    threads: Vec<JoinHandle<Option<Left>>>,
    lines: Vec<Line>,
    counters: Arc<Counters>,
    clock: Clock,
}

/// Gives commands to the workers, in order; for the core's thread.
pub struct Handle {
    lines: Vec<Line>,
    /// By half the slot. A port is dealt by its number, and moves when it is bridged to one that
    /// another worker has. Its successor of the same number begins where it ended: there the number
    /// is free for certain.
    places: RefCell<Vec<Place>>,
    /// Open ports of each worker.
    loads: RefCell<Vec<usize>>,
    /// Workers that have orders and may be asleep.
    owed: RefCell<Vec<bool>>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    worker: usize,
    open: bool,
}

#[derive(Clone)]
struct Line {
    orders: Sender<Order>,
    waker: Arc<Waker>,
}

impl Workers {
    /// Fails where no thread can be had, or `setup.io` is something that the kernel does not do; a
    /// sentence says which.
    pub fn start(setup: &Setup) -> Result<(Self, Handle), String> {
        let counters = Arc::new(Counters::default());
        let mut workers =
            Self { threads: Vec::new(), lines: Vec::new(), counters, clock: setup.clock };
        for n in 0..setup.count.clamp(1, usize::from(u8::MAX)) {
            workers.spawn(setup, n)?;
        }
        let lines = workers.lines.clone();
        let (loads, owed) = (vec![0; lines.len()], vec![false; lines.len()]);
        let places = RefCell::default();
        let (loads, owed) = (RefCell::new(loads), RefCell::new(owed));
        Ok((workers, Handle { lines, places, loads, owed }))
    }

    /// Returns when it is at work.
    fn spawn(&mut self, setup: &Setup, n: usize) -> Result<(), String> {
        let (orders, end) = channel::bounded(ORDERS_QUEUED);
        let waker = Arc::new(Waker::new().map_err(no_thread)?);
        self.lines.push(Line { orders, waker: Arc::clone(&waker) });
        let setup = Setup { seed: setup.seed.wrapping_add(n as u64), ..setup.clone() };
        let counters = Arc::clone(&self.counters);
        let (ready, begun) = channel::bounded(1);
        // A ring is its thread's alone, and so is made there.
        let ringed = |waker: &Arc<Waker>| Ringed::new(waker);
        let run = move || match means(setup.io, &waker, ringed) {
            Ok(means) => {
                let _ = ready.send(Ok(()));
                match means {
                    Means::Ringed(io) => {
                        live(Worker::new(&setup, *io, (end, waker), counters), &*setup.died)
                    }
                    Means::Polled(io) => {
                        live(Worker::new(&setup, io, (end, waker), counters), &*setup.died)
                    }
                }
            }
            Err(error) => {
                let _ = ready.send(Err(error));
                None
            }
        };
        let thread = thread::Builder::new().name(format!("media-{n}")).spawn(run);
        self.threads.push(thread.map_err(no_thread)?);
        begun.recv().unwrap_or_else(|_| Err("a media worker has died at once".into()))
    }

    /// Stops them, and leaves every socket open. One after the other, each is followed at once by
    /// somebody who looks after its voices.
    pub fn leave(mut self) -> Estate {
        let mut estate = Estate::default();
        let threads = std::mem::take(&mut self.threads);
        for (line, thread) in self.lines.iter().zip(threads) {
            line.stop();
            if let Some(left) = thread.join().unwrap_or_default() {
                estate.add(left, self.clock);
            }
        }
        estate
    }

    pub fn jukebox(&self) -> Jukebox {
        Jukebox(self.lines.clone())
    }

    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }
}

/// What a worker moves its datagrams by.
enum Means {
    Polled(Polled),
    Ringed(Box<Ringed>),
}

fn means(
    wish: MediaIo,
    waker: &Arc<Waker>,
    ringed: impl FnOnce(&Arc<Waker>) -> io::Result<Ringed>,
) -> Result<Means, String> {
    if wish != MediaIo::Epoll {
        match ringed(waker) {
            Ok(ringed) => return Ok(Means::Ringed(Box::new(ringed))),
            Err(error) if wish == MediaIo::Uring => return Err(no_uring(&error)),
            Err(error) => tracing::info!(%error, "no io_uring here: media goes by epoll"),
        }
    }
    Polled::new(waker).map(Means::Polled).map_err(no_thread)
}

fn no_uring(error: &io::Error) -> String {
    format!(
        "[media] io: \"uring\" cannot be had: {error}. It needs Linux 6.1, leave to use it \
         (`sysctl kernel.io_uring_disabled`) and locked memory (`ulimit -l`). Write \"auto\" to \
         go on by epoll where it is missing"
    )
}

/// Whether the kernel allows what [`MediaIo::Uring`] needs.
pub fn has_uring() -> bool {
    // The end of a ring interrupts whoever made it.
    thread::spawn(uring::is_allowed).join().unwrap_or(false)
}

/// The life of a worker. Its ports, and what it was to do for others, end with it: whoever started
/// it has to know, whatever killed it.
fn live<I: Io>(worker: Worker<I>, died: &dyn Fn()) -> Option<Left> {
    let how = catch_unwind(AssertUnwindSafe(|| worker.run()));
    match how {
        Ok(Ok(left)) => return Some(left),
        Ok(Err(error)) => {
            tracing::error!(%error, "a media worker cannot wait for its sockets and stops");
        }
        Err(_) => tracing::error!("a media worker broke one of its own rules and stops"),
    }
    died();
    None
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.lines.iter().for_each(Line::stop);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Line {
    fn stop(&self) {
        // A worker that has died has hung up.
        let _ = self.orders.send(Order::Stop);
        self.waker.wake();
    }
}

impl Handle {
    /// Gives it back where a worker's queue is full. The worker need not be awake: see `wake`.
    #[allow(clippy::result_large_err)] // It goes back to whoever has it already.
    pub fn put(&self, command: Command) -> Result<(), Command> {
        if let Command::Bridge { a, b } = command
            && !self.bring_together(a, b)
        {
            return Err(command);
        }
        if let Command::Gather { seats } = &command
            && !self.bring_all(seats)
        {
            return Err(command);
        }
        let port = command.port();
        let opens = match command {
            Command::Open { .. } => Some(true),
            Command::Close { .. } => Some(false),
            _ => None,
        };
        let worker = self.place(port).worker;
        let order = Order::Command(command);
        self.order(worker, order).map_err(|order| match order {
            Order::Command(command) => command,
            Order::Give { .. } | Order::Take { .. } | Order::Tunes(_) | Order::Stop => {
                unreachable!("what comes back is what was put")
            }
        })?;
        if let Some(open) = opens {
            self.set_place(port, Place { worker, open });
        }
        Ok(())
    }

    /// Has one worker carry both ports, so that no packet crosses threads. False: there is no room
    /// for the orders, and nothing has happened.
    fn bring_together(&self, a: PortId, b: PortId) -> bool {
        let (at_a, at_b) = (self.place(a), self.place(b));
        if at_a.worker == at_b.worker || !at_a.open || !at_b.open {
            return true;
        }
        let loads = self.loads.borrow().clone();
        let lighter = loads[at_a.worker] < loads[at_b.worker];
        let (port, from, to) = match lighter {
            true => (b, at_b.worker, at_a.worker),
            false => (a, at_a.worker, at_b.worker),
        };
        self.carry(port, (from, to))
    }

    /// The same for all the ports of a room, which go to where the first is.
    fn bring_all(&self, seats: &[Seat]) -> bool {
        let Some(to) = seats.first().map(|seat| self.place(seat.port).worker) else { return true };
        seats.iter().all(|seat| {
            let at = self.place(seat.port);
            at.worker == to || !at.open || self.carry(seat.port, (at.worker, to))
        })
    }

    fn carry(&self, port: PortId, (from, to): (usize, usize)) -> bool {
        let queued = |worker: usize| self.lines[worker].orders.len();
        // Only this thread fills the queues, but for an order of tunes: what is free stays free.
        if queued(from) + 2 > ORDERS_QUEUED || queued(to) + 3 > ORDERS_QUEUED {
            return false;
        }
        let (parcel, end) = channel::bounded(1);
        let given = self.order(from, Order::Give { port, to: parcel }).is_ok();
        let taken = given && self.order(to, Order::Take { from: end }).is_ok();
        self.set_place(port, Place { worker: to, open: true });
        taken
    }

    #[allow(clippy::result_large_err)]
    fn order(&self, worker: usize, order: Order) -> Result<(), Order> {
        self.lines[worker].orders.try_send(order).map_err(channel::TrySendError::into_inner)?;
        self.owed.borrow_mut()[worker] = true;
        Ok(())
    }

    /// Wakes whoever was given something since the last time: once for all of it, since a waking
    /// costs more than what it is for.
    pub fn wake(&self) {
        for (line, owed) in self.lines.iter().zip(self.owed.borrow_mut().iter_mut()) {
            if std::mem::take(owed) {
                line.waker.wake();
            }
        }
    }

    fn place(&self, port: PortId) -> Place {
        let at = port.slot() as usize / 2;
        let dealt = Place { worker: at % self.lines.len(), open: false };
        self.places.borrow().get(at).copied().unwrap_or(dealt)
    }

    fn set_place(&self, port: PortId, place: Place) {
        let at = port.slot() as usize / 2;
        let (mut places, mut loads) = (self.places.borrow_mut(), self.loads.borrow_mut());
        for next in places.len()..=at {
            places.push(Place { worker: next % self.lines.len(), open: false });
        }
        let before = std::mem::replace(&mut places[at], place);
        loads[before.worker] -= usize::from(before.open);
        loads[place.worker] += usize::from(place.open);
    }
}
