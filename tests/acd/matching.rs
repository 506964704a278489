//! Who is matched with whom, behaviour by behaviour: levels, languages, emergencies, places that
//! are kept, strategies, and what each decision says about itself.

use crate::acd_world::{World, agent, away, offers, one_queue, queue, secs};
use pukar::acd::{
    AgentState, Away, Claim, Effect, Fact, Instead, Join, Miss, Outlook, PassedOver, Pick, Relax,
    Settings, Skill, Strategy, Unfree, Verdict, Wait, Wish,
};
use pukar::base::{AgentId, CallId, Rng};
use std::collections::BTreeSet;
use std::time::Duration;

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
    assert_eq!(pick.agents.len(), 32);
    let others = [(Verdict::Behind, 66), (Verdict::Paused, 1)];
    assert_eq!((&pick.others[..], pick.total()), (&others[..], 99), "op99 does not serve it");
    for agent in w.desk.agents().map(|(id, _)| id).collect::<Vec<_>>() {
        w.pause(agent);
    }
    w.join(2, q);
    let why = w.desk.explain(w.now, CallId(2)).unwrap();
    assert_eq!((why.agents.len(), &why.others[..]), (32, &[(Verdict::Paused, 67)][..]));
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

#[test]
fn needs_that_nobody_has_any_more_make_room_for_new_ones() {
    let mut settings = one_queue(queue("general", Strategy::LongestIdle), 2);
    settings.agents[0] = agent("op0", &["lang:l1", "lang:l70", "lang:l150"]);
    settings.queues[0].language_after = secs(600);
    let mut w = World::new(&settings);
    let (q, polyglot, other) = (w.q("general"), w.a("op0"), w.a("op1"));
    for call in 0..200 {
        let languages = vec![format!("l{call}")];
        w.join_with(call, q, Join { languages, ..Join::default() });
        let rung = matches!(call, 1 | 70 | 150);
        assert_eq!(w.offers(), if rung { vec![(call, polyglot)] } else { vec![] });
        w.leave(call);
    }
    w.join(300, q);
    w.join(301, q);
    assert_eq!(w.state(other), AgentState::Offered { call: CallId(301) });
    w.leave(300);
    let before = w.desk.clone();
    w.reload(&settings);
    assert_eq!(w.desk, before);
    let text = serde_json::to_string(&before).unwrap();
    assert!(text.len() < 20_000, "an index of needs has an end: {}", text.len());
}

#[test]
fn whoever_is_asked_of_a_queue_is_chosen_by_its_strategy_and_accounted_for() {
    for (strategy, expected) in [
        (Strategy::RoundRobin, ["op0", "op1", "op2", "op0"]),
        (Strategy::Ordered, ["op0", "op0", "op0", "op0"]),
        (Strategy::LongestIdle, ["op0", "op1", "op2", "op0"]),
    ] {
        let mut settings = one_queue(queue("health", strategy), 3);
        settings.queues[0].wrap_up = Duration::ZERO;
        let mut w = World::new(&settings);
        let q = w.q("health");
        for (call, name) in (1..).zip(expected) {
            let agent = w.claim_any(call, q, Join::default()).unwrap();
            assert_eq!(w.desk.agent_name(agent), Some(name), "{strategy:?} {call}");
            let pick = w.out.iter().find_map(pick_of).expect("an account");
            assert_eq!((pick.claim, pick.agents[0]), (Claim::Asked, (agent, Verdict::Chosen)));
            assert_eq!((pick.agents.len(), pick.callers.len()), (3, 0));
            assert!(w.answered(call, agent));
            w.pass(secs(1));
            w.released(call, agent);
            w.pass(secs(1));
        }
    }
    // Any of them, by the dice: not the same one for ever.
    let mut settings = one_queue(queue("health", Strategy::Random), 8);
    settings.queues[0].wrap_up = Duration::ZERO;
    let mut w = World::new(&settings);
    let q = w.q("health");
    let mut chosen = BTreeSet::new();
    for call in 1..40 {
        let agent = w.claim_any(call, q, Join::default()).unwrap();
        chosen.insert(agent);
        assert!(w.answered(call, agent));
        w.released(call, agent);
    }
    assert!(chosen.len() > 4, "{chosen:?}");
}

