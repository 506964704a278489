//! A switch at work: everything started in its order, and brought to rest in the reverse one.

use super::access_log::AccessLog;
use super::admin::{Guard, Reload, Upgrade};
use super::before::{Before, bind, bind_http, keys, look_back, with_own_address};
use super::begin::{Begun, begin};
use super::board::{self, Board, BoardReader};
use super::core_loop::{CoreLoop, LoopHandle, Over, Watch};
use super::ground::{Ground, no_thread};
use super::handover::Handover;
use super::lane::Inbox;
use super::laps::Laps;
use super::lock::Lock;
use super::media::{Jukebox, Workers};
use super::meters::{Metrics, ShellMeters};
use super::outlets::{Outlets, Replies};
use super::shun::Shunned;
use super::store::{self, Filter, Source, Stores};
use super::tcp::Streams;
use super::tunes::Shelf;
use super::upgrade::Folder;
use super::{checks, moved, reload, tcp, tunes};
use crate::config::Settings;
use crate::core::{Event, Out, Switch};
use crate::sip::Transport;
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// How long the recorder has to write what it has heard, before another program goes on. Nobody is
/// heard meanwhile: what a disk that hangs has not taken by then is missing in recordings.
const LAST_WORDS: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_millis(2);

/// What a start may bring besides the settings.
#[derive(Clone, Default)]
pub struct Options {
    /// How to read the configuration again. Without it, there is no reload.
    pub reload: Option<Reload>,
    /// What the settings were read from, for a program that is to take this one's place.
    pub config: Option<PathBuf>,
    /// Which data folder that names now, whatever else is wrong with it.
    pub folder: Option<Folder>,
    /// Whoever wants another program in this one's place, and waits for whether that comes.
    pub upgrade: Option<Upgrade>,
    /// What is wrong with the configuration. Of the settings only the data folder counts then, and
    /// there is a switch only where one was at work that has not ended.
    pub mistakes: Option<String>,
    /// For a run that shall repeat another one. By default from the system, so that tags and
    /// branches cannot be guessed.
    pub seed: Option<u64>,
}

/// A running switch. Dropping it stops it at once.
pub struct Running {
    runtime: Option<Runtime>,
    hands: Option<Runtime>,
    core: Option<Core>,
    board_thread: Option<JoinHandle<()>>,
    access_log: Option<AccessLog>,
    workers: Option<Workers>,
    recorder: Option<super::record::Threads>,
    stores: Option<Stores>,
    streams: Streams,
    _socket: Guard,
    lock: Option<Lock>,
    over: watch::Receiver<Option<Over>>,
    handle: LoopHandle,
    inbox: Inbox,
    board: BoardReader,
    metrics: Arc<Metrics>,
    shelf: Arc<Mutex<Shelf>>,
    reload: Option<Reload>,
    listens: Vec<(Transport, SocketAddr)>,
    socket: PathBuf,
    /// Where the wallboard is, and its listener for the program that comes after this one.
    http: Option<(SocketAddr, TcpListener)>,
    database: Option<Source>,
    data: PathBuf,
    drain_within: Duration,
}

