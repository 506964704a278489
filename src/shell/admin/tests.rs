//! The admin socket from the outside: whole conversations over a real socket.

use super::rpc::Fault;
use super::*;
use crate::base::{AgentId, CallId, Now, QueueId, TrunkId};
use crate::call::{Arrival, Centre, Direction, District};
use crate::config::Role;
use crate::core::{self, Done, Event, Fact, Noted, Verb as Act, What};
use crate::shell::board::{self, Board, Names, News};
use crate::shell::clock::Clock;
use crate::shell::lane::{self, InboxEnd, Lane};
use crate::shell::meters::Metrics;
use crate::shell::outlets::Replies;
use crate::shell::store::Health;
use crate::shell::store::tests::Folder;
use crate::shell::sys::epoll::Waker;
use crate::{acd, config};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;
use tokio::runtime::Runtime;

mod ground;
mod looks;
mod rooms;

pub struct World {
    pub runtime: Runtime,
    folder: Folder,
    news: Lane<News>,
    board: board::BoardReader,
    core: InboxEnd,
    replies: Replies,
    pub api: Arc<Api>,
    _guard: Guard,
}

struct Client {
    write: UnixStream,
    read: BufReader<UnixStream>,
}

fn names(settings: &config::Settings) -> Names {
    let named = core::Names {
        agents: vec![
            (AgentId(0), "op1".into()),
            (AgentId(1), "ali1".into()),
            (AgentId(2), "doc".into()),
        ],
        queues: vec![(QueueId(0), "general".into()), (QueueId(1), "alirajpur".into())],
        serves: vec![vec![QueueId(0)], vec![QueueId(1)], vec![]],
    };
    Names::of(settings, named)
}

impl World {
    fn new(name: &str) -> Self {
        Self::with(name, &config::Settings::default())
    }

    pub fn with(name: &str, settings: &config::Settings) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let metrics = Arc::new(Metrics::new());
        let meters = metrics.for_shell();
        let board = Board::new(names(settings), Clock::start().now());
        let (news, board, _) = board::start(board, Clock::start(), meters.clone()).unwrap();
        let (inbox, core) = lane::inbox(Arc::new(Waker::new().unwrap()));
        let replies = Replies::default();
        let stores = Arc::new(Health::new(&[], &metrics, Box::new(|_, _| true)));
        let api = Arc::new(Api {
            stores,
            board: board.clone(),
            inbox,
            replies: replies.clone(),
            metrics,
            meters,
            database: None,
            reload: None,
            upgrade: None,
            owner: u32::MAX,
            glances: Glances::default(),
        });
        let folder = Folder::new(name);
        let path = folder.0.join("pukar.sock");
        let many = api.board.with(|board| board.users().iter().any(|user| user.uid.is_some()));
        let _guard = runtime.block_on(async { start(bind(&path, many).unwrap(), &api) });
        Self { runtime, folder, news, board, core, replies, api, _guard }
    }

    fn path(&self) -> PathBuf {
        self.folder.0.join("pukar.sock")
    }

    fn client(&self) -> Client {
        let write = UnixStream::connect(self.path()).unwrap();
        write.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let read = BufReader::new(write.try_clone().unwrap());
        Client { write, read }
    }

    /// Hands a fact to the board, and looks: whoever looks finds what was told before.
    fn fact(&mut self, seq: u64, what: What) {
        self.news.put(News::Facts(vec![Fact { seq, at: Now::default(), what }]));
        assert_eq!(self.board.read(Board::status)["last_fact"], seq);
    }

    /// A reload has made these the users.
    fn users_are(&mut self, users: Vec<config::User>) {
        let mut settings = config::Settings::default();
        settings.admin.users = users;
        self.news.put(News::Names(Box::new(names(&settings))));
    }

    pub fn arrives(&mut self, seq: u64) {
        let arrival = Arrival {
            id: format!("01HZ{seq}"),
            direction: Direction::In,
            line: "181".into(),
            trunk: None,
            user: None,
            agent: String::new(),
            caller: "+919826012345".into(),
            caller_raw: String::new(),
            dialled: "181".into(),
            dialled_raw: "181".into(),
            forwarded_by: String::new(),
            district: String::new(),
            parent: String::new(),
            flags: Vec::new(),
        };
        let (call, arrival) = (CallId(seq), Box::new(arrival));
        self.fact(seq, What::Call(crate::call::Fact::Arrived { call, arrival }));
    }
}

