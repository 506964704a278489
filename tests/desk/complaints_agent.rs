//! What users of today's switches complain about, as stories of the whole switch: agents who hang
//! in a call, ring for nobody, answer twice. Each test bears the number of its row; the rows that
//! only the queue engine decides are in `acd_complaints.rs`.

use pukar::acd::{self, AgentState, Strategy};
use pukar::base::Rng;
use pukar::call::{self, EndedBy, Outcome};
use pukar::core::{Event, What};
use pukar::sim::{Habits, Loss, Plan, Reach, Step, World, agent_address, caller_address};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn plan(callers: u16, agents: &[Reach]) -> Plan {
    Plan { callers, agents: agents.to_vec(), ..Plan::calm() }
}

fn is_free(world: &World, agent: u16) -> bool {
    !matches!(world.agent(agent), AgentState::Offered { .. } | AgentState::Talking { .. })
}

fn talks(world: &World, agent: u16) -> bool {
    matches!(world.agent(agent), AgentState::Talking { .. })
}

fn rings(world: &World, agent: u16) -> bool {
    matches!(world.agent(agent), AgentState::Offered { .. })
}

fn connections(world: &World) -> usize {
    let connected = |what: &What| matches!(what, What::Call(call::Fact::Connected { .. }));
    world.facts().iter().filter(|fact| connected(&fact.what)).count()
}

/// Never rings, never answers.
fn deaf() -> Habits {
    Habits { ring_after: None, answer_after: None, ..Habits::polite(SECOND, SECOND) }
}

fn never_answers() -> Habits {
    Habits { answer_after: None, ..Habits::polite(SECOND, SECOND) }
}

#[test]
fn q1_a_phone_that_dies_at_any_step_frees_its_agent_and_keeps_the_caller() {
    let steps = [Step::Invited, Step::Ringing, Step::Answered, Step::Confirmed, Step::Leaving];
    for (step, reach) in steps.into_iter().flat_map(|s| [(s, Reach::Fixed), (s, Reach::Streaming)])
    {
        let mut world = World::story(1, plan(1, &[reach, reach]));
        (0..2).for_each(|agent| world.agent_does(agent, Habits::dies_at(step)));
        world.dial(0);
        let rung = |world: &World| (0..2).find(|&agent| rings(world, agent));
        world.wait_until(SECOND, |world| rung(world).is_some());
        let victim = rung(&world).unwrap();
        let other = 1 - victim;
        world.agent_does(other, Habits::polite(SECOND, 10 * SECOND));
        // 12 s of ringing, or 5 s of talk and 30 s of silence.
        world.wait_until(40 * SECOND, |world| is_free(world, victim));
        world.wait_until(3 * SECOND, |world| talks(world, other));
        world.wait(20 * SECOND);
        world.end();
        let [record] = world.records() else { panic!("{step:?}: {:?}", world.records()) };
        let agent = format!("op{other}");
        assert_eq!((&record.agent, record.outcome), (&agent, Outcome::Answered), "{step:?}");
    }
}

#[test]
fn q2_a_lost_bye_of_the_caller_frees_the_agent_and_closes_the_record_with_its_reason() {
    let mut world = World::story(2, plan(1, &[Reach::Fixed]));
    world.agent_does(0, Habits { talk: None, ..Habits::polite(SECOND, SECOND) });
    let of = caller_address(0);
    world.network().lose(Loss { of, start: "BYE", method: "BYE", times: 100 });
    world.dial(0);
    world.wait_until(3 * SECOND, |world| talks(world, 0));
    world.wait(5 * SECOND);
    world.give_up(0);
    world.wait_until(31 * SECOND, |world| is_free(world, 0));
    world.end();
    let [record] = world.records() else { panic!("{:?}", world.records()) };
    assert_eq!((record.outcome, record.ended_by), (Outcome::Answered, EndedBy::Silence));
}

