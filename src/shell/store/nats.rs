//! Rows as messages in a JetStream stream, `STREAM.SWITCH.calls` and `STREAM.SWITCH.agent_states`.
//! A row counts as stored when the server has acknowledged it. One that comes twice is told by its
//! `Nats-Msg-Id`: by the server for some hours, and by us, who look for what may come again.

use super::columns::{json_line, key_of, number_of};
use super::{Store, Trouble, purge, tls};
use crate::config::Remote;
use crate::core::Row;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{Config, LastRawMessageErrorKind, Stream};
use async_nats::jetstream::{Context, ContextBuilder, Message};
use async_nats::{Client, ConnectOptions, HeaderMap};
use futures_util::StreamExt;
use serde_json::Value;
use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;
use tokio::runtime::Runtime;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// A whole batch, from the first message to the last acknowledgement.
const BATCH_WITHIN: Duration = Duration::from_secs(20);
/// Messages on their way: more than a batch has.
const IN_FLIGHT: usize = 4_096;
/// How long the server remembers ids.
const WINDOW: Duration = Duration::from_secs(2 * 60 * 60);
const ID: &str = "Nats-Msg-Id";
/// Rows stand in the stream in the order of their numbers; but of a batch that was taken in part,
/// the rest comes behind. Two batches are more than that.
const OUT_OF_ORDER: u64 = 2_000;
/// Messages from which on it is looked for a place no closer.
const CLOSE: u64 = 1_000;
/// Octets of a message beside its row: the id, its name and the subject are far less.
const BESIDE: usize = 512;

pub struct Nats {
    runtime: Runtime,
    context: Context,
    stream: Stream,
    origin: String,
    /// For calls and for agents' states.
    subjects: [String; 2],
    /// Of each, the ids from the first row on that came since it was opened; `None` before that.
    known: [Option<BTreeSet<String>>; 2],
}

impl Nats {
    pub fn open(at: &Remote, origin: &str) -> Result<Self, String> {
        let runtime = super::runtime()?;
        let (context, stream) = runtime.block_on(connect(at, true))?;
        let (subjects, known) = (subjects(at), [None, None]);
        Ok(Self { runtime, context, stream, origin: origin.into(), subjects, known })
    }

    /// Has it known what the stream has of these rows and of those that come after them.
    fn look_for(&mut self, rows: &[Row]) -> Result<(), String> {
        for (table, known) in self.known.iter_mut().enumerate().filter(|(_, known)| known.is_none())
        {
            let numbers = rows.iter().filter(|row| table_of(row) == table).map(number_of);
            if let Some(first) = numbers.min() {
                let there = there(&self.stream, &self.subjects[table], first);
                *known = Some(self.runtime.block_on(there)?);
            }
        }
        Ok(())
    }

    /// What is to be published of these rows: to which table, with which id.
    fn messages(&self, rows: &[Row]) -> Result<Vec<(usize, String, String)>, Trouble> {
        let own = self.stream.cached_info().config.max_message_size;
        let own = usize::try_from(own).ok().filter(|most| *most > 0).unwrap_or(usize::MAX);
        let most = self.context.client().max_payload().min(own);
        let mut messages = Vec::new();
        for row in rows {
            let (table, id) = (table_of(row), format!("{}/{}", self.origin, key_of(row)));
            if self.known[table].as_ref().is_some_and(|known| known.contains(&id)) {
                continue;
            }
            let body = json_line(row).to_string();
            if body.len() + BESIDE > most {
                let why = format!("the server takes {most} octets, and a row has {}", body.len());
                return Err(Trouble { why, of_the_rows: true });
            }
            messages.push((table, id, body));
        }
        Ok(messages)
    }
}

