//! What the queue engine does, behaviour by behaviour: calls, offers, pauses, reloads.

use crate::acd_world::{World, agent, agents, away, ms, offers, one_queue, queue, secs};
use pukar::acd::{
    AgentState, Away, Effect, Fact, Join, Miss, Refused, Settings, Strategy, Unfree, Wish,
    Withdrawn,
};
use pukar::base::{AgentId, CallId, Instant};
use std::time::Duration;

fn world(strategy: Strategy, n: usize) -> (World, Vec<AgentId>) {
    let world = World::new(&one_queue(queue("general", strategy), n));
    let ids = (0..n).map(|i| world.a(&format!("op{i}"))).collect();
    (world, ids)
}

fn tea() -> AgentState {
    AgentState::Paused { reason: "tea".into() }
}

fn withdrawn(call: u64, agent: AgentId, why: Withdrawn) -> Effect {
    Effect::Withdraw { call: CallId(call), agent, why }
}

#[test]
fn one_caller_one_agent_join_ring_connect_complete_in_that_order() {
    let (mut w, ids) = world(Strategy::LongestIdle, 1);
    w.join(1, w.q("general"));
    assert_eq!(w.offers(), [(1, ids[0])]);
    assert!(w.answered(1, ids[0]));
    assert!(w.out.contains(&Effect::Fact(Fact::Taken { call: CallId(1), agent: ids[0] })));
    w.released(1, ids[0]);
    assert_eq!(w.state(ids[0]), AgentState::WrapUp { call: CallId(1) });
    w.pass(secs(10));
    assert_eq!(w.state(ids[0]), AgentState::Ready);
    assert!(w.timers.is_empty());
    assert_eq!(w.desk.calls().count(), 0);
}

#[test]
fn ids_follow_the_order_of_the_configuration() {
    let (w, ids) = world(Strategy::LongestIdle, 3);
    assert_eq!(ids, [AgentId(0), AgentId(1), AgentId(2)]);
    assert_eq!(w.q("general").0, 0);
}

#[test]
fn the_longest_idle_is_rung_first() {
    let (mut w, ids) = world(Strategy::LongestIdle, 2);
    let q = w.q("general");
    w.join(1, q);
    w.answered(1, ids[0]);
    w.released(1, ids[0]);
    w.pass(secs(60));
    w.join(2, q);
    assert_eq!(w.offers(), [(2, ids[1])]);
}

#[test]
fn a_caller_who_hangs_up_costs_the_agent_no_place() {
    let (mut w, ids) = world(Strategy::LongestIdle, 2);
    let q = w.q("general");
    w.join(1, q);
    w.pass(secs(1));
    w.leave(1);
    assert!(w.out.contains(&withdrawn(1, ids[0], Withdrawn::CallerGone)));
    w.join(2, q);
    assert_eq!(w.offers(), [(2, ids[0])], "still the longest idle");
}

#[test]
fn an_agent_who_missed_rests_and_goes_to_the_end_of_the_line() {
    let (mut w, ids) = world(Strategy::LongestIdle, 2);
    let q = w.q("general");
    w.join(1, q);
    w.missed(1, ids[0], Miss::NoAnswer);
    assert_eq!(w.state(ids[0]), AgentState::Resting);
    assert_eq!(w.offers(), [(1, ids[1])], "the next one, in the same input");
    w.leave(1);
    w.pass(secs(5));
    assert_eq!(w.state(ids[0]), AgentState::Ready);
    w.join(2, q);
    assert_eq!(w.offers(), [(2, ids[1])]);
}

#[test]
fn ringing_ends_after_ring_for() {
    let (mut w, ids) = world(Strategy::LongestIdle, 1);
    w.join(1, w.q("general"));
    let out = w.pass(secs(20));
    assert!(out.contains(&withdrawn(1, ids[0], Withdrawn::RingTimeout)));
    assert_eq!(w.desk.waiting(w.q("general")).collect::<Vec<_>>(), [CallId(1)]);
    assert_eq!(offers(&w.pass(secs(5))), [(1, ids[0])], "again, after the rest");
}

