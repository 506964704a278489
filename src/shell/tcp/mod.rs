//! SIP over TCP and TLS (RFC 3261 section 18): who is connected, and how a message finds its
//! connection.
//!
//! In: messages from the core, connections from the world. Out: whole messages and closed flows, as
//! events. A peer that sends half a message, sends nothing, or does not read is closed; it never
//! slows the core, which only puts messages into bounded queues.

mod connect;
mod connection;
mod expiry;
mod leave;
mod listen;
mod secure;
mod wire;

pub use listen::bind;
pub use secure::{Keys, check as check_keys, keep_telling_expiry, tell_expiry};

use super::handover::OpenFlow;
use super::lane::Inbox;
use super::meters::ShellMeters;
use crate::base::FlowId;
use crate::core::Event;
use crate::sip::{Hop, Transport, access};
use bytes::Bytes;
use dashmap::DashMap;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot, watch};

/// What one peer, and all of them together, may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub connections: usize,
    /// Of these, how many are left for those that we open ourselves.
    pub ours: usize,
    /// How many may be of peers that nobody knows: who is one for longest gives way to the next, so
    /// that a phone or a trunk that comes among a thousand strangers has the time to say who it is.
    pub strangers: usize,
    /// A whole call centre may sit behind one address.
    pub per_source: usize,
    /// Messages and octets that wait for one peer to read them.
    pub queued: usize,
    pub queued_octets: usize,
    /// From the first octet of a message to its last, and from connecting to the first message.
    pub message_within: Duration,
    /// From connecting to the end of a handshake, where there is one.
    pub handshake_within: Duration,
    /// Of a known peer, without a message or a ping. Longer than any registration that is granted.
    pub idle: Duration,
    /// Of a stranger, without a message: a ping says nothing of who it is.
    pub stranger_idle: Duration,
    /// For the peer to take what is written to it.
    pub write_within: Duration,
    pub connect_within: Duration,
    /// For the core to answer the last words of a peer that will say no more.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            ours: 500,
            strangers: 4_000,
            per_source: 1_000,
            queued: 256,
            queued_octets: 1 << 20,
            message_within: Duration::from_secs(10),
            handshake_within: Duration::from_secs(3),
            idle: Duration::from_secs(7_500),
            stranger_idle: Duration::from_secs(30),
            write_within: Duration::from_secs(10),
            connect_within: Duration::from_secs(5),
            farewell: Duration::from_secs(5),
        }
    }
}

/// Every connection. Cheap to clone.
#[derive(Clone)]
pub struct Streams(Arc<Shared>);

struct Shared {
    flows: DashMap<FlowId, Flow>,
    /// Whoever we may speak to over a connection that is there.
    by_peer: DashMap<Way, FlowId>,
    per_source: DashMap<IpAddr, usize>,
    /// The id of the next connection.
    next: AtomicU64,
    open: AtomicUsize,
    /// Ids go up: the first has been one for longest.
    strangers: Mutex<BTreeSet<FlowId>>,
    stage: watch::Sender<Stage>,
    /// Connections that have been read up to the last message and are not read any more.
    paused: AtomicUsize,
    /// Listeners that accept.
    listening: AtomicUsize,
    /// One more of them is.
    at_rest: Notify,
    /// What is left open for the next program.
    left: Mutex<Left>,
    limits: Limits,
    inbox: Inbox,
    runtime: Handle,
    /// The code point that what we send is marked with.
    dscp: u8,
    keys: Arc<Keys>,
    meters: ShellMeters,
}

/// Whom a connection leads to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Way {
    transport: Transport,
    peer: SocketAddr,
    /// Over TLS, the name that the peer has proved, or will before a word is said. `None`: it has
    /// come to us and has proved none (RFC 5922 section 4), so nobody finds it by its address.
    name: Option<String>,
}

impl Way {
    fn of_stranger(transport: Transport, peer: SocketAddr) -> Self {
        Self { transport, peer, name: None }
    }

    fn may_be_found(&self) -> bool {
        self.transport != Transport::Tls || self.name.is_some()
    }
}

/// One connection, open or being opened. Dropping it closes the connection when what is queued has
/// been written.
struct Flow {
    way: Way,
    queue: mpsc::Sender<Parcel>,
    octets: Arc<AtomicUsize>,
    known: Arc<AtomicBool>,
    _alive: oneshot::Sender<()>,
}

/// A message on its way to a peer, and where the core wanted it to go.
struct Parcel {
    hop: Option<Hop>,
    bytes: Bytes,
}

