//! Calls back, as stories of the whole switch: whoever presses the key
//! keeps the place of the first arrival and is called once; complaints Q18, Q19 and Q20.

use crate::callback_world::{SECOND, asked, backs, world, world_with};
use pukar::acd::Instead;
use pukar::call::out::Route;
use pukar::call::{self, Direction, EndedBy, Outcome, Way};
use pukar::core::{CallRecord, Event, Verb, What};
use pukar::sim::{
    CENTRE, Habits, World, agent_address, caller_address, exchange_address, number_of,
};
use std::collections::BTreeSet;
use std::time::Duration;

/// One agent, who talks with caller 0 for a minute; caller 1 waits and has pressed the key.
fn promised() -> World {
    let mut world = world(4, 1);
    world.agent_does(0, Habits::polite(SECOND, 60 * SECOND));
    world.dial(0);
    world.wait(5 * SECOND);
    world.dial(1);
    world.wait(5 * SECOND);
    world.press(1, '1');
    world.wait(5 * SECOND);
    assert_eq!(world.talks(caller_address(1)), 0, "told goodbye, and hung up");
    world.agent_does(0, Habits::polite(SECOND, 20 * SECOND));
    world
}

/// Whose call it is, whoever placed it.
fn who(record: &CallRecord) -> String {
    match record.direction {
        Direction::Out => record.dialled.clone(),
        Direction::In | Direction::Internal => record.caller.clone(),
    }
}

#[test]
fn whoever_presses_the_key_is_called_back_by_an_agent_who_knows_whom_for() {
    let mut world = promised();
    world.wait(120 * SECOND);
    world.end();
    let first = world.records().iter().find(|r| r.outcome == Outcome::Callback).unwrap();
    assert_eq!(first.caller, number_of(caller_address(1)));
    let [back] = &backs(&world)[..] else { panic!("{:#?}", world.records()) };
    assert_eq!((back.outcome, back.agent.as_str()), (Outcome::Answered, "op0"));
    assert_eq!((&back.parent, &back.dialled), (&first.id, &first.caller));
    assert_eq!((back.caller.as_str(), back.trunk.as_str()), (CENTRE, "exchange"));
    assert!(back.talk_ms >= 10_000, "{back:?}");
    let to_agent = world
        .said()
        .iter()
        .rev()
        .find(|(hop, bytes)| hop.peer == agent_address(0) && bytes.starts_with(b"INVITE"));
    let invite = String::from_utf8(to_agent.unwrap().1.to_vec()).unwrap();
    assert!(
        invite.contains(&first.caller) && invite.contains("X-Pukar-Kind: callback"),
        "{invite}"
    );
    assert!(invite.contains(&format!("X-Pukar-Parent: {}", first.id)), "{invite}");
    let to_them = world
        .said()
        .iter()
        .find(|(hop, bytes)| hop.peer == exchange_address() && bytes.starts_with(b"INVITE"));
    let invite = String::from_utf8(to_them.unwrap().1.to_vec()).unwrap();
    let sent = first.caller.replace("+91", "0");
    assert!(invite.contains(CENTRE) && invite.contains(&sent), "{invite}");
}

#[test]
fn q18_a_call_back_stands_in_the_line_by_the_original_arrival() {
    let mut world = world(5, 1);
    world.agent_does(0, Habits::polite(SECOND, 40 * SECOND));
    for caller in 0..4 {
        world.dial(caller);
        world.wait(4 * SECOND);
    }
    // The second of the three who wait.
    world.press(2, '1');
    world.wait(2 * SECOND);
    world.agent_does(0, Habits::polite(SECOND, 15 * SECOND));
    world.wait(200 * SECOND);
    world.end();
    let mut served: Vec<&CallRecord> =
        world.records().iter().filter(|r| r.connected_at.is_some()).collect();
    served.sort_by_key(|record| record.connected_at);
    let numbers: Vec<String> = served.iter().map(|r| who(r)).collect();
    let expected = [0, 1, 2, 3].map(|caller| number_of(caller_address(caller)));
    assert_eq!(numbers, expected, "neither before those who came earlier nor after later ones");
}

#[test]
fn q19_a_kill_at_any_moment_of_an_attempt_makes_no_second_one() {
    // From before the agent is rung until after the number has answered.
    for millis in (0..9_000).step_by(450) {
        let mut world = promised();
        world.called_back_does(Habits::polite(4 * SECOND, 600 * SECOND));
        world.wait_until(90 * SECOND, |world| world.rings(agent_address(0)) == 1);
        world.wait(Duration::from_millis(millis));
        world.kill().unwrap();
        world.wait(60 * SECOND);
        world.end();
        assert_eq!(asked(&world), 1, "killed after {millis} ms");
        let [back] = &backs(&world)[..] else { panic!("{:#?}", world.records()) };
        assert_eq!(back.outcome, Outcome::Answered, "killed after {millis} ms: {back:?}");
    }
}

