//! Rings on sockets of the loopback interface.

use super::*;
use std::net::UdpSocket;

const LONG: Wait = Wait::Until(Some(Duration::from_secs(5)));

/// `None` where the kernel does not allow it: then there is nothing to be tested. Where it does, a
/// ring that cannot be had is a failure.
fn uring() -> Option<Uring> {
    is_allowed().then(|| Uring::new(1_500).unwrap())
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn done(uring: &mut Uring) -> Done {
    for _ in 0..5 {
        if let Some(done) = uring.next() {
            return done;
        }
        uring.enter(LONG).unwrap();
    }
    panic!("nothing comes any more");
}

#[test]
fn what_comes_is_sent_on_from_where_it_lies_more_often_than_there_are_buffers() {
    let Some(mut uring) = uring() else { return };
    let (near, far, phone) = (socket(), socket(), socket());
    phone.connect(near.local_addr().unwrap()).unwrap();
    uring.receive(near.as_fd(), 7).unwrap();
    far.set_nonblocking(false).unwrap();
    far.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for n in 0..3 * BUFFERS {
        phone.send(&n.to_be_bytes()).unwrap();
        let Done::Came { token: 7, from, buffer, .. } = done(&mut uring) else { panic!() };
        assert_eq!(from, phone.local_addr().unwrap());
        uring.room(&buffer)[0] ^= 0x80;
        uring.forward(near.as_fd(), far.local_addr().ok(), buffer).unwrap();
        uring.enter(Wait::No).unwrap();
        uring.sent();
        let mut room = [0; 10];
        let (size, from) = far.recv_from(&mut room).unwrap();
        assert_eq!(from, near.local_addr().unwrap());
        assert_eq!(&room[..size], (n ^ 0x8000).to_be_bytes());
    }
}

#[test]
fn a_request_that_is_cancelled_lets_go_of_its_socket() {
    let Some(mut uring) = uring() else { return };
    // Nobody else's address: a port that is free may be somebody's in the next moment.
    let near = UdpSocket::bind("127.88.1.1:0").unwrap();
    let at = near.local_addr().unwrap();
    uring.receive(near.as_fd(), 1).unwrap();
    uring.enter(Wait::No).unwrap();
    uring.cancel(1).unwrap();
    assert!(matches!(done(&mut uring), Done::Ended { token: 1 }));
    drop(near);
    UdpSocket::bind(at).unwrap();
}

#[test]
fn a_ring_that_is_dropped_lets_go_of_all_its_sockets() {
    let Some(mut uring) = uring() else { return };
    let near = UdpSocket::bind("127.88.1.2:0").unwrap();
    let at = near.local_addr().unwrap();
    uring.receive(near.as_fd(), 1).unwrap();
    uring.enter(Wait::No).unwrap();
    drop((uring, near));
    UdpSocket::bind(at).unwrap();
}

#[test]
fn more_than_all_buffers_hold_ends_the_request_and_loses_nothing() {
    let Some(mut uring) = uring() else { return };
    let (near, phone) = (socket(), socket());
    // No more than every machine allows: what is over the ring's buffers waits in there.
    socket2::SockRef::from(&near).set_recv_buffer_size(200 << 10).unwrap();
    phone.connect(near.local_addr().unwrap()).unwrap();
    uring.receive(near.as_fd(), 1).unwrap();
    uring.enter(Wait::No).unwrap();
    let (mut heard, mut ended) = (Vec::new(), 0);
    let mut held = Vec::new();
    for portion in 0..4 {
        let numbers = portion * BUFFERS / 2..(portion + 1) * BUFFERS / 2;
        numbers.clone().for_each(|n| assert_eq!(phone.send(&n.to_be_bytes()).unwrap(), 2));
        while heard.len() < usize::from(numbers.end) {
            match done(&mut uring) {
                Done::Came { buffer, .. } => {
                    let room = uring.room(&buffer);
                    heard.push(u16::from_be_bytes([room[0], room[1]]));
                    held.push(buffer);
                }
                Done::Ended { token: 1 } => {
                    ended += 1;
                    held.drain(..).for_each(|buffer| uring.give_back(buffer));
                    uring.receive(near.as_fd(), 1).unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(heard, (0..2 * BUFFERS).collect::<Vec<_>>());
    assert!(ended >= 1);
}

#[test]
fn what_could_not_be_sent_is_told_and_can_be_looked_at() {
    let Some(mut uring) = uring() else { return };
    let near = socket();
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    for n in 0..3u8 {
        let write = |room: &mut [u8]| {
            room[0] = n;
            1
        };
        uring.send(near.as_fd(), Some(nowhere), write).unwrap();
    }
    uring.enter(Wait::No).unwrap();
    for n in 0..3u8 {
        let Done::Unsent { at, error } = done(&mut uring) else { panic!() };
        assert_eq!((at, error), (Some(usize::from(n)), libc::EINVAL));
        assert_eq!(uring.going(usize::from(n)), Some(&[n][..]));
    }
}

#[test]
fn what_is_told_late_is_told_of_none_of_those_that_went_since() {
    let Some(mut uring) = uring() else { return };
    let near = socket();
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    uring.send(near.as_fd(), Some(nowhere), |_| 1).unwrap();
    uring.enter(Wait::No).unwrap();
    uring.sent();
    uring.send(near.as_fd(), near.local_addr().ok(), |_| 1).unwrap();
    uring.enter(Wait::No).unwrap();
    assert!(matches!(done(&mut uring), Done::Unsent { at: None, error: libc::EINVAL }));
}

/// However many requests there are, a ring is gone soon.
#[test]
fn a_ring_with_more_requests_than_room_for_their_ends_is_dropped_at_once() {
    let Some(mut uring) = uring() else { return };
    let near = socket();
    for token in 0..3 * u64::from(COMPLETIONS) {
        uring.receive(near.as_fd(), token).unwrap();
    }
    uring.enter(Wait::No).unwrap();
    uring.end().unwrap();
    assert!(uring.is_idle());
}

/// As many as a machine with many cores, or with many switches, has; all at once.
#[test]
fn a_hundred_rings_can_be_had_at_a_time() {
    if is_allowed() {
        let rings: Vec<Uring> = (0..100).map(|_| Uring::new(64).unwrap()).collect();
        assert_eq!(rings.len(), 100);
    }
}

#[test]
fn a_sleeper_is_woken_by_another_thread_again_and_again() {
    let Some(mut uring) = uring() else { return };
    let waker = Waker::new().unwrap();
    uring.watch(&waker).unwrap();
    for _ in 0..3 {
        waker.about_to_sleep();
        std::thread::scope(|scope| {
            scope.spawn(|| waker.wake());
            assert!(matches!(done(&mut uring), Done::Woken { last: false }));
        });
    }
}
