//! A store that is away for longer than the outbox has room.

use super::*;
use crate::shell::store::outbox;

/// Some forty rows, in segments of a few.
const MOST: u64 = 40_000;

fn small() -> Pace {
    Pace { most: MOST, segment: 5_000, ..pace() }
}

/// A store that can be mended.
fn store(name: &str, failures: &Arc<AtomicUsize>) -> (Place, Arc<Mutex<Vec<Row>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let (failures, copy) = (Arc::clone(failures), Arc::clone(&kept));
    let open: Opener = Box::new(move || {
        Ok(Box::new(Moody { failures: Arc::clone(&failures), kept: Arc::clone(&copy) }))
    });
    (Place { name: name.into(), batch: 7, open }, kept)
}

pub fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..30_000 {
        if is_so() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    panic!("it never came to that: {what}");
}

type Heard = Arc<Mutex<Vec<(String, Option<String>)>>>;

fn begin(folder: &Folder, places: Vec<Place>) -> (Lane<Row>, Stores, Heard) {
    let heard = Heard::default();
    let ear = Arc::clone(&heard);
    let alarm: Alarm = Box::new(move |store, trouble| {
        ear.lock().unwrap().push((store.into(), trouble.map(str::to_string)));
        true
    });
    let outbox = folder.0.join("outbox");
    let (lane, stores) = start(&outbox, places, small(), &Metrics::new(), alarm).unwrap();
    (lane, stores, heard)
}

#[test]
fn a_store_that_is_dead_for_long_loses_its_oldest_rows_by_name_and_costs_no_other_store_one() {
    let folder = Folder::new("bound");
    let dir = folder.0.join("outbox");
    let (never, well) = (Arc::new(AtomicUsize::new(usize::MAX)), Arc::new(AtomicUsize::new(0)));
    let (dead, got) = store("dead", &never);
    let (steady, all) = store("steady", &well);
    let (mut lane, stores, heard) = begin(&folder, vec![dead, steady]);
    for n in 1..=300 {
        lane.put(call(n));
        until("the steady store has it", || all.lock().unwrap().len() as u64 == n);
    }
    assert_eq!(numbers(&all.lock().unwrap()), (1..=300).collect::<Vec<_>>());
    assert!(got.lock().unwrap().is_empty());
    let size = outbox::size(&dir).unwrap();
    assert!(size < MOST + 10_000, "{size} octets");
    let list = stores.health().list();
    let let_go = list[0]["let_go"].as_u64().unwrap();
    assert!(let_go > 200 && list[1]["let_go"] == 0, "{list:#}");
    assert_eq!(list[0]["behind"], 300 - let_go);
    drop(lane);
    stores.finish();
    let heard = heard.lock().unwrap();
    let alarms: Vec<_> = heard.iter().filter(|(store, _)| store == "outbox").collect();
    assert_eq!(alarms.len(), 1, "told once, and before the limit: {alarms:?}");
    assert!(alarms[0].1.as_ref().unwrap().contains("for dead"), "{alarms:?}");
    // What is left it gets when it is back, and what is missing is written down.
    let (dead, got) = store("dead", &well);
    let (steady, _) = store("steady", &well);
    let (lane, stores, _) = begin(&folder, vec![dead, steady]);
    until("it has the rest", || got.lock().unwrap().len() as u64 == 300 - let_go);
    assert_eq!(numbers(&got.lock().unwrap()), (let_go + 1..=300).collect::<Vec<_>>());
    let noted = std::fs::read_to_string(dir.join("let-go")).unwrap();
    assert!(noted.starts_with("dead: calls: 1 to "), "{noted}");
    assert!(noted.contains(&format!("to {let_go}; agents' states: none")), "{noted}");
    drop(lane);
    stores.finish();
}

