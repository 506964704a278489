//! One media worker: a thread with its own engine, its own sockets, and nothing to wait for.
//!
//! In: orders from the core, datagrams, the clock. Out: datagrams, events for the core. It decides
//! nothing: every packet and every order goes to its `media::Engine`. May import: base, media.

use super::sockets::Pair;
use super::{Counters, Inherited, Order, Setup, Sink};
use crate::base::{Id, Instant, PortId};
use crate::media::control::Event;
use crate::media::{Channel, Effect, Engine, FRAME, Frame, PACKET_MAX, Port};
use crate::shell::clock::Clock;
use crate::shell::record;
use crate::shell::sys::epoll::{Poller, Waker};
use crate::wire::rtp::HEADER;
use crossbeam_channel::{Receiver, Sender};
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Names the waker among the sockets; they are named by four times their place and the channel.
const WAKER: u64 = u64::MAX;
/// Orders obeyed before the sockets are looked at again.
const ORDERS: usize = 256;
/// Events that wait for the core when it lags. Keys and silences over it are lost and counted: they
/// come from the far end, as many as it likes. All others answer a command and always wait, and so
/// there are no more of them than the core has asked for.
const BACKLOG: usize = 65_536;

/// A port on its way to another worker: what it knows, and its sockets.
pub struct Parcel {
    port: Box<Port>,
    pair: Box<Pair>,
}

#[derive(Default)]
struct Tally {
    received: u64,
    sent: u64,
    unsent: u64,
}

impl Tally {
    fn sent(&mut self, ok: bool) {
        self.sent += u64::from(ok);
        self.unsent += u64::from(!ok);
    }

    fn add_to(&mut self, counters: &Counters) {
        let Self { received, sent, unsent } = std::mem::take(self);
        counters.received.fetch_add(received, Ordering::Relaxed);
        counters.sent.fetch_add(sent, Ordering::Relaxed);
        counters.unsent.fetch_add(unsent, Ordering::Relaxed);
    }
}

pub struct Worker {
    engine: Engine,
    /// By half the slot, as in the engine.
    pairs: Vec<Option<Box<Pair>>>,
    orders: Receiver<Order>,
    waker: Arc<Waker>,
    poller: Poller,
    clock: Clock,
    sink: Sink,
    recorder: record::Inlet,
    dscp: u8,
    inherited: Arc<Inherited>,
    backlog: VecDeque<Event>,
    counters: Arc<Counters>,
    /// Not in `counters` yet: threads that share a number slow each other down.
    tally: Tally,
    out: Vec<Effect>,
    ready: Vec<u64>,
}

impl Worker {
    pub fn new(
        setup: &Setup,
        seed: u64,
        orders: Receiver<Order>,
        waker: Arc<Waker>,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add_waker(&waker, WAKER)?;
        Ok(Self {
            engine: Engine::new(seed, Arc::clone(&setup.tunes)),
            pairs: Vec::new(),
            orders,
            waker,
            poller,
            clock: setup.clock,
            sink: Arc::clone(&setup.sink),
            recorder: setup.recorder.clone(),
            dscp: setup.dscp,
            inherited: Arc::clone(&setup.inherited),
            backlog: VecDeque::new(),
            counters,
            tally: Tally::default(),
            out: Vec::new(),
            ready: Vec::new(),
        })
    }

    /// Works until it is told to stop, or cannot.
    /// Its sockets, as they are at the end.
    pub fn run(mut self) -> io::Result<Vec<Pair>> {
        let mut room = [0; PACKET_MAX + 1];
        let mut now = self.clock.instant();
        loop {
            if !self.obey(now) {
                self.engine.hand_on(&mut self.out);
                self.execute();
                return Ok(self.pairs.into_iter().flatten().map(|pair| *pair).collect());
            }
            self.engine.tick(now, &mut self.out);
            self.execute();
            self.tell_backlog();
            self.recorder.read().into_iter().for_each(|batch| self.engine.reuse(batch));
            self.tally.add_to(&self.counters);
            self.sleep(now)?;
            // Once a turn: on some machines it costs as much as a small system call.
            now = self.clock.instant();
            let mut ready = std::mem::take(&mut self.ready);
            for token in ready.drain(..) {
                self.receive(now, token, &mut room);
            }
            self.ready = ready;
        }
    }