impl Running {
    /// Starts a switch, or says in one sentence why there can be none.
    pub fn start(settings: Settings, options: Options) -> Result<Self, String> {
        let settings = moved::follow(settings)?;
        let mut open = Handover::take();
        let lock = Some(Lock::take(&settings.data, open.lock.take())?);
        let Before { begin: found, rows: waiting, mut settings, clock, live } =
            look_back(settings, options.mistakes.as_deref())?;
        checks::warn(&settings);
        let (udp, tcp) = bind(&mut settings.sip, &mut open, live)?;
        let (http, keys) = (bind_http(&settings, &mut open, live)?, keys(&settings, live)?);
        let (settings, left) = (with_own_address(settings), open.told());
        let ground = Ground::prepare(settings, options.seed, clock, left, keys)?;
        ground.meters.configuration_refused.set(f64::from(u8::from(options.mistakes.is_some())));
        let door = ground.bind_door()?;
        let (tapes, inlet, recorder) = ground.start_recorder().map_err(no_thread)?;
        let (workers, media) = ground.start_media(inlet, std::mem::take(&mut open.ports))?;
        let reload = options.reload.map(|read| adopting(read, &ground, workers.jukebox()));
        let flows = open.ids();
        let streams = ground.start_streams(tcp, open.flows)?;
        let (rows, stores) = ground.start_stores()?;
        let Begun { switch, board, journal, first, poison, past } =
            begin(found, &ground, stores.stored(), waiting, flows)?;
        let (news, board, board_thread) =
            board::start(board, ground.clock, ground.meters.clone()).map_err(no_thread)?;
        let acts = AccessLog::start(&ground.settings.data, board.clone()).map_err(no_thread)?;
        let replies = Replies::default();
        let more = (reload.clone(), options.upgrade);
        let api = ground.api(&board, &replies, stores.health(), more)?;
        let (guard, http) = ground.open_doors(Arc::new(api), door, http)?;
        ground.keep_meters(&workers);
        let questions = ground.start_questions();
        let relieved = ground.relieving(open.caretakers, open.word);
        let core = CoreLoop {
            engine: switch,
            journal: Box::new(journal),
            clock: ground.clock,
            inbox: ground.inbox_end,
            udp,
            outlets: Outlets::new((media, tapes, rows, news), questions, streams.clone(), replies),
            meters: ground.metrics.for_loop(),
            handle: ground.handle.clone(),
            watch: Watch::new(Shunned::new(poison, ground.clock.instant())),
        };
        let (core, over) = start_core(core, first, relieved).map_err(no_thread)?;
        past.put_aside(&ground.settings.data);
        Ok(Self {
            runtime: Some(ground.runtime),
            hands: Some(ground.hands),
            core: Some(core),
            board_thread: Some(board_thread),
            access_log: Some(acts),
            workers: Some(workers),
            recorder: Some(recorder.with_core()),
            stores: Some(stores),
            streams,
            _socket: guard,
            lock,
            over,
            handle: ground.handle,
            inbox: ground.inbox,
            board,
            metrics: ground.metrics,
            shelf: ground.shelf,
            reload,
            listens: listens(&ground.settings),
            socket: ground.settings.admin.socket.clone(),
            http,
            database: Source::of(&ground.settings.stores),
            data: ground.settings.data.clone(),
            drain_within: ground.settings.drain,
        })
    }

    /// Where it listens for SIP, with the ports that were chosen.
    pub fn listens(&self) -> &[(Transport, SocketAddr)] {
        &self.listens
    }

    pub fn admin_socket(&self) -> &Path {
        &self.socket
    }

    /// Where the wallboard is, with the port that was chosen.
    pub fn http(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(|(at, _)| *at)
    }

    /// The database file that records can be read from, where there is one.
    pub fn database(&self) -> Option<&Path> {
        self.database.as_ref().and_then(Source::path)
    }

    /// What `status` on the admin socket says.
    pub fn status(&self) -> Value {
        self.board.read(Board::status)
    }

    /// Text for Prometheus.
    pub fn metrics(&self) -> String {
        self.metrics.render()
    }

    /// Finished calls that the database holds by now.
    pub fn records(&self) -> Result<u64, String> {
        self.database().map_or(Ok(0), store::count)
    }

    pub fn query(&self, filter: &Filter) -> Result<Value, String> {
        let none = || Err("there is no database among the stores".into());
        self.database.as_ref().map_or_else(none, |source| store::query(source, filter))
    }

    /// No new calls from now on; the switch is over when the last one is.
    pub fn drain(&self) {
        let _ = self.inbox.control_blocking(Event::Drain);
    }