#[test]
fn too_many_misses_in_a_row_pause_the_agent() {
    let mut settings = one_queue(queue("general", Strategy::LongestIdle), 1);
    settings.queues[0].pause_after = 3;
    let mut w = World::new(&settings);
    let op = w.a("op0");
    w.join(1, w.q("general"));
    for _ in 0..2 {
        w.missed(1, op, Miss::NoAnswer);
        assert_eq!(offers(&w.pass(secs(5))).len(), 1);
    }
    w.missed(1, op, Miss::Declined);
    assert_eq!(w.state(op), AgentState::Resting, "to decline is not to be absent");
    w.pass(secs(5));
    w.pass(secs(20));
    assert_eq!(w.state(op), AgentState::Paused { reason: "missed 3 calls".into() });
    w.pass(secs(60));
    w.ready(op);
    assert_eq!(w.offers(), [(1, op)], "the caller kept the place");
    w.missed(1, op, Miss::NoAnswer);
    assert_eq!(w.state(op), AgentState::Resting, "counted from the start again");
}

#[test]
fn a_conversation_ends_the_row_of_misses() {
    let mut settings = one_queue(queue("general", Strategy::LongestIdle), 1);
    settings.queues[0].pause_after = 2;
    let mut w = World::new(&settings);
    let op = w.a("op0");
    for call in 0..5 {
        w.join(call, w.q("general"));
        w.missed(call, op, Miss::NoAnswer);
        w.pass(secs(5));
        assert!(w.answered(call, op));
        w.released(call, op);
        w.pass(secs(10));
        assert_eq!(w.state(op), AgentState::Ready);
    }
}

#[test]
fn all_paused_nobody_is_rung_and_one_unpaused_only_that_one() {
    let (mut w, ids) = world(Strategy::RingAll, 3);
    for &id in &ids {
        w.pause(id);
    }
    w.join(1, w.q("general"));
    assert!(w.offers().is_empty());
    w.ready(ids[1]);
    assert_eq!(w.offers(), [(1, ids[1])]);
}

#[test]
fn a_pause_while_it_rings_withdraws_and_the_caller_goes_on_to_the_next() {
    let (mut w, ids) = world(Strategy::LongestIdle, 2);
    w.join(1, w.q("general"));
    w.pause(ids[0]);
    assert!(w.out.contains(&withdrawn(1, ids[0], Withdrawn::AgentGone)));
    assert_eq!(w.offers(), [(1, ids[1])]);
    assert_eq!(w.state(ids[0]), tea());
}

#[test]
fn a_pause_while_talking_comes_after_the_call_and_its_wrap_up() {
    let (mut w, ids) = world(Strategy::LongestIdle, 1);
    w.join(1, w.q("general"));
    w.answered(1, ids[0]);
    w.pause(ids[0]);
    assert_eq!(w.state(ids[0]), AgentState::Talking { call: CallId(1) });
    w.leave(1);
    assert_eq!(w.state(ids[0]), AgentState::WrapUp { call: CallId(1) });
    w.pass(secs(10));
    assert_eq!(w.state(ids[0]), tea());
    w.wish(ids[0], Wish::LogOut).unwrap();
    assert_eq!(w.state(ids[0]), AgentState::Off);
}

#[test]
fn wrap_up_ends_early_only_on_request() {
    let (mut w, ids) = world(Strategy::LongestIdle, 1);
    assert_eq!(w.wish(ids[0], Wish::EndWrapUp), Err(Refused::NotInWrapUp));
    assert_eq!(w.wish(AgentId(77), Wish::Ready), Err(Refused::UnknownAgent));
    w.join(1, w.q("general"));
    w.answered(1, ids[0]);
    w.released(1, ids[0]);
    w.ready(ids[0]);
    assert_eq!(w.state(ids[0]), AgentState::WrapUp { call: CallId(1) });
    w.wish(ids[0], Wish::EndWrapUp).unwrap();
    assert_eq!(w.state(ids[0]), AgentState::Ready);
    assert!(w.timers.is_empty());
}

