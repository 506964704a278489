//! Connections over loopback: limits, slow peers, deaf peers, reuse.

use super::*;
use crate::config::Tls;
use crate::shell::handover::Handover;
use crate::shell::lane::{InboxEnd, inbox};
use crate::shell::meters::Metrics;
use crate::shell::sys::epoll::{Poller, Waker};
use crate::sip::Transport;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

const OPTIONS: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n";

struct World {
    _runtime: Runtime,
    streams: Streams,
    at: SocketAddr,
    end: InboxEnd,
    waker: Arc<Waker>,
    poller: Poller,
    seen: std::collections::VecDeque<Event>,
}

impl World {
    fn new(limits: Limits) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let waker = Arc::new(Waker::new().unwrap());
        let (inbox, end) = inbox(Arc::clone(&waker));
        let meters = Metrics::new().for_shell();
        let keys = Arc::new(Keys::load(&Tls::default()).unwrap());
        let ways = (inbox, runtime.handle().clone());
        let streams = Streams::new(limits, FlowId(0), ways, 24, keys, meters);
        let at = "127.0.0.1:0".parse().unwrap();
        let listener = bind(Transport::Tcp, at, 24, &mut Handover::default()).unwrap();
        let at = listener.local_addr().unwrap();
        runtime.block_on(async { streams.listen(Transport::Tcp, listener) }).unwrap();
        let poller = Poller::new().unwrap();
        poller.add_waker(&waker, 0).unwrap();
        let seen = std::collections::VecDeque::new();
        Self { _runtime: runtime, streams, at, end, waker, poller, seen }
    }

    /// The next event, as the core loop would come to it.
    fn event(&mut self) -> Event {
        loop {
            if let Some(event) = self.seen.pop_front() {
                return event;
            }
            self.waker.about_to_sleep();
            let mut batch = Vec::new();
            self.end.take(&mut batch);
            if batch.is_empty() {
                let woken = self.poller.wait(Some(Duration::from_secs(10))).unwrap().count();
                assert_eq!(woken, 1, "nothing came");
            }
            self.seen.extend(batch);
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }
}

fn hop_of(event: &Event) -> Hop {
    match event {
        Event::Sip { hop, .. } => *hop,
        other => panic!("no message: {other:?}"),
    }
}

#[test]
fn messages_come_whole_and_answers_leave_on_the_same_connection() {
    let mut world = World::new(Limits::default());
    let mut phone = world.connect();
    phone.write_all(&OPTIONS[..20]).unwrap();
    phone.write_all(&[&OPTIONS[20..], b"\r\n\r\n", OPTIONS].concat()).unwrap();
    let first = world.event();
    let hop = hop_of(&first);
    assert_eq!((hop.local, hop.peer), (world.at, phone.local_addr().unwrap()));
    assert_eq!(hop_of(&world.event()), hop);
    let mut pong = [0; 2];
    phone.read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"\r\n");
    // By its flow, and without a flow by its peer.
    world.streams.send(hop, Bytes::from_static(b"one"));
    world.streams.send(Hop { flow: None, ..hop }, Bytes::from_static(b"two"));
    let mut answers = [0; 6];
    phone.read_exact(&mut answers).unwrap();
    assert_eq!(&answers, b"onetwo");
    drop(phone);
    assert_eq!(world.event(), Event::FlowClosed { flow: hop.flow.unwrap() });
}

#[test]
fn closing_lets_what_was_queued_out_first() {
    let mut world = World::new(Limits::default());
    let mut phone = world.connect();
    phone.write_all(OPTIONS).unwrap();
    let hop = hop_of(&world.event());
    world.streams.send(hop, Bytes::from_static(b"SIP/2.0 400 Bad Request\r\n\r\n"));
    world.streams.close(hop.flow.unwrap());
    let mut all = String::new();
    phone.read_to_string(&mut all).unwrap();
    assert!(all.starts_with("SIP/2.0 400"));
    assert_eq!(world.event(), Event::FlowClosed { flow: hop.flow.unwrap() });
}

