//! A call in hand is sent on or asked about: by a supervisor's word, by key, by REFER; and whatever
//! goes wrong on the way. The caller is never lost, and the record says what was. Stories of the
//! whole switch.

use crate::hand_world::*;
use pukar::acd::AgentState;
use pukar::base::TrunkId;
use pukar::call::{Centre, District};
use pukar::call::{EndedBy, Outcome, Way};
use pukar::core::{Verb, What};
use pukar::sim::{Habits, Loss, agent_address, caller_address};
use pukar::sip::Trunk;

#[test]
fn a_blind_transfer_frees_the_first_agent_at_once_and_the_second_has_the_call() {
    let mut world = talking(1);
    transfer(&mut world, "op1", Way::Blind).unwrap();
    assert!(wraps_up(&world, 0), "{:?}", world.agent(0));
    world.wait_until(3 * SECOND, |world| talks(world, 1));
    assert!(together(&world, &[1]));
    let record = record(&mut world);
    assert_eq!((record.agent.as_str(), record.transfers, record.offers), ("op1", 1, 2));
    assert_eq!(record.outcome, Outcome::Answered);
}

#[test]
fn a_blind_transfer_to_a_queue_reaches_whoever_serves_it() {
    for to in ["queue:health", "health"] {
        let mut world = talking(2);
        transfer(&mut world, to, Way::Blind).unwrap();
        world.wait_until(3 * SECOND, |world| talks(world, 2));
        assert!(together(&world, &[2]) && wraps_up(&world, 0));
        // Whoever hangs up as they answer has not talked.
        world.wait(SECOND);
        let record = record(&mut world);
        assert_eq!((record.agent.as_str(), record.queue.as_str()), ("op2", "health"));
        assert_eq!(record.transfers, 1);
    }
}

#[test]
fn a_refer_is_a_blind_transfer_and_the_phone_is_told_how_it_went() {
    let mut world = talking(3);
    world.refers(0, "op1");
    world.wait_until(3 * SECOND, |world| talks(world, 1));
    assert!(together(&world, &[1]));
    let told = |status: &str| {
        world.said().iter().any(|(hop, bytes)| {
            let text = String::from_utf8_lossy(bytes);
            hop.peer == agent_address(0) && text.starts_with("NOTIFY") && text.contains(status)
        })
    };
    assert!(told("SIP/2.0 100") && told("SIP/2.0 200"));
    world.wait(SECOND);
    assert_eq!(world.talks(agent_address(0)), 0, "the first phone is hung up");
    assert_eq!(record_of_refer(&mut world).agent, "op1");
}

#[test]
fn a_refer_that_fails_leaves_the_caller_with_the_agent() {
    for (habits, status) in [(Habits::refuses(486), "486"), (silent(), "480")] {
        let mut world = talking(4);
        world.agent_does(1, habits);
        world.refers(0, "op1");
        world.wait(30 * SECOND);
        assert!(together(&world, &[0]), "{status}");
        let told = world.said().iter().any(|(_, bytes)| {
            let text = String::from_utf8_lossy(bytes);
            text.starts_with("NOTIFY") && text.contains(&format!("SIP/2.0 {status}"))
        });
        assert!(told, "{status}");
        let record = record_of_refer(&mut world);
        assert_eq!((record.agent.as_str(), record.transfers), ("op0", 0));
    }
}

#[test]
fn callers_and_strangers_may_not_refer() {
    let mut world = talking(5);
    world.refers_as(caller_address(0), "op1");
    world.wait(3 * SECOND);
    assert!(together(&world, &[0]) && !rings(&world, 1));
    record(&mut world);
}

#[test]
fn a_blind_transfer_that_fails_brings_the_caller_to_the_old_place() {
    for (habits, why) in [(Habits::refuses(486), "declined"), (silent(), "no answer")] {
        let mut world = talking(6);
        world.agent_does(1, habits);
        transfer(&mut world, "op1", Way::Blind).unwrap();
        world.wait_until(30 * SECOND, |world| refused(world, why));
        world.agent_does(1, stays());
        // op0 wraps up and is not rung meanwhile; after that whoever is free is.
        world.wait_until(40 * SECOND, |world| talks(world, 0) || talks(world, 1));
        let record = record(&mut world);
        assert_eq!((record.outcome, record.transfers), (Outcome::Answered, 0));
    }
}

