//! A call in hand is joined by a third, held, parked, picked up, given back to the queue, and
//! survives whatever happens to agents and to the process. Stories of the whole switch.

use crate::hand_world::*;
use pukar::call::{self, Outcome, Way};
use pukar::core::Verb;
use pukar::sim::{Habits, World, agent_address};

#[test]
fn a_room_of_three_goes_on_when_one_leaves() {
    for leaves in 0..3_u16 {
        let mut world = talking(18);
        transfer(&mut world, "op1", Way::Join).unwrap();
        world.wait_until(3 * SECOND, |world| talks(world, 1));
        assert!(together(&world, &[0, 1]));
        let held = world.act(Verb::Hold { call: world.call(), hold: true });
        assert!(held.unwrap_err().contains("several"));
        match leaves {
            2 => world.give_up(0),
            agent => world.hang_up(agent),
        }
        world.wait(ms(200));
        match leaves {
            0 => assert!(together(&world, &[1]) && wraps_up(&world, 0)),
            1 => assert!(together(&world, &[0]) && wraps_up(&world, 1)),
            _ => assert!(ask_each_other(&world, 0, 1)),
        }
        record_of_many(&mut world);
    }
}

#[test]
fn hold_and_resume_by_hand() {
    let mut world = talking(19);
    let hold = |world: &mut World, hold| {
        let call = world.call();
        world.act(Verb::Hold { call, hold })
    };
    hold(&mut world, true).unwrap();
    assert!(!together(&world, &[0]) && talks(&world, 0));
    assert!(hold(&mut world, true).is_err());
    world.wait(5 * SECOND);
    hold(&mut world, false).unwrap();
    assert!(together(&world, &[0]));
    let record = record(&mut world);
    assert!((4_900..5_300).contains(&record.hold_ms), "{record:#?}");
}

#[test]
fn a_call_returned_to_the_queue_keeps_its_place() {
    for by_key in [true, false] {
        let mut world = talking(20);
        world
            .act(Verb::SetAgent { agent: "op1".into(), state: "pause".into(), reason: "".into() })
            .unwrap();
        world.dial(1);
        world.wait(SECOND);
        let first = world.calls().into_iter().next().unwrap();
        match by_key {
            true => world.keys(0, "*5"),
            false => _ = world.act(Verb::Return { call: first }).unwrap(),
        }
        assert!(wraps_up(&world, 0));
        world.wait_until(10 * SECOND, |world| talks(world, 0));
        assert!(together(&world, &[0]), "the first caller is served first again");
        record_of_many(&mut world);
    }
}

#[test]
fn a_parked_call_is_picked_up_by_name() {
    let mut world = talking(21);
    world.keys(0, "*6");
    assert!(talks(&world, 0) && !together(&world, &[0]), "op0 is told the slot");
    world.wait_until(10 * SECOND, |world| wraps_up(world, 0) && is_waiting(world));
    let parked = |fact: &call::Fact| matches!(fact, call::Fact::Parked { slot: 1, .. });
    assert_eq!(facts(&world, parked), 1);
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("text=\"Parked in 1\"");
    assert!(world.said().iter().any(|(hop, bytes)| {
        hop.peer == agent_address(0) && bytes.starts_with(b"BYE") && told(bytes)
    }));
    world.wait(5 * SECOND);
    let call = world.call();
    world.act(Verb::Pick { call, agent: "op1".into() }).unwrap();
    world.wait_until(3 * SECOND, |world| talks(world, 1));
    assert!(together(&world, &[1]));
    let record = record_of_refer(&mut world);
    assert_eq!(record.agent, "op1");
    assert!(record.wait_ms >= 5_000, "{record:#?}");
}

#[test]
fn a_parked_call_that_nobody_picks_up_goes_back() {
    let mut world = talking(22);
    world.keys(0, "*6");
    world.wait(119 * SECOND);
    assert!(is_waiting(&world));
    world.wait_until(5 * SECOND, |world| talks(world, 0));
    assert!(together(&world, &[0]), "to whoever parked it");
    record_of_refer(&mut world);
}

#[test]
fn a_parked_caller_who_hangs_up_leaves_the_slot_free() {
    let mut world = talking(23);
    world.keys(0, "*6");
    world.wait(SECOND);
    world.give_up(0);
    world.wait(SECOND);
    world.dial(1);
    world.wait_until(5 * SECOND, |world| talks(world, 0) || talks(world, 1));
    let agent = if talks(&world, 0) { 0 } else { 1 };
    world.keys(agent, "*6");
    let parked = |fact: &call::Fact| matches!(fact, call::Fact::Parked { slot: 1, .. });
    assert_eq!(facts(&world, parked), 2);
    record_of_many(&mut world);
}

#[test]
fn a_call_is_pulled_out_of_the_queue() {
    let mut world = world(24);
    for agent in ["op0", "op1"] {
        world
            .act(Verb::SetAgent { agent: agent.into(), state: "pause".into(), reason: "".into() })
            .unwrap();
    }
    world.dial(0);
    world.wait(SECOND);
    let call = world.call();
    // Not of this queue, but named.
    world.act(Verb::Pick { call, agent: "op2".into() }).unwrap();
    world.wait_until(3 * SECOND, |world| talks(world, 2));
    assert!(together(&world, &[2]));
    assert_eq!(record(&mut world).agent, "op2");
}

