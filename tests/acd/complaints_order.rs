//! What users of today's switches complain about: order, fairness and load, over every strategy.
//! Each test bears the number of its row.

use crate::acd_world::{World, agents, ms, offers, one_queue, queue, secs};
use pukar::acd::{AgentState, Effect, Fact, Join, Miss, Pick, Settings, Strategy, Verdict, Wish};
use pukar::base::{AgentId, CallId, Instant, Rng};
use std::collections::{BTreeMap, BTreeSet};
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

/// What a desk with five agents does in days of so many calls an hour, and whom it lost by their
/// impatience. The laws are checked again and again: nobody waits while anybody is free.
fn busy_days(days: u64, an_hour: u64, patience: Duration) -> (u64, u64) {
    let mut general = queue("general", Strategy::LongestIdle);
    (general.wrap_up, general.rest) = (secs(10), secs(1));
    let mut w = World::new(&one_queue(general, 5));
    let (q, ids, mut rng) = (w.q("general"), all_agents(&w), Rng::new(23));
    let (mut served, mut left) = (0, 0);
    let mut leaves: BTreeSet<(Instant, u64)> = BTreeSet::new();
    let mut ends: BTreeSet<(Instant, u64, AgentId)> = BTreeSet::new();
    let (end, mut next, mut call) = (w.now + secs(days * 24 * 3_600), w.now, 0);
    let mut moved = w.now;
    while w.now < end {
        // Looking at everything after everything takes most of the time.
        w.strict = call % 16 == 0;
        if next <= w.now {
            call += 1;
            w.join(call, q);
            leaves.insert((w.now + patience, call));
            next = next + ms(1 + rng.below(2 * 3_600_000 / an_hour));
        }
        for &agent in &ids {
            if let AgentState::Offered { call } = w.state(agent)
                && rng.chance(90)
            {
                assert!(w.answered(call.0, agent));
                (served, moved) = (served + 1, w.now);
                ends.insert((w.now + secs(60 + rng.below(240)), call.0, agent));
            }
        }
        while let Some(&(_, call, agent)) = ends.first().filter(|(at, ..)| *at <= w.now) {
            ends.pop_first();
            w.released(call, agent);
        }
        while let Some(&(_, call)) = leaves.first().filter(|(at, _)| *at <= w.now) {
            leaves.pop_first();
            if w.desk.position(w.now, CallId(call)).is_some() {
                w.leave(call);
                left += 1;
            }
        }
        // A talk and its notes are over in 310 s, and then it is somebody's turn.
        if w.desk.length(q) == 0 {
            moved = w.now;
        }
        assert!(w.now.since(moved) <= secs(330), "people wait, and nobody is served any more");
        w.pass(secs(3));
    }
    let waiting = w.desk.calls().filter(|call| w.desk.found(*call).is_none()).count() as u64;
    assert_eq!(served + left + waiting, call, "nobody is lost");
    (served, left)
}

#[test]
fn q23_three_days_at_twice_what_five_agents_can_do_and_the_desk_never_stands_still() {
    // 5 agents of 190 s a call are 94 calls an hour. Callers have patience for ten minutes.
    let (served, left) = busy_days(3, 190, secs(600));
    let hours = 3 * 24;
    assert!(served > hours * 85 && left > hours * 60, "{served} served, {left} left");
}

#[test]
#[ignore = "thirty days: cargo test --release --test acd -- --ignored"]
fn q25_thirty_days_of_five_to_twenty_calls_a_minute() {
    for a_minute in [5, 20] {
        let (served, _) = busy_days(30, 60 * a_minute, secs(120));
        assert!(served > 30 * 24 * 80, "{served}");
    }
}

#[test]
fn q25_a_day_of_five_to_twenty_calls_a_minute_on_five_agents() {
    for a_minute in [5, 20] {
        let (served, left) = busy_days(1, 60 * a_minute, secs(120));
        assert!(served > 24 * 80 && left > 0, "{served} served, {left} left");
    }
}
