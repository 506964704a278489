//! The process is killed with kill -9 while people are on the phone, and another takes its place;
//! or its program is replaced in place: real processes, real sockets, phones that speak and listen.
//! Complaint Q37, and Q36 with it.

mod support;

use pukar::load::{self, Plan, Report, Span};
use pukar::wire::g711::Law;
use pukar::wire::wav;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};
use support::facts::Admin;
use support::raw::{Tcp, options, status};
use support::sipp::{self, Sipp};
use support::street::{CALLER, PHONE, SWITCH};
use support::switch::{HELPLINE, Switch};
use support::{Deadline, PATIENCE};

/// How large a helpline, and how long its calls are.
struct Day {
    callers: u32,
    agents: u32,
    kills: u32,
    how: fn(&mut Switch),
    talk: Span,
    seconds: u32,
    rtp_from: u16,
}

/// From a death to the next process at work: the goal is a second, of a machine that does little
/// else. Tests run beside others, in a program that was not made fast.
const OUTAGE_MAX: Duration = Duration::from_secs(if cfg!(debug_assertions) { 2 } else { 1 });
/// What is not heard of an upgrade, by a program that was made fast.
const UPGRADE_PAUSE_MS: f64 = 100.0;
/// Until sound comes again, once the process is at work.
const BACK_IN_HEARING: Duration = Duration::from_millis(500);

#[test]
fn q37_kill_nine_and_everyone_is_still_on_the_phone() {
    survive(&Day {
        callers: 24,
        agents: 12,
        kills: 2,
        how: Switch::crash,
        talk: Span::millis(8_000, 9_000),
        seconds: 40,
        rtp_from: 33_000,
    });
}

/// Killed again and again while people call, talk and hang up.
#[test]
fn twenty_kills_in_the_rush_lose_and_double_no_record() {
    rush(&Day {
        callers: 80,
        agents: 12,
        kills: 20,
        how: Switch::crash,
        talk: Span::millis(300, 1_200),
        seconds: 40,
        rtp_from: 36_000,
    });
}

/// Replaced again and again while people call, talk and hang up.
#[test]
fn upgrades_in_the_rush_refuse_nobody() {
    rush(&Day {
        callers: 60,
        agents: 12,
        kills: 8,
        how: Switch::upgrade,
        talk: Span::millis(300, 1_200),
        seconds: 40,
        rtp_from: 39_000,
    });
}

/// What the recorder had heard and not yet written is written before the program goes.
#[test]
fn an_upgrade_is_not_heard_in_a_recording() {
    let survived = survive(&Day {
        callers: 8,
        agents: 8,
        kills: 4,
        how: Switch::upgrade,
        talk: Span::millis(8_000, 9_000),
        seconds: 30,
        rtp_from: 41_000,
    });
    let pauses = survived.recordings.values().map(|file| {
        let sound = &file[wav::HEADER..];
        longest_pause(sound, 0).max(longest_pause(sound, 1)) / 8
    });
    let pauses: Vec<usize> = pauses.collect();
    // Somebody looks after voices until the next program does: the pause is a part of the start.
    let (voice, least) = (&survived.report.voice, survived.outages.iter().min().unwrap());
    for pause in [&voice.voice_pause_ms, &voice.music_pause_ms] {
        assert!(pause.p99 < least.as_secs_f64() * 500.0, "{pause:?}, away for {least:?}");
    }
    let away = survived.outages.iter().max().unwrap().as_millis() as usize;
    assert!(pauses.iter().all(|ms| *ms < away + 500), "ms of silence: {pauses:?}; away: {away}");
}

/// The most frames in a row in which one side, which speaks all the time, is not heard.
fn longest_pause(sound: &[u8], side: usize) -> usize {
    let frames: Vec<u8> = sound.iter().skip(side).step_by(2).copied().collect();
    let is_heard = |octet: &u8| *octet != Law::A.silence();
    let first = frames.iter().position(is_heard).expect("somebody speaks");
    let last = frames.iter().rposition(is_heard).expect("somebody speaks");
    let pauses = frames[first..=last].split(is_heard).map(<[u8]>::len);
    pauses.max().unwrap_or(0)
}

/// Somebody has to serve the queue.
const ONE: &str = "[[agent]]\nid = \"op1\"\nskills = [\"operator\"]\nready = true\n\
                   contact = \"sip:op1@NET.3:5060\"\n";

