//! `pukar demo --announced`: nobody answers, and everybody waits: on two lines, one in Hindi and
//! one in English, hearing music and every ten seconds their place. Whether all of it came without
//! a pause is what the callers' telephones judge.
//!
//! In: how many, how long. Out: progress, a table or JSON, and a verdict.

use super::helpline::{self, HERE, any_port, free_addresses};
use super::{end, judge, record, say, say_where};
use pukar::config::Settings;
use pukar::console::{Client, DemoArgs, Fault};
use pukar::load::{self, Plan, Report};
use pukar::shell::Running;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::thread::{self, JoinHandle};

/// The numbers, and what is spoken behind them.
const LINES: [(&str, &str); 2] = [("181", "hi"), ("104", "en")];
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
    let wallboard = |settings: &mut Settings| settings.admin.http = Some(any_port());
    let running = helpline::start(text.concat(), &folder, wallboard)?;
    say_where(args, &running);
    let counting = count(&running);
    let mut plan = Plan::new(running.listens()[0].1);
    plan.callers = args.callers.unwrap_or(plan.callers);
    (plan.agents, plan.seconds, plan.impatient_percent) = (0, args.seconds, 0);
    plan.numbers = LINES.map(|(number, _)| number.to_string()).into();
    plan.callers_at = callers_at;
    let mut report = load::run(&plan, &mut |progress| say(args, progress.to_string()))?;
    let ended = end(running, &mut report);
    let told = counting.join().unwrap_or_default();
    examine(args, &mut report, &told);
    report.reconcile(&ended.rows.iter().map(record).collect::<Vec<_>>());
    judge(args, &report, &folder)
}

/// Announcements by language, until the switch goes away.
type Told = BTreeMap<String, u64>;

fn count(running: &Running) -> JoinHandle<Told> {
    let client = Client::new(running.admin_socket().to_path_buf());
    thread::spawn(move || {
        let mut told = Told::new();
        // It ends with the switch, and that is no fault.
        let _ = client.follow("events.subscribe", json!({"from": 1}), |fact: &Value| {
            if fact["kind"] == "call.announced" {
                let first = fact["prompts"][0].as_str().unwrap_or_default();
                let language = first.split('/').next().unwrap_or_default();
                *told.entry(language.into()).or_default() += 1;
            }
            Ok(())
        });
        told
    })
}

fn examine(args: &DemoArgs, report: &mut Report, told: &Told) {
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
    let each = calls.planned / LINES.len() as u64;
    for (_, language) in LINES {
        let count = told.get(language).copied().unwrap_or_default();
        say(args, format!("{count} announcements in {language}"));
        if count < each {
            wrong.push(format!("{count} announcements in {language} for {each} callers"));
        }
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
