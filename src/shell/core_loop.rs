//! The loop of the core: one plain thread that owns the switch and its UDP sockets. It takes a
//! batch of events, stamps it with the time once, has the core handle each event, and writes events
//! and what is noted about them to the journal; only then it executes the commands and hands on the
//! facts, and sleeps until something comes or the next deadline is due. It waits for nobody else:
//! whoever lags finds a bounded queue.

use super::board::Names;
use super::clock::{Calendar, Clock};
use super::engine::{Engine, Journal};
use super::lane::InboxEnd;
use super::meters::LoopMeters;
use super::outlets::Outlets;
use super::shun::Shunned;
use super::sys::epoll::{Poller, Ready, Waker};
use super::udp::Udp;
use crate::base::{FlowId, Instant, Now};
use crate::core::{Command, Event, Out};
use crate::sip::Transport;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const WAKER_TOKEN: u64 = 0;
/// When a reader lags, how soon the loop tries again to hand it what waits.
const RETRY: Duration = Duration::from_millis(5);
/// How soon the journal tries to be whole again, where nothing else happens.
const HEAL: Duration = Duration::from_millis(200);
/// A listener that is never read empty for this long gets more than the core can do.
const SWAMPED: Duration = Duration::from_millis(200);

pub struct CoreLoop<E> {
    pub engine: E,
    pub journal: Box<dyn Journal>,
    pub clock: Clock,
    pub inbox: InboxEnd,
    pub udp: Udp,
    pub outlets: Outlets,
    pub meters: LoopMeters,
    pub handle: LoopHandle,
    pub watch: Watch,
}

/// What the loop has an eye on beside its work.
#[derive(Debug)]
pub struct Watch {
    flood: Flood,
    calendar: Calendar,
    shunned: Shunned,
}

impl Watch {
    pub fn new(shunned: Shunned) -> Self {
        Self { flood: Flood::default(), calendar: Calendar::default(), shunned }
    }
}

/// Whether more comes in than can be handled.
#[derive(Debug, Default)]
struct Flood {
    /// Since when no listener was read empty.
    since: Option<Instant>,
    told: bool,
}

impl Flood {
    /// What the core is to be told, if anything, now that there is more to read or is not.
    fn review(&mut self, now: Instant, more: bool) -> Option<Event> {
        let since = more.then(|| *self.since.get_or_insert(now));
        self.since = since;
        let swamped = since.is_some_and(|since| now.since(since) >= SWAMPED);
        // Over only when a listener was read empty.
        let change = if self.told { !more } else { swamped };
        self.told ^= change;
        change.then_some(Event::Swamped(self.told))
    }
}

/// Stops the loop from outside.
#[derive(Clone)]
pub struct LoopHandle {
    pub waker: Arc<Waker>,
    stop: Arc<AtomicBool>,
    broken: Arc<AtomicBool>,
    leave: Arc<AtomicBool>,
    /// How often the loop has gone round.
    turns: Arc<AtomicU64>,
}

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The last call was over after a drain.
    Drained,
    /// It was told to stop.
    Stopped,
    /// Another program goes on in its place.
    Left,
    /// The core broke one of its own rules, or a thread that it needs could not go on. The process
    /// ends with an error, so that whoever watches it starts it again.
    Broken,
}

impl LoopHandle {
    pub fn new() -> io::Result<Self> {
        let waker = Arc::new(Waker::new()?);
        let (stop, broken, leave, turns) = Default::default();
        Ok(Self { waker, stop, broken, leave, turns })
    }

    /// A thread that the loop cannot do without has died.
    pub fn break_down(&self) {
        self.broken.store(true, Ordering::SeqCst);
        self.stop();
    }

    /// The loop ends when it has dealt with all that has come.
    pub fn leave(&self) {
        self.leave.store(true, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Grows as long as the loop is well and has been woken.
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    fn leaves(&self) -> bool {
        self.leave.load(Ordering::SeqCst)
    }

    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.waker.wake();
    }
}

impl<E: Engine + 'static> CoreLoop<E> {
    /// Starts the thread; `first` is what the switch said when it was made. Called on that thread:
    /// `begun` when all of it was handed on and nobody was woken for it yet, `over` when the loop
    /// has ended.
    pub fn start(
        mut self,
        first: Out,
        begun: impl FnOnce() + Send + 'static,
        over: impl FnOnce(Over) + Send + 'static,
    ) -> io::Result<JoinHandle<Self>> {
        let poller = Poller::new()?;
        poller.add_waker(&self.handle.waker, WAKER_TOKEN)?;
        self.udp.watch(&poller)?;
        std::thread::Builder::new().name("core".into()).spawn(move || {
            let how = catch_unwind(AssertUnwindSafe(|| self.run(poller, first, begun)));
            over(match how {
                Ok(Ok(how)) => how,
                Ok(Err(error)) => {
                    tracing::error!("the core thread cannot wait for its sockets: {error}");
                    Over::Broken
                }
                Err(_) => {
                    self.journal.break_off(self.clock.now());
                    tracing::error!(
                        "the core broke one of its own rules and stops; the message is above. \
                         The journal keeps its calls for the next start"
                    );
                    Over::Broken
                }
            });
            self
        })
    }

