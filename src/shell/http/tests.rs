//! HTTP from the outside: requests over a real socket, and what comes back.

use super::stream::tell_facts;
use crate::config::{self, Role, User};
use crate::shell::admin::tests::World;
use crate::shell::admin::{Peer, follow};
use crate::sip::Secret;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

fn world(name: &str, users: &[(&str, Role, &str)]) -> (World, SocketAddr) {
    let mut settings = config::Settings::default();
    settings.admin.users = (users.iter())
        .map(|(name, role, token)| User {
            name: name.to_string(),
            role: *role,
            queues: Vec::new(),
            districts: Vec::new(),
            numbers: true,
            uid: None,
            token: Some(Secret(token.to_string())),
        })
        .collect();
    let world = World::with(name, &settings);
    let listener = super::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let at = listener.local_addr().unwrap();
    let _inside = world.runtime.enter();
    super::start(listener, Arc::clone(&world.api)).unwrap();
    drop(_inside);
    (world, at)
}

fn connect(at: SocketAddr, request: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    BufReader::new(stream)
}

/// The status, the head and the body of the answer.
fn ask(at: SocketAddr, line: &str, more: &str, body: &str) -> (u16, String, String) {
    let host = if more.contains("Host:") { String::new() } else { format!("Host: {at}\r\n") };
    let length = body.len();
    let mut answer = String::new();
    connect(
        at,
        &format!(
            "{line} HTTP/1.1\r\n{host}{more}Connection: close\r\nContent-Length: \
                  {length}\r\n\r\n{body}"
        ),
    )
    .read_to_string(&mut answer)
    .unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_string(), body.to_string())
}

#[test]
fn without_users_this_machine_looks_and_does_nothing() {
    let (_world, at) = world("http-local", &[]);
    let (status, head, page) = ask(at, "GET /", "", "");
    assert_eq!(status, 200);
    assert!(head.to_lowercase().contains("content-security-policy: default-src 'none'"), "{head}");
    assert!(page.contains("प्रतीक्षा में") && page.contains("longest wait"));
    assert!(!page.contains("http:"), "nothing comes from elsewhere");
    let (status, _, text) = ask(at, "GET /metrics", "", "");
    assert!(status == 200 && text.contains("pukar_calls_total"), "{text}");
    let (status, _, body) = ask(at, "POST /api/status", "", "");
    let status_of_switch: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &status_of_switch["result"]["calls"]["live"]), (200, &0.into()));
    let (status, _, body) = ask(at, "POST /api/calls.hangup", "", "{\"call\":\"x\"}");
    assert_eq!(status, 403);
    assert!(body.contains("needs the role supervisor, and anybody has analyst"), "{body}");
    let (status, ..) = ask(at, "GET /", "Host: evil.example\r\n", "");
    assert_eq!(status, 403, "a page from elsewhere whose name leads here");
}

#[test]
fn with_users_nobody_looks_without_a_token() {
    let users = [("deepa", Role::Supervisor, "correct-horse")];
    let (_world, at) = world("http-token", &users);
    for path in ["GET /", "GET /metrics", "GET /wallboard", "POST /api/status"] {
        assert_eq!(ask(at, path, "", "").0, 401, "{path}");
    }
    let wrong = "Authorization: Bearer battery-staple\r\n";
    assert_eq!(ask(at, "POST /api/status", wrong, "").0, 401);
    let right = "Authorization: Bearer correct-horse\r\n";
    assert_eq!(ask(at, "POST /api/status", right, "").0, 200);
    assert_eq!(ask(at, "GET /?token=correct-horse", "", "").0, 200);
    for (path, body, status, why) in [
        ("POST /api/statuss", "", 404, "there is no method"),
        ("POST /api/calls.hangup", "{}", 400, "needs `call`"),
        ("POST /api/calls.hangup", "{", 400, "no JSON"),
        ("POST /api/config.reload", "", 403, "needs the role administrator"),
        ("POST /api/directory.list", "{\"address\":\"X/Y\"}", 409, ""),
        ("GET /api", "", 200, "queues.overflow"),
    ] {
        let (found, _, answer) = ask(at, path, right, body);
        assert!(found == status && answer.contains(why), "{path}: {found} {answer}");
    }
    let large = "x".repeat(70_000);
    assert_eq!(ask(at, "POST /api/status", right, &large).0, 413);
}

#[test]
fn the_wallboard_is_told_again_and_again() {
    let (_world, at) = world("http-sse", &[]);
    let mut events = connect(at, &format!("GET /wallboard HTTP/1.1\r\nHost: {at}\r\n\r\n"));
    let (mut told, mut line) = (Vec::new(), String::new());
    while told.len() < 2 {
        line.clear();
        assert!(events.read_line(&mut line).unwrap() > 0, "the stream goes on");
        if let Some(data) = line.strip_prefix("data: ") {
            told.push(serde_json::from_str::<Value>(data).unwrap());
        }
    }
    assert_eq!(told[1]["queues"][0]["name"], "general");
    assert_eq!(told[1]["service_level"]["within_s"], 20);
}

#[test]
fn facts_are_told_with_their_numbers_to_go_on_from() {
    let (mut world, at) = world("http-facts", &[]);
    world.arrives(1);
    let mut events = connect(at, &format!("GET /facts?from=1 HTTP/1.1\r\nHost: {at}\r\n\r\n"));
    let mut lines: Vec<String> = Vec::new();
    while lines.last().is_none_or(|line| !line.starts_with("data: ")) {
        let mut line = String::new();
        assert!(events.read_line(&mut line).unwrap() > 0);
        lines.push(line);
    }
    let all = lines.concat();
    assert!(all.contains("id: 1\n") && all.contains("+9198******45"), "{all}");
    let (status, _, body) = ask(at, "GET /facts?from=99", "", "");
    assert!(status == 410 && body.contains("restarted"), "{body}");
}

#[test]
fn a_quiet_stream_of_facts_is_kept_open_and_a_closed_one_ends() {
    let (world, _) = world("http-quiet", &[]);
    let ended = world.runtime.block_on(async {
        let facts = follow(&world.api, &Peer::Anybody, json!({})).await.unwrap();
        let (to, mut events) = mpsc::channel(4);
        let telling = tokio::spawn(tell_facts(facts, to, Duration::from_millis(5)));
        for _ in 0..2 {
            let event = format!("{:?}", events.recv().await.unwrap());
            assert!(!event.contains("data"), "a comment: {event}");
        }
        let facts = follow(&world.api, &Peer::Anybody, json!({})).await.unwrap();
        let (to, unread) = mpsc::channel(4);
        let still = tokio::spawn(tell_facts(facts, to, Duration::from_secs(3_600)));
        drop((events, unread));
        tokio::time::timeout(Duration::from_secs(20), async { (telling.await, still.await) }).await
    });
    assert!(ended.is_ok_and(|(telling, still)| telling.is_ok() && still.is_ok()));
}

#[test]
fn an_address_that_is_taken_is_one_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let why = super::bind(taken.local_addr().unwrap()).unwrap_err();
    assert!(why.contains("[admin] http says another address"), "{why}");
}