/// The connection's own end of its [`Flow`].
struct FlowEnd {
    id: FlowId,
    way: Way,
    queue: mpsc::Receiver<Parcel>,
    octets: Arc<AtomicUsize>,
    gone: oneshot::Receiver<()>,
    known: Arc<AtomicBool>,
    by: By,
    /// What we opened it for; none where the peer did.
    opened_for: Option<Hop>,
}

/// A connection that is over, or never was.
#[derive(Clone, Copy, Debug)]
struct Gone {
    id: FlowId,
    peer: SocketAddr,
    by: By,
}

/// Who opens a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Us,
    Peer,
    /// It was open in the program before this one.
    Before,
}

/// What another program goes on with.
#[derive(Default)]
struct Left {
    listeners: Vec<(Transport, SocketAddr, OwnedFd)>,
    flows: Vec<OpenFlow>,
    /// Connections that nobody can go on with.
    closed: usize,
}

/// On the way to another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    AtWork,
    /// Nothing more is accepted or read; what is sent still leaves.
    Deaf,
    /// Connections stay open, and nobody here has them any more.
    Leaving,
}

/// Why a connection cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    All,
    Source,
}

impl Streams {
    /// Ids begin with `first`, so that no connection is taken for one of an earlier process.
    pub fn new(
        limits: Limits,
        first: FlowId,
        (inbox, runtime): (Inbox, Handle),
        dscp: u8,
        keys: Arc<Keys>,
        meters: ShellMeters,
    ) -> Self {
        Self(Arc::new(Shared {
            flows: DashMap::new(),
            by_peer: DashMap::new(),
            per_source: DashMap::new(),
            next: AtomicU64::new(first.0),
            open: AtomicUsize::new(0),
            strangers: Mutex::default(),
            stage: watch::Sender::new(Stage::AtWork),
            paused: AtomicUsize::new(0),
            listening: AtomicUsize::new(0),
            at_rest: Notify::new(),
            left: Mutex::default(),
            limits,
            inbox,
            runtime,
            dscp,
            keys,
            meters,
        }))
    }

    /// On the flow that the hop names while it is open, else on any connection to the peer, else on
    /// a new one (RFC 3261 section 18.1.1 and 18.2.2). Never waits.
    pub fn send(&self, hop: Hop, bytes: Bytes) {
        let shared = &self.0;
        let mut parcel = Parcel { hop: Some(hop), bytes };
        if let Some(flow) = hop.flow {
            match shared.put(flow, parcel) {
                Ok(()) => return,
                Err(back) => parcel = back,
            }
        }
        let way = shared.way(hop, &parcel.bytes);
        let known = shared.by_peer.get(&way).map(|entry| *entry);
        if let Some(flow) = known {
            match shared.put(flow, parcel) {
                Ok(()) => return,
                Err(back) => parcel = back,
            }
        }
        connect::start(self, (way, hop), parcel);
    }

    /// Closes a connection, after what is queued for it has been written. Called too when the core
    /// has dealt with [`Event::FlowClosed`], and so with all that came before.
    pub fn close(&self, flow: FlowId) {
        self.0.drop_flow(flow);
    }

    /// Connections open or being opened.
    #[cfg(test)]
    fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Whoever is at the other end is known from now on.
    pub fn keep(&self, flow: FlowId) {
        if let Some(kept) = self.0.flows.get(&flow) {
            kept.known.store(true, Ordering::Relaxed);
        }
        self.0.strangers().remove(&flow);
    }

    /// Tells the core who is there, before a word of theirs.
    async fn proven(&self, flow: FlowId, names: Vec<String>) {
        let _ = self.0.inbox.stream(Event::Proven { flow, names }).await;
    }

    /// Makes room for one more connection with `peer`.
    fn admit(&self, way: Way, by: By) -> Result<FlowEnd, Full> {
        let id = FlowId(self.0.next.fetch_add(1, Ordering::Relaxed));
        self.admit_as(id, way, by)
    }

    fn admit_as(&self, id: FlowId, way: Way, by: By) -> Result<FlowEnd, Full> {
        let shared = &self.0;
        shared.take_room(way.peer, by)?;
        shared.meters.connections.increment(1.0);
        let (queue, queue_end) = mpsc::channel(shared.limits.queued);
        let (alive, gone) = oneshot::channel();
        let octets = Arc::new(AtomicUsize::new(0));
        let known = Arc::new(AtomicBool::new(by != By::Peer));
        let flow = Flow {
            way: way.clone(),
            queue,
            octets: Arc::clone(&octets),
            known: Arc::clone(&known),
            _alive: alive,
        };
        shared.flows.insert(id, flow);
        if way.may_be_found() {
            shared.by_peer.insert(way.clone(), id);
        }
        if by == By::Peer {
            shared.add_stranger(id);
        }
        let (queue, opened_for) = (queue_end, None);
        Ok(FlowEnd { id, way, queue, octets, gone, known, by, opened_for })
    }