    fn run(&mut self, mut poller: Poller, mut out: Out, begun: impl FnOnce()) -> io::Result<Over> {
        let mut batch = Vec::new();
        let mut ready = Vec::new();
        let mut drained = self.execute(&mut out, &poller);
        begun();
        // Whoever talked hears again at once: the workers sleep until they are woken.
        self.outlets.flush();
        self.udp.flush(&poller);
        while !self.handle.stop.load(Ordering::SeqCst) {
            if drained {
                return Ok(Over::Drained);
            }
            if self.handle.leaves() && self.inbox.is_empty() {
                return Ok(Over::Left);
            }
            self.sleep(&mut poller, &mut ready, batch.is_empty())?;
            self.handle.turns.fetch_add(1, Ordering::Relaxed);
            self.gather(&ready, &poller, &mut batch);
            let now = self.clock.now();
            self.watch.shunned.keep_out(now.instant, &mut batch);
            batch.extend(self.review_calendar(now));
            if let Some((due, _)) = self.engine.next_deadline().filter(|(at, _)| *at <= now.instant)
            {
                self.meters.late_us.record(now.instant.since(due).as_micros() as f64);
                batch.insert(0, Event::Tick);
            }
            if !batch.is_empty() {
                self.meters.batch.record(batch.len() as f64);
                drained = self.handle_all(now, &mut batch, &mut out, &poller);
            }
            if self.journal.rest(now) {
                self.turn_over(now);
            }
            batch.extend(self.journal.news());
            self.outlets.flush();
            self.udp.flush(&poller);
        }
        let broken = self.handle.broken.load(Ordering::SeqCst);
        Ok(if broken { Over::Broken } else { Over::Stopped })
    }

    /// Copies what the core knows, for a snapshot that is written elsewhere. Nobody is heard
    /// meanwhile, so it is measured.
    fn turn_over(&mut self, now: Now) {
        let board = self.outlets.copy_board();
        let began = self.clock.instant();
        let memory = self.engine.memory(now);
        let span = self.clock.instant().since(began);
        self.meters.snapshot_us.record(span.as_micros() as f64);
        self.journal.snapshot(memory, board);
    }

    /// Writes down all that is known, for another program to go on with: whether that is safe, the
    /// sockets, and where what still comes has gathered. Of a core that is not `intact` nothing is
    /// written down.
    pub fn leave(mut self, intact: bool) -> (bool, Udp, InboxEnd) {
        if !intact {
            return (false, self.udp, self.inbox);
        }
        let now = self.clock.now();
        let board = self.outlets.copy_board();
        self.outlets.flush();
        let safe = self.journal.leave(self.engine.memory(now), board);
        (safe, self.udp, self.inbox)
    }

    fn review_calendar(&mut self, now: Now) -> Option<Event> {
        let seconds = self.watch.calendar.review(now)?;
        tracing::warn!(
            "the calendar was moved by {seconds} s while the switch runs. No call and no timer \
             goes by it, but times in records do, and shifts, opening hours and days"
        );
        Some(Event::ClockMoved { seconds })
    }

    /// `idle`: nothing is left to be done.
    fn sleep(&mut self, poller: &mut Poller, ready: &mut Vec<Ready>, idle: bool) -> io::Result<()> {
        let waker = Arc::clone(&self.handle.waker);
        waker.about_to_sleep();
        let at_once = !idle
            || !self.inbox.is_empty()
            || self.udp.has_unreachable()
            || self.handle.stop.load(Ordering::SeqCst)
            || self.handle.leaves();
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
        let until_healed = (!self.journal.is_whole()).then_some(HEAL);
        until_due.into_iter().chain(until_retry).chain(until_healed).min()
    }

