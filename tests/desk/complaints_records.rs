//! What users of today's switches complain about, as stories of the whole switch: calls that get
//! no answer under load, rows that do not match the calls, settings that change under a call. Each
//! test bears the number of its row, where it has one.

use pukar::acd::AgentState;
use pukar::call::{Direction, EndedBy, Goal, Outcome};
use pukar::core::Event;
use pukar::sim::{Faults, Habits, Plan, Reach, Step, World, agent_address, caller_address};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn plan(callers: u16, agents: &[Reach]) -> Plan {
    Plan { callers, agents: agents.to_vec(), ..Plan::calm() }
}

#[test]
fn q30_over_the_limit_every_caller_is_told_when_to_come_back() {
    let mut world = World::story(30, Plan { max_calls: 3, ..plan(50, &[]) });
    (0..50).for_each(|caller| world.dial(caller));
    world.wait(SECOND);
    let in_line = (0..50).filter(|&caller| world.talks(caller_address(caller)) > 0).count();
    assert_eq!(in_line, 3);
    for caller in 0..50 {
        let to = caller_address(caller);
        let mut said = world.said().iter().filter(|(hop, _)| hop.peer == to);
        let answered = said.any(|(_, bytes)| {
            let text = String::from_utf8_lossy(bytes);
            text.starts_with("SIP/2.0 200")
                || text.starts_with("SIP/2.0 503") && text.contains("\r\nRetry-After: ")
        });
        assert!(answered, "caller {caller} heard nothing");
    }
    (0..50).for_each(|caller| world.give_up(caller));
    world.end();
    let refused = world.records().iter().filter(|record| record.outcome == Outcome::Refused);
    assert_eq!(refused.count(), 47, "and each of them is in the books");
}

#[test]
fn q34_one_bad_call_is_one_row_however_often_it_fails() {
    let mut world = World::story(34, plan(2, &[Reach::Fixed; 3]));
    (0..3).for_each(|agent| world.agent_does(agent, Habits::refuses(486)));
    world.dial(0);
    world.wait(60 * SECOND);
    world.give_up(0);
    world.wait(SECOND);
    (0..3).for_each(|agent| world.agent_does(agent, Habits::polite(SECOND, SECOND)));
    world.dial(1);
    world.wait(10 * SECOND);
    world.end();
    let [bad, good] = world.records() else { panic!("{:?}", world.records()) };
    assert_eq!((bad.outcome, good.outcome), (Outcome::Abandoned, Outcome::Answered));
    assert!(bad.offers > 20 && bad.legs.len() == bad.offers as usize + 1, "{bad:?}");
    assert_eq!(good.seq, 2);
}

#[test]
fn q34_rows_are_calls_whatever_fails() {
    let mut faults = vec![Faults::default(); 7];
    faults[0].loss = 50;
    faults[1].repeats = 60;
    faults[2].rude_agents = 100;
    faults[3].rude_callers = 100;
    (faults[4].port_taken, faults[4].port_broken) = (40, 40);
    (faults[5].vanish, faults[5].deaths, faults[5].rude_agents) = (50, 50, 50);
    (faults[6].slow_media, faults[6].kill, faults[6].hands) = (80, 200, 50);
    for (seed, faults) in faults.into_iter().enumerate() {
        // That rows are calls is a law of every simulated day.
        World::run(seed as u64, Plan { faults, ..Plan::calm() }).unwrap();
    }
}

#[test]
fn q35_ten_thousand_reloads_under_load_drop_nobody() {
    reloads(10_000);
}

/// Four agents, callers without end, and a changed configuration every tenth of a second: queues
/// come and go before the one that matters, agents are taken out and put back in, phones register
/// meanwhile. Whoever calls is answered by somebody and talks until one of the two hangs up.
fn reloads(times: u32) {
    let reaches = [Reach::Fixed, Reach::Named, Reach::Registered, Reach::Streaming];
    let mut world = World::story(35, plan(30, &reaches));
    let mut called = 0;
    for n in 0..times {
        world.reload_something();
        world.wait(Duration::from_millis(100));
        let caller = (n / 30 % 30) as u16;
        if n % 30 == 0 && world.talks(caller_address(caller)) == 0 {
            world.dial(caller);
            called += 1;
        }
    }
    world.wait(200 * SECOND);
    world.end();
    let records = world.records();
    assert_eq!(records.len(), called);
    for record in records {
        assert_eq!((record.outcome, record.ended_by), (Outcome::Answered, EndedBy::Agent));
        assert!(record.talk_ms >= 9_500, "{record:?}");
    }
}

#[test]
fn q43_a_prompt_that_never_ends_delays_no_conversation() {
    // Whatever the data plane tells comes up to eight seconds late, and the welcome never ends.
    let faults = Faults { slow_media: 100, ..Faults::default() };
    let mut world = World::story(43, Plan { faults, ..plan(3, &[Reach::Fixed; 3]) });
    (0..3).for_each(|caller| world.dial(caller));
    // A second of ringing; that caller and agent are bridged then is a law of the world.
    let all_talk = |world: &World| (0..3).all(|agent| talks(world, agent));
    let took = world.wait_until(2 * SECOND, all_talk);
    assert!(took <= SECOND + Duration::from_millis(200), "{took:?}");
    world.end();
    assert!(world.records().iter().all(|record| record.outcome == Outcome::Answered));
}