impl Client {
    fn send(&mut self, line: &str) {
        self.write.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.read.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?}: {e}"))
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.send(&request.to_string());
        self.next()
    }
}

#[test]
fn lists_are_answered_from_facts_alone() {
    let mut world = World::new("lists");
    world.arrives(1);
    let (call, queue) = (CallId(1), QueueId(0));
    world.fact(2, What::Desk(acd::Fact::Queued { call, queue }));
    let mut client = world.client();
    let status = &client.ask("status", json!({}))["result"];
    assert_eq!((&status["calls"]["live"], &status["calls"]["waiting"]), (&json!(1), &json!(1)));
    let call = &client.ask("calls.list", Value::Null)["result"][0];
    assert_eq!((&call["id"], &call["state"]), (&json!("01HZ1"), &json!("waiting")));
    assert_eq!(client.ask("queues.list", json!({}))["result"][0]["waiting"], 1);
    let metrics = client.ask("metrics", json!({}));
    assert!(metrics["result"].as_str().unwrap().contains("pukar_calls_total 1"));
}

#[test]
fn what_changes_something_is_done_by_the_core_and_its_words_come_back() {
    let mut world = World::new("acts");
    let mut client = world.client();
    let params = json!({"agent": "op1", "state": "pause", "reason": "tea"});
    let asked = json!({"id": 4, "method": "agents.set", "params": params});
    client.send(&asked.to_string());
    let mut batch = Vec::new();
    // The request is on its way to a queue that this thread reads.
    while batch.is_empty() {
        world.core.take(&mut batch);
        std::thread::yield_now();
    }
    let Event::Admin { request, by, verb } = &batch[0] else { panic!("{batch:?}") };
    let expected =
        Act::SetAgent { agent: "op1".into(), state: "pause".into(), reason: "tea".into() };
    assert_eq!(verb, &expected);
    assert!(by == "root" || by.starts_with("uid:"), "{by}");
    world.replies.answer(*request, Err("op1 is not logged in".into()));
    let answer = client.next();
    assert_eq!(answer["error"], json!({"code": -32000, "message": "op1 is not logged in"}));
    assert_eq!(answer["id"], 4);
}

#[test]
fn why_a_caller_still_waits_is_asked_of_the_core() {
    let mut world = World::new("why");
    world.arrives(1);
    world.fact(2, What::Desk(acd::Fact::Queued { call: CallId(1), queue: QueueId(0) }));
    let mut client = world.client();
    let asked = json!({"id": 4, "method": "calls.why", "params": {"call": "01HZ1"}});
    client.send(&asked.to_string());
    let explain = Act::Explain { call: "01HZ1".into() };
    loop {
        let mut batch = Vec::new();
        world.core.take(&mut batch);
        let asked = batch.iter().find_map(|event| match event {
            Event::Admin { request, verb, .. } if *verb == explain => Some(*request),
            _ => None,
        });
        if let Some(request) = asked {
            let told = "waits in general, 0 are served before\nfree, but of too low a level: op1";
            world.replies.answer(request, Ok(told.into()));
            break;
        }
        std::thread::yield_now();
    }
    let now = &client.next()["result"]["now"];
    assert_eq!(now[1], "free, but of too low a level: op1", "{now}");
}

#[test]
fn faults_are_told_with_what_to_do() {
    let world = World::new("faults");
    let mut client = world.client();
    let unknown = client.ask("calls.listt", json!({}));
    assert_eq!(unknown["error"]["code"], -32601);
    assert!(unknown["error"]["message"].as_str().unwrap().contains("calls.list, calls.why"));
    assert_eq!(client.ask("calls.hangup", json!({"cal": "x"}))["error"]["code"], -32602);
    assert!(client.ask("config.reload", json!({}))["error"]["message"].is_string());
    assert!(client.ask("records.query", json!({}))["error"]["message"].is_string());
    client.send("nonsense");
    assert_eq!(client.next()["error"]["code"], -32700);
    client.send(&"x".repeat(70_000));
    assert_eq!(client.next()["error"]["code"], -32600);
    let mut rest = String::new();
    assert_eq!(client.read.read_line(&mut rest).unwrap_or(0), 0, "then it is closed");
}