#[test]
fn q19_two_requests_of_one_number_are_one_call_back() {
    let mut world = world_with(3, 1, |settings| {
        settings.acd.queues[0].call_back_abandoned = true;
    });
    world.agent_does(0, Habits::polite(SECOND, 60 * SECOND));
    world.dial(0);
    world.wait(2 * SECOND);
    world.dial(1);
    world.wait(2 * SECOND);
    world.press(1, '1');
    world.press(1, '1');
    world.wait(5 * SECOND);
    assert_eq!(world.live_calls(), 2);
    world.agent_does(0, Habits::polite(SECOND, 10 * SECOND));
    world.wait(150 * SECOND);
    world.end();
    assert_eq!((asked(&world), backs(&world).len()), (1, 1));
}

#[test]
fn q20_the_arrival_outlives_attempts_in_vain_and_other_queues() {
    let mut world = promised();
    // Nobody answers at first; the agent is free for others meanwhile.
    world.called_back_does(Habits::refuses(480));
    world.wait_until(90 * SECOND, |world| asked(world) == 1);
    world.wait(5 * SECOND);
    world.called_back_does(Habits::polite(2 * SECOND, 600 * SECOND));
    // Two later callers: one talks, the other waits when the minute is over.
    world.agent_does(0, Habits::polite(SECOND, 70 * SECOND));
    world.dial(2);
    world.wait(10 * SECOND);
    world.dial(3);
    world.wait(70 * SECOND);
    world.agent_does(0, Habits::polite(SECOND, 10 * SECOND));
    world.wait(150 * SECOND);
    world.end();
    let [back] = &backs(&world)[..] else { panic!("{:#?}", world.records()) };
    let of = |caller: u16| {
        let number = number_of(caller_address(caller));
        world.records().iter().find(|record| record.caller == number).unwrap()
    };
    assert!(of(2).connected_at < back.connected_at, "was served while nobody could be reached");
    assert!(back.connected_at < of(3).connected_at, "came later, and is served later");
    assert_eq!(back.legs.iter().filter(|leg| leg.role == "caller").count(), 2);
}

#[test]
fn a_number_is_tried_three_times_a_minute_apart_and_then_given_up() {
    let mut world = promised();
    world.called_back_does(Habits { answer_after: None, ..Habits::polite(SECOND, SECOND) });
    world.agent_does(0, Habits::polite(SECOND, 120 * SECOND));
    world.wait(600 * SECOND);
    world.end();
    assert_eq!(asked(&world), 3);
    let [back] = &backs(&world)[..] else { panic!("{:#?}", world.records()) };
    assert_eq!((back.outcome, back.ended_by), (Outcome::Failed, EndedBy::Target));
    let rings: Vec<i64> = back
        .legs
        .iter()
        .filter(|leg| leg.role == "caller")
        .map(|leg| leg.closed_at.unwrap().millis() - leg.opened_at.millis())
        .collect();
    assert_eq!(rings.len(), 3);
    assert!(
        rings.iter().all(|ring| (27_900..28_600).contains(ring)),
        "a mobile rings 28 s: {rings:?}"
    );
    let began: Vec<i64> = back
        .legs
        .iter()
        .filter(|leg| leg.role == "caller")
        .map(|leg| leg.opened_at.millis())
        .collect();
    assert!(began.windows(2).all(|pair| pair[1] - pair[0] >= 60_000), "{began:?}");
}

#[test]
fn an_agent_who_hangs_up_while_it_rings_leaves_the_promise_as_it_was() {
    let mut world = promised();
    world.called_back_does(Habits::polite(20 * SECOND, 600 * SECOND));
    world.agent_does(0, Habits::polite(SECOND, 5 * SECOND));
    world.wait_until(90 * SECOND, |world| world.rings(exchange_address()) == 1);
    world.wait(8 * SECOND);
    assert_eq!(world.rings(exchange_address()), 0, "nobody is rung for nobody");
    world.called_back_does(Habits::polite(2 * SECOND, 600 * SECOND));
    world.agent_does(0, Habits::polite(SECOND, 20 * SECOND));
    world.wait(120 * SECOND);
    world.end();
    let [back] = &backs(&world)[..] else { panic!("{:#?}", world.records()) };
    assert_eq!(back.outcome, Outcome::Answered);
}

#[test]
fn whoever_calls_again_meanwhile_takes_their_own_place_and_is_not_called() {
    let mut world = promised();
    world.dial(2);
    world.wait(5 * SECOND);
    world.dial(1);
    world.wait(180 * SECOND);
    world.end();
    assert_eq!(asked(&world), 0);
    let [back] = &backs(&world)[..] else { panic!("{:#?}", world.records()) };
    assert_eq!((back.outcome, back.ended_by), (Outcome::Abandoned, EndedBy::Caller));
    let served = |caller: u16| {
        let number = number_of(caller_address(caller));
        let of = world.records().iter().filter(|r| r.caller == number);
        of.filter_map(|r| r.connected_at).next().unwrap()
    };
    assert!(served(1) < served(2), "the place of the first call");
}