#[test]
fn a_phone_that_goes_away_makes_its_agent_unreachable_and_a_fixed_one_stays() {
    let mut settings = one_queue(queue("general", Strategy::LongestIdle), 2);
    settings.agents[0].fixed = false;
    let mut w = World::new(&settings);
    let (roaming, fixed) = (w.a("op0"), w.a("op1"));
    assert_eq!(w.state(roaming), AgentState::Unreachable);
    w.reachable(roaming, true);
    w.reachable(fixed, false);
    assert_eq!((w.state(roaming), w.state(fixed)), (AgentState::Ready, AgentState::Ready));
    w.join(1, w.q("general"));
    w.join(2, w.q("general"));
    w.reachable(roaming, false);
    assert_eq!(w.state(roaming), AgentState::Unreachable);
    assert_eq!(w.desk.position(w.now, CallId(2)), Some(2));
}

#[test]
fn all_ring_at_once_the_first_answer_wins_and_the_rest_take_the_next_caller() {
    let (mut w, ids) = world(Strategy::RingAll, 3);
    let q = w.q("general");
    w.join(1, q);
    w.join(2, q);
    assert_eq!(w.desk.waiting(q).collect::<Vec<_>>(), [CallId(2)]);
    assert!(w.answered(1, ids[1]));
    assert_eq!(w.offers(), [(2, ids[0]), (2, ids[2])]);
    assert!(w.out.contains(&withdrawn(1, ids[0], Withdrawn::AnsweredElsewhere)));
    assert!(!w.answered(1, ids[0]));
    assert!(w.answered(1, ids[1]), "said twice, true twice");
}

#[test]
fn who_becomes_free_joins_the_ringing() {
    let (mut w, ids) = world(Strategy::RingAll, 2);
    w.pause(ids[1]);
    w.join(1, w.q("general"));
    w.ready(ids[1]);
    assert_eq!(w.offers(), [(1, ids[1])]);
}

#[test]
fn nobody_waits_longer_than_the_queue_allows() {
    let mut settings = one_queue(queue("general", Strategy::LongestIdle), 1);
    settings.queues[0].max_wait = secs(10);
    let mut w = World::new(&settings);
    let q = w.q("general");
    w.join(1, q);
    w.join(2, q);
    w.answered(1, w.a("op0"));
    let out = w.pass(secs(10));
    assert!(out.contains(&away(2, q, Away::Expired)));
    assert_eq!(w.desk.stage(CallId(2)), None);
    assert!(w.desk.stage(CallId(1)).is_some(), "who talks has waited enough");
}

#[test]
fn a_reload_keeps_ids_states_callers_clocks_and_counts() {
    let mut settings = Settings {
        queues: vec![queue("a", Strategy::LongestIdle), queue("b", Strategy::LongestIdle)],
        agents: agents(3),
    };
    let mut w = World::new(&settings);
    let (a, b, op1) = (w.q("a"), w.q("b"), w.a("op1"));
    w.pause(op1);
    w.join(1, a);
    w.answered(1, w.a("op0"));
    w.join(2, b);
    w.join(3, b);
    w.pass(secs(1));
    let before = w.desk.clone();
    w.reload(&settings);
    assert_eq!(w.desk, before, "the same settings change nothing");
    assert!(w.out.is_empty());
    settings.queues.reverse();
    settings.agents.remove(2);
    settings.agents.insert(0, agent("new", &[]));
    w.reload(&settings);
    assert_eq!((w.q("a"), w.q("b"), w.a("op1"), w.a("new")), (a, b, op1, AgentId(3)));
    assert_eq!((w.state(op1), w.desk.position(w.now, CallId(3))), (tea(), Some(2)));
    assert_eq!(w.offers(), [(2, AgentId(3))]);
    assert_eq!(w.desk.agent_id("op2"), None, "who only rang goes at once");
}

