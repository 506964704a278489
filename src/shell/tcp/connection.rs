//! One connection: octets in, whole messages out, and back. Two tasks, so that a peer that does not
//! read cannot keep its own messages from us, nor the other way round.

use super::wire::Wire;
use super::{By, FlowEnd, Gone, Limits, Parcel, Shared, Stage, Streams};
use crate::base::FlowId;
use crate::core::Event;
use crate::sip::Hop;
use crate::wire::sip::{Frame, Framer, PONG};
use bytes::{Bytes, BytesMut};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Sleep, sleep, timeout};

/// Octets read at a time.
const PIECE: usize = 8_192;
/// How often at most, when another program is to go on and cannot read what comes over TLS.
const DRAINED_MAX: usize = 128;

/// Why a connection ended.
#[derive(Debug)]
enum Why {
    Peer,
    Broke(io::Error),
    Slow,
    Idle,
    NotSip,
    Ours,
    /// The next program has it.
    Left,
}

/// Serves a connection until it ends, and tells the core that it did. `begun` is what came of a
/// message that has not ended yet.
pub(super) async fn run(streams: Streams, end: FlowEnd, wire: Wire, begun: Vec<u8>) {
    let FlowEnd { id, way, queue, octets, mut gone, known, by, opened_for } = end;
    let peer = way.peer;
    prepare(wire.tcp());
    let local = wire.tcp().local_addr().unwrap_or(peer);
    let secure = wire.is_secure();
    let hop = Hop { transport: way.transport, local, peer, flow: Some(id) };
    let (mut read, write) = tokio::io::split(wire);
    let shared = Arc::clone(&streams.0);
    let writer = tokio::spawn(write_all(Arc::clone(&shared), id, (write, secure), queue, octets));
    let mut framer = Framer::default();
    framer.feed(&begun);
    let mut patience = Patience::new(&shared.limits, Arc::clone(&known), by);
    let from = (&mut read, &mut framer, secure);
    let why = read_all(&shared, hop, from, &mut gone, &mut patience).await;
    match why {
        Why::Left => {
            shared.drop_flow(id);
            if let Ok((_, write)) = writer.await {
                streams.leave(id, read, write, framer.into_pending());
            }
            return;
        }
        Why::Broke(ref error) => tracing::debug!(%peer, "connection lost: {error}"),
        Why::Peer | Why::Ours | Why::Idle => tracing::debug!(%peer, ?why, "connection closed"),
        Why::Slow | Why::NotSip => tracing::info!(%peer, ?why, "connection closed"),
    }
    // The core knows a connection by what came over it. Where nothing did, what was asked over it
    // has failed by the address that it was opened for (RFC 3261 section 18.4).
    let in_vain = opened_for.filter(|_| !patience.heard && !matches!(why, Why::Ours));
    if let Some(hop) = in_vain {
        shared.unlist(id, &way);
        let _ = shared.inbox.stream(Event::Unreachable { hop }).await;
    }
    let told = matches!(why, Why::Peer);
    if told {
        // The peer says no more, but it may still listen (RFC 9293 section 3.6, "half-closed"): the
        // core closes the flow when it has answered all that came before.
        shared.unlist(id, &way);
        let _ = shared.inbox.stream(Event::FlowClosed { flow: id }).await;
        let _ = timeout(shared.limits.farewell, gone).await;
    }
    shared.drop_flow(id);
    let unsent = writer.await.map(|(unsent, _)| unsent).unwrap_or_default();
    let gone = Gone { id, peer, by };
    streams.release(gone, unsent, !told).await;
}

/// No delay, and a dead peer is found by the kernel (RFC 1122 section 4.2.3.6), NAT or not.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let socket = socket2::SockRef::from(stream);
    let probes = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    let _ = socket.set_tcp_keepalive(&probes);
    let _ = socket.set_tcp_user_timeout(Some(Duration::from_secs(30)));
}