#[test]
fn who_has_said_the_last_word_still_gets_the_answer_and_then_the_end() {
    let mut world = World::new(Limits::default());
    let mut phone = world.connect();
    phone.write_all(OPTIONS).unwrap();
    phone.shutdown(std::net::Shutdown::Write).unwrap();
    let hop = hop_of(&world.event());
    let flow = hop.flow.unwrap();
    assert_eq!(world.event(), Event::FlowClosed { flow });
    // What the core does about a message, and then about the end.
    world.streams.send(hop, Bytes::from_static(b"SIP/2.0 200 OK\r\n\r\n"));
    assert!(
        !world.streams.0.by_peer.contains_key(&Way::of_stranger(hop.transport, hop.peer)),
        "nothing else goes this way"
    );
    world.streams.close(flow);
    let mut all = String::new();
    phone.read_to_string(&mut all).unwrap();
    assert_eq!(all, "SIP/2.0 200 OK\r\n\r\n");
}

#[test]
fn who_has_said_the_last_word_is_not_kept_for_ever() {
    let limits = Limits { farewell: Duration::from_millis(50), ..Limits::default() };
    let world = World::new(limits);
    let mut phone = world.connect();
    phone.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(phone.read(&mut [0]).unwrap(), 0);
}

#[test]
fn half_a_message_is_waited_for_only_so_long() {
    let limits = Limits { message_within: Duration::from_millis(100), ..Limits::default() };
    let mut world = World::new(limits);
    let mut slow = world.connect();
    slow.write_all(OPTIONS).unwrap();
    let flow = hop_of(&world.event()).flow.unwrap();
    slow.write_all(&OPTIONS[..9]).unwrap();
    assert_eq!(world.event(), Event::FlowClosed { flow });
    let mut silent = world.connect();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0, "who says nothing at all is closed too");
}

#[test]
fn an_empty_line_after_a_message_is_not_the_beginning_of_another() {
    let limits = Limits { message_within: Duration::from_millis(500), ..Limits::default() };
    let mut world = World::new(limits);
    let mut phone = world.connect();
    phone.write_all(&[OPTIONS, b"\r\n"].concat()).unwrap();
    let hop = hop_of(&world.event());
    phone.set_read_timeout(Some(Duration::from_millis(1_500))).unwrap();
    let still_open = phone.read(&mut [0]).unwrap_err();
    assert_eq!(still_open.kind(), std::io::ErrorKind::WouldBlock, "{still_open}");
    // A single empty line is a sign of life as well.
    phone.write_all(&[b"\r\n", OPTIONS].concat()).unwrap();
    assert_eq!(hop_of(&world.event()), hop);
}

#[test]
fn what_is_not_sip_is_closed() {
    let mut world = World::new(Limits::default());
    let mut stranger = world.connect();
    stranger.write_all(b"GET / HTTP/1.1\r\nContent-Length: nonsense\r\n\r\n").unwrap();
    let hop = hop_of(&world.event());
    world.streams.close(hop.flow.unwrap());
    assert_eq!(world.event(), Event::FlowClosed { flow: hop.flow.unwrap() });
    assert_eq!(stranger.read(&mut [0]).unwrap_or(0), 0);
}

#[test]
fn one_address_gets_no_more_than_its_share() {
    let mut world = World::new(Limits { per_source: 2, ..Limits::default() });
    let mut phones = [world.connect(), world.connect()];
    for phone in &mut phones {
        phone.write_all(OPTIONS).unwrap();
        world.event();
    }
    let mut third = world.connect();
    assert_eq!(third.read(&mut [0]).unwrap_or(0), 0);
    let [first, _second] = phones;
    drop(first);
    match world.event() {
        Event::FlowClosed { flow } => world.streams.close(flow),
        other => panic!("{other:?}"),
    }
    while world.streams.open() > 1 {
        std::thread::yield_now();
    }
    let mut fourth = world.connect();
    fourth.write_all(OPTIONS).unwrap();
    hop_of(&world.event());
}

