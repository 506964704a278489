//! How many rows a second go into the outbox and into each store, in batches as they are fed, each
//! brought to the disk: rows of queue calls and of the states of their agents. PostgreSQL and NATS
//! are real servers on this machine, the web server only reads. CPU time of the thread and time on
//! the wall. Repeat with `cargo bench --bench stores`.
#![allow(clippy::disallowed_methods)]

mod harness;
mod queue_call;
#[path = "../tests/support/mod.rs"]
mod support;

use harness::cpu_ns;
use pukar::config::{Env, Settings, parse};
use pukar::core::Row;
use pukar::shell::store;
use queue_call::World;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Instant;
use support::servers::{Nats, Postgres};
use support::street::Street;

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
    println!("{:<10} {:>12} {:>16}", "", "rows/s", "CPU us a row");
    let street = Street::new();
    let servers = (Postgres::start(&street, None), Nats::start(&street, None));
    let folder = street.folder("outbox");
    let mut outbox = store::open(&folder).expect("an outbox");
    measure("outbox", &rows, BATCH, |some| {
        outbox.append(some).and_then(|()| outbox.file().sync_data()).expect("room on the disk");
    });
    let settings = settings(&street, &servers);
    for place in store::places(&settings, &folder).expect("places") {
        let mut store = (place.open)().expect("a store");
        let kind = place.name.split(':').next().unwrap_or_default();
        measure(kind, &rows, place.batch, |some| store.write(some).expect("stored"));
    }
}

fn measure(name: &str, rows: &[Row], batch: usize, mut write: impl FnMut(&[Row])) {
    let (began, before) = (Instant::now(), cpu_ns());
    rows.chunks(batch).for_each(&mut write);
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_ns() - before);
    let count = rows.len() as f64;
    println!("{name:<10} {:>12.0} {:>16.1}", count / wall, cpu as f64 / 1_000.0 / count);
}

fn settings(street: &Street, (postgres, nats): &(Postgres, Nats)) -> Settings {
    let dir = street.dir().display();
    let stores = [
        format!("sqlite:{dir}/records.db"),
        format!("jsonl:{dir}/records.jsonl"),
        format!("csv:{dir}/csv"),
        postgres.store(),
        nats.store(),
        format!("http://{}/records", web_server()),
    ];
    let text = format!("[records]\nstores = {stores:?}\n");
    let env: Env = &|_| None;
    parse(&[("bench.toml".into(), text)], env).expect("a configuration")
}

/// Reads requests and says that it has them.
fn web_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    at
}

fn serve(mut stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut len = 0;
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line).ok()? {
                0 => return None,
                1..=2 => break,
                _ => {}
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                len = value.trim().parse().ok()?;
            }
        }
        std::io::copy(&mut (&mut reader).take(len), &mut std::io::sink()).ok()?;
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok()?;
    }
}
