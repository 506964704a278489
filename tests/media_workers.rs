//! Media workers whose core is late, whose recordings have a disk that hangs, or that cannot go on.

use crossbeam_channel::{Receiver, Sender, bounded};
use pukar::base::{CallId, Id, Instant, PortId, TuneId};
use pukar::call::{MediaIo, Tape, TapeEvent};
use pukar::core;
use pukar::media::control::{Command, Event, Far};
use pukar::media::{Side, Track, Tunes};
use pukar::shell::clock::Clock;
use pukar::shell::media::{Died, Estate, Handle, Setup, Sink, Workers, has_uring, relieve};
use pukar::shell::meters::Metrics;
use pukar::shell::record::{self, Holds, Inlet, Recorder};
use pukar::wire::g711::Law;
use pukar::wire::rtp::Header;
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONG: Duration = Duration::from_secs(30);
/// Events that the core's queue takes.
const ROOM: usize = 10_000;
/// More than that and a worker's own queue have room for.
const MANY: usize = ROOM + 70_000;

fn worker(sink: Sink, died: Died) -> (Workers, Handle) {
    workers(1, MediaIo::Auto, sink, died)
}

fn workers(count: usize, io: MediaIo, sink: Sink, died: Died) -> (Workers, Handle) {
    Workers::start(&setup(count, io, sink, died)).unwrap()
}

fn setup(count: usize, io: MediaIo, sink: Sink, died: Died) -> Setup {
    recording(count, io, sink, died, (Clock::start(), Inlet::default()))
}

fn recording(
    count: usize,
    io: MediaIo,
    sink: Sink,
    died: Died,
    (clock, recorder): (Clock, Inlet),
) -> Setup {
    let tunes = Arc::new(Tunes::default());
    Setup {
        count,
        io,
        tunes,
        seed: 1,
        clock,
        sink,
        died,
        recorder,
        dscp: 46,
        inherited: Arc::default(),
    }
}

/// Waits for room where the worker has much to do.
fn put(handle: &Handle, command: Command) {
    while handle.put(command.clone()).is_err() {
        handle.wake();
        std::thread::yield_now();
    }
    handle.wake();
}

#[test]
fn an_event_that_answers_a_command_is_never_lost_however_late_the_core_comes() {
    let (sender, events) = bounded(ROOM);
    let sink = Arc::new(move |event| sender.try_send(event).map_err(|e| e.into_inner()));
    let (_workers, handle) = worker(sink, Arc::new(|| panic!("a worker died")));
    let port = PortId::new(20_070, 1);
    put(&handle, Command::Open { port, address: HERE });
    for _ in 0..MANY {
        put(&handle, Command::Play { port, piece: 0, tunes: vec![TuneId(99)], then: None });
    }
    put(&handle, Command::Close { port });
    for n in 0..MANY {
        let event = events.recv_timeout(LONG).unwrap();
        assert!(matches!(event, Event::Played { .. }), "the {n}th: {event:?}");
    }
    assert!(matches!(events.recv_timeout(LONG).unwrap(), Event::Closed { .. }));
}

#[test]
fn a_worker_that_dies_says_so() {
    let (sender, died) = bounded(1);
    let sink = Arc::new(|_| panic!("this is what kills it"));
    let (_workers, handle) = worker(sink, Arc::new(move || sender.send(()).unwrap()));
    let port = PortId::new(20_080, 1);
    put(&handle, Command::Open { port, address: HERE });
    put(&handle, Command::Close { port });
    died.recv_timeout(LONG).unwrap();
}

/// A worker is held up, and hundreds of packets for others come before those of the port that is to
/// move: none of these is lost on the way.
#[test]
fn what_has_come_for_a_port_that_moves_is_its_own_however_much_came_for_others_before() {
    moves_with_all_that_it_has_heard(MediaIo::Epoll, 1);
    if has_uring() {
        moves_with_all_that_it_has_heard(MediaIo::Uring, 2);
    }
}

