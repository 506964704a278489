//! What the journal does behind the core's back: it brings segments to the disk, writes snapshots,
//! and removes what is no longer needed.

use super::retire::Retirement;
use super::{Limits, files};
use crate::core::journal::{self, Header, Memory, NoteRef};
use crate::shell::board::Board;
use crate::shell::store::Stored;
use crossbeam_channel::{self as channel, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Segments that wait to be synced: one, and another after a turn.
const SYNCS_QUEUED: usize = 16;
/// How often the snapshot's thread looks whether the rows before it are safe.
const LOOK: Duration = Duration::from_millis(20);
/// How often whoever waits for the last snapshot looks.
const FINISH: Duration = Duration::from_millis(2);
/// How long it waits for the board to say what it knows.
const BOARD_WITHIN: Duration = Duration::from_secs(10);

/// A segment's file, which the core writes and a thread syncs.
pub struct SegmentFile {
    pub file: File,
    /// Something was written since the last sync.
    dirty: AtomicBool,
    /// The thread has it.
    known: AtomicBool,
}

impl SegmentFile {
    pub fn new(file: File) -> Arc<Self> {
        Arc::new(Self { file, dirty: AtomicBool::new(false), known: AtomicBool::new(false) })
    }
}

/// A snapshot to be written.
pub struct Task {
    pub number: u64,
    /// The segment before it ends where this one begins.
    pub follows: bool,
    pub memory: Memory,
    /// The board at the same fact.
    pub board: Receiver<Board>,
}

/// The threads. Dropping it waits for the last sync; a snapshot under way is given up.
pub struct Keeper {
    syncs: Option<Sender<Arc<SegmentFile>>>,
    tasks: Option<Sender<Task>>,
    stop: Option<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
    state: Arc<Health>,
}

/// What the threads tell the core.
#[derive(Default)]
pub struct Health {
    /// The disk has refused to keep what was written.
    sync_failed: AtomicBool,
    /// The thread that syncs looks by itself whether something was written.
    awake: AtomicBool,
    /// A snapshot is being written.
    busy: AtomicBool,
    /// It must not wait for rows any longer.
    pressed: AtomicBool,
    /// The process ends, and nobody hears the switch until it has.
    leaving: AtomicBool,
    /// The number of the newest snapshot that is safe.
    newest: AtomicU64,
}

impl Health {
    /// The newest snapshot of this run that is safe; 0 before the first.
    pub fn newest(&self) -> u64 {
        self.newest.load(Ordering::SeqCst)
    }

    /// Whether the last snapshot waits for whatever else is done.
    fn hurry(&self) -> impl Fn() -> bool + '_ {
        || self.leaving.load(Ordering::SeqCst)
    }
}

