//! Whole days of calls under virtual time. Every law is checked after every event; a failing seed
//! is a bug report: `SEED=17 cargo test --test simulation one_seed -- --nocapture`, and
//! `SIM_TRACE=1` before it prints all that was said. `SEEDS=20000` lives that many days instead of
//! a thousand.

use pukar::base::Rng;
use pukar::sim::{Plan, World};

const SEEDS: u64 = 1_000;

#[test]
fn a_calm_day_answers_everyone() {
    for seed in 1..=20 {
        let verdict = World::run(seed, Plan::calm()).unwrap();
        assert_eq!(verdict.arrived, 30, "seed {seed}: {verdict:?}");
        assert_eq!(verdict.answered + verdict.abandoned, 30, "seed {seed}: {verdict:?}");
    }
}

#[test]
fn a_thousand_rude_days_lose_nobody() {
    let workers = std::thread::available_parallelism().map_or(2, |n| n.get()) as u64;
    let wanted = std::env::var("SEEDS").ok().and_then(|number| number.parse().ok());
    let seeds: u64 = wanted.unwrap_or(SEEDS);
    let days: Vec<_> = std::thread::scope(|scope| {
        let run = |worker| move || (1 + worker..=seeds).step_by(workers as usize);
        let threads: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || run(worker)().map(rude).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let kills: u64 = days.iter().flatten().map(|day| day.kills).sum();
    let failures: Vec<String> = days.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{} seeds fail:\n{}", failures.len(), failures[..].join("\n"));
    assert!(kills >= seeds, "the process died {kills} times in {seeds} days");
    eprintln!("{seeds} days, {kills} kills: nobody lost, nothing twice");
}

#[test]
fn the_same_seed_is_the_same_day() {
    let day = |seed| rude(seed).unwrap();
    assert_eq!(day(7), day(7));
    assert_ne!(day(7).digest, day(8).digest);
}

#[test]
fn one_seed() {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        let run = match std::env::var_os("SIM_TRACE") {
            Some(_) => World::run_traced,
            None => World::run,
        };
        eprintln!("{:#?}", run(seed, plan(seed)));
    }
}

/// A day proves nothing about what it does not hold: among a few of them there is everything.
#[test]
fn random_days_turn_some_away_and_promise_others_a_call() {
    let days: Vec<_> = (1..=60).map(|seed| rude(seed).unwrap()).collect();
    let sum = |of: fn(&pukar::sim::Verdict) -> u64| days.iter().map(of).sum::<u64>();
    let found = (sum(|day| day.answered), sum(|day| day.refused), sum(|day| day.called_back));
    assert!(found.0 > 300 && found.1 > 20 && found.2 > 20, "{found:?}");
    // Agents at home key in codes; centres give back whom they have answered; ways lead on.
    let (pins, wrong) = (sum(|day| day.seen.pins), sum(|day| day.seen.wrong_pins));
    let (back, on) = (sum(|day| day.seen.given_back), sum(|day| day.seen.led_on));
    assert!([pins, wrong, back, on].iter().all(|times| *times > 2), "{pins} {wrong} {back} {on}");
    // Callers seal their sound, and agents too where it has to be; some have no keys for that.
    let (callers, agents) = (sum(|day| day.seen.sealed[0]), sum(|day| day.seen.sealed[1]));
    let keyless = sum(|day| day.seen.keyless);
    assert!([callers, agents, keyless].iter().all(|n| *n > 10), "{callers} {agents} {keyless}");
    let strategies = (1..=60).map(|seed| format!("{:?}", plan(seed).strategy));
    assert_eq!(strategies.collect::<std::collections::BTreeSet<_>>().len(), 7);
}

fn rude(seed: u64) -> Result<pukar::sim::Verdict, String> {
    World::run(seed, plan(seed))
}

fn plan(seed: u64) -> Plan {
    Plan::rude(&mut Rng::new(seed ^ 0x9e37_79b9_7f4a_7c15))
}
