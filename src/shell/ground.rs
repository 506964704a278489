//! What a switch at work stands on: threads, queues, media workers, stores, doors. Each can be had
//! or is one sentence that says why not.

use super::admin::{self, Api, Door, Glances, Guard, Reload, Upgrade};
use super::board::BoardReader;
use super::clock::Clock;
use super::core_loop::LoopHandle;
use super::handover::OpenFlow;
use super::lane::{self, Inbox, Lane};
use super::laps::Laps;
use super::media::{self, Caretaker, Inherited, OpenPorts, Setup, Word, Workers, held};
use super::meters::{Metrics, ShellMeters};
use super::outlets::Replies;
use super::store::{self, Pace, Stores};
use super::sys::resources::yield_to_others;
use super::tcp::{Keys, Limits, Streams};
use super::tunes::Shelf;
use super::{dns, record, tcp, tunes};
use crate::base::{FlowId, Secret};
use crate::call::Tape;
use crate::config::Settings;
use crate::core::{Event, Row};
use crate::media::control::{Command as MediaCommand, Event as MediaEvent};
use crate::sip::Transport;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Orders to the media workers, answers of the DNS: kept by the core when the other side lags.
const WAITING_MAX: usize = 65_536;
/// How often the log says that the certificate runs out.
const DAY: Duration = Duration::from_secs(86_400);

/// What has to be had before the switch itself is made.
pub struct Ground {
    pub settings: Settings,
    pub clock: Clock,
    pub runtime: Runtime,
    /// Whoever looks at the switch, or tells it what to do: behind calls, however many there are.
    pub hands: Runtime,
    pub handle: LoopHandle,
    pub inbox: Inbox,
    pub inbox_end: lane::InboxEnd,
    pub metrics: Arc<Metrics>,
    pub meters: ShellMeters,
    pub seed: u64,
    /// What keys are made of; `None` where all is to follow from the seed.
    pub secret: Option<Secret>,
    pub holds: record::Holds,
    /// What connections are secured with.
    pub keys: Arc<Keys>,
    /// Prompts that are encoded.
    pub shelf: Arc<Mutex<Shelf>>,
    /// What media workers go on with.
    inherited: Arc<Inherited>,
    laps: Mutex<Laps>,
}

impl Ground {
    pub fn prepare(
        settings: Settings,
        seed: Option<u64>,
        clock: Clock,
        (mut laps, shelf): (Laps, Shelf),
        keys: Arc<Keys>,
    ) -> Result<Self, String> {
        laps.end_of("journal and sockets");
        let runtime = threads("io", 2).build().map_err(no_thread)?;
        let hands = threads("hands", 2).on_thread_start(yield_to_others).build();
        let hands = hands.map_err(no_thread)?;
        let handle = LoopHandle::new().map_err(no_thread)?;
        let (inbox, inbox_end) = lane::inbox(Arc::clone(&handle.waker));
        let metrics = Arc::new(Metrics::new());
        let meters = metrics.for_shell();
        let secret = if seed.is_none() { Some(Secret(random()?)) } else { None };
        let seed = seed.map_or_else(number, Ok)?;
        let holds = record::Holds::default();
        holds.set(&settings.retention.holds);
        tcp::tell_expiry(&keys, &meters);
        runtime.spawn(tcp::keep_telling_expiry(Arc::clone(&keys), meters.clone(), DAY));
        Ok(Self {
            settings,
            clock,
            runtime,
            hands,
            handle,
            inbox,
            inbox_end,
            metrics,
            meters,
            seed,
            secret,
            holds,
            keys,
            shelf: Arc::new(Mutex::new(shelf)),
            inherited: Arc::default(),
            laps: Mutex::new(laps),
        })
    }

    /// A part of the start is over.
    pub fn lap(&self, part: &str) {
        self.laps.lock().unwrap_or_else(PoisonError::into_inner).end_of(part);
    }

    /// What the start was made of, in the log.
    fn tell_laps(&self) {
        let laps = self.laps.lock().unwrap_or_else(PoisonError::into_inner);
        tracing::info!("started in {laps}");
    }

