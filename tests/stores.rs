//! Records in real databases and streams that are stopped, frozen, killed and restarted while
//! people call, and a switch that is killed as well: at the end every store has every row once, as
//! `pukar verify` proves; and `pukar verify` finds whatever is wrong.

mod support;

use async_nats::ConnectOptions;
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use async_nats::jetstream::{self, Context};
use pukar::load::{self, Span};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use support::certs;
use support::facts::Admin;
use support::servers::{HOUSES, Nats, PASSWORD, Postgres};
use support::street::{CALLER, PHONE, SWITCH, Street};
use support::switch::{HELPLINE, Switch};
use support::web::Web;
use support::{Deadline, PATIENCE};

const CALLERS: u32 = 60;
const AGENTS: u32 = 12;

fn agents() -> String {
    format!(
        "[[agent]]\nid = \"op{{1-{AGENTS}}}\"\nskills = [\"operator\"]\nready = true\n\
         contact = \"sip:op{{}}@NET.3:5060\"\n"
    )
}

/// People who call over some seconds and talk for a moment.
fn callers(switch: &Switch, seconds: u64, rtp_from: u16) -> load::Plan {
    let mut plan = load::Plan::new(switch.sip());
    (plan.callers, plan.agents, plan.seconds) = (CALLERS, AGENTS, 60);
    plan.callers_at = switch.street.sip(CALLER);
    plan.agents_at = switch.street.sip(PHONE);
    plan.arrivals = load::Arrivals::Over(Duration::from_secs(seconds));
    plan.impatient_percent = 0;
    (plan.manner.decline_percent, plan.manner.ignore_percent) = (0, 0);
    plan.manner.ring = Span::millis(50, 200);
    plan.manner.talk = Span::millis(300, 1_200);
    plan.rtp_from = rtp_from;
    plan
}

#[test]
fn stores_that_are_frozen_killed_and_restarted_in_the_rush_end_up_with_every_row_once() {
    let street = Street::new();
    let certs = certs::issue(&street, &HOUSES);
    let mut postgres = Postgres::start(&street, Some(&certs));
    let mut nats = Nats::start(&street, Some(&certs));
    let web = Web::start(street.ip(SWITCH), &certs);
    let stores = [
        "sqlite:DATA/records.db".to_string(),
        "jsonl:DATA/records.jsonl".into(),
        "csv:DATA/csv".into(),
        postgres.store(),
        nats.store(),
        web.store(PASSWORD),
    ];
    let mut switch = Switch::storing(street, &stores, &[HELPLINE, &agents()]);
    let plan = callers(&switch, 10, 39_000);
    let phones = std::thread::spawn(move || load::run(&plan, &mut |_| {}).unwrap());
    until(&mut switch, "calls are stored", |list| list.iter().all(|s| s["last_call"].is_u64()));
    postgres.freeze(true);
    web.refuse(true);
    nats.kill();
    until(&mut switch, "the stream is known to be away", |list| list[4]["up"] == false);
    let status = switch.status();
    assert!(status["stores"][4]["error"].is_string(), "{status:#}");
    postgres.freeze(false);
    nats.run();
    nats.freeze(true);
    postgres.kill();
    until(&mut switch, "the database is known to be away", |list| list[3]["up"] == false);
    switch.crash();
    postgres.run();
    nats.freeze(false);
    web.refuse(false);
    let report = phones.join().unwrap();
    assert_eq!(report.calls.answered, u64::from(CALLERS), "{report}");
    let all = |store: &Value| store["up"] == true && store["behind"].as_u64() < Some(50);
    until(&mut switch, "every store is back", |list| list.iter().all(all));
    let (config, data) = (switch.street.dir().join("helpline.toml"), switch.data());
    let beside = verify(&config, "").expect("a switch at work is no reason for a finding");
    eprintln!("{beside}");
    let record = switch.stop();
    assert!(!record.contains(PASSWORD), "a password is in the log");
    let text = verify(&config, "").expect("nothing is wrong");
    let whole = format!("calls: {CALLERS} rows, numbers 1 to {CALLERS}, {CALLERS} compared");
    assert_eq!(text.matches(&whole).count(), 5, "{text}");
    assert_eq!(text.matches("nothing missing, nothing twice, nothing different").count(), 5);
    let legs: u32 = postgres.sql("SELECT count(*) FROM legs").trim().parse().unwrap();
    assert!(legs >= 2 * CALLERS, "{legs}");
    assert_eq!(web.count("calls"), CALLERS as usize);
    tampered(&config, &data, &postgres);
}

