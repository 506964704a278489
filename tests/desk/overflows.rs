//! Callers who are to go elsewhere, and what becomes of them where the other queue does not take
//! them: whoever has a place keeps it, and nobody goes round in circles.

use crate::desk_world::{BSNL, Habit, OP1, Stage, field, secs};
use pukar::call::{EndedBy, Outcome, Way};
use pukar::core::Verb;

const DESK: &str = r#"
[[line]]
numbers = ["181"]
queue = "general"
emergency_key = "0"
[[line]]
numbers = ["104"]
queue = "health"
[[queue]]
name = "general"
skills = ["state"]
[[queue.overflow]]
after = "20s"
to = "queue:health"
[[queue]]
name = "health"
skills = ["health"]
max_callers = 2
[[queue]]
name = "third"
skills = ["state"]
[[agent]]
id = "op1"
contact = "sip:op1@10.2.0.1"
skills = ["state", "health"]
"#;
const CENTRE: &str = "10.3.0.1:5060";

fn queue_is(stage: &mut Stage, queue: &str, to: &str) {
    stage.ask(Verb::SetQueue { queue: queue.into(), to: to.into() });
    assert!(stage.replies.last().unwrap().is_ok(), "{:?}", stage.replies);
}

/// How many wait, ring or talk at the desk.
fn at_desk(stage: &Stage) -> usize {
    stage.switch.state().counts().0
}

fn fill(stage: &mut Stage, number: &str, callers: u64) -> Vec<String> {
    (0..callers).map(|n| stage.dial(&format!("98260{n:05}"), number, "")).collect()
}

#[test]
fn a_full_queue_takes_nobody_over_who_has_a_place_and_is_asked_again() {
    let mut stage = Stage::new(DESK);
    stage.set_agent("op1", "pause");
    let others = fill(&mut stage, "104", 2);
    stage.dial("9826012345", "181", "");
    stage.wait(secs(60));
    assert_eq!(stage.story(), [""; 0], "they stay where they are");
    assert_eq!((at_desk(&stage), stage.records.len()), (3, 0));
    stage.hang_up(&others[0]);
    stage.wait(secs(6));
    assert_eq!(stage.story(), ["general -> queue:health (after)"]);
    assert_eq!(at_desk(&stage), 2);
}

#[test]
fn a_queue_that_is_shut_or_without_staff_takes_nobody_over_who_has_a_place() {
    let unstaffed = DESK.replace("max_callers = 2", "when_unstaffed = \"refuse\"");
    for (text, shut) in [(DESK, true), (&*unstaffed, false)] {
        let mut stage = Stage::new(text);
        if shut {
            stage.set_agent("op1", "pause");
            queue_is(&mut stage, "health", "close");
        }
        stage.dial("9826012345", "181", "");
        stage.wait(secs(60));
        assert_eq!((stage.story(), at_desk(&stage)), (Vec::new(), 1), "shut: {shut}");
        match shut {
            true => queue_is(&mut stage, "health", "open"),
            false => stage.set_agent("op1", "pause"),
        }
        stage.wait(secs(6));
        assert_eq!(stage.story(), ["general -> queue:health (after)"], "shut: {shut}");
    }
}

#[test]
fn q19_a_reload_that_removes_a_queue_loses_nobody_however_few_the_other_takes() {
    let mut stage = Stage::new(&DESK.replace("max_callers = 2", ""));
    fill(&mut stage, "104", 50);
    stage.dial("9826099999", "181", "");
    let without = DESK.split("[[line]]\nnumbers = [\"104\"]").next().unwrap();
    let queue = "[[queue]]\nname = \"general\"\nskills = [\"state\"]\nmax_callers = 10\n";
    let agent = DESK.split("[[agent]]").nth(1).unwrap();
    stage.reload(&format!("{without}{queue}[[agent]]{agent}"));
    assert_eq!((at_desk(&stage), stage.records.len()), (51, 0));
    // Whoever comes now is not inside.
    let late = stage.dial("9826088888", "181", "");
    stage.wait(secs(1));
    assert_eq!(at_desk(&stage), 51, "{late}");
    // And the order is that of the arrival.
    stage.habit(OP1, Habit::Rings);
    stage.set_agent("op1", "ready");
    let invite = &stage.invites.last().unwrap().1;
    assert!(field(invite, "From").contains("9826000000"), "{invite}");
}

