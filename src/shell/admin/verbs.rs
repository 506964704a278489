//! What the admin socket can do.

use super::rpc::Fault;
use crate::config::Settings;
use crate::core::{Event, MissedAct, Verb};
use crate::shell::board::{Board, BoardReader};
use crate::shell::lane::{CoreGone, Inbox};
use crate::shell::meters::{Metrics, ShellMeters};
use crate::shell::outlets::Replies;
use crate::shell::store::{self, Filter, Health};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long the core may take to answer. It takes microseconds, unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads the configuration again: the new settings, or every mistake in it.
pub type Reload = Arc<dyn Fn() -> Result<Settings, String> + Send + Sync>;

/// What the verbs need.
pub struct Api {
    pub board: BoardReader,
    pub inbox: Inbox,
    pub replies: Replies,
    pub metrics: Arc<Metrics>,
    pub meters: ShellMeters,
    /// The first SQLite database among the stores.
    pub database: Option<PathBuf>,
    pub stores: Arc<Health>,
    pub reload: Option<Reload>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetAgent {
    agent: String,
    state: String,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hangup {
    call: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChooseDistrict {
    call: String,
    district: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Missed {
    number: String,
    #[serde(default)]
    by: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    #[serde(default)]
    address: String,
}

impl Api {
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, Fault> {
        self.meters.admin_requests.increment(1);
        match method {
            "status" => {
                let mut status = self.board.read(Board::status);
                status["stores"] = self.stores.list();
                Ok(status)
            }
            "stores.list" => Ok(self.stores.list()),
            "calls.list" => Ok(self.board.read(Board::calls_list)),
            "queues.list" => Ok(self.board.read(Board::queues_list)),
            "agents.list" => Ok(self.board.read(Board::agents_list)),
            "shifts.list" => Ok(self.board.read(Board::shifts_list)),
            "directory.list" => {
                let Listed { address } = parse(params)?;
                self.directory(&address)
            }
            "directory.stale" => Ok(self.board.read(Board::directory_stale)),
            "trunks.list" => Ok(self.board.read(|board, _| board.trunks_list())),
            "metrics" => Ok(json!(self.metrics.render())),
            "records.query" => self.records(parse(params)?).await,
            "agents.set" => {
                let SetAgent { agent, state, reason } = parse(params)?;
                self.ask(Verb::SetAgent { agent, state, reason }).await
            }
            "calls.district" => {
                let ChooseDistrict { call, district } = parse(params)?;
                self.ask(Verb::ChooseDistrict { call, district }).await
            }
            "missed.list" => Ok(self.board.read(Board::missed_list)),
            "missed.claim" | "missed.call" | "missed.close" => {
                let Missed { number, by } = parse(params)?;
                let act = match method {
                    "missed.claim" if by.is_empty() => {
                        return Err(Fault::refused("say by whom: {\"number\": …, \"by\": …}"));
                    }
                    "missed.claim" => MissedAct::Claim { by },
                    "missed.call" => MissedAct::Call { by },
                    _ => MissedAct::Close { by },
                };
                self.ask(Verb::Missed { number, act }).await
            }
            "calls.hangup" => {
                let Hangup { call } = parse(params)?;
                self.ask(Verb::Hangup { call }).await
            }
            "config.reload" => self.reload().await.map(|text| json!({ "text": text })),
            _ => Err(Fault::method(format!(
                "there is no method `{method}`: status, calls.list, queues.list, agents.list, \
                 trunks.list, shifts.list, directory.list, directory.stale, missed.list, \
                 missed.claim, missed.call, missed.close, agents.set, \
                 calls.hangup, calls.district, records.query, stores.list, config.reload, metrics \
                 and events.subscribe there are"
            ))),
        }
    }

    fn directory(&self, address: &str) -> Result<Value, Fault> {
        let mut why = String::new();
        let found = self.board.read(|board, now| match board.directory_list(address, now) {
            Ok(found) => found,
            Err(said) => {
                why = said;
                Value::Null
            }
        });
        if why.is_empty() { Ok(found) } else { Err(Fault::refused(why)) }
    }

    /// Has the core do it.
    async fn ask(&self, verb: Verb) -> Result<Value, Fault> {
        let (request, answer) = self.replies.open();
        let told = self.inbox.control(Event::Admin { request, verb }).await;
        if told == Err(CoreGone) {
            self.replies.forget(request);
            return Err(Fault::silent("the switch is stopping"));
        }
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(Ok(text))) => Ok(json!({ "text": text })),
            Ok(Ok(Err(why))) => Err(Fault::refused(why)),
            Ok(Err(_)) => Err(Fault::silent("the switch is stopping")),
            Err(_) => {
                self.replies.forget(request);
                Err(Fault::silent(
                    "the switch did not answer within 5 s; whether it was done, `status` tells",
                ))
            }
        }
    }

    async fn records(&self, filter: Filter) -> Result<Value, Fault> {
        let Some(database) = self.database.clone() else {
            return Err(Fault::refused(
                "no store can be asked: add \"sqlite:data/records.db\" to [records] stores",
            ));
        };
        let read = tokio::task::spawn_blocking(move || store::query(&database, &filter));
        match read.await {
            Ok(found) => found.map_err(Fault::refused),
            Err(_) => Err(Fault::silent("the switch is stopping")),
        }
    }

    /// Reads the configuration again and hands it to the core; mistakes change nothing.
    pub async fn reload(&self) -> Result<String, Fault> {
        let Some(read) = self.reload.clone() else {
            return Err(Fault::refused("this switch was started without a configuration file"));
        };
        let settings = match tokio::task::spawn_blocking(move || read()).await {
            Ok(Ok(settings)) => settings,
            Ok(Err(mistakes)) => {
                let why =
                    format!("nothing was changed, the configuration has mistakes: {mistakes}");
                return Err(Fault::refused(why));
            }
            Err(_) => return Err(Fault::silent("the switch is stopping")),
        };
        let refused = settings.call.directory.refused_count;
        let told = self.inbox.control(Event::Reload(Box::new(settings))).await;
        told.map_err(|_| Fault::silent("the switch is stopping"))?;
        let text = "the new configuration is in force; listeners, media ports and stores change \
                    at the next start";
        Ok(match refused {
            0 => text.into(),
            n => format!("{text}; {n} rows of the directory were refused: see `pukar directory`"),
        })
    }
}

fn parse<T: DeserializeOwned>(params: Value) -> Result<T, Fault> {
    serde_json::from_value(params).map_err(|e| Fault::params(e.to_string()))
}