#[test]
fn a_phone_that_rang_for_a_transfer_in_vain_is_offered_nobody_before_it_is_quiet() {
    let mut world = talking(5);
    world.agent_does(1, silent());
    let (agent, state, reason) = ("op0".into(), "pause".into(), String::new());
    world.act(Verb::SetAgent { agent, state, reason }).unwrap();
    transfer(&mut world, "op1", Way::Blind).unwrap();
    world.dial(1);
    world.wait(2 * SECOND);
    assert!(rings(&world, 1));
    // A phone that is rung for two callers at once protests, which ends the story.
    let of = agent_address(1);
    world.network().lose(Loss { of, start: "CANCEL", method: "CANCEL", times: 1 });
    world.wait_until(40 * SECOND, |world| {
        let offers = world
            .facts()
            .iter()
            .filter(|fact| matches!(fact.what, What::Desk(pukar::acd::Fact::Offered { .. })));
        offers.count() > 1
    });
    world.wait(SECOND);
    assert!(rings(&world, 1));
}

#[test]
fn a_transfer_to_nobody_says_why_and_changes_nothing() {
    let mut world = talking(7);
    for (to, why) in [
        ("op9", "op9"),
        ("agent:nobody", "there is no agent"),
        ("queue:nowhere", "there is no queue"),
        ("district:atlantis", "there is no district"),
        ("dir:ALI/RRT/1", "nobody is listed"),
        ("fax:1", "is nobody"),
        ("+911900123456", "Premium numbers are not allowed"),
        ("+97714000000", "International calls are not allowed"),
    ] {
        let said = transfer(&mut world, to, Way::Blind).unwrap_err();
        assert!(said.contains(why), "{to}: {said}");
        assert!(together(&world, &[0]), "{to}");
    }
    let call = "01ARZ3NDEKTSV4RRFFQ69G5FAV".to_string();
    let gone = world.act(Verb::Transfer { call, to: "op1".into(), way: Way::Blind });
    assert!(gone.unwrap_err().contains("no live call"));
    record(&mut world);
}

#[test]
fn a_claim_for_an_agent_who_is_not_free_comes_back_with_the_reason() {
    let mut world = talking(8);
    let state = |state: &str| Verb::SetAgent {
        agent: "op1".into(),
        state: state.into(),
        reason: "tea".into(),
    };
    world.act(state("pause")).unwrap();
    transfer(&mut world, "op1", Way::Consult).unwrap();
    world.wait(ms(100));
    assert!(refused(&world, "paused: tea") && together(&world, &[0]));
    record(&mut world);
}

#[test]
fn a_consultation_by_key_hands_over_when_the_first_agent_hangs_up() {
    let mut world = talking(9);
    world.keys(0, "*2op1#");
    world.wait_until(3 * SECOND, |world| talks(world, 1));
    assert!(ask_each_other(&world, 0, 1), "they talk first, and the caller hears music");
    let call = world.call();
    assert_eq!(acts(&world), [format!("op0 calls.transfer {call} op0 by key, consult op1")]);
    assert!(talks(&world, 0));
    world.wait(5 * SECOND);
    world.hang_up(0);
    world.wait(ms(100));
    assert!(together(&world, &[1]) && wraps_up(&world, 0) && talks(&world, 1));
    let record = record(&mut world);
    assert_eq!((record.agent.as_str(), record.transfers), ("op1", 1));
    assert!(record.hold_ms >= 5_000, "{record:#?}");
}

#[test]
fn the_operator_introduces_the_caller_to_a_counsellor_of_the_queue() {
    let mut world = talking(10);
    transfer(&mut world, "health", Way::Consult).unwrap();
    world.wait_until(3 * SECOND, |world| talks(world, 2));
    assert!(ask_each_other(&world, 0, 2));
    world.keys(0, "*3");
    world.wait(ms(10));
    assert!(together(&world, &[0, 2]), "all three");
    let call = world.call();
    let joined = format!("op0 calls.transfer {call} op0 by key, join");
    assert_eq!(acts(&world).last(), Some(&joined), "who joined them is on the books");
    world.hang_up(0);
    world.wait(ms(100));
    assert!(together(&world, &[2]) && wraps_up(&world, 0));
    assert_eq!(record(&mut world).agent, "op2");
}

#[test]
fn a_consultation_can_be_given_up_at_any_step() {
    // While it rings, after the answer, by the one who was asked.
    for step in 0..3 {
        let mut world = talking(11);
        world.keys(0, "*2op1#");
        world.wait_until(SECOND, |world| rings(world, 1));
        if step > 0 {
            world.wait_until(3 * SECOND, |world| talks(world, 1));
        }
        match step {
            0 | 1 => world.keys(0, "*0"),
            _ => world.hang_up(1),
        }
        world.wait(ms(100));
        assert!(together(&world, &[0]), "step {step}");
        assert!(!rings(&world, 1) && !talks(&world, 1), "step {step}");
        let record = record(&mut world);
        assert_eq!((record.agent.as_str(), record.transfers), ("op0", 0), "step {step}");
    }
}

#[test]
fn an_agent_who_hangs_up_while_the_other_rings_has_sent_the_caller_there() {
    let mut world = talking(12);
    world.keys(0, "*2op1#");
    world.wait_until(SECOND, |world| rings(world, 1));
    world.hang_up(0);
    world.wait_until(3 * SECOND, |world| talks(world, 1));
    assert!(together(&world, &[1]));
    assert_eq!(record(&mut world).transfers, 1);
}

