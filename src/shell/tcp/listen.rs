//! Connections that others open.

use super::wire::Wire;
use super::{By, FlowEnd, Full, Gone, Stage, Streams, Way, connection};
use crate::shell::accept;
use crate::shell::handover::Handover;
use crate::shell::sys::mark;
use crate::shell::udp::listen_sentence;
use crate::sip::Transport;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 1_024;

/// A bound listener, or a sentence that says why there is none. One that the program before this
/// one has had open is gone on with. Connections that come in there are marked alike.
pub fn bind(
    transport: Transport,
    at: SocketAddr,
    dscp: u8,
    open: &mut Handover,
) -> Result<TcpListener, String> {
    let name = if transport == Transport::Tls { "tls" } else { "tcp" };
    if let Some(left) = open.listener(transport, at) {
        let listener = TcpListener::from(left);
        let ready = listener.set_nonblocking(true);
        return ready.map(|()| listener).map_err(|e| listen_sentence(name, at, &e));
    }
    let bound = || {
        use socket2::{Domain, Protocol, SockRef, Socket, Type};
        let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
        if at.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // A listener of ours that has just gone does not stand in the way of the next.
        socket.set_reuse_address(true)?;
        mark(&SockRef::from(&socket), at.is_ipv4(), dscp)?;
        socket.bind(&at.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(TcpListener::from(socket))
    };
    bound().map_err(|e: io::Error| listen_sentence(name, at, &e))
}

impl Streams {
    /// Accepts connections until the runtime ends. Called inside the runtime.
    pub fn listen(&self, transport: Transport, listener: TcpListener) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let streams = self.clone();
        self.0.listening.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = streams.0.reaches(Stage::Deaf) => {
                        return streams.leave_listener(transport, listener);
                    }
                };
                match accepted {
                    Ok((stream, peer)) => {
                        match streams.admit(Way::of_stranger(transport, peer), By::Peer) {
                            Ok(end) => drop(tokio::spawn(welcome(streams.clone(), end, stream))),
                            Err(Full::All) => connection::refuse(&streams.0, peer, "no room"),
                            Err(Full::Source) => {
                                connection::refuse(&streams.0, peer, "too many from this address");
                            }
                        }
                    }
                    Err(error) => accept::failed("the SIP port", &error).await,
                }
            }
        });
        Ok(())
    }
}

/// Over TLS the handshake comes first, and whoever is told to give way to others meanwhile does.
async fn welcome(streams: Streams, mut end: FlowEnd, stream: TcpStream) {
    let peer = end.way.peer;
    let wire = match end.way.transport {
        Transport::Udp | Transport::Tcp => Ok((Wire::Plain(stream), None)),
        Transport::Tls => {
            let within = streams.0.limits.handshake_within;
            tokio::select! {
                secured = timeout(within, streams.0.keys.accept(stream, peer)) => {
                    secured.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
                }
                _ = &mut end.gone => Err(io::ErrorKind::ConnectionAborted.into()),
                () = streams.0.reaches(Stage::Deaf) => Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
    };
    match wire {
        Ok((wire, names)) => {
            if let Some(names) = names {
                streams.proven(end.id, names).await;
            }
            connection::run(streams, end, wire, Vec::new()).await;
        }
        Err(error) => {
            connection::refuse(&streams.0, peer, &format!("no handshake: {error}"));
            streams.release(Gone { id: end.id, peer, by: end.by }, Vec::new(), false).await;
        }
    }
}