#[test]
fn rows_that_no_store_has_are_never_let_go_of_whatever_the_limit() {
    let folder = Folder::new("bound-alone");
    let dir = folder.0.join("outbox");
    let failures = Arc::new(AtomicUsize::new(usize::MAX));
    let (dead, got) = store("dead", &failures);
    let (mut lane, stores, heard) = begin(&folder, vec![dead]);
    let stored = stores.stored();
    let mut n = 0;
    while outbox::size(&dir).unwrap() <= MOST {
        n += 1;
        lane.put(call(n));
        until("it is in the outbox", || stored.has(n, 0));
    }
    let size = outbox::size(&dir).unwrap();
    (n + 1..=n + 50).for_each(|n| lane.put(call(n)));
    let is_full = |(store, trouble): &(String, Option<String>)| {
        store == "outbox" && trouble.as_ref().is_some_and(|why| why.contains("no store takes them"))
    };
    until("it is said that it is full", || heard.lock().unwrap().iter().any(is_full));
    assert_eq!(outbox::size(&dir).unwrap(), size);
    assert!(!stored.has(n + 1, 0), "the rest waits in memory");
    // It is mended: everything comes, in order.
    failures.store(0, Ordering::SeqCst);
    until("everything has come", || got.lock().unwrap().len() as u64 == n + 50);
    assert_eq!(numbers(&got.lock().unwrap()), (1..=n + 50).collect::<Vec<_>>());
    assert!(!dir.join("let-go").exists());
    drop(lane);
    stores.finish();
}

#[test]
fn a_store_that_dies_after_years_is_held_to_the_same_limit() {
    let folder = Folder::new("bound-late");
    let dir = folder.0.join("outbox");
    let (moods, well) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (dies, got) = store("dies", &moods);
    let (steady, all) = store("steady", &well);
    let (mut lane, stores, _) = begin(&folder, vec![dies, steady]);
    let length = |rows: &Mutex<Vec<Row>>| rows.lock().unwrap().len() as u64;
    // Three segments, of which the oldest go.
    let mut had = 0;
    while outbox::oldest(&dir).unwrap() < Some(3) {
        had += 1;
        lane.put(call(had));
        until("both have it", || length(&got) == had && length(&all) == had);
    }
    moods.store(usize::MAX, Ordering::SeqCst);
    for n in had + 1..=had + 200 {
        lane.put(call(n));
        until("the steady store has it", || length(&all) == n);
    }
    let size = outbox::size(&dir).unwrap();
    assert!(size < MOST + 10_000, "{size} octets");
    let list = stores.health().list();
    let let_go = list[0]["let_go"].as_u64().unwrap();
    assert!(let_go > 100 && list[1]["let_go"] == 0, "{list:#}");
    assert_eq!(list[0]["behind"], 200 - let_go);
    moods.store(0, Ordering::SeqCst);
    until("it has the rest", || length(&got) == had + 200 - let_go);
    let expected: Vec<u64> = (1..=had).chain(had + let_go + 1..=had + 200).collect();
    assert_eq!(numbers(&got.lock().unwrap()), expected);
    drop(lane);
    stores.finish();
}

#[test]
fn the_only_store_that_dies_after_years_loses_nothing_and_fills_no_disk() {
    let folder = Folder::new("bound-late-alone");
    let dir = folder.0.join("outbox");
    let moods = Arc::new(AtomicUsize::new(0));
    let (dies, got) = store("dies", &moods);
    let (mut lane, stores, heard) = begin(&folder, vec![dies]);
    let stored = stores.stored();
    let mut n = 0;
    while outbox::oldest(&dir).unwrap() < Some(3) {
        n += 1;
        lane.put(call(n));
        until("it has it", || got.lock().unwrap().len() as u64 == n);
    }
    moods.store(usize::MAX, Ordering::SeqCst);
    let is_full = |(store, trouble): &(String, Option<String>)| {
        store == "outbox" && trouble.as_ref().is_some_and(|why| why.contains("no store takes them"))
    };
    let full = || heard.lock().unwrap().iter().any(is_full);
    let last = n + 200;
    while !full() && n < last {
        n += 1;
        lane.put(call(n));
        until("it is in the outbox, or there is no room", || stored.has(n, 0) || full());
    }
    assert!(full(), "after {n} rows nobody has said that it is full");
    let size = outbox::size(&dir).unwrap();
    assert!(size < MOST + 10_000, "{size} octets");
    assert!(size > MOST - 10_000, "what no store needs is gone first: {size} octets");
    moods.store(0, Ordering::SeqCst);
    until("everything has come", || got.lock().unwrap().len() as u64 == n);
    assert_eq!(numbers(&got.lock().unwrap()), (1..=n).collect::<Vec<_>>());
    assert!(!dir.join("let-go").exists());
    drop(lane);
    stores.finish();
}
