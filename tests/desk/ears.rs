//! A supervisor's ears on a call in hand: who hears whom, who is told, what is recorded, and what
//! becomes of the call when somebody goes.

use crate::hand_world::*;
use pukar::acd::AgentState;
use pukar::call::{self, Ears, Way};
use pukar::core::Verb;
use pukar::media::Side;
use pukar::sim::{World, agent_address, caller_address};

/// op0 talks with the caller, and op1 is the supervisor.
const BOSS: u16 = 1;

fn watch(world: &mut World, ears: Ears) -> Result<String, String> {
    let call = world.call();
    world.act(Verb::Watch { call, phone: "op1".into(), ears })
}

/// The supervisor's phone has answered.
fn watched(seed: u64, ears: Ears) -> World {
    let mut world = talking(seed);
    watch(&mut world, ears).unwrap();
    world.wait(2 * SECOND);
    world
}

/// Who hears the supervisor, of caller and agent; and whom the supervisor hears.
fn ears(world: &World) -> [bool; 4] {
    let (caller, agent, boss) = (caller_address(0), agent_address(0), agent_address(BOSS));
    let hears = |a, b| world.hears(a, b);
    assert_eq!(hears(caller, agent), hears(agent, caller), "the two of them are not to notice");
    [hears(caller, boss), hears(agent, boss), hears(boss, caller), hears(boss, agent)]
}

fn is_in_own_call(world: &World) -> bool {
    matches!(world.agent(BOSS), AgentState::OwnCall { .. })
}

#[test]
fn a_supervisor_listens_whispers_and_speaks_with_all_and_who_hears_whom_is_as_it_says() {
    for (seed, how, expected) in [
        (1, Ears::Listen, [false, false, true, true]),
        (2, Ears::Whisper, [false, true, true, true]),
        (3, Ears::Barge, [true, true, true, true]),
    ] {
        let mut world = watched(seed, how);
        assert_eq!(ears(&world), expected, "{how:?}");
        assert!(is_in_own_call(&world) && talks(&world, 0));
        // They are told no caller meanwhile, and leave as they came.
        world.hang_up(BOSS);
        world.wait(SECOND);
        assert!(together(&world, &[0]), "{how:?}");
        assert_eq!(*world.agent(BOSS), AgentState::Ready);
        let record = record(&mut world);
        assert_eq!((record.agent.as_str(), record.transfers), ("op0", 0));
        let own = record.legs.iter().find(|leg| leg.role == "supervisor").unwrap();
        assert_eq!(own.agent, "op1");
    }
}

#[test]
fn a_supervisor_in_the_call_changes_how_by_verb_and_by_key_without_another_ring() {
    let mut world = watched(4, Ears::Listen);
    let rings = world.rings(agent_address(BOSS));
    watch(&mut world, Ears::Whisper).unwrap();
    assert_eq!(ears(&world), [false, true, true, true]);
    world.keys(BOSS, "3");
    assert_eq!(ears(&world), [true, true, true, true]);
    world.keys(BOSS, "1");
    assert_eq!(ears(&world), [false, false, true, true]);
    assert_eq!(world.rings(agent_address(BOSS)), rings);
    let told = facts(&world, |fact| matches!(fact, call::Fact::Watched { ears: Some(_), .. }));
    assert_eq!(told, 4, "each is a fact");
    // And who wanted it is on the books, by whatever hand.
    let call = world.call();
    let keyed = |verb, from| format!("op1 {verb} {call} op1 by key, from {from}");
    let asked = |verb| format!("supervisor {verb} {call} op1");
    let expected = [
        asked("calls.listen"),
        asked("calls.whisper"),
        keyed("calls.barge", "whisper"),
        keyed("calls.listen", "barge"),
    ];
    assert_eq!(acts(&world), expected);
    world.keys(BOSS, "4");
    world.wait(2 * SECOND);
    assert!(together(&world, &[BOSS]) && wraps_up(&world, 0));
    assert_eq!(acts(&world).last(), Some(&keyed("calls.take", "listen")));
    world.wait(5 * SECOND);
    record(&mut world);
}

#[test]
fn a_supervisor_takes_over_and_the_agent_writes_notes() {
    for (seed, first) in [(5, None), (6, Some(Ears::Listen))] {
        let mut world = match first {
            Some(ears) => watched(seed, ears),
            None => talking(seed),
        };
        watch(&mut world, Ears::Take).unwrap();
        world.wait(2 * SECOND);
        assert!(wraps_up(&world, 0) && talks(&world, BOSS), "{first:?}");
        assert!(together(&world, &[BOSS]));
        world.wait(5 * SECOND);
        let record = record(&mut world);
        assert_eq!((record.agent.as_str(), record.transfers), ("op1", 1), "{record:#?}");
    }
}

