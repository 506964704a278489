//! A recording goes with the call through whatever hands it goes: one file, the caller left and
//! everybody else right, and nobody in it who was not heard just then. Stories of the whole switch;
//! that nobody is recorded whom nobody hears is asked after every event.

use crate::hand_world::*;
use pukar::call::{Fact, Recorded, Way};
use pukar::core::{LegRow, Verb};
use pukar::media::Side;
use pukar::sim::{Habits, World, agent_address, caller_address};
use std::time::Duration;

const CALLER: Option<Side> = Some(Side::Left);
const OTHER: Option<Side> = Some(Side::Right);

/// The sides of the caller, op0, op1 and op2.
fn sides(world: &World) -> [Option<Side>; 4] {
    let agents = (0..3).map(agent_address);
    let phones: Vec<_> = std::iter::once(caller_address(0)).chain(agents).collect();
    world.recorded(&phones).try_into().unwrap()
}

/// Everybody goes, and there was one recording, which the record names.
fn one_file(world: World) {
    one_file_with(world, "");
}

/// The same, and what the record says of it.
fn one_file_with(mut world: World, trouble: &str) {
    (0..3).for_each(|caller| world.give_up(caller));
    (0..3).for_each(|agent| world.hang_up(agent));
    world.end();
    let started =
        |fact: &Fact| matches!(fact, Fact::Recording { what: Recorded::Started { .. }, .. });
    assert_eq!(facts(&world, started), 1);
    let [record] = world.records() else { panic!("{:?}", world.records()) };
    assert!(record.recording.ends_with(&format!("/{}.wav{trouble}", record.id)), "{record:?}");
}

#[test]
fn q32_a_blind_transfer_takes_the_recording_along() {
    let mut world = talking(1);
    assert_eq!(sides(&world), [CALLER, OTHER, None, None]);
    transfer(&mut world, "op1", Way::Blind).unwrap();
    assert_eq!(sides(&world), [None; 4], "the caller waits");
    world.wait_until(3 * SECOND, |world| talks(world, 1));
    assert_eq!(sides(&world), [CALLER, None, OTHER, None]);
    one_file(world);
}

#[test]
fn q32_a_refer_takes_the_recording_along() {
    let mut world = talking(3);
    world.refers(0, "op1");
    world.wait_until(3 * SECOND, |world| talks(world, 1));
    world.wait(SECOND);
    assert_eq!(sides(&world), [CALLER, None, OTHER, None]);
    one_file(world);
}

#[test]
fn q32_a_consultation_is_recorded_and_the_caller_who_does_not_hear_it_is_not() {
    let mut world = talking(9);
    world.keys(0, "*2op1#");
    world.wait_until(3 * SECOND, |world| talks(world, 1));
    assert_eq!(sides(&world), [None, OTHER, OTHER, None]);
    world.hang_up(0);
    world.wait(ms(100));
    assert_eq!(sides(&world), [CALLER, None, OTHER, None]);
    one_file(world);
}

#[test]
fn q32_all_of_a_conference_are_recorded() {
    let mut world = talking(10);
    transfer(&mut world, "health", Way::Join).unwrap();
    world.wait_until(3 * SECOND, |world| talks(world, 2));
    assert_eq!(sides(&world), [CALLER, OTHER, None, OTHER]);
    world.give_up(0);
    world.wait(ms(200));
    assert_eq!(sides(&world), [None, OTHER, None, OTHER], "they talk on");
    one_file(world);
}

/// A moment by the calendar, and who is recorded then: the caller, op0, op1 and op2.
type Moment = (i64, [bool; 4]);

const STEP: Duration = Duration::from_millis(20);

/// Time passes until it is so, and every moment of it is looked at.
fn listen(world: &mut World, heard: &mut Vec<Moment>, it_is_so: impl Fn(&World) -> bool) {
    for _ in 0..1_500 {
        let last = world.facts().last().expect("somebody has called").at;
        let at = last.wall.0 + (world.now().0 - last.instant.0) as i64;
        heard.push((at, sides(world).map(|side| side.is_some())));
        if it_is_so(world) {
            return;
        }
        world.wait(STEP);
    }
    panic!("it never comes to that");
}

fn listen_for(world: &mut World, heard: &mut Vec<Moment>, span: Duration) {
    let until = world.now() + span;
    listen(world, heard, |world| world.now() >= until);
}

