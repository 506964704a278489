//! A small helpline for stories of calls in hand: a caller who talks with op0, a second operator
//! and a counsellor; who hears whom; and a record whose clocks must add up.

use pukar::acd::AgentState;
use pukar::call::{self, Way};
use pukar::core::{CallRecord, Fact, Verb, What};
use pukar::sim::{Habits, Plan, Reach, World, agent_address, caller_address};
use std::time::Duration;

pub const SECOND: Duration = Duration::from_secs(1);

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Two operators and a counsellor, op2, who answer after a second and do not hang up.
pub fn world(seed: u64) -> World {
    let plan = Plan {
        callers: 3,
        agents: vec![Reach::Fixed, Reach::Registered, Reach::Fixed],
        counsellors: 1,
        ..Plan::calm()
    };
    let mut world = World::story(seed, plan);
    (0..3).for_each(|agent| world.agent_does(agent, stays()));
    world
}

pub fn stays() -> Habits {
    Habits { talk: None, ..Habits::polite(SECOND, SECOND) }
}

pub fn silent() -> Habits {
    Habits { answer_after: None, ..stays() }
}

pub fn talks(world: &World, agent: u16) -> bool {
    matches!(world.agent(agent), AgentState::Talking { .. })
}

pub fn rings(world: &World, agent: u16) -> bool {
    matches!(world.agent(agent), AgentState::Offered { .. })
}

pub fn wraps_up(world: &World, agent: u16) -> bool {
    matches!(world.agent(agent), AgentState::WrapUp { .. })
}

pub fn is_waiting(world: &World) -> bool {
    !talks(world, 0) && !talks(world, 1) && !talks(world, 2) && world.live_calls() == 1
}

/// A caller who talks with op0.
pub fn talking(seed: u64) -> World {
    let mut world = world(seed);
    world.dial(0);
    world.wait_until(3 * SECOND, |world| talks(world, 0));
    world.wait(SECOND);
    assert!(together(&world, &[0]));
    world
}

/// Whether the caller and these agents hear one another.
pub fn together(world: &World, agents: &[u16]) -> bool {
    let agents = agents.iter().map(|agent| agent_address(*agent));
    let phones: Vec<_> = std::iter::once(caller_address(0)).chain(agents).collect();
    world.hear_each_other(&phones)
}

pub fn ask_each_other(world: &World, a: u16, b: u16) -> bool {
    world.hear_each_other(&[agent_address(a), agent_address(b)])
}

pub fn transfer(world: &mut World, to: &str, way: Way) -> Result<String, String> {
    let call = world.call();
    world.act(Verb::Transfer { call, to: to.into(), way })
}

/// The one record of the story. Its clocks account for every second of the caller's, and so do its
/// legs (row Q32).
pub fn record(world: &mut World) -> CallRecord {
    let (record, covered) = account(world);
    let talked = record.talk_ms as i64;
    assert!((covered - talked).abs() <= 20, "legs {covered} ms, talk {talked} ms: {record:#?}");
    record
}

/// The same where a phone that has referred stays on until it knows how that went.
pub fn record_of_refer(world: &mut World) -> CallRecord {
    let (record, covered) = account(world);
    let (talked, whole) = (record.talk_ms as i64, record.ended_at.0 - record.arrived_at.0);
    assert!((talked - 20..=whole / 1_000).contains(&covered), "{covered} ms: {record:#?}");
    record
}

/// The record, and how long the legs of all but the caller cover together, in milliseconds.
pub fn account(world: &mut World) -> (CallRecord, i64) {
    world.give_up(0);
    (0..3).for_each(|agent| world.hang_up(agent));
    world.end();
    let [record] = world.records() else { panic!("{:?}", world.records()) };
    let whole = (record.ended_at.0 - record.arrived_at.0) / 1_000;
    let clocks = (record.wait_ms + record.talk_ms) as i64;
    assert!((whole - clocks).abs() <= 20, "{whole} ms, {clocks} on the clocks: {record:#?}");
    assert!(record.hold_ms <= record.talk_ms, "{record:#?}");
    let caller = record.legs.iter().find(|leg| leg.role == "caller").unwrap();
    assert_eq!((caller.opened_at, caller.closed_at), (record.arrived_at, Some(record.ended_at)));
    let partners = record.legs.iter().filter(|leg| leg.role != "caller");
    let spans = partners.filter_map(|leg| Some((leg.answered_at?.0, leg.closed_at?.0)));
    let mut spans: Vec<(i64, i64)> = spans.collect();
    spans.sort_unstable();
    // Whatever the legs of the others cover together is what the caller did not wait.
    let (mut covered, mut until) = (0, i64::MIN);
    for (from, to) in spans {
        covered += (to - from.max(until)).max(0);
        until = until.max(to);
    }
    (record.clone(), covered / 1_000)
}

pub fn facts(world: &World, fits: impl Fn(&call::Fact) -> bool) -> usize {
    let facts = world.facts().iter().filter_map(|fact| match &fact.what {
        What::Call(fact) => Some(fact),
        _ => None,
    });
    facts.filter(|fact| fits(fact)).count()
}

pub fn refused(world: &World, why: &str) -> bool {
    facts(
        world,
        |fact| matches!(fact, call::Fact::NotTransferred { why: said, .. } if said.contains(why)),
    ) == 1
}

pub fn record_of_many(world: &mut World) {
    (0..3).for_each(|caller| world.give_up(caller));
    (0..3).for_each(|agent| world.hang_up(agent));
    world.end();
}

/// What `pukar audit` shows: who did what, to what.
pub fn acts(world: &World) -> Vec<String> {
    let act = |fact: &Fact| match &fact.what {
        What::Audit(act) => Some(format!("{} {} {}", act.by, act.verb, act.on)),
        _ => None,
    };
    world.facts().iter().filter_map(act).collect()
}
