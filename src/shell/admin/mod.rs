//! The admin socket: JSON-RPC 2.0 over a Unix socket, one object a line.
//!
//! Answered from the board: `status`, `calls.list`, `queues.list`, `agents.list`, `trunks.list`,
//! `metrics`. From the stores: `records.query`. By the core: `agents.set`, `calls.hangup`. By the
//! shell: `config.reload`. A stream: `events.subscribe {from}`, after which `fact` notifications
//! come, numbered without a gap. A client that is slow or dead costs itself its connection and
//! nobody anything else: it has a bounded queue, and nothing waits for it.

mod client;
mod rpc;
mod socket;
mod verbs;

pub use socket::Guard;
pub use verbs::{Api, Reload};

use super::accept;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Clients at a time.
const CLIENTS_MAX: usize = 256;

/// Listens until the runtime ends. The guard removes the socket's file when it is dropped.
pub fn start(path: &Path, api: Api) -> Result<Guard, String> {
    let (listener, guard) = socket::bind(path)?;
    let api = Arc::new(api);
    let room = Arc::new(Semaphore::new(CLIENTS_MAX));
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => match Arc::clone(&room).try_acquire_owned() {
                    Ok(place) => {
                        let api = Arc::clone(&api);
                        tokio::spawn(async move {
                            client::serve(stream, api).await;
                            drop(place);
                        });
                    }
                    Err(_) => tracing::warn!("a client of the admin socket was refused: too many"),
                },
                Err(error) => accept::failed("the admin socket", &error).await,
            }
        }
    });
    Ok(guard)
}

#[cfg(test)]
mod tests;
