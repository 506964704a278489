//! What users of today's switches complain about, as far as it concerns the queue engine. Each
//! test bears the number of its row.

use crate::acd_world::{World, agent, agents, ms, offers, one_queue, queue, secs};
use pukar::acd::{AgentState, Effect, Miss, QueueSettings, Settings, Stage, Strategy, Wish};
use pukar::base::{AgentId, CallId, Instant, Rng, Timer};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.below(from.len() as u64) as usize]
}

fn ringing(world: &World) -> usize {
    let rung = |state: &AgentState| matches!(state, AgentState::Offered { .. });
    world.desk.agents().filter(|(_, state)| rung(state)).count()
}

fn all_agents(world: &World) -> Vec<AgentId> {
    world.desk.agents().map(|(id, _)| id).collect()
}

#[test]
fn q3_two_answers_at_once_leave_nobody_reserved() {
    let mut settings = one_queue(queue("general", Strategy::RingAll), 50);
    settings.queues[0].wrap_up = Duration::ZERO;
    let mut w = World::new(&settings);
    w.strict = false;
    let (q, mut rng) = (w.q("general"), Rng::new(3));
    for call in 0..10_000 {
        w.join(call, q);
        let rung: Vec<AgentId> = w.offers().into_iter().map(|(_, agent)| agent).collect();
        assert_eq!(rung.len(), 50);
        let (first, second) = (pick(&mut rng, &rung), pick(&mut rng, &rung));
        assert!(w.answered(call, first));
        w.now = w.now + ms(rng.below(5));
        assert_eq!(w.answered(call, second), first == second);
        w.released(call, first);
        assert_eq!(ringing(&w), 0, "round {call}");
        assert_eq!(w.desk.free(q), 50, "round {call}");
    }
    w.desk.check().unwrap();
    assert!(w.timers.is_empty());
}

#[test]
fn q4_what_the_queue_shows_is_what_there_is() {
    let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 3));
    let (q, mut rng, mut here) = (w.q("general"), Rng::new(4), BTreeSet::new());
    for call in 0..2_000 {
        w.join(call, q);
        here.insert(CallId(call));
        for _ in 0..rng.below(3) {
            let all: Vec<CallId> = here.iter().copied().collect();
            let gone = if all.is_empty() { continue } else { pick(&mut rng, &all) };
            if let Some(Stage::Offered(agents)) = w.desk.stage(gone).cloned() {
                w.answered(gone.0, *agents.first().unwrap());
            }
            w.leave(gone.0);
            here.remove(&gone);
        }
        w.pass(secs(1));
        assert!(w.desk.calls().eq(here.iter().copied()));
    }
}

#[test]
fn q7_an_answer_that_comes_to_nothing_costs_the_caller_no_round() {
    let mut settings = one_queue(queue("general", Strategy::RingAll), 5);
    settings.queues[0].max_wait = secs(30);
    let mut w = World::new(&settings);
    let (q, op) = (w.q("general"), w.a("op3"));
    let others = ["op0", "op1", "op2", "op4"].map(|name| w.a(name));
    w.join(1, q);
    assert!(w.answered(1, op));
    w.missed(1, op, Miss::Unreachable);
    assert_eq!(w.state(op), AgentState::Resting);
    assert_eq!(w.offers(), others.map(|other| (1, other)), "in the same input");
    w.pass(secs(5));
    assert!(w.answered(1, op), "whose phone has recovered may take the call after all");
}

#[test]
fn q7_after_such_an_answer_the_caller_is_before_all_who_came_later() {
    let mut w = World::new(&one_queue(queue("general", Strategy::RingAll), 3));
    let (q, ids) = (w.q("general"), all_agents(&w));
    w.join(1, q);
    w.join(2, q);
    assert!(w.answered(1, ids[0]));
    w.missed(1, ids[0], Miss::Unreachable);
    w.join(3, q);
    assert_eq!(w.desk.position(w.now, CallId(1)), Some(1));
    assert!(w.answered(2, ids[1]));
    assert_eq!(w.offers(), [(1, ids[2])], "the phones that rang for the second");
}

