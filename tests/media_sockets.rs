//! The media workers on real sockets of the loopback interface.

use crossbeam_channel::{Receiver, bounded};
use pukar::base::{Id, Instant, PortId, TuneId};
use pukar::media::control::{Command, Event, Far};
use pukar::media::{Tune, Tunes};
use pukar::shell::clock::Clock;
use pukar::shell::media::{Handle, Setup, Workers};
use pukar::shell::record::Inlet;
use pukar::wire::g711::Law;
use pukar::wire::rtp::Header;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONG: Duration = Duration::from_secs(10);
const MUSIC: TuneId = TuneId(0);

struct Media {
    handle: Handle,
    events: Receiver<Event>,
    _workers: Workers,
}

struct Phone {
    socket: UdpSocket,
    port: PortId,
}

impl Media {
    fn start(count: usize) -> Self {
        let (sender, events) = bounded(10_000);
        let mut tunes = Tunes::default();
        tunes.insert(MUSIC, Tune::new(&[1_000; 160 * 50]));
        let setup = Setup {
            count,
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
        Self { handle, events, _workers: workers }
    }

    fn put(&self, command: Command) {
        self.handle.put(command).unwrap();
        self.handle.wake();
    }

    /// A phone, and an open and agreed port for it. Its neighbour port goes to the other worker.
    fn phone(&self, number: u32, law: Law) -> Phone {
        let port = PortId::new(number, 3);
        self.put(Command::Open { port, address: HERE });
        let socket = UdpSocket::bind((HERE, 0)).unwrap();
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
        let to = (HERE, self.port.slot() as u16);
        self.socket.send_to(&packet, to).unwrap();
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
    for n in 0..500u16 {
        a.say(8, n, 0xd5);
        b.say(0, n, 0xff);
        let (there, back) = (b.hear(), a.hear());
        assert_eq!((there[1], u16::from_be_bytes([there[2], there[3]])), (0, n));
        assert_eq!((back[1], u16::from_be_bytes([back[2], back[3]])), (8, n));
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

#[test]
fn a_bridge_loses_nothing_either_way() {
    let media = Media::start(1);
    let (a, b) = (media.phone(20_000, Law::A), media.phone(20_002, Law::Mu));
    stream_both_ways(&media, &a, &b);
}

#[test]
fn a_bridge_between_the_ports_of_two_workers_loses_nothing_either() {
    let media = Media::start(2);
    let (a, b) = (media.phone(20_010, Law::A), media.phone(20_012, Law::Mu));
    stream_both_ways(&media, &a, &b);
    let (a, b) = (media.phone(20_010, Law::A), media.phone(20_012, Law::Mu));
    let third = media.phone(20_014, Law::Mu);
    media.put(Command::Bridge { a: a.port, b: third.port });
    media.put(Command::Bridge { a: third.port, b: b.port });
    media.settle(&[a.port, b.port, third.port]);
    stream_both_ways(&media, &a, &b);
}

#[test]
fn music_comes_at_50_packets_a_second() {
    let media = Media::start(1);
    let phone = media.phone(20_020, Law::A);
    media.put(Command::music(phone.port, MUSIC, Instant(0)));
    phone.hear();
    let clock = Clock::start();
    (0..100).for_each(|_| drop(phone.hear()));
    let took = clock.instant().0;
    assert!((1_900_000..2_200_000).contains(&took), "100 packets took {took} us");
}

#[test]
fn a_listener_that_talks_is_thinned_and_its_keys_still_come() {
    let media = Media::start(1);
    let phone = media.phone(20_030, Law::A);
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

#[test]
fn a_stranger_is_not_heard_and_the_phone_still_is() {
    let media = Media::start(1);
    let (a, b) = (media.phone(20_040, Law::A), media.phone(20_042, Law::A));
    media.put(Command::Bridge { a: a.port, b: b.port });
    media.settle(&[a.port]);
    a.say(8, 1, 1);
    assert_eq!(b.hear()[12], 1);
    let stranger = Phone { socket: UdpSocket::bind((HERE, 0)).unwrap(), port: a.port };
    (2..100).for_each(|n| stranger.say(8, n, 2));
    a.say(8, 100, 3);
    assert_eq!(b.hear()[12], 3);
}

#[test]
fn a_far_end_that_stops_listening_for_a_while_gets_the_next_packets() {
    let media = Media::start(1);
    let (a, b) = (media.phone(20_050, Law::A), media.phone(20_052, Law::A));
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

#[test]
fn a_port_that_is_taken_fails_and_says_so() {
    let media = Media::start(1);
    let taken = UdpSocket::bind((HERE, 20_060)).unwrap();
    let port = PortId::new(20_060, 1);
    media.put(Command::Open { port, address: HERE });
    let Event::Failed { port: failed, why } = media.event() else { panic!() };
    assert_eq!(failed, port);
    assert!(why.contains("20060"), "{why}");
    drop(taken);
    let again = PortId::new(20_060, 2);
    media.put(Command::Open { port: again, address: HERE });
    media.put(Command::Close { port: again });
    assert!(matches!(media.event(), Event::Closed { port, .. } if port == again));
}
