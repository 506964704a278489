//! One store and its thread: reads the outbox from the store's cursor on, writes in batches, and
//! tries again with less and less, and less and less often, while the store takes nothing.

use super::batch::Batch;
use super::bound::Oldest;
use super::columns::{self, key_of};
use super::outbox::{self, Bookmark, Outbox, Position};
use super::{Health, Pace, Place, Store, Trouble, places, refused};
use crate::core::Row;
use crate::shell::clock::Clock;
use crate::shell::meters::ShellMeters;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a row is refused alone until it is put aside, and how many may lie there: a store that
/// refuses everything is a store that is away.
const TRIES: u32 = 3;
const REFUSED_MAX: usize = 1_000;
/// Longer than any switch runs.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// What the appender and the feeders tell each other.
pub struct Shared {
    dir: PathBuf,
    /// As their cursors are called.
    names: Vec<String>,
    state: Mutex<State>,
    changed: Condvar,
    health: Arc<Health>,
}

struct State {
    /// Where this run began to append.
    begin: Position,
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
    pub fn new(log: &Outbox, names: Vec<String>, health: Arc<Health>) -> Self {
        let (dir, end) = (log.place(), log.end());
        let names: Vec<String> = names.iter().map(|name| places::file_name(name)).collect();
        for name in &names {
            if let Err(error) = outbox::begin(dir, name, log.last(), end) {
                tracing::warn!(store = name, "where it begins cannot be noted: {error}");
            }
        }
        // A cursor beyond the end belongs to an outbox that somebody has removed.
        let cursors = names.iter().map(|name| outbox::load_cursor(dir, name).min(end)).collect();
        let (stopping, closing, kept_from) = (false, false, 0);
        let state = State { begin: end, end, cursors, kept_from, stopping, closing };
        let state = Mutex::new(state);
        Self { dir: dir.into(), names, state, changed: Condvar::new(), health }
    }

    pub fn appended(&self, end: Position, rows: u64) {
        {
            // Whoever finds that nothing waits counts none of these.
            let mut state = self.lock();
            self.health.appended(rows);
            state.end = end;
        }
        self.changed.notify_all();
    }

    /// What an earlier run has left for this store.
    fn count_what_waits(&self, store: usize) {
        let (from, end) = {
            let state = self.lock();
            (state.cursors[store], state.begin)
        };
        let rows = if from < end { outbox::count(&self.dir, from, end) } else { Ok(0) };
        self.health.found(store, rows.unwrap_or(0));
    }

    pub fn place(&self) -> &Path {
        &self.dir
    }

    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Where nothing waits for this store, nothing is counted.
    fn count_none_where_it_has_all(&self, store: usize) {
        let state = self.lock();
        if state.cursors[store] >= state.end {
            self.health.has_all(store);
        }
    }

    /// The store that keeps the most from being removed.
    pub fn furthest_behind(&self) -> String {
        let cursors = self.lock().cursors.clone();
        let stores = cursors.iter().zip(&self.names);
        stores.min().map_or(String::new(), |(_, name)| name.clone())
    }

    /// Has stores that lag go on behind the oldest segment that one of them is in, where another
    /// has taken all of it.
    pub fn skip_oldest(&self) -> std::io::Result<Oldest> {
        let (cursors, end) = {
            let state = self.lock();
            (state.cursors.clone(), state.end)
        };
        let Some(oldest) = outbox::oldest(&self.dir)? else { return Ok(Oldest::None) };
        // One more stays before the first that a store is in, for as long as there is room.
        let lagging = cursors.iter().map(|cursor| cursor.segment).min().unwrap_or(oldest);
        let lagging = lagging.max(oldest);
        if lagging >= end.segment {
            return Ok(Oldest::None);
        }
        outbox::remove_before(&self.dir, lagging);
        if outbox::oldest(&self.dir)? != Some(oldest) {
            return Ok(Oldest::Skipped(Vec::new()));
        }
        let behind = Position { segment: lagging + 1, offset: 0 };
        let lags = |cursor: &Position| *cursor < behind;
        match cursors.iter().filter(|cursor| lags(cursor)).count() {
            0 => {}
            all if all == cursors.len() => return Ok(Oldest::Wanted),
            _ => {}
        }
        let mut skipped = Vec::new();
        for (store, cursor) in cursors.into_iter().enumerate().filter(|(_, cursor)| lags(cursor)) {
            let (rows, _) = outbox::read(&self.dir, cursor, behind, usize::MAX)?;
            self.advance(store, behind, &mut Bookmark::default());
            self.health.let_go(store, rows.len() as u64);
            skipped.push((self.names[store].clone(), rows));
        }
        outbox::remove_before(&self.dir, behind.segment);
        Ok(Oldest::Skipped(skipped))
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
        self.wait_at_most(store, FOR_EVER)
    }

