//! How long a switch is away that stopped without a word while so many callers waited: from its
//! start to its first answer, with the journal gone through and every media port open again.
//! Repeat with `ulimit -n 20000; cargo bench --bench restart`.
#![allow(clippy::disallowed_methods)]

mod street;

use std::time::{Duration, Instant};
use street::{Street, field};

/// Callers whose answer is awaited at a time.
const AT_ONCE: usize = 50;
const PATIENCE: Duration = Duration::from_secs(20);

fn main() {
    println!("{:<20} {:>12}", "callers who wait", "away");
    for callers in [1, 100, 1_000, 4_000] {
        let mut street = Street::new("restart", 1);
        let running = street.start();
        wait_in_line(&mut street, callers);
        let live = || running.status()["calls"]["live"].as_u64();
        assert_eq!(live(), Some(callers as u64));
        running.stop();
        running.finish();
        let began = Instant::now();
        let running = street.start();
        street.send(&street.options());
        while !street.receive(PATIENCE).expect("an answer").contains("OPTIONS") {}
        let away = began.elapsed();
        assert_eq!(running.status()["calls"]["live"].as_u64(), Some(callers as u64));
        println!("{callers:<20} {:>9} ms", away.as_millis());
        running.stop();
        running.finish();
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
