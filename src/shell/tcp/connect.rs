//! Connections that we open. The flow exists, and can be written to, before it is connected.

use super::wire::Wire;
use super::{By, FlowEnd, Full, Gone, Keys, Parcel, Streams, Way, connection};
use crate::core::Event;
use crate::shell::sys::mark;
use crate::sip::Hop;
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpSocket;

/// Opens a connection to the peer of `hop` and sends `first` on it.
pub(super) fn start(streams: &Streams, (way, hop): (Way, Hop), first: Parcel) {
    let shared = &streams.0;
    let mut end = match streams.admit(way.clone(), By::Us) {
        Ok(end) => FlowEnd { opened_for: Some(hop), ..end },
        Err(full) => {
            let limit = match full {
                Full::All => "all connections there may be are open",
                Full::Source => "this peer has all the connections it may have",
            };
            tracing::warn!(peer = %hop.peer, "not connected: {limit}");
            return shared.tell(Event::Unreachable { hop });
        }
    };
    if let Err(back) = shared.put(end.id, first) {
        shared.tell(Event::Unreachable { hop: back.hop.unwrap_or(hop) });
    }
    let streams = streams.clone();
    shared.runtime.spawn(async move {
        let (within, dscp) = (streams.0.limits.connect_within, streams.0.dscp);
        let connected = tokio::time::timeout(within, open(&streams.0.keys, hop, dscp, way.name));
        let connected = connected.await;
        match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(wire) => {
                // Whether a trunk is to prove it or not: a reload may want that any time.
                if let Some(name) = end.way.name.clone() {
                    streams.proven(end.id, vec![name]).await;
                }
                connection::run(streams, end, wire, Vec::new()).await;
            }
            Err(error) => {
                tracing::info!(peer = %hop.peer, "not connected: {error}");
                // Closed first, so that nothing more is queued for it.
                streams.0.drop_flow(end.id);
                let mut unsent = Vec::new();
                while let Some(parcel) = end.queue.recv().await {
                    unsent.push(parcel);
                }
                let FlowEnd { id, way, by, .. } = end;
                streams.release(Gone { id, peer: way.peer, by }, unsent, false).await;
            }
        }
    });
}

/// From the address that the core wants to be seen, where it names one.
async fn open(keys: &Keys, hop: Hop, dscp: u8, name: Option<String>) -> io::Result<Wire> {
    let Hop { local, peer, .. } = hop;
    let socket = if peer.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    mark(&SockRef::from(&socket), peer.is_ipv4(), dscp)?;
    if !local.ip().is_unspecified() && local.is_ipv4() == peer.is_ipv4() {
        socket.bind(SocketAddr::new(local.ip(), 0))?;
    }
    let stream = socket.connect(peer).await?;
    match name {
        None => Ok(Wire::Plain(stream)),
        Some(name) => keys.connect(stream, name).await,
    }
}
