//! The thread that writes recordings down, away from the media workers: a disk that is slow or full
//! costs recordings and never a call.

use super::closer::{Chore, Finish, Over};
use super::file;
use super::growing::{self, Growing};
use super::timeline::{BEHIND, RATE, Timeline};
use super::{Recorder, Shared};
use crate::base::{CallId, Instant};
use crate::call::{Tape, TapeEvent};
use crate::media::Batch;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often what is old enough is written.
const TURN: Duration = Duration::from_millis(100);
/// Frames that are written at once: a second.
const AT_ONCE: u64 = RATE;
/// After the end of a call the last packets are still on their way from the workers.
const LINGER: Duration = Duration::from_millis(500);
/// How long calls that a dead process was recording have to come back, once there is a core.
const COME_BACK: Duration = Duration::from_secs(5);
const HOUR: Duration = Duration::from_secs(3_600);

pub struct Writer {
    pub config: Recorder,
    pub orders: Receiver<Tape>,
    pub sound: Receiver<Batch>,
    pub empty: Sender<Batch>,
    pub jobs: Sender<Finish>,
    pub chores: Sender<Chore>,
    pub shared: Arc<Shared>,
    pub live: BTreeMap<CallId, Live>,
    /// Files of a dead process that nobody has gone on with, and others that are to be mended.
    pub orphans: Vec<PathBuf>,
    /// All that was heard before this has come here, but for what a worker still holds.
    pub heard: Instant,
    /// Told of the end. Who watches and finds it dropped without a word tells everybody else.
    pub watched: Sender<()>,
}

pub struct Live {
    timeline: Timeline,
    file: Growing,
    /// The end of the call, and when the file is to be closed.
    end: Option<(Instant, Instant)>,
}

/// What is opened by the first of some keys that fits. A trouble that another key would not mend is
/// told at once: whatever it was may be over by then, and something would begin under an old key.
pub fn by_first_of<'k, T>(
    keys: impl Iterator<Item = Option<&'k str>>,
    mut open: impl FnMut(Option<&str>) -> io::Result<T>,
) -> io::Result<T> {
    let mut first = None;
    for key in keys {
        match open(key) {
            Err(why) if growing::wants_a_key(&why) => first = first.or(Some(why)),
            opened => return opened,
        }
    }
    Err(first.unwrap_or_else(|| io::Error::other(growing::NO_KEY)))
}

/// As many of them as there is room for; the others stay for another turn.
pub fn mend_some(parts: &mut Vec<PathBuf>, chores: &Sender<Chore>) {
    while let Some(part) = parts.pop() {
        if chores.try_send(Chore::Mend(part.clone())).is_err() {
            return parts.push(part);
        }
    }
}

impl Writer {
    pub fn run(mut self) {
        self.orphans = file::left_behind(&self.config.folder);
        let began = self.config.clock.instant();
        let (mut turn, mut swept, mut up) = (began, None, None);
        loop {
            let stopped = self.wait();
            let now = self.config.clock.instant();
            if stopped || now.since(turn) >= TURN {
                turn = now;
                self.write_all(stopped);
            }
            if stopped {
                self.leave();
                let _ = self.watched.try_send(());
                return;
            }
            if up.is_none() && self.shared.is_up.load(Ordering::Relaxed) {
                up = Some(now);
            }
            if up.is_some_and(|up| now.since(up) >= COME_BACK) {
                self.mend_orphans();
            }
            if swept.is_none_or(|at| now.since(at) >= HOUR) {
                swept = Some(now);
                self.tidy(Chore::Forget);
            }
        }
    }