    pub fn start_stores(&self) -> Result<(Lane<Row>, Stores), String> {
        let outbox = &self.settings.data.join("outbox");
        let places = store::places(&self.settings, outbox)?;
        let pace = Pace { most: self.settings.journal.outbox, ..Pace::default() };
        store::start(outbox, places, pace, &self.metrics, self.alarm())
    }

    pub fn start_recorder(&self) -> std::io::Result<(Lane<Tape>, record::Inlet, record::Threads)> {
        let (settings, inbox) = (&self.settings.recording, self.inbox.clone());
        let (orders, inlet, thread) = record::start(record::Recorder {
            folder: settings.folder.clone(),
            key: settings.key.as_ref().map(|key| key.0.clone()),
            old_keys: settings.old_keys.iter().map(|key| key.0.clone()).collect(),
            keep: settings.keep,
            holds: self.holds.clone(),
            clock: self.clock,
            news: Arc::new(move |event| {
                // The core may be over: then nobody wants to know.
                let _ = inbox.control_blocking(event);
            }),
            meters: self.meters.clone(),
        })?;
        Ok((Lane::new("recordings", Box::new(orders), WAITING_MAX), inlet, thread))
    }

    pub fn start_questions(&self) -> Lane<dns::Question> {
        let asker = self.runtime.block_on(async { dns::start(self.inbox.clone()) });
        Lane::new("questions", Box::new(asker), WAITING_MAX)
    }

    pub fn start_media(
        &self,
        recorder: record::Inlet,
        inherited: OpenPorts,
    ) -> Result<(Workers, Lane<MediaCommand>), String> {
        self.lap("threads");
        let known = self.shelf.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let tunes::Loaded { tunes, complaints, shelf } =
            tunes::load_in_time(&self.settings, &known);
        *self.shelf.lock().unwrap_or_else(PoisonError::into_inner) = shelf;
        self.lap("prompts");
        for complaint in complaints {
            tracing::warn!("{complaint}");
        }
        let (inbox, handle) = (self.inbox.clone(), self.handle.clone());
        let held = held::by_others(&self.settings.call.media, &inherited);
        self.inherited.put(inherited);
        let setup = Setup {
            count: usize::from(self.settings.call.media.workers),
            io: self.settings.call.media.io,
            tunes: Arc::new(tunes),
            // Strangers see what comes of this one; nothing of the core's shall follow from it.
            seed: number()?,
            clock: self.clock,
            sink: Arc::new(move |event: MediaEvent| inbox.media(event)),
            recorder,
            dscp: self.settings.call.media.dscp,
            died: Arc::new(move || handle.break_down()),
            inherited: Arc::clone(&self.inherited),
        };
        let (workers, handle) = Workers::start(&setup)?;
        if !held.is_empty() {
            let some: Vec<String> = held.iter().take(8).map(u16::to_string).collect();
            tracing::warn!(
                "{} media ports are held by other programs ({}…) and are left out for now; \
                 [media] ports may name others",
                held.len(),
                some.join(", ")
            );
            let _ = self.inbox.media(MediaEvent::Held { ports: held });
        }
        self.lap("media workers");
        Ok((workers, Lane::new("media", Box::new(handle), WAITING_MAX)))
    }

    /// Whoever looked after voices stops when the workers know whose these are, and are about to be
    /// woken: in between, packets wait.
    pub fn relieving(
        &self,
        caretakers: Vec<Caretaker>,
        word: Word,
    ) -> impl FnOnce() + Send + use<> {
        let (inbox, inherited, clock) =
            (self.inbox.clone(), Arc::clone(&self.inherited), self.clock);
        move || {
            let word = media::relieve(caretakers, word, clock);
            inherited.tell(word.told);
            for key in word.keys {
                let _ = inbox.media(key);
            }
        }
    }

