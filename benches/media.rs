//! What media costs: `cargo bench --bench media [seconds]`.
//!
//! Real sockets on the loopback interface. A crowd of phones sends 50 packets/s each and reads what
//! comes back; the CPU time is that of the worker's thread alone (/proc/self/task/*/schedstat).
//! What a relayed packet costs, and others for it, is in `relay`.
#![allow(unsafe_code)]

mod crowd;

use crowd::*;

use pukar::base::{CallId, Instant, PortId};
use pukar::call::MediaIo;
use pukar::media::control::{Command, Far, Seals};
use pukar::media::sound::{Encoder, WIDE};
use pukar::media::srtp::Seal;
use pukar::media::{Channel, Effect, Engine, Side, Track};
use pukar::wire::codec::Codec;
use pukar::wire::g711::Law;
use pukar::wire::rtp::Header;
use pukar::wire::sdp::{Master, Suite};
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
    seals();
    conversions();
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
        let mut now = Instant(0);
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
            now = Instant(u64::from(sequence) * 20_000);
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

/// The decision alone where one of the two seals: of a packet that is opened, and of one that is
/// sealed.
fn seals() {
    let (suites, from) = ([Suite::Gcm128, Suite::Cm80], |n| SocketAddr::new(HERE, 40_000 + n));
    for suite in suites {
        let (length, salt) = suite.lengths();
        let key = |first: u8| {
            let octets: Vec<u8> = (first..).take(length + salt).collect();
            Master::new(suite, &octets).unwrap()
        };
        let (mut engine, mut out) = (Engine::new(1, Arc::new(tunes())), Vec::new());
        for n in 0..2 {
            let address = HERE;
            engine.command(Instant(0), Command::Open { port: port(n), address }, &mut out);
            let far = far(from(n as u16), Law::A);
            engine.command(Instant(0), Command::Agree { port: port(n), far }, &mut out);
        }
        let keys = Some(Seals { theirs: key(1), ours: key(99) });
        engine.command(Instant(0), Command::Seal { port: port(0), keys }, &mut out);
        engine.command(Instant(0), Command::Bridge { a: port(0), b: port(1) }, &mut out);
        let mut phone = Seal::new(Seals { theirs: key(99), ours: key(1) }, 7);
        let sealed: Vec<Vec<u8>> = (0..30_000)
            .map(|n| {
                let mut packet = packet(n).to_vec();
                phone.seal(Instant(u64::from(n) * 20_000), 8_000, &mut packet);
                packet
            })
            .collect();
        let plain: Vec<Vec<u8>> = (0..30_000).map(|n| packet(n).to_vec()).collect();
        let mut spent = [0; 2];
        for (at, mut packets) in [sealed, plain].into_iter().enumerate() {
            let (mut went, before) = (0, clock_ns(libc::CLOCK_THREAD_CPUTIME_ID));
            for (n, bytes) in packets.iter_mut().enumerate() {
                let (now, from) = (Instant(n as u64 * 20_000), from(at as u16));
                engine.packet(now, port(at as u32), Channel::Rtp, from, bytes, &mut out);
                went += out.drain(..).filter(|e| matches!(e, Effect::Send(_))).count() as u64;
            }
            spent[at] = (clock_ns(libc::CLOCK_THREAD_CPUTIME_ID) - before) / went;
        }
        let [opened, sealed] = spent;
        println!("engine alone, {}: {opened} ns opened, {sealed} ns sealed", suite.name());
    }
}

/// 20 ms of two who talk, by what each of them speaks: a relay where they are alike, a room of two
/// where not; of three in a room; and of one who hears music. All through the engine, no sockets.
fn conversions() {
    println!("\nCPU µs for 20 ms of a party, and as a ratio to the relay of a law");
    let own = conversion(&[Codec::Pcma, Codec::Pcma]);
    for one in Codec::ALL {
        for other in Codec::ALL.into_iter().filter(|other| *other >= one) {
            let spent = conversion(&[one, other]);
            let names = format!("{} and {}", one.name(), other.name());
            println!("{names:<24} {spent:>7.2}  {:.0}", spent / own);
        }
    }
    for three in [[Codec::Pcma; 3], [Codec::G722; 3], [Codec::Pcma, Codec::G722, Codec::Opus]] {
        let spent = conversion(&three);
        let names = three.map(Codec::name).join(", ");
        println!("{names:<24} {spent:>7.2}  {:.0}", spent / own);
    }
    for codec in Codec::ALL {
        let spent = music(codec);
        println!("music in {:<15} {spent:>7.2}  {:.0}", codec.name(), spent / own);
    }
}

