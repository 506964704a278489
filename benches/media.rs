//! What media costs: `cargo bench --bench media [seconds]`.
//!
//! Real sockets on the loopback interface. A crowd of phones sends 50 packets/s each and reads what
//! comes back; the CPU time is that of the worker's thread alone (/proc/self/task/*/schedstat). The
//! relay takes turns with a bare loop of the same system calls, so that their ratio holds even where
//! the machine is busy with something else.
#![allow(unsafe_code)]

use pukar::base::{CallId, Id, Instant, PortId, TuneId};
use pukar::media::control::{Command, Far};
use pukar::media::{Channel, Effect, Engine, Side, Track, Tune, Tunes};
use pukar::shell::clock::Clock;
use pukar::shell::media::{Handle, Setup, Workers};
use pukar::shell::record::Inlet;
use pukar::wire::g711::Law;
use pukar::wire::rtp::Header;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const FIRST_PORT: u32 = 10_000;
const MUSIC: TuneId = TuneId(0);
const ROUNDS: usize = 5;

fn main() {
    let seconds = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(3);
    raise_open_files();
    // First, while the heap holds nothing that could be used again.
    memory(2_000);
    engine_alone();
    for (phones, rate) in [(200, 50), (1_000, 50), (64, 0)] {
        relay_against_bare(phones, rate, seconds);
    }
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

fn relay_against_bare(phones: usize, rate: u32, seconds: u64) {
    let how = if rate == 0 { "as fast as it goes".into() } else { format!("{rate} packets/s") };
    println!("\n{phones} sockets, {how} each; CPU ns a relayed packet of the relaying thread");
    let mut columns: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (at, column) in columns.iter_mut().enumerate() {
            let crowd = Crowd::new(phones);
            column.push(match at {
                0 => bare(&crowd, rate, seconds, false),
                1 => bare(&crowd, rate, seconds, true),
                _ => relay(&crowd, rate, seconds),
            });
        }
    }
    let medians = columns.map(|mut column| {
        column.sort_by(f64::total_cmp);
        (column[ROUNDS / 2], column[0], column[ROUNDS - 1])
    });
    let names = ["bare loop, recvfrom and sendto", "bare loop, connected", "pukar's worker"];
    for (name, (median, low, high)) in names.iter().zip(medians) {
        let ratio = median / medians[0].0;
        println!("{name:<32} {median:>7.0} ({low:.0}-{high:.0})  {ratio:.2} of the bare loop");
    }
}

/// The same system calls and nothing else: receive on one socket, send from its neighbour.
fn bare(crowd: &Crowd, rate: u32, seconds: u64, connected: bool) -> f64 {
    let stop = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicU64::new(0));
    let sockets: Vec<UdpSocket> = (0..crowd.phones.len())
        .map(|n| {
            let socket = UdpSocket::bind((HERE, port(n as u32).slot() as u16)).unwrap();
            socket.set_nonblocking(true).unwrap();
            if connected {
                socket.connect(crowd.addresses[n]).unwrap();
            }
            socket
        })
        .collect();
    let (addresses, stopped, counted) = (crowd.addresses.clone(), stop.clone(), count.clone());
    let work = move || bare_loop(&sockets, &addresses, connected, &stopped, &counted);
    let thread = std::thread::Builder::new().name("bare".into()).spawn(work).unwrap();
    crowd.stream(rate, 1);
    let before = (thread_ns("bare"), count.load(Ordering::Relaxed));
    crowd.stream(rate, seconds);
    let after = (thread_ns("bare"), count.load(Ordering::Relaxed));
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    (after.0 - before.0) as f64 / (after.1 - before.1) as f64
}

