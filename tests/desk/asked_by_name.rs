//! Who is asked by name, for a caller in hand: the counsellor whom the caller knows already, the
//! next number of the directory, a number of this morning's upload. Stories of the whole switch.

use crate::desk_world::{BSNL, Habit, OP1, OP2, OP3, ROUTE, Stage, secs};
use pukar::base::PortId;
use pukar::call::Directory;
use pukar::core::Event;

const OP4: &str = "10.2.0.4:5060";

/// Two operators and two counsellors, each of whom picks up.
fn centre() -> Stage {
    let queue = |name: &str| {
        format!(
            "[[queue]]\nname = \"{name}\"\nskills = [\"{name}\"]\nsticky = \"60s\"\n\
             wrap_up = \"5s\"\n[[line]]\nqueue = \"{name}\"\nblock = false\n"
        )
    };
    let agent = |id: &str, at: u8, skill: &str| {
        format!(
            "[[agent]]\nid = \"{id}\"\nextension = \"1{at}\"\ncontact = \"sip:{id}@10.2.0.{at}\"\n\
             skills = [\"{skill}\"]\nready = true\n"
        )
    };
    let mut stage = Stage::new(&format!(
        "{ROUTE}[in_call.short]\n1 = \"queue:health\"\n52 = \"dir:ALI/RRT\"\n\
         {}numbers = [\"181\"]\n{}numbers = [\"104\"]\n{}{}{}{}",
        queue("general"),
        queue("health"),
        agent("op1", 1, "general"),
        agent("op2", 4, "general"),
        agent("dr1", 2, "health"),
        agent("dr2", 3, "health"),
    ));
    [OP1, OP2, OP3, OP4].iter().for_each(|phone| stage.habit(phone, Habit::Answers));
    stage
}

/// A caller with whom op1 talks, and the port of op1.
fn talking(stage: &mut Stage) -> (String, PortId) {
    let caller = stage.dial("9826012345", "181", "");
    assert_eq!(stage.state("op1"), "talking");
    stage.wait(secs(2));
    (caller, *stage.opened.last().unwrap())
}

fn rung(stage: &Stage) -> Vec<String> {
    stage.invites.iter().map(|(at, _)| at.to_string()).collect()
}

#[test]
fn a_caller_who_comes_back_has_the_counsellor_whom_they_were_handed_to_and_the_operator_too() {
    let mut stage = centre();
    let (caller, op1) = talking(&mut stage);
    stage.press_at(op1, "*21#");
    assert_eq!(stage.state("dr1"), "talking", "{:?}", stage.story());
    stage.wait(secs(2));
    stage.far_end_hangs_up(OP1);
    stage.wait(secs(30));
    stage.kill();
    stage.hang_up(&caller);
    stage.wait(secs(60));
    // Both of the others have been idle for longer.
    for (line, agent, phone) in [("104", "dr1", OP2), ("181", "op1", OP1), ("104", "dr1", OP2)] {
        stage.invites.clear();
        let caller = stage.dial("9826012345", line, "");
        assert_eq!((rung(&stage), stage.state(agent)), (vec![phone.to_string()], "talking"));
        stage.wait(secs(5));
        stage.hang_up(&caller);
        stage.wait(secs(30));
    }
    stage.invites.clear();
    stage.dial("9826099999", "104", "");
    assert_eq!(rung(&stage), [OP3], "whom nobody knows has the one who is longest idle");
}

/// A reload with this directory.
fn upload(stage: &mut Stage, numbers: &[(&str, u8)]) {
    let mut csv = String::from("kind,district,name,number,priority\n");
    for (number, priority) in numbers {
        csv += &format!("RRT,ALI,डॉ. {priority},{number},{priority}\n");
    }
    let mut directory = Directory::default();
    directory.read("directory.csv", &csv, &stage.settings.call);
    assert_eq!(directory.refused, []);
    stage.settings.call.directory = directory.into();
    let settings = stage.settings.clone();
    stage.tell(Event::Reload(Box::new(settings)));
}

/// The last digits of the numbers outside that were rung.
fn outside(stage: &Stage) -> Vec<String> {
    let bsnl = BSNL.parse().unwrap();
    let invites = stage.invites.iter().filter(|(at, _)| *at == bsnl);
    let users = invites.map(|(_, text)| text.split(['@', ':']).nth(1).unwrap());
    users.map(|user| user[user.len() - 3..].to_string()).collect()
}

fn rungs(stage: &Stage) -> Vec<String> {
    stage.story().into_iter().filter(|told| told.starts_with("rung")).collect()
}

#[test]
fn an_officer_of_the_directory_is_asked_for_a_caller_and_the_next_where_one_does_not_answer() {
    let mut stage = centre();
    upload(&mut stage, &[("9826000131", 1), ("9826000132", 2)]);
    let (caller, op1) = talking(&mut stage);
    stage.press_at(op1, "*252#");
    assert_eq!(outside(&stage), ["131"]);
    stage.wait(secs(28));
    assert_eq!(outside(&stage), ["131", "132"], "the first is not there");
    stage.far_end_answers(BSNL);
    stage.wait(secs(5));
    stage.far_end_hangs_up(OP1);
    assert_eq!(rungs(&stage), ["rung +919826000131: false", "rung +919826000132: true"]);
    stage.wait(secs(10));
    assert_eq!((stage.records.len(), stage.state("op1")), (0, "ready"), "they talk");
    stage.hang_up(&caller);
    stage.wait(secs(10));
    let [record] = &stage.records[..] else { panic!("{:?}", stage.records) };
    assert_eq!((record.transfers, &*record.agent), (1, "op1"));
    assert!(record.talk_ms >= 15_000, "{record:?}");
}

#[test]
fn a_number_that_was_uploaded_this_minute_is_where_the_caller_is_sent() {
    let mut stage = centre();
    upload(&mut stage, &[("9826000131", 1)]);
    let (caller, op1) = talking(&mut stage);
    upload(&mut stage, &[("9826000777", 1)]);
    stage.press_at(op1, "*452#");
    assert_eq!(outside(&stage), ["777"]);
    stage.far_end_answers(BSNL);
    stage.wait(secs(10));
    assert_eq!((stage.records.len(), stage.state("op1")), (0, "ready"));
    stage.hang_up(&caller);
    stage.wait(secs(10));
    assert_eq!((stage.records.len(), stage.records[0].transfers), (1, 1));
}

#[test]
fn a_consultation_that_is_given_up_is_no_failure_of_the_number() {
    let mut stage = centre();
    upload(&mut stage, &[("9826000131", 1)]);
    let (_, op1) = talking(&mut stage);
    for _ in 0..3 {
        stage.press_at(op1, "*252#");
        stage.wait(secs(2));
        stage.press_at(op1, "*0");
        stage.wait(secs(2));
    }
    assert_eq!((outside(&stage).len(), rungs(&stage)), (3, Vec::new()));
    stage.press_at(op1, "*252#");
    stage.wait(secs(30));
    assert_eq!(rungs(&stage), ["rung +919826000131: false"], "that one did not answer");
}