    /// A bounded share of each source, the rare ones first.
    fn gather(&mut self, ready: &[Ready], poller: &Poller, batch: &mut Vec<Event>) {
        self.inbox.take(batch);
        let before = batch.len();
        let mut more = false;
        for ready in ready {
            if ready.token == WAKER_TOKEN {
                continue;
            }
            if ready.error {
                self.udp.take_errors(ready.token);
            }
            if ready.writable {
                self.udp.writable(ready.token, poller);
            }
            if ready.readable {
                more |= self.udp.receive(ready.token, batch);
            }
        }
        if more || self.watch.flood.since.is_some() || self.watch.flood.told {
            let told = self.watch.flood.review(self.clock.instant(), more);
            batch.splice(before..before, told);
        }
        let ignored = std::mem::take(&mut self.udp.ignored);
        self.meters.datagrams_in.increment((batch.len() - before) as u64 + ignored);
        self.meters.datagrams_ignored.increment(ignored);
        self.udp.take_unreachable(batch);
    }

    /// What follows new settings is told in their names, so such an event is handled by itself.
    fn handle_all(
        &mut self,
        now: Now,
        batch: &mut Vec<Event>,
        out: &mut Out,
        poller: &Poller,
    ) -> bool {
        let mut drained = false;
        while !batch.is_empty() {
            let apart = batch.iter().position(|event| matches!(event, Event::Reload(_)));
            let run = apart.map_or(batch.len(), |at| at.max(1));
            let closed = self.handle_run(now, batch, run, out);
            drained |= self.execute(out, poller);
            closed.into_iter().for_each(|flow| self.outlets.streams.close(flow));
            self.outlets.flush();
            self.udp.flush(poller);
        }
        drained
    }

    /// Takes `run` events from the front. Nothing is done about them before they are written down.
    fn handle_run(
        &mut self,
        now: Now,
        batch: &mut Vec<Event>,
        run: usize,
        out: &mut Out,
    ) -> Vec<FlowId> {
        let mut closed = Vec::new();
        self.journal.append(now, &batch[..run]);
        let mut started = self.clock.instant();
        for event in batch.drain(..run) {
            let (commands, facts) = (out.commands.len(), out.facts.len());
            let reload = match &event {
                Event::Reload(settings) => Some(settings.clone()),
                _ => None,
            };
            if let Event::FlowClosed { flow } = event {
                closed.push(flow);
            }
            self.engine.handle(now, event, out);
            self.journal.follow(&out.commands[commands..], &out.facts[facts..], &self.engine);
            if let Some(settings) = reload {
                self.outlets.names(Names::of(&settings, self.engine.names()));
            }
            let ended = self.clock.instant();
            self.meters.handle_us.record(ended.since(started).as_micros() as f64);
            started = ended;
        }
        self.meters.events.increment(run as u64);
        self.journal.commit(now, &self.engine);
        closed
    }

    /// Does what the core asked for; true where it said that the last call is over.
    fn execute(&mut self, out: &mut Out, poller: &Poller) -> bool {
        let (mut drained, mut datagrams) = (false, 0);
        self.meters.commands.increment(out.commands.len() as u64);
        self.meters.facts.increment(out.facts.len() as u64);
        self.outlets.facts(&mut out.facts);
        for command in out.commands.drain(..) {
            match command {
                Command::Send { hop, bytes } => match hop.transport {
                    Transport::Udp => {
                        if self.udp.is_crowded() {
                            self.udp.flush(poller);
                        }
                        self.udp.put(hop, bytes);
                        datagrams += 1;
                    }
                    Transport::Tcp | Transport::Tls => self.outlets.streams.send(hop, bytes),
                },
                Command::Close { flow } => self.outlets.streams.close(flow),
                Command::Keep { flow } => self.outlets.streams.keep(flow),
                Command::Ask { query, name, kind } => self.outlets.ask(query, name, kind),
                Command::Media(command) => self.outlets.media(command),
                Command::Tape(tape) => self.outlets.tapes.put(tape),
                Command::Store(row) => self.outlets.row(*row),
                Command::Reply { request, result } => self.outlets.reply(request, result),
                Command::Drained => drained = true,
            }
        }
        self.meters.datagrams_out.increment(datagrams);
        if self.udp.dropped > 0 {
            self.meters.datagrams_dropped.increment(std::mem::take(&mut self.udp.dropped));
        }
        drained
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_is_never_empty_is_told_once_and_its_relief_too() {
        let at = |millis: u64| Instant(millis * 1_000);
        let mut flood = Flood::default();
        assert_eq!(flood.review(at(0), true), None);
        assert_eq!(flood.review(at(199), true), None);
        assert_eq!(flood.review(at(200), true), Some(Event::Swamped(true)));
        assert_eq!(flood.review(at(900), true), None);
        assert_eq!(flood.review(at(901), false), Some(Event::Swamped(false)));
        assert_eq!(flood.review(at(902), false), None);
        assert_eq!(flood.review(at(903), true), None);
        assert_eq!(flood.review(at(1_000), false), None, "a short burst is no flood");
    }
}