    fn wait_at_most(&self, store: usize, span: Duration) -> (Position, Position, bool) {
        let nothing = |state: &mut State| state.cursors[store] >= state.end && !state.closing;
        let waited = self.changed.wait_timeout_while(self.lock(), span, nothing);
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
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
            // Meanwhile it may have been told to go on further behind.
            state.cursors[store] = state.cursors[store].max(at);
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
    shared.count_what_waits(n);
    let line = Line { place, store: None, proven: false };
    let (batch, clock) = (Batch::new(place.batch), Clock::start());
    let (alone, bookmark) = (Alone::default(), Bookmark::default());
    let mut feeder = Feeder { shared, n, line, batch, clock, alone, bookmark, meters };
    open_before_it_is_needed(shared, n, &mut feeder.line, pace);
    feeder.offer_what_was_refused();
    let (mut pause, mut tries_left) = (pace.retry.0, pace.last_tries);
    loop {
        let (from, end, closing) = shared.wait_for_rows(n);
        if from >= end && closing {
            return;
        }
        let Err(error) = feeder.bring(from, end) else {
            if pause > pace.retry.0 {
                tracing::warn!(store = place.name, "the store is back and gets what it missed");
            }
            pause = pace.retry.0;
            continue;
        };
        shared.health.failed(n, &error);
        meters.store_failures.increment(1);
        tracing::error!(
            store = place.name,
            "call records cannot be stored: {error}. They wait in {} and are tried again in {} ms; \
             calls go on",
            shared.dir.display(),
            pause.as_millis()
        );
        let was_away = pause > pace.retry.0;
        let stopping = shared.pause(pause);
        // Less may be taken at once. Where it is not even one row, more time may help.
        if feeder.batch.rows() == 1 {
            pause = (pause * 2).min(pace.retry.1);
        }
        tries_left -= u32::from(stopping);
        // What has long been away is not waited for at the end.
        if tries_left == 0 || stopping && was_away {
            tracing::error!(
                store = place.name,
                "the switch stops before this store has everything; it gets the rest at the next \
                 start"
            );
            return;
        }
    }
}

/// One store, and what has become of what it was given.
struct Feeder<'a> {
    shared: &'a Shared,
    n: usize,
    line: Line<'a>,
    batch: Batch,
    clock: Clock,
    alone: Alone,
    bookmark: Bookmark,
    meters: &'a ShellMeters,
}

/// The row that was last refused alone, and how often.
#[derive(Default)]
struct Alone {
    key: String,
    tries: u32,
}

