//! Rows on their way: batches, failures, recovery, restarts, repeats.

mod bound;
mod kept;
mod purges;
mod refusing;
mod whole;

use super::rude::{self, Mood};
use super::*;
use crate::base::Wall;
use crate::call::{Direction, EndedBy, Outcome};
use crate::config;
use crate::core::journal::{Header, NoteRef, put_note};
use crate::core::{AgentStateRow, CallRecord, LegRow};
use crate::shell::meters::Metrics;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder that goes when the test is over.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pukar-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn call(n: u64) -> Row {
    Row::Call(CallRecord {
        id: format!("01HZ{n:022}"),
        seq: n,
        direction: Direction::In,
        line: "181".into(),
        trunk: "bsnl".into(),
        caller: "+919826012345".into(),
        caller_raw: "09826012345".into(),
        dialled: "181".into(),
        district: String::new(),
        queue: "general".into(),
        agent: "op1".into(),
        outcome: Outcome::Answered,
        ended_by: EndedBy::Caller,
        sip_status: 200,
        q850: Some(16),
        category: String::new(),
        case_ref: String::new(),
        parent: String::new(),
        flags: String::new(),
        recording: String::new(),
        arrived_at: Wall(1_700_000_000_000_000 + n as i64 * 1_000_000),
        system_answered_at: None,
        queued_at: None,
        first_offered_at: None,
        connected_at: None,
        ended_at: Wall(1_700_000_100_000_000),
        wrapped_up_at: None,
        wait_ms: 5,
        talk_ms: 6,
        hold_ms: 0,
        wrap_ms: 0,
        offers: 1,
        transfers: 0,
        legs: vec![LegRow { role: "caller".into(), packets_lost: -1, ..LegRow::default() }],
    })
}

fn ask(database: &std::path::Path, filter: &Filter) -> Result<serde_json::Value, String> {
    query(&Source::Sqlite(database.into()), filter)
}

/// A journal beside the outbox, in which these rows are noted.
pub fn journal_of(folder: &Folder, rows: &[Row]) {
    let mut file = Header::new(1, false).encode().to_vec();
    for row in rows {
        put_note(&mut file, 1, &NoteRef::Row(row)).unwrap();
    }
    let dir = folder.0.join("journal");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("000000000001.events"), file).unwrap();
}

pub fn state(n: u64) -> Row {
    Row::AgentState(AgentStateRow {
        seq: n,
        agent: "op1".into(),
        state: "ready".into(),
        reason: String::new(),
        call: String::new(),
        from: Wall(0),
        until: Wall(1),
    })
}

fn pace() -> Pace {
    let span = Duration::from_millis(1);
    Pace { gather: span, retry: (span, span), last_tries: 3, ..Pace::default() }
}

fn numbers(rows: &[Row]) -> Vec<u64> {
    let number = |row: &Row| match row {
        Row::Call(call) => call.seq,
        Row::AgentState(state) => state.seq,
    };
    rows.iter().map(number).collect()
}

fn run(folder: &Folder, places: Vec<Place>, rows: impl Iterator<Item = Row>) {
    run_and_hear(folder, places, rows);
}

/// What whoever is on duty hears meanwhile.
fn run_and_hear(
    folder: &Folder,
    places: Vec<Place>,
    rows: impl Iterator<Item = Row>,
) -> Vec<Option<String>> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let alarm: Alarm = Box::new(move |_, trouble| {
        ear.lock().unwrap().push(trouble.map(str::to_string));
        true
    });
    let outbox = folder.0.join("outbox");
    let (mut lane, stores) = start(&outbox, places, pace(), &Metrics::new(), alarm).unwrap();
    rows.for_each(|row| lane.put(row));
    drop(lane);
    stores.finish();
    heard.lock().unwrap().clone()
}

/// The places that these stores of the configuration are.
fn configured(folder: &Folder, stores: &[config::Store]) -> Vec<Place> {
    let settings = config::Settings { stores: stores.into(), ..config::Settings::default() };
    places(&settings, &folder.0.join("outbox")).unwrap()
}

