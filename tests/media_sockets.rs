//! The media workers on real sockets of the loopback interface.

// What a datagram is marked with is in its control message.
#![allow(unsafe_code)]

use crossbeam_channel::{Receiver, bounded};
use pukar::base::{Id, Instant, PortId, TuneId};
use pukar::call::MediaIo;
use pukar::media::control::{Command, Event, Far, Seals};
use pukar::media::srtp::Seal;
use pukar::media::{Tune, Tunes};
use pukar::shell::clock::Clock;
use pukar::shell::media::{Handle, Setup, Workers};
use pukar::shell::record::Inlet;
use pukar::wire::g711::Law;
use pukar::wire::rtp::Header;
use pukar::wire::sdp::{Master, Suite};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONG: Duration = Duration::from_secs(10);
const MUSIC: TuneId = TuneId(0);

/// How packets are moved, and where the ports of its tests begin.
#[derive(Clone, Copy)]
struct Way {
    io: MediaIo,
    base: u32,
}

impl Way {
    fn new(io: MediaIo, base: u32) -> Self {
        Self { io, base }
    }
}

/// Each of these holds whichever way it is. Where the kernel has no io_uring, that is said.
macro_rules! both_ways {
    ($($name:ident)*) => {
        mod by_epoll {
            $(#[test] fn $name() {
                super::$name(super::Way::new(super::MediaIo::Epoll, 20_000));
            })*
        }
        mod by_uring {
            $(#[test] fn $name() {
                if super::has_uring() {
                    super::$name(super::Way::new(super::MediaIo::Uring, 21_000));
                }
            })*
        }
    };
}

both_ways! {
    a_bridge_loses_nothing_either_way
    a_bridge_between_the_ports_of_two_workers_loses_nothing_either
    music_comes_at_50_packets_a_second
    a_listener_that_talks_is_thinned_and_its_keys_still_come
    a_stranger_is_not_heard_and_the_phone_still_is
    a_far_end_that_stops_listening_for_a_while_gets_the_next_packets
    a_port_that_is_taken_fails_and_says_so
    a_port_that_is_closed_is_free_at_once
    a_flood_at_one_port_leaves_the_others_their_sound
    a_bridge_over_ipv6_and_one_between_both_families_lose_nothing_either
    a_port_that_moves_to_another_worker_while_it_talks_loses_nothing
    a_sealed_bridge_loses_nothing_either
    packets_are_marked_on_their_way_in_both_families
}

fn has_uring() -> bool {
    let has = pukar::shell::media::has_uring();
    if !has {
        eprintln!("this kernel allows no io_uring: not tested");
    }
    has
}

struct Media {
    way: Way,
    handle: Handle,
    events: Receiver<Event>,
    _workers: Workers,
}

struct Phone {
    socket: UdpSocket,
    port: PortId,
}

impl Media {
    fn start(way: Way, count: usize) -> Self {
        let (sender, events) = bounded(10_000);
        let mut tunes = Tunes::default();
        tunes.insert(MUSIC, Tune::new(&[1_000; 160 * 50]));
        let setup = Setup {
            count,
            io: way.io,
            tunes: Arc::new(tunes),
            seed: 1,
            clock: Clock::start(),
            recorder: Inlet::default(),
            dscp: 46,
            sink: Arc::new(move |event| sender.try_send(event).map_err(|e| e.into_inner())),
            died: Arc::new(|| panic!("a worker died")),
            inherited: Arc::default(),
        };
        let (workers, handle) = Workers::start(&setup).unwrap();
        Self { way, handle, events, _workers: workers }
    }

    fn put(&self, command: Command) {
        self.handle.put(command).unwrap();
        self.handle.wake();
    }

    /// A phone, and an open and agreed port for it. Its neighbour port goes to the other worker.
    fn phone(&self, number: u32, law: Law) -> Phone {
        self.phone_at(HERE, number, law)
    }

    fn phone_at(&self, here: IpAddr, number: u32, law: Law) -> Phone {
        let port = PortId::new(self.way.base + number, 3);
        self.put(Command::Open { port, address: here });
        let socket = UdpSocket::bind((here, 0)).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        let phone = Phone { socket, port };
        let rtp = phone.socket.local_addr().unwrap();
        let far = Far::at(rtp, law.into());
        self.put(Command::Agree { port, far });
        phone
    }

    fn event(&self) -> Event {
        self.events.recv_timeout(LONG).unwrap()
    }

    /// Returns when all workers have obeyed everything so far.
    fn settle(&self, ports: &[PortId]) {
        for &port in ports {
            self.put(Command::Play { port, piece: 0, tunes: vec![TuneId(99)], then: None });
        }
        for _ in ports {
            while !matches!(self.event(), Event::Played { .. }) {}
        }
    }
}