#[test]
fn q2_a_lost_bye_of_the_agent_frees_the_agent() {
    let mut world = World::story(2, plan(1, &[Reach::Fixed]));
    let of = agent_address(0);
    world.network().lose(Loss { of, start: "BYE", method: "BYE", times: 100 });
    world.dial(0);
    world.wait_until(3 * SECOND, |world| talks(world, 0));
    // 10 s of talk, then silence.
    world.wait_until(41 * SECOND, |world| is_free(world, 0));
    world.give_up(0);
    world.end();
}

#[test]
fn q2_a_lost_bye_of_a_waiting_caller_is_found_by_asking_them_within_fifteen_seconds() {
    let long = Plan { max_wait: 3_600 * SECOND, ..plan(1, &[]) };
    let mut world = World::story(2, long);
    let of = caller_address(0);
    world.network().lose(Loss { of, start: "BYE", method: "BYE", times: 100 });
    world.dial(0);
    world.wait(5 * SECOND);
    world.give_up(0);
    // 10 s without a packet; the phone, asked, knows of no such call.
    world.wait_until(15 * SECOND, |world| world.live_calls() == 0);
    world.end();
    let [record] = world.records() else { panic!("{:?}", world.records()) };
    assert_eq!((record.outcome, record.ended_by), (Outcome::Failed, EndedBy::Lost));
}

#[test]
fn q2_a_caller_who_only_listens_keeps_their_place_and_who_has_lost_their_power_does_not() {
    let long = Plan { max_wait: 3_600 * SECOND, ..plan(2, &[]) };
    let mut world = World::story(2, long);
    world.dial(0);
    world.dial(1);
    world.wait(SECOND);
    world.mute(caller_address(0), true);
    world.vanish(caller_address(1));
    world.wait_until(60 * SECOND, |world| world.live_calls() == 1);
    world.wait(600 * SECOND);
    assert_eq!(world.live_calls(), 1, "who is asked and answers is there");
    world.give_up(0);
    world.end();
    let ended: Vec<EndedBy> = world.records().iter().map(|record| record.ended_by).collect();
    assert_eq!(ended, [EndedBy::Lost, EndedBy::Caller]);
}

#[test]
fn q3_fifty_phones_ring_two_answer_within_five_milliseconds_and_nobody_stays_reserved() {
    let agents = vec![Reach::Fixed; 50];
    let plan = Plan { strategy: Strategy::RingAll, wrap_up: Duration::ZERO, ..plan(1, &agents) };
    let mut world = World::story(3, plan);
    let mut rng = Rng::new(3);
    for round in 0..20 {
        (0..50).for_each(|agent| world.agent_does(agent, never_answers()));
        let first = rng.below(50) as u16;
        let second = (first + 1 + rng.below(49) as u16) % 50;
        let talk = 3 * SECOND;
        world.agent_does(first, Habits::polite(SECOND, talk));
        world.agent_does(second, Habits::polite(SECOND + ms(rng.below(5)), talk));
        world.dial(0);
        world.wait(2 * SECOND);
        assert_eq!(connections(&world), round + 1, "one of them talks");
        let talking = (0..50).filter(|&agent| world.talks(agent_address(agent)) > 0);
        assert_eq!(talking.count(), 1, "round {round}");
        assert!((0..50).all(|agent| !rings(&world, agent)), "round {round}");
        world.wait(3 * SECOND);
        assert!((0..50).all(|agent| *world.agent(agent) == AgentState::Ready), "round {round}");
    }
    world.end();
}

#[test]
fn q4_at_every_quiet_point_the_queue_shows_exactly_the_live_calls() {
    let mut world = World::story(4, plan(40, &[Reach::Fixed, Reach::Registered, Reach::Streaming]));
    let mut rng = Rng::new(4);
    (0..3).for_each(|n| world.agent_does(n, Habits::polite(SECOND, 400 * SECOND)));
    for round in 0..8 {
        for caller in 5 * round..5 * round + 5 {
            world.dial(caller);
            world.wait(ms(rng.below(3_000)));
            if rng.chance(60) {
                world.give_up(rng.below(u64::from(caller) + 1) as u16);
            }
        }
        world.wait(5 * SECOND);
        let up = (0..40).filter(|&caller| world.talks(caller_address(caller)) > 0).count();
        let (shown, legs) = world.switch().state().counts();
        assert_eq!((shown, world.live_calls()), (up, up), "round {round}");
        let talking = (0..3).filter(|&agent| world.talks(agent_address(agent)) > 0).count();
        assert_eq!(legs, up + talking, "round {round}");
    }
    (0..40).for_each(|caller| world.give_up(caller));
    world.end();
}

