//! Random histories, run by the desk and by a deliberately naive model of it side by side: plain
//! lists, searched from end to end for every decision. After each input both must have asked for
//! the same, told the same, be in the same states and wait for the same next timer.

use crate::acd_naive::Model;
use crate::acd_world::{World, agent, ms, queue};
use pukar::acd::{
    Desk, Door, Effect, Fact, Hand, Instead, Join, Miss, Relax, Settings, Skill, Strategy, Unfree,
    Ways, Wish,
};
use pukar::base::{AgentId, CallId, Instant, QueueId, Rng, Timer};
use std::collections::BTreeSet;

/// Histories of each strategy by itself, and as many of all of them mixed. `HISTORIES=1000000`
/// makes a longer run of it.
const HISTORIES: u64 = 13_000;
const STEPS: u64 = 32;

macro_rules! strategies {
    ($($name:ident: $number:literal, [$($strategy:ident),*];)*) => {$(
        #[test]
        fn $name() {
            run($number << 32, &[$(Strategy::$strategy),*]);
        }
    )*};
}

strategies! {
    longest_idle_is_equal_to_the_naive_model: 0, [LongestIdle];
    ring_all_is_equal_to_the_naive_model: 1, [RingAll, RingAll, LongestIdle];
    fewest_calls_is_equal_to_the_naive_model: 2, [FewestCalls];
    least_talk_time_is_equal_to_the_naive_model: 3, [LeastTalkTime];
    round_robin_is_equal_to_the_naive_model: 4, [RoundRobin];
    ordered_is_equal_to_the_naive_model: 5, [Ordered];
    random_is_equal_to_the_naive_model: 6, [Random];
    all_mixed_are_equal_to_the_naive_model: 7,
        [LongestIdle, RingAll, FewestCalls, LeastTalkTime, RoundRobin, Ordered, Random];
}

/// What the decisions of a run said: a comparison proves nothing about what never came up.
type Seen = BTreeSet<String>;

fn run(first_seed: u64, strategies: &[Strategy]) {
    let mut seen = Seen::new();
    let wanted = std::env::var("HISTORIES").ok().and_then(|number| number.parse().ok());
    for seed in first_seed..first_seed + wanted.unwrap_or(HISTORIES) {
        let result = std::panic::catch_unwind(|| history(seed, strategies));
        seen.append(&mut result.unwrap_or_else(|_| panic!("seed {seed}")));
    }
    for word in [
        "Chosen",
        "Level",
        "Language",
        "NotTheSame",
        "Off",
        "Paused",
        "Unreachable",
        "Resting",
        "Offered",
        "Talking",
        "WrapUp",
        "HeldFor",
        "Aged",
        "Emergency",
        "Weighed",
        "Full",
        "Unstaffed",
        "Expired",
        "NoQueue",
        "OwnCall",
        "Asked",
        "Serving",
        "Unclaimed",
        "Repaired",
        "Handled",
        "Shut",
        "Engaged",
        "WrapsUp",
        "Nobody",
    ] {
        assert!(seen.contains(word), "no history has {word}");
    }
}

fn history(seed: u64, strategies: &[Strategy]) -> Seen {
    let mut rng = Rng::new(seed);
    let mut settings = Settings::default();
    for i in 0..1 + rng.below(3) {
        settings.queues.push(random_queue(&mut rng, i, strategies));
    }
    for i in 0..1 + rng.below(5) {
        settings.agents.push(random_agent(&mut rng, i));
    }
    let mut world = World::new(&settings);
    world.prompt = false;
    let mut model = Model::new();
    model.reload(world.now, &settings, &world.desk);
    compare(&world, &mut model);
    let mut seen = Seen::new();
    for _ in 0..STEPS {
        let unfree = step(&mut rng, &mut world, &mut model, &mut settings, strategies);
        seen.extend(unfree.map(|why| format!("{why:?}")));
        see(&world.out, &mut seen);
        compare(&world, &mut model);
        if rng.below(100) == 0 {
            let text = serde_json::to_string(&world.desk).unwrap();
            let restored: Desk = serde_json::from_str(&text).unwrap();
            assert_eq!(restored, world.desk);
            world.desk = restored;
        }
    }
    seen
}