impl Phone {
    fn say(&self, payload_type: u8, sequence: u16, octet: u8) {
        let timestamp = u32::from(sequence) * 160;
        let header = Header { marker: false, payload_type, sequence, timestamp, ssrc: 5 };
        let packet = [&header.bytes()[..], &[octet; 160]].concat();
        let here = self.socket.local_addr().unwrap().ip();
        self.socket.send_to(&packet, (here, self.port.slot() as u16)).unwrap();
    }

    fn hear(&self) -> Vec<u8> {
        let mut room = [0; 2_000];
        let (size, _) = self.socket.recv_from(&mut room).unwrap();
        room[..size].to_vec()
    }
}

fn stream_both_ways(media: &Media, a: &Phone, b: &Phone) {
    media.put(Command::Bridge { a: a.port, b: b.port });
    media.settle(&[a.port, b.port]);
    // Numbers begin by the clock, each way.
    let mut shifts = None;
    for n in 0..500u16 {
        a.say(8, n, 0xd5);
        b.say(0, n, 0xff);
        let (there, back) = (b.hear(), a.hear());
        let shift = |heard: &[u8]| u16::from_be_bytes([heard[2], heard[3]]).wrapping_sub(n);
        let now = [shift(&there), shift(&back)];
        assert_eq!((there[1], back[1], now), (0, 8, *shifts.get_or_insert(now)), "{n}");
        assert_eq!(there[12], Law::Mu.encode(Law::A.decode(0xd5)));
    }
    for port in [a.port, b.port] {
        media.put(Command::Close { port });
        let figures = loop {
            if let Event::Closed { port: closed, figures } = media.event() {
                assert_eq!(closed, port);
                break figures;
            }
        };
        assert_eq!((figures.received, figures.sent, figures.lost), (500, 500, 0));
    }
}

fn a_bridge_loses_nothing_either_way(way: Way) {
    let media = Media::start(way, 1);
    let (a, b) = (media.phone(0, Law::A), media.phone(2, Law::Mu));
    stream_both_ways(&media, &a, &b);
}

fn a_bridge_between_the_ports_of_two_workers_loses_nothing_either(way: Way) {
    let media = Media::start(way, 2);
    let (a, b) = (media.phone(10, Law::A), media.phone(12, Law::Mu));
    stream_both_ways(&media, &a, &b);
    let (a, b) = (media.phone(10, Law::A), media.phone(12, Law::Mu));
    let third = media.phone(14, Law::Mu);
    media.put(Command::Bridge { a: a.port, b: third.port });
    media.put(Command::Bridge { a: third.port, b: b.port });
    media.settle(&[a.port, b.port, third.port]);
    stream_both_ways(&media, &a, &b);
}

fn music_comes_at_50_packets_a_second(way: Way) {
    let media = Media::start(way, 1);
    let phone = media.phone(20, Law::A);
    media.put(Command::music(phone.port, MUSIC, Instant(0)));
    phone.hear();
    let clock = Clock::start();
    (0..100).for_each(|_| drop(phone.hear()));
    let took = clock.instant().0;
    assert!((1_900_000..2_200_000).contains(&took), "100 packets took {took} us");
}

fn a_listener_that_talks_is_thinned_and_its_keys_still_come(way: Way) {
    let media = Media::start(way, 1);
    let phone = media.phone(30, Law::A);
    media.put(Command::music(phone.port, MUSIC, Instant(0)));
    phone.hear();
    phone.say(8, 1, 0xd5);
    assert!(matches!(media.event(), Event::Latched { .. }));
    phone.hear();
    phone.hear();
    (2..202).for_each(|n| phone.say(8, n, 0xd5));
    phone.say(101, 202, 5);
    assert_eq!(media.event(), Event::Key { port: phone.port, key: '5' });
    media.put(Command::Close { port: phone.port });
    let Event::Closed { figures, .. } = media.event() else { panic!() };
    assert_eq!((figures.received, figures.lost), (202, 0));
}

fn a_stranger_is_not_heard_and_the_phone_still_is(way: Way) {
    let media = Media::start(way, 1);
    let (a, b) = (media.phone(40, Law::A), media.phone(42, Law::A));
    media.put(Command::Bridge { a: a.port, b: b.port });
    media.settle(&[a.port]);
    a.say(8, 1, 1);
    assert_eq!(b.hear()[12], 1);
    let stranger = Phone { socket: UdpSocket::bind((HERE, 0)).unwrap(), port: a.port };
    (2..100).for_each(|n| stranger.say(8, n, 2));
    a.say(8, 100, 3);
    assert_eq!(b.hear()[12], 3);
}

