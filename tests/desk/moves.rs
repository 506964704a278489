//! What moves in mid-day: a phone that sends its calls elsewhere, a centre at another site, a
//! configuration that really is another.

use crate::desk_world::{BSNL, Habit, OP1, Stage, secs};
use pukar::call::Outcome;

const DESK: &str = r#"
[[trunk]]
name = "shivpuri"
hosts = ["10.3.0.1:5060"]
ping = "10s"
[[line]]
numbers = ["181"]
queue = "general"
default = true
[[line]]
numbers = ["104"]
queue = "health"
[[district]]
name = "shivpuri"
std = ["07492"]
trunk = "shivpuri"
[[queue]]
name = "general"
skills = ["state"]
[[queue.overflow]]
after = "20s"
to = "district:shivpuri"
[[queue]]
name = "health"
skills = ["health"]
[[agent]]
id = "op1"
contact = "sip:op1@10.2.0.1"
skills = ["state"]
[[agent]]
id = "doc"
contact = "sip:doc@10.2.0.2"
skills = ["health"]
"#;
const DOC: &str = "10.2.0.2:5060";
const CENTRE: &str = "10.3.0.1:5060";
const MOVED: &str = "10.3.0.2:5060";
/// Where every far end says that it is.
const CONTACT: &str = "10.9.9.9:5060";

fn rung(stage: &Stage, at: &str) -> usize {
    stage.invites.iter().filter(|(to, _)| *to == at.parse().unwrap()).count()
}

#[test]
fn a_phone_that_answers_302_sends_the_caller_to_the_next_agent_and_dials_nobody_at_our_expense() {
    let other = "[[agent]]\nid = \"op2\"\ncontact = \"sip:op2@10.2.0.4\"\nskills = [\"state\"]\n";
    let mut stage = Stage::new(&format!("{DESK}{other}"));
    stage.habit(OP1, Habit::Refuses(302));
    stage.habit(CONTACT, Habit::Answers);
    stage.habit("10.2.0.4:5060", Habit::Answers);
    ["op1", "op2"].iter().for_each(|agent| stage.set_agent(agent, "ready"));
    let call = stage.dial("9826012345", "181", "");
    assert_eq!(stage.story(), ["offered op1", "offered op2", "connected op2"]);
    assert_eq!((rung(&stage, OP1), rung(&stage, CONTACT)), (1, 0), "whoever forwards is not there");
    assert_eq!(stage.state("op1"), "resting");
    stage.kill();
    stage.wait(secs(5));
    stage.hang_up(&call);
    stage.wait(secs(60));
    let [record] = &stage.records[..] else { panic!("{:?}", stage.records) };
    assert_eq!((record.outcome, record.offers, &*record.agent), (Outcome::Answered, 2, "op2"));
    assert_eq!(record.legs.iter().filter(|leg| leg.status == 302).count(), 1);
    assert_eq!(stage.switch.state().counts(), (0, 0));
}

#[test]
fn a_phone_that_always_answers_302_costs_the_caller_nothing_but_the_offer() {
    let mut stage = Stage::new(DESK);
    stage.habit(OP1, Habit::Refuses(302));
    stage.set_agent("op1", "ready");
    stage.dial("9826012345", "181", "");
    assert_eq!(stage.state("op1"), "resting");
    assert_eq!((stage.switch.state().counts().0, stage.records.len()), (1, 0), "they wait");
    stage.habit(OP1, Habit::Answers);
    stage.wait(secs(6));
    assert_eq!(stage.state("op1"), "talking");
}

#[test]
fn a_centre_that_moves_to_another_site_while_calls_wait_has_them_in_the_order_they_came() {
    let mut stage = Stage::new(DESK);
    stage.deaf(CENTRE);
    stage.habit(MOVED, Habit::Answers);
    stage.wait(secs(60));
    let first = stage.dial("9826000001", "181", "");
    stage.wait(secs(5));
    let second = stage.dial("9826000002", "07492181", "");
    stage.wait(secs(60));
    assert_eq!((rung(&stage, CENTRE), stage.story().len()), (0, 0), "nobody is rung for nothing");
    // The centre is at another address from now on, and another trunk stands before it.
    let new = "[[trunk]]\nname = \"new\"\nhosts = [\"10.8.0.1:5060\"]\nping = \"0s\"\n";
    stage.reload(&format!("{new}{}", DESK.replace(CENTRE, MOVED)));
    stage.wait(secs(20));
    let to_centre = "general -> district:shivpuri (after)";
    let story = stage.story();
    assert_eq!(story.iter().filter(|told| *told == to_centre).count(), 2, "{story:?}");
    assert_eq!((rung(&stage, CENTRE), rung(&stage, MOVED)), (0, 2));
    let froms = stage.invites.iter().map(|(_, invite)| crate::desk_world::field(invite, "From"));
    let froms: Vec<bool> = froms.map(|from| from.contains("9826000001")).collect();
    assert_eq!(froms, [true, false], "in the order in which they came");
    stage.hang_up(&first);
    stage.hang_up(&second);
    stage.wait(secs(60));
    assert!(stage.records.iter().all(|record| record.outcome == Outcome::Answered));
    assert_eq!(stage.records.len(), 2);
}

