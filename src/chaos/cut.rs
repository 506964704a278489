//! A store that is out of reach until the switch says that it is: its database is locked, or its
//! web server refuses everything.

use super::LOOK;
use super::web::Web;
use crossbeam_channel as channel;
use pukar::console::{Client, Fault};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long it may take until the switch misses a store: SQLite alone waits five seconds for a
/// lock, and anew after each kill.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cut that goes on beside the other blows. It ends with whether the store was missed.
pub struct Cut(JoinHandle<Result<bool, Fault>>);

impl Cut {
    pub fn lock(database: PathBuf, client: &Client, over: &Arc<AtomicBool>) -> Self {
        let (client, over) = (client.clone(), over.clone());
        Self(thread::spawn(move || {
            let sentence = |e: rusqlite::Error| Fault::work(e.to_string());
            let lock = rusqlite::Connection::open(database).map_err(sentence)?;
            lock.busy_timeout(Duration::from_secs(5)).map_err(sentence)?;
            lock.execute_batch("BEGIN IMMEDIATE").map_err(sentence)?;
            let missed = is_missed(&client, "sqlite:", &over);
            lock.execute_batch("ROLLBACK").map_err(sentence)?;
            Ok(missed)
        }))
    }

    pub fn web(
        web: &Arc<Web>,
        without_a_word: bool,
        client: &Client,
        over: &Arc<AtomicBool>,
    ) -> Self {
        let (web, client, over) = (web.clone(), client.clone(), over.clone());
        Self(thread::spawn(move || {
            web.cut(without_a_word);
            let missed = is_missed(&client, "http:", &over);
            web.heal();
            Ok(missed)
        }))
    }

    pub fn is_over(&self) -> bool {
        self.0.is_finished()
    }

    /// Waits until the store is in reach again.
    pub fn end(self) -> Result<bool, Fault> {
        self.0.join().map_err(|_| Fault::work("whoever cut off a store broke down"))?
    }
}

/// Waits until the switch, whichever process it is just now, says that it cannot reach a store; or
/// until there is nothing more to bring to it.
fn is_missed(client: &Client, kind: &str, over: &AtomicBool) -> bool {
    for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
        let status = client.call("status", json!({})).unwrap_or_default();
        let stores = status["stores"].as_array().map_or(&[][..], Vec::as_slice);
        let named = |store: &&Value| store["name"].as_str().is_some_and(|n| n.starts_with(kind));
        if let Some(store) = stores.iter().find(named) {
            if store["up"] == false {
                return true;
            }
            if over.load(Ordering::Relaxed) && store["behind"] == 0 {
                return false;
            }
        }
        let _ = channel::after(LOOK).recv();
    }
    false
}