fn a_far_end_that_stops_listening_for_a_while_gets_the_next_packets(way: Way) {
    let media = Media::start(way, 1);
    let (a, b) = (media.phone(50, Law::A), media.phone(52, Law::A));
    media.put(Command::Bridge { a: a.port, b: b.port });
    media.settle(&[a.port]);
    b.say(8, 1, 1);
    a.hear();
    let (address, port) = (b.socket.local_addr().unwrap(), b.port);
    drop(b);
    (1..20).for_each(|n| a.say(8, n, 1));
    media.settle(&[a.port]);
    let b = Phone { socket: UdpSocket::bind(address).unwrap(), port };
    b.socket.set_read_timeout(Some(LONG)).unwrap();
    a.say(8, 20, 9);
    while b.hear()[12] != 9 {}
}

fn a_port_that_is_taken_fails_and_says_so(way: Way) {
    let media = Media::start(way, 1);
    let number = way.base + 60;
    let taken = UdpSocket::bind((HERE, number as u16)).unwrap();
    let port = PortId::new(number, 1);
    media.put(Command::Open { port, address: HERE });
    let Event::Failed { port: failed, why } = media.event() else { panic!() };
    assert_eq!(failed, port);
    assert!(why.contains(&number.to_string()), "{why}");
    drop(taken);
    let again = PortId::new(number, 2);
    media.put(Command::Open { port: again, address: HERE });
    media.put(Command::Close { port: again });
    assert!(matches!(media.event(), Event::Closed { port, .. } if port == again));
}

/// Nothing of a closed port lives on in the kernel: its number is free at once, many times over.
fn a_port_that_is_closed_is_free_at_once(way: Way) {
    let media = Media::start(way, 1);
    let number = way.base + 70;
    for generation in 1..300 {
        let port = PortId::new(number, generation);
        media.put(Command::Open { port, address: HERE });
        media.put(Command::Close { port });
        let event = media.event();
        assert!(matches!(event, Event::Closed { port: closed, .. } if closed == port), "{event:?}");
    }
    UdpSocket::bind((HERE, number as u16)).unwrap();
    UdpSocket::bind((HERE, number as u16 + 1)).unwrap();
}

fn a_bridge_over_ipv6_and_one_between_both_families_lose_nothing_either(way: Way) {
    let media = Media::start(way, 1);
    let six = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let (a, b) = (media.phone_at(six, 100, Law::A), media.phone_at(six, 102, Law::Mu));
    stream_both_ways(&media, &a, &b);
    let (a, b) = (media.phone_at(six, 104, Law::A), media.phone(106, Law::Mu));
    stream_both_ways(&media, &a, &b);
}

/// More than any ring of buffers holds comes between two looks at the sockets.
fn a_flood_at_one_port_leaves_the_others_their_sound(way: Way) {
    let media = Media::start(way, 1);
    let (a, b) = (media.phone(80, Law::A), media.phone(82, Law::A));
    let flooded = media.phone(84, Law::A);
    media.put(Command::Bridge { a: a.port, b: b.port });
    media.settle(&[a.port, b.port, flooded.port]);
    let stranger = Phone { socket: UdpSocket::bind((HERE, 0)).unwrap(), port: flooded.port };
    for n in 0..200u16 {
        (0..50).for_each(|m| stranger.say(8, n * 50 + m, 0x11));
        a.say(8, n, 0xd5);
        let heard = b.hear();
        let time = u32::from_be_bytes([heard[4], heard[5], heard[6], heard[7]]);
        assert_eq!((time, heard[12]), (u32::from(n) * 160, 0xd5));
    }
}

/// Ports go from worker to worker while their far ends talk: all that was said is heard.
fn a_port_that_moves_to_another_worker_while_it_talks_loses_nothing(way: Way) {
    let media = Media::start(way, 2);
    let phones = [90, 92, 94].map(|number| media.phone(number, Law::A));
    let ports = phones.each_ref().map(|phone| phone.port);
    media.settle(&ports);
    for n in 0..100u16 {
        let other = 1 + usize::from(n % 2);
        media.put(Command::Bridge { a: ports[0], b: ports[other] });
        media.settle(&ports);
        (0..5).for_each(|m| phones[0].say(8, 5 * n + m, 0xd5));
        (0..5).for_each(|_| drop(phones[other].hear()));
    }
    for port in ports {
        media.put(Command::Close { port });
        let figures = loop {
            if let Event::Closed { figures, .. } = media.event() {
                break figures;
            }
        };
        assert_eq!((figures.lost, figures.refused), (0, 0));
    }
}