fn moves_with_all_that_it_has_heard(io: MediaIo, host: u8) {
    const HELD: u32 = 7;
    let here = IpAddr::V4(Ipv4Addr::new(127, 61, 1, host));
    let (sender, events) = bounded(ROOM);
    let (go, held) = bounded::<()>(1);
    let sink = Arc::new(move |event: Event| {
        let holds = matches!(event, Event::Played { piece: HELD, .. });
        let told = sender.try_send(event).map_err(|e| e.into_inner());
        if holds {
            let _ = held.recv_timeout(LONG);
        }
        told
    });
    let (_workers, handle) = workers(2, io, sink, Arc::new(|| panic!("a worker died")));
    let phone = |number: u32| {
        let port = PortId::new(22_000 + number, 1);
        put(&handle, Command::Open { port, address: here });
        let socket = UdpSocket::bind((here, 0)).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        let far = Far::at(socket.local_addr().unwrap(), Law::A.into());
        put(&handle, Command::Agree { port, far });
        (socket, port)
    };
    let say = |(socket, port): &(UdpSocket, PortId), sequence: u16| {
        let timestamp = u32::from(sequence) * 160;
        let header = Header { marker: false, payload_type: 8, sequence, timestamp, ssrc: 5 };
        let packet = [&header.bytes()[..], &[0xd5; 160]].concat();
        socket.send_to(&packet, (here, port.slot() as u16)).unwrap();
    };
    // The first worker has all of them but one.
    let mover = phone(0);
    let others: Vec<_> = (1..=10).map(|n| phone(4 * n)).collect();
    let partner = phone(2);
    let port = mover.1;
    put(&handle, Command::Play { port, piece: HELD, tunes: vec![TuneId(99)], then: None });
    while !matches!(events.recv_timeout(LONG).unwrap(), Event::Played { .. }) {}
    others.iter().for_each(|other| (0..40).for_each(|n| say(other, n)));
    (0..80).for_each(|n| say(&mover, n));
    put(&handle, Command::Bridge { a: port, b: partner.1 });
    go.send(()).unwrap();
    put(&handle, Command::Play { port, piece: 0, tunes: vec![TuneId(99)], then: None });
    while !matches!(events.recv_timeout(LONG).unwrap(), Event::Played { piece: 0, .. }) {}
    say(&mover, 80);
    let mut room = [0; 500];
    let mut last = 0;
    while last != 80 {
        let (size, _) = partner.0.recv_from(&mut room).unwrap();
        assert_eq!(size, 172);
        last = u32::from_be_bytes([room[4], room[5], room[6], room[7]]) / 160;
    }
    put(&handle, Command::Close { port });
    let figures = loop {
        if let Event::Closed { port: closed, figures } = events.recv_timeout(LONG).unwrap()
            && closed == port
        {
            break figures;
        }
    };
    assert_eq!((figures.received, figures.lost, figures.refused), (81, 0, 0));
}

/// One program has let go of its sockets, and the next one is not at work.
#[test]
fn whoever_talks_is_heard_while_one_program_makes_way_for_another() {
    heard_between_programs(MediaIo::Epoll, 1);
    if has_uring() {
        heard_between_programs(MediaIo::Uring, 2);
    }
}

