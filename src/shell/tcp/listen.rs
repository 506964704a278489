//! Connections that others open.

use super::{By, Full, Stage, Streams, connection};
use crate::shell::accept;
use crate::shell::handover::Handover;
use crate::shell::sys::mark;
use crate::shell::udp::listen_sentence;
use crate::sip::Transport;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 1_024;

/// A bound listener, or a sentence that says why there is none. One that the program before this
/// one has had open is gone on with. Connections that come in there are marked alike.
pub fn bind(at: SocketAddr, dscp: u8, open: &mut Handover) -> Result<TcpListener, String> {
    if let Some(left) = open.listener(Transport::Tcp, at) {
        let listener = TcpListener::from(left);
        let ready = listener.set_nonblocking(true);
        return ready.map(|()| listener).map_err(|e| listen_sentence("tcp", at, &e));
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
    bound().map_err(|e: io::Error| listen_sentence("tcp", at, &e))
}

impl Streams {
    /// Accepts connections until the runtime ends. Called inside the runtime.
    pub fn listen(&self, listener: TcpListener) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let streams = self.clone();
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = streams.0.reaches(Stage::Deaf) => {
                        return streams.leave_listener(listener);
                    }
                };
                match accepted {
                    Ok((stream, peer)) => match streams.admit(peer, By::Peer) {
                        Ok(end) => {
                            tokio::spawn(connection::run(streams.clone(), end, stream, Vec::new()));
                        }
                        Err(Full::All) => connection::refuse(&streams.0, peer, "no room"),
                        Err(Full::Source) => {
                            connection::refuse(&streams.0, peer, "too many from this address");
                        }
                    },
                    Err(error) => accept::failed("the SIP port", &error).await,
                }
            }
        });
        Ok(())
    }
}
