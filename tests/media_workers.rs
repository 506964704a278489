//! Media workers whose core is late, or that cannot go on.

use crossbeam_channel::bounded;
use pukar::base::{Id, PortId, TuneId};
use pukar::call::MediaIo;
use pukar::media::Tunes;
use pukar::media::control::{Command, Event};
use pukar::shell::clock::Clock;
use pukar::shell::media::{Died, Handle, Setup, Sink, Workers};
use pukar::shell::record::Inlet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONG: Duration = Duration::from_secs(30);
/// Events that the core's queue takes.
const ROOM: usize = 10_000;
/// More than that and a worker's own queue have room for.
const MANY: usize = ROOM + 70_000;

fn worker(sink: Sink, died: Died) -> (Workers, Handle) {
    let tunes = Arc::new(Tunes::default());
    let setup = Setup {
        count: 1,
        io: MediaIo::Auto,
        tunes,
        seed: 1,
        clock: Clock::start(),
        sink,
        died,
        recorder: Inlet::default(),
        dscp: 46,
        inherited: Arc::default(),
    };
    Workers::start(&setup).unwrap()
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
