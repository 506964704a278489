//! What is going on now, as a fold over facts: the answers to everything that only reads.
//!
//! In: facts, in their order, and the names that the settings give. Out: JSON for lists, and a ring
//! of recent facts for subscribers. It lives on a thread of its own behind a bounded queue, so that
//! a thousand wallboards slow no call. Facts come to it once and are counted nowhere else.

mod access;
mod directory;
mod fact_text;
mod fold;
mod handover;
mod legs;
mod lists;
mod missed;
mod names;
mod ring;
mod shifts;
mod story;
mod tapes;
mod trunks;
mod wall;
mod why;

pub use access::Sight;
pub use fold::Board;
pub use names::{Names, Party};
pub use ring::{Acts, Missed};

use super::clock::Clock;
use super::lane::{Lane, Outlet};
use super::meters::ShellMeters;
use crate::base::Now;
use crate::core::Fact;
use crossbeam_channel as channel;
use serde_json::Value;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;
use tokio::sync::watch;

/// Batches of facts that wait for the board, and those that the core keeps when it lags.
const QUEUED: usize = 4_096;
const WAITING_MAX: usize = 262_144;
/// How long the board's thread lets news gather before it folds them: for those who are to be told,
/// and for nobody.
const GATHER: Duration = Duration::from_millis(25);
const GATHER_LONG: Duration = Duration::from_millis(250);

/// What the core loop tells the board.
#[derive(Debug)]
pub enum News {
    Facts(Vec<Fact>),
    /// The settings changed; what follows is told in these names.
    Names(Box<Names>),
    /// Somebody wants the board as it is when it has taken everything before this.
    Copy(channel::Sender<Board>),
}

/// Reads the board from any thread.
#[derive(Clone)]
pub struct BoardReader {
    keeper: Arc<Mutex<Keeper>>,
    clock: Clock,
}

/// The board, and the news that it has yet to take. Whoever looks first takes what has come, so
/// that an answer is never older than the question.
struct Keeper {
    board: Board,
    news: channel::Receiver<News>,
    latest: watch::Sender<u64>,
    meters: ShellMeters,
}

/// The way to the board. Its thread is woken only where it has been idle, then gathers for a while:
/// waking a thread costs more than folding a fact.
struct Sender {
    news: channel::Sender<News>,
    thread: Thread,
    idle: Arc<AtomicBool>,
}

/// Starts the board's thread with what is known already. It ends when the lane is dropped.
pub fn start(
    board: Board,
    clock: Clock,
    meters: ShellMeters,
) -> io::Result<(Lane<News>, BoardReader, JoinHandle<()>)> {
    let (sender, news) = channel::bounded::<News>(QUEUED);
    let keeper = Keeper { news, latest: watch::Sender::new(board.last()), board, meters };
    let keeper = Arc::new(Mutex::new(keeper));
    let idle = Arc::new(AtomicBool::new(false));
    let (shared, sleeps) = (Arc::clone(&keeper), Arc::clone(&idle));
    let thread = std::thread::Builder::new().name("board".into());
    let thread = thread.spawn(move || keep(&shared, &sleeps))?;
    let sender = Sender { news: sender, thread: thread.thread().clone(), idle };
    let reader = BoardReader { keeper, clock };
    Ok((Lane::new("facts", Box::new(sender), WAITING_MAX), reader, thread))
}

fn keep(keeper: &Mutex<Keeper>, idle: &AtomicBool) {
    while lock(keeper).catch_up() {
        idle.store(true, Ordering::SeqCst);
        while idle.load(Ordering::SeqCst) && lock(keeper).news.is_empty() {
            std::thread::park();
        }
        idle.store(false, Ordering::SeqCst);
        let listened_to = lock(keeper).latest.receiver_count() > 0;
        std::thread::park_timeout(if listened_to { GATHER } else { GATHER_LONG });
    }
}

impl Keeper {
    /// Takes all the news there is; false when there will be no more.
    fn catch_up(&mut self) -> bool {
        let arrived = self.board.counts().arrived;
        let over = loop {
            match self.news.try_recv() {
                Ok(News::Facts(facts)) => facts.into_iter().for_each(|fact| self.board.take(fact)),
                Ok(News::Names(names)) => self.board.rename(*names),
                // Whoever wanted it may have given up.
                Ok(News::Copy(to)) => drop(to.try_send(self.board.clone())),
                Err(end) => break end == channel::TryRecvError::Disconnected,
            }
        };
        if self.board.last() != *self.latest.borrow() {
            self.meters.calls.increment(self.board.counts().arrived - arrived);
            self.meters.calls_live.set(self.board.live() as f64);
            self.latest.send_replace(self.board.last());
        }
        !over
    }
}

impl Outlet<News> for Sender {
    fn put(&self, news: News) -> Result<(), News> {
        Outlet::put(&self.news, news)?;
        self.wake();
        Ok(())
    }
}

impl Sender {
    fn wake(&self) {
        if self.idle.swap(false, Ordering::SeqCst) {
            self.thread.unpark();
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // Hang up first: the thread must see it when it wakes.
        self.news = channel::bounded(0).0;
        self.idle.store(false, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// A board whose thread has panicked still shows what it knew.
fn lock(keeper: &Mutex<Keeper>) -> MutexGuard<'_, Keeper> {
    keeper.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl BoardReader {
    pub fn read(&self, list: impl FnOnce(&Board, Now) -> Value) -> Value {
        let now = self.clock.now();
        list(&self.current().board, now)
    }

    /// Looks at the board as it is after all that was told before.
    pub fn with<R>(&self, look: impl FnOnce(&Board) -> R) -> R {
        look(&self.current().board)
    }

    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// The ids of the live calls.
    pub fn calls(&self) -> Vec<String> {
        self.current().board.call_ids()
    }

    /// Facts from number `from` on, at most `limit` of them, each as a JSON object.
    pub fn facts(&self, from: u64, limit: usize) -> Result<Vec<Arc<str>>, Missed> {
        self.current().board.facts(from, limit)
    }

    /// Changes whenever there are new facts; its value is the number of the newest.
    pub fn latest(&self) -> watch::Receiver<u64> {
        self.current().latest.subscribe()
    }

    fn current(&self) -> MutexGuard<'_, Keeper> {
        let mut keeper = lock(&self.keeper);
        keeper.catch_up();
        keeper
    }
}

#[cfg(test)]
mod tests;