#[test]
fn q5_when_the_caller_goes_the_agents_phone_stops_within_200_ms() {
    let mut world = World::story(5, plan(1, &[Reach::Fixed]));
    world.agent_does(0, never_answers());
    world.dial(0);
    world.wait_until(SECOND, |world| world.rings(agent_address(0)) == 1);
    world.wait(SECOND);
    world.give_up(0);
    world.wait_until(ms(200), |world| world.rings(agent_address(0)) == 0);
    world.wait_until(ms(200), |world| *world.agent(0) == AgentState::Ready);
    world.end();
}

#[test]
fn q5_nobody_answers_into_silence() {
    let crossing = Habits { answers_cancelled: true, ..never_answers() };
    let unheard = Habits { ring_after: None, ..Habits::polite(2 * SECOND, 60 * SECOND) };
    for habits in [crossing, unheard] {
        let mut world = World::story(5, plan(1, &[Reach::Fixed]));
        world.agent_does(0, habits);
        world.dial(0);
        world.wait(SECOND);
        world.give_up(0);
        world.wait_until(2 * SECOND, |world| world.rings(agent_address(0)) == 0);
        world.wait_until(ms(200), |world| *world.agent(0) == AgentState::Ready);
        world.wait(ms(200));
        assert_eq!(world.talks(agent_address(0)), 0, "the phone was told that nobody is there");
        assert_eq!(connections(&world), 0);
        world.end();
    }
}

#[test]
fn q6_of_two_phones_that_answer_at_once_one_is_bridged_and_the_other_told_why() {
    for seed in 0..50 {
        let ring_all = Plan { strategy: Strategy::RingAll, ..plan(1, &[Reach::Fixed; 2]) };
        let mut world = World::story(seed, ring_all);
        let at_once = Habits { ring_after: None, ..Habits::polite(Duration::ZERO, 10 * SECOND) };
        (0..2).for_each(|agent| world.agent_does(agent, at_once.clone()));
        world.dial(0);
        world.wait(SECOND);
        let up: Vec<u16> = (0..2).filter(|&n| world.talks(agent_address(n)) > 0).collect();
        let [winner] = up[..] else { panic!("seed {seed}: {up:?} talk") };
        assert!(talks(&world, winner), "seed {seed}");
        assert_eq!(connections(&world), 1, "seed {seed}");
        let loser = agent_address(1 - winner);
        let told = world.said().iter().any(|(hop, bytes)| {
            let text = String::from_utf8_lossy(bytes);
            hop.peer == loser
                && (text.starts_with("BYE") || text.starts_with("CANCEL"))
                && text.contains("cause=200")
        });
        assert!(told, "seed {seed}: the other phone lists a missed call");
        world.end();
    }
}

/// Rings for a second, answers, and hangs up in the same breath.
fn hangs_up_at_once() -> Habits {
    Habits::polite(SECOND, ms(100))
}

#[test]
fn q7_an_answer_that_is_hung_up_at_once_costs_the_caller_no_round_of_ringing() {
    let ring_all = Plan { strategy: Strategy::RingAll, ..plan(1, &[Reach::Fixed; 5]) };
    let mut world = World::story(7, ring_all);
    let others = [0, 1, 2, 4];
    others.iter().for_each(|&agent| world.agent_does(agent, never_answers()));
    world.agent_does(3, hangs_up_at_once());
    world.dial(0);
    let hung_up = |what: &What| matches!(what, What::Call(call::Fact::Returned { .. }));
    world.wait_until(3 * SECOND, |world| world.facts().iter().any(|fact| hung_up(&fact.what)));
    // The others, whose phones have just been stopped, ring again at once.
    let all_ring = |world: &World| others.iter().all(|&n| world.rings(agent_address(n)) == 1);
    world.wait_until(ms(200), all_ring);
    assert!(is_free(&world, 3), "{:?}", world.agent(3));
    world.agent_does(0, Habits::polite(ms(100), 5 * SECOND));
    // Whoever hung up has rested, and is asked again with the others.
    world.agent_does(3, never_answers());
    world.wait_until(15 * SECOND, |world| talks(world, 0));
    world.end();
    let [record] = world.records() else { panic!("{:?}", world.records()) };
    assert_eq!((&*record.agent, record.outcome), ("op0", Outcome::Answered));
    assert!(record.offers >= 9, "five phones, and four again: {record:?}");
}

