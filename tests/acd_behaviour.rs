//! What the queue engine does, behaviour by behaviour.

mod acd_world;

use acd_world::{World, agent, agents, away, offers, one_queue, queue, secs};
use pukar::acd::{
    AgentState, Away, Effect, Fact, Instead, Join, Miss, Outlook, PassedOver, Pick, Refused, Relax,
    Settings, Strategy, Verdict, Wait, Wish, Withdrawn,
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

/// A queue for health whose level falls from 3 to 1, and agents of these levels.
fn relaxing() -> World {
    let mut health = queue("health", Strategy::LongestIdle);
    health.skills = vec!["health".into()];
    health.level = 3;
    health.relax = vec![Relax { after: secs(30), level: 2 }, Relax { after: secs(60), level: 1 }];
    let agents = vec![agent("novice", &["health"]), agent("nurse", &["health=2"])];
    World::new(&Settings { queues: vec![health], agents })
}

#[test]
fn what_is_asked_of_an_agent_relaxes_with_waiting() {
    let mut w = relaxing();
    w.join(1, w.q("health"));
    assert!(w.offers().is_empty(), "nobody has level 3");
    assert!(offers(&w.pass(secs(29))).is_empty());
    assert_eq!(offers(&w.pass(secs(1))), [(1, w.a("nurse"))], "to the second");
    w.answered(1, w.a("nurse"));
    w.join(2, w.q("health"));
    assert_eq!(offers(&w.pass(secs(60))), [(2, w.a("novice"))]);
}

#[test]
fn a_caller_who_may_go_to_a_free_agent_is_not_held_up_by_one_who_may_not_yet() {
    let mut w = relaxing();
    w.join(1, w.q("health"));
    w.pass(secs(30));
    w.answered(1, w.a("nurse"));
    w.join(2, w.q("health"));
    w.pass(secs(31));
    w.join(3, w.q("health"));
    let out = w.pass(secs(29));
    assert_eq!(offers(&out), [(2, w.a("novice"))]);
}

#[test]
fn a_language_falls_back_to_the_next_and_then_to_any() {
    let mut general = queue("general", Strategy::LongestIdle);
    general.language_after = secs(10);
    let agents = vec![agent("english", &["lang:en"]), agent("hindi", &["lang:hi"])];
    let mut w = World::new(&Settings { queues: vec![general], agents });
    let wants = |languages: &[&str]| Join {
        languages: languages.iter().map(|l| l.to_string()).collect(),
        ..Join::default()
    };
    let q = w.q("general");
    w.join_with(1, q, wants(&["surgujia", "hi"]));
    assert!(w.offers().is_empty());
    assert_eq!(offers(&w.pass(secs(10))), [(1, w.a("hindi"))], "the second language");
    w.answered(1, w.a("hindi"));
    w.join_with(2, q, wants(&["surgujia", "hi"]));
    assert!(offers(&w.pass(secs(19))).is_empty());
    assert_eq!(offers(&w.pass(secs(1))), [(2, w.a("english"))], "anybody, in the end");
}

#[test]
fn an_emergency_goes_before_all_and_to_anybody_who_serves_the_queue() {
    let mut w = relaxing();
    let q = w.q("health");
    for agent in ["novice", "nurse"] {
        w.pause(w.a(agent));
    }
    w.join_with(1, q, Join { priority: 9, ..Join::default() });
    w.pass(secs(90));
    let emergency = Join { emergency: true, languages: vec!["surgujia".into()], ..Join::default() };
    w.join_with(2, q, emergency);
    assert_eq!(w.desk.position(w.now, CallId(2)), Some(1));
    w.ready(w.a("novice"));
    assert_eq!(w.offers(), [(2, w.a("novice"))]);
    w.ready(w.a("nurse"));
    assert_eq!(w.offers(), [(1, w.a("nurse"))]);
}

#[test]
fn position_priority_and_maximum_length_are_honoured() {
    let mut settings = one_queue(queue("general", Strategy::LongestIdle), 1);
    settings.queues[0].max_callers = 3;
    let mut w = World::new(&settings);
    let q = w.q("general");
    w.pause(w.a("op0"));
    w.join(1, q);
    w.join(2, q);
    w.join_with(3, q, Join { priority: 5, ..Join::default() });
    let places = [1, 2, 3].map(|call| w.desk.position(w.now, CallId(call)).unwrap());
    assert_eq!(places, [2, 3, 1]);
    w.join(4, q);
    assert_eq!(w.out.last(), Some(&away(4, q, Away::Full)));
    assert_eq!(w.desk.stage(CallId(4)), None);
    w.join_with(5, q, Join { emergency: true, ..Join::default() });
    assert_eq!(w.desk.position(w.now, CallId(5)), Some(1), "never turned away");
    w.leave(1);
    w.leave(5);
    w.join(6, q);
    assert_eq!(w.desk.position(w.now, CallId(6)), Some(3), "there is room again");
}

#[test]
fn a_queue_where_nobody_is_logged_in_does_as_it_is_told() {
    for instead in [Instead::Refuse, Instead::Overflow, Instead::Callback] {
        let mut settings = one_queue(queue("general", Strategy::LongestIdle), 1);
        settings.queues[0].when_unstaffed = Some(instead);
        let mut w = World::new(&settings);
        let (q, op) = (w.q("general"), w.a("op0"));
        w.pause(op);
        w.join(1, q);
        assert_eq!(w.desk.position(w.now, CallId(1)), Some(1), "a pause is not an empty room");
        w.wish(op, Wish::LogOut).unwrap();
        w.join(2, q);
        let (call, why) = (CallId(2), Away::Unstaffed);
        let turned = Effect::TurnedAway { call, queue: q, why, instead };
        assert_eq!(w.out.last(), Some(&turned));
        assert_eq!(w.desk.position(w.now, CallId(1)), Some(1), "who is in stays in");
    }
    let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 0));
    w.join(1, w.q("general"));
    assert_eq!(w.desk.position(w.now, CallId(1)), Some(1), "wait, where nothing else is said");
}