    /// Hangs up on everybody, so that phones are told and records written; over soon after.
    pub async fn hang_up(&self) {
        let _ = self.inbox.control(Event::Close).await;
    }

    /// Ends at once. Live calls are not told; the next start goes on with them.
    pub fn stop(&self) {
        self.handle.stop();
    }

    /// Lets another program go on in its place: all that is known is written down, all that is
    /// open stays open. The order is one in which nothing is lost: what has been read is dealt
    /// with, what was said is written, and voices are relayed until the last moment. What is left
    /// open, and whether the other program can go on from what was written down.
    pub fn leave(mut self) -> (Handover, bool) {
        let mut open = Handover { laps: Laps::start(), ..Handover::default() };
        let runtime = self.runtime.take().expect("taken only at the end");
        if let Some(stores) = &self.stores {
            stores.hurry();
        }
        let encoded = self.shelf.lock().unwrap_or_else(PoisonError::into_inner).write();
        open.shelf = encoded.ok().map(OwnedFd::from);
        open.laps.end_of("prompts left");
        runtime.block_on(self.streams.pause());
        self.handle.leave();
        let core = self.core.take().and_then(|core| core.join().ok());
        // What a core that broke remembers is no start for another: the journal is.
        let intact = *self.over.borrow() != Some(Over::Broken);
        let Some((safe, udp, inbox)) = core.map(|core| core.leave(intact)) else {
            return (open, false);
        };
        let (tcp, flows) = runtime.block_on(self.streams.leave_all());
        open.laps.end_of("core at rest");
        open.flows = flows;
        let udp = udp.into_fds().into_iter().map(|(at, fd)| (Transport::Udp, at, fd));
        let http = self.http.take().map(|(at, listener)| (Transport::Tcp, at, listener.into()));
        open.listeners = udp.chain(tcp).chain(http).collect();
        let media = self.workers.take().map(Workers::leave).unwrap_or_default();
        (open.ports, open.caretakers, open.word) = (media.ports, media.caretakers, media.word);
        open.word.keys.splice(..0, inbox.keys());
        open.laps.end_of("media at rest");
        // Nobody records any more, until the next program does: it writes what it has heard, and
        // ends.
        if let Some(recorder) = self.recorder.take() {
            wait_for(&recorder.writer);
        }
        open.laps.end_of("recordings");
        open.lock = self.lock.take().map(Lock::into_fd);
        // Feeders go on where their cursors stand; the rest of the threads end with the program.
        std::mem::forget((self, runtime));
        (open, safe)
    }

    /// Waits until it is over, at most for `span`.
    pub fn wait(&self, span: Duration) -> Option<Over> {
        let mut over = self.over.clone();
        let runtime = self.runtime.as_ref()?;
        runtime.block_on(async {
            let ended = over.wait_for(Option::is_some);
            tokio::time::timeout(span, ended).await.ok()?.ok().and_then(|how| *how)
        })
    }

    /// Waits until it is over, then until every record is stored.
    pub fn finish(mut self) -> Over {
        self.end().unwrap_or(Over::Broken)
    }