#[test]
fn a_consultation_that_nobody_answers_ends_with_the_caller() {
    for habits in [silent(), Habits::refuses(603), Habits::refuses(500)] {
        let mut world = talking(13);
        world.agent_does(1, habits);
        world.keys(0, "*2op1#");
        world.wait(25 * SECOND);
        assert!(together(&world, &[0]));
        record(&mut world);
    }
}

#[test]
fn the_caller_hangs_up_during_a_consultation_and_the_agents_talk_on() {
    let mut world = talking(14);
    world.keys(0, "*2op1#");
    world.wait_until(3 * SECOND, |world| talks(world, 1));
    world.give_up(0);
    world.wait(SECOND);
    assert!(ask_each_other(&world, 0, 1) && talks(&world, 0) && talks(&world, 1));
    world.wait(3 * SECOND);
    world.hang_up(1);
    world.wait(ms(200));
    assert!(wraps_up(&world, 0) && wraps_up(&world, 1), "whoever is left has nobody to talk to");
    world.end();
    let [record] = world.records() else { panic!("{:?}", world.records()) };
    assert_eq!((record.ended_by, record.outcome), (EndedBy::Caller, Outcome::Answered));
    assert!(record.talk_ms < 8_000, "nobody talked with the caller who had gone: {record:#?}");
}

#[test]
fn callee_transfers_then_the_caller_hangs_up_and_the_agent_continues() {
    let mut world = talking(15);
    transfer(&mut world, "op1", Way::Blind).unwrap();
    world.wait_until(3 * SECOND, |world| talks(world, 1));
    world.give_up(0);
    world.wait(ms(200));
    assert!(wraps_up(&world, 1));
    world.wait(4 * SECOND);
    assert_eq!([world.agent(0), world.agent(1)], [&AgentState::Ready; 2]);
    record(&mut world);
}

#[test]
fn whoever_hangs_up_while_a_transfer_rings_leaves_nothing_behind() {
    let mut world = talking(16);
    world.agent_does(1, silent());
    transfer(&mut world, "op1", Way::Blind).unwrap();
    world.wait_until(SECOND, |world| world.rings(agent_address(1)) == 1);
    world.give_up(0);
    world.wait(ms(200));
    assert_eq!((world.rings(agent_address(1)), world.live_calls()), (0, 0));
    assert_eq!(*world.agent(1), AgentState::Ready);
    record(&mut world);
}

#[test]
fn q8_no_phone_rings_inside_a_wrap_up_after_an_attended_transfer() {
    let mut world = talking(17);
    world.keys(0, "*2op1#");
    world.wait_until(3 * SECOND, |world| talks(world, 1));
    world.hang_up(0);
    world.wait_until(SECOND, |world| wraps_up(world, 0));
    let began = world.now();
    world.dial(1);
    // Neither a line nor a name reaches a wrap-up.
    world.wait(ms(100));
    let call = world.calls().into_iter().last().unwrap();
    world.act(Verb::Pick { call, agent: "op0".into() }).unwrap();
    world.wait(ms(100));
    assert!(wraps_up(&world, 0));
    world.wait_until(4 * SECOND, |world| rings(world, 0));
    assert!(world.now().since(began) >= 3 * SECOND - ms(10));
    world.give_up(1);
    record_of_many(&mut world);
}

#[test]
fn a_transfer_to_a_district_rings_its_centre_under_the_number_that_was_dialled() {
    let mut world = talking(25);
    let mut settings = world.settings();
    let hosts = vec![caller_address(2).to_string()];
    settings.sip.trunks[0].hosts.retain(|host| !hosts.contains(host));
    let edaksh = TrunkId(settings.sip.trunks.len() as u64);
    settings.sip.trunks.push(Trunk { name: "edaksh".into(), hosts, ..Trunk::default() });
    settings.call.districts.push(District {
        name: "alirajpur".into(),
        title: "अलीराजपुर".into(),
        languages: Vec::new(),
        rings_within: pukar::call::RINGS_WITHIN,
        code: "ALI".into(),
        std: vec!["7394".into()],
        centre: Centre::Trunk(edaksh),
    });
    world.reload(settings);
    world.caller_does(2, stays());
    transfer(&mut world, "district:alirajpur", Way::Blind).unwrap();
    world.wait(3 * SECOND);
    assert!(world.hear_each_other(&[caller_address(0), caller_address(2)]));
    assert!(world.said().iter().any(|(hop, bytes)| {
        hop.peer == caller_address(2) && bytes.starts_with(b"INVITE sip:181@")
    }));
    world.give_up(2);
    let record = record(&mut world);
    assert_eq!((record.agent.as_str(), record.transfers), ("op0", 1));
}