#[test]
fn a_subscriber_that_comes_back_misses_nothing_and_sees_nothing_twice() {
    let mut world = World::new("facts");
    (1..=3).for_each(|seq| world.arrives(seq));
    let mut client = world.client();
    assert_eq!(client.ask("events.subscribe", json!({"from": 2}))["result"]["from"], 2);
    let seq = |line: Value| (line["method"].clone(), line["params"]["seq"].as_u64().unwrap());
    assert_eq!(seq(client.next()), (json!("fact"), 2));
    assert_eq!(seq(client.next()).1, 3);
    world.arrives(4);
    assert_eq!(seq(client.next()).1, 4);
    drop(client);
    world.arrives(5);
    let mut back = world.client();
    back.ask("events.subscribe", json!({"from": 5}));
    let fact = back.next();
    assert_eq!(fact["params"]["call"], "01HZ5");
    assert_eq!(seq(fact).1, 5);
    let ahead = back.ask("events.subscribe", json!({"from": 99}));
    assert!(ahead["error"]["message"].as_str().unwrap().contains("restarted"));
}

fn user(name: &str, role: Role, queues: &[&str], numbers: bool) -> config::User {
    let queues = queues.iter().map(ToString::to_string).collect();
    let (districts, uid) = (Vec::new(), None);
    config::User { name: name.into(), role, queues, districts, numbers, uid, token: None }
}

/// A switch with a caller in each of two queues, and people with different rights.
pub fn with_users(name: &str) -> World {
    with_roster(name, |_| {})
}

fn with_roster(name: &str, change: impl Fn(&mut acd::RosterSettings)) -> World {
    let mut settings = config::Settings::default();
    settings.admin.users = vec![
        user("boss", Role::Administrator, &[], true),
        user("ali", Role::Supervisor, &["alirajpur"], true),
        user("collector", Role::ReadOnly, &[], true),
        user("analyst", Role::Analyst, &[], false),
    ];
    settings.admin.users[1].districts = vec!["alirajpur".into(), "guna".into()];
    state(&mut settings);
    change(&mut settings.roster);
    let mut world = World::with(name, &settings);
    world.arrives(1);
    world.fact(2, What::Desk(acd::Fact::Queued { call: CallId(1), queue: QueueId(0) }));
    world.arrives(3);
    world.fact(4, What::Desk(acd::Fact::Queued { call: CallId(3), queue: QueueId(1) }));
    world
}

/// Three districts, two of them behind trunks; a shift of the state and one of a district; and
/// somebody in the directory of each.
fn state(settings: &mut config::Settings) {
    let trunk = |name: &str| crate::sip::Trunk { name: name.into(), ..Default::default() };
    settings.sip.trunks = ["bsnl", "guna", "shivpuri"].map(trunk).into();
    let district = |name: &str, code: &str, centre| District {
        name: name.into(),
        title: String::new(),
        code: code.into(),
        std: Vec::new(),
        centre,
        languages: Vec::new(),
        rings_within: crate::call::RINGS_WITHIN,
    };
    settings.call.districts = vec![
        district("alirajpur", "ALI", Centre::Queue(QueueId(1))),
        district("guna", "GUN", Centre::Trunk(TrunkId(1))),
        district("shivpuri", "SHI", Centre::Trunk(TrunkId(2))),
    ];
    let shift = |name: &str, agent: &str| acd::Shift {
        name: name.into(),
        from: 0,
        until: 720,
        days: [true; 7],
        rota: None,
        members: vec![acd::Member { agent: agent.into(), role: acd::Role::Operator }],
        minima: Vec::new(),
        auto: false,
        exceptions: Vec::new(),
    };
    settings.roster.shifts = vec![shift("state", "op1"), shift("day", "ali1")];
    let entry = |district: &str| crate::call::Entry {
        kind: "rrt".into(),
        district: district.into(),
        name: "डॉ. कनेश".into(),
        number: "+919826000131".into(),
        priority: 1,
        valid_from: None,
        valid_to: None,
        code: String::new(),
        file: "directory.csv".into(),
    };
    let entries = ["alirajpur", "shivpuri", ""].map(entry).into();
    let directory = crate::call::Directory { entries, ..Default::default() };
    settings.call.directory = Arc::new(directory);
}

