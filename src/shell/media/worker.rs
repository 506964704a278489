//! One media worker: a thread with its own engine, its own sockets, and nothing to wait for.
//!
//! In: orders from the core, datagrams, the clock. Out: datagrams, events for the core. It decides
//! nothing: every packet and every order goes to its `media::Engine`. May import: base, media.

use super::caretaker::Left;
use super::sockets::Pair;
use super::way::{Datagram, Io, Tally};
use super::{Counters, Inherited, Order, Setup, Sink};
use crate::base::{Id, Instant, PortId};
use crate::media::control::{Ailment, Event};
use crate::media::{Channel, Effect, Engine, Frame, Port, Relay};
use crate::shell::clock::Clock;
use crate::shell::record;
use crate::shell::sys::epoll::Waker;
use crossbeam_channel::{Receiver, Sender};
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

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

pub struct Worker<I> {
    engine: Engine,
    io: I,
    orders: Receiver<Order>,
    waker: Arc<Waker>,
    clock: Clock,
    now: Instant,
    sink: Sink,
    recorder: record::Inlet,
    dscp: u8,
    inherited: Arc<Inherited>,
    backlog: VecDeque<Event>,
    counters: Arc<Counters>,
    out: Vec<Effect>,
}

impl<I: Io> Worker<I> {
    pub fn new(
        setup: &Setup,
        io: I,
        (orders, waker): (Receiver<Order>, Arc<Waker>),
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            engine: Engine::new(setup.seed, Arc::clone(&setup.tunes)),
            io,
            orders,
            waker,
            clock: setup.clock,
            now: setup.clock.instant(),
            sink: Arc::clone(&setup.sink),
            recorder: setup.recorder.clone(),
            dscp: setup.dscp,
            inherited: Arc::clone(&setup.inherited),
            backlog: VecDeque::new(),
            counters,
            out: Vec::new(),
        }
    }

    /// Works until it is told to stop, or cannot. What it was at the end.
    pub fn run(mut self) -> io::Result<Left> {
        while self.turn(None)? {}
        self.stop()
    }

    /// Goes on with what another one was.
    pub fn go_on(&mut self, left: Left) -> io::Result<()> {
        self.engine = left.engine;
        for pair in left.pairs {
            self.keep(Box::new(pair));
        }
        self.execute()
    }

    /// Everything once, and a sleep, of this span at most. False: it was told to stop.
    pub fn turn(&mut self, longest: Option<Duration>) -> io::Result<bool> {
        if !self.obey(self.now)? {
            return Ok(false);
        }
        self.engine.tick(self.now, &mut self.out);
        self.execute()?;
        self.tell_backlog();
        self.recorder.read().into_iter().for_each(|batch| self.engine.reuse(batch));
        self.count();
        self.sleep(self.now, longest)?;
        // Once a turn: on some machines it costs as much as a small system call.
        self.now = self.clock.instant();
        self.receive(self.now)?;
        Ok(true)
    }

    /// What has come is relayed still: whoever has the sockets next gets what comes later.
    pub fn stop(mut self) -> io::Result<Left> {
        let now = self.now;
        if let Err(error) = self.io.end() {
            tracing::warn!(%error, "sockets are still listened at where a media worker stops");
        }
        while self.io.holds(None) {
            self.receive(now)?;
        }
        self.engine.hand_on(&mut self.out);
        self.execute()?;
        self.io.flush()?;
        let keys = self.backlog.into_iter().filter(|event| matches!(event, Event::Key { .. }));
        let keys = keys.collect();
        Ok(Left { engine: self.engine, pairs: self.io.into_pairs(), keys })
    }

    /// Carries out what was ordered; false once that is to stop.
    fn obey(&mut self, now: Instant) -> io::Result<bool> {
        for _ in 0..ORDERS {
            match self.orders.try_recv() {
                Ok(Order::Command(command)) => {
                    self.engine.command(now, command, &mut self.out);
                    self.execute()?;
                }
                Ok(Order::Give { port, to }) => self.give(now, port, &to)?,
                Ok(Order::Take { from }) => self.take(now, &from)?,
                Ok(Order::Tunes(tunes)) => self.engine.play_from(tunes),
                Ok(Order::Stop) => return Ok(false),
                Err(error) => return Ok(!error.is_disconnected()),
            }
        }
        Ok(true)
    }

    fn give(&mut self, now: Instant, port: PortId, to: &Sender<Parcel>) -> io::Result<()> {
        if let Err(error) = self.io.leave(port) {
            drop(self.io.pairs().remove(port));
            self.broken(port, &error);
            return self.execute();
        }
        // What has come for it here is its own still.
        self.receive(now)?;
        while self.io.holds(Some(port)) {
            self.receive(now)?;
        }
        let Some(pair) = self.io.pairs().remove(port) else { return Ok(()) };
        if let Some(port) = self.engine.release(port) {
            let _ = to.send(Parcel { port, pair });
        }
        Ok(())
    }

    /// Orders are given in one sequence, and a port is always ordered away before it is ordered
    /// here: so of two workers that wait for each other's, one is always ahead. Whoever has nothing
    /// to send hangs up.
    fn take(&mut self, now: Instant, from: &Receiver<Parcel>) -> io::Result<()> {
        if let Ok(Parcel { port, pair }) = from.recv()
            && self.engine.adopt(now, port)
        {
            self.keep(pair);
        }
        self.execute()
    }

    /// Waits for sockets, orders, or the next frame of a tune.
    fn sleep(&mut self, now: Instant, longest: Option<Duration>) -> io::Result<()> {
        self.waker.about_to_sleep();
        let busy = !self.orders.is_empty();
        let deadline = self.engine.deadline().map(|at| at.since(now));
        let lagging = (!self.backlog.is_empty()).then_some(Duration::from_millis(1));
        let timeout = if busy {
            Some(Duration::ZERO)
        } else {
            deadline.into_iter().chain(lagging).chain(longest).min()
        };
        let slept = self.io.wait(timeout);
        self.waker.awake();
        slept
    }

    /// Hands in what has come, then does what follows from it.
    fn receive(&mut self, now: Instant) -> io::Result<()> {
        let Self { io, engine, out, .. } = self;
        io.receive(|datagram| came(engine, now, datagram, out))?;
        self.execute()
    }

    fn count(&mut self) {
        let Tally { received, sent, unsent, failed } = self.io.tally();
        failed.into_iter().for_each(|port| self.engine.unsendable(port));
        self.counters.received.fetch_add(received, Ordering::Relaxed);
        self.counters.sent.fetch_add(sent, Ordering::Relaxed);
        self.counters.unsent.fetch_add(unsent, Ordering::Relaxed);
    }

    fn execute(&mut self) -> io::Result<()> {
        let mut out = std::mem::take(&mut self.out);
        while !out.is_empty() {
            for effect in out.drain(..) {
                self.carry_out(effect)?;
            }
            // A port that could not be bound has left news behind.
            std::mem::swap(&mut out, &mut self.out);
        }
        self.out = out;
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Send(frame) => return self.send(&frame),
            Effect::Report { port, channel, to, bytes } => {
                // One that is lost is followed by another.
                return self.io.send((port, channel), to, |room| put(room, [&bytes, &[]]));
            }
            Effect::Tell(event) => self.tell(event),
            Effect::Recorded(batch) => self.recorder.put(batch),
            Effect::Untaped { call, packets } => self.recorder.spilt([call], packets),
            Effect::Bind { port, address } => match self.open(port, address) {
                Ok(pair) => {
                    self.keep(Box::new(pair));
                    if let Some(keys) = self.inherited.told(port) {
                        self.engine.told(port, keys);
                    }
                }
                Err(error) => self.broken(port, &error),
            },
            Effect::Unbind { port } => {
                if let Err(error) = self.io.leave(port) {
                    tracing::warn!(port = port.slot(), %error, "a closed port is taken for now");
                }
                drop(self.io.pairs().remove(port));
            }
            Effect::Connect { port, peer } => {
                self.io.flush()?;
                if let Some(pair) = self.io.pairs().get_mut(port) {
                    // Unconnected it works as well: the engine refuses strangers itself.
                    let _ = pair.connect(peer);
                }
            }
            Effect::Thin { port, event } => {
                if let Some(pair) = self.io.pairs().get(port) {
                    // Unthinned it works as well: numbers in between are counted as heard.
                    let _ = pair.thin(event);
                }
                if event.is_none() {
                    // What came through the filter and waits is one packet of many, from before
                    // the far end was listened to: no part of the conversation.
                    self.io.discard(port)?;
                }
            }
        }
        Ok(())
    }

    fn open(&self, port: PortId, address: IpAddr) -> io::Result<Pair> {
        let inherited = self.inherited.take(port).map(|it| Pair::inherit(port, address, it));
        match inherited {
            Some(Ok(pair)) => Ok(pair),
            Some(Err(error)) => {
                let number = port.slot();
                tracing::warn!(number, %error, "a media port is opened anew in mid-call");
                Pair::bind(port, address, self.dscp)
            }
            None => Pair::bind(port, address, self.dscp),
        }
    }

    /// Begins to listen at these sockets.
    fn keep(&mut self, pair: Box<Pair>) {
        let port = pair.port;
        if let Err(error) = self.io.keep(pair) {
            self.broken(port, &error);
        }
    }

    fn broken(&mut self, port: PortId, error: &io::Error) {
        let why = format!("port {}: {error}", port.slot());
        self.engine.broken(port, why, &mut self.out);
    }

    /// Header and audio are put together in one place: for 172 octets that is cheaper than to have
    /// the kernel gather them.
    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        let parts = [&frame.header, frame.payload()];
        self.io.send((frame.port, Channel::Rtp), frame.to, |room| put(room, parts))
    }

    fn tell(&mut self, event: Event) {
        if let Event::Ailing { port, what: Ailment::Refused, on: true, from: Some(from) } = event {
            tracing::warn!(
                port = port.slot(),
                "nothing is heard of a far end, and sound comes from {from}, which is refused: it \
                 is neither where the far end says it is nor where it signals from. If that is a \
                 gateway of a carrier, name its network under media_from of the [[trunk]]; if it \
                 is a phone behind a proxy, have the proxy put the address into its description"
            );
        }
        if let Event::Ailing { port, what: Ailment::Unopened, on: true, from: Some(from) } = event {
            tracing::warn!(
                port = port.slot(),
                "nothing is heard of a far end, and what comes from {from} cannot be opened with \
                 the key that the far end has named: it is sealed with another one, or plain"
            );
        }
        let refused = if self.backlog.is_empty() { (self.sink)(event) } else { Err(event) };
        let Err(event) = refused else { return };
        let may_be_lost = match event {
            Event::Silent { .. }
            | Event::Heard { .. }
            | Event::Key { .. }
            | Event::Ailing { .. } => true,
            Event::Held { .. }
            | Event::Failed { .. }
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

/// Every datagram goes through here on its way to the engine, and on from here with its verdict.
fn came(
    engine: &mut Engine,
    now: Instant,
    mut datagram: Datagram<'_>,
    out: &mut Vec<Effect>,
) -> Option<Relay> {
    let Datagram { port, channel, from, .. } = datagram;
    engine.packet(now, port, channel, from, datagram.octets(), out)
}

fn put(room: &mut [u8], parts: [&[u8]; 2]) -> usize {
    let [head, body] = parts;
    let all = head.len() + body.len();
    room[..head.len()].copy_from_slice(head);
    room[head.len()..all].copy_from_slice(body);
    all
}
