//! What a relayed packet costs: `cargo bench --bench relay [seconds [rounds]]`.
//!
//! Real sockets on the loopback interface; phones send 50 packets/s each. Pukar by epoll and by
//! io_uring takes turns with a bare loop of the same system calls and with rtpengine in user space
//! (Debian's package rtpengine-daemon, where it is installed), so that ratios hold even where the
//! machine is busy. The CPU time is that of the threads that relay (schedstat), all of it.
#![allow(unsafe_code)]

mod crowd;
mod rtpengine;

use crowd::*;
use pukar::base::{CallId, Id};
use pukar::call::{Form, MediaIo, Tape, TapeEvent};
use pukar::core::Event;
use pukar::media::control::Command;
use pukar::media::{Side, Track};
use pukar::shell::clock::Clock;
use pukar::shell::media::has_uring;
use pukar::shell::meters::Metrics;
use pukar::shell::record::{self, Holds, Recorder};
use rtpengine::Rtpengine;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the phones of rtpengine send to is its own affair; these are ours.
const WORKER: &str = "media-0";

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Bare,
    Connected,
    Pukar(MediaIo),
    Recorded(MediaIo, Form),
    Rtpengine,
}

/// Packets that came out, of those that went in, and what they cost.
#[derive(Clone, Copy, Default)]
struct Cost {
    sent: u64,
    came: u64,
    cpu_ns: u64,
}

impl Cost {
    fn each(&self) -> f64 {
        self.cpu_ns as f64 / self.came.max(1) as f64
    }
}

fn main() {
    let mut numbers = std::env::args().filter_map(|arg| arg.parse::<u64>().ok());
    let (seconds, rounds) = (numbers.next().unwrap_or(3), numbers.next().unwrap_or(5));
    raise_open_files();
    let mut ways = vec![
        (Way::Bare, "bare loop: epoll, recvfrom, sendto"),
        (Way::Connected, "bare loop, sockets connected"),
        (Way::Pukar(MediaIo::Epoll), "pukar by epoll"),
    ];
    match has_uring() {
        true => ways.push((Way::Pukar(MediaIo::Uring), "pukar by io_uring")),
        false => println!("this kernel allows no io_uring: not measured"),
    }
    match rtpengine::is_installed() {
        true => ways.push((Way::Rtpengine, "rtpengine in user space")),
        false => {
            println!("rtpengine is not installed (apt install rtpengine-daemon): not measured")
        }
    }
    for calls in [100, 500] {
        compare(&ways, calls, 50, (seconds, rounds));
    }
    let io = if has_uring() { MediaIo::Uring } else { MediaIo::Epoll };
    let form = |opus, sealed| Way::Recorded(io, Form { opus, sealed });
    let taped = [
        (Way::Pukar(io), "relayed"),
        (form(false, false), "and recorded as WAV, to the file"),
        (form(false, true), "and sealed"),
        (form(true, false), "and recorded as Ogg Opus"),
    ];
    compare(&taped, 100, 50, (seconds.max(5), rounds));
    // Without rtpengine, which takes its own time over a flood.
    ways.retain(|(way, _)| *way != Way::Rtpengine);
    compare(&ways, 32, 0, (seconds, rounds));
}

fn compare(ways: &[(Way, &str)], calls: usize, rate: u32, (seconds, rounds): (u64, u64)) {
    let how = if rate == 0 { "as fast as it goes".into() } else { format!("{rate} packets/s") };
    println!("\n{calls} calls, {how} from each of their {} phones", 2 * calls);
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); ways.len()];
    for _ in 0..rounds {
        for (at, (way, _)) in ways.iter().enumerate() {
            let crowd = Crowd::new(2 * calls);
            costs[at].push(match way {
                Way::Bare => bare(&crowd, rate, seconds, false),
                Way::Connected => bare(&crowd, rate, seconds, true),
                Way::Pukar(io) => relay(&crowd, rate, seconds, *io),
                Way::Recorded(io, form) => recorded(&crowd, rate, seconds, (*io, *form)),
                Way::Rtpengine => Rtpengine::start().relay(&crowd, rate, seconds),
            });
        }
    }
    println!(
        "{:<36} {:>22} {:>7} {:>9} {:>8}",
        "", "CPU ns a packet", "ratio", "calls/core", "lost"
    );
    let mut first = None;
    for ((_, name), costs) in ways.iter().zip(&mut costs) {
        costs.sort_by(|a, b| a.each().total_cmp(&b.each()));
        let at = |n: usize| costs[n].each();
        let median = at(costs.len() / 2);
        let ratio = median / *first.get_or_insert(median);
        // Each of a call's two phones sends 50 packets a second.
        let calls = 1e9 / (median * 100.0);
        let lost: u64 = costs.iter().map(|cost| cost.sent.saturating_sub(cost.came)).sum();
        let lost = if rate == 0 { "-".into() } else { lost.to_string() };
        let spread = format!("({:.0}-{:.0})", at(0), at(costs.len() - 1));
        println!("{name:<36} {median:>8.0} {spread:>13} {ratio:>7.2} {calls:>9.0} {lost:>8}");
    }
}

