//! Phones by the hundred on the loopback interface, for benches: each sends 50 packets/s and reads
//! what comes back. And what they need: a worker, its ports, clocks, the CPU time of a thread.
#![allow(unsafe_code, dead_code)]

use pukar::base::{Id, Instant, PortId, TuneId};
use pukar::call::MediaIo;
use pukar::media::control::{Command, Far};
use pukar::media::{Tune, Tunes};
use pukar::shell::clock::Clock;
use pukar::shell::media::{Handle, Setup, Workers};
use pukar::shell::record::Inlet;
use pukar::wire::g711::Law;
use pukar::wire::rtp::Header;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub const MUSIC: TuneId = TuneId(0);
const FIRST_PORT: u32 = 10_000;

pub struct Crowd {
    pub phones: Vec<UdpSocket>,
    pub addresses: Vec<SocketAddr>,
}

impl Crowd {
    pub fn new(count: usize) -> Self {
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

    pub fn open(&self, handle: &Handle) {
        for (n, address) in self.addresses.iter().enumerate() {
            let port = port(n as u32);
            handle.put(Command::Open { port, address: HERE }).unwrap();
            handle.put(Command::Agree { port, far: far(*address, Law::A) }).unwrap();
            handle.wake();
        }
    }

    pub fn bridge(&self, handle: &Handle) {
        for n in (0..self.phones.len() as u32).step_by(2) {
            handle.put(Command::Bridge { a: port(n), b: port(n + 1) }).unwrap();
        }
        handle.wake();
    }

    /// Has phone `n` send there.
    pub fn aim(&self, n: usize, to: SocketAddr) {
        self.phones[n].connect(to).unwrap();
    }

    /// Every phone sends at `rate`, spread evenly over the time between two of its packets, and
    /// reads what has come. Zero: as fast as the other side takes it. Returns how many were sent
    /// and how many came.
    pub fn stream(&self, rate: u32, seconds: u64) -> (u64, u64) {
        let (mut sent, mut came) = (0, 0);
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
                sent += u64::from(phone.send(&bytes).is_ok());
                while phone.recv(&mut room).is_ok() {
                    came += 1;
                }
            }
            slice += 1;
            if rate > 0 {
                wait_until(&clock, Instant(slice * 1_000));
            }
        }
        wait_until(&clock, clock.instant() + Duration::from_millis(20));
        for phone in &self.phones {
            while phone.recv(&mut room).is_ok() {
                came += 1;
            }
        }
        (sent, came)
    }

    /// As `stream` at 50 packets/s, but each packet carries when it was sent; returns the delays in
    /// nanoseconds, as a thread saw them that does nothing but read.
    pub fn timed(&self, seconds: u64) -> Vec<u64> {
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

pub fn wait_until(clock: &Clock, at: Instant) {
    std::thread::park_timeout(at.since(clock.instant()));
}

pub fn start(io: MediaIo) -> (Workers, Handle) {
    start_taped(io, Inlet::default())
}

/// One that hands on what it hears of recorded ports.
pub fn start_taped(io: MediaIo, recorder: Inlet) -> (Workers, Handle) {
    let setup = Setup {
        count: 1,
        io,
        tunes: Arc::new(tunes()),
        seed: 1,
        clock: Clock::start(),
        recorder,
        dscp: 46,
        sink: Arc::new(|_| Ok(())),
        died: Arc::new(|| panic!("a worker died")),
        inherited: Arc::default(),
    };
    Workers::start(&setup).unwrap()
}

pub fn tunes() -> Tunes {
    let mut tunes = Tunes::default();
    tunes.insert(MUSIC, Tune::new(&vec![1_000; 8_000 * 30]));
    tunes
}

pub fn port(n: u32) -> PortId {
    PortId::new(FIRST_PORT + 2 * n, 1)
}

pub fn far(rtp: SocketAddr, law: Law) -> Far {
    Far::at(rtp, law.into())
}

pub fn packet(sequence: u16) -> [u8; 172] {
    let timestamp = u32::from(sequence) * 160;
    let header = Header { marker: false, payload_type: 8, sequence, timestamp, ssrc: 9 };
    let mut bytes = [0; 172];
    bytes[..12].copy_from_slice(&header.bytes());
    // Something like a voice, for whoever listens.
    for (n, octet) in (0..).zip(&mut bytes[12..]) {
        let at = f64::from(timestamp + n) / 8_000.0;
        let phase = std::f64::consts::TAU * (140.0 * at + 5.0 * (9.0 * at).sin());
        let loud = 3_000.0 * (0.6 + 0.4 * (5.0 * at).sin());
        let sample = (1..9).map(|k| (f64::from(k) * phase).sin() / f64::from(k)).sum::<f64>();
        *octet = Law::A.encode((loud * sample) as i16);
    }
    bytes
}

/// Nanoseconds that the thread of this name has been on a CPU.
pub fn thread_ns(name: &str) -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let read = |task: &fs::DirEntry, file| fs::read_to_string(task.path().join(file)).ok();
    tasks
        .filter_map(|task| {
            read(&task, "comm").filter(|comm| comm.trim_end() == name)?;
            read(&task, "schedstat")?.split(' ').next()?.parse::<u64>().ok()
        })
        .sum()
}

pub fn monotonic_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

pub fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    assert_eq!(unsafe { libc::clock_gettime(clock, &mut time) }, 0);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

pub fn raise_open_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
}