#[test]
fn q7_a_caller_who_gives_up_after_an_answer_that_came_to_nothing_is_an_abandoned_call() {
    let mut world = World::story(7, plan(1, &[Reach::Fixed]));
    world.agent_does(0, hangs_up_at_once());
    world.dial(0);
    world.wait_until(3 * SECOND, |world| connections(world) == 1);
    world.wait(ms(500));
    assert!(!talks(&world, 0));
    assert_eq!(world.live_calls(), 1, "the caller waits on");
    world.agent_does(0, never_answers());
    world.give_up(0);
    world.end();
    let [record] = world.records() else { panic!("{:?}", world.records()) };
    assert_eq!((&*record.agent, record.outcome), ("", Outcome::Abandoned), "{record:?}");
    assert_eq!((record.connected_at, record.talk_ms), (None, 0));
}

#[test]
fn q8_no_phone_rings_inside_a_wrap_up_even_over_a_reload() {
    let plan = plan(2, &[Reach::Fixed]);
    let mut world = World::story(8, plan.clone());
    world.dial(0);
    world.dial(1);
    world.wait_until(20 * SECOND, |world| matches!(world.agent(0), AgentState::WrapUp { .. }));
    let began = world.now();
    let mut settings = plan.settings();
    settings.acd.queues[0].wrap_up = SECOND;
    world.reload(settings);
    world.wait_until(4 * SECOND, |world| rings(world, 0));
    assert!(world.now().since(began) >= 3 * SECOND - ms(10));
    world.end();
}

#[test]
fn q9_whatever_channels_and_holds_an_agents_phones_have_the_state_is_what_they_do() {
    for case in 0..48 {
        let (two_phones, second_answers) = (case & 1 > 0, case & 2 > 0);
        let (fork, agent_holds, caller_holds) = (case & 4 > 0, case & 8 > 0, case & 16 > 0);
        let both_at_once = case >= 32;
        let mut world = World::story(9, plan(2, &[Reach::Registered]));
        let mut phones = vec![agent_address(0)];
        if two_phones {
            phones.push(world.plug_in(0));
        }
        let twin = fork.then(|| ms(100));
        let answers = Habits { twin, ..Habits::polite(SECOND, 12 * SECOND) };
        for (n, &phone) in phones.iter().enumerate() {
            let first_up = both_at_once || (n == 1) == (two_phones && second_answers);
            world.phone_does(phone, if first_up { answers.clone() } else { never_answers() });
        }
        world.dial(0);
        world.dial(1);
        let (mut wrong, mut offers) = (Duration::ZERO, 0);
        for step in 0..600 {
            world.wait(ms(20));
            let up: usize = phones.iter().map(|&phone| world.talks(phone)).sum();
            let rings: usize = phones.iter().map(|&phone| world.rings(phone)).sum();
            let as_it_is = match world.agent(0) {
                AgentState::Talking { .. } => up == 1 && rings == 0,
                AgentState::Offered { .. } => up == 0 && rings == phones.len(),
                _ => up == 0 && rings == 0,
            };
            wrong = if as_it_is { Duration::ZERO } else { wrong + ms(20) };
            assert!(
                wrong <= ms(100),
                "case {case}, step {step}: {:?}, {up} up, {rings} ring",
                world.agent(0)
            );
            if step == 150 && agent_holds {
                phones.iter().for_each(|&phone| world.hold(phone));
            }
            if step == 200 && caller_holds {
                (0..2).for_each(|caller| world.hold(caller_address(caller)));
            }
            let offered = |what: &What| matches!(what, What::Desk(acd::Fact::Offered { .. }));
            offers = world.facts().iter().filter(|fact| offered(&fact.what)).count();
        }
        assert_eq!(offers, 1, "case {case}: a second caller rang a phone that talks or wraps up");
        (0..2).for_each(|caller| world.give_up(caller));
        world.end();
    }
}

