//! One client of the admin socket. Requests are answered one after the other; facts come in
//! between. Everything for the client goes through one bounded queue.

use super::rpc::{self, Fault};
use super::verbs::Api;
use crate::shell::board::Missed;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Octets of one request.
const LINE_MAX: usize = 64 << 10;
/// Lines that wait for the client to read them.
const QUEUED: usize = 64;
/// How long a client may leave a line unread that has to be written.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// Facts taken from the board at once.
const FACTS: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscribe {
    /// The first fact wanted; without it, the next one there is.
    from: Option<u64>,
}

pub async fn serve(stream: UnixStream, api: Arc<Api>) {
    let (read, write) = stream.into_split();
    let (queue, lines) = mpsc::channel(QUEUED);
    let mut writer = tokio::spawn(write_all(write, lines));
    let mut subscription = None;
    tokio::select! {
        () = read_all(BufReader::new(read), &api, &queue, &mut subscription) => {}
        _ = &mut writer => {}
    }
    if let Some(subscription) = subscription {
        subscription.abort();
    }
    // What was answered is still written; a client that does not read it has had its time.
    drop(queue);
    if !writer.is_finished() {
        let _ = writer.await;
    }
}

async fn read_all(
    mut read: BufReader<OwnedReadHalf>,
    api: &Arc<Api>,
    queue: &mpsc::Sender<String>,
    subscription: &mut Option<JoinHandle<()>>,
) {
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = LINE_MAX as u64 + 1;
        match (&mut read).take(limit).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.len() > LINE_MAX {
            let fault = Fault::request(format!("a request may have {LINE_MAX} octets, no more"));
            let _ = queue.send(rpc::answer(&Value::Null, Err(fault))).await;
            return;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let (answer, first) = match rpc::read(&line) {
            Ok(request) if request.method == "events.subscribe" => {
                let first = subscribe(request.params, api);
                let outcome = first.clone().map(|from| json!({ "from": from }));
                (request.id.map(|id| rpc::answer(&id, outcome)), first.ok())
            }
            Ok(request) => {
                let outcome = api.call(&request.method, request.params).await;
                (request.id.map(|id| rpc::answer(&id, outcome)), None)
            }
            Err((id, fault)) => (Some(rpc::answer(&id, Err(fault))), None),
        };
        if let Some(answer) = answer
            && queue.send(answer).await.is_err()
        {
            return;
        }
        if let Some(first) = first {
            // A second subscription replaces the one before.
            let fresh = tokio::spawn(send_facts(first, Arc::clone(api), queue.clone()));
            if let Some(before) = subscription.replace(fresh) {
                before.abort();
            }
        }
    }
}

/// The number of the first fact that will come.
fn subscribe(params: Value, api: &Api) -> Result<u64, Fault> {
    let Subscribe { from } =
        serde_json::from_value(params).map_err(|e| Fault::params(e.to_string()))?;
    let from = from.unwrap_or_else(|| *api.board.latest().borrow() + 1);
    api.board.facts(from, 0).map_err(missed)?;
    Ok(from)
}

async fn send_facts(mut next: u64, api: Arc<Api>, queue: mpsc::Sender<String>) {
    let mut latest = api.board.latest();
    loop {
        latest.mark_unchanged();
        let facts = match api.board.facts(next, FACTS) {
            Ok(facts) => facts,
            Err(gone) => {
                let error = missed(gone);
                let params = json!({"code": error.code, "message": error.message, "next": next});
                let _ = queue.send(rpc::notification("events.lost", &params.to_string())).await;
                return;
            }
        };
        for fact in &facts {
            if queue.send(rpc::notification("fact", fact)).await.is_err() {
                return;
            }
            next += 1;
        }
        if facts.is_empty() && latest.changed().await.is_err() {
            return;
        }
    }
}

fn missed(missed: Missed) -> Fault {
    match missed {
        Missed::TooOld { oldest } => Fault::missed(format!(
            "facts before {oldest} are gone: read what you need from records.query, then subscribe \
             from {oldest}"
        )),
        Missed::Ahead { newest } => Fault::missed(format!(
            "the newest fact is {newest}: the switch was restarted and counts anew; subscribe \
             from 1"
        )),
    }
}

async fn write_all(mut write: OwnedWriteHalf, mut lines: mpsc::Receiver<String>) {
    while let Some(mut line) = lines.recv().await {
        line.push('\n');
        if !matches!(timeout(WRITE_WITHIN, write.write_all(line.as_bytes())).await, Ok(Ok(()))) {
            return;
        }
    }
}