#[test]
fn whoever_is_asked_of_a_queue_speaks_to_the_caller_where_anybody_free_does() {
    let mut settings = one_queue(queue("health", Strategy::LongestIdle), 0);
    settings.queues[0].skills = vec!["health".into()];
    settings.queues[0].level = 3;
    settings.queues[0].language_after = secs(20);
    settings.queues[0].relax = vec![Relax { after: secs(30), level: 1 }];
    settings.agents = vec![
        agent("hindi", &["health=3", "lang:hi"]),
        agent("weak", &["health=1", "lang:mr"]),
        agent("marathi", &["health=3", "lang:mr"]),
    ];
    let mut w = World::new(&settings);
    let q = w.q("health");
    let asks = || Join { languages: vec!["mr".into()], ..Join::default() };
    let mut chosen = Vec::new();
    for call in 1..4 {
        let agent = w.claim_any(call, q, asks()).unwrap();
        chosen.push(w.desk.agent_name(agent).unwrap().to_string());
    }
    assert_eq!(chosen, ["marathi", "hindi", "weak"], "nobody waits for what nobody free has");
    assert_eq!(w.claim_any(4, q, asks()), Err(Unfree::Nobody));
}

/// What keeps each of a hundred agents from a caller, whom these have missed, found out one by one.
fn one_by_one(
    w: &World,
    pick: &Pick,
    held: bool,
    tried: &BTreeSet<AgentId>,
) -> Vec<(Verdict, u32)> {
    let named: Vec<AgentId> = pick.agents.iter().map(|(agent, _)| *agent).collect();
    let mut counts: Vec<(Verdict, u32)> = Vec::new();
    for (agent, state) in w.desk.agents().filter(|(agent, _)| !named.contains(agent)) {
        let name = w.desk.agent_name(agent).unwrap();
        let n: u32 = name[2..].parse().unwrap();
        let verdict = match state {
            AgentState::Ready if held => Verdict::NotTheSame,
            AgentState::Ready if pick.level > 1 && !pick.languages.is_empty() => {
                match n.is_multiple_of(6) {
                    true if tried.contains(&agent) => Verdict::Tried,
                    true => Verdict::Behind,
                    false => Verdict::Unsuited,
                }
            }
            AgentState::Ready if pick.level > 1 && !n.is_multiple_of(3) => Verdict::Level,
            AgentState::Ready if !pick.languages.is_empty() && !n.is_multiple_of(2) => {
                Verdict::Language
            }
            AgentState::Ready if tried.contains(&agent) => Verdict::Tried,
            AgentState::Ready => Verdict::Behind,
            AgentState::Paused { .. } => Verdict::Paused,
            AgentState::Off => Verdict::Off,
            AgentState::Resting => Verdict::Resting,
            AgentState::Talking { .. } => Verdict::Talking,
            other => panic!("{name}: {other:?}"),
        };
        match counts.iter_mut().find(|(known, _)| *known == verdict) {
            Some((_, count)) => *count += 1,
            None => counts.push((verdict, 1)),
        }
    }
    counts.sort_by_key(|(verdict, _)| *verdict as u8);
    counts
}

/// Every third is of the higher level, every second speaks Hindi.
fn hundred(strategy: Strategy) -> Settings {
    let mut settings = one_queue(queue("general", strategy), 100);
    settings.queues[0].skills = vec!["operator".into()];
    settings.queues[0].level = 2;
    settings.queues[0].relax = vec![Relax { after: secs(60), level: 1 }];
    settings.queues[0].sticky = secs(30);
    for (n, agent) in settings.agents.iter_mut().enumerate() {
        let level = if n % 3 == 0 { 2 } else { 1 };
        agent.skills = vec![Skill { name: "operator".into(), level }];
        agent.skills.extend((n % 2 == 0).then(|| "lang:hi".into()));
    }
    settings
}