#[test]
fn q19_whoever_calls_while_their_number_rings_is_served_and_the_ringing_stops() {
    let mut world = promised();
    world.called_back_does(Habits::polite(25 * SECOND, 600 * SECOND));
    world.wait_until(90 * SECOND, |world| world.rings(exchange_address()) == 1);
    world.dial(1);
    world.wait(2 * SECOND);
    assert_eq!(world.rings(exchange_address()), 0);
    world.wait_until(10 * SECOND, |world| {
        world.talks(caller_address(1)) == 1 && world.talks(agent_address(0)) == 1
    });
    world.wait(60 * SECOND);
    world.end();
    assert_eq!(asked(&world), 1);
}

#[test]
fn a_queue_may_promise_a_call_to_whom_it_does_not_take_or_keep() {
    let mut world = world_with(3, 1, |settings| {
        let queue = &mut settings.acd.queues[0];
        (queue.max_callers, queue.when_full) = (1, Instead::Callback);
        (queue.max_wait, queue.when_expired) = (20 * SECOND, Instead::Callback);
    });
    world.agent_does(0, Habits::polite(SECOND, 40 * SECOND));
    (0..3).for_each(|caller| {
        world.dial(caller);
        world.wait(3 * SECOND);
    });
    world.wait(25 * SECOND);
    world.agent_does(0, Habits::polite(SECOND, 10 * SECOND));
    world.wait(120 * SECOND);
    world.end();
    let promised = world.records().iter().filter(|r| r.outcome == Outcome::Callback);
    assert_eq!(promised.count(), 2, "{:#?}", world.records());
    assert!(backs(&world).iter().all(|back| back.outcome == Outcome::Answered));
}

#[test]
fn a_queue_sends_out_whom_it_does_not_take_and_says_so_where_no_way_is_open() {
    let mut world = world_with(2, 0, |settings| {
        settings.acd.queues[0].when_unstaffed = Some(Instead::Overflow);
    });
    world.dial(0);
    world.wait(5 * SECOND);
    world.end();
    assert_eq!(world.records()[0].outcome, Outcome::Overflowed);
}

#[test]
fn promises_outlive_a_kill_and_a_drain() {
    let mut world = promised();
    world.kill().unwrap();
    world.tell(Event::Drain);
    world.wait(SECOND);
    world.kill().unwrap();
    world.wait(120 * SECOND);
    world.end();
    assert!(backs(&world).iter().all(|back| back.outcome == Outcome::Answered));
    assert_eq!(backs(&world).len(), 1);
}

/// Facts that a caller's number is not called back, each with its reason.
fn not_promised(world: &World) -> Vec<String> {
    let why = world.facts().iter().filter_map(|fact| match &fact.what {
        What::Call(call::Fact::NotPromised { why, .. }) => Some(why.clone()),
        _ => None,
    });
    why.collect()
}

/// Whoever claims to call from there chooses what would be dialled, and who pays for it.
const FORGED: [(&str, &str); 6] = [
    ("+911900123456", "premium"),
    ("+88213000000", "international"),
    ("+917552222222", "emergency"),
    ("108", "no-number"),
    ("op0", "no-number"),
    ("anonymous", "no-number"),
];

#[test]
fn a_claimed_number_is_called_back_only_where_an_agent_could_dial_it() {
    let mut world = world_with(8, 1, |settings| {
        settings.call.out.emergency.push("+917552222222".into());
    });
    world.agent_does(0, Habits::polite(SECOND, 60 * SECOND));
    world.dial(0);
    world.wait(5 * SECOND);
    for (caller, (number, _)) in (1..).zip(FORGED) {
        world.claims(caller, number);
        world.dial(caller);
        world.wait(2 * SECOND);
        world.press(caller, '1');
        world.wait(SECOND);
        assert_eq!(world.talks(caller_address(caller)), 1, "{number} waits on");
    }
    assert_eq!(not_promised(&world), FORGED.map(|(_, why)| why));
    let flagged = |world: &World| {
        let records = world.records().iter();
        records.filter(|record| record.flags.contains("callback-refused")).count()
    };
    world.agent_does(0, Habits::polite(SECOND, 10 * SECOND));
    world.wait(200 * SECOND);
    world.end();
    assert_eq!((asked(&world), backs(&world).len()), (0, 0));
    assert_eq!(flagged(&world), FORGED.len());
    let answered = world.records().iter().filter(|r| r.outcome == Outcome::Answered).count();
    assert_eq!(answered, 1 + FORGED.len(), "everybody was served");
}

