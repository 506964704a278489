//! What the journal costs a queue call on the core's thread: its events as entries, a write for each
//! (the worst case: no two in one batch), the notes about it; against what the call costs inside
//! the core. And how fast a day of 20,000 calls is gone through again. Repeat with
//! `cargo bench --bench journal`.

mod harness;
mod queue_call;

use harness::cpu_ns;
use pukar::core::journal::{self, Entries, Header, Memory, Note};
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
    let (mut bytes, mut at) = (Vec::new(), 0);
    let before = cpu_ns();
    for (now, event) in &heard {
        bytes.clear();
        journal::put_batch(&mut bytes, 1, *now, std::slice::from_ref(event)).expect("an entry");
    }
    let encoded = cpu_ns() - before;
    let before = cpu_ns();
    for (now, event) in &heard {
        bytes.clear();
        journal::put_batch(&mut bytes, 1, *now, std::slice::from_ref(event)).expect("an entry");
        file.write_all_at(&bytes, at).expect("room on the disk");
        at += bytes.len() as u64;
    }
    let written = cpu_ns() - before;
    let events = heard.len() as f64;
    println!("an event as an entry        {:>9.2} us", us(encoded) / events);
    println!("and written                 {:>9.2} us", us(written) / events);
    println!("{:.0} octets a call", at as f64 / calls);

    let noted = notes(&memory, &heard, &file, &mut at);
    let each = us(written + noted) / calls;
    println!("notes about a call, written {:>9.2} us", us(noted) / calls);
    println!(
        "the journal                 {each:>9.2} us a call: {:.1} % of what it costs in the core",
        100.0 * each / (us(in_core) / calls)
    );
    let _ = std::fs::remove_file(path);
    replay(&memory, &heard);
}

/// What is noted for versions to come, as the journal's end in the loop does it.
fn notes(
    memory: &Memory,
    heard: &[(pukar::base::Now, pukar::core::Event)],
    file: &std::fs::File,
    at: &mut u64,
) -> u64 {
    let mut switch = remembered(memory);
    let (mut out, mut bytes, mut spent) = (Out::default(), Vec::new(), 0);
    for (now, event) in heard {
        out.commands.clear();
        out.facts.clear();
        switch.handle(*now, event.clone(), &mut out);
        let before = cpu_ns();
        bytes.clear();
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
                journal::put_note(&mut bytes, 1, &Note::Row(row.clone())).expect("a note");
            }
        }
        if !bytes.is_empty() {
            let numbers = Note::Numbers(switch.numbers(*now));
            journal::put_note(&mut bytes, 1, &numbers).expect("a note");
            file.write_all_at(&bytes, *at).expect("room on the disk");
            *at += bytes.len() as u64;
        }
        spent += cpu_ns() - before;
    }
    spent
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
