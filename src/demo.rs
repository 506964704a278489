//! `pukar demo`: a whole helpline on this machine. The real switch with its embedded store, callers
//! and agents of the load tester on real sockets, and in the end the switch's records against what
//! the callers themselves saw.
//!
//! In: how many, how long. Out: progress, a table or JSON, and a verdict. Knows the switch by its
//! settings, its addresses and its records only.

mod announced;
mod heard;
pub mod helpline;
mod recorded;
mod state;
mod wire;

use helpline::{DESK, HERE, any_port, free_addresses};
use pukar::config::Settings;
use pukar::console::{DemoArgs, Fault};
use pukar::load::{self, Plan, Record, Report};
use pukar::shell::{Filter, Over, Running, Source, query};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the last calls have to end by themselves.
const DRAIN: Duration = Duration::from_secs(15);
/// Records read at once.
const PAGE: usize = 10_000;

pub fn demo(args: DemoArgs) -> Result<(), Fault> {
    if let Some(config) = &args.state {
        return state::demo(&args, config);
    }
    if args.announced {
        return announced::demo(&args);
    }
    let folder = std::env::temp_dir().join(format!("pukar-demo-{}", std::process::id()));
    let [callers_at, agents_at] = free_addresses()?;
    let recorded = if args.recorded { recorded::configuration(args.opus) } else { String::new() };
    let text = [
        helpline::switch("demo", "warn", HERE),
        helpline::trunk("callers", callers_at),
        DESK.into(),
        helpline::operators(1, args.agents, agents_at),
        recorded,
    ];
    let wallboard = |settings: &mut Settings| settings.admin.http = Some(any_port());
    let running = helpline::start(text.concat(), &folder, wallboard)?;
    say_where(&args, &running);
    let mut plan = Plan::new(running.listens()[0].1);
    plan.callers = args.callers.unwrap_or(plan.callers);
    (plan.agents, plan.seconds) = (args.agents, args.seconds);
    (plan.callers_at, plan.agents_at) = (callers_at, agents_at);
    plan.fit_talk();
    let mut report = load::run(&plan, &mut |progress| say(&args, progress.to_string()))?;
    let ended = end(running, &mut report);
    if args.recorded {
        say(&args, recorded::judge(&mut report, &ended.rows, &folder));
    }
    report.reconcile(&ended.rows.iter().map(record).collect::<Vec<_>>());
    judge(&args, &report, &folder)
}

/// Progress, for people: with `--json` nothing but the result is on stdout.
fn say(args: &DemoArgs, line: String) {
    if args.json { eprintln!("{line}") } else { println!("{line}") }
}

fn say_where(args: &DemoArgs, running: &Running) {
    let socket = running.admin_socket().display();
    say(args, format!("switch on {}, admin socket {socket}", running.listens()[0].1));
    say(args, format!("look on with: pukar top --socket {socket}"));
    if let Some(at) = running.http() {
        say(args, format!("wallboard: http://{at}/"));
    }
}

fn judge(args: &DemoArgs, report: &Report, folder: &Path) -> Result<(), Fault> {
    if args.json {
        println!("{}", report.to_json());
    } else {
        println!("{report}");
    }
    match report.passed {
        true => drop(std::fs::remove_dir_all(folder)),
        false => say(args, format!("records and outbox are kept in {}", folder.display())),
    }
    let failed = || Fault { exit: 1, line: String::new() };
    if report.passed { Ok(()) } else { Err(failed()) }
}

/// What a switch that has come to its end has on record.
struct Ended {
    rows: Vec<Value>,
}

/// Ends a switch in order, and reads its records.
fn end(running: Running, report: &mut Report) -> Ended {
    running.drain();
    if running.wait(DRAIN) != Some(Over::Drained) {
        let live = running.status()["calls"]["live"].clone();
        report.complain(format!("{live} calls are still alive after everybody has hung up"));
        running.stop();
    }
    let arrived = running.status()["total"]["arrived"].as_u64().unwrap_or_default();
    let database = running.database().map(Path::to_path_buf);
    if running.finish() == Over::Broken {
        report.complain("the switch broke down".into());
    }
    match database.ok_or_else(|| "there is no database".to_string()).and_then(rows) {
        Ok(rows) => {
            if rows.len() as u64 != arrived {
                report.complain(format!("{arrived} calls, {} records", rows.len()));
            }
            Ended { rows }
        }
        Err(why) => {
            report.complain(why);
            Ended { rows: Vec::new() }
        }
    }
}

/// What the load tester holds against what it saw.
pub fn record(row: &Value) -> Record {
    let text = |key: &str| row[key].as_str().unwrap_or_default().to_string();
    Record { caller: text("caller"), outcome: text("outcome"), agent: Some(text("agent")) }
}

/// Every call on record in a database.
pub fn rows(database: PathBuf) -> Result<Vec<Value>, String> {
    let (source, mut found) = (Source::Sqlite(database), Vec::new());
    let mut after = None;
    loop {
        let filter = Filter { after, limit: Some(PAGE), ..Filter::default() };
        let page = query(&source, &filter)?;
        let rows = page.as_array().map_or(&[][..], Vec::as_slice);
        found.extend_from_slice(rows);
        let last = rows.last().filter(|_| rows.len() == PAGE);
        after = last.and_then(|row| row["id"].as_str()).map(ToString::to_string);
        if after.is_none() {
            return Ok(found);
        }
    }
}
