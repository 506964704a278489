//! Who relays voices, and plays what is played, while one program makes way for another: a copy of
//! the process for each worker, with its engine and its sockets as they were at its end.
//!
//! In: datagrams, and the word of the next program that it is at work. Out: datagrams, and in the
//! end what is known of keys. It says nothing and takes no orders, so nothing else comes of it but
//! sound. May import: base, media.

use super::polled::Polled;
use super::sockets::Pair;
use super::worker::Worker;
use super::{Counters, OpenPorts, Setup};
use crate::base::{Id, PortId};
use crate::call::MediaIo;
use crate::media::control::Event;
use crate::media::{Engine, Keys};
use crate::shell::clock::Clock;
use crate::shell::record;
use crate::shell::sys::epoll::Waker;
use crate::shell::sys::fork::{self, in_a_copy, keep_only};
use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The longest that a start is waited for. By then sound has come back, or never will.
const PATIENCE: u32 = 20;
/// How often it looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(2);
/// How long the next program waits for its last word.
const LAST_WORD: Duration = Duration::from_millis(500);
/// Keys that are kept: more are pressed by nobody in so short a time.
const KEYS_MAX: usize = 4_096;

/// What a worker was when it stopped.
pub struct Left {
    pub engine: Engine,
    pub pairs: Vec<Pair>,
    /// Keys that the core was not there for.
    pub keys: Vec<Event>,
}

/// For the next program, which ends it.
#[derive(Debug)]
pub struct Caretaker {
    pub id: u32,
    pub line: OwnedFd,
}

/// What is known of keys where sound changes hands.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Word {
    /// Those that the core has not heard of.
    pub keys: Vec<Event>,
    /// Presses that were told; the last of a port counts.
    pub told: Vec<(PortId, Keys)>,
}

/// What workers leave to the next program.
#[derive(Debug, Default)]
pub struct Estate {
    pub ports: OpenPorts,
    pub caretakers: Vec<Caretaker>,
    pub word: Word,
}

impl Estate {
    /// Has what is left looked after. Where that is refused there is silence until the next program
    /// is at work, and packets wait in the sockets.
    pub fn add(&mut self, mut left: Left, clock: Clock) {
        self.word.keys.append(&mut left.keys);
        self.word.told.extend(left.engine.keys());
        let mut left = Some(left);
        match begin(&mut left, clock) {
            Ok(caretaker) => self.caretakers.push(caretaker),
            Err(error) => tracing::warn!(%error, "nobody relays voices until the next program"),
        }
        let pairs = left.into_iter().flat_map(|left| left.pairs);
        self.ports.extend(pairs.map(|pair| (pair.port.slot(), pair.into_fds())));
    }
}

/// `left` is taken in the copy alone.
fn begin(left: &mut Option<Left>, clock: Clock) -> io::Result<Caretaker> {
    let (here, there) = UnixStream::pair()?;
    there.set_nonblocking(true)?;
    let id = in_a_copy(PATIENCE, || {
        if let Some(left) = left.take() {
            let _ = look_after(left, clock, there);
        }
    })?;
    Ok(Caretaker { id, line: here.into() })
}

/// Until the other end of the line is closed, or says that it will send nothing more.
fn look_after(left: Left, clock: Clock, mut line: UnixStream) -> io::Result<()> {
    let sockets = left.pairs.iter().flat_map(|pair| pair.fds());
    keep_only(sockets.chain([line.as_raw_fd()]).collect())?;
    let keys = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&keys);
    let sink = move |event| {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        // Whatever else there is to tell, the next program finds for itself.
        if matches!(event, Event::Key { .. }) && heard.len() < KEYS_MAX {
            heard.push(event);
        }
        Ok(())
    };
    let waker = Arc::new(Waker::new()?);
    let io = Polled::new(&waker)?;
    let setup = Setup {
        count: 1,
        io: MediaIo::Epoll,
        tunes: Arc::default(),
        seed: 0,
        clock,
        sink: Arc::new(sink),
        recorder: record::Inlet::default(),
        dscp: 0,
        died: Arc::new(|| ()),
        inherited: Arc::default(),
    };
    let (orders, end) = crossbeam_channel::bounded(1);
    let mut worker = Worker::new(&setup, io, (end, waker), Arc::new(Counters::default()));
    worker.go_on(left)?;
    while is_wanted(&mut line)? {
        worker.turn(Some(LOOK))?;
    }
    // Only the end of the copy lets go of these: the next program waits for no such thing.
    let left = worker.stop()?;
    drop(orders);
    let keys = std::mem::take(&mut *keys.lock().unwrap_or_else(PoisonError::into_inner));
    let word = Word { keys, told: left.engine.keys().collect() };
    line.set_nonblocking(false)?;
    line.set_write_timeout(Some(LAST_WORD))?;
    line.write_all(&postcard::to_stdvec(&word).map_err(io::Error::other)?)?;
    drop(line);
    Ok(())
}

fn is_wanted(line: &mut UnixStream) -> io::Result<bool> {
    match line.read(&mut [0]) {
        Ok(read) => Ok(read > 0),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(error),
    }
}

/// From here on, what comes waits in the sockets. What is known of keys, `before` included. Nobody
/// is waited for longer than a moment, and whoever has not answered by then is no more.
pub fn relieve(caretakers: Vec<Caretaker>, before: Word, clock: Clock) -> Word {
    // All at once, and only then one after the other.
    let lines: Vec<_> = caretakers
        .into_iter()
        .map(|Caretaker { id, line }| {
            let line = UnixStream::from(line);
            let told = line.shutdown(Shutdown::Write);
            (id, told.map(|()| line))
        })
        .collect();
    let since = clock.instant();
    let (mut word, mut dead) = (before, Vec::new());
    for (id, line) in lines {
        let mut text = Vec::new();
        let left = LAST_WORD.saturating_sub(clock.instant().since(since)).max(LOOK);
        let read = line.and_then(|mut line| {
            line.set_nonblocking(false)?;
            line.set_read_timeout(Some(left))?;
            line.read_to_end(&mut text)
        });
        if read.is_err() {
            fork::kill(id);
        }
        dead.push(id);
        match postcard::from_bytes::<Word>(&text) {
            Ok(mut last) => {
                word.keys.append(&mut last.keys);
                word.told.append(&mut last.told);
            }
            Err(error) => tracing::warn!("keys that were pressed in an upgrade are lost: {error}"),
        }
    }
    // The system takes its time to clear up after each.
    let buried = move || dead.into_iter().for_each(fork::bury);
    if let Err(error) = thread::Builder::new().name("caretakers".into()).spawn(buried) {
        tracing::warn!("who looked after voices is left unburied: {error}");
    }
    word
}