#[test]
fn q10_a_registration_that_ran_out_makes_its_agent_unreachable_and_says_why() {
    for (forgets, why, within) in [(true, "expired", 61 * SECOND), (false, "unregistered", ms(200))]
    {
        let mut world = World::story(10, plan(1, &[Reach::Registered]));
        assert_eq!(*world.agent(0), AgentState::Ready);
        world.sign_off(0, forgets);
        world.wait_until(within, |world| *world.agent(0) == AgentState::Unreachable);
        let said = |what: &What| {
            matches!(what, What::Phone { user, why: said, contacts }
            if user == "op0" && said == why && contacts.is_empty())
        };
        assert!(world.facts().iter().any(|fact| said(&fact.what)), "{why}");
        world.dial(0);
        world.wait(2 * SECOND);
        assert_eq!(world.rings(agent_address(0)), 0, "nobody rings a phone that is not there");
        // It comes back, and the caller is served at once.
        world.wait_until(90 * SECOND, |world| talks(world, 0));
        world.end();
    }
}

#[test]
fn q12_whatever_an_agents_phone_answers_the_caller_keeps_the_place() {
    let refusals = [
        301, 302, 400, 401, 403, 404, 405, 407, 408, 410, 413, 415, 420, 421, 422, 480, 481, 482,
        484, 486, 487, 488, 491, 500, 501, 502, 503, 504, 505, 513, 600, 603, 604, 606,
    ];
    for status in refusals {
        let mut world = World::story(12, plan(2, &[Reach::Fixed]));
        world.agent_does(0, Habits::refuses(status));
        let missed = |what: &What| matches!(what, What::Desk(acd::Fact::Missed { .. }));
        world.dial(0);
        world.wait_until(SECOND, |world| world.facts().iter().any(|fact| missed(&fact.what)));
        world.agent_does(0, Habits::polite(SECOND, 5 * SECOND));
        world.dial(1);
        world.wait(60 * SECOND);
        world.end();
        let [first, second] = world.records() else { panic!("{status}: {:?}", world.records()) };
        assert!(first.arrived_at < second.arrived_at, "{status}: the second was served first");
        assert_eq!([first.outcome, second.outcome], [Outcome::Answered; 2], "{status}");
    }
}

#[test]
fn q14_a_record_names_who_talked_not_who_was_rung() {
    let mut world = World::story(14, plan(1, &[Reach::Fixed; 3]));
    world.agent_does(0, never_answers());
    world.agent_does(1, Habits::refuses(486));
    world.dial(0);
    world.wait_until(20 * SECOND, |world| (0..3).any(|agent| talks(world, agent)));
    world.end();
    let [record] = world.records() else { panic!("{:?}", world.records()) };
    assert_eq!(record.agent, "op2");
    let answered = |leg: &&pukar::core::LegRow| leg.role == "agent" && leg.answered_at.is_some();
    let answered: Vec<&str> =
        record.legs.iter().filter(answered).map(|leg| leg.agent.as_str()).collect();
    assert_eq!(answered, ["op2"], "who was rung did not answer");
    assert_eq!(record.offers, 3);
}