impl Store for Nats {
    fn write(&mut self, rows: &[Row]) -> Result<(), Trouble> {
        self.look_for(rows)?;
        let messages = self.messages(rows)?;
        let Self { runtime, context, subjects, .. } = self;
        let publish = async {
            let mut acks = Vec::new();
            for (table, id, body) in messages {
                let mut headers = HeaderMap::new();
                headers.insert(ID, id);
                let subject = subjects[table].clone();
                let sent = context.publish_with_headers(subject, headers, body.into()).await;
                acks.push(sent.map_err(|e| e.to_string())?);
            }
            for ack in acks {
                ack.await.map_err(|e| e.to_string())?;
            }
            Ok(())
        };
        Ok(runtime.block_on(within(BATCH_WITHIN, publish))?)
    }
}

/// Where among [`Nats::subjects`].
fn table_of(row: &Row) -> usize {
    usize::from(matches!(row, Row::AgentState(_)))
}

fn subjects(at: &Remote) -> [String; 2] {
    ["calls", "agent_states"].map(|table| format!("{}.{}.{table}", at.path, at.switch))
}

/// The stream, made where it is missing; but not by whoever only reads.
async fn connect(at: &Remote, make: bool) -> Result<(Context, Stream), String> {
    let client = within(CONNECT_WITHIN, dial(at)).await?;
    let context = ContextBuilder::new()
        .timeout(ANSWER_WITHIN)
        .ack_timeout(ANSWER_WITHIN)
        .max_ack_inflight(IN_FLIGHT)
        .build(client);
    let own = format!("{}.>", at.path);
    let wanted = Config {
        name: at.path.clone(),
        subjects: vec![own.clone()],
        duplicate_window: WINDOW,
        description: Some("Call records of Pukar".into()),
        ..Config::default()
    };
    let stream = within(ANSWER_WITHIN, async {
        match make {
            true => context.get_or_create_stream(wanted).await.map_err(|e| e.to_string()),
            false => context.get_stream(&at.path).await.map_err(|e| e.to_string()),
        }
    });
    let stream = stream.await?;
    if !stream.cached_info().config.subjects.contains(&own) {
        return Err(format!(
            "stream {} is there and does not take {own}: name another, or add that subject to it",
            at.path
        ));
    }
    Ok((context, stream))
}

async fn dial(at: &Remote) -> Result<Client, String> {
    let mut options = ConnectOptions::new()
        .name("pukar")
        .connection_timeout(CONNECT_WITHIN)
        .max_reconnects(1)
        .ignore_discovered_servers()
        .require_tls(at.tls);
    if at.tls {
        options = options.tls_client_config(tls::client()?);
    }
    if let Some(secret) = &at.secret {
        options = match at.user.as_str() {
            "" => options.token(secret.0.clone()),
            user => options.user_and_password(user.into(), secret.0.clone()),
        };
    }
    options.connect(format!("nats://{}", at.authority())).await.map_err(|e| e.to_string())
}

pub async fn within<T>(
    span: Duration,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let late = |_| format!("the server took longer than {} s", span.as_secs());
    tokio::time::timeout(span, work).await.map_err(late)?
}

/// Every row of this switch that the stream has, as it was published, and its place there.
pub async fn read_with_places(
    at: &Remote,
    visit: &mut dyn FnMut(&Value, u64),
) -> Result<(), String> {
    let (_, stream) = connect(at, false).await?;
    let mut unread = 0;
    let filter_subject = format!("{}.{}.>", at.path, at.switch);
    let all = OrderedConfig {
        filter_subject,
        deliver_policy: DeliverPolicy::All,
        ..OrderedConfig::default()
    };
    let own = subjects(at);
    each(&stream, all, &mut |message| {
        if !own.iter().any(|subject| **subject == *message.subject) {
            return;
        }
        let place = message.info().map(|info| info.stream_sequence);
        match (serde_json::from_slice(&message.payload), place) {
            (Ok(row), Ok(place)) => visit(&row, place),
            _ => unread += 1,
        }
    })
    .await?;
    if unread == 0 { Ok(()) } else { Err(format!("{unread} messages are no rows")) }
}

