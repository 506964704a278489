//! A supervisor's hands on queues and agents, in the whole core: doors, ways out, loans, and the
//! books that say who did what.

use crate::desk_world::{Habit, OP1, Stage, field, secs};
use pukar::call::{EndedBy, Outcome};
use pukar::core::{Audit, Verb, What};

const TWO_QUEUES: &str = r#"
[[line]]
numbers = ["181"]
queue = "general"
default = true
[[line]]
numbers = ["104"]
queue = "health"
[[queue]]
name = "general"
skills = ["operator"]
[[queue]]
name = "health"
skills = ["health"]
[[queue.overflow]]
unstaffed = true
to = "queue:general"
[[queue.overflow]]
after = "5m"
to = "queue:general"
[[agent]]
id = "op1"
contact = "sip:op1@10.2.0.1"
skills = ["operator"]
ready = true
[[agent]]
id = "doc"
contact = "sip:doc@10.2.0.2"
skills = ["health"]
ready = true
"#;
const DOC: &str = "10.2.0.2:5060";

fn stage() -> Stage {
    Stage::new(TWO_QUEUES)
}

fn set_queue(stage: &mut Stage, queue: &str, to: &str) -> Result<String, String> {
    stage.ask(Verb::SetQueue { queue: queue.into(), to: to.into() });
    stage.replies.pop().unwrap()
}

fn lend(stage: &mut Stage, queue: &str, agent: &str, lent: bool) -> Result<String, String> {
    stage.ask(Verb::Lend { queue: queue.into(), agent: agent.into(), lent });
    stage.replies.pop().unwrap()
}

fn status(stage: &Stage, call: &str) -> String {
    stage.answers.get(call).map_or_else(String::new, |answer| answer[8..11].to_string())
}

#[test]
fn a_closed_queue_turns_new_callers_away_and_serves_who_waits() {
    let mut stage = stage();
    stage.set_agent("op1", "pause");
    stage.dial("9826000001", "181", "");
    let said = set_queue(&mut stage, "general", "close").unwrap();
    assert!(said.contains("new callers are turned away"), "{said}");
    let late = stage.dial("9826000002", "181", "");
    // They are told so first, and nobody says here that all has been said.
    stage.wait(secs(20));
    assert_eq!(stage.records.len(), 1, "the second is refused: {:?}", status(&stage, &late));
    let record = &stage.records[0];
    assert_eq!((record.outcome, record.ended_by), (Outcome::Refused, EndedBy::Shut));
    stage.habit(OP1, Habit::Answers);
    stage.set_agent("op1", "ready");
    assert!(stage.story().contains(&"connected op1".to_string()), "who waited is served");
    set_queue(&mut stage, "general", "open").unwrap();
    stage.dial("9826000003", "181", "");
    assert_eq!(stage.records.len(), 1, "and the door is open again");
}

#[test]
fn a_closed_queue_with_a_way_out_sends_its_callers_on() {
    let mut stage = stage();
    stage.set_agent("doc", "pause");
    stage.dial("9826000001", "104", "");
    let said = set_queue(&mut stage, "health", "close").unwrap();
    assert!(said.contains("take its way out"), "{said}");
    stage.habit(OP1, Habit::Answers);
    stage.dial("9826000002", "104", "");
    stage.wait(secs(1));
    let moved = stage.story().iter().filter(|s| s.contains("queue:general (unstaffed)")).count();
    assert_eq!(moved, 2, "{:?}", stage.story());
    assert!(stage.records.is_empty(), "nobody is lost");
    stage.kill();
}

#[test]
fn ways_out_are_opened_and_shut_by_hand() {
    let mut stage = stage();
    assert!(set_queue(&mut stage, "general", "overflow on").unwrap_err().contains("no [[queue"));
    set_queue(&mut stage, "health", "overflow off").unwrap();
    stage.set_agent("doc", "logout");
    stage.dial("9826000001", "104", "");
    stage.wait(secs(400));
    assert!(stage.story().iter().all(|s| !s.contains("->")), "{:?}", stage.story());
    set_queue(&mut stage, "health", "overflow on").unwrap();
    assert!(stage.story().iter().any(|s| s.contains("health -> queue:general")));
    set_queue(&mut stage, "health", "overflow auto").unwrap();
}