#[test]
fn a_route_of_some_agents_is_not_one_of_call_backs() {
    let mut world = world_with(2, 1, |settings| {
        settings.call.out.international = true;
        let everybody = settings.call.out.routes[0].clone();
        let prefixes = vec!["+977".to_string()];
        let agents = BTreeSet::from(["op0".to_string()]);
        settings.call.out.routes.push(Route { prefixes, agents, ..everybody });
    });
    world.agent_does(0, Habits::polite(SECOND, 20 * SECOND));
    world.dial(0);
    world.wait(2 * SECOND);
    world.claims(1, "+97714000000");
    world.dial(1);
    world.wait(3 * SECOND);
    world.press(1, '1');
    world.wait(60 * SECOND);
    world.end();
    assert_eq!((not_promised(&world), asked(&world)), (vec!["no-route".to_string()], 0));
}

#[test]
fn while_no_trunk_answers_no_agent_is_asked_for_a_call_back() {
    let mut world = promised();
    world.adjust(|settings| settings.sip.trunks[1].ping = 5 * SECOND);
    world.called_back_does(Habits::refuses(480));
    world.wait_until(90 * SECOND, |world| asked(world) == 1);
    world.cut_off(exchange_address(), 400 * SECOND);
    // The next attempts would be a minute apart, and three at most.
    world.wait(390 * SECOND);
    assert_eq!(asked(&world), 1);
    let offered = |world: &World| {
        let to = agent_address(0);
        world.said().iter().filter(|(hop, b)| hop.peer == to && b.starts_with(b"INVITE")).count()
    };
    let before = offered(&world);
    world.called_back_does(Habits::polite(2 * SECOND, 600 * SECOND));
    world.wait(150 * SECOND);
    world.adjust(|settings| settings.sip.trunks[1].ping = Duration::ZERO);
    world.end();
    assert_eq!((asked(&world), offered(&world)), (2, before + 1));
    let [back] = &backs(&world)[..] else { panic!("{:#?}", world.records()) };
    assert_eq!(back.outcome, Outcome::Answered);
}

#[test]
fn call_backs_count_against_the_caps_of_everybody() {
    let mut world = promised();
    world.adjust(|settings| settings.call.out.caps.hour = 1);
    world.called_back_does(Habits::refuses(480));
    world.wait_until(90 * SECOND, |world| asked(world) == 1);
    world.wait(5 * SECOND);
    world.called_back_does(Habits::polite(2 * SECOND, 600 * SECOND));
    world.wait(600 * SECOND);
    assert_eq!(asked(&world), 1, "one in an hour");
    world.wait(4_000 * SECOND);
    world.end();
    assert_eq!(asked(&world), 2);
}

#[test]
fn whoever_is_called_back_is_handed_on_like_any_caller_and_not_before_they_are_there() {
    let mut world = world(4, 2);
    let op1 = |state: &str, reason: &str| Verb::SetAgent {
        agent: "op1".into(),
        state: state.into(),
        reason: reason.into(),
    };
    world.act(op1("pause", "tea")).unwrap();
    world.agent_does(0, Habits::polite(SECOND, 30 * SECOND));
    world.agent_does(1, Habits::polite(SECOND, 600 * SECOND));
    world.dial(0);
    world.wait(5 * SECOND);
    world.dial(1);
    world.wait(5 * SECOND);
    world.press(1, '1');
    world.agent_does(0, Habits::polite(SECOND, 600 * SECOND));
    world.called_back_does(Habits::polite(10 * SECOND, 600 * SECOND));
    world.wait_until(90 * SECOND, |world| world.rings(exchange_address()) == 1);
    world.act(op1("ready", "")).unwrap();
    let call = world.call();
    let to_op1 = || Verb::Transfer { call: call.clone(), to: "op1".into(), way: Way::Blind };
    assert!(world.act(to_op1()).is_err());
    assert!(world.act(Verb::Park { call: call.clone() }).is_err());
    world.keys(0, "*5");
    world.wait_until(15 * SECOND, |world| {
        world.hear_each_other(&[exchange_address(), agent_address(0)])
    });
    world.act(to_op1()).unwrap();
    world.wait_until(5 * SECOND, |world| {
        world.hear_each_other(&[exchange_address(), agent_address(1)])
    });
    world.act(Verb::Return { call: call.clone() }).unwrap();
    world.wait_until(60 * SECOND, |world| {
        world.hear_each_other(&[exchange_address(), agent_address(0)])
    });
    world.hang_up(0);
    world.end();
    let [back] = &backs(&world)[..] else { panic!("{:#?}", world.records()) };
    assert_eq!((back.outcome, back.transfers), (Outcome::Answered, 1));
    assert_eq!(asked(&world), 1);
}