#[test]
fn whoever_is_only_counted_is_counted_as_if_each_had_been_looked_at() {
    let mut seen = BTreeSet::new();
    let strategies = Strategy::ALL.into_iter().map(|(_, strategy)| strategy);
    let single = strategies.filter(|strategy| *strategy != Strategy::RingAll).cycle();
    for (seed, strategy) in (0..120).zip(single) {
        let mut rng = Rng::new(seed);
        let mut settings = hundred(strategy);
        settings.queues[0].language_after = secs(600);
        if rng.chance(50) {
            (settings.queues[0].level, settings.queues[0].relax) = (1, Vec::new());
        }
        let mut w = World::new(&settings);
        let q = w.q("general");
        for n in 0..100 {
            let agent = w.a(&format!("op{n}"));
            match rng.below(8) {
                0 => w.pause(agent),
                1 => w.wish(agent, Wish::LogOut).unwrap(),
                _ => {}
            }
        }
        let languages = if rng.chance(50) { vec!["hi".into()] } else { Vec::new() };
        w.join_with(1, q, Join { languages, ..Join::default() });
        let mut tried = BTreeSet::new();
        for _ in 0..6 {
            let pick = w.out.iter().find_map(pick_of).expect("a pick").clone();
            assert_eq!((pick.agents.len(), pick.total()), (32, 100), "{seed}");
            assert_eq!(pick.others, one_by_one(&w, &pick, false, &tried), "{seed} {strategy:?}");
            seen.extend(pick.others.iter().map(|(verdict, _)| *verdict as u8));
            let agent = pick.agents[0].0;
            // Who has missed the caller rests, and is free again when the next one misses them.
            w.pass(secs(6));
            w.missed(1, agent, Miss::Declined);
            tried.insert(agent);
        }
    }
    for verdict in [Verdict::Tried, Verdict::Level, Verdict::Language, Verdict::Unsuited] {
        assert!(seen.contains(&(verdict as u8)), "{verdict:?}");
    }
}

#[test]
fn nobody_of_a_hundred_is_left_unexplained() {
    let settings = hundred(Strategy::LongestIdle);
    let mut w = World::new(&settings);
    let q = w.q("general");
    for n in [10, 40, 41, 42, 43, 90] {
        w.pause(w.a(&format!("op{n}")));
    }
    for n in [50, 51, 60] {
        w.wish(w.a(&format!("op{n}")), Wish::LogOut).unwrap();
    }
    let hindi = || Join { languages: vec!["hi".into()], ..Join::default() };
    let mut seen = Vec::new();
    for (call, join, waits) in [
        (1, Join::default(), 0),
        (2, hindi(), 0),
        (3, Join { emergency: true, ..Join::default() }, 0),
    ] {
        w.join_with(call, q, join);
        w.pass(secs(waits));
        let pick = w.out.iter().find_map(pick_of).expect("a pick").clone();
        assert_eq!((pick.agents.len(), pick.total()), (32, 100));
        assert_eq!(pick.others, one_by_one(&w, &pick, false, &BTreeSet::new()), "{call}");
        seen.extend(pick.others.iter().map(|(verdict, _)| *verdict));
        w.answered(call, pick.agents[0].0);
    }
    for verdict in [Verdict::Behind, Verdict::Level, Verdict::Unsuited, Verdict::Paused] {
        assert!(seen.contains(&verdict), "{verdict:?} of {seen:?}");
    }
    // Whoever waits for one agent alone waits for none of the others.
    let talks = w.desk.agents().find(|(_, s)| matches!(s, AgentState::Talking { .. }));
    let talks = talks.unwrap().0;
    w.join_with(5, q, Join { agent: Some(talks), ..Join::default() });
    let pick = w.desk.explain(w.now, CallId(5)).unwrap();
    assert_eq!((pick.agents.len(), pick.total()), (32, 100));
    assert_eq!(pick.others, one_by_one(&w, &pick, true, &BTreeSet::new()));
}

#[test]
fn of_a_hundred_who_ring_at_once_all_are_accounted_for() {
    let mut w = World::new(&one_queue(queue("general", Strategy::RingAll), 100));
    let q = w.q("general");
    w.pause(w.a("op7"));
    w.join(1, q);
    let pick = w.out.iter().find_map(pick_of).unwrap();
    assert_eq!(pick.agents.len(), 32);
    assert!(pick.agents.iter().all(|(_, verdict)| *verdict == Verdict::Chosen));
    assert_eq!(pick.others, [(Verdict::Chosen, 67), (Verdict::Paused, 1)]);
    // Nobody has answered: they ring once more.
    w.pass(secs(20));
    let again = w.pass(secs(6));
    let again: Vec<&Pick> = again.iter().filter_map(pick_of).collect();
    assert!(!again.is_empty());
    again.into_iter().for_each(|pick| assert_eq!(pick.total(), 100, "{:?}", pick.others));
}
