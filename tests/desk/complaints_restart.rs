//! What a killed switch owes to the people on the phone, as stories: complaint Q37 in each state a
//! call can be in, and who was not there any more when it came back.

use pukar::base::Instant;
use pukar::call::{EndedBy, Outcome};
use pukar::sim::{Habits, Plan, Reach, World, agent_address, caller_address};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn world(agents: usize) -> World {
    let plan = Plan { agents: vec![Reach::Fixed; agents], callers: 4, ..Plan::calm() };
    World::story(5, plan)
}

/// Kills the switch after so many milliseconds of a call, and lets the call go on.
fn killed_at(millis: u64) -> World {
    let mut world = world(1);
    world.agent_does(0, Habits::polite(2 * SECOND, 10 * SECOND));
    world.caller_does(0, Habits::polite(SECOND, 60 * SECOND));
    world.dial(0);
    world.wait(Duration::from_millis(millis));
    world.kill().unwrap();
    world
}

#[test]
fn q37_whatever_state_a_call_is_in_the_kill_changes_nothing_of_it() {
    // Arriving, ringing at the agent, just answered, talking, saying goodbye.
    for millis in [1, 15, 40, 500, 1_500, 2_010, 2_040, 3_000, 8_000, 11_990, 12_030, 12_060] {
        let mut world = killed_at(millis);
        world.end();
        let record = &world.records()[0];
        assert_eq!(world.records().len(), 1, "killed at {millis} ms");
        assert_eq!(record.outcome, Outcome::Answered, "killed at {millis} ms: {record:?}");
        assert_eq!((record.agent.as_str(), record.offers), ("op0", 1), "killed at {millis} ms");
        assert!(record.talk_ms >= 9_000, "killed at {millis} ms: {record:?}");
    }
}

#[test]
fn q37_callers_who_wait_are_served_in_their_order_after_the_kill() {
    let mut world = world(1);
    world.agent_does(0, Habits::polite(SECOND, 5 * SECOND));
    for caller in 0..4 {
        world.caller_does(caller, Habits::polite(SECOND, 600 * SECOND));
        world.dial(caller);
        world.wait(SECOND / 2);
        world.kill().unwrap();
    }
    world.end();
    let arrived: Vec<_> = world.records().iter().map(|record| record.arrived_at).collect();
    assert!(arrived.is_sorted() && arrived.len() == 4, "{:#?}", world.records());
    assert!(world.records().iter().all(|record| record.outcome == Outcome::Answered));
}

#[test]
fn a_waiting_caller_who_is_gone_when_the_switch_comes_back_is_found_and_closed_as_recovered() {
    let mut world = world(0);
    world.dial(0);
    world.wait(3 * SECOND);
    world.vanish(caller_address(0));
    world.kill().unwrap();
    let took = world.wait_until(60 * SECOND, |world| world.live_calls() == 0);
    assert!(took < 45 * SECOND, "{took:?}");
    world.end();
    let record = &world.records()[0];
    assert_eq!((record.ended_by, record.outcome), (EndedBy::Recovered, Outcome::Failed));
}

#[test]
fn an_agent_who_is_gone_when_the_switch_comes_back_costs_the_caller_no_place() {
    let mut world = world(2);
    world.agent_does(0, Habits::polite(SECOND, 500 * SECOND));
    world.agent_does(1, Habits::polite(SECOND, 5 * SECOND));
    world.caller_does(0, Habits::polite(SECOND, 600 * SECOND));
    world.dial(0);
    world.wait(5 * SECOND);
    let first = if world.talks(agent_address(0)) > 0 { 0 } else { 1 };
    world.agent_does(1 - first, Habits::polite(SECOND, 5 * SECOND));
    world.vanish(agent_address(first));
    world.kill().unwrap();
    world.end();
    let record = &world.records()[0];
    assert_eq!(
        (record.outcome, record.agent.clone()),
        (Outcome::Answered, format!("op{}", 1 - first))
    );
}

#[test]
fn a_drain_that_was_killed_is_not_gone_on_with() {
    let mut world = world(1);
    world.agent_does(0, Habits::polite(SECOND, 3 * SECOND));
    world.tell(pukar::core::Event::Drain);
    world.kill().unwrap();
    world.caller_does(0, Habits::polite(SECOND, 60 * SECOND));
    world.dial(0);
    world.end();
    assert_eq!(world.records()[0].outcome, Outcome::Answered);
    assert!(world.now() > Instant(0));
}