#[test]
fn q15_whatever_is_left_of_dead_legs_does_not_touch_a_live_call() {
    for seed in 0..20 {
        let mut world = World::story(seed, plan(2, &[Reach::Fixed]));
        world.dial(0);
        world.wait(20 * SECOND);
        // So late that no transaction is left to absorb it.
        world.wait(60 * SECOND);
        let mut old: Vec<_> = world.heard().to_vec();
        old.retain(|(_, bytes)| !bytes.starts_with(b"INVITE"));
        world.agent_does(0, Habits::polite(SECOND, 30 * SECOND));
        world.dial(1);
        world.wait_until(5 * SECOND, |world| talks(world, 0));
        let (talking, facts) = (world.agent(0).clone(), world.facts().len());
        let mut rng = Rng::new(seed);
        for _ in 0..100 {
            let (hop, bytes) = old[rng.below(old.len() as u64) as usize].clone();
            world.tell(Event::Sip { hop, bytes });
        }
        assert_eq!(*world.agent(0), talking, "seed {seed}");
        assert_eq!(world.facts().len(), facts, "seed {seed}: {:?}", &world.facts()[facts..]);
        world.end();
        assert_eq!(world.records().len(), 2);
    }
}

#[test]
fn q37_a_switch_that_was_killed_goes_on_where_it_was() {
    let at = [ms(5), ms(500), 5 * SECOND, 11 * SECOND];
    for (state, after) in ["arriving", "ringing", "talking", "leaving"].into_iter().zip(at) {
        let mut world = World::story(37, plan(1, &[Reach::Registered]));
        world.dial(0);
        world.wait(after);
        world.kill().unwrap();
        world.wait(20 * SECOND);
        world.end();
        let [record] = world.records() else { panic!("{state}: {:?}", world.records()) };
        assert_eq!((&*record.agent, record.outcome), ("op0", Outcome::Answered), "{state}");
    }
}

#[test]
fn a_phone_that_hears_nothing_of_the_cancel_is_rung_no_second_time_meanwhile() {
    let mut world = World::story(1, plan(2, &[Reach::Fixed]));
    world.agent_does(0, deaf());
    world.dial(0);
    world.wait(30 * SECOND);
    assert_eq!(world.rings(agent_address(0)), 1, "it may ring still");
    world.wait(30 * SECOND);
    // The phone says nothing to either INVITE: the second comes when the first is given up.
    assert_eq!(world.rings(agent_address(0)), 2);
    world.give_up(0);
    world.end();
}

#[test]
fn q1_a_phone_that_says_nothing_is_passed_over_in_four_seconds_and_comes_back_by_itself() {
    let mut world = World::story(1, plan(3, &[Reach::Fixed; 2]));
    let minute = 60 * SECOND;
    world.agent_does(0, Habits::polite(SECOND, minute));
    world.agent_does(1, Habits::polite(SECOND, minute));
    world.cut_off(agent_address(0), minute);
    world.dial(0);
    world.wait_until(7 * SECOND, |world| talks(world, 1));
    assert_eq!(*world.agent(0), AgentState::Unreachable, "nobody else is to wait for it");
    world.dial(1);
    world.wait(30 * SECOND);
    assert_eq!(world.rings(agent_address(0)), 0);
    world.wait_until(40 * SECOND, |world| *world.agent(0) != AgentState::Unreachable);
    world.wait_until(10 * SECOND, |world| talks(world, 0));
    let why = |fact: &pukar::core::Fact| match &fact.what {
        What::Phone { user, why, .. } if user == "op0" => Some(why.clone()),
        _ => None,
    };
    let told: Vec<String> = world.facts().iter().filter_map(why).collect();
    assert_eq!(told, ["silent", "heard again"], "a fact for each repair");
    world.end();
}

#[test]
fn q1_a_power_cut_pauses_nobody() {
    let mut world = World::story(1, plan(1, &[Reach::Fixed]));
    world.adjust(|settings| settings.acd.queues.iter_mut().for_each(|q| q.pause_after = 1));
    world.agent_does(0, Habits::polite(SECOND, 5 * SECOND));
    world.cut_off(agent_address(0), 60 * SECOND);
    world.dial(0);
    world.wait(50 * SECOND);
    assert!(matches!(world.agent(0), AgentState::Unreachable | AgentState::Paused { .. }));
    world.wait_until(30 * SECOND, |world| talks(world, 0));
    world.end();
}

