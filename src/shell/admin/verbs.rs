//! What the admin socket and HTTP can do: admits whoever asks, then does it or has it done.

use super::access::{Peer, Who};
use super::given::Given;
use super::glances::Glances;
use super::rpc::Fault;
use super::table::{self, How, Look, Shell, Shows, VERBS, Verb};
use crate::base::Wall;
use crate::config::Settings;
use crate::core::{Done, Event, Noted, Verb as Act};
use crate::shell::board::{Board, BoardReader};
use crate::shell::lane::{CoreGone, Inbox};
use crate::shell::meters::{Metrics, ShellMeters};
use crate::shell::outlets::Replies;
use crate::shell::report;
use crate::shell::stamp::rfc3339;
use crate::shell::store::{self, Filter, Health, Source};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long the core may take to answer. It takes microseconds, unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(5);
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// Calls that are named in one line of the books.
const NAMED: usize = 50;

/// Reads the configuration again: the new settings, or every mistake in it.
pub type Reload = Arc<dyn Fn() -> Result<Settings, String> + Send + Sync>;
/// Brings the wish for an upgrade to whoever can, who answers whether it comes.
pub type Upgrade = mpsc::Sender<oneshot::Sender<Result<String, String>>>;

/// What the verbs need.
pub struct Api {
    pub board: BoardReader,
    pub inbox: Inbox,
    pub replies: Replies,
    pub metrics: Arc<Metrics>,
    pub meters: ShellMeters,
    /// The database among the stores that is asked.
    pub database: Option<Source>,
    pub stores: Arc<Health>,
    pub reload: Option<Reload>,
    pub upgrade: Option<Upgrade>,
    /// Whose the socket is.
    pub owner: u32,
    /// Who has which callers' numbers before their eyes, for the books.
    pub glances: Glances,
}

impl Api {
    /// Does it, or says why not.
    pub async fn call(&self, peer: &Peer, method: &str, params: Value) -> Result<Value, Fault> {
        let (verb, given, who) = self.admit(peer, method, params).await?;
        let answer = match verb.how {
            How::Board(look) => match self.look(look, &given, &who) {
                Ok(mut answer) if verb.name == "status" => {
                    answer["stores"] = self.stores.list();
                    Ok(answer)
                }
                Ok(answer) if verb.name == "calls.why" => Ok(self.explained(&who, answer).await),
                other => other,
            },
            How::Core(act) => self.ask(&who, act(&given)).await.map(|text| json!({"text": text})),
            How::Ranked(act) => {
                let act = act(&given, who.role);
                self.ask(&who, act).await.map(|text| json!({"text": text}))
            }
            How::Shell(Shell::SetAgents) => self.set_agents(&who, &given).await,
            How::Shell(Shell::Records) => self.records(&who, &given).await,
            How::Shell(Shell::Report) => self.report(&who, &given).await,
            How::Shell(Shell::Handover) => self.handover(&who).await,
            How::Shell(Shell::Reload) => {
                let done = self.reload().await;
                self.note(&who, Noted::Reloaded, String::new()).await;
                done.map(|text| json!({"text": text}))
            }
            How::Shell(Shell::Upgrade) => {
                self.note(&who, Noted::Upgraded, String::new()).await;
                self.upgrade().await.map(|text| json!({"text": text}))
            }
            How::Shell(Shell::Metrics) => Ok(json!(self.metrics.render())),
            How::Shell(Shell::Stores) => Ok(self.stores.list()),
            How::Shell(Shell::Verbs) => Ok(VERBS.iter().map(Verb::describe).collect()),
            How::Shell(Shell::Subscribe) => {
                Err(Fault::refused("a stream of facts needs a connection of its own"))
            }
        };
        if let Ok(answer) = &answer
            && who.numbers
            && verb.shows == Shows::Numbers
        {
            self.note_glance(&who, verb, answer).await;
        }
        who.veil(answer)
    }

    /// Of a caller who still waits the core knows best why.
    async fn explained(&self, who: &Who, mut story: Value) -> Value {
        let call = story["call"].as_str().unwrap_or_default().to_string();
        if !story["now"].is_null()
            && let Ok(text) = self.ask(who, Act::Explain { call }).await
        {
            story["now"] = text.lines().collect();
        }
        story
    }

    /// Whether this peer may do this. What is refused, and who sees callers' numbers, is noted.
    pub async fn admit(
        &self,
        peer: &Peer,
        method: &str,
        params: Value,
    ) -> Result<(&'static Verb, Given, Who), Fault> {
        self.meters.admin_requests.increment(1);
        let verb = table::find(method)?;
        let given = verb.read(params)?;
        let now = self.board.now();
        let (who, allowed) = self.board.with(|board| {
            let who = Who::of(peer, self.owner, board, now)?;
            let allowed = who.may(verb, &given, board);
            Ok((who, allowed))
        })?;
        if let Err(fault) = allowed {
            self.note(&who, Noted::Refused, format!("{} {}", verb.name, given.line())).await;
            return Err(fault);
        }
        if who.numbers {
            self.note_reading(&who, verb, &given).await;
        }
        Ok((verb, given, who))
    }

