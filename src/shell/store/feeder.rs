//! One store and its thread: reads the outbox from the store's cursor on, writes in batches, and
//! tries again, less and less often, while the store is away.

use super::outbox::{self, Bookmark, Position};
use super::{Pace, Place, Store};
use crate::core::Row;
use crate::shell::meters::ShellMeters;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Rows in one transaction.
const BATCH: usize = 1_000;

/// What the appender and the feeders tell each other.
pub struct Shared {
    dir: PathBuf,
    names: Vec<String>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    end: Position,
    /// In the order of the stores.
    cursors: Vec<Position>,
    /// Segments before it are gone.
    kept_from: u64,
    /// The switch stops: whoever pauses does so no longer.
    stopping: bool,
    /// Nothing more will be appended.
    closing: bool,
}

impl Shared {
    pub fn new(dir: &Path, names: Vec<String>, end: Position) -> Self {
        // A cursor beyond the end belongs to an outbox that somebody has removed.
        let cursors = names.iter().map(|name| outbox::load_cursor(dir, name).min(end)).collect();
        let (stopping, closing, kept_from) = (false, false, 0);
        let state = Mutex::new(State { end, cursors, kept_from, stopping, closing });
        Self { dir: dir.into(), names, state, changed: Condvar::new() }
    }

    pub fn appended(&self, end: Position) {
        self.lock().end = end;
        self.changed.notify_all();
    }

    pub fn hurry(&self) {
        self.lock().stopping = true;
        self.changed.notify_all();
    }

    pub fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for rows beyond the store's cursor: from where, to where, and whether the end is near.
    fn wait_for_rows(&self, store: usize) -> (Position, Position, bool) {
        let nothing = |state: &mut State| state.cursors[store] >= state.end && !state.closing;
        let state = self.changed.wait_while(self.lock(), nothing);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        (state.cursors[store], state.end, state.closing)
    }

    /// Waits for `span`, or less when the switch stops; true where it does.
    pub fn pause(&self, span: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), span, |state| !state.stopping);
        waited.unwrap_or_else(PoisonError::into_inner).0.stopping
    }

    fn advance(&self, store: usize, at: Position, bookmark: &mut Bookmark) {
        if let Err(error) = bookmark.set(&self.dir, &self.names[store], at) {
            tracing::warn!(
                store = self.names[store],
                "how far this store has come cannot be noted: {error}. After a restart it is fed \
                 again; it knows what it has"
            );
        }
        let needed = {
            let mut state = self.lock();
            state.cursors[store] = at;
            let needed = state.cursors.iter().map(|cursor| cursor.segment).min();
            // One more stays: a start looks there for the last numbers.
            let needed = needed.unwrap_or(at.segment).saturating_sub(1);
            (std::mem::replace(&mut state.kept_from, needed) != needed).then_some(needed)
        };
        if let Some(needed) = needed {
            outbox::remove_before(&self.dir, needed);
        }
    }
}

/// Feeds one store until the end.
pub fn feed(shared: &Shared, n: usize, place: &Place, pace: Pace, meters: &ShellMeters) {
    // Opened before there is anything to write, so that what is wrong with it is known today.
    let mut store = (place.open)()
        .map_err(|error| tracing::error!(store = place.name, "cannot be opened: {error}"))
        .ok();
    let mut pause = pace.retry.0;
    let mut tries_left = pace.last_tries;
    let mut bookmark = Bookmark::default();
    loop {
        let (from, end, closing) = shared.wait_for_rows(n);
        if from >= end && closing {
            return;
        }
        let fed = outbox::read(&shared.dir, from, end, BATCH)
            .map_err(|e| format!("the outbox cannot be read: {e}"))
            .and_then(|(rows, at)| write(&mut store, place, &rows).map(|()| (rows.len(), at)));
        match fed {
            Ok((rows, at)) => {
                shared.advance(n, at, &mut bookmark);
                meters.rows_stored.increment(rows as u64);
                if pause > pace.retry.0 {
                    tracing::warn!(store = place.name, "the store is back and gets what it missed");
                }
                pause = pace.retry.0;
            }
            Err(error) => {
                store = None;
                meters.store_failures.increment(1);
                tracing::error!(
                    store = place.name,
                    "call records cannot be stored: {error}. They wait in {} and are tried again \
                     in {} ms; calls go on",
                    shared.dir.display(),
                    pause.as_millis()
                );
                let stopping = shared.pause(pause);
                pause = (pause * 2).min(pace.retry.1);
                tries_left -= u32::from(stopping);
                if tries_left == 0 {
                    tracing::error!(
                        store = place.name,
                        "the switch stops before this store has everything; it gets the rest at \
                         the next start"
                    );
                    return;
                }
            }
        }
    }
}

fn write(store: &mut Option<Box<dyn Store>>, place: &Place, rows: &[Row]) -> Result<(), String> {
    if store.is_none() {
        *store = Some((place.open)()?);
    }
    match store {
        Some(store) if !rows.is_empty() => store.write(rows),
        _ => Ok(()),
    }
}
