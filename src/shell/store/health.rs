//! How every store does, for whoever asks: how far it is behind, since when it is away and why.
//! Going away and coming back are told to the core as well, so that they stand among the facts.

use crate::base::Wall;
use crate::shell::clock::Clock;
use crate::shell::meters::{Metrics, StoreMeters};
use crate::shell::stamp::optional;
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tells whoever is on duty: the store, and what is wrong with it, or that nothing is any more.
pub type Alarm = Box<dyn Fn(&str, Option<&str>) + Send + Sync>;

/// What is known of all stores, in their order.
pub struct Health {
    stores: Vec<(String, StoreMeters, Mutex<One>)>,
    clock: Clock,
    alarm: Alarm,
}

#[derive(Default)]
struct One {
    /// `None` until it was tried.
    up: Option<bool>,
    /// Rows in the outbox that it does not have.
    behind: u64,
    stored: u64,
    /// Rows that it never gets, since the outbox was full of them.
    let_go: u64,
    /// The numbers of the last rows that it has got in this run.
    last: (u64, u64),
    away_since: Option<Wall>,
    failures: u64,
    /// What went wrong last, and when.
    error: Option<(Wall, String)>,
}

impl Health {
    pub fn new(names: &[String], metrics: &Metrics, alarm: Alarm) -> Self {
        let one = |name: &String| (name.clone(), metrics.for_store(name), Mutex::default());
        Self { stores: names.iter().map(one).collect(), clock: Clock::start(), alarm }
    }

    /// So many more rows wait for every store.
    pub fn appended(&self, rows: u64) {
        (0..self.stores.len()).for_each(|store| self.found(store, rows));
    }

    /// So many rows wait for this one that are older than this run.
    pub fn found(&self, store: usize, rows: u64) {
        let (_, meters, _) = &self.stores[store];
        let mut one = self.lock(store);
        one.behind += rows;
        meters.behind.set(one.behind as f64);
    }

    pub fn stored(&self, store: usize, rows: u64, (calls, states): (u64, u64)) {
        let (name, meters, _) = &self.stores[store];
        let was_up = {
            let mut one = self.lock(store);
            one.behind = one.behind.saturating_sub(rows);
            one.stored += rows;
            one.last = (one.last.0.max(calls), one.last.1.max(states));
            one.away_since = None;
            meters.behind.set(one.behind as f64);
            one.up.replace(true)
        };
        if was_up != Some(true) {
            meters.up.set(1.0);
            (self.alarm)(name, None);
        }
    }

    /// So many rows wait for this one no longer, since there was no room for them.
    pub fn let_go(&self, store: usize, rows: u64) {
        let (_, meters, _) = &self.stores[store];
        let mut one = self.lock(store);
        one.behind = one.behind.saturating_sub(rows);
        one.let_go += rows;
        meters.behind.set(one.behind as f64);
        meters.let_go.increment(rows);
    }

    /// What is wrong with the outbox, or that nothing is any more.
    pub fn outbox(&self, trouble: Option<&str>) {
        (self.alarm)("outbox", trouble);
    }

    pub fn failed(&self, store: usize, error: &str) {
        let (name, meters, _) = &self.stores[store];
        let now = self.clock.now().wall;
        let was_up = {
            let mut one = self.lock(store);
            one.failures += 1;
            one.away_since.get_or_insert(now);
            one.error = Some((now, error.into()));
            one.up.replace(false)
        };
        if was_up != Some(false) {
            meters.up.set(0.0);
            (self.alarm)(name, Some(error));
        }
    }

    /// `stores.list`, as `pukar stores` shows it.
    pub fn list(&self) -> Value {
        let one = |(n, (name, ..)): (usize, &(String, StoreMeters, Mutex<One>))| {
            let one = self.lock(n);
            let number = |n: u64| (n > 0).then_some(n);
            json!({
                "name": name, "up": one.up, "behind": one.behind, "stored": one.stored,
                "last_call": number(one.last.0), "last_state": number(one.last.1),
                "let_go": one.let_go, "failures": one.failures,
                "away_since": optional(one.away_since),
                "error": one.error.as_ref().map(|(_, error)| error),
                "error_at": optional(one.error.as_ref().map(|(at, _)| *at)),
            })
        };
        self.stores.iter().enumerate().map(one).collect()
    }

    fn lock(&self, store: usize) -> MutexGuard<'_, One> {
        self.stores[store].2.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