async fn read_all(
    shared: &Shared,
    hop: Hop,
    (read, framer, secure): (&mut ReadHalf<Wire>, &mut Framer, bool),
    gone: &mut oneshot::Receiver<()>,
    patience: &mut Patience,
) -> Why {
    let mut piece = BytesMut::with_capacity(PIECE);
    let mut drained = 0;
    loop {
        piece.clear();
        let got = tokio::select! {
            got = read.read_buf(&mut piece) => got,
            _ = &mut *gone => return Why::Ours,
            () = &mut patience.alarm => match patience.lost() {
                Some(why) => return why,
                None => continue,
            },
            () = shared.reaches(Stage::Deaf) => {
                // What lies in a plain socket waits there for the next program. What is decrypted
                // already, nobody else can read.
                if !secure || drained == DRAINED_MAX {
                    return left(shared).await;
                }
                drained += 1;
                match timeout(Duration::ZERO, read.read_buf(&mut piece)).await {
                    Ok(got) => got,
                    Err(_) => return left(shared).await,
                }
            }
        };
        match got {
            Ok(0) => return Why::Peer,
            Ok(_) => framer.feed(&piece),
            Err(error) => return Why::Broke(error),
        }
        let mut said = false;
        while let Some(frame) = framer.next_frame() {
            match frame {
                Frame::Message(bytes) => {
                    (patience.heard, said) = (true, true);
                    shared.meters.stream_messages.increment(1);
                    if shared.inbox.stream(Event::Sip { hop, bytes }).await.is_err() {
                        return Why::Ours;
                    }
                }
                Frame::Ping => {
                    let pong = Parcel { hop: None, bytes: Bytes::from_static(PONG) };
                    let _ = hop.flow.map(|flow| shared.put(flow, pong));
                }
                Frame::Broken(bytes) => {
                    // The core knows whether this can be refused, and closes the flow after that.
                    let _ = shared.inbox.stream(Event::Sip { hop, bytes }).await;
                    let _ = timeout(shared.limits.farewell, &mut *gone).await;
                    return Why::NotSip;
                }
            }
        }
        patience.after_read(said, framer.pending());
    }
}

/// Another program will go on with the connection: it is read no more, and waits to be left.
async fn left(shared: &Shared) -> Why {
    shared.paused.fetch_add(1, Ordering::SeqCst);
    shared.at_rest.notify_one();
    shared.reaches(Stage::Leaving).await;
    Why::Left
}

/// How long a connection may stay as it is. One that has said nothing yet has less time than one
/// that has, and whoever is known has more than a stranger.
struct Patience {
    limits: Limits,
    alarm: Pin<Box<Sleep>>,
    half: bool,
    /// A message came.
    heard: bool,
    known: Arc<AtomicBool>,
    /// The alarm is that of a known peer.
    long: bool,
}

impl Patience {
    /// A connection that another program has had is no new one.
    fn new(limits: &Limits, known: Arc<AtomicBool>, by: By) -> Self {
        let half = by != By::Before;
        let span = if half { limits.message_within } else { limits.idle };
        let alarm = Box::pin(sleep(span));
        Self { limits: *limits, alarm, half, heard: false, known, long: !half }
    }

    /// The time of a message runs from its first octet and is not prolonged by single octets, nor
    /// that of a stranger by pings.
    fn after_read(&mut self, said: bool, pending: usize) {
        let half = pending > 0;
        let known = self.known.load(Ordering::Relaxed);
        let begins = half && !self.half;
        if !begins && !said && (half || !known) {
            return;
        }
        (self.half, self.long) = (half, known && !half);
        let span = match (half, known) {
            (true, _) => self.limits.message_within,
            (false, true) => self.limits.idle,
            (false, false) => self.limits.stranger_idle,
        };
        self.alarm = Box::pin(sleep(span));
    }

    /// The alarm went off. Whoever has become known since it was set has as long as the known.
    fn lost(&mut self) -> Option<Why> {
        if self.half {
            return Some(Why::Slow);
        }
        if self.long || !self.known.load(Ordering::Relaxed) {
            return Some(Why::Idle);
        }
        self.long = true;
        self.alarm = Box::pin(sleep(self.limits.idle));
        None
    }
}

/// Writes what is queued until the flow is dropped and the queue empty. Returns what was not
/// written, and its half of the connection.
async fn write_all(
    shared: Arc<Shared>,
    id: FlowId,
    (mut write, secure): (WriteHalf<Wire>, bool),
    mut queue: mpsc::Receiver<Parcel>,
    octets: Arc<AtomicUsize>,
) -> (Vec<Parcel>, WriteHalf<Wire>) {
    let within = shared.limits.write_within;
    while let Some(parcel) = queue.recv().await {
        let write_it = async {
            write.write_all(&parcel.bytes).await?;
            // TLS keeps octets back until it is told that there are no more.
            write.flush().await
        };
        let written = timeout(within, write_it).await;
        octets.fetch_sub(parcel.bytes.len(), Ordering::Relaxed);
        if !matches!(written, Ok(Ok(()))) {
            shared.drop_flow(id);
            let mut unsent = vec![parcel];
            while let Some(parcel) = queue.recv().await {
                unsent.push(parcel);
            }
            return (unsent, write);
        }
    }
    // Over TLS nobody can go on with it, and the peer is told so (RFC 8446 section 6.1: "Each party
    // MUST send a "close_notify" alert before closing its write side of the connection").
    if secure || *shared.stage.borrow() < Stage::Leaving {
        let _ = timeout(within, write.shutdown()).await;
    }
    (Vec::new(), write)
}

/// For the listener's log: a connection that was not admitted.
pub(super) fn refuse(shared: &Shared, peer: SocketAddr, why: &str) {
    shared.meters.connections_refused.increment(1);
    tracing::info!(%peer, "connection refused: {why}");
}