    /// Whether anything at all is allowed to this peer.
    pub fn knows(&self, peer: &Peer) -> bool {
        let now = self.board.now();
        self.board.with(|board| Who::of(peer, self.owner, board, now).is_ok())
    }

    /// Whether this is who owns the socket, or root.
    pub fn owns(&self, peer: &Peer) -> bool {
        matches!(peer, Peer::Uid(uid) if *uid == self.owner || *uid == 0)
    }

    /// Who hears facts just now, if they still may.
    pub fn subscriber(&self, peer: &Peer) -> Result<Who, Fault> {
        let verb = table::find("events.subscribe")?;
        let now = self.board.now();
        self.board.with(|board| {
            let who = Who::of(peer, self.owner, board, now)?;
            who.may(verb, &Given::default(), board).map(|()| who)
        })
    }

    fn look(
        &self,
        look: fn(&Look) -> Result<Value, String>,
        given: &Given,
        who: &Who,
    ) -> Result<Value, Fault> {
        let now = self.board.now();
        let found = self.board.with(|board| look(&Look { board, now, given, who }));
        found.map_err(Fault::refused)
    }

    /// What is asked for is noted before it is shown.
    async fn note_reading(&self, who: &Who, verb: &'static Verb, given: &Given) {
        let what = match verb.shows {
            Shows::Nothing | Shows::Numbers => return,
            Shows::One => Noted::Seen,
            Shows::Records => Noted::Exported,
        };
        let on = format!("{} {}", verb.name, given.line());
        self.note(who, what, on.trim_end().into()).await;
    }

    /// Of a list it is known only now what is in it.
    async fn note_glance(&self, who: &Who, verb: &'static Verb, answer: &Value) {
        let now = self.board.now().instant;
        for calls in self.glances.news(&who.name, verb.name, now, answer).chunks(NAMED) {
            self.note(who, Noted::Seen, format!("{} {}", verb.name, calls.join(" "))).await;
        }
    }

    /// Puts on the books what the core has no hand in. Nobody waits for an answer.
    async fn note(&self, who: &Who, verb: Noted, on: String) {
        let (by, verb) = (who.name.clone(), Act::Noted { verb, on });
        let _ = self.inbox.control(Event::Admin { request: 0, by, verb }).await;
    }

    /// An agent, or those of a group who are theirs, one after the other.
    async fn set_agents(&self, who: &Who, given: &Given) -> Result<Value, Fault> {
        let (agent, state, reason) =
            (given.text("agent"), given.text("state"), given.text("reason"));
        let set = |agent: &str| Act::SetAgent {
            agent: agent.into(),
            state: state.into(),
            reason: reason.into(),
        };
        let set_if_there = |agent: &str| Act::SetMember {
            agent: agent.into(),
            state: state.into(),
            reason: reason.into(),
        };
        let now = self.board.now();
        let group = self.board.with(|board| board.group(agent, now)).map_err(Fault::refused)?;
        let Some(group) = group else {
            let mine = self.board.with(|board| {
                let queues = board.queues_of_agent(agent);
                queues.is_none_or(|queues| who.looks_after(agent, &queues))
            });
            return match mine {
                true => self.ask(who, set(agent)).await.map(|text| json!({"text": text})),
                false => Err(Fault::forbidden(format!(
                    "{agent} does not belong to what {} looks after",
                    who.name
                ))),
            };
        };
        let (mut done, mut off, mut failed) = (0, 0, Vec::new());
        // Whoever is at home is not paused, nor fetched by a word to everybody: a shift is.
        let spares = state != "logout"
            && !(["ready", "login"].contains(&state) && agent.starts_with("shift:"));
        for (agent, queues) in group {
            if !who.looks_after(&agent, &queues) {
                continue;
            }
            let wish = if spares { set_if_there(&agent) } else { set(&agent) };
            match self.ask_for(who, wish).await {
                Ok(Done::LeftOff) => off += 1,
                Ok(Done::Said(_)) => done += 1,
                Err(fault) => failed.push(format!("{agent}: {}", fault.message)),
            }
        }
        let mut text = format!("{agent}: {done} agents: {state}");
        if off > 0 {
            text += &format!("; {off} are logged out, and were left so");
        }
        if !failed.is_empty() {
            text += &format!("; {} not: {}", failed.len(), failed.join("; "));
        }
        Ok(json!({"text": text, "done": done, "off": off, "failed": failed}))
    }