    /// Takes in what has come, in order, though not for long: more may come than can be taken in.
    /// True once the core is over and the workers are, who may hear people for a little longer.
    fn wait(&mut self) -> bool {
        let first = self.sound.recv_timeout(TURN);
        let began = self.beat();
        let is_quiet = first == Err(RecvTimeoutError::Disconnected);
        if is_quiet && let Ok(order) = self.orders.recv_timeout(TURN) {
            // The workers are gone; the core will follow.
            self.obey(order);
        }
        let mut over = self.obey_all();
        first.into_iter().for_each(|batch| self.listen(began, batch));
        loop {
            let now = self.beat();
            if now.since(began) >= TURN {
                break;
            }
            let Ok(batch) = self.sound.try_recv() else {
                self.heard = now;
                break;
            };
            // What it is about may have been ordered while others were written.
            over |= self.obey_all();
            self.listen(now, batch);
        }
        over && is_quiet
    }

    fn beat(&self) -> Instant {
        self.shared.beat(&self.config.clock)
    }

    fn obey_all(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(order) => self.obey(order),
                Err(error) => return error.is_disconnected(),
            }
        }
    }

    fn obey(&mut self, order: Tape) {
        self.beat();
        match order {
            Tape::Begin { call, file, at } => self.begin(call, &file, at),
            Tape::End { call, at } => {
                if let Some(live) = self.live.get_mut(&call) {
                    live.end = Some((at, self.config.clock.instant() + LINGER));
                }
            }
            Tape::Close { call, file, at, end } => self.finish_of_another(call, &file, (at, end)),
        }
    }

    /// The process that recorded this call has died since the call was over.
    fn finish_of_another(&mut self, call: CallId, file: &str, (at, end): (Instant, Instant)) {
        let path = self.config.folder.join(file);
        let millis = end.since(at).as_millis() as u64;
        let left = self.orphans.iter().position(|orphan| orphan.with_extension("") == path);
        match left.map(|left| self.orphans[left].clone()) {
            None if path.is_file() => {
                return self.config.tell(TapeEvent::Finished { call, millis });
            }
            None => {
                let why = format!("{}: nothing of it was left", path.display());
                return self.config.failed(call, &why);
            }
            // All of it is there but for its name.
            Some(part) if self.config.keys().any(|key| file::is_ended(&part, key)) => {
                self.orphans.retain(|orphan| *orphan != part);
                return self.close(Finish { call, file: Over::Ended(part), millis });
            }
            Some(_) => {}
        }
        let opened = self.go_on(&path);
        self.opened(call, &path, at, opened);
        if let Some(live) = self.live.get_mut(&call) {
            live.end = Some((end, end));
            live.file.interrupted();
            self.config.tell(TapeEvent::Gaps { call });
        }
    }

    fn begin(&mut self, call: CallId, file: &str, at: Instant) {
        let path = self.config.folder.join(file);
        let opened = self.go_on(&path).or_else(|error| match self.config.key.clone() {
            Some(key) if growing::is_of_another_key(&error) => self.begin_anew(call, &path, &key),
            _ => Err(error),
        });
        self.opened(call, &path, at, opened);
    }

    /// Under the key in force, or that before it which another process had begun it with: it is one
    /// recording then, and its seals are as good as they were.
    fn go_on(&self, path: &Path) -> io::Result<Growing> {
        by_first_of(self.config.keys(), |key| Growing::open(path, key))
    }

    /// Nobody can go on with what was begun under a key that nobody has said. It is put by, and the
    /// rest of the call is recorded under the key in force.
    fn begin_anew(&mut self, call: CallId, path: &Path, key: &str) -> io::Result<Growing> {
        let before = file::put_by(path)?;
        let file = Growing::begin_interrupted(path, key)?;
        tracing::error!(
            "{}: it was begun under another [recording] key, which is none of old_keys. What there \
             is of it is in {}, and the rest of the call is recorded anew under the key of now",
            path.display(),
            before.with_extension("").display()
        );
        self.mend(before);
        self.config.tell(TapeEvent::Gaps { call });
        Ok(file)
    }

    fn opened(&mut self, call: CallId, path: &Path, at: Instant, opened: io::Result<Growing>) {
        match opened {
            Ok(file) => {
                // What cannot be gone on with is mended with the rest of them.
                self.orphans.retain(|orphan| orphan.with_extension("") != path);
                let timeline = Timeline::new(at, file.frames());
                self.live.insert(call, Live { timeline, file, end: None });
                self.config.meters.recordings.increment(1);
            }
            Err(error) => self.config.failed(call, &format!("{}: {error}", path.display())),
        }
    }

    fn listen(&mut self, now: Instant, batch: Batch) {
        let mut failed = Vec::new();
        for heard in batch.iter() {
            // Whoever put it here had put all others before.
            self.heard = self.heard.max(heard.at.min(now));
            let call = heard.track.call;
            let Some(live) = self.live.get_mut(&call) else { continue };
            let out = &mut Vec::new();
            live.timeline.put(&heard, out);
            if !out.is_empty()
                && let Err(error) = live.file.append(out)
            {
                failed.push((call, error));
            }
        }
        failed.into_iter().for_each(|(call, error)| self.broken(call, &error));
        let _ = self.empty.try_send(batch);
    }

    /// Writes what is old enough; closes what is over. `all`: the process ends, and what goes on is
    /// left for the next one.
    fn write_all(&mut self, all: bool) {
        let (now, mut over) = (self.heard, Vec::new());
        for (call, live) in &mut self.live {
            let until = match live.end {
                Some((end, close)) if all || now >= close => live.timeline.frame(end),
                _ if all => live.timeline.frame(now).max(live.timeline.done()),
                _ => live.timeline.frame(now).saturating_sub(BEHIND),
            };
            let closes = live.end.is_some_and(|(_, close)| all || now >= close);
            if !closes && !all && until < live.timeline.done() + AT_ONCE {
                continue;
            }
            let mut out = Vec::new();
            live.timeline.write_to(until, &mut out);
            let written = live.file.append(&out);
            self.shared.beat(&self.config.clock);
            if closes || written.is_err() {
                over.push((*call, written));
            }
        }
        for (call, written) in over {
            match written {
                Ok(()) => self.finish(call),
                Err(error) => self.broken(call, &error),
            }
        }
    }

    /// The process ends, and the calls may not.
    fn leave(&mut self) {
        for (call, live) in std::mem::take(&mut self.live) {
            self.shared.tell_loser(&self.config, call);
            if let Err(error) = live.file.leave() {
                self.config.failed(call, &error.to_string());
            }
        }
    }

    fn finish(&mut self, call: CallId) {
        let Some(live) = self.live.remove(&call) else { return };
        self.shared.tell_loser(&self.config, call);
        let millis = live.file.frames() * 1_000 / RATE;
        self.close(Finish { call, file: Over::Written(Box::new(live.file)), millis });
    }

    /// The other thread does it, some time; while it has very much to do, this one waits.
    fn close(&self, job: Finish) {
        if let Err(unsent) = self.jobs.send(job) {
            self.config.failed(unsent.0.call, "whoever finishes recordings has stopped");
        }
    }

    /// Nobody waits for it: what there is no room for is done some other time.
    fn tidy(&self, chore: Chore) {
        if self.chores.try_send(chore).is_err() {
            tracing::warn!("the disk of recordings is slow: some are deleted later");
        }
    }

    /// What is there may still be worth something: it is mended as if the process had died.
    fn broken(&mut self, call: CallId, error: &std::io::Error) {
        if let Some(live) = self.live.remove(&call) {
            let part = live.file.part();
            drop(live);
            self.mend(part);
            self.config.failed(call, &error.to_string());
        }
    }

    /// At once, or with the orphans: nobody finds it before.
    fn mend(&mut self, part: PathBuf) {
        let mut only = vec![part];
        mend_some(&mut only, &self.chores);
        self.orphans.append(&mut only);
    }

    fn mend_orphans(&mut self) {
        mend_some(&mut self.orphans, &self.chores);
    }
}