impl World {
    fn does(&self, who: &str, method: &str, params: Value) -> Result<Value, Fault> {
        self.runtime.block_on(self.api.call(&Peer::User(who.into()), method, params))
    }

    /// What the core was told, without an answer.
    fn noted(&mut self) -> Vec<(String, Act)> {
        let mut batch = Vec::new();
        self.core.take(&mut batch);
        let noted = batch.into_iter().map(|event| match event {
            Event::Admin { by, verb, .. } => (by, verb),
            other => panic!("{other:?}"),
        });
        noted.collect()
    }
}

#[test]
fn who_may_not_act_is_told_why_and_it_is_noted() {
    let mut world = with_users("rights");
    for (who, method, params, why) in [
        ("collector", "calls.hangup", json!({"call": "01HZ1"}), "needs the role supervisor"),
        ("ali", "calls.hangup", json!({"call": "01HZ1"}), "does not belong to what ali"),
        ("ali", "queues.close", json!({"queue": "general"}), "does not belong to what ali"),
        ("ali", "agents.set", json!({"agent": "op1", "state": "ready"}), "does not belong"),
        (
            "ali",
            "calls.transfer",
            json!({"call": "01HZ3", "to": "agent:op1"}),
            "agent:op1 does not belong",
        ),
        ("ali", "calls.transfer", json!({"call": "01HZ3", "to": "dir:SHI/RRT/1"}), "not belong"),
        (
            "ali",
            "calls.transfer",
            json!({"call": "01HZ3", "to": "general", "way": "join"}),
            "general does not belong",
        ),
        (
            "ali",
            "calls.transfer",
            json!({"call": "01HZ3", "to": "district:shivpuri", "way": "consult"}),
            "district:shivpuri does not belong",
        ),
        ("collector", "calls.listen", json!({"call": "01HZ1", "phone": "op1"}), "needs the role"),
        ("ali", "calls.listen", json!({"call": "01HZ1", "phone": "ali1"}), "does not belong"),
        ("ali", "calls.barge", json!({"call": "01HZ3", "phone": "op1"}), "op1 does not belong"),
        ("ali", "config.reload", json!({}), "needs the role administrator"),
        ("ali", "queues.add", json!({"queue": "alirajpur", "agent": "op1"}), "does not belong"),
        ("analyst", "directory.list", json!({}), "needs the role read-only"),
        ("analyst", "records.query", json!({"caller": "9826012345"}), "see callers' numbers"),
        ("gone", "status", json!({}), "no longer a user"),
    ] {
        let fault = world.does(who, method, params).unwrap_err();
        assert!(fault.code == -32003 && fault.message.contains(why), "{fault:?}");
    }
    let noted = world.noted();
    let refused = (
        "collector".to_string(),
        Act::Noted { verb: Noted::Refused, on: "calls.hangup call=01HZ1".into() },
    );
    assert_eq!((noted.len(), &noted[0]), (14, &refused));
}

