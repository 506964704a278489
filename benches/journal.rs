//! What the journal costs a queue call on the core's thread, as the loop has it: a write for each
//! event (the worst case: no two in one batch), on a disk to which another thread brings it; against
//! what the call costs inside the core. How long an event takes with it and without. And how fast a
//! day of 20,000 calls is gone through again. Repeat with `cargo bench --bench journal`.
#![allow(clippy::disallowed_methods)]

mod harness;
mod queue_call;

use harness::cpu_ns;
use pukar::core::journal::{self, Entries, Header, Maker, Memory, NoteRef};
use pukar::core::{Command, Out, Switch};
use pukar::shell::Journaled;
use queue_call::{SIDE_BY_SIDE, World};
use std::path::Path;
use std::time::Instant;

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

    let mut bytes = Vec::new();
    let before = cpu_ns();
    for (now, event) in &heard {
        bytes.clear();
        journal::put_batch(&mut bytes, 1, *now, std::slice::from_ref(event)).expect("an entry");
    }
    let encoded = cpu_ns() - before;
    println!("an event as an entry        {:>9.2} us", us(encoded) / heard.len() as f64);
    digest(&memory, &heard, calls);
    let (without, bare, _) = steps(&memory, &heard, None);
    // Beside what was built: a disk, where the folder for passing things may be none.
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}", std::process::id()));
    let (with, handled, spans) = steps(&memory, &heard, Some(&dir));
    let octets = octets_in(&dir) as f64 / calls;
    let _ = std::fs::remove_dir_all(&dir);
    let each = (us(with) - us(without)) / calls;
    println!(
        "the journal, on a disk      {each:>9.2} us a call, {:.2} us an event, {octets:.0} octets a \
         call: {:.1} % of what it costs in the core",
        each * calls / heard.len() as f64,
        100.0 * each / (us(in_core) / calls)
    );
    told("`handle` without a journal", bare);
    told("`handle` with the journal", handled);
    told("all, with the journal", spans);
    replay(&memory, &heard);
}

type Heard = [(pukar::base::Now, pukar::core::Event)];

/// Every event by itself, as the loop has it: written down, handled, what came of it written down,
/// while another thread brings it to the disk and the rest is looked after in between. The CPU of
/// all of it, and how long `handle`, and all, took by the clock.
fn steps(memory: &Memory, heard: &Heard, dir: Option<&Path>) -> (u64, Vec<u64>, Vec<u64>) {
    let (mut switch, mut out) = (remembered(memory), Out::default());
    let mut journaled = None;
    if let Some(dir) = dir {
        let begun = Journaled::begin(dir, remembered(memory), memory.now);
        journaled = Some(begun.expect("a journal"));
    }
    let (mut spent, mut turns) = (0, 0);
    let (mut handled, mut spans) = (Vec::with_capacity(heard.len()), Vec::new());
    for (now, event) in heard {
        out.commands.clear();
        out.facts.clear();
        let event = event.clone();
        let (before, began) = (cpu_ns(), Instant::now());
        match &mut journaled {
            Some(journaled) => {
                journaled.step(*now, vec![event], &mut out, |switch, event, out| {
                    let began = Instant::now();
                    switch.handle(*now, event, out);
                    handled.push(began.elapsed().as_nanos() as u64);
                });
                spans.push(began.elapsed().as_nanos() as u64);
                turns += usize::from(journaled.rest(*now));
            }
            None => {
                switch.handle(*now, event, &mut out);
                handled.push(began.elapsed().as_nanos() as u64);
            }
        }
        spent += cpu_ns() - before;
    }
    if journaled.is_some() {
        println!("segments turned over        {turns:>9}");
    }
    (spent, handled, spans)
}

fn octets_in(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).expect("a journal").flatten();
    let segments = files.filter(|file| file.path().extension().is_some_and(|e| e == "events"));
    segments.filter_map(|file| file.metadata().ok()).map(|about| about.len()).sum()
}

/// From an event to where what came of it may be done.
fn told(name: &str, mut spans: Vec<u64>) {
    spans.sort_unstable();
    let share = |of: f64| spans[(spans.len() as f64 * of) as usize] as f64 / 1000.0;
    println!(
        "{name:<26} median {:>6.2}  p99 {:>7.2}  p99.9 {:>7.2} us",
        share(0.5),
        share(0.99),
        share(0.999)
    );
}

/// What the digest of what came of a call costs, by itself.
fn digest(memory: &Memory, heard: &Heard, calls: f64) {
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

fn replay(memory: &Memory, heard: &Heard) {
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
