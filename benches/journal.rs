//! What the journal costs a queue call on the core's thread: its events as entries, the notes about
//! it, a write for each event (the worst case: no two in one batch); against what the call costs
//! inside the core. And how fast a day of 20,000 calls is gone through again. Repeat with
//! `cargo bench --bench journal`.

mod harness;
mod queue_call;

use harness::cpu_ns;
use pukar::core::journal::{self, Entries, Header, Maker, Memory, NoteRef};
use pukar::core::{Command, Out, Switch, What};
use queue_call::{SIDE_BY_SIDE, World};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

const ROUNDS: usize = 200;

fn main() {
    let mut world = World::new();
    // The first rounds warm up.
    for round in 0..10 {
        world.round(round);
    }
    world.heard = Some(Vec::new());
    let memory = world.switch.memory(world.now);
    let in_core: u64 = (10..10 + ROUNDS).map(|round| world.round(round).iter().sum::<u64>()).sum();
    let heard = world.heard.take().unwrap_or_default();
    let calls = (SIDE_BY_SIDE * ROUNDS) as f64;
    let us = |ns: u64| ns as f64 / 1000.0;
    println!("{calls} queue calls, {} events", heard.len());
    println!("inside the core             {:>9.2} us a call", us(in_core) / calls);

    let path = std::env::temp_dir().join(format!("pukar-bench-{}", std::process::id()));
    let mut options = OpenOptions::new();
    let file = options.create(true).write(true).truncate(true).open(&path).expect("a file");
    let mut bytes = Vec::new();
    let before = cpu_ns();
    for (now, event) in &heard {
        bytes.clear();
        journal::put_batch(&mut bytes, 1, *now, std::slice::from_ref(event)).expect("an entry");
    }
    let encoded = cpu_ns() - before;
    println!("an event as an entry        {:>9.2} us", us(encoded) / heard.len() as f64);
    let (noted, _) = written(&memory, &heard, None);
    let (all, octets) = written(&memory, &heard, Some(&file));
    let each = us(all) / calls;
    println!("events and notes of a call  {:>9.2} us", us(noted) / calls);
    println!("{:.0} octets a call", octets as f64 / calls);
    println!(
        "the journal, written        {each:>9.2} us a call: {:.1} % of what it costs in the core",
        100.0 * each / (us(in_core) / calls)
    );
    digest(&memory, &heard, calls);
    handled(&memory, &heard, &file);
    let _ = std::fs::remove_file(path);
    replay(&memory, &heard);
}

/// As the journal's end in the loop does it: what came in, what is noted for versions to come, and
/// the digest of what came of it, in one write before anything is done. What that cost, and how
/// long it is.
fn written(
    memory: &Memory,
    heard: &[(pukar::base::Now, pukar::core::Event)],
    file: Option<&std::fs::File>,
) -> (u64, u64) {
    let (mut switch, mut maker) = (remembered(memory), Maker::default());
    let (mut out, mut bytes, mut spent, mut at) = (Out::default(), Vec::new(), 0, 0);
    for (now, event) in heard {
        out.commands.clear();
        out.facts.clear();
        bytes.clear();
        let before = cpu_ns();
        journal::put_batch(&mut bytes, 1, *now, std::slice::from_ref(event)).expect("an entry");
        spent += cpu_ns() - before;
        switch.handle(*now, event.clone(), &mut out);
        let before = cpu_ns();
        let events = bytes.len();
        for fact in &out.facts {
            use pukar::call::Fact::{Arrived, Connected, Ended};
            if let What::Call(Arrived { call, .. } | Connected { call, .. } | Ended { call, .. }) =
                &fact.what
                && let Some(note) = switch.draft(*call)
            {
                journal::put_note(&mut bytes, 1, &note).expect("a note");
            }
        }
        for command in &out.commands {
            if let Command::Store(row) = command {
                journal::put_note(&mut bytes, 1, &NoteRef::Row(row)).expect("a note");
            }
        }
        let noted = bytes.len() > events;
        maker.follow(&out.commands, &out.facts);
        let made = NoteRef::Made(maker.take());
        journal::put_note(&mut bytes, 1, &made).expect("a note");
        if noted {
            let numbers = NoteRef::Numbers(switch.numbers(*now));
            journal::put_note(&mut bytes, 1, &numbers).expect("a note");
        }
        if let Some(file) = file {
            file.write_all_at(&bytes, at).expect("room on the disk");
        }
        at += bytes.len() as u64;
        spent += cpu_ns() - before;
    }
    (spent, at)
}

