//! A web server that takes records, as one of the stores: slow at the best of times, and now and
//! then it refuses everything or hangs up. It keeps a row of a known key once, as whoever receives
//! must.
//!
//! In: a dice. Out: its rows, and whatever came twice and was not the same.

use crossbeam_channel as channel;
use pukar::base::Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

const WELL: u8 = 0;
const REFUSES: u8 = 1;
const HANGS_UP: u8 = 2;
/// An answer takes up to so many milliseconds.
const SLOW: u64 = 300;
/// The longest request that is read.
const BODY_MAX: u64 = 64 << 20;

/// What is compared of a call.
const COMPARED: [&str; 5] = ["caller", "arrived_at", "ended_at", "outcome", "agent"];

pub struct Web {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    mood: AtomicU8,
    rows: Mutex<BTreeMap<String, Value>>,
    contradictions: Mutex<Vec<String>>,
}

impl Web {
    pub fn open(seed: u64) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let (served, mut rng) = (shared.clone(), Rng::new(seed));
        // It lives as long as the tester.
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let pause = Duration::from_millis(rng.below(SLOW));
                let _ = served.serve(connection, pause);
            }
        });
        Ok(Self { address, shared })
    }

    /// From now on nobody gets anything stored here: with a refusal, or without a word.
    pub fn cut(&self, without_a_word: bool) {
        let mood = if without_a_word { HANGS_UP } else { REFUSES };
        self.shared.mood.store(mood, Ordering::Relaxed);
    }

    pub fn heal(&self) {
        self.shared.mood.store(WELL, Ordering::Relaxed);
    }

    /// Holds its records of calls against those of another store.
    pub fn compare(&self, calls: &[Value]) -> Vec<String> {
        let rows = self.shared.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wrong = std::mem::take(&mut *self.shared.contradictions());
        for call in calls {
            let id = call["id"].as_str().unwrap_or_default();
            let Some(row) = rows.get(id) else {
                wrong.push(format!("web: call {id} never came"));
                continue;
            };
            let other = COMPARED.iter().filter(|column| row[**column] != call[**column]);
            wrong.extend(other.map(|column| format!("web: {column} of call {id} is another")));
        }
        let own = rows.values().filter(|row| row["table"] == "calls").count();
        if own != calls.len() {
            wrong.push(format!("web: {own} calls for {}", calls.len()));
        }
        wrong
    }
}

impl Shared {
    fn contradictions(&self) -> MutexGuard<'_, Vec<String>> {
        self.contradictions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, rows: &mut BTreeMap<String, Value>, row: Value) {
        let key = row["key"].as_str().unwrap_or_default().to_string();
        match rows.get(&key) {
            Some(known) if *known != row => {
                self.contradictions().push(format!("web: {key} came twice, and not the same"));
            }
            _ => drop(rows.insert(key, row)),
        }
    }

    /// One request; the next one comes by a connection of its own.
    fn serve(&self, connection: TcpStream, pause: Duration) -> std::io::Result<()> {
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut reader = BufReader::new(connection);
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = String::new();
        (&mut reader).take(BODY_MAX.min(length)).read_to_string(&mut body)?;
        let _ = channel::after(pause).recv();
        let answer = match self.mood.load(Ordering::Relaxed) {
            HANGS_UP => return Ok(()),
            REFUSES => "503 Service Unavailable",
            _ => {
                let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
                for row in body.lines().filter_map(|line| serde_json::from_str(line).ok()) {
                    self.keep(&mut rows, row);
                }
                "204 No Content"
            }
        };
        let head = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        reader.get_mut().write_all(head.as_bytes())
    }
}
