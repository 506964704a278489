//! How every store does, for whoever asks: how far it is behind, since when it is away and why.
//! Going away and coming back are told to the core as well, so that they stand among the facts.

use crate::base::Wall;
use crate::shell::clock::Clock;
use crate::shell::meters::{Metrics, StoreMeters};
use crate::shell::stamp::optional;
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tells whoever is on duty: the store, and what is wrong with it, or that nothing is any more.
/// False: they could not be told just now, and have to be again.
pub type Alarm = Box<dyn Fn(&str, Option<&str>) -> bool + Send + Sync>;

/// What is known of all stores, in their order.
pub struct Health {
    stores: Vec<(String, StoreMeters, Mutex<One>)>,
    clock: Clock,
    alarm: Alarm,
    /// What is wrong with the outbox, or that nothing is, as long as nobody could be told.
    untold: Mutex<Option<Option<String>>>,
}

#[derive(Default)]
struct One {
    /// `None` until it was tried.
    up: Option<bool>,
    /// The same, as whoever is on duty knows it.
    told: Option<bool>,
    /// Rows in the outbox that it does not have.
    behind: u64,
    stored: u64,
    /// Rows that it never gets, since the outbox was full of them.
    let_go: u64,
    /// Rows that it has refused, each alone.
    refused: u64,
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
        let stores = names.iter().map(one).collect();
        Self { stores, clock: Clock::start(), alarm, untold: Mutex::default() }
    }

    /// So many more rows wait for every store.
    pub fn appended(&self, rows: u64) {
        self.tell_of_outbox(self.untold());
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
        let (_, meters, _) = &self.stores[store];
        let mut one = self.lock(store);
        one.behind = one.behind.saturating_sub(rows);
        one.stored += rows;
        one.last = (one.last.0.max(calls), one.last.1.max(states));
        one.away_since = None;
        one.up = Some(true);
        meters.behind.set(one.behind as f64);
        meters.up.set(1.0);
        self.tell(store, &mut one);
    }

    /// Nothing waits for this one any more.
    pub fn has_all(&self, store: usize) {
        let mut one = self.lock(store);
        one.behind = 0;
        self.stores[store].1.behind.set(0.0);
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

    /// So many rows lie aside that this one has refused.
    pub fn refused(&self, store: usize, rows: u64) {
        self.stores[store].1.refused.set(rows as f64);
        self.lock(store).refused = rows;
    }

    /// One more row was refused, and waits for this one no longer.
    pub fn passed_over(&self, store: usize) {
        let refused = {
            let mut one = self.lock(store);
            one.behind = one.behind.saturating_sub(1);
            one.refused + 1
        };
        self.refused(store, refused);
    }

    /// What is wrong with the outbox, or that nothing is any more.
    pub fn outbox(&self, trouble: Option<&str>) {
        let mut untold = self.untold();
        *untold = Some(trouble.map(str::to_string));
        self.tell_of_outbox(untold);
    }

    fn tell_of_outbox(&self, mut untold: MutexGuard<'_, Option<Option<String>>>) {
        untold.take_if(|trouble| (self.alarm)("outbox", trouble.as_deref()));
    }

    pub fn failed(&self, store: usize, error: &str) {
        let (_, meters, _) = &self.stores[store];
        let now = self.clock.now().wall;
        let mut one = self.lock(store);
        one.failures += 1;
        one.away_since.get_or_insert(now);
        one.error = Some((now, error.into()));
        one.up = Some(false);
        meters.up.set(0.0);
        self.tell(store, &mut one);
    }

    /// Tells a change, once; what could not be told is told at the next row, failure or look.
    fn tell(&self, store: usize, one: &mut One) {
        if one.told == one.up {
            return;
        }
        let error = one.error.as_ref().map(|(_, error)| error.as_str());
        let trouble = error.filter(|_| one.up == Some(false));
        if (self.alarm)(&self.stores[store].0, trouble) {
            one.told = one.up;
        }
    }

    /// `stores.list`, as `pukar stores` shows it.
    pub fn list(&self) -> Value {
        let one = |(n, (name, ..)): (usize, &(String, StoreMeters, Mutex<One>))| {
            let mut one = self.lock(n);
            self.tell(n, &mut one);
            let number = |n: u64| (n > 0).then_some(n);
            json!({
                "name": name, "up": one.up, "behind": one.behind, "stored": one.stored,
                "last_call": number(one.last.0), "last_state": number(one.last.1),
                "let_go": one.let_go, "refused": one.refused, "failures": one.failures,
                "away_since": optional(one.away_since),
                "error": one.error.as_ref().map(|(_, error)| error),
                "error_at": optional(one.error.as_ref().map(|(at, _)| *at)),
            })
        };
        self.stores.iter().enumerate().map(one).collect()
    }

    fn untold(&self) -> MutexGuard<'_, Option<Option<String>>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self, store: usize) -> MutexGuard<'_, One> {
        self.stores[store].2.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn what_could_not_be_told_is_told_later_and_once() {
        let (deaf, heard) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(Vec::new())));
        let (ears, told) = (Arc::clone(&deaf), Arc::clone(&heard));
        let alarm: Alarm = Box::new(move |store, trouble| {
            let hears = !ears.load(Ordering::SeqCst);
            if hears {
                told.lock().unwrap().push((store.to_string(), trouble.map(str::to_string)));
            }
            hears
        });
        let health = Health::new(&["web".into()], &Metrics::new(), alarm);
        let hears = || std::mem::take(&mut *heard.lock().unwrap());
        let away = |why: &str| ("web".to_string(), Some(why.to_string()));
        health.failed(0, "503");
        health.outbox(Some("full"));
        assert_eq!(hears(), []);
        deaf.store(false, Ordering::SeqCst);
        // Nobody looks at the outbox but whoever appends, and at a store whoever asks.
        (0..2).for_each(|_| health.appended(1));
        assert_eq!(hears(), [("outbox".to_string(), Some("full".to_string()))]);
        (0..2).for_each(|_| _ = health.list());
        assert_eq!(hears(), [away("503")]);
        deaf.store(true, Ordering::SeqCst);
        health.stored(0, 1, (1, 0));
        deaf.store(false, Ordering::SeqCst);
        (0..2).for_each(|_| health.stored(0, 1, (2, 0)));
        assert_eq!(hears(), [("web".to_string(), None)]);
        // It has come and gone while nobody heard: what is true now is what they know.
        deaf.store(true, Ordering::SeqCst);
        health.failed(0, "away again");
        health.stored(0, 1, (3, 0));
        deaf.store(false, Ordering::SeqCst);
        health.stored(0, 1, (4, 0));
        assert_eq!(hears(), []);
    }
}