/// A database that is slow for a reason of its own, and a stream that gets little time.
#[test]
fn stores_that_are_slow_delay_only_themselves_and_end_up_with_every_row_once() {
    let street = Street::new();
    let postgres = Postgres::start(&street, None);
    let nats = Nats::start(&street, None);
    let stores = ["sqlite:DATA/records.db".to_string(), postgres.store(), nats.store()];
    let mut switch = Switch::storing(street, &stores, &[HELPLINE, &agents()]);
    until(&mut switch, "the tables are there", |list| list.iter().all(|s| s["up"] == true));
    postgres.sql(
        "CREATE FUNCTION dawdle() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN NEW; \
         END $$ LANGUAGE plpgsql; CREATE TRIGGER dawdle BEFORE INSERT ON agent_states FOR EACH ROW \
         EXECUTE FUNCTION dawdle()",
    );
    let plan = callers(&switch, 4, 45_000);
    let phones = std::thread::spawn(move || load::run(&plan, &mut |_| {}).unwrap());
    // The quick one has every call while the slow ones are behind, and nobody is away.
    let mut frozen = false;
    until(&mut switch, "the quick store has all that the slow ones lack", |list| {
        frozen = !frozen;
        nats.freeze(frozen);
        let calls = |n: usize| list[n]["last_call"].as_u64().unwrap_or_default();
        let quick = calls(0) == u64::from(CALLERS) && list[0]["behind"].as_u64() < Some(50);
        quick && list[1]["behind"].as_u64() > Some(50)
    });
    nats.freeze(false);
    let report = phones.join().unwrap();
    assert_eq!(report.calls.answered, u64::from(CALLERS), "{report}");
    postgres.sql("DROP FUNCTION dawdle CASCADE");
    let all = |store: &Value| store["up"] == true && store["behind"].as_u64() < Some(50);
    until(&mut switch, "every store is back", |list| list.iter().all(all));
    let config = switch.street.dir().join("helpline.toml");
    switch.stop();
    let text = verify(&config, "").expect("nothing is wrong");
    let whole = format!("calls: {CALLERS} rows, numbers 1 to {CALLERS}, {CALLERS} compared");
    assert_eq!(text.matches(&whole).count(), 3, "{text}");
}

/// What the server of streams does for whoever asks it by hand.
fn by_hand<T>(nats: &Nats, work: impl AsyncFnOnce(Context) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let store = nats.store();
    let ip = store.split(['@', '/']).nth(3).unwrap();
    runtime.block_on(async {
        let options = ConnectOptions::with_user_and_password("pukar".into(), PASSWORD.into());
        let client = options.connect(format!("nats://{ip}:4222")).await.unwrap();
        work(jetstream::new(client)).await
    })
}

fn small_stream() -> Config {
    Config {
        name: "helpline".into(),
        subjects: vec!["helpline.>".into()],
        duplicate_window: Duration::from_millis(100),
        ..Config::default()
    }
}

