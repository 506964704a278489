//! Rows on their way: batches, failures, recovery, restarts, repeats.

use super::*;
use crate::base::Wall;
use crate::call::{Direction, EndedBy, Outcome};
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

fn call(n: u64) -> Row {
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

fn state(n: u64) -> Row {
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
    Pace { gather: span, retry: (span, span), last_tries: 3 }
}

fn numbers(rows: &[Row]) -> Vec<u64> {
    let number = |row: &Row| match row {
        Row::Call(call) => call.seq,
        Row::AgentState(state) => state.seq,
    };
    rows.iter().map(number).collect()
}

fn run(folder: &Folder, places: Vec<Place>, rows: impl Iterator<Item = Row>) {
    let meters = Metrics::new().for_shell();
    let (mut lane, stores) = start(&folder.0.join("outbox"), places, pace(), meters).unwrap();
    rows.for_each(|row| lane.put(row));
    drop(lane);
    stores.finish();
}

/// Fails the first `failures` writes, then keeps what it gets.
struct Moody {
    failures: Arc<AtomicUsize>,
    kept: Arc<Mutex<Vec<Row>>>,
}

impl Store for Moody {
    fn write(&mut self, rows: &[Row]) -> Result<(), String> {
        let failing = |left: usize| left.checked_sub(1);
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, failing).is_ok() {
            return Err("the disk is full".into());
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
    (Place { name: "moody".into(), open }, kept)
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
    let places = vec![Place { name: "telling".into(), open }];
    let pace = Pace { gather: Duration::from_secs(3_600), ..pace() };
    let meters = Metrics::new().for_shell();
    let (mut lane, stores) = start(&folder.0.join("outbox"), places, pace, meters).unwrap();
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
    fn write(&mut self, rows: &[Row]) -> Result<(), String> {
        self.0.send(numbers(rows)).map_err(|e| e.to_string())
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
    run(&folder, places(&stores), rows());
    // The cursors are lost, so everything is fed again.
    for cursor in std::fs::read_dir(folder.0.join("outbox")).unwrap().flatten() {
        if cursor.path().extension().is_some_and(|e| e == "cursor") {
            std::fs::remove_file(cursor.path()).unwrap();
        }
    }
    run(&folder, places(&stores), std::iter::empty());
    let calls = query(&database, &Filter { legs: true, ..Filter::default() }).unwrap();
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
    run(&folder, places(&stores), (1..=10).map(call));
    let count = |filter: Filter| query(&database, &filter).unwrap().as_array().unwrap().len();
    let since = Some("2023-11-15T03:43:28+05:30".into());
    assert_eq!(count(Filter { since, ..Filter::default() }), 3);
    assert_eq!(count(Filter { line: Some("112".into()), ..Filter::default() }), 0);
    assert_eq!(count(Filter { limit: Some(4), ..Filter::default() }), 4);
    let after = Some(format!("01HZ{:022}", 8));
    assert_eq!(count(Filter { after, ..Filter::default() }), 2);
    let bad = Filter { since: Some("yesterday".into()), ..Filter::default() };
    assert!(query(&database, &bad).unwrap_err().contains("`yesterday` is no time"));
}
