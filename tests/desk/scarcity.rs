//! When something runs out, as stories of the whole switch: ports, patience with a silent party,
//! the switch's own time. What has begun goes on, and what is new gets a clear answer.

use pukar::acd::AgentState;
use pukar::call::{EndedBy, Outcome};
use pukar::core::{Event, What};
use pukar::sim::{Habits, Plan, Reach, World, agent_address, caller_address};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn plan(callers: u16, agents: &[Reach]) -> Plan {
    Plan { callers, agents: agents.to_vec(), ..Plan::calm() }
}

fn talks(world: &World, agent: u16) -> bool {
    matches!(world.agent(agent), AgentState::Talking { .. })
}

fn never_answers() -> Habits {
    Habits { answer_after: None, ..Habits::polite(SECOND, SECOND) }
}

/// The last thing that this caller was told, first line and all header fields.
fn told(world: &World, caller: u16) -> String {
    let to = caller_address(caller);
    let said = world.said().iter().rev().find(|(hop, _)| hop.peer == to);
    said.map_or(String::new(), |(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
}

fn is_sent_away(world: &World, caller: u16) -> bool {
    let told = told(world, caller);
    told.starts_with("SIP/2.0 503") && told.contains("\r\nRetry-After: ")
}

#[test]
fn silence_is_counted_anew_after_a_new_description() {
    for reinvites in [false, true] {
        let mut world = World::story(1, plan(1, &[Reach::Fixed]));
        let holds_after = reinvites.then_some(20 * SECOND);
        let silent = Habits { talk: None, holds_after, ..Habits::polite(SECOND, SECOND) };
        world.agent_does(0, silent);
        world.dial(0);
        world.wait_until(3 * SECOND, |world| talks(world, 0));
        world.mute(agent_address(0), true);
        let mut took = world.wait_until(70 * SECOND, |world| !talks(world, 0));
        if reinvites {
            // On hold after 20 s, back after 22, and 30 s of silence from then on.
            took -= 22 * SECOND;
        }
        assert!((29 * SECOND..31 * SECOND).contains(&took), "{took:?} of silence");
        world.agent_does(0, never_answers());
        world.give_up(0);
        world.end();
    }
}

#[test]
fn callers_who_wait_leave_the_ports_that_their_own_answer_needs() {
    // Six pairs on two workers, and two phones that may ring.
    let few = Plan { ports: (20_000, 20_011), ..plan(8, &[Reach::Fixed; 2]) };
    let mut world = World::story(1, few);
    (0..2).for_each(|agent| world.agent_does(agent, never_answers()));
    (0..8).for_each(|caller| world.dial(caller));
    world.wait(SECOND);
    let waiting = (0..8).filter(|&caller| world.talks(caller_address(caller)) > 0).count();
    assert_eq!(waiting, 4, "each worker keeps a pair for a phone");
    let sent_away = (0..8).filter(|&caller| is_sent_away(&world, caller)).count();
    assert_eq!(sent_away, 4, "and the others are told when to come back");
    assert!((0..2).all(|agent| world.rings(agent_address(agent)) == 1), "both phones ring");
    // All four are served, one after the other.
    (0..2).for_each(|agent| world.agent_does(agent, Habits::polite(SECOND, 2 * SECOND)));
    world.wait(40 * SECOND);
    world.end();
    let answered = world.records().iter().filter(|r| r.outcome == Outcome::Answered).count();
    let refused = world.records().iter().filter(|r| r.outcome == Outcome::Refused).count();
    assert_eq!((answered, refused), (4, 4), "{:#?}", world.records());
}

#[test]
fn a_caller_whose_ports_are_all_refused_is_let_go_after_four_further_tries() {
    let mut world = World::story(1, plan(1, &[]));
    world.refuse_ports(100);
    world.dial(0);
    world.wait_until(SECOND, |world| world.records().len() == 1);
    assert_eq!(world.ports_asked(), 5, "one, and four in its place");
    world.refuse_ports(0);
    world.end();
    let [record] = world.records() else { panic!("{:?}", world.records()) };
    assert_eq!((record.outcome, record.ended_by), (Outcome::Failed, EndedBy::Switch));
}

#[test]
fn a_phone_whose_ports_are_all_refused_costs_the_caller_no_place() {
    let mut world = World::story(1, plan(3, &[Reach::Fixed]));
    world.agent_does(0, Habits::polite(SECOND, 4 * SECOND));
    for caller in 0..2 {
        world.dial(caller);
        world.wait(2 * SECOND);
    }
    // The second waits and has a port; when it is their turn, the phone gets none of five.
    let asked = world.ports_asked();
    world.refuse_ports(5);
    world.wait_until(10 * SECOND, |world| world.ports_asked() == asked + 5);
    world.dial(2);
    world.wait(40 * SECOND);
    world.end();
    let [first, second, third] = world.records() else { panic!("{:?}", world.records()) };
    assert!(second.arrived_at < third.arrived_at, "the place was kept");
    for record in [first, second, third] {
        assert_eq!(record.outcome, Outcome::Answered);
    }
    assert_eq!((first.offers, second.offers, third.offers), (1, 2, 1), "{second:?}");
}

#[test]
fn a_swamped_switch_sends_new_calls_away_and_goes_on_with_those_that_have_begun() {
    let mut world = World::story(1, plan(4, &[Reach::Fixed]));
    world.agent_does(0, never_answers());
    world.dial(0);
    world.wait_until(SECOND, |world| world.rings(agent_address(0)) == 1);
    world.dial(1);
    world.wait(SECOND);
    world.tell(Event::Swamped(true));
    world.dial(2);
    world.wait(SECOND);
    assert!(is_sent_away(&world, 2), "{}", told(&world, 2));
    assert_eq!(world.live_calls(), 2);
    // Who waits is offered, answered and released as ever.
    world.agent_does(0, Habits::polite(SECOND, 3 * SECOND));
    world.wait_until(20 * SECOND, |world| talks(world, 0));
    world.wait_until(10 * SECOND, |world| world.records().len() == 2);
    world.give_up(1);
    world.wait_until(SECOND, |world| world.live_calls() == 0);
    world.tell(Event::Swamped(false));
    world.dial(3);
    world.wait_until(10 * SECOND, |world| talks(world, 0));
    world.end();
    let outcomes: Vec<Outcome> = world.records().iter().map(|record| record.outcome).collect();
    let expected = [Outcome::Refused, Outcome::Answered, Outcome::Abandoned, Outcome::Answered];
    assert_eq!(outcomes, expected);
    let draining = |what: &What| matches!(what, What::Draining);
    assert!(!world.facts().iter().any(|fact| draining(&fact.what)));
}
