//! Finished rows on their way into the stores: at least once on the way, once in effect.
//!
//! In: rows from the core, through a bounded queue. They are first appended to the outbox, a log on
//! disk, and from there every store is fed by a thread of its own, in order, at its own pace. A
//! store that is slow or away costs disk, not memory and not calls; what it has is remembered by a
//! cursor, and a row that comes twice is told by its key.

mod batch;
mod blots;
mod bound;
mod briefs;
mod columns;
mod csv;
mod feeder;
mod health;
mod joined;
mod jsonl;
mod line;
mod missed;
mod nats;
mod outbox;
mod places;
mod postgres;
pub mod proof;
mod purge;
mod query;
mod refused;
#[cfg(test)]
mod rude;
mod sqlite;
pub mod tls;
mod turn;
mod verify;
mod webhook;

pub use briefs::{Brief, Within, briefs};
pub use csv::{Csv, field as csv_field};
pub use health::{Alarm, Health};
pub use jsonl::JsonLines;
pub use missed::fill;
pub use nats::Nats;
pub use outbox::Outbox;
pub use places::places;
pub use postgres::Postgres;
pub use purge::{Wish as Purge, purge};
pub use query::{Filter, Source, count, query};
pub use sqlite::Sqlite;
pub use turn::belongs_as;
pub use verify::verify;
pub use webhook::Webhook;

use super::lane::Lane;
use super::meters::{Metrics, ShellMeters};
use crate::core::Row;
use bound::Bound;
use crossbeam_channel as channel;
use feeder::Shared;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Rows between the core and the outbox, and those that the core keeps when the disk hangs.
const QUEUED: usize = 8_192;
const WAITING_MAX: usize = 262_144;
/// How long rows gather while the journal cannot be written, and nothing else has them.
const IN_NEED: Duration = Duration::from_millis(50);
/// Rows that are gathered at most; as often is looked whether there are so many.
const APPENDED: usize = 1_024;
const LOOK: Duration = Duration::from_millis(250);

/// A place where rows end up.
pub trait Store: Send {
    /// Writes all of `rows`, or none. A row that it has already is not written again.
    fn write(&mut self, rows: &[Row]) -> Result<(), Trouble>;
}

/// Why rows were not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub why: String,
    /// The store is well, and would not take these whenever they come.
    pub of_the_rows: bool,
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self { why, of_the_rows: false }
    }
}

/// Opens a store; called again whenever a write has failed.
pub type Opener = Box<dyn Fn() -> Result<Box<dyn Store>, String> + Send>;

/// A store, by a name that stays the same from one start to the next.
pub struct Place {
    pub name: String,
    /// The most rows that it is given at once.
    pub batch: usize,
    pub open: Opener,
}

/// The threads that bring rows into the stores.
pub struct Stores {
    shared: Arc<Shared>,
    stored: Arc<Stored>,
    health: Arc<Health>,
    appender: JoinHandle<()>,
    feeders: Vec<JoinHandle<()>>,
}

/// How long things may take, and how much room.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Rows are gathered for this long before they are written, so that one write to the outbox and
    /// one transaction of a store hold many. The journal has them meanwhile.
    pub gather: Duration,
    /// The first and the longest pause after a failure.
    pub retry: (Duration, Duration),
    /// Tries that a store gets when the switch stops; what it does not take waits in the outbox.
    pub last_tries: u32,
    /// Octets of the outbox, and of one of its segments.
    pub most: u64,
    pub segment: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            gather: Duration::from_secs(1),
            retry: (Duration::from_millis(250), Duration::from_secs(30)),
            last_tries: 3,
            most: 4 << 30,
            segment: outbox::SEGMENT_MAX,
        }
    }
}

/// Starts the threads. The lane is for the core loop; dropping it, then [`Stores::finish`], brings
/// everything to rest.
pub fn start(
    outbox: &Path,
    places: Vec<Place>,
    pace: Pace,
    metrics: &Metrics,
    alarm: Alarm,
) -> Result<(Lane<Row>, Stores), String> {
    let mut log = open(outbox)?.in_segments_of(pace.segment);
    let meters = metrics.for_shell();
    let names: Vec<String> = places.iter().map(|place| place.name.clone()).collect();
    let health = Arc::new(Health::new(&names, metrics, alarm));
    let shared = Arc::new(Shared::new(&log, names, Arc::clone(&health)));
    let stored = Arc::new(Stored::default());
    stored.add(log.last());
    // Another process may have written the end of it.
    stored.wrote(log.file());
    let (sender, receiver) = channel::bounded::<Row>(QUEUED);
    let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
        let thread = std::thread::Builder::new().name(name.into());
        thread.spawn(work).map_err(|e| format!("a thread for records cannot be started: {e}"))
    };
    let mut feeders = Vec::new();
    for (n, place) in places.into_iter().enumerate() {
        let (shared, meters) = (Arc::clone(&shared), meters.clone());
        let feed = move || feeder::feed(&shared, n, &place, pace, &meters);
        feeders.push(spawn("store", Box::new(feed))?);
    }
    let (ends, counted) = (Arc::clone(&shared), Arc::clone(&stored));
    let append = move || append_all(&receiver, &mut log, (&ends, &counted), pace, &meters);
    let appender = spawn("outbox", Box::new(append))?;
    let lane = Lane::new("rows", Box::new(sender), WAITING_MAX);
    Ok((lane, Stores { shared, stored, health, appender, feeders }))
}

