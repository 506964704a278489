//! Callers and far ends that do not behave as the most common ones do: no offer in the INVITE,
//! reliable provisional responses, a phone that rings without a queue, a centre behind a trunk.

use pukar::call::{EndedBy, Outcome};
use pukar::sim::{
    ALIRAJPUR, DESK, Habits, Loss, Plan, Reach, Region, World, caller_address, centre_address,
    desk_address,
};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn plan(callers: u16, agents: &[Reach]) -> Plan {
    let region = Region { districts: true, ..Region::default() };
    Plan { callers, agents: agents.to_vec(), region, ..Plan::calm() }
}

fn says(world: &World, start: &str, with: &str) -> usize {
    let found = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.starts_with(start) && text.contains(with)
    };
    world.said().iter().chain(world.heard()).filter(|(_, bytes)| found(bytes)).count()
}

#[test]
fn a_caller_without_an_offer_is_served_like_any_other() {
    for number in ["181", DESK] {
        let mut world = World::story(1, plan(1, &[Reach::Fixed]));
        world
            .caller_does(0, Habits { delayed: true, talk: None, ..Habits::polite(SECOND, SECOND) });
        world.dial_number(0, number);
        world.wait_until(5 * SECOND, |world| world.talks(caller_address(0)) == 1);
        world.wait(20 * SECOND);
        world.end();
        let [record] = world.records() else { panic!("{:?}", world.records()) };
        assert_eq!(record.outcome, Outcome::Answered, "{number}: {record:?}");
        assert!(record.talk_ms > 8_000, "{number}: {record:?}");
    }
}

#[test]
fn reliable_ringing_goes_both_ways_through_the_switch_and_survives_loss() {
    for lost in [0, 2] {
        let mut world = World::story(1, plan(1, &[Reach::Fixed]));
        let reliable = Habits { reliable: true, ..Habits::polite(4 * SECOND, 5 * SECOND) };
        world.phone_does(desk_address(), reliable.clone());
        world.caller_does(0, Habits { talk: None, ..reliable });
        for of in [desk_address(), caller_address(0)] {
            world.network().lose(Loss { of, start: "PRACK", method: "PRACK", times: lost });
            world.network().lose(Loss { of, start: "SIP/2.0 180", method: "INVITE", times: lost });
        }
        world.dial_number(0, DESK);
        world.wait(20 * SECOND);
        world.end();
        let [record] = world.records() else { panic!("{:?}", world.records()) };
        assert_eq!((record.outcome, record.ended_by), (Outcome::Answered, EndedBy::Target));
        // One from the caller and one of ours, at least.
        assert!(says(&world, "PRACK", "") >= 2, "{lost} lost");
        assert!(says(&world, "SIP/2.0 180", "RSeq: ") >= 2, "{lost} lost");
    }
}

#[test]
fn an_agents_phone_that_rings_reliably_is_acknowledged_and_answered() {
    let mut world = World::story(1, plan(1, &[Reach::Fixed]));
    let twin = Some(Duration::from_millis(200));
    let habits = Habits { reliable: true, twin, ..Habits::polite(2 * SECOND, 5 * SECOND) };
    world.agent_does(0, habits);
    world.dial(0);
    world.wait(20 * SECOND);
    world.end();
    assert_eq!(world.records()[0].outcome, Outcome::Answered);
    assert_eq!(says(&world, "PRACK", ""), 1);
}

#[test]
fn a_districts_callers_reach_its_centre_and_when_it_does_not_answer_the_queue() {
    let mut world = World::story(1, plan(2, &[Reach::Fixed]));
    world.phone_does(centre_address(), Habits::polite(SECOND, 5 * SECOND));
    world.dial_number(0, ALIRAJPUR);
    world.wait(15 * SECOND);
    world.phone_does(centre_address(), Habits::refuses(503));
    world.dial_number(1, ALIRAJPUR);
    world.wait(30 * SECOND);
    world.end();
    let [first, second] = world.records() else { panic!("{:?}", world.records()) };
    assert_eq!((first.outcome, &*first.agent), (Outcome::Answered, ""), "{first:?}");
    assert_eq!((second.outcome, &*second.agent), (Outcome::Answered, "op0"), "{second:?}");
    assert_eq!((&*first.district, &*second.district), ("alirajpur", "alirajpur"));
}
