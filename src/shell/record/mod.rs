//! Recordings: one thread that writes what the media workers hear, one that brings to the disk what
//! is over, and one that tells of a disk which does not keep up, for each of the others may hang.
//!
//! In: orders of the core, packets of the workers, both through bounded queues. Out: files under
//! the folder of recordings, and what became of each. May import: base, call, config,
//! core, media, wire.

mod closer;
mod file;
mod growing;
mod mark;
mod opus;
mod seal;
mod timeline;
mod watcher;
mod writer;

pub use file::{find, is_opus, open, open_by};

use super::clock::Clock;
use super::meters::ShellMeters;
use crate::base::{CallId, Instant};
use crate::call::{Tape, TapeEvent};
use crate::config::Hold;
use crate::core::Event;
use crate::media::Batch;
use crossbeam_channel::{self as channel, Receiver, Sender};
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use writer::Writer;

/// Buffers that wait for the disk: 64 MB, of 500 calls six seconds.
const BATCHES: usize = 1_024;
/// Orders that wait, besides those in the core's own reserve.
const ORDERS: usize = 4_096;
/// Read buffers on their way back.
const EMPTY: usize = 16;
/// Files that are over and wait for the disk, each of them open. Whoever writes waits for room.
const JOBS: usize = 512;
/// What is to be tidied up; there is no more of it than of files that a dead process had open.
const CHORES: usize = 16_384;
/// How long a process that ends waits for the disk: what it has not brought there by then is a file
/// without a name, which the next process finds.
const ENDING: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);

/// Told what became of a recording; it may wait, but for nothing that waits for a worker.
pub type News = Arc<dyn Fn(Event) + Send + Sync>;

#[derive(Clone)]
pub struct Recorder {
    pub folder: PathBuf,
    /// Sealed with this one.
    pub key: Option<String>,
    /// And what was begun with one of these goes on with it.
    pub old_keys: Vec<String>,
    /// How long files are kept; `None`: for ever.
    pub keep: Option<Duration>,
    pub holds: Holds,
    pub clock: Clock,
    pub news: News,
    pub meters: ShellMeters,
}

impl Recorder {
    /// None first, where there is none.
    fn keys(&self) -> impl Iterator<Item = Option<&str>> {
        std::iter::once(self.key.as_deref()).chain(self.old_keys.iter().map(|key| Some(&**key)))
    }

    fn tell(&self, event: TapeEvent) {
        (self.news)(Event::Recording(event));
    }

    /// Why nothing is written any more; or that it is again.
    fn alarm(&self, trouble: Option<String>) {
        (self.news)(Event::Recorder { trouble });
    }

    fn failed(&self, call: CallId, why: &str) {
        tracing::error!("a recording has failed: {why}. The call goes on; see to the disk");
        self.meters.recordings_failed.increment(1);
        self.tell(TapeEvent::Failed { call, why: why.into() });
    }

    fn forget_old(&self) {
        let Some(keep) = self.keep else { return };
        let wall = self.clock.now().wall.0 - keep.as_micros() as i64;
        let first = crate::call::day(crate::base::Wall(wall));
        match file::forget_before(&self.folder, &first, &self.holds.now()) {
            Ok(0) => {}
            Ok(days) => tracing::info!("recordings of {days} days before {first} are deleted"),
            Err(error) => tracing::error!("old recordings cannot be deleted: {error}"),
        }
    }
}

/// Names of files are on the disk when their folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// What is kept whatever its age, as the configuration in force has it.
#[derive(Clone, Debug, Default)]
pub struct Holds(Arc<Mutex<Vec<Hold>>>);

impl Holds {
    pub fn set(&self, holds: &[Hold]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = holds.to_vec();
    }

    fn now(&self) -> Vec<Hold> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the workers and the writer both see.
#[derive(Debug, Default)]
struct Shared {
    /// Packets for which there was no room.
    lost: AtomicU64,
    /// The calls that they were of, since somebody looked.
    of: Mutex<BTreeSet<CallId>>,
    /// Held while those are told, so that nobody is told of an end before them.
    telling: Mutex<()>,
    /// When whoever writes was last seen to go on, in microseconds.
    beat: AtomicU64,
    /// Whether the calls that a dead process was recording have been told of, or will be at once.
    is_up: AtomicBool,
}

impl Shared {
    /// Tells it, if sound of this call was lost and nobody has told it so yet.
    fn tell_loser(&self, config: &Recorder, call: CallId) {
        let _telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        if self.of.lock().unwrap_or_else(PoisonError::into_inner).remove(&call) {
            config.tell(TapeEvent::Gaps { call });
        }
    }