#[test]
fn a_supervisor_is_told_that_a_queue_takes_nobody_and_the_caller_keeps_the_place() {
    let mut stage = Stage::new(DESK);
    fill(&mut stage, "104", 2);
    stage.dial("9826012345", "181", "");
    let transfer = |stage: &mut Stage| {
        let call = stage.arrival().id.clone();
        let (to, way) = ("queue:health".to_string(), Way::Blind);
        stage.ask(Verb::Transfer { call, to, way });
        stage.replies.last().unwrap().clone()
    };
    let told = transfer(&mut stage).unwrap_err();
    assert_eq!(told, "queue:health takes nobody just now: full");
    queue_is(&mut stage, "health", "close");
    assert_eq!(transfer(&mut stage).unwrap_err(), "queue:health takes nobody just now: shut");
    assert_eq!((at_desk(&stage), stage.records.len()), (3, 0));
    queue_is(&mut stage, "health", "open");
    let caller = stage.arrival().id.clone();
    stage.wait(secs(1));
    stage.reload(&DESK.replace("max_callers = 2", "max_callers = 3"));
    assert!(transfer(&mut stage).is_ok(), "{:?} {caller}", stage.replies);
    assert_eq!(at_desk(&stage), 3);
}

#[test]
fn whoever_comes_back_from_a_transfer_that_nobody_answered_is_not_turned_away() {
    let one = "name = \"general\"\nmax_callers = 1";
    // Somebody who serves no queue.
    let other = "[[agent]]\nid = \"op2\"\ncontact = \"sip:op2@10.2.0.2\"\n";
    let text = format!("{}{other}", DESK.replace("name = \"general\"", one));
    let mut stage = Stage::new(&text);
    stage.set_agent("op2", "ready");
    stage.dial("9826012345", "181", "");
    let call = stage.arrival().id.clone();
    let (to, way) = ("agent:op2".to_string(), Way::Blind);
    stage.wait(secs(10));
    stage.ask(Verb::Transfer { call, to, way });
    // Meanwhile somebody else has the one place.
    stage.dial("9826000001", "181", "");
    assert_eq!(at_desk(&stage), 1);
    stage.set_agent("op2", "logout");
    stage.wait(secs(1));
    assert_eq!((at_desk(&stage), stage.records.len()), (2, 0), "{:?}", stage.records);
}

/// The state and the district help one another.
const BOTH: &str = r#"
[[line]]
numbers = ["181"]
queue = "general"
default = true
[[district]]
name = "alirajpur"
std = ["07394"]
queue = "alirajpur"
[[queue]]
name = "general"
skills = ["state"]
max_wait = "2m"
when_expired = "overflow"
[[queue.overflow]]
after = "30s"
to = "district:alirajpur"
[[queue]]
name = "alirajpur"
skills = ["ali"]
max_wait = "2m"
when_expired = "overflow"
[[queue.overflow]]
unstaffed = true
to = "queue:general"
[[queue.overflow]]
after = "30s"
to = "queue:general"
[[agent]]
id = "op1"
contact = "sip:op1@10.2.0.1"
skills = ["state"]
[[agent]]
id = "ali1"
contact = "sip:ali1@10.2.0.2"
skills = ["ali"]
"#;

#[test]
fn state_and_district_help_one_another_and_nobody_goes_round_in_circles() {
    let mut stage = Stage::new(BOTH);
    stage.set_agent("ali1", "pause");
    stage.set_agent("op1", "pause");
    stage.dial("9826000001", "181", "");
    stage.dial("9826000002", "07394181", "");
    stage.wait(secs(100));
    let once = ["general -> district:alirajpur (after)", "alirajpur -> queue:general (after)"];
    assert_eq!(stage.story(), once);
    assert_eq!(at_desk(&stage), 2);
    stage.kill();
    stage.habit(OP1, Habit::Rings);
    stage.habit("10.2.0.2:5060", Habit::Rings);
    stage.set_agent("op1", "ready");
    stage.set_agent("ali1", "ready");
    assert_eq!(stage.story()[2..], ["offered op1", "offered ali1"]);
}

#[test]
fn nobody_is_sent_from_where_somebody_works_to_where_nobody_does() {
    let mut stage = Stage::new(BOTH);
    stage.set_agent("op1", "pause");
    stage.dial("9826000001", "181", "");
    stage.wait(secs(90));
    assert_eq!(stage.story(), [""; 0], "nobody is at work in the district");
    stage.set_agent("op1", "ready");
    assert_eq!(stage.story(), ["offered op1"]);
    // Where nobody works here either nothing is gained, and the first who comes has them.
    for (first, dialled) in [("op1", "07394181"), ("ali1", "181")] {
        let mut stage = Stage::new(BOTH);
        stage.dial("9826000001", dialled, "");
        stage.wait(secs(40));
        assert_eq!(stage.story(), [""; 0]);
        stage.set_agent(first, "ready");
        stage.wait(secs(6));
        assert_eq!(stage.story().last().unwrap(), &format!("offered {first}"));
    }
}