#[test]
fn a_stranger_has_little_time_whatever_it_pings_and_whoever_is_known_has_more() {
    let within = Duration::from_millis(1_000);
    let limits = Limits { message_within: within, stranger_idle: within, ..Limits::default() };
    let mut world = World::new(limits);
    let (mut known, mut stranger, mut pings) = (world.connect(), world.connect(), world.connect());
    known.write_all(OPTIONS).unwrap();
    let kept = hop_of(&world.event()).flow.unwrap();
    world.streams.keep(kept);
    stranger.write_all(OPTIONS).unwrap();
    let flow = hop_of(&world.event()).flow.unwrap();
    let mut pong = [0; 2];
    let mut answered = (0..1_000_000).take_while(|_| {
        pings.write_all(b"\r\n\r\n").is_ok() && pings.read(&mut pong).unwrap_or(0) > 0
    });
    assert!(answered.nth(999_999).is_none(), "a ping is no name");
    drop(answered);
    let mut closed = vec![world.event(), world.event()];
    closed.retain(|event| *event == Event::FlowClosed { flow });
    assert_eq!(closed.len(), 1, "one message is no name either");
    known.write_all(b"\r\n\r\n").unwrap();
    known.read_exact(&mut pong).unwrap();
    known.write_all(OPTIONS).unwrap();
    assert_eq!(hop_of(&world.event()).flow, Some(kept));
}

#[test]
fn who_has_been_a_stranger_for_longest_gives_way_and_some_room_is_left_for_us() {
    let limits = Limits { connections: 4, ours: 1, strangers: 1, ..Limits::default() };
    let mut world = World::new(limits);
    let closed = |mut stream: TcpStream| stream.read(&mut [0]).unwrap_or(0) == 0;
    let say = |world: &mut World, phone: &mut TcpStream| {
        phone.write_all(OPTIONS).unwrap();
        hop_of(&world.event()).flow.unwrap()
    };
    let mut first = world.connect();
    let flow = say(&mut world, &mut first);
    let second = world.connect();
    assert!(closed(first), "one stranger at a time");
    assert_eq!(world.event(), Event::FlowClosed { flow });
    while world.streams.open() > 1 {
        std::thread::yield_now();
    }
    let mut known = Vec::new();
    for phone in [Some(second), None, None] {
        let mut phone = phone.unwrap_or_else(|| world.connect());
        let flow = say(&mut world, &mut phone);
        world.streams.keep(flow);
        known.push(phone);
    }
    assert!(closed(world.connect()), "the last one is for us");
    let trunk = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = trunk.local_addr().unwrap();
    let hop = Hop { transport: Transport::Tcp, local: world.at, peer, flow: None };
    world.streams.send(hop, Bytes::from_static(b"one"));
    trunk.accept().unwrap().0.read_exact(&mut [0; 3]).unwrap();
    assert!(world.streams.0.strangers().is_empty());
}

#[test]
fn a_host_has_one_share_however_many_addresses_it_has() {
    let streams = World::new(Limits { per_source: 2, ..Limits::default() }).streams;
    let from = |host: &str| {
        streams.admit(
            Way::of_stranger(Transport::Tcp, format!("[{host}]:4000").parse().unwrap()),
            By::Peer,
        )
    };
    let _kept = [from("2001:db8::1").ok().unwrap(), from("2001:db8::2").ok().unwrap()];
    assert!(matches!(from("2001:db8::3"), Err(Full::Source)));
    assert!(from("2001:db8:0:1::1").is_ok(), "another network");
}