fn heard_between_programs(io: MediaIo, host: u8) {
    let talk = Talk::new(io, IpAddr::V4(Ipv4Addr::new(127, 61, 3, host)));
    let (workers, handle) = talk.begin(Estate::default());
    talk.hold(&handle, talk.ports[0]);
    talk.go.send(()).unwrap();
    let sound = [0xd5; 160];
    for sequence in 1..=50 {
        talk.say(8, sequence, &sound);
        talk.hears(sequence);
    }
    let mut left = workers.leave();
    drop(handle);
    assert_eq!(left.ports.keys().copied().collect::<Vec<_>>(), [24_000, 24_002, 24_004]);
    for sequence in 51..=100 {
        talk.say(8, sequence, &sound);
        talk.hears(sequence);
    }
    let key = |held: u16| [[5, 0x80], held.to_be_bytes()].concat();
    talk.say(KEYS, 101, &key(160));
    // Whoever looks after them has dealt with the key before it deals with this.
    talk.say(8, 102, &sound);
    talk.hears(101);
    talk.hears(102);
    let caretakers = std::mem::take(&mut left.caretakers);
    left.word = relieve(caretakers, left.word, Clock::start());
    assert_eq!(left.word.keys, [Event::Key { port: talk.ports[0], key: '5' }]);
    // Nobody is there at all: what comes now is heard when somebody is.
    talk.say(8, 103, &sound);
    let (_workers, _handle) = talk.begin(left);
    talk.hears(103);
    // It is down still, and one press.
    talk.say_at(KEYS, (104, 101), &key(320));
    talk.say(8, 105, &sound);
    talk.hears(104);
    talk.hears(105);
    assert!(talk.events.try_iter().all(|event| matches!(event, Event::Latched { .. })));
}

/// Somebody else stops a copy, or the next program dies at its start: neither holds up anybody.
#[test]
fn who_looks_after_voices_is_waited_for_by_nobody_and_ends_with_the_program_it_works_for() {
    let talk = Talk::new(MediaIo::Epoll, IpAddr::V4(Ipv4Addr::new(127, 61, 3, 3)));
    let (workers, _handle) = talk.begin(Estate::default());
    let left = workers.leave();
    let id = left.caretakers[0].id;
    let stop = format!("kill -STOP {id}");
    let stopped = std::process::Command::new("sh").args(["-c", &stop]).status();
    assert!(stopped.unwrap().success());
    assert!(relieve(left.caretakers, left.word, Clock::start()).keys.is_empty());
    until_it_has_ended(id);
    let (workers, _handle) = talk.begin(Estate { ports: left.ports, ..Estate::default() });
    let left = workers.leave();
    let id = left.caretakers[0].id;
    drop(left);
    until_it_has_ended(id);
}

/// Gone, or a zombie.
fn until_it_has_ended(id: u32) {
    let runs = || {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    };
    while runs() {
        std::thread::yield_now();
    }
}

/// Payload type of telephone-event.
const KEYS: u8 = 101;

/// Two phones, and programs between them, one after the other.
struct Talk {
    io: MediaIo,
    here: IpAddr,
    ports: [PortId; 2],
    phones: [UdpSocket; 2],
    sink: Sink,
    events: Receiver<Event>,
    /// A worker that has said `Played` waits for this.
    go: Sender<()>,
    /// Of the numbers that are heard, in the program that is at work.
    shift: Cell<Option<u16>>,
}

impl Talk {
    fn new(io: MediaIo, here: IpAddr) -> Self {
        let ports = [24_000, 24_002].map(|number| PortId::new(number, 1));
        let phones = ports.map(|_| UdpSocket::bind((here, 0)).unwrap());
        phones.iter().for_each(|phone| phone.set_read_timeout(Some(LONG)).unwrap());
        let (sender, events) = bounded(ROOM);
        let (go, held) = bounded::<()>(1);
        let sink = Arc::new(move |event: Event| {
            let holds = matches!(event, Event::Played { .. });
            let told = sender.try_send(event).map_err(|e| e.into_inner());
            if holds {
                let _ = held.recv_timeout(LONG);
            }
            told
        });
        Self { io, here, ports, phones, sink, events, go, shift: Cell::new(None) }
    }

    /// Another program, with what the one before has left.
    fn begin(&self, left: Estate) -> (Workers, Handle) {
        let died = Arc::new(|| panic!("died"));
        let setup = setup(1, self.io, Arc::clone(&self.sink), died);
        setup.inherited.put(left.ports);
        setup.inherited.tell(left.word.told);
        let (workers, handle) = Workers::start(&setup).unwrap();
        let give = |command| handle.put(command).unwrap();
        // Until all is said: else it may listen before it knows to whom.
        let (port, address) = (PortId::new(24_004, 1), self.here);
        give(Command::Open { port, address });
        self.hold(&handle, port);
        for (port, phone) in self.ports.into_iter().zip(&self.phones) {
            give(Command::Open { port, address });
            let far = Far::at(phone.local_addr().unwrap(), Law::A.into());
            let (event, our_event) = (Some(KEYS), Some(KEYS));
            give(Command::Agree { port, far: Far { event, our_event, ..far } });
        }
        give(Command::Bridge { a: self.ports[0], b: self.ports[1] });
        self.shift.set(None);
        self.go.send(()).unwrap();
        (workers, handle)
    }

