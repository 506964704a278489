//! Random histories, run by the desk and by a deliberately naive model of it side by side: plain
//! lists, searched from end to end for every decision. After each input both must have asked for
//! the same, told the same, be in the same states and wait for the same next timer.

mod acd_naive;
mod acd_world;

use acd_naive::Model;
use acd_world::{World, agent, ms, queue};
use pukar::acd::{Desk, Effect, Fact, Miss, Settings, Strategy, Wish};
use pukar::base::{AgentId, CallId, Instant, QueueId, Rng, Timer};

const HISTORIES: u64 = 10_000;
const STEPS: u64 = 30;

#[test]
fn longest_idle_is_equal_to_the_naive_model() {
    run(0, &[Strategy::LongestIdle]);
}

#[test]
fn ring_all_and_both_mixed_are_equal_to_the_naive_model() {
    run(1 << 32, &[Strategy::RingAll, Strategy::RingAll, Strategy::LongestIdle]);
}

fn run(first_seed: u64, strategies: &[Strategy]) {
    for seed in first_seed..first_seed + HISTORIES {
        let result = std::panic::catch_unwind(|| history(seed, strategies));
        assert!(result.is_ok(), "seed {seed}");
    }
}

fn history(seed: u64, strategies: &[Strategy]) {
    let mut rng = Rng::new(seed);
    let mut settings = Settings::default();
    for i in 0..1 + rng.below(3) {
        settings.queues.push(random_queue(&mut rng, i, strategies));
    }
    for i in 0..1 + rng.below(5) {
        settings.agents.push(random_agent(&mut rng, i));
    }
    let mut world = World::new(&settings);
    let mut model = Model::new();
    model.reload(world.now, &settings, &world.desk);
    compare(&world, &mut model);
    for _ in 0..STEPS {
        step(&mut rng, &mut world, &mut model, &mut settings, strategies);
        compare(&world, &mut model);
        if rng.below(100) == 0 {
            let text = serde_json::to_string(&world.desk).unwrap();
            let restored: Desk = serde_json::from_str(&text).unwrap();
            assert_eq!(restored, world.desk);
            world.desk = restored;
        }
    }
}

fn random_skills(rng: &mut Rng, percent: u64) -> Vec<String> {
    let all = ["hindi", "health"];
    all.iter().filter(|_| rng.chance(percent)).map(|s| s.to_string()).collect()
}

fn random_queue(rng: &mut Rng, i: u64, strategies: &[Strategy]) -> pukar::acd::QueueSettings {
    let strategy = strategies[rng.below(strategies.len() as u64) as usize];
    let mut queue = queue(&format!("q{i}"), strategy);
    queue.skills = random_skills(rng, 30);
    queue.weight = rng.below(3) as u32;
    queue.ring_for = ms(1_000 + 500 * rng.below(3));
    queue.max_wait = ms(2_500 * rng.below(3));
    queue.wrap_up = ms(500 * rng.below(4));
    queue.pause_after = rng.below(4) as u32;
    queue.rest = ms(300 * rng.below(3));
    queue
}

fn random_agent(rng: &mut Rng, i: u64) -> pukar::acd::AgentSettings {
    let mut agent = agent(&format!("op{i}"), &[]);
    agent.skills = random_skills(rng, 70);
    agent.ready = rng.chance(80);
    agent.fixed = rng.chance(70);
    agent
}