    /// The connection is over, or never was. What was queued and not written comes back as
    /// unreachable, so that nobody waits for an answer to it.
    async fn release(&self, gone: Gone, unsent: Vec<Parcel>, opened: bool) {
        let shared = &self.0;
        let id = gone.id;
        shared.drop_flow(id);
        shared.meters.connections.decrement(1.0);
        if opened {
            let _ = shared.inbox.stream(Event::FlowClosed { flow: id }).await;
        }
        for hop in unsent.into_iter().filter_map(|parcel| parcel.hop) {
            let _ = shared.inbox.stream(Event::Unreachable { hop }).await;
        }
        shared.give_room_back(gone);
        shared.at_rest.notify_one();
    }
}

impl Shared {
    fn take_room(&self, peer: SocketAddr, by: By) -> Result<(), Full> {
        let Limits { connections, ours, per_source, .. } = self.limits;
        let most = if by == By::Peer { connections.saturating_sub(ours) } else { connections };
        if self.open.fetch_add(1, Ordering::Relaxed) >= most {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return Err(Full::All);
        }
        if by == By::Us {
            return Ok(());
        }
        let mut count = self.per_source.entry(access::source(peer.ip())).or_default();
        if by == By::Peer && *count >= per_source {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return Err(Full::Source);
        }
        *count += 1;
        Ok(())
    }

    fn give_room_back(&self, Gone { id, peer, by }: Gone) {
        self.strangers().remove(&id);
        if by != By::Us
            && let dashmap::Entry::Occupied(mut count) =
                self.per_source.entry(access::source(peer.ip()))
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    fn add_stranger(&self, id: FlowId) {
        let oldest = {
            let mut strangers = self.strangers();
            strangers.insert(id);
            let many = strangers.len() > self.limits.strangers;
            if many { strangers.pop_first() } else { None }
        };
        oldest.into_iter().for_each(|flow| self.drop_flow(flow));
    }

    fn strangers(&self) -> MutexGuard<'_, BTreeSet<FlowId>> {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a message for a peer; gives it back where the connection is not there. A peer that
    /// leaves too much unread loses its connection.
    fn put(&self, flow: FlowId, parcel: Parcel) -> Result<(), Parcel> {
        let Some(entry) = self.flows.get(&flow) else { return Err(parcel) };
        let len = parcel.bytes.len();
        let before = entry.octets.fetch_add(len, Ordering::Relaxed);
        let refused = if before + len > self.limits.queued_octets {
            parcel
        } else {
            match entry.queue.try_send(parcel) {
                Ok(()) => return Ok(()),
                Err(mpsc::error::TrySendError::Full(parcel)) => parcel,
                Err(mpsc::error::TrySendError::Closed(parcel)) => {
                    entry.octets.fetch_sub(len, Ordering::Relaxed);
                    return Err(parcel);
                }
            }
        };
        let peer = entry.way.peer;
        drop(entry);
        tracing::warn!(%peer, "this peer does not read what it is sent: its connection is closed");
        self.drop_flow(flow);
        if let Some(hop) = refused.hop {
            self.tell(Event::Unreachable { hop });
        }
        Ok(())
    }

    fn drop_flow(&self, flow: FlowId) {
        if let Some((_, dropped)) = self.flows.remove(&flow) {
            self.unlist(flow, &dropped.way);
        }
    }

    /// Nothing finds the connection by its peer any more, only by its id.
    fn unlist(&self, flow: FlowId, way: &Way) {
        self.by_peer.remove_if(way, |_, current| *current == flow);
    }

    /// Whom a message of ours is for.
    fn way(&self, hop: Hop, message: &[u8]) -> Way {
        let Hop { transport, peer, .. } = hop;
        let is_tls = transport == Transport::Tls;
        Way { transport, peer, name: is_tls.then(|| self.keys.name_of(message, peer)) }
    }

    async fn reaches(&self, stage: Stage) {
        let _ = self.stage.subscribe().wait_for(|now| *now >= stage).await;
    }

    /// Tells the core something from a place that may not wait.
    fn tell(&self, event: Event) {
        let inbox = self.inbox.clone();
        self.runtime.spawn(async move {
            let _ = inbox.stream(event).await;
        });
    }
}

#[cfg(test)]
mod tests;
