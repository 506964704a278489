//! One client of the admin socket. Requests are answered one after the other; facts come in
//! between. Everything for the client goes through one bounded queue.

use super::access::Peer;
use super::rpc::{self, Fault};
use super::stream::{self, Facts};
use super::verbs::Api;
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
/// Facts that wait for the client to read them. Of answers, one waits and one is written: who asks
/// for more than they read waits for their answers, and costs no more memory.
const QUEUED: usize = 64;
/// How long a client may leave a line unread that has to be written.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

pub async fn serve(stream: UnixStream, peer: Peer, api: Arc<Api>) {
    let (read, write) = stream.into_split();
    let (answers, answers_end) = mpsc::channel(1);
    let (facts, facts_end) = mpsc::channel(QUEUED);
    let mut writer = tokio::spawn(write_all(write, answers_end, facts_end));
    let mut subscription = None;
    let queues = (&answers, &facts);
    tokio::select! {
        () = read_all(BufReader::new(read), (&peer, &api), queues, &mut subscription) => {}
        _ = &mut writer => {}
    }
    if let Some(subscription) = subscription {
        subscription.abort();
    }
    // What was answered is still written; a client that does not read it has had its time.
    drop((answers, facts));
    if !writer.is_finished() {
        let _ = writer.await;
    }
}

async fn read_all(
    mut read: BufReader<OwnedReadHalf>,
    (peer, api): (&Peer, &Arc<Api>),
    (answers, facts): (&mpsc::Sender<String>, &mpsc::Sender<String>),
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
            let _ = answers.send(rpc::answer(&Value::Null, Err(fault))).await;
            return;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let (answer, first) = match rpc::read(&line) {
            Ok(request) if request.method == "events.subscribe" => {
                let begun = stream::begin(api, peer, request.params).await;
                let outcome =
                    begun.as_ref().map(|facts| json!({"from": facts.next, "oldest": facts.oldest}));
                let outcome = outcome.map_err(Clone::clone);
                (request.id.map(|id| rpc::answer(&id, outcome)), begun.ok())
            }
            Ok(request) => {
                let outcome = api.call(peer, &request.method, request.params).await;
                (request.id.map(|id| rpc::answer(&id, outcome)), None)
            }
            Err((id, fault)) => (Some(rpc::answer(&id, Err(fault))), None),
        };
        if let Some(answer) = answer
            && answers.send(answer).await.is_err()
        {
            return;
        }
        if let Some(first) = first {
            // A second subscription replaces the one before.
            let fresh = tokio::spawn(send_facts(first, facts.clone()));
            if let Some(before) = subscription.replace(fresh) {
                before.abort();
            }
        }
    }
}

async fn send_facts(mut facts: Facts, queue: mpsc::Sender<String>) {
    loop {
        match facts.more().await {
            Ok(batch) => {
                for fact in batch {
                    if queue.send(rpc::notification("fact", &fact)).await.is_err() {
                        return;
                    }
                }
            }
            Err(Some(error)) => {
                let params =
                    json!({"code": error.code, "message": error.message, "next": facts.next});
                let _ = queue.send(rpc::notification("events.lost", &params.to_string())).await;
                return;
            }
            Err(None) => return,
        }
    }
}

async fn write_all(
    mut write: OwnedWriteHalf,
    mut answers: mpsc::Receiver<String>,
    mut facts: mpsc::Receiver<String>,
) {
    loop {
        // The answer to a subscription comes before its facts.
        let line = tokio::select! {
            biased;
            Some(answer) = answers.recv() => Some(answer),
            Some(fact) = facts.recv() => Some(fact),
            else => None,
        };
        let Some(mut line) = line else { return };
        line.push('\n');
        if !matches!(timeout(WRITE_WITHIN, write.write_all(line.as_bytes())).await, Ok(Ok(()))) {
            return;
        }
    }
}