/// What is sealed is another packet on its way out than on its way in, and of another length.
fn a_sealed_bridge_loses_nothing_either(way: Way) {
    let media = Media::start(way, 2);
    let phones = [media.phone(110, Law::A), media.phone(112, Law::A)];
    let key = |first: u8| {
        let octets: Vec<u8> = (first..).take(30).collect();
        Master::new(Suite::Cm80, &octets).unwrap()
    };
    let mut seals = Vec::new();
    for (n, phone) in (0..).zip(&phones) {
        let (theirs, ours) = (key(n), key(100 + n));
        media.put(Command::Seal { port: phone.port, keys: Some(Seals { theirs, ours }) });
        seals.push(Seal::new(Seals { theirs: ours, ours: theirs }, 5));
    }
    let [a, b] = phones.each_ref().map(|phone| phone.port);
    media.put(Command::Bridge { a, b });
    media.settle(&[a, b]);
    for n in 0..200u16 {
        for (from, to) in [(0, 1), (1, 0)] {
            let (sequence, timestamp) = (n, u32::from(n) * 160);
            let header = Header { marker: false, payload_type: 8, sequence, timestamp, ssrc: 5 };
            let mut said = [&header.bytes()[..], &[n as u8; 160]].concat();
            assert!(seals[from].seal(Instant(u64::from(n) * 20_000), 8_000, &mut said));
            let there = (HERE, phones[from].port.slot() as u16);
            phones[from].socket.send_to(&said, there).unwrap();
            let mut heard = phones[to].hear();
            assert_ne!(heard[12..172], [n as u8; 160]);
            assert_eq!(seals[to].open(false, &mut heard), Some(172));
            assert_eq!(heard[12..172], [n as u8; 160]);
        }
    }
    for port in [a, b] {
        media.put(Command::Close { port });
        let figures = loop {
            if let Event::Closed { figures, .. } = media.event() {
                break figures;
            }
        };
        let counted = (figures.received, figures.sent, figures.lost, figures.refused);
        assert_eq!(counted, (200, 200, 0, 0));
    }
}

/// Expedited forwarding (RFC 3246), as it is in the header of what arrives.
fn packets_are_marked_on_their_way_in_both_families(way: Way) {
    let media = Media::start(way, 1);
    for (here, number) in [(HERE, 120), (IpAddr::V6(Ipv6Addr::LOCALHOST), 122)] {
        let [phone, other] = [0, 4].map(|n| media.phone_at(here, number + n, Law::A));
        ask_for_marks(&phone.socket);
        // Of what is played, and of what is passed on.
        media.put(Command::music(phone.port, MUSIC, Instant(0)));
        assert_eq!(mark(&phone.socket), Some(46 << 2), "{here}");
        media.put(Command::Stop { port: phone.port });
        media.put(Command::Bridge { a: phone.port, b: other.port });
        media.settle(&[phone.port, other.port]);
        other.say(8, 1, 0xd5);
        let mut last = None;
        while last.as_ref().is_none_or(|packet: &Vec<u8>| packet[12] != 0xd5) {
            let mut room = [0; 2_000];
            let (size, _) = phone.socket.peek_from(&mut room).unwrap();
            last = Some(room[..size].to_vec());
            assert_eq!(mark(&phone.socket), Some(46 << 2), "{here}");
        }
    }
}

/// Has the kernel tell what each datagram is marked with (ip(7), ipv6(7)).
fn ask_for_marks(socket: &UdpSocket) {
    let (level, option) = match socket.local_addr().unwrap().is_ipv4() {
        true => (libc::IPPROTO_IP, libc::IP_RECVTOS),
        false => (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS),
    };
    let (on, size) = (1_i32, size_of::<i32>() as libc::socklen_t);
    // SAFETY: the option is a number, and `on` outlives the call.
    let done = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const on).cast(), size)
    };
    assert_eq!(done, 0);
}

/// What the next datagram is marked with.
fn mark(socket: &UdpSocket) -> Option<u8> {
    let (mut room, mut control) = ([0_u8; 2_000], [0_u64; 8]);
    let mut part = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
    // SAFETY: all zeros are a message without anything; what it points to outlives it, and the
    // kernel says how much of the control message it has written.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control);
        assert!(libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) >= 0);
        let told = libc::CMSG_FIRSTHDR(&raw const message).as_ref()?;
        let data = libc::CMSG_DATA(told);
        match (told.cmsg_level, told.cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_TOS) => Some(*data),
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                Some(data.cast::<i32>().read_unaligned() as u8)
            }
            _ => None,
        }
    }
}