    /// Tells everybody whose sound was lost since this was done the last time.
    fn tell_losers(&self, config: &Recorder) {
        let _telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let losers = std::mem::take(&mut *self.of.lock().unwrap_or_else(PoisonError::into_inner));
        losers.into_iter().for_each(|call| config.tell(TapeEvent::Gaps { call }));
    }

    /// Whoever writes goes on.
    fn beat(&self, clock: &Clock) -> Instant {
        let now = clock.instant();
        self.beat.store(now.0, Ordering::Relaxed);
        now
    }
}

/// Where a worker puts what was heard. It never waits. The default one leads nowhere.
#[derive(Clone, Default)]
pub struct Inlet {
    sound: Option<Sender<Batch>>,
    empty: Option<Receiver<Batch>>,
    shared: Arc<Shared>,
}

impl Inlet {
    pub fn put(&self, batch: Batch) {
        let Some(sound) = &self.sound else { return };
        if let Err(refused) = sound.try_send(batch) {
            let batch = refused.into_inner();
            let calls = batch.iter().map(|heard| heard.track.call);
            self.spilt(calls, batch.iter().count() as u64);
        }
    }

    /// So many packets of these calls are not written.
    pub fn spilt(&self, calls: impl IntoIterator<Item = CallId>, packets: u64) {
        // Held for a moment by whoever looks, and only where sound was lost.
        self.shared.of.lock().unwrap_or_else(PoisonError::into_inner).extend(calls);
        self.shared.lost.fetch_add(packets, Ordering::Relaxed);
    }

    /// A buffer that has been read, if there is one.
    pub fn read(&self) -> Option<Batch> {
        self.empty.as_ref()?.try_recv().ok()
    }

    /// Packets that were not written, since there was no room.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

/// The threads that record.
pub struct Threads {
    /// Whoever writes what is heard. It ends, with all of that written, when the sender of orders
    /// and every inlet are dropped.
    pub writer: JoinHandle<()>,
    finisher: JoinHandle<()>,
    tidier: JoinHandle<()>,
    watcher: JoinHandle<()>,
    shared: Arc<Shared>,
}

impl Threads {
    /// The core is at work: what nobody goes on with soon, nobody will.
    pub fn with_core(self) -> Self {
        self.shared.is_up.store(true, Ordering::Relaxed);
        self
    }

    /// Waits until everything is written and closed, though not for a disk that hangs. False: it
    /// does.
    pub fn end(self) -> bool {
        let all = [self.writer, self.finisher, self.tidier, self.watcher];
        for _ in 0..ENDING.as_millis() / LOOK.as_millis() {
            if all.iter().all(JoinHandle::is_finished) {
                return true;
            }
            std::thread::park_timeout(LOOK);
        }
        tracing::error!("the disk of recordings hangs: some are left for the next start");
        false
    }
}

/// Starts the threads.
pub fn start(config: Recorder) -> io::Result<(Sender<Tape>, Inlet, Threads)> {
    let (orders, orders_end) = channel::bounded(ORDERS);
    let (sound, sound_end) = channel::bounded(BATCHES);
    let (empty, empty_end) = channel::bounded(EMPTY);
    let (jobs, jobs_end) = channel::bounded(JOBS);
    let (chores, chores_end) = channel::bounded(CHORES);
    let shared = Arc::new(Shared::default());
    let named = |name: &str| std::thread::Builder::new().name(name.into());
    let began = shared.beat(&config.clock);
    let (watched, watched_end) = channel::bounded(1);
    let watch = watcher::Watcher::new(config.clone(), Arc::clone(&shared));
    let watcher = named("rec-watcher").spawn(move || watch.run(&watched_end))?;
    let (ours, theirs) = (config.clone(), config.clone());
    let late = chores.clone();
    let finish = move || closer::finish(&ours, &jobs_end, &late, sync_folder);
    let finisher = named("rec-finisher").spawn(finish)?;
    let tidier = named("rec-tidier").spawn(move || closer::tidy(&theirs, &chores_end))?;
    let writer = Writer {
        orphans: Vec::new(),
        config,
        orders: orders_end,
        sound: sound_end,
        empty,
        jobs,
        chores,
        shared: Arc::clone(&shared),
        live: Default::default(),
        heard: began,
        watched,
    };
    let writer = named("recorder").spawn(|| writer.run())?;
    let threads = Threads { writer, finisher, tidier, watcher, shared: Arc::clone(&shared) };
    Ok((orders, Inlet { sound: Some(sound), empty: Some(empty_end), shared }, threads))
}

#[cfg(test)]
mod tests;
