//! From an agent's BYE to the next caller's INVITE at that agent's phone, through the whole switch
//! and over real sockets: 500 callers wait, 150 agents end 50 calls a second. Then the same with a
//! thousand readers on the admin socket, who ask for `status` once a second each; the two take
//! turns. Phones and readers share the cores. Repeat with
//! `ulimit -n 20000; cargo bench --bench ringing [-- turns]`.
#![allow(clippy::disallowed_methods)]

mod street;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use street::{Street, field};

const AGENTS: usize = 150;
const WAITING: usize = 500;
const TALK: Duration = Duration::from_secs(3);
const PHASE: Duration = Duration::from_secs(8);
const READERS: usize = 1_000;
const THREADS: usize = 10;

fn main() {
    let mut numbers = std::env::args().filter_map(|arg| arg.parse::<u64>().ok());
    let turns = numbers.next().unwrap_or(3);
    let street = Street::new("ringing", AGENTS);
    let running = street.start();
    let mut floor = Floor::new(street);
    // A few at a time: what a full socket drops comes again late, or never.
    for _ in 0..AGENTS + WAITING {
        floor.call();
        floor.work(Duration::from_millis(10));
    }
    floor.work(TALK * 2);
    floor.spans.clear();
    let readers = Readers::start(running.admin_socket().into());
    let (mut alone, mut read) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        floor.work(PHASE);
        alone.append(&mut floor.spans);
        readers.on.store(true, Ordering::SeqCst);
        floor.work(PHASE);
        readers.on.store(false, Ordering::SeqCst);
        read.append(&mut floor.spans);
    }
    let seconds = turns * PHASE.as_secs();
    let rate = alone.len() as u64 / seconds;
    println!("free agent to ringing, {WAITING} waiting, {rate} calls/s, us");
    let before = line("nobody looks", &mut alone);
    let after = line("a thousand readers", &mut read);
    let (answers, asked) = (readers.answers(), seconds * READERS as u64);
    let (half, most) = (after.0 / before.0, after.1 / before.1);
    println!("ratio of medians {half:.2}, of p99 {most:.2}; {answers} answers of {asked}");
    assert!(answers * 10 > asked * 9, "there were fewer readers than the figure is about");
    running.stop();
}

fn line(name: &str, us: &mut [f64]) -> (f64, f64) {
    us.sort_by(f64::total_cmp);
    let at = |share: f64| us[((us.len() - 1) as f64 * share) as usize];
    let (half, most) = (at(0.5), at(0.99));
    println!("{name:<20} {:>6} times  median {half:>6.0}  p99 {most:>6.0}", us.len());
    (half, most)
}

/// Callers and agents.
struct Floor {
    street: Street,
    callers: usize,
    /// INVITEs that agents got, by Call-ID.
    offers: BTreeMap<String, String>,
    talking: BTreeSet<String>,
    /// When whose call is to end, in order.
    ends: VecDeque<(Instant, String)>,
    /// When which agent has hung up.
    free: BTreeMap<String, Instant>,
    spans: Vec<f64>,
}

impl Floor {
    fn new(street: Street) -> Self {
        Self {
            street,
            callers: 0,
            offers: BTreeMap::new(),
            talking: BTreeSet::new(),
            ends: VecDeque::new(),
            free: BTreeMap::new(),
            spans: Vec::new(),
        }
    }

    fn call(&mut self) {
        self.callers += 1;
        self.street.send(&self.street.invite(&format!("c{}", self.callers), "helpline"));
    }

    fn work(&mut self, span: Duration) {
        let until = Instant::now() + span;
        while Instant::now() < until {
            self.hang_up();
            let due = self.ends.front().map_or(until, |(at, _)| *at).min(until);
            let patience = due.saturating_duration_since(Instant::now());
            if let Some(message) = self.street.receive(patience) {
                self.hear(Instant::now(), &message);
            }
        }
    }

    fn hang_up(&mut self) {
        while let Some((at, id)) = self.ends.pop_front() {
            if at > Instant::now() {
                return self.ends.push_front((at, id));
            }
            self.talking.remove(&id);
            let Some(offer) = self.offers.remove(&id) else { continue };
            let bye = self.street.bye(&offer);
            self.free.insert(agent(&offer), Instant::now());
            self.street.send(&bye);
        }
    }

    fn hear(&mut self, now: Instant, message: &str) {
        let id = field(message, "Call-ID").to_string();
        let word = message.split(' ').next().unwrap_or_default();
        match word {
            "INVITE" => {
                if let Some(free) = self.free.remove(&agent(message)) {
                    self.spans.push(now.duration_since(free).as_micros() as f64);
                }
                self.street.send(&self.street.ok(message));
                self.offers.insert(id, message.into());
            }
            "ACK" => {
                if self.offers.contains_key(&id) && self.talking.insert(id.clone()) {
                    self.ends.push_back((now + TALK, id));
                }
            }
            "BYE" => {
                self.street.send(&self.street.ok(message));
                self.call();
            }
            _ => {
                if message.starts_with("SIP/2.0 200") && field(message, "CSeq").ends_with("INVITE")
                {
                    self.street.send(&self.street.ack(message));
                }
            }
        }
    }
}

/// Who is meant by an INVITE to `sip:agent7@...`.
fn agent(invite: &str) -> String {
    invite.split([':', '@']).nth(1).unwrap_or_default().to_string()
}

struct Readers {
    on: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
}

impl Readers {
    fn start(socket: PathBuf) -> Self {
        let readers = Self { on: Arc::default(), answers: Arc::default() };
        for _ in 0..THREADS {
            let (on, answers) = (Arc::clone(&readers.on), Arc::clone(&readers.answers));
            let connect = |_| BufReader::new(UnixStream::connect(&socket).expect("the socket"));
            let clients: Vec<_> = (0..READERS / THREADS).map(connect).collect();
            std::thread::spawn(move || read(clients, &on, &answers));
        }
        readers
    }

    fn answers(&self) -> u64 {
        self.answers.load(Ordering::SeqCst)
    }
}

/// Asks for each of `clients` once a second, as long as the switch is there.
fn read(mut clients: Vec<BufReader<UnixStream>>, on: &AtomicBool, answers: &AtomicU64) {
    let step = Duration::from_secs(1) / clients.len() as u32;
    let request = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n";
    let mut line = String::new();
    loop {
        for client in &mut clients {
            std::thread::park_timeout(step);
            if !on.load(Ordering::SeqCst) {
                continue;
            }
            line.clear();
            let asked = client.get_mut().write_all(request);
            if asked.is_err() || !client.read_line(&mut line).is_ok_and(|len| len > 0) {
                return;
            }
            answers.fetch_add(1, Ordering::SeqCst);
        }
    }
}
