//! What media costs: `cargo bench --bench media [seconds]`.
//!
//! Real sockets on the loopback interface. A crowd of phones sends 50 packets/s each and reads what
//! comes back; the CPU time is that of the worker's thread alone (/proc/self/task/*/schedstat).
//! What a relayed packet costs, and others for it, is in `relay`.
#![allow(unsafe_code)]

mod crowd;

use crowd::*;

use pukar::base::{CallId, Instant};
use pukar::call::MediaIo;
use pukar::media::control::Command;
use pukar::media::{Channel, Effect, Engine, Side, Track};
use pukar::wire::g711::Law;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn main() {
    let seconds = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(3);
    raise_open_files();
    // First, while the heap holds nothing that could be used again.
    memory(2_000);
    engine_alone();
    calls(100, seconds * 2);
    listeners(500, seconds * 2);
}

/// The decision alone, without any system call.
fn engine_alone() {
    let ways = [
        ("same law", Law::A, false),
        ("same law, recorded", Law::A, true),
        ("other law", Law::Mu, false),
    ];
    for (name, law, recorded) in ways {
        let mut engine = Engine::new(1, Arc::new(tunes()));
        let mut out = Vec::new();
        let now = Instant(0);
        let ports = 1_000u32;
        let phone = |n: u32| SocketAddr::new(HERE, 40_000 + n as u16);
        for n in 0..ports {
            let port = port(n);
            engine.command(now, Command::Open { port, address: HERE }, &mut out);
            let law = if n % 2 == 0 { Law::A } else { law };
            engine.command(now, Command::Agree { port, far: far(phone(n), law) }, &mut out);
        }
        (0..ports / 2).for_each(|n| {
            let bridge = Command::Bridge { a: port(2 * n), b: port(2 * n + 1) };
            engine.command(now, bridge, &mut out);
        });
        for n in (0..ports).filter(|_| recorded) {
            let side = if n % 2 == 0 { Side::Left } else { Side::Right };
            let track = Some(Track { call: CallId(u64::from(n / 2)), side });
            engine.command(now, Command::Record { port: port(n), track }, &mut out);
        }
        out.clear();
        let rounds = 2_000u16;
        let (before, mut relayed) = (clock_ns(libc::CLOCK_THREAD_CPUTIME_ID), 0u64);
        for sequence in 0..rounds {
            for n in (0..ports).step_by(2) {
                let mut bytes = packet(sequence);
                let from = phone(n);
                let verdict = engine.packet(now, port(n), Channel::Rtp, from, &mut bytes, &mut out);
                relayed += u64::from(verdict.is_some());
                for effect in out.drain(..) {
                    if let Effect::Recorded(batch) = effect {
                        engine.reuse(batch);
                    }
                }
            }
        }
        let spent = clock_ns(libc::CLOCK_THREAD_CPUTIME_ID) - before;
        println!("engine alone, {name}: {} ns a packet", spent / relayed);
    }
}

/// CPU of so many calls through the switch, and the delay that their packets suffer in it.
fn calls(count: usize, seconds: u64) {
    let crowd = Crowd::new(2 * count);
    let (workers, handle) = start(MediaIo::Auto, Duration::ZERO);
    crowd.open(&handle);
    crowd.bridge(&handle);
    crowd.stream(50, 1);
    let (cpu, sent) = (thread_ns("media-0"), workers.counters().sent.load(Ordering::Relaxed));
    let mut delays = crowd.timed(seconds);
    let share = (thread_ns("media-0") - cpu) as f64 / (seconds as f64 * 1e7);
    let sent = workers.counters().sent.load(Ordering::Relaxed) - sent;
    delays.sort_unstable();
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize] as f64 / 1e6;
    let mean = delays.iter().sum::<u64>() as f64 / delays.len() as f64 / 1e6;
    println!("\n{count} bridged calls, {} packets/s: {share:.1} % of a core", sent / seconds);
    println!("phone to phone: mean {mean:.3} ms, p50 {:.3}, p99 {:.3}", at(0.5), at(0.99));
}

/// CPU of callers who listen to music and send all the while.
fn listeners(count: usize, seconds: u64) {
    let crowd = Crowd::new(count);
    let (workers, handle) = start(MediaIo::Auto, Duration::ZERO);
    crowd.open(&handle);
    for n in 0..count {
        let port = port(n as u32);
        handle.put(Command::Watch { port, silence: Some(Duration::from_secs(3)) }).unwrap();
        handle.put(Command::music(port, MUSIC, Instant(0))).unwrap();
        handle.wake();
    }
    crowd.stream(50, 1);
    let counters = workers.counters();
    let count_now = || {
        let (sent, received) = (&counters.sent, &counters.received);
        (sent.load(Ordering::Relaxed), received.load(Ordering::Relaxed))
    };
    let (cpu, (sent, received)) = (thread_ns("media-0"), count_now());
    crowd.stream(50, seconds);
    let share = (thread_ns("media-0") - cpu) as f64 / (seconds as f64 * 1e7);
    let (sent, received) = (count_now().0 - sent, count_now().1 - received);
    println!("\n{count} callers on hold music who send too: {share:.1} % of a core");
    println!("{} packets/s sent, {} packets/s read", sent / seconds, received / seconds);
}

/// Memory of this process (not of the kernel's sockets) that open ports cost.
fn memory(count: usize) {
    let (_workers, handle) = start(MediaIo::Auto, Duration::ZERO);
    let crowd = Crowd { phones: Vec::new(), addresses: vec![(HERE, 9).into(); count] };
    let before = resident();
    crowd.open(&handle);
    std::thread::park_timeout(Duration::from_secs(1));
    println!("{count} ports: {} octets each", (resident() - before) / count as u64);
}

fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}