#[test]
fn an_agent_is_lent_to_a_queue_until_the_shift_ends_and_taken_from_one() {
    let mut stage = stage();
    stage.habit(OP1, Habit::Answers);
    stage.set_agent("doc", "pause");
    stage.dial("9826000001", "104", "");
    assert!(stage.invites.is_empty());
    lend(&mut stage, "health", "op1", true).unwrap();
    assert_eq!(stage.story(), ["offered op1", "connected op1"]);
    stage.far_end_hangs_up(OP1);
    stage.wait(secs(20));
    stage.set_agent("op1", "logout");
    stage.set_agent("op1", "ready");
    stage.dial("9826000002", "104", "");
    assert_eq!(stage.invites.len(), 1, "a loan is for a shift");

    lend(&mut stage, "health", "doc", false).unwrap();
    stage.set_agent("doc", "ready");
    let rung: Vec<String> = stage.invites.iter().map(|(at, _)| at.to_string()).collect();
    assert_eq!(rung, [OP1, OP1], "who was taken away is not rung: their queue has nobody left");
    stage.habit(DOC, Habit::Answers);
    stage.reload(&TWO_QUEUES.replace("after = \"5m\"", "after = \"6m\""));
    stage.dial("9826000003", "104", "");
    assert_eq!(stage.invites.len(), 2, "over a reload that has nothing to do with it too");
    // What the configuration says anew of this very thing counts.
    let without = TWO_QUEUES.replace("skills = [\"health\"]\nready", "skills = []\nready");
    let without =
        without.replace("[[queue.overflow]]\nun", "staffed = false\n[[queue.overflow]]\nun");
    stage.reload(&without);
    stage.reload(TWO_QUEUES);
    stage.dial("9826000004", "104", "");
    assert_eq!(stage.story().last().unwrap(), "connected doc");
    assert_eq!(handled(&stage).last().unwrap(), "TakeAway", "and somebody is told of it");
    assert!(lend(&mut stage, "health", "nobody", true).unwrap_err().contains("no agent"));
    assert!(lend(&mut stage, "hospital", "doc", true).unwrap_err().contains("no queue"));
}

/// What was done to queues, in the order in which it was.
fn handled(stage: &Stage) -> Vec<String> {
    let hands = stage.facts.iter().filter_map(|fact| match &fact.what {
        What::Desk(pukar::acd::Fact::Handled { hand, .. }) => Some(format!("{hand:?}")),
        _ => None,
    });
    hands.map(|hand| hand.split('(').next().unwrap_or_default().to_string()).collect()
}

#[test]
fn q36_a_supervisors_hand_outlives_a_reload_until_the_configuration_changes_that_very_value() {
    // Both may take callers of both queues; who waits in the heavier one goes first.
    let text =
        TWO_QUEUES.replace("skills = [\"health\"]\n[[queue.overflow]]", "[[queue.overflow]]");
    let text = text.replace("skills = [\"operator\"]\n[[queue]]", "[[queue]]");
    let text = text.replace("name = \"general\"", "name = \"general\"\nweight = 1");
    for (reloaded, first, told) in [
        (text.clone(), "9826000001", &["Weight", "Door"][..]),
        (text.replace("after = \"5m\"", "after = \"7m\""), "9826000001", &["Weight", "Door"]),
        (
            text.replace("name = \"health\"", "name = \"health\"\nweight = 9"),
            "9826000002",
            &["Weight", "Door"],
        ),
        (text.replace("weight = 1", "weight = 0"), "9826000002", &["Weight", "Door", "Configured"]),
    ] {
        let mut stage = Stage::new(&text);
        set_queue(&mut stage, "general", "weight 5").unwrap();
        ["op1", "doc"].iter().for_each(|agent| stage.set_agent(agent, "pause"));
        stage.dial("9826000002", "104", "");
        stage.wait(secs(1));
        stage.dial("9826000001", "181", "");
        set_queue(&mut stage, "general", "close").unwrap();
        stage.reload(&reloaded);
        assert_eq!(handled(&stage), told);
        stage.set_agent("op1", "ready");
        let invite = &stage.invites.last().unwrap().1;
        assert!(field(invite, "From").contains(first), "{first}: {invite}");
        // The door as well.
        stage.dial("9826000003", "181", "");
        stage.wait(secs(21));
        assert_eq!(stage.records[0].ended_by, EndedBy::Shut);
    }
}

#[test]
fn a_forced_log_out_ends_the_wrap_up_but_never_a_call() {
    let mut stage = stage();
    stage.habit(OP1, Habit::Answers);
    stage.dial("9826000001", "181", "");
    stage.set_agent("op1", "force-logout");
    assert_eq!(stage.state("op1"), "talking");
    stage.far_end_hangs_up(OP1);
    stage.set_agent("op1", "force-logout");
    assert_eq!(stage.state("op1"), "off");
}

#[test]
fn every_act_is_on_the_books_with_who_and_whether() {
    let mut stage = stage();
    stage.set_agent("op1", "pause");
    stage.ask(Verb::Hangup { call: "c9".into() });
    set_queue(&mut stage, "general", "weight 9").unwrap();
    let acts: Vec<&Audit> = stage
        .facts
        .iter()
        .filter_map(|fact| match &fact.what {
            What::Audit(act) => Some(&**act),
            _ => None,
        })
        .collect();
    let told: Vec<String> =
        acts.iter().map(|a| format!("{} {} {}: {}", a.by, a.verb, a.on, a.refused)).collect();
    assert_eq!(
        told,
        [
            "supervisor agents.set op1 pause: ",
            "supervisor calls.hangup c9: no live call c9: see `pukar calls`",
            "supervisor queues.set general weight 9: ",
        ]
    );
}