#[test]
fn an_emergency_that_has_waited_for_long_is_sent_on_or_stays_and_is_never_hung_up_on() {
    let text = BOTH.replacen("default = true", "default = true\nemergency = true", 1);
    let text = text.replace("after = \"30s\"", "after = \"2h\"");
    let mut stage = Stage::new(&text);
    stage.set_agent("op1", "pause");
    stage.dial("9826000001", "181", "");
    stage.wait(secs(300));
    assert_eq!((stage.story(), at_desk(&stage)), (Vec::new(), 1), "nobody works elsewhere");
    stage.set_agent("ali1", "ready");
    stage.wait(secs(120));
    let story = stage.story();
    assert_eq!(story[..2], ["general -> district:alirajpur (turned-away)", "offered ali1"]);
}

#[test]
fn whoever_waits_where_everybody_has_left_comes_back_to_the_old_place() {
    let leave: [fn(&mut Stage); 3] = [
        |stage| stage.set_agent("ali1", "logout"),
        |stage| queue_is(stage, "alirajpur", "close"),
        |stage| {
            stage.set_agent("ali1", "logout");
            stage.kill();
        },
    ];
    for leave in leave {
        let mut stage = Stage::new(&BOTH.replace("max_wait = \"2m\"\n", "max_wait = \"20m\"\n"));
        stage.habit(OP1, Habit::Rings);
        stage.set_agent("ali1", "pause");
        stage.set_agent("op1", "pause");
        stage.dial("9826000001", "181", "");
        stage.wait(secs(31));
        stage.dial("9826000002", "181", "");
        assert_eq!(stage.story(), ["general -> district:alirajpur (after)"]);
        leave(&mut stage);
        stage.wait(secs(6));
        assert_eq!(stage.story()[1..], ["alirajpur -> queue:general (unstaffed)"]);
        // Whoever returns there does not fetch them once more.
        queue_is(&mut stage, "alirajpur", "open");
        stage.set_agent("ali1", "pause");
        stage.wait(secs(20));
        assert_eq!(stage.story().len(), 2);
        stage.set_agent("op1", "ready");
        let invite = &stage.invites.last().unwrap().1;
        assert!(field(invite, "From").contains("9826000001"), "{invite}");
    }
}

#[test]
fn who_has_left_the_desk_without_a_word_is_nobody_to_wait_for() {
    let text = BOTH
        .replace("skills = [\"ali\"]\nmax_wait", "skills = [\"ali\"]\npause_after = 2\nmax_wait");
    let mut stage = Stage::new(&text);
    stage.set_agent("op1", "pause");
    stage.set_agent("ali1", "ready");
    stage.habit("10.2.0.2:5060", Habit::Refuses(480));
    stage.dial("9826000002", "07394181", "");
    stage.wait(secs(20));
    assert_eq!(stage.state("ali1"), "paused", "by two calls that nobody took");
    let story = stage.story();
    assert_eq!(story.last().unwrap(), "alirajpur -> queue:general (unstaffed)", "{story:?}");
    // A pause that somebody has asked for is another thing: they come back.
    let mut stage = Stage::new(&text);
    stage.set_agent("op1", "pause");
    stage.set_agent("ali1", "pause");
    stage.dial("9826000002", "07394181", "");
    stage.wait(secs(20));
    assert_eq!(stage.story(), [""; 0]);
}

#[test]
fn a_promise_of_a_call_is_sent_to_no_centre() {
    let mut stage = Stage::new(CENTRES);
    stage.habit(CENTRE, Habit::Rings);
    stage.dial("9826000001", "181", "");
    stage.press("1");
    stage.wait(secs(90));
    assert_eq!((stage.story(), at_desk(&stage)), (Vec::new(), 1));
}

#[test]
fn who_has_been_everywhere_and_waited_everywhere_is_told_so_in_the_record() {
    let mut stage = Stage::new(BOTH);
    stage.dial("9826000002", "07394181", "");
    stage.wait(secs(600));
    assert_eq!(stage.story(), ["alirajpur -> queue:general (turned-away)"]);
    let [record] = &stage.records[..] else { panic!("{:?}", stage.records) };
    assert_eq!((record.outcome, record.ended_by), (Outcome::Overflowed, EndedBy::Switch));
    assert_eq!(record.wait_ms, 240_000);
}