#[test]
fn a_removed_queue_lets_go_of_its_callers_and_a_removed_agent_finishes_the_call() {
    let mut settings = one_queue(queue("general", Strategy::LongestIdle), 1);
    let mut w = World::new(&settings);
    let (q, op) = (w.q("general"), w.a("op0"));
    w.join(1, q);
    w.answered(1, op);
    w.join(2, q);
    settings.queues.clear();
    settings.agents.clear();
    w.reload(&settings);
    assert!(w.out.contains(&away(2, q, Away::NoQueue)));
    assert_eq!(w.state(op), AgentState::Talking { call: CallId(1) });
    w.released(1, op);
    w.pass(secs(10));
    assert_eq!(w.desk.state(op), None);
    w.join(3, q);
    assert!(w.out.contains(&away(3, q, Away::NoQueue)), "nobody is lost");
    w.reload(&one_queue(queue("general", Strategy::LongestIdle), 1));
    assert_ne!((w.q("general"), w.a("op0")), (q, op), "a name that comes back is a new one");
}

#[test]
fn the_arrival_does_not_change_when_a_caller_moves() {
    let mut settings = Settings {
        queues: vec![queue("a", Strategy::LongestIdle), queue("b", Strategy::LongestIdle)],
        agents: Vec::new(),
    };
    settings.queues[1].max_wait = secs(30);
    let mut w = World::new(&settings);
    let (a, b) = (w.q("a"), w.q("b"));
    w.join(1, a);
    let arrived = w.now;
    w.pass(secs(100));
    w.join(2, b);
    w.join(1, b);
    assert_eq!(w.desk.line(b).collect::<Vec<_>>(), [CallId(1), CallId(2)]);
    assert_eq!(w.desk.arrived(CallId(1)), Some(arrived));
    assert!(w.pass(secs(29)).is_empty(), "the new queue's own patience");
}

#[test]
fn an_offer_is_withdrawn_from_an_agent_who_lost_the_skill() {
    let mut general = queue("general", Strategy::LongestIdle);
    general.skills = vec!["operator".into()];
    let mut settings =
        Settings { queues: vec![general], agents: vec![agent("op0", &["operator"])] };
    let mut w = World::new(&settings);
    w.join(1, w.q("general"));
    settings.agents[0].skills.clear();
    w.reload(&settings);
    assert!(w.out.contains(&withdrawn(1, w.a("op0"), Withdrawn::AgentGone)));
    assert_eq!(w.desk.position(w.now, CallId(1)), Some(1));
}

#[test]
fn a_queue_without_wrap_up_frees_its_agent_at_once() {
    let mut settings = one_queue(queue("general", Strategy::LongestIdle), 1);
    settings.queues[0].wrap_up = Duration::ZERO;
    let mut w = World::new(&settings);
    w.join_from(1, w.q("general"), Instant(5));
    w.answered(1, w.a("op0"));
    w.join(2, w.q("general"));
    w.leave(1);
    assert_eq!(w.offers(), [(2, w.a("op0"))]);
}

#[test]
fn a_busy_agent_is_not_rung() {
    for (_, strategy) in Strategy::ALL {
        let (mut w, ids) = world(strategy, 2);
        let q = w.q("general");
        w.pause(ids[1]);
        w.join(1, q);
        w.answered(1, ids[0]);
        w.join(2, q);
        assert!(w.offers().is_empty(), "{strategy:?}");
        w.ready(ids[1]);
        assert_eq!(w.offers(), [(2, ids[1])], "{strategy:?}");
    }
}