/// A call whose caller talks with op0, through this shape of handing over, to the end.
fn heard_through(shape: &str) -> (World, Vec<Moment>) {
    let (mut world, mut heard) = (crate::hand_world::world(31), Vec::new());
    world.dial(0);
    world.wait_until(SECOND, |world| world.live_calls() == 1);
    listen(&mut world, &mut heard, |world| talks(world, 0));
    listen_for(&mut world, &mut heard, 2 * SECOND);
    let call = world.call();
    match shape {
        "blind" => world.keys(0, "*4op1#"),
        "referred" => world.refers(0, "op1"),
        "handed over" | "given up" | "joined" => {
            world.keys(0, "*2op1#");
            listen(&mut world, &mut heard, |world| talks(world, 1));
            listen_for(&mut world, &mut heard, 2 * SECOND);
            match shape {
                "given up" => world.keys(0, "*0"),
                "joined" => world.keys(0, "*3"),
                _ => world.hang_up(0),
            }
        }
        "parked" => {
            world.act(Verb::Park { call: call.clone() }).unwrap();
            listen_for(&mut world, &mut heard, 2 * SECOND);
            world.act(Verb::Pick { call, agent: "op1".into() }).unwrap();
        }
        _ => {
            world.act(Verb::Hold { call: call.clone(), hold: true }).unwrap();
            listen_for(&mut world, &mut heard, 2 * SECOND);
            world.act(Verb::Hold { call, hold: false }).unwrap();
        }
    }
    listen_for(&mut world, &mut heard, 6 * SECOND);
    (world, heard)
}

/// Every moment of sound that is in the file is that of one leg of the record, which was answered
/// by then and not over; and of the caller's time on the phone with somebody nothing is missing.
#[test]
fn q32_each_moment_that_is_recorded_is_of_one_leg_through_every_shape_of_transfer() {
    for shape in ["blind", "referred", "handed over", "given up", "joined", "parked", "held"] {
        let (mut world, heard) = heard_through(shape);
        let record = match shape {
            "referred" => record_of_refer(&mut world),
            // The agents talk on for a moment when the caller has gone.
            "joined" => {
                record_of_many(&mut world);
                world.records()[0].clone()
            }
            _ => record(&mut world),
        };
        let slack = STEP.as_micros() as i64;
        for (at, recorded) in &heard {
            for (phone, _) in recorded.iter().enumerate().filter(|(_, recorded)| **recorded) {
                let own = record.legs.iter().filter(|leg| match phone {
                    0 => leg.role == "caller",
                    _ => leg.agent == format!("op{}", phone - 1),
                });
                let is_up = |leg: &&LegRow| {
                    let from = leg.answered_at.map_or(i64::MAX, |from| from.0 - slack);
                    let to = leg.closed_at.map_or(i64::MIN, |to| to.0 + slack);
                    (from..=to).contains(at)
                };
                let legs = own.filter(is_up).count();
                assert_eq!(legs, 1, "{shape}: phone {phone} at {at}: {record:#?}");
            }
        }
        // A moment lasts until the next.
        let own = heard.windows(2).filter(|pair| pair[0].1[0]);
        let caller = own.map(|pair| pair[1].0 - pair[0].0).sum::<i64>() / 1_000;
        let talked = (record.talk_ms - record.hold_ms) as i64;
        let missing = talked - caller;
        assert!(missing.abs() <= 200, "{shape}: {missing} of {talked} ms: {record:#?}");
        let alone =
            heard.iter().filter(|(_, recorded)| recorded[0] && !recorded[1..].contains(&true));
        assert_eq!(alone.count(), 0, "{shape}: the caller is heard by somebody");
    }
}

#[test]
fn whoever_is_on_hold_is_not_recorded() {
    let mut world = talking(19);
    let call = world.call();
    world.act(Verb::Hold { call: call.clone(), hold: true }).unwrap();
    assert_eq!(sides(&world), [None; 4]);
    world.act(Verb::Hold { call, hold: false }).unwrap();
    assert_eq!(sides(&world), [CALLER, OTHER, None, None]);
    one_file(world);
    // By the hold key of a telephone, which comes back by itself.
    let mut world = crate::hand_world::world(20);
    world.agent_does(0, Habits { holds_after: Some(2 * SECOND), ..stays() });
    world.dial(0);
    world.wait_until(5 * SECOND, |world| sides(world) == [CALLER, OTHER, None, None]);
    world.wait_until(5 * SECOND, |world| sides(world) == [None; 4]);
    world.wait_until(9 * SECOND, |world| sides(world) == [CALLER, OTHER, None, None]);
    one_file(world);
}

