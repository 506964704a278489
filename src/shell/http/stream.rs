//! What goes on and on: the wallboard once a second and facts as they happen, as server-sent
//! events. Each stream is asked for anew, so that a user who is gone, or has another role since a
//! reload, sees no more than is theirs.

use super::{Asked, Served, answer};
use crate::shell::admin::{Api, Facts, Peer, follow};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use serde_json::json;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How often the wallboard is told.
const EVERY: Duration = Duration::from_secs(1);
/// Events that wait for the client to read them.
const QUEUED: usize = 64;
/// How long they may.
const WITHIN: Duration = Duration::from_secs(10);
/// How long a stream of facts says nothing at most, so that nobody on the way takes it for dead.
const QUIET: Duration = Duration::from_secs(20);

struct Events(mpsc::Receiver<Event>);

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|event| event.map(Ok))
    }
}

pub async fn wallboard(
    State(served): State<Served>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let peer = match served.peer(&headers, &asked).await {
        Ok(peer) => peer,
        Err(response) => return response,
    };
    let (sender, receiver) = mpsc::channel(QUEUED);
    tokio::spawn(tell_wallboard(served.api, peer, sender));
    Sse::new(Events(receiver)).into_response()
}

async fn tell_wallboard(api: Arc<Api>, peer: Peer, to: mpsc::Sender<Event>) {
    let mut every = tokio::time::interval(EVERY);
    loop {
        every.tick().await;
        let event = match api.call(&peer, "wallboard", json!({})).await {
            Ok(wall) => Event::default().data(wall.to_string()),
            Err(fault) => Event::default().event("fault").data(fault.message),
        };
        if to.send_timeout(event, WITHIN).await.is_err() {
            return;
        }
    }
}

pub async fn facts(
    State(served): State<Served>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let peer = match served.peer(&headers, &asked).await {
        Ok(peer) => peer,
        Err(response) => return response,
    };
    // A browser that connects anew says what it saw last.
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let from = seen.map(|seen| seen + 1).or(asked.from);
    let params = from.map_or(json!({}), |from| json!({"from": from}));
    let facts = match follow(&served.api, &peer, params).await {
        Ok(facts) => facts,
        Err(fault) => return answer(Err(fault)),
    };
    let (to, receiver) = mpsc::channel(QUEUED);
    tokio::spawn(tell_facts(facts, to, QUIET));
    Sse::new(Events(receiver)).into_response()
}

/// Ends with the client, and where there is nothing more for it: then it is told why.
pub(super) async fn tell_facts(mut facts: Facts, to: mpsc::Sender<Event>, quiet: Duration) {
    loop {
        let told = tokio::select! {
            () = to.closed() => return,
            told = timeout(quiet, facts.more()) => told,
        };
        let events = match told {
            Err(_) => vec![Event::default().comment("")],
            Ok(Ok(told)) => {
                told.iter().map(|fact| Event::default().id(id_of(fact)).data(&**fact)).collect()
            }
            Ok(Err(Some(fault))) => {
                let event = Event::default().event("fault").data(fault.message);
                let _ = to.send_timeout(event, WITHIN).await;
                return;
            }
            Ok(Err(None)) => return,
        };
        for event in events {
            if to.send_timeout(event, WITHIN).await.is_err() {
                return;
            }
        }
    }
}

/// The number of a fact, from its text.
fn id_of(fact: &str) -> String {
    let rest = fact.split_once("\"seq\":").map_or("", |(_, rest)| rest);
    rest.chars().take_while(char::is_ascii_digit).collect()
}