    /// Has the core do it, and says what it says.
    async fn ask(&self, who: &Who, verb: Act) -> Result<String, Fault> {
        self.ask_for(who, verb).await.map(Done::words)
    }

    async fn ask_for(&self, who: &Who, verb: Act) -> Result<Done, Fault> {
        let (request, answer) = self.replies.open();
        let by = who.name.clone();
        let told = self.inbox.control(Event::Admin { request, by, verb }).await;
        if told == Err(CoreGone) {
            self.replies.forget(request);
            return Err(Fault::silent("the switch is stopping"));
        }
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(Ok(done))) => Ok(done),
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

    async fn records(&self, who: &Who, given: &Given) -> Result<Value, Fault> {
        let filter = serde_json::from_value(Value::Object(given.0.clone()));
        let mut filter: Filter = filter.map_err(|e| Fault::params(e.to_string()))?;
        filter.within = who.within();
        let database = self.database()?;
        read(move || store::query(&database, &filter)).await
    }

    async fn report(&self, who: &Who, given: &Given) -> Result<Value, Fault> {
        let database = self.database()?;
        let (roster, reports) = self.board.with(Board::books);
        let last = report::last_cut_off(self.board.now().wall, &roster.zone, &reports.cut_offs);
        let moment = |key: &str, default: Wall| match given.maybe(key) {
            None => Ok(default),
            Some(text) => match text.parse::<jiff::Timestamp>() {
                Ok(stamp) => Ok(Wall(stamp.as_microsecond())),
                Err(_) => Err(Fault::params(format!("`{key}`: \"{text}\" is no RFC 3339 time"))),
            },
        };
        // A beginning without an end is up to now; an end without a beginning is of its day.
        let until = if given.maybe("since").is_some() { self.board.now().wall } else { last.until };
        let until = moment("until", until)?;
        let since = moment(
            "since",
            if given.maybe("until").is_some() { Wall(until.0 - DAY) } else { last.since },
        )?;
        let window = report::Window { since, until };
        let within = who.within();
        read(move || {
            let (roster, reports) = (&roster, &reports);
            report::report(&report::Wanted { database: &database, roster, reports, window, within })
        })
        .await
    }

    /// The shift's figures, without which the rest is still told.
    async fn handover(&self, who: &Who) -> Result<Value, Fault> {
        let now = self.board.now();
        let (roster, _) = self.board.with(Board::books);
        let day = report::Window { since: Wall(now.wall.0 - DAY), until: now.wall };
        let shift = report::shift_to_hand_over(&roster, now.wall);
        let (shift, window) = shift.unwrap_or((String::new(), day));
        let (since, until) = (rfc3339(window.since), rfc3339(window.until));
        let mut answer =
            self.board.with(|board| who.look(board, |sight| board.handover(now, sight)));
        answer["shift"] = json!({"name": shift, "since": since, "until": until});
        answer["report"] = match self.database {
            None => Value::Null,
            Some(_) => {
                let params = json!({"since": since, "until": until});
                let given = Given(params.as_object().cloned().unwrap_or_default());
                self.report(who, &given).await?["total"].take()
            }
        };
        Ok(answer)
    }

    fn database(&self) -> Result<Source, Fault> {
        self.database.clone().ok_or_else(|| {
            Fault::refused(
                "no store can be asked: add \"sqlite:data/records.db\" to [records] stores",
            )
        })
    }

    /// Has another program take this one's place, or says why that does not happen.
    async fn upgrade(&self) -> Result<String, Fault> {
        let Some(upgrade) = &self.upgrade else {
            return Err(Fault::refused("this switch is part of another program, and stays"));
        };
        let (answer, answered) = oneshot::channel();
        let stopping = || Fault::silent("the switch is stopping");
        upgrade.send(answer).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?.map_err(Fault::refused)
    }

    /// Reads the configuration again and hands it to the core; mistakes change nothing.
    pub async fn reload(&self) -> Result<String, Fault> {
        let Some(read) = self.reload.clone() else {
            return Err(Fault::refused("this switch was started without a configuration file"));
        };
        let refused = &self.meters.configuration_refused;
        let settings = match tokio::task::spawn_blocking(move || read()).await {
            Ok(Ok(settings)) => {
                refused.set(0.0);
                settings
            }
            Ok(Err(mistakes)) => {
                refused.set(1.0);
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

/// Reads the database, on a thread that may wait for it.
async fn read(
    read: impl FnOnce() -> Result<Value, String> + Send + 'static,
) -> Result<Value, Fault> {
    match tokio::task::spawn_blocking(read).await {
        Ok(found) => found.map_err(Fault::refused),
        Err(_) => Err(Fault::silent("the switch is stopping")),
    }
}