    /// Returns when all that was ordered before is done, and the worker waits.
    fn hold(&self, handle: &Handle, port: PortId) {
        put(handle, Command::Play { port, piece: 0, tunes: vec![TuneId(99)], then: None });
        while !matches!(self.events.recv_timeout(LONG).unwrap(), Event::Played { .. }) {}
    }

    fn say(&self, payload_type: u8, sequence: u16, payload: &[u8]) {
        self.say_at(payload_type, (sequence, sequence), payload);
    }

    /// The timestamp is that of another packet.
    fn say_at(&self, payload_type: u8, (sequence, at): (u16, u16), payload: &[u8]) {
        let timestamp = u32::from(at) * 160;
        let header = Header { marker: false, payload_type, sequence, timestamp, ssrc: 5 };
        let packet = [&header.bytes()[..], payload].concat();
        self.phones[0].send_to(&packet, (self.here, self.ports[0].slot() as u16)).unwrap();
    }

    fn hears(&self, sequence: u16) {
        let mut room = [0; 500];
        let heard = self.phones[1].recv_from(&mut room);
        let (size, _) = heard.unwrap_or_else(|error| panic!("{:?}, {sequence}: {error}", self.io));
        // Each program begins by the clock.
        let shift = u16::from_be_bytes([room[2], room[3]]).wrapping_sub(sequence);
        let known = self.shift.get().unwrap_or(shift);
        self.shift.set(Some(known));
        assert_eq!((size > 12, shift), (true, known), "{sequence}");
    }
}

/// `PUKAR_ROUNDS=300` for a machine that has nothing else to do.
#[test]
fn workers_that_are_stopped_in_the_midst_of_a_flood_end_and_their_ports_are_free_again() {
    let rounds = std::env::var("PUKAR_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    for _ in 0..rounds.unwrap_or(5) {
        stopped_in_a_flood(MediaIo::Epoll, 1);
        if has_uring() {
            stopped_in_a_flood(MediaIo::Uring, 2);
        }
    }
}