#[test]
fn q14_callers_who_hang_up_at_once_leave_no_phone_with_two_invites() {
    for seed in 0..20 {
        let mut world = World::story(seed, plan(12, &[Reach::Fixed; 3]));
        (0..3).for_each(|agent| world.agent_does(agent, never_answers()));
        (0..12).for_each(|caller| world.dial(caller));
        world.wait(5 * SECOND);
        (0..9).for_each(|caller| world.give_up(caller));
        for _ in 0..200 {
            world.wait(ms(5));
            for agent in 0..3 {
                let rings = world.rings(agent_address(agent));
                assert!(rings <= 1, "seed {seed}: op{agent} has {rings} INVITEs");
            }
        }
        for agent in 0..3 {
            assert_eq!(world.rings(agent_address(agent)), 1, "seed {seed}: the next three");
        }
        (9..12).for_each(|caller| world.give_up(caller));
        world.end();
    }
}

#[test]
fn an_answer_that_crosses_the_end_of_the_ringing_has_the_call() {
    let late = || Habits { answers_cancelled: true, ..never_answers() };
    let plan = plan(1, &[Reach::Fixed]);
    let mut world = World::story(1, plan.clone());
    let mut settings = plan.settings();
    settings.acd.queues[0].pause_after = 1;
    world.reload(settings);
    world.agent_does(0, Habits { talk: Some(5 * SECOND), ..late() });
    world.dial(0);
    // It rings for 12 s, and 10 ms later the CANCEL meets a handset in the air.
    world.wait(12 * SECOND + ms(100));
    assert!(talks(&world, 0), "{:?}", world.agent(0));
    assert_eq!(world.talks(agent_address(0)), 1);
    world.end();
    let [record] = world.records() else { panic!("{:?}", world.records()) };
    assert_eq!((&*record.agent, record.outcome), ("op0", Outcome::Answered));
    let agent = record.legs.iter().find(|leg| leg.role == "agent").unwrap();
    assert!(agent.answered_at.is_some() && agent.status == 200, "{record:?}");
    assert_eq!(*world.agent(0), AgentState::Ready, "who answered has missed nothing");
}

#[test]
fn an_answer_that_crosses_the_end_of_the_ringing_comes_too_late_once_somebody_talks() {
    let mut world = World::story(1, plan(1, &[Reach::Fixed; 2]));
    world.dial(0);
    world.wait_until(SECOND, |world| (0..2).any(|agent| rings(world, agent)));
    let first = (0..2).find(|&agent| rings(&world, agent)).unwrap();
    let other = 1 - first;
    world.agent_does(first, Habits { answers_cancelled: true, ..never_answers() });
    world.agent_does(other, Habits::polite(SECOND, 10 * SECOND));
    // The CANCEL takes its time, and comes when the other has answered.
    let of = agent_address(first);
    world.network().lose(Loss { of, start: "CANCEL", method: "CANCEL", times: 3 });
    world.wait_until(16 * SECOND, |world| talks(world, other));
    world.wait_until(8 * SECOND, |world| world.rings(of) == 0);
    world.wait(ms(200));
    assert_eq!((world.talks(of), connections(&world)), (0, 1), "it was told goodbye");
    assert!(talks(&world, other));
    world.end();
    let [record] = world.records() else { panic!("{:?}", world.records()) };
    assert_eq!(record.agent, format!("op{other}"));
}

#[test]
fn of_two_phones_behind_one_contact_that_both_answer_one_talks_and_the_other_is_told_why() {
    let mut world = World::story(1, plan(1, &[Reach::Fixed]));
    let answers = Habits::polite(SECOND, 10 * SECOND);
    world.agent_does(0, Habits { twin: Some(ms(300)), ..answers });
    world.dial(0);
    world.wait_until(3 * SECOND, |world| talks(world, 0));
    world.wait(SECOND);
    let byes = world.said().iter().filter(|(hop, bytes)| {
        let text = String::from_utf8_lossy(bytes);
        hop.peer == agent_address(0) && text.starts_with("BYE") && text.contains("cause=200")
    });
    assert_eq!(byes.count(), 1, "the second answer is ended, and its phone lists no missed call");
    assert_eq!((world.talks(agent_address(0)), connections(&world)), (1, 1));
    world.end();
    assert_eq!(world.records()[0].outcome, Outcome::Answered);
}
