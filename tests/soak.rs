//! Complaint Q44: nothing grows with the number of calls that are over. The whole core is driven
//! with calls, one day after the other; what it remembers of them when all is forgotten, and what
//! the process takes, must be what it was in the beginning. And Q23: no event of them is a stall.

#[path = "../benches/harness.rs"]
mod harness;
#[path = "../benches/queue_call/mod.rs"]
mod queue_call;

use pukar::base::Wall;
use queue_call::{SIDE_BY_SIDE, World};
use std::time::Duration;

/// Calls of one day.
const A_DAY: usize = 20_000;
/// Octets by which times and numbers that count may become longer: 500 agents have some each, and a
/// day's are shorter than a month's. An octet a call would be seen.
const LONGER: usize = 6_000;
/// Who wait at once at the end of a day.
const CROWD: usize = 1_000;

/// What a journal's snapshot would hold: everything that the core knows.
fn memory(world: &World) -> usize {
    postcard::to_stdvec(&world.switch.memory(world.now)).unwrap().len()
}

/// Octets of this process that are in memory.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// This many of `a_day`'s rounds of calls, spread over its hours.
fn calls(world: &mut World, rounds: std::ops::Range<usize>, a_day: usize) {
    let pause = Duration::from_secs(86_400) / (a_day as u32);
    for round in rounds {
        world.round(round);
        world.now.instant = world.now.instant + pause;
        world.now.wall = Wall(world.now.wall.0 + pause.as_micros() as i64);
    }
}

fn soak(days: usize, a_day: usize) -> (u64, usize) {
    let mut world = World::new();
    calls(&mut world, 0..a_day, a_day);
    let (before, resident_before) = (memory(&world), resident());
    calls(&mut world, a_day..days * a_day, a_day);
    assert_eq!(world.records, days * a_day * SIDE_BY_SIDE, "a record for every call");
    let after = memory(&world);
    assert!(after <= before + LONGER, "the core remembers {after} octets, and {before} before");
    (resident().saturating_sub(resident_before), after)
}

#[test]
fn q44_what_the_core_remembers_does_not_grow_with_the_calls_that_are_over() {
    soak(10, 7);
}

#[test]
fn q23_no_event_of_three_days_with_a_crowd_in_line_each_takes_a_second() {
    let mut world = World::new();
    world.longest = Some(0);
    for day in 0..3 {
        calls(&mut world, day * 7..day * 7 + 7, 7);
        world.crowd(day, CROWD);
    }
    assert_eq!(world.records, 3 * (7 * SIDE_BY_SIDE + CROWD), "a record for every call");
    // The clock of the thread: a busy machine takes none of it.
    let longest = Duration::from_nanos(world.longest.unwrap());
    println!("the longest of {} messages took {longest:?}", world.messages);
    assert!(longest < Duration::from_secs(1), "{longest:?}");
}

/// The full size, with the memory of the process.
#[test]
#[ignore = "600,000 calls: cargo test --release --test soak -- --ignored --nocapture"]
fn q44_thirty_days_of_twenty_thousand_calls_take_no_more_memory_than_one() {
    let (grown, memory) = soak(30, A_DAY / SIDE_BY_SIDE);
    println!("30 days: the core remembers {memory} octets; the process grew by {grown}");
    assert!(grown < 4 << 20, "the process grew by {grown} octets");
}
