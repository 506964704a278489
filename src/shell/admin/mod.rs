//! The admin socket: JSON-RPC 2.0 over a Unix socket, one object a line.
//!
//! `table` holds the verbs, `access` says whose they are, `verbs` does them, `stream` tells facts.
//! A client that is slow or dead costs itself its connection and nobody anything else: it has a
//! bounded queue, and nothing waits for it.

mod access;
mod client;
mod given;
mod glances;
mod rpc;
mod socket;
mod stream;
mod table;
mod verbs;

pub use access::Peer;
pub use glances::Glances;
pub use rpc::Fault;
pub use socket::Guard;
pub use stream::{Facts, begin as follow};
pub use table::{AGENT_STATES, Kind, Verb, acts};
pub use verbs::{Api, Reload, Upgrade};

use super::accept;
use std::path::Path;
use std::sync::Arc;
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Clients at a time.
const CLIENTS_MAX: usize = 2_048;
/// Clients at a time whom the configuration does not know. They hear that, and keep nobody out.
const STRANGERS_MAX: usize = 64;
/// Clients at a time of the socket's owner and of root where all those places are taken.
const OWNERS_MAX: usize = 16;

/// The socket, where nobody is served yet.
pub type Door = (tokio::net::UnixListener, Guard);

/// `many`: others than its owner may connect too, and each is asked who they are.
pub fn bind(path: &Path, many: bool) -> Result<Door, String> {
    socket::bind(path, many)
}

/// Places of clients, so that no kind of them keeps another out.
struct Rooms {
    known: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    owners: Arc<Semaphore>,
}

impl Rooms {
    fn new() -> Self {
        let room = |places| Arc::new(Semaphore::new(places));
        let (known, strangers) = (room(CLIENTS_MAX), room(STRANGERS_MAX));
        Self { known, strangers, owners: room(OWNERS_MAX) }
    }

    fn enter(&self, api: &Api, peer: &Peer) -> Option<OwnedSemaphorePermit> {
        let enter = |room: &Arc<Semaphore>| Arc::clone(room).try_acquire_owned().ok();
        if !api.knows(peer) {
            return enter(&self.strangers);
        }
        enter(&self.known).or_else(|| api.owns(peer).then(|| enter(&self.owners)).flatten())
    }
}

/// Serves until the runtime ends. The guard removes the socket's file when it is dropped.
pub fn start((listener, guard): Door, api: &Arc<Api>) -> Guard {
    let (api, rooms) = (Arc::clone(api), Rooms::new());
    tokio::spawn(async move {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    accept::failed("the admin socket", &error).await;
                    continue;
                }
            };
            let peer = match stream.peer_cred() {
                Ok(who) => Peer::Uid(who.uid()),
                Err(error) => {
                    tracing::warn!("an admin client without a uid: {error}");
                    continue;
                }
            };
            match rooms.enter(&api, &peer) {
                Some(place) => _ = tokio::spawn(serve(stream, peer, Arc::clone(&api), place)),
                None => tracing::warn!("a client of the admin socket was refused: too many"),
            }
        }
    });
    guard
}

async fn serve(stream: UnixStream, peer: Peer, api: Arc<Api>, place: OwnedSemaphorePermit) {
    client::serve(stream, peer, api).await;
    drop(place);
}

#[cfg(test)]
pub(super) mod tests;