/// What the digest of what came of a call costs, by itself.
fn digest(memory: &Memory, heard: &[(pukar::base::Now, pukar::core::Event)], calls: f64) {
    let (mut switch, mut maker, mut spent) = (remembered(memory), Maker::default(), 0);
    let mut bytes = Vec::new();
    for (now, event) in heard {
        let mut out = Out::default();
        switch.handle(*now, event.clone(), &mut out);
        bytes.clear();
        let before = cpu_ns();
        maker.follow(&out.commands, &out.facts);
        let made = NoteRef::Made(maker.take());
        journal::put_note(&mut bytes, 1, &made).expect("a note");
        spent += cpu_ns() - before;
    }
    println!("of that the digests         {:>9.2} us a call", spent as f64 / 1000.0 / calls);
}

/// Whether an event is handled as fast where a journal is written between one and the next.
fn handled(
    memory: &Memory,
    heard: &[(pukar::base::Now, pukar::core::Event)],
    file: &std::fs::File,
) {
    for (name, journalled) in [("without a journal", false), ("with a journal", true)] {
        let (mut switch, mut maker) = (remembered(memory), Maker::default());
        let (mut out, mut bytes, mut at) = (Out::default(), Vec::new(), 0);
        let mut spans = Vec::with_capacity(heard.len());
        for (now, event) in heard {
            out.commands.clear();
            out.facts.clear();
            bytes.clear();
            if journalled {
                let batch = std::slice::from_ref(event);
                journal::put_batch(&mut bytes, 1, *now, batch).expect("an entry");
            }
            let event = event.clone();
            let before = cpu_ns();
            switch.handle(*now, event, &mut out);
            spans.push(cpu_ns() - before);
            if journalled {
                maker.follow(&out.commands, &out.facts);
                let made = NoteRef::Made(maker.take());
                journal::put_note(&mut bytes, 1, &made).expect("a note");
                file.write_all_at(&bytes, at).expect("room on the disk");
                at += bytes.len() as u64;
            }
        }
        spans.sort_unstable();
        let share = |of: f64| spans[(spans.len() as f64 * of) as usize] as f64 / 1000.0;
        println!(
            "`handle` {name:<18} median {:>6.2}  p99 {:>7.2}  p99.9 {:>7.2} us",
            share(0.5),
            share(0.99),
            share(0.999)
        );
    }
}

fn replay(memory: &Memory, heard: &[(pukar::base::Now, pukar::core::Event)]) {
    let mut file = Header::new(1, true).encode().to_vec();
    for (now, event) in heard {
        journal::put_batch(&mut file, 1, *now, std::slice::from_ref(event)).expect("an entry");
    }
    let before = cpu_ns();
    let mut switch = remembered(memory);
    let (mut out, mut rows) = (Out::default(), 0);
    for (_, payload) in Entries::new(&file, 1) {
        let (now, batch) = journal::read_batch(payload).expect("an entry");
        for event in batch {
            switch.handle(now, event, &mut out);
        }
        rows += out.commands.iter().filter(|c| matches!(c, Command::Store(_))).count();
        out.commands.clear();
        out.facts.clear();
    }
    let seconds = (cpu_ns() - before) as f64 / 1e9;
    println!("gone through again in       {seconds:>9.2} s, with {rows} rows");
}

fn remembered(memory: &Memory) -> Switch {
    let mut bytes = Header::new(1, false).encode().to_vec();
    journal::put_memory(&mut bytes, 1, memory).expect("memory");
    let (_, payload) = Entries::new(&bytes, 1).next().expect("an entry");
    Switch::remember(journal::read(payload).expect("memory"))
}