#[test]
fn an_agent_who_hangs_up_leaves_the_caller_to_who_speaks_with_all_and_to_nobody_who_listens() {
    let mut world = watched(7, Ears::Barge);
    world.hang_up(0);
    world.wait(SECOND);
    assert!(wraps_up(&world, 0) && together(&world, &[BOSS]) && talks(&world, BOSS));
    assert_eq!(record(&mut world).agent, "op1");
    let mut world = watched(8, Ears::Listen);
    world.hang_up(0);
    world.wait(SECOND);
    assert_eq!((world.live_calls(), world.agent(BOSS)), (0, &AgentState::Ready));
    record(&mut world);
}

#[test]
fn ears_go_along_with_hold_consultation_and_transfer() {
    let mut world = watched(9, Ears::Listen);
    let call = world.call();
    world.act(Verb::Hold { call: call.clone(), hold: true }).unwrap();
    assert_eq!(ears(&world), [false; 4]);
    world.act(Verb::Hold { call, hold: false }).unwrap();
    assert_eq!(ears(&world), [false, false, true, true]);
    transfer(&mut world, "op2", Way::Consult).unwrap();
    world.wait(2 * SECOND);
    let counsellor = agent_address(2);
    assert!(world.hears(agent_address(BOSS), counsellor) && talks(&world, 2));
    assert!(!world.hears(counsellor, agent_address(BOSS)));
    world.hang_up(0);
    world.wait(SECOND);
    assert!(world.hears(agent_address(BOSS), caller_address(0)));
    assert!(world.hears(agent_address(BOSS), counsellor), "the call is op2's now");
    record(&mut world);
}

#[test]
fn ears_survive_the_death_of_the_process() {
    for (seed, how) in [(10, Ears::Listen), (11, Ears::Whisper), (12, Ears::Barge)] {
        let mut world = watched(seed, how);
        let before = ears(&world);
        world.kill().unwrap();
        world.wait(SECOND);
        assert_eq!(ears(&world), before, "{how:?}");
        record(&mut world);
    }
}

#[test]
fn a_phone_that_does_not_answer_or_is_wanted_elsewhere_changes_nothing() {
    let mut world = talking(13);
    world.agent_does(BOSS, silent());
    watch(&mut world, Ears::Listen).unwrap();
    world.wait(2 * SECOND);
    assert!(is_in_own_call(&world) && together(&world, &[0]));
    world.wait(30 * SECOND);
    assert_eq!(*world.agent(BOSS), AgentState::Ready);
    assert!(together(&world, &[0]), "it rang for long enough");
    // Whoever has a call in hand does not listen to another, nor to their own.
    let call = world.call();
    let own = Verb::Watch { call: call.clone(), phone: "op0".into(), ears: Ears::Listen };
    assert!(world.act(own).unwrap_err().contains("has a call in hand"));
    let nobody = Verb::Watch { call, phone: "nobody".into(), ears: Ears::Listen };
    assert!(world.act(nobody).unwrap_err().contains("nobody sits"));
    record(&mut world);
    // Nor is there anything to hear where nobody talks.
    let mut world = world_of_waiting(14);
    assert!(watch(&mut world, Ears::Listen).unwrap_err().contains("nobody has the caller"));
    record_of_many(&mut world);
}

/// A caller whom nobody serves.
fn world_of_waiting(seed: u64) -> World {
    let mut world = world(seed);
    for agent in ["op0", "op1"] {
        let (agent, state) = (agent.into(), "pause".into());
        world.act(Verb::SetAgent { agent, state, reason: String::new() }).unwrap();
    }
    world.dial(0);
    world.wait(SECOND);
    world
}

#[test]
fn what_is_said_to_all_is_recorded_and_who_listens_or_whispers_is_not() {
    for (seed, how, side) in
        [(15, Ears::Listen, None), (16, Ears::Whisper, None), (17, Ears::Barge, Some(Side::Right))]
    {
        let mut world = world(seed);
        let mut settings = world.settings();
        settings.call.recording.all = true;
        world.reload(settings);
        world.dial(0);
        world.wait_until(3 * SECOND, |world| talks(world, 0));
        watch(&mut world, how).unwrap();
        world.wait(2 * SECOND);
        let phones = [caller_address(0), agent_address(0), agent_address(BOSS)];
        let recorded = world.recorded(&phones);
        assert_eq!(recorded, [Some(Side::Left), Some(Side::Right), side], "{how:?}");
        record_of_many(&mut world);
    }
}