    pub fn start_streams(
        &self,
        listeners: Vec<(Transport, TcpListener)>,
        flows: Vec<OpenFlow>,
    ) -> Result<Streams, String> {
        let (inbox, runtime) = (self.inbox.clone(), self.runtime.handle().clone());
        // Time never goes back, and no two connections come in one microsecond for long.
        let first = FlowId(self.clock.instant().0);
        let (dscp, meters) = (self.settings.sip.dscp, self.meters.clone());
        let keys = Arc::clone(&self.keys);
        let streams = Streams::new(Limits::default(), first, (inbox, runtime), dscp, keys, meters);
        let inside = self.runtime.enter();
        for (transport, listener) in listeners {
            streams.listen(transport, listener).map_err(|e| format!("tcp: {e}"))?;
        }
        let mut lost = Vec::new();
        for flow in flows {
            let id = flow.id;
            if let Err(error) = streams.resume(flow) {
                tracing::warn!("a connection was lost on the way to this program: {error}");
                lost.push(Event::FlowClosed { flow: id });
            }
        }
        drop(inside);
        for event in lost {
            let _ = self.inbox.control_blocking(event);
        }
        Ok(streams)
    }

    pub fn api(
        &self,
        board: &BoardReader,
        replies: &Replies,
        stores: Arc<store::Health>,
        (reload, upgrade): (Option<Reload>, Option<Upgrade>),
    ) -> Result<Api, String> {
        self.lap("board");
        let own = std::fs::metadata("/proc/self").map_err(|e| format!("/proc/self: {e}"))?;
        Ok(Api {
            board: board.clone(),
            inbox: self.inbox.clone(),
            replies: replies.clone(),
            metrics: Arc::clone(&self.metrics),
            meters: self.meters.clone(),
            database: store::Source::of(&self.settings.stores),
            stores,
            reload,
            upgrade,
            owner: own.uid(),
            glances: Glances::default(),
        })
    }

    /// The admin socket, before anybody serves it.
    pub fn bind_door(&self) -> Result<Door, String> {
        let _inside = self.hands.enter();
        let many = self.settings.admin.users.iter().any(|user| user.uid.is_some());
        admin::bind(&self.settings.admin.socket, many)
    }

    /// The admin socket, and HTTP where it is wanted.
    pub fn open_doors(
        &self,
        api: Arc<Api>,
        door: Door,
        http: Option<TcpListener>,
    ) -> Result<(Guard, Option<(SocketAddr, TcpListener)>), String> {
        let _inside = self.hands.enter();
        let guard = admin::start(door, &api);
        self.lap("doors");
        self.tell_laps();
        let Some(listener) = http else { return Ok((guard, None)) };
        let at = listener.local_addr().map_err(|e| format!("http: {e}"))?;
        let kept = listener.try_clone().map_err(|e| format!("http: {e}"))?;
        super::http::start(listener, api)?;
        Ok((guard, Some((at, kept))))
    }

    /// Has it among the facts when a store goes away and when it is back.
    fn alarm(&self) -> store::Alarm {
        let inbox = self.inbox.clone();
        Box::new(move |store, trouble| {
            let trouble = trouble.map(str::to_string);
            inbox.alarm(Event::Store { name: store.into(), trouble })
        })
    }

    /// Once a second: what the media workers counted, and order among the samples.
    pub fn keep_meters(&self, workers: &Workers) {
        let (counters, metrics) = (workers.counters(), Arc::clone(&self.metrics));
        let meters = self.meters.clone();
        self.runtime.spawn(async move {
            let mut every = tokio::time::interval(Duration::from_secs(1));
            loop {
                every.tick().await;
                meters.packets_in.absolute(counters.received.load(Ordering::Relaxed));
                meters.packets_out.absolute(counters.sent.load(Ordering::Relaxed));
                meters.packets_unsent.absolute(counters.unsent.load(Ordering::Relaxed));
                meters.media_events_lost.absolute(counters.lost_events.load(Ordering::Relaxed));
                metrics.tidy_up();
            }
        });
    }
}

fn threads(name: &str, count: usize) -> Builder {
    let mut threads = Builder::new_multi_thread();
    threads.worker_threads(count).thread_name(name).enable_all();
    threads
}

fn number() -> Result<u64, String> {
    random().map(u64::from_ne_bytes)
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], String> {
    let mut octets = [0; LENGTH];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut octets))
        .map_err(|e| format!("/dev/urandom gives no randomness: {e}"))?;
    Ok(octets)
}

pub fn no_thread(error: std::io::Error) -> String {
    format!("a thread or its descriptors cannot be had: {error}. See `ulimit -u` and `ulimit -n`")
}
