//! `pukar demo --announced`: nobody answers, and everybody waits: on two lines, one in Hindi and
//! one in English, hearing music and every ten seconds their place. Whether all of it came without
//! a pause, and was octet by octet what the switch says that it told, is what the callers'
//! telephones judge.
//!
//! In: how many, how long. Out: progress, a table or JSON, and a verdict.

use super::heard::{Songs, Told};
use super::helpline::{self, HERE, any_port, free_addresses};
use super::{end, judge, record, say, say_where};
use jiff::Timestamp;
use pukar::config::Settings;
use pukar::console::{Client, DemoArgs, Fault};
use pukar::load::{self, Plan, Report};
use pukar::shell::Running;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The numbers, and what is spoken behind them.
const LINES: [(&str, &str); 2] = [("181", "hi"), ("104", "en")];
/// Of a caller's number.
const DIGITS: usize = 10;
/// A telephone plays 50 packets a second.
const PACKETS_A_SECOND: f64 = 49.0;
/// Where everybody waits.
const QUEUE: &str = r#"
[[queue]]
name = "general"
staffed = false
announce_first = "3s"
announce_every = "10s"
"#;

pub fn demo(args: &DemoArgs) -> Result<(), Fault> {
    let folder = std::env::temp_dir().join(format!("pukar-announced-{}", std::process::id()));
    let [callers_at] = free_addresses()?;
    let text = [
        helpline::switch("announcements", "warn", HERE),
        helpline::trunk("callers", callers_at),
        lines(),
        QUEUE.into(),
    ];
    let mut songs = Songs::default();
    let besides = |settings: &mut Settings| {
        settings.admin.http = Some(any_port());
        songs = Songs::of(settings, helpline::MUSIC);
    };
    let running = helpline::start(text.concat(), &folder, besides)?;
    say_where(args, &running);
    let following = follow(&running);
    let mut plan = Plan::new(running.listens()[0].1);
    plan.callers = args.callers.unwrap_or(plan.callers);
    (plan.agents, plan.seconds, plan.impatient_percent) = (0, args.seconds, 0);
    plan.keep = true;
    plan.numbers = LINES.map(|(number, _)| number.to_string()).into();
    plan.callers_at = callers_at;
    let mut report = load::run(&plan, &mut |progress| say(args, progress.to_string()))?;
    let ended = end(running, &mut report);
    let facts = following.join().unwrap_or_default();
    examine(&mut report);
    compare(args, &mut report, &songs, &told(&facts, &ended.rows));
    report.reconcile(&ended.rows.iter().map(record).collect::<Vec<_>>());
    judge(args, &report, &folder)
}

/// Every announcement of the switch, until it goes away.
fn follow(running: &Running) -> JoinHandle<Vec<Value>> {
    let client = Client::new(running.admin_socket().to_path_buf());
    thread::spawn(move || {
        let mut facts = Vec::new();
        // It ends with the switch, and that is no fault.
        let _ = client.follow("events.subscribe", json!({"from": 1}), |fact: &Value| {
            if fact["kind"] == "call.announced" {
                facts.push(fact.clone());
            }
            Ok(())
        });
        facts
    })
}

/// What each caller was told, by the last digits of their number.
fn told(facts: &[Value], rows: &[Value]) -> BTreeMap<String, Vec<Told>> {
    let moment = |text: &Value| text.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let mut all: BTreeMap<String, Vec<Told>> = BTreeMap::new();
    for fact in facts {
        let Some(row) = rows.iter().find(|row| row["id"] == fact["call"]) else { continue };
        let caller = row["caller"].as_str().unwrap_or_default();
        let from = caller.len().saturating_sub(DIGITS);
        let end = moment(&row["ended_at"]).zip(moment(&fact["at"]));
        let before_end = end.and_then(|(end, at)| Duration::try_from(end - at).ok());
        let names = fact["prompts"].as_array().into_iter().flatten();
        let names = names.filter_map(|name| name.as_str().map(String::from)).collect();
        let told = Told { names, before_end: before_end.unwrap_or_default() };
        all.entry(caller[from..].into()).or_default().push(told);
    }
    all
}

/// Whether each telephone heard what the switch has told its caller.
fn compare(
    args: &DemoArgs,
    report: &mut Report,
    songs: &Songs,
    told: &BTreeMap<String, Vec<Told>>,
) {
    let mut counts: BTreeMap<&str, (u64, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for call in &report.each {
        let told = told.get(&call.caller).map_or(&[][..], Vec::as_slice);
        let first = told.first().and_then(|told| told.names.first());
        let language = first.and_then(|name| name.split('/').next()).unwrap_or_default();
        let (whole, begun) = counts.entry(language).or_default();
        *begun += told.len();
        match songs.follow(&call.heard, told) {
            Ok(count) => *whole += count,
            Err(why) => wrong.push(format!("caller {}: {why}", call.caller)),
        }
        if told.iter().flat_map(|told| &told.names).any(|name| !name.starts_with(language)) {
            wrong.push(format!("caller {} was told something in two languages", call.caller));
        }
    }
    let each = report.calls.planned as usize / LINES.len();
    for (_, language) in LINES {
        let (whole, begun) = counts.get(language).copied().unwrap_or_default();
        say(args, format!("{begun} announcements in {language}, {whole} heard to the end"));
        if begun < each {
            wrong.push(format!("{begun} announcements in {language} for {each} callers"));
        }
    }
    wrong.into_iter().for_each(|what| report.complain(what));
}

fn examine(report: &mut Report) {
    let (calls, voice) = (&report.calls, &report.voice);
    let mut wrong = Vec::new();
    if calls.abandoned_at_the_end != calls.planned {
        wrong
            .push(format!("{} of {} waited to the end", calls.abandoned_at_the_end, calls.planned));
    }
    if voice.music_gaps > 0 {
        let (gaps, worst) = (voice.music_gaps, voice.music_gap_worst_ms);
        wrong.push(format!("{gaps} pauses in what they heard, of up to {worst:.0} ms"));
    }
    if voice.music_per_second < PACKETS_A_SECOND {
        wrong.push(format!("they heard {:.1} packets a second", voice.music_per_second));
    }
    wrong.into_iter().for_each(|what| report.complain(what));
}

fn lines() -> String {
    let lines = LINES.map(|(number, language)| {
        format!(
            "[[line]]\nname = \"{number}\"\nnumbers = [\"{number}\"]\nqueue = \"general\"\n\
             languages = [\"{language}\"]\n"
        )
    });
    lines.concat()
}