#[test]
fn only_who_was_really_called_is_paused_by_misses() {
    let mut settings = one_queue(queue("general", Strategy::RingAll), 3);
    settings.queues[0].pause_after = 1;
    settings.queues[0].wrap_up = Duration::ZERO;
    let mut w = World::new(&settings);
    let (q, ids) = (w.q("general"), [w.a("op0"), w.a("op1"), w.a("op2")]);
    for call in 0..5 {
        w.join(call, q);
        assert!(w.answered(call, ids[0]), "the others were called off");
        w.released(call, ids[0]);
        w.join(100 + call, q);
        w.leave(100 + call);
    }
    assert_eq!(w.desk.free(q), 3);
    w.pause(ids[2]);
    w.join(200, q);
    w.missed(200, ids[0], Miss::NoAnswer);
    assert_eq!(w.state(ids[0]), AgentState::Paused { reason: "missed 1 call".into() });
    assert_eq!(w.state(ids[1]), AgentState::Offered { call: CallId(200) });
    assert_eq!(w.state(ids[2]), tea(), "who was not called has another reason");
}

#[test]
fn the_wrap_up_of_one_queue_holds_in_every_queue_of_the_agent() {
    let mut long = queue("long", Strategy::LongestIdle);
    long.wrap_up = secs(60);
    let queues = vec![long, queue("short", Strategy::LongestIdle)];
    let mut w = World::new(&Settings { queues, agents: agents(1) });
    let op = w.a("op0");
    w.join(1, w.q("long"));
    w.answered(1, op);
    w.released(1, op);
    w.join(2, w.q("short"));
    assert!(offers(&w.pass(secs(59))).is_empty());
    assert_eq!(offers(&w.pass(secs(1))), [(2, op)]);
}

#[test]
fn a_call_pulled_out_of_the_queue_frees_the_phone_that_rang() {
    let (mut w, ids) = world(Strategy::LongestIdle, 1);
    let q = w.q("general");
    w.join(1, q);
    w.join(2, q);
    w.leave(1);
    assert!(w.out.contains(&withdrawn(1, ids[0], Withdrawn::CallerGone)));
    assert_eq!(w.offers(), [(2, ids[0])]);
    assert!(!w.answered(1, ids[0]), "the phone was too late");
}

#[test]
fn a_caller_who_is_transferred_to_a_queue_keeps_the_arrival_and_the_agent_wraps_up() {
    let queues =
        vec![queue("general", Strategy::LongestIdle), queue("health", Strategy::LongestIdle)];
    let mut w = World::new(&Settings { queues, agents: agents(1) });
    let (general, health, op) = (w.q("general"), w.q("health"), w.a("op0"));
    w.join_with(1, general, Join { priority: 4, ..Join::default() });
    let arrived = w.now;
    w.answered(1, op);
    w.pass(secs(90));
    w.join(2, health);
    w.join(1, health);
    assert_eq!(w.state(op), AgentState::WrapUp { call: CallId(1) });
    assert_eq!(w.desk.arrived(CallId(1)), Some(arrived));
    assert_eq!(w.desk.position(w.now, CallId(1)), Some(1), "before who came later");
    w.leave(1);
    assert_eq!(w.state(op), AgentState::WrapUp { call: CallId(1) }, "the agent goes on");
}

#[test]
fn agents_who_come_by_a_reload_take_those_who_wait() {
    let mut settings = one_queue(queue("general", Strategy::RoundRobin), 0);
    let mut w = World::new(&settings);
    let q = w.q("general");
    w.join(1, q);
    w.join(2, q);
    settings.agents = agents(1);
    w.reload(&settings);
    assert_eq!(w.offers(), [(1, w.a("op0"))]);
    settings.queues[0].strategy = Strategy::Random;
    settings.agents = agents(2);
    w.reload(&settings);
    assert_eq!(w.offers(), [(2, w.a("op1"))], "and the first one goes on ringing");
    assert_eq!(w.state(w.a("op0")), AgentState::Offered { call: CallId(1) });
}

