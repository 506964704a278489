//! Both ways to move datagrams, under more of them than there is room for.

use super::polled::Polled;
use super::ringed::Ringed;
use super::sockets::Pair;
use super::way::Io;
use super::{Means, means};
use crate::base::{Id, PortId};
use crate::call::MediaIo;
use crate::media::Channel;
use crate::shell::sys::epoll::Waker;
use crate::shell::sys::uring;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

/// Nobody else's.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 61, 0, 1));
const FIRST: u32 = 30_000;

fn port(n: u32) -> PortId {
    PortId::new(FIRST + 2 * n, 1)
}

/// So many pairs of sockets, each from an address of its own test.
fn keep(io: &mut impl Io, test: u8, count: u32) -> UdpSocket {
    let here = here(test);
    for n in 0..count {
        io.keep(Box::new(Pair::bind(port(n), here, 0).unwrap())).unwrap();
    }
    io.flush().unwrap();
    UdpSocket::bind((here, 0)).unwrap()
}

fn here(test: u8) -> IpAddr {
    let IpAddr::V4(v4) = HERE else { unreachable!("it is written above") };
    let [a, b, c, _] = v4.octets();
    IpAddr::V4(Ipv4Addr::new(a, b, c, test))
}

fn send(phone: &UdpSocket, test: u8, port: PortId, channel: Channel) {
    let number = port.slot() as u16 + u16::from(channel == Channel::Rtcp);
    phone.send_to(b"sound", SocketAddr::new(here(test), number)).unwrap();
}

/// Whose datagrams are handed in at one look.
fn look(io: &mut impl Io) -> Vec<(PortId, Channel)> {
    let mut came = Vec::new();
    io.receive(|mut datagram| {
        assert_eq!(datagram.octets(), b"sound");
        came.push((datagram.port, datagram.channel));
        None
    })
    .unwrap();
    came
}

/// All that comes, up to `count`.
fn hear(io: &mut impl Io, count: usize) -> Vec<(PortId, Channel)> {
    let mut came = Vec::new();
    for _ in 0..10_000 {
        if came.len() >= count {
            break;
        }
        io.wait(Some(Duration::from_secs(5))).unwrap();
        came.extend(look(io));
    }
    came
}

fn polled() -> Polled {
    Polled::new(&Waker::new().unwrap()).unwrap()
}

fn ringed() -> Option<Ringed> {
    let waker = Arc::new(Waker::new().unwrap());
    uring::is_allowed().then(|| Ringed::new(&waker).unwrap())
}

/// Each of 750 ports has something on either socket: more than there are buffers, and more than the
/// kernel tells in one call. One of them is left in the middle of it.
fn nobody_loses_anything_when_one_leaves(io: &mut impl Io, test: u8) {
    let phone = keep(io, test, 750);
    for n in 0..750 {
        send(&phone, test, port(n), Channel::Rtp);
        send(&phone, test, port(n), Channel::Rtcp);
    }
    io.leave(port(700)).unwrap();
    let mut came = Vec::new();
    while io.holds(Some(port(700))) {
        came.extend(look(io));
    }
    let left = io.pairs().remove(port(700)).unwrap();
    let waiting = [Channel::Rtp, Channel::Rtcp].map(|channel| left.receive(channel, &mut [0; 9]));
    let waiting = waiting.iter().filter(|result| result.is_ok()).count();
    came.extend(hear(io, 1_500 - waiting - came.len()));
    came.sort_by_key(|(port, channel)| (port.slot(), *channel == Channel::Rtcp));
    let before = came.len();
    came.dedup();
    assert_eq!((came.len(), came.len()), (before, 1_500 - waiting));
    drop(left);
    Pair::bind(port(700), here(test), 0).unwrap();
}

#[test]
fn a_port_is_left_while_hundreds_of_others_are_spoken_to_and_nothing_is_lost() {
    nobody_loses_anything_when_one_leaves(&mut polled(), 1);
    if let Some(mut ringed) = ringed() {
        nobody_loses_anything_when_one_leaves(&mut ringed, 2);
    }
}

/// What was taken from a socket by the end is handed in, and the rest waits in the socket.
fn nothing_is_lost_at_the_end(mut io: impl Io, test: u8) {
    let phone = keep(&mut io, test, 10);
    (0..600).for_each(|n| send(&phone, test, port(n % 10), Channel::Rtp));
    io.wait(Some(Duration::from_secs(5))).unwrap();
    io.end().unwrap();
    let mut handed_in = 0;
    while io.holds(None) {
        handed_in += look(&mut io).len();
    }
    send(&phone, test, port(3), Channel::Rtp);
    let pairs = io.into_pairs();
    assert_eq!(pairs.len(), 10);
    let waits =
        |pair: &Pair| std::iter::from_fn(|| pair.receive(Channel::Rtp, &mut [0; 9]).ok()).count();
    let waiting: usize = pairs.iter().map(waits).sum();
    assert_eq!(handed_in + waiting, 601);
}

#[test]
fn what_is_in_flight_when_a_program_gives_way_to_the_next_is_lost_to_neither() {
    nothing_is_lost_at_the_end(polled(), 3);
    ringed().into_iter().for_each(|ringed| nothing_is_lost_at_the_end(ringed, 4));
}

fn only_what_comes_later_is_heard(io: &mut impl Io, test: u8) {
    let phone = keep(io, test, 2);
    for _ in 0..60 {
        send(&phone, test, port(0), Channel::Rtp);
        send(&phone, test, port(1), Channel::Rtp);
    }
    send(&phone, test, port(0), Channel::Rtcp);
    // Some of it has been taken from the socket by now.
    io.wait(Some(Duration::from_secs(5))).unwrap();
    io.discard(port(0)).unwrap();
    send(&phone, test, port(0), Channel::Rtp);
    let came = hear(io, 62);
    let of = |what| came.iter().filter(|came| **came == what).count();
    assert_eq!(of((port(0), Channel::Rtp)), 1);
    assert_eq!((of((port(1), Channel::Rtp)), of((port(0), Channel::Rtcp))), (60, 1));
}

#[test]
fn what_is_discarded_is_not_heard_wherever_it_lies() {
    only_what_comes_later_is_heard(&mut polled(), 5);
    if let Some(mut ringed) = ringed() {
        only_what_comes_later_is_heard(&mut ringed, 6);
    }
}

#[test]
fn a_wish_for_io_uring_that_cannot_be_is_a_sentence_that_names_its_key_and_auto_goes_on() {
    let waker = Arc::new(Waker::new().unwrap());
    for errno in [libc::ENOSYS, libc::EPERM, libc::ENOMEM] {
        let none = |_: &Arc<Waker>| Err(io::Error::from_raw_os_error(errno));
        let Err(why) = means(MediaIo::Uring, &waker, none) else { panic!("{errno}") };
        assert!(why.contains("[media] io") && why.contains("\"auto\""), "{why}");
        assert!(matches!(means(MediaIo::Auto, &waker, none), Ok(Means::Polled(_))));
    }
}