/// Fails the first `failures` writes, then keeps what it gets.
struct Moody {
    failures: Arc<AtomicUsize>,
    kept: Arc<Mutex<Vec<Row>>>,
}

impl Store for Moody {
    fn write(&mut self, rows: &[Row]) -> Result<(), Trouble> {
        let failing = |left: usize| left.checked_sub(1);
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, failing).is_ok() {
            return Err("the disk is full".to_string().into());
        }
        self.kept.lock().unwrap().extend_from_slice(rows);
        Ok(())
    }
}

fn moody(failures: usize) -> (Place, Arc<Mutex<Vec<Row>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let (failures, copy) = (Arc::new(AtomicUsize::new(failures)), Arc::clone(&kept));
    let open: Opener = Box::new(move || {
        Ok(Box::new(Moody { failures: Arc::clone(&failures), kept: Arc::clone(&copy) }))
    });
    (Place { name: "moody".into(), batch: 1_000, open }, kept)
}

#[test]
fn a_store_that_was_away_gets_what_it_missed_in_order_and_once() {
    let folder = Folder::new("away");
    let (place, kept) = moody(2);
    run(&folder, vec![place], (1..=5_000).map(call));
    assert_eq!(numbers(&kept.lock().unwrap()), (1..=5_000).collect::<Vec<_>>());
}

#[test]
fn what_a_store_does_not_take_before_the_end_it_gets_at_the_next_start() {
    let folder = Folder::new("restart");
    let (broken, kept) = moody(usize::MAX);
    run(&folder, vec![broken], (1..=10).map(call));
    assert!(kept.lock().unwrap().is_empty());
    let (whole, kept) = moody(0);
    run(&folder, vec![whole], (11..=12).map(call));
    assert_eq!(numbers(&kept.lock().unwrap()), (1..=12).collect::<Vec<_>>());
    let (again, kept) = moody(0);
    run(&folder, vec![again], std::iter::empty());
    assert!(kept.lock().unwrap().is_empty(), "nothing comes twice");
}

#[test]
fn rows_wait_for_company_only_while_the_journal_has_them_too() {
    let folder = Folder::new("alone");
    let (sender, written) = channel::unbounded();
    let open: Opener = Box::new(move || Ok(Box::new(Telling(sender.clone()))));
    let places = vec![Place { name: "telling".into(), batch: 1_000, open }];
    let pace = Pace { gather: Duration::from_secs(3_600), ..pace() };
    let (outbox, alarm): (_, Alarm) = (folder.0.join("outbox"), Box::new(|_, _| true));
    let (mut lane, stores) = start(&outbox, places, pace, &Metrics::new(), alarm).unwrap();
    lane.put(call(1));
    stores.stored().stand_alone(true);
    let soon = Duration::from_secs(30);
    assert_eq!(written.recv_timeout(soon), Ok(vec![1]), "nobody else has it");
    assert!(stores.stored().has(1, 0));
    stores.stored().stand_alone(false);
    (2..=4).for_each(|n| lane.put(call(n)));
    drop(lane);
    stores.finish();
    let rest: Vec<u64> = written.iter().flatten().collect();
    assert_eq!(rest, [2, 3, 4], "the end waits for no company");
}

/// Says which rows it was given.
struct Telling(channel::Sender<Vec<u64>>);

impl Store for Telling {
    fn write(&mut self, rows: &[Row]) -> Result<(), Trouble> {
        self.0.send(numbers(rows)).map_err(|e| e.to_string().into())
    }
}

#[test]
fn a_line_cut_by_a_power_failure_harms_no_other() {
    let folder = Folder::new("cut");
    let (broken, _) = moody(usize::MAX);
    run(&folder, vec![broken], (1..=3).map(call));
    let segment = folder.0.join("outbox/000000000001.rows");
    let text = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &text[..text.len() - 20]).unwrap();
    let (whole, kept) = moody(0);
    run(&folder, vec![whole], (4..=5).map(call));
    assert_eq!(numbers(&kept.lock().unwrap()), [1, 2, 4, 5]);
}