fn known(caller: &str) -> Join {
    Join { caller: Some(caller.into()), ..Join::default() }
}

#[test]
fn a_caller_who_was_cut_off_comes_back_to_the_old_place_within_ten_minutes() {
    let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 0));
    let q = w.q("general");
    w.join_with(1, q, known("+919800000001"));
    let arrived = w.now;
    w.pass(secs(1));
    w.join(2, q);
    w.pass(secs(60));
    w.leave(1);
    w.pass(secs(599));
    w.join_with(3, q, known("+919800000001"));
    assert_eq!(w.desk.position(w.now, CallId(3)), Some(1));
    assert_eq!(w.desk.arrived(CallId(3)), Some(arrived));
    w.join_with(4, q, known("+919800000001"));
    assert_eq!(w.desk.position(w.now, CallId(4)), Some(3), "a place is given back once");
    w.leave(3);
    w.pass(secs(601));
    w.join_with(5, q, known("+919800000001"));
    assert_eq!(w.desk.arrived(CallId(5)), Some(w.now), "too late");
}

#[test]
fn the_memory_of_callers_has_an_end() {
    let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 0));
    let q = w.q("general");
    w.strict = false;
    for call in 0..12_000 {
        w.now = w.now + Duration::from_millis(1);
        w.join_with(call, q, known(&format!("+9198{call}")));
        w.leave(call);
    }
    assert_eq!(w.desk.remembered(), 10_000);
    w.join_with(20_000, q, known("+91980"));
    assert_eq!(w.desk.arrived(CallId(20_000)), Some(w.now), "the longest gone is forgotten");
    w.desk.check().unwrap();
    w.pass(secs(86_401));
    w.leave(20_000);
    assert_eq!(w.desk.remembered(), 1, "and everybody after a day");
}