#[test]
fn a_way_out_that_a_reload_has_put_in_the_place_of_another_is_still_to_be_taken() {
    let before = BOTH.replace("max_wait = \"2m\"\n", "max_wait = \"20m\"\n");
    let centre = "[[trunk]]\nname = \"shivpuri\"\nhosts = [\"10.3.0.1:5060\"]\nping = \"0s\"\n\
                  [[district]]\nname = \"shivpuri\"\nstd = [\"07492\"]\ntrunk = \"shivpuri\"\n";
    let before = format!("{before}{centre}");
    let first = "after = \"30s\"\nto = \"district:shivpuri\"";
    let old = before.replacen("after = \"30s\"\nto = \"district:alirajpur\"", first, 1);
    let new = before.replacen("after = \"30s\"", "after = \"2m\"", 1);
    let mut stage = Stage::new(&old);
    stage.habit(CENTRE, Habit::Refuses(480));
    stage.set_agent("ali1", "pause");
    stage.dial("9826000001", "181", "");
    stage.wait(secs(60));
    let back = ["general -> district:shivpuri (after)", "rung 181: false"];
    assert_eq!(stage.story(), back);
    stage.reload(&new);
    stage.wait(secs(120));
    assert_eq!(stage.story()[2..], ["general -> district:alirajpur (after)"]);
}

const CENTRES: &str = r#"
[[trunk]]
name = "shivpuri"
hosts = ["10.3.0.1:5060"]
ping = "10s"
[[line]]
numbers = ["181"]
queue = "general"
default = true
emergency_key = "0"
callback_key = "1"
[[route]]
prefixes = ["+91"]
trunk = "bsnl"
identity = "+917552551181"
[[district]]
name = "shivpuri"
std = ["07492"]
trunk = "shivpuri"
[[queue]]
name = "general"
skills = ["state"]
max_callers = 1
when_full = "overflow"
[[queue.overflow]]
after = "20s"
to = "district:shivpuri"
[[agent]]
id = "op1"
contact = "sip:op1@10.2.0.1"
skills = ["state"]
"#;

#[test]
fn the_emergency_key_counts_while_the_centre_of_a_district_rings() {
    let mut stage = Stage::new(CENTRES);
    stage.dial("9826000001", "181", "");
    stage.dial("9826000002", "07492181", "");
    assert_eq!(at_desk(&stage), 1);
    let caller = stage.opened[stage.opened.len() - 2];
    stage.press_at(caller, "0");
    assert_eq!(at_desk(&stage), 2, "ahead of all, and the queue is full");
    stage.habit(OP1, Habit::Answers);
    stage.set_agent("op1", "ready");
    let invite = stage.invites.iter().rev().find(|(to, _)| *to == OP1.parse().unwrap()).unwrap();
    assert!(field(&invite.1, "From").contains("9826000002"), "{}", invite.1);
    assert!(stage.cancelled.contains(&CENTRE.parse().unwrap()), "the centre rings no more");
}

#[test]
fn the_centre_goes_on_ringing_for_an_emergency_and_whoever_is_first_has_the_call() {
    let mut stage = Stage::new(CENTRES);
    stage.dial("9826000002", "07492181", "");
    let caller = stage.opened[stage.opened.len() - 2];
    stage.press_at(caller, "0");
    assert_eq!(at_desk(&stage), 1);
    stage.far_end_answers(CENTRE);
    assert_eq!(stage.story(), ["rung 07492181: true", "connected"]);
    assert_eq!(at_desk(&stage), 0);
}

#[test]
fn a_trunk_that_is_down_is_so_by_its_name_wherever_a_reload_puts_it() {
    let mut stage = Stage::new(CENTRES);
    stage.deaf(CENTRE);
    stage.wait(secs(60));
    let other = "[[trunk]]\nname = \"new\"\nhosts = [\"10.4.0.1:5060\"]\nping = \"0s\"\n";
    let district = "[[district]]\nname = \"guna\"\nstd = [\"07542\"]\ntrunk = \"new\"\n";
    let before = stage.invites.len();
    // What stood second stands third now.
    stage.reload(&format!("{other}{CENTRES}{district}"));
    stage.dial("9826000001", "07542181", "");
    let rung: Vec<_> = stage.invites[before..].iter().map(|(to, _)| to.to_string()).collect();
    assert_eq!(rung, ["10.4.0.1:5060"], "the new one was never asked, and is believed in");
    stage.dial("9826000002", "07492181", "");
    assert_eq!(stage.invites.len(), before + 1, "and the other is still down");
    assert_eq!(at_desk(&stage), 1);
}