#[test]
fn both_stores_hold_every_row_once_even_when_rows_come_twice() {
    let folder = Folder::new("both");
    let (database, lines) = (folder.0.join("records.db"), folder.0.join("calls.jsonl"));
    let stores = [
        config::Store::Sqlite { path: database.clone() },
        config::Store::JsonLines { path: lines.clone() },
    ];
    let rows = || (1..=50).map(call).chain((1..=3).map(state));
    run(&folder, configured(&folder, &stores), rows());
    // The cursors are lost, so everything is fed again.
    for cursor in std::fs::read_dir(folder.0.join("outbox")).unwrap().flatten() {
        if cursor.path().extension().is_some_and(|e| e == "cursor") {
            std::fs::remove_file(cursor.path()).unwrap();
        }
    }
    run(&folder, configured(&folder, &stores), std::iter::empty());
    let calls = ask(&database, &Filter { legs: true, ..Filter::default() }).unwrap();
    let calls = calls.as_array().unwrap();
    assert_eq!(calls.len(), 50);
    assert_eq!(calls[6]["arrived_at"], "2023-11-14T22:13:27.000Z");
    assert_eq!(calls[6]["outcome"], "answered");
    assert_eq!(calls[6]["legs"][0]["packets_lost"], -1);
    let text = std::fs::read_to_string(&lines).unwrap();
    assert_eq!(text.lines().count(), 53);
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let mut of_database = calls[0].clone();
    of_database["table"] = "calls".into();
    assert_eq!(first, of_database, "the same keys and values everywhere");
}

#[test]
fn questions_narrow_the_answer_and_bad_ones_are_explained() {
    let folder = Folder::new("query");
    let database = folder.0.join("records.db");
    let stores = [config::Store::Sqlite { path: database.clone() }];
    run(&folder, configured(&folder, &stores), (1..=10).map(call));
    let count = |filter: Filter| ask(&database, &filter).unwrap().as_array().unwrap().len();
    let since = Some("2023-11-15T03:43:28+05:30".into());
    assert_eq!(count(Filter { since, ..Filter::default() }), 3);
    assert_eq!(count(Filter { line: Some("112".into()), ..Filter::default() }), 0);
    assert_eq!(count(Filter { limit: Some(4), ..Filter::default() }), 4);
    let after = Some(format!("01HZ{:022}", 8));
    assert_eq!(count(Filter { after, ..Filter::default() }), 2);
    let bad = Filter { since: Some("yesterday".into()), ..Filter::default() };
    assert!(ask(&database, &bad).unwrap_err().contains("`yesterday` is no time"));
}

/// The rows of all files of a table, in the order of their names, without their headers.
fn sheets(folder: &Folder, table: &str) -> Vec<Vec<String>> {
    let files = std::fs::read_dir(folder.0.join("csv")).unwrap().flatten().map(|e| e.path());
    let mut files: Vec<_> = files
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(table))
        .collect();
    files.sort();
    let mut rows = Vec::new();
    for file in files {
        let text = std::fs::read(file).unwrap();
        assert!(text.starts_with("\u{feff}".as_bytes()), "a spreadsheet must see that it is UTF-8");
        rows.extend(csv::Records::new(&text).skip(1));
    }
    rows
}

fn on_day(n: u64, day: i64, agent: &str) -> Row {
    let Row::Call(record) = call(n) else { unreachable!() };
    // Half past eleven in the evening in India, and half past midnight.
    let ended_at = Wall(1_700_071_200_000_000 + day * 3_600_000_000);
    Row::Call(CallRecord { ended_at, agent: agent.into(), ..record })
}