    /// Carries out what was ordered; false once that is to stop.
    fn obey(&mut self, now: Instant) -> bool {
        for _ in 0..ORDERS {
            match self.orders.try_recv() {
                Ok(Order::Command(command)) => {
                    self.engine.command(now, command, &mut self.out);
                    self.execute();
                }
                Ok(Order::Give { port, to }) => self.give(port, &to),
                Ok(Order::Take { from }) => self.take(now, &from),
                Ok(Order::Tunes(tunes)) => self.engine.play_from(tunes),
                Ok(Order::Stop) => return false,
                Err(error) => return !error.is_disconnected(),
            }
        }
        true
    }

    fn give(&mut self, port: PortId, to: &Sender<Parcel>) {
        let pair = self.pairs.get_mut(place(port)).and_then(Option::take);
        let Some(pair) = pair.filter(|pair| pair.port == port) else { return };
        for channel in [Channel::Rtp, Channel::Rtcp] {
            let _ = self.poller.remove(pair.fd(channel));
        }
        if let Some(port) = self.engine.release(port) {
            let _ = to.send(Parcel { port, pair });
        }
    }

    /// Orders are given in one sequence, and a port is always ordered away before it is ordered
    /// here: so of two workers that wait for each other's, one is always ahead. Whoever has nothing
    /// to send hangs up.
    fn take(&mut self, now: Instant, from: &Receiver<Parcel>) {
        if let Ok(Parcel { port, pair }) = from.recv()
            && self.engine.adopt(now, port)
        {
            self.keep(pair);
        }
    }

    /// Waits for sockets, orders, or the next frame of a tune.
    fn sleep(&mut self, now: Instant) -> io::Result<()> {
        self.waker.about_to_sleep();
        let busy = !self.orders.is_empty();
        let deadline = self.engine.deadline().map(|at| at.since(now));
        let lagging = (!self.backlog.is_empty()).then_some(Duration::from_millis(1));
        let timeout =
            if busy { Some(Duration::ZERO) } else { deadline.into_iter().chain(lagging).min() };
        let ready = self.poller.wait(timeout);
        self.waker.awake();
        self.ready.extend(ready?.map(|ready| ready.token));
        Ok(())
    }

    /// One packet; where more are waiting, the socket is reported again.
    fn receive(&mut self, now: Instant, token: u64, room: &mut [u8]) {
        if token == WAKER {
            return;
        }
        let channel = if token & 1 == 0 { Channel::Rtp } else { Channel::Rtcp };
        let at = (token >> 2) as usize;
        let Some(pair) = self.pairs.get(at).and_then(Option::as_deref) else { return };
        // Errors are ICMP's: the far end is not listening. Silence will say so.
        let Ok((size, from)) = pair.receive(channel, room) else { return };
        let bytes = &mut room[..size];
        let relay = self.engine.packet(now, pair.port, channel, from, bytes, &mut self.out);
        self.tally.received += 1;
        if let Some(relay) = relay
            && let Some(Some(pair)) = self.pairs.get(place(relay.port))
        {
            let sent = pair.send(channel, relay.to, &room[..size]);
            self.tally.sent(sent.is_ok());
        }
        if !self.out.is_empty() {
            self.execute();
        }
    }