#[test]
fn a_connection_and_half_a_message_on_it_outlive_an_upgrade() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let mut phone = Tcp::new(switch.street.ip(PHONE), switch.sip());
    let (message, id) = options("TCP", phone.at(), switch.sip(), "upgrade");
    let (first, rest) = message.as_bytes().split_at(message.len() / 2);
    phone.send(first);
    switch.upgrade();
    phone.send(rest);
    let answer = phone.receive_within(PATIENCE).expect("an answer on the same connection");
    assert!(answer.contains(&id) && status(&answer) == Some(200), "{answer}");
}

/// Whatever lies in the sockets when one program goes waits for the next.
#[test]
fn questions_on_their_way_over_tcp_are_answered_once_each_over_several_upgrades() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let mut phone = Tcp::new(switch.street.ip(PHONE), switch.sip());
    for round in 0..3 {
        let ask = |n: u32| options("TCP", phone.at(), switch.sip(), &format!("u{round}-{n}"));
        let asked: Vec<_> = (0..50).map(ask).collect();
        let bytes: String = asked.iter().map(|(message, _)| message.as_str()).collect();
        phone.send(bytes.as_bytes());
        switch.upgrade();
        for (_, id) in &asked {
            let answer = phone.receive_within(PATIENCE).expect("an answer, on this connection");
            assert!(answer.contains(id) && status(&answer) == Some(200), "{id}: {answer}");
        }
    }
}

#[test]
fn the_wallboard_refuses_no_browser_during_an_upgrade() {
    let mut switch = Switch::start(&[HELPLINE, ONE]);
    let at = SocketAddr::from((switch.street.ip(SWITCH), 8080));
    switch.configure(|text| text.replace("[admin]\n", &format!("[admin]\nhttp = \"{at}\"\n")));
    switch.crash();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let browser = std::thread::spawn(move || {
        let mut visits = 0;
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            TcpStream::connect(at).unwrap_or_else(|error| panic!("visit {visits}: {error}"));
            visits += 1;
            std::thread::park_timeout(Duration::from_millis(2));
        }
        visits
    });
    (0..3).for_each(|_| switch.upgrade());
    drop(stop);
    assert!(browser.join().unwrap() > 20);
}

#[test]
fn a_program_that_cannot_go_on_with_the_calls_is_not_let_in() {
    let mut switch = Switch::start_from_a_copy(&[HELPLINE, ONE]);
    let copy = switch.street.dir().join("pukar");
    std::fs::remove_file(&copy).unwrap();
    std::fs::copy("/bin/true", &copy).unwrap();
    switch.program().signal(libc::SIGUSR2);
    switch.program().line_with("no upgrade, and everything goes on");
    assert_eq!(switch.status()["calls"]["live"], 0);
}

/// The full size: `cargo test --release --test crash -- --ignored --nocapture --test-threads 1`.
#[test]
#[ignore = "five hundred callers want a machine of their own"]
fn five_hundred_callers_do_not_hear_an_upgrade() {
    let survived = survive(&Day {
        callers: 500,
        agents: 250,
        kills: 3,
        how: Switch::upgrade,
        talk: Span::millis(24_000, 26_000),
        seconds: 90,
        rtp_from: 33_000,
    });
    let voice = &survived.report.voice;
    for pause in [&voice.voice_pause_ms, &voice.music_pause_ms] {
        assert!(pause.p99 < UPGRADE_PAUSE_MS, "{pause:?}");
    }
}

/// The full size, as above.
#[test]
#[ignore = "a hundred kills take a minute"]
fn a_hundred_kills_in_the_rush_lose_and_double_no_record() {
    rush(&Day {
        callers: 1_000,
        agents: 50,
        kills: 100,
        how: Switch::crash,
        talk: Span::millis(1_000, 2_500),
        seconds: 90,
        rtp_from: 36_000,
    });
}