impl Keeper {
    pub fn start(dir: &Path, limits: Limits, stored: Arc<Stored>) -> io::Result<Self> {
        let (syncs, syncs_end) = channel::bounded(SYNCS_QUEUED);
        let (tasks, tasks_end) = channel::bounded(1);
        let (stop, stopped) = channel::bounded(0);
        let state = Arc::new(Health::default());
        let (health, ended) = (Arc::clone(&state), stopped.clone());
        let syncer = Syncer { together: limits.together, stopped: ended, health };
        let sync = move || syncer.run(&syncs_end);
        let (old, health) = (Retirement::new(dir, limits), Arc::clone(&state));
        let mut scribe = Scribe { dir: dir.into(), old, stored, stopped, health };
        let write = move || tasks_end.iter().for_each(|task| scribe.perform(task));
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.into()).spawn(work)
        };
        let threads = vec![spawn("sync", Box::new(sync))?, spawn("snapshot", Box::new(write))?];
        Ok(Self { syncs: Some(syncs), tasks: Some(tasks), stop: Some(stop), threads, state })
    }

    /// Has the file synced soon. Never waits; the thread is woken only where it is asleep.
    pub fn sync(&self, segment: &Arc<SegmentFile>) {
        let was_dirty = segment.dirty.swap(true, Ordering::SeqCst);
        let is_seen = segment.known.load(Ordering::Relaxed)
            && (was_dirty || self.state.awake.load(Ordering::SeqCst));
        if !is_seen && let Some(syncs) = &self.syncs {
            let sent = syncs.try_send(Arc::clone(segment)).is_ok();
            segment.known.store(sent, Ordering::Relaxed);
        }
    }

    /// From now on only what the next process begins with is done: what is kept no longer, it
    /// removes.
    pub fn hurry(&self) {
        self.state.leaving.store(true, Ordering::SeqCst);
    }

    /// Waits until all that was asked for is done, but not for a disk that hangs or for rows that
    /// do not come: then the threads are left to themselves.
    pub fn finish(mut self, within: Duration) -> Arc<Health> {
        (self.syncs, self.tasks) = (None, None);
        self.threads.iter().for_each(|thread| thread.thread().unpark());
        let mut looks = within.as_millis() / FINISH.as_millis();
        while looks > 0 && self.threads.iter().any(|thread| !thread.is_finished()) {
            std::thread::park_timeout(FINISH);
            looks -= 1;
        }
        self.threads.retain(JoinHandle::is_finished);
        Arc::clone(&self.state)
    }

    /// Whether a snapshot could be taken now.
    pub fn is_free(&self) -> bool {
        !self.state.busy.load(Ordering::SeqCst)
    }

    /// The segment grows and grows: the snapshot under way must come.
    pub fn press(&self) {
        self.state.pressed.store(true, Ordering::Relaxed);
    }

    pub fn write(&self, task: Task) {
        self.state.pressed.store(false, Ordering::Relaxed);
        self.state.busy.store(true, Ordering::SeqCst);
        if self.tasks.as_ref().is_none_or(|tasks| tasks.try_send(task).is_err()) {
            self.state.busy.store(false, Ordering::SeqCst);
        }
    }

    /// The newest snapshot of this run that is safe; 0 before the first.
    pub fn newest(&self) -> u64 {
        self.state.newest()
    }

    /// Whether the disk has refused something since the last question.
    pub fn has_failed(&self) -> bool {
        self.state.sync_failed.load(Ordering::Relaxed)
            && self.state.sync_failed.swap(false, Ordering::SeqCst)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        (self.stop, self.syncs, self.tasks) = (None, None, None);
        self.threads.iter().for_each(|thread| thread.thread().unpark());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Brings segments to the disk: turn after turn while something is written, and asleep while not.
struct Syncer {
    together: Duration,
    stopped: Receiver<()>,
    health: Arc<Health>,
}

impl Syncer {
    fn run(&self, segments: &Receiver<Arc<SegmentFile>>) {
        for mut segment in segments {
            self.health.awake.store(true, Ordering::SeqCst);
            loop {
                if self.stopped.try_recv() == Err(TryRecvError::Empty) {
                    std::thread::park_timeout(self.together);
                }
                for next in segments.try_iter() {
                    self.sync(&segment);
                    segment = next;
                }
                if !self.sync(&segment) && self.may_sleep(&segment) {
                    break;
                }
            }
        }
    }

    /// Whoever writes marks the segment first and looks then who is awake; here it is the other
    /// way round, so that one of the two sees the other.
    fn may_sleep(&self, segment: &SegmentFile) -> bool {
        self.health.awake.store(false, Ordering::SeqCst);
        let may = !segment.dirty.load(Ordering::SeqCst);
        self.health.awake.store(!may, Ordering::SeqCst);
        may
    }

    /// False where there was nothing to do.
    fn sync(&self, segment: &SegmentFile) -> bool {
        let dirty = segment.dirty.swap(false, Ordering::SeqCst);
        if dirty
            && let Err(error) = segment.file.sync_data()
            && !self.health.sync_failed.swap(true, Ordering::SeqCst)
        {
            tracing::error!("the journal cannot be brought to the disk: {error}");
        }
        dirty
    }
}

/// Writes snapshots.
struct Scribe {
    dir: PathBuf,
    /// What is kept no longer.
    old: Retirement,
    stored: Arc<Stored>,
    stopped: Receiver<()>,
    health: Arc<Health>,
}

impl Scribe {
    fn perform(&mut self, task: Task) {
        if self.wait_for_rows(&task) {
            let (number, follows, now) = (task.number, task.follows, task.memory.now);
            let safe = self.stored.make_safe().map_err(|e| format!("the outbox: {e}"));
            let written = safe.and_then(|()| self.write(task));
            if written.is_ok() {
                self.health.newest.store(number, Ordering::SeqCst);
                self.mark_over(number - 1, follows);
            }
            if let Err(error) = written {
                tracing::error!(
                    "snapshot {number} of the journal cannot be written to {}: {error}. The old \
                     one and the segments after it stay, and the next try comes with the next \
                     segment",
                    self.dir.display()
                );
            } else if let Err(error) = self.old.clear((number, now), &self.health.hurry()) {
                let dir = self.dir.display();
                tracing::error!("{dir}: old segments of the journal cannot be removed: {error}");
            }
        }
        self.health.busy.store(false, Ordering::SeqCst);
    }

    /// Whoever begins with this snapshot never sees the rows before it, so those must be safe.
    fn wait_for_rows(&self, task: &Task) -> bool {
        let (calls, states) = task.memory.state.rows_written();
        while !self.stored.has(calls, states) {
            if self.health.pressed.load(Ordering::Relaxed) {
                tracing::error!(
                    "the outbox takes no rows, and the journal has reached its limit: records up \
                     to call {calls} may be in memory only, and in the old segments of {} as far \
                     as those are kept",
                    self.dir.display()
                );
                return true;
            }
            if self.stopped.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout) {
                return false;
            }
        }
        true
    }

    fn write(&self, task: Task) -> Result<(), String> {
        let Task { number, memory, board, .. } = task;
        let board = board.recv_timeout(BOARD_WITHIN).ok();
        let bytes = encode(number, &memory, board.as_ref())?;
        let path = files::snapshot(&self.dir, number);
        files::publish(&path, &bytes).map_err(|e| e.to_string())
    }

    /// Only now, when the name of the next segment is on the disk as well: whoever finds this one
    /// the last from here on knows that it is not all.
    fn mark_over(&self, number: u64, followed: bool) {
        if followed && let Err(error) = files::mark_followed(&self.dir, number) {
            tracing::warn!("segment {number} cannot be marked as over: {error}");
        }
    }
}

/// A snapshot as a file.
pub fn encode(number: u64, memory: &Memory, board: Option<&Board>) -> Result<Vec<u8>, String> {
    let mut bytes = Header::new(number, false).encode().to_vec();
    journal::put_shape(&mut bytes, number, journal::shape())?;
    for note in memory.state.notes(memory.now) {
        journal::put_note(&mut bytes, number, &note)?;
    }
    for kept in memory.state.kept() {
        journal::put_note(&mut bytes, number, &NoteRef::Kept(&kept))?;
    }
    journal::put_memory(&mut bytes, number, memory)?;
    if let Some(board) = board {
        journal::put_fold(&mut bytes, number, board)?;
    }
    Ok(bytes)
}