#[test]
fn csv_turns_a_leaf_at_midnight_and_quotes_what_it_must() {
    let folder = Folder::new("csv");
    let stores = [config::Store::Csv { folder: folder.0.join("csv") }];
    let rows = [on_day(1, 0, "सीमा, \"दल\"\r\n2"), on_day(2, 1, "=cmd()"), state(1)];
    run(&folder, configured(&folder, &stores), rows.into_iter());
    let mut names: Vec<_> = std::fs::read_dir(folder.0.join("csv")).unwrap().flatten().collect();
    names.sort_by_key(|entry| entry.file_name());
    let names: Vec<_> = names.iter().map(|e| e.file_name().into_string().unwrap()).collect();
    let days = ["2023-11-15", "2023-11-16"];
    assert_eq!(
        names,
        [
            "agent_states-1970-01-01.csv".to_string(),
            format!("calls-{}.csv", days[0]),
            format!("calls-{}.csv", days[1]),
            format!("legs-{}.csv", days[0]),
            format!("legs-{}.csv", days[1]),
        ]
    );
    let calls = sheets(&folder, "calls");
    let agent = |n: usize| calls[n][10].as_str();
    assert_eq!((calls.len(), agent(0), agent(1)), (2, "सीमा, \"दल\"\r\n2", "=cmd()"));
    assert_eq!(calls[0].len(), columns::CALLS.columns.len());
    let text = std::fs::read_to_string(folder.0.join("csv/calls-2023-11-16.csv")).unwrap();
    assert!(text.contains(",'=cmd(),"), "no spreadsheet runs it: {text}");
    assert_eq!(sheets(&folder, "legs").len(), 2);
}

