//! What happens to a call in hand: sent on, asked about, joined, held, parked, given back; by a
//! supervisor's word, by key, by REFER; and whatever goes wrong on the way. The caller is never
//! lost, and the record says what was. Stories of the whole switch.

use pukar::acd::AgentState;
use pukar::base::TrunkId;
use pukar::call::{self, EndedBy, Outcome, Way};
use pukar::call::{Centre, District};
use pukar::core::{CallRecord, Verb, What};
use pukar::sim::{Habits, Plan, Reach, World, agent_address, caller_address};
use pukar::sip::Trunk;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Two operators and a counsellor, op2, who answer after a second and do not hang up.
fn world(seed: u64) -> World {
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

fn stays() -> Habits {
    Habits { talk: None, ..Habits::polite(SECOND, SECOND) }
}

fn silent() -> Habits {
    Habits { answer_after: None, ..stays() }
}

fn talks(world: &World, agent: u16) -> bool {
    matches!(world.agent(agent), AgentState::Talking { .. })
}

fn rings(world: &World, agent: u16) -> bool {
    matches!(world.agent(agent), AgentState::Offered { .. })
}

fn wraps_up(world: &World, agent: u16) -> bool {
    matches!(world.agent(agent), AgentState::WrapUp { .. })
}

fn is_waiting(world: &World) -> bool {
    !talks(world, 0) && !talks(world, 1) && !talks(world, 2) && world.live_calls() == 1
}

/// A caller who talks with op0.
fn talking(seed: u64) -> World {
    let mut world = world(seed);
    world.dial(0);
    world.wait_until(3 * SECOND, |world| talks(world, 0));
    world.wait(SECOND);
    assert!(together(&world, &[0]));
    world
}

/// Whether the caller and these agents hear one another.
fn together(world: &World, agents: &[u16]) -> bool {
    let agents = agents.iter().map(|agent| agent_address(*agent));
    let phones: Vec<_> = std::iter::once(caller_address(0)).chain(agents).collect();
    world.hear_each_other(&phones)
}

fn ask_each_other(world: &World, a: u16, b: u16) -> bool {
    world.hear_each_other(&[agent_address(a), agent_address(b)])
}

fn transfer(world: &mut World, to: &str, way: Way) -> Result<String, String> {
    let call = world.call();
    world.act(Verb::Transfer { call, to: to.into(), way })
}

/// The one record of the story. Its clocks account for every second of the caller's, and so do its
/// legs (row Q32).
fn record(world: &mut World) -> CallRecord {
    let (record, covered) = account(world);
    let talked = record.talk_ms as i64;
    assert!((covered - talked).abs() <= 20, "legs {covered} ms, talk {talked} ms: {record:#?}");
    record
}

/// The same where a phone that has referred stays on until it knows how that went.
fn record_of_refer(world: &mut World) -> CallRecord {
    let (record, covered) = account(world);
    let (talked, whole) = (record.talk_ms as i64, record.ended_at.0 - record.arrived_at.0);
    assert!((talked - 20..=whole / 1_000).contains(&covered), "{covered} ms: {record:#?}");
    record
}

/// The record, and how long the legs of all but the caller cover together, in milliseconds.
fn account(world: &mut World) -> (CallRecord, i64) {
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

fn facts(world: &World, fits: impl Fn(&call::Fact) -> bool) -> usize {
    let facts = world.facts().iter().filter_map(|fact| match &fact.what {
        What::Call(fact) => Some(fact),
        _ => None,
    });
    facts.filter(|fact| fits(fact)).count()
}

fn refused(world: &World, why: &str) -> bool {
    facts(
        world,
        |fact| matches!(fact, call::Fact::NotTransferred { why: said, .. } if said.contains(why)),
    ) == 1
}

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
fn a_transfer_to_nobody_says_why_and_changes_nothing() {
    let mut world = talking(7);
    for (to, why) in [
        ("op9", "op9"),
        ("agent:nobody", "there is no agent"),
        ("queue:nowhere", "there is no queue"),
        ("district:atlantis", "there is no district"),
        ("dir:ALI/RRT/1", "nobody is listed"),
        ("fax:1", "is nobody"),
        ("+919826012345", "may not dial"),
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
            0 | 1 => world.keys(0, "*1"),
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

fn record_of_many(world: &mut World) {
    (0..3).for_each(|caller| world.give_up(caller));
    (0..3).for_each(|agent| world.hang_up(agent));
    world.end();
}

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
    assert!(wraps_up(&world, 0) && is_waiting(&world));
    let parked = |fact: &call::Fact| matches!(fact, call::Fact::Parked { slot: 1, .. });
    assert_eq!(facts(&world, parked), 1);
    world.wait(5 * SECOND);
    let call = world.call();
    world.act(Verb::Pick { call, agent: "op1".into() }).unwrap();
    world.wait_until(3 * SECOND, |world| talks(world, 1));
    assert!(together(&world, &[1]));
    let record = record(&mut world);
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
    record(&mut world);
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
fn a_transfer_to_a_district_rings_its_centre_under_the_number_that_was_dialled() {
    let mut world = talking(25);
    let mut settings = world.settings().clone();
    let hosts = vec![caller_address(2).to_string()];
    settings.sip.trunks[0].hosts.retain(|host| !hosts.contains(host));
    settings.sip.trunks.push(Trunk { name: "edaksh".into(), hosts, ..Trunk::default() });
    settings.call.districts.push(District {
        name: "alirajpur".into(),
        title: "अलीराजपुर".into(),
        code: "ALI".into(),
        std: vec!["7394".into()],
        centre: Centre::Trunk(TrunkId(1)),
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

#[test]
fn a_call_in_hand_survives_the_death_of_the_process_in_every_shape() {
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