#[test]
fn a_stream_that_is_full_has_every_row_once_when_there_is_room_again() {
    let street = Street::new();
    let nats = Nats::start(&street, None);
    // By octets nats-server 2.9 lets go of what it has acknowledged, whatever it was told.
    let full = Config { max_messages: 90, discard: DiscardPolicy::New, ..small_stream() };
    by_hand(&nats, async |context| drop(context.create_stream(full).await.unwrap()));
    let stores = ["sqlite:DATA/records.db".to_string(), nats.store()];
    let mut switch = Switch::storing(street, &stores, &[HELPLINE, &agents()]);
    let plan = callers(&switch, 3, 47_000);
    let phones = std::thread::spawn(move || load::run(&plan, &mut |_| {}).unwrap());
    until(&mut switch, "the stream is full", |list| list[1]["up"] == false);
    let list = switch.ask("stores.list");
    assert!(list[1]["error"].as_str().unwrap().contains("maximum messages"), "{list:#}");
    let report = phones.join().unwrap();
    assert_eq!(report.calls.answered, u64::from(CALLERS), "{report}");
    until(&mut switch, "it delays itself alone", |list| {
        list[0]["last_call"] == CALLERS && list[1]["up"] == false
    });
    by_hand(&nats, async |context| drop(context.update_stream(small_stream()).await.unwrap()));
    let all = |store: &Value| store["up"] == true && store["behind"].as_u64() < Some(50);
    until(&mut switch, "it has what it missed", |list| list.iter().all(all));
    let list = switch.ask("stores.list");
    assert_eq!(list[1]["refused"], 0, "no row was at fault: {list:#}");
    let config = switch.street.dir().join("helpline.toml");
    switch.stop();
    let text = verify(&config, "").expect("nothing is wrong");
    let whole = format!("calls: {CALLERS} rows, numbers 1 to {CALLERS}, {CALLERS} compared");
    assert_eq!(text.matches(&whole).count(), 2, "{text}");
}

#[test]
fn rows_that_come_again_are_known_in_a_stream_that_others_have_filled_meanwhile() {
    let street = Street::new();
    let nats = Nats::start(&street, None);
    by_hand(&nats, async |context| drop(context.create_stream(small_stream()).await.unwrap()));
    let mut switch = Switch::storing(street, &[nats.store()], &[HELPLINE, &agents()]);
    let plan = load::Plan { callers: 6, ..callers(&switch, 1, 47_500) };
    let report = load::run(&plan, &mut |_| {}).unwrap();
    assert_eq!(report.calls.answered, 6, "{report}");
    until(&mut switch, "calls are stored", |list| list[0]["last_call"] == 6);
    switch.stop();
    by_hand(&nats, async |context| {
        for _ in 0..9 {
            let mut acks = Vec::new();
            for _ in 0..1_000 {
                acks.push(context.publish("helpline.b.calls", "{}".into()).await.unwrap());
            }
            for ack in acks {
                ack.await.unwrap();
            }
        }
    });
    // How far the store has come is forgotten: it is fed from the oldest row on.
    let outbox = std::fs::read_dir(switch.data().join("outbox")).unwrap().flatten();
    let cursor = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == "cursor");
    let cursors: Vec<_> = outbox.map(|entry| entry.path()).filter(cursor).collect();
    assert_eq!(cursors.len(), 1);
    std::fs::remove_file(&cursors[0]).unwrap();
    switch.restart();
    until(&mut switch, "it has got everything again", |list| {
        list[0]["last_call"] == 6 && list[0]["behind"].as_u64() < Some(50)
    });
    let config = switch.street.dir().join("helpline.toml");
    switch.stop();
    let text = verify(&config, "").expect("nothing is there twice");
    assert!(text.contains("calls: 6 rows, numbers 1 to 6, 6 compared"), "{text}");
}

#[test]
fn verify_makes_no_stream_where_there_is_none() {
    let street = Street::new();
    let nats = Nats::start(&street, None);
    let (data, config) = (street.folder("data"), street.dir().join("verify.toml"));
    std::fs::create_dir_all(data.join("outbox")).unwrap();
    let text = format!(
        "[switch]\ndata = \"{}\"\n[sip]\nlisten = [\"udp:{}:5060\"]\n[records]\n\
         stores = [\"{}\"]\n",
        data.display(),
        street.ip(SWITCH),
        nats.store()
    );
    std::fs::write(&config, text).unwrap();
    for _ in 0..2 {
        let said = verify(&config, "").expect_err("there is nothing to verify");
        assert!(said.contains("WRONG: cannot be read") && said.contains("stream"), "{said}");
    }
}

