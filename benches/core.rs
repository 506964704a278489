//! What a whole queue call costs inside the core: a carrier's INVITE, the answer, the place in line,
//! the longest-idle agent's INVITE, 180, 200, ACK, the talk, BYE both ways, the figures of both
//! media ports, the record, and every timer until nothing of the call is left. Only `handle` is
//! measured; the phones around it cost nothing. Repeat with `cargo bench --bench core`.

mod harness;
mod queue_call;

use queue_call::{SIDE_BY_SIDE, STEPS, World};

const ROUNDS: usize = 60;

fn main() {
    let mut world = World::new();
    let mut steps: Vec<Vec<f64>> = vec![Vec::new(); STEPS.len()];
    let mut totals = Vec::new();
    for round in 0..ROUNDS {
        let spent = world.round(round);
        if round < ROUNDS / 10 {
            continue;
        }
        let each = spent.map(|ns| ns as f64 / SIDE_BY_SIDE as f64 / 1000.0);
        totals.push(each.iter().sum::<f64>());
        steps.iter_mut().zip(each).for_each(|(all, us)| all.push(us));
    }
    assert_eq!(world.records, SIDE_BY_SIDE * ROUNDS, "a record for every call");
    println!("a whole queue call inside the core: CPU microseconds, {SIDE_BY_SIDE} at a time");
    println!("{:<44} {:>9} {:>9}", "", "median", "fastest");
    for (name, mut us) in STEPS.into_iter().zip(steps) {
        line(name, &mut us);
    }
    line("the whole call", &mut totals);
    println!(
        "{} messages, {} facts a call",
        world.messages / world.records,
        world.facts / world.records
    );
}

fn line(name: &str, us: &mut [f64]) {
    us.sort_by(f64::total_cmp);
    println!("{name:<44} {:>9.1} {:>9.1}", us[us.len() / 2], us[0]);
}
