//! How many rows a second go into the outbox and into each store, in batches of a thousand as they
//! are fed, each brought to the disk: rows of queue calls and of the states of their agents. CPU
//! time of the thread and time on the wall. Repeat with `cargo bench --bench stores`.
#![allow(clippy::disallowed_methods)]

mod harness;
mod queue_call;

use harness::cpu_ns;
use pukar::config;
use pukar::core::Row;
use pukar::shell::store;
use queue_call::World;
use std::path::Path;
use std::time::Instant;

const ROUNDS: usize = 100;
const BATCH: usize = 1_000;

fn main() {
    let mut world = World::new();
    world.rows = Some(Vec::new());
    for round in 0..ROUNDS {
        world.round(round);
    }
    let rows = world.rows.take().unwrap_or_default();
    let calls = rows.iter().filter(|row| matches!(row, Row::Call(_))).count();
    println!("{} rows, {calls} of them calls with their legs", rows.len());
    println!("{:<8} {:>12} {:>16}", "", "rows/s", "CPU us a row");
    let dir = std::env::temp_dir().join(format!("pukar-bench-stores-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    let mut outbox = store::open(&dir.join("outbox")).expect("an outbox");
    measure("outbox", &rows, |some| {
        outbox.append(some).and_then(|()| outbox.file().sync_data()).expect("room on the disk");
    });
    for (name, wanted) in wanted(&dir) {
        let place = store::places(&[wanted]).remove(0);
        let mut store = (place.open)().expect("a store");
        measure(name, &rows, |some| store.write(some).expect("room on the disk"));
    }
    let _ = std::fs::remove_dir_all(dir);
}

fn wanted(dir: &Path) -> [(&'static str, config::Store); 2] {
    let sqlite = config::Store::Sqlite { path: dir.join("records.db") };
    [("sqlite", sqlite), ("jsonl", config::Store::JsonLines { path: dir.join("records.jsonl") })]
}

fn measure(name: &str, rows: &[Row], mut write: impl FnMut(&[Row])) {
    let (began, before) = (Instant::now(), cpu_ns());
    rows.chunks(BATCH).for_each(&mut write);
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_ns() - before);
    let count = rows.len() as f64;
    println!("{name:<8} {:>12.0} {:>16.1}", count / wall, cpu as f64 / 1_000.0 / count);
}