#[test]
fn the_reason_of_a_pause_is_kept_over_calls_and_reloads() {
    let settings = one_queue(queue("general", Strategy::LongestIdle), 1);
    let mut w = World::new(&settings);
    let op = w.a("op0");
    w.join(1, w.q("general"));
    w.answered(1, op);
    w.pause(op);
    w.reload(&settings);
    w.released(1, op);
    w.reload(&settings);
    w.pass(secs(10));
    assert_eq!(w.state(op), tea());
}

#[test]
fn a_ghost_frees_its_agent_and_the_caller_who_lives_is_back_in_the_line() {
    let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 2));
    let (q, a, b) = (w.q("general"), w.a("op0"), w.a("op1"));
    w.pause(b);
    w.join(1, q);
    assert_eq!(w.state(a), AgentState::Offered { call: CallId(1) });
    // The call lives, and no phone of the agent rings for it: it is offered anew.
    w.repair(a, 1, true);
    assert_eq!(w.offers(), [(1, a)]);
    assert!(w.answered(1, a));
    w.join(2, q);
    w.repair(a, 1, true);
    assert_eq!(w.offers(), [(1, a)], "who came first, at the old place");
    // The call is over, and was believed to be alive.
    w.repair(a, 1, false);
    assert_eq!((w.offers(), w.desk.length(q)), (vec![(2, a)], 1));
    assert!(w.answered(2, a));
    w.released(2, a);
    w.wish(a, Wish::EndWrapUp).unwrap();
    // Who was asked for by name is freed as well.
    w.claim(7, a).unwrap();
    w.repair(a, 7, true);
    assert_eq!(w.state(a), AgentState::Ready);
    w.claim(8, a).unwrap();
    assert!(w.answered(8, a));
    w.repair(a, 8, false);
    assert_eq!(w.state(a), AgentState::Ready);
    w.repair(a, 9, true);
    assert!(w.out.is_empty(), "nothing to mend");
}

#[test]
fn a_claim_that_is_not_answered_gives_its_agent_the_rest_of_the_notes() {
    let ends: [fn(&mut World, AgentId); 4] = [
        |w, op| w.missed(1, op, Miss::Declined),
        |w, op| w.missed(1, op, Miss::NoAnswer),
        |w, op| w.released(1, op),
        |w, op| {
            w.pause(op);
            w.ready(op);
        },
    ];
    for end in ends {
        let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 1));
        let (q, op) = (w.q("general"), w.a("op0"));
        w.join(1, q);
        w.answered(1, op);
        w.released(1, op);
        w.join(2, q);
        w.pass(secs(3));
        w.claim(1, op).unwrap();
        w.pass(secs(2));
        end(&mut w, op);
        assert_eq!(w.state(op), AgentState::WrapUp { call: CallId(1) });
        assert_eq!(offers(&w.pass(ms(4_999))), [], "ten seconds in all");
        assert_eq!(offers(&w.pass(ms(1))), [(2, op)]);
    }
    // It rang for as long as the notes would have been.
    let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 1));
    let (q, op) = (w.q("general"), w.a("op0"));
    w.join(1, q);
    w.answered(1, op);
    w.released(1, op);
    w.claim(1, op).unwrap();
    w.pass(secs(10));
    w.missed(1, op, Miss::NoAnswer);
    assert_eq!(w.state(op), AgentState::Ready);
}

#[test]
fn whoever_is_on_a_second_call_is_not_asked_in_the_notes_of_the_first() {
    let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 1));
    let (q, op) = (w.q("general"), w.a("op0"));
    w.join(1, q);
    w.answered(1, op);
    w.desk.wait_beside(op, CallId(7), |_| true);
    w.released(1, op);
    assert_eq!(w.state(op), AgentState::WrapUp { call: CallId(1) });
    assert_eq!(w.claim(1, op), Err(Unfree::Engaged));
    w.own_over(op, 7, Duration::ZERO);
    w.claim(1, op).unwrap();
}