fn rush(day: &Day) {
    let mut switch = Switch::start(&[HELPLINE, &agents(day)]);
    let plan = load::Plan {
        arrivals: load::Arrivals::Over(Duration::from_millis(u64::from(day.kills) * 500)),
        ..plan(&switch, day)
    };
    let phones = std::thread::spawn(move || load::run(&plan, &mut |_| {}).unwrap());
    for n in 0..day.kills {
        // Spread over every phase of a call, and not in step with anything.
        std::thread::park_timeout(Duration::from_millis(150 + u64::from(n * 37 % 200)));
        (day.how)(&mut switch);
    }
    let report = phones.join().unwrap();
    eprintln!("{report}");
    everyone_was_served(&report, day);
    until_status(&mut switch, |calls| calls["live"] == 0);
    facts_have_no_gap(&switch.data().join("s"), day.kills);
    replays_the_same(&switch.data().join("journal"));
    nobody_is_a_ghost(&mut switch);
    let records = switch.records();
    let seqs: BTreeSet<u64> = records.iter().filter_map(|record| record["seq"].as_u64()).collect();
    assert_eq!(seqs, (1..=u64::from(day.callers)).collect(), "numbers of records");
    assert_eq!(records.len(), day.callers as usize);
    let lost: Vec<_> = records.iter().filter(|record| !was_answered(record)).collect();
    assert!(lost.is_empty(), "{lost:#?}");
    eprintln!(
        "{} kills: {} records of {} calls, none twice, 0 ghost agents",
        day.kills,
        records.len(),
        day.callers
    );
}

/// A phone may answer and hang up again while nobody is there: the switch learns of both in one
/// breath, and the caller goes back to the line, to be answered or to hang up as well.
fn was_answered(record: &Value) -> bool {
    let by_phone = |leg: &Value| leg["role"] == "agent" && leg["answered_at"].is_string();
    record["outcome"] == "answered" || record["legs"].as_array().unwrap().iter().any(by_phone)
}