/// What the journal and the outbox know of each other. A row that was written to the outbox
/// survives the process; a loss of power survives only what was brought to the disk, here or there.
#[derive(Debug, Default)]
pub struct Stored {
    /// The last numbers of the rows that the outbox has.
    calls: AtomicU64,
    states: AtomicU64,
    /// The journal has a gap: rows that come now are in no other place.
    alone: AtomicBool,
    /// The outbox takes no rows just now.
    stuck: AtomicBool,
    /// The segment that is written, where some of it may not have reached the disk.
    unsafe_yet: Mutex<Option<Arc<File>>>,
}

impl Stored {
    /// Whether so many rows of calls and of agents' states are there.
    pub fn has(&self, calls: u64, states: u64) -> bool {
        self.calls.load(Ordering::Acquire) >= calls && self.states.load(Ordering::Acquire) >= states
    }

    pub fn add(&self, (calls, states): (u64, u64)) {
        self.calls.fetch_max(calls, Ordering::Release);
        self.states.fetch_max(states, Ordering::Release);
    }

    /// Says whether the journal has what comes from now on.
    pub fn stand_alone(&self, alone: bool) {
        self.alone.store(alone, Ordering::SeqCst);
    }

    /// Whether rows are in no other place, since the journal has a gap.
    pub fn is_alone(&self) -> bool {
        self.alone.load(Ordering::SeqCst)
    }

    /// Whether rows wait in memory since the outbox takes none.
    pub fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::SeqCst)
    }

    fn wrote(&self, file: Arc<File>) {
        *self.unsafe_yet.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
    }

    /// Brings to the disk what was written: before the journal lets go of it.
    pub fn make_safe(&self) -> io::Result<()> {
        let file = self.unsafe_yet.lock().unwrap_or_else(PoisonError::into_inner).take();
        match &file {
            Some(written) => written.sync_data().inspect_err(|_| self.wrote(Arc::clone(written))),
            None => Ok(()),
        }
    }
}

/// The outbox, by itself: for a start that has rows to add before anything else.
pub fn open(outbox: &Path) -> Result<Outbox, String> {
    Outbox::open(outbox)
        .map_err(|e| format!("{}: the outbox of records cannot be written: {e}", outbox.display()))
}

impl Stores {
    pub fn stored(&self) -> Arc<Stored> {
        Arc::clone(&self.stored)
    }

    /// How each of them does.
    pub fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// The switch is about to stop: nothing gathers any longer, what is there is written at once.
    pub fn hurry(&self) {
        self.shared.hurry();
    }

    /// Waits until every row is in every store, as far as the stores take them. The lane must be
    /// gone by now.
    pub fn finish(self) {
        self.shared.hurry();
        let _ = self.appender.join();
        self.shared.close();
        for feeder in self.feeders {
            let _ = feeder.join();
        }
    }
}

fn append_all(
    rows: &channel::Receiver<Row>,
    log: &mut Outbox,
    (shared, stored): (&Shared, &Stored),
    pace: Pace,
    meters: &ShellMeters,
) {
    let mut bound = Bound::new(pace.most);
    while let Ok(first) = rows.recv() {
        let mut batch = vec![first];
        gather(rows, &mut batch, (shared, stored), pace);
        let batch = missed::fill(batch, log.last(), None, log.place());
        let (mut pause, mut tries_left) = (pace.retry.0, pace.last_tries);
        let mut try_once = || bound.hold(shared, log).and_then(|()| append(log, &batch, stored));
        while let Err(error) = try_once() {
            stored.stuck.store(true, Ordering::SeqCst);
            tracing::error!(
                rows = batch.len(),
                "call records cannot be written to {}: {error}. They are kept in memory and tried \
                 again; free some room on that disk",
                shared.place().display()
            );
            meters.store_failures.increment(1);
            tries_left -= u32::from(shared.pause(pause));
            if tries_left == 0 {
                return;
            }
            pause = (pause * 2).min(pace.retry.1);
        }
        stored.stuck.store(false, Ordering::SeqCst);
        meters.rows.increment(batch.len() as u64);
        shared.appended(log.end(), batch.len() as u64);
    }
    if let Err(error) = stored.make_safe() {
        tracing::error!("{} cannot be brought to the disk: {error}", log.place().display());
    }
}

/// Waits for more rows, up to a number and a time.
fn gather(
    rows: &channel::Receiver<Row>,
    batch: &mut Vec<Row>,
    (shared, stored): (&Shared, &Stored),
    pace: Pace,
) {
    let mut waited = Duration::ZERO;
    loop {
        batch.extend(rows.try_iter().take(APPENDED));
        let span = if stored.is_alone() { pace.gather.min(IN_NEED) } else { pace.gather };
        let left = span.saturating_sub(waited).min(LOOK);
        if left.is_zero() || batch.len() >= APPENDED || shared.pause(left) {
            batch.extend(rows.try_iter().take(APPENDED));
            return;
        }
        waited += left;
    }
}

/// Rows that the journal has need not reach the disk here before it lets go of them.
fn append(log: &mut Outbox, batch: &[Row], stored: &Stored) -> io::Result<()> {
    log.append(batch)?;
    stored.wrote(log.file());
    if stored.is_alone()
        && let Err(error) = stored.make_safe()
    {
        tracing::error!("{} cannot be brought to the disk: {error}", log.place().display());
    }
    stored.add(log.last());
    Ok(())
}

/// For a store that is reached over the network: what it has to do between two writes (answer a
/// ping, see that the other side has gone) is done by a thread of its own.
pub fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("store io")
        .enable_all()
        .build()
        .map_err(|e| format!("a thread for a store cannot be started: {e}"))
}

#[cfg(test)]
pub mod tests;