fn bare_loop(
    sockets: &[UdpSocket],
    addresses: &[SocketAddr],
    connected: bool,
    stop: &AtomicBool,
    count: &AtomicU64,
) {
    let epoll = unsafe { libc::epoll_create1(0) };
    for (n, socket) in sockets.iter().enumerate() {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: n as u64 };
        let fd = socket.as_raw_fd();
        assert_eq!(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) }, 0);
    }
    let mut ready = [libc::epoll_event { events: 0, u64: 0 }; 64];
    let mut room = [0; 2_048];
    while !stop.load(Ordering::Relaxed) {
        let found = unsafe { libc::epoll_wait(epoll, ready.as_mut_ptr(), 64, 100) };
        for event in &ready[..found.max(0) as usize] {
            let n = event.u64 as usize;
            let Ok((size, _)) = sockets[n].recv_from(&mut room) else { continue };
            let sent = match connected {
                true => sockets[n ^ 1].send(&room[..size]),
                false => sockets[n ^ 1].send_to(&room[..size], addresses[n ^ 1]),
            };
            let _ = sent;
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
    unsafe { libc::close(epoll) };
}

fn relay(crowd: &Crowd, rate: u32, seconds: u64) -> f64 {
    let (workers, handle) = start();
    crowd.open(&handle);
    crowd.bridge(&handle);
    crowd.stream(rate.max(50), 1);
    let counters = workers.counters();
    let before = (thread_ns("media-0"), counters.sent.load(Ordering::Relaxed));
    crowd.stream(rate, seconds);
    let after = (thread_ns("media-0"), counters.sent.load(Ordering::Relaxed));
    (after.0 - before.0) as f64 / (after.1 - before.1) as f64
}

/// CPU of so many calls through the switch, and the delay that their packets suffer in it.
fn calls(count: usize, seconds: u64) {
    let crowd = Crowd::new(2 * count);
    let (workers, handle) = start();
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
    let (workers, handle) = start();
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
    let (_workers, handle) = start();
    let crowd = Crowd { phones: Vec::new(), addresses: vec![(HERE, 9).into(); count] };
    let before = resident();
    crowd.open(&handle);
    std::thread::park_timeout(Duration::from_secs(1));
    println!("{count} ports: {} octets each", (resident() - before) / count as u64);
}

struct Crowd {
    phones: Vec<UdpSocket>,
    addresses: Vec<SocketAddr>,
}

impl Crowd {
    fn new(count: usize) -> Self {
        let phones: Vec<UdpSocket> = (0..count)
            .map(|n| {
                let phone = UdpSocket::bind((HERE, 0)).unwrap();
                phone.connect((HERE, port(n as u32).slot() as u16)).unwrap();
                phone.set_nonblocking(true).unwrap();
                phone
            })
            .collect();
        let addresses = phones.iter().map(|phone| phone.local_addr().unwrap()).collect();
        Self { phones, addresses }
    }

    fn open(&self, handle: &Handle) {
        for (n, address) in self.addresses.iter().enumerate() {
            let port = port(n as u32);
            handle.put(Command::Open { port, address: HERE }).unwrap();
            handle.put(Command::Agree { port, far: far(*address, Law::A) }).unwrap();
            handle.wake();
        }
    }

    fn bridge(&self, handle: &Handle) {
        for n in (0..self.phones.len() as u32).step_by(2) {
            handle.put(Command::Bridge { a: port(n), b: port(n + 1) }).unwrap();
        }
        handle.wake();
    }

    /// Every phone sends at `rate`, spread evenly over the time between two of its packets, and
    /// reads what has come. Zero: as fast as the other side takes it.
    fn stream(&self, rate: u32, seconds: u64) {
        let clock = Clock::start();
        let mut room = [0; 2_048];
        let slices = if rate == 0 { 1 } else { 1_000 / u64::from(rate) };
        let mut sequence = 0u16;
        let mut slice = 0;
        while clock.instant() < Instant(seconds * 1_000_000) {
            if slice % slices == 0 {
                sequence = sequence.wrapping_add(1);
            }
            let bytes = packet(sequence);
            let from = (slice % slices) as usize;
            for phone in self.phones.iter().skip(from).step_by(slices as usize) {
                let _ = phone.send(&bytes);
                while phone.recv(&mut room).is_ok() {}
            }
            slice += 1;
            if rate > 0 {
                wait_until(&clock, Instant(slice * 1_000));
            }
        }
    }

    /// As `stream` at 50 packets/s, but each packet carries when it was sent; returns the delays in
    /// nanoseconds, as a thread saw them that does nothing but read.
    fn timed(&self, seconds: u64) -> Vec<u64> {
        let epoll = unsafe { libc::epoll_create1(0) };
        for (n, phone) in self.phones.iter().enumerate() {
            let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: n as u64 };
            unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, phone.as_raw_fd(), &mut event) };
        }
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut delays = Vec::new();
                let mut ready = [libc::epoll_event { events: 0, u64: 0 }; 64];
                let mut room = [0; 2_048];
                while !stop.load(Ordering::Relaxed) {
                    let found = unsafe { libc::epoll_wait(epoll, ready.as_mut_ptr(), 64, 100) };
                    for event in &ready[..found.max(0) as usize] {
                        let phone = &self.phones[event.u64 as usize];
                        while phone.recv(&mut room).is_ok_and(|size| size > 20) {
                            let sent = u64::from_be_bytes(room[12..20].try_into().unwrap());
                            delays.extend(monotonic_ns().checked_sub(sent).filter(|_| sent > 0));
                        }
                    }
                }
                delays
            });
            let clock = Clock::start();
            for slice in 0..seconds * 1_000 {
                let mut bytes = packet((slice / 20) as u16);
                for phone in self.phones.iter().skip((slice % 20) as usize).step_by(20) {
                    bytes[12..20].copy_from_slice(&monotonic_ns().to_be_bytes());
                    let _ = phone.send(&bytes);
                }
                wait_until(&clock, Instant((slice + 1) * 1_000));
            }
            stop.store(true, Ordering::Relaxed);
            unsafe { libc::close(epoll) };
            reader.join().unwrap()
        })
    }
}

