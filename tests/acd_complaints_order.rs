//! What users of today's switches complain about: order, fairness and load, over every strategy.
//! Each test bears the number of its row.

mod acd_world;

use acd_world::{World, agents, ms, offers, one_queue, queue, secs};
use pukar::acd::{AgentState, Effect, Fact, Join, Miss, Pick, Settings, Strategy, Verdict, Wish};
use pukar::base::{AgentId, CallId, Rng};
use std::collections::BTreeMap;
use std::time::Duration;

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.below(from.len() as u64) as usize]
}

fn all_agents(world: &World) -> Vec<AgentId> {
    world.desk.agents().map(|(id, _)| id).collect()
}

#[test]
fn q16_the_account_of_a_pick_shows_that_the_chosen_was_the_best() {
    for (_, strategy) in Strategy::ALL {
        let mut w = World::new(&one_queue(queue("general", strategy), 4));
        let (q, mut rng) = (w.q("general"), Rng::new(16));
        for call in 0..200 {
            w.join_with(call, q, Join { priority: rng.below(10) as u8, ..Join::default() });
            let op = pick(&mut rng, &all_agents(&w));
            match w.state(op) {
                AgentState::Offered { call } if rng.chance(50) => {
                    w.missed(call.0, op, Miss::Declined);
                }
                AgentState::Offered { call } => _ = w.answered(call.0, op),
                AgentState::Talking { call } => w.released(call.0, op),
                _ => _ = w.fire(),
            }
            let offered = w.offers();
            let picks = w.out.iter().filter_map(|effect| match effect {
                Effect::Fact(Fact::Picked(pick)) => Some(pick),
                _ => None,
            });
            let chosen = |pick: &Pick| {
                let chosen = pick.agents.iter().filter(|(_, v)| *v == Verdict::Chosen);
                chosen.map(|&(agent, _)| (pick.call.0, agent)).collect::<Vec<_>>()
            };
            let picks: Vec<_> = picks.inspect(|p| assert!(p.callers.is_empty(), "{p:?}")).collect();
            let told: Vec<_> = picks.iter().flat_map(|pick| chosen(pick)).collect();
            assert_eq!(told, offered, "each offer has its account");
        }
    }
}

#[test]
fn q18_a_callback_stands_where_the_caller_stood_and_not_before_everybody() {
    let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 1));
    let q = w.q("general");
    w.pause(w.a("op0"));
    w.join(1, q);
    w.pass(secs(60));
    let asked = w.now;
    w.pass(secs(60));
    w.join(2, q);
    w.join_from(3, q, asked);
    assert!(w.desk.line(q).eq([1, 3, 2].map(CallId)));
}

#[test]
fn q20_no_move_and_no_claim_changes_the_arrival() {
    let mut w = World::new(&Settings {
        queues: vec![queue("a", Strategy::LongestIdle), queue("b", Strategy::Ordered)],
        agents: Vec::new(),
    });
    let (queues, arrived) = ([w.q("a"), w.q("b")], w.now);
    w.join(1, queues[0]);
    for round in 1..10 {
        w.pass(secs(30));
        w.join_from(1, queues[round % 2], w.now);
        assert_eq!(w.desk.arrived(CallId(1)), Some(arrived));
    }
    w.join_from(2, queues[0], w.now + secs(5));
    assert_eq!(w.desk.arrived(CallId(2)), Some(w.now), "nobody arrives in the future");
}

#[test]
fn q21_no_order_of_the_agents_and_no_strategy_halts_the_queue() {
    for (_, strategy) in Strategy::ALL {
        for silent in 0..4 {
            let mut settings = one_queue(queue("general", strategy), 4);
            settings.agents.rotate_left(silent);
            let mut w = World::new(&settings);
            let (q, silent) = (w.q("general"), w.a("op0"));
            w.join(1, q);
            let mut rounds = 0;
            // One phone rings and is never answered; whoever else is rung takes the call.
            loop {
                let awake = all_agents(&w).into_iter().find(|&agent| {
                    agent != silent && w.state(agent) == AgentState::Offered { call: CallId(1) }
                });
                if let Some(agent) = awake {
                    assert!(w.answered(1, agent));
                    break;
                }
                w.fire().unwrap();
                rounds += 1;
                assert!(rounds < 4, "{strategy:?} rings {silent:?} for ever");
            }
        }
    }
}

#[test]
fn q22_no_strategy_keeps_ringing_one_agent_while_others_are_free() {
    for (_, strategy) in Strategy::ALL {
        let mut w = World::new(&one_queue(queue("general", strategy), 3));
        w.join(1, w.q("general"));
        let mut rung: BTreeMap<AgentId, u32> = BTreeMap::new();
        let mut out = w.out.clone();
        out.extend(w.pass(secs(20 * 30)));
        for (_, agent) in offers(&out) {
            *rung.entry(agent).or_default() += 1;
        }
        let (least, most) = (rung.values().min().unwrap(), rung.values().max().unwrap());
        assert!(rung.len() == 3 && most - least <= 1, "{strategy:?}: {rung:?}");
    }
}

#[test]
fn q24_a_storm_over_agents_shared_by_ten_queues_locks_nothing_up() {
    let strategies = Strategy::ALL.map(|(_, strategy)| strategy);
    let queues = (0..10).map(|i| {
        let mut queue = queue(&format!("q{i}"), strategies[i % 7]);
        queue.weight = (i % 3) as u32;
        queue.sticky = secs(5);
        queue
    });
    let mut w = World::new(&Settings { queues: queues.collect(), agents: agents(8) });
    let (queues, ids): (Vec<_>, _) = (w.desk.queues().collect(), all_agents(&w));
    let mut rng = Rng::new(24);
    for call in 0..2_000 {
        let caller = Some(format!("+91{}", rng.below(50)));
        w.join_with(call, pick(&mut rng, &queues), Join { caller, ..Join::default() });
        let op = pick(&mut rng, &ids);
        match rng.below(6) {
            0 => w.pause(op),
            1 => w.wish(op, Wish::LogOut).unwrap(),
            2 => w.reachable(op, rng.chance(50)),
            _ => w.ready(op),
        }
        let talks = w.state(op);
        if let AgentState::Offered { call } = talks {
            assert!(w.answered(call.0, op));
        } else if let AgentState::Talking { call } = talks {
            w.released(call.0, op);
        }
        w.pass(ms(rng.below(500)));
    }
    // When the storm is over, everybody is served.
    for &op in &ids {
        w.ready(op);
    }
    for _ in 0..2_000 {
        for &op in &ids {
            match w.state(op) {
                AgentState::Offered { call } => _ = w.answered(call.0, op),
                AgentState::Talking { call } => w.released(call.0, op),
                AgentState::WrapUp { .. } => w.wish(op, Wish::EndWrapUp).unwrap(),
                _ => {}
            }
        }
        w.pass(ms(100));
    }
    assert_eq!(queues.iter().map(|&queue| w.desk.length(queue)).sum::<usize>(), 0);
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the one value that the call writes.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn q28_a_state_change_costs_the_same_whether_ten_agents_or_ten_thousand() {
    let cost = |n: usize| {
        let mut w = World::new(&one_queue(queue("general", Strategy::FewestCalls), n));
        w.strict = false;
        let ids = all_agents(&w);
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let start = cpu();
            for flip in 0..2_000 {
                let op = ids[flip * 7 % n];
                w.pause(op);
                w.ready(op);
            }
            best = best.min(cpu() - start);
        }
        best
    };
    let (few, many) = (cost(10), cost(10_000));
    assert!(many < few * 10, "{few:?} with ten agents, {many:?} with ten thousand");
}