    pub(super) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("taken only at the end")
    }

    pub(super) fn over(&self) -> watch::Receiver<Option<Over>> {
        self.over.clone()
    }

    pub(super) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    pub(super) fn reload(&self) -> Option<&Reload> {
        self.reload.as_ref()
    }

    pub(super) fn core(&self) -> LoopHandle {
        self.handle.clone()
    }

    pub(super) fn meters(&self) -> ShellMeters {
        self.metrics.for_shell()
    }

    /// Whether a restart could bring back what is going on now.
    pub(super) fn journal_is_whole(&self) -> bool {
        self.stores.as_ref().is_some_and(|stores| !stores.stored().is_alone())
    }

    /// Whether rows can be brought to where the next program looks for them.
    pub(super) fn outbox_takes_rows(&self) -> bool {
        self.stores.as_ref().is_some_and(|stores| !stores.stored().is_stuck())
    }

    /// Where its journal is.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    pub(super) fn drain_within(&self) -> Duration {
        self.drain_within
    }

    /// The core first, which lets go of every queue; then whoever reads them, to the last row.
    fn end(&mut self) -> Option<Over> {
        let core = self.core.take()?.join();
        if let (Ok(core), Some(Over::Drained | Over::Stopped)) = (core, *self.over.borrow()) {
            self.write_down(core);
        }
        if *self.over.borrow() == Some(Over::Drained) {
            moved::settled(&self.data).unwrap_or_else(|why| tracing::error!("{why}"));
        }
        drop(self.workers.take());
        if let Some(recorder) = self.recorder.take() {
            recorder.end();
        }
        if let Some(board) = self.board_thread.take() {
            let _ = board.join();
        }
        if let Some(log) = self.access_log.take() {
            log.finish();
        }
        if let Some(stores) = self.stores.take() {
            stores.finish();
        }
        for runtime in [self.hands.take(), self.runtime.take()].into_iter().flatten() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
        *self.over.borrow()
    }

    /// What another build could not gather from events is in a last snapshot.
    fn write_down(&self, core: CoreLoop<Switch>) {
        if let Some(stores) = &self.stores {
            stores.hurry();
        }
        if !core.leave(true).0 {
            tracing::warn!(
                "no last snapshot could be written. This program goes on from the journal; \
                 another version may not be able to"
            );
        }
    }
}

type Core = JoinHandle<CoreLoop<Switch>>;

/// The thread, and whoever wants to know how it ends.
fn start_core(
    core: CoreLoop<Switch>,
    first: Out,
    begun: impl FnOnce() + Send + 'static,
) -> std::io::Result<(Core, watch::Receiver<Option<Over>>)> {
    let (sender, over) = watch::channel(None);
    let core = core.start(first, begun, move |how| _ = sender.send_replace(Some(how)))?;
    Ok((core, over))
}

/// Waits for a thread that has nothing more to do, but not for a disk that hangs.
fn wait_for(thread: &JoinHandle<()>) {
    for _ in 0..LAST_WORDS.as_millis() / LOOK.as_millis() {
        if thread.is_finished() {
            return;
        }
        std::thread::park_timeout(LOOK);
    }
    tracing::error!("a thread does not end, and is left behind with what it had to write");
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        self.end();
    }
}

/// Reads the configuration again, less what cannot change in mid-run, and the prompts with it: they
/// are in memory before anybody may ask for them.
fn adopting(read: Reload, ground: &Ground, jukebox: Jukebox) -> Reload {
    let (running, holds) = (Mutex::new(ground.settings.clone()), ground.holds.clone());
    let (shelf, keys) = (Arc::clone(&ground.shelf), Arc::clone(&ground.keys));
    let meters = ground.meters.clone();
    Arc::new(move || {
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = read()?;
        let data = fresh.data.clone();
        let fresh = reload::adopt(&running, fresh);
        // Nobody waits for the shelf while a folder hangs.
        let known = shelf.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let tunes::Loaded { tunes, complaints, shelf: now } = tunes::load_in_time(&fresh, &known);
        keys.renew(&fresh.tls)?;
        tcp::tell_expiry(&keys, &meters);
        if let Err(why) = moved::note(&data, &running.data) {
            tracing::error!("a start would not find the calls: {why}");
        }
        *shelf.lock().unwrap_or_else(PoisonError::into_inner) = now;
        complaints.iter().for_each(|complaint| tracing::warn!("{complaint}"));
        jukebox.play_from(&Arc::new(tunes));
        running.tunes.clone_from(&fresh.tunes);
        holds.set(&fresh.retention.holds);
        Ok(fresh)
    })
}

fn listens(settings: &Settings) -> Vec<(Transport, SocketAddr)> {
    settings.sip.listen.iter().map(|listener| (listener.transport, listener.bind)).collect()
}

#[cfg(test)]
mod tests;