impl Feeder<'_> {
    /// Writes the rows that come next, as many as the store takes at once.
    fn bring(&mut self, from: Position, end: Position) -> Result<(), String> {
        let read = outbox::read(&self.shared.dir, from, end, self.batch.rows());
        let (mut rows, at) = read.map_err(|e| format!("the outbox cannot be read: {e}"))?;
        let began = self.clock.instant();
        match self.line.write(&rows) {
            Ok(()) => {
                self.batch.taken(rows.len(), self.clock.instant().since(began));
                self.alone = Alone::default();
                self.has(&rows, at);
                Ok(())
            }
            Err(Trouble { why, of_the_rows }) => {
                self.batch.failed(rows.len());
                let alone = rows.pop().filter(|_| of_the_rows && rows.is_empty());
                match alone.filter(|row| self.is_refused(row)) {
                    Some(row) => self.pass_over(row, at, why),
                    None => Err(why),
                }
            }
        }
    }

    fn has(&mut self, rows: &[Row], at: Position) {
        self.shared.advance(self.n, at, &mut self.bookmark);
        self.shared.health.stored(self.n, rows.len() as u64, last_numbers(rows));
        // What was purged on its way has come to nobody.
        self.shared.count_none_where_it_has_all(self.n);
        self.meters.rows_stored.increment(rows.len() as u64);
    }

    /// Whether the store has refused this row often enough.
    fn is_refused(&mut self, row: &Row) -> bool {
        if self.alone.key != key_of(row) {
            self.alone = Alone { key: key_of(row), tries: 0 };
        }
        self.alone.tries += 1;
        self.alone.tries >= TRIES
    }

    /// Puts a row aside, so that all others get on.
    fn pass_over(&mut self, row: Row, at: Position, why: String) -> Result<(), String> {
        let (dir, name) = (&self.shared.dir, &self.shared.names[self.n]);
        let told = refused::named(&row);
        refused::put(dir, name, row, REFUSED_MAX)
            .map_err(|e| format!("{why}; {told} cannot be put aside: {e}"))?;
        tracing::error!(
            store = self.line.place.name,
            "{told} is refused: {why}. It lies in {}/refused/{name}.rows and is tried again at the \
             next start",
            dir.display()
        );
        self.alone = Alone::default();
        self.shared.health.passed_over(self.n);
        self.has(&[], at);
        Ok(())
    }

    /// What was mended meanwhile is taken now.
    fn offer_what_was_refused(&mut self) {
        let (dir, name) = (&self.shared.dir, &self.shared.names[self.n]);
        let tried = refused::rows(dir, name).and_then(|mut rows| {
            self.shared.health.refused(self.n, rows.len() as u64);
            if !rows.is_empty() && self.line.open().is_err() {
                return Ok(());
            }
            rows.retain(|row| self.line.write(std::slice::from_ref(row)).is_ok());
            let left = refused::let_go(dir, name, &rows.iter().map(key_of).collect())?;
            self.shared.health.refused(self.n, left as u64);
            Ok(())
        });
        if let Err(error) = tried {
            tracing::error!("{}: refused rows cannot be read or written: {error}", dir.display());
        }
    }
}

/// Opened before there is anything to write, so that what is wrong with it is known today, and that
/// it is right again as well.
fn open_before_it_is_needed(shared: &Shared, n: usize, line: &mut Line<'_>, pace: Pace) {
    let mut pause = pace.retry.0;
    loop {
        match line.open() {
            Ok(_) => return shared.health.stored(n, 0, (0, 0)),
            Err(error) => {
                tracing::error!(store = line.place.name, "cannot be opened: {error}");
                shared.health.failed(n, &error);
            }
        }
        let (from, end, closing) = shared.wait_at_most(n, pause);
        if from < end || closing {
            return;
        }
        pause = (pause * 2).min(pace.retry.1);
    }
}

fn last_numbers(rows: &[Row]) -> (u64, u64) {
    let number = |calls: bool| {
        let of = |row: &&Row| matches!(row, Row::Call(_)) == calls;
        rows.iter().rev().find(of).map_or(0, columns::number_of)
    };
    (number(true), number(false))
}

/// The way into a store.
struct Line<'a> {
    place: &'a Place,
    store: Option<Box<dyn Store>>,
    /// It has taken rows since it was opened.
    proven: bool,
}

impl Line<'_> {
    fn open(&mut self) -> Result<&mut Box<dyn Store>, String> {
        let store = match self.store.take() {
            Some(store) => store,
            None => (self.place.open)()?,
        };
        Ok(self.store.insert(store))
    }

    /// The other side may have closed at leisure what was open: one that has worked is opened anew
    /// before anybody is alarmed.
    fn write(&mut self, rows: &[Row]) -> Result<(), Trouble> {
        if rows.is_empty() {
            return Ok(());
        }
        let worked = self.proven;
        match self.try_write(rows) {
            Err(_) if worked => self.try_write(rows),
            done => done,
        }
    }

    fn try_write(&mut self, rows: &[Row]) -> Result<(), Trouble> {
        let written = self.open().map_err(Trouble::from).and_then(|store| store.write(rows));
        self.proven = written.is_ok();
        if written.is_err() {
            self.store = None;
        }
        written
    }
}
