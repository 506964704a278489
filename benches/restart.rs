//! How long a switch is away that was killed while so many callers waited, and so many talked: from
//! the next start to its first answer, with every event since the first gone through again and every
//! media port open. And how long the core's thread stands still to copy what it knows, for the snapshot
//! at the turn of a segment.
//! Repeat with `ulimit -n 20000; cargo bench --bench restart`.
#![allow(clippy::disallowed_methods)]

mod street;

use pukar::core::Switch;
use pukar::core::journal::{self, Entries, Kind, Memory};
use std::path::Path;
use std::time::{Duration, Instant};
use street::{Street, field};

/// Callers whose answer is awaited at a time.
const AT_ONCE: usize = 50;
const PATIENCE: Duration = Duration::from_secs(20);

fn main() {
    println!(
        "{:<10} {:>10} {:>12} {:>12} {:>14}",
        "who wait", "who talk", "away", "copied in", "gone through"
    );
    for (waiting, talking) in [(1, 0), (100, 0), (1_000, 0), (4_000, 0), (250, 250), (0, 2_000)] {
        let mut street = Street::new("restart", talking.max(1));
        let running = street.start();
        wait_in_line(&mut street, waiting);
        talk(&mut street, talking);
        let is_whole = |running: &pukar::shell::Running| {
            let calls = running.status()["calls"].clone();
            assert_eq!(calls["live"].as_u64(), Some((waiting + talking) as u64), "{calls}");
            assert_eq!(calls["talking"].as_u64(), Some(talking as u64), "{calls}");
        };
        is_whole(&running);
        let journal = street.dir().join("journal");
        let died = street.dir().join("died");
        // As it lies there now is what a killed process leaves behind: an orderly end would write a
        // snapshot, and there would be nothing to go through.
        copy(&journal, &died);
        running.stop();
        running.finish();
        let octets = octets_in(&died) as f64 / f64::from(1 << 20);
        std::fs::remove_dir_all(&journal).expect("the journal");
        std::fs::rename(&died, &journal).expect("the journal");
        let began = Instant::now();
        let running = street.start();
        street.send(&street.options());
        while !street.receive(PATIENCE).expect("an answer").contains("OPTIONS") {}
        let away = began.elapsed();
        is_whole(&running);
        running.stop();
        running.finish();
        let copied = copied(&street.dir().join("journal")).as_micros();
        println!(
            "{waiting:<10} {talking:>10} {:>9} ms {copied:>9} us {octets:>10.1} MiB",
            away.as_millis()
        );
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten().filter(|e| e.path().is_file())
    {
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}

/// From the newest snapshot on.
fn octets_in(journal: &Path) -> u64 {
    let files = || std::fs::read_dir(journal).expect("a journal").flatten().map(|f| f.path());
    let ends = |path: &std::path::PathBuf, end: &str| path.extension().is_some_and(|e| e == end);
    let newest = files().filter(|path| ends(path, "snapshot")).max().expect("a snapshot");
    let after =
        files().filter(|path| ends(path, "events") && path.file_stem() >= newest.file_stem());
    after.filter_map(|path| path.metadata().ok()).map(|about| about.len()).sum()
}

/// The newest snapshot, remembered and copied again; the best of some.
fn copied(journal: &Path) -> Duration {
    let files = std::fs::read_dir(journal).expect("a journal").flatten().map(|file| file.path());
    let newest = files.filter(|path| path.extension().is_some_and(|end| end == "snapshot")).max();
    let newest = newest.expect("a snapshot");
    let number = newest.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).expect("a number");
    let bytes = std::fs::read(newest).expect("a snapshot");
    let found = Entries::new(&bytes, number).find(|(kind, _)| *kind == Kind::Memory);
    let memory: Memory = found.and_then(|(_, payload)| journal::read(payload)).expect("memory");
    let (now, mut best) = (memory.now, PATIENCE);
    let switch = Switch::remember(memory);
    for _ in 0..20 {
        let began = Instant::now();
        std::hint::black_box(switch.memory(now));
        best = best.min(began.elapsed());
    }
    best
}

/// Callers who are served at once: their agents answer in the moment they are rung.
fn talk(street: &mut Street, callers: usize) {
    let (mut asked, mut talking) = (0, 0);
    while talking < callers {
        while asked < callers && asked - talking < AT_ONCE {
            street.send(&street.invite(&format!("t{asked}"), "helpline"));
            asked += 1;
        }
        let message = street.receive(PATIENCE).expect("the switch goes on");
        let is_answer = message.starts_with("SIP/2.0 200");
        if is_answer && field(&message, "CSeq").ends_with("INVITE") {
            street.send(&street.ack(&message));
        } else if message.starts_with("INVITE") {
            street.send(&street.ok(&message));
        } else if message.starts_with("ACK") {
            talking += 1;
        }
    }
}

fn wait_in_line(street: &mut Street, callers: usize) {
    let (mut asked, mut answered) = (0, 0);
    while answered < callers {
        while asked < callers && asked - answered < AT_ONCE {
            street.send(&street.invite(&format!("w{asked}"), "waitline"));
            asked += 1;
        }
        let message = street.receive(PATIENCE).expect("the switch answers");
        if message.starts_with("SIP/2.0 200") && field(&message, "CSeq").ends_with("INVITE") {
            street.send(&street.ack(&message));
            answered += 1;
        }
    }
}