#[test]
fn q37_a_call_in_hand_survives_the_death_of_the_process_in_every_shape() {
    for shape in ["consult", "room", "parked", "rings", "held"] {
        let mut world = talking(26);
        let call = world.call();
        match shape {
            "consult" | "rings" => transfer(&mut world, "op1", Way::Consult),
            "room" => transfer(&mut world, "op1", Way::Join),
            "parked" => world.act(Verb::Park { call }),
            _ => world.act(Verb::Hold { call, hold: true }),
        }
        .unwrap();
        if shape != "rings" {
            world.wait(3 * SECOND);
        }
        world.kill().unwrap();
        world.wait(3 * SECOND);
        let well = match shape {
            "consult" | "rings" => ask_each_other(&world, 0, 1),
            "room" => together(&world, &[0, 1]),
            "parked" => is_waiting(&world),
            _ => talks(&world, 0) && !together(&world, &[0]),
        };
        assert!(well, "{shape}");
        record_of_many(&mut world);
    }
}

#[test]
fn an_agent_lost_while_another_is_called_in_leaves_the_caller_to_the_other() {
    let mut world = talking(27);
    world.adjust(|settings| settings.call.media.silence_hangup = 5 * SECOND);
    world.agent_does(1, Habits { answer_after: Some(12 * SECOND), ..stays() });
    transfer(&mut world, "op1", Way::Join).unwrap();
    world.cut_off(agent_address(0), 300 * SECOND);
    world.wait_until(15 * SECOND, |world| together(world, &[1]));
    assert_eq!(facts(&world, |fact| matches!(fact, call::Fact::Returned { .. })), 0);
    assert_eq!(record(&mut world).outcome, Outcome::Answered);
}

#[test]
fn the_category_is_keyed_in_while_the_call_is_in_hand() {
    let mut world = talking(28);
    world.keys(0, "*168");
    assert!(together(&world, &[0]));
    assert_eq!(record(&mut world).category, "blank");
}

#[test]
fn q9_hold_a_consultation_and_a_room_never_make_an_agent_look_free() {
    let mut world = talking(29);
    let call = world.call();
    let pause = |agent: &str| Verb::SetAgent {
        agent: agent.into(),
        state: "pause".into(),
        reason: "tea".into(),
    };
    world.act(pause("op1")).unwrap();
    world.dial(1);
    world.wait(SECOND);
    let check = |world: &World, what: &str| {
        assert!(talks(world, 0), "{what}: {:?}", world.agent(0));
        assert_eq!(world.rings(agent_address(0)), 0, "{what}");
        assert_eq!(world.live_calls(), 2, "{what}");
    };
    for hold in [true, false] {
        world.act(Verb::Hold { call: call.clone(), hold }).unwrap();
        world.wait(5 * SECOND);
        check(&world, "hold");
    }
    for back in ["*0", "*3"] {
        world.keys(0, "*2op2#");
        check(&world, "somebody is rung to be asked");
        world.wait_until(3 * SECOND, |world| talks(world, 2));
        check(&world, "somebody is asked");
        world.keys(0, back);
        world.wait(SECOND);
        check(&world, back);
        world.wait_until(5 * SECOND, |world| back == "*3" || !wraps_up(world, 2));
    }
    world.hang_up(2);
    world.wait(5 * SECOND);
    check(&world, "the third has left");
    // And when they are free, they are.
    world.keys(0, "*6");
    world.wait_until(5 * SECOND, |world| rings(world, 0));
    record_of_many(&mut world);
}

#[test]
fn q32_every_shape_of_transfer_accounts_for_every_second() {
    for shape in ["blind", "handed over", "given up", "parked", "returned", "held", "twice"] {
        let mut world = talking(30);
        match shape {
            "blind" => world.keys(0, "*4op1#"),
            "handed over" | "given up" => {
                world.keys(0, "*2op1#");
                world.wait_until(3 * SECOND, |world| talks(world, 1));
                world.wait(2 * SECOND);
                match shape {
                    "given up" => world.keys(0, "*0"),
                    _ => world.hang_up(0),
                }
            }
            "parked" => {
                let call = world.call();
                world.act(Verb::Park { call: call.clone() }).unwrap();
                world.wait(3 * SECOND);
                world.act(Verb::Pick { call, agent: "op1".into() }).unwrap();
            }
            "returned" => world.keys(0, "*5"),
            "held" => {
                let call = world.call();
                world.act(Verb::Hold { call: call.clone(), hold: true }).unwrap();
                world.wait(3 * SECOND);
                world.act(Verb::Hold { call, hold: false }).unwrap();
            }
            _ => {
                world.keys(0, "*4op1#");
                world.wait_until(3 * SECOND, |world| talks(world, 1));
                world.keys(1, "*4op2#");
            }
        }
        world.wait(8 * SECOND);
        let record = record(&mut world);
        assert_eq!(record.outcome, Outcome::Answered, "{shape}");
        let transfers = match shape {
            "given up" | "held" | "returned" => 0,
            "twice" => 2,
            _ => 1,
        };
        assert_eq!(record.transfers, transfers, "{shape}: {record:#?}");
        assert_eq!(record.hold_ms >= 2_000, matches!(shape, "held" | "handed over" | "given up"));
    }
}