#[test]
fn q8_no_offer_inside_wrap_up_under_any_order() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let mut settings = Settings { queues: Vec::new(), agents: agents(3) };
        for name in ["a", "b"] {
            let mut queue =
                queue(name, pick(&mut rng, &[Strategy::RingAll, Strategy::LongestIdle]));
            queue.wrap_up = secs(1 + rng.below(10));
            settings.queues.push(queue);
        }
        let mut w = World::new(&settings);
        let (queues, ids) = ([w.q("a"), w.q("b")], all_agents(&w));
        let mut wraps: BTreeMap<AgentId, Instant> = BTreeMap::new();
        for call in 0..60 {
            w.now = w.now + ms(rng.below(400));
            let op = pick(&mut rng, &ids);
            match rng.below(9) {
                0..=2 => w.join(call, pick(&mut rng, &queues)),
                3 => w.ready(op),
                4 => w.pause(op),
                5 => w.wish(op, Wish::LogOut).unwrap(),
                6 => w.reload(&settings),
                7 => transfer_or_end(&mut rng, &mut w, op, &mut wraps),
                _ => {
                    if let AgentState::Offered { call } = w.state(op) {
                        w.answered(call.0, op);
                    }
                }
            }
            let mut out = w.out.clone();
            out.extend(w.pass(ms(1)));
            for (_, rung) in offers(&out) {
                assert!(wraps.get(&rung).is_none_or(|&until| until <= w.now), "seed {seed}");
            }
        }
    }
}

/// Ends the agent's conversation, or moves its caller to a queue; either way wrap-up begins.
fn transfer_or_end(
    rng: &mut Rng,
    w: &mut World,
    op: AgentId,
    wraps: &mut BTreeMap<AgentId, Instant>,
) {
    let AgentState::Talking { call } = w.state(op) else { return };
    let queue = w.desk.queue_of(call).unwrap();
    wraps.insert(op, w.now + w.desk.queue_settings(queue).unwrap().wrap_up);
    match rng.below(3) {
        0 => w.released(call.0, op),
        1 => w.leave(call.0),
        _ => w.join(call.0, queue),
    }
}

/// All that can happen to one agent with two callers.
fn everything(w: &World, op: AgentId) -> Vec<World> {
    let q = w.desk.queues().next().unwrap();
    let inputs: [&dyn Fn(&mut World); 15] = [
        &|w| w.join(1, q),
        &|w| w.join(2, q),
        &|w| w.leave(1),
        &|w| w.leave(2),
        &|w| _ = w.answered(1, op),
        &|w| _ = w.answered(2, op),
        &|w| w.missed(1, op, Miss::NoAnswer),
        &|w| w.missed(2, op, Miss::Declined),
        &|w| w.released(1, op),
        &|w| w.pause(op),
        &|w| w.ready(op),
        &|w| _ = w.wish(op, Wish::EndWrapUp),
        &|w| w.reachable(op, false),
        &|w| w.reachable(op, true),
        &|w| _ = w.fire(),
    ];
    let next = |input: &&dyn Fn(&mut World)| {
        let mut world = w.clone();
        input(&mut world);
        world
    };
    inputs.iter().map(next).collect()
}

#[test]
fn q9_every_state_that_can_be_reached_is_lawful_and_leads_back_to_ready() {
    let mut settings = one_queue(queue("general", Strategy::LongestIdle), 1);
    settings.agents[0].fixed = false;
    settings.queues[0].pause_after = 2;
    let start = World::new(&settings);
    let op = start.a("op0");
    let (mut seen, mut edge) = (BTreeSet::new(), vec![start]);
    for _ in 0..7 {
        let mut next = Vec::new();
        for world in edge.iter().flat_map(|world| everything(world, op)) {
            if seen.insert(serde_json::to_string(&(&world.desk, &world.timers)).unwrap()) {
                next.push(world);
            }
        }
        for mut world in next.iter().cloned() {
            world.leave(1);
            world.leave(2);
            world.reachable(op, true);
            world.ready(op);
            world.pass(secs(60));
            assert_eq!(world.state(op), AgentState::Ready);
        }
        edge = next;
    }
    assert!(seen.len() > 500, "only {} states", seen.len());
}

#[test]
fn q10_an_unregistered_phone_is_not_rung_and_says_why() {
    let mut settings = one_queue(queue("general", Strategy::LongestIdle), 1);
    settings.agents[0].fixed = false;
    let mut w = World::new(&settings);
    let op = w.a("op0");
    w.reachable(op, true);
    w.reachable(op, false);
    w.join(1, w.q("general"));
    assert!(w.offers().is_empty());
    assert_eq!(w.state(op), AgentState::Unreachable);
}

