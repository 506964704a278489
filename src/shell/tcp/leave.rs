//! Connections go to another program and stay open: first nothing more is read, then the core deals
//! with all that was, then what it said is written, and then they are left.

use super::wire::Wire;
use super::{By, Left, Stage, Streams, Way, connection};
use crate::base::FlowId;
use crate::shell::handover::OpenFlow;
use crate::sip::Transport;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// How long connections have to come to rest. One that does not is closed, and its phone connects
/// again.
const WITHIN: Duration = Duration::from_millis(300);

impl Streams {
    /// Stops reading. What has been read is in the inbox when this is over.
    pub async fn pause(&self) {
        self.0.stage.send_replace(Stage::Deaf);
        self.until(|| self.0.paused.load(Ordering::SeqCst) >= self.0.flows.len()).await;
    }

    /// Writes what is queued and lets go of every connection.
    pub async fn leave_all(&self) -> (Vec<(Transport, SocketAddr, OwnedFd)>, Vec<OpenFlow>) {
        let all = self.0.paused.load(Ordering::SeqCst);
        self.0.stage.send_replace(Stage::Leaving);
        let listening = self.0.listening.load(Ordering::SeqCst);
        let come = |left: &Left| {
            left.flows.len() + left.closed >= all && left.listeners.len() >= listening
        };
        self.until(|| come(&self.left())).await;
        let left = std::mem::take(&mut *self.left());
        (left.listeners, left.flows)
    }

    /// A connection of the program before this one.
    pub fn resume(&self, flow: OpenFlow) -> io::Result<()> {
        let stream = std::net::TcpStream::from(flow.fd);
        stream.set_nonblocking(true)?;
        let peer = stream.peer_addr()?;
        let stream = TcpStream::from_std(stream)?;
        let full = |full| io::Error::other(format!("no room for it: {full:?}"));
        let way = Way::of_stranger(Transport::Tcp, peer);
        let end = self.admit_as(flow.id, way, By::Before).map_err(full)?;
        if !flow.known {
            end.known.store(false, Ordering::Relaxed);
            self.0.add_stranger(flow.id);
        }
        self.0.runtime.spawn(connection::run(self.clone(), end, Wire::Plain(stream), flow.begun));
        Ok(())
    }

    pub(super) fn leave(
        &self,
        id: FlowId,
        read: ReadHalf<Wire>,
        write: WriteHalf<Wire>,
        begun: Vec<u8>,
    ) {
        let whole = read.unsplit(write).into_plain().and_then(|stream| stream.into_std().ok());
        match whole {
            Some(stream) => {
                let known = !self.0.strangers().contains(&id);
                self.left().flows.push(OpenFlow { id, fd: stream.into(), begun, known });
            }
            // Its keys end with this program: the phone connects again.
            None => self.left().closed += 1,
        }
        self.0.at_rest.notify_one();
    }

    pub(super) fn leave_listener(&self, transport: Transport, listener: TcpListener) {
        match (listener.local_addr(), listener.into_std()) {
            (Ok(at), Ok(listener)) => {
                self.left().listeners.push((transport, at, listener.into()));
            }
            _ => drop(self.0.listening.fetch_sub(1, Ordering::SeqCst)),
        }
        self.0.at_rest.notify_one();
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until that is so; each connection that comes to rest is a reason to look again.
    async fn until(&self, done: impl Fn() -> bool) {
        let all = async {
            while !done() {
                self.0.at_rest.notified().await;
            }
        };
        let _ = timeout(WITHIN, all).await;
    }
}