const TURNS: u32 = 500;

/// µs of CPU for each party and 20 ms.
fn conversion(codecs: &[Codec]) -> f64 {
    let (mut engine, mut out) = (Engine::new(1, Arc::new(tunes())), Vec::new());
    let phone = |n: usize| SocketAddr::new(HERE, 40_000 + 2 * n as u16);
    let ports: Vec<PortId> = (0..codecs.len() as u32).map(port).collect();
    for (n, codec) in codecs.iter().enumerate() {
        let (port, far) = (ports[n], Far::at(phone(n), *codec));
        engine.command(Instant(0), Command::Open { port, address: HERE }, &mut out);
        engine.command(Instant(0), Command::Agree { port, far }, &mut out);
    }
    let join = match ports[..] {
        [a, b] => Command::Bridge { a, b },
        _ => Command::gather(&ports),
    };
    engine.command(Instant(0), join, &mut out);
    let said: Vec<Vec<Vec<u8>>> = codecs.iter().map(|codec| voice(*codec)).collect();
    let mut spent = 0;
    for turn in 0..TURNS {
        let now = Instant(u64::from(turn) * 20_000);
        let mut packets: Vec<Vec<u8>> = (0..codecs.len())
            .map(|n| {
                let header = Header {
                    marker: false,
                    payload_type: codecs[n].our_payload(),
                    sequence: turn as u16,
                    timestamp: turn * codecs[n].clock() / 50,
                    ssrc: n as u32,
                };
                [&header.bytes()[..], &said[n][turn as usize % said[n].len()]].concat()
            })
            .collect();
        let before = clock_ns(libc::CLOCK_THREAD_CPUTIME_ID);
        for (n, packet) in packets.iter_mut().enumerate() {
            engine.packet(now, ports[n], Channel::Rtp, phone(n), packet, &mut out);
        }
        engine.tick(Instant(now.0 + 19_000), &mut out);
        out.clear();
        spent += clock_ns(libc::CLOCK_THREAD_CPUTIME_ID) - before;
    }
    spent as f64 / 1_000.0 / f64::from(TURNS) / codecs.len() as f64
}

/// Two seconds of something like a voice.
fn voice(codec: Codec) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec, WIDE);
    let frame = |n: u32| {
        let sample = |i: u32| {
            let at = f64::from(n * 320 + i) / f64::from(WIDE);
            let phase = std::f64::consts::TAU * (140.0 * at + 9.0 * at * at);
            (3_000.0 * (1..15).map(|k| (f64::from(k) * phase).sin() / f64::from(k)).sum::<f64>())
                as i16
        };
        let mut payload = Vec::new();
        encoder.encode(&(0..320).map(sample).collect::<Vec<i16>>(), &mut payload);
        payload
    };
    (0..100).map(frame).collect()
}

/// µs of CPU for each of 100 listeners and 20 ms, once the tune has been heard by somebody.
fn music(codec: Codec) -> f64 {
    const LISTENERS: u32 = 100;
    let (mut engine, mut out) = (Engine::new(1, Arc::new(tunes())), Vec::new());
    for n in 0..LISTENERS {
        let (port, to) = (port(n), SocketAddr::new(HERE, 40_000 + 2 * n as u16));
        engine.command(Instant(0), Command::Open { port, address: HERE }, &mut out);
        engine.command(Instant(0), Command::Agree { port, far: Far::at(to, codec) }, &mut out);
        engine.command(Instant(0), Command::music(port, MUSIC, Instant(0)), &mut out);
    }
    let mut run = |from: u32, to: u32| {
        let before = clock_ns(libc::CLOCK_THREAD_CPUTIME_ID);
        for turn in from..to {
            engine.tick(Instant(u64::from(turn) * 20_000), &mut out);
            out.clear();
        }
        (clock_ns(libc::CLOCK_THREAD_CPUTIME_ID) - before) as f64
    };
    run(0, 1_500);
    run(1_500, 3_000) / 1_000.0 / 1_500.0 / f64::from(LISTENERS)
}

/// CPU of so many calls through the switch, and the delay that their packets suffer in it.
fn calls(count: usize, seconds: u64) {
    let crowd = Crowd::new(2 * count);
    let (workers, handle) = start(MediaIo::Auto);
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
    let (workers, handle) = start(MediaIo::Auto);
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
    let (_workers, handle) = start(MediaIo::Auto);
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