#[test]
fn a_trunk_that_is_asked_no_more_is_believed_in_again() {
    let mut stage = Stage::new(CENTRES);
    stage.deaf(CENTRE);
    stage.wait(secs(60));
    stage.reload(&CENTRES.replace("ping = \"10s\"", "ping = \"0s\""));
    stage.wait(secs(1));
    let told = stage.trunks_told();
    assert_eq!(told, [(1, true), (1, false), (1, true)], "somebody is told of it");
    let before = stage.invites.len();
    stage.hears_again(CENTRE);
    stage.dial("9826000002", "07492181", "");
    assert_eq!(stage.invites.len(), before + 1);
}

#[test]
fn a_call_is_never_handed_back_down_the_trunk_that_it_came_by() {
    let mut stage = Stage::new(CENTRES);
    stage.wait(secs(1));
    // Shivpuri itself hands a caller over; the queue would ask Shivpuri for help after 20 s.
    let invite = stage.invite("9826000002", "181", "").replace(BSNL, CENTRE);
    stage.say(CENTRE, invite);
    let call = stage.arrival().id.clone();
    let before = stage.invites.len();
    stage.wait(secs(60));
    stage.ask(Verb::Transfer { call, to: "district:shivpuri".into(), way: Way::Blind });
    let told = stage.replies.last().unwrap().clone();
    assert_eq!(told.unwrap_err(), "the call came from shivpuri");
    // Nor where the queue is full.
    let invite = stage.invite("9826000003", "181", "").replace(BSNL, CENTRE);
    stage.say(CENTRE, invite);
    stage.wait(secs(60));
    assert_eq!(stage.invites.len(), before);
    let [record] = &stage.records[..] else { panic!("{:?}", stage.records) };
    assert_eq!((&*record.caller, record.outcome), ("+919826000003", Outcome::Overflowed));
}

#[test]
fn where_a_pause_is_no_staff_the_ways_out_are_open_while_everybody_is_on_one() {
    let text = BOTH.replace(
        "skills = [\"ali\"]\nmax_wait",
        "skills = [\"ali\"]\npaused_is_staff = false\nmax_wait",
    );
    assert_ne!(text, BOTH);
    let mut stage = Stage::new(&text);
    stage.habit(OP1, Habit::Rings);
    stage.set_agent("op1", "ready");
    stage.set_agent("ali1", "pause");
    stage.dial("9826000002", "07394181", "");
    stage.wait(secs(6));
    let story = stage.story();
    assert!(story[0].starts_with("alirajpur -> queue:general"), "{story:?}");
    // The last of two who goes on a break leaves those who wait to the others.
    let mut stage = Stage::new(&text);
    stage.habit("10.2.0.2:5060", Habit::Refuses(486));
    stage.set_agent("op1", "pause");
    stage.set_agent("ali1", "ready");
    stage.dial("9826000002", "07394181", "");
    stage.wait(secs(2));
    assert_eq!(stage.story(), ["offered ali1"]);
    stage.set_agent("ali1", "pause");
    stage.kill();
    stage.wait(secs(6));
    let story = stage.story();
    assert_eq!(story.last().unwrap(), "alirajpur -> queue:general (unstaffed)", "{story:?}");
}

#[test]
fn a_way_out_for_a_trunk_that_is_down_is_taken_once_wherever_a_reload_puts_the_trunk() {
    let trunk = |name: &str, at: &str| {
        format!("[[trunk]]\nname = \"{name}\"\nhosts = [\"{at}\"]\nping = \"10s\"\n")
    };
    let way = "[[queue.overflow]]\ntrunk_down = \"shivpuri\"\nto = \"district:guna\"\n";
    let centre = "[[district]]\nname = \"guna\"\nstd = [\"07542\"]\ntrunk = \"guna\"\n";
    let (guna, shivpuri) = (trunk("guna", "10.4.0.1:5060"), trunk("shivpuri", CENTRE));
    let desk = DESK.replacen(
        "[[queue]]\nname = \"health\"",
        &format!("{way}[[queue]]\nname = \"health\""),
        1,
    );
    let mut stage = Stage::new(&format!("{guna}{shivpuri}{centre}{desk}"));
    stage.habit("10.4.0.1:5060", Habit::Refuses(480));
    stage.set_agent("op1", "pause");
    queue_is(&mut stage, "health", "close");
    stage.deaf(CENTRE);
    stage.wait(secs(90));
    stage.dial("9826000001", "181", "");
    stage.wait(secs(10));
    let taken = ["general -> district:guna (trunk-down)", "rung 181: false"];
    assert_eq!(stage.story(), taken);
    let third = trunk("indore", "10.5.0.1:5060");
    stage.reload(&format!("{shivpuri}{guna}{third}{centre}{desk}"));
    stage.wait(secs(60));
    assert_eq!(stage.story(), taken, "that way has been taken");
}