#[test]
fn q11_flipping_a_status_brings_one_offer_a_rest_not_one_a_flip() {
    for by_phone in [false, true] {
        let mut settings = one_queue(queue("general", Strategy::RingAll), 1);
        settings.agents[0].fixed = false;
        settings.queues[0].rest = ms(500);
        let mut w = World::new(&settings);
        let op = w.a("op0");
        w.reachable(op, true);
        w.join(1, w.q("general"));
        let (mut offered, start) = (0, w.now);
        for _ in 0..100 {
            if by_phone {
                w.reachable(op, false)
            } else {
                w.pause(op)
            }
            offered += offers(&w.pass(ms(15))).len();
            if by_phone {
                w.reachable(op, true)
            } else {
                w.ready(op)
            }
            offered += w.offers().len();
            offered += offers(&w.pass(ms(15))).len();
        }
        let rests = w.now.since(start).as_millis() / 500;
        assert!((1..=rests).contains(&(offered as u128)), "{offered} offers in {rests} rests");
    }
}

#[test]
fn q12_a_caller_whose_offer_failed_keeps_the_place() {
    for miss in [Miss::NoAnswer, Miss::Declined, Miss::Unreachable] {
        let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 1));
        let (q, op) = (w.q("general"), w.a("op0"));
        for call in 1..=3 {
            w.join(call, q);
        }
        w.missed(1, op, miss);
        assert_eq!(w.desk.position(w.now, CallId(1)), Some(1));
        assert!(w.desk.waiting(q).eq([1, 2, 3].map(CallId)));
        assert_eq!(offers(&w.pass(secs(5))), [(1, op)]);
    }
}

#[test]
fn q13_a_free_agent_is_offered_a_caller_at_once_whatever_the_others_do() {
    let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 3));
    let q = w.q("general");
    for call in 0..6 {
        w.join(call, q);
    }
    for (call, op) in [(0, "op0"), (1, "op1"), (2, "op2")] {
        let op = w.a(op);
        assert!(w.answered(call, op));
        w.released(call, op);
        w.pass(secs(3));
    }
    // The wrap-ups end after 10, 13 and 16 seconds; 9 have passed.
    for (call, op) in [(3, "op0"), (4, "op1"), (5, "op2")] {
        let op = w.a(op);
        assert_eq!(w.fire(), Some(Timer::WrapUp(op)));
        assert_eq!(w.offers(), [(call, op)], "in the same input");
    }
}

#[test]
fn q14_an_agent_has_one_offer_at_a_time() {
    let mut rng = Rng::new(14);
    let mut w = World::new(&Settings {
        queues: vec![queue("a", Strategy::RingAll), queue("b", Strategy::LongestIdle)],
        agents: agents(6),
    });
    let (queues, ids) = ([w.q("a"), w.q("b")], all_agents(&w));
    let mut live: BTreeMap<AgentId, CallId> = BTreeMap::new();
    for call in 0..3_000 {
        let op = pick(&mut rng, &ids);
        let has = live.get(&op).copied().unwrap_or(CallId(call));
        match rng.below(4) {
            0 | 1 => w.join(call, pick(&mut rng, &queues)),
            2 => w.missed(has.0, op, Miss::Declined),
            _ if w.answered(has.0, op) => w.released(has.0, op),
            _ => {}
        }
        // An offer that the phone ended, one way or the other, needs no withdrawal.
        live.remove(&op);
        let mut out = w.out.clone();
        out.extend(w.pass(ms(rng.below(2_000))));
        for effect in out {
            match effect {
                Effect::Offer { call, agent } => {
                    let before = live.insert(agent, call);
                    assert!(before.is_none() || agent == op, "{agent:?}: {call:?}, {before:?}");
                }
                Effect::Withdraw { agent, .. } => _ = live.remove(&agent),
                Effect::TurnedAway { .. } | Effect::Unclaimed { .. } | Effect::Fact(_) => {}
            }
        }
        live.retain(|&agent, &mut call| w.state(agent) == AgentState::Offered { call });
    }
}

#[test]
fn q15_late_events_of_dead_offers_are_ignored() {
    let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 2));
    let (q, op0, op1) = (w.q("general"), w.a("op0"), w.a("op1"));
    w.join(1, q);
    w.missed(1, op0, Miss::NoAnswer);
    assert!(w.answered(1, op1));
    let before = w.desk.clone();
    w.missed(1, op0, Miss::Declined);
    assert!(!w.answered(1, op0));
    w.released(1, op0);
    for timer in [
        Timer::RingTimeout(CallId(1), op0),
        Timer::RingTimeout(CallId(1), op1),
        Timer::MaxWait(CallId(1)),
        Timer::WrapUp(op1),
        Timer::Rest(op0),
    ] {
        w.expire(timer);
        assert!(w.out.is_empty(), "{timer:?}");
    }
    assert_eq!(w.desk, before);
}

fn skilled(name: &str, skills: &[&str], weight: u32) -> QueueSettings {
    let mut queue = queue(name, Strategy::LongestIdle);
    queue.skills = skills.iter().map(|s| s.to_string()).collect();
    queue.weight = weight;
    queue
}

