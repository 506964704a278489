//! The loop of the core: one plain thread that owns the switch and its UDP sockets. It takes a
//! batch of events, stamps it with the time once, gives it to the journal, has the core handle each
//! event, executes the commands and hands on the facts; then it sleeps until something comes or the
//! next deadline is due. It waits for nobody else: whoever lags finds a bounded queue.

use super::board::Names;
use super::clock::Clock;
use super::engine::{Engine, Journal};
use super::lane::InboxEnd;
use super::meters::LoopMeters;
use super::outlets::Outlets;
use super::sys::epoll::{Poller, Ready, Waker};
use super::udp::Udp;
use crate::base::Now;
use crate::core::{Command, Event, Out};
use crate::sip::Transport;
use std::io;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const WAKER_TOKEN: u64 = 0;
/// When a reader lags, how soon the loop tries again to hand it what waits.
const RETRY: Duration = Duration::from_millis(5);

pub struct CoreLoop<E> {
    pub engine: E,
    pub journal: Box<dyn Journal>,
    pub clock: Clock,
    pub inbox: InboxEnd,
    pub udp: Udp,
    pub outlets: Outlets,
    pub meters: LoopMeters,
    pub handle: LoopHandle,
}

/// Stops the loop from outside.
#[derive(Clone)]
pub struct LoopHandle {
    pub waker: Arc<Waker>,
    stop: Arc<AtomicBool>,
}

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The last call was over after a drain.
    Drained,
    /// It was told to stop.
    Stopped,
    /// The core broke one of its own rules, or its thread could not work.
    Broken,
}

impl LoopHandle {
    pub fn new() -> io::Result<Self> {
        Ok(Self { waker: Arc::new(Waker::new()?), stop: Arc::default() })
    }

    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.waker.wake();
    }
}

impl<E: Engine + 'static> CoreLoop<E> {
    /// Starts the thread; `first` is what the switch said when it was made. `over` is called on
    /// that thread when the loop has ended.
    pub fn start(
        mut self,
        first: Out,
        over: impl FnOnce(Over) + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let poller = Poller::new()?;
        poller.add(self.handle.waker.as_fd(), WAKER_TOKEN)?;
        self.udp.watch(&poller)?;
        std::thread::Builder::new().name("core".into()).spawn(move || {
            let how = catch_unwind(AssertUnwindSafe(|| self.run(poller, first)));
            over(match how {
                Ok(Ok(how)) => how,
                Ok(Err(error)) => {
                    tracing::error!("the core thread cannot wait for its sockets: {error}");
                    Over::Broken
                }
                Err(_) => {
                    tracing::error!(
                        "the core broke one of its own rules and stops; the message is above. \
                         The journal keeps its calls for the next start"
                    );
                    Over::Broken
                }
            });
        })
    }

    fn run(&mut self, mut poller: Poller, mut out: Out) -> io::Result<Over> {
        let mut batch = Vec::new();
        let mut ready = Vec::new();
        let mut drained = self.execute(&mut out, &poller);
        while !self.handle.stop.load(Ordering::SeqCst) {
            if drained {
                return Ok(Over::Drained);
            }
            self.sleep(&mut poller, &mut ready)?;
            self.gather(&ready, &poller, &mut batch);
            let now = self.clock.now();
            if let Some((due, _)) = self.engine.next_deadline().filter(|(at, _)| *at <= now.instant)
            {
                self.meters.late_us.record(now.instant.since(due).as_micros() as f64);
                batch.insert(0, Event::Tick);
            }
            if !batch.is_empty() {
                self.journal.append(now, &batch);
                self.meters.batch.record(batch.len() as f64);
                drained = self.handle_all(now, &mut batch, &mut out, &poller);
                if self.journal.rest(now, &self.engine) {
                    let board = self.outlets.copy_board();
                    self.journal.snapshot(self.engine.memory(now), board);
                }
            }
            self.outlets.flush();
            self.udp.flush(&poller);
        }
        Ok(Over::Stopped)
    }

    fn sleep(&mut self, poller: &mut Poller, ready: &mut Vec<Ready>) -> io::Result<()> {
        let waker = Arc::clone(&self.handle.waker);
        waker.about_to_sleep();
        let at_once = !self.inbox.is_empty()
            || self.udp.has_unreachable()
            || self.handle.stop.load(Ordering::SeqCst);
        let timeout = if at_once { Some(Duration::ZERO) } else { self.timeout() };
        ready.clear();
        ready.extend(poller.wait(timeout)?);
        waker.awake();
        Ok(())
    }

    fn timeout(&self) -> Option<Duration> {
        let deadline = self.engine.next_deadline();
        let until_due = deadline.map(|(at, _)| at.since(self.clock.instant()));
        let until_retry = self.outlets.has_waiting().then_some(RETRY);
        until_due.into_iter().chain(until_retry).min()
    }

    /// A bounded share of each source, the rare ones first.
    fn gather(&mut self, ready: &[Ready], poller: &Poller, batch: &mut Vec<Event>) {
        self.inbox.take(batch);
        let before = batch.len();
        for ready in ready {
            if ready.token == WAKER_TOKEN {
                self.handle.waker.clear();
                continue;
            }
            if ready.error {
                self.udp.take_errors(ready.token);
            }
            if ready.writable {
                self.udp.writable(ready.token, poller);
            }
            if ready.readable {
                self.udp.receive(ready.token, batch);
            }
        }
        self.meters.datagrams_in.increment((batch.len() - before) as u64);
        self.udp.take_unreachable(batch);
    }

    fn handle_all(
        &mut self,
        now: Now,
        batch: &mut Vec<Event>,
        out: &mut Out,
        poller: &Poller,
    ) -> bool {
        let mut drained = false;
        let mut started = self.clock.instant();
        for event in batch.drain(..) {
            let reload = match &event {
                Event::Reload(settings) => Some(settings.clone()),
                _ => None,
            };
            self.engine.handle(now, event, out);
            self.journal.follow(out, &self.engine);
            if let Some(settings) = reload {
                self.outlets.names(Names::of(&settings, self.engine.names()));
            }
            let ended = self.clock.instant();
            self.meters.handle_us.record(ended.since(started).as_micros() as f64);
            self.meters.events.increment(1);
            drained |= self.execute(out, poller);
            started = self.clock.instant();
        }
        drained
    }

    /// Does what the core asked for; true where it said that the last call is over.
    fn execute(&mut self, out: &mut Out, poller: &Poller) -> bool {
        let mut drained = false;
        self.meters.commands.increment(out.commands.len() as u64);
        self.meters.facts.increment(out.facts.len() as u64);
        self.outlets.facts(&mut out.facts);
        for command in out.commands.drain(..) {
            match command {
                Command::Send { hop, bytes } => match hop.transport {
                    Transport::Udp => {
                        self.udp.put(hop, bytes);
                        self.meters.datagrams_out.increment(1);
                    }
                    Transport::Tcp => self.outlets.streams.send(hop, bytes),
                },
                Command::Close { flow } => self.outlets.streams.close(flow),
                Command::Ask { query, name, kind } => self.outlets.ask(query, name, kind),
                Command::Media(command) => self.outlets.media(command),
                Command::Store(row) => self.outlets.row(*row),
                Command::Reply { request, result } => self.outlets.reply(request, result),
                Command::Drained => drained = true,
            }
        }
        if self.udp.dropped > 0 {
            self.meters.datagrams_dropped.increment(std::mem::take(&mut self.udp.dropped));
            self.udp.flush(poller);
        }
        drained
    }
}