#[test]
fn a_caller_is_taken_to_the_agent_of_last_time_and_never_held_up_by_them() {
    let mut settings = one_queue(queue("general", Strategy::LongestIdle), 2);
    settings.queues[0].sticky = secs(30);
    settings.queues[0].wrap_up = Duration::ZERO;
    let mut w = World::new(&settings);
    let (q, first, second) = (w.q("general"), w.a("op0"), w.a("op1"));
    w.join_with(1, q, known("meera"));
    assert!(w.answered(1, first));
    w.released(1, first);
    w.pass(secs(60));
    w.join_with(2, q, known("meera"));
    assert_eq!(w.offers(), [(2, first)], "though the other has been idle for longer");
    w.answered(2, first);
    w.join_with(3, q, Join { agent: Some(first), ..Join::default() });
    assert!(w.offers().is_empty(), "busy: waits for a while");
    w.join(4, q);
    assert_eq!(w.offers(), [(4, second)], "who comes later is not held up");
    w.leave(4);
    assert_eq!(offers(&w.pass(secs(30))), [(3, second)], "but not for longer");
    w.leave(3);
    w.join_with(5, q, Join { agent: Some(first), ..Join::default() });
    w.pause(first);
    assert_eq!(w.offers(), [(5, second)], "nor for one who is not to be had");
}

#[test]
fn the_order_of_the_configuration_is_the_order_of_ringing_and_everybody_has_a_turn() {
    let mut settings = one_queue(queue("general", Strategy::Ordered), 3);
    settings.agents.reverse();
    let mut w = World::new(&settings);
    w.join(1, w.q("general"));
    let mut rung = vec![w.offers()[0].1];
    rung.extend(offers(&w.pass(secs(100))).into_iter().map(|(_, agent)| agent));
    let names: Vec<_> = rung.iter().map(|&agent| w.desk.agent_name(agent).unwrap()).collect();
    assert_eq!(names, ["op2", "op1", "op0", "op2", "op1", "op0"]);
}

#[test]
fn round_robin_goes_round_and_random_is_even() {
    let mut w = World::new(&one_queue(queue("general", Strategy::RoundRobin), 3));
    w.desk.check().unwrap();
    let q = w.q("general");
    let mut rung = Vec::new();
    for call in 0..6 {
        w.join(call, q);
        rung.push(w.offers()[0].1.0);
        w.leave(call);
    }
    assert_eq!(rung, [0, 1, 2, 0, 1, 2]);
    let mut w = World::new(&one_queue(queue("general", Strategy::Random), 4));
    let mut counts = [0_i64; 4];
    for call in 0..4_000 {
        w.join(call, q);
        counts[w.offers()[0].1.0 as usize] += 1;
        w.leave(call);
    }
    assert!(counts.iter().all(|count| (count - 1_000).abs() < 120), "{counts:?}");
}

#[test]
fn fewest_calls_and_least_talk_time_count_from_the_log_in() {
    for (strategy, next) in [(Strategy::FewestCalls, 1), (Strategy::LeastTalkTime, 0)] {
        let mut settings = one_queue(queue("general", strategy), 2);
        settings.queues[0].wrap_up = Duration::ZERO;
        let mut w = World::new(&settings);
        let (q, ids) = (w.q("general"), [w.a("op0"), w.a("op1")]);
        for (call, agent, talk) in [(1, 0, 5), (2, 1, 60), (3, 0, 5)] {
            w.pause(ids[1 - agent]);
            w.join(call, q);
            assert!(w.answered(call, ids[agent]));
            w.pass(secs(talk));
            w.released(call, ids[agent]);
            w.ready(ids[1 - agent]);
        }
        w.join(4, q);
        assert_eq!(w.offers(), [(4, ids[next])], "{strategy:?}");
        w.leave(4);
        w.wish(ids[1 - next], Wish::LogOut).unwrap();
        w.ready(ids[1 - next]);
        w.join(5, q);
        assert_eq!(w.offers(), [(5, ids[1 - next])], "{strategy:?}: counted from nought");
    }
}