fn stopped_in_a_flood(io: MediaIo, host: u8) {
    const PORTS: u32 = 40;
    let here = IpAddr::V4(Ipv4Addr::new(127, 61, 2, host));
    let port = |n: u32| PortId::new(23_000 + 2 * n, 1);
    let died = Arc::new(|| panic!("a worker died"));
    let (workers, handle) = workers(2, io, Arc::new(|_| Ok(())), died);
    let phones: Vec<UdpSocket> = (0..PORTS)
        .map(|n| {
            let phone = UdpSocket::bind((here, 0)).unwrap();
            put(&handle, Command::Open { port: port(n), address: here });
            let far = Far::at(phone.local_addr().unwrap(), Law::A.into());
            put(&handle, Command::Agree { port: port(n), far });
            phone
        })
        .collect();
    for n in (0..PORTS).step_by(2) {
        put(&handle, Command::Bridge { a: port(n), b: port(n + 1) });
    }
    let (over, counters) = (AtomicBool::new(false), workers.counters());
    std::thread::scope(|scope| {
        for half in phones.chunks(PORTS as usize / 2) {
            scope.spawn(|| {
                for sequence in (0..=u16::MAX).cycle() {
                    let timestamp = u32::from(sequence) * 160;
                    let header =
                        Header { marker: false, payload_type: 8, sequence, timestamp, ssrc: 5 };
                    let packet = [&header.bytes()[..], &[0xd5; 160]].concat();
                    for (n, phone) in phones.iter().enumerate() {
                        if half.as_ptr_range().contains(&std::ptr::from_ref(phone)) {
                            let _ = phone.send_to(&packet, (here, port(n as u32).slot() as u16));
                        }
                    }
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        let clock = Clock::start();
        while counters.sent.load(Ordering::Relaxed) < 2_000 {
            assert!(clock.instant() < Instant(30_000_000), "nothing is relayed");
            std::thread::yield_now();
        }
        // Some are closed at the last moment.
        (0..PORTS / 4).for_each(|n| put(&handle, Command::Close { port: port(n) }));
        let (sender, ended) = bounded(1);
        std::thread::spawn(move || {
            drop((handle, workers));
            sender.send(()).unwrap();
        });
        let ended = ended.recv_timeout(Duration::from_secs(10));
        over.store(true, Ordering::Relaxed);
        ended.expect("they end within seconds");
    });
    for number in (0..PORTS).map(|n| port(n).slot() as u16) {
        UdpSocket::bind((here, number)).unwrap();
        UdpSocket::bind((here, number + 1)).unwrap();
    }
}

/// A disk that takes nothing in the midst of a write, as a pipe does that is full and that nobody
/// reads: whoever writes recordings hangs in the kernel, and no packet of anybody waits.
#[test]
fn q40_a_disk_that_hangs_in_mid_write_costs_a_recording_and_no_packet_of_anybody() {
    let folder = std::env::temp_dir().join(format!("pukar-hung-{}", std::process::id()));
    let day = folder.join("2026-11-25");
    std::fs::create_dir_all(&day).unwrap();
    let pipe = Pipe::new(&day.join("HUNG.wav.part"));
    let clock = Clock::start();
    let (sender, news) = bounded(ROOM);
    let (alarm, alarms) = bounded(ROOM);
    let recorder = recorder(&folder, clock, (sender, alarm));
    let (orders, inlet, thread) = record::start(recorder).unwrap();
    let died = Arc::new(|| panic!("a worker died"));
    let taped = (clock, inlet.clone());
    let (workers, handle) = {
        let setup = recording(1, MediaIo::Auto, Arc::new(|_| Ok(())), died, taped);
        Workers::start(&setup).unwrap()
    };
    let [hung, well] = [1, 2].map(CallId);
    let pairs = [(hung, "HUNG", 0), (well, "WELL", 2)].map(|(call, name, first)| {
        let file = format!("2026-11-25/{name}.wav");
        orders.send(Tape::Begin { call, file, at: clock.instant() }).unwrap();
        let pair = [first, first + 1].map(|n| Talker::new(&handle, n));
        put(&handle, Command::Bridge { a: pair[0].port, b: pair[1].port });
        for (talker, side) in pair.iter().zip([Side::Left, Side::Right]) {
            let track = Some(Track { call, side });
            put(&handle, Command::Record { port: talker.port, track });
        }
        pair[0].is_heard_by(&pair[1]);
        pair
    });
    // After 2 s the first second is written, and does not fit.
    let began = clock.instant();
    let size = || std::fs::metadata(day.join("WELL.wav.part")).map_or(0, |file| file.len());
    let (mut before, mut said) = (0, 0u64);
    for n in 0..300 {
        if n == 200 {
            before = size();
        }
        for [one, other] in &pairs {
            one.says_to(n, other);
            other.says_to(n, one);
        }
        said += 1;
        let next = Duration::from_millis(20 * said);
        std::thread::park_timeout(next.saturating_sub(clock.instant().since(began)));
    }
    assert_eq!(size(), before, "it hangs, and has for two seconds");
    // Which is told while it does.
    let alarm = alarms.recv_timeout(LONG).unwrap().expect("it hangs");
    assert!(alarm.contains("the disk hangs"), "{alarm}");
    let end = clock.instant();
    for call in [hung, well] {
        orders.send(Tape::End { call, at: end }).unwrap();
    }
    pipe.drain();
    assert_eq!(alarms.recv_timeout(LONG), Ok(None), "it goes on");
    drop((workers, handle, orders, inlet));
    let mut told: Vec<TapeEvent> = news.iter().collect();
    assert!(thread.end());
    told.sort_by_key(|event| matches!(event, TapeEvent::Finished { .. }));
    let [TapeEvent::Failed { call, .. }, TapeEvent::Finished { call: other, millis }] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((*call, *other), (hung, well));
    assert!(*millis >= 5_900, "{millis}");
    let file = std::fs::read(day.join("WELL.wav")).unwrap();
    let heard = file[58..].iter().filter(|octet| **octet == 0x2a).count();
    assert!(heard >= 2 * 290 * 160, "nothing of the other one is lost: {heard}");
    std::fs::remove_dir_all(folder).unwrap();
}

type News = (Sender<TapeEvent>, Sender<Option<String>>);

fn recorder(folder: &std::path::Path, clock: Clock, (news, alarms): News) -> Recorder {
    Recorder {
        folder: folder.into(),
        key: None,
        old_keys: Vec::new(),
        keep: None,
        holds: Holds::default(),
        clock,
        news: Arc::new(move |event| match event {
            core::Event::Recording(event) => news.send(event).unwrap(),
            core::Event::Recorder { trouble } => alarms.send(trouble).unwrap(),
            other => panic!("{other:?}"),
        }),
        meters: Metrics::new().for_shell(),
    }
}

/// A file that takes 4 KB and no more until it is read.
struct Pipe(std::fs::File);

impl Pipe {
    fn new(path: &std::path::Path) -> Self {
        use std::os::fd::AsRawFd;
        let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
        let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
        // SAFETY: takes no pointer.
        let room = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETPIPE_SZ, 4_096) };
        assert_eq!(room, 4_096);
        Self(file)
    }

    /// From now on somebody reads.
    fn drain(self) {
        std::thread::spawn(move || {
            let mut file = self.0;
            let _ = std::io::copy(&mut file, &mut std::io::sink());
        });
    }
}

struct Talker {
    port: PortId,
    socket: UdpSocket,
}

impl Talker {
    fn new(handle: &Handle, n: u32) -> Self {
        let here = IpAddr::V4(Ipv4Addr::new(127, 61, 1, 9));
        let (port, socket) = (PortId::new(23_000 + 2 * n, 1), UdpSocket::bind((here, 0)).unwrap());
        socket.set_read_timeout(Some(LONG)).unwrap();
        put(handle, Command::Open { port, address: here });
        let far = Far::at(socket.local_addr().unwrap(), Law::A.into());
        put(handle, Command::Agree { port, far });
        socket.connect((here, port.slot() as u16)).unwrap();
        Self { port, socket }
    }

    /// The worker has done what it was told.
    fn is_heard_by(&self, other: &Self) {
        other.socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut room = [0; 200];
        let heard = (0..1_500).any(|_| {
            // A port that is not open yet refuses.
            let _ = self.socket.send(&packet(self.port.slot(), 60_000, &[0xd5; 160]));
            other.socket.recv(&mut room).is_ok()
        });
        assert!(heard);
        while other.socket.recv(&mut room).is_ok() {}
        other.socket.set_read_timeout(Some(LONG)).unwrap();
    }

    /// The other one has it before anything else happens.
    fn says_to(&self, n: u16, other: &Self) {
        let packet = packet(self.port.slot(), n, &[0x2a; 160]);
        self.socket.send(&packet).unwrap();
        let mut room = [0; 200];
        let size = other.socket.recv(&mut room).expect("sound, whatever the disk does");
        assert_eq!((size, &room[12..172]), (172, &packet[12..]));
    }
}

fn packet(ssrc: u32, sequence: u16, audio: &[u8]) -> Vec<u8> {
    let (marker, payload_type, timestamp) = (false, 8, u32::from(sequence) * 160);
    let header = Header { marker, payload_type, sequence, timestamp, ssrc };
    [&header.bytes()[..], audio].concat()
}