#[test]
fn a_peer_that_does_not_read_is_closed_and_blocks_nobody() {
    let write_within = Duration::from_millis(200);
    let mut world = World::new(Limits { queued: 4, write_within, ..Limits::default() });
    let mut deaf = world.connect();
    deaf.write_all(OPTIONS).unwrap();
    let hop = hop_of(&world.event());
    let big = Bytes::from(vec![b'x'; 60_000]);
    for _ in 0..2_000 {
        if world.streams.0.flows.contains_key(&hop.flow.unwrap()) {
            world.streams.send(hop, big.clone());
        }
    }
    assert!(!world.streams.0.flows.contains_key(&hop.flow.unwrap()));
    // The peer's side of the news: unreachable, and closed.
    let news = [world.event(), world.event()];
    assert!(news.iter().any(|event| matches!(event, Event::Unreachable { .. })), "{news:?}");
}

#[test]
fn a_connection_is_opened_once_and_a_refused_one_is_told() {
    let mut world = World::new(Limits::default());
    let trunk = TcpListener::bind("127.0.0.1:0").unwrap();
    let hop = |peer| Hop { transport: Transport::Tcp, local: world.at, peer, flow: None };
    let to_trunk = hop(trunk.local_addr().unwrap());
    world.streams.send(to_trunk, Bytes::from_static(b"one"));
    world.streams.send(to_trunk, Bytes::from_static(b"two"));
    let (mut accepted, _) = trunk.accept().unwrap();
    let mut both = [0; 6];
    accepted.read_exact(&mut both).unwrap();
    assert_eq!((&both, world.streams.open()), (b"onetwo", 1));
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let to_nobody = hop(gone);
    world.streams.send(to_nobody, Bytes::from_static(b"anyone?"));
    assert_eq!(world.event(), Event::Unreachable { hop: to_nobody });
}

#[test]
fn a_connection_of_ours_that_closes_without_a_word_fails_what_was_asked_over_it() {
    let mut world = World::new(Limits::default());
    let trunk = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = trunk.local_addr().unwrap();
    let hop = Hop { transport: Transport::Tcp, local: world.at, peer, flow: None };
    world.streams.send(hop, Bytes::from_static(b"one"));
    let (mut accepted, _) = trunk.accept().unwrap();
    accepted.read_exact(&mut [0; 3]).unwrap();
    drop(accepted);
    assert_eq!(world.event(), Event::Unreachable { hop });
    let Event::FlowClosed { flow } = world.event() else { panic!("it is closed") };
    world.streams.close(flow);
    // One over which something came is known to the core, which knows what waited there.
    world.streams.send(hop, Bytes::from_static(b"two"));
    let (mut accepted, _) = trunk.accept().unwrap();
    accepted.read_exact(&mut [0; 3]).unwrap();
    accepted.write_all(OPTIONS).unwrap();
    let flow = hop_of(&world.event()).flow.unwrap();
    drop(accepted);
    assert_eq!(world.event(), Event::FlowClosed { flow });
}

#[test]
fn a_stranger_is_one_for_the_next_program_too() {
    let mut world = World::new(Limits::default());
    let (mut phone, mut stranger) = (world.connect(), world.connect());
    phone.write_all(OPTIONS).unwrap();
    let known = hop_of(&world.event()).flow.unwrap();
    world.streams.keep(known);
    stranger.write_all(OPTIONS).unwrap();
    let unknown = hop_of(&world.event()).flow.unwrap();
    world._runtime.block_on(world.streams.pause());
    let (_, flows) = world._runtime.block_on(world.streams.leave_all());
    let left: BTreeSet<_> = flows.iter().map(|flow| (flow.id, flow.known)).collect();
    assert_eq!(left, BTreeSet::from([(known, true), (unknown, false)]));
    // Over there, as the note in memory has it.
    let next = World::new(Limits::default());
    let inside = next._runtime.enter();
    flows.into_iter().for_each(|flow| next.streams.resume(flow).unwrap());
    drop(inside);
    assert_eq!(*next.streams.0.strangers(), BTreeSet::from([unknown]));
    let is_known = |flow| next.streams.0.flows.get(&flow).unwrap().known.load(Ordering::Relaxed);
    assert!(is_known(known) && !is_known(unknown));
}