#[test]
fn every_pick_is_accounted_for_and_the_account_is_bounded() {
    let mut settings = one_queue(queue("general", Strategy::LongestIdle), 100);
    settings.queues[0].skills = vec!["operator".into()];
    for agent in settings.agents.iter_mut().take(99) {
        agent.skills = vec!["operator".into()];
    }
    let mut w = World::new(&settings);
    let (q, first, second) = (w.q("general"), w.a("op0"), w.a("op1"));
    w.pause(second);
    w.join(1, q);
    let picks: Vec<&Pick> = w.out.iter().filter_map(pick_of).collect();
    let [pick] = picks[..] else { panic!("{picks:?}") };
    assert_eq!(pick.agents[0], (first, Verdict::Chosen));
    assert!(pick.agents[1..].iter().all(|(_, verdict)| *verdict == Verdict::Behind));
    assert_eq!((pick.agents.len(), pick.more_agents), (32, 67), "op99 does not serve it");
    for agent in w.desk.agents().map(|(id, _)| id).collect::<Vec<_>>() {
        w.pause(agent);
    }
    w.join(2, q);
    let why = w.desk.explain(w.now, CallId(2)).unwrap();
    assert_eq!(why.agents.len(), 32);
    assert!(why.agents.iter().all(|(_, verdict)| *verdict == Verdict::Paused));
    assert_eq!(w.desk.explain(w.now, CallId(77)), None);
}

fn pick_of(effect: &Effect) -> Option<&Pick> {
    match effect {
        Effect::Fact(Fact::Picked(pick)) => Some(pick),
        _ => None,
    }
}

#[test]
fn the_account_names_who_was_passed_over_and_why() {
    let mut w = relaxing();
    let q = w.q("health");
    let nurse = w.a("nurse");
    w.pause(w.a("novice"));
    w.join(1, q);
    w.pass(secs(10));
    w.join_with(2, q, Join { emergency: true, ..Join::default() });
    assert!(w.answered(2, nurse));
    let hindi = Join { languages: vec!["hi".into()], priority: 3, ..Join::default() };
    w.pass(secs(25));
    w.join_with(3, q, hindi);
    w.leave(2);
    let out = w.pass(secs(10));
    let pick = out.iter().find_map(pick_of).unwrap();
    assert_eq!((pick.call, pick.agents[0]), (CallId(1), (nurse, Verdict::Chosen)));
    assert_eq!(pick.callers, [(CallId(3), PassedOver::Level)], "of the higher priority");
    let why = w.desk.explain(w.now, CallId(3)).unwrap();
    assert_eq!(why.agents, [(w.a("novice"), Verdict::Paused), (nurse, Verdict::Offered)]);
    assert_eq!((why.level, why.languages), (3, vec!["lang:hi".to_string()]));
}

#[test]
fn an_estimate_is_told_once_it_means_something_and_never_promises_too_little() {
    let mut w = World::new(&one_queue(queue("general", Strategy::LongestIdle), 1));
    let (q, op) = (w.q("general"), w.a("op0"));
    for call in 0..4 {
        w.join(call, q);
        assert!(w.answered(call, op));
        w.join(100 + call, q);
        let outlook = w.desk.outlook(w.now, CallId(100 + call)).unwrap();
        assert_eq!(outlook, Outlook { position: 1, wait: None }, "after {call} conversations");
        w.leave(100 + call);
        w.pass(secs(50));
        w.released(call, op);
        w.pass(secs(10));
    }
    assert_eq!(w.desk.estimate(q, 1), Some(secs(60)), "fifty of talk, ten of wrap-up");
    w.pause(op);
    assert_eq!(w.desk.estimate(q, 1), None, "nobody is on duty");
    w.ready(op);
    w.join(10, q);
    w.answered(10, op);
    for call in 11..14 {
        w.join(call, q);
    }
    let waits = [11, 12, 13].map(|call| w.desk.outlook(w.now, CallId(call)).unwrap().wait);
    assert_eq!(waits, [Wait::OneToTwo, Wait::TwoToThree, Wait::ThreeToFive].map(Some));
    assert_eq!(w.desk.outlook(w.now, CallId(10)), None, "answered");
    let bounds = [0, 59, 60, 119, 179, 180, 299, 300, 599, 600].map(|s| Wait::of(secs(s)));
    assert!(bounds.is_sorted());
    assert_eq!(Wait::of(secs(600)), Wait::OverTen);
}