#[test]
fn q32_a_caller_who_is_parked_or_waits_again_is_not_recorded() {
    let mut world = talking(21);
    let call = world.call();
    world.act(Verb::Park { call: call.clone() }).unwrap();
    assert_eq!(sides(&world), [None; 4]);
    world.act(Verb::Pick { call: call.clone(), agent: "op1".into() }).unwrap();
    world.wait_until(3 * SECOND, |world| talks(world, 1));
    assert_eq!(sides(&world), [CALLER, None, OTHER, None]);
    world.act(Verb::Return { call }).unwrap();
    assert_eq!(sides(&world), [None; 4]);
    world.wait_until(10 * SECOND, |world| sides(world)[0] == CALLER);
    one_file(world);
}

#[test]
fn private_matter_stays_private_through_every_hand() {
    let mut world = talking(10);
    let call = world.call();
    world.act(Verb::Record { call: call.clone(), on: false }).unwrap();
    assert_eq!(sides(&world), [None; 4]);
    transfer(&mut world, "health", Way::Join).unwrap();
    world.wait_until(3 * SECOND, |world| talks(world, 2));
    assert_eq!(sides(&world), [None; 4]);
    world.kill().unwrap();
    assert_eq!(sides(&world), [None; 4], "nor does another process record it");
    world.act(Verb::Record { call, on: true }).unwrap();
    assert_eq!(sides(&world), [CALLER, OTHER, None, OTHER]);
}

#[test]
fn a_call_that_is_private_before_anybody_talks_says_so() {
    let mut world = crate::hand_world::world(9);
    world.dial(0);
    world.wait_until(SECOND, |world| world.live_calls() == 1);
    let call = world.call();
    world.act(Verb::Record { call: call.clone(), on: false }).unwrap();
    let paused = |fact: &Fact| matches!(fact, Fact::Recording { what: Recorded::Paused, .. });
    assert_eq!(facts(&world, paused), 1);
    world.act(Verb::Record { call, on: false }).unwrap();
    assert_eq!(facts(&world, paused), 1, "once");
    world.wait_until(3 * SECOND, |world| talks(world, 0));
    assert_eq!(sides(&world), [None; 4]);
}

#[test]
fn an_agent_keys_in_that_what_follows_is_private() {
    let mut world = talking(9);
    world.keys(0, "*8");
    assert_eq!(sides(&world), [None; 4]);
    assert!(together(&world, &[0]), "they talk on");
    world.keys(0, "*8");
    assert_eq!(sides(&world), [CALLER, OTHER, None, None]);
    let paused = |fact: &Fact| matches!(fact, Fact::Recording { what: Recorded::Paused, .. });
    assert_eq!(facts(&world, paused), 1);
    world.give_up(0);
    world.end();
    assert!(world.records()[0].recording.ends_with(".wav; paused"));
}

#[test]
fn where_nothing_is_recorded_the_key_for_private_matter_changes_nothing() {
    let mut world = crate::hand_world::world(9);
    world.adjust(|settings| settings.call.lines[0].record = false);
    world.dial(0);
    world.wait_until(3 * SECOND, |world| talks(world, 0));
    world.keys(0, "*8");
    assert!(sides(&world) == [None; 4] && together(&world, &[0]));
    world.keys(0, "*8");
    assert_eq!(sides(&world), [None; 4]);
}

#[test]
fn whatever_was_recorded_is_recorded_by_the_next_process() {
    for (shape, now) in [
        ("consult", [None, OTHER, OTHER, None]),
        ("room", [CALLER, OTHER, OTHER, None]),
        ("held", [None; 4]),
        ("pair", [CALLER, OTHER, None, None]),
    ] {
        let mut world = talking(26);
        let call = world.call();
        match shape {
            "consult" => _ = transfer(&mut world, "op1", Way::Consult).unwrap(),
            "room" => _ = transfer(&mut world, "op1", Way::Join).unwrap(),
            "held" => _ = world.act(Verb::Hold { call, hold: true }).unwrap(),
            _ => {}
        }
        world.wait(3 * SECOND);
        assert_eq!(sides(&world), now, "{shape}");
        world.kill().unwrap();
        assert_eq!(sides(&world), now, "{shape}, killed");
        one_file_with(world, "; gaps");
    }
}