#[test]
fn everybody_sees_what_is_theirs_and_no_number_that_is_not_for_them() {
    let mut world = with_users("views");
    let callers = |world: &World, who: &str| {
        let calls = world.does(who, "calls.list", json!({})).unwrap();
        let calls = calls.as_array().unwrap().clone();
        let told = calls.iter().map(|call| {
            format!("{} {}", call["id"].as_str().unwrap(), call["caller"].as_str().unwrap())
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(callers(&world, "ali"), ["01HZ3 +919826012345"]);
    assert_eq!(callers(&world, "analyst"), ["01HZ1 +9198******45", "01HZ3 +9198******45"]);
    assert_eq!(callers(&world, "collector").len(), 2);
    callers(&world, "collector");
    let queues = world.does("ali", "queues.list", json!({})).unwrap();
    assert_eq!((queues.as_array().unwrap().len(), &queues[0]["name"]), (1, &json!("alirajpur")));
    let agents = world.does("ali", "agents.list", json!({})).unwrap();
    assert_eq!(agents[0]["id"], "ali1");
    assert_eq!(agents.as_array().unwrap().len(), 1);
    for (verb, own, all) in [
        ("shifts.list", vec!["day"], 2),
        ("trunks.list", vec!["guna"], 3),
        ("directory.list", vec!["alirajpur", ""], 3),
    ] {
        let named = |answer: Value| match answer {
            Value::Array(rows) => rows,
            other => other["entries"].as_array().unwrap().clone(),
        };
        let rows = named(world.does("ali", verb, json!({})).unwrap());
        let key = if verb == "directory.list" { "district" } else { "name" };
        let names: Vec<&str> = rows.iter().map(|row| row[key].as_str().unwrap()).collect();
        assert_eq!(names, own, "{verb}");
        assert_eq!(named(world.does("boss", verb, json!({})).unwrap()).len(), all, "{verb}");
    }
    let noted = world.noted();
    let seen = |who: &str, on: &str| {
        (who.to_string(), Act::Noted { verb: Noted::Seen, on: format!("calls.list {on}") })
    };
    let looks = [seen("ali", "01HZ3"), seen("collector", "01HZ1 01HZ3")];
    assert_eq!(noted, looks, "each call once, not at every look, and nothing where none is shown");
}

#[test]
fn a_stream_tells_each_what_is_theirs() {
    let mut world = with_users("stream");
    let peer = |who: &str| Peer::User(who.into());
    let facts = |world: &World, who: &str| {
        let told = world.runtime.block_on(async {
            let mut facts =
                stream::begin(&world.api, &peer(who), json!({"from": 1})).await.unwrap();
            facts.more().await.unwrap()
        });
        told.iter().map(|fact| serde_json::from_str::<Value>(fact).unwrap()).collect::<Vec<_>>()
    };
    let veiled = facts(&world, "analyst");
    assert_eq!((veiled.len(), &veiled[0]["caller"]), (4, &json!("+9198******45")));
    let own = facts(&world, "ali");
    let calls: Vec<_> = own.iter().map(|fact| fact["call"].clone()).collect();
    assert_eq!(calls, [json!("01HZ3")], "from the queue on, which is what made it theirs");
    let left = Act::Noted { verb: Noted::Exported, on: "events.subscribe from=1".into() };
    assert_eq!(world.noted(), [("ali".to_string(), left)]);
}

#[test]
fn a_stream_has_no_more_rights_than_its_subscriber_has_now() {
    let mut world = with_users("stream-reload");
    let peer = Peer::User("boss".into());
    let begun = stream::begin(&world.api, &peer, json!({"from": 1}));
    let mut facts = world.runtime.block_on(begun).unwrap();
    let more = |world: &World, facts: &mut Facts| {
        let told = world.runtime.block_on(facts.more())?;
        let read = |fact: &Arc<str>| serde_json::from_str::<Value>(fact).unwrap();
        Ok::<_, Option<Fault>>(told.iter().map(read).collect::<Vec<_>>())
    };
    assert_eq!(more(&world, &mut facts).unwrap()[0]["caller"], "+919826012345");
    world.users_are(vec![user("boss", Role::Analyst, &[], false)]);
    world.arrives(5);
    assert_eq!(more(&world, &mut facts).unwrap()[0]["caller"], "+9198******45");
    world.users_are(vec![user("boss", Role::Supervisor, &["alirajpur"], true)]);
    world.arrives(6);
    world.fact(7, What::Desk(acd::Fact::Queued { call: CallId(6), queue: QueueId(0) }));
    assert_eq!(more(&world, &mut facts), Ok(Vec::new()));
    world.users_are(Vec::new());
    world.arrives(8);
    let fault = more(&world, &mut facts).unwrap_err().unwrap();
    assert!(fault.message.contains("boss is no longer a user"), "{fault:?}");
}

#[test]
fn a_missed_caller_is_for_those_of_their_queue_and_no_number_that_is_not_for_them() {
    use crate::call::{EndedBy, Fact, MissedNews};
    let mut world = with_users("missed");
    for (seq, number, parent) in [(5, "+919826012345", "01HZ1"), (6, "+919826099999", "01HZ3")] {
        let news = MissedNews::Abandoned { parent: parent.into(), why: EndedBy::Caller };
        world.fact(seq, What::Call(Fact::Missed { number: number.into(), news }));
    }
    let listed = |world: &World, who: &str| {
        let people = world.does(who, "missed.list", json!({})).unwrap();
        let people = people.as_array().unwrap().clone();
        people.iter().map(|p| p["number"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&world, "boss"), ["+919826012345", "+919826099999"]);
    assert_eq!(listed(&world, "ali"), ["+919826099999"]);
    assert_eq!(listed(&world, "analyst"), ["+9198******45", "+9198******99"]);
    for (who, number, why) in [
        ("ali", "+919826012345", "does not belong to what ali"),
        ("collector", "+919826099999", "needs the role supervisor"),
    ] {
        let fault = world.does(who, "missed.claim", json!({"number": number})).unwrap_err();
        assert!(fault.code == -32003 && fault.message.contains(why), "{fault:?}");
    }
    let seen: Vec<_> = world.noted().into_iter().map(|(by, _)| by).collect();
    assert_eq!(seen, ["boss", "ali", "ali", "collector"], "the looks, and what was refused");
}

#[test]
fn what_is_handed_over_is_what_is_theirs_and_what_was_set_by_hand() {
    use crate::call::{EndedBy, Fact, MissedNews};
    let mut world = with_users("handover");
    for (seq, number, parent) in [(5, "+919826012345", "01HZ1"), (6, "+919826099999", "01HZ3")] {
        let news = MissedNews::Abandoned { parent: parent.into(), why: EndedBy::Caller };
        world.fact(seq, What::Call(Fact::Missed { number: number.into(), news }));
    }
    for (seq, queue) in [(7, QueueId(0)), (8, QueueId(1))] {
        let hand = acd::Hand::Door(acd::Door::Shut);
        world.fact(seq, What::Desk(acd::Fact::Handled { queue, hand }));
    }
    let told = |world: &World, who: &str| world.does(who, "handover", json!({})).unwrap();
    let own = told(&world, "ali");
    assert_eq!((&own["missed"]["open"], &own["now"]["calls"]["live"]), (&json!(1), &json!(1)));
    assert_eq!(own["missed"]["people"][0]["number"], "+919826099999");
    assert_eq!(own["by_hand"].as_array().unwrap().len(), 1);
    assert_eq!(own["by_hand"][0]["name"], "alirajpur");
    assert_eq!(told(&world, "boss")["by_hand"].as_array().unwrap().len(), 2);
    assert_eq!(own["report"], Value::Null, "there is no database to ask");
    let fault = world.does("analyst", "handover", json!({})).unwrap_err();
    assert!(fault.message.contains("needs the role read-only"), "{fault:?}");
}

#[test]
fn a_group_of_agents_is_those_of_it_who_are_theirs() {
    let mut world = with_users("groups");
    let params = json!({"agent": "all", "state": "pause", "reason": "fire drill"});
    // The core knows who is logged in, whatever the board shows.
    let says = |agent: &str| if agent == "ali1" { "paused".into() } else { Done::LeftOff };
    let (asked, told) = ground::orders(&mut world, "boss", params.clone(), says);
    let off = asked.len() - 1;
    assert!(off > 1, "{asked:?}");
    assert_eq!(
        (&told["done"], &told["off"], &told["failed"]),
        (&json!(1), &json!(off), &json!([]))
    );
    assert_eq!(ground::ordered(&mut world, params), "ali1");
    let wrong = json!({"agent": "shift:noon", "state": "ready"});
    let fault = world.does("boss", "agents.set", wrong).unwrap_err();
    assert!(fault.message.contains("is no group: say all, queue:NAME"), "{fault:?}");
}

#[test]
fn a_client_that_never_reads_stops_nobody() {
    let mut world = World::new("deaf");
    let mut deaf = world.client();
    deaf.send(&json!({"id": 1, "method": "events.subscribe", "params": {"from": 1}}).to_string());
    (1..=5_000).for_each(|seq| world.arrives(seq));
    let status = world.client().ask("status", json!({}));
    assert_eq!(status["result"]["last_fact"], 5_000);
}

#[test]
fn a_dead_switch_leaves_no_socket_in_the_way_and_a_living_one_keeps_its_own() {
    let world = World::new("socket");
    let mode = std::fs::metadata(world.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let _inside = world.runtime.enter();
    let taken = socket::bind(&world.path(), false).err().unwrap();
    assert!(taken.contains("another switch is running there"), "{taken}");
    let stale = world.folder.0.join("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    let (listener, guard) = socket::bind(&stale, true).unwrap();
    drop((listener, guard));
    assert!(!stale.exists());
    let file = world.folder.0.join("file");
    std::fs::write(&file, "precious").unwrap();
    assert!(socket::bind(&file, false).err().unwrap().contains("it stays"));
}