fn see(out: &[Effect], seen: &mut Seen) {
    let mut see = |what: &dyn std::fmt::Debug| {
        let text = format!("{what:?}");
        let word = text.split(['(', ' ']).next().unwrap_or_default();
        if !seen.contains(word) {
            seen.insert(word.to_string());
        }
    };
    for effect in out {
        match effect {
            Effect::Fact(Fact::Picked(pick)) => {
                see(&pick.claim);
                pick.agents.iter().for_each(|(_, verdict)| see(verdict));
                pick.callers.iter().for_each(|(_, why)| see(why));
            }
            Effect::TurnedAway { why, .. } => see(why),
            Effect::Fact(
                fact @ (Fact::Serving { .. }
                | Fact::Unclaimed { .. }
                | Fact::Repaired { .. }
                | Fact::Handled { .. }),
            ) => see(fact),
            Effect::Fact(_)
            | Effect::Offer { .. }
            | Effect::Unclaimed { .. }
            | Effect::Withdraw { .. } => {}
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
    if rng.chance(30) {
        queue.level = 1 + rng.below(3) as u8;
        for _ in 0..rng.below(3) {
            let after = ms(300 * (1 + rng.below(4)));
            queue.relax.push(Relax { after, level: 1 + rng.below(3) as u8 });
        }
        queue.relax.sort_by_key(|step| step.after);
        queue.relax.dedup_by_key(|step| step.after);
    }
    queue.language_after = ms(400 * rng.below(3));
    queue.aging = ms(1_000 * (1 + rng.below(3)));
    queue.sticky = ms(600 * rng.below(3));
    queue.return_within = ms(1_000 * rng.below(3));
    let choices = [Instead::Refuse, Instead::Overflow, Instead::Callback];
    queue.max_callers = if rng.chance(20) { 2 } else { 0 };
    queue.when_full = choices[rng.below(3) as usize];
    queue.when_unstaffed = choices.get(rng.below(12) as usize).copied();
    queue.paused_is_staff = rng.chance(70);
    queue.when_expired = choices[rng.below(3) as usize];
    queue
}

/// How somebody comes: mostly without wishes.
fn random_join(rng: &mut Rng, world: &World) -> Join {
    let mut join = Join::from(Instant(world.now.0 - rng.below(3) * 200_000));
    if rng.chance(30) {
        join.priority = rng.below(3) as u8;
    }
    join.emergency = rng.chance(5);
    if rng.chance(30) {
        let all = ["hi", "en", "surgujia"];
        join.languages = (0..1 + rng.below(2)).map(|_| all[rng.below(3) as usize].into()).collect();
    }
    if rng.chance(60) {
        join.caller = Some(format!("+9198{}", rng.below(4)));
        join.line = ["181", "104"][rng.below(2) as usize].into();
    }
    if rng.chance(15) {
        join.agent = Some(pick_agent(rng, world));
    }
    join.keep = Some(ms(1_000 * rng.below(4))).filter(|_| rng.chance(5));
    (join.again, join.lent) = (rng.chance(5), rng.chance(10));
    join
}

fn random_agent(rng: &mut Rng, i: u64) -> pukar::acd::AgentSettings {
    let mut agent = agent(&format!("op{i}"), &[]);
    let level = |rng: &mut Rng| if rng.chance(60) { 1 } else { 1 + rng.below(3) as u8 };
    let skills = random_skills(rng, 70);
    agent.skills = skills.into_iter().map(|name| Skill { name, level: level(rng) }).collect();
    agent
        .skills
        .extend(["lang:hi", "lang:en"].iter().filter(|_| rng.chance(50)).map(|&l| l.into()));
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
) -> Option<Unfree> {
    world.out.clear();
    world.now = world.now + ms(rng.below(3) * rng.below(200));
    let now = world.now;
    let agent = pick_agent(rng, world);
    let call = rng.below(8);
    match rng.below(125) {
        0..=24 => {
            let queue = QueueId(rng.below(4));
            let join = random_join(rng, world);
            let (of, who) = ((CallId(call), queue), join.caller.clone().unwrap_or_default());
            let urgent = world.desk.comes_back_urgent(world.now, of, (&who, &join.line));
            assert_eq!(urgent, model.comes_back_urgent(world.now, of, (&who, &join.line)));
            world.join_with(call, queue, join.clone());
            model.join(now, CallId(call), queue, join);
        }
        25..=32 => {
            world.leave(call);
            model.leave(now, CallId(call));
        }
        33..=39 => {
            let stopping: Vec<AgentId> = model.stopping().collect();
            let agent = match stopping.is_empty() {
                true => agent,
                false => stopping[rng.below(stopping.len() as u64) as usize],
            };
            world.quiet(agent);
            model.quiet(now, agent);
        }
        40..=61 => phone(rng, world, model, agent, call),
        62..=73 => wish(rng, world, model, agent),
        74..=75 => {
            let (silent, away) = (rng.chance(40), rng.chance(50));
            world.silent(agent, silent, away);
            model.silent(now, agent, (silent, away));
        }
        76..=79 => {
            let there = rng.chance(60);
            world.reachable(agent, there);
            model.reachable(now, agent, there);
        }
        80..=94 => {
            if let Some(timer) = world.fire() {
                model.expire(world.now, timer);
            }
        }
        95 => cut_off(rng, world, model),
        97..=107 => return claims(rng, world, model, agent, call),
        108..=112 => own_calls(rng, world, model, agent, call),
        113..=116 => hand(rng, world, model, agent),
        117..=119 => said_more(rng, world, model, call),
        120 => {
            let (own, there) = (rng.chance(50), rng.chance(60));
            world.seated(agent, own, there);
            model.seated(now, agent, (own, there));
        }
        121 => repaired(rng, world, model, agent, call),
        96 => stray_timer(rng, world, model, agent, call),
        _ => {
            change(rng, settings, strategies);
            world.reload(settings);
            model.reload(now, settings, &world.desk);
        }
    }
    None
}

fn wish(rng: &mut Rng, world: &mut World, model: &mut Model, agent: AgentId) {
    let wish = match rng.below(6) {
        0..=2 => Wish::Ready,
        3 => Wish::Pause { reason: "tea".into() },
        4 => Wish::LogOut,
        _ => Wish::EndWrapUp,
    };
    let granted = world.wish(agent, wish.clone()).is_ok();
    assert_eq!(granted, model.wish(world.now, agent, wish));
}

/// One that nothing waits for, mostly.
fn stray_timer(rng: &mut Rng, world: &mut World, model: &mut Model, agent: AgentId, call: u64) {
    let timer = match rng.below(5) {
        0 => Timer::WrapUp(agent),
        1 => Timer::Rest(agent),
        2 => Timer::RingTimeout(CallId(call), agent),
        3 => Timer::QueueReview(QueueId(rng.below(3))),
        _ => Timer::MaxWait(CallId(call)),
    };
    world.expire(timer);
    model.expire(world.now, timer);
}

/// Somebody is asked for by name, or any of a queue; and what a transfer makes of calls.
fn claims(
    rng: &mut Rng,
    world: &mut World,
    model: &mut Model,
    agent: AgentId,
    call: u64,
) -> Option<Unfree> {
    let (now, queue) = (world.now, QueueId(rng.below(3)));
    let whose = Some(queue).filter(|_| rng.chance(50));
    let own = model.call_of(agent).map_or(call, |own| own.0);
    // Some are calls that the desk has never heard of: consultations.
    let (calls, to) = ((own, rng.below(12)), rng.below(12));
    match rng.below(10) {
        0..=3 => {
            let to = if rng.chance(30) { own } else { to };
            let result = world.claim_for(to, agent, whose);
            assert_eq!(result, model.claim(now, CallId(to), agent, whose));
            asked_for(rng, world, model, agent, to);
            return result.err();
        }
        4..=7 => {
            let join = random_join(rng, world);
            let result = world.claim_any(to, queue, join.clone());
            assert_eq!(result, model.claim_any(now, (CallId(to), queue), join));
            if let Ok(agent) = &result {
                asked_for(rng, world, model, *agent, to);
            }
            return result.err();
        }
        8 => {
            let notes = (whose, ms(300 * rng.below(2)));
            world.carry_over(calls, agent, notes);
            model.carry_over(now, (CallId(calls.0), CallId(calls.1)), agent, notes);
            asked_for(rng, world, model, agent, calls.1);
        }
        _ => {
            world.carry_claim(calls, agent, whose);
            model.carry_claim(now, (CallId(calls.0), CallId(calls.1)), agent, whose);
        }
    }
    None
}

fn asked_for(rng: &mut Rng, world: &mut World, model: &mut Model, agent: AgentId, call: u64) {
    let caller = ["", "+91981", "+91982"][rng.below(3) as usize];
    world.desk.asked_for(CallId(call), agent, caller);
    model.asked_for(CallId(call), agent, caller);
}

/// A call that an agent's phone placed or took by itself.
fn own_calls(rng: &mut Rng, world: &mut World, model: &mut Model, agent: AgentId, call: u64) {
    let now = world.now;
    if rng.chance(20) {
        let lives = rng.chance(70);
        world.desk.wait_beside(agent, CallId(200 + call), |_| lives);
        return model.wait_beside(agent, CallId(200 + call), lives);
    }
    if rng.chance(50) {
        let call = model.beside_of(agent).filter(|_| rng.chance(30)).unwrap_or(CallId(100 + call));
        world.occupy(agent, call.0);
        return model.occupy(now, agent, call);
    }
    let beside = model.beside_of(agent).filter(|_| rng.chance(50));
    let call = beside.or(model.call_of(agent)).unwrap_or(CallId(call));
    let wrap_up = ms(400 * rng.below(3));
    world.own_over(agent, call.0, wrap_up);
    model.own_over(now, agent, call, wrap_up);
}

/// A supervisor's hand on a queue.
fn hand(rng: &mut Rng, world: &mut World, model: &mut Model, agent: AgentId) {
    let hand = match rng.below(10) {
        0..=1 => Hand::Door([Door::Open, Door::Onward, Door::Shut][rng.below(3) as usize]),
        2 => Hand::Weight(rng.below(3) as u32),
        3 => Hand::Configured,
        4..=6 => Hand::Lend(agent),
        7..=8 => Hand::TakeAway(agent),
        _ => Hand::Ways(Ways::Open),
    };
    let queue = QueueId(rng.below(3));
    let changed = world.lay_hand(queue, hand);
    assert_eq!(changed, model.lay_hand(world.now, queue, hand));
}

fn said_more(rng: &mut Rng, world: &mut World, model: &mut Model, call: u64) {
    let emergency = rng.chance(30);
    let languages: &[&str] = [&[][..], &["hi"], &["en", "hi"]][rng.below(3) as usize];
    world.amend(call, emergency, languages);
    let languages: Vec<String> = languages.iter().map(ToString::to_string).collect();
    model.amend(world.now, CallId(call), emergency, &languages);
}

/// A supervisor's repair, or the switch's own: mostly of the call that the agent has.
fn repaired(rng: &mut Rng, world: &mut World, model: &mut Model, agent: AgentId, call: u64) {
    let call = model.call_of(agent).filter(|_| rng.chance(80)).unwrap_or(CallId(call));
    let (now, lives) = (world.now, rng.chance(60));
    world.repair(agent, call.0, lives);
    model.repair(now, agent, (call, lives));
}

fn pick_agent(rng: &mut Rng, world: &World) -> AgentId {
    let known: Vec<AgentId> = world.desk.agents().map(|(id, _)| id).collect();
    match known.is_empty() || rng.chance(5) {
        true => AgentId(rng.below(8)),
        false => known[rng.below(known.len() as u64) as usize],
    }
}

/// Somebody who talked was lost.
fn cut_off(rng: &mut Rng, world: &mut World, model: &mut Model) {
    let (now, caller, line) = (world.now, format!("+9198{}", rng.below(4)), "181");
    let left = (Instant(now.0 - rng.below(3) * 200_000), rng.chance(50));
    world.desk.cut_off(now, &caller, line, left);
    model.cut_off(now, &caller, line, left);
}

/// Something a phone did: mostly about the call it really has, sometimes about any.
fn phone(rng: &mut Rng, world: &mut World, model: &mut Model, agent: AgentId, call: u64) {
    let call = match model.call_of(agent) {
        Some(own) if rng.chance(85) => own.0,
        _ => call,
    };
    let now = world.now;
    match rng.below(11) {
        0..=3 => {
            let taken = world.answered(call, agent);
            assert_eq!(taken, model.answered(now, CallId(call), agent));
        }
        4..=6 => {
            let miss = [Miss::NoAnswer, Miss::Declined, Miss::Unreachable][rng.below(3) as usize];
            if model.call_of(agent).is_some() && rng.chance(20) {
                world.desk.stops(agent, CallId(call));
                model.stops(agent, CallId(call));
            }
            world.missed(call, agent, miss);
            model.missed(now, CallId(call), agent, miss);
        }
        7 => {
            world.spared(call, agent);
            model.spared(now, CallId(call), agent);
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
    for queue in &model.queues {
        for sure in [false, true] {
            let away = world.desk.turns_away(queue.id, sure);
            assert_eq!(away, model.turns_away(queue.id, sure), "{:?}", queue.id);
        }
        assert!(world.desk.line(queue.id).eq(model.line(queue.id)), "{:?}", queue.id);
        let (first, naive) = (world.desk.estimate(queue.id, 1), model.estimate(queue.id, 1));
        assert_eq!(first, naive, "{:?}", queue.id);
    }
    for call in &model.calls {
        let (found, naive) =
            (world.desk.position(world.now, call.id), model.position(world.now, call.id));
        assert_eq!(found, naive, "{:?}", call.id);
    }
    let timers = model.timers();
    assert_eq!(world.timers.next(), timers.iter().min().copied());
    assert_eq!(world.timers.len(), timers.len());
}