    fn execute(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        let mut at = 0;
        while let Some(effect) = out.get_mut(at) {
            at += 1;
            match effect {
                Effect::Send(frame) => self.send(frame),
                Effect::Report { port, to, bytes } => {
                    if let Some(Some(pair)) = self.pairs.get(place(*port)) {
                        // One that is lost is followed by another.
                        let _ = pair.send(Channel::Rtcp, *to, bytes);
                    }
                }
                Effect::Tell(event) => self.tell(event.clone()),
                Effect::Recorded(batch) => self.recorder.put(std::mem::take(batch)),
                Effect::Bind { port, address } => match self.open(*port, *address) {
                    Ok(pair) => self.keep(Box::new(pair)),
                    Err(error) => {
                        let why = format!("port {}: {error}", port.slot());
                        self.engine.broken(*port, why, &mut self.out);
                    }
                },
                Effect::Unbind { port } => drop(self.pair(*port).map(Option::take)),
                Effect::Connect { port, peer } => {
                    if let Some(Some(pair)) = self.pair(*port) {
                        // Unconnected it works as well: the engine refuses strangers itself.
                        let _ = pair.connect(*peer);
                    }
                }
                Effect::Thin { port, event } => {
                    if let Some(Some(pair)) = self.pair(*port) {
                        // Unthinned it works as well: numbers in between are counted as heard.
                        let _ = pair.thin(*event);
                        if event.is_none() {
                            // What came through the filter and waits is one packet of many, from
                            // before the far end was listened to: no part of the conversation.
                            pair.discard();
                        }
                    }
                }
            }
        }
        out.clear();
        // A port that could not be bound has left news behind.
        out.append(&mut self.out);
        self.out = out;
        if !self.out.is_empty() {
            self.execute();
        }
    }

    fn open(&self, port: PortId, address: IpAddr) -> io::Result<Pair> {
        let mut inherited = self.inherited.lock().unwrap_or_else(PoisonError::into_inner);
        let sockets = inherited.remove(&port.slot());
        let pair = sockets.and_then(|sockets| Pair::inherit(port, address, sockets).ok());
        pair.map_or_else(|| Pair::bind(port, address, self.dscp), Ok)
    }

    fn pair(&mut self, port: PortId) -> Option<&mut Option<Box<Pair>>> {
        let place = self.pairs.get_mut(place(port))?;
        place.as_ref().is_some_and(|pair| pair.port == port).then_some(place)
    }

    /// Begins to listen at these sockets.
    fn keep(&mut self, pair: Box<Pair>) {
        let (port, at) = (pair.port, place(pair.port));
        for (channel, bit) in [(Channel::Rtp, 0), (Channel::Rtcp, 1)] {
            let token = (at as u64) << 2 | bit;
            if let Err(error) = self.poller.add(pair.fd(channel), token) {
                let why = format!("port {}: {error}", port.slot());
                self.engine.broken(port, why, &mut self.out);
                return;
            }
        }
        if self.pairs.len() <= at {
            self.pairs.resize_with(at + 1, || None);
        }
        self.pairs[at] = Some(pair);
    }

    /// Header and audio are put together on the stack: for 172 octets that is cheaper than to have
    /// the kernel gather them.
    fn send(&mut self, frame: &Frame) {
        let Some(Some(pair)) = self.pairs.get(place(frame.port)) else { return };
        let mut packet = [0; HEADER + FRAME];
        packet[..HEADER].copy_from_slice(&frame.header);
        packet[HEADER..].copy_from_slice(frame.payload());
        let sent = pair.send(Channel::Rtp, frame.to, &packet);
        self.tally.sent(sent.is_ok());
    }

    fn tell(&mut self, event: Event) {
        let refused = if self.backlog.is_empty() { (self.sink)(event) } else { Err(event) };
        let Err(event) = refused else { return };
        let may_be_lost = match event {
            Event::Silent { .. } | Event::Heard { .. } | Event::Key { .. } => true,
            Event::Failed { .. }
            | Event::Latched { .. }
            | Event::Played { .. }
            | Event::Closed { .. } => false,
        };
        if may_be_lost && self.backlog.len() >= BACKLOG {
            self.counters.lost_events.fetch_add(1, Ordering::Relaxed);
        } else {
            self.backlog.push_back(event);
        }
    }

    fn tell_backlog(&mut self) {
        while let Some(event) = self.backlog.pop_front() {
            if let Err(event) = (self.sink)(event) {
                self.backlog.push_front(event);
                return;
            }
        }
    }
}

fn place(port: PortId) -> usize {
    port.slot() as usize / 2
}