fn relay(crowd: &Crowd, rate: u32, seconds: u64, io: MediaIo) -> Cost {
    let (_workers, handle) = start(io);
    crowd.open(&handle);
    crowd.bridge(&handle);
    crowd.stream(rate.max(50), 1);
    let before = thread_ns(WORKER);
    let (sent, came) = crowd.stream(rate, seconds);
    Cost { sent, came, cpu_ns: thread_ns(WORKER) - before }
}

/// Every call with both its sides, to the disk: what the worker and the writer cost together.
fn recorded(crowd: &Crowd, rate: u32, seconds: u64, (io, form): (MediaIo, Form)) -> Cost {
    let folder = std::env::temp_dir().join(format!("pukar-bench-{}", std::process::id()));
    let clock = Clock::start();
    let (orders, inlet, thread) = record::start(Recorder {
        folder: folder.clone(),
        key: form.sealed.then(|| "correct horse battery staple".into()),
        old_keys: Vec::new(),
        keep: None,
        holds: Holds::default(),
        clock,
        news: Arc::new(|event| {
            if let Event::Recording(TapeEvent::Failed { why, .. }) = event {
                panic!("{why}");
            }
        }),
        meters: Metrics::new().for_shell(),
    })
    .unwrap();
    let (workers, handle) = start_taped(io, inlet);
    crowd.open(&handle);
    crowd.bridge(&handle);
    for n in 0..crowd.phones.len() as u32 {
        let call = CallId(u64::from(n / 2));
        let side = if n % 2 == 0 { Side::Left } else { Side::Right };
        if side == Side::Left {
            let file = format!("2026-11-25/{}", form.name(&format!("CALL{n}")));
            orders.send(Tape::Begin { call, file, at: clock.instant() }).unwrap();
        }
        handle.put(Command::Record { port: port(n), track: Some(Track { call, side }) }).unwrap();
        handle.wake();
    }
    crowd.stream(rate, 3);
    let cpu = || thread_ns(WORKER) + thread_ns("recorder");
    let before = cpu();
    let (sent, came) = crowd.stream(rate, seconds);
    let cpu_ns = cpu() - before;
    drop((workers, handle, orders));
    assert!(thread.end());
    std::fs::remove_dir_all(folder).unwrap();
    Cost { sent, came, cpu_ns }
}

/// The same system calls and nothing else: receive on one socket, send from its neighbour.
fn bare(crowd: &Crowd, rate: u32, seconds: u64, connected: bool) -> Cost {
    let stop = Arc::new(AtomicBool::new(false));
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
    let (addresses, stopped) = (crowd.addresses.clone(), Arc::clone(&stop));
    let work = move || bare_loop(&sockets, &addresses, connected, &stopped);
    let thread = std::thread::Builder::new().name("bare".into()).spawn(work).unwrap();
    crowd.stream(rate.max(50), 1);
    let before = thread_ns("bare");
    let (sent, came) = crowd.stream(rate, seconds);
    let cpu_ns = thread_ns("bare") - before;
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    Cost { sent, came, cpu_ns }
}

fn bare_loop(sockets: &[UdpSocket], addresses: &[SocketAddr], connected: bool, stop: &AtomicBool) {
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
            let _ = match connected {
                true => sockets[n ^ 1].send(&room[..size]),
                false => sockets[n ^ 1].send_to(&room[..size], addresses[n ^ 1]),
            };
        }
    }
    unsafe { libc::close(epoll) };
}