#[test]
fn a_purge_of_postgresql_takes_what_is_old_leaves_proof_and_says_what_it_cannot_purge() {
    let street = Street::new();
    let postgres = Postgres::start(&street, None);
    let stores = ["jsonl:DATA/records.jsonl".to_string(), postgres.store()];
    let mut switch = Switch::storing(street, &stores, &[HELPLINE, &agents()]);
    let plan = load::Plan { callers: 6, ..callers(&switch, 1, 46_000) };
    let report = load::run(&plan, &mut |_| {}).unwrap();
    assert_eq!(report.calls.answered, 6, "{report}");
    until(&mut switch, "calls are stored", |list| list[1]["last_call"] == 6);
    // There is no SQLite, so it is the database over there that is asked.
    let ask = |switch: &mut Switch, filter: Value| {
        let calls = switch.admin.ask("records.query", filter).unwrap();
        calls.as_array().unwrap().clone()
    };
    let calls = ask(&mut switch, json!({"legs": true, "queue": "general"}));
    let seqs: Vec<_> = calls.iter().map(|call| call["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs.len(), 6, "{calls:#?}");
    assert!(calls.iter().all(|call| call["legs"].as_array().is_some_and(|legs| legs.len() >= 2)));
    assert!(calls[0]["talk_ms"].is_u64() && calls[0]["arrived_at"].is_string(), "{:#}", calls[0]);
    let (first, last) = (calls[0]["id"].clone(), calls[5]["id"].clone());
    assert_eq!(ask(&mut switch, json!({"after": first, "limit": 2})).len(), 2);
    assert_eq!(ask(&mut switch, json!({"after": last})), Vec::<Value>::new());
    assert_eq!(ask(&mut switch, json!({"until": "2020-01-01T00:00:00Z"})), Vec::<Value>::new());
    assert_eq!(ask(&mut switch, json!({"agent": "op1' OR '1' = '1"})), Vec::<Value>::new());
    let day = json!({"since": "2020-01-01T00:00:00Z"});
    let report = switch.admin.ask("report", day).unwrap();
    assert_eq!(report["total"]["answered"], 6, "{report:#}");
    switch.configure(|text| text.replace("stores = [", "keep = \"400d\"\nstores = ["));
    switch.stop();
    postgres
        .sql("UPDATE calls SET arrived_at = arrived_at - interval '3 years' WHERE seq IN (2, 5)");
    let config = switch.street.dir().join("helpline.toml");
    let left = || postgres.sql("SELECT string_agg(seq::text, ',' ORDER BY seq) FROM calls");
    assert!(
        purge(&config, &["--dry-run"]).contains(": 2 calls and 0 states of agents would be purged")
    );
    assert_eq!(left().trim(), "1,2,3,4,5,6");
    let said = purge(&config, &[]);
    assert!(said.contains(": 2 calls and 0 states of agents purged; 0 are held"), "{said}");
    assert!(said.contains("records.jsonl: 0 calls and 0 states of agents purged"), "{said}");
    assert!(said.contains("/journal: NOT purged: it holds callers' numbers since 20"), "{said}");
    assert_eq!(left().trim(), "1,3,4,6");
    let legs = postgres.sql("SELECT count(*) FROM legs WHERE call NOT IN (SELECT id FROM calls)");
    assert_eq!(legs.trim(), "0", "legs go with their calls");
    let proof = postgres.sql("SELECT table_name, count, seqs, length(digest) FROM purges");
    assert_eq!(proof.trim(), "calls|2|2,5|64");
    verify(&config, "postgres").expect("what was purged with proof is not missing");
}

fn purge(config: &Path, more: &[&str]) -> String {
    let mut purge = Command::new(env!("CARGO_BIN_EXE_pukar"));
    let output = purge.arg("purge").arg("--config").arg(config).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_purge_of_a_stream_deletes_what_is_old_of_this_switch_alone_and_leaves_proof() {
    let street = Street::new();
    let nats = Nats::start(&street, None);
    by_hand(&nats, async |context| drop(context.create_stream(small_stream()).await.unwrap()));
    let mut switch = Switch::storing(street, &[nats.store()], &[HELPLINE, &agents()]);
    let plan = load::Plan { callers: 6, ..callers(&switch, 1, 48_000) };
    let report = load::run(&plan, &mut |_| {}).unwrap();
    assert_eq!(report.calls.answered, 6, "{report}");
    until(&mut switch, "calls are stored", |list| list[0]["last_call"] == 6);
    switch.configure(|text| text.replace("stores = [", "keep = \"400d\"\nstores = ["));
    let config = switch.street.dir().join("helpline.toml");
    switch.stop();
    let mut others = String::new();
    by_hand(&nats, async |context| {
        let stream = context.get_stream("helpline").await.unwrap();
        for place in 1..=stream.cached_info().state.last_sequence {
            let message = stream.get_raw_message(place).await.unwrap();
            let mut row: Value = serde_json::from_slice(&message.payload).unwrap();
            let is_old = row["table"] == "calls" && (row["seq"] == 2 || row["seq"] == 5);
            if is_old {
                row["arrived_at"] = json!("2020-02-29T12:00:00.000Z");
                stream.delete_message(place).await.unwrap();
                let own = message.subject.to_string();
                others = own.replacen("helpline.", "helpline.x", 1);
                for subject in [own, others.clone()] {
                    let sent = context.publish(subject, row.to_string().into()).await.unwrap();
                    sent.await.unwrap();
                }
            }
        }
    });
    assert!(purge(&config, &["--dry-run"]).contains(": 2 calls and 0 states of agents would be"));
    let said = purge(&config, &[]);
    assert!(said.contains(": 2 calls and 0 states of agents purged; 0 are held"), "{said}");
    assert!(purge(&config, &[]).contains(": 0 calls and 0 states of agents purged"));
    by_hand(&nats, async |context| {
        let stream = context.get_stream("helpline").await.unwrap();
        let left = stream.get_last_raw_message_by_subject(&others).await;
        assert!(left.is_ok(), "what others wrote is theirs");
        let proofs = "helpline.*.purges";
        let proof = stream.get_last_raw_message_by_subject(proofs).await.unwrap();
        let proof: Value = serde_json::from_slice(&proof.payload).unwrap();
        assert_eq!((&proof["count"], &proof["seqs"]), (&json!(2), &json!("2,5")));
        assert_eq!(proof["digest"].as_str().unwrap().len(), 64);
    });
    let text = verify(&config, "").expect("what was purged with proof is not missing");
    assert!(text.contains("calls: 4 rows") && text.contains(", 2 purged"), "{text}");
}

/// Whoever changes a store behind the switch's back is found out.
fn tampered(config: &Path, data: &Path, postgres: &Postgres) {
    let database = rusqlite::Connection::open(data.join("records.db")).unwrap();
    database.execute("UPDATE calls SET caller = '+911' WHERE seq = 3", []).unwrap();
    let said = verify(config, "sqlite").unwrap_err();
    assert!(said.contains("differs: caller is \"+911\", not \"+"), "{said}");
    postgres.sql("DELETE FROM legs WHERE call = (SELECT id FROM calls WHERE seq = 5) AND n = 2");
    postgres.sql("DELETE FROM calls WHERE seq IN (7, 8)");
    let said = verify(config, "postgres").unwrap_err();
    assert!(said.contains(", number 7, is missing"), "{said}");
    assert_eq!(said.matches("WRONG").count(), 3, "{said}");
    let lines = std::fs::read_to_string(data.join("records.jsonl")).unwrap();
    let first = lines.lines().next().unwrap();
    std::fs::write(data.join("records.jsonl"), format!("{lines}{first}\n")).unwrap();
    assert!(verify(config, "jsonl").unwrap_err().contains("is there twice"));
    assert!(verify(config, "csv").is_ok());
    assert!(verify(config, "oracle").unwrap_err().contains("no store \"oracle\""));
}

#[test]
fn a_database_that_is_not_ours_or_refuses_us_delays_only_itself_and_is_named() {
    let street = Street::new();
    let postgres = Postgres::start(&street, None);
    postgres.sql("CREATE TABLE calls (number text)");
    let wrong = postgres.store().replace(PASSWORD, "not-the-password");
    let stores =
        ["sqlite:DATA/records.db".to_string(), postgres.store(), format!("{wrong}&switch=b")];
    let mut switch = Switch::storing(street, &stores, &[HELPLINE, &agents()]);
    until(&mut switch, "both are away, and the third is there", |list| {
        list[0]["up"] == true && list[1]["up"] == false && list[2]["up"] == false
    });
    let list = switch.ask("stores.list");
    let error = |n: usize| list[n]["error"].as_str().unwrap_or_default().to_string();
    assert!(error(1).contains("a table \"calls\" that is not pukar's"), "{list:#}");
    assert!(error(2).contains("28P01") && !error(2).contains("not-the-password"), "{list:#}");
    let away = switch.until("store.away", |fact| fact["store"] == list[1]["name"]);
    assert!(away["why"].as_str().unwrap().contains("not pukar's"), "{away:#}");
    postgres.sql("DROP TABLE calls");
    until(&mut switch, "it is taken into use", |list| list[1]["up"] == true);
}

#[test]
fn q33_a_client_resumes_across_kills_without_gap_or_double() {
    let mut switch = Switch::start(&[HELPLINE, &agents()]);
    let plan = callers(&switch, 4, 43_000);
    let phones = std::thread::spawn(move || load::run(&plan, &mut |_| {}).unwrap());
    let mut seen = BTreeMap::new();
    for kill in 0..4_u64 {
        // A client that notes what it has, is cut off by the kill, and asks for what follows.
        let from = seen.len() as u64 + 1;
        let mut client = Admin::connect(&switch.data().join("s"));
        client.ask("events.subscribe", json!({"from": from})).unwrap();
        while (seen.len() as u64) < from + 40 + 30 * kill {
            let fact = client.notification();
            let seq = fact["seq"].as_u64().unwrap();
            assert_eq!(seq, seen.len() as u64 + 1, "the next one, and no other");
            seen.insert(seq, fact);
        }
        switch.crash();
    }
    let report = phones.join().unwrap();
    assert_eq!(report.calls.answered, u64::from(CALLERS), "{report}");
    // What was told before a kill is what is told after it.
    let mut client = Admin::connect(&switch.data().join("s"));
    client.ask("events.subscribe", json!({"from": 1})).unwrap();
    for (seq, fact) in &seen {
        assert_eq!(&client.notification(), fact, "fact {seq}");
    }
}

/// `pukar verify`: what it says, or the same as an error where something is wrong.
fn verify(config: &Path, store: &str) -> Result<String, String> {
    let mut verify = Command::new(env!("CARGO_BIN_EXE_pukar"));
    verify.env("SSL_CERT_FILE", config.with_file_name("authority.pem"));
    let output = verify.arg("verify").arg("--config").arg(config).args(["--store", store]).output();
    let output = output.unwrap();
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    match output.status.code() {
        Some(0) => Ok(text.concat()),
        Some(1) => Err(text.concat()),
        code => panic!("exit {code:?}: {}", text.concat()),
    }
}

fn until(switch: &mut Switch, what: &str, mut is_so: impl FnMut(&[Value]) -> bool) {
    let deadline = Deadline::after(PATIENCE * 2);
    let mut pauses = true;
    loop {
        // Each change of an agent's state is a row, whether people call just now or not.
        let state = if pauses { "pause" } else { "ready" };
        pauses = !pauses;
        let wish = json!({"agent": format!("op{AGENTS}"), "state": state});
        let _ = switch.admin.ask("agents.set", wish);
        let list = switch.ask("stores.list");
        if is_so(list.as_array().unwrap()) {
            return;
        }
        assert!(deadline.left().is_some(), "it never came to that: {what}: {list:#}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