fn wait_until(clock: &Clock, at: Instant) {
    std::thread::park_timeout(at.since(clock.instant()));
}

fn start() -> (Workers, Handle) {
    let setup = Setup {
        count: 1,
        tunes: Arc::new(tunes()),
        seed: 1,
        clock: Clock::start(),
        recorder: Inlet::default(),
        dscp: 46,
        sink: Arc::new(|_| Ok(())),
        died: Arc::new(|| panic!("a worker died")),
        inherited: Arc::default(),
    };
    Workers::start(&setup).unwrap()
}

fn tunes() -> Tunes {
    let mut tunes = Tunes::default();
    tunes.insert(MUSIC, Tune::new(&vec![1_000; 8_000 * 30]));
    tunes
}

fn port(n: u32) -> PortId {
    PortId::new(FIRST_PORT + 2 * n, 1)
}

fn far(rtp: SocketAddr, law: Law) -> Far {
    Far::at(rtp, law.into())
}

fn packet(sequence: u16) -> [u8; 172] {
    let timestamp = u32::from(sequence) * 160;
    let header = Header { marker: false, payload_type: 8, sequence, timestamp, ssrc: 9 };
    let mut bytes = [0; 172];
    bytes[..12].copy_from_slice(&header.bytes());
    bytes
}

/// Nanoseconds that the thread of this name has been on a CPU.
fn thread_ns(name: &str) -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let read = |task: &fs::DirEntry, file| fs::read_to_string(task.path().join(file)).ok();
    tasks
        .filter_map(|task| {
            read(&task, "comm").filter(|comm| comm.trim_end() == name)?;
            read(&task, "schedstat")?.split(' ').next()?.parse::<u64>().ok()
        })
        .sum()
}

fn monotonic_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    assert_eq!(unsafe { libc::clock_gettime(clock, &mut time) }, 0);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

fn raise_open_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
}