/// No caller who still waits comes before one who was served now, by an agent who could have
/// served either; and no agent who is still free has been idle for longer.
fn prove_best(w: &World) {
    for (call, agent) in w.offers() {
        let (call, queue) = (CallId(call), w.desk.queue_of(CallId(call)).unwrap());
        let rank = |call: CallId| {
            let queue = w.desk.queue_of(call).unwrap();
            let weight = w.desk.queue_settings(queue).unwrap().weight;
            (std::cmp::Reverse(weight), w.desk.arrived(call).unwrap(), call)
        };
        for &other in w.desk.serves(agent) {
            for waits in w.desk.waiting(other) {
                assert!(rank(call) < rank(waits), "{waits:?} was passed over for {call:?}");
            }
        }
        for (idle, state) in w.desk.agents() {
            if *state == AgentState::Ready && w.desk.serves(idle).contains(&queue) {
                assert!(w.desk.idle_since(agent) <= w.desk.idle_since(idle), "{idle:?}");
            }
        }
    }
}

#[test]
fn q16_every_pick_is_the_best_eligible_at_that_instant() {
    for seed in 0..100 {
        let mut rng = Rng::new(seed);
        let queues = vec![
            skilled("general", &[], 0),
            skilled("health", &["health"], 1),
            skilled("hindi", &["hindi"], 1),
        ];
        let skills: [&[&str]; 4] = [&[], &["hindi"], &["health"], &["health", "hindi"]];
        let agents = (0..6).map(|i| agent(&format!("op{i}"), pick(&mut rng, &skills))).collect();
        let mut w = World::new(&Settings { queues, agents });
        let (queues, ids): (Vec<_>, _) = (w.desk.queues().collect(), all_agents(&w));
        for call in 0..100 {
            w.now = w.now + ms(rng.below(300));
            let op = pick(&mut rng, &ids);
            match w.state(op) {
                _ if rng.chance(40) => {
                    let arrived = w.now - ms(rng.below(5_000));
                    w.join_from(call, pick(&mut rng, &queues), arrived);
                }
                AgentState::Offered { call } if rng.chance(30) => {
                    w.missed(call.0, op, Miss::Declined);
                }
                AgentState::Offered { call } => _ = w.answered(call.0, op),
                AgentState::Talking { call } => w.released(call.0, op),
                _ => _ = w.fire(),
            }
            prove_best(&w);
        }
    }
}

#[test]
fn q17_a_heavier_queue_does_not_block_an_agent_who_may_not_serve_it() {
    let mut w = World::new(&Settings {
        queues: vec![skilled("heavy", &["health"], 9), skilled("light", &[], 0)],
        agents: vec![agent("general", &[]), agent("nurse", &["health"])],
    });
    let (heavy, light, general, nurse) = (w.q("heavy"), w.q("light"), w.a("general"), w.a("nurse"));
    for call in 0..3 {
        w.join(call, heavy);
    }
    assert!(w.answered(0, nurse));
    w.join(10, light);
    assert_eq!(w.offers(), [(10, general)], "two heavier callers wait, but not for this agent");
    assert!(w.answered(10, general));
    w.join(11, light);
    w.released(0, nurse);
    w.wish(nurse, Wish::EndWrapUp).unwrap();
    assert_eq!(w.offers(), [(1, nurse)], "eligible for both: the heavier first");
    // That the wait of the light one is bounded all the same is for `fairness.rs` to say.
}

#[test]
fn q21_no_order_of_the_agents_halts_the_queue() {
    for absent in 0..4 {
        let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 4));
        w.wish(w.a(&format!("op{absent}")), Wish::LogOut).unwrap();
        for call in 0..3 {
            w.join(call, w.q("general"));
            assert_eq!(w.offers().len(), 1, "op{absent} absent, caller {call}");
        }
    }
}

#[test]
fn q35_reloads_in_the_middle_of_everything_drop_nobody() {
    let settings = one_queue(queue("general", Strategy::LongestIdle), 5);
    let mut w = World::new(&settings);
    let (q, mut rng) = (w.q("general"), Rng::new(35));
    for call in 0..1_000 {
        w.join(call, q);
        let op = pick(&mut rng, &all_agents(&w));
        if let AgentState::Offered { call } = w.state(op) {
            assert!(w.answered(call.0, op));
        } else if let AgentState::Talking { call } = w.state(op) {
            w.leave(call.0);
        }
        let before = w.desk.clone();
        w.reload(&settings);
        assert_eq!(w.desk, before);
        w.pass(ms(500));
    }
}