#[test]
fn csv_holds_every_row_once_whatever_is_fed_again_or_was_torn() {
    let folder = Folder::new("csv-again");
    let stores = [config::Store::Csv { folder: folder.0.join("csv") }];
    run(&folder, configured(&folder, &stores), (1..=20).map(|n| on_day(n, 0, "op1")));
    let path = folder.0.join("csv/calls-2023-11-15.csv");
    let text = std::fs::read(&path).unwrap();
    std::fs::write(&path, &text[..text.len() - 30]).unwrap();
    for cursor in std::fs::read_dir(folder.0.join("outbox")).unwrap().flatten() {
        if cursor.path().extension().is_some_and(|e| e == "cursor") {
            std::fs::remove_file(cursor.path()).unwrap();
        }
    }
    run(&folder, configured(&folder, &stores), std::iter::once(on_day(21, 0, "op1")));
    let seqs: Vec<_> = sheets(&folder, "calls").iter().map(|row| row[1].clone()).collect();
    assert_eq!(seqs, (1..=21).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_sheet_with_other_columns_is_left_alone_and_another_begun() {
    let folder = Folder::new("csv-form");
    std::fs::create_dir_all(folder.0.join("csv")).unwrap();
    let old = folder.0.join("csv/calls-2023-11-15.csv");
    std::fs::write(&old, "\u{feff}id,seq\r\n1,1\r\n").unwrap();
    let stores = [config::Store::Csv { folder: folder.0.join("csv") }];
    run(&folder, configured(&folder, &stores), std::iter::once(on_day(1, 0, "op1")));
    assert_eq!(std::fs::read_to_string(&old).unwrap(), "\u{feff}id,seq\r\n1,1\r\n");
    let next = std::fs::read_to_string(folder.0.join("csv/calls-2023-11-15.2.csv")).unwrap();
    assert!(next.contains("\"op1\"") || next.contains(",op1,"), "{next}");
}

fn webhook(at: std::net::SocketAddr) -> config::Store {
    config::Store::Webhook(config::Remote {
        user: String::new(),
        secret: Some(crate::sip::Secret("a-token-of-ours".into())),
        host: at.ip().to_string(),
        port: at.port(),
        path: "/in?dept=wcd".into(),
        tls: false,
        switch: "main".into(),
    })
}

#[test]
fn a_rude_web_server_gets_every_row_in_order_and_can_tell_repeats() {
    use Mood::{Crumbles, CutsIn, ForgetsToAnswer, Redirects, Refuses, Takes};
    let folder = Folder::new("webhook");
    let moods = [Takes, Refuses, CutsIn, ForgetsToAnswer, Crumbles, Redirects, Refuses, Takes];
    let (at, kept) = rude::serve(&moods);
    let rows = (1..=900).map(call).chain((1..=3).map(state));
    let heard = run_and_hear(&folder, configured(&folder, &[webhook(at)]), rows);
    // What the last tries of that run did not bring is brought by the next.
    run(&folder, configured(&folder, &[webhook(at)]), std::iter::empty());
    let kept = kept.lock().unwrap();
    let seqs: Vec<_> = kept.rows.iter().filter_map(|row| row["seq"].as_u64()).collect();
    assert_eq!(seqs, (1..=900).chain(1..=3).collect::<Vec<_>>());
    assert!(kept.repeats > 0, "what was forgotten came again");
    assert_eq!(kept.rows[6]["table"], "calls");
    assert_eq!(kept.rows[6]["legs"][0]["packets_lost"], -1);
    let head = kept.heads[0].to_lowercase();
    assert!(head.starts_with("post /in?dept=wcd http/1.1"), "{head}");
    assert!(head.contains("authorization: bearer a-token-of-ours"), "{head}");
    assert!(head.contains("idempotency-key: ") && head.contains("x-ndjson"), "{head}");
    let troubles: Vec<_> = heard.iter().flatten().collect();
    assert!(troubles.iter().any(|why| why.contains("503")), "{heard:?}");
    assert!(heard.iter().all(|why| !format!("{why:?}").contains("a-token")), "{heard:?}");
    assert!(heard.contains(&None), "it is told when it is over: {heard:?}");
}

#[test]
fn a_store_that_does_not_come_back_is_not_waited_for_and_its_error_is_known() {
    let folder = Folder::new("gone");
    // Nobody listens there any more.
    let at = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let heard = run_and_hear(&folder, configured(&folder, &[webhook(at)]), (1..=3).map(call));
    assert_eq!(heard.len(), 2, "away is told once, whatever the tries: {heard:?}");
    assert!(heard[1].as_ref().unwrap().contains("cannot be reached"), "{heard:?}");
}

#[test]
fn how_far_a_store_is_behind_is_known_across_restarts() {
    let folder = Folder::new("behind");
    let (broken, _) = moody(usize::MAX);
    run(&folder, vec![broken], (1..=7).map(call));
    let (broken, _) = moody(usize::MAX);
    let outbox = folder.0.join("outbox");
    let metrics = Metrics::new();
    let alarm: Alarm = Box::new(|_, _| true);
    let (mut lane, stores) = start(&outbox, vec![broken], pace(), &metrics, alarm).unwrap();
    lane.put(call(8));
    drop(lane);
    let health = stores.health();
    stores.finish();
    let list = health.list();
    assert_eq!((&list[0]["up"], &list[0]["behind"]), (&false.into(), &8.into()), "{list:#}");
    assert_eq!(list[0]["error"], "the disk is full");
    assert!(metrics.render().contains("pukar_store_rows_behind{store=\"moody\"} 8"));
}

#[test]
fn an_old_database_gets_its_new_columns_and_a_foreign_or_newer_one_is_left_alone() {
    let folder = Folder::new("migrate");
    let database = folder.0.join("records.db");
    let old = rusqlite::Connection::open(&database).unwrap();
    let sql = "CREATE TABLE calls (id TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (id));
               INSERT INTO calls VALUES ('01A', 1)";
    old.execute_batch(sql).unwrap();
    Sqlite::open(&database).unwrap().write(&[call(2)]).unwrap();
    let calls = ask(&database, &Filter::default()).unwrap();
    assert_eq!((&calls[0]["line"], &calls[1]["line"]), (&"".into(), &"181".into()));
    old.execute_batch("PRAGMA user_version = 99").unwrap();
    assert!(Sqlite::open(&database).err().unwrap().contains("form 99"));
    let foreign = folder.0.join("foreign.db");
    let connection = rusqlite::Connection::open(&foreign).unwrap();
    connection.execute_batch("CREATE TABLE calls (number TEXT)").unwrap();
    assert!(Sqlite::open(&foreign).err().unwrap().contains("not pukar's"));
}
