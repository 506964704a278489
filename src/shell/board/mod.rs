//! What is going on now, as a fold over facts: the answers to everything that only reads.
//!
//! In: facts, in their order, and the names that the settings give. Out: JSON for lists, and a ring
//! of recent facts for subscribers. It lives on a thread of its own behind a bounded queue, so that
//! a thousand wallboards slow no call. Facts come to it once and are counted nowhere else.

mod fact_text;
mod fold;
mod lists;
mod names;
mod ring;

pub use fold::Board;
pub use names::Names;
pub use ring::Missed;

use super::clock::Clock;
use super::lane::Lane;
use super::meters::ShellMeters;
use crate::base::Now;
use crate::core::Fact;
use crossbeam_channel as channel;
use serde_json::Value;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use tokio::sync::watch;

/// Batches of facts that wait for the board, and those that the core keeps when it lags.
const QUEUED: usize = 4_096;
const WAITING_MAX: usize = 262_144;

/// What the core loop tells the board.
#[derive(Debug)]
pub enum News {
    Facts(Vec<Fact>),
    /// The settings changed; what follows is told in these names.
    Names(Names),
}

/// Reads the board from any thread.
#[derive(Clone)]
pub struct BoardReader {
    board: Arc<Mutex<Board>>,
    latest: watch::Receiver<u64>,
    clock: Clock,
}

/// Starts the board's thread. It ends when the lane is dropped.
pub fn start(
    names: Names,
    clock: Clock,
    meters: ShellMeters,
) -> io::Result<(Lane<News>, BoardReader, JoinHandle<()>)> {
    let (sender, receiver) = channel::bounded::<News>(QUEUED);
    let (latest_sender, latest) = watch::channel(0);
    let board = Arc::new(Mutex::new(Board::new(names, clock.now())));
    let shared = Arc::clone(&board);
    let thread = std::thread::Builder::new().name("board".into()).spawn(move || {
        for news in receiver {
            let mut board = lock(&shared);
            let arrived = board.counts().arrived;
            match news {
                News::Facts(facts) => facts.iter().for_each(|fact| board.take(fact)),
                News::Names(names) => board.rename(names),
            }
            meters.calls.increment(board.counts().arrived - arrived);
            meters.calls_live.set(board.live() as f64);
            latest_sender.send_replace(board.last());
        }
    })?;
    let reader = BoardReader { board, latest, clock };
    Ok((Lane::new("facts", Box::new(sender), WAITING_MAX), reader, thread))
}

/// A board whose thread has panicked still shows what it knew.
fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl BoardReader {
    pub fn read(&self, list: impl FnOnce(&Board, Now) -> Value) -> Value {
        let now = self.clock.now();
        list(&lock(&self.board), now)
    }

    /// The ids of the live calls.
    pub fn calls(&self) -> Vec<String> {
        lock(&self.board).call_ids()
    }

    /// Facts from number `from` on, at most `limit` of them, each as a JSON object.
    pub fn facts(&self, from: u64, limit: usize) -> Result<Vec<Arc<str>>, Missed> {
        lock(&self.board).ring().from(from, limit)
    }

    /// Changes whenever there are new facts; its value is the number of the newest.
    pub fn latest(&self) -> watch::Receiver<u64> {
        self.latest.clone()
    }
}

#[cfg(test)]
mod tests;