/// One random input to both.
fn step(
    rng: &mut Rng,
    world: &mut World,
    model: &mut Model,
    settings: &mut Settings,
    strategies: &[Strategy],
) {
    world.out.clear();
    world.now = world.now + ms(rng.below(3) * rng.below(200));
    let now = world.now;
    let agent = pick_agent(rng, world);
    let call = rng.below(8);
    match rng.below(100) {
        0..=24 => {
            let queue = QueueId(rng.below(4));
            let arrived = Instant(now.0 - rng.below(3) * 200_000);
            world.join_from(call, queue, arrived);
            model.join(now, CallId(call), queue, arrived);
        }
        25..=32 => {
            world.leave(call);
            model.leave(now, CallId(call));
        }
        33..=61 => phone(rng, world, model, agent, call),
        62..=73 => {
            let wish = match rng.below(6) {
                0..=2 => Wish::Ready,
                3 => Wish::Pause { reason: "tea".into() },
                4 => Wish::LogOut,
                _ => Wish::EndWrapUp,
            };
            let granted = world.wish(agent, wish.clone()).is_ok();
            assert_eq!(granted, model.wish(now, agent, wish));
        }
        74..=79 => {
            let there = rng.chance(60);
            world.reachable(agent, there);
            model.reachable(now, agent, there);
        }
        80..=95 => {
            if let Some(timer) = world.fire() {
                model.expire(world.now, timer);
            }
        }
        96 => {
            let timer = match rng.below(4) {
                0 => Timer::WrapUp(agent),
                1 => Timer::Rest(agent),
                2 => Timer::RingTimeout(CallId(call), agent),
                _ => Timer::MaxWait(CallId(call)),
            };
            world.expire(timer);
            model.expire(now, timer);
        }
        _ => {
            change(rng, settings, strategies);
            world.reload(settings);
            model.reload(now, settings, &world.desk);
        }
    }
}

fn pick_agent(rng: &mut Rng, world: &World) -> AgentId {
    let known: Vec<AgentId> = world.desk.agents().map(|(id, _)| id).collect();
    match known.is_empty() || rng.chance(5) {
        true => AgentId(rng.below(8)),
        false => known[rng.below(known.len() as u64) as usize],
    }
}

/// Something a phone did: mostly about the call it really has, sometimes about any.
fn phone(rng: &mut Rng, world: &mut World, model: &mut Model, agent: AgentId, call: u64) {
    let call = match model.call_of(agent) {
        Some(own) if rng.chance(85) => own.0,
        _ => call,
    };
    let now = world.now;
    match rng.below(10) {
        0..=3 => {
            let taken = world.answered(call, agent);
            assert_eq!(taken, model.answered(now, CallId(call), agent));
        }
        4..=6 => {
            let miss = [Miss::NoAnswer, Miss::Declined, Miss::Unreachable][rng.below(3) as usize];
            world.missed(call, agent, miss);
            model.missed(now, CallId(call), agent, miss);
        }
        _ => {
            world.released(call, agent);
            model.released(now, CallId(call), agent);
        }
    }
}

fn change(rng: &mut Rng, settings: &mut Settings, strategies: &[Strategy]) {
    let i = rng.below(4);
    match rng.below(4) {
        0 => {
            settings.queues.retain(|queue| queue.name != format!("q{i}"));
            if rng.chance(60) {
                settings.queues.push(random_queue(rng, i, strategies));
            }
        }
        1 | 2 => {
            settings.agents.retain(|agent| agent.id != format!("op{i}"));
            if rng.chance(60) {
                settings.agents.push(random_agent(rng, i));
            }
        }
        _ => {
            settings.queues.reverse();
            settings.agents.reverse();
        }
    }
}

/// The desk checks its own laws in `World`; here it is held against the model.
fn compare(world: &World, model: &mut Model) {
    let mut expected = std::mem::take(&mut model.out);
    for effect in world.out.iter().filter(|e| !matches!(e, Effect::Fact(Fact::Agent { .. }))) {
        let found = expected.iter().position(|other| other == effect);
        let found = found.unwrap_or_else(|| panic!("only the desk: {effect:?} of {:?}", world.out));
        expected.swap_remove(found);
    }
    assert!(expected.is_empty(), "only the model: {expected:?}, the desk: {:?}", world.out);
    assert_eq!(world.desk.agents().count(), model.agents.len());
    for agent in &model.agents {
        assert_eq!(*world.desk.state(agent.id).unwrap(), agent.state(), "{:?}", agent.id);
    }
    for (queue, _) in &model.queues {
        assert!(world.desk.line(*queue).eq(model.line(*queue)), "{queue:?}");
    }
    let timers = model.timers();
    assert_eq!(world.timers.next(), timers.iter().min().copied());
    assert_eq!(world.timers.len(), timers.len());
}