fn talks(world: &World, agent: u16) -> bool {
    matches!(world.agent(agent), AgentState::Talking { .. })
}

#[test]
fn a_phone_that_was_still_ringing_when_the_caller_left_is_recorded_as_cancelled() {
    let mut world = World::story(2, plan(1, &[Reach::Fixed]));
    world.agent_does(0, Habits { answer_after: None, ..Habits::polite(SECOND, SECOND) });
    world.dial(0);
    world.wait_until(3 * SECOND, |world| world.rings(agent_address(0)) > 0);
    world.give_up(0);
    world.end();
    let record = &world.records()[0];
    let legs: Vec<_> = record.legs.iter().map(|leg| (leg.role.as_str(), leg.status)).collect();
    assert_eq!(legs, [("caller", 200), ("agent", 487)], "{record:?}");
}

#[test]
fn a_silence_before_the_return_to_the_queue_is_not_held_against_the_caller() {
    let mut world = World::story(1, plan(1, &[Reach::Fixed]));
    world.agent_does(0, Habits::dies_at(Step::Confirmed));
    world.dial(0);
    let talks = |world: &World| matches!(world.agent(0), AgentState::Talking { .. });
    world.wait_until(3 * SECOND, talks);
    // The agent's phone is dead, and given up after 30 s. The caller is not heard just then.
    world.wait(25 * SECOND);
    world.cut_off(caller_address(0), 8 * SECOND);
    world.wait_until(10 * SECOND, |world| !talks(world));
    world.wait(60 * SECOND);
    assert_eq!(world.live_calls(), 1, "the caller still waits");
    world.give_up(0);
    world.end();
    assert_eq!(world.records()[0].ended_by, EndedBy::Caller);
}

#[test]
fn an_agent_who_comes_with_a_reload_is_reachable_if_the_phone_has_long_registered() {
    let plan = plan(1, &[Reach::Registered, Reach::Fixed]);
    let mut world = World::story(1, plan.clone());
    let mut without = plan.settings();
    without.acd.agents.remove(0);
    world.reload(without);
    world.wait(SECOND);
    world.reload(plan.settings());
    assert_eq!(*world.agent(0), AgentState::Ready);
    world.end();
}

#[test]
fn a_restored_switch_knows_which_queue_a_line_leads_to_after_a_reload() {
    let plan = plan(1, &[Reach::Fixed]);
    let mut world = World::story(1, plan.clone());
    let mut other = plan.settings();
    let night = pukar::acd::QueueSettings {
        name: "night".into(),
        skills: vec!["night".into()],
        ..other.acd.queues[0].clone()
    };
    other.acd.queues.insert(0, night);
    other.call.lines[0].goal = Goal::Queue(pukar::base::QueueId(1));
    world.reload(other);
    world.kill().unwrap();
    world.dial(0);
    world.wait_until(3 * SECOND, |world| world.rings(agent_address(0)) > 0);
    world.wait(20 * SECOND);
    world.end();
    assert_eq!(world.records()[0].queue, "general");
}

#[test]
fn a_switch_that_is_told_to_end_writes_the_records_of_calls_in_wrap_up_and_of_all_others() {
    let long = Plan { wrap_up: Duration::from_secs(600), ..plan(3, &[Reach::Fixed; 2]) };
    let mut world = World::story(1, long);
    world.agent_does(0, Habits::polite(SECOND, 5 * SECOND));
    world.agent_does(1, Habits::polite(SECOND, 500 * SECOND));
    (0..3).for_each(|caller| world.dial(caller));
    world.wait(20 * SECOND);
    let wraps = |agent| matches!(world.agent(agent), AgentState::WrapUp { .. });
    assert!(wraps(0) && !wraps(1), "{:?}, {:?}", world.agent(0), world.agent(1));
    assert_eq!(world.records().len(), 0, "one wraps up, one talks, one waits");
    world.tell(Event::Close);
    world.wait(SECOND);
    let mut records = world.records().to_vec();
    records.sort_by_key(|record| record.ended_at);
    let answered = records.iter().filter(|record| record.outcome == Outcome::Answered);
    assert_eq!(answered.count(), 2, "{records:#?}");
    assert_eq!(records.len(), 3);
    assert!(records[0].wrap_ms > 10_000 && records[0].wrapped_up_at.is_some(), "{records:#?}");
    (0..3).for_each(|caller| assert_eq!(world.talks(caller_address(caller)), 0));
    world.end();
    assert_eq!(world.records().len(), 3, "and none twice");
}

#[test]
fn a_switch_that_is_told_to_end_keeps_what_it_has_promised() {
    let mut world = World::story(1, plan(2, &[Reach::Fixed]));
    world.agent_does(0, Habits::polite(SECOND, 60 * SECOND));
    world.dial(0);
    world.wait(5 * SECOND);
    world.dial(1);
    world.wait(5 * SECOND);
    world.press(1, '1');
    world.wait(10 * SECOND);
    let backs = |world: &World| {
        let records = world.records().iter().filter(|record| record.direction == Direction::Out);
        records.map(|record| record.outcome).collect::<Vec<Outcome>>()
    };
    world.tell(Event::Close);
    world.wait(SECOND);
    assert_eq!((backs(&world), world.live_calls()), (vec![], 1), "the next process has it");
    world.tell(Event::Restarted { flows: Default::default(), secret: Default::default() });
    world.wait(90 * SECOND);
    world.end();
    assert_eq!(backs(&world), [Outcome::Answered]);
}