#[test]
fn a_centre_that_moves_while_it_rings_goes_on_ringing_and_the_next_call_goes_to_the_new_site() {
    let mut stage = Stage::new(DESK);
    stage.wait(secs(11));
    stage.dial("9826000001", "07492181", "");
    assert_eq!(rung(&stage, CENTRE), 1);
    stage.reload(&DESK.replace(CENTRE, MOVED));
    stage.far_end_answers(CENTRE);
    assert_eq!(stage.story(), ["rung 07492181: true", "connected"]);
    stage.dial("9826000002", "07492181", "");
    assert_eq!((rung(&stage, CENTRE), rung(&stage, MOVED)), (1, 1));
}

/// The same people under another roof: other strategies, skills, levels, languages, names and
/// limits, in another order, and without the district.
const OTHER: &str = r#"
[numbers]
area = "731"
[[queue]]
name = "health"
skills = ["doctor"]
strategy = "ring-all"
ring_for = "5s"
weight = 9
max_callers = 1
when_full = "refuse"
wrap_up = "1s"
[[queue]]
name = "night"
skills = ["doctor"]
[[queue]]
name = "general"
skills = ["lead"]
level = 2
relax = [{ after = "10s", level = 1 }]
strategy = "random"
language_after = "1s"
max_wait = "10m"
[[line]]
name = "one-eight-one"
numbers = ["181"]
queue = "general"
languages = ["en"]
emergency = true
[[line]]
numbers = ["104", "108"]
queue = "health"
[[agent]]
id = "doc"
contact = "sip:doc@10.2.0.2"
skills = ["doctor=3", "lang:en"]
[[agent]]
id = "op1"
contact = "sip:op1@10.2.0.1"
skills = ["lead"]
[[agent]]
id = "new1"
contact = "sip:new1@10.2.0.3"
skills = ["lead=2", "doctor"]
ready = true
"#;

#[test]
fn q35_a_reload_to_quite_another_configuration_in_the_midst_of_everything_loses_nobody() {
    for kill in [false, true] {
        let mut stage = Stage::new(DESK);
        stage.habit(OP1, Habit::Answers);
        stage.habit(DOC, Habit::Rings);
        ["op1", "doc"].iter().for_each(|agent| stage.set_agent(agent, "ready"));
        // One talks, one rings, two wait in each queue, and the centre rings for one.
        let mut calls = vec![stage.dial("9826000001", "181", "")];
        for (n, number) in [(2, "104"), (3, "104"), (4, "181"), (5, "104"), (6, "181")] {
            stage.wait(secs(1));
            calls.push(stage.dial(&format!("982600000{n}"), number, ""));
        }
        calls.push(stage.dial("9826000007", "07492181", ""));
        assert_eq!((stage.state("op1"), stage.state("doc")), ("talking", "offered"));
        for text in [OTHER, DESK, OTHER] {
            stage.reload(text);
            if kill {
                stage.kill();
            }
            stage.wait(secs(1));
        }
        assert_eq!(stage.records, [], "nobody is lost: {kill}");
        assert_eq!(stage.state("op1"), "talking", "no call is cut");
        // And everybody can be served by the people of the new configuration.
        ["10.2.0.3:5060", DOC, CENTRE].iter().for_each(|at| stage.habit(at, Habit::Answers));
        for _ in 0..40 {
            stage.wait(secs(6));
            for (agent, at) in [("op1", OP1), ("doc", DOC), ("new1", "10.2.0.3:5060")] {
                if stage.state(agent) == "talking" {
                    stage.far_end_hangs_up(at);
                }
            }
        }
        stage.wait(secs(60));
        let answered = stage.records.iter().filter(|one| one.outcome == Outcome::Answered).count();
        assert_eq!((stage.records.len(), answered), (7, 7), "{:#?}", stage.records);
        assert_eq!(stage.switch.state().counts(), (0, 0), "{BSNL} {calls:?}");
    }
}