/// Deletes messages, after the proofs of that are in the stream.
/// `gone`: told of each as it goes.
pub async fn delete(
    at: &Remote,
    places: impl IntoIterator<Item = u64>,
    proofs: Vec<Value>,
    gone: &mut dyn FnMut(),
) -> Result<(), String> {
    let (context, stream) = connect(at, false).await?;
    for proof in proofs {
        let sent = context.publish(purges(at), proof.to_string().into()).await;
        sent.map_err(|e| e.to_string())?.await.map_err(|e| e.to_string())?;
    }
    for place in places {
        let deleted = stream.delete_message(place).await;
        deleted.map_err(|e| format!("the stream lets nothing be deleted: {e}"))?;
        gone();
    }
    Ok(())
}

/// The table and the numbers of every purge.
pub async fn purged(at: &Remote) -> Result<Vec<(String, String)>, String> {
    let (_, stream) = connect(at, false).await?;
    let all = OrderedConfig {
        filter_subject: purges(at),
        deliver_policy: DeliverPolicy::All,
        ..OrderedConfig::default()
    };
    let mut found = Vec::new();
    each(&stream, all, &mut |message| {
        let proof = serde_json::from_slice(&message.payload).ok();
        found.extend(proof.as_ref().and_then(purge::table_and_numbers));
    })
    .await?;
    Ok(found)
}

fn purges(at: &Remote) -> String {
    format!("{}.{}.purges", at.path, at.switch)
}

/// The ids of the rows from number `first` on that the stream has of one table. Others may have
/// written much more to it since: only what is under this subject is looked at.
async fn there(stream: &Stream, subject: &str, first: u64) -> Result<BTreeSet<String>, String> {
    let mut ids = BTreeSet::new();
    let last = match stream.get_last_raw_message_by_subject(subject).await {
        Ok(message) => message,
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => return Ok(ids),
        Err(error) => return Err(error.to_string()),
    };
    if number_in(&last).is_some_and(|number| number < first) {
        return Ok(ids);
    }
    let wanted = first.saturating_sub(OUT_OF_ORDER);
    let (mut low, mut high) = (1, last.sequence);
    while high.saturating_sub(low) > CLOSE {
        let middle = low.midpoint(high);
        let found = stream.get_first_raw_message_by_subject(subject, middle).await;
        let found = found.map_err(|e| e.to_string())?;
        match number_in(&found).is_some_and(|number| number >= wanted) {
            true => high = middle,
            false => low = middle,
        }
    }
    let from_there = OrderedConfig {
        filter_subject: subject.into(),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: low },
        headers_only: true,
        ..OrderedConfig::default()
    };
    each(stream, from_there, &mut |message| {
        let id = message.headers.as_ref().and_then(|headers| headers.get(ID));
        ids.extend(id.map(|id| id.as_str().to_string()));
    })
    .await?;
    Ok(ids)
}

/// The number of the row that a message is.
fn number_in(message: &StreamMessage) -> Option<u64> {
    serde_json::from_slice::<Value>(&message.payload).ok()?["seq"].as_u64()
}

/// Goes through messages, to the last that there is.
async fn each(
    stream: &Stream,
    config: OrderedConfig,
    visit: &mut dyn FnMut(&Message),
) -> Result<(), String> {
    let consumer = stream.create_consumer(config).await.map_err(|e| e.to_string())?;
    if consumer.cached_info().num_pending == 0 {
        return Ok(());
    }
    let mut messages = consumer.messages().await.map_err(|e| e.to_string())?;
    loop {
        let next = within(ANSWER_WITHIN, async { Ok(messages.next().await) }).await?;
        let Some(message) = next else { return Err("the stream ended early".into()) };
        let message = message.map_err(|e| e.to_string())?;
        visit(&message);
        if message.info().map_err(|e| e.to_string())?.pending == 0 {
            return Ok(());
        }
    }
}
