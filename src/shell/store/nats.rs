//! Rows as messages in a JetStream stream, `STREAM.SWITCH.calls` and `STREAM.SWITCH.agent_states`.
//! A row counts as stored when the server has acknowledged it. One that comes twice is told by its
//! `Nats-Msg-Id`: by the server for some hours, and by us, who look at the newest messages first.

use super::columns::{json_line, key_of};
use super::{Store, tls};
use crate::config::Remote;
use crate::core::Row;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
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
/// Newest rows of this switch that are looked at when the stream is opened, where it has so many.
const LOOKED_AT: u64 = 8_192;

pub struct Nats {
    runtime: Runtime,
    context: Context,
    origin: String,
    /// For calls and for agents' states.
    subjects: [String; 2],
    /// Ids of the newest rows that were there when it was opened.
    known: BTreeSet<String>,
}

impl Nats {
    pub fn open(at: &Remote, origin: &str) -> Result<Self, String> {
        let runtime = super::runtime()?;
        let (context, known) = runtime.block_on(async {
            let (context, stream) = connect(at, true).await?;
            let known = newest(&stream, at).await?;
            Ok::<_, String>((context, known))
        })?;
        Ok(Self { runtime, context, origin: origin.into(), subjects: subjects(at), known })
    }
}

impl Store for Nats {
    fn write(&mut self, rows: &[Row]) -> Result<(), String> {
        let Self { runtime, context, origin, subjects, known } = self;
        let publish = async {
            let mut acks = Vec::new();
            for row in rows {
                let id = format!("{origin}/{}", key_of(row));
                if known.contains(&id) {
                    continue;
                }
                let mut headers = HeaderMap::new();
                headers.insert(ID, id);
                let subject = subjects[usize::from(matches!(row, Row::AgentState(_)))].clone();
                let body = json_line(row).to_string();
                let sent = context.publish_with_headers(subject, headers, body.into()).await;
                acks.push(sent.map_err(|e| e.to_string())?);
            }
            for ack in acks {
                ack.await.map_err(|e| e.to_string())?;
            }
            Ok(())
        };
        runtime.block_on(within(BATCH_WITHIN, publish))
    }
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

/// Every row of this switch that the stream has, as it was published.
pub async fn read_all(at: &Remote, visit: &mut dyn FnMut(&Value)) -> Result<(), String> {
    let (_, stream) = connect(at, false).await?;
    let mut unread = 0;
    each(&stream, at, DeliverPolicy::All, &mut |message| match serde_json::from_slice(
        &message.payload,
    ) {
        Ok(row) => visit(&row),
        Err(_) => unread += 1,
    })
    .await?;
    if unread == 0 { Ok(()) } else { Err(format!("{unread} messages are no rows")) }
}

/// The ids of the newest rows of this switch, however much others have written since: what may
/// come again is what its cursor had not seen.
async fn newest(stream: &Stream, at: &Remote) -> Result<BTreeSet<String>, String> {
    let mut last = 0;
    for subject in subjects(at) {
        match stream.get_last_raw_message_by_subject(&subject).await {
            Ok(message) => last = last.max(message.sequence),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    let (mut ids, mut span) = (BTreeSet::new(), LOOKED_AT);
    if last == 0 {
        return Ok(ids);
    }
    loop {
        let start_sequence = last.saturating_sub(span).max(1);
        ids.clear();
        each(stream, at, DeliverPolicy::ByStartSequence { start_sequence }, &mut |message| {
            let id = message.headers.as_ref().and_then(|headers| headers.get(ID));
            ids.extend(id.map(|id| id.as_str().to_string()));
        })
        .await?;
        if start_sequence == 1 || ids.len() as u64 >= LOOKED_AT {
            return Ok(ids);
        }
        span = span.saturating_mul(4);
    }
}

/// Goes through the messages of this switch, to the last that there is.
async fn each(
    stream: &Stream,
    at: &Remote,
    deliver_policy: DeliverPolicy,
    visit: &mut dyn FnMut(&Message),
) -> Result<(), String> {
    let filter_subject = format!("{}.{}.>", at.path, at.switch);
    let config = OrderedConfig { filter_subject, deliver_policy, ..OrderedConfig::default() };
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