/// No agent is held to be in a call when there is none. A phone that rang, answered and hung up
/// while nobody was there has no last word for the CANCEL: RFC 3261 gives it up after 64*T1.
fn nobody_is_a_ghost(switch: &mut Switch) {
    let busy = ["offered", "talking", "own-call"].map(Value::from);
    let deadline = Deadline::after(Duration::from_secs(60));
    loop {
        let agents = switch.ask("agents.list");
        if !agents.as_array().unwrap().iter().any(|agent| busy.contains(&agent["state"])) {
            return;
        }
        assert!(deadline.left().is_some(), "ghosts: {agents:#}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

#[test]
fn q36_a_supervised_switch_is_back_at_once_and_its_agents_are_what_they_were() {
    let mut switch = Switch::supervised(&[HELPLINE, ONE]);
    let pause = json!({"agent": "op1", "state": "pause", "reason": "tea"});
    switch.admin.ask("agents.set", pause).unwrap();
    for _ in 0..3 {
        let before = switch.ask("agents.list")[0].clone();
        assert_eq!((&before["state"], &before["reason"]), (&json!("paused"), &json!("tea")));
        switch.crash_child();
        assert_eq!(switch.ask("agents.list")[0]["since"], before["since"]);
    }
    assert!(switch.records().is_empty());
}

#[test]
fn q26_a_core_that_dies_is_replaced_at_once_and_whoever_waited_is_assigned() {
    let agent = "[[agent]]\nid = \"op1\"\nskills = [\"operator\"]\n\
                 contact = \"sip:op1@NET.3:5060\"\n";
    let mut switch = Switch::supervised(&[HELPLINE, agent]);
    let caller = sipp::Plan { scenario: "caller", ..sipp::Plan::default() };
    let caller = Sipp::calls(&switch.street, caller);
    let phone = sipp::Plan { scenario: "agent", house: PHONE, ..sipp::Plan::default() };
    let phone = Sipp::answers(&switch.street, phone);
    switch.until("queue.joined", |_| true);
    let died = now();
    switch.crash_child();
    let away = died.elapsed();
    eprintln!("away for {away:?}");
    // A tenth of a second where nothing else runs.
    assert!(away < OUTAGE_MAX, "{away:?}");
    switch.admin.ask("agents.set", json!({"agent": "op1", "state": "ready"})).unwrap();
    caller.succeeds();
    phone.succeeds();
    until_status(&mut switch, |calls| calls["live"] == 0);
    let records = switch.records();
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!((&records[0]["outcome"], &records[0]["agent"]), (&json!("answered"), &json!("op1")));
}

/// The full size: `cargo test --release --test crash -- --ignored --nocapture --test-threads 1`.
#[test]
#[ignore = "five hundred callers want a machine of their own"]
fn five_hundred_callers_survive_kill_nine() {
    survive(&Day {
        callers: 500,
        agents: 250,
        kills: 3,
        how: Switch::crash,
        talk: Span::millis(24_000, 26_000),
        seconds: 90,
        rtp_from: 33_000,
    });
}

/// What is left of a day that was survived.
struct Survived {
    report: Report,
    recordings: BTreeMap<String, Vec<u8>>,
    /// How long each outage was.
    outages: Vec<Duration>,
}

fn survive(day: &Day) -> Survived {
    let mut switch =
        Switch::start(&[HELPLINE, &agents(day), "[recording]\nall = true\nnotice = \"\"\n"]);
    let plan = plan(&switch, day);
    let phones = std::thread::spawn(move || load::run(&plan, &mut |_| {}).unwrap());
    let (talking, waiting) = (day.agents, day.callers - day.agents);
    until_status(&mut switch, |calls| calls["talking"] == talking && calls["waiting"] == waiting);
    let mut outages = Vec::new();
    for _ in 0..day.kills {
        let before = calls(&mut switch.admin);
        let killed = now();
        (day.how)(&mut switch);
        outages.push(killed.elapsed());
        let after = calls(&mut switch.admin);
        same_calls(&before, &after);
    }
    let report = phones.join().unwrap();
    eprintln!("from kill -9 to the next process at work: {outages:?}");
    switch.program().said().lines().filter(|line| line.contains("started in")).for_each(|line| {
        eprintln!("{line}");
    });
    eprintln!("{report}");
    everyone_was_served(&report, day);
    until_status(&mut switch, |calls| calls["live"] == 0);
    facts_have_no_gap(&switch.data().join("s"), day.kills);
    replays_the_same(&switch.data().join("journal"));
    let recordings = recordings(&switch.data().join("recordings"), day.callers);
    let records = switch.records();
    one_record_each(&records, day);
    recordings_are_whole(&records, &recordings);
    // Whoever talks or waits hears nothing for as long as nobody is there, and not much longer.
    let away = outages.iter().max().copied().unwrap_or_default();
    assert!(away < OUTAGE_MAX, "back after {outages:?}");
    let heard_nothing = (away + BACK_IN_HEARING).as_secs_f64() * 1_000.0;
    let (voice, music) = (&report.voice.voice_pause_ms, &report.voice.music_pause_ms);
    eprintln!(
        "{} of {} calls alive, {} refused; pauses in ms: voice p99 {:.0}, max {:.0}; music p99 \
         {:.0}, max {:.0}",
        records.len(),
        day.callers,
        report.calls.refused,
        voice.p99,
        voice.max,
        music.p99,
        music.max
    );
    assert!(voice.count >= u64::from(talking), "{voice:?}");
    assert!(voice.max < heard_nothing, "{voice:?}, away for {outages:?}");
    assert!(music.max < heard_nothing, "{music:?}, away for {outages:?}");
    Survived { report, recordings, outages }
}

fn agents(day: &Day) -> String {
    format!(
        "[[agent]]\nid = \"op{{1-{}}}\"\nskills = [\"operator\"]\nready = true\n\
         contact = \"sip:op{{}}@NET.3:5060\"\n",
        day.agents
    )
}

fn plan(switch: &Switch, day: &Day) -> Plan {
    let mut plan = Plan::new(switch.sip());
    (plan.callers, plan.agents, plan.seconds) = (day.callers, day.agents, day.seconds);
    plan.callers_at = switch.street.sip(CALLER);
    plan.agents_at = switch.street.sip(PHONE);
    plan.arrivals = load::Arrivals::Over(Duration::from_millis(u64::from(day.callers) * 20));
    plan.impatient_percent = 0;
    plan.caller_ends_percent = 50;
    (plan.manner.decline_percent, plan.manner.ignore_percent) = (0, 0);
    plan.manner.ring = Span::millis(50, 200);
    plan.manner.talk = day.talk;
    plan.rtp_from = day.rtp_from;
    plan
}

#[allow(clippy::disallowed_methods)] // A test of the real world lives in real time.
fn now() -> Instant {
    Instant::now()
}

fn until_status(switch: &mut Switch, is_so: impl Fn(&Value) -> bool) {
    let deadline = Deadline::after(Duration::from_secs(60));
    loop {
        let status = switch.status();
        if is_so(&status["calls"]) {
            return;
        }
        assert!(deadline.left().is_some(), "it never came to that: {status:#}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Live calls, by their ids.
fn calls(admin: &mut Admin) -> BTreeMap<String, Value> {
    let list = admin.ask("calls.list", json!({})).unwrap();
    let all = list.as_array().unwrap().iter();
    all.map(|call| (call["id"].as_str().unwrap().to_string(), call.clone())).collect()
}

/// Nobody is lost, nobody's place or clock has changed.
fn same_calls(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) {
    let ids = |calls: &BTreeMap<String, Value>| calls.keys().cloned().collect::<BTreeSet<_>>();
    let lost: Vec<_> = ids(before).difference(&ids(after)).cloned().collect();
    assert!(lost.is_empty(), "lost: {lost:?} of {}", before.len());
    for (id, then) in before {
        let now = &after[id];
        for key in ["state", "line", "caller", "queue", "agent", "arrived_at", "queued_at"] {
            assert_eq!(now[key], then[key], "{key} of {id}: {now:#}");
        }
        assert!(now["wait_ms"].as_u64() >= then["wait_ms"].as_u64(), "{id} waits anew");
        assert!(now["talk_ms"].as_u64() >= then["talk_ms"].as_u64(), "{id} talks anew");
    }
}

fn everyone_was_served(report: &Report, day: &Day) {
    let calls = &report.calls;
    let got = (calls.offered, calls.answered, calls.failed, calls.abandoned);
    assert_eq!(got, (u64::from(day.callers), u64::from(day.callers), 0, 0), "{report}");
}

/// Whoever subscribes from the beginning gets every fact once, over all processes.
fn facts_have_no_gap(socket: &Path, kills: u32) {
    let mut facts = support::facts::Facts::of(socket);
    facts.until_count("switch.restarted", kills as usize);
    facts.until_count("call.ended", 1);
    let seqs = facts.seqs();
    let expected: Vec<u64> = (1..=seqs.len() as u64).collect();
    assert_eq!(seqs, expected);
}

/// What the live switches wrote follows from what came in, again.
fn replays_the_same(journal: &Path) {
    let mut replay = std::process::Command::new(env!("CARGO_BIN_EXE_pukar"));
    let output = replay.arg("replay").arg(journal).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("the same both times"), "{text}");
    let compared = text.split_once("commanded and told in ").expect("what was compared").1;
    let batches: u64 = compared.split(' ').next().unwrap().parse().unwrap();
    assert!(batches > 50, "{text}");
    eprintln!("{text}");
}

/// The finished recordings under a folder, when there are so many; by day and name.
fn recordings(folder: &Path, count: u32) -> BTreeMap<String, Vec<u8>> {
    let deadline = Deadline::after(support::PATIENCE);
    loop {
        let days = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let files = days.flat_map(|day| std::fs::read_dir(day.path()).unwrap().flatten());
        let paths = files.map(|file| file.path());
        let paths: Vec<_> = paths.filter(|path| path.extension().unwrap() == "wav").collect();
        if paths.len() == count as usize {
            let name = |path: &Path| path.strip_prefix(folder).unwrap().display().to_string();
            return paths.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect();
        }
        assert!(deadline.left().is_some(), "{} recordings of {count}", paths.len());
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Every call has one recording, which is as long as its talk, whichever processes wrote it; and
/// but for the time when there was none, both sides are in it.
fn recordings_are_whole(records: &[Value], recordings: &BTreeMap<String, Vec<u8>>) {
    for record in records {
        let said = record["recording"].as_str().unwrap();
        // What is said behind it: from one process to the next a moment is missing.
        let sound = &recordings[said.split(';').next().unwrap()][wav::HEADER..];
        let (frames, talk) = (sound.len() / 2, record["talk_ms"].as_u64().unwrap());
        assert!((frames as u64 / 8).abs_diff(talk) <= 20, "{frames} frames: {record:#}");
        for side in 0..2 {
            let octets = sound.iter().skip(side).step_by(2);
            let heard = octets.filter(|octet| **octet != Law::A.silence()).count();
            assert!(heard * 10 > frames * 6, "{heard} of {frames}, side {side}: {record:#}");
        }
    }
}

fn one_record_each(records: &[Value], day: &Day) {
    let seqs: BTreeSet<u64> = records.iter().filter_map(|record| record["seq"].as_u64()).collect();
    assert_eq!(seqs, (1..=u64::from(day.callers)).collect(), "numbers of records");
    let callers: BTreeSet<&str> =
        records.iter().filter_map(|record| record["caller"].as_str()).collect();
    assert_eq!((records.len(), callers.len()), (day.callers as usize, day.callers as usize));
    let ended_by = |who: &str| records.iter().filter(|record| record["ended_by"] == who).count();
    assert_eq!(ended_by("caller") + ended_by("agent"), records.len(), "{records:#?}");
    assert!(ended_by("caller") > 0 && ended_by("agent") > 0, "BYE works from either side");
    for record in records {
        assert_eq!(record["outcome"], "answered", "{record:#}");
        assert!(record["talk_ms"].as_u64() >= Some(6_000), "{record:#}");
    }
}