#[test]
fn why_a_caller_still_waits_names_each_agent_and_what_keeps_them() {
    let relaxed = "level = 2\nrelax = [{ after = \"5m\", level = 1 }]";
    let text = TWO_QUEUES
        .replace("name = \"general\"\n", &format!("name = \"general\"\n{relaxed}\n"))
        .replace("numbers = [\"181\"]", "numbers = [\"181\"]\nemergency_key = \"0\"")
        .replace("[\"health\"]\nready", "[\"health\", \"operator=2\"]\nready");
    let mut stage = Stage::new(&text);
    stage.set_agent("doc", "pause");
    stage.dial("9826000001", "181", "");
    stage.wait(secs(1));
    stage.dial("9826000002", "181", "");
    let second = stage.arrival().id.clone();
    let why = |stage: &mut Stage| {
        let before = stage.facts.len();
        stage.ask(Verb::Explain { call: second.clone() });
        assert_eq!(stage.facts.len(), before, "whoever asks changes nothing");
        stage.replies.pop().unwrap().unwrap().lines().map(str::to_string).collect::<Vec<_>>()
    };
    let told = [
        "waits in general, 1 are served before",
        "needs level 2; weight 0, priority 0",
        "free, but of too low a level: op1",
        "paused: doc",
    ];
    assert_eq!(why(&mut stage), told);
    stage.set_agent("op1", "pause");
    stage.press("0");
    let told = [
        "waits in general, 0 are served before",
        "needs level 1; an emergency",
        "paused: op1, doc",
    ];
    assert_eq!(why(&mut stage), told, "who came before is served after");
    stage.ask(Verb::Explain { call: "c9".into() });
    assert!(stage.replies.pop().unwrap().is_err());
}

#[test]
fn what_a_queue_cannot_be_is_said() {
    let mut stage = stage();
    for (to, why) in [
        ("weight 5000", "from 0 to 1000"),
        ("weight heavy", "from 0 to 1000"),
        ("shut", "say open, close, overflow on|off|auto, or weight N"),
    ] {
        assert!(set_queue(&mut stage, "general", to).unwrap_err().contains(why), "{to}");
    }
}

#[test]
fn a_reload_that_removes_a_queue_keeps_its_callers_in_the_one_their_line_leads_to_now() {
    let mut stage = stage();
    ["op1", "doc"].iter().for_each(|agent| stage.set_agent(agent, "pause"));
    stage.dial("9826000001", "104", "");
    stage.wait(secs(30));
    stage.dial("9826000002", "181", "");
    let one_queue = TWO_QUEUES
        .replace(
            "[[queue]]\nname = \"health\"\nskills = [\"health\"]\n[[queue.overflow]]\n\
                  unstaffed = true\nto = \"queue:general\"\n[[queue.overflow]]\nafter = \"5m\"\n\
                  to = \"queue:general\"\n",
            "",
        )
        .replace("queue = \"health\"", "queue = \"general\"");
    stage.reload(&one_queue);
    assert!(stage.records.is_empty(), "nobody is lost: {:?}", stage.records);
    assert_eq!(stage.story().last().unwrap(), " -> queue:general (queue-removed)");
    stage.kill();
    stage.habit(OP1, Habit::Answers);
    stage.set_agent("op1", "ready");
    stage.far_end_hangs_up(OP1);
    stage.wait(secs(20));
    assert_eq!(stage.records[0].dialled, "104", "who came first is served first, in the new line");
}

#[test]
fn a_caller_whose_queue_is_removed_goes_where_their_number_leads_with_a_district_before_it() {
    let line = |number: &str, queue: &str| {
        format!("[[line]]\nnumbers = [\"{number}\"]\nqueue = \"{queue}\"\nby_district = false\n")
    };
    let queue = |name: &str| format!("[[queue]]\nname = \"{name}\"\nskills = [\"{name}\"]\n");
    let helpline = |care: &str| {
        let lines = [line("181", "general") + "default = true\n", line("104", care)].concat();
        let queues = [queue("general"), queue(care)].concat();
        format!(
            "{lines}{queues}[[district]]\nname = \"alirajpur\"\nstd = [\"07394\"]\n\
             queue = \"general\"\n[[agent]]\nid = \"doc\"\ncontact = \"sip:doc@10.2.0.2\"\n\
             skills = [\"general\", \"health\", \"care\"]\n"
        )
    };
    let mut stage = Stage::new(&helpline("health"));
    stage.dial("9826000001", "07394104", "");
    stage.wait(secs(5));
    stage.reload(&helpline("care"));
    assert_eq!(stage.story(), [" -> queue:care (queue-removed)"]);
    assert!(stage.records.is_empty());
}

#[test]
fn a_reload_that_leaves_no_queue_at_all_ends_its_callers_with_a_record_each() {
    let mut stage = stage();
    ["op1", "doc"].iter().for_each(|agent| stage.set_agent(agent, "pause"));
    stage.dial("9826000001", "181", "");
    stage.reload("[[line]]\nnumbers = [\"181\"]\nto = \"sip:desk@10.4.0.1\"\n");
    stage.wait(secs(10));
    assert_eq!(stage.records.len(), 1);
}
